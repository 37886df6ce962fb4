//! The machine's disk, told to have room: what a test finds must not depend on how full the machine is.

use std::io;
use std::path::Path;

use blobstore::disk::real::RealDisk;
use blobstore::disk::{Access, DirEntry, Disk, DiskFile, LockGuard, LockKind, SyncPoint};

/// Bytes that it says it has in all, and free.
const ROOM: u64 = 1 << 40;

/// The disk.
pub(super) struct Roomy(pub(super) RealDisk);

impl Disk for Roomy {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.0.create(path)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        self.0.open(path, access)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.0.list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.0.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path, point: SyncPoint) -> io::Result<()> {
        self.0.sync_dir(path, point)
    }

    fn sync_all_below(&self, path: &Path, point: SyncPoint) -> io::Result<()> {
        self.0.sync_all_below(path, point)
    }

    fn free_space(&self, _: &Path) -> io::Result<u64> {
        Ok(ROOM)
    }

    fn total_space(&self, _: &Path) -> io::Result<u64> {
        Ok(ROOM)
    }

    fn lock(&self, path: &Path, kind: LockKind) -> io::Result<Option<LockGuard>> {
        self.0.lock(path, kind)
    }
}
