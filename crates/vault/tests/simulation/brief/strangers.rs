//! Another tool backs the database up, its server is put back to a snapshot, and somebody asks for a moment that no backup has.
//!
//! A log that another tool took is a hole: what lies in it is refused, by its code, and nothing is restored.

use catalog::record::RestoreTarget;
use chain::{Moment, Target, Terms};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};

use super::{Play, SHOP, is_done};

/// What the simulation says where it does not do what SQL Server, or a host, could.
const UNKNOWN: i32 = 40_510;

/// Moments that are tried until one cannot be restored.
const TRIES: u32 = 8;

impl Play {
    /// Another tool takes a backup; whose chain it is then, somebody may say.
    pub(super) async fn another_tool_backs_up(&mut self) {
        self.is_troubled = true;
        let (what, with, word) = [
            ("LOG", "", "foreign log"),
            ("LOG", "", "foreign log"),
            ("DATABASE", "", "foreign full"),
            ("DATABASE", " WITH DIFFERENTIAL", "foreign differential"),
            ("DATABASE", " WITH COPY_ONLY", "foreign copy"),
        ][self.dice.below(5) as usize];
        let file = format!("/sql/backup/foreign-{}.bak", self.cluster.now().as_microsecond());
        let text = format!("BACKUP {what} [{SHOP}] TO DISK = '{file}'{with}");
        let met = self.steps().await;
        let answers = self.cluster.sql(&self.servers[0]).run(&text).await;
        // Without a full there is neither a log nor a differential.
        if answers.errors().next().is_none() {
            self.counts(word, &met);
        }
        if self.dice.one_in(2) {
            let vault = self.cluster.vault().await;
            if vault.take_over_chain(self.item).await.is_ok() {
                self.counts("chain taken over", &[]);
            }
        }
    }

    /// The machine of the database's server is kept as it is; or is put back to what was kept, with all that is on it.
    pub(super) async fn a_snapshot(&mut self) {
        self.is_troubled = true;
        let sql = self.cluster.sql(&self.servers[0]);
        let met = self.steps().await;
        let Some((since, kept)) = self.kept.take() else {
            if sql
                .run("EXEC sim_fault 'snapshot kept'")
                .await
                .errors()
                .next()
                .is_none()
            {
                self.kept = Some((self.now(), self.truth.state().clone()));
                self.counts("snapshot", &met);
            }
            return;
        };
        let answers = sql.run("EXEC sim_fault 'rollback kept'").await;
        if let Some(error) = answers.errors().next() {
            // What was begun by another hand is still under way.
            assert_eq!(error.number, UNKNOWN, "a snapshot cannot be put back: {error:?}");
            self.kept = Some((since, kept));
            return;
        }
        assert_eq!(
            self.rows(0, SHOP).await.as_ref(),
            Some(&kept),
            "the simulation keeps what it kept"
        );
        // Nothing tells when it was put back, and logs of the line that goes on know of nothing else since the snapshot: a moment in
        // between has the rows of the line that was live then, or those.
        let now = self.now();
        self.truth.commits(since.min(now), now, kept);
        self.counts("put back", &met);
    }

    /// Somebody asks for a moment that cannot be restored.
    pub(super) async fn asks_in_vain(&mut self) {
        let held = self.held().await;
        let is_there = |at: Timestamp| {
            let target = Target::Moment(Moment::Universal(at));
            held.database.plan(&target, &Terms::default()).is_ok()
        };
        let some = |_| {
            let commit = self.truth.at(self.dice.below(self.truth.len() as u64) as usize);
            commit + SignedDuration::from_millis(self.dice.below(2_000) as i64 - 1_000)
        };
        let Some(at) = (0..TRIES).map(some).find(|at| !is_there(*at)) else {
            return;
        };
        let target = RestoreTarget::Moment { at };
        let Some((id, server, name)) = self.orders(target.clone()).await else {
            return;
        };
        let job = self.ended(id).await;
        if is_done(&job) {
            // A backup came in between that has it.
            self.judge_restore(&target, job, (server, &name), false).await;
            return;
        }
        self.counts("refused", &[]);
        if job.fault.as_ref().map(Fault::code) != Some(Code::Bac2MomentNotRestorable) {
            self.wrong(format!("no backup has {at}, and nobody is told so: {job:#?}"));
        }
        if self.rows(server, &name).await.is_some() {
            self.wrong(format!("no backup has {at}, and {name} is there: {job:#?}"));
        }
    }
}
