//! `bac2 leases break` and `bac2 leases delete`.

use clap::Args;
use guard::clock::{Clock, SystemClock};
use guard::{Account, Deed};

use super::account::Reach;
use super::clean::{self, Order};
use super::confirm::Consent;
use super::report::{About, ReportTo};
use super::stop::Stop;
use super::terms::{When, Where};
use super::{block_on, complaint, confirm, table};
use crate::console::{Console, Format};
use crate::failure::Failure;

/// Breaks the leases of backups that died, once they were quiet for long enough.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 leases break --account-url https://shop.blob.core.windows.net --entra --dry-run
  bac2 leases break --account-url https://shop.blob.core.windows.net --container backups --sas-file ./sas
  bac2 leases break --account-url https://shop.blob.core.windows.net --entra --min-quiet 4h --yes --report broken.xlsx
  bac2 leases break --account-url http://127.0.0.1:10000/vault01 --account-key-file ./accounts --blob backups/a.bak
  bac2 leases break --account-url https://shop.blob.core.windows.net --entra --ask sql01 sql02,1444 \
    --ask-user guard --ask-password-file ./password

Finds the locked blobs, watches until each was quiet for --min-quiet or showed a sign of life, shows
what it will break and what it leaves alone and why, asks for the typed name (or takes --yes), and
looks at each blob once more before its lease is broken. What changed meanwhile is left alone.

Quiet is what this command itself watched. On an account that is not the vault's own door it is
evidence, not proof: a backup that only paused fails when its lease is broken. With --ask SERVER each
server is asked, at every look and again before each deed, whether a BACKUP or RESTORE that runs names
the blob, or may; one that does not answer, or shows its login too little, keeps every lease as it is.
On the vault's own door open connections and jobs decide, and what the door watched before counts.

Broken are leases of backups, known by positive evidence. Restore leases only with --include-restore,
each after a question of its own; with --yes only where the vault's own door saw no use of the blob,
or where the blob is named with --blob. Unknown holders only where the blob is named. Never: disks
(.vhd), SQL Server data and log files, leases of 15 to 60 seconds.

A credential needs to list, read and write: SAS letters l, r and w, or the role Storage Blob Data
Contributor. Exit code 0 done, nothing to do, or left alone because it changed (1 with --strict);
1 when a lease could not be broken, something could not be read, or a signal ended it; 2 for wrong
usage, without the confirmation, and when the account does not answer or refuses.")]
pub(crate) struct Break {
    #[command(flatten)]
    run: Run,
}

/// Breaks the leases of backups that died, and deletes what they left.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 leases delete --account-url https://shop.blob.core.windows.net --entra --dry-run
  bac2 leases delete --account-url https://shop.blob.core.windows.net --container backups --sas-file ./sas
  bac2 leases delete --account-url https://shop.blob.core.windows.net --entra --min-quiet 4h --yes --report gone.csv

As bac2 leases break, whose rules and warnings hold here too; then the blob is deleted, if it still
is the one that was judged. Before that its content is read: one that holds a complete backup, or
of which that cannot be known, is left alone unless --complete-too says otherwise. Snapshots are
never deleted, and a blob that has some is not either.

A credential needs to list, read, write and delete: SAS letters l, r, w and d, or the role Storage
Blob Data Contributor. Exit codes as bac2 leases break.")]
pub(crate) struct Delete {
    #[command(flatten)]
    run: Run,

    /// Delete blobs that hold a complete backup, too
    #[arg(long)]
    complete_too: bool,
}

/// What both take.
#[derive(Debug, Args)]
#[group(skip)]
struct Run {
    #[command(flatten)]
    account: Reach,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    when: When,

    /// Watch, say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Do not ask; and replace the report file if it is there
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    report: ReportTo,
}

impl Break {
    pub(crate) fn run(&self, console: &Console) -> Result<(), Failure> {
        self.run.run(Deed::Break, console)
    }
}

impl Delete {
    pub(crate) fn run(&self, console: &Console) -> Result<(), Failure> {
        let complete_too = self.complete_too;
        self.run.run(Deed::Delete { complete_too }, console)
    }
}

impl Run {
    fn run(&self, deed: Deed, console: &Console) -> Result<(), Failure> {
        let terms = self.when.terms(&self.at);
        let ask = self.when.servers(console)?;
        let consent = match self.dry_run {
            true => None,
            false => Some(Consent::of(self.yes, deed)?),
        };
        let scope = self.at.scope();
        let about = About {
            command: confirm::word(deed),
            dry_run: self.dry_run,
            scope: scope.clone(),
            terms: terms.clone(),
        };
        let mut report = self.report.prepare(self.yes, about)?;
        self.when.warn_if_short(console);
        let order = Order {
            scope,
            terms,
            deed,
            dry_run: self.dry_run,
            ask,
        };
        block_on(async {
            let account = self.account.open(!self.dry_run, console)?;
            let clock = SystemClock::new();
            let stop = Stop::on_signal()?;
            let cleaned = clean::clean(&account, &clock, order, consent, &stop, console).await;
            let rows = clean::rows(&cleaned.entries, &account);
            // What was done is written down before anything else can go wrong.
            let looked = cleaned.end.is_none() || !rows.is_empty();
            let reported = match &mut report {
                // A run that was ended before it saw anything has nothing to report; "no locked blobs" would be wrong.
                Some(report) if looked => {
                    report.write(&rows, &cleaned.summary, account.address(), clock.now())
                }
                _ => Ok(()),
            };
            if looked && !cleaned.is_just_shown(console.format()) {
                match console.format() {
                    Format::Json => console.json(&rows)?,
                    Format::Table => console.text(&shown(&rows, console))?,
                }
            }
            complaint::about(&cleaned.entries, |entry| cleaned.was_chosen(entry), console);
            if let Err(failure) = reported {
                console.fail(&failure);
            }
            cleaned.end.map_or(Ok(()), Err)
        })
    }
}

fn shown(rows: &[guard::report::Row], console: &Console) -> String {
    if rows.is_empty() {
        return "no blob is locked: nothing to do\n".to_owned();
    }
    let nothing = rows.iter().all(|row| row.ruling != Some("break"));
    let nothing = if nothing { "; nothing to do" } else { "" };
    format!("{}\n{}{nothing}\n", table::show(rows, console), table::sum(rows))
}
