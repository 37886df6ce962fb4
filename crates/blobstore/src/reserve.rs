//! Space put by, so that deletes and the end of leases work on a full disk.
//!
//! A release or break appends 8 KiB; on a disk without a byte left that would fail, and a client could not even
//! let go. So a file is kept allocated and cut shorter, step by step, when such an operation finds the disk
//! full. It grows back when there is space again.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::disk::{Access, Disk, SyncPoint};

pub(crate) struct Reserve {
    path: PathBuf,
    full: u64,
    step: u64,
    /// Bytes held now; the lock serialises giving up and refilling.
    held: Mutex<u64>,
}

impl Reserve {
    /// Finds what there is of the reserve. [`Self::refill`] makes it.
    pub(crate) fn find(disk: &dyn Disk, path: PathBuf, full: u64, step: u64) -> Self {
        let held = disk
            .open(&path, Access::Read)
            .and_then(|file| file.len())
            .unwrap_or(0);
        Self {
            path,
            full,
            step,
            held: Mutex::new(held),
        }
    }

    /// Gives up one step. False when nothing is left.
    pub(crate) fn give_up_step(&self, disk: &dyn Disk) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if *held == 0 {
            return false;
        }
        let left = held.saturating_sub(self.step);
        let cut = disk.open(&self.path, Access::Write).and_then(|file| {
            file.set_len(left)?;
            file.sync(SyncPoint::Reserve)
        });
        if let Err(error) = cut {
            tracing::warn!(%error, "the reserve could not be cut");
            return false;
        }
        tracing::warn!(left, "the disk is full: gave up a part of the reserve");
        *held = left;
        true
    }

    /// Fills it up again, by whole steps and with no more than half of the room there is. Failing is no error: a
    /// store on a full disk works as far as it can.
    pub(crate) fn refill(&self, disk: &dyn Disk) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = self.full.saturating_sub(*held);
        let room = self
            .path
            .parent()
            .map_or(Ok(0), |dir| disk.free_space(dir))
            .unwrap_or(0);
        let more = missing.min(room / 2 / self.step * self.step);
        if more == 0 {
            return;
        }
        match self.lengthen(disk, *held, more) {
            Ok(()) => *held += more,
            Err(error) => tracing::warn!(%error, "the reserve could not be filled"),
        }
    }

    fn lengthen(&self, disk: &dyn Disk, held: u64, more: u64) -> io::Result<()> {
        let (file, is_new) = match disk.open(&self.path, Access::Write) {
            Err(error) if error.kind() == ErrorKind::NotFound => (disk.create(&self.path)?, true),
            opened => (opened?, false),
        };
        file.allocate(held, more)?;
        file.sync(SyncPoint::Reserve)?;
        match self.path.parent() {
            Some(dir) if is_new => disk.sync_dir(dir, SyncPoint::Reserve),
            _ => Ok(()),
        }
    }
}
