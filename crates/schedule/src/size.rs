//! Sizes as a policy writes them: `40GiB`, `500MB`.

use std::fmt;
use std::str::FromStr;

use crate::as_text::as_text;

/// The units that are read, and written where they leave no rest, largest first: binary ones before decimal ones.
const UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("B", 1),
];

/// A text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no size: write a whole number and a unit, as in 512MiB, 40GiB or 2TB")]
pub struct BadSize(String);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many MiB.
    pub const fn mib(count: u32) -> Self {
        Self((count as u64) << 20)
    }

    /// So many GiB.
    pub const fn gib(count: u32) -> Self {
        Self((count as u64) << 30)
    }

    /// Its bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        match UNITS
            .iter()
            .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
        {
            Some((name, unit)) => write!(f, "{}{name}", bytes / unit),
            None => write!(f, "{bytes}B"),
        }
    }
}

impl FromStr for Size {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let bad = || BadSize(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        let count: u64 = number.parse().map_err(|_| bad())?;
        count.checked_mul(*unit).map(Self).ok_or_else(bad)
    }
}

as_text!(Size);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_and_written() {
        for (text, bytes, again) in [
            ("0B", 0, "0B"),
            ("1000B", 1000, "1000B"),
            ("1024B", 1024, "1KiB"),
            ("40GiB", 42_949_672_960, "40GiB"),
            ("2TB", 2_000_000_000_000, "1953125000KiB"),
            ("500MB", 500_000_000, "500MB"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size.as_bytes(), bytes, "{text}");
            assert_eq!(size.to_string().parse::<Size>(), Ok(size));
            assert_eq!(size.to_string(), again);
        }
        for text in [
            "",
            "40",
            "GiB",
            "-1GiB",
            "40 GiB",
            "40gib",
            "1.5TB",
            "99999999999999TiB",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
