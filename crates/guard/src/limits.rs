//! How much the guard takes from an account it does not trust.

use std::time::Duration;

/// Locked blobs of one survey. Beyond it the survey ends with a fault that says to name a container or a prefix.
pub const FINDINGS_MAX: usize = 200_000;

/// Pages of a listing in a row with nothing on them. A service may send a few (it stops at the borders of its
/// partitions); one that sends nothing else would keep the guard for ever.
pub const EMPTY_PAGES_MAX: usize = 1_000;

/// Bytes of one read.
pub const READ_MAX: u64 = 4 << 20;

/// Bytes of one answer that is gathered in memory (listings, block lists, error texts). A page of 5,000 blobs with 8 KiB
/// of metadata each is 40 MB; a list of 50,000 committed and 100,000 uncommitted blocks some 30 MB.
pub const ANSWER_MAX: usize = 64 << 20;

/// Written ranges of a page blob that are kept; SQL Server writes from the start to the end, so few are needed.
pub const PAGE_RANGES_MAX: usize = 100_000;

/// Requests that one look at what a blob holds may take, and the bytes it may read: the headers of a backup lie at its
/// start, those of each later set behind pages that are passed over.
pub const CONTENT_REQUESTS_MAX: u32 = 24;
/// See [`CONTENT_REQUESTS_MAX`].
pub const CONTENT_BYTES_MAX: u64 = 8 << 20;

/// Bytes of a page blob that were never written, in a place where a backup cannot do without its own: its padding is
/// shorter than a physical block (64 KiB), and pages and log are passed over. What is longer was never written to its end.
pub const UNWRITTEN_MAX: u64 = 256 << 10;

/// Containers and blobs worked on at once. 32 requests in flight fill two cores and are far below what an account takes
/// (20,000 requests a second).
pub const CONCURRENCY: usize = 32;

/// How often a request that may be repeated is tried in all when the service throttles or fails, and how long it may
/// wait in all.
pub const TRIES: u32 = 6;
/// See [`TRIES`].
pub const RETRY_TIME: Duration = Duration::from_secs(180);
