//! The story itself: a good day, then two bad ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bak::{Report, Verdict};
use frontdoor::listing::{Entry, ShownVerdict};
use guard::report::Did;
use guard::ruling::Why;
use guard::{Finding, Holder};
use tokio::time::sleep;

use super::door::Door;
use super::narrator::Narrator;
use super::outcome::{FlippedBit, Interrupted, Kept};
use super::rescue::{Rescue, Rescued};
use super::source::Source;
use super::upload::{self, BLOCK_BYTES, CONNECTIONS, Place, Upload};
use crate::console::Console;
use crate::inspect::words;
use crate::paint::{Tone, verdict_words};
use crate::progress::Progress;
use crate::quantity::{count, counted, duration, size, speed};
use crate::verify::{finding, log_blocks, pages};

/// How long the vault may take to reach a verdict once all is uploaded: far more than it needs.
const VERDICT_PATIENCE: Duration = Duration::from_secs(60);

/// How often the vault is asked meanwhile.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// A backup that takes part.
pub(super) struct Subject {
    /// The file's name, as the user gave it.
    pub(super) name: String,
    /// Its name in the vault.
    pub(super) blob: String,
    pub(super) source: Source,
    pub(super) made_here: bool,
}

/// Where it all happens.
pub(super) struct Stage<'a> {
    pub(super) door: &'a Door,
    pub(super) console: &'a Console,
    pub(super) narrator: Narrator<'a>,
}

