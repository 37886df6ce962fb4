//! Block ids and lists of blocks.

mod id;

pub use id::{BlockId, InvalidBlockId, MAX_BLOCK_ID_BYTES};
