//! From SQL Server's success to the recovery point: proof, LSNs, seal, the record beside the blobs, and one transaction.
//!
//! Everything here can be done again: a crash between any two steps leaves a job whose outcome is known, and the point is one for a
//! container and a BackupSetGUID. So a set is held against the chain as it was when its statement was sent: the set may be a part
//! of the chain already, put there by the crashed attempt or from the record beside its blobs.

use azblob::names::{BlobName, ContainerName};
use catalog::keys::tuple;
use catalog::record::{
    BackupWork, Database, Grade, HealingReason, Item, Job, LastBackup, Point, PointId, SetFacts, Trigger,
    Work,
};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, insert, page, scoped, update};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};
use mssql::history::Set;
use schedule::BackupKind;

use super::facts::{Header, complete, of_header, of_history};
use super::grade::Judged;
use super::ground::{Ground, lsn, release, work_of};
use super::matching::{is_of, mismatch};
use super::meeting::{Before, gap};
use super::record::{Owner, SetRecord};
use super::taking::container_of;
use crate::jobs::{Doing, Ending};
use crate::records::Trouble;
use crate::scheduler::about;
use crate::vault::Vault;

/// What is about to be written down.
struct Kept {
    point: Point,
    work: BackupWork,
    /// It puts the chain right: logs stand on it from now on.
    anchors: bool,
    /// The vault took it to heal, in place of nothing or of another kind: one such full a day. What a user asked for is none.
    is_the_vaults: bool,
    /// A healing backup was wanted, and this is one.
    heals: bool,
    warnings: Vec<Fault>,
}

/// What SQL Server and the stream say of a set.
enum Known {
    /// What there is of it.
    Set(Box<SetFacts>),
    /// The stream is another set, and `msdb` has none of this job.
    Another,
}

impl Vault {
    /// Waits for the proof and keeps the point; then has SQL Server read the backup, where the policy wants that.
    ///
    /// # Errors
    /// Store, catalog or instance do not answer; the job is taken up again.
    pub(super) async fn prove_and_keep(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        row: Option<Box<Set>>,
    ) -> Result<Ending, Fault> {
        // Written already where a crash came after it: nothing of it is judged again, by a chain that has gone on since.
        let point = match doing.job.point {
            Some(point) => self.find::<Point>(point).await?.map(|point| point.record),
            None => match self.prove(doing, ground, row).await? {
                Ok(point) => Some(point),
                Err(lost) => return Ok(lost),
            },
        };
        self.clean_left(doing).await;
        if let Some(point) = point
            && ground.policy.writing.verify_only
            && !doing.is_cancelled()
        {
            self.verify_by_engine(doing, ground, point).await?;
        }
        Ok(Ending::Done(Vec::new()))
    }

    /// Waits for the proof and writes the point down; how the job ends where there is nothing to keep.
    async fn prove(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        row: Option<Box<Set>>,
    ) -> Result<Result<Point, Ending>, Fault> {
        doing.begin("Prove").await?;
        let work = work_of(doing)?;
        let container = container_of(ground)?;
        let blobs = blob_names(&work)?;
        let mut judged = self.wait_for_proof(&container, &blobs).await?;
        if judged.is_lost {
            return self.lost(doing, ground, &work, row).await.map(Err);
        }
        let set = match self.set_facts(ground, &work, &mut judged, row.as_deref()).await? {
            Known::Set(set) => *set,
            Known::Another => return self.lost(doing, ground, &work, None).await.map(Err),
        };
        doing
            .end(&match judged.reasons.as_slice() {
                [] => "sound".to_owned(),
                reasons => reasons.join("; "),
            })
            .await?;
        let warnings = self.warnings(ground, &work, &judged, &set).await?;
        for blob in &blobs {
            self.seal(&container, blob).await?;
        }
        let point = self.point(doing, ground, &work, judged, set).await?;
        self.put_set_record(ground, &container, &point).await?;
        let is_usable = point.grade != Grade::Disputed;
        let by_healing = matches!(doing.job.trigger, Trigger::Healing { .. });
        let is_healing = by_healing || work.anchors;
        let kept = Kept {
            anchors: is_usable && point.kind.is_full() && is_healing,
            is_the_vaults: by_healing || (work.converted.is_some() && work.asked != work.kind),
            heals: is_usable && point.kind == BackupKind::Full,
            warnings,
            point,
            work,
        };
        self.keep(doing, ground, &kept).await?;
        self.bell.ring();
        Ok(Ok(kept.point))
    }

