//! Space put by, so that deletes and the end of leases work on a full disk.
//!
//! A release or break appends 8 KiB; on a disk without a byte left that would fail, and a client could not even
//! let go. So a file is kept allocated and cut shorter, step by step, when such an operation finds the disk
//! full. It grows back when there is space again.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::disk::{Access, Disk, DiskFile, SyncPoint};

pub(crate) struct Reserve {
    path: PathBuf,
    full: u64,
    step: u64,
    /// Bytes held now; the lock serialises giving up and refilling.
    held: Mutex<u64>,
}

impl Reserve {
    /// Finds or makes the reserve. Failing to fill it is no error: a store on a full disk must still open.
    pub(crate) fn open(disk: &dyn Disk, path: PathBuf, full: u64, step: u64) -> Self {
        let held = disk
            .open(&path, Access::Read)
            .and_then(|file| file.len())
            .unwrap_or(0);
        let reserve = Self {
            path,
            full,
            step,
            held: Mutex::new(held),
        };
        reserve.refill(disk);
        reserve
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
            file.sync(SyncPoint::ReserveGivenUp)
        });
        if let Err(error) = cut {
            tracing::warn!(%error, "the reserve could not be cut");
            return false;
        }
        tracing::warn!(left, "the disk is full: gave up a part of the reserve");
        *held = left;
        true
    }

    /// Fills it up again when the disk has room for it twice, so that it never takes the last space.
    pub(crate) fn refill(&self, disk: &dyn Disk) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = self.full.saturating_sub(*held);
        let room = self
            .path
            .parent()
            .map_or(Ok(0), |dir| disk.free_space(dir))
            .unwrap_or(0);
        if missing == 0 || room < missing.saturating_mul(2) {
            return;
        }
        let filled = disk
            .open(&self.path, Access::Write)
            .or_else(|_| disk.create(&self.path))
            .and_then(|file: Box<dyn DiskFile>| file.allocate(*held, missing));
        match filled {
            Ok(()) => *held = self.full,
            Err(error) => tracing::warn!(%error, "the reserve could not be filled"),
        }
    }
}
