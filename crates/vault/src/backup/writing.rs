//! What is written down of a set that SQL Server has: the recovery point, the record beside its blobs, and all that changes with it in
//! the catalog, in one transaction.
//!
//! Invariant: a point is one for a container and a BackupSetGUID, however often it is written.
//!
//! Deliberately absent: what the set is worth (`grade`), and what it means for the chain (`keeping`).

use azblob::names::ContainerName;
use catalog::keys::tuple;
use catalog::record::{
    BackupWork, Database, Grade, Item, Job, JobId, Point, PointId, SetFacts, Trigger, Work,
};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, insert, page, scoped, update};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};
use schedule::keep::Origin;
use schedule::{BackupKind, Days, Schedule};

use super::advancing::advance;
use super::grade::Judged;
use super::ground::Ground;
use super::record::{Owner, SetRecord};
use crate::jobs::Doing;
use crate::records::Trouble;
use crate::scheduler::about;
use crate::vault::Vault;

/// Jobs are followed back so far to the one that was wanted first; a job that takes up another is taken up itself at most once or
/// twice.
const ADOPTIONS_MAX: usize = 8;

/// What is about to be written down.
pub(super) struct Kept {
    pub(super) point: Point,
    pub(super) work: BackupWork,
    /// It puts the chain right: logs stand on it from now on.
    pub(super) anchors: bool,
    /// The vault took it to heal, in place of nothing or of another kind: one such full a day. What a user asked for is none.
    pub(super) is_the_vaults: bool,
    /// A healing backup was wanted, and this is one.
    pub(super) heals: bool,
    pub(super) warnings: Vec<Fault>,
}

impl Vault {
    /// The point of a set; the same one where it was written before.
    pub(super) async fn point(
        &self,
        doing: &Doing<'_>,
        ground: &Ground,
        work: &BackupWork,
        judged: Judged,
        set: SetFacts,
    ) -> Result<Point, Fault> {
        // The same set again, after a crash, is the same point.
        let known = self.point_of_set(ground, &set).await?;
        let ended = known.as_ref().map_or_else(|| self.now(), |point| point.ended);
        let deletion = known.as_ref().and_then(|point| point.deletion.clone());
        let (taken, origin) = self.wanted_by(&doing.job, ground).await?;
        Ok(Point {
            id: known.map_or_else(|| PointId(self.world.chance.uuid()), |point| point.id),
            item: ground.item.id,
            database: ground.database.id,
            job: Some(doing.job.id),
            policy: ground.policy_id,
            container: ground.container.id,
            blobs: work.blobs.clone(),
            kind: work.kind,
            grade: judged.grade,
            reasons: judged.reasons,
            taken: Some(taken),
            origin: Some(origin),
            ended,
            bytes: judged.bytes,
            keep_until: keep_until(&doing.job.trigger, work, ground, ended),
            deletion,
            set,
        })
    }

    /// When a backup was taken, as retention counts it, and who wanted it. What another job took up is what the first one was wanted
    /// for.
    async fn wanted_by(&self, job: &Job, ground: &Ground) -> Result<(Timestamp, Origin), Fault> {
        let mut first = job.clone();
        for _ in 0..ADOPTIONS_MAX {
            let Work::Backup(work) = &first.work else { break };
            let Some(before) = work.adopts else { break };
            match self.find::<Job>(before).await? {
                Some(found) => first = found.record,
                None => break,
            }
        }
        let Work::Backup(work) = &first.work else {
            return Ok((first.created, Origin::Healing));
        };
        let began = work.sent.or(first.started).unwrap_or(first.created);
        Ok(match &first.trigger {
            Trigger::Scheduled { slot } => {
                let item = ground.item.id.to_string();
                let placed = Schedule::of(&ground.policy).placed(work.asked, &item, *slot);
                (
                    placed.map_or(*slot, |placed| placed.start.slot.at),
                    Origin::Scheduled,
                )
            }
            Trigger::OnDemand => {
                let keep = work.keep_days.map(Days);
                (began, Origin::OnDemand { keep })
            }
            Trigger::Healing { .. } => (began, Origin::Healing),
        })
    }

    async fn point_of_set(&self, ground: &Ground, set: &SetFacts) -> Result<Option<Point>, Fault> {
        let found = self.list::<Point>(Slot::B, key_of_set(ground, set)).await?;
        Ok(found.into_iter().next().map(|point| point.record))
    }

    /// Writes the record beside the blobs.
    pub(super) async fn put_set_record(
        &self,
        ground: &Ground,
        container: &ContainerName,
        point: &Point,
    ) -> Result<(), Fault> {
        let record = SetRecord::of(
            point,
            &Owner {
                vault: self.id,
                server: &ground.server,
                database: &ground.database,
                policy: &ground.policy,
            },
        );
        self.world
            .shelf
            .put_record(container, &record.name(), record.encode()?)
            .await
            .map_err(super::shelf_fault)
    }

    /// Point, item, database, job and notices, all or nothing.
    pub(super) async fn keep(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        kept: &Kept,
    ) -> Result<(), Fault> {
        let id = doing.job.id;
        let job = self
            .transact(move |tx| {
                scoped(async move {
                    let range = key_of_set(ground, &kept.point.set);
                    let query = Query::of(Scope::vault(&self.key), Slot::B, range).limit(1);
                    let known = page::<Point>(tx, &query).await?.records.pop();
                    let point = match known {
                        Some(known) => known.record.id,
                        None => insert(tx, &self.key, kept.point.clone()).await?.record.id,
                    };
                    self.keep_item(tx, ground, kept, point, id).await?;
                    self.keep_fork(tx, ground, kept).await?;
                    let mut job = demand::<Job>(tx, &self.key, &id.to_string()).await?;
                    note_point(&mut job.record, kept, point, self.now());
                    Ok(update(tx, job).await?.record)
                })
            })
            .await?;
        doing.job = job;
        Ok(())
    }

