//! A small account in memory for the tests of how evidence is gathered: it answers at once, counts what it is asked, and
//! fails where it is told to. It knows lease ids only as the spelling that matches.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::ops::Range;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus, LeaseView, LeaseWitness};
use azblob::response::BlobType;
use azblob::time::UnixMillis;
use bytes::Bytes;

use crate::account::{Account, Blocks, ETag, Head, Listed, Marker, Page, Probe, Properties};
use crate::fault::{Cause, Fault, Operation};
use crate::limits::READ_MAX;
use crate::place::Place;

/// Runs a future to its end.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// One blob.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) properties: Properties,
    /// Bytes from offset 0; what lies behind them in a page blob is zeros.
    pub(crate) content: Vec<u8>,
    /// Written ranges of a page blob.
    pub(crate) ranges: Vec<Range<u64>>,
    pub(crate) blocks: Blocks,
    /// The spelling under which a probe finds its lease.
    pub(crate) lease_id: &'static str,
    /// The probes it is leased for; later ones find it free.
    pub(crate) leased_for: u64,
    pub(crate) witness: Option<LeaseWitness>,
}

impl Blob {
    fn new(kind: BlobType, size: u64, content: Vec<u8>) -> Self {
        Self {
            properties: Properties {
                kind,
                size,
                etag: Some(ETag("\"1\"".to_owned())),
                last_modified: Some(UnixMillis(1)),
                created: Some(UnixMillis(0)),
                lease: locked(),
            },
            content,
            ranges: Vec::new(),
            blocks: Blocks::default(),
            lease_id: "7b3f3f3c-3f5e-4b35-9d0c-111111111111",
            leased_for: u64::MAX,
            witness: None,
        }
    }

    /// A locked block blob with this committed content.
    pub(crate) fn block(content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        Self::new(BlobType::Block, content.len() as u64, content)
    }

    /// A locked page blob of which these ranges were written.
    pub(crate) fn page(size: u64, content: impl Into<Vec<u8>>, ranges: &[Range<u64>]) -> Self {
        let mut blob = Self::new(BlobType::Page, size, content.into());
        blob.ranges = ranges.to_vec();
        blob
    }

    /// Nobody holds it.
    pub(crate) fn unlocked(mut self) -> Self {
        self.properties.lease = LeaseView {
            status: LeaseStatus::Unlocked,
            state: LeaseState::Available,
            duration: None,
        };
        self
    }

    /// Only blocks that are not committed.
    pub(crate) fn uncommitted(blocks: Blocks) -> Self {
        let mut blob = Self::block(Vec::new());
        blob.blocks = blocks;
        blob.properties.etag = None;
        blob.properties.last_modified = None;
        blob.properties.created = None;
        blob
    }
}

/// An infinite lease.
pub(crate) fn locked() -> LeaseView {
    LeaseView {
        status: LeaseStatus::Locked,
        state: LeaseState::Leased,
        duration: Some(LeaseDurationKind::Infinite),
    }
}

/// What a test wants to go wrong: asked with the operation, the target, and how many requests of this operation there
/// were before.
type Wrong = Box<dyn Fn(Operation, &str, u64) -> Option<Fault> + Send + Sync>;

/// The account.
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) blobs: BTreeMap<Place, Blob>,
    /// Containers without blobs.
    pub(crate) empty: Vec<String>,
    /// Things on a page of a listing; 0 for all on one.
    pub(crate) page: usize,
    pub(crate) wrong: Option<Wrong>,
    /// Page listings that never end: what `next` says after each page.
    pub(crate) endless: Option<fn(u64) -> String>,
    /// Reads are not answered at the first poll.
    pub(crate) slow: bool,
    /// Acts are done, and answered so.
    pub(crate) acts: Option<Cause>,
    asked: Mutex<BTreeMap<Operation, u64>>,
    read: Mutex<u64>,
}

impl Scripted {
    /// Of these blobs, `container/blob`.
    pub(crate) fn of(blobs: impl IntoIterator<Item = (&'static str, Blob)>) -> Self {
        let blobs = blobs.into_iter();
        Self {
            blobs: blobs
                .map(|(name, blob)| (Place::parse(name).unwrap(), blob))
                .collect(),
            ..Self::default()
        }
    }

    /// With requests going wrong.
    pub(crate) fn failing(
        mut self,
        wrong: impl Fn(Operation, &str, u64) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        self.wrong = Some(Box::new(wrong));
        self
    }

    /// How many requests of this kind came.
    pub(crate) fn asked(&self, operation: Operation) -> u64 {
        *self.asked.lock().unwrap().get(&operation).unwrap_or(&0)
    }

    /// How many requests came in all.
    pub(crate) fn asked_in_all(&self) -> u64 {
        self.asked.lock().unwrap().values().sum()
    }

    /// How many bytes were read.
    pub(crate) fn bytes_read(&self) -> u64 {
        *self.read.lock().unwrap()
    }

    fn ask(&self, operation: Operation, target: &str) -> Result<u64, Fault> {
        let mut asked = self.asked.lock().unwrap();
        let count = asked.entry(operation).or_default();
        let before = *count;
        *count += 1;
        drop(asked);
        let fault = self
            .wrong
            .as_ref()
            .and_then(|wrong| wrong(operation, target, before));
        fault.map_or(Ok(before), Err)
    }

    fn done_and_lost(&self, operation: Operation, place: &Place) -> Result<(), Fault> {
        self.ask(operation, &place.to_string())?;
        let cause = self.acts.clone().expect("looking changes nothing");
        Err(fault(operation, &place.to_string(), cause, 500, "Lost"))
    }

    fn find(&self, operation: Operation, place: &Place) -> Result<&Blob, Fault> {
        self.ask(operation, &place.to_string())?;
        let gone = || {
            let held = self.blobs.keys().any(|other| other.container == place.container);
            let code = if held || self.empty.contains(&place.container) {
                "BlobNotFound"
            } else {
                "ContainerNotFound"
            };
            fault(operation, &place.to_string(), Cause::NotFound, 404, code)
        };
        self.blobs.get(place).ok_or_else(gone)
    }

    /// What stands behind `from`, and where the next page begins.
    fn page_of<T>(&self, all: Vec<T>, from: Option<&Marker>, request: u64) -> Page<T> {
        let start: usize = from.map_or(0, |marker| marker.0.parse().unwrap_or(usize::MAX));
        let size = if self.page == 0 { usize::MAX } else { self.page };
        let end = start.saturating_add(size);
        let more = end < all.len();
        let items = all.into_iter().skip(start).take(size).collect();
        let next = match self.endless {
            Some(marker) => Some(Marker(marker(request))),
            None => more.then(|| Marker(end.to_string())),
        };
        Page { items, next }
    }
}

/// A fault as an account gives it.
pub(crate) fn fault(operation: Operation, target: &str, cause: Cause, status: u16, code: &str) -> Fault {
    Fault {
        operation,
        target: target.to_owned(),
        cause,
        status: Some(status),
        code: Some(code.to_owned()),
    }
}

impl Account for Scripted {
    fn address(&self) -> &'static str {
        "memory"
    }

