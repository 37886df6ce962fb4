//! The decision before a backup: the rules of [`super::preflight`] asked of this database now, and the claim to heal.
//!
//! A job goes by what runs: a scheduled log or differential that becomes a full is a full from then on, for the conflict rule as for
//! seats. A log gives its seat back for that and waits for one of those that fulls may have.

use catalog::record::{HealingReason, Item, ItemId, Job, JobId, ServerFolder, Trigger, Work};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, page, scoped, update};
use faults::{Code, Fault};
use jiff::SignedDuration;
use mssql::databases::Database;
use schedule::database::supports;
use schedule::{BackupKind, Size};

use super::failing::look_again_for_full;
use super::ground::{Ground, facts_of};
use super::making::estimate;
use super::overflow::is_overflowing;
use super::preflight::{Barred, Broken, Case, Healing, Response, Wanted, broken, refusal, respond};
use super::taking::warn;
use crate::jobs::{Doing, Ending};
use crate::records::{Trouble, fault};
use crate::scheduler::about;
use crate::shelf::Space;
use crate::vault::Vault;

/// A healing full of one database is not followed by another before this time.
const BETWEEN_HEALINGS: SignedDuration = SignedDuration::from_hours(24);

/// What is done.
pub(super) enum Decision {
    /// This kind is taken.
    Take(BackupKind),
    /// A log is taken into this folder on the server.
    TakeOntoServer(ServerFolder),
    /// Nothing is; the job ends so.
    End(Ending),
}

/// Whether there is room for a backup of this kind. Below a tenth free, fulls and differentials wait; below a fiftieth, logs too.
pub(super) fn room(space: &Space, kind: BackupKind) -> Result<(), Code> {
    let is_below = |part: u64| space.free < space.total / part;
    if is_below(50) {
        Err(Code::Bac2StoreDiskFull)
    } else if is_below(10) && kind != BackupKind::Log {
        Err(Code::Bac2StoreDiskFilling)
    } else {
        Ok(())
    }
}

/// What people are told of a disk without room.
pub(super) fn no_room(code: Code, space: &Space, kind: BackupKind) -> Fault {
    let mut why = format!("{} of {} bytes are free", space.free, space.total);
    if kind == BackupKind::Log {
        why.push_str("; with a folder of its own server (logOverflow) the log would be there by now");
    }
    Fault::new(code).because(&why)
}

impl Vault {
    /// Decides what is taken of a database. `is_secondary`: the instance is a secondary replica, whose word on the chain does not
    /// count; `is_put_back`: see [`Vault::is_put_back`].
    ///
    /// # Errors
    /// Why nothing can be taken.
    pub(super) async fn decide(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        seen: &Database,
        asked: BackupKind,
        is_secondary: bool,
        is_put_back: bool,
    ) -> Result<Decision, Fault> {
        let target = ground.target();
        match refusal(&case(ground, seen, asked)) {
            None => {}
            Some(Barred::Skipped(warning)) => {
                let warning = warning.at(&target);
                self.raise(about("unsupported", &ground.item, asked), warning.clone())
                    .await?;
                return Ok(Decision::End(Ending::Done(vec![warning])));
            }
            Some(Barred::Failed(fault)) => return Err(fault.at(&target)),
        }
        let space = self.world.shelf.space().await.map_err(super::shelf_fault)?;
        let chain = self.chain(ground, seen, is_put_back).await?;
        let kind = match broken(asked, &chain).filter(|_| !is_secondary) {
            None => {
                // A full puts right what is broken for the log, whoever wanted it; its logs then stand on it alone.
                let takes_logs = supports(BackupKind::Log, &facts_of(seen, &ground.database)).is_ok();
                let is_broken = broken(BackupKind::Log, &chain).is_some();
                let anchors = asked.is_full() && takes_logs && is_broken && !is_secondary;
                if let Some(ending) = self.note_kind(doing, ground, asked, None, anchors).await? {
                    return Ok(Decision::End(ending));
                }
                asked
            }
            Some(broken) => match self.answer(doing, ground, seen, &broken, &space).await? {
                Decision::Take(kind) => kind,
                end => return Ok(end),
            },
        };
        if kind == BackupKind::Log
            && is_overflowing(&space)
            && let Some(folder) = &ground.server.settings.log_overflow
        {
            return Ok(Decision::TakeOntoServer(folder.clone()));
        }
        room(&space, kind).map_err(|code| no_room(code, &space, kind))?;
        Ok(Decision::Take(kind))
    }

