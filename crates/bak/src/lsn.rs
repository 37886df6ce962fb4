//! Log sequence numbers: the positions in a transaction log that backups name as their bounds.
//!
//! An LSN is three numbers: virtual log file, block (512-byte sector within that file) and slot (record within that block). SQL
//! Server prints it as one decimal number, `vlf * 10^15 + block * 10^5 + slot`; people and `msdb` know it in that form, so that is
//! the only text form here. Ordering is by the three numbers in turn, which is also the order of the decimal form.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A position in a transaction log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn {
    /// Sequence number of the virtual log file.
    pub vlf: u32,
    /// Block within the virtual log file, in sectors of 512 bytes.
    pub block: u32,
    /// Record within the block; 1 is the first.
    pub slot: u16,
}

/// What the decimal form is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no log sequence number: expected the decimal form that SQL Server prints")]
pub struct LsnError(String);

const SLOTS: u128 = 100_000;
const BLOCKS: u128 = 10_000_000_000;

impl Lsn {
    /// Bytes of the stored form: u32 virtual log file, u32 block, u16 slot, little-endian.
    pub const SIZE: usize = 10;
    /// The value that stands for "no LSN" in a backup's configuration.
    pub const ZERO: Lsn = Lsn {
        vlf: 0,
        block: 0,
        slot: 0,
    };

    /// Reads the stored form.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j] = bytes;
        Self {
            vlf: u32::from_le_bytes([a, b, c, d]),
            block: u32::from_le_bytes([e, f, g, h]),
            slot: u16::from_le_bytes([i, j]),
        }
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0..4].copy_from_slice(&self.vlf.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.block.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.slot.to_le_bytes());
        bytes
    }

    /// `None` for the zero LSN, which SQL Server uses where there is none.
    #[must_use]
    pub fn non_zero(self) -> Option<Self> {
        (self != Self::ZERO).then_some(self)
    }

    /// The number that SQL Server prints.
    #[must_use]
    pub fn to_decimal(self) -> u128 {
        (u128::from(self.vlf) * BLOCKS + u128::from(self.block)) * SLOTS + u128::from(self.slot)
    }

    /// The LSN that SQL Server prints as `decimal`; `None` where a part does not fit its field.
    #[must_use]
    pub fn from_decimal(decimal: u128) -> Option<Self> {
        Some(Self {
            vlf: u32::try_from(decimal / SLOTS / BLOCKS).ok()?,
            block: u32::try_from(decimal / SLOTS % BLOCKS).ok()?,
            slot: u16::try_from(decimal % SLOTS).ok()?,
        })
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_decimal())
    }
}

impl FromStr for Lsn {
    type Err = LsnError;

    fn from_str(text: &str) -> Result<Self, LsnError> {
        text.parse()
            .ok()
            .and_then(Self::from_decimal)
            .ok_or_else(|| LsnError(text.to_owned()))
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Lsn;

    #[test]
    fn prints_as_sql_server_does() {
        // FirstLSN of a real backup whose RESTORE HEADERONLY value is 37000000043000037.
        let lsn = Lsn {
            vlf: 37,
            block: 430,
            slot: 37,
        };
        assert_eq!(lsn.to_string(), "37000000043000037");
        assert_eq!("37000000043000037".parse(), Ok(lsn));
    }

    #[test]
    fn the_largest_lsn_survives_both_forms() {
        let lsn = Lsn {
            vlf: u32::MAX,
            block: u32::MAX,
            slot: u16::MAX,
        };
        assert_eq!(Lsn::from_bytes(lsn.to_bytes()), lsn);
        assert_eq!(lsn.to_string().parse(), Ok(lsn));
    }

    #[test]
    fn text_that_is_no_lsn_is_refused() {
        for text in ["", "abc", "-1", "99999", "4294967296000000000000000", "37:430:37"] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }
}
