//! Dates as a backup stores them: the clock of the server that wrote it, without a zone.
//!
//! MTF packs a date into five bytes, most significant bit first: year 14 bits, month 4, day 5, hour 5, minute 6, second 6; five zero
//! bytes mean none. How far the clock was ahead of UTC stands elsewhere in the set ([`crate::BackupSet::time_zone_offset_minutes`]), and is
//! not always told; nothing here converts to UTC.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment on the clock of the server that wrote the backup. Prints as `2011-09-17T13:29:56`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime {
    /// Year, 0 to 9999 as text; the stored field holds up to 16383.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
}

/// Text that is no local time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no local time: expected the form 2011-09-17T13:29:56")]
pub struct LocalTimeError(String);

impl LocalTime {
    /// Bytes of the stored form.
    pub const SIZE: usize = 5;

    /// Reads the stored form. `None` where it holds no date: all zero, or a field out of its range.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let bits = bytes
            .iter()
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let field = |shift: u32, width: u32| (bits >> shift) & ((1 << width) - 1);
        let narrow = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
        Self {
            year: u16::try_from(field(26, 14)).unwrap_or(u16::MAX),
            month: narrow(field(22, 4)),
            day: narrow(field(17, 5)),
            hour: narrow(field(12, 5)),
            minute: narrow(field(6, 6)),
            second: narrow(field(0, 6)),
        }
        .checked()
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let bits = u64::from(self.year & 0x3fff) << 26
            | u64::from(self.month & 15) << 22
            | u64::from(self.day & 31) << 17
            | u64::from(self.hour & 31) << 12
            | u64::from(self.minute & 63) << 6
            | u64::from(self.second & 63);
        let [_, _, _, a, b, c, d, e] = bits.to_be_bytes();
        [a, b, c, d, e]
    }

    fn checked(self) -> Option<Self> {
        let possible = (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        possible.then_some(self)
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )
    }
}

impl FromStr for LocalTime {
    type Err = LocalTimeError;

    fn from_str(text: &str) -> Result<Self, LocalTimeError> {
        let parse = || {
            let (date, time) = text.split_once('T')?;
            let mut date = date.split('-');
            let mut time = time.split(':');
            let parsed = Self {
                year: date.next()?.parse().ok()?,
                month: date.next()?.parse().ok()?,
                day: date.next()?.parse().ok()?,
                hour: time.next()?.parse().ok()?,
                minute: time.next()?.parse().ok()?,
                second: time.next()?.parse().ok()?,
            };
            (date.next().is_none() && time.next().is_none())
                .then_some(parsed)?
                .checked()
        };
        parse().ok_or_else(|| LocalTimeError(text.to_owned()))
    }
}

impl Serialize for LocalTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LocalTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::LocalTime;

    #[test]
    fn both_forms_agree() {
        let time = LocalTime {
            year: 2011,
            month: 9,
            day: 17,
            hour: 13,
            minute: 29,
            second: 56,
        };
        assert_eq!(time.to_string(), "2011-09-17T13:29:56");
        assert_eq!("2011-09-17T13:29:56".parse(), Ok(time));
        // 2011 = 00011111011011, 9 = 1001, 17 = 10001, 13 = 01101, 29 = 011101, 56 = 111000, written out by hand.
        let bytes = [0b0001_1111, 0b0110_1110, 0b0110_0010, 0b1101_0111, 0b0111_1000];
        assert_eq!(time.to_bytes(), bytes);
        assert_eq!(LocalTime::from_bytes(bytes), Some(time));
    }

    #[test]
    fn no_date_is_none() {
        assert_eq!(LocalTime::from_bytes([0; 5]), None);
        assert_eq!(LocalTime::from_bytes([0xff; 5]), None);
        for text in [
            "",
            "2011-09-17",
            "2011-13-17T13:29:56",
            "2011-09-17T13:29",
            "2011-09-17T13:29:56:1",
        ] {
            assert!(text.parse::<LocalTime>().is_err(), "{text}");
        }
    }
}
