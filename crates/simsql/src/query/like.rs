//! LIKE: `%`, `_`, `[a-f]`, `[^x]`, ESCAPE.

use crate::message::Failure;
use crate::query::collation::{Collation, fold};
use crate::value::Value;

/// Longest pattern, in characters, as the documentation has it (8,000 bytes).
const PATTERN_MAX: usize = 8000;

/// Characters compared for one text at most; beyond that 8623. A text of the longest kind is searched for anything but
/// repetitions with far fewer.
const COMPARISONS_MAX: u64 = 200_000_000;

#[derive(Debug)]
enum Piece {
    /// `%`
    Any,
    /// `_`
    One,
    Literal(char),
    /// Ranges, and whether the character must not be in them.
    Set(Vec<(char, char)>, bool),
}

/// Whether a text is like a pattern. Blanks at the end of the text may be missing in the pattern, not the other way round.
pub(crate) fn matches(
    text: &str,
    pattern: &str,
    escape: Option<&Value>,
    collation: Collation,
    comparisons: &mut u64,
) -> Result<bool, Failure> {
    let escape = match escape {
        None => None,
        Some(Value::Text(escape)) => {
            let mut signs = escape.chars();
            match (signs.next(), signs.next()) {
                (Some(only), None) => Some(only),
                _ => return Err(Failure::new(506, &[&escape])),
            }
        }
        Some(_) => return Ok(false),
    };
    let pieces = parse(pattern, escape)?;
    let text: Vec<char> = text.chars().collect();
    if fits(&text, &pieces, collation, comparisons)? {
        return Ok(true);
    }
    let end = text.iter().rposition(|sign| *sign != ' ').map_or(0, |at| at + 1);
    Ok(end < text.len() && fits(&text[..end], &pieces, collation, comparisons)?)
}

/// Where a pattern (of PATINDEX) first fits, from 1; 0 where nowhere. Adds the characters compared to `comparisons`.
pub(crate) fn position(text: &str, pattern: &str, comparisons: &mut u64) -> Result<usize, Failure> {
    let pieces = parse(pattern, None)?;
    let text: Vec<char> = text.chars().collect();
    let collation = Collation::IgnoreCase;
    let [Piece::Any, pieces @ ..] = &pieces[..] else {
        return Ok(usize::from(fits(&text, &pieces, collation, comparisons)?));
    };
    // What stands before the next `%` takes one character each.
    let width = pieces
        .iter()
        .position(|piece| matches!(piece, Piece::Any))
        .unwrap_or(pieces.len());
    let (head, rest) = pieces.split_at(width);
    let Some(last) = text.len().checked_sub(width) else {
        return Ok(0);
    };
    let first = if rest.is_empty() { last } else { 0 };
    for start in first..=last {
        if fits(&text[start..start + width], head, collation, comparisons)? {
            // Where the rest does not fit behind the first, it fits behind no later one: it begins with `%`.
            let is_found = fits(&text[start + width..], rest, collation, comparisons)?;
            return Ok(if is_found { start + 1 } else { 0 });
        }
    }
    Ok(0)
}

fn parse(pattern: &str, escape: Option<char>) -> Result<Vec<Piece>, Failure> {
    let signs: Vec<char> = pattern.chars().collect();
    if signs.len() > PATTERN_MAX {
        return Err(Failure::new(8152, &[]));
    }
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(sign) = signs.get(at) {
        at += 1;
        match sign {
            sign if Some(*sign) == escape && at < signs.len() => {
                pieces.push(Piece::Literal(signs[at]));
                at += 1;
            }
            '%' => {
                if !matches!(pieces.last(), Some(Piece::Any)) {
                    pieces.push(Piece::Any);
                }
            }
            '_' => pieces.push(Piece::One),
            '[' => match set(&signs[at..], escape) {
                Some((piece, length)) => {
                    pieces.push(piece);
                    at += length;
                }
                // Without its end it matches nothing.
                None => pieces.push(Piece::Set(Vec::new(), false)),
            },
            sign => pieces.push(Piece::Literal(*sign)),
        }
    }
    Ok(pieces)
}

/// The set behind `[` and how many characters it takes, with the `]`.
fn set(signs: &[char], escape: Option<char>) -> Option<(Piece, usize)> {
    let mut at = usize::from(signs.first() == Some(&'^'));
    let negated = at == 1;
    let mut ranges = Vec::new();
    loop {
        let mut sign = *signs.get(at)?;
        if sign == ']' && !ranges.is_empty() {
            return Some((Piece::Set(ranges, negated), at + 1));
        }
        if Some(sign) == escape {
            at += 1;
            sign = *signs.get(at)?;
        }
        let to = match (signs.get(at + 1), signs.get(at + 2)) {
            (Some('-'), Some(to)) if *to != ']' => {
                at += 2;
                *to
            }
            _ => sign,
        };
        ranges.push((sign, to));
        at += 1;
    }
}

