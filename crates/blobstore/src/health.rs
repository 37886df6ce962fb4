//! Whether the store may still change anything.
//!
//! A write or sync that failed is never tried over: what the disk holds afterwards is unknown (Linux marks
//! pages clean that it could not write), so the store stops changing things until it is opened anew. Running
//! out of space while writing is the exception: nothing is half done then, and the store goes on.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::OnceLock;

use crate::error::StoreError;

#[derive(Debug, Default)]
pub(crate) struct Health {
    why: OnceLock<String>,
}

impl Health {
    /// Fails once something has failed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.why.get() {
            None => Ok(()),
            Some(why) => Err(StoreError::ReadOnly { why: why.clone() }),
        }
    }

    /// Why the store is read-only, if it is.
    pub(crate) fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }

    /// Makes the store read-only for a reason other than a failure.
    pub(crate) fn forbid(&self, why: &str) {
        let _ = self.why.set(why.to_owned());
    }

    /// Judges a failed change: out of space is the client's error, everything else ends all changes.
    pub(crate) fn change_failed(&self, deed: &str, path: &Path, error: &io::Error) -> StoreError {
        if is_out_of_space(error) {
            return StoreError::DiskFull;
        }
        if let Some(number) = error.raw_os_error().filter(|number| is_out_of_handles(*number)) {
            return read_failed(path, io::Error::from_raw_os_error(number));
        }
        self.fail(deed, path, error)
    }

    /// A failed sync ends all changes, whatever the reason.
    pub(crate) fn sync_failed(&self, path: &Path, error: &io::Error) -> StoreError {
        self.fail("sync", path, error)
    }

    fn fail(&self, deed: &str, path: &Path, error: &io::Error) -> StoreError {
        let mut first = false;
        let why = self.why.get_or_init(|| {
            first = true;
            format!(
                "{deed} of {} failed: {error}; restart the server once the disk is sound",
                path.display()
            )
        });
        if first {
            tracing::error!(%why, "the store is read-only from now on");
        }
        StoreError::ReadOnly { why: why.clone() }
    }
}

/// The disk, or the share of it that is ours, is full.
pub(crate) fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// The process or the machine has no more file handles (EMFILE 24, ENFILE 23 on all Unix systems): nothing was
/// begun, and nothing is wrong with the disk.
fn is_out_of_handles(number: i32) -> bool {
    cfg!(unix) && matches!(number, 23 | 24)
}

/// A failed read, which says nothing about what is stored.
pub(crate) fn read_failed(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        path: path.display().to_string(),
        source,
    }
}
