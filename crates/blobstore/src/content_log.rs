//! The content of a page or append blob: a map, and the changes since it was written.
//!
//! Each Put Page, clear and Append Block is a frame of its own that is durable before it is acknowledged; no root says
//! so, so that parallel writers share their syncs. The frame's trailer carries the number of the change, given at the
//! moment it was judged: later numbers win, whatever the order of the frames in the file. From time to time the map
//! (which stretches of the file are the content) is written, and a root that points at it and says up to which number
//! it speaks. So opening a blob is reading its newest map and the headers of the frames behind it.
//!
//! Invariants:
//! - Changes are judged one after another, under the lock of the blob's state, against what all before them made of
//!   the blob; they are seen in that order, and only once they are durable.
//! - A map speaks of every change up to its number; frames of later ones begin at or after [`LogRecord::from`].
//! - Nothing of the file is given back before a durable root whose map does without it, and whose `durable_below` lies
//!   behind it: a start after that looks at none of it.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use azblob::etag::ETag;
use azblob::time::UnixMillis;

use crate::blob_file::{BlobFile, read_frame, read_trailer};
use crate::block_list::Span;
use crate::copy::Part;
use crate::disk::DiskFile;
use crate::error::StoreError;
use crate::extents::{Extent, Extents, Piece};
use crate::frame::{Change, Header, Kind, Trailer, frame_len};
use crate::group_sync::Ticket;
use crate::health::read_failed;
use crate::limits::{DEAD_BYTES_PER_MAP, PAGE_EXTENTS_MAX};
use crate::properties::BlobKind;
use crate::root::{CommitId, LogRecord, Root};
use crate::survey::{Step, walk};

pub(crate) struct Log {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    extents: Extents,
    /// Judged and perhaps not durable, in the order of their numbers.
    pending: VecDeque<Pending>,
    /// Changes since the map.
    since_map: u64,
    changes_per_map: u64,
    /// How many of them at most, before it is written again.
    map_due: u64,
    /// Ranges of the file that nothing needs any more, to be given back after the next map.
    freed: Vec<(u64, u64)>,
    /// Bytes of them that came since the last map.
    freed_bytes: u64,
    /// The map's frame: offset and length.
    map: Option<(u64, u64)>,
    /// A stretch of the file cannot be read, so that changes may be missing.
    lost: Option<u64>,
    /// The newest change found behind the map when it was loaded.
    replayed: Option<Change>,
}

struct Pending {
    ticket: Ticket,
    change: Change,
    deed: Deed,
}

/// What a change does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    /// Bytes of a frame become the content from this offset on.
    Write(u64, Span),
    /// The content becomes zeros from the first offset up to the second. The last two are offset and length of the frame
    /// that says so, which nothing needs once a map knows.
    Clear(u64, u64, (u64, u64)),
}

/// A blob as the newest change left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) change: Change,
    /// Bytes of content; for a page blob those of the root.
    pub(crate) size: u64,
    pub(crate) block_count: u32,
}

/// A file with a log in it.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a dyn DiskFile,
    pub(crate) path: &'a Path,
    pub(crate) identity: u128,
    /// Where its frames end.
    pub(crate) end: u64,
    /// Frames that were never completed.
    pub(crate) torn: &'a BTreeSet<u64>,
    /// For a snapshot, the number of its last change: one that was arriving when it was taken lies before its root.
    pub(crate) until: Option<u64>,
}

