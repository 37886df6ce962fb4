//! The part of the workload that is about page and append blobs: its deeds, and what they make of a model.

use azblob::page::{PageRange, SequenceChange};
use blobstore::{
    AppendPermit, AppendWriter, BlobKind, BlobPath, BlobView, PagePermit, PageWriter, Permit, PutPageBlob,
    Store, StoreError,
};

use crate::model::{BlobState, Committed};
use crate::support::bytes;
use crate::workload::{Target, Workload, marked, written};

/// Most pages of a blob of the workload.
const PAGES: u64 = 400;

/// A page or append blob as it should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logged {
    pub(crate) data: Vec<u8>,
    /// Of a page blob, which pages hold bytes; none for an append blob.
    valid: Option<Vec<bool>>,
    sequence: u64,
    blocks: u32,
    append_sealed: bool,
}

/// What is done to a page or append blob.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    CreatePages {
        pages: u64,
        sequence: u64,
        mark: u64,
    },
    CreateAppend {
        mark: u64,
    },
    /// At this page.
    Pages(u64, Vec<u8>),
    /// From this page on, so many.
    Clear(u64, u64),
    Resize(u64),
    Sequence(SequenceChange),
    Append(Vec<u8>),
    SealAppend,
    /// The first half of one of the changes that carry bytes; the number tells it from others.
    Begin(u64, Box<Change>),
    End(u64, Box<Change>),
    GiveUp(Box<Change>),
}

/// A change whose bytes are still arriving.
pub(crate) struct ArrivingChange {
    pub(crate) target: Target,
    order: u64,
    change: Change,
    writer: Writer,
}

enum Writer {
    Pages(PageWriter),
    Append(AppendWriter),
}

impl Writer {
    fn begin(
        store: &Store,
        path: &BlobPath,
        change: &Change,
        permit: Permit<'_>,
    ) -> Result<Self, StoreError> {
        Ok(match change {
            Change::Pages(at, data) => {
                Self::Pages(store.begin_pages(path, range(*at, data.len() as u64 / 512), &page(permit))?)
            }
            Change::Append(data) => {
                Self::Append(store.begin_append(path, data.len() as u64, &append(permit))?)
            }
            other => panic!("{other:?} carries no bytes"),
        })
    }

    fn write(&mut self, data: &[u8]) -> Result<(), StoreError> {
        data.chunks(40_000).try_for_each(|part| match self {
            Self::Pages(writer) => writer.write(part),
            Self::Append(writer) => writer.write(part),
        })
    }

    fn commit(self, permit: Permit<'_>) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Pages(writer) => writer.commit(&page(permit))?.etag.0,
            Self::Append(writer) => writer.commit(&append(permit))?.etag.0,
        })
    }
}

