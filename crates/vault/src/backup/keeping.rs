//! From SQL Server's success to the recovery point: proof, LSNs and seal; then it is written down (`writing`).
//!
//! Everything here can be done again: a crash between any two steps leaves a job whose outcome is known, and the point is one for a
//! container and a BackupSetGUID. So a set is held against the chain as it was when its statement was sent: the set may be a part
//! of the chain already, put there by the crashed attempt or from the record beside its blobs.

use azblob::names::{BlobName, ContainerName};
use catalog::record::{BackupWork, Grade, HealingReason, Item, Point, SetFacts, Trigger};
use faults::{Code, Fault};
use mssql::history::Set;
use schedule::BackupKind;

use super::facts::{Header, complete, of_header, of_history};
use super::grade::Judged;
use super::ground::{Ground, lsn, release, work_of};
use super::matching::{is_of, mismatch};
use super::meeting::{Before, gap};
use super::taking::container_of;
use super::writing::Kept;
use crate::jobs::{Doing, Ending};
use crate::vault::Vault;

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
        // What another job began is healing where that one was.
        let by_healing = matches!(doing.job.trigger, Trigger::Healing { .. }) && work.adopts.is_none();
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
        // As it is now: a full that ran beside this one may have put right what was broken.
        let item = &self.get::<Item>(item.id).await?.record;
        let now = self.before(ground, item).await?;
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

    async fn before(&self, ground: &Ground, item: &Item) -> Result<Before, Fault> {
        Ok(Before {
            log_end: item.log_end.as_deref().and_then(lsn),
            anchor: self.anchor(item).await?,
            base: item.base,
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
            BackupKind::Log => Fault::new(Code::Bac2LogReanchored),
            _ => Fault::new(Code::Bac2StreamDisputed),
        };
        match work.kind {
            _ if has_gone_on(ground, work) => {}
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
                        if item.log_end == work.log_end_before {
                            item.log_end = Some(end.to_string());
                        }
                        Ok(())
                    })
                    .await?;
                }
            }
            BackupKind::Full => {
                self.want_healing(ground.item.id, BackupKind::Full, HealingReason::FullMissing)
                    .await?;
            }
            BackupKind::CopyOnlyFull | BackupKind::Differential => {}
        }
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
}

/// Whether the chain has gone on since the statement of a job that was given up: what it took, and nobody has, was missed and put
/// right then.
fn has_gone_on(ground: &Ground, work: &BackupWork) -> bool {
    let item = &ground.item;
    let is_later = |kind| {
        let last = item.last.get(&kind);
        last.is_some_and(|last| work.sent.is_some_and(|sent| last.at > sent))
    };
    let is_passed = is_later(BackupKind::Full) || work.kind == BackupKind::Log && is_later(BackupKind::Log);
    work.adopts.is_some() && is_passed
}

/// What anchors logs anew: a differential where the base is the vault's, else a full.
pub(super) fn anchor_kind(ground: &Ground) -> BackupKind {
    match ground.item.base {
        Some(_) => BackupKind::Differential,
        None => BackupKind::Full,
    }
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