    async fn containers(&self, from: Option<&Marker>) -> Result<Page<String>, Fault> {
        let request = self.ask(Operation::ListContainers, "")?;
        let mut names: Vec<String> = self.blobs.keys().map(|place| place.container.clone()).collect();
        names.extend(self.empty.iter().cloned());
        names.sort();
        names.dedup();
        Ok(self.page_of(names, from, request))
    }

    async fn blobs(
        &self,
        container: &str,
        prefix: &str,
        from: Option<&Marker>,
    ) -> Result<Page<Listed>, Fault> {
        let request = self.ask(Operation::ListBlobs, container)?;
        let here = self
            .blobs
            .iter()
            .filter(|(place, _)| place.container == container);
        let mut here = here.peekable();
        if here.peek().is_none() && !self.empty.iter().any(|empty| empty == container) {
            let code = "ContainerNotFound";
            return Err(fault(Operation::ListBlobs, container, Cause::NotFound, 404, code));
        }
        let listed = here.filter(|(place, _)| place.blob.starts_with(prefix));
        let listed = listed.map(|(place, blob)| Listed {
            blob: place.blob.clone(),
            properties: blob.properties.clone(),
        });
        Ok(self.page_of(listed.collect(), from, request))
    }

    async fn head(&self, place: &Place) -> Result<Head, Fault> {
        let blob = self.find(Operation::Look, place)?;
        if blob.properties.etag.is_none() || self.asked(Operation::Delete) > 0 {
            let code = "BlobNotFound";
            return Err(fault(
                Operation::Look,
                &place.to_string(),
                Cause::NotFound,
                404,
                code,
            ));
        }
        let mut properties = blob.properties.clone();
        if self.asked(Operation::BreakLease) > 0 {
            properties.lease = LeaseView {
                status: LeaseStatus::Unlocked,
                state: LeaseState::Broken,
                duration: None,
            };
        }
        Ok(Head {
            properties,
            witness: blob.witness,
        })
    }

    async fn probe(&self, place: &Place, id: &str) -> Result<Probe, Fault> {
        let blob = self.find(Operation::Look, place)?;
        if self.asked(Operation::Look) > blob.leased_for {
            return Ok(Probe::NotLeased);
        }
        Ok(match blob.properties.lease.status {
            LeaseStatus::Unlocked => Probe::NotLeased,
            LeaseStatus::Locked if blob.lease_id == id => Probe::Match,
            LeaseStatus::Locked => Probe::Mismatch,
        })
    }

    async fn read(&self, place: &Place, range: Range<u64>, of: &ETag) -> Result<Bytes, Fault> {
        let blob = self.find(Operation::Read, place)?;
        assert!(range.start < range.end && range.end - range.start <= READ_MAX);
        if self.slow {
            let mut polled = false;
            poll_fn(|_| {
                let ready = polled;
                polled = true;
                if ready { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        if blob.properties.etag.as_ref() != Some(of) {
            let code = "ConditionNotMet";
            return Err(fault(
                Operation::Read,
                &place.to_string(),
                Cause::Changed,
                412,
                code,
            ));
        }
        let end = range.end.min(blob.properties.size);
        *self.read.lock().unwrap() += end - range.start;
        let mut bytes = vec![0; (end - range.start) as usize];
        let held = blob.content.get(range.start as usize..).unwrap_or_default();
        let held = &held[..held.len().min(bytes.len())];
        bytes[..held.len()].copy_from_slice(held);
        Ok(bytes.into())
    }

    async fn page_ranges(&self, place: &Place, end: u64) -> Result<Vec<Range<u64>>, Fault> {
        let blob = self.find(Operation::PageRanges, place)?;
        let below = blob.ranges.iter().filter(|range| range.start < end);
        Ok(below.map(|range| range.start..range.end.min(end)).collect())
    }

    async fn blocks(&self, place: &Place) -> Result<Blocks, Fault> {
        let blob = self.find(Operation::BlockList, place)?;
        Ok(blob.blocks.clone())
    }

    async fn break_lease(&self, place: &Place, _of: &ETag) -> Result<(), Fault> {
        self.done_and_lost(Operation::BreakLease, place)
    }

    async fn delete(&self, place: &Place, _of: &ETag) -> Result<(), Fault> {
        self.done_and_lost(Operation::Delete, place)
    }
}
