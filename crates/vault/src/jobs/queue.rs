//! Letting jobs in.

use catalog::keys::tuple;
use catalog::record::{Job, JobId, JobState, Place, Trigger, Vault as VaultRecord, Work, moment, name_key};
use catalog::{Query, Range, Scope, Slot, Transaction, all, demand, insert, page, scoped};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};
use schedule::BackupKind;

use super::NewJob;
use crate::records::{Trouble, fault};
use crate::vault::Vault;

/// The span of limits.
pub(crate) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What became of a job that asked to be let in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entered {
    /// It waits for its turn.
    Queued(JobId),
    /// One of the same work is open for the item already.
    InTheWay {
        /// The one that is open.
        other: JobId,
        /// What people are told.
        fault: Fault,
    },
}

impl Vault {
    /// Puts a job into the queue. A user's job that meets an open one of its kind is kept as cancelled, with the code that says
    /// so, since people look for the job they asked for; the vault's own is not kept, and whoever wanted it reports that.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn enqueue(&self, new: NewJob) -> Result<Entered, Fault> {
        let new = &new;
        let entered = self
            .transact(move |tx| scoped(async move { self.enqueue_in(tx, new).await }))
            .await?;
        self.bell.ring();
        Ok(entered)
    }

    /// The same within a transaction; the bell must be rung after it.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn enqueue_in(
        &self,
        tx: &mut dyn Transaction,
        new: &NewJob,
    ) -> Result<Entered, Trouble> {
        let mut job = self.made(new);
        let in_the_way = match self.open_job(tx, new).await? {
            None => None,
            Some(other) => {
                let fault = Fault::new(Code::OperationCancelledBecauseConflictingOperationRunningUserError)
                    .because(&format!("job {other} is not over yet"));
                Some((other, fault))
            }
        };
        if let Some((other, fault)) = in_the_way {
            if new.trigger == Trigger::OnDemand {
                job.state = JobState::Cancelled;
                job.ended = Some(job.created);
                job.fault = Some(fault.clone());
                insert(tx, &self.key, job).await?;
            }
            return Ok(Entered::InTheWay { other, fault });
        }
        if new.trigger == Trigger::OnDemand {
            self.refuse_too_many(tx, new).await?;
        }
        let id = job.id;
        insert(tx, &self.key, job).await?;
        Ok(Entered::Queued(id))
    }

    /// Refuses fulls on demand beyond those that a database may have in 24 hours. Those of the schedule and of healing do not
    /// count.
    async fn refuse_too_many(&self, tx: &mut dyn Transaction, new: &NewJob) -> Result<(), Trouble> {
        let (Some(item), Work::Backup(work)) = (new.item, &new.work) else {
            return Ok(());
        };
        if !matches!(work.asked, BackupKind::Full | BackupKind::CopyOnlyFull) {
            return Ok(());
        }
        let most = demand::<VaultRecord>(tx, &self.key, &self.key)
            .await?
            .record
            .daily
            .fulls_on_demand;
        let day_ago = self.now().checked_sub(DAY).unwrap_or(Timestamp::MIN);
        let mut taken = 0;
        for kind in [BackupKind::Full, BackupKind::CopyOnlyFull] {
            let of_kind = [&item.to_string(), kind.name(), "ended"];
            let mut range = Range::members(&of_kind);
            range.from = tuple(&[of_kind[0], of_kind[1], of_kind[2], &moment(day_ago)]);
            let query = Query::of(Scope::vault(&self.key), Slot::B, range).descending();
            let ended = page::<Job>(tx, &query).await?.records;
            let counts = |job: &Job| job.trigger == Trigger::OnDemand && job.state != JobState::Cancelled;
            taken += ended.iter().filter(|job| counts(&job.record)).count();
        }
        if taken >= usize::try_from(most).unwrap_or(usize::MAX) {
            let why = format!("{taken} fulls on demand were taken in 24 hours, and {most} are allowed");
            return Err(Fault::new(Code::CloudDosAbsoluteLimitReached)
                .at(&format!("item {item}"))
                .because(&why)
                .into());
        }
        Ok(())
    }

    fn made(&self, new: &NewJob) -> Job {
        Job {
            id: JobId(self.world.chance.uuid()),
            work: new.work.clone(),
            trigger: new.trigger.clone(),
            state: JobState::Queued,
            server: new.server,
            item: new.item,
            created: self.now(),
            run_at: new.run_at,
            started: None,
            ended: None,
            attempt: 0,
            generation: self.world.catalog.info().generation,
            cancel: None,
            tasks: Vec::new(),
            said: Vec::new(),
            statements: Vec::new(),
            bytes: 0,
            bytes_per_second: None,
            percent: None,
            fault: None,
            warnings: Vec::new(),
            point: None,
        }
    }

    /// The open job that another one must not stand beside: of the same work and item; for a restore, one into the same database,
    /// whatever it comes from. A database may be restored to several places at once.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn open_job(
        &self,
        tx: &mut dyn Transaction,
        new: &NewJob,
    ) -> Result<Option<JobId>, Trouble> {
        if let Work::Restore(work) = &new.work {
            return self.open_restore(tx, &work.order.place).await;
        }
        let Some(item) = new.item else {
            return Ok(None);
        };
        let range = Range::members(&[&item.to_string(), new.work.name(), "open"]);
        let query = Query::of(Scope::vault(&self.key), Slot::B, range).limit(1);
        let found = page::<Job>(tx, &query).await?;
        Ok(found.records.first().map(|open| open.record.id))
    }

    /// The open restore into a database.
    async fn open_restore(&self, tx: &mut dyn Transaction, place: &Place) -> Result<Option<JobId>, Trouble> {
        let range = Range::members(&[&place.server.to_string(), "open"]);
        let query = Query::of(Scope::vault(&self.key), Slot::D, range);
        let open = all::<Job>(tx, query, usize::MAX).await?;
        let is_there = |job: &Job| match &job.work {
            Work::Restore(work) => name_key(&work.order.place.name) == name_key(&place.name),
            _ => false,
        };
        Ok(open
            .iter()
            .find(|open| is_there(&open.record))
            .map(|open| open.record.id))
    }

    /// A job.
    ///
    /// # Errors
    /// There is none of this id; the catalog does not answer.
    pub async fn job(&self, id: JobId) -> Result<Job, Fault> {
        Ok(self.get::<Job>(id).await?.record)
    }

    /// How many jobs are in a state.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn count_jobs(&self, state: JobState) -> Result<i64, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let range = Range::members(&[state.name()]);
        tx.count(catalog::Kind::Job, &Scope::vault(&self.key), Slot::A, &range)
            .await
            .map_err(fault)
    }
}
