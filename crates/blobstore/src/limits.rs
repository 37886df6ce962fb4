//! Every limit of the store's own in one place, Azure's number beside it. Those of the protocol (blocks, sizes,
//! pages of listings) are `azblob::limits`.

/// Blocks of one blob that may still be arriving while its block list is committed. No limit of Azure's; it
/// keeps the commit's root within its page.
pub const ARRIVING_BLOCKS_MAX: usize = 128;

/// How long uncommitted blocks are kept after the last of them, in milliseconds. Azure: one week.
pub const UNCOMMITTED_KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

/// The reserve given up when the disk is full, in bytes, for deletes and the end of leases.
pub const RESERVE_BYTES: u64 = 16 << 20;

/// How much of the reserve goes at once, in bytes. A lease operation needs 8 KiB and the file system's own.
pub const RESERVE_STEP_BYTES: u64 = 1 << 20;

/// Blob files kept open between operations.
pub const OPEN_FILES_MAX: usize = 256;

/// The bytes under one checksum.
pub const CHECKSUM_BYTES: usize = 64 << 10;
