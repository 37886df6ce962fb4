//! Writes backups in the format that SQL Server writes: plain MTF, media by media, set by set, streaming.
//!
//! What it produces obeys every rule of structure, checksum and alignment found in real files of builds 9 to 17 (147 of them);
//! its fixed values are those of builds 15 and 16. It exists for fixtures, for the demo and for the simulated instance; it is
//! no way to make backups of a live database, since page images and log come from the caller.
//!
//! A [`MediaWriter`] writes one media family (one file), a [`SetWriter`] one backup set in it:
//!
//! ```text
//! TAPE(RAID) SFMB { SSET VOLB MSCI(MQCI) [MSDA(APAD MQDA [CSUM] MQDA)]* [MSTL([APAD MQTL [CSUM]])]* MSLS(MQCI)
//!                   SFMB ESET(OTCP TSMP) ESET SFMB }+
//! ```
//!
//! Bytes go to a [`Sink`] as they come; nothing is held back but one descriptor block, so that a backup of any size is written
//! in constant memory. The order of calls is the caller's duty and is asserted.
//!
//! Not proved for want of a sample: a physical block size of 65,536 (its length does not fit the field that tells it; here the
//! field is 0, as the low 16 bits are) and where payload is aligned under it (here to the block, as it is for 512 and 4096).

mod block;
mod configuration;
pub mod log_block;
mod media;
mod media_end;
pub mod page;
pub mod sample;
mod set;
mod set_map;
mod sink;
mod stream;

pub use configuration::flags;
pub use media::{BlockSize, MediaDescription, MediaWriter};
pub use media_end::{MediaEnd, NotAppendable};
pub use set::{LogSegment, SetDetails, SetPlan, SetWriter};
pub use sink::{Buffer, Piece, Sink};
