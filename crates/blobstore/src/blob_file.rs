//! One blob's file, open: where the next frame goes, and what of it is on stable storage.
//!
//! Invariants:
//! - A page that was acknowledged is never written again.
//! - Headers are written in the order of their places, under one lock, before the place is handed out. So a
//!   sync that covers a frame covers the headers of all frames before it, and a reader can hop.
//! - `durable_below` in a new header is the lowest start of a frame that is not yet synced.
//! - Payloads of blocks are written outside the lock, each into its own reserved place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use azblob::error::ErrorCode;
use azblob::time::UnixMillis;

use crate::disk::{DiskFile, SyncPoint};
use crate::error::StoreError;
use crate::frame::{Header, Kind, PAGE, ROOT_BYTES, Trailer, crc64, frame_len, to_pages};
use crate::group_sync::{GroupSync, Ticket};
use crate::health::{Health, read_failed};
use crate::limits::{BLOB_FILE_BYTES_MAX, CHECKSUM_BYTES};
use crate::span::KnownChecksums;

pub(crate) struct BlobFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    identity: u128,
    generation: u64,
    health: Arc<Health>,
    append: Mutex<Append>,
    sync: GroupSync,
    /// One payload write at a time. Linux serialises writes to a file anyway, but lets those who wait spin for their turn,
    /// which with eight connections burns the processor that receives the next bytes; here they sleep.
    turn: Mutex<()>,
    /// Held by those who read content that others may replace meanwhile, and against them by who gives space back.
    reading: RwLock<()>,
    known: KnownChecksums,
}

struct Append {
    /// Where the next frame goes.
    end: u64,
    /// Number of the last frame.
    sequence: u64,
    /// Frames not known to be durable, by start; the ticket once they are written. A frame given up without a
    /// mark on disk stays here, which only makes the next recovery look again.
    unsynced: BTreeMap<u64, Option<Ticket>>,
    /// Blocks reserved and neither published nor given up.
    arriving: BTreeSet<u64>,
    ends_with_root: bool,
    /// The newest root known to be durable; 0 for none.
    root_at: u64,
    /// A later one that may be durable by now.
    root_to_be: Option<(u64, Ticket)>,
    /// Frames, offset and length, that no start looks at once a later root is durable: roots before the newest two, as
    /// headers written while the newest was on its way name the one before it; and what was given up.
    passed: Vec<(u64, u64)>,
}

/// Where the appending starts.
pub(crate) struct End {
    pub(crate) offset: u64,
    pub(crate) sequence: u64,
    pub(crate) with_root: bool,
    /// The newest root; 0 for none.
    pub(crate) root_at: u64,
}

/// What is the same for all frames of a store run.
#[derive(Clone)]
pub(crate) struct Writing {
    pub(crate) generation: u64,
    pub(crate) changes_per_map: u64,
    pub(crate) health: Arc<Health>,
}

impl BlobFile {
    pub(crate) fn new(
        file: Box<dyn DiskFile>,
        path: PathBuf,
        identity: u128,
        writing: &Writing,
        end: &End,
    ) -> Self {
        Self {
            file,
            path,
            identity,
            generation: writing.generation,
            health: Arc::clone(&writing.health),
            append: Mutex::new(Append {
                end: end.offset,
                sequence: end.sequence,
                unsynced: BTreeMap::new(),
                arriving: BTreeSet::new(),
                ends_with_root: end.with_root,
                root_at: end.root_at,
                root_to_be: None,
                passed: Vec::new(),
            }),
            sync: GroupSync::default(),
            turn: Mutex::new(()),
            reading: RwLock::new(()),
            known: KnownChecksums::default(),
        }
    }

    pub(crate) fn known_checksums(&self) -> &KnownChecksums {
        &self.known
    }

    pub(crate) fn identity(&self) -> u128 {
        self.identity
    }

    pub(crate) fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn end(&self) -> u64 {
        self.lock().end
    }

    /// Whether the file, opened anew, would need no recovery: it can be closed.
    pub(crate) fn is_quiet(&self) -> bool {
        let append = self.lock();
        append.ends_with_root && append.arriving.is_empty()
    }

    /// Blocks still arriving, by start.
    pub(crate) fn arriving(&self) -> Vec<u64> {
        self.lock().arriving.iter().copied().collect()
    }

