//! Policies: made, changed, and brought to every item that follows them.
//!
//! A change of a policy is one write; after it, one job for each item brings the item to the new version, so that a policy of a
//! thousand items fails for one of them and not for all. Until its job is done an item is behind, which
//! [`Vault::inconsistent_items`] lists and [`Vault::repair_policy`] mends, which the vault also does by itself from time to time.
//! Retention is read from the policy itself, so a change of it holds for the points that are there. `following` is the part of
//! the items.

mod following;
mod owed;
#[cfg(test)]
mod tests;

use catalog::record::{Intent, Policy, PolicyId, Vault as VaultRecord};
use catalog::{Range, Scope, Slot, Transaction, delete, demand, scoped, update};
use faults::{Code, Fault};
use schedule::{Comparison, Limits};

use crate::records::Trouble;
use crate::vault::Vault;

pub use following::Reached;
pub(crate) use following::days_later;

/// What a change of a policy came to.
#[derive(Debug, Clone)]
pub struct PolicyChanged {
    /// Its version now.
    pub version: i64,
    /// What differs.
    pub comparison: Comparison,
    /// Items that are being brought to it, one job each.
    pub items: usize,
    /// How many of these wait for the next day, by the limit of configurations in 24 hours.
    pub put_off: usize,
    /// What is possible and perhaps not meant.
    pub warnings: Vec<String>,
}

impl Vault {
    /// Makes a policy. Gives what is possible and perhaps not meant, too.
    ///
    /// # Errors
    /// It is not possible (every field that is wrong is named), or its name is taken.
    pub async fn create_policy(&self, policy: schedule::Policy) -> Result<(PolicyId, Vec<String>), Fault> {
        let warnings = self.check_policy(&policy).await?;
        let (id, now) = (PolicyId(self.world.chance.uuid()), self.now());
        let name = policy.name.clone();
        let record = Policy {
            id,
            policy,
            created: now,
            changed: now,
        };
        self.insert(record)
            .await
            .map_err(|fault| fault.at(&format!("policy {name}")))?;
        Ok((id, warnings))
    }

    /// Changes a policy, if it is still of the version that the user saw, and begins to bring its items to it.
    ///
    /// # Errors
    /// It is not possible, there is none of this id, or somebody else changed it.
    pub async fn change_policy(
        &self,
        id: PolicyId,
        seen: i64,
        policy: schedule::Policy,
    ) -> Result<PolicyChanged, Fault> {
        let warnings = self.check_policy(&policy).await?;
        // What it asked for so far is dealt with by what it says so far: after an outage that may be much.
        self.schedule_items_of(id).await?;
        let (now, policy) = (self.now(), &policy);
        let (version, comparison) = self
            .transact(move |tx| {
                scoped(async move {
                    let mut found = demand::<Policy>(tx, &self.key, &id.to_string()).await?;
                    if found.version() != seen {
                        let why = format!(
                            "it is version {} and was changed from version {seen}",
                            found.version()
                        );
                        return Err(Fault::new(Code::Bac2VersionConflict)
                            .at(&policy.name)
                            .because(&why)
                            .into());
                    }
                    let comparison = Comparison::of(&found.record.policy, policy);
                    found.record.policy = policy.clone();
                    found.record.changed = now;
                    Ok((update(tx, found).await?.version(), comparison))
                })
            })
            .await?;
        if !comparison.concerns_items() {
            self.carry_over(id, seen, version).await?;
        }
        // The change stands. Where its items cannot all be reached now, the vault repairs it later.
        let reached = self.repair_policy(id).await.unwrap_or_default();
        Ok(PolicyChanged {
            version,
            comparison,
            items: reached.begun,
            put_off: reached.put_off,
            warnings,
        })
    }

    /// Removes a policy.
    ///
    /// # Errors
    /// Items or an auto-protection follow it; there is none of this id.
    pub async fn delete_policy(&self, id: PolicyId) -> Result<(), Fault> {
        self.transact(move |tx| {
            scoped(async move {
                let found = demand::<Policy>(tx, &self.key, &id.to_string()).await?;
                let users = self.users_of(tx, id).await?;
                if users > 0 {
                    let why = format!("{users} items and auto-protections follow it");
                    return Err(Fault::new(Code::Bac2PolicyInUse)
                        .at(&found.record.policy.name)
                        .because(&why)
                        .into());
                }
                Ok(delete(tx, &found).await?)
            })
        })
        .await
    }

    async fn users_of(&self, tx: &mut dyn Transaction, id: PolicyId) -> Result<i64, Trouble> {
        let range = Range::exactly(id.to_string());
        let scope = Scope::vault(&self.key);
        let items = tx.count(catalog::Kind::Item, &scope, Slot::C, &range).await?;
        let intents = tx.count(catalog::Kind::Intent, &scope, Slot::B, &range).await?;
        Ok(items + intents)
    }

    /// All policies, by name, each with its version.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn policies(&self) -> Result<Vec<(Policy, i64)>, Fault> {
        let found = self.list::<Policy>(Slot::A, Range::ALL).await?;
        Ok(found
            .into_iter()
            .map(|one| (one.record.clone(), one.version()))
            .collect())
    }

    /// Refuses a policy that cannot be kept; gives what is possible and perhaps not meant.
    async fn check_policy(&self, policy: &schedule::Policy) -> Result<Vec<String>, Fault> {
        let limits: Limits = self.get::<VaultRecord>(self.id).await?.record.limits;
        let found = schedule::validate(policy, &limits);
        if found.is_valid() {
            return Ok(found.warnings.iter().map(ToString::to_string).collect());
        }
        let all: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        Err(Fault::new(Code::Bac2PolicyInvalid)
            .at(&format!("policy {}", policy.name))
            .because(&all.join("; ")))
    }

    /// The auto-protections that follow a policy.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn intents_of(&self, id: PolicyId) -> Result<Vec<Intent>, Fault> {
        let found = self
            .list::<Intent>(Slot::B, Range::exactly(id.to_string()))
            .await?;
        Ok(found.into_iter().map(|one| one.record).collect())
    }
}