    async fn answer(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        seen: &Database,
        broken: &Broken,
        space: &Space,
    ) -> Result<Decision, Fault> {
        let target = ground.target();
        let was_log = super::ground::work_of(doing)?.kind == BackupKind::Log;
        let mut healing = match ground.wanted {
            Wanted::Scheduled => self.may_heal(doing, ground, seen).await?,
            _ => Healing::Off,
        };
        if healing == Healing::Now && room(space, BackupKind::Full).is_err() {
            // The log may have room, and keeps the server's log from growing.
            healing = Healing::Later("the store has no room for a full".to_owned());
        }
        if broken.reason == HealingReason::SnapshotPutBack {
            let put_back = Fault::new(Code::Bac2SnapshotPutBack)
                .at(&target)
                .because(broken.fault.detail());
            self.raise(about("putBack", &ground.item, BackupKind::Full), put_back)
                .await?;
        }
        if ground.wanted == Wanted::Scheduled
            && healing == Healing::Now
            && let Some(why) = self.claim_healing(doing, ground, broken.reason).await?
        {
            healing = Healing::Later(why);
        }
        let full = self.open_full(ground, doing.job.id).await?;
        if full.is_some() && ground.wanted == Wanted::Scheduled && !broken.can_go_on {
            // A full is under way already: what stands on it waits for it.
            let again = look_again_for_full(doing.job.created, self.now());
            let slot = ground.item.due.get(&super::ground::work_of(doing)?.asked);
            if let Some(at) = again.filter(|at| slot.is_none_or(|slot| at < slot)) {
                return Ok(Decision::End(Ending::Again(broken.fault.clone().at(&target), at)));
            }
        }
        if let Healing::Later(why) = &healing
            && awaits_first_full(ground, broken)
        {
            return self.wait_for_first_full(doing, ground, broken, why).await;
        }
        match respond(broken, ground.wanted, &healing) {
            Response::Convert => {
                let warning = Fault::new(Code::Bac2BackupConverted)
                    .at(&target)
                    .because(&broken.fault.happened());
                let put_back = (broken.reason == HealingReason::SnapshotPutBack)
                    .then(|| Fault::new(Code::Bac2SnapshotPutBack).at(&target));
                let reason = Some(broken.reason);
                let ending = self
                    .note_kind(doing, ground, BackupKind::Full, reason, true)
                    .await?;
                if let Some(ending) = ending {
                    return Ok(Decision::End(ending));
                }
                if was_log {
                    // It sits where only logs may, and waits for a seat of its own.
                    return Ok(Decision::End(Ending::Again(warning, self.now())));
                }
                warn(doing, [Some(warning), put_back]).await?;
                Ok(Decision::Take(BackupKind::Full))
            }
            Response::GoOn(warning, wants) => {
                if wants {
                    self.want_healing(ground.item.id, BackupKind::Full, broken.reason)
                        .await?;
                }
                let log = BackupKind::Log;
                if let Some(ending) = self.note_kind(doing, ground, log, None, false).await? {
                    return Ok(Decision::End(ending));
                }
                warn(doing, [Some(warning.at(&target)), None]).await?;
                Ok(Decision::Take(log))
            }
            Response::Fail(fault, wants) => {
                if wants {
                    self.want_healing(ground.item.id, BackupKind::Full, broken.reason)
                        .await?;
                }
                Err(fault.at(&target))
            }
        }
    }

    /// Leaves a slot of a log or a differential out, since nothing is there yet that it could stand on.
    async fn wait_for_first_full(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        broken: &Broken,
        why: &str,
    ) -> Result<Decision, Fault> {
        let asked = super::ground::work_of(doing)?.asked;
        if let Some(ending) = self.note_kind(doing, ground, asked, None, false).await? {
            return Ok(Decision::End(ending));
        }
        self.want_healing(ground.item.id, BackupKind::Full, broken.reason)
            .await?;
        let warning = Fault::new(Code::UserErrorParentFullBackupMissing)
            .at(&ground.target())
            .because(&format!("its first full is still to come: {why}"));
        Ok(Decision::End(Ending::Done(vec![warning])))
    }

    /// Writes down what runs and why, where that is something else than the job says. How the job ends where another one of that
    /// kind is open by now: a log that was to become a full, and need not, was passed by the next slot's.
    async fn note_kind(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        kind: BackupKind,
        converted: Option<HealingReason>,
        anchors: bool,
    ) -> Result<Option<Ending>, Fault> {
        let work = super::ground::work_of(doing)?;
        if (work.kind, work.converted, work.anchors) == (kind, converted, anchors) {
            return Ok(None);
        }
        let (id, item) = (doing.job.id, ground.item.id);
        let noted = self
            .transact(move |tx| {
                scoped(async move {
                    if let Some(other) = self.other_open(tx, item, kind, id).await? {
                        return Ok(Err(other));
                    }
                    let mut job = demand::<Job>(tx, &self.key, &id.to_string()).await?;
                    if let Work::Backup(work) = &mut job.record.work {
                        work.kind = kind;
                        work.converted = converted;
                        work.anchors = anchors;
                    }
                    Ok(Ok(update(tx, job).await?.record))
                })
            })
            .await?;
        match noted {
            Ok(job) => {
                doing.job = job;
                Ok(None)
            }
            Err(other) => self.passed_by(doing, ground, other).await.map(Some),
        }
    }

