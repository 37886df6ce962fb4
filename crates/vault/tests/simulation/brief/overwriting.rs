//! Restores over the database itself, with the tail of its log or without.
//!
//! The rows are then those of an earlier moment, and another line of history begins. By the clock there is one sequence of states
//! still, which the record of the truth goes on with: a moment belongs to the line that was live then.
//!
//! - What is done stands at what was asked for; what is not done left the database as it was, or says that it is restoring.
//! - What no backup had before is in the tail, unless the user did without. Where there is no chain of logs that it could go on with,
//!   nothing is overwritten.

use catalog::record::{Job, JobState, Place, RestoreOrder, RestoreTarget, Work as JobWork};
use faults::{Code, Fault};
use simsql::value::Value;

use super::truth::State;
use super::{Play, SHOP, is_done};
use crate::step::Step;

/// Restores that somebody tries until a database is open again.
const ATTEMPTS: u32 = 3;

impl Play {
    /// Somebody restores over the database.
    pub(super) async fn overwrites(&mut self, is_calm: bool) {
        let held = self.held().await;
        let Some(target) = self.some_target(&held).await else {
            return;
        };
        let (was, began) = (self.truth.state().clone(), self.now());
        let takes_tail = !self.dice.one_in(4);
        let Some(id) = self.orders_over(&target, takes_tail).await else {
            self.wrong(format!("nobody can order a restore over {SHOP} to {target:?}"));
            return;
        };
        self.is_overwritten = true;
        let is_struck = !is_calm && self.dice.one_in(2);
        if is_struck {
            let step = [
                Step::RestoreBegun,
                Step::RestoreBegun,
                Step::RestoreSent,
                Step::RestoreSent,
                Step::RestoreBetween,
            ];
            let step = step[self.dice.below(5) as usize];
            if !self.strikes(step, id).await {
                return self.is_forgotten(&was, began).await;
            }
        }
        let job = self.ended(id).await;
        let found = self.rows(0, SHOP).await;
        match (is_done(&job), found) {
            (true, Some(rows)) => {
                self.counts(
                    if is_struck {
                        "overwritten in spite of trouble"
                    } else {
                        "overwritten"
                    },
                    &[],
                );
                self.compare(&target, &job, &rows).await;
                self.is_multi_user(&job).await;
                self.truth.commits(began, self.now(), rows);
                if takes_tail {
                    self.judge_tail(&job, &was).await;
                }
            }
            (true, None) => self.wrong(format!("{SHOP} is not open after {job:#?}")),
            (false, found) => self.judge_not_overwritten(&job, found, &was, is_struck).await,
        }
        self.brings_back().await;
    }

    async fn orders_over(
        &mut self,
        target: &RestoreTarget,
        takes_tail: bool,
    ) -> Option<catalog::record::JobId> {
        let place = Place {
            overwrite: true,
            tail: takes_tail,
            ..Place::new(self.ids[0], SHOP)
        };
        let order = RestoreOrder {
            item: self.item,
            target: target.clone(),
            place,
            accept_damaged: Vec::new(),
        };
        let vault = self.cluster.vault().await;
        vault.restore(order).await.ok()
    }

    async fn judge_not_overwritten(&mut self, job: &Job, found: Option<State>, was: &State, is_struck: bool) {
        let code = job.fault.as_ref().map(Fault::code);
        let no_tail = code == Some(Code::Bac2TailLogFailed);
        self.counts(
            if no_tail {
                "not overwritten for want of a tail"
            } else {
                "not overwritten"
            },
            &[],
        );
        if !is_struck && !no_tail {
            self.wrong(format!(
                "nothing was in the way of a restore over {SHOP}: {job:#?}"
            ));
        }
        let is_left = job
            .warnings
            .iter()
            .any(|warning| warning.code() == Code::Bac2LeftRestoring);
        match found {
            Some(rows) if rows != *was => {
                self.wrong(format!(
                    "{SHOP} is not as it was, {} rows and not {}: {job:#?}",
                    rows.len(),
                    was.len()
                ));
            }
            Some(_) => self.is_multi_user(job).await,
            None if !is_left => self.wrong(format!("{SHOP} is not open, and nobody is told so: {job:#?}")),
            None => self.counts("left restoring", &[]),
        }
    }

    /// The vault has forgotten the restore, and whoever looks finds the database as it was, at some moment, or not open.
    async fn is_forgotten(&mut self, was: &State, began: jiff::Timestamp) {
        self.counts("overwriting forgotten", &[]);
        if let Some(rows) = self.rows(0, SHOP).await {
            if rows != *was && self.truth.when(&rows).is_empty() {
                self.wrong(format!(
                    "{SHOP} stands at no moment that there was, {} rows",
                    rows.len()
                ));
            }
            self.truth.commits(began, self.now(), rows);
        }
        self.brings_back().await;
    }

    /// What a restore left closed is opened by another.
    async fn brings_back(&mut self) {
        for _ in 0..ATTEMPTS {
            if self.rows(0, SHOP).await.is_some() {
                return;
            }
            let (began, target) = (self.now(), RestoreTarget::Latest);
            let Some(id) = self.orders_over(&target, true).await else {
                continue;
            };
            let job = self.ended(id).await;
            if let (true, Some(rows)) = (is_done(&job), self.rows(0, SHOP).await) {
                self.counts("brought back", &[]);
                self.compare(&target, &job, &rows).await;
                self.truth.commits(began, self.now(), rows);
                return;
            }
            self.wrong(format!("{SHOP} cannot be brought back: {job:#?}"));
        }
        panic!("{SHOP} is not open any more: {:#?}", self.told.wrong);
    }

    /// What was there before lies in the tail.
    async fn judge_tail(&mut self, job: &Job, was: &State) {
        let JobWork::Restore(work) = &job.work else {
            return;
        };
        let tail = match work.tail {
            Some(tail) => self.cluster.job(tail).await.point,
            None => None,
        };
        let Some(point) = tail else {
            self.wrong(format!("{SHOP} was overwritten without its tail: {job:#?}"));
            return;
        };
        if self.truth.when(was).is_empty() || !self.dice.one_in(2) {
            return;
        }
        let target = RestoreTarget::Point { point };
        let Some((id, server, name)) = self.orders(target.clone()).await else {
            self.wrong(format!("nobody can restore the tail of {job:#?}"));
            return;
        };
        let restored = self.ended(id).await;
        let rows = self.rows(server, &name).await;
        if rows.as_ref() != Some(was) {
            let count = rows.as_ref().map(State::len);
            self.wrong(format!(
                "of {} rows its tail has {count:?}: {job:#?} {restored:#?}",
                was.len()
            ));
        }
        self.counts("tail restored", &[]);
        self.judge_restore(&target, restored, (server, &name), false)
            .await;
    }

    async fn is_multi_user(&mut self, job: &Job) {
        let text = format!("SELECT user_access_desc FROM sys.databases WHERE name = '{SHOP}'");
        let access = self.cluster.sql(&self.servers[0]).value(&text).await;
        let is_said = job.state == JobState::CompletedWithWarnings;
        if access != Value::Text("MULTI_USER".into()) && !is_said {
            self.wrong(format!("{SHOP} is open for {access:?}: {job:#?}"));
        }
    }
}
