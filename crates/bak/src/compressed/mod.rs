//! The container of a compressed backup, "MSSQLBAK": from its bytes back to the MTF stream within, push by push.
//!
//! Established on real backups of builds 13 and 16 (169 records, every one consistent with what follows). All integers are
//! little-endian.
//!
//! | where | what |
//! |---|---|
//! | 0 | `MSSQLBAK`; at 8 u32 = 2, at 12 u32 = 3; from 16 to 0x1DF uninitialised memory |
//! | 0x1E0 | records, one behind the other without alignment, and raw soft filemarks |
//!
//! | record | |
//! |---|---|
//! | +0 | u8 tag: 0x21 data, 0x24 padding, 0x2C padding that starts with figures about the compression |
//! | +1 | u8 size of the decoded data in 512-byte sectors (1 to 128); 0 for padding |
//! | +2 | u16 length: of the coded data, or of the padding behind the 24-byte header |
//! | +4 | 20 bytes of uninitialised memory |
//! | +24 | data: u32 [`record_sum`](crate::checksum::record_sum) of the coded data, which starts at +28. Tag 0x2C: u16 1, u16 1, u32 2, u32 length of all from +24 on |
//!
//! A soft filemark (`SFMB`) of the MTF stream is stored as it is, on a boundary of the physical block size; padding leads up
//! to it. What the records decode to and the soft filemarks, one behind the other, are the MTF stream to the byte.
//!
//! What a flipped bit does here: in coded data the checksum shows it; the checksum itself, tag, size and length are held by
//! that same checksum, by the end marker of the code and by what must follow. In the memory SQL Server left uninitialised
//! (16..0x1DF, +4..+23 of a record, the inside of padding) any byte is as right as another: nothing can be checked there,
//! and nothing there reaches the MTF stream.
//!
//! Not known, for want of a sample: records of encrypted backups, incompressible chunks, ZSTD and QAT. What carries an
//! unknown tag is reported as unsupported and everything behind it is left alone.

mod container;
mod encoder;
mod huffman;
mod lz77;

pub use container::{ContainerEvent, Decoder, Ending};
pub use encoder::{Encoder, encode_chunk};
pub use lz77::{DecodeError, Lz77Huffman};

/// First eight bytes of a compressed backup.
pub const MAGIC: &[u8; 8] = b"MSSQLBAK";
/// Offset of the first record.
pub const FIRST_RECORD: u64 = 0x1E0;

const VERSION: (u32, u32) = (2, 3);
const TAG_DATA: u8 = 0x21;
const TAG_PADDING: u8 = 0x24;
const TAG_FIGURES: u8 = 0x2C;
/// Bytes of a record before its data or padding.
const RECORD_HEADER: usize = 24;
/// Bytes of a data record before its coded data: the header and the checksum.
const DATA_HEADER: usize = 28;
const SECTOR: usize = 512;
/// Most sectors one record decodes to: 64 KiB, the chunk of LZ77+Huffman.
const SECTORS_MAX: u8 = 128;
