//! What the guard tells while it works, for people who watch.

use std::time::Duration;

use crate::place::Place;

/// One step of the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many containers are known; `last` when no more will be.
    Containers {
        /// How many so far.
        found: usize,
        /// No more will come.
        last: bool,
    },
    /// A page of a container was read.
    Listed {
        /// Blobs on it.
        blobs: usize,
        /// Locked ones among them.
        locked: usize,
    },
    /// A container was read to its end, or given up.
    ContainerDone,
    /// A locked blob was looked at, for the first time or again.
    Examined,
    /// The guard waits before it looks again.
    Waits {
        /// Until the next look.
        next: Duration,
        /// Until every blob that could become ripe has been quiet for long enough, if none stirs.
        longest: Duration,
    },
    /// What a blob holds is read to its end, which may take long: so far in it, in bytes.
    Reads {
        /// Where the reading stands.
        at: u64,
        /// Where it ends.
        of: u64,
    },
    /// Something is done to this blob now.
    Acts(Place),
}

/// Who is told.
pub trait Listener: Sync {
    /// Hears of one step. Must not take long.
    fn hear(&self, event: &Event);
}

/// Nobody.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Listener for Nobody {
    fn hear(&self, _event: &Event) {}
}
