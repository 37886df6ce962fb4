//! From the text of a batch to its tokens, a window of the text at a time.
//!
//! sqlparser makes a token of every blank, and all of them at once: tens of bytes for each character. A text of 64 MiB would take
//! gigabytes before it could be refused for having too many. So the text is read through a window, blanks are dropped after each,
//! and reading ends at [`TOKENS_MAX`]. A token that reaches the window's end may go on behind it: it is read again at the
//! beginning of the next window. Only what has an end of its own (a text, a quoted name, a comment, a word) can be longer than a
//! window, and is then read up to exactly that end.

use sqlparser::dialect::MsSqlDialect;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, TokenizerError};

/// Tokens of a batch at most; more, and it is refused with 191.
pub(super) const TOKENS_MAX: usize = 500_000;

/// Bytes of text that are made into tokens at once.
const WINDOW: usize = 64 * 1024;

/// So many tokens before a window's end may come out otherwise once the text behind it is seen (`1e+` is three of them, `1e+5`
/// one).
const UNSURE: usize = 4;

/// Why there are no tokens.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// More than [`TOKENS_MAX`]; the line of the first that is too much.
    TooMany(u64),
    /// A text, a name or a comment that does not end: what sqlparser says of it, and where it begins.
    Unclosed(String, Location),
}

/// The tokens of a text, without blanks and comments, each with its place in the whole text.
pub(super) fn read(text: &str) -> Result<Vec<TokenWithSpan>, Unreadable> {
    through(text, WINDOW)
}

fn through(text: &str, window: usize) -> Result<Vec<TokenWithSpan>, Unreadable> {
    let mut kept = Vec::new();
    let mut rest = text;
    let mut place = Location::new(1, 1);
    while !rest.is_empty() {
        let (tokens, bytes) = piece(rest, window).map_err(|error| {
            let at = moved(error.location, place);
            Unreadable::Unclosed(error.message, at)
        })?;
        for TokenWithSpan { token, span } in tokens {
            if !matches!(token, Token::Whitespace(_)) {
                let span = Span::new(moved(span.start, place), moved(span.end, place));
                kept.push(TokenWithSpan { token, span });
            }
        }
        if let Some(token) = kept.get(TOKENS_MAX) {
            return Err(Unreadable::TooMany(token.span.start.line));
        }
        place = moved(end_of(&rest[..bytes]), place);
        rest = &rest[bytes..];
    }
    Ok(kept)
}

/// The first tokens of a text that is not empty, at least one, and how many bytes they take.
fn piece(rest: &str, window: usize) -> Result<(Vec<TokenWithSpan>, usize), TokenizerError> {
    let mut bytes = window.min(rest.len());
    while !rest.is_char_boundary(bytes) {
        bytes += 1;
    }
    let (mut tokens, ended) = tokens(&rest[..bytes]);
    if bytes == rest.len() {
        return ended.map(|()| (tokens, bytes));
    }
    let mut sure = match (&ended, tokens.len()) {
        // What follows them did not end within the window; they did.
        (Err(_), count) => count,
        (Ok(()), 0 | 1) => 0,
        (Ok(()), count) => count.saturating_sub(UNSURE).max(1),
    };
    // What a point means depends on the word before it: no window begins with one.
    while tokens.get(sure).is_some_and(|next| next.token == Token::Period) && sure > 0 {
        sure -= 1;
    }
    if sure > 0 {
        tokens.truncate(sure);
        let end = tokens.last().map_or(Location::new(1, 1), |token| token.span.end);
        return Ok((tokens, byte_at(&rest[..bytes], end)));
    }
    let end = end_of_first(rest);
    if end <= bytes {
        // It ends within the window, and yet it could not be read; or it is one token up to the window's end.
        return ended.map(|()| (tokens, bytes));
    }
    let (tokens, ended) = self::tokens(&rest[..end]);
    ended.map(|()| (tokens, end))
}

fn tokens(text: &str) -> (Vec<TokenWithSpan>, Result<(), TokenizerError>) {
    let mut tokens = Vec::new();
    let ended = Tokenizer::new(&MsSqlDialect {}, text).tokenize_with_location_into_buf(&mut tokens);
    (tokens, ended)
}

