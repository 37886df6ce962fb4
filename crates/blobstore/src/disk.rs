//! The disk as the store sees it: a handful of calls, so that the same store runs on a real file system and
//! on a simulated one that forgets, tears and reorders what was not synced.
//!
//! Rules of the seam, which [`real`] and [`simulated`] both keep:
//! - [`DiskFile::write_at`] and changes of directories promise nothing about a crash.
//! - After [`DiskFile::sync`] returned, the bytes written before it was called, and the length that covers
//!   them, survive. The *name* of the file does not, before [`Disk::sync_dir`] of its directory.
//! - A rename is atomic, and sure once the directories of both names are synced.
//! - Every sync carries a [`SyncPoint`], so that a test can leave out all syncs of one place and show that
//!   this is noticed.
//!
//! Deliberately absent: streams, buffering, permissions, symbolic links, and any call the store has no need for.

pub mod real;
pub mod simulated;

use std::any::Any;
use std::io;
use std::path::Path;

/// The places in the store that sync. One label for one promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncPoint {
    /// The parent of the data directory, before that is used for the first time.
    DataEntry,
    /// Everything below the data directory at a start: what a killed process left in the page cache is served
    /// from now on, so it must not vanish with the power.
    Start,
    /// `store.json` before it replaces its predecessor.
    StoreRecord,
    /// The data directory, after `store.json` was replaced.
    StoreEntry,
    /// `container.json` before it is renamed into place.
    ContainerRecord,
    /// The directory of a container, after its record was replaced, or before it gets its name.
    ContainerContent,
    /// `blobs/`, after the directory of an account was made.
    AccountEntry,
    /// The directory of an account, after a container came.
    ContainerEntry,
    /// `service.json` before it is renamed into place.
    ServiceRecord,
    /// The directory of an account, after its `service.json` was replaced.
    ServiceEntry,
    /// Both directories, after a container was moved to the trash.
    ContainerGone,
    /// The directory of a container, after one of its shards was made.
    ShardEntry,
    /// A new blob file, before it gets its name.
    NewBlob,
    /// A shard directory, after a new blob file got its name.
    BlobEntry,
    /// A shard directory, after a blob file was removed.
    BlobGone,
    /// A shard directory, after a snapshot got its name.
    SnapshotEntry,
    /// A shard directory, after the name of a snapshot was removed and the blob stays.
    SnapshotGone,
    /// What was appended to a blob file, before it is acknowledged.
    Append,
    /// A change of pages, or an appended block, before it is acknowledged.
    Change,
    /// The map of a page or append blob, before a root points at it.
    Map,
    /// What recovery repaired, before a root says that it is durable, and that root.
    Recovery,
    /// The reserve, after a part of it was given up (file systems hand freed space out only after that), or after
    /// it was filled.
    Reserve,
}

impl SyncPoint {
    /// All of them, for the test that leaves each one out.
    pub const ALL: [Self; 22] = [
        Self::DataEntry,
        Self::Start,
        Self::StoreRecord,
        Self::StoreEntry,
        Self::ContainerRecord,
        Self::ContainerContent,
        Self::AccountEntry,
        Self::ContainerEntry,
        Self::ServiceRecord,
        Self::ServiceEntry,
        Self::ContainerGone,
        Self::ShardEntry,
        Self::NewBlob,
        Self::BlobEntry,
        Self::BlobGone,
        Self::SnapshotEntry,
        Self::SnapshotGone,
        Self::Append,
        Self::Change,
        Self::Map,
        Self::Recovery,
        Self::Reserve,
    ];
}

/// How to open a file that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only; works on a read-only file system.
    Read,
    /// Reading and writing.
    Write,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The last part of the path. Names that are not UTF-8 are never the store's and are left out.
    pub name: String,
    /// A directory, as against a file.
    pub is_dir: bool,
}

/// Who wants the lock on a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// A server: nobody beside it.
    Exclusive,
    /// A reader: other readers may be there, a server not.
    Shared,
}

/// Keeps a lock until dropped (or until the process ends in any way).
pub type LockGuard = Box<dyn Any + Send + Sync>;

/// A file system below one directory. Paths are absolute or relative to the process, as given at the start.
pub trait Disk: Send + Sync + 'static {
    /// Makes an empty file for reading and writing. Fails with `AlreadyExists`.
    ///
    /// # Errors
    /// Those of the operating system.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists.
    ///
    /// # Errors
    /// Those of the operating system; `NotFound` without the file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// Makes one directory; its parent must be there. Fails with `AlreadyExists`.
    ///
    /// # Errors
    /// Those of the operating system.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// Those of the operating system; `NotFound` without the directory.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// Gives a file or directory another name, replacing a file of that name.
    ///
    /// # Errors
    /// Those of the operating system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file one more name; `to` must be free. Like a new name it is sure once the directory is synced.
    ///
    /// # Errors
    /// Those of the operating system; `TooManyLinks` and `Unsupported` change nothing.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name of a file. Open files stay readable.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory survive.
    ///
    /// # Errors
    /// Those of the operating system. After an error nothing about the directory is sure.
    fn sync_dir(&self, path: &Path, point: SyncPoint) -> io::Result<()>;

    /// Makes everything below a directory survive: names, and bytes of files. May do more than that.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_all_below(&self, path: &Path, point: SyncPoint) -> io::Result<()>;

    /// Bytes that can still be written below `path`.
    ///
    /// # Errors
    /// Those of the operating system.
    fn free_space(&self, path: &Path) -> io::Result<u64>;

    /// Bytes that the file system of `path` has in all, whoever has them.
    ///
    /// # Errors
    /// Those of the operating system.
    fn total_space(&self, path: &Path) -> io::Result<u64>;

    /// Takes the lock that a file stands for, making the file for an exclusive one and noting the process in
    /// it; `None` when somebody else has it.
    ///
    /// # Errors
    /// Those of the operating system; `NotFound` for a shared lock without the file.
    fn lock(&self, path: &Path, kind: LockKind) -> io::Result<Option<LockGuard>>;
}

/// An open file. All calls may come from several threads at once.
pub trait DiskFile: Send + Sync {
    /// Length in bytes.
    ///
    /// # Errors
    /// Those of the operating system.
    fn len(&self) -> io::Result<u64>;

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// Those of the operating system.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buf` from `offset`, as far as the file goes; returns how much that was.
    ///
    /// # Errors
    /// Those of the operating system.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fills `buf` from `offset` as far as that needs no waiting for the disk; returns how much that was. Nothing,
    /// where the system cannot tell, or fails: then [`DiskFile::read_at`] finds out.
    fn read_cached_at(&self, buf: &mut [u8], offset: u64) -> usize {
        let _cannot_tell = (buf, offset);
        0
    }

    /// Writes all of `data` at `offset`, lengthening the file where needed.
    ///
    /// # Errors
    /// Those of the operating system; a part may have been written. `StorageFull` when space ran out.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts or lengthens the file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Takes space for `len` bytes from `offset` on, lengthening the file.
    ///
    /// # Errors
    /// Those of the operating system; `StorageFull` when it is not there.
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Gives back the space of a range, which then reads as zeros. A file system that cannot do it keeps the
    /// bytes; that is no error.
    ///
    /// # Errors
    /// Those of the operating system.
    fn punch(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Makes what was written survive.
    ///
    /// # Errors
    /// Those of the operating system. After an error nothing about the file is sure, and asking again proves
    /// nothing: Linux marks pages clean that it failed to write.
    fn sync(&self, point: SyncPoint) -> io::Result<()>;
}
