//! An account whose blobs are all locked and never change, but for being deleted.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus, LeaseView};
use azblob::response::BlobType;
use bytes::Bytes;
use guard::account::{Blocks, ETag, Head, Listed, Marker, Page, Probe, Properties};
use guard::{Account, Fault, Place};

/// One blob: the file, how much of it is there, and where.
#[derive(Clone)]
pub(crate) struct Stored {
    file: Arc<Vec<u8>>,
    kind: BlobType,
    size: u64,
    ranges: Vec<Range<u64>>,
}

impl Stored {
    /// The first `size` bytes, committed as blocks.
    pub(crate) fn block(file: &Arc<Vec<u8>>, size: u64) -> Self {
        Self {
            file: Arc::clone(file),
            kind: BlobType::Block,
            size,
            ranges: Vec::new(),
        }
    }

    /// These ranges of the file, in a page blob of a terabyte.
    pub(crate) fn page(file: &Arc<Vec<u8>>, ranges: Vec<Range<u64>>) -> Self {
        Self {
            file: Arc::clone(file),
            kind: BlobType::Page,
            size: 1 << 40,
            ranges,
        }
    }

    fn properties(&self) -> Properties {
        Properties {
            kind: self.kind,
            size: self.size,
            etag: Some(ETag("\"0x1\"".to_owned())),
            last_modified: None,
            created: None,
            lease: LeaseView {
                status: LeaseStatus::Locked,
                state: LeaseState::Leased,
                duration: Some(LeaseDurationKind::Infinite),
            },
        }
    }
}

/// The account.
pub(crate) struct Shelf {
    blobs: BTreeMap<Place, Stored>,
    reads: Mutex<BTreeMap<Place, u32>>,
}

impl Shelf {
    pub(crate) fn new(blobs: impl IntoIterator<Item = (Place, Stored)>) -> Self {
        Self {
            blobs: blobs.into_iter().collect(),
            reads: Mutex::default(),
        }
    }

    /// How often the blob was read from.
    pub(crate) fn reads(&self, place: &Place) -> u32 {
        *self.reads.lock().unwrap().get(place).unwrap_or(&0)
    }
}

impl Account for Shelf {
    fn address(&self) -> &'static str {
        "shelf"
    }

    async fn containers(&self, _from: Option<&Marker>) -> Result<Page<String>, Fault> {
        Ok(Page {
            items: vec!["c".to_owned()],
            next: None,
        })
    }

    async fn blobs(&self, _: &str, prefix: &str, _: Option<&Marker>) -> Result<Page<Listed>, Fault> {
        let named = self
            .blobs
            .iter()
            .filter(|(place, _)| place.blob.starts_with(prefix));
        let listed = named.map(|(place, stored)| Listed {
            blob: place.blob.clone(),
            properties: stored.properties(),
        });
        Ok(Page {
            items: listed.collect(),
            next: None,
        })
    }

    async fn head(&self, place: &Place) -> Result<Head, Fault> {
        Ok(Head {
            properties: self.blobs[place].properties(),
            witness: None,
        })
    }

    async fn probe(&self, _place: &Place, _id: &str) -> Result<Probe, Fault> {
        Ok(Probe::Mismatch)
    }

    async fn read(&self, place: &Place, range: Range<u64>, _of: &ETag) -> Result<Bytes, Fault> {
        *self.reads.lock().unwrap().entry(place.clone()).or_default() += 1;
        let stored = &self.blobs[place];
        let end = range.end.min(stored.size);
        if stored.kind == BlobType::Page {
            let written = |at| stored.ranges.iter().any(|known| known.contains(&at));
            assert!(written(range.start), "{range:?} begins where nothing was written");
        }
        Ok(Bytes::copy_from_slice(
            &stored.file[range.start as usize..end as usize],
        ))
    }

    async fn page_ranges(&self, place: &Place, _end: u64) -> Result<Vec<Range<u64>>, Fault> {
        Ok(self.blobs[place].ranges.clone())
    }

    async fn blocks(&self, _place: &Place) -> Result<Blocks, Fault> {
        Ok(Blocks::default())
    }

    async fn break_lease(&self, _place: &Place, _of: &ETag) -> Result<(), Fault> {
        Ok(())
    }

    async fn delete(&self, _place: &Place, _of: &ETag) -> Result<(), Fault> {
        Ok(())
    }
}
