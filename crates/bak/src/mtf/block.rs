//! The header that every descriptor block begins with (MTF 1.00a; confirmed on every block of the real backups).
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | type, four ASCII letters |
//! | 4..8 | attributes |
//! | 8..10 | offset of the first stream, which is also the length of the fixed part |
//! | 10, 11 | operating system 14, version 1 in every SQL Server file |
//! | 12..20 | displayable size, 0 |
//! | 20..28 | format logical address: (offset of the block - offset of its SSET) / 1024 |
//! | 28..36 | reserved, 0 |
//! | 36..40 | control block id, counted from 0 within a set |
//! | 44..48 | tape address of operating-system data |
//! | 48 | string type: 0 none, 1 ANSI, 2 UTF-16LE |
//! | 50..52 | XOR of the 25 words before |

use crate::bytes::{array, u16_at, u32_at, u64_at, utf16, xor_words};

/// Bytes of the common header.
pub(crate) const HEADER: usize = 52;
/// Size of a format logical block; addresses count in it.
pub(crate) const FORMAT_BLOCK: u64 = 1024;

/// What a descriptor block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum BlockType {
    /// Media header, the first block of a file.
    Tape,
    /// Soft filemark.
    Filemark,
    /// Start of a backup set.
    SetStart,
    /// Volume.
    Volume,
    /// SQL Server: configuration at the start.
    Config,
    /// SQL Server: pages.
    Data,
    /// SQL Server: transaction log.
    Log,
    /// SQL Server: configuration at the end, the commit record.
    Commit,
    /// End of a backup set.
    SetEnd,
    /// A type this reader does not know.
    Unknown([u8; 4]),
}

impl BlockType {
    fn from_bytes(letters: [u8; 4]) -> Self {
        match &letters {
            b"TAPE" => Self::Tape,
            b"SFMB" => Self::Filemark,
            b"SSET" => Self::SetStart,
            b"VOLB" => Self::Volume,
            b"MSCI" => Self::Config,
            b"MSDA" => Self::Data,
            b"MSTL" => Self::Log,
            b"MSLS" => Self::Commit,
            b"ESET" => Self::SetEnd,
            _ => Self::Unknown(letters),
        }
    }

    /// The four letters.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Tape => "TAPE".into(),
            Self::Filemark => "SFMB".into(),
            Self::SetStart => "SSET".into(),
            Self::Volume => "VOLB".into(),
            Self::Config => "MSCI".into(),
            Self::Data => "MSDA".into(),
            Self::Log => "MSTL".into(),
            Self::Commit => "MSLS".into(),
            Self::SetEnd => "ESET".into(),
            Self::Unknown(letters) => letters.escape_ascii().to_string(),
        }
    }
}

/// A descriptor block: its header, whose checksum holds, and its fixed part.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Where it begins in the tape-format stream.
    pub(crate) offset: u64,
    pub(crate) block_type: BlockType,
    pub(crate) attributes: u32,
    /// Format logical address.
    pub(crate) address: u64,
    pub(crate) control_id: u32,
    /// All bytes up to the first stream, the header included.
    pub(crate) bytes: Vec<u8>,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// The checksum does not hold.
    Checksum,
    /// The first stream would lie inside the header.
    Length,
}

/// Size of the filemark of a 64 KiB physical block, which does not fit its own length field: it reads as zero.
const LARGEST_FILEMARK: usize = 1 << 16;

/// Length of the whole block before its first stream, from a header whose checksum must hold.
pub(crate) fn length(header: &[u8; HEADER]) -> Result<usize, HeaderError> {
    if xor_words(&header[..HEADER - 2]) != u16_at(header, HEADER - 2) {
        return Err(HeaderError::Checksum);
    }
    let length = usize::from(u16_at(header, 8));
    if length == 0 && BlockType::from_bytes(array(header, 0)) == BlockType::Filemark {
        return Ok(LARGEST_FILEMARK);
    }
    if length < HEADER || !length.is_multiple_of(4) {
        return Err(HeaderError::Length);
    }
    Ok(length)
}

impl Block {
    /// Reads a block from all its bytes, at least [`HEADER`].
    pub(crate) fn parse(offset: u64, bytes: Vec<u8>) -> Self {
        Self {
            offset,
            block_type: BlockType::from_bytes(array(&bytes, 0)),
            attributes: u32_at(&bytes, 4),
            address: u64_at(&bytes, 20),
            control_id: u32_at(&bytes, 36),
            bytes,
        }
    }

    /// The bytes that the tape address at `at` points to; empty where it is zero, `None` where it points outside of the block.
    pub(crate) fn addressed(&self, at: usize) -> Option<&[u8]> {
        let size = usize::from(u16_at(&self.bytes, at));
        let start = usize::from(u16_at(&self.bytes, at + 2));
        if size == 0 {
            return Some(&[]);
        }
        self.bytes.get(start..start + size)
    }

    /// The text that the tape address at `at` points to, without the zeros that end the software's name.
    pub(crate) fn text(&self, at: usize) -> Option<String> {
        let bytes = self.addressed(at)?;
        let text: String = match self.bytes.get(48)? {
            1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            _ => utf16(bytes),
        };
        Some(text.trim_end_matches('\0').to_owned())
    }

    /// Whether all bytes that no field and no tape address (at the offsets `addresses`) accounts for are zero: the gaps that align
    /// text. `fixed` is where the text begins.
    pub(crate) fn gaps_are_zero(&self, fixed: usize, addresses: &[usize]) -> bool {
        let mut used: Vec<(usize, usize)> = addresses
            .iter()
            .map(|at| {
                (
                    usize::from(u16_at(&self.bytes, at + 2)),
                    usize::from(u16_at(&self.bytes, *at)),
                )
            })
            .filter(|(_, size)| *size > 0)
            .map(|(start, size)| (start, start + size))
            .collect();
        used.sort_unstable();
        let mut at = fixed;
        used.push((self.bytes.len(), self.bytes.len()));
        for (start, end) in used {
            if start > at
                && self
                    .bytes
                    .get(at..start)
                    .is_some_and(|gap| gap.iter().any(|byte| *byte != 0))
            {
                return false;
            }
            at = at.max(end);
        }
        true
    }
}
