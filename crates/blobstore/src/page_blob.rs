//! Page blobs: made at a declared size of which nothing is allocated, written and cleared in pages of 512 bytes by any
//! number of writers at once, cut and lengthened.
//!
//! What was never written, and what was cleared, reads as zeros and takes no space. Of writes that overlap, the one
//! acknowledged later wins. How it lies on disk: [`crate::content_log`].

use std::ops::Range;

use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::page::{
    MAX_PAGE_BLOB_BYTES, MAX_PAGE_WRITE_BYTES, MAX_SEQUENCE_NUMBER, PAGE_BYTES, PageRange, SequenceChange,
    SequenceCondition,
};
use azblob::properties::HttpProperties;
use azblob::time::UnixMillis;

use crate::blob::BlobView;
use crate::block_list::CommittedList;
use crate::change::Mapping;
use crate::change_content::{Changed, ContentChange, Judge, Wanted};
use crate::content_log::Version;
use crate::error::StoreError;
use crate::frame::Kind;
use crate::permit::{Permit, check_kind};
use crate::properties::{BlobKind, Properties};
use crate::put_blob::Committed;
use crate::put_block::BlockRef;
use crate::root::{CommitId, Held, LogRecord, Root};
use crate::snapshot::Which;
use crate::store::{BlobPath, Store};

/// Where the bytes of one Put Page lie, to read them again by [`Store::read_block`] as long as none of them was written
/// over or cleared.
pub type PageRef = BlockRef;

/// A page blob to be made.
#[derive(Clone, Debug, Default)]
pub struct PutPageBlob {
    /// Bytes: a multiple of [`PAGE_BYTES`], at most [`MAX_PAGE_BLOB_BYTES`].
    pub size: u64,
    /// At most [`MAX_SEQUENCE_NUMBER`].
    pub sequence_number: u64,
    /// Headers and metadata.
    pub properties: Properties,
}

/// What a Put Page brings along to be let through.
#[derive(Clone, Copy)]
pub struct PagePermit<'a> {
    /// Lease id and conditional headers.
    pub permit: Permit<'a>,
    /// `x-ms-if-sequence-number-*`.
    pub sequence: SequenceCondition,
}

impl PagePermit<'_> {
    /// No lease id, no condition.
    pub const NONE: PagePermit<'static> = PagePermit {
        permit: Permit::NONE,
        sequence: SequenceCondition {
            le: None,
            lt: None,
            eq: None,
        },
    };
}

/// Pages that were written or cleared, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagesDone {
    /// The new ETag.
    pub etag: ETag,
    /// The new time of change.
    pub last_modified: UnixMillis,
    /// The state of the content from now on; the next write makes another.
    pub commit: CommitId,
    /// The blob's sequence number, which a write leaves alone.
    pub sequence_number: u64,
    /// Where the bytes lie; none for pages that were cleared.
    pub pages: Option<PageRef>,
}

/// What Set Blob Properties changes of a page blob, all of it in one step.
#[derive(Clone, Debug, Default)]
pub struct PageBlobChange {
    /// The new size. What is cut off is gone: lengthened again, the blob has zeros there.
    pub size: Option<u64>,
    /// The sequence number.
    pub sequence: Option<SequenceChange>,
    /// The headers that readers get.
    pub http: Option<HttpProperties>,
}

/// Answer of [`Store::page_ranges`].
#[derive(Clone, Debug)]
pub struct PageRanges {
    /// The blob at that moment.
    pub view: BlobView,
    /// Bytes that were written and not cleared since (zeros count), sorted, none touching another.
    pub ranges: Vec<Range<u64>>,
    /// There are more, from this offset on.
    pub next: Option<u64>,
}

/// Takes the bytes of one Put Page. Dropped without [`PageWriter::commit`], it leaves nothing behind.
pub struct PageWriter(ContentChange);

impl Store {
    /// Makes a page blob of zeros in the place of what was there. Nothing of its size is allocated.
    ///
    /// # Errors
    /// The protocol's: container, seal, lease, condition, [`ErrorCode::InvalidHeaderValue`] for a size or a sequence
    /// number that cannot be. [`StoreError::DiskFull`] and its like.
    pub fn create_page_blob(
        &self,
        path: &BlobPath,
        blob: PutPageBlob,
        permit: &Permit<'_>,
    ) -> Result<Committed, StoreError> {
        check_size(blob.size)?;
        if blob.sequence_number > MAX_SEQUENCE_NUMBER {
            return Err(ErrorCode::InvalidHeaderValue.into());
        }
        self.create_logged(path, blob.properties, permit, |root, log| {
            root.kind = BlobKind::Page;
            root.size = blob.size;
            log.sequence_number = blob.sequence_number;
        })
    }

