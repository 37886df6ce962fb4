//! The decision before a backup: the rules of [`super::preflight`] asked of this database now, and the claim to heal.

use catalog::record::{HealingReason, Item, Job, JobId, Work};
use catalog::{Range, Slot, demand, scoped, update};
use faults::{Code, Fault};
use jiff::SignedDuration;
use mssql::databases::Database;
use schedule::database::supports;
use schedule::{BackupKind, Size};

use super::failing::look_again_for_full;
use super::ground::{Ground, facts_of};
use super::making::estimate;
use super::preflight::{Barred, Broken, Case, Healing, Response, Wanted, broken, refusal, respond};
use super::taking::warn;
use crate::jobs::{Doing, Ending};
use crate::scheduler::about;
use crate::shelf::Space;
use crate::vault::Vault;

/// A healing full of one database is not followed by another before this time.
const BETWEEN_HEALINGS: SignedDuration = SignedDuration::from_hours(24);

/// What is done.
pub(super) enum Decision {
    /// This kind is taken.
    Take(BackupKind),
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
                self.note_kind(doing, asked, None, anchors).await?;
                asked
            }
            Some(broken) => match self.answer(doing, ground, seen, &broken, &space).await? {
                Decision::Take(kind) => kind,
                end => return Ok(end),
            },
        };
        room(&space, kind).map_err(|code| {
            let why = format!("{} of {} bytes are free", space.free, space.total);
            Fault::new(code).because(&why)
        })?;
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
        let mut healing = match ground.wanted {
            Wanted::Scheduled => self.may_heal(ground, seen).await?,
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
            && let Some(other) = self.claim_healing(doing, ground, broken.reason).await?
        {
            healing = Healing::Later(format!("job {other} heals another database of the instance"));
        }
        let full = self.open_full(ground).await?;
        if full.is_some() && ground.wanted == Wanted::Scheduled && !broken.can_go_on {
            // A full is under way already: what stands on it waits for it.
            let again = look_again_for_full(doing.job.created, self.now());
            let slot = ground.item.due.get(&super::ground::work_of(doing)?.asked);
            if let Some(at) = again.filter(|at| slot.is_none_or(|slot| at < slot)) {
                return Ok(Decision::End(Ending::Again(broken.fault.clone().at(&target), at)));
            }
        }
        match respond(broken, ground.wanted, &healing) {
            Response::Convert => {
                let warning = Fault::new(Code::Bac2BackupConverted)
                    .at(&target)
                    .because(&broken.fault.happened());
                let put_back = (broken.reason == HealingReason::SnapshotPutBack)
                    .then(|| Fault::new(Code::Bac2SnapshotPutBack).at(&target));
                self.note_kind(doing, BackupKind::Full, Some(broken.reason), true)
                    .await?;
                warn(doing, [Some(warning), put_back]).await?;
                Ok(Decision::Take(BackupKind::Full))
            }
            Response::GoOn(warning, wants) => {
                if wants {
                    self.want_healing(ground.item.id, BackupKind::Full, broken.reason)
                        .await?;
                }
                warn(doing, [Some(warning.at(&target)), None]).await?;
                Ok(Decision::Take(BackupKind::Log))
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

    /// Writes down what runs and why, where that is something else than the job says.
    async fn note_kind(
        &self,
        doing: &mut Doing<'_>,
        kind: BackupKind,
        converted: Option<HealingReason>,
        anchors: bool,
    ) -> Result<(), Fault> {
        let is_so = |job: &Job| match &job.work {
            Work::Backup(work) => (work.kind, work.converted, work.anchors) == (kind, converted, anchors),
            _ => true,
        };
        if is_so(&doing.job) {
            return Ok(());
        }
        doing
            .write(|job| {
                if let Work::Backup(work) = &mut job.work {
                    work.kind = kind;
                    work.converted = converted;
                    work.anchors = anchors;
                }
            })
            .await
    }

    /// Whether a healing full may begin with this job.
    async fn may_heal(&self, ground: &Ground, seen: &Database) -> Result<Healing, Fault> {
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
        Ok(match self.open_full(ground).await? {
            Some(job) => Healing::Later(format!("job {job} takes one")),
            None => Healing::Now,
        })
    }

    /// A full of the item that is queued or runs.
    async fn open_full(&self, ground: &Ground) -> Result<Option<JobId>, Fault> {
        let item = ground.item.id.to_string();
        let range = Range::members(&[&item, BackupKind::Full.name(), "open"]);
        let open = self.list::<Job>(Slot::B, range).await?;
        Ok(open.first().map(|job| job.record.id))
    }

    /// Makes this job the one that heals on its instance; the other one where there is one already.
    async fn claim_healing(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        reason: HealingReason,
    ) -> Result<Option<JobId>, Fault> {
        // Healing jobs are kept under the item's instance, whatever replica takes the backup.
        let (id, server) = (doing.job.id, doing.job.server.unwrap_or(ground.item.server));
        let claimed = self
            .transact(move |tx| {
                scoped(async move {
                    if let Some(other) = self.claimed_by(tx, server, Some(id)).await? {
                        return Ok(Err(other));
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
            Err(other) => Ok(Some(other)),
        }
    }
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
