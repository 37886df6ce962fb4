//! The tail of the log of a database that a restore overwrites: the log that no backup has yet.
//!
//! It is a backup job of its own (`backup/tail`), of the item that the target is, and becomes a recovery point like every other. The
//! restore notes which in the transaction that makes it, and waits for its end. Without a point nothing is overwritten.

use std::time::Duration;

use catalog::keys::tuple;
use catalog::record::{
    BackupWork, Before, Database, Grade, Item, Job, JobId, JobState, Place, Point, Protection, RestoreOrder,
    RestoreTarget, Server, ServerId, Tail, Trigger, Work, name_key,
};
use catalog::{Range, Slot, demand, scoped, update};
use faults::{Code, Fault};
use schedule::BackupKind;

use super::running::{cancelled, target_of};
use super::work_of;
use crate::jobs::{Doing, Entered, NewJob};
use crate::vault::Vault;

/// The pause between two looks at the tail's job, or at what is in its way.
const LOOK_EVERY: Duration = Duration::from_secs(2);

fn failed(at: &str, why: &str) -> Fault {
    Fault::new(Code::Bac2TailLogFailed).at(at).because(why)
}

impl Vault {
    /// Lets the tail's job in. A log backup that is under way is waited for.
    ///
    /// # Errors
    /// The target is no database that this vault protects; somebody wants the restore to end.
    pub(super) async fn begin_tail(
        &self,
        doing: &mut Doing<'_>,
        server: &Server,
        is_damaged: bool,
    ) -> Result<(), Fault> {
        let work = work_of(doing)?;
        let item = self
            .item_of_target(&work.order.place, work.before.as_ref(), server)
            .await?;
        let access = work.before.as_ref().map(|before| before.access.clone());
        let tail = Tail {
            restore: doing.job.id,
            is_damaged,
            access: access.unwrap_or_else(|| "MULTI_USER".to_owned()),
        };
        let new = NewJob {
            work: Work::Backup(BackupWork {
                tail: Some(tail),
                ..BackupWork::of(BackupKind::Log)
            }),
            trigger: Trigger::OnDemand,
            server: Some(server.id),
            item: Some(item.id),
            run_at: self.now(),
        };
        loop {
            if doing.is_cancelled() {
                return Err(cancelled(doing));
            }
            if let Some(job) = self.enter_tail(doing.job.id, &new).await? {
                doing.job = job;
                self.bell.ring();
                return Ok(());
            }
            self.world.clock.sleep(LOOK_EVERY).await;
        }
    }

    /// The job, and the note of it in the restore's, in one transaction. None where a log is in the way.
    async fn enter_tail(&self, restore: JobId, new: &NewJob) -> Result<Option<Job>, Fault> {
        self.transact(move |tx| {
            scoped(async move {
                if self.open_job(tx, new).await?.is_some() {
                    return Ok(None);
                }
                let Entered::Queued(tail) = self.enqueue_in(tx, new).await? else {
                    return Ok(None);
                };
                let mut job = demand::<Job>(tx, &self.key, &restore.to_string()).await?;
                if let Work::Restore(work) = &mut job.record.work {
                    work.tail = Some(tail);
                }
                Ok(Some(update(tx, job).await?.record))
            })
        })
        .await
    }

    /// The item that the target is, whose container takes its tail.
    ///
    /// # Errors
    /// The target is no database that this vault protects.
    pub(super) async fn item_of_target(
        &self,
        place: &Place,
        before: Option<&Before>,
        server: &Server,
    ) -> Result<Item, Fault> {
        let guid = before.and_then(|before| before.database_guid);
        let range = Range::exactly(tuple(&[&server.id.to_string(), &name_key(&place.name)]));
        for database in self.list_readable::<Database>(Slot::A, range).await? {
            let database = database.record;
            let is_another =
                matches!((guid, database.database_guid), (Some(there), Some(known)) if there != known);
            if database.gone.is_some() || is_another {
                continue;
            }
            let of_it = Range::exactly(database.id.to_string());
            for item in self.list_readable::<Item>(Slot::A, of_it).await? {
                if !matches!(item.record.protection, Protection::SoftDeleted { .. }) {
                    return Ok(item.record);
                }
            }
        }
        Err(failed(
            &format!("{}/{}", server.name, place.name),
            "it is not protected by this vault, so there is nowhere that the tail of its log would go to: protect it and take a full \
             first, or give its tail up (--no-tail)",
        ))
    }

    /// Waits for the tail's end.
    ///
    /// # Errors
    /// There is no point of it that can be restored; somebody wants the restore to end.
    pub(super) async fn wait_for_tail(&self, doing: &mut Doing<'_>, server: &Server) -> Result<(), Fault> {
        let work = work_of(doing)?;
        let Some(id) = work.tail else {
            return Ok(());
        };
        doing.begin("Back up the tail of the log").await?;
        let at = target_of(&work, server);
        let job = loop {
            let Some(job) = self.find::<Job>(id).await? else {
                return Err(failed(&at, "its job is gone"));
            };
            if job.record.state.is_ended() {
                break job.record;
            }
            if doing.is_cancelled() {
                self.end_tail(doing).await?;
                return Err(cancelled(doing));
            }
            self.world.clock.sleep(LOOK_EVERY).await;
        };
        let is_done = matches!(job.state, JobState::Completed | JobState::CompletedWithWarnings);
        let point = match job.point.filter(|_| is_done) {
            Some(point) => self.find::<Point>(point).await?,
            None => None,
        };
        let Some(point) = point else {
            return Err(match &job.fault {
                // Who holds it is what people want to know.
                Some(fault) if fault.code() == Code::UserErrorRestoreFailedDatabaseCannotBeOfflined => {
                    fault.clone()
                }
                Some(fault) => {
                    let why = format!("job {id}: {}", fault.happened());
                    match fault.operation() {
                        Some(operation) => failed(&at, &why).with_said(operation, fault.said()),
                        None => failed(&at, &why),
                    }
                }
                None => failed(&at, &format!("job {id} made no recovery point")),
            });
        };
        if point.record.grade == Grade::Disputed {
            let why = format!(
                "job {id}: its backup is disputed: {}",
                point.record.reasons.join("; ")
            );
            return Err(failed(&at, &why));
        }
        self.is_restorable(&point.record, &at).await?;
        doing.end(&format!("job {id}")).await
    }

    /// What nothing in the vault leads to is no tail: the log of a database whose chain was broken before.
    async fn is_restorable(&self, point: &Point, at: &str) -> Result<(), Fault> {
        let order = RestoreOrder {
            item: point.item,
            target: RestoreTarget::Point { point: point.id },
            place: Place::new(ServerId(point.id.0), ""),
            accept_damaged: Vec::new(),
        };
        match self.way(&order).await {
            Ok(_) => Ok(()),
            Err(fault) => {
                let why = format!(
                    "no full of the vault leads to it ({}): take a full first, or leave the tail",
                    fault.happened()
                );
                Err(failed(at, &why))
            }
        }
    }

    /// Ends the tail's job, and waits until it is over: what SQL Server took of it is kept.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(super) async fn end_tail(&self, doing: &Doing<'_>) -> Result<(), Fault> {
        let Some(id) = work_of(doing)?.tail else {
            return Ok(());
        };
        self.cancel_if_open(id, &cancelled(doing)).await?;
        loop {
            match self.find::<Job>(id).await? {
                Some(job) if !job.record.state.is_ended() => {}
                _ => return Ok(()),
            }
            self.world.clock.sleep(LOOK_EVERY).await;
        }
    }
}
