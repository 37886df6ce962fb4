//! Microsoft Tape Format, as far as SQL Server uses it: descriptor blocks, each followed by streams, both with checksummed headers.
//!
//! [`walker`] turns bytes into blocks and stream contents with no scanning and no guessing: every length is announced. The other
//! files read one structure each and say in their tables which bytes are fixed. What the format leaves without any checksum (the
//! fixed parts behind the first 52 bytes of a block, padding, text) is compared with what it must be: zero, a repeated fact, or an
//! offset that is known otherwise. Nothing protects, and no reader can check: in TAPE the password, its algorithm and the date; the
//! media set GUID in RAID; in SSET the time zone and, but for full backups, the backup set GUID; the device and the label in VOLB; in
//! MSTL the descriptors of virtual log files of which no log is sent; the catalogue of OTCP and TSMP beyond the texts it repeats.

pub(crate) mod block;
pub(crate) mod filemark;
pub(crate) mod oddity;
pub(crate) mod order;
pub(crate) mod set_blocks;
pub(crate) mod stream;
pub(crate) mod stream_order;
pub(crate) mod tape;
pub(crate) mod walker;
