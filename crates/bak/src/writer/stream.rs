//! Stream headers (22 bytes) and the media attributes SQL Server sets in them.

use super::block::xor_words;

/// Bytes of a stream header.
pub(super) const HEADER: usize = 22;
/// No attribute.
pub(super) const PLAIN: u16 = 0;
/// The first piece of page data; more pieces follow.
pub(super) const VARIABLE: u16 = 0x0002;
/// The empty piece that ends page data.
pub(super) const VARIABLE_END: u16 = 0x0006;
/// What every APAD carries.
pub(super) const PADDING: u16 = 0x0080;
/// A CSUM stream follows.
pub(super) const CHECKSUMMED: u16 = 0x0100;

/// The header of a stream with `length` bytes of data.
pub(super) fn header(letters: &[u8; 4], attributes: u16, length: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..4].copy_from_slice(letters);
    bytes[6..8].copy_from_slice(&attributes.to_le_bytes());
    bytes[8..16].copy_from_slice(&length.to_le_bytes());
    let checksum = xor_words(&bytes[..HEADER - 2]);
    bytes[HEADER - 2..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}
