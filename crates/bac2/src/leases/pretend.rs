//! An account and a clock in memory, for tests: blobs under leases, and things that happen while somebody waits.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus, LeaseView};
use azblob::response::BlobType;
use azblob::time::UnixMillis;
use bytes::Bytes;
use guard::account::{Blocks, ETag, Head, Listed, Marker, Page, Probe, Properties};
use guard::clock::Clock;
use guard::fault::{Cause, Operation};
use guard::{Account, Fault, Place};

pub(super) const ADDRESS: &str = "https://shop.blob.core.windows.net";

/// 2026-11-21T14:00:00Z, by `date -u -d`.
const START: i64 = 1_795_269_600_000;

/// One blob.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub(super) bytes: Bytes,
    pub(super) version: u64,
    pub(super) leased: bool,
    pub(super) restore: bool,
}

/// What is done when a break is asked for.
type OnBreak = Box<dyn FnMut() + Send>;

#[derive(Default)]
pub(super) struct Pretended {
    pub(super) blobs: Mutex<BTreeMap<Place, Blob>>,
    /// The account does not answer.
    pub(super) down: Mutex<bool>,
    /// Deletions are refused for snapshots.
    pub(super) protected: Mutex<bool>,
    /// A break is never answered.
    pub(super) hangs: Mutex<bool>,
    pub(super) on_break: Mutex<Option<OnBreak>>,
    pub(super) bytes_read: Mutex<u64>,
}

impl Pretended {
    /// A blob under the lease of a backup.
    pub(super) fn backup(&self, place: &str, bytes: &[u8]) {
        self.put(place, bytes, false);
    }

    /// A blob under the lease of a restore.
    pub(super) fn restore(&self, place: &str, bytes: &[u8]) {
        self.put(place, bytes, true);
    }

    fn put(&self, place: &str, bytes: &[u8], restore: bool) {
        let blob = Blob {
            bytes: Bytes::copy_from_slice(bytes),
            version: 1,
            leased: true,
            restore,
        };
        let place = Place::parse(place).expect("container/name");
        self.blobs.lock().unwrap().insert(place, blob);
    }

    pub(super) fn is_leased(&self, place: &str) -> Option<bool> {
        let place = Place::parse(place).expect("container/name");
        self.blobs.lock().unwrap().get(&place).map(|blob| blob.leased)
    }

    fn fault(operation: Operation, target: impl Into<String>, cause: Cause) -> Fault {
        Fault {
            operation,
            target: target.into(),
            cause,
            status: None,
            code: None,
        }
    }

    fn up(&self, operation: Operation) -> Result<(), Fault> {
        match *self.down.lock().unwrap() {
            true => Err(Self::fault(
                operation,
                "",
                Cause::Unreachable("it is down".to_owned()),
            )),
            false => Ok(()),
        }
    }

    fn of<T>(
        &self,
        operation: Operation,
        place: &Place,
        see: impl FnOnce(&mut Blob) -> T,
    ) -> Result<T, Fault> {
        self.up(operation)?;
        let mut blobs = self.blobs.lock().unwrap();
        let blob = blobs.get_mut(place);
        blob.map(see)
            .ok_or_else(|| Self::fault(operation, place.to_string(), Cause::NotFound))
    }
}

fn properties(blob: &Blob) -> Properties {
    let (status, state, duration) = match blob.leased {
        true => (
            LeaseStatus::Locked,
            LeaseState::Leased,
            Some(LeaseDurationKind::Infinite),
        ),
        false => (LeaseStatus::Unlocked, LeaseState::Broken, None),
    };
    Properties {
        kind: BlobType::Block,
        size: blob.bytes.len() as u64,
        etag: Some(tag(blob)),
        last_modified: Some(UnixMillis(START)),
        created: Some(UnixMillis(START)),
        lease: LeaseView {
            status,
            state,
            duration,
        },
    }
}

fn tag(blob: &Blob) -> ETag {
    ETag(format!("\"{}\"", blob.version))
}

impl Account for Pretended {
    fn address(&self) -> &str {
        ADDRESS
    }

    async fn containers(&self, _from: Option<&Marker>) -> Result<Page<String>, Fault> {
        self.up(Operation::ListContainers)?;
        let blobs = self.blobs.lock().unwrap();
        let mut items: Vec<String> = blobs.keys().map(|place| place.container.clone()).collect();
        items.dedup();
        Ok(Page { items, next: None })
    }

