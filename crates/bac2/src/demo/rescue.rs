//! The lease guard at the demo's door: it spares the upload while its connection lives, and cleans up when it is dead.
//!
//! What `bac2 leases delete` does, with a limit of quiet that nobody would use in earnest: the door itself sees who uses
//! a blob, so nothing is guessed here.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use guard::azure::{AzureAccount, Credential, Settings};
use guard::clock::SystemClock;
use guard::report::{Did, Entry};
use guard::ruling::{Terms, Why};
use guard::scope::Scope;
use guard::{Deed, Finding, Guard, Place, Ruling};
use tokio::time::sleep;

use super::door::Door;

/// Quiet that counts as dead here, so that nobody waits for the demo.
const MIN_QUIET: Duration = Duration::from_millis(200);

/// How long the door may take to notice that a connection is gone: far more than it needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// The guard, and the one blob that it looks at.
pub(super) struct Rescue {
    account: AzureAccount,
    place: Place,
    /// Without a block that shows who holds the lease, the guard acts only on a blob that is named.
    named: bool,
}

/// How a rescue went.
pub(super) struct Rescued {
    /// What the guard knew of the blob.
    pub(super) finding: Finding,
    /// What it did.
    pub(super) did: Did,
}

impl Rescue {
    /// For this blob of the demo's container.
    pub(super) fn of(door: &Door, blob: &str, named: bool) -> Result<Self> {
        let credential = Credential::AccountKey {
            name: Some(door.account().clone()),
            key: Box::new(door.secret().clone()),
        };
        let mut settings = Settings::new(door.account_url(), credential);
        settings.acting = true;
        Ok(Self {
            account: AzureAccount::open(settings)?,
            place: Place::new(door.container().as_str(), blob),
            named,
        })
    }

    /// Why the guard leaves the blob alone now; `None` where it does not.
    pub(super) async fn spared_because(&self) -> Result<Option<Why>> {
        let clock = SystemClock::new();
        let mut guard = self.guard(&clock);
        guard.survey().await?;
        Ok(match guard.entry(&self.place) {
            Some(Entry::Blob {
                ruling: Ruling::Keep(why),
                ..
            }) => Some(why),
            _ => None,
        })
    }

    /// Waits until the rules allow it, breaks the lease and deletes what is left.
    pub(super) async fn clean_up(&self) -> Result<Rescued> {
        let clock = SystemClock::new();
        let mut guard = self.guard(&clock);
        let begun = Instant::now();
        loop {
            guard.survey().await?;
            let entry = guard
                .entry(&self.place)
                .context("the guard does not see the blob")?;
            let Entry::Blob { finding, ruling, .. } = entry else {
                unreachable!("an entry of one blob");
            };
            if matches!(ruling, Ruling::Break(_)) || begun.elapsed() > PATIENCE {
                let did = guard.act(&self.place, Deed::Delete { complete_too: false }).await;
                return Ok(Rescued {
                    finding: *finding,
                    did,
                });
            }
            sleep(MIN_QUIET / 2).await;
        }
    }

    fn guard<'a>(&'a self, clock: &'a SystemClock) -> Guard<'a, AzureAccount, SystemClock> {
        let only = BTreeSet::from([self.place.clone()]);
        let scope = Scope {
            blobs: only.clone(),
            ..Scope::default()
        };
        let terms = Terms {
            min_quiet: MIN_QUIET,
            include_restore: false,
            named: if self.named { only } else { BTreeSet::new() },
        };
        Guard::new(&self.account, clock, scope, terms)
    }
}
