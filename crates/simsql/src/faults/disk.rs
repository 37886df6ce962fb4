//! A disk that can fail, fill up, or be slow.
//!
//! The engine does not wait, so a slow disk cannot make it wait here: how much longer a write took is added up, and whoever runs
//! a statement sleeps it off between two of its steps ([`Switches`] counts).

use std::sync::Arc;

use super::Switches;
use crate::world::{Disk, DiskFile, Kind, Open, OsError, Space};

pub(super) struct FaultyDisk {
    pub(super) inner: Arc<dyn Disk>,
    pub(super) switches: Arc<Switches>,
}

impl FaultyDisk {
    /// A change of names, for which even a full disk has room.
    fn touch(&self, path: &str) -> Result<(), OsError> {
        match self.switches.write(path) {
            Err(error) if error.number != FULL => Err(error),
            _ => Ok(()),
        }
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &str, how: Open) -> Result<Arc<dyn DiskFile>, OsError> {
        if matches!(how, Open::Create | Open::Replace) {
            self.touch(path)?;
        }
        Ok(Arc::new(FaultyFile {
            inner: self.inner.open(path, how)?,
            path: path.to_owned(),
            switches: Arc::clone(&self.switches),
        }))
    }

    fn remove(&self, path: &str) -> Result<(), OsError> {
        self.touch(path)?;
        self.inner.remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), OsError> {
        self.touch(to)?;
        self.inner.rename(from, to)
    }

    fn create_directory(&self, path: &str) -> Result<(), OsError> {
        self.inner.create_directory(path)
    }

    fn look(&self, path: &str) -> Option<Kind> {
        self.inner.look(path)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, OsError> {
        self.inner.list(path)
    }

    fn space(&self, path: &str) -> Space {
        let space = self.inner.space(path);
        match self.switches.write(path) {
            Err(error) if error.number == FULL => Space { free: 0, ..space },
            _ => space,
        }
    }
}

/// ERROR_DISK_FULL.
const FULL: i32 = 112;

struct FaultyFile {
    inner: Arc<dyn DiskFile>,
    path: String,
    switches: Arc<Switches>,
}

impl FaultyFile {
    /// A write after which the file has at least `length` bytes: a full disk refuses only what grows.
    fn write(&self, length: u64) -> Result<(), OsError> {
        match self.switches.write(&self.path) {
            Err(error) if error.number == FULL && length <= self.inner.len()? => Ok(()),
            Err(error) => Err(error),
            Ok(slow) => {
                self.switches.owe(slow);
                Ok(())
            }
        }
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), OsError> {
        self.switches.read(&self.path)?;
        self.inner.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), OsError> {
        self.write(offset + bytes.len() as u64)?;
        self.inner.write_at(offset, bytes)
    }

    fn set_len(&self, length: u64) -> Result<(), OsError> {
        self.write(length)?;
        self.inner.set_len(length)
    }

    fn len(&self) -> Result<u64, OsError> {
        self.inner.len()
    }

    fn sync(&self) -> Result<(), OsError> {
        self.write(0)?;
        self.inner.sync()
    }
}
