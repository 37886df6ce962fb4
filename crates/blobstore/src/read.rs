//! Reading content. Every byte is checked against its checksum before it is given out.
//!
//! How the bytes of one frame are read and checked is in [`crate::span`]. Keep reads large and aligned to
//! [`crate::limits::CHECKSUM_BYTES`] and nothing is copied.
//!
//! A mismatch is an error for this read, a line in the log, and from then on the blob's verdict is `damaged`,
//! durably.

use std::ops::Range;
use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::lease::LeaseStatus;
use bak::Verdict;

use crate::blob::{Blob, BlobView};
use crate::blob_file::BlobFile;
use crate::block_list::CommittedList;
use crate::container::Container;
use crate::content_log::Log;
use crate::copy::Part;
use crate::error::StoreError;
use crate::extents::Piece;
use crate::limits::RUN_BYTES;
use crate::permit::Permit;
use crate::put_block::BlockRef;
use crate::root::{CommitId, ProofRecord};
use crate::snapshot::Which;
use crate::store::{BlobPath, Core, Store};

/// The content of a blob as it was when it was opened: later changes do not show, and its bytes stay readable
/// until the reader is dropped.
///
/// Of a page or append blob each call reads one moment, and a later call may see later changes, as at Azure: whoever
/// must know compares ETags. Size and view stay those of the opening; what was cut off since reads as zeros. After the
/// blob was overwritten or deleted the reader stays with the old one.
pub struct BlobReader {
    core: Arc<Core>,
    _container: Arc<Container>,
    blob: Arc<Blob>,
    file: Arc<BlobFile>,
    content: Content,
    view: BlobView,
}

/// What says where the content lies.
#[derive(Clone)]
enum Content {
    /// A block list, which stays as it is.
    Blocks(Arc<CommittedList>),
    /// The log of a page or append blob, which goes on.
    Log(Arc<Log>),
}

impl Store {
    /// Opens the committed content.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], container, lease, condition. [`StoreError::Damaged`] when
    /// its block list is unreadable.
    pub fn open_blob<'a>(
        &self,
        blob: impl Into<Which<'a>>,
        permit: &Permit<'_>,
    ) -> Result<BlobReader, StoreError> {
        let core = &self.core;
        let (container, blob) = core.which(blob.into())?;
        let opened = core.open_content(&blob, permit);
        if let Err(StoreError::Damaged { what }) = &opened {
            core.rotten(&blob, None, what);
        }
        let (file, content, view) = opened?;
        Ok(BlobReader {
            core: Arc::clone(core),
            _container: container,
            blob,
            file,
            content,
            view,
        })
    }

    /// Opens the committed content like [`Self::open_blob`] where that takes neither the disk nor waiting for those
    /// who use it, so that a thread which must not wait may ask. None where it would, or where something is wrong,
    /// which [`Self::open_blob`] then finds out and reports.
    pub fn open_blob_at_once<'a>(
        &self,
        blob: impl Into<Which<'a>>,
        permit: &Permit<'_>,
    ) -> Option<BlobReader> {
        let core = &self.core;
        let (container, blob) = core.which(blob.into()).ok()?;
        let now = core.now();
        let (file, content, view) = {
            let mut state = blob.try_state()?;
            let root = state.root.clone().filter(|root| root.committed)?;
            permit.check_read(&root, now).ok()?;
            let file = state.file.clone()?;
            let content = match root.log {
                None => Content::Blocks(state.list.clone()?),
                Some(_) => Content::Log(state.log.clone()?),
            };
            // Without them the view would read them.
            state.properties.as_ref()?;
            let view = state.view(&blob, &core.opening(), now).ok()??;
            (file, content, view)
        };
        Some(BlobReader {
            core: Arc::clone(core),
            _container: container,
            blob,
            file,
            content,
            view,
        })
    }

    /// Whether a lease locks the blob, committed or not; not where there is none. Neither takes the disk nor waits for those
    /// who use the blob: None where it would, or where something is wrong.
    pub fn is_locked_at_once(&self, path: &BlobPath) -> Option<bool> {
        let absent = |error| match error {
            StoreError::Protocol(ErrorCode::BlobNotFound | ErrorCode::ContainerNotFound) => Some(false),
            _ => None,
        };
        let blob = match self.core.blob(path) {
            Ok((_, blob)) => blob,
            Err(error) => return absent(error),
        };
        let state = blob.try_state()?;
        let lease = state.root.as_ref().map(|root| root.lease.view(self.core.now()));
        Some(lease.is_some_and(|lease| lease.status == LeaseStatus::Locked))
    }

    /// A committed blob's state.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], container, lease, condition.
    pub fn blob_properties<'a>(
        &self,
        blob: impl Into<Which<'a>>,
        permit: &Permit<'_>,
    ) -> Result<BlobView, StoreError> {
        let (_, blob) = self.core.which(blob.into())?;
        let root = blob.state().root.clone().filter(|root| root.committed);
        permit.check_read(&*root.ok_or(ErrorCode::BlobNotFound)?, self.core.now())?;
        self.core.view(&blob)
    }

    /// Fills `buf` from byte `offset` of a block, committed or not.
    ///
    /// # Errors
    /// [`StoreError::BlockIsGone`] when the block was dropped or replaced; [`StoreError::Damaged`];
    /// [`StoreError::Misuse`] past its end.
    pub fn read_block(
        &self,
        path: &BlobPath,
        block: &BlockRef,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), StoreError> {
        let core = &self.core;
        let (_, blob) = core.blob(path)?;
        let (file, log, commit) = {
            let mut state = blob.state();
            let root = state.root.clone().ok_or(ErrorCode::BlobNotFound)?;
            let file = core.file(&blob, &mut state)?;
            let log = match root.log {
                Some(_) => Some(core.log(&blob, &mut state)?),
                None => None,
            };
            (file, log, root.commit)
        };
        if file.identity() != block.identity {
            return Err(StoreError::BlockIsGone);
        }
        if let Some(log) = log {
            return core.read_logged(&blob, &file, &log, block, offset, buf);
        }
        let read = file.read_span(block.span, offset, buf);
        if let Err(StoreError::Damaged { what }) = &read {
            if !core.holds_block(&blob, block)? {
                return Err(StoreError::BlockIsGone);
            }
            core.rotten(&blob, Some(commit), what);
        }
        read
    }
}