    async fn blobs(
        &self,
        container: &str,
        prefix: &str,
        _from: Option<&Marker>,
    ) -> Result<Page<Listed>, Fault> {
        self.up(Operation::ListBlobs)?;
        let blobs = self.blobs.lock().unwrap();
        let of = blobs
            .iter()
            .filter(|(place, _)| place.container == container && place.blob.starts_with(prefix));
        let items = of.map(|(place, blob)| Listed {
            blob: place.blob.clone(),
            properties: properties(blob),
        });
        Ok(Page {
            items: items.collect(),
            next: None,
        })
    }

    async fn head(&self, place: &Place) -> Result<Head, Fault> {
        let properties = self.of(Operation::Look, place, |blob| properties(blob))?;
        Ok(Head {
            properties,
            witness: None,
        })
    }

    async fn probe(&self, place: &Place, _id: &str) -> Result<Probe, Fault> {
        self.of(Operation::Look, place, |blob| match (blob.leased, blob.restore) {
            (false, _) => Probe::NotLeased,
            (true, true) => Probe::Match,
            (true, false) => Probe::Mismatch,
        })
    }

    async fn read(&self, place: &Place, range: Range<u64>, _of: &ETag) -> Result<Bytes, Fault> {
        let bytes = self.of(Operation::Read, place, |blob| blob.bytes.clone())?;
        let at = |offset: u64| usize::try_from(offset).expect("small").min(bytes.len());
        let piece = bytes.slice(at(range.start)..at(range.end));
        *self.bytes_read.lock().unwrap() += piece.len() as u64;
        Ok(piece)
    }

    async fn page_ranges(&self, _place: &Place, _end: u64) -> Result<Vec<Range<u64>>, Fault> {
        Ok(Vec::new())
    }

    async fn blocks(&self, place: &Place) -> Result<Blocks, Fault> {
        self.of(Operation::BlockList, place, |_| Blocks::default())
    }

    async fn break_lease(&self, place: &Place, of: &ETag) -> Result<(), Fault> {
        if let Some(happens) = self.on_break.lock().unwrap().as_mut() {
            happens();
        }
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        let done = self.of(Operation::BreakLease, place, |blob| {
            let same = tag(blob) == *of;
            blob.leased &= !same;
            same
        })?;
        match done {
            true => Ok(()),
            false => Err(Self::fault(
                Operation::BreakLease,
                place.to_string(),
                Cause::Changed,
            )),
        }
    }

    async fn delete(&self, place: &Place, _of: &ETag) -> Result<(), Fault> {
        if *self.protected.lock().unwrap() {
            return Err(Self::fault(
                Operation::Delete,
                place.to_string(),
                Cause::Protected,
            ));
        }
        self.of(Operation::Delete, place, |_| ())?;
        self.blobs.lock().unwrap().remove(place);
        Ok(())
    }
}

/// What happens at a moment of the run.
type Happening<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Time that passes only while somebody waits. What was planned happens when its time comes.
#[derive(Default)]
pub(super) struct PretendedClock<'a> {
    passed: Mutex<Duration>,
    plans: Mutex<VecDeque<(Duration, Happening<'a>)>>,
}

impl<'a> PretendedClock<'a> {
    /// Plans what shall happen `after` the beginning; in order.
    pub(super) fn plan(self, after: Duration, happening: impl FnOnce() + Send + 'a) -> Self {
        self.plans.lock().unwrap().push_back((after, Box::new(happening)));
        self
    }
}

impl Clock for PretendedClock<'_> {
    fn now(&self) -> UnixMillis {
        let passed = i64::try_from(self.watched().as_millis()).expect("small");
        UnixMillis(START + passed)
    }

    fn watched(&self) -> Duration {
        *self.passed.lock().unwrap()
    }

    async fn sleep(&self, time: Duration) {
        let until = self.watched() + time;
        loop {
            let next = {
                let mut plans = self.plans.lock().unwrap();
                match plans.front() {
                    Some((after, _)) if *after <= until => plans.pop_front(),
                    _ => None,
                }
            };
            let Some((after, happening)) = next else {
                break;
            };
            *self.passed.lock().unwrap() = after;
            happening();
            // Who else listens gets a chance to hear of it.
            tokio::task::yield_now().await;
        }
        *self.passed.lock().unwrap() = until;
    }
}
