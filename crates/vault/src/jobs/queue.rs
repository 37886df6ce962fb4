//! Letting jobs in, and looking at them.

use catalog::keys::tuple;
use catalog::record::{Job, JobId, JobState, Trigger};
use catalog::{Query, Range, Scope, Slot, Transaction, insert, page, scoped};
use faults::{Code, Fault};

use super::{JobFilter, NewJob};
use crate::records::{Trouble, fault};
use crate::vault::Vault;

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
    /// Puts a job into the queue. A user's job that meets an open one of its kind is kept as cancelled, with the code that says so, since
    /// people look for the job they asked for; the vault's own is not kept, and whoever wanted it reports that.
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
        let id = job.id;
        insert(tx, &self.key, job).await?;
        Ok(Entered::Queued(id))
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

    /// The open job of the same work and item.
    async fn open_job(&self, tx: &mut dyn Transaction, new: &NewJob) -> Result<Option<JobId>, Trouble> {
        let Some(item) = new.item else {
            return Ok(None);
        };
        let range = Range::members(&[&item.to_string(), new.work.name(), "open"]);
        let query = Query::of(Scope::vault(&self.key), Slot::B, range).limit(1);
        let found = page::<Job>(tx, &query).await?;
        Ok(found.records.first().map(|open| open.record.id))
    }

    /// A job.
    ///
    /// # Errors
    /// There is none of this id; the catalog does not answer.
    pub async fn job(&self, id: JobId) -> Result<Job, Fault> {
        Ok(self.get::<Job>(id).await?.record)
    }

    /// Jobs, the newest first.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, Fault> {
        let limit = filter.limit.clamp(1, 1_000);
        let (slot, range) = match (filter.item, filter.server) {
            (Some(item), _) => (Slot::B, Range::members(&[&item.to_string()])),
            (None, Some(server)) => (Slot::D, Range::members(&[&server.to_string()])),
            (None, None) => (Slot::C, Range::ALL),
        };
        let is_by_time = slot == Slot::C;
        let mut query = Query::of(Scope::vault(&self.key), slot, range).descending();
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let mut found = Vec::new();
        loop {
            let page = page::<Job>(tx.as_mut(), &query).await.map_err(fault)?;
            let wanted = page.records.into_iter().map(|job| job.record).filter(|job| {
                filter.server.is_none_or(|server| job.server == Some(server))
                    && (filter.states.is_empty() || filter.states.contains(&job.state))
                    && filter.since.is_none_or(|since| job.created >= since)
            });
            found.extend(wanted);
            match page.next {
                Some(next) if !(is_by_time && found.len() >= limit) => query = query.after(next),
                _ => break,
            }
        }
        found.sort_by_key(|job| std::cmp::Reverse((job.created, job.id)));
        found.truncate(limit);
        Ok(found)
    }

    /// How many jobs are in a state.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn count_jobs(&self, state: JobState) -> Result<i64, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let range = Range::members(&[&tuple(&[state.name()])]);
        tx.count(catalog::Kind::Job, &Scope::vault(&self.key), Slot::A, &range)
            .await
            .map_err(fault)
    }
}
