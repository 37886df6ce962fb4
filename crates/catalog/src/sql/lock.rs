//! Keeps a second process away from a SQLite catalog: two vaults on one file would each do everything.
//!
//! The lock is on a file beside the catalog, `NAME.lock`, and goes with its process, however that ends. The file
//! holds the number of the process, for people, and stays.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use crate::error::CatalogError;

/// Held as long as the catalog is open.
#[derive(Debug)]
pub(super) struct OwnerLock(File);

impl OwnerLock {
    /// Takes the lock of the catalog at this path.
    pub(super) fn take(path: &Path) -> Result<Self, CatalogError> {
        let mut name = OsString::from(path);
        name.push(".lock");
        let mut file =
            super::sqlite::open_private(Path::new(&name)).map_err(|error| not_writable(path, &error))?;
        match file.try_lock() {
            Ok(()) => {
                // For people only: a full disk is no reason not to start.
                let _ = note_owner(&mut file);
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => Err(CatalogError::InUse {
                catalog: path.display().to_string(),
                holder: holder(&mut file),
            }),
            Err(TryLockError::Error(error)) => Err(not_writable(path, &error)),
        }
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // It would go with the file all the same.
        let _ = self.0.unlock();
    }
}

fn note_owner(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(std::process::id().to_string().as_bytes())
}

/// ` (process 123)`, if the file says so.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(20).read_to_string(&mut text));
    match text.parse::<u32>() {
        Ok(process) if read.is_ok() => format!(" (process {process})"),
        _ => String::new(),
    }
}

pub(super) fn not_writable(path: &Path, error: &io::Error) -> CatalogError {
    let catalog = path.display().to_string();
    if error.kind() == io::ErrorKind::StorageFull {
        return CatalogError::DiskFull { catalog };
    }
    CatalogError::NotWritable {
        catalog,
        why: error.to_string(),
    }
}