/// Greedy with one point of return, as only the last `%` ever has to be tried again: at worst text times pattern.
fn fits(
    text: &[char],
    pieces: &[Piece],
    collation: Collation,
    comparisons: &mut u64,
) -> Result<bool, Failure> {
    let (mut at, mut piece) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        *comparisons += 1;
        if *comparisons > COMPARISONS_MAX {
            return Err(Failure::new(8623, &[]));
        }
        match pieces.get(piece) {
            Some(Piece::Any) => {
                back = Some((at, piece));
                piece += 1;
                continue;
            }
            Some(wanted) if at < text.len() && one(wanted, text[at], collation) => {
                at += 1;
                piece += 1;
                continue;
            }
            None if at == text.len() => return Ok(true),
            _ => {}
        }
        match back {
            Some((start, any)) if start < text.len() => {
                back = Some((start + 1, any));
                at = start + 1;
                piece = any + 1;
            }
            _ => return Ok(false),
        }
    }
}

fn one(piece: &Piece, sign: char, collation: Collation) -> bool {
    match piece {
        Piece::Any => false,
        Piece::One => true,
        Piece::Literal(wanted) => collation.same(*wanted, sign),
        Piece::Set(ranges, negated) => {
            let within = |(from, to): &(char, char), sign: char| (*from..=*to).contains(&sign);
            let found = ranges.iter().any(|range| {
                within(range, sign)
                    || (collation == Collation::IgnoreCase
                        && within(&(fold(range.0), fold(range.1)), fold(sign)))
            });
            found != *negated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{matches, position};
    use crate::query::collation::Collation;
    use crate::value::Value;

    fn like(text: &str, pattern: &str) -> bool {
        matches(text, pattern, None, Collation::IgnoreCase, &mut 0).unwrap()
    }

    #[test]
    fn patterns_of_the_documentation() {
        // The table «Using wildcard characters as literals» and the examples around it.
        assert!(like("5%", "5[%]"));
        assert!(!like("5x", "5[%]"));
        assert!(like("_n", "[_]n"));
        assert!(like("-", "[-acdf]"));
        assert!(like("[", "[[]"));
        assert!(like("]", "]"));
        assert!(like("abc_d", "abc[_]d%"));
        assert!(like("abcd", "abc[def]"));
        assert!(like("Carsen", "[C-P]arsen"));
        assert!(!like("Larson", "[C-K]arson"));
        assert!(!like("del", "de[^l]%"));
        assert!(like("MASTER", "mas%r"));
        assert!(like("text  ", "text"));
        assert!(!like("text", "text "));
        assert!(!like("aaaaaaaaaaaaaaaaaaaaaaaaaaaab", "%a%a%a%a%a%a%a%a%a%c"));
    }

    #[test]
    fn escape_and_patindex() {
        let escape = Value::from("!");
        assert!(
            matches(
                "10-15% off",
                "%10-15!% off%",
                Some(&escape),
                Collation::IgnoreCase,
                &mut 0
            )
            .unwrap()
        );
        assert!(
            !matches(
                "10-15x off",
                "%10-15!% off%",
                Some(&escape),
                Collation::IgnoreCase,
                &mut 0
            )
            .unwrap()
        );
        // PATINDEX('%ter%', 'interesting data') is 3.
        let place = |text: &str, pattern: &str| position(text, pattern, &mut 0).unwrap();
        assert_eq!(place("interesting data", "%ter%"), 3);
        assert_eq!(place("abc", "b"), 0);
        assert_eq!(place("abc", "ab%"), 1);
        assert_eq!(place("path/to/file", "%[/\\]%"), 5);
        assert_eq!(place("a.bak.bak", "%.bak"), 6);
        assert_eq!(place("aXbX", "%x_x"), 2);
        assert_eq!(place("ab1ab2", "%ab%2%"), 1);
        assert_eq!(place("ab1ab2", "%ab%3%"), 0);
        assert_eq!(place("a", "%aa%"), 0);
    }

    #[test]
    fn work_grows_with_the_text_and_ends() {
        let text = "a".repeat(1_000_000);
        let mut comparisons = 0;
        // Every place begins like the pattern, and none goes on like it.
        assert_eq!(position(&text, "%a%b%", &mut comparisons).unwrap(), 0);
        assert!(comparisons < 5_000_000, "{comparisons}");
        let hostile = format!("%{}b%", "a".repeat(4000));
        let failure = matches(&text, &hostile, None, Collation::IgnoreCase, &mut 0).unwrap_err();
        assert_eq!(failure.messages[0].number, 8623);
    }
}