impl Stage<'_> {
    /// Upload, proof, download.
    pub(super) async fn good_day(&self, subject: &Subject) -> Result<Kept> {
        let say = &self.narrator;
        let blocks = upload::block_count(&subject.source);
        let bytes = subject.source.bytes();
        say.chapter(&format!("{} goes into the vault", subject.name))?;
        say.line("as SQL Server does it: empty Put Blob, infinite lease, blocks, block list, release")?;
        let upload_seconds = self.upload(&subject.blob, &subject.source).await?;
        let (sent, over) = (
            counted(blocks, "block"),
            counted(CONNECTIONS.min(blocks), "connection"),
        );
        say.fact(
            "uploaded",
            &moved(bytes, upload_seconds, &format!("{sent} over {over}")),
        )?;

        let (listed, report) = self.verdict(&subject.blob).await?;
        self.proof(&listed, report.as_ref())?;
        let of_file = subject.source.verify()?;

        let started = Instant::now();
        let progress = Progress::bytes(self.console, Some(bytes));
        let identical = upload::same_as(&self.place(&subject.blob), &subject.source, &progress).await?;
        progress.clear();
        let download_seconds = started.elapsed().as_secs_f64();
        let (tone, word) = if identical {
            (Tone::Good, "the same to the byte")
        } else {
            (Tone::Bad, "NOT what went in")
        };
        say.judged("came back", tone, word)?;
        say.fact(
            "",
            &moved(bytes, download_seconds, "ranged reads, checked at rest"),
        )?;
        Ok(Kept {
            file: subject.name.clone(),
            made_here: subject.made_here,
            bytes,
            blocks,
            upload_seconds,
            verdict: known(&listed),
            reasons: listed.reasons,
            pages: report.as_ref().map(|report| report.pages).unwrap_or_default(),
            log_blocks: report
                .as_ref()
                .map(|report| report.log_blocks)
                .unwrap_or_default(),
            sets: listed.sets,
            verdict_of_file: of_file.verdict,
            identical,
            download_seconds,
        })
    }

    /// One bit flips on the way in. SQL Server is told that all is well, as its bytes were stored; the verdict is not.
    pub(super) async fn flipped_bit(&self, subject: &Subject) -> Result<FlippedBit> {
        let say = &self.narrator;
        say.chapter("Bad day one: a single bit flips on its way in")?;
        let (flip, alone) = subject
            .source
            .telling_flip()?
            .context("no bit of this backup is protected by a checksum")?;
        say.fact(
            "flipped",
            &format!(
                "bit {} of byte {} of {}",
                flip.bit,
                count(flip.offset),
                subject.name
            ),
        )?;
        let blob = format!("flipped-{}", subject.blob);
        self.upload(&blob, &subject.source.flipped(flip)).await?;
        say.fact(
            "uploaded",
            "every request succeeded: SQL Server would have reported success",
        )?;
        let (listed, report) = self.verdict(&blob).await?;
        let verdict = known(&listed);
        say.judged(
            "verdict",
            verdict.map_or(Tone::Bad, Tone::of),
            verdict.map_or("none", verdict_words),
        )?;
        let damage = report.as_ref().and_then(|report| report.damage.first());
        let named = damage.map(finding);
        if let Some(text) = &named {
            say.fact("named", text)?;
        }
        Ok(FlippedBit {
            file: subject.name.clone(),
            offset: flip.offset,
            bit: flip.bit,
            verdict,
            finding: named,
            same_as_file: damage == alone.damage.first(),
        })
    }

    /// The connection dies in the middle of a block: no block list, no release.
    pub(super) async fn interrupted(&self, subject: &Subject) -> Result<Interrupted> {
        let say = &self.narrator;
        say.chapter("Bad day two: the upload dies half-way")?;
        let blob = format!("interrupted-{}", subject.blob);
        let place = self.place(&blob);
        let blocks = upload::block_count(&subject.source);
        let sent = blocks / 2;
        let progress = Arc::new(Progress::bytes(self.console, Some(sent * BLOCK_BYTES as u64)));
        let upload = Upload::begin(&place).await?;
        upload.send(&subject.source, sent, &progress).await?;
        progress.clear();
        let rescue = Rescue::of(self.door, &blob, sent == 0)?;
        let spared_because = rescue.spared_because().await?;
        upload.die_within_block(&subject.source, sent).await?;
        let all = counted(blocks, "block");
        say.fact(
            "sent",
            &format!("{sent} of {all} and half of the next; then the connection was cut"),
        )?;

        let refused = upload::try_delete(&place).await?;
        let readable_bytes = upload::readable_bytes(&place).await?;
        let listed = self
            .door
            .listed(&blob)
            .context("the interrupted blob is not listed")?;
        let lease = listed.lease_duration.map_or("", |kind| kind.as_str());
        let state = listed.lease_state.as_str();
        say.fact(
            "lock",
            &format!("{state} ({lease}): the lease outlives the connection"),
        )?;
        let refusal = refused.as_deref().unwrap_or("nothing: IT WAS DELETED");
        say.fact("delete", &format!("without the lease it meets {refusal}"))?;
        let verdict = listed.verdict.map(ShownVerdict::as_str);
        let point = verdict.unwrap_or("none");
        say.fact(
            "verdict",
            &format!("{point}; {} to read: no recovery point", size(readable_bytes)),
        )?;
        let Rescued { finding, did } = rescue.clean_up().await?;
        let cleaned_up = did == Did::Deleted;
        self.rescue(spared_because.as_ref(), &finding, cleaned_up)?;
        Ok(Interrupted {
            file: subject.name.clone(),
            blocks_sent: sent,
            blocks,
            lease_state: listed.lease_state,
            lease_duration: listed.lease_duration,
            verdict,
            readable_bytes,
            delete_refused_with: refused,
            spared_because,
            holder: finding.holder.as_str(),
            cleaned_up,
        })
    }

    /// What the lease guard made of the interrupted upload.
    fn rescue(&self, spared_because: Option<&Why>, finding: &Finding, cleaned_up: bool) -> Result<()> {
        let say = &self.narrator;
        let spared = match spared_because {
            Some(Why::ConnectionOpen) => {
                "while it lived, left alone: a connection of its was open at the door"
            }
            _ => "while it lived, NOT known to be alive",
        };
        say.fact("guard", spared)?;
        let left = finding.uncommitted.map_or(0, |uncommitted| uncommitted.blocks);
        let holder = match finding.holder {
            Holder::Backup(_) => "a dead backup's",
            Holder::Restore => "a restore's",
            Holder::Unknown => "nobody known's, so it was named",
        };
        let end = if cleaned_up {
            "lease broken, blob deleted, the name is free"
        } else {
            "NOT cleaned up"
        };
        let left = counted(left, "block");
        say.fact("", &format!("then {holder}, {left} left behind: {end}"))?;
        Ok(())
    }

    fn place(&self, blob: &str) -> Place {
        self.door.place(blob)
    }

    /// Gives the seconds it took until the last block was durable and committed.
    async fn upload(&self, blob: &str, source: &Source) -> Result<f64> {
        let progress = Arc::new(Progress::bytes(self.console, Some(source.bytes())));
        progress.at(blob);
        let started = Instant::now();
        let upload = Upload::begin(&self.place(blob)).await?;
        upload
            .send(source, upload::block_count(source), &progress)
            .await?;
        upload.finish(source).await?;
        let seconds = started.elapsed().as_secs_f64();
        progress.clear();
        Ok(seconds)
    }

    /// Waits until the vault has made up its mind about a blob.
    async fn verdict(&self, blob: &str) -> Result<(Entry, Option<Report>)> {
        let started = Instant::now();
        loop {
            let listed = self.door.listed(blob).context("the blob is not listed")?;
            if !matches!(listed.verdict, Some(ShownVerdict::Waiting(_))) {
                return Ok((listed, self.door.report(blob)?));
            }
            anyhow::ensure!(
                started.elapsed() < VERDICT_PATIENCE,
                "the vault reached no verdict on {blob}"
            );
            sleep(ASK_AGAIN).await;
        }
    }

    /// What the vault found out by itself.
    fn proof(&self, listed: &Entry, report: Option<&Report>) -> Result<()> {
        let say = &self.narrator;
        let verdict = known(listed);
        say.judged(
            "verdict",
            verdict.map_or(Tone::Bad, Tone::of),
            verdict.map_or("none", verdict_words),
        )?;
        if verdict != Some(Verdict::Ok) {
            for reason in &listed.reasons {
                say.fact("", reason)?;
            }
        }
        for set in &listed.sets {
            let kind = words::backup_type(set.backup_type);
            let product = words::product(set.software_version);
            say.fact(
                "holds",
                &format!(
                    "{kind} backup of {} on {}, {product}",
                    set.database_name, set.server_name
                ),
            )?;
            if let (Some(first), Some(last)) = (set.first_lsn, set.last_lsn) {
                say.fact("log", &format!("LSN {first} to {last}"))?;
            }
        }
        if let Some(report) = report {
            say.fact("pages", &pages(&report.pages))?;
            say.fact("log blocks", &log_blocks(&report.log_blocks))?;
        }
        Ok(())
    }
}

/// The verdict, where the vault has made up its mind.
fn known(listed: &Entry) -> Option<Verdict> {
    match listed.verdict {
        Some(ShownVerdict::Judged(verdict)) => Some(verdict),
        _ => None,
    }
}

/// `64 MiB in 0.3 s, 200 MB/s (16 blocks over 4 connections)`
fn moved(bytes: u64, seconds: f64, how: &str) -> String {
    let rate = speed(bytes, seconds)
        .map(|speed| format!(", {speed}"))
        .unwrap_or_default();
    format!("{} in {}{rate} ({how})", size(bytes), duration(seconds))
}