    /// The end of a job that would be a second one of its kind.
    async fn passed_by(&self, doing: &Doing<'_>, ground: &Ground, other: JobId) -> Result<Ending, Fault> {
        let asked = super::ground::work_of(doing)?.asked;
        let why = format!("job {other} is not over yet");
        let fault = Fault::new(Code::OperationCancelledBecauseConflictingOperationRunningUserError)
            .at(&ground.target())
            .because(&why);
        if let Trigger::Scheduled { slot } = doing.job.trigger {
            let mut about = about("missed", &ground.item, asked);
            about.missed = Some((asked, slot));
            let missed = Fault::new(Code::Bac2ScheduleMissed).because(&format!("{slot}: {why}"));
            self.raise(about, missed).await?;
        }
        Ok(Ending::Cancelled(fault))
    }

    /// An open job of an item and kind that is another one than `own`.
    async fn other_open(
        &self,
        tx: &mut dyn Transaction,
        item: ItemId,
        kind: BackupKind,
        own: JobId,
    ) -> Result<Option<JobId>, Trouble> {
        let range = Range::members(&[&item.to_string(), kind.name(), "open"]);
        let query = Query::of(Scope::vault(&self.key), Slot::B, range).limit(2);
        let open = page::<Job>(tx, &query).await?.records;
        Ok(open.iter().map(|job| job.record.id).find(|id| *id != own))
    }

    /// Whether a healing full may begin with this job.
    async fn may_heal(&self, doing: &Doing<'_>, ground: &Ground, seen: &Database) -> Result<Healing, Fault> {
        if !ground.server.settings.auto_heal {
            return Ok(Healing::Off);
        }
        let (policy, item, now) = (&ground.policy, &ground.item, self.now());
        let size = Size::bytes(estimate(seen, BackupKind::Full));
        let Some(begin) = policy.healing.may_begin(&policy.time_zone, now, size) else {
            return Ok(Healing::Off);
        };
        if begin > now {
            return Ok(Healing::Later(format!("large fulls wait for {begin}")));
        }
        if let Some(wanted) = item.healing.as_ref().filter(|wanted| wanted.not_before > now) {
            return Ok(Healing::Later(format!("it waits for {}", wanted.not_before)));
        }
        if item
            .healed
            .is_some_and(|healed| now.duration_since(healed) < BETWEEN_HEALINGS)
        {
            return Ok(Healing::Later("the last one is less than a day old".to_owned()));
        }
        Ok(match self.open_full(ground, doing.job.id).await? {
            Some(job) => Healing::Later(format!("job {job} takes one")),
            None => Healing::Now,
        })
    }

    /// A full of the item that is queued or runs, and is another job than `own`.
    async fn open_full(&self, ground: &Ground, own: JobId) -> Result<Option<JobId>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        self.other_open(tx.as_mut(), ground.item.id, BackupKind::Full, own)
            .await
            .map_err(Trouble::fault)
    }

    /// Makes this job the one that heals on its instance; why not, where another one is in the way.
    async fn claim_healing(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        reason: HealingReason,
    ) -> Result<Option<String>, Fault> {
        // Healing jobs are kept under the item's instance, whatever replica takes the backup.
        let (id, server) = (doing.job.id, doing.job.server.unwrap_or(ground.item.server));
        let item = ground.item.id;
        let claimed = self
            .transact(move |tx| {
                scoped(async move {
                    let claimed = self.claimed_by(tx, server, Some(id)).await?;
                    let full = self.other_open(tx, item, BackupKind::Full, id).await?;
                    if let Some(other) = claimed {
                        return Ok(Err(format!("job {other} heals another database of the instance")));
                    }
                    if let Some(other) = full {
                        return Ok(Err(format!("job {other} takes one")));
                    }
                    let mut job = demand::<Job>(tx, &self.key, &id.to_string()).await?;
                    if let Work::Backup(work) = &mut job.record.work {
                        work.kind = BackupKind::Full;
                        work.converted = Some(reason);
                    }
                    Ok(Ok(update(tx, job).await?.record))
                })
            })
            .await?;
        match claimed {
            Ok(job) => {
                doing.job = job;
                Ok(None)
            }
            Err(why) => Ok(Some(why)),
        }
    }
}

/// Whether a scheduled backup has nothing to stand on only because the vault has not come to the first full yet. Where one failed,
/// that is a failure of all that needs it.
fn awaits_first_full(ground: &Ground, broken: &Broken) -> bool {
    let item: &Item = &ground.item;
    ground.wanted == Wanted::Scheduled
        && broken.reason == HealingReason::FullMissing
        && !broken.can_go_on
        && !item.last.contains_key(&BackupKind::Full)
        && !item.failures.contains_key(&BackupKind::Full)
}

fn case<'g>(ground: &'g Ground, seen: &Database, asked: BackupKind) -> Case<'g> {
    let item: &Item = &ground.item;
    Case {
        kind: asked,
        wanted: ground.wanted,
        is_shadow: ground.policy.mode == schedule::policy::Mode::Shadow,
        facts: facts_of(seen, &ground.database),
        was_in_group: ground.database.group.is_some(),
        is_in_group: seen.replica.is_some(),
        is_permitted: match asked {
            BackupKind::Log => seen.may_back_up_log,
            _ => seen.may_back_up,
        },
        foreign: item.foreign_owner.as_ref(),
        is_log_shipped: ground.database.state.is_log_shipped,
        is_taken_over: item.took_over.is_some(),
    }
}
