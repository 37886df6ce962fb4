//! Block ids: Base64 on the wire, up to 64 bytes decoded, opaque.
//!
//! Compared and stored decoded. Two leniencies keep real clients working: padding may be missing, and a
//! blank counts as `+`, because a `+` that a client forgot to escape in the query arrives as a blank.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Most bytes of a decoded block id.
pub const MAX_BLOCK_ID_BYTES: usize = 64;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The id of one block: 1 to [`MAX_BLOCK_ID_BYTES`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(Box<[u8]>);

/// The text is not Base64, or decodes to nothing or to more than [`MAX_BLOCK_ID_BYTES`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a block id is Base64 of 1 to 64 bytes")]
pub struct InvalidBlockId;

impl BlockId {
    /// Takes the decoded bytes.
    ///
    /// # Errors
    /// [`InvalidBlockId`] for a length outside 1 to 64.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidBlockId> {
        if bytes.is_empty() || bytes.len() > MAX_BLOCK_ID_BYTES {
            return Err(InvalidBlockId);
        }
        Ok(Self(bytes.into()))
    }

    /// Reads the text of a query value or of a block list.
    ///
    /// # Errors
    /// [`InvalidBlockId`].
    pub fn from_base64(text: &str) -> Result<Self, InvalidBlockId> {
        let text = text.trim();
        // 64 bytes are 88 characters; no need to decode what cannot fit.
        if text.len() > 96 {
            return Err(InvalidBlockId);
        }
        let bytes = LENIENT
            .decode(text.replace(' ', "+"))
            .map_err(|_| InvalidBlockId)?;
        Self::from_bytes(&bytes)
    }

    /// The decoded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text of a query value (before percent-encoding) or of a block list.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockId({:?})", self.0.escape_ascii().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let id = BlockId::from_base64("QkxPQ0tJRDAwMDAx").unwrap();
        assert_eq!(id.as_bytes(), b"BLOCKID00001");
        assert_eq!(id.to_base64(), "QkxPQ0tJRDAwMDAx");
        // 0xFB 0xEF 0xBE is "++++"; one that lost its escapes, and one without padding.
        assert_eq!(BlockId::from_base64("    x").unwrap_err(), InvalidBlockId);
        assert_eq!(
            BlockId::from_base64("A  B").unwrap(),
            BlockId::from_base64("A++B").unwrap()
        );
        assert_eq!(BlockId::from_base64("YQ").unwrap().as_bytes(), b"a");
    }

    #[test]
    fn limits() {
        let most = BlockId::from_bytes(&[7; 64]).unwrap();
        assert_eq!(BlockId::from_base64(&most.to_base64()), Ok(most));
        assert_eq!(
            BlockId::from_base64(&STANDARD.encode([7; 65])),
            Err(InvalidBlockId)
        );
        for bad in ["", "%", "a", "QUJ*", &"A".repeat(10_000)] {
            assert_eq!(BlockId::from_base64(bad), Err(InvalidBlockId), "{bad:.20}");
        }
    }
}
