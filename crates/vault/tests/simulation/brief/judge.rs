//! Whether what a restore left is what was committed at that moment.

use std::time::Duration;

use catalog::Kind;
use catalog::record::{Grade, Job, JobId, JobState, Point, RestoreTarget, Work};
use chain::{Span, TimeSpan};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};
use simsql::value::Value;
use vault::world::Clock as _;

use super::truth::State;
use super::{Play, is_done, last_of};

/// Whether what the vault shows is what the store has. Of the end of a log `msdb` tells a moment up to a second later than its header,
/// whose times are cut.
fn is_alike((shown, held): (&Span, &Span)) -> bool {
    let second = SignedDuration::from_secs(1);
    let place = |span: &Span| (span.branch, span.from, span.to);
    let are_times_alike = match (shown.times, held.times) {
        (Some(shown), Some(held)) => {
            shown.from == held.from && held.to <= shown.to && shown.to <= held.to + second
        }
        // By the headers no moment is surely in it, and less than a second of them with the later end.
        (Some(shown), None) => {
            let is_within = |held: TimeSpan| held.from <= shown.from && shown.to <= held.to;
            held.within.is_some_and(is_within) && shown.to.duration_since(shown.from) < second
        }
        _ => shown.times == held.times && shown.within == held.within,
    };
    place(shown) == place(held) && are_times_alike
}

impl Play {
    /// Judges a restore into a database of a name on an instance. `is_struck`: something was in its way.
    pub(super) async fn judge_restore(
        &mut self,
        target: &RestoreTarget,
        job: Job,
        (server, name): (usize, &str),
        is_struck: bool,
    ) {
        let found = self.rows(server, name).await;
        let word = match (is_done(&job), is_struck) {
            (true, false) => "restored",
            (true, true) => "restored in spite of trouble",
            (false, true) => "not restored for trouble",
            (false, false) => "not restored",
        };
        self.counts(word, &[]);
        if !is_done(&job) && !is_struck && !self.is_ambiguous(target, &job) {
            self.wrong(format!(
                "nothing was in the way of a restore to {target:?}: {job:#?}"
            ));
        }
        match &found {
            Some(rows) => self.compare(target, &job, rows).await,
            None if is_done(&job) => self.wrong(format!("{name} is not there after {job:#?}")),
            None => {}
        }
        if found.is_some() || job.state != JobState::Completed {
            let sql = self.cluster.sql(&self.servers[server]);
            // It may not be there.
            sql.run(&format!("DROP DATABASE [{name}]")).await;
        }
    }

    pub(super) async fn compare(&mut self, target: &RestoreTarget, job: &Job, rows: &State) {
        let between = match target {
            RestoreTarget::Moment { at } => Some((*at, *at)),
            _ => self.taken(job).await,
        };
        let Some((from, to)) = between else {
            self.wrong(format!("{target:?} is open, and no plan led there: {job:#?}"));
            return;
        };
        if !self.truth.was_between(from, to, rows) {
            let when = self.truth.when(rows);
            self.wrong(format!(
                "{target:?}: {} rows, which are not those between {from} and {to} but those behind {when:?}: {job:#?}",
                rows.len()
            ));
        }
    }

    /// Between which moments the last backup of a plan was taken, by the clock of the database's server: from its job's first record
    /// to its point's.
    async fn taken(&self, job: &Job) -> Option<(Timestamp, Timestamp)> {
        let last = last_of(job)?;
        let points: Vec<Point> = self.cluster.points().await;
        let point = points.into_iter().find(|point| point.id == last)?;
        let mut by = point.job?;
        while let Some(adopted) = self.adopted_by(by) {
            by = adopted;
        }
        let from = self.first_write(Kind::Job, &by.to_string())?;
        let to = self.first_write(Kind::Point, &last.to_string())?;
        let (from, to) = (self.clock.then(from), self.clock.then(to));
        // The clock may have gone back in between.
        Some((from.min(to), from.max(to)))
    }

    fn first_write(&self, kind: Kind, id: &str) -> Option<Duration> {
        let writes = self.cluster.history.of(kind);
        writes.iter().find(|write| write.id == id).map(|write| write.at)
    }

    /// The job whose set a job keeps.
    fn adopted_by(&self, id: JobId) -> Option<JobId> {
        let writes = self.cluster.history.of(Kind::Job);
        let write = writes.iter().find(|write| write.id == id.to_string())?;
        match serde_json::from_str::<Job>(write.body.as_ref()?).ok()?.work {
            Work::Backup(work) => work.adopts,
            _ => None,
        }
    }

    /// The rows of a database that is open; none where there is none.
    pub(super) async fn rows(&self, server: usize, name: &str) -> Option<State> {
        let text = format!("SELECT id, what FROM [{name}].dbo.Work");
        let answers = self.cluster.sql(&self.servers[server]).run(&text).await;
        if answers.errors().next().is_some() {
            return None;
        }
        let rows = answers.results.last().expect("a result");
        let row = |row: &Vec<Value>| match row.as_slice() {
            [Value::Integer(id), Value::Text(what)] => (*id, what.clone()),
            other => panic!("a row of numbers and texts: {other:?}"),
        };
        Some(rows.rows.iter().map(row).collect())
    }

    /// No lease of a live backup was broken.
    pub(super) fn judge_leases(&mut self) {
        let seen = self.cluster.door.leases.seen();
        for _ in 0..seen.broken {
            self.counts("lease broken", &[]);
        }
        seen.wrong.into_iter().for_each(|sentence| self.wrong(sentence));
    }

    /// Whether a restore was refused because the server's clock was put back and showed the moment again, of which the vault may know
    /// more than headers tell.
    fn is_ambiguous(&self, target: &RestoreTarget, job: &Job) -> bool {
        let RestoreTarget::Moment { at } = target else {
            return false;
        };
        let code = job.fault.as_ref().map(Fault::code);
        code == Some(Code::Bac2MomentNotRestorable)
            && self.clock.showed_again(*at, self.cluster.clock.uptime())
    }

    /// The vault shows what the streams in the store lead to, no more and no less.
    pub(super) async fn judge_coverage(&mut self) {
        let points = self.cluster.points().await;
        if points.iter().any(|point| point.grade == Grade::Disputed) {
            // The vault says of these that they are there; here they are left out.
            return;
        }
        let (shown, spans) = (self.spans().await, self.held().await.database.coverage().spans);
        self.counts("coverage compared", &[]);
        let is_alike = shown.len() == spans.len() && shown.iter().zip(&spans).all(is_alike);
        if !is_alike {
            self.wrong(format!(
                "the vault shows {shown:#?}, and the store has {spans:#?}"
            ));
        }
    }

    /// Where nothing ever went wrong, no backup failed.
    pub(super) async fn judge_calm(&mut self) {
        let jobs: Vec<Job> = self.cluster.records().await;
        for job in jobs {
            // One that would have run beside another of its kind is not needed.
            let is_needed = job.state != JobState::Cancelled;
            let code = job.fault.as_ref().map(Fault::code);
            // Nor is a copy-only full that was restored the base of a differential.
            let before_full = [
                Some(Code::UserErrorSQLLSNValidationFailure),
                Some(Code::UserErrorParentFullBackupMissing),
            ];
            let is_between = self.is_overwritten && before_full.contains(&code);
            if matches!(job.work, Work::Backup(_)) && is_needed && !is_done(&job) && !is_between {
                self.wrong(format!("nothing went wrong, and a backup was not done: {job:#?}"));
            }
        }
    }
}