impl Log {
    /// Reads the map that the root points at, and the changes since.
    pub(crate) fn load(source: &Source<'_>, root: &Root, changes_per_map: u64) -> Result<Self, StoreError> {
        let record = root.log.as_ref().ok_or_else(|| StoreError::Damaged {
            what: format!("{}: the root names no map", source.path.display()),
        })?;
        let mut inner = Inner {
            changes_per_map,
            map_due: changes_per_map,
            ..Inner::default()
        };
        if let Some(offset) = record.map {
            let payload = read_frame(source.file, source.path, source.identity, offset, Kind::Map)?;
            inner.map = Some((offset, frame_len(Kind::Map, payload.len() as u64)));
            inner.extents = Extents::decode(&payload).ok_or_else(|| StoreError::Damaged {
                what: format!("{}: map at {offset}", source.path.display()),
            })?;
        }
        inner.replay(source, record)?;
        Ok(Self {
            inner: Mutex::new(inner),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blob as the newest judged change left it, durable or not.
    pub(crate) fn judged(&self, root: &Root) -> Version {
        let inner = self.lock();
        let mut version = version_of(root);
        for pending in &inner.pending {
            version = version.after(&pending.deed, pending.change);
        }
        version
    }

    /// Whether one more change can be taken.
    pub(crate) fn check_room(&self, at: u64, len: u64, writes: bool) -> Result<(), StoreError> {
        let inner = self.lock();
        if let Some(from) = inner.lost {
            return Err(lost(from));
        }
        let growth = inner.extents.growth(at, len, writes);
        if growth > 0 && inner.extents.count() + 2 * inner.pending.len() + growth > PAGE_EXTENTS_MAX {
            return Err(azblob::error::ErrorCode::BlobOperationNotSupported.into());
        }
        Ok(())
    }

    /// Takes a judged change whose frame is complete.
    pub(crate) fn push(&self, ticket: Ticket, change: Change, deed: Deed) {
        self.lock().pending.push_back(Pending { ticket, change, deed });
    }

    /// Makes the changes that are durable by now visible, in their order; `root` becomes the root of the last one.
    pub(crate) fn apply_durable(&self, file: &BlobFile, root: &mut Root) {
        let mut inner = self.lock();
        while inner.pending.front().is_some_and(|p| file.is_synced(p.ticket)) {
            let pending = inner.pending.pop_front().expect("it was just looked at");
            let version = version_of(root).after(&pending.deed, pending.change);
            root.etag = version.change.number;
            root.commit = CommitId(version.change.number);
            root.last_modified = UnixMillis(version.change.moment_ms);
            root.proof = None;
            root.size = version.size;
            if let Some(record) = &mut root.log {
                record.block_count = version.block_count;
            }
            inner.apply(&pending.deed);
        }
    }

    /// Whether it is time to write the map: opening would take long, or space waits to go back.
    pub(crate) fn wants_map(&self) -> bool {
        let inner = self.lock();
        let map_bytes = 40 * inner.extents.count() as u64;
        inner.since_map >= inner.map_due
            || inner.since_map > 0 && inner.freed_bytes >= DEAD_BYTES_PER_MAP.max(4 * map_bytes)
    }

    /// Whether the map may as well be written with a root that is due anyway: it costs little beside the changes.
    pub(crate) fn would_like_map(&self) -> bool {
        let inner = self.lock();
        inner.lost.is_none()
            && inner.since_map
                >= inner
                    .changes_per_map
                    .div_ceil(128)
                    .max(inner.extents.count() as u64 / 64)
    }

    /// Whether content lies at or behind `size`.
    pub(crate) fn is_cut_by(&self, size: u64) -> bool {
        self.lock().extents.end() > size
    }

    /// Whether the map speaks of all changes, and no space waits to go back but what snapshots show.
    pub(crate) fn is_mapped(&self, pinned_below: u64) -> bool {
        let inner = self.lock();
        inner.since_map == 0 && inner.freed.iter().all(|(offset, _)| *offset < pinned_below)
    }

    /// The payload of the map frame, of what lies before `size`. Fails where changes are missing: what is not known
    /// must not be written down as known.
    pub(crate) fn encode(&self, size: u64) -> Result<Vec<u8>, StoreError> {
        let inner = self.lock();
        match inner.lost {
            Some(from) => Err(lost(from)),
            None => Ok(inner.extents.encode(size)),
        }
    }

    /// The map was written into this frame, and a root that points at it is durable. What lies behind `size` is gone.
    /// Returns the ranges of the file to give back: all that nothing needs any more and that lies in `settled`, below
    /// the frames that a start looks at, and above what snapshots show.
    pub(crate) fn mapped(&self, map: (u64, u64), size: u64, settled: Range<u64>) -> Vec<(u64, u64)> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.extents.clear(size, u64::MAX, &mut inner.freed);
        inner.freed.extend(inner.map.replace(map));
        inner.since_map = 0;
        inner.map_due = inner.changes_per_map;
        inner.freed_bytes = 0;
        let (mut give_back, later): (Vec<_>, Vec<_>) = (std::mem::take(&mut inner.freed).into_iter())
            .partition(|(offset, len)| *offset >= settled.start && offset + len <= settled.end);
        inner.freed = later;
        give_back.sort_unstable();
        merge(give_back)
    }

    /// The map could not be written, on a full disk: not again at once.
    pub(crate) fn postpone_map(&self) {
        let mut inner = self.lock();
        inner.map_due = inner.since_map + inner.changes_per_map.div_ceil(8);
        inner.freed_bytes = 0;
    }

    /// Frames (offset, length) besides the content that nothing needs any more.
    pub(crate) fn free(&self, frames: &[(u64, u64)]) {
        self.lock().freed.extend_from_slice(frames);
    }

    /// Everything below `settled` that nothing needs, found from scratch. `kept` are the frames that roots point at,
    /// each with its length.
    pub(crate) fn unneeded(&self, kept: &[(u64, u64)], settled: u64) -> Vec<(u64, u64)> {
        let inner = self.lock();
        let mut used = inner.extents.frames();
        used.extend(kept);
        used.extend(inner.map);
        drop(inner);
        used.sort_unstable();
        let mut unneeded = Vec::new();
        let mut at = 0;
        for (offset, len) in used.into_iter().filter(|(offset, _)| *offset < settled) {
            if offset > at {
                unneeded.push((at, offset - at));
            }
            at = at.max(offset + len);
        }
        if at < settled {
            unneeded.push((at, settled - at));
        }
        unneeded
    }

    /// Fails where it is not known what the content is.
    pub(crate) fn check_known(&self) -> Result<(), StoreError> {
        self.lock().lost.map_or(Ok(()), |from| Err(lost(from)))
    }

    /// What lies from `at` on, `len` bytes.
    pub(crate) fn pieces(&self, at: u64, len: u64) -> Result<Vec<Piece>, StoreError> {
        let inner = self.lock();
        match inner.lost {
            Some(from) => Err(lost(from)),
            None => Ok(inner.extents.pieces(at, len)),
        }
    }

    /// As [`Self::pieces`], where that takes no waiting.
    pub(crate) fn try_pieces(&self, at: u64, len: u64) -> Option<Vec<Piece>> {
        let inner = self.inner.try_lock().ok()?;
        inner.lost.is_none().then(|| inner.extents.pieces(at, len))
    }

    /// Whether these bytes of a frame's payload are all still content; see [`Extents::holds`].
    pub(crate) fn holds(&self, start: u64, span: Span, within: u64, len: u64) -> bool {
        self.lock().extents.holds(start, span, within, len)
    }

    /// What a copy of the content before `size` consists of.
    pub(crate) fn parts(&self, size: u64) -> Vec<Part> {
        self.lock().extents.parts(size)
    }

    /// The first bytes that are there; see [`Extents::run`]. All of the window where that is not known.
    pub(crate) fn run(&self, window: Range<u64>, enough: u64) -> Option<Range<u64>> {
        let inner = self.lock();
        match inner.lost {
            Some(_) => Some(window).filter(|window| !window.is_empty()),
            None => inner.extents.run(window, enough),
        }
    }

    /// The ranges that were written and not cleared; see [`Extents::ranges`].
    pub(crate) fn ranges(
        &self,
        window: Range<u64>,
        max: usize,
    ) -> Result<(Vec<Range<u64>>, Option<u64>), StoreError> {
        let inner = self.lock();
        match inner.lost {
            Some(from) => Err(lost(from)),
            None => Ok(inner.extents.ranges(window, max)),
        }
    }

    /// Brings a root found at a start up to the changes behind it.
    pub(crate) fn bring_up(&self, root: &mut Root) {
        let inner = self.lock();
        if root.kind == BlobKind::Append {
            root.size = inner.extents.end();
            if let Some(record) = &mut root.log {
                record.block_count = inner.extents.count() as u32;
            }
        }
        let Some(newest) = inner.replayed.filter(|change| change.number > root.commit.0) else {
            return;
        };
        root.commit = CommitId(newest.number);
        root.proof = None;
        if newest.number > root.etag {
            root.etag = newest.number;
            root.last_modified = UnixMillis(newest.moment_ms);
        }
    }
}

impl Inner {
    /// Applies the changes in the frames behind the map.
    fn replay(&mut self, source: &Source<'_>, record: &LogRecord) -> Result<(), StoreError> {
        let read_failed = |error| read_failed(source.path, error);
        let steps = walk(source.file, source.identity, record.from, source.end).map_err(read_failed)?;
        let durable = steps.iter().filter_map(|step| match step {
            Step::Frame(header) => Some(header.durable_below),
            Step::Lost { .. } => None,
        });
        let durable = durable.max().unwrap_or(0);
        let mut changes: Vec<(Change, Header)> = Vec::new();
        let mut before = Change {
            number: record.through,
            moment_ms: 0,
        };
        for step in steps {
            match step {
                Step::Lost { from, .. } if from < durable => self.lost = self.lost.or(Some(from)),
                Step::Frame(header) if header.kind.is_change() && !source.torn.contains(&header.offset) => {
                    match read_trailer(source.file, &header).map_err(read_failed)? {
                        Some(Trailer::Changed(_, change))
                            if change.number > record.through
                                && source.until.is_none_or(|until| change.number <= until) =>
                        {
                            before = change;
                            changes.push((change, header));
                        }
                        Some(_) => {}
                        // Never completed, so never acknowledged.
                        None if header.end() > durable => {}
                        // A hole that may not have been one before: what it covers is not known.
                        None if header.kind == Kind::Clear => self.lost = self.lost.or(Some(header.offset)),
                        // Reading it will tell of the damage.
                        None => changes.push((before, header)),
                    }
                }
                Step::Lost { .. } | Step::Frame(_) => {}
            }
        }
        changes.sort_by_key(|(change, header)| (*change, header.sequence));
        self.replayed = changes.last().map(|(change, _)| *change);
        for (_, header) in changes {
            let deed = match header.kind {
                Kind::Clear => Deed::clear(&header),
                Kind::Append => Deed::Write(self.extents.end(), Span::of(&header)),
                _ => Deed::Write(header.place.0, Span::of(&header)),
            };
            self.apply(&deed);
        }
        Ok(())
    }

    fn apply(&mut self, deed: &Deed) {
        let known = self.freed.len();
        match *deed {
            Deed::Write(at, span) => self.extents.write(at, Extent::whole(span), &mut self.freed),
            Deed::Clear(from, end, frame) => {
                self.extents.clear(from, end, &mut self.freed);
                self.freed.push(frame);
            }
        }
        self.since_map += 1;
        self.freed_bytes += self.freed[known..].iter().map(|(_, len)| len).sum::<u64>();
    }
}

impl Deed {
    pub(crate) fn clear(header: &Header) -> Self {
        let (at, len) = header.place;
        Self::Clear(at, at + len, (header.offset, header.frame_len))
    }
}

impl Version {
    /// After one more change.
    pub(crate) fn after(self, deed: &Deed, change: Change) -> Self {
        let (size, more) = match *deed {
            // Pages never reach past the end of their blob, appended blocks always do.
            Deed::Write(at, span) if at + span.len > self.size => (at + span.len, 1),
            Deed::Write(..) | Deed::Clear(..) => (self.size, 0),
        };
        Self {
            change,
            size,
            block_count: self.block_count + more,
        }
    }

    pub(crate) fn etag(&self) -> ETag {
        ETag(self.change.number)
    }

    pub(crate) fn last_modified(&self) -> UnixMillis {
        UnixMillis(self.change.moment_ms)
    }
}

fn version_of(root: &Root) -> Version {
    Version {
        change: Change {
            number: root.etag,
            moment_ms: root.last_modified.0,
        },
        size: root.size,
        block_count: root.log.as_ref().map_or(0, |record| record.block_count),
    }
}

/// Joins sorted ranges (offset, length) where they touch or overlap.
fn merge(ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (offset, len) in ranges {
        match merged.last_mut() {
            Some(last) if last.0 + last.1 >= offset => last.1 = last.1.max(offset + len - last.0),
            _ => merged.push((offset, len)),
        }
    }
    merged
}

fn lost(from: u64) -> StoreError {
    StoreError::Damaged {
        what: format!(
            "the frames after {from} cannot be read, so that changes of the content may be missing"
        ),
    }
}

#[cfg(test)]
mod tests {
    use azblob::error::ErrorCode;

    use super::*;

    #[test]
    fn a_blob_in_too_many_stretches_takes_no_more_of_them() {
        let mut inner = Inner::default();
        for n in 0..PAGE_EXTENTS_MAX as u64 {
            let span = Span {
                offset: (n + 1) << 14,
                len: 1024,
                sequence: n,
                is_change: true,
            };
            inner.apply(&Deed::Write(n * 2048, span));
        }
        let log = Log {
            inner: Mutex::new(inner),
        };
        let refused = |result| {
            matches!(
                result,
                Err(StoreError::Protocol(ErrorCode::BlobOperationNotSupported))
            )
        };
        assert!(refused(log.check_room(1024, 512, true)), "one stretch more");
        assert!(
            refused(log.check_room(100, 512, false)),
            "a hole splits one in two"
        );
        log.check_room(0, 1 << 40, false).unwrap();
    }
}
