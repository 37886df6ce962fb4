//! Lease ids: 128-bit values, whatever form they are written in.
//!
//! SQL Server proposes its restore lease as `BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2` (no dashes), other clients
//! write the dashed form; both name one lease, so ids are compared as numbers. All five forms of .NET's
//! `Guid.Parse` are read; printed is always the dashed lower-case form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a lease.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LeaseId(u128);

/// The text is no GUID in any of the forms N, D, B, P and X.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lease id is a GUID, for example bac2bac2-bac2-bac2-bac2-bac2bac2bac2")]
pub struct InvalidLeaseId;

impl LeaseId {
    /// The id under which SQL Server restores from a page blob.
    pub const RESTORE: Self = Self(0xBAC2_BAC2_BAC2_BAC2_BAC2_BAC2_BAC2_BAC2);

    /// The id with this value (the digits of the dashed form, most significant first).
    pub fn from_u128(value: u128) -> Self {
        Self(value)
    }

    /// The value.
    pub fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        let (a, b, c) = ((v >> 96) as u32, (v >> 80) as u16, (v >> 64) as u16);
        let (d, e) = ((v >> 48) as u16, v as u64 & 0xFFFF_FFFF_FFFF);
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

impl fmt::Debug for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeaseId({self})")
    }
}

impl FromStr for LeaseId {
    type Err = InvalidLeaseId;

    fn from_str(text: &str) -> Result<Self, InvalidLeaseId> {
        let text = text.trim();
        // The longest form, X, has 68 characters; .NET lets blanks stand inside it.
        if !text.is_ascii() || text.len() > 128 {
            return Err(InvalidLeaseId);
        }
        let braced = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
        let value = match braced {
            Some(inner) if inner.contains(',') => hex_groups(inner),
            Some(inner) => dashed(inner),
            None => match text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
                Some(inner) => dashed(inner),
                None if text.len() == 32 => hex(text),
                None => dashed(text),
            },
        };
        value.map(Self).ok_or(InvalidLeaseId)
    }
}

/// Digits only: `from_str_radix` alone would let a sign through.
fn hex(digits: &str) -> Option<u128> {
    let legal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    legal.then(|| u128::from_str_radix(digits, 16).ok()).flatten()
}

/// `bac2bac2-bac2-bac2-bac2-bac2bac2bac2`
fn dashed(text: &str) -> Option<u128> {
    let groups: Vec<&str> = text.split('-').collect();
    if groups.iter().map(|g| g.len()).ne([8, 4, 4, 4, 12]) {
        return None;
    }
    hex(&groups.concat())
}

/// The inside of `{0xbac2bac2,0xbac2,0xbac2,{0xba,0xc2,0xba,0xc2,0xba,0xc2,0xba,0xc2}}`
fn hex_groups(text: &str) -> Option<u128> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let (head, tail) = text.split_once(",{")?;
    let tail = tail.strip_suffix('}')?;
    let parts: Vec<&str> = head.split(',').chain(tail.split(',')).collect();
    let widths = [8, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2];
    if parts.len() != widths.len() || head.split(',').count() != 3 {
        return None;
    }
    parts.iter().zip(widths).try_fold(0u128, |value, (part, width)| {
        let digits = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"))?;
        let group = (digits.len() <= width).then(|| hex(digits)).flatten()?;
        Some(value << (width * 4) | group)
    })
}

impl TryFrom<String> for LeaseId {
    type Error = InvalidLeaseId;

    fn try_from(text: String) -> Result<Self, InvalidLeaseId> {
        text.parse()
    }
}

impl From<LeaseId> for String {
    fn from(id: LeaseId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_forms_are_one_id() {
        // The forms of .NET's Guid.ToString for one value: N, D, B, P, X.
        let forms = [
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}",
            "(0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9)",
            "{0x0a1b2c3d,0x4e5f,0x6071,{0x82,0x93,0xa4,0xb5,0xc6,0xd7,0xe8,0xf9}}",
        ];
        for form in forms {
            for text in [form.to_owned(), form.to_uppercase(), format!(" {form} ")] {
                let id: LeaseId = text.parse().unwrap_or_else(|_| panic!("{text}"));
                assert_eq!(id.to_string(), forms[1], "{text}");
            }
        }
        assert_eq!(
            "{0xa, 0x1, 0x2, {0x3,0x4,0x5,0x6,0x7,0x8,0x9,0xa}}"
                .parse::<LeaseId>()
                .map(|i| i.to_string()),
            Ok("0000000a-0001-0002-0304-05060708090a".to_owned())
        );
    }

    #[test]
    fn the_restore_id() {
        assert_eq!("BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2".parse(), Ok(LeaseId::RESTORE));
        assert_eq!(
            "bac2bac2-bac2-bac2-bac2-bac2bac2bac2".parse(),
            Ok(LeaseId::RESTORE)
        );
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "not-a-guid",
            "+a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "0a1b2c3d4e5f-6071-8293-a4b5c6d7e8f9",
            "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            "{0a1b2c3d4e5f60718293a4b5c6d7e8f9}",
            "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8fg",
            "{0x0a1b2c3d,0x4e5f,{0x6071,0x82,0x93,0xa4,0xb5,0xc6,0xd7,0xe8,0xf9}}",
            "{0x10a1b2c3d,0x4e5f,0x6071,{0x82,0x93,0xa4,0xb5,0xc6,0xd7,0xe8,0xf9}}",
            "{0a1b2c3d,4e5f,6071,{82,93,a4,b5,c6,d7,e8,f9}}",
            "00000000-0000-0000-0000-00000000000\u{660}",
        ] {
            assert_eq!(bad.parse::<LeaseId>(), Err(InvalidLeaseId), "{bad}");
        }
    }
}