fn page(permit: Permit<'_>) -> PagePermit<'_> {
    PagePermit {
        permit,
        ..PagePermit::NONE
    }
}

fn append(permit: Permit<'_>) -> AppendPermit<'_> {
    AppendPermit {
        permit,
        ..AppendPermit::NONE
    }
}

fn range(at: u64, pages: u64) -> PageRange {
    PageRange::new(at * 512, (at + pages) * 512 - 1).unwrap()
}

fn data_of(change: &Change) -> &[u8] {
    match change {
        Change::Pages(_, data) | Change::Append(data) => data,
        other => panic!("{other:?} carries no bytes"),
    }
}

impl Change {
    pub(crate) fn creates(&self) -> bool {
        matches!(self, Self::CreatePages { .. } | Self::CreateAppend { .. })
    }

    /// Whether it makes the content another, or would.
    pub(crate) fn writes(&self) -> bool {
        !self.creates() && !matches!(self, Self::End(..))
    }

    /// Whether somebody is told a new tag.
    pub(crate) fn tells_tag(&self) -> bool {
        !matches!(self, Self::Begin(..) | Self::GiveUp(_) | Self::SealAppend)
    }
}

impl Workload {
    /// Draws a change that is legal for this blob.
    pub(crate) fn draw_change(&mut self, target: Target, blob: Option<&BlobState>) -> Option<Change> {
        if self.random.one_in(5) {
            let (pages, sequence, mark) = (self.random.below(PAGES), self.random.below(9), self.number());
            return Some(if self.random.one_in(3) {
                Change::CreateAppend { mark }
            } else {
                Change::CreatePages {
                    pages,
                    sequence,
                    mark,
                }
            });
        }
        let logged = blob?.committed.as_ref()?.logged.as_ref()?;
        let Some(valid) = &logged.valid else {
            return self.draw_append(target, logged);
        };
        let pages = valid.len() as u64;
        let at = self.random.below(pages.max(1));
        let len = 1 + self.random.below((pages - at.min(pages)).clamp(1, 200));
        match self.random.below(16) {
            0 => Some(Change::Resize(self.random.below(PAGES))),
            1 => Some(Change::Sequence(SequenceChange::Increment)),
            2 => Some(Change::Sequence(SequenceChange::Max(self.random.below(20)))),
            3..=4 => self.draw_end(target),
            _ if pages == 0 => None,
            5..=7 => Some(Change::Clear(at, len)),
            which => {
                let data = bytes(self.random.draw(), len as usize * 512);
                Some(self.draw_sending(Change::Pages(at, data), which))
            }
        }
    }

    fn draw_append(&mut self, target: Target, logged: &Logged) -> Option<Change> {
        match self.random.below(16) {
            0 if self.random.one_in(3) => Some(Change::SealAppend),
            1..=3 => self.draw_end(target),
            _ if logged.append_sealed => None,
            which => {
                let len = 1 + self.random.below(if which == 4 { 150_000 } else { 5_000 });
                let data = bytes(self.random.draw(), len as usize);
                Some(self.draw_sending(Change::Append(data), which))
            }
        }
    }

    /// At once, in two halves, or given up.
    fn draw_sending(&mut self, change: Change, which: u64) -> Change {
        match which {
            13..=14 if self.arriving_changes.len() < 3 => Change::Begin(self.number(), Box::new(change)),
            15 => Change::GiveUp(Box::new(change)),
            _ => change,
        }
    }

    fn draw_end(&mut self, target: Target) -> Option<Change> {
        let found = self.arriving_changes.iter().find(|a| a.target == target)?;
        Some(Change::End(found.order, Box::new(found.change.clone())))
    }

    /// Changes that are arriving when their blob changes in a way that they do not survive.
    pub(crate) fn give_up_changes(&mut self, target: Target, change: &Change) {
        self.arriving_changes.retain(|arriving| {
            let survives = match change {
                Change::CreatePages { .. } | Change::CreateAppend { .. } | Change::SealAppend => false,
                Change::Resize(pages) => match &arriving.change {
                    Change::Pages(at, data) => at + data.len() as u64 / 512 <= *pages,
                    _ => true,
                },
                _ => true,
            };
            survives || arriving.target != target
        });
    }

    /// Carries a change out and returns the new tag.
    pub(crate) fn carry_out_change(
        &mut self,
        store: &Store,
        target: Target,
        change: &Change,
    ) -> Result<u64, StoreError> {
        let path = target.path();
        let permit = Permit::lease(self.held(target));
        Ok(match change {
            Change::CreatePages {
                pages,
                sequence,
                mark,
            } => {
                let blob = PutPageBlob {
                    size: pages * 512,
                    sequence_number: *sequence,
                    properties: marked(*mark),
                };
                store.create_page_blob(&path, blob, &permit)?.etag.0
            }
            Change::CreateAppend { mark } => store.create_append_blob(&path, marked(*mark), &permit)?.etag.0,
            Change::Pages(..) | Change::Append(_) => {
                let mut writer = Writer::begin(store, &path, change, permit)?;
                writer.write(data_of(change))?;
                writer.commit(permit)?
            }
            Change::Clear(at, pages) => {
                store
                    .clear_pages(&path, range(*at, *pages), &page(permit))?
                    .etag
                    .0
            }
            Change::Resize(pages) => store.resize_page_blob(&path, pages * 512, &permit)?.etag.0,
            Change::Sequence(change) => store.set_sequence_number(&path, *change, &permit)?.etag.0,
            Change::SealAppend => store.seal_append(&path, None, &permit)?.etag.0,
            Change::Begin(order, change) => {
                let mut writer = Writer::begin(store, &path, change, permit)?;
                let data = data_of(change);
                writer.write(&data[..data.len() / 2])?;
                self.arriving_changes.push(ArrivingChange {
                    target,
                    order: *order,
                    change: (**change).clone(),
                    writer,
                });
                0
            }
            Change::End(order, _) => {
                let which = self.arriving_changes.iter().position(|a| a.order == *order);
                let which = which.expect("it was drawn from there");
                let mut arriving = self.arriving_changes.remove(which);
                let data = data_of(&arriving.change);
                arriving.writer.write(&data[data.len() / 2..])?;
                arriving.writer.commit(permit)?
            }
            Change::GiveUp(change) => {
                let mut writer = Writer::begin(store, &path, change, permit)?;
                let data = data_of(change);
                writer.write(&data[..data.len() / 3])?;
                0
            }
        })
    }
}

/// The model once the change is done.
pub(crate) fn change_model(blob: &mut BlobState, change: &Change, etag: u64) {
    written(blob);
    let mark = match change {
        Change::CreatePages { mark, .. } | Change::CreateAppend { mark } => *mark,
        Change::Begin(..) | Change::GiveUp(_) => return,
        Change::End(_, begun) => return change_model(blob, begun, etag),
        _ => {
            let committed = blob.committed.as_mut().unwrap();
            let logged = committed.logged.as_mut().unwrap();
            if logged.apply(change) {
                blob.verdict = None;
            }
            committed.etag = etag;
            return;
        }
    };
    let logged = match change {
        Change::CreatePages { pages, sequence, .. } => Logged {
            data: vec![0; *pages as usize * 512],
            valid: Some(vec![false; *pages as usize]),
            sequence: *sequence,
            blocks: 0,
            append_sealed: false,
        },
        _ => Logged {
            data: Vec::new(),
            valid: None,
            sequence: 0,
            blocks: 0,
            append_sealed: false,
        },
    };
    *blob = BlobState {
        committed: Some(Committed {
            logged: Some(logged),
            etag,
            ..Committed::default()
        }),
        lease: blob.lease,
        mark,
        snapshots: std::mem::take(&mut blob.snapshots),
        newest: blob.newest,
        ..BlobState::default()
    };
}

impl Logged {
    /// True when the content is another now.
    fn apply(&mut self, change: &Change) -> bool {
        match (change, &mut self.valid) {
            (Change::Pages(at, data), Some(valid)) => {
                self.data[*at as usize * 512..][..data.len()].copy_from_slice(data);
                valid[*at as usize..][..data.len() / 512].fill(true);
                true
            }
            (Change::Clear(at, pages), Some(valid)) => {
                self.data[*at as usize * 512..][..*pages as usize * 512].fill(0);
                valid[*at as usize..][..*pages as usize].fill(false);
                true
            }
            (Change::Resize(pages), Some(valid)) => {
                let changed = valid.len() as u64 != *pages;
                self.data.resize(*pages as usize * 512, 0);
                valid.resize(*pages as usize, false);
                changed
            }
            (Change::Sequence(change), _) => {
                self.sequence = change.apply(self.sequence).unwrap();
                false
            }
            (Change::Append(data), _) => {
                self.data.extend_from_slice(data);
                self.blocks += 1;
                true
            }
            (Change::SealAppend, _) => {
                self.append_sealed = true;
                false
            }
            (other, _) => panic!("{other:?} is nothing for this blob"),
        }
    }

    /// How a blob differs from this, but for its bytes.
    /// A page blob, as against an append blob.
    pub(crate) fn has_pages(&self) -> bool {
        self.valid.is_some()
    }

    /// A blob of the kind with nothing in it.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            data: Vec::new(),
            valid: self.valid.as_ref().map(|_| Vec::new()),
            sequence: 0,
            blocks: 0,
            append_sealed: false,
        }
    }

    pub(crate) fn difference(&self, store: &Store, path: &BlobPath, view: &BlobView) -> Option<String> {
        let kind = if self.valid.is_some() {
            BlobKind::Page
        } else {
            BlobKind::Append
        };
        let seen = (
            view.kind,
            view.size,
            view.sequence_number,
            view.block_count,
            view.append_sealed,
        );
        let size = self.data.len() as u64;
        let wanted = (kind, size, self.sequence, self.blocks, self.append_sealed);
        if seen != wanted {
            return Some(format!("{seen:?}, expected {wanted:?}"));
        }
        // Of snapshots no ranges are asked for here.
        let valid = self.valid.as_ref().filter(|_| view.snapshot.is_none())?;
        let mut held = vec![false; valid.len()];
        match store.page_ranges(path, 0..size, usize::MAX, &Permit::NONE) {
            Err(error) => return Some(format!("ranges: {error}")),
            Ok(found) => {
                for range in found.ranges {
                    held[range.start as usize / 512..range.end as usize / 512].fill(true);
                }
            }
        }
        (held != *valid).then(|| "the pages that hold bytes differ".to_owned())
    }
}