/// Where the first token of a text ends, if it is one that can be long.
fn end_of_first(text: &str) -> usize {
    let unprefixed = text
        .strip_prefix(['N', 'n', 'X', 'x'])
        .filter(|rest| rest.starts_with('\''));
    let start = unprefixed.map_or(0, |_| 1);
    let rest = &text[start..];
    let end = if rest.starts_with('\'') {
        behind_quote(rest, '\'')
    } else if rest.starts_with('"') {
        behind_quote(rest, '"')
    } else if rest.starts_with('[') {
        behind_quote(rest, ']')
    } else if rest.starts_with("--") {
        rest.find('\n').map(|at| at + 1)
    } else if rest.starts_with("/*") {
        behind_comment(rest)
    } else {
        rest.find(|sign: char| !sign.is_alphanumeric() && !matches!(sign, '_' | '@' | '#' | '$'))
    };
    start + end.unwrap_or(rest.len())
}

/// Behind the closing quote; two of them are one that is meant.
fn behind_quote(text: &str, quote: char) -> Option<usize> {
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((at, sign)) = signs.next() {
        if sign == quote && signs.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + sign.len_utf8());
        }
    }
    None
}

/// Behind a comment, which may hold others.
fn behind_comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at + 1 < bytes.len() {
        match [bytes[at], bytes[at + 1]] {
            [b'/', b'*'] => depth += 1,
            [b'*', b'/'] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The place behind a text, counted as sqlparser counts.
fn end_of(text: &str) -> Location {
    text.chars().fold(Location::new(1, 1), behind)
}

fn behind(place: Location, sign: char) -> Location {
    match sign {
        '\n' => Location::new(place.line + 1, 1),
        _ => Location::new(place.line, place.column + 1),
    }
}

/// The byte at a place.
fn byte_at(text: &str, wanted: Location) -> usize {
    let mut place = Location::new(1, 1);
    for (at, sign) in text.char_indices() {
        if place == wanted {
            return at;
        }
        place = behind(place, sign);
    }
    text.len()
}

/// A place in a piece as one in the whole text, whose piece begins at `start`.
fn moved(place: Location, start: Location) -> Location {
    match place.line {
        1 => Location::new(start.line, start.column + place.column - 1),
        line => Location::new(start.line + line - 1, place.column),
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::MsSqlDialect;
    use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

    use super::{TOKENS_MAX, Unreadable, read, through};

    /// The same by sqlparser alone, in one go.
    fn at_once(text: &str) -> Vec<TokenWithSpan> {
        let mut tokens = Tokenizer::new(&MsSqlDialect {}, text)
            .tokenize_with_location()
            .unwrap();
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        tokens
    }

    #[test]
    fn a_window_changes_nothing_wherever_it_ends() {
        let long = "x".repeat(150);
        let text = format!(
            "SELECT [a]]b], \"q\"\"r\", N'it''s {long} ''', 1.5e+7, 0xAB{}, t._c, a.b._d AS {long} -- {long} é\r\nFROM /* a /* b {long} */ c */ dbo.[{long}]\n\
             WHERE é <= 'ü' + X'41' AND a<>1e-5 OR b.c!=.5;\n\n  GO{}\tEND",
            "0".repeat(150),
            " ".repeat(150)
        );
        for shift in 0..70 {
            let shifted = format!("{}{text}", ";".repeat(shift));
            let expected = at_once(&shifted);
            for window in [64, 71, 100] {
                let found = through(&shifted, window).unwrap();
                assert_eq!(found, expected, "{shift} {window}");
                let places = |all: &[TokenWithSpan]| all.iter().map(|token| token.span).collect::<Vec<_>>();
                assert_eq!(places(&found), places(&expected), "{shift} {window}");
            }
        }
    }

    #[test]
    fn reading_ends_where_there_are_too_many() {
        for token in ["(", " (", "'';", "-1", "a.", "\n+"] {
            let many = token.repeat(TOKENS_MAX + 70_000);
            assert!(matches!(read(&many), Err(Unreadable::TooMany(_))), "{token}");
        }
        // Blanks and one long text are not many.
        let blanks = format!(
            "SELECT {}'{}'",
            " \n".repeat(TOKENS_MAX),
            "(''".repeat(TOKENS_MAX)
        );
        assert_eq!(read(&blanks).unwrap().len(), 2);
    }

    #[test]
    fn what_does_not_end_is_told_with_its_place() {
        let text = format!("SELECT 1;\n  {} 'a{}", "(1)".repeat(40_000), "b".repeat(200_000));
        let Err(Unreadable::Unclosed(what, place)) = read(&text) else {
            panic!("it has no end");
        };
        assert!(what.contains("nterminated"), "{what}");
        assert_eq!(place, Location::new(2, 2 + 120_000 + 2));
    }
}
