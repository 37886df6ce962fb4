//! Policies: made, changed, and brought to every item that follows them.
//!
//! A change of a policy is one write; after it, one job for each item brings the item to the new version, so that a policy of a thousand
//! items fails for one of them and not for all. Until its job is done an item is behind, which [`Vault::inconsistent_items`] lists and
//! [`Vault::repair_policy`] mends. Retention is read from the policy itself, so a change of it holds for the points that are there.

use catalog::record::{
    Intent, Item, ItemId, Policy, PolicyId, Protection, Trigger, Vault as VaultRecord, Work,
};
use catalog::{Range, Scope, Slot, Transaction, delete, demand, scoped, update};
use faults::{Code, Fault};
use schedule::{Comparison, Limits};

use crate::jobs::{Doing, Ending, Entered, NewJob};
use crate::records::Trouble;
use crate::scheduler::next_starts;
use crate::vault::Vault;

/// What a change of a policy came to.
#[derive(Debug, Clone)]
pub struct PolicyChanged {
    /// Its version now.
    pub version: i64,
    /// What differs.
    pub comparison: Comparison,
    /// Items that are being brought to it, one job each.
    pub items: usize,
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
        let items = self.repair_policy(id).await?;
        Ok(PolicyChanged {
            version,
            comparison,
            items,
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

    /// Items that are not at the present version of their policy.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn inconsistent_items(&self, id: PolicyId) -> Result<Vec<Item>, Fault> {
        let version = self.get::<Policy>(id).await?.version();
        let items = self.list::<Item>(Slot::C, Range::exactly(id.to_string())).await?;
        Ok(items
            .into_iter()
            .map(|item| item.record)
            .filter(|item| item.policy_version != version || item.inconsistent.is_some())
            .filter(|item| {
                matches!(
                    item.protection,
                    Protection::Protected | Protection::Suspended { .. }
                )
            })
            .collect())
    }

    /// Begins to bring every item of a policy to its present version, one job each; gives how many.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub async fn repair_policy(&self, id: PolicyId) -> Result<usize, Fault> {
        let behind = self.inconsistent_items(id).await?;
        for item in &behind {
            let new = NewJob {
                work: Work::Configure {
                    database: item.database,
                    policy: id,
                    intent: None,
                },
                trigger: Trigger::OnDemand,
                server: Some(item.server),
                item: Some(item.id),
                run_at: self.now(),
            };
            // One that is open already will read the newest version.
            let (Entered::Queued(_) | Entered::InTheWay { .. }) = self.enqueue(new).await?;
        }
        Ok(behind.len())
    }

    /// Brings an item to its policy's present version.
    pub(crate) async fn follow_policy(
        &self,
        doing: &mut Doing<'_>,
        item: ItemId,
        policy: PolicyId,
    ) -> Ending {
        let done = self
            .transact(move |tx| {
                scoped(async move {
                    let policy = demand::<Policy>(tx, &self.key, &policy.to_string()).await?;
                    let mut item = demand::<Item>(tx, &self.key, &item.to_string()).await?;
                    item.record.policy = policy.record.id;
                    item.record.policy_version = policy.version();
                    item.record.inconsistent = None;
                    let schedule = schedule::Schedule::of(&policy.record.policy);
                    let kinds = policy.record.policy.kinds();
                    item.record.due = next_starts(&schedule, &item.record, &kinds, self.now());
                    update(tx, item).await?;
                    Ok(())
                })
            })
            .await;
        self.bell.ring();
        match done {
            Ok(()) => Ending::Done(Vec::new()),
            Err(fault) => {
                let left = fault.clone();
                let marked = self
                    .change::<Item, _>(item, |item| {
                        item.inconsistent = Some(left.clone());
                        Ok(())
                    })
                    .await;
                // Where even that cannot be written, its old version says the same.
                drop(marked);
                doing.job.fault = Some(fault.clone());
                Ending::Failed(fault)
            }
        }
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
