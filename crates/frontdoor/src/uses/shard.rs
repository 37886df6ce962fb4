//! A part of the record: what is remembered of its blobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use azblob::lease::LeaseWitness;
use blobstore::BlobPath;
use tokio::time::Instant;

use super::{IsLocked, Kind};

/// What is remembered of some blobs.
pub(super) struct Shard {
    records: BTreeMap<Arc<BlobPath>, Record>,
    /// Blobs that nobody uses at this moment, by their latest use.
    unused: BTreeMap<u64, Arc<BlobPath>>,
    /// How many unused ones are remembered.
    room: usize,
    /// Numbers the uses.
    uses: u64,
    /// Since when every use of every locked blob is remembered.
    watching: Instant,
}

/// What is remembered of one blob.
struct Record {
    /// Connections that are with it.
    connections: u32,
    /// Requests that are being served.
    reading: u32,
    writing: u32,
    /// The end of the latest of each.
    read: Option<Instant>,
    written: Option<Instant>,
    /// The number of the latest use, from 1 on; 0 before there was one.
    latest: u64,
    watching: Instant,
}

impl Record {
    fn is_unused(&self) -> bool {
        self.connections == 0 && self.reading == 0 && self.writing == 0
    }

    fn serving(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::Read => &mut self.reading,
            Kind::Write => &mut self.writing,
        }
    }
}

impl Shard {
    /// Watches from `now` on.
    pub(super) fn new(room: usize, now: Instant) -> Self {
        Shard {
            records: BTreeMap::new(),
            unused: BTreeMap::new(),
            room,
            uses: 0,
            watching: now,
        }
    }

    /// A request begins to be served; over a connection that is not with the blob yet, and counts for it meanwhile, if
    /// `comes`.
    pub(super) fn begin(&mut self, path: BlobPath, kind: Kind, comes: bool) -> Arc<BlobPath> {
        let path = match self.records.get_key_value(&path) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new(path),
        };
        let watching = self.watching;
        let record = self.records.entry(Arc::clone(&path)).or_insert(Record {
            connections: 0,
            reading: 0,
            writing: 0,
            read: None,
            written: None,
            latest: 0,
            watching,
        });
        if record.is_unused() {
            self.unused.remove(&record.latest);
        }
        record.connections += u32::from(comes);
        *record.serving(kind) += 1;
        path
    }

    /// A request is no longer served. It was a use if it counts; the connection leaves again if `goes`.
    pub(super) fn end(
        &mut self,
        path: &Arc<BlobPath>,
        kind: Kind,
        (counts, goes): (bool, bool),
        is_locked: &IsLocked,
    ) {
        self.change(path, kind, counts, is_locked, |record| {
            *record.serving(kind) -= 1;
            record.connections -= u32::from(goes);
        });
    }

    /// A connection that was with the blob closes, or moves on to another one.
    pub(super) fn leave(&mut self, path: &Arc<BlobPath>, kind: Kind, is_locked: &IsLocked) {
        self.change(path, kind, true, is_locked, |record| record.connections -= 1);
    }

    fn change(
        &mut self,
        path: &Arc<BlobPath>,
        kind: Kind,
        counts: bool,
        is_locked: &IsLocked,
        change: impl FnOnce(&mut Record),
    ) {
        let record = self
            .records
            .get_mut(path)
            .expect("a blob in use is not forgotten");
        change(record);
        if counts {
            self.uses += 1;
            record.latest = self.uses;
            let last = match kind {
                Kind::Read => &mut record.read,
                Kind::Write => &mut record.written,
            };
            *last = Some(Instant::now());
        }
        if !record.is_unused() {
            return;
        }
        if record.latest == 0 || is_locked(path) == Some(false) {
            self.records.remove(path);
            return;
        }
        self.unused.insert(record.latest, Arc::clone(path));
        if self.unused.len() > self.room
            && let Some((_, oldest)) = self.unused.pop_first()
        {
            self.records.remove(&oldest);
            self.watching = Instant::now();
        }
    }

    /// The blobs that nobody uses.
    pub(super) fn unused(&self) -> Vec<Arc<BlobPath>> {
        self.unused.values().cloned().collect()
    }

    /// Forgets a blob that nobody uses and no lease locks.
    pub(super) fn forget_unlocked(&mut self, path: &BlobPath, is_locked: &IsLocked) {
        let record = self.records.get(path).filter(|record| record.is_unused());
        if let Some(latest) = record.map(|record| record.latest)
            && is_locked(path) == Some(false)
        {
            self.unused.remove(&latest);
            self.records.remove(path);
        }
    }

    /// What was seen of a blob until `now`.
    pub(super) fn testify(&self, path: &BlobPath, now: Instant) -> LeaseWitness {
        let since = |then: Instant| {
            let millis = now.saturating_duration_since(then).as_millis();
            u64::try_from(millis).unwrap_or(u64::MAX)
        };
        let Some(record) = self.records.get(path) else {
            return LeaseWitness {
                watched: since(self.watching),
                ..LeaseWitness::default()
            };
        };
        let last =
            |serving: u32, ended: Option<Instant>| if serving > 0 { Some(0) } else { ended.map(since) };
        LeaseWitness {
            connections: record.connections,
            jobs: 0,
            since_write: last(record.writing, record.written),
            since_read: last(record.reading, record.read),
            watched: since(record.watching),
        }
    }

    /// How many blobs are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }
}
