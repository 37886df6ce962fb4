//! What waits for a seat, in memory: the catalog is asked only for what came since, and for everything again from time to time
//! and when a clock went back.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::keys::tuple;
use catalog::record::{
    Item, Job, JobId, JobState, Policy, PolicyId, Server, ServerId, ServerSettings, Vault as VaultRecord,
    Work, moment,
};
use catalog::{Kind, Query, Range, Record, Scope, Slot, Transaction, decode};
use faults::Fault;
use jiff::{SignedDuration, Timestamp};
use schedule::BackupKind;

use super::seats::{Class, Room, Seat, Seats};
use crate::records::{fault, readable};
use crate::vault::{LOOK_EVERY, Vault};

/// How often everything that waits is read again.
const READ_ALL_EVERY: Duration = Duration::from_secs(300);

/// A job is read again for so long after its time: it is written a little later than the time that it names.
const OVERLAP: SignedDuration = SignedDuration::from_mins(2);

/// For how long limits are believed before they are read again.
const LIMITS_GOOD_FOR: Duration = Duration::from_secs(10);

/// Seats of a vault for each registered instance, and the least there are; own figures. 2,000 databases on 20 instances whose
/// fulls and logs fall into the same 5 minutes of jitter and take 5 s each need 67 at a time.
const SEATS_OF_INSTANCE: u32 = 8;
const SEATS_LEAST: u32 = 64;

/// Jobs of one class and instance, by time to run, each with its policy.
type Queue = BTreeMap<(Timestamp, JobId), Option<PolicyId>>;

/// What waits for a seat.
#[derive(Default)]
pub(super) struct Waiting {
    queues: BTreeMap<(Class, Option<ServerId>), Queue>,
    known: BTreeSet<JobId>,
    /// Up to which time to run the catalog was read; none: everything must be read.
    read_up_to: Option<Timestamp>,
    /// When everything was read, and when anything was.
    read_all_at: Duration,
    read_at: Duration,
    /// Rings of the bell that were heard before the last reading.
    heard: Option<u64>,
    /// When the next job of the catalog's queue may begin.
    pub(super) next_at: Option<Timestamp>,
    /// Jobs of which nobody can say whether it was written that they run.
    pub(super) unsure: BTreeSet<JobId>,
    limits: Limits,
}

/// Limits as they were read last. Under one that could not be read nothing begins.
#[derive(Default)]
struct Limits {
    read_at: Option<Duration>,
    vault: u32,
    servers: BTreeMap<ServerId, u32>,
    policies: BTreeMap<PolicyId, u32>,
}

impl Waiting {
    /// The next job for which there is room: logs first, then by time, whatever the instance; one that is full holds up no other.
    pub(super) fn take(&mut self, seats: &Seats) -> Option<(JobId, Seat)> {
        let (key, place, seat) = Class::ALL
            .into_iter()
            .find_map(|class| self.first_of(class, seats))?;
        let queue = self.queues.get_mut(&key)?;
        queue.remove(&place);
        if queue.is_empty() {
            self.queues.remove(&key);
        }
        self.known.remove(&place.1);
        Some((place.1, seat))
    }

    #[allow(clippy::type_complexity)] // Where it lies, twice, and what it takes.
    fn first_of(
        &self,
        class: Class,
        seats: &Seats,
    ) -> Option<((Class, Option<ServerId>), (Timestamp, JobId), Seat)> {
        let of_class = self.queues.iter().filter(|(key, _)| key.0 == class);
        let first_of_each = of_class.filter_map(|(key, queue)| {
            let anybody = Seat {
                class,
                server: key.1,
                policy: None,
            };
            if !seats.fits(anybody, self.limits.room(anybody)) {
                return None;
            }
            queue.iter().find_map(|(place, policy)| {
                let seat = Seat {
                    policy: *policy,
                    ..anybody
                };
                seats
                    .fits(seat, self.limits.room(seat))
                    .then_some((*key, *place, seat))
            })
        });
        first_of_each.min_by_key(|(_, place, _)| *place)
    }

