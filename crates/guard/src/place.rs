//! Which blob: container and name, as the account lists them.

use std::fmt;

/// One blob of the account. Names are kept as the service gave them, `$root` and names beyond our own door's rules
/// included; nothing here is trusted as a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The container.
    pub container: String,
    /// The blob's name, decoded.
    pub blob: String,
}

impl Place {
    /// The blob `blob` in `container`.
    pub fn new(container: impl Into<String>, blob: impl Into<String>) -> Self {
        Self {
            container: container.into(),
            blob: blob.into(),
        }
    }

    /// From `container/blob`, as people write it. `None` without both parts.
    pub fn parse(text: &str) -> Option<Self> {
        let (container, blob) = text.split_once('/')?;
        (!container.is_empty() && !blob.is_empty()).then(|| Self::new(container, blob))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.container, self.blob)
    }
}
