//! Query strings: pairs of name and value.

use percent_encoding::percent_decode_str;

/// The decoded pairs in order. `+` is a blank, as in signatures; a part without `=` is a name with an empty
/// value, because an access signature may be any text. Bytes that are not UTF-8 are replaced by U+FFFD.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    })
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded() {
        let got: Vec<_> = pairs("comp=list&prefix=a%2Fb+c%2B&bare&&x=1=2").collect();
        let want = [("comp", "list"), ("prefix", "a/b c+"), ("bare", ""), ("x", "1=2")];
        assert_eq!(got, want.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
}
