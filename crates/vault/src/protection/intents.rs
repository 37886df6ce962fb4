//! Auto-protection: whatever is found on an instance is protected.

use std::collections::BTreeSet;

use catalog::keys::tuple;
use catalog::record::{
    Database, DatabaseId, Intent, IntentId, Item, Job, JobState, Policy, PolicyId, Server, ServerId, Trigger,
    Vault as VaultRecord, Work, moment,
};
use catalog::{
    Kind, Query, Range, Scope, Slot, Transaction, delete, demand, get, insert, page, scoped, update,
};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::jobs::NewJob;
use crate::notices::About;
use crate::records::{Trouble, fault};
use crate::selection::matches;
use crate::vault::Vault;

/// Databases that are protected automatically at a time, as a job of Azure Backup configures at most (facts/field 1.2: 50).
const CONFIGURE_AT_ONCE: usize = 50;

/// The most excludes, and the longest, in characters: that of a name (`sysname`).
const EXCLUDES_MAX: usize = 1_000;
const NAME_MAX: usize = 128;

impl Vault {
    /// Protects everything that is and will be on an instance, except names like `excludes` (`%` stands for any characters).
    ///
    /// # Errors
    /// The instance is protected so already; there is no such instance or policy; the catalog cannot be written.
    pub async fn auto_protect(
        &self,
        server: ServerId,
        policy: PolicyId,
        excludes: Vec<String>,
    ) -> Result<IntentId, Fault> {
        check(&excludes)?;
        let (id, now, excludes) = (IntentId(self.world.chance.uuid()), self.now(), &excludes);
        self.transact(move |tx| {
            scoped(async move {
                let found = demand::<Server>(tx, &self.key, &server.to_string()).await?;
                if !found.record.is_registered() {
                    let why = "it is not registered any more";
                    return Err(Fault::new(Code::Bac2NotFound)
                        .at(&found.record.name)
                        .because(why)
                        .into());
                }
                demand::<Policy>(tx, &self.key, &policy.to_string()).await?;
                let range = Range::exactly(server.to_string());
                let query = Query::of(Scope::vault(&self.key), Slot::A, range);
                let intents = page::<Intent>(tx, &query).await?.records;
                if !intents.is_empty() {
                    return Err(Fault::new(Code::Bac2AlreadyProtected)
                        .at(&found.record.name)
                        .into());
                }
                let intent = Intent {
                    id,
                    server,
                    policy,
                    excludes: excludes.clone(),
                    since: now,
                    left_out: BTreeSet::new(),
                };
                insert(tx, &self.key, intent).await?;
                Ok(())
            })
        })
        .await?;
        self.apply_intents(server).await?;
        Ok(id)
    }

    /// Ends auto-protection. What it protected stays protected; jobs of it that have not ended are cancelled, with the code that
    /// says why.
    ///
    /// # Errors
    /// There is none of this id; the catalog cannot be written.
    pub async fn stop_auto_protection(&self, id: IntentId) -> Result<(), Fault> {
        let server = self
            .transact(move |tx| {
                scoped(async move {
                    let found = demand::<Intent>(tx, &self.key, &id.to_string()).await?;
                    delete(tx, &found).await?;
                    self.resolve_in(tx, &format!("limit/databases/{id}")).await?;
                    Ok(found.record.server)
                })
            })
            .await?;
        // A job that this does not reach any more finds its auto-protection gone, and ends with the same code.
        let why = Fault::new(Code::AutoProtectionCancelledOrNotValid);
        for job in self.configuring(server).await? {
            if matches!(job.work, Work::Configure { intent: Some(of), .. } if of == id) {
                self.cancel_if_open(job.id, &why).await?;
            }
        }
        self.bell.ring();
        Ok(())
    }

    /// Has the auto-protection of an item's instance leave its database alone: a user deleted it, and it would come back with the
    /// next discovery.
    pub(crate) async fn leave_out_in(&self, tx: &mut dyn Transaction, item: &Item) -> Result<(), Trouble> {
        let range = Range::exactly(item.server.to_string());
        let query = Query::of(Scope::vault(&self.key), Slot::A, range);
        for mut intent in page::<Intent>(tx, &query).await?.records {
            if intent.record.left_out.insert(item.database) {
                update(tx, intent).await?;
            }
        }
        Ok(())
    }

