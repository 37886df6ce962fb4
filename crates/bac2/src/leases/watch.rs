//! `bac2 leases watch`: goes on looking, tells what is new, and acts only where told to.
//!
//! One line a finding: all in the first round, later what is new or has changed, what was done, and what is locked no
//! more. An account that does not answer is told once and looked at again at the next round; nothing is taken for gone
//! meanwhile. The rules, and the last look before an act, are those of `break`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use guard::clock::SystemClock;
use guard::ruling::Terms;
use guard::{Account, Deed};

use super::account::Reach;
use super::block_on;
use super::report::{About, ReportTo};
use super::rounds::{Lines, Order, Rounds};
use super::stop::Stop;
use super::terms::{QUIET_DEFAULT, QUIET_UNATTENDED, When, Where};
use crate::console::Console;
use crate::failure::Failure;
use crate::lasting::lasting;

/// Goes on looking for blobs left behind locked, one line a finding, for a scheduler or a log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 leases watch --account-url https://shop.blob.core.windows.net --entra
  bac2 leases watch --account-url https://shop.blob.core.windows.net --entra --once
  bac2 leases watch --account-url https://shop.blob.core.windows.net --sas-file ./sas --container backups \\
    --act break --min-quiet 4h

One JSON line a finding on standard output (-o table: a line for people): every locked blob in the
first round, then what is new, what changed (holder, activity, ruling, content), what was done, and
action gone or released for what is locked no more. Notes go to standard error. An account or a
container that cannot be read is a line too, and is tried again at the next round; only where the
account refuses the credential at the first round it ends with 2. SIGINT or SIGTERM ends it between
two acts with exit code 0; so does a reader that goes away.

It only reports, unless --act is given; that takes --min-quiet of 4h or more, because nobody is asked
(60m or more with --ask SERVER, where SQL Server is): on an account that is not the vault's own door quiet time is evidence, not proof. Restore leases are
acted on with --include-restore where the vault's own door saw no use of the blob, or where the blob
is named with --blob. Blobs that hold a complete backup are not deleted.

--once looks, watches until all is ruled (--min-quiet at most; no time on the vault's own door), acts
if told to, and ends. Exit code then: 0 nothing abandoned is left, 1 an abandoned backup was found and
is still locked, something failed, or a signal came first, 2 wrong usage, or the account does not
answer or refuses.

cron, every hour, mail where something is found:
  17 * * * * bac2 leases watch --once --account-url URL --sas-file /etc/bac2/sas -o table

A systemd unit that goes on watching, /etc/systemd/system/bac2-leases.service:
  [Service]
  ExecStart=/usr/bin/bac2 leases watch --account-url URL --sas-file %d/sas
  LoadCredential=sas:/etc/bac2/sas
  DynamicUser=yes
  Restart=on-failure
  [Install]
  WantedBy=multi-user.target

Or once an hour: Type=oneshot and --once in the service instead of Restart and [Install], and a timer,
/etc/systemd/system/bac2-leases.timer:
  [Timer]
  OnCalendar=hourly
  Persistent=true
  [Install]
  WantedBy=timers.target")]
pub(crate) struct Arguments {
    #[command(flatten)]
    account: Reach,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    when: When,

    /// Time between two rounds
    #[arg(long, value_name = "TIME", value_parser = lasting, default_value = "5m", conflicts_with = "once")]
    interval: Duration,

    /// One round: watch until all is ruled, and end
    #[arg(long)]
    once: bool,

    /// Break, or break and delete, what the rules allow; needs --min-quiet 4h or more
    #[arg(long, value_enum, value_name = "DEED")]
    act: Option<Act>,

    #[command(flatten)]
    report: ReportTo,

    /// Replace the report file if it is there
    #[arg(long)]
    yes: bool,
}

/// What is done to the leases of the dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Act {
    /// Break the lease
    Break,
    /// Break the lease and delete the blob
    Delete,
}

/// Less would be a load on the account and find nothing sooner.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let terms = arguments.when.terms(&arguments.at);
    let ask = arguments.when.servers(console)?;
    let deed = arguments.deed(&terms, ask.is_some())?;
    if arguments.interval < INTERVAL_MIN {
        return Err(Failure::unusable(
            "IntervalTooShort",
            "--interval is less than a second",
            "give 1s or more; the default is 5m",
        ));
    }
    let scope = arguments.at.scope();
    let about = About {
        command: match arguments.act {
            None => "watch",
            Some(Act::Break) => "watch --act break",
            Some(Act::Delete) => "watch --act delete",
        },
        dry_run: false,
        scope: scope.clone(),
        terms: terms.clone(),
    };
    let report = arguments.report.prepare(arguments.yes, about)?;
    let order = Order {
        scope,
        terms,
        deed,
        interval: (!arguments.once).then_some(arguments.interval),
        ask,
    };
    block_on(async {
        let account = arguments.account.open(arguments.act.is_some(), console)?;
        let clock = SystemClock::new();
        let stop = Stop::on_signal()?;
        let lines = Lines::new(console.format(), Box::new(std::io::stdout()));
        if order.interval.is_some() {
            console.note(format!("watching {}", account.address()));
        }
        Rounds::new(&account, &clock, order, lines, report)
            .go_on(&stop, console)
            .await
    })
}

impl Arguments {
    fn deed(&self, terms: &Terms, asks: bool) -> Result<Option<Deed>, Failure> {
        let Some(act) = self.act else {
            return Ok(None);
        };
        let least = if asks { QUIET_DEFAULT } else { QUIET_UNATTENDED };
        if terms.min_quiet < least {
            return Err(Failure::unusable(
                "QuietTooShort",
                "watch --act breaks leases with nobody looking on, so it takes --min-quiet of 4h or more, with --ask of 60m",
                "add --min-quiet 4h, leave out --act, or use bac2 leases break, which asks",
            ));
        }
        Ok(Some(match act {
            Act::Break => Deed::Break,
            Act::Delete => Deed::Delete { complete_too: false },
        }))
    }
}
