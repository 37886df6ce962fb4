//! The third bad day: somebody deletes all orders. The database comes back as it was a second before, on another instance.
//!
//! What comes back is held against what was read on the source between the last good transaction and the bad one. The moment is a
//! whole second between the two, on the source's clock: a log knows no finer.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use catalog::record::{Place, RestoreOrder, RestoreTarget, ServerId, Work};
use jiff::civil::DateTime;
use jiff::{SignedDuration, ToSpan};
use mssql::value::{DateTime as Shown, TICKS_PER_SECOND};
use schedule::BackupKind;
use tokio::time::sleep;

use super::instance::{Instance, quoted};
use super::outcome::{Restored, RestoredPages, Taken};
use super::pages;
use super::rows::{self, Contents};
use super::stage::{ORDERS, Stage, Subject};
use crate::paint::Tone;
use crate::quantity::{count, counted, duration, size};

/// The last orders that came in.
const LAST_ORDERS: u32 = 10;

/// File header and boot page: a restore writes them itself.
const OWN_PAGES: [u32; 2] = [0, 9];

/// What was lost, and what there was before.
pub(super) struct Loss {
    /// All rows between the two transactions.
    before: Contents,
    /// Clocks of the source: after the last good transaction, the second to go back to, before the bad one.
    last_good: DateTime,
    at: DateTime,
    first_bad: DateTime,
    /// The log backup that holds both.
    pub(super) log: Taken,
}

impl Stage<'_> {
    /// Takes orders, then deletes all of them, with a whole second in between. `before`: the rows of all tables; those of the orders
    /// are read again.
    pub(super) async fn lose(&self, subject: &Subject, mut before: Contents) -> Result<Loss> {
        let (say, source) = (&self.narrator, &self.source);
        say.chapter("Bad day three: somebody deletes all orders")?;
        rows::add(source, &subject.name, ORDERS, LAST_ORDERS, 20).await?;
        let last_good = clock(source).await?;
        before.read_again(source, &subject.name, ORDERS).await?;
        let orders = before.rows_of(ORDERS);
        say.fact(
            "rows",
            &format!(
                "{} orders; the last {LAST_ORDERS} at {}",
                count(orders),
                to_second(last_good)
            ),
        )?;
        // The next whole second, and one more: the log is exact to the second that it is asked for.
        let at = to_second(last_good).checked_add(1.second())?;
        let first_bad = wait_for(source, at.checked_add(1.second())?).await?;
        source
            .execute(&format!("DELETE FROM {}.dbo.{ORDERS}", quoted(&subject.name)))
            .await?;
        let left = rows_of(source, &subject.name).await?;
        ensure!(left == 0, "the orders that were deleted are still there");
        say.fact("deleted", &format!("all of them, at {}", to_second(first_bad)))?;
        let log = self.back_up(subject, BackupKind::Log).await?;
        Ok(Loss {
            before,
            last_good,
            at,
            first_bad,
            log,
        })
    }

    /// Restores a database on another instance to the second before the loss, and compares it row by row.
    pub(super) async fn bring_back(
        &self,
        subject: &Subject,
        loss: &Loss,
        other: &Instance,
        server: ServerId,
    ) -> Result<Restored> {
        let say = &self.narrator;
        say.chapter(&format!("{} comes back, as it was at {}", subject.name, loss.at))?;
        say.fact(
            "target",
            &format!(
                "{}, another simulated instance at {}",
                other.name(),
                other.address()
            ),
        )?;
        let target = RestoreTarget::Local { at: loss.at };
        let mut restored = self.restore(subject, target, other, server).await?;
        let found = Contents::of(other, &subject.name).await?;
        restored.at = Some(loss.at.to_string());
        restored.is_between = loss.last_good < loss.at && loss.at < loss.first_bad;
        restored.rows = found.rows();
        restored.rows_expected = loss.before.rows();
        restored.difference = found.difference(&loss.before);
        match &restored.difference {
            None => say.judged(
                "compared",
                Tone::Good,
                &format!(
                    "{}, each as it was on {}",
                    counted(restored.rows, "row"),
                    self.source.name()
                ),
            )?,
            Some(difference) => say.judged("compared", Tone::Bad, difference)?,
        }
        Ok(restored)
    }

    /// Restores the user's database on another instance, and compares the data files page by page.
    pub(super) async fn bring_pages_back(
        &self,
        subject: &Subject,
        other: &Instance,
        server: ServerId,
    ) -> Result<RestoredPages> {
        let restored = self
            .restore(subject, RestoreTarget::Latest, other, server)
            .await?;
        let (ours, theirs) = (
            data_files(&self.source, &subject.name).await?,
            data_files(other, &subject.name).await?,
        );
        ensure!(
            ours.len() == theirs.len(),
            "the restored database has other files"
        );
        let mut found = RestoredPages {
            restored,
            same: 0,
            differ: Vec::new(),
        };
        for (number, (one, two)) in (1..).zip(ours.iter().zip(&theirs)) {
            let (same, differ) = pages::compare(one.as_ref(), two.as_ref(), &OWN_PAGES)?;
            found.same += same;
            found
                .differ
                .extend(differ.iter().map(|page| format!("{number}:{page}")));
        }
        let tone = if found.held() { Tone::Good } else { Tone::Bad };
        let text = match found.differ.first() {
            None => format!(
                "{}, each as it is on {}",
                counted(found.same, "page"),
                self.source.name()
            ),
            Some(page) => format!("page {page} is another"),
        };
        self.narrator.judged("compared", tone, &text)?;
        Ok(found)
    }

    async fn restore(
        &self,
        subject: &Subject,
        target: RestoreTarget,
        other: &Instance,
        server: ServerId,
    ) -> Result<Restored> {
        let order = RestoreOrder {
            item: subject.item,
            target,
            place: Place::new(server, &subject.name),
            accept_damaged: Vec::new(),
        };
        let job = self.keeper.vault.restore(order).await?;
        let job = self.keeper.ended(job).await?;
        if let Some(fault) = &job.fault {
            self.narrator.judged("NOT DONE", Tone::Bad, &fault.to_string())?;
        }
        let Work::Restore(work) = &job.work else {
            anyhow::bail!("the job is no restore");
        };
        let steps: Vec<BackupKind> = work.steps.iter().map(|step| step.kind).collect();
        let bytes = work.steps.iter().map(|step| step.bytes).sum();
        let seconds = job
            .started
            .zip(job.ended)
            .map_or(0.0, |(from, to)| to.duration_since(from).as_secs_f64());
        let names: Vec<&str> = steps.iter().map(|kind| kind.name()).collect();
        self.narrator.fact(
            "restored",
            &format!("{}: {} in {}", names.join(", "), size(bytes), duration(seconds)),
        )?;
        Ok(Restored {
            database: subject.name.clone(),
            server: other.name().to_owned(),
            state: job.state,
            code: job.fault.as_ref().map(faults::Fault::code),
            at: None,
            is_between: true,
            steps,
            bytes,
            rows: 0,
            rows_expected: 0,
            difference: None,
            seconds,
        })
    }
}