    /// What is known of the set: its headers, and its row in `msdb`. A stream that is another set than SQL Server wrote is disputed,
    /// and what is kept is what SQL Server says.
    async fn set_facts(
        &self,
        ground: &Ground,
        work: &BackupWork,
        judged: &mut Judged,
        row: Option<&Set>,
    ) -> Result<Known, Fault> {
        let families = u16::try_from(work.blobs.len()).unwrap_or(u16::MAX);
        let by_header = judged.set.as_ref().and_then(|set| {
            of_header(&Header {
                set,
                log: judged.log.as_ref(),
                families,
            })
        });
        let mut asked = None;
        if row.is_none() {
            match self.row_of_job(ground, work, judged.set.as_ref()).await {
                Ok(found) => asked = found,
                // The stream says by itself whose it is.
                Err(_) if by_header.is_some() => {}
                Err(fault) => return Err(fault),
            }
        }
        let row = row.or(asked.as_ref());
        let (build, _) = release(&ground.server)?;
        let version = format!("{}.{}.{}", build.major, build.minor, build.build);
        let by_row = row.and_then(|row| of_history(row, &version));
        let mismatch = judged.set.as_ref().and_then(|stream| mismatch(work, stream, row));
        if let Some(why) = mismatch {
            judged.grade = Grade::Disputed;
            judged
                .reasons
                .push(format!("not the set that SQL Server wrote: {why}"));
            return Ok(by_row.map_or(Known::Another, |facts| Known::Set(Box::new(facts))));
        }
        let is_readable = judged.grade == Grade::Proved || judged.grade == Grade::Disputed;
        let facts = match (by_header, by_row, row) {
            (Some(mut facts), _, Some(row)) if is_readable => {
                complete(&mut facts, row);
                Some(facts)
            }
            (_, Some(facts), _) => Some(facts),
            (facts, None, _) => facts,
        };
        // The instance answered: it has no row, and never will have.
        Ok(facts.map_or(Known::Another, |facts| Known::Set(Box::new(facts))))
    }

    /// The row of this job's backup, by the id in the stream where that is this job's, else by the mark.
    async fn row_of_job(
        &self,
        ground: &Ground,
        work: &BackupWork,
        stream: Option<&bak::BackupSet>,
    ) -> Result<Option<Set>, Fault> {
        let marker = work.marker.as_deref().unwrap_or_default();
        let ours = stream.filter(|stream| stream.backup_description == marker);
        if let Some(guid) = ours.and_then(|stream| stream.backup_set_guid) {
            let row = self.row_of(ground, Some(guid), marker).await?;
            // No row under it: the history could not be written, or was purged.
            if row.as_ref().is_none_or(|row| is_of(work, row)) {
                return Ok(row);
            }
        }
        self.row_of(ground, None, marker).await
    }

    /// What people should know, and what of it asks for healing: that is wanted before the point is written, since it can be wanted
    /// twice.
    async fn warnings(
        &self,
        ground: &Ground,
        work: &BackupWork,
        judged: &Judged,
        set: &SetFacts,
    ) -> Result<Vec<Fault>, Fault> {
        let mut warnings = Vec::new();
        let target = ground.target();
        let item = &ground.item;
        if judged.grade == Grade::Disputed {
            warnings.push(
                Fault::new(Code::Bac2StreamDisputed)
                    .at(&target)
                    .because(&judged.reasons.join("; ")),
            );
            match work.kind {
                BackupKind::Full => {
                    self.want_healing(item.id, BackupKind::Full, HealingReason::FullMissing)
                        .await?;
                }
                BackupKind::Log => {
                    self.want_healing(item.id, anchor_kind(ground), HealingReason::LogLost)
                        .await?;
                }
                BackupKind::CopyOnlyFull | BackupKind::Differential => {}
            }
        }
        let now = self.before(ground).await?;
        let when_sent = Before {
            log_end: work.log_end_before.as_deref().and_then(lsn),
            ..now.clone()
        };
        // What was converted, or heals, does not continue what is broken. What another full put right meanwhile is right.
        if !work.anchors
            && let Some(gap) = gap(work.kind, set, &when_sent)
            && super::meeting::gap(work.kind, set, &now).is_some()
        {
            warnings.push(
                Fault::new(Code::UserErrorSQLLSNValidationFailure)
                    .at(&target)
                    .because(&gap.why),
            );
            if item.healing.is_none() {
                self.want_healing(item.id, BackupKind::Full, gap.reason).await?;
            }
        }
        Ok(warnings)
    }

    async fn before(&self, ground: &Ground) -> Result<Before, Fault> {
        Ok(Before {
            log_end: ground.item.log_end.as_deref().and_then(lsn),
            anchor: self.anchor(&ground.item).await?,
            base: ground.item.base,
            family: ground.database.family_guid,
        })
    }

    /// Nothing of a backup is in the store that SQL Server calls a success: its log is cut off, and nobody has it.
    async fn lost(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        work: &BackupWork,
        row: Option<Box<Set>>,
    ) -> Result<Ending, Fault> {
        let fault = match work.kind {
            BackupKind::Log => {
                let marker = work.marker.as_deref().unwrap_or_default();
                let row = match row {
                    Some(row) => Some(*row),
                    None => self.row_of(ground, None, marker).await?,
                };
                self.want_healing(ground.item.id, anchor_kind(ground), HealingReason::LogLost)
                    .await?;
                if let Some(end) = row.and_then(|row| row.last_lsn) {
                    // The next log begins here; what lies before it is lost until the healing backup stands.
                    self.change::<Item, _>(ground.item.id, |item| {
                        item.log_end = Some(end.to_string());
                        Ok(())
                    })
                    .await?;
                }
                Fault::new(Code::Bac2LogReanchored)
            }
            BackupKind::Full => {
                self.want_healing(ground.item.id, BackupKind::Full, HealingReason::FullMissing)
                    .await?;
                Fault::new(Code::Bac2StreamDisputed)
            }
            _ => Fault::new(Code::Bac2StreamDisputed),
        };
        let fault = fault
            .at(&ground.target())
            .because("SQL Server succeeded, and the backup is not in the store");
        Ok(self.give_up(doing, fault, work.asked).await)
    }

