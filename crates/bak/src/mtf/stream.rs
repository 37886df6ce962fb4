//! The header of a stream (MTF 1.00a; confirmed on every stream of the real backups).
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | type, four ASCII letters |
//! | 4..6 | file system attributes, 0 |
//! | 6..8 | media attributes |
//! | 8..16 | length of the data, without this header and without padding |
//! | 16..18 | encryption algorithm, 0 |
//! | 18..20 | compression algorithm, 0 |
//! | 20..22 | XOR of the 10 words before |
//!
//! After the data, zero to three zero bytes align the next stream header to four bytes. SPAD is the last stream of a block.

use crate::bytes::{array, u16_at, u64_at, xor_words};

/// Bytes of a stream header.
pub(crate) const HEADER: usize = 22;

/// Media attribute: the last piece.
pub(crate) const VARIABLE_END: u16 = 0x0004;
/// Media attribute (MTF): the data is encrypted.
pub(crate) const ENCRYPTED: u16 = 0x0008;
/// Media attribute (MTF): the data is compressed.
pub(crate) const COMPRESSED: u16 = 0x0010;
/// Media attribute: a CSUM stream follows. SQL Server's own bit (MTF documents 0x20); seen on every stream with a CSUM behind it
/// and on no other.
pub(crate) const CHECKSUMMED: u16 = 0x0100;

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StreamType {
    /// Media set and family.
    Raid,
    /// Padding to the end of a format logical block; ends the block.
    Pad,
    /// Padding that aligns the payload after it.
    AlignPad,
    /// Configuration of the backup set.
    Config,
    /// Pages.
    Data,
    /// Transaction log.
    Log,
    /// Checksum of the payload before it.
    Checksum,
    /// Media catalogue; zeros in every real file.
    Catalog,
    /// Set map.
    SetMap,
    /// A type this reader does not know.
    Unknown([u8; 4]),
}

/// A stream header whose checksum holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamHeader {
    /// Where the header begins in the tape-format stream.
    pub(crate) offset: u64,
    pub(crate) stream_type: StreamType,
    letters: [u8; 4],
    pub(crate) system_attributes: u16,
    pub(crate) media_attributes: u16,
    /// Bytes of data.
    pub(crate) length: u64,
    pub(crate) encryption: u16,
    pub(crate) compression: u16,
}

impl StreamHeader {
    /// Reads a header; `None` where its checksum does not hold.
    pub(crate) fn parse(offset: u64, bytes: &[u8; HEADER]) -> Option<Self> {
        if xor_words(&bytes[..HEADER - 2]) != u16_at(bytes, HEADER - 2) {
            return None;
        }
        let letters = array(bytes, 0);
        let stream_type = match &letters {
            b"RAID" => StreamType::Raid,
            b"SPAD" => StreamType::Pad,
            b"APAD" => StreamType::AlignPad,
            b"MQCI" => StreamType::Config,
            b"MQDA" => StreamType::Data,
            b"MQTL" => StreamType::Log,
            b"CSUM" => StreamType::Checksum,
            b"OTCP" => StreamType::Catalog,
            b"TSMP" => StreamType::SetMap,
            _ => StreamType::Unknown(letters),
        };
        Some(Self {
            offset,
            stream_type,
            letters,
            system_attributes: u16_at(bytes, 4),
            media_attributes: u16_at(bytes, 6),
            length: u64_at(bytes, 8),
            encryption: u16_at(bytes, 16),
            compression: u16_at(bytes, 18),
        })
    }

    /// The four letters.
    pub(crate) fn name(&self) -> String {
        self.letters.escape_ascii().to_string()
    }

    /// Whether the data is in a form that only its key or codec opens.
    pub(crate) fn is_opaque(&self) -> bool {
        self.encryption != 0 || self.compression != 0 || self.media_attributes & (ENCRYPTED | COMPRESSED) != 0
    }
}
