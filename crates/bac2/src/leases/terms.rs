//! Where to look, and under which terms a lease may be broken, as people give them.

use std::time::Duration;

use clap::Args;
use guard::Place;
use guard::ruling::Terms;
use guard::scope::Scope;

use crate::console::Console;
use crate::failure::Failure;
use crate::lasting::lasting;
use crate::quantity::duration;

/// How long a blob must have been quiet before its lease is broken, when SQL Server is not asked.
pub(super) const QUIET_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// The least that `watch --act` takes when SQL Server is not asked: nobody sees what it does.
pub(super) const QUIET_UNATTENDED: Duration = Duration::from_secs(4 * 60 * 60);

/// Quiet needs two looks, and two looks in one moment would show nothing.
const QUIET_MIN: Duration = Duration::from_secs(1);

/// Which blobs.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Where {
    /// Only this container; all that the credential can list without it
    #[arg(long, value_name = "NAME")]
    container: Option<String>,

    /// Only blobs whose names begin so
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// Only this blob, may be given again; the only way to a lease whose holder is unknown
    #[arg(long = "blob", value_name = "CONTAINER/NAME", value_parser = place, conflicts_with_all = ["container", "prefix"])]
    blobs: Vec<Place>,
}

/// When a lease may be broken.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct When {
    /// How long a blob must have been quiet, as watched by this command or by the vault's own door
    #[arg(long, value_name = "TIME", value_parser = lasting, default_value = "60m")]
    min_quiet: Duration,

    /// Restore leases too: a RESTORE that still reads fails when its lease is broken
    #[arg(long)]
    include_restore: bool,

    /// SQL Servers to ask what they run before anything is broken; not there yet
    #[arg(long, value_name = "SERVER", num_args = 1..)]
    ask: Vec<String>,
}

fn place(text: &str) -> Result<Place, String> {
    Place::parse(text).ok_or_else(|| "expected CONTAINER/NAME, such as backups/sales/full.bak".to_owned())
}

impl Where {
    /// For the guard.
    pub(super) fn scope(&self) -> Scope {
        Scope {
            container: self.container.clone(),
            prefix: self.prefix.clone().unwrap_or_default(),
            blobs: self.blobs.iter().cloned().collect(),
        }
    }
}

impl When {
    /// For the guard.
    ///
    /// # Errors
    /// Servers are to be asked, which cannot be done yet.
    pub(super) fn terms(&self, at: &Where) -> Result<Terms, Failure> {
        if !self.ask.is_empty() {
            return Err(Failure::unusable(
                "AskNotThereYet",
                "--ask is not there yet: the session with SQL Server that it needs comes with the vault",
                "leave it out and watch for longer (--min-quiet 4h), or look in sys.dm_exec_requests of each server \
                 yourself that no BACKUP or RESTORE names the blob",
            ));
        }
        Ok(Terms {
            min_quiet: self.min_quiet.max(QUIET_MIN),
            include_restore: self.include_restore,
            named: at.scope().blobs,
        })
    }

    /// A word about a quiet that is shorter than what is advised.
    pub(super) fn warn_if_short(&self, console: &Console) {
        if self.min_quiet < QUIET_DEFAULT {
            console.warn(format!(
                "--min-quiet {} is less than the default of 60 min: a backup that pauses for so long is taken for dead",
                duration(self.min_quiet.max(QUIET_MIN).as_secs_f64())
            ));
        }
    }
}