impl BlobReader {
    /// The state that the content belongs to.
    pub fn view(&self) -> &BlobView {
        &self.view
    }

    /// What a copy of the content consists of, in order.
    pub(crate) fn parts(&self) -> Vec<Part> {
        match &self.content {
            Content::Blocks(list) => list.parts(),
            Content::Log(log) => log.parts(self.view.size),
        }
    }

    /// Bytes of content.
    pub fn size(&self) -> u64 {
        self.view.size
    }

    /// Fills `buf` from byte `offset` on, verified.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], with nothing to be taken from `buf`; [`StoreError::Misuse`] past the end;
    /// [`StoreError::Io`].
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        let end = offset
            .checked_add(buf.len() as u64)
            .filter(|end| *end <= self.size());
        end.ok_or(StoreError::Misuse("past the end of the blob"))?;
        let read = match &self.content {
            Content::Blocks(list) => self.read_pieces(list.pieces(offset, buf.len() as u64), buf),
            Content::Log(log) => {
                let _reading = self.file.begin_reading();
                log.pieces(offset, buf.len() as u64)
                    .and_then(|pieces| self.read_pieces(pieces.into_iter(), buf))
            }
        };
        if let Err(StoreError::Damaged { what }) = &read {
            self.core.rotten(&self.blob, Some(self.view.commit), what);
        }
        read
    }

    fn read_pieces(&self, pieces: impl Iterator<Item = Piece>, mut buf: &mut [u8]) -> Result<(), StoreError> {
        for piece in pieces {
            let (part, rest) = buf.split_at_mut(piece.len() as usize);
            match piece {
                Piece::Hole { .. } => part.fill(0),
                Piece::Data { span, within, .. } => self.file.read_span(span, within, part)?,
            }
            buf = rest;
        }
        Ok(())
    }

    /// Fills `buf` like [`Self::read_at`] where that takes no waiting for the disk, so that a thread which must
    /// not wait may ask. False, with nothing to be taken from `buf`, where it would: the bytes are not in memory,
    /// or something is wrong, which [`Self::read_at`] then finds out and reports.
    pub fn read_cached(&self, offset: u64, buf: &mut [u8]) -> bool {
        let len = buf.len() as u64;
        if offset.checked_add(len).is_none_or(|end| end > self.size()) {
            return false;
        }
        match &self.content {
            Content::Blocks(list) => self.cached_pieces(list.pieces(offset, len), buf),
            Content::Log(log) => {
                let Some(_reading) = self.file.try_reading() else {
                    return false;
                };
                log.try_pieces(offset, len)
                    .is_some_and(|pieces| self.cached_pieces(pieces.into_iter(), buf))
            }
        }
    }

    fn cached_pieces(&self, pieces: impl Iterator<Item = Piece>, mut buf: &mut [u8]) -> bool {
        for piece in pieces {
            let (part, rest) = buf.split_at_mut(piece.len() as usize);
            let read = match piece {
                Piece::Hole { .. } => {
                    part.fill(0);
                    true
                }
                Piece::Data { span, within, .. } => self.file.read_span_cached(span, within, part),
            };
            if !read {
                return false;
            }
            buf = rest;
        }
        true
    }

    /// The next bytes from `from` on that are more than a hole: where they begin, and where they end, or at least
    /// [`crate::limits::RUN_BYTES`] later; more of them may follow. None when only zeros follow. Only page blobs have holes.
    pub fn next_data(&self, from: u64) -> Option<Range<u64>> {
        let window = from..self.size().max(from);
        match &self.content {
            Content::Blocks(_) => Some(window).filter(|window| !window.is_empty()),
            Content::Log(log) => log.run(window, RUN_BYTES),
        }
    }
}