    /// Begins a Put Page: as many bytes as the range has, at most [`MAX_PAGE_WRITE_BYTES`].
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], [`ErrorCode::InvalidBlobType`], container, seal, lease,
    /// conditions, [`ErrorCode::InvalidPageRange`] past the end, [`ErrorCode::RequestBodyTooLarge`];
    /// [`ErrorCode::BlobOperationNotSupported`] when the blob lies in more than
    /// [`crate::limits::PAGE_EXTENTS_MAX`] stretches already, or its file is too long. [`StoreError::Damaged`] when it
    /// is not known what the blob holds; [`StoreError::DiskFull`] and its like.
    pub fn begin_pages(
        &self,
        path: &BlobPath,
        range: PageRange,
        permit: &PagePermit<'_>,
    ) -> Result<PageWriter, StoreError> {
        if range.len() > MAX_PAGE_WRITE_BYTES {
            return Err(ErrorCode::RequestBodyTooLarge.into());
        }
        let wanted = Wanted {
            kind: Kind::Pages,
            place: (range.start(), range.len()),
            payload_len: range.len(),
        };
        with_judge(permit, range, |judge| {
            Ok(PageWriter(ContentChange::begin(&self.core, path, wanted, judge)?))
        })
    }

    /// Makes pages zeros again and gives their space back in time. Any number of them.
    ///
    /// # Errors
    /// As [`Store::begin_pages`].
    pub fn clear_pages(
        &self,
        path: &BlobPath,
        range: PageRange,
        permit: &PagePermit<'_>,
    ) -> Result<PagesDone, StoreError> {
        let wanted = Wanted {
            kind: Kind::Clear,
            place: (range.start(), range.len()),
            payload_len: 0,
        };
        with_judge(permit, range, |judge| {
            let changed = ContentChange::begin(&self.core, path, wanted, judge)?.commit(judge)?;
            Ok(PagesDone {
                pages: None,
                ..done(&changed)
            })
        })
    }

    /// Cuts or lengthens a page blob. Pages cut off are gone: lengthened again, there are zeros.
    ///
    /// # Errors
    /// As [`Store::change_page_blob`].
    pub fn resize_page_blob(
        &self,
        path: &BlobPath,
        size: u64,
        permit: &Permit<'_>,
    ) -> Result<BlobView, StoreError> {
        let change = PageBlobChange {
            size: Some(size),
            ..PageBlobChange::default()
        };
        self.change_page_blob(path, &change, permit)
    }

    /// Changes the sequence number of a page blob.
    ///
    /// # Errors
    /// As [`Store::change_page_blob`].
    pub fn set_sequence_number(
        &self,
        path: &BlobPath,
        change: SequenceChange,
        permit: &Permit<'_>,
    ) -> Result<BlobView, StoreError> {
        let change = PageBlobChange {
            sequence: Some(change),
            ..PageBlobChange::default()
        };
        self.change_page_blob(path, &change, permit)
    }

    /// Changes size, sequence number and headers of a page blob in one step: after a crash all of it is there, or
    /// none.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], [`ErrorCode::InvalidBlobType`], container, seal, lease,
    /// condition, [`ErrorCode::InvalidHeaderValue`] for a size that cannot be,
    /// [`ErrorCode::SequenceNumberIncrementTooLarge`]; those of changing anything.
    pub fn change_page_blob(
        &self,
        path: &BlobPath,
        change: &PageBlobChange,
        permit: &Permit<'_>,
    ) -> Result<BlobView, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        if let Some(size) = change.size {
            check_size(size)?;
        }
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        core.change_root_with_map(&blob, Mapping::Cheap, |root, now| {
            if !root.committed {
                return Err(ErrorCode::BlobNotFound.into());
            }
            check_kind(root, BlobKind::Page)?;
            root.lease = permit.check_change(root, now)?;
            if let Some(http) = &change.http {
                let mut properties = (*blob.state().properties(&blob, &core.opening())?).clone();
                properties.http = http.clone();
                properties.copy = None;
                root.properties = Held::Inline(properties);
            }
            if let (Some(sequence), Some(log)) = (change.sequence, &mut root.log) {
                log.sequence_number = sequence.apply(log.sequence_number)?;
            }
            root.etag = core.number();
            root.last_modified = now;
            if let Some(size) = change.size.filter(|size| *size != root.size) {
                root.size = size;
                root.commit = CommitId(root.etag);
                root.proof = None;
            }
            Ok(())
        })?;
        core.view(&blob)
    }

    /// The ranges within a window that hold bytes, at most `max` of them.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], [`ErrorCode::InvalidBlobType`], lease, condition.
    /// [`StoreError::Damaged`].
    pub fn page_ranges<'a>(
        &self,
        blob: impl Into<Which<'a>>,
        window: Range<u64>,
        max: usize,
        permit: &Permit<'_>,
    ) -> Result<PageRanges, StoreError> {
        let core = &self.core;
        let (_, blob) = core.which(blob.into())?;
        let now = core.now();
        let mut state = blob.state();
        let root = state.root.clone().filter(|root| root.committed);
        let root = root.ok_or(ErrorCode::BlobNotFound)?;
        permit.check_read(&root, now)?;
        check_kind(&root, BlobKind::Page)?;
        let log = core.log(&blob, &mut state)?;
        let view = state.view(&blob, &core.opening(), now)?;
        let end = window.end.min(root.size);
        let (ranges, next) = log.ranges(window.start.min(end)..end, max)?;
        Ok(PageRanges {
            view: view.ok_or(ErrorCode::BlobNotFound)?,
            ranges,
            next,
        })
    }

    /// Makes an empty page or append blob in the place of what was there.
    pub(crate) fn create_logged(
        &self,
        path: &BlobPath,
        properties: Properties,
        permit: &Permit<'_>,
        describe: impl FnOnce(&mut Root, &mut LogRecord),
    ) -> Result<Committed, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let container = core.container(&path.account, &path.container)?;
        let _gate = container.enter()?;
        let blob = container.blob_or_entry(&path.blob)?;
        let made = (|| {
            let _change = blob.begin_change();
            let now = core.now();
            let old = blob.state().root.clone();
            let lease = permit.check_create(old.as_deref(), now)?;
            let mut new = core.new_file(&container, &blob, now)?;
            let mut root = core.new_root(&blob, lease, now);
            root.follow(old.as_deref());
            let mut log = LogRecord {
                through: root.commit.0,
                from: new.file().end(),
                ..LogRecord::default()
            };
            describe(&mut root, &mut log);
            root.committed = true;
            root.properties = Held::Inline(properties);
            root.barrier = log.from;
            root.log = Some(log);
            core.give_name(&container, &blob, &mut new, root, CommittedList::default())
        })();
        if made.is_err() {
            container.forget_if_absent(&blob);
        }
        made
    }
}

