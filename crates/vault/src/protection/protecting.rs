//! Protecting a database.

use std::collections::BTreeMap;

use catalog::record::{
    Database, DatabaseId, Intent, IntentId, Item, ItemId, Policy, PolicyId, Protection, Server,
};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, get, insert, page, scoped};
use faults::{Code, Fault};
use schedule::Schedule;

use crate::jobs::{Doing, Ending};
use crate::records::Trouble;
use crate::scheduler::next_starts;
use crate::vault::Vault;

impl Vault {
    /// Protects a database by a policy. Its first full is taken at the policy's next slot, or by healing when a log is due before.
    ///
    /// # Errors
    /// The database is gone, protected already, or cannot be protected (mirrored, a snapshot, tempdb).
    pub async fn protect(&self, database: DatabaseId, policy: PolicyId) -> Result<ItemId, Fault> {
        let item = self
            .transact(move |tx| scoped(async move { self.protect_in(tx, database, policy).await }))
            .await?;
        self.bell.ring();
        Ok(item)
    }

    /// Protects a database for an auto-protection, unless that was cancelled meanwhile.
    pub(super) async fn protect_by_job(
        &self,
        _doing: &mut Doing<'_>,
        database: DatabaseId,
        policy: PolicyId,
        intent: Option<IntentId>,
    ) -> Ending {
        let done = self
            .transact(move |tx| {
                scoped(async move {
                    if let Some(id) = intent {
                        let still = get::<Intent>(tx, &self.key, &id.to_string()).await?;
                        let is_valid = still.is_some_and(|intent| {
                            intent.record.cancelled.is_none() && intent.record.policy == policy
                        });
                        if !is_valid {
                            return Ok(None);
                        }
                    }
                    self.protect_in(tx, database, policy).await.map(Some)
                })
            })
            .await;
        self.bell.ring();
        match done {
            Ok(Some(_)) => Ending::Done(Vec::new()),
            Ok(None) => Ending::Cancelled(Fault::new(Code::AutoProtectionCancelledOrNotValid)),
            // Protected meanwhile by somebody else: what was wanted is so.
            Err(fault) if fault.code() == Code::Bac2AlreadyProtected => Ending::Done(Vec::new()),
            Err(fault) => Ending::Failed(fault),
        }
    }

    async fn protect_in(
        &self,
        tx: &mut dyn Transaction,
        database: DatabaseId,
        policy: PolicyId,
    ) -> Result<ItemId, Trouble> {
        let database = demand::<Database>(tx, &self.key, &database.to_string())
            .await?
            .record;
        let policy = demand::<Policy>(tx, &self.key, &policy.to_string()).await?;
        let server = demand::<Server>(tx, &self.key, &database.server.to_string())
            .await?
            .record;
        refuse(&server, &database)?;
        let owner = Query::of(
            Scope::vault(&self.key),
            Slot::A,
            Range::exactly(database.id.to_string()),
        );
        if let Some(there) = page::<Item>(tx, &owner.limit(1)).await?.records.pop() {
            let code = match there.record.protection {
                Protection::SoftDeleted { .. } => Code::Bac2SoftDeleted,
                _ => Code::Bac2AlreadyProtected,
            };
            return Err(Fault::new(code).at(&target(&server, &database)).into());
        }
        let now = self.now();
        let mut item = Item {
            id: ItemId(self.world.chance.uuid()),
            database: database.id,
            server: server.id,
            policy: policy.record.id,
            policy_version: policy.version(),
            inconsistent: None,
            protection: Protection::Protected,
            container: self.container_for(tx, &server, database.group).await?,
            since: now,
            took_over: None,
            foreign_owner: self.owner_of_chain(tx, &server, &database).await?,
            scheduled: BTreeMap::new(),
            due: BTreeMap::new(),
            last: BTreeMap::new(),
            failures: BTreeMap::new(),
            log_end: None,
            base: None,
            healing: None,
            healed: None,
        };
        let policy = &policy.record.policy;
        item.due = next_starts(&Schedule::of(policy), &item, &policy.kinds(), now);
        let id = item.id;
        insert(tx, &self.key, item).await?;
        Ok(id)
    }
}

/// `SERVER/DATABASE`, as people write it.
pub(crate) fn target(server: &Server, database: &Database) -> String {
    format!("{}/{}", server.name, database.name)
}

/// Refuses what no policy can protect.
fn refuse(server: &Server, database: &Database) -> Result<(), Fault> {
    let of = |code: Code, why: &str| Err(Fault::new(code).at(&target(server, database)).because(why));
    if !server.is_registered() {
        return of(Code::Bac2NotFound, "its instance is not registered any more");
    }
    if database.gone.is_some() {
        return of(
            Code::UserErrorSQLPODoesNotExist,
            "it was not there when the instance was last asked",
        );
    }
    if database.is_test_copy {
        return of(
            Code::Bac2InputInvalid,
            "it is a copy that a test of a restore made",
        );
    }
    if database.state.is_snapshot || database.name.eq_ignore_ascii_case("tempdb") {
        return of(
            Code::UserErrorSQLPODoesNotSupportBackupType,
            "tempdb and snapshots of databases cannot be backed up",
        );
    }
    if database.state.is_mirrored {
        return of(
            Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled,
            "it takes part in mirroring",
        );
    }
    Ok(())
}
