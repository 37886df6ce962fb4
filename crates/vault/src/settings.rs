//! What can be set for a vault: its limits, and how often and how much it works.
//!
//! A change says what it saw, and is refused where somebody else changed it meanwhile; the record's own version does not tell that,
//! since every configuration that is counted changes it.

use catalog::record::{Daily, Keeping, Server, ServerState, Vault as VaultRecord};
use catalog::{Range, Slot};
use faults::{Code, Fault};
use schedule::Limits;

use crate::records::LIST_MAX;
use crate::vault::Vault;

/// The longest time between two discoveries, in minutes: a week.
const DISCOVERY_MOST: u32 = 7 * 24 * 60;

/// Backups at the same time, at most.
const JOBS_MOST: u32 = 10_000;

/// Configurations and fulls on demand in 24 hours, at most.
const DAILY_MOST: u32 = 1_000_000;

/// Days that jobs are kept, at most: ten years.
const KEPT_MOST: u32 = 3_650;

/// What can be set for a vault. Soft deletion has a rule of its own: [`Vault::set_soft_delete`].
#[derive(Debug, Clone, PartialEq)]
pub struct VaultSettings {
    /// Bounds of policies. Those that nobody can raise stay ([`Limits::tamed`]).
    pub limits: Limits,
    /// How often instances are looked at, in minutes: 1 to 10,080.
    pub discovery_minutes: u32,
    /// Backups that may run at the same time over all instances: 1 to 10,000; none: by the vault's size.
    pub jobs_at_once: Option<u32>,
    /// How many databases are protected at most: 1 to 100,000.
    pub databases_max: u32,
    /// How much may be done in 24 hours: 1 to 1,000,000 each.
    pub daily: Daily,
    /// For how long jobs are kept that are over: 1 to 3,650 days, logs and details no longer than the rest.
    pub keeping: Keeping,
}

impl VaultSettings {
    fn of(vault: &VaultRecord) -> Self {
        Self {
            limits: vault.limits.clone(),
            discovery_minutes: vault.discovery_minutes,
            jobs_at_once: vault.jobs_at_once,
            databases_max: vault.databases_max,
            daily: vault.daily,
            keeping: vault.keeping,
        }
    }
}

impl Vault {
    /// What is set for the vault.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn vault_settings(&self) -> Result<VaultSettings, Fault> {
        Ok(VaultSettings::of(&self.get::<VaultRecord>(self.id).await?.record))
    }

    /// Sets it, where it is still what the user saw. Databases and policies beyond a limit that is lowered stay as they are.
    ///
    /// # Errors
    /// A setting is out of range, and which; somebody else changed them; the catalog cannot be written.
    pub async fn set_vault(&self, seen: &VaultSettings, wanted: VaultSettings) -> Result<(), Fault> {
        check(&wanted)?;
        self.change::<VaultRecord, _>(self.id, |vault| {
            if VaultSettings::of(vault) != *seen {
                let why = "the settings of the vault were changed meanwhile";
                return Err(Fault::new(Code::Bac2VersionConflict).because(why));
            }
            vault.limits = wanted.limits.clone();
            vault.discovery_minutes = wanted.discovery_minutes;
            vault.jobs_at_once = wanted.jobs_at_once;
            vault.databases_max = wanted.databases_max;
            vault.daily = wanted.daily;
            vault.keeping = wanted.keeping;
            Ok(())
        })
        .await?;
        if wanted.discovery_minutes < seen.discovery_minutes {
            self.discover_sooner(wanted.discovery_minutes).await?;
        }
        self.bell.ring();
        Ok(())
    }

    /// Brings discoveries forward that are due later than they would be by now.
    async fn discover_sooner(&self, minutes: u32) -> Result<(), Fault> {
        for server in self.list::<Server>(Slot::A, Range::ALL).await? {
            let id = server.record.id;
            let due = crate::discovery::next(self.now(), minutes, id);
            if server.record.state != ServerState::Ready || server.record.discovery_due <= due {
                continue;
            }
            self.change::<Server, _>(id, |server| {
                server.discovery_due = server.discovery_due.min(due);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

fn check(wanted: &VaultSettings) -> Result<(), Fault> {
    let ranges = [
        ("discoveryMinutes", wanted.discovery_minutes, DISCOVERY_MOST),
        ("jobsAtOnce", wanted.jobs_at_once.unwrap_or(1), JOBS_MOST),
        (
            "databasesMax",
            wanted.databases_max,
            u32::try_from(LIST_MAX).unwrap_or(u32::MAX),
        ),
        ("daily.configurations", wanted.daily.configurations, DAILY_MOST),
        ("daily.fullsOnDemand", wanted.daily.fulls_on_demand, DAILY_MOST),
        ("keeping.days", wanted.keeping.days.into(), KEPT_MOST),
        (
            "keeping.logDays",
            wanted.keeping.log_days.into(),
            wanted.keeping.days.into(),
        ),
        (
            "keeping.detailDays",
            wanted.keeping.detail_days.into(),
            wanted.keeping.days.into(),
        ),
    ];
    let mut wrong: Vec<String> = ranges
        .iter()
        .filter(|(_, value, most)| !(1..=*most).contains(value))
        .map(|(name, value, most)| format!("{name} is {value}; 1 to {most} are possible"))
        .collect();
    wrong.extend(wanted.limits.impossible());
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Fault::new(Code::Bac2InputInvalid)
            .at("the vault's settings")
            .because(&wrong.join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use catalog::record::Server;
    use faults::Code;
    use schedule::Period;

    use crate::staged::Stage;

    #[test]
    fn what_is_set_is_checked_and_in_force() {
        let stage = Stage::new();
        stage.run(async {
            let vault = stage.vault().await;
            let server = vault.enrol("sql1").await;
            let seen = vault.vault_settings().await.unwrap();
            let mut wrong = seen.clone();
            wrong.discovery_minutes = 0;
            wrong.databases_max = 0;
            wrong.limits.log_interval.min = Period::default();
            wrong.limits.daily_count.max = 1;
            let refused = vault.set_vault(&seen, wrong).await.unwrap_err();
            assert_eq!(refused.code(), Code::Bac2InputInvalid);
            for field in ["discoveryMinutes", "databasesMax", "logInterval", "dailyCount"] {
                assert!(refused.detail().contains(field), "{field}: {}", refused.detail());
            }
            assert_eq!(vault.vault_settings().await.unwrap(), seen);
            let mut wanted = seen.clone();
            wanted.discovery_minutes = 30;
            wanted.databases_max = 3;
            wanted.daily.fulls_on_demand = 20;
            wanted.limits.fulls_per_day_max = 48;
            vault.set_vault(&seen, wanted.clone()).await.unwrap();
            assert_eq!(vault.vault_settings().await.unwrap(), wanted);
            let due = vault.get::<Server>(server).await.unwrap().record.discovery_due;
            assert!(
                due.duration_since(vault.now()).as_secs() <= 30 * 60,
                "the next look is as soon"
            );
            let late = vault.set_vault(&seen, seen.clone()).await.unwrap_err();
            assert_eq!(late.code(), Code::Bac2VersionConflict);
        });
    }
}
