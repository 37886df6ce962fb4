//! Codes that somebody may have meant.

use crate::catalogue::catalogue;
use crate::code::Code;
use crate::operation::Operation;

/// The code of this name, whatever its case and with blanks around it.
pub fn find(name: &str) -> Option<Code> {
    let name = name.trim();
    Code::ALL
        .into_iter()
        .find(|code| code.as_str().eq_ignore_ascii_case(name))
}

/// Up to five codes that resemble `name`, the closest first: part of the name, or a few slips away.
pub fn similar(name: &str) -> Vec<Code> {
    let wanted: String = name
        .to_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(120)
        .collect();
    if wanted.len() < 3 {
        return Vec::new();
    }
    let mut found: Vec<(usize, Code)> = Code::ALL
        .into_iter()
        .filter_map(|code| {
            let name = code.as_str().to_lowercase();
            if name.contains(&wanted) {
                return Some((0, code));
            }
            let distance = distance(wanted.as_bytes(), name.as_bytes());
            (distance <= wanted.len() / 3).then_some((distance, code))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, code)| code).take(5).collect()
}

/// Codes that a message of this number can stand for, each with the operations.
pub fn raised_by(number: i32) -> Vec<(Code, Vec<Operation>)> {
    let mut found = Vec::new();
    for entry in catalogue().entries() {
        let mut operations: Vec<Operation> = entry
            .raised
            .iter()
            .filter(|rule| rule.messages.contains(&number))
            .flat_map(|rule| rule.operations.iter().copied())
            .collect();
        operations.sort();
        operations.dedup();
        if !operations.is_empty() {
            found.push((entry.code, operations));
        }
    }
    found
}

/// Edit distance: insertions, deletions and replacements of one character.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, find, raised_by, similar};
    use crate::code::Code;

    #[test]
    fn distances_by_hand() {
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b"abc"), 0);
    }

    #[test]
    fn a_slip_finds_its_code() {
        assert_eq!(
            find(" usererrorsqlpodoesnotexist "),
            Some(Code::UserErrorSQLPODoesNotExist)
        );
        assert_eq!(
            similar("UserErorSQLPODoesntExist").first(),
            Some(&Code::UserErrorSQLPODoesNotExist)
        );
        assert!(similar("mirroring").contains(&Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled));
        assert!(similar("zzzzzzzzzzzz").is_empty());
        assert!(similar("").is_empty());
    }

    #[test]
    fn a_number_finds_its_codes() {
        let codes: Vec<Code> = raised_by(3202).into_iter().map(|(code, _)| code).collect();
        for code in [
            Code::WlExtGenericIOFaultUserError,
            Code::UserErrorVMInternetConnectivityIssue,
            Code::Bac2UrlLeased,
        ] {
            assert!(codes.contains(&code), "{code}");
        }
        assert!(raised_by(1).is_empty());
    }
}
