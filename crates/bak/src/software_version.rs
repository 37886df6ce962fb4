//! The build of SQL Server that wrote a backup, `10.50.1600`.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A SQL Server build: major, minor, build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SoftwareVersion {
    /// 9 is 2005, 10 is 2008 and 2008 R2 (minor 50), 11 is 2012, ... 17 is 2025.
    pub major: u8,
    /// 50 in 2008 R2, else 0.
    pub minor: u8,
    /// Build number.
    pub build: u16,
}

/// Text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no SQL Server version: expected the form 10.50.1600")]
pub struct SoftwareVersionError(String);

impl fmt::Display for SoftwareVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

impl FromStr for SoftwareVersion {
    type Err = SoftwareVersionError;

    fn from_str(text: &str) -> Result<Self, SoftwareVersionError> {
        let parse = || {
            let mut parts = text.split('.');
            let version = Self {
                major: parts.next()?.parse().ok()?,
                minor: parts.next()?.parse().ok()?,
                build: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(version)
        };
        parse().ok_or_else(|| SoftwareVersionError(text.to_owned()))
    }
}

impl Serialize for SoftwareVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SoftwareVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::SoftwareVersion;

    #[test]
    fn prints_and_parses() {
        let version = SoftwareVersion {
            major: 10,
            minor: 50,
            build: 1600,
        };
        assert_eq!(version.to_string(), "10.50.1600");
        assert_eq!("10.50.1600".parse(), Ok(version));
        assert!("10.50".parse::<SoftwareVersion>().is_err());
        assert!("10.50.1600.1".parse::<SoftwareVersion>().is_err());
    }
}
