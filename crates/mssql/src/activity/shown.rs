//! Which devices the text of a batch shows.
//!
//! A text proves a device only where it is written out. A variable, a logical device, dynamic SQL, a procedure: any of them may
//! be any blob, and then nothing is claimed.

/// The devices in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// All of them are written out: these are the URLs, perhaps none; files are left out.
    Urls(Vec<String>),
    /// At least one is not.
    Hidden,
}

/// A word of T-SQL, as far as devices need it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// A bare word, in upper case; variables with their `@`.
    Bare(String),
    /// `[name]` or `"name"`.
    Quoted,
    /// `'text'` or `N'text'`.
    Text(String),
    /// Anything else, one character.
    Sign(char),
    /// A comment or a text that does not end: the batch is cut off.
    CutOff,
}

/// Reads the devices of all BACKUP and RESTORE statements of a batch.
#[must_use]
pub fn devices(text: &str) -> Shown {
    let words = words(text);
    if words.contains(&Word::CutOff) {
        return Shown::Hidden;
    }
    let bare = |place: usize, wanted: &[&str]| matches!(words.get(place), Some(Word::Bare(word)) if wanted.contains(&word.as_str()));
    let mut urls = Vec::new();
    let mut seen = false;
    for place in 0..words.len() {
        let is_device = bare(
            place,
            &["URL", "DISK", "TAPE", "VIRTUAL_DEVICE", "DATABASE_SNAPSHOT"],
        ) && words.get(place + 1) == Some(&Word::Sign('='));
        if is_device {
            seen = true;
            match words.get(place + 2) {
                Some(Word::Text(device)) if bare(place, &["URL"]) => urls.push(device.clone()),
                Some(Word::Text(_)) => {}
                _ => return Shown::Hidden,
            }
            continue;
        }
        let dynamic = bare(place, &["EXEC", "EXECUTE"]);
        if dynamic || (bare(place, &["TO", "FROM"]) && logical(words.get(place + 1), words.get(place + 2))) {
            return Shown::Hidden;
        }
    }
    if seen { Shown::Urls(urls) } else { Shown::Hidden }
}

/// Whether what follows TO or FROM may be a logical device or a variable. `MOVE ... TO 'path'` is followed by a text, a device by
/// its kind and `=`; a table after FROM in a SELECT beside the backup is taken for a device, which does no harm.
fn logical(next: Option<&Word>, after: Option<&Word>) -> bool {
    match next {
        Some(Word::Bare(_)) => after != Some(&Word::Sign('=')),
        Some(Word::Quoted) => true,
        _ => false,
    }
}

fn words(text: &str) -> Vec<Word> {
    let mut rest = text;
    let mut words = Vec::new();
    while let Some(first) = rest.chars().next() {
        let second = rest[first.len_utf8()..].chars().next();
        let (word, length) = match (first, second) {
            ('-', Some('-')) => (None, rest.find('\n').unwrap_or(rest.len())),
            ('/', Some('*')) => match comment(rest) {
                Some(length) => (None, length),
                None => (Some(Word::CutOff), rest.len()),
            },
            ('\'', _) => quoted(rest, '\''),
            ('N' | 'n', Some('\'')) => {
                let (word, length) = quoted(&rest[1..], '\'');
                (word, length + 1)
            }
            ('[', _) => quoted(rest, ']'),
            ('"', _) => quoted(rest, '"'),
            (first, _) if first.is_whitespace() => (None, first.len_utf8()),
            (first, _) if is_part(first) => {
                let length = rest.find(|sign| !is_part(sign)).unwrap_or(rest.len());
                (Some(Word::Bare(rest[..length].to_uppercase())), length)
            }
            (sign, _) => (Some(Word::Sign(sign)), sign.len_utf8()),
        };
        words.extend(word);
        rest = &rest[length..];
    }
    words
}

fn is_part(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '_' | '@' | '#' | '$')
}

/// Length of a comment, which may hold others.
fn comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut place) = (0_usize, 0);
    while place + 1 < bytes.len() {
        match &bytes[place..place + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                place += 1;
                continue;
            }
        }
        place += 2;
        if depth == 0 {
            return Some(place);
        }
    }
    None
}

/// What is quoted up to `end`, doubled within, and its length with both quotes.
fn quoted(text: &str, end: char) -> (Option<Word>, usize) {
    let mut content = String::new();
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((place, sign)) = signs.next() {
        if sign != end {
            content.push(sign);
        } else if signs.peek().is_some_and(|(_, next)| *next == end) {
            signs.next();
            content.push(end);
        } else {
            let word = if end == '\'' {
                Word::Text(content)
            } else {
                Word::Quoted
            };
            return (Some(word), place + end.len_utf8());
        }
    }
    (Some(Word::CutOff), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str, expected: &[&str]) {
        let expected = expected.iter().map(|url| (*url).to_owned()).collect();
        assert_eq!(devices(text), Shown::Urls(expected), "{text}");
    }

    #[test]
    fn what_is_written_out_is_shown() {
        urls(
            "BACKUP DATABASE [a]]b] TO URL = N'https://v/c/it''s.bak', url='https://v/c/2' WITH CHECKSUM",
            &["https://v/c/it's.bak", "https://v/c/2"],
        );
        urls("BACKUP LOG x TO DISK = '/b/x.trn'", &[]);
        urls(
            "RESTORE DATABASE x FROM URL = 'https://v/c/1' WITH MOVE 'a' TO '/d/a.mdf', NORECOVERY -- TO [nowhere]",
            &["https://v/c/1"],
        );
        urls(
            "/* to /* be */ */ BACKUP DATABASE x TO URL = 'https://v/c/1'",
            &["https://v/c/1"],
        );
    }

    #[test]
    fn what_is_not_written_out_may_be_anything() {
        for text in [
            "BACKUP DATABASE x TO URL = @url",
            "BACKUP DATABASE x TO mydevice",
            "BACKUP DATABASE x TO [my device]",
            "BACKUP DATABASE x TO @device",
            "BACKUP DATABASE x TO DISK = '/b', URL = @u",
            "EXEC dbo.DatabaseBackup @Databases = 'ALL', @URL = 'https://v/c'",
            "BACKUP DATABASE x TO URL = 'https://v/c/1",
            "BACKUP DATABASE x TO URL = 'https://v/c/1' /* ",
            "--*** holds a secret",
            "",
        ] {
            assert_eq!(devices(text), Shown::Hidden, "{text}");
        }
    }
}
