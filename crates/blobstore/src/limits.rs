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

/// Checksums of frames read last that are kept with an open file, 8 bytes each: those of 512 MiB of content.
pub const KNOWN_CHECKSUMS_MAX: usize = 8_192;

/// Length of one blob's file in bytes, holes included: ext4 ends at 16 TiB, and a failed write there would be taken for
/// a broken disk. Far above what Azure lets a block blob hold in uncommitted blocks; a page blob reaches it by being
/// written over and over, and can then be copied or made anew.
pub const BLOB_FILE_BYTES_MAX: u64 = 15 << 40;

/// Stretches of a page blob that lie apart in its file. No limit of Azure's: it bounds memory (about 60 bytes each) and
/// the time to open the blob. 2,097,152 are 8 TiB written in pieces of 4 MiB, or 1 TiB in pieces of 512 KiB.
pub const PAGE_EXTENTS_MAX: usize = 2 << 20;

/// Changes of a page or append blob after which its map is written: so many headers are read at most when it is opened.
pub const CHANGES_PER_MAP: u64 = 8_192;

/// Bytes of replaced content after which the map is written, so that their space goes back.
pub const DEAD_BYTES_PER_MAP: u64 = 64 << 20;

/// How far a run of bytes in a page blob is followed before it is told to a reader who looks for holes.
pub const RUN_BYTES: u64 = 64 << 20;

/// Bytes of names, headers, metadata and tags after which a page of a listing ends, however many entries were asked for;
/// those who list go on with its marker, as Azure's documents ask of them. 5,000 names of 1,024 letters are 5 MB.
pub const LISTING_BYTES: usize = 8 << 20;