    /// The lowest start of a frame that is still arriving, or where the next frame goes.
    pub(crate) fn settled_below(&self) -> u64 {
        let append = self.lock();
        append.arriving.first().copied().unwrap_or(append.end)
    }

    /// Every frame that ends at or before this offset is on stable storage.
    pub(crate) fn durable_end(&self) -> u64 {
        self.durable_below(&self.lock())
    }

    /// The frames that no start looks at any more, now that a root is durable; each is told once.
    pub(crate) fn take_passed(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.lock().passed)
    }

    /// Whether a sync has covered the ticket.
    pub(crate) fn is_synced(&self, ticket: Ticket) -> bool {
        self.sync.is_synced(ticket)
    }

    /// Keeps space from being given back while content is read that others may replace meanwhile.
    pub(crate) fn begin_reading(&self) -> RwLockReadGuard<'_, ()> {
        self.reading.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::begin_reading`], where that takes no waiting.
    pub(crate) fn try_reading(&self) -> Option<RwLockReadGuard<'_, ()>> {
        self.reading.try_read().ok()
    }

    /// Gives back the space of ranges (offset, length) that nobody needs any more, waiting for those who read. That
    /// it fails is no error: the bytes then stay until the blob is overwritten or deleted. What lies below
    /// `pinned_below` stays too.
    pub(crate) fn punch(&self, ranges: &[(u64, u64)], pinned_below: u64) {
        let _alone = self.reading.write().unwrap_or_else(PoisonError::into_inner);
        for (offset, len) in ranges {
            let (from, end) = ((*offset).max(pinned_below), offset + len);
            if from >= end {
                continue;
            }
            if let Err(error) = self.file.punch(from, end - from) {
                tracing::warn!(path = %self.path.display(), %error, "space could not be given back");
            }
        }
    }

    /// A block is published, so no longer arriving.
    pub(crate) fn arrived(&self, offset: u64) {
        self.lock().arriving.remove(&offset);
    }

    fn lock(&self) -> MutexGuard<'_, Append> {
        self.append.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a whole frame and returns its start. Not durable before [`Self::wait`].
    pub(crate) fn append_frame(
        &self,
        kind: Kind,
        payload: &[u8],
        now: UnixMillis,
    ) -> Result<(Header, Ticket), StoreError> {
        let mut append = self.lock();
        let header = self.next_header(
            &append,
            kind,
            payload.len() as u64,
            frame_len(kind, payload.len() as u64),
            now,
        );
        let mut bytes = header.encode(&[]);
        bytes.extend_from_slice(payload);
        bytes.resize((PAGE + to_pages(payload.len() as u64)) as usize, 0);
        let checksums = payload.chunks(CHECKSUM_BYTES).map(crc64).collect();
        bytes.extend_from_slice(&Trailer::Done(checksums).encode(&header));
        let ticket = self.append_bytes(&mut append, &header, &bytes)?;
        Ok((header, ticket))
    }

    /// Appends a root and returns its place. What it points at must be durable already. With `promised` its `durable_below` covers
    /// everything before it: for a new file, which gets its name only after a sync.
    pub(crate) fn append_root(
        &self,
        payload: &[u8],
        promised: bool,
        now: UnixMillis,
    ) -> Result<(u64, Ticket), StoreError> {
        let mut append = self.lock();
        let mut header = self.next_header(&append, Kind::Root, payload.len() as u64, ROOT_BYTES, now);
        if promised {
            header.durable_below = header.offset;
        }
        let page = header.encode(payload);
        let ticket = self.append_bytes(&mut append, &header, &[page.as_slice(), &page].concat())?;
        append.ends_with_root = true;
        let newest = self.root_at(&append);
        let before = std::mem::replace(&mut append.root_at, newest);
        if before != newest && before != 0 {
            append.passed.push((before, ROOT_BYTES));
        }
        append.root_to_be = Some((header.offset, ticket));
        Ok((header.offset, ticket))
    }

    fn append_bytes(&self, append: &mut Append, header: &Header, bytes: &[u8]) -> Result<Ticket, StoreError> {
        assert_eq!(bytes.len() as u64, header.frame_len);
        self.health.check()?;
        if let Err(error) = self.file.write_at(bytes, header.offset) {
            return Err(self.undo(append, header.offset, &error));
        }
        let ticket = self.sync.draw();
        append.unsynced.insert(header.offset, Some(ticket));
        self.forget_synced(append);
        Self::advance(append, header);
        Ok(ticket)
    }

    /// Takes the place for a block of `len` bytes and writes its header.
    pub(crate) fn reserve_block(&self, id: &[u8], len: u64, now: UnixMillis) -> Result<Header, StoreError> {
        self.reserve(Kind::Block, len, now, |header| header.block_id = id.to_vec())
    }

    /// Takes the place for a change of the content and writes its header. `place` is of the blob: offset, bytes.
    pub(crate) fn reserve_change(
        &self,
        kind: Kind,
        place: (u64, u64),
        payload_len: u64,
        now: UnixMillis,
    ) -> Result<Header, StoreError> {
        self.reserve(kind, payload_len, now, |header| header.place = place)
    }

    fn reserve(
        &self,
        kind: Kind,
        len: u64,
        now: UnixMillis,
        fill: impl FnOnce(&mut Header),
    ) -> Result<Header, StoreError> {
        let mut append = self.lock();
        self.health.check()?;
        let mut header = self.next_header(&append, kind, len, frame_len(kind, len), now);
        if header.end() > BLOB_FILE_BYTES_MAX {
            return Err(ErrorCode::BlobOperationNotSupported.into());
        }
        fill(&mut header);
        if let Err(error) = self.file.write_at(&header.encode(&[]), header.offset) {
            return Err(self.undo(&mut append, header.offset, &error));
        }
        append.unsynced.insert(header.offset, None);
        append.arriving.insert(header.offset);
        Self::advance(&mut append, &header);
        Ok(header)
    }

    fn next_header(
        &self,
        append: &Append,
        kind: Kind,
        payload_len: u64,
        frame_len: u64,
        now: UnixMillis,
    ) -> Header {
        Header {
            kind,
            identity: self.identity,
            offset: append.end,
            payload_len,
            frame_len,
            sequence: append.sequence + 1,
            generation: self.generation,
            durable_below: self.durable_below(append),
            moment_ms: now.0,
            block_id: Vec::new(),
            place: (0, 0),
            root_at: self.root_at(append),
        }
    }

    /// The newest root that is durable now.
    fn root_at(&self, append: &Append) -> u64 {
        match append.root_to_be {
            Some((offset, ticket)) if self.sync.is_synced(ticket) => offset,
            _ => append.root_at,
        }
    }

    /// The lowest start of a frame that is not synced.
    fn durable_below(&self, append: &Append) -> u64 {
        let first = append
            .unsynced
            .iter()
            .find(|(_, ticket)| ticket.is_none_or(|ticket| !self.sync.is_synced(ticket)));
        first.map_or(append.end, |(start, _)| *start)
    }

    fn advance(append: &mut Append, header: &Header) {
        append.end = header.end();
        append.sequence = header.sequence;
        append.ends_with_root = false;
    }

    /// After a failed write at the end: nothing of it may look like a frame later.
    fn undo(&self, append: &mut Append, end: u64, error: &std::io::Error) -> StoreError {
        let failure = self.health.change_failed("write", &self.path, error);
        append.end = end;
        if matches!(failure, StoreError::DiskFull)
            && let Err(error) = self.file.set_len(end)
        {
            return self.health.change_failed("truncation", &self.path, &error);
        }
        failure
    }

    /// Writes a part of a reserved block's payload.
    pub(crate) fn write_payload(&self, header: &Header, at: u64, data: &[u8]) -> Result<(), StoreError> {
        assert!(
            at + data.len() as u64 <= header.payload_len,
            "a block stays in its place"
        );
        self.health.check()?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.file
            .write_at(data, header.payload_at() + at)
            .map_err(|error| self.health.change_failed("write", &self.path, &error))
    }

    /// Completes a block. Not durable before [`Self::wait`].
    pub(crate) fn finish_block(&self, header: &Header, checksums: Vec<u64>) -> Result<Ticket, StoreError> {
        self.finish(header, &Trailer::Done(checksums))
    }

    /// Completes a reserved frame. Not durable before [`Self::wait`].
    pub(crate) fn finish(&self, header: &Header, trailer: &Trailer) -> Result<Ticket, StoreError> {
        self.health.check()?;
        self.file
            .write_at(&trailer.encode(header), header.trailer_at())
            .map_err(|error| self.health.change_failed("write", &self.path, &error))?;
        let mut append = self.lock();
        let ticket = self.sync.draw();
        append.unsynced.insert(header.offset, Some(ticket));
        self.forget_synced(&mut append);
        Ok(ticket)
    }

    /// Forgets the first frames that are synced by now, so that a file which only ever gets roots (leases, metadata) does
    /// not keep a note of each, to be gone through for the next.
    fn forget_synced(&self, append: &mut Append) {
        while let Some(first) = append.unsynced.first_entry()
            && first.get().is_some_and(|ticket| self.sync.is_synced(ticket))
        {
            first.remove();
        }
    }

    /// Gives a reserved block up: nothing waits for it, its space goes back.
    pub(crate) fn abandon_block(&self, header: &Header) {
        let mut append = self.lock();
        append.arriving.remove(&header.offset);
        if self.health.check().is_err() {
            return;
        }
        if header.end() == append.end {
            // The last frame: its place goes to the next one. Its header may survive on disk without a
            // trailer, which recovery takes for what it is.
            append.unsynced.remove(&header.offset);
            append.end = header.offset;
            append.ends_with_root = false;
            if let Err(error) = self.file.set_len(header.offset) {
                self.health.change_failed("truncation", &self.path, &error);
            }
            return;
        }
        drop(append);
        let marked = self
            .file
            .punch(header.payload_at(), to_pages(header.payload_len))
            .and_then(|()| {
                self.file
                    .write_at(&Trailer::Void.encode(header), header.trailer_at())
            });
        match marked {
            Ok(()) => {
                let mut append = self.lock();
                let ticket = self.sync.draw();
                append.unsynced.insert(header.offset, Some(ticket));
                append.passed.push((header.offset, header.frame_len));
            }
            Err(error) => {
                self.health.change_failed("write", &self.path, &error);
            }
        }
    }

    /// Returns once everything up to the ticket is on stable storage.
    pub(crate) fn wait(&self, ticket: Ticket, point: SyncPoint) -> Result<(), StoreError> {
        self.health.check()?;
        self.sync
            .wait(ticket, || self.file.sync(point))
            .map_err(|error| self.health.sync_failed(&self.path, &error))
    }

    /// Makes everything written so far survive.
    pub(crate) fn sync_all(&self, point: SyncPoint) -> Result<(), StoreError> {
        self.wait(self.sync.draw(), point)
    }

    /// The payload of a whole frame other than a block, verified.
    pub(crate) fn read_frame(&self, offset: u64, kind: Kind) -> Result<Vec<u8>, StoreError> {
        read_frame(&*self.file, &self.path, self.identity, offset, kind)
    }
}

/// The payload of a whole frame, verified.
pub(crate) fn read_frame(
    file: &dyn DiskFile,
    path: &Path,
    identity: u128,
    offset: u64,
    kind: Kind,
) -> Result<Vec<u8>, StoreError> {
    let damaged = |part: &str| StoreError::Damaged {
        what: format!("{}: {part} of the frame at {offset}", path.display()),
    };
    let header = read_header(file, offset)
        .map_err(|error| read_failed(path, error))?
        .filter(|h| h.identity == identity && h.offset == offset && h.kind == kind)
        .ok_or_else(|| damaged("header"))?;
    let checksums = read_trailer(file, &header)
        .map_err(|error| read_failed(path, error))?
        .ok_or_else(|| damaged("trailer"))?;
    let checksums = checksums.checksums().ok_or_else(|| damaged("trailer"))?;
    let mut payload = vec![0; header.payload_len as usize];
    let n = file
        .read_at(&mut payload, header.payload_at())
        .map_err(|error| read_failed(path, error))?;
    if n < payload.len() || !payload.chunks(CHECKSUM_BYTES).map(crc64).eq(checksums) {
        return Err(damaged("payload"));
    }
    Ok(payload)
}

/// The header at a place, whole or none.
pub(crate) fn read_header(file: &dyn DiskFile, offset: u64) -> std::io::Result<Option<Header>> {
    let mut page = [0; PAGE as usize];
    let n = file.read_at(&mut page, offset)?;
    Ok(Header::decode(&page[..n]))
}

/// The trailer of a frame, whole or none.
pub(crate) fn read_trailer(file: &dyn DiskFile, header: &Header) -> std::io::Result<Option<Trailer>> {
    let mut bytes = vec![0; header.trailer_bytes() as usize];
    let n = file.read_at(&mut bytes, header.trailer_at())?;
    Ok(Trailer::decode(&bytes[..n], header))
}