    async fn keep_item(
        &self,
        tx: &mut dyn Transaction,
        ground: &Ground,
        kept: &Kept,
        point: PointId,
        job: JobId,
    ) -> Result<(), Trouble> {
        let mut item = demand::<Item>(tx, &self.key, &ground.item.id.to_string()).await?;
        // The record beside the blobs may have made it, under the same id or another.
        let stands = Point {
            id: point,
            ..kept.point.clone()
        };
        let is_newest = self
            .is_newest_in(tx, &item.record, &stands, kept.work.sent)
            .await?;
        let set = kept.point.set.guid;
        let is_brought = self.is_of_server_log(tx, ground.server.id, set).await?;
        match is_brought {
            true => take_in_brought(&mut item.record, &stands, is_newest),
            false => take_in(&mut item.record, kept, &stands, is_newest),
        }
        // What lay on the server's disk says nothing of the backups of now.
        let kinds = [kept.work.asked, kept.work.kind];
        for kind in kinds.into_iter().filter(|_| !is_brought) {
            for matter in ["missed", "failed"] {
                self.resolve_in(tx, &about(matter, &item.record, kind).matter)
                    .await?;
            }
        }
        if kept.anchors {
            let put_back = about("putBack", &item.record, BackupKind::Full);
            self.resolve_in(tx, &put_back.matter).await?;
        }
        if kept.point.grade == Grade::Disputed {
            let mut about = about("disputed", &item.record, kept.point.kind);
            about.job = Some(job);
            let fault = Fault::new(Code::Bac2StreamDisputed)
                .at(&ground.target())
                .because(&kept.point.reasons.join("; "));
            self.raise_in(tx, &about, &fault).await?;
        } else {
            self.resolve_after_in(tx, &item.record, kept.point.kind).await?;
        }
        update(tx, item).await?;
        Ok(())
    }

    /// A full begins anew on the line of history that the database is on now.
    async fn keep_fork(&self, tx: &mut dyn Transaction, ground: &Ground, kept: &Kept) -> Result<(), Trouble> {
        let set = &kept.point.set;
        if kept.point.kind != BackupKind::Full {
            return Ok(());
        }
        let mut database = demand::<Database>(tx, &self.key, &ground.database.id.to_string()).await?;
        let record = &mut database.record;
        let before = (record.recovery_fork, record.database_guid);
        record.recovery_fork = Some(set.fork);
        // Replicas of a group have one each, and a database that was restored over has a new one.
        if record.group.is_none() && set.family_guid == record.family_guid {
            record.database_guid = set.database_guid.or(record.database_guid);
        }
        if before != (record.recovery_fork, record.database_guid) {
            update(tx, database).await?;
        }
        Ok(())
    }
}

/// What a new point changes of its item.
fn take_in(item: &mut Item, kept: &Kept, point: &Point, is_newest: bool) {
    item.failures.remove(&kept.work.asked);
    item.failures.remove(&point.kind);
    // One that SQL Server took counts, whatever the vault thinks of its bytes: else it would be taken again each hour.
    if kept.is_the_vaults && point.kind == BackupKind::Full {
        item.healed = Some(point.ended);
    }
    if !is_newest {
        return;
    }
    // A log that ended meanwhile goes on from where it ended.
    if kept.anchors && item.log_end == kept.work.log_end_before {
        item.log_end = None;
    }
    advance(item, point);
    let is_wanted = item.healing.as_ref().map(|healing| healing.kind);
    if point.grade != Grade::Disputed && (kept.heals || is_wanted == Some(point.kind)) {
        item.healing = None;
    }
}

/// The same of a log from the server's disk: the chain went on when it was written there, and it says nothing of the backups of now.
fn take_in_brought(item: &mut Item, point: &Point, is_newest: bool) {
    if is_newest {
        let (end, failures) = (item.log_end.clone(), item.failures.clone());
        advance(item, point);
        (item.log_end, item.failures) = (end, failures);
    }
}

fn note_point(job: &mut Job, kept: &Kept, point: PointId, now: Timestamp) {
    job.point = Some(point);
    job.bytes = kept.point.bytes;
    job.percent = Some(100.0);
    for warning in &kept.warnings {
        if !job.warnings.contains(warning) {
            job.warnings.push(warning.clone());
        }
    }
    if let Some(sent) = kept.work.sent {
        let seconds = now.duration_since(sent).as_secs_f64();
        super::running::note_speed(job, seconds);
    }
    if let Work::Backup(work) = &mut job.work {
        work.set = Some(kept.point.set.guid);
    }
}

fn key_of_set(ground: &Ground, set: &SetFacts) -> Range {
    Range::exactly(tuple(&[&ground.container.id.to_string(), &set.guid.to_string()]))
}

/// Until when a user wants it kept: as was said, or for a full as the policy has it of backups on demand.
fn keep_until(trigger: &Trigger, work: &BackupWork, ground: &Ground, ended: Timestamp) -> Option<Timestamp> {
    let by_policy = || on_demand_days(&ground.policy, trigger, work.kind);
    let days = work.keep_days.or_else(by_policy)?;
    ended
        .checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .ok()
}

/// For how many days the policy keeps what a user wanted without a word on that.
pub(super) fn on_demand_days(policy: &schedule::Policy, trigger: &Trigger, kind: BackupKind) -> Option<u32> {
    let is_wanted = *trigger == Trigger::OnDemand && kind.is_full();
    is_wanted.then_some(policy.on_demand.retention.0)
}