    /// Everything must be read again.
    pub(super) fn forget(&mut self) {
        self.read_up_to = None;
        self.heard = None;
    }

    fn add(&mut self, job: &Job, policy: Option<PolicyId>) {
        let queue = self.queues.entry((class_of(job), job.server)).or_default();
        queue.insert((job.run_at, job.id), policy);
    }
}

impl Limits {
    fn room(&self, seat: Seat) -> Room {
        let server = seat.server.and_then(|server| self.servers.get(&server));
        let policy = seat.policy.and_then(|policy| self.policies.get(&policy));
        Room {
            vault: self.vault,
            server: server.copied().unwrap_or(0),
            policy: policy.copied().unwrap_or(0),
        }
    }
}

/// Seats of a vault that says nothing about them, by its registered instances.
fn seats_by_size(instances: i64) -> u32 {
    let of_instances = u32::try_from(instances)
        .unwrap_or(0)
        .saturating_mul(SEATS_OF_INSTANCE);
    of_instances.max(SEATS_LEAST)
}

/// What a job takes a seat as: by what runs.
pub(super) fn class_of(job: &Job) -> Class {
    match &job.work {
        // What is brought from a server's disk must not keep the logs of now waiting.
        Work::Backup(work) if work.kind == BackupKind::Log && work.brings().is_none() => Class::Log,
        Work::Backup(_) => Class::Data,
        Work::Restore(_) => Class::Restore,
        Work::Discover | Work::Configure { .. } | Work::Purge => Class::Other,
    }
}

