//! When instances are discovered: every few hours, each at a time of its own, and a faulty one sooner.

use catalog::record::{Job, Server, ServerId, Trigger, Vault as VaultRecord, Work, moment};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, get, page, scoped, update};
use faults::Fault;
use jiff::{SignedDuration, Timestamp};

use crate::jobs::NewJob;
use crate::records::{Trouble, fault};
use crate::vault::Vault;

/// After so long a faulty instance is asked again at first; then after as long as it has been faulty.
const FIRST_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// A faulty instance is asked at least so often.
const LAST_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Instances that one look takes up.
const SERVERS_AT_ONCE: u32 = 500;

/// When a faulty instance is asked again.
pub(super) fn again(now: Timestamp, since: Timestamp) -> Timestamp {
    let wait = now.duration_since(since).clamp(FIRST_AGAIN, LAST_AGAIN);
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

/// When an instance is next discovered, having been just now: after the period, and at the instance's own part of a tenth of it,
/// so that instances that were registered together do not all come at once.
pub(crate) fn next(now: Timestamp, minutes: u32, server: ServerId) -> Timestamp {
    let period = SignedDuration::from_mins(i64::from(minutes.max(1)));
    let delay = schedule::jitter::delay(&server.to_string(), period / 10);
    now.saturating_add(period - delay).unwrap_or(Timestamp::MAX)
}

/// When an instance is discovered that was just registered, should the discovery at the registration be lost.
pub(crate) fn first(now: Timestamp) -> Timestamp {
    now.saturating_add(FIRST_AGAIN).unwrap_or(Timestamp::MAX)
}

impl Vault {
    /// Queues discoveries when they are due, for ever.
    pub(crate) async fn run_discovery(&self) {
        loop {
            let heard = self.bell.rings();
            // What fails here is due still, and is found at the next look.
            while let Ok(true) = self.queue_discoveries().await {}
            self.rest(self.next_discovery().await, heard).await;
        }
    }

    /// Takes up what is due; true where there may be more.
    async fn queue_discoveries(&self) -> Result<bool, Fault> {
        let range = Range::before(format!("{}\u{1}", moment(self.now())));
        let query = Query::of(Scope::vault(&self.key), Slot::B, range).limit(SERVERS_AT_ONCE);
        let due = {
            let mut tx = self.world.catalog.read().await.map_err(fault)?;
            page::<Server>(tx.as_mut(), &query).await.map_err(fault)?
        };
        let is_any = !due.records.is_empty();
        for server in due.records {
            let id = server.record.id;
            self.transact(move |tx| scoped(async move { self.queue_discovery(tx, id).await }))
                .await?;
        }
        if is_any {
            self.bell.ring();
        }
        Ok(due.next.is_some())
    }

    /// Puts the discovery of one instance into the queue, unless one is open, and moves its time on.
    async fn queue_discovery(&self, tx: &mut dyn Transaction, id: ServerId) -> Result<(), Trouble> {
        let now = self.now();
        let mut server = demand::<Server>(tx, &self.key, &id.to_string()).await?;
        if !server.record.is_registered() || server.record.discovery_due > now {
            return Ok(());
        }
        let minutes = match get::<VaultRecord>(tx, &self.key, &self.key).await? {
            Some(vault) => vault.record.discovery_minutes,
            None => 480,
        };
        let slot = server.record.discovery_due;
        server.record.discovery_due = next(now, minutes, id);
        update(tx, server).await?;
        let open = Query::of(
            Scope::vault(&self.key),
            Slot::D,
            Range::members(&[&id.to_string(), "open"]),
        );
        let jobs = page::<Job>(tx, &open).await?.records;
        if jobs.iter().any(|job| job.record.work == Work::Discover) {
            return Ok(());
        }
        let new = NewJob {
            work: Work::Discover,
            trigger: Trigger::Scheduled { slot },
            server: Some(id),
            item: None,
            run_at: now,
        };
        self.enqueue_in(tx, &new).await?;
        Ok(())
    }

    /// When the next instance is due.
    async fn next_discovery(&self) -> Option<Timestamp> {
        let mut tx = self.world.catalog.read().await.ok()?;
        let query = Query::all(&self.key, Slot::B).limit(1);
        let first = page::<Server>(tx.as_mut(), &query).await.ok()?;
        let due = first.records.first()?.record.discovery_due;
        // What is due already was tried in this look; it is tried again in the next.
        (due > self.now()).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use catalog::record::ServerId;
    use jiff::{SignedDuration, Timestamp};
    use uuid::Uuid;

    use super::{again, next};

    #[test]
    fn twenty_instances_come_one_after_the_other() {
        let now = Timestamp::UNIX_EPOCH;
        let mut times: Vec<_> = (0..20)
            .map(|id| next(now, 480, ServerId(Uuid::from_u128(id))).duration_since(now))
            .collect();
        times.sort();
        assert!(times[0] > SignedDuration::from_mins(432), "{times:?}");
        assert!(times[19] <= SignedDuration::from_mins(480), "{times:?}");
        // Spread evenly over 48 minutes they would be 144 s apart.
        let span = times[19] - times[0];
        assert!(span > SignedDuration::from_mins(30), "{times:?}");
        times.dedup();
        assert_eq!(times.len(), 20);
    }

    #[test]
    fn a_faulty_instance_is_asked_ever_more_seldom() {
        let since = Timestamp::UNIX_EPOCH;
        let mut now = since;
        let mut waits = Vec::new();
        for _ in 0..7 {
            let then = again(now, since);
            waits.push(then.duration_since(now).as_mins());
            now = then;
        }
        assert_eq!(waits, [5, 5, 10, 20, 40, 60, 60]);
    }
}
