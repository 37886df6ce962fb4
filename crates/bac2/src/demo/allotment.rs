//! The part of the disk that the demo's vault believes to have.
//!
//! A vault waits with fulls when its disk is nearly full. The disk that temporary folders lie on may well be that, and is no vault's:
//! so this one counts only what it was allotted, and less where the disk has less.

use std::io;
use std::path::Path;

use blobstore::disk::real::RealDisk;
use blobstore::disk::{Access, DirEntry, Disk, DiskFile, LockGuard, LockKind, SyncPoint};

/// The machine's disk, as if it had this many bytes at most.
pub(super) struct Allotment(pub(super) u64);

impl Disk for Allotment {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.create(path)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path, access)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        RealDisk.list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path, point: SyncPoint) -> io::Result<()> {
        RealDisk.sync_dir(path, point)
    }

    fn sync_all_below(&self, path: &Path, point: SyncPoint) -> io::Result<()> {
        RealDisk.sync_all_below(path, point)
    }

    fn free_space(&self, path: &Path) -> io::Result<u64> {
        Ok(RealDisk.free_space(path)?.min(self.0))
    }

    fn total_space(&self, path: &Path) -> io::Result<u64> {
        Ok(RealDisk.total_space(path)?.min(self.0))
    }

    fn lock(&self, path: &Path, kind: LockKind) -> io::Result<Option<LockGuard>> {
        RealDisk.lock(path, kind)
    }
}