impl Vault {
    /// Reads what became due since the last time, where there may be something, and the limits, where they are old.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(super) async fn read_waiting(&self, waiting: &mut Waiting, heard: u64) -> Result<(), Fault> {
        let (now, uptime) = (self.now(), self.world.clock.uptime());
        let is_something = waiting.heard != Some(heard)
            || waiting.next_at.is_some_and(|at| at <= now)
            || uptime.saturating_sub(waiting.read_at) >= LOOK_EVERY;
        if is_something {
            self.read_queue(waiting, now, uptime).await?;
            waiting.heard = Some(heard);
            waiting.read_at = uptime;
        }
        let are_old = waiting
            .limits
            .read_at
            .is_none_or(|read| uptime.saturating_sub(read) >= LIMITS_GOOD_FOR);
        if are_old || is_something {
            self.read_limits(waiting, are_old, uptime).await?;
        }
        Ok(())
    }

    async fn read_queue(&self, waiting: &mut Waiting, now: Timestamp, uptime: Duration) -> Result<(), Fault> {
        let is_stale = uptime.saturating_sub(waiting.read_all_at) >= READ_ALL_EVERY
            || waiting.read_up_to.is_none_or(|read| read > now);
        let from = match waiting.read_up_to {
            Some(read) if !is_stale => moment(read.checked_sub(OVERLAP).unwrap_or(read)),
            _ => String::new(),
        };
        let queued = JobState::Queued.name();
        let up_to = format!("{}\u{1}", tuple(&[queued, &moment(now)]));
        let due = Range::between(tuple(&[queued, &from]), up_to.clone());
        let mut query = Query::of(Scope::vault(&self.key), Slot::A, due);
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        loop {
            let page = readable::<Job>(tx.as_mut(), &query).await.map_err(fault)?;
            for job in page.records.into_iter().map(|job| job.record) {
                if !waiting.known.contains(&job.id) {
                    let policy = self.policy_of(tx.as_mut(), &job).await?;
                    waiting.known.insert(job.id);
                    waiting.add(&job, policy);
                }
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
        let end = Range::members(&[queued]).to.unwrap_or_default();
        let later = Query::of(Scope::vault(&self.key), Slot::A, Range::between(up_to, end)).limit(1);
        let later = readable::<Job>(tx.as_mut(), &later).await.map_err(fault)?;
        waiting.next_at = later.records.first().map(|job| job.record.run_at);
        waiting.read_up_to = Some(now);
        if is_stale {
            waiting.read_all_at = uptime;
        }
        Ok(())
    }

    /// The policy whose seat a backup takes.
    ///
    /// # Errors
    /// The catalog does not answer: without an answer a job would take a seat that its policy does not have.
    async fn policy_of(&self, tx: &mut dyn Transaction, job: &Job) -> Result<Option<PolicyId>, Fault> {
        let (Work::Backup(_), Some(item)) = (&job.work, job.item) else {
            return Ok(None);
        };
        let row = tx
            .get(Item::KIND, &self.key, &item.to_string())
            .await
            .map_err(fault)?;
        // One that cannot be read has no policy whose limit could hold; its job says what is wrong.
        let item = row.and_then(|row| decode::<Item>(row).ok());
        Ok(item.map(|item| item.record.policy))
    }

    /// The policy whose seat a job takes that runs already.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(super) async fn policy_of_running(&self, job: &Job) -> Result<Option<PolicyId>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        self.policy_of(tx.as_mut(), job).await
    }

    /// How many backups may run at a time over all instances.
    async fn seats_of_vault(&self) -> Result<u32, Fault> {
        let said = self.get::<VaultRecord>(self.id).await?.record.jobs_at_once;
        let registered = {
            let mut tx = self.world.catalog.read().await.map_err(fault)?;
            let scope = Scope::vault(&self.key);
            // By when discovery is due: only who is registered has that key.
            tx.count(Kind::Server, &scope, Slot::B, &Range::ALL)
                .await
                .map_err(fault)?
        };
        Ok(said.unwrap_or_else(|| seats_by_size(registered)).max(1))
    }

    async fn read_limits(&self, waiting: &mut Waiting, are_old: bool, uptime: Duration) -> Result<(), Fault> {
        if are_old {
            waiting.limits = Limits {
                read_at: Some(uptime),
                vault: self.seats_of_vault().await?,
                ..Limits::default()
            };
        }
        let servers: BTreeSet<ServerId> = waiting.queues.keys().filter_map(|key| key.1).collect();
        for id in servers {
            if let Entry::Vacant(place) = waiting.limits.servers.entry(id)
                && let Ok(found) = self.find::<Server>(id).await
            {
                let settings = found.map_or_else(ServerSettings::default, |server| server.record.settings);
                place.insert(settings.jobs_at_once.max(1));
            }
        }
        let policies: BTreeSet<PolicyId> = waiting
            .queues
            .values()
            .flat_map(BTreeMap::values)
            .filter_map(|one| *one)
            .collect();
        for id in policies {
            if let Entry::Vacant(place) = waiting.limits.policies.entry(id)
                && let Ok(most) = self.seats_of_policy(id).await
            {
                place.insert(most);
            }
        }
        Ok(())
    }

    /// How many backups of a policy may run at a time on one instance. Of one that is gone, or that this program cannot read, only the
    /// instance's limit holds.
    ///
    /// # Errors
    /// The catalog does not answer.
    async fn seats_of_policy(&self, id: PolicyId) -> Result<u32, Fault> {
        let of_id = Range::exactly(id.to_string());
        let policy = self.list_readable::<Policy>(Slot::Id, of_id).await?.pop();
        let running = policy.map(|policy| policy.record.policy.running);
        Ok(running.map_or(u32::MAX, |running| running.concurrency_per_instance.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::seats_by_size;

    #[test]
    fn seats_follow_the_number_of_instances() {
        for (instances, seats) in [
            (0, 64),
            (1, 64),
            (8, 64),
            (9, 72),
            (20, 160),
            (-1, 64),
            (i64::MAX, 64),
        ] {
            assert_eq!(seats_by_size(instances), seats, "{instances}");
        }
    }
}
