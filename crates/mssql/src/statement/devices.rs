//! Where a backup goes and comes from.

use std::fmt;

use crate::quoting::{Identifier, Literal, QuotingError};

/// Most devices of one media set.
pub const DEVICES_MAX: usize = 64;

/// The devices of a backup: one kind, in the order of its stripes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Devices {
    /// Block blobs, 2016 and later: the credential is found by the container's URL.
    Urls(Vec<Literal>),
    /// One page blob, up to 2014 (and later on Windows): the credential is named.
    PageBlob {
        /// The blob.
        url: Literal,
        /// The credential.
        credential: Identifier,
    },
    /// Files on the server, or on a share that its service account reaches.
    Files(Vec<Literal>),
}

/// Devices that SQL Server does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DevicesError {
    /// The name of one cannot be used.
    #[error(transparent)]
    Name(#[from] QuotingError),
    /// None, or too many.
    #[error("{0} devices; a backup has 1 to {DEVICES_MAX}")]
    Count(usize),
    /// Message 3297: not https, or with a query string.
    #[error("{0:?} is no URL for a backup: it begins with https:// and has no query")]
    Url(String),
}

impl Devices {
    /// Block blobs by their URLs.
    ///
    /// # Errors
    /// [`DevicesError`].
    pub fn urls<T: AsRef<str>>(urls: &[T]) -> Result<Self, DevicesError> {
        checked(urls, checked_url).map(Self::Urls)
    }

    /// A page blob by its URL.
    ///
    /// # Errors
    /// [`DevicesError`].
    pub fn page_blob(url: &str, credential: &str) -> Result<Self, DevicesError> {
        Ok(Self::PageBlob {
            url: checked_url(url)?,
            credential: Identifier::new(credential)?,
        })
    }

    /// Files by their paths, as the server knows them.
    ///
    /// # Errors
    /// [`DevicesError`].
    pub fn files<T: AsRef<str>>(paths: &[T]) -> Result<Self, DevicesError> {
        checked(paths, |path| Ok(Literal::device(path)?)).map(Self::Files)
    }

    /// Whether they are blobs, to which fewer options apply.
    #[must_use]
    pub fn are_blobs(&self) -> bool {
        !matches!(self, Self::Files(_))
    }

    /// `CREDENTIAL = N'...'` where it is named.
    pub(super) fn credential(&self) -> Option<String> {
        match self {
            Self::PageBlob { credential, .. } => Some(format!("CREDENTIAL = {}", credential.literal())),
            _ => None,
        }
    }
}

fn checked<T: AsRef<str>>(
    names: &[T],
    check: impl Fn(&str) -> Result<Literal, DevicesError>,
) -> Result<Vec<Literal>, DevicesError> {
    if names.is_empty() || names.len() > DEVICES_MAX {
        return Err(DevicesError::Count(names.len()));
    }
    names.iter().map(|name| check(name.as_ref())).collect()
}

fn checked_url(url: &str) -> Result<Literal, DevicesError> {
    let secure = url
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    if !secure || url.len() == 8 || url.contains(['?', '#', '\\']) {
        return Err(DevicesError::Url(url.chars().take(300).collect()));
    }
    Ok(Literal::device(url)?)
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, names) = match self {
            Self::Urls(urls) => ("URL", urls.as_slice()),
            Self::PageBlob { url, .. } => ("URL", std::slice::from_ref(url)),
            Self::Files(paths) => ("DISK", paths.as_slice()),
        };
        for (place, name) in names.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{kind} = {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_of_one_kind_and_quoted() {
        let urls = Devices::urls(&["https://v/c/a'b-1.bak", "HTTPS://v/c/a-2.bak"]).unwrap();
        assert_eq!(
            urls.to_string(),
            "URL = N'https://v/c/a''b-1.bak', URL = N'HTTPS://v/c/a-2.bak'"
        );
        assert!(Devices::urls(&["http://v/c/a"]).is_err());
        assert!(Devices::urls(&["https://v/c/a?sig=x"]).is_err());
        assert!(Devices::urls(&[format!("https://v/{}", "x".repeat(250))]).is_err());
        assert_eq!(Devices::files::<&str>(&[]), Err(DevicesError::Count(0)));
        assert_eq!(Devices::files(&["/a"; 65]), Err(DevicesError::Count(65)));
        assert!(Devices::files(&["/a"; 64]).is_ok());
    }
}
