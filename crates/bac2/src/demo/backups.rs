//! Backups that the vault is asked for, and what is known of each.

use anyhow::Result;
use bak::Verdict;
use catalog::record::{Grade, Job};
use frontdoor::listing::ShownVerdict;
use schedule::BackupKind;

use super::outcome::Taken;
use super::stage::{Stage, Subject};
use crate::paint::Tone;
use crate::quantity::{counted, duration, size};

impl Stage<'_> {
    /// Asks for a backup, waits for its end, and tells of it.
    pub(super) async fn back_up(&self, subject: &Subject, kind: BackupKind) -> Result<Taken> {
        let job = self.keeper.back_up(subject.item, kind).await?;
        let taken = self.taken(subject, kind, &job).await?;
        self.tell_taken(&taken)?;
        Ok(taken)
    }

    /// What is known of a job that has ended.
    pub(super) async fn taken(&self, subject: &Subject, kind: BackupKind, job: &Job) -> Result<Taken> {
        let point = self.keeper.point(job).await?;
        let blob = point.as_ref().and_then(|point| point.blobs.first());
        let report = match blob {
            Some(blob) => self.door.report(&subject.container, blob).await?,
            None => None,
        };
        let seconds = job
            .started
            .zip(job.ended)
            .map_or(0.0, |(from, to)| to.duration_since(from).as_secs_f64());
        let checked = report.as_ref();
        Ok(Taken {
            database: subject.name.clone(),
            kind,
            state: job.state,
            grade: point.as_ref().map(|point| point.grade),
            verdict: match blob {
                Some(blob) => self.verdict(&subject.container, blob).await?,
                None => None,
            },
            bytes: point.map_or(0, |point| point.bytes),
            pages: checked.map_or(0, |report| report.pages.checksum_ok + report.pages.torn_ok),
            log_blocks: checked.map_or(0, |report| report.log_blocks.ok),
            seconds,
        })
    }

    /// What the vault's verifier came to, where it has come to its end.
    pub(super) async fn verdict(&self, container: &str, blob: &str) -> Result<Option<Verdict>> {
        let listed = self.door.listed(container).await?;
        let entry = listed.into_iter().find(|entry| entry.name == blob);
        Ok(match entry.and_then(|entry| entry.verdict) {
            Some(ShownVerdict::Judged(verdict)) => Some(verdict),
            _ => None,
        })
    }

    pub(super) fn tell_taken(&self, taken: &Taken) -> Result<()> {
        let held = taken.held();
        let text = format!(
            "{} of {}: {}, {}, {} in {}",
            taken.kind,
            taken.database,
            grade_words(taken.grade),
            checked(taken),
            size(taken.bytes),
            duration(taken.seconds)
        );
        let tone = if held { Tone::Good } else { Tone::Bad };
        let name = if held { "backup" } else { "NOT DONE" };
        Ok(self.narrator.judged(name, tone, &text)?)
    }
}

/// `1,080 pages and 1 log block checked`
pub(super) fn checked(taken: &Taken) -> String {
    match (taken.pages, taken.log_blocks) {
        (0, 0) => "nothing checked".to_owned(),
        (0, blocks) => format!("{} checked", counted(blocks, "log block")),
        (pages, 0) => format!("{} checked", counted(pages, "page")),
        (pages, blocks) => format!(
            "{} and {} checked",
            counted(pages, "page"),
            counted(blocks, "log block")
        ),
    }
}

pub(super) fn grade_words(grade: Option<Grade>) -> &'static str {
    match grade {
        Some(Grade::Proved) => "proved",
        Some(Grade::EngineVerified) => "verified by the engine",
        Some(Grade::Accepted) => "accepted",
        Some(Grade::Disputed) => "DISPUTED",
        None => "no recovery point",
    }
}