    /// Open jobs that configure databases of an instance.
    async fn configuring(&self, server: ServerId) -> Result<Vec<Job>, Fault> {
        let open = self.list_readable::<Job>(Slot::D, Range::members(&[&server.to_string(), "open"]));
        let jobs = open.await?.into_iter().map(|job| job.record);
        Ok(jobs
            .filter(|job| matches!(job.work, Work::Configure { .. }))
            .collect())
    }

    /// After a job of an auto-protection: the next lot, where it was the last of its own.
    pub(crate) async fn next_lot(&self, server: ServerId, intent: IntentId) -> Result<(), Fault> {
        let open = self.configuring(server).await?;
        let is_its_own =
            |job: &Job| matches!(job.work, Work::Configure { intent: Some(of), .. } if of == intent);
        if !open.iter().any(is_its_own) {
            self.apply_intents(server).await?;
        }
        Ok(())
    }

    /// Begins to protect what an auto-protection covers and nobody protects yet; gives how many jobs that took.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn apply_intents(&self, server: ServerId) -> Result<usize, Fault> {
        let intents = self
            .list::<Intent>(Slot::A, Range::exactly(server.to_string()))
            .await?;
        let Some(intent) = intents.into_iter().map(|one| one.record).next() else {
            return Ok(0);
        };
        let open = self.configuring(server).await?;
        let being: BTreeSet<DatabaseId> = open.iter().filter_map(|job| configured(&job.work)).collect();
        let its_own =
            |job: &&Job| matches!(job.work, Work::Configure { intent: Some(of), .. } if of == intent.id);
        let mut being: BTreeSet<DatabaseId> = being;
        being.extend(self.failed_lately(&intent).await?);
        being.extend(intent.left_out.iter().copied());
        let at_once = CONFIGURE_AT_ONCE.saturating_sub(open.iter().filter(its_own).count());
        let (room, most) = self
            .room_for_items(open.iter().filter(|job| job.item.is_none()).count())
            .await?;
        let mut uncovered = self
            .uncovered(&intent, &being, at_once.min(room.saturating_add(1)))
            .await?;
        let about = About {
            matter: format!("limit/databases/{}", intent.id),
            server: Some(server),
            ..About::default()
        };
        if uncovered.len() > room {
            uncovered.truncate(room);
            let why =
                format!("{most} databases may be protected, and there are more for the auto-protection");
            self.raise(about, Fault::new(Code::Bac2LimitReached).because(&why))
                .await?;
        } else {
            self.resolve(&about.matter).await?;
        }
        let intent = &intent;
        let wanted = &uncovered;
        let put_off = self
            .transact(move |tx| scoped(async move { self.configure_in(tx, intent, wanted).await }))
            .await?;
        if put_off > 0 {
            self.tell_put_off(&format!("auto-protection {}", intent.id), put_off)
                .await?;
        }
        if !uncovered.is_empty() {
            self.bell.ring();
        }
        Ok(uncovered.len())
    }

    /// Databases that this auto-protection could not protect, or somebody did not let it, within half the time between two discoveries: the next one tries
    /// them again, and nothing sooner does.
    async fn failed_lately(&self, intent: &Intent) -> Result<Vec<DatabaseId>, Fault> {
        let minutes = self.get::<VaultRecord>(self.id).await?.record.discovery_minutes;
        let wait = SignedDuration::from_mins(i64::from(minutes) / 2);
        let since = self.now().checked_sub(wait).unwrap_or(Timestamp::MIN);
        let members = [&intent.server.to_string(), "ended"];
        let mut range = Range::members(&members);
        range.from = tuple(&[members[0], members[1], &moment(since)]);
        let ended = self.list_readable::<Job>(Slot::D, range).await?;
        let is_its_own = |job: &Job| {
            matches!(job.state, JobState::Failed | JobState::Cancelled)
                && matches!(job.work, Work::Configure { intent: Some(of), .. } if of == intent.id)
        };
        let failed = ended.iter().map(|one| &one.record).filter(|job| is_its_own(job));
        Ok(failed.filter_map(|job| configured(&job.work)).collect())
    }

    /// How many more databases may be protected, those that jobs are about to protect counted, and how many in all.
    async fn room_for_items(&self, being: usize) -> Result<(usize, u32), Fault> {
        let most = self.get::<VaultRecord>(self.id).await?.record.databases_max;
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let there = tx
            .count(Kind::Item, &Scope::vault(&self.key), Slot::Id, &Range::ALL)
            .await
            .map_err(fault)?;
        let room = usize::try_from(i64::from(most).saturating_sub(there)).unwrap_or(0);
        Ok((room.saturating_sub(being), most))
    }

    /// Databases of an auto-protection that nobody protects yet and no job is about, at most `room`.
    async fn uncovered(
        &self,
        intent: &Intent,
        being: &BTreeSet<DatabaseId>,
        room: usize,
    ) -> Result<Vec<DatabaseId>, Fault> {
        if room == 0 {
            return Ok(Vec::new());
        }
        let of_server = || Range::exactly(intent.server.to_string());
        let items = self.list_readable::<Item>(Slot::D, of_server()).await?;
        let protected: BTreeSet<DatabaseId> = items.iter().map(|item| item.record.database).collect();
        let databases = self.list_readable::<Database>(Slot::D, of_server()).await?;
        let mut uncovered = Vec::new();
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        for database in databases.into_iter().map(|one| one.record) {
            let is_new = !protected.contains(&database.id) && !being.contains(&database.id);
            if !is_new || !covers(intent, &database) {
                continue;
            }
            // An item on another replica of its group is its item.
            if database.group.is_some() {
                let item = self.item_of_in(tx.as_mut(), &database).await;
                if item.map_err(Trouble::fault)?.is_some() {
                    continue;
                }
            }
            uncovered.push(database.id);
            if uncovered.len() == room {
                break;
            }
        }
        Ok(uncovered)
    }

    /// Queues jobs; gives how many of them wait for the limit of 24 hours.
    async fn configure_in(
        &self,
        tx: &mut dyn Transaction,
        intent: &Intent,
        databases: &[DatabaseId],
    ) -> Result<usize, Trouble> {
        // Cancelled in between, it wants nothing any more.
        if databases.is_empty()
            || get::<Intent>(tx, &self.key, &intent.id.to_string())
                .await?
                .is_none()
        {
            return Ok(0);
        }
        let granted = self.spend_in(tx, databases.len()).await?;
        for (place, database) in databases.iter().enumerate() {
            let run_at = match place.checked_sub(granted.now) {
                None => self.now(),
                Some(place) => granted.later(self.now(), place),
            };
            let new = NewJob {
                work: Work::Configure {
                    database: *database,
                    policy: intent.policy,
                    intent: Some(intent.id),
                },
                trigger: Trigger::OnDemand,
                server: Some(intent.server),
                item: None,
                run_at,
            };
            self.enqueue_in(tx, &new).await?;
        }
        Ok(granted.put_off)
    }

    /// The auto-protection of an instance.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn intent(&self, id: IntentId) -> Result<Option<Intent>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let found = get::<Intent>(tx.as_mut(), &self.key, &id.to_string()).await;
        Ok(found.map_err(fault)?.map(|one| one.record))
    }
}

/// Refuses excludes that are senseless or too many.
fn check(excludes: &[String]) -> Result<(), Fault> {
    let wrong = |why: &str| Err(Fault::new(Code::Bac2InputInvalid).at("excludes").because(why));
    if excludes.len() > EXCLUDES_MAX {
        return wrong("there are more than 1,000");
    }
    let is_senseless = |pattern: &String| pattern.is_empty() || pattern.chars().count() > NAME_MAX;
    match excludes.iter().any(is_senseless) {
        true => wrong("each has 1 to 128 characters"),
        false => Ok(()),
    }
}

fn configured(work: &Work) -> Option<DatabaseId> {
    match work {
        Work::Configure { database, .. } => Some(*database),
        _ => None,
    }
}

/// Whether an auto-protection is for this database: there, no copy of a test, not excluded, and possible to protect.
fn covers(intent: &Intent, database: &Database) -> bool {
    database.gone.is_none()
        && !database.is_test_copy
        && !database.state.is_snapshot
        && !database.state.is_mirrored
        && !database.name.eq_ignore_ascii_case("tempdb")
        && !intent
            .excludes
            .iter()
            .any(|pattern| matches(pattern, &database.name))
}