/// What a server's clock shows.
async fn clock(instance: &Instance) -> Result<DateTime> {
    let shown: Shown = instance.value("SELECT SYSDATETIME() AS v").await?;
    let days = i64::from(shown.days);
    let date = jiff::civil::date(1, 1, 1).checked_add(days.days())?;
    let seconds = i64::try_from(shown.ticks / TICKS_PER_SECOND)?;
    let nanos = i32::try_from(shown.ticks % TICKS_PER_SECOND * 100)?;
    Ok(date
        .to_datetime(jiff::civil::Time::midnight())
        .checked_add(SignedDuration::new(seconds, nanos))?)
}

/// Waits until a server's clock shows a time; what it shows then.
async fn wait_for(instance: &Instance, time: DateTime) -> Result<DateTime> {
    loop {
        let now = clock(instance).await?;
        let left = time.duration_since(now);
        if !left.is_positive() {
            return Ok(now);
        }
        sleep(Duration::try_from(left).unwrap_or_default()).await;
    }
}

fn to_second(time: DateTime) -> DateTime {
    let whole = time.time().with().subsec_nanosecond(0).build();
    whole.map_or(time, |whole| time.date().to_datetime(whole))
}

async fn rows_of(instance: &Instance, database: &str) -> Result<i64> {
    let counted = format!("SELECT COUNT(*) AS v FROM {}.dbo.{ORDERS}", quoted(database));
    instance.value(&counted).await
}

/// Paths of a database's data files, by number.
async fn data_files(instance: &Instance, database: &str) -> Result<Vec<String>> {
    let files = format!(
        "SELECT physical_name AS v FROM {}.sys.database_files WHERE type = 0 ORDER BY file_id",
        quoted(database)
    );
    let rows = instance.query(&files).await?;
    rows.iter()
        .map(|row| row.get("v").context("a file without a path"))
        .collect()
}
