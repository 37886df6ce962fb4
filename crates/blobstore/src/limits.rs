//! Every limit of the store in one place, Azure's own number beside it.

/// Blocks in a committed list. Azure: 50,000.
pub const COMMITTED_BLOCKS_MAX: usize = 50_000;

/// Uncommitted blocks of one blob. Azure: 100,000.
pub const UNCOMMITTED_BLOCKS_MAX: usize = 100_000;

/// Bytes in one block, whatever the version. Azure: 4000 MiB from version 2019-12-12 on.
pub const BLOCK_BYTES_MAX: u64 = 4000 << 20;

/// Bytes in the body of Put Blob. Azure: 5000 MiB from version 2019-12-12 on.
pub const PUT_BLOB_BYTES_MAX: u64 = 5000 << 20;

/// Names and values of all metadata of one blob or container together, in bytes. Azure: 8 KiB.
pub const METADATA_BYTES_MAX: usize = 8 << 10;

/// Entries in one page of a listing. Azure: 5,000.
pub const LIST_ENTRIES_MAX: usize = 5_000;

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

/// Bytes in one block for a version of the protocol, as in `x-ms-version` (an ISO date, which compares as
/// text). Azure: 4 MiB before 2016-05-31, 100 MiB before 2019-12-12, 4000 MiB from then on.
pub fn block_bytes_max(version: &str) -> u64 {
    if version < "2016-05-31" {
        4 << 20
    } else if version < "2019-12-12" {
        100 << 20
    } else {
        BLOCK_BYTES_MAX
    }
}

/// Bytes in the body of Put Blob for a version of the protocol. Azure: 64 MiB before 2016-05-31, 256 MiB
/// before 2019-12-12, 5000 MiB from then on.
pub fn put_blob_bytes_max(version: &str) -> u64 {
    if version < "2016-05-31" {
        64 << 20
    } else if version < "2019-12-12" {
        256 << 20
    } else {
        PUT_BLOB_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_version() {
        // The steps of Microsoft's "Scalability and performance targets".
        assert_eq!(block_bytes_max("2012-02-12"), 4 << 20);
        assert_eq!(block_bytes_max("2016-05-31"), 100 << 20);
        assert_eq!(block_bytes_max("2019-12-12"), 4000 << 20);
        assert_eq!(block_bytes_max("2030-01-01"), 4000 << 20);
        assert_eq!(put_blob_bytes_max("2015-12-11"), 64 << 20);
        assert_eq!(put_blob_bytes_max("2017-04-17"), 256 << 20);
    }
}
