//! Durable blobs, blocks, leases, seals and verdicts. No HTTP.
//!
//! Every blob is one append-only file that explains itself; everything else is derived. What an operation
//! returns as done is durable: it survives the death of the process and of the machine. The bytes on disk are
//! described in `docs/format.md`, the ideas in the modules:
//!
//! - [`disk`]: the seam to the operating system, and a simulated disk that forgets and tears.
//! - `frame`, `root`, `block_list`, `extents`: what is written. `blob_file`, `group_sync`: how it gets there.
//! - `content_log`: the content of page and append blobs, which changes without a root.
//! - `survey`, `recovery`, `load`: what is found at a start, and making it whole.
//! - One module for each deed: `put_block`, `put_blob`, `put_block_list`, `page_blob`, `append_blob`, `read`,
//!   `change`, `delete`, `snapshot`, `copy`, `containers`, `listing`, `proof`, `seal`, `sweep`.
//!
//! Invariants:
//! - A page that was acknowledged is never written again.
//! - A root points only at what was durable before it was written.
//! - Nothing is seen by others before it is durable.
//! - A failed write or sync is never tried over: the store turns read-only. (Out of space is no such failure.)
//! - Bytes are checked against their checksums before they are given out.
//!
//! Deliberately absent: threads, timers, async. Calls block; whoever calls decides where.

pub mod disk;
pub mod limits;

mod append_blob;
mod blob;
mod blob_file;
mod block_list;
mod change;
mod change_content;
mod checksums;
mod clock;
mod container;
mod containers;
mod content_log;
mod copy;
mod data_dir;
mod delete;
mod error;
mod extents;
mod frame;
mod group_sync;
mod health;
mod listing;
mod load;
mod page_blob;
mod permit;
mod proof;
mod properties;
mod put_blob;
mod put_block;
mod put_block_list;
mod read;
mod recovery;
mod reserve;
mod root;
mod seal;
mod service_record;
mod snapshot;
mod span;
mod store;
mod survey;
mod sweep;
mod uncommitted;

pub use append_blob::{AppendPermit, AppendWriter, Appended};
pub use blob::BlobView;
pub use clock::{Clock, SystemClock};
pub use container::ContainerView;
pub use copy::{CopyRight, CopyWriter};
pub use data_dir::FORMAT;
pub use error::{OpenError, StoreError};
pub use listing::{InventoryEntry, ListEntry, ListMarker, ListPage, ListQuery};
pub use page_blob::{PageBlobChange, PagePermit, PageRanges, PageRef, PageWriter, PagesDone, PutPageBlob};
pub use permit::{Condition, Permit};
pub use proof::{Concluded, Proof, ProofState};
pub use properties::{BlobKind, Properties};
pub use put_blob::{BlobWriter, Committed};
pub use put_block::{BlockRef, BlockWriter};
pub use put_block_list::{Blocks, CommittedBlocks};
pub use read::BlobReader;
pub use root::CommitId;
pub use seal::{SealIf, Sealed};
pub use snapshot::{SnapshotTaken, Which};
pub use store::{BlobPath, Options, Store};
pub use sweep::Swept;
