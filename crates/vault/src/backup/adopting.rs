//! Backups whose job was given up before anybody could say what became of them: kept as soon as the instance tells.
//!
//! The item remembers such a job before it ends. With each discovery the instance is asked for it; where its history has the
//! backup, another job takes up where that one stood, with the outcome known. What the chain has put right meanwhile stays as it
//! is: a point that comes late changes nothing that newer ones stand on (`advancing`).

use catalog::record::{
    BackupWork, HealingReason, Item, ItemId, Job, JobId, Outcome, Policy, Server, Trigger, UNKNOWN_MAX, Work,
};
use catalog::{Range, Slot, Transaction, demand, scoped, update};
use faults::Fault;
use mssql::Session;

use super::asking::{Became, look_over};
use super::writing::on_demand_days;
use crate::jobs::{Entered, NewJob};
use crate::records::Trouble;
use crate::registration::{Purpose, failed};
use crate::vault::Vault;

impl Vault {
    /// Remembers a job that is about to be given up.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(super) async fn remember_unknown(&self, item: ItemId, job: JobId) -> Result<(), Fault> {
        self.change::<Item, _>(item, |item| {
            if !item.unknown.contains(&job) {
                item.unknown.push(job);
            }
            let beyond = item.unknown.len().saturating_sub(UNKNOWN_MAX);
            item.unknown.drain(..beyond);
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Asks an instance what became of the backups of jobs that were given up, and has those kept that it finished.
    ///
    /// # Errors
    /// The instance cannot be asked; the catalog cannot be read or written.
    pub(crate) async fn look_for_unknown(&self, server: &Server, session: &mut Session) -> Result<(), Fault> {
        let items = self
            .list_readable::<Item>(Slot::D, Range::exactly(server.id.to_string()))
            .await?;
        for item in items.iter().map(|item| &item.record) {
            for job in &item.unknown {
                self.look_for_one(server, session, item, *job).await?;
            }
        }
        Ok(())
    }

    async fn look_for_one(
        &self,
        server: &Server,
        session: &mut Session,
        item: &Item,
        id: JobId,
    ) -> Result<(), Fault> {
        let found = self.find::<Job>(id).await?.map(|job| job.record);
        let Some(job) = found else {
            return self.forget_unknown(item.id, id).await;
        };
        let Work::Backup(work) = job.work.clone() else {
            return self.forget_unknown(item.id, id).await;
        };
        if job.server.is_some_and(|taken_by| taken_by != server.id) {
            // Another replica took it: it has the history.
            return self.look_elsewhere(item, &job, &work).await;
        }
        let became = look_over(session, None, work.marker.as_deref().unwrap_or_default())
            .await
            .map_err(|error| failed(faults::Operation::Backup, &server.name, error))?;
        self.take_up(item, &job, &work, &became).await
    }

    async fn look_elsewhere(&self, item: &Item, job: &Job, work: &BackupWork) -> Result<(), Fault> {
        let Some(server) = job.server else { return Ok(()) };
        let Some(server) = self.find::<Server>(server).await?.map(|server| server.record) else {
            return self.forget_unknown(item.id, job.id).await;
        };
        // One that cannot be reached is asked with the next discovery.
        let Ok(mut session) = self.session(&server, Purpose::Backup).await else {
            return Ok(());
        };
        let became = look_over(&mut session, None, work.marker.as_deref().unwrap_or_default()).await;
        session.close().await;
        match became {
            Ok(became) => self.take_up(item, job, work, &became).await,
            Err(_) => Ok(()),
        }
    }

    /// What follows from what the instance tells of a job that was given up.
    async fn take_up(&self, item: &Item, job: &Job, work: &BackupWork, became: &Became) -> Result<(), Fault> {
        match became {
            Became::Succeeded(_) => {}
            Became::Failed => return self.forget_unknown(item.id, job.id).await,
            Became::Runs(_) | Became::Unclear { .. } => return Ok(()),
        }
        let policy = self.get::<Policy>(item.policy).await?.record.policy;
        let keep_days = work
            .keep_days
            .or_else(|| on_demand_days(&policy, &job.trigger, work.kind));
        let new = &NewJob {
            work: Work::Backup(BackupWork {
                outcome: Some(Outcome::Succeeded),
                adopts: Some(job.id),
                keep_days,
                failed: Vec::new(),
                looks: 0,
                ..work.clone()
            }),
            trigger: Trigger::Healing {
                reason: HealingReason::Interrupted,
            },
            server: job.server,
            item: Some(item.id),
            run_at: self.now(),
        };
        let (item, id) = (item.id, job.id);
        self.transact(move |tx| {
            scoped(async move {
                // One of its kind that is open is waited for, until the next discovery.
                if let Entered::Queued(_) = self.enqueue_in(tx, new).await? {
                    self.forget_unknown_in(tx, item, id).await?;
                }
                Ok(())
            })
        })
        .await?;
        self.bell.ring();
        Ok(())
    }

    async fn forget_unknown(&self, item: ItemId, job: JobId) -> Result<(), Fault> {
        self.transact(move |tx| scoped(async move { self.forget_unknown_in(tx, item, job).await }))
            .await
    }

    async fn forget_unknown_in(
        &self,
        tx: &mut dyn Transaction,
        item: ItemId,
        job: JobId,
    ) -> Result<(), Trouble> {
        let mut item = demand::<Item>(tx, &self.key, &item.to_string()).await?;
        item.record.unknown.retain(|one| *one != job);
        update(tx, item).await?;
        Ok(())
    }
}