impl PageWriter {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] past the end of the range; [`StoreError::DiskFull`] and its like.
    pub fn write(&mut self, data: &[u8]) -> Result<(), StoreError> {
        self.0.write(data)
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.0.remaining()
    }

    /// Makes the pages durable and part of the blob. The permit is judged again, against the blob there is now.
    ///
    /// # Errors
    /// As [`Store::begin_pages`]; [`StoreError::Misuse`] before the last byte; [`ErrorCode::ServerBusy`] when the blob
    /// was overwritten or deleted meanwhile, so that a client sends again.
    pub fn commit(self, permit: &PagePermit<'_>) -> Result<PagesDone, StoreError> {
        let (start, len) = self.0.place();
        let range = PageRange::new(start, start + len - 1)?;
        with_judge(permit, range, |judge| Ok(done(&self.0.commit(judge)?)))
    }
}

/// Runs with the judge of a change of these pages.
fn with_judge<T>(
    permit: &PagePermit<'_>,
    range: PageRange,
    run: impl FnOnce(&Judge<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let further = |root: &Root, version: &Version| {
        permit
            .sequence
            .check(root.log.as_ref().map_or(0, |log| log.sequence_number))?;
        if range.end() > version.size {
            return Err(ErrorCode::InvalidPageRange);
        }
        Ok(())
    };
    run(&Judge {
        kind: BlobKind::Page,
        permit: &permit.permit,
        further: &further,
    })
}

fn done(changed: &Changed) -> PagesDone {
    PagesDone {
        etag: changed.version.etag(),
        last_modified: changed.version.last_modified(),
        commit: CommitId(changed.version.change.number),
        sequence_number: changed.sequence_number,
        pages: Some(changed.block),
    }
}

fn check_size(size: u64) -> Result<(), ErrorCode> {
    if size.is_multiple_of(PAGE_BYTES) && size <= MAX_PAGE_BLOB_BYTES {
        Ok(())
    } else {
        Err(ErrorCode::InvalidHeaderValue)
    }
}