    async fn seal(&self, container: &ContainerName, blob: &BlobName) -> Result<(), Fault> {
        match self.world.shelf.seal(container, blob).await {
            // A stripe that is not there, or was never committed, has nothing to seal; the grade says so.
            Ok(()) | Err(crate::shelf::ShelfError::Missing(_)) => Ok(()),
            Err(error) => {
                let seen = self
                    .world
                    .shelf
                    .look(container, blob)
                    .await
                    .map_err(super::shelf_fault)?;
                match seen {
                    Some(seen) if seen.is_committed => Err(super::shelf_fault(error)),
                    _ => Ok(()),
                }
            }
        }
    }

    async fn point(
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
            ended,
            bytes: judged.bytes,
            keep_until: keep_until(&doing.job.trigger, work, ground, ended),
            set,
        })
    }

    async fn point_of_set(&self, ground: &Ground, set: &SetFacts) -> Result<Option<Point>, Fault> {
        let found = self.list::<Point>(Slot::B, key_of_set(ground, set)).await?;
        Ok(found.into_iter().next().map(|point| point.record))
    }

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
                server: ground.server.id,
                server_name: &ground.server.name,
                database_name: &ground.database.name,
                policy_name: &ground.policy.name,
            },
        );
        self.world
            .shelf
            .put_record(container, &record.name(), record.encode()?)
            .await
            .map_err(super::shelf_fault)
    }

    /// Point, item, database, job and notices, all or nothing.
    async fn keep(&self, doing: &mut Doing<'_>, ground: &Ground, kept: &Kept) -> Result<(), Fault> {
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
        job: catalog::record::JobId,
    ) -> Result<(), Trouble> {
        let mut item = demand::<Item>(tx, &self.key, &ground.item.id.to_string()).await?;
        advance(&mut item.record, kept, point, job);
        for kind in [kept.work.asked, kept.work.kind] {
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
fn advance(item: &mut Item, kept: &Kept, point: PointId, job: catalog::record::JobId) {
    let (kind, set) = (kept.point.kind, &kept.point.set);
    item.failures.remove(&kept.work.asked);
    item.failures.remove(&kind);
    if kind == BackupKind::Log {
        item.log_end = Some(set.last_lsn.clone());
    }
    // A log that ended meanwhile goes on from where it ended.
    if kept.anchors && item.log_end == kept.work.log_end_before {
        item.log_end = None;
    }
    // One that SQL Server took counts, whatever the vault thinks of its bytes: else it would be taken again each hour.
    if kept.is_the_vaults && kind == BackupKind::Full {
        item.healed = Some(kept.point.ended);
    }
    if kept.point.grade == Grade::Disputed {
        return;
    }
    let last = LastBackup {
        job,
        point,
        at: kept.point.ended,
    };
    item.last.insert(kind, last);
    if kind == BackupKind::Full {
        item.base = Some(set.guid);
    }
    let is_wanted = item.healing.as_ref().map(|healing| healing.kind);
    if kept.heals || is_wanted == Some(kind) {
        item.healing = None;
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

/// What anchors logs anew: a differential where the base is the vault's, else a full.
fn anchor_kind(ground: &Ground) -> BackupKind {
    match ground.item.base {
        Some(_) => BackupKind::Differential,
        None => BackupKind::Full,
    }
}

fn key_of_set(ground: &Ground, set: &SetFacts) -> Range {
    Range::exactly(tuple(&[&ground.container.id.to_string(), &set.guid.to_string()]))
}

/// Until when a user wants it kept: as was said, or for a full as the policy has it of backups on demand.
fn keep_until(trigger: &Trigger, work: &BackupWork, ground: &Ground, ended: Timestamp) -> Option<Timestamp> {
    if *trigger != Trigger::OnDemand {
        return None;
    }
    let by_policy = || work.kind.is_full().then_some(ground.policy.on_demand.retention.0);
    let days = work.keep_days.or_else(by_policy)?;
    ended
        .checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .ok()
}

pub(super) fn blob_names(work: &BackupWork) -> Result<Vec<BlobName>, Fault> {
    names_of(&work.blobs)
}

pub(super) fn names_of(blobs: &[String]) -> Result<Vec<BlobName>, Fault> {
    blobs
        .iter()
        .map(|name| {
            BlobName::new(name.clone()).map_err(|_| {
                Fault::new(Code::Bac2InternalError).because(&format!("{name} is no name of a blob"))
            })
        })
        .collect()
}
