//! What a request addresses, before it is known what is asked of it: what an access signature is checked against.

use http::Uri;
use percent_encoding::percent_decode_str;

use super::{Address, BlobPath};
use crate::error::{ErrorCode, Refusal};
use crate::names::{BlobName, ContainerName};
use crate::query;

/// The account as a whole, a container, or a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The account as a whole.
    Service,
    /// A container.
    Container(ContainerName),
    /// A blob.
    Blob(BlobPath),
}

impl Target {
    /// Reads the path below the account. One segment is a container where the query has a `restype`, and else a blob
    /// in the root container.
    ///
    /// # Errors
    /// 400 `InvalidResourceName`, `InvalidUri`, `OutOfRangeInput`.
    pub fn of(address: &Address, uri: &Uri) -> Result<Self, Refusal> {
        let typed = query::pairs(uri.query().unwrap_or_default())
            .any(|(name, value)| name.eq_ignore_ascii_case("restype") && !value.is_empty());
        let (container, blob) = address.path.split_once('/').unwrap_or((&address.path, ""));
        match (container, blob) {
            ("", "") => Ok(Self::Service),
            ("", _) => Err(ErrorCode::InvalidUri.into()),
            (container, "") if typed => Ok(Self::Container(ContainerName::new(decode(container)?)?)),
            (blob, "") => Ok(Self::Blob(BlobPath {
                container: ContainerName::new("$root")?,
                blob: BlobName::new(decode(blob)?)?,
            })),
            (container, blob) => Ok(Self::Blob(BlobPath {
                container: ContainerName::new(decode(container)?)?,
                blob: BlobName::new(decode(blob)?)?,
            })),
        }
    }

    /// The container that is addressed, or that the blob is in.
    pub fn container(&self) -> Option<&ContainerName> {
        match self {
            Self::Service => None,
            Self::Container(name) => Some(name),
            Self::Blob(path) => Some(&path.container),
        }
    }
}

fn decode(segment: &str) -> Result<String, ErrorCode> {
    let decoded = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| ErrorCode::InvalidUri)?;
    Ok(decoded.into_owned())
}
