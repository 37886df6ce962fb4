//! Fields of a byte slice at fixed offsets, little-endian. Every reader checks the length of its structure once, then reads through
//! here; a field past the end reads as zero bytes instead of panicking, so that no input can bring the reader down.

use uuid::Uuid;

use crate::local_time::LocalTime;
use crate::lsn::Lsn;

/// The `N` bytes at `at`, as far as they exist, else zero.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(found) = bytes.get(at..at.saturating_add(N)) {
        out.copy_from_slice(found);
    }
    out
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

/// A GUID in the mixed-endian form that Windows stores.
pub(crate) fn guid_at(bytes: &[u8], at: usize) -> Uuid {
    Uuid::from_bytes_le(array(bytes, at))
}

pub(crate) fn lsn_at(bytes: &[u8], at: usize) -> Lsn {
    Lsn::from_bytes(array(bytes, at))
}

pub(crate) fn time_at(bytes: &[u8], at: usize) -> Option<LocalTime> {
    LocalTime::from_bytes(array(bytes, at))
}

/// UTF-16LE text. Unpaired surrogates, which SQL Server allows in names, become U+FFFD.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// XOR of all 16-bit words: the checksum of the tape format's headers.
pub(crate) fn xor_words(bytes: &[u8]) -> u16 {
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .fold(0, |sum, word| sum ^ u16::from_le_bytes(*word))
}
