//! Where to look, and under which terms a lease may be broken, as people give them.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use guard::Place;
use guard::ruling::Terms;
use guard::scope::Scope;

use super::ask::{Asking, Servers};
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

    #[command(flatten)]
    ask: Asking,
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
    pub(super) fn terms(&self, at: &Where) -> Terms {
        Terms {
            min_quiet: self.min_quiet.max(QUIET_MIN),
            include_restore: self.include_restore,
            named: at.scope().blobs,
        }
    }

    /// The servers to ask; `None` where there are none.
    ///
    /// # Errors
    /// What was given for them cannot be used.
    pub(super) fn servers(&self, console: &Console) -> Result<Option<Arc<Servers>>, Failure> {
        Ok(self.ask.servers(console)?.map(Arc::new))
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
