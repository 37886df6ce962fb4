//! Secondary keys: text that sorts, byte by byte, as what it stands for.
//!
//! PostgreSQL's text holds no NUL, so no key does. `\u{1}` is below every other character that a key may have and
//! parts the members of a tuple; U+10FFFF is above all and bounds ranges. [`text`] writes any string without the
//! three and keeps its order.
//!
//! Deliberately absent: numbers other than i64, and any order that is not of bytes (no language's order).

use std::fmt::Write as _;

use crate::error::CatalogError;
use crate::kind::{Kind, Slot};

/// The longest key in bytes. With vault id and id it stays below a third of a PostgreSQL page, its index's limit.
pub const KEY_BYTES_MAX: usize = 1000;

/// Parts the members of a tuple.
const SEPARATOR: char = '\u{1}';

/// Starts what stands for one of the lowest three characters.
const LOW: char = '\u{2}';

/// Starts what stands for one of the highest two characters.
const HIGH: char = '\u{10FFFE}';

/// Above every key.
pub(crate) const TOP: char = '\u{10FFFF}';

/// The secondary keys of a record. A slot without a key is in no scan by that slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The first; what it means is said by the record type.
    pub a: Option<String>,
    /// The second.
    pub b: Option<String>,
    /// The third.
    pub c: Option<String>,
    /// The fourth.
    pub d: Option<String>,
}

impl Keys {
    /// No keys: the record is found by its id alone.
    pub const NONE: Self = Self {
        a: None,
        b: None,
        c: None,
        d: None,
    };

    /// The key in a slot; nothing for [`Slot::Id`].
    pub fn get(&self, slot: Slot) -> Option<&str> {
        match slot {
            Slot::Id => None,
            Slot::A => self.a.as_deref(),
            Slot::B => self.b.as_deref(),
            Slot::C => self.c.as_deref(),
            Slot::D => self.d.as_deref(),
        }
    }

    /// Refuses keys that are too long or hold what no key may.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), CatalogError> {
        for slot in Slot::KEYS {
            let Some(key) = self.get(slot) else { continue };
            if key.len() > KEY_BYTES_MAX {
                return Err(CatalogError::TooLarge {
                    what: format!("key {} of a {kind} record", slot.name()),
                    bytes: key.len(),
                    limit: KEY_BYTES_MAX,
                });
            }
            if key.contains(['\0', TOP]) {
                return Err(CatalogError::Misuse {
                    what: format!(
                        "key {} of a {kind} record holds a character that no key may",
                        slot.name()
                    ),
                });
            }
        }
        Ok(())
    }
}

/// Any string as a key or a member of a tuple. Keeps the order of code points, which is that of UTF-8's bytes.
pub fn text(any: &str) -> String {
    let mut key = String::with_capacity(any.len());
    for c in any.chars() {
        match c {
            '\0' => key.extend([LOW, '\u{2}']),
            SEPARATOR => key.extend([LOW, '\u{3}']),
            LOW => key.extend([LOW, '\u{4}']),
            HIGH => key.extend([HIGH, '\u{2}']),
            TOP => key.extend([HIGH, '\u{3}']),
            other => key.push(other),
        }
    }
    key
}

/// A number, such as microseconds since 1970, as 16 hexadecimal digits that sort as the number does: i64::MIN is
/// all zeros.
pub fn number(value: i64) -> String {
    format!("{:016x}", value.cast_unsigned() ^ (1 << 63))
}

/// Reads what [`number`] wrote; nothing for other text.
pub fn parse_number(key: &str) -> Option<i64> {
    let digits = key.len() == 16 && key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let bits = u64::from_str_radix(key, 16).ok().filter(|_| digits)?;
    Some((bits ^ (1 << 63)).cast_signed())
}

/// Members, each made by [`text`], [`number`] or plain ASCII, as one key that sorts by the first, then the second, ...
pub fn tuple(members: &[&str]) -> String {
    let mut key = String::new();
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            key.push(SEPARATOR);
        }
        key.write_str(member).expect("a string grows");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers() {
        let sorted = [
            i64::MIN,
            -1_000_000,
            -1,
            0,
            1,
            9,
            10,
            1_795_000_000_000_000,
            i64::MAX,
        ];
        for pair in sorted.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
        for value in sorted {
            assert_eq!(parse_number(&number(value)), Some(value));
        }
        assert_eq!(number(i64::MIN), "0000000000000000");
        assert_eq!(parse_number("+000000000000000"), None);
        assert_eq!(parse_number("00"), None);
    }

    #[test]
    fn any_text_becomes_a_key_and_keeps_its_order() {
        let chars = [
            '\0',
            '\u{1}',
            '\u{2}',
            '\u{3}',
            'a',
            'é',
            '\u{10FFFD}',
            '\u{10FFFE}',
            '\u{10FFFF}',
        ];
        let mut strings = vec![String::new()];
        for first in chars {
            strings.push(first.to_string());
            strings.extend(chars.map(|second| format!("{first}{second}")));
        }
        for x in &strings {
            let key = text(x);
            assert!(!key.contains(['\0', SEPARATOR, TOP]), "{x:?}");
            for y in &strings {
                assert_eq!(key.cmp(&text(y)), x.cmp(y), "{x:?} {y:?}");
            }
        }
    }

    #[test]
    fn tuples_sort_member_by_member() {
        let mut keys = [
            tuple(&["ab", "a"]),
            tuple(&["a", "z"]),
            tuple(&["a", ""]),
            tuple(&["a", "b"]),
        ];
        keys.sort();
        assert_eq!(
            keys,
            [
                tuple(&["a", ""]),
                tuple(&["a", "b"]),
                tuple(&["a", "z"]),
                tuple(&["ab", "a"])
            ]
        );
    }
}
