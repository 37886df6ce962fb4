//! Microsoft Tape Format, as far as SQL Server uses it: descriptor blocks, each followed by streams, both with checksummed headers.
//!
//! [`walker`] turns bytes into blocks and stream contents with no scanning and no guessing: every length is announced. The other
//! files read one structure each and say in their tables which bytes are fixed. What the format leaves without any checksum (the
//! fixed parts behind the first 52 bytes of a block, padding, text) is compared with what it must be: zero, a repeated fact, or an
//! offset that is known otherwise. Left without any protection: the text of names in SSET and VOLB, the media family id and date in
//! TAPE, and the software's build in SSET where nothing repeats them.

pub(crate) mod block;
pub(crate) mod filemark;
pub(crate) mod oddity;
pub(crate) mod order;
pub(crate) mod set_blocks;
pub(crate) mod stream;
pub(crate) mod stream_order;
pub(crate) mod tape;
pub(crate) mod walker;
