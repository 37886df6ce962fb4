//! The account as the guard reaches it, and the guard's clock: requests take time, fail, and lose their answers.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use azblob::lease::LeaseId;
use azblob::time::UnixMillis;
use bytes::Bytes;
use guard::account::{Account, Block, Blocks, ETag, Head, Listed, Marker, Page, Probe, Properties};
use guard::fault::{Cause, Fault, Operation};
use guard::{Clock, Place, limits};

use crate::plan::{SECOND, Service};
use crate::store::{Blob, Body};
use crate::world::World;

/// The world behind the guard's three seams.
pub(crate) struct Simulation {
    world: Mutex<World>,
}

/// Lets others go first, so many times.
struct Turns(usize);

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Simulation {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("one thread, which has not panicked")
    }

    /// Time passes on the way to the service or back.
    pub(crate) async fn travel(&self) {
        let turns = {
            let mut world = self.world();
            world.stir();
            world.noise.below(3)
        };
        Turns(turns).await;
    }

    /// A request reaches the service, or fails on the way.
    async fn reach(&self, operation: Operation, target: &str) -> Result<(), Fault> {
        self.travel().await;
        let mut world = self.world();
        world.truth.calls += 1;
        world.fault(operation, target).map_or(Ok(()), Err)
    }

    /// Does it there; the answer takes its time.
    async fn ask_service<T>(
        &self,
        operation: Operation,
        place: &Place,
        deed: impl FnOnce(&mut World) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.reach(operation, &place.to_string()).await?;
        let answer = {
            let mut world = self.world();
            world.settle(place);
            deed(&mut world)
        };
        self.travel().await;
        answer
    }
}

/// A fault with the service's status and code.
pub(crate) fn fault(operation: Operation, target: &str, cause: Cause) -> Fault {
    let (status, code) = match &cause {
        Cause::NotFound => (Some(404), Some("BlobNotFound")),
        Cause::Changed => (Some(412), Some("ConditionNotMet")),
        Cause::Lease => (Some(409), Some("LeaseNotPresentWithLeaseOperation")),
        Cause::NotAllowed => (Some(403), Some("AuthorizationPermissionMismatch")),
        Cause::Expired(_) => (Some(403), Some("AuthenticationFailed")),
        Cause::Throttled => (Some(503), Some("ServerBusy")),
        Cause::Protected => (Some(409), Some("SnapshotsPresent")),
        Cause::Other(_) => (Some(500), Some("InternalError")),
        _ => (None, None),
    };
    Fault {
        operation,
        target: target.to_owned(),
        cause,
        status,
        code: code.map(str::to_owned),
    }
}

impl World {
    /// What goes wrong on the way to the service; more often where it matters most.
    fn fault(&mut self, operation: Operation, target: &str) -> Option<Fault> {
        let often = match operation {
            Operation::BreakLease | Operation::Delete => 5 * self.plan.faults,
            _ => self.plan.faults,
        };
        let cause = if self.now < self.outage_until {
            match self.outage_until % 2 {
                0 => Cause::Expired(None),
                _ => Cause::Unreachable("connection refused".to_owned()),
            }
        } else if self.faulty && self.noise.chance(often) {
            match self.noise.below(6) {
                // It works in the end.
                0 => {
                    let time = self.noise.of(SECOND..40 * SECOND);
                    self.advance(self.now + time);
                    return None;
                }
                1 => {
                    let time = self.noise.of(20 * SECOND..180 * SECOND);
                    self.advance(self.now + time);
                    Cause::Throttled
                }
                2 => Cause::NotAllowed,
                3 => Cause::Other("the server encountered an internal error".to_owned()),
                4 => Cause::Unusable("the answer ends in the middle".to_owned()),
                _ => Cause::Unreachable("no answer in time".to_owned()),
            }
        } else {
            return None;
        };
        self.truth.failed(self.now, target, &cause);
        Some(fault(operation, target, cause))
    }

    /// Whether the answer to a change that was done is lost.
    fn answer_lost(&mut self, place: &Place) -> bool {
        let lost = self.faulty && self.noise.chance(5 * self.plan.faults);
        if lost {
            let cause = Cause::Unreachable("no answer in time".to_owned());
            self.truth.failed(self.now, &place.to_string(), &cause);
            self.truth.figures.answers_lost += 1;
        }
        lost
    }