impl Core {
    fn open_content(
        &self,
        blob: &Arc<Blob>,
        permit: &Permit<'_>,
    ) -> Result<(Arc<BlobFile>, Content, BlobView), StoreError> {
        let now = self.now();
        let mut state = blob.state();
        let root = state
            .root
            .clone()
            .filter(|root| root.committed)
            .ok_or(ErrorCode::BlobNotFound)?;
        permit.check_read(&root, now)?;
        let file = self.file(blob, &mut state)?;
        let content = match root.log {
            None => Content::Blocks(state.list(blob, &self.opening())?),
            Some(_) => {
                let log = state.log(blob, &self.opening())?;
                log.check_known()?;
                Content::Log(log)
            }
        };
        let view = state
            .view(blob, &self.opening(), now)?
            .ok_or(ErrorCode::BlobNotFound)?;
        Ok((file, content, view))
    }

    /// [`Store::read_block`] of a page or append blob, whose bytes may be replaced at any time.
    fn read_logged(
        &self,
        blob: &Arc<Blob>,
        file: &BlobFile,
        log: &Log,
        block: &BlockRef,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), StoreError> {
        let read = {
            let _reading = file.begin_reading();
            if !log.holds(block.start, block.span, offset, buf.len() as u64) {
                return Err(StoreError::BlockIsGone);
            }
            file.read_span(block.span, offset, buf)
        };
        if let Err(StoreError::Damaged { what }) = &read {
            self.rotten(blob, None, what);
        }
        read
    }

    fn holds_block(&self, blob: &Arc<Blob>, block: &BlockRef) -> Result<bool, StoreError> {
        let mut state = blob.state();
        let file = self.file(blob, &mut state)?;
        let opening = self.opening();
        let committed = state
            .list(blob, &opening)?
            .entries
            .iter()
            .any(|entry| entry.span == block.span);
        let staged = state
            .uncommitted(blob, &opening)?
            .blocks
            .values()
            .any(|staged| staged.span == block.span);
        Ok(file.identity() == block.identity && (committed || staged))
    }

    /// Logs damage at rest and makes it the blob's verdict, as far as that can still be written. `commit` is
    /// the state of the content that was read; a later one may be sound.
    pub(crate) fn rotten(&self, blob: &Arc<Blob>, commit: Option<CommitId>, what: &str) {
        tracing::error!(blob = blob.name.as_str(), %what, "bytes at rest are damaged");
        // A snapshot never changes, its verdict neither.
        if self.check_writable().is_err() || blob.snapshot.is_some() {
            return;
        }
        let marked = self.change_root(blob, |root, _| {
            let commit = commit.unwrap_or(root.commit);
            if commit != root.commit {
                return Ok(());
            }
            let known = root.proof.as_ref().filter(|proof| proof.commit == commit);
            if known.is_none_or(|proof| proof.rotten.is_none()) {
                root.proof = Some(ProofRecord {
                    commit,
                    verdict: Some(Verdict::Damaged),
                    is_final: true,
                    at: known.and_then(|proof| proof.at),
                    rotten: Some(what.chars().take(ROTTEN_CHARS_MAX).collect()),
                });
            }
            Ok(())
        });
        if let Err(error) = marked {
            tracing::error!(blob = blob.name.as_str(), %error, "the damage could not be noted");
        }
    }
}

/// How much of the description of damage is kept; a root is one page.
const ROTTEN_CHARS_MAX: usize = 300;
