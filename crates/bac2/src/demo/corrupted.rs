//! The second bad day: a page changes on the source's disk, and nobody has read it since.

use anyhow::{Context, Result};
use bak::Verdict;
use catalog::record::{JobId, JobState};
use faults::Fault;
use schedule::BackupKind;

use super::door::HOST;
use super::instance::{literal, quoted};
use super::keeper::until;
use super::outcome::{Corrupted, Taken};
use super::pages;
use super::stage::{ARCHIVE, Stage, Subject};
use crate::paint::{Tone, verdict_words};
use crate::verify::finding;

/// The blob of the backup that somebody takes by hand.
pub(super) const BY_HAND: &str = "by-hand.bak";

/// The data file that the page is in.
const FILE: u16 = 1;

impl Stage<'_> {
    /// Changes a byte of a page behind the instance's back, and has it backed up with and without SQL Server's own checksums. The log goes
    /// on, which the way back rests on.
    pub(super) async fn corrupt(&self, subject: &Subject) -> Result<(Corrupted, Taken)> {
        let say = &self.narrator;
        let name = &subject.name;
        say.chapter(&format!("Bad day two: a page of {name} changes on the disk"))?;
        let page = self.corrupt_page(name).await?;
        say.fact(
            "changed",
            &format!("one bit of page {FILE}:{page}, a page of {ARCHIVE}"),
        )?;

        let (job, fault) = self.refused_full(subject).await?;
        let said = fault.decisive();
        let message_names_page = said.is_some_and(|said| said.text().contains(&format!("({FILE}:{page})")));
        say.fact("full", &format!("failed with {}", fault.code()))?;
        say.fact(
            "",
            said.map_or("and the instance said nothing", faults::Said::text),
        )?;

        let (verdict, damage) = self.back_up_by_hand(subject).await?;
        say.fact(
            "by hand",
            "a backup WITH NO_CHECKSUM: the instance calls it a success",
        )?;
        say.judged(
            "verdict",
            verdict.map_or(Tone::Bad, Tone::of),
            verdict.map_or("none", verdict_words),
        )?;
        let found = damage.as_ref().map(finding);
        say.fact("", found.as_deref().unwrap_or("nothing was found"))?;
        let finding_names_page =
            damage.is_some_and(|damage| damage.file_id == Some(FILE) && damage.page_id == Some(page));
        let log = self.back_up(subject, BackupKind::Log).await?;
        self.call_off(job).await?;
        let corrupted = Corrupted {
            database: name.clone(),
            file: FILE,
            page,
            code: fault.code(),
            message: said.map(faults::Said::number),
            message_names_page,
            verdict,
            finding: found,
            finding_names_page,
        };
        Ok((corrupted, log))
    }

    /// Has the vault take a full, which cannot be. The job, and why its first attempt failed.
    async fn refused_full(&self, subject: &Subject) -> Result<(JobId, Fault)> {
        let vault = &self.keeper.vault;
        let id = vault.back_up(subject.item, BackupKind::Full, None).await?;
        let failed = until("an attempt is over", || async {
            let job = vault.job(id).await?;
            let is_over = job.state.is_ended() || job.state == JobState::Queued && job.fault.is_some();
            Ok(is_over.then_some(job))
        });
        let fault = failed.await?.fault;
        let fault = fault.context("the full of a database with a damaged page did not fail")?;
        Ok((id, fault))
    }

    /// A disk may heal, so that the vault would try again: it is told not to.
    async fn call_off(&self, job: JobId) -> Result<()> {
        let seen = self.keeper.vault.job(job).await?;
        if !seen.state.is_ended() {
            self.keeper.vault.cancel_job(job).await?;
            self.keeper.ended(job).await?;
            self.narrator.fact(
                "full",
                "called off; the vault would try twice more, as disks may heal",
            )?;
        }
        Ok(())
    }

    async fn corrupt_page(&self, database: &str) -> Result<u32> {
        let source = &self.source;
        let quoted = quoted(database);
        // What is in memory alone is in no file.
        source.execute(&format!("USE {quoted}; CHECKPOINT")).await?;
        let object = format!("{quoted}.dbo.{ARCHIVE}");
        let object: i64 = source
            .value(&format!("SELECT OBJECT_ID({}) AS v", literal(&object)))
            .await?;
        let file =
            format!("SELECT physical_name AS v FROM {quoted}.sys.database_files WHERE file_id = {FILE}");
        let file: String = source.value(&file).await?;
        let object = u32::try_from(object).context("the number of a table")?;
        let page = pages::of_rows(file.as_ref(), object)?;
        source
            .fault(&format!("page corrupt {quoted} {FILE} {page}"))
            .await?;
        Ok(page)
    }

    /// Somebody's script, which the vault knows nothing of. What its verifier says of the bytes, and the first damage it found.
    async fn back_up_by_hand(&self, subject: &Subject) -> Result<(Option<Verdict>, Option<bak::Damage>)> {
        let container = &subject.container;
        let url = format!("https://{HOST}/{container}/{BY_HAND}");
        let backup = format!(
            "BACKUP DATABASE {} TO URL = {} WITH COPY_ONLY, NO_CHECKSUM, NO_COMPRESSION, \
             MAXTRANSFERSIZE = 4194304, BLOCKSIZE = 65536",
            quoted(&subject.name),
            literal(&url)
        );
        self.source.execute(&backup).await?;
        let verdict = until("the verifier comes to its end", || async {
            self.verdict(container, BY_HAND).await
        });
        let verdict = verdict.await?;
        let report = self.door.report(container, BY_HAND).await?;
        Ok((
            Some(verdict),
            report.and_then(|report| report.damage.into_iter().next()),
        ))
    }
}