    fn properties(&self, blob: &Blob) -> Properties {
        Properties {
            kind: blob.kind(),
            size: blob.size(),
            etag: blob.etag.map(etag),
            last_modified: blob.modified,
            created: Some(blob.created),
            lease: blob.lease.view(self.at().lease),
        }
    }

    fn existing(&self, operation: Operation, place: &Place) -> Result<&Blob, Fault> {
        let missing = || fault(operation, &place.to_string(), Cause::NotFound);
        self.store.blob(place).ok_or_else(missing)
    }

    /// A blob that has only uncommitted blocks answers to no HEAD.
    fn committed(&self, place: &Place) -> Result<&Blob, Fault> {
        let blob = self.existing(Operation::Look, place)?;
        match blob.etag {
            Some(_) => Ok(blob),
            None => Err(fault(Operation::Look, &place.to_string(), Cause::NotFound)),
        }
    }

    fn list(&mut self, container: &str, prefix: &str, after: &str) -> Result<Page<Listed>, Fault> {
        let missing = || fault(Operation::ListBlobs, container, Cause::NotFound);
        let blobs = self.store.containers.get(container).ok_or_else(missing)?;
        let names = blobs
            .keys()
            .filter(|name| name.as_str() > after && name.starts_with(prefix));
        let mut names: Vec<String> = names.cloned().collect();
        let size = 1 + self.noise.below(7);
        let more = names.len() > size;
        names.truncate(size);
        let mut items = Vec::new();
        for blob in names {
            let place = Place::new(container, blob.as_str());
            self.settle(&place);
            let properties = self.properties(self.existing(Operation::ListBlobs, &place)?);
            items.push(Listed { blob, properties });
        }
        let next = more.then(|| Marker(items[items.len() - 1].blob.clone()));
        Ok(Page { items, next })
    }

    fn probe(&mut self, place: &Place, id: &str) -> Result<Probe, Fault> {
        let blob = self.committed(place)?;
        let view = blob.lease.view(self.at().lease);
        if view.status == azblob::lease::LeaseStatus::Unlocked {
            return Ok(Probe::NotLeased);
        }
        let same = match self.plan.service {
            Service::Azurite => blob.lease_text.eq_ignore_ascii_case(id),
            _ => id.parse::<LeaseId>().ok() == blob.lease.id(),
        };
        Ok(if same { Probe::Match } else { Probe::Mismatch })
    }

    fn pages(&self, place: &Place, end: u64) -> Result<Vec<Range<u64>>, Fault> {
        let blob = self.existing(Operation::PageRanges, place)?;
        let written = (blob.data().len() as u64).next_multiple_of(512).min(end);
        // One range, whole: they must not touch each other.
        Ok((written > 0).then_some(0..written).into_iter().collect())
    }

    fn read(&self, place: &Place, range: &Range<u64>, of: &ETag) -> Result<Bytes, Fault> {
        let blob = self.existing(Operation::Read, place)?;
        if blob.etag.map(etag).as_ref() != Some(of) {
            return Err(fault(Operation::Read, &place.to_string(), Cause::Changed));
        }
        let data = blob.data();
        let end = range.end.min(blob.size());
        let start = range.start.min(end);
        let cut = |at: u64| (at as usize).min(data.len());
        let mut bytes = data[cut(start)..cut(end)].to_vec();
        // What was never written reads as zeros.
        bytes.resize((end - start) as usize, 0);
        Ok(bytes.into())
    }

    fn block_list(&mut self, place: &Place) -> Result<Blocks, Fault> {
        let blob = self.existing(Operation::BlockList, place)?;
        let (tag, stirred) = (blob.etag, blob.stirred);
        let Body::Block {
            committed, pending, ..
        } = &blob.body
        else {
            let cause = Cause::Other("the blob type is invalid for this operation".to_owned());
            return Err(fault(Operation::BlockList, &place.to_string(), cause));
        };
        let block = |(id, size): (&azblob::block::BlockId, u64)| Block { id: id.clone(), size };
        let mut blocks = Blocks {
            committed: committed.iter().map(|(id, size)| block((id, *size))).collect(),
            uncommitted: pending
                .iter()
                .map(|(id, b)| block((id, b.len() as u64)))
                .collect(),
        };
        // Services order the uncommitted ones as they like.
        if self.noise.chance(500) {
            blocks.uncommitted.reverse();
        }
        self.truth.saw_blocks(self.now, place, tag, stirred);
        Ok(blocks)
    }
}

