//! Which SQL Server: build and edition, as they say themselves.

use std::fmt;
use std::str::FromStr;

/// A build, as SERVERPROPERTY('ProductVersion') gives it. Builds order as numbers do, also across branches of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Build {
    /// 11 for 2012, 12 for 2014, 13 for 2016, 14 for 2017, 15 for 2019, 16 for 2022, 17 for 2025.
    pub major: u16,
    /// 0, but for 2008 R2.
    pub minor: u16,
    /// Which update.
    pub build: u16,
    /// Which revision of it.
    pub revision: u16,
}

/// Text that is no build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no build of SQL Server")]
pub struct BuildError(String);

impl Build {
    /// 2012.
    pub const V2012: u16 = 11;
    /// 2014.
    pub const V2014: u16 = 12;
    /// 2016.
    pub const V2016: u16 = 13;
    /// 2017.
    pub const V2017: u16 = 14;
    /// 2019.
    pub const V2019: u16 = 15;
    /// 2022.
    pub const V2022: u16 = 16;
    /// 2025.
    pub const V2025: u16 = 17;

    /// A build by its numbers.
    #[must_use]
    pub const fn new(major: u16, minor: u16, build: u16, revision: u16) -> Self {
        Self {
            major,
            minor,
            build,
            revision,
        }
    }

    /// The year in the product's name; `None` for releases that this crate does not know.
    #[must_use]
    pub fn year(self) -> Option<u16> {
        Some(match self.major {
            Self::V2012 => 2012,
            Self::V2014 => 2014,
            Self::V2016 => 2016,
            Self::V2017 => 2017,
            Self::V2019 => 2019,
            Self::V2022 => 2022,
            Self::V2025 => 2025,
            _ => return None,
        })
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            major,
            minor,
            build,
            revision,
        } = self;
        write!(f, "{major}.{minor}.{build}.{revision}")
    }
}

impl FromStr for Build {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || BuildError(text.chars().take(40).collect());
        let mut parts = text.trim().split('.').map(str::parse);
        let mut next = || parts.next().transpose().map_err(|_| error());
        let (major, minor, build) = (next()?, next()?, next()?);
        let revision = next()?.unwrap_or(0);
        match (major, minor, build, next()?) {
            (Some(major), Some(minor), Some(build), None) => Ok(Self::new(major, minor, build, revision)),
            _ => Err(error()),
        }
    }
}

/// SERVERPROPERTY('EngineEdition') and the name of the edition, as far as they decide what a backup may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// Enterprise, Developer, Evaluation.
    Enterprise,
    /// Standard, Business Intelligence.
    Standard,
    /// Web: Standard's engine without compression and encryption of backups.
    Web,
    /// Express, all of them.
    Express,
    /// Something else: Azure's own, or one that this crate does not know. EngineEdition.
    Other(i32),
}

impl Edition {
    /// From the property and the name.
    #[must_use]
    pub fn new(engine: i32, name: &str) -> Self {
        match engine {
            2 if name.starts_with("Web") => Self::Web,
            2 => Self::Standard,
            3 => Self::Enterprise,
            4 => Self::Express,
            other => Self::Other(other),
        }
    }

    /// Whether it makes compressed backups. Every edition restores them.
    #[must_use]
    pub fn compresses(self) -> bool {
        matches!(self, Self::Enterprise | Self::Standard)
    }

    /// Whether it makes encrypted backups (from 2014 on).
    #[must_use]
    pub fn encrypts(self) -> bool {
        matches!(self, Self::Enterprise | Self::Standard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_read_and_compared_by_their_numbers() {
        let build = |text: &str| text.parse::<Build>();
        assert_eq!(build("15.0.4223.1"), Ok(Build::new(15, 0, 4223, 1)));
        assert_eq!(build("17.0.1000"), Ok(Build::new(17, 0, 1000, 0)));
        assert!(build("13.0.4446.0").unwrap() > build("13.0.2210.0").unwrap());
        assert!(build("9.0.0.0").unwrap() < build("10.50.0.0").unwrap());
        for wrong in [
            "",
            "15",
            "15.0",
            "15.0.x.1",
            "15.0.1.1.1",
            "15.0.70000.0",
            "-1.0.0.0",
        ] {
            assert!(build(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Build::new(16, 0, 1, 0).year(), Some(2022));
    }

    #[test]
    fn web_is_not_standard() {
        assert_eq!(Edition::new(2, "Web Edition (64-bit)"), Edition::Web);
        assert!(Edition::new(2, "Standard Edition (64-bit)").compresses());
        assert!(!Edition::new(4, "Express Edition (64-bit)").compresses());
    }
}
