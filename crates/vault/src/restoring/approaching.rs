//! From the order to the first statement: what the plan is, whether the target can read it, and the tail of what will be overwritten.
//!
//! All of it can be done again: until the first RESTORE is sent an attempt begins here anew.

use catalog::record::{Database, Item, Job, RestoreOrder, RestoreStep, RestoreTarget, RestoreWork, Server};
use faults::{Code, Fault};
use mssql::Session;
use schedule::BackupKind;

use super::lending::Entries;
use super::planning::Way;
use super::preparing::{Prepared, Told};
use super::running::{cancelled, note};
use super::work_of;
use crate::jobs::Doing;
use crate::vault::Vault;

impl Vault {
    /// Everything before the target is touched, and the tail of its log. Gives the ways to the containers.
    ///
    /// # Errors
    /// What speaks against the restore; the tail could not be taken.
    pub(super) async fn approach(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<Entries, Fault> {
        if work_of(doing)?.tail.is_none() {
            doing.begin("Plan").await?;
            let order = work_of(doing)?.order;
            let mut prepared = self.prepared(&order, server, session, &Told::new()).await?;
            let (before, warnings) = (prepared.judged.before.clone(), prepared.judged.warnings.clone());
            // Whom an earlier attempt let in no more is still to be let in again.
            note(doing, |work| {
                if !work.drained {
                    work.before.clone_from(&before);
                }
            })
            .await?;
            for warning in &warnings {
                doing
                    .write(|job| {
                        if !job.warnings.contains(warning) {
                            job.warnings.push(warning.clone());
                        }
                    })
                    .await?;
            }
            note_way(doing, &prepared.way).await?;
            let mut entries = self
                .open_sets(doing, session, server, &mut prepared.way, &[])
                .await?;
            if prepared.is_unread {
                // Now that the target can open them it tells what the vault could not read, and everything is judged again.
                let told = self.ask_files(session, server, &prepared.way, &entries).await?;
                let opened = prepared.way.steps;
                prepared = self.prepared(&order, server, session, &told).await?;
                entries = self
                    .open_sets(doing, session, server, &mut prepared.way, &opened)
                    .await?;
            }
            self.certificates_are_there(session, server, &prepared.way, &entries)
                .await?;
            note_way(doing, &prepared.way).await?;
            if doing.is_cancelled() {
                return Err(cancelled(doing));
            }
            if !prepared.judged.takes_tail {
                return Ok(entries);
            }
            self.begin_tail(doing, server, prepared.judged.is_damaged).await?;
        }
        self.wait_for_tail(doing, server).await?;
        // The tail may be a part of the way.
        let work = work_of(doing)?;
        let mut way = self.way(&work.order).await?;
        keep_moves(&mut way.steps, &work.steps);
        self.holds_tail(&way, &work).await?;
        // The database is down by now: what was opened before is not opened again.
        let entries = self
            .open_sets(doing, session, server, &mut way, &work.steps)
            .await?;
        note_way(doing, &way).await?;
        Ok(entries)
    }
}

impl Vault {
    /// As far as the points of a database go, over that database, is without loss: its tail is in the way.
    async fn holds_tail(&self, way: &Way, work: &RestoreWork) -> Result<(), Fault> {
        let (RestoreTarget::Latest, Some(tail)) = (&work.order.target, work.tail) else {
            return Ok(());
        };
        let job = self.get::<Job>(tail).await?.record;
        let is_there = job.item != Some(work.order.item)
            || way.points.last().is_some_and(|point| Some(point.id) == job.point);
        match is_there {
            true => Ok(()),
            false => Err(Fault::new(Code::Bac2TailLogFailed)
                .because("the way to the latest point does not lead through it: name the point to restore")),
        }
    }
}

impl Vault {
    /// What nothing speaks against. A moment behind the last log of the very database that is overwritten lies in its tail: the way to
    /// it is there when that has been taken, and everything else is checked on the way to the latest point.
    pub(super) async fn prepared(
        &self,
        order: &RestoreOrder,
        server: &Server,
        session: &mut Session,
        told: &Told,
    ) -> Result<Prepared, Fault> {
        match self.prepare(order, server, session, told).await {
            Err(fault)
                if fault.code() == Code::Bac2MomentNotRestorable && self.lies_in_tail(order).await? =>
            {
                let latest = RestoreOrder {
                    target: RestoreTarget::Latest,
                    ..order.clone()
                };
                let mut prepared = self.prepare(&latest, server, session, told).await?;
                prepared.lies_in_tail = true;
                match prepared.judged.takes_tail {
                    true => Ok(prepared),
                    false => Err(fault),
                }
            }
            prepared => prepared,
        }
    }

    /// Whether a moment lies between the newest log of a database and now, and a restore over that database is wanted.
    async fn lies_in_tail(&self, order: &RestoreOrder) -> Result<bool, Fault> {
        let place = &order.place;
        let item = self.get::<Item>(order.item).await?.record;
        let database = self.get::<Database>(item.database).await?.record;
        let is_original = item.server == place.server && database.name.eq_ignore_ascii_case(&place.name);
        if !(is_original && place.overwrite && place.tail) || place.continues {
            return Ok(false);
        }
        let points = self.restorable_points(order.item).await?;
        let logs = points.iter().filter(|point| point.kind == BackupKind::Log);
        let Some(newest) = logs.max_by_key(|point| point.ended) else {
            return Ok(false);
        };
        let now = self.now();
        Ok(match order.target {
            RestoreTarget::Moment { at } => at <= now && at >= newest.taken.unwrap_or(newest.ended),
            RestoreTarget::Local { at } => {
                let minutes = newest.set.offset_minutes.unwrap_or_default();
                let offset = jiff::tz::Offset::from_seconds(i32::from(minutes) * 60);
                let there = offset.map(|offset| offset.to_datetime(now));
                at >= newest.set.started && there.is_ok_and(|there| at <= there)
            }
            _ => false,
        })
    }
}

async fn note_way(doing: &mut Doing<'_>, way: &Way) -> Result<(), Fault> {
    let (steps, reaches) = (&way.steps, way.reaches.to_string());
    note(doing, |work| {
        work.steps.clone_from(steps);
        work.reaches = Some(reaches.clone());
    })
    .await
}

/// Files go where they were to go before the tail was taken.
fn keep_moves(steps: &mut [RestoreStep], before: &[RestoreStep]) {
    for step in steps {
        let same = before.iter().find(|one| one.point == step.point);
        let alike = || {
            let is_full = |one: &RestoreStep| one.kind.is_full();
            before
                .iter()
                .find(|one| is_full(one) && is_full(step) && step.kind != BackupKind::Log)
        };
        if let Some(known) = same.or_else(alike) {
            step.moves.clone_from(&known.moves);
        }
    }
}
