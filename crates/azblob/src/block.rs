//! Block ids and lists of blocks.

mod id;
mod list;

pub use id::{BlockId, InvalidBlockId, MAX_BLOCK_ID_BYTES};
pub use list::{BlockEntry, BlockList, BlockListKind, BlockListing, BlockSource};
