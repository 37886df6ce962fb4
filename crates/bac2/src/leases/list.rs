//! `bac2 leases list`: every locked blob, who holds it, whether the holder lives, and what `break` would do about it.

use std::time::Duration;

use clap::Args;
use guard::clock::{Clock, SystemClock};
use guard::report::{Entry, Summary};
use guard::{Account, Fault, Guard};

use super::account::Reach;
use super::ask::Servers;
use super::progress::Watcher;
use super::report::{About, ReportTo};
use super::stop::Stop;
use super::terms::{When, Where};
use super::{block_on, clean, complaint, table};
use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::lasting::lasting;
use crate::quantity::counted;

/// Lists locked blobs: who holds each, whether the holder lives, and what is in it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 leases list --account-url https://shop.blob.core.windows.net --entra
  bac2 leases list --account-url https://shop.blob.core.windows.net --container backups --sas-file ./sas
  bac2 leases list --account-url http://127.0.0.1:10000/vault01 --account-key-file ./accounts
  bac2 leases list --account-url https://shop.blob.core.windows.net --entra --report locked.xlsx

Looks twice, --apart, and changes nothing. A holder is called restore by the lease's well-known id,
backup on positive evidence only (TAPE or MSSQLBAK at the start, or block ids of SQL Server's form),
and else unknown. What break would do is said for each blob; --min-quiet and --include-restore are
as there. Quiet time is what was watched: by this command between its two looks, or by the vault's
own door, which knows connections and jobs. On any other account it is evidence, not proof.

A credential needs to list and to read: SAS letters l and r, or the role Storage Blob Data Reader.
Exit code 0 also where locked blobs are found; 1 when a container or blob could not be read, which
stands in the rows too; 2 for wrong usage and when the account does not answer or refuses.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    account: Reach,
    #[command(flatten)]
    at: Where,

    /// Time between the two looks; 0s looks once and cannot tell what grows
    #[arg(long, value_name = "TIME", value_parser = lasting, default_value = "3s")]
    apart: Duration,

    #[command(flatten)]
    when: When,
    #[command(flatten)]
    report: ReportTo,

    /// Replace the report file if it is there
    #[arg(long)]
    yes: bool,
}

/// What was found.
struct Listed {
    summary: Summary,
    entries: Vec<Entry>,
    /// The account failed after the first look.
    fault: Option<Fault>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let terms = arguments.when.terms(&arguments.at);
    let ask = arguments.when.servers(console)?;
    let scope = arguments.at.scope();
    let about = About {
        command: "list",
        dry_run: false,
        scope: scope.clone(),
        terms: terms.clone(),
    };
    let mut report = arguments.report.prepare(arguments.yes, about)?;
    block_on(async {
        let account = arguments.account.open(false, console)?;
        let clock = SystemClock::new();
        let watcher = Watcher::new(console);
        let guard = Guard::new(&account, &clock, scope.clone(), terms)
            .telling(&watcher)
            .asking_any(ask.as_deref());
        let listed = Stop::on_signal()?
            .unless(listed(guard, &clock, arguments.apart))
            .await;
        watcher.clear();
        let listed = match listed {
            Some(Ok(listed)) => listed,
            Some(Err(fault)) => {
                let rows = clean::rows(&clean::unread(&fault, &clock), &account);
                if let Some(report) = &mut report {
                    report.write(&rows, &Summary::default(), account.address(), clock.now())?;
                }
                return Err(complaint::unusable(&fault, account.address()));
            }
            None => return Err(clean::interrupted()),
        };
        clean::say_missing(&scope, &listed.entries, console);
        let mut entries = listed.entries;
        entries.extend(listed.fault.iter().flat_map(|fault| clean::unread(fault, &clock)));
        let rows = clean::rows(&entries, &account);
        let reported = match &mut report {
            Some(report) => report.write(&rows, &listed.summary, account.address(), clock.now()),
            None => Ok(()),
        };
        match console.format() {
            Format::Json => console.json(&rows)?,
            Format::Table => console.text(&format!(
                "{}{}",
                table::show(&rows, console),
                sum(&listed.summary, &table::sum(&rows))
            ))?,
        }
        complaint::about(&entries, |_| false, console);
        reported
    })
}

async fn listed<A: Account, C: Clock>(
    mut guard: Guard<'_, A, C, Servers>,
    clock: &C,
    apart: Duration,
) -> Result<Listed, Fault> {
    let summary = guard.survey().await?;
    let mut fault = None;
    if !apart.is_zero() && summary.locked > 0 {
        clock.sleep(apart).await;
        fault = guard.look_again().await.err();
    }
    Ok(Listed {
        summary,
        entries: guard.entries(),
        fault,
    })
}

/// The last line for people.
fn sum(summary: &Summary, words: &str) -> String {
    let seen = format!(
        "{} in {}",
        counted(summary.blobs, "blob"),
        counted(summary.containers, "container")
    );
    if words.is_empty() {
        format!("no blob is locked: {seen}\n")
    } else {
        format!("\n{seen}, {} locked: {words}\n", summary.locked)
    }
}
