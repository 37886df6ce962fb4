//! Names of accounts, containers and blobs: parsed once at the border, legal ever after.
//!
//! The rules are Azure's ("Naming and referencing containers, blobs, and metadata"), with one deliberate
//! leniency: a container name may hold underscores. SQL Server puts no rule of its own on container names
//! and installations with `basebackups_005` exist.
//!
//! A blob name is any text of 1 to 1,024 characters without ASCII control characters. Slashes, dots and
//! letter case are ordinary: `a/../b` is a name, not a path, so a store must not use it as a file name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;

/// Most characters in a blob name.
pub const MAX_BLOB_NAME_CHARS: usize = 1024;

/// A storage account name: 3 to 24 lower-case letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

/// A container name: 3 to 63 lower-case letters, digits, `-` and (lenient) `_`, beginning and ending with a
/// letter or digit, no two hyphens together; or one of `$root`, `$web`, `$logs`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName(String);

/// A blob name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobName(String);

impl AccountName {
    /// Checks and takes the name.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidResourceName`], or [`ErrorCode::OutOfRangeInput`] for the length.
    pub fn new(name: impl Into<String>) -> Result<Self, ErrorCode> {
        let name = name.into();
        length_within(name.len(), 3, 24)?;
        let legal = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if legal {
            Ok(Self(name))
        } else {
            Err(ErrorCode::InvalidResourceName)
        }
    }
}

impl ContainerName {
    /// Checks and takes the name.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidResourceName`], or [`ErrorCode::OutOfRangeInput`] for the length.
    pub fn new(name: impl Into<String>) -> Result<Self, ErrorCode> {
        let name = name.into();
        if matches!(name.as_str(), "$root" | "$web" | "$logs") {
            return Ok(Self(name));
        }
        length_within(name.len(), 3, 63)?;
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = name.as_bytes();
        let legal = bytes.iter().all(|&b| edge(Some(&b)) || b == b'-' || b == b'_')
            && edge(bytes.first())
            && edge(bytes.last())
            && !name.contains("--");
        if legal {
            Ok(Self(name))
        } else {
            Err(ErrorCode::InvalidResourceName)
        }
    }
}

impl BlobName {
    /// Checks and takes the decoded name.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidUri`] for an empty name or control characters, [`ErrorCode::OutOfRangeInput`]
    /// when it is too long.
    pub fn new(name: impl Into<String>) -> Result<Self, ErrorCode> {
        let name = name.into();
        if name.is_empty() || name.bytes().any(|b| b < 0x20 || b == 0x7f) {
            return Err(ErrorCode::InvalidUri);
        }
        length_within(name.chars().count(), 1, MAX_BLOB_NAME_CHARS)?;
        Ok(Self(name))
    }
}

fn length_within(len: usize, min: usize, max: usize) -> Result<(), ErrorCode> {
    if (min..=max).contains(&len) {
        Ok(())
    } else {
        Err(ErrorCode::OutOfRangeInput)
    }
}

/// What the three kinds of name share.
macro_rules! name_traits {
    ($($name:ident),*) => {$(
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ErrorCode;

            fn try_from(name: String) -> Result<Self, ErrorCode> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = ErrorCode;

            fn from_str(name: &str) -> Result<Self, ErrorCode> {
                Self::new(name)
            }
        }
    )*};
}

name_traits!(AccountName, ContainerName, BlobName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_names() {
        for good in [
            "abc",
            "a-b-c",
            "basebackups_005",
            "0-0",
            "$root",
            "$web",
            &"a".repeat(63),
        ] {
            assert!(ContainerName::new(good).is_ok(), "{good}");
        }
        for bad in [
            "ABC", "a--b", "-ab", "ab-", "_ab", "a.b", "a b", "$other", "ünder",
        ] {
            assert_eq!(
                ContainerName::new(bad),
                Err(ErrorCode::InvalidResourceName),
                "{bad}"
            );
        }
        for bad in ["ab", "", &"a".repeat(64)] {
            assert_eq!(ContainerName::new(bad), Err(ErrorCode::OutOfRangeInput), "{bad}");
        }
    }

    #[test]
    fn blob_names() {
        for good in [
            "a",
            "db/2026/full.bak",
            "..",
            "a b+c%41",
            "Ünïcode €",
            "\u{ffff}",
            &"€".repeat(1024),
        ] {
            assert_eq!(BlobName::new(good).unwrap().as_str(), good);
        }
        assert_eq!(BlobName::new("€".repeat(1025)), Err(ErrorCode::OutOfRangeInput));
        for bad in ["", "a\0b", "a\nb", "\u{7f}"] {
            assert_eq!(BlobName::new(bad), Err(ErrorCode::InvalidUri), "{bad:?}");
        }
    }

    #[test]
    fn account_names() {
        assert!(AccountName::new("devstoreaccount1").is_ok());
        assert_eq!(AccountName::new("my-vault"), Err(ErrorCode::InvalidResourceName));
        assert_eq!(AccountName::new("ab"), Err(ErrorCode::OutOfRangeInput));
    }
}
