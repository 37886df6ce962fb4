//! What people do in a brief story: they write, ask for backups, and restore to other names.

use catalog::record::{Job, JobId, Place, RestoreOrder, RestoreTarget};
use schedule::BackupKind;

use super::truth::State;
use super::{FILLER, KEPT_DAYS, Play, SHOP};
use crate::step::Step;

impl Play {
    /// Users write.
    pub(super) async fn works(&mut self) {
        let mut state = self.truth.state().clone();
        let mut deeds = Vec::new();
        for _ in 0..1 + self.dice.below(3) {
            deeds.push(self.changes(&mut state));
        }
        let is_kept = !self.dice.one_in(6);
        let text = match (deeds.as_slice(), is_kept) {
            ([deed], true) => deed.clone(),
            (_, true) => format!("BEGIN TRANSACTION; {}; COMMIT", deeds.join("; ")),
            (_, false) => format!("BEGIN TRANSACTION; {}; ROLLBACK", deeds.join("; ")),
        };
        let began = self.now();
        self.cluster.sql(&self.servers[0]).go(&text).await;
        if is_kept {
            self.truth.commits(began, self.now(), state);
        }
        self.counts(if is_kept { "work" } else { "work undone" }, &[]);
    }

    /// One statement, which the model follows.
    fn changes(&mut self, state: &mut State) -> String {
        let number = self.next;
        self.next += 1;
        let text = format!("t{number} {}", "x".repeat(FILLER));
        let nth = self.dice.below(state.len().max(1) as u64) as usize;
        let some = state.keys().nth(nth).copied();
        match (self.dice.below(6), some) {
            (0, Some(id)) => {
                state.remove(&id);
                format!("DELETE FROM [{SHOP}].dbo.Work WHERE id = {id}")
            }
            (1, Some(id)) => {
                state.insert(id, text.clone());
                format!("UPDATE [{SHOP}].dbo.Work SET what = '{text}' WHERE id = {id}")
            }
            _ => {
                state.insert(number, text.clone());
                format!("INSERT INTO [{SHOP}].dbo.Work (id, what) VALUES ({number}, '{text}')")
            }
        }
    }

    pub(super) async fn backs_up(&mut self, is_calm: bool) {
        let has_full = !self.cluster.points().await.is_empty();
        let kind = match self.dice.below(10) {
            _ if !has_full => BackupKind::Full,
            0..=5 => BackupKind::Log,
            6 | 7 => BackupKind::Differential,
            8 => BackupKind::Full,
            _ => BackupKind::CopyOnlyFull,
        };
        let vault = self.cluster.vault().await;
        let keep = (kind.is_full() && self.dice.one_in(2)).then_some(KEPT_DAYS);
        let asked = vault.back_up(self.item, kind, keep).await;
        drop(vault);
        let Ok(job) = asked else { return };
        self.counts(kind.name(), &[]);
        if !is_calm && self.dice.one_in(4) {
            let step = [
                Step::Begun,
                Step::Named,
                Step::Sent,
                Step::Sent,
                Step::Told,
                Step::Kept,
            ];
            let step = step[self.dice.below(6) as usize];
            if !self.strikes(step, job).await {
                return;
            }
        }
        if is_calm || self.dice.one_in(2) {
            self.ended(job).await;
        }
    }

    /// Something goes wrong when a job comes to a step; whether anybody knows of the job still.
    pub(super) async fn strikes(&mut self, step: Step, job: JobId) -> bool {
        self.is_troubled = true;
        self.wait_for(step, &job.to_string()).await;
        if self.dice.one_in(12) {
            self.loses_the_catalog(false, false).await;
        } else {
            let trouble = self.some_trouble();
            self.suffers(trouble).await;
        }
        let jobs: Vec<Job> = self.cluster.records().await;
        jobs.iter().any(|one| one.id == job)
    }

    /// Somebody restores to something that can be restored.
    pub(super) async fn restores(&mut self, is_calm: bool) {
        let held = self.held().await;
        let Some(target) = self.some_target(&held).await else {
            return;
        };
        let Some((job, server, name)) = self.orders(target.clone()).await else {
            return;
        };
        let is_struck = !is_calm && self.dice.one_in(2);
        if is_struck {
            let step = [
                Step::RestoreBegun,
                Step::RestoreSent,
                Step::RestoreSent,
                Step::RestoreBetween,
            ];
            let step = step[self.dice.below(4) as usize];
            if !self.strikes(step, job).await {
                // Nobody knows of this restore any more.
                let drop = format!("DROP DATABASE [{name}]");
                self.cluster.sql(&self.servers[server]).run(&drop).await;
                return;
            }
        }
        let job = self.ended(job).await;
        // What another trouble of before left may be in the way of this one, as a backup that is taken up again is not.
        self.judge_restore(&target, job, (server, &name), is_struck).await;
    }

    /// Orders a restore to a new name, on either instance.
    pub(super) async fn orders(&mut self, target: RestoreTarget) -> Option<(JobId, usize, String)> {
        self.restored += 1;
        let name = format!("Restored {}", self.restored);
        let server = self.dice.below(2) as usize;
        let order = RestoreOrder {
            item: self.item,
            target,
            place: Place::new(self.ids[server], &name),
            accept_damaged: Vec::new(),
        };
        let vault = self.cluster.vault().await;
        let asked = vault.restore(order).await;
        drop(vault);
        Some((asked.ok()?, server, name))
    }
}