fn etag(tag: u64) -> ETag {
    ETag(format!("\"0x8D{tag:013X}\""))
}

impl Account for Simulation {
    fn address(&self) -> &str {
        "https://vault.blob.core.windows.net"
    }

    async fn containers(&self, from: Option<&Marker>) -> Result<Page<String>, Fault> {
        self.reach(Operation::ListContainers, "").await?;
        let after = from.map_or("", |marker| marker.0.as_str());
        let page = {
            let world = self.world();
            let names: Vec<&String> = world
                .store
                .containers
                .keys()
                .filter(|name| name.as_str() > after)
                .collect();
            let items: Vec<String> = names.iter().take(2).map(|name| (*name).clone()).collect();
            let next = (names.len() > 2).then(|| Marker(items[1].clone()));
            Page { items, next }
        };
        self.travel().await;
        Ok(page)
    }

    async fn blobs(
        &self,
        container: &str,
        prefix: &str,
        from: Option<&Marker>,
    ) -> Result<Page<Listed>, Fault> {
        self.reach(Operation::ListBlobs, container).await?;
        let after = from.map_or("", |marker| marker.0.as_str());
        let page = self.world().list(container, prefix, after);
        self.travel().await;
        page
    }

    async fn head(&self, place: &Place) -> Result<Head, Fault> {
        self.ask_service(Operation::Look, place, |world| {
            let properties = world.properties(world.committed(place)?);
            let witness = world.witness(place);
            world.saw(place);
            Ok(Head { properties, witness })
        })
        .await
    }

    async fn probe(&self, place: &Place, id: &str) -> Result<Probe, Fault> {
        self.ask_service(Operation::Look, place, |world| world.probe(place, id))
            .await
    }

    async fn read(&self, place: &Place, range: Range<u64>, of: &ETag) -> Result<Bytes, Fault> {
        assert!(range.end - range.start <= limits::READ_MAX, "too much at once");
        self.ask_service(Operation::Read, place, |world| {
            world.truth.does_something_else();
            world.read(place, &range, of)
        })
        .await
    }

    async fn page_ranges(&self, place: &Place, end: u64) -> Result<Vec<Range<u64>>, Fault> {
        self.ask_service(Operation::PageRanges, place, |world| {
            world.truth.does_something_else();
            world.pages(place, end)
        })
        .await
    }

    async fn blocks(&self, place: &Place) -> Result<Blocks, Fault> {
        self.ask_service(Operation::BlockList, place, |world| world.block_list(place))
            .await
    }

    async fn break_lease(&self, place: &Place, of: &ETag) -> Result<(), Fault> {
        self.ask_service(Operation::BreakLease, place, |world| {
            world.ambush(place);
            world.settle(place);
            let tag = world.existing(Operation::BreakLease, place)?.etag.map(etag);
            let done = world.judge_break(place, tag.as_ref() == Some(of));
            world.seize(place);
            done.map_err(|cause| fault(Operation::BreakLease, &place.to_string(), cause))?;
            match world.answer_lost(place) {
                true => Err(fault(
                    Operation::BreakLease,
                    &place.to_string(),
                    Cause::Unreachable("no answer in time".to_owned()),
                )),
                false => Ok(()),
            }
        })
        .await
    }

    async fn delete(&self, place: &Place, of: &ETag) -> Result<(), Fault> {
        self.ask_service(Operation::Delete, place, |world| {
            let tag = world.existing(Operation::Delete, place)?.etag.map(etag);
            let done = world.judge_delete(place, tag.as_ref() == Some(of));
            done.map_err(|cause| fault(Operation::Delete, &place.to_string(), cause))?;
            match world.answer_lost(place) {
                true => Err(fault(
                    Operation::Delete,
                    &place.to_string(),
                    Cause::Unreachable("no answer in time".to_owned()),
                )),
                false => Ok(()),
            }
        })
        .await
    }
}

impl Clock for Simulation {
    fn now(&self) -> UnixMillis {
        self.world().guard_wall()
    }

    fn watched(&self) -> Duration {
        Duration::from_millis(self.world().now)
    }

    async fn sleep(&self, time: Duration) {
        {
            let mut world = self.world();
            let end = world.now + time.as_millis() as u64;
            world.advance(end);
        }
        Turns(1).await;
    }
}
