//! Versions of the REST API: dates, compared as dates.
//!
//! A server must take versions it has never heard of: SDKs send next year's date. Any well-formed date is
//! accepted and echoed; behaviour follows the newest rule not later than it. What is older than 2012-02-12 is refused:
//! it had other leases.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version a request asked for, `x-ms-version`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiVersion {
    year: u16,
    month: u8,
    day: u8,
}

impl ApiVersion {
    /// Infinite leases, lease state in listings.
    pub const V2012_02_12: Self = Self::new(2012, 2, 12);
    /// Access signatures may set headers of the answer, and sign them.
    pub const V2013_08_15: Self = Self::new(2013, 8, 15);
    /// A Content-Length of 0 is signed as an empty line from here on.
    pub const V2015_02_21: Self = Self::new(2015, 2, 21);
    /// Access signatures name the protocol and the addresses they are good for; account signatures.
    pub const V2015_04_05: Self = Self::new(2015, 4, 5);
    /// Blocks of 100 MiB; empty `x-ms-` headers join the signature.
    pub const V2016_05_31: Self = Self::new(2016, 5, 31);
    /// Access signatures sign what kind of resource they are for, and may be for a snapshot.
    pub const V2018_11_09: Self = Self::new(2018, 11, 9);
    /// Answers carry the CRC-64 of a body instead of its MD5.
    pub const V2019_02_02: Self = Self::new(2019, 2, 2);
    /// Blocks of 4,000 MiB.
    pub const V2019_12_12: Self = Self::new(2019, 12, 12);
    /// Page ranges come in pages.
    pub const V2020_10_02: Self = Self::new(2020, 10, 2);
    /// Access signatures sign an encryption scope.
    pub const V2020_12_06: Self = Self::new(2020, 12, 6);
    /// Names that XML cannot hold are percent-encoded in listings.
    pub const V2021_02_12: Self = Self::new(2021, 2, 12);
    /// Append blocks of 100 MiB.
    pub const V2022_11_02: Self = Self::new(2022, 11, 2);
    /// The oldest that is served.
    pub const OLDEST: Self = Self::V2012_02_12;
    /// What a client of ours sends, and what a request without a version is taken for.
    pub const CURRENT: Self = Self::new(2021, 12, 2);

    const fn new(year: u16, month: u8, day: u8) -> Self {
        Self { year, month, day }
    }

    /// Reads `2021-12-02`; `None` for anything that is no date in this form.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' || !text.is_ascii() {
            return None;
        }
        let number = |part: &str| {
            part.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| part.parse::<u16>().ok())
                .flatten()
        };
        let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..])?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        Some(Self::new(
            year,
            u8::try_from(month).ok()?,
            u8::try_from(day).ok()?,
        ))
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl From<ApiVersion> for String {
    fn from(version: ApiVersion) -> String {
        version.to_string()
    }
}

impl TryFrom<String> for ApiVersion {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text).ok_or("not a version")
    }
}

impl fmt::Debug for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiVersion({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_any_year_in_order() {
        let far = ApiVersion::parse("2031-01-06").unwrap();
        assert!(far > ApiVersion::CURRENT && far.to_string() == "2031-01-06");
        assert!(ApiVersion::parse("2012-02-12") < Some(ApiVersion::V2016_05_31));
        for bad in [
            "",
            "2016",
            "2016-13-01",
            "2016-01-32",
            "2016-1-01x",
            "2016/01/01",
            "+016-01-01",
            "20é-01-01",
        ] {
            assert_eq!(ApiVersion::parse(bad), None, "{bad}");
        }
    }
}
