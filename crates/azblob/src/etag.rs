//! Entity tags.
//!
//! Azure prints a strong, quoted hexadecimal number (`"0x8DC8B6A1E5B3C70"`, quoted since version
//! 2011-08-18). The number is the store's: it must differ after every change of a blob. A client's tag is
//! compared as text, because it may hold anything.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The tag of one state of a blob or container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ETag(pub u64);

impl ETag {
    /// Whether a tag from a conditional header names this state. Quotes are optional, as old clients leave
    /// them out; a weak tag (`W/`) never matches, because Azure's tags are strong.
    pub fn matches(self, header: &str) -> bool {
        let header = header.trim();
        let bare = header
            .strip_prefix('"')
            .and_then(|h| h.strip_suffix('"'))
            .unwrap_or(header);
        bare == self.bare()
    }

    /// Reads the tag off a reply of this server; `None` for a tag of another making.
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        let bare = header
            .strip_prefix('"')
            .and_then(|h| h.strip_suffix('"'))
            .unwrap_or(header);
        let tag = Self(u64::from_str_radix(bare.strip_prefix("0x")?, 16).ok()?);
        (tag.bare() == bare).then_some(tag)
    }

    /// Without quotes, as it stands in listings.
    pub fn bare(self) -> String {
        format!("0x{:015X}", self.0)
    }
}

impl fmt::Display for ETag {
    /// Quoted, as it stands in the ETag header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bare())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_as_azure_does() {
        let tag = ETag(0x8DC_8B6A_1E5B_3C70);
        assert_eq!(tag.to_string(), "\"0x8DC8B6A1E5B3C70\"");
        assert!(tag.matches("\"0x8DC8B6A1E5B3C70\"") && tag.matches(" 0x8DC8B6A1E5B3C70 "));
        assert!(!tag.matches("W/\"0x8DC8B6A1E5B3C70\"") && !tag.matches("\"0x8DC8B6A1E5B3C71\""));
        assert!(!tag.matches("") && !tag.matches("\""));
        assert_eq!(ETag::parse("\"0x8DC8B6A1E5B3C70\""), Some(tag));
        assert_eq!(ETag::parse("\"abc\""), None);
    }
}
