//! Protecting a database.

use std::collections::BTreeMap;

use catalog::record::{
    Database, DatabaseId, Intent, IntentId, Item, ItemId, Policy, PolicyId, Protection, Server,
    Vault as VaultRecord,
};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, get, insert, page, scoped};
use faults::{Code, Fault};
use schedule::Schedule;

use crate::jobs::{Doing, Ending};
use crate::records::Trouble;
use crate::scheduler::place_next;
use crate::vault::Vault;

impl Vault {
    /// Protects a database by a policy. Who else owns its chain is asked of the last 14 days of `msdb`; where they cannot be read,
    /// logs and differentials wait until they can. Its first full is wanted with it: it begins after some minutes, one of an
    /// instance at a time, a large one in the policy's window; logs and differentials that are due before it say so and wait.
    ///
    /// # Errors
    /// The database is gone, protected already, or cannot be protected (mirrored, a snapshot, tempdb).
    pub async fn protect(&self, database: DatabaseId, policy: PolicyId) -> Result<ItemId, Fault> {
        let unread = &self.read_history_of(database).await?;
        let item = self
            .transact(move |tx| {
                scoped(async move {
                    let item = self.protect_in(tx, database, policy, unread.as_ref()).await?;
                    self.spend_or_refuse_in(tx, &format!("item {item}")).await?;
                    Ok(item)
                })
            })
            .await?;
        self.bell.ring();
        Ok(item)
    }

    /// Protects a database for an auto-protection, unless that was cancelled meanwhile.
    pub(super) async fn protect_by_job(
        &self,
        doing: &mut Doing<'_>,
        database: DatabaseId,
        policy: PolicyId,
        intent: Option<IntentId>,
    ) -> Ending {
        let unread = match self.read_history_of(database).await {
            Ok(unread) => unread,
            Err(fault) => {
                return crate::jobs::tried_again(doing, &fault, self.now()).unwrap_or(Ending::Failed(fault));
            }
        };
        let (told, job, unread) = (&doing.told, &doing.job, unread.as_ref());
        let done = self
            .transact(move |tx| {
                scoped(async move {
                    if told.is_cancelled() {
                        return Ok(None);
                    }
                    if let Some(id) = intent {
                        let still = get::<Intent>(tx, &self.key, &id.to_string()).await?;
                        let is_valid = still.is_some_and(|intent| intent.record.policy == policy);
                        if !is_valid {
                            return Ok(None);
                        }
                    }
                    self.spend_late_in(tx, job).await?;
                    self.protect_in(tx, database, policy, unread).await.map(Some)
                })
            })
            .await;
        self.bell.ring();
        match done {
            Ok(Some(_)) => Ending::Done(Vec::new()),
            Ok(None) => Ending::Cancelled(Fault::new(Code::AutoProtectionCancelledOrNotValid)),
            // Protected meanwhile by somebody else: what was wanted is so.
            Err(fault) if fault.code() == Code::Bac2AlreadyProtected => Ending::Done(Vec::new()),
            Err(fault) => {
                crate::jobs::tried_again(doing, &fault, self.now()).unwrap_or(Ending::Failed(fault))
            }
        }
    }

    async fn protect_in(
        &self,
        tx: &mut dyn Transaction,
        database: DatabaseId,
        policy: PolicyId,
        unread: Option<&Fault>,
    ) -> Result<ItemId, Trouble> {
        let database = demand::<Database>(tx, &self.key, &database.to_string())
            .await?
            .record;
        let policy = demand::<Policy>(tx, &self.key, &policy.to_string()).await?;
        let server = demand::<Server>(tx, &self.key, &database.server.to_string())
            .await?
            .record;
        refuse(&server, &database)?;
        if let Some(there) = self.item_of_in(tx, &database).await? {
            let code = match there.protection {
                Protection::SoftDeleted { .. } => Code::Bac2SoftDeleted,
                _ => Code::Bac2AlreadyProtected,
            };
            return Err(Fault::new(code).at(&target(&server, &database)).into());
        }
        self.refuse_too_many_items(tx).await?;
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
            foreign_owner: self.owner_or_unknown(tx, &server, &database, unread).await?,
            scheduled: BTreeMap::new(),
            due: BTreeMap::new(),
            slots: BTreeMap::new(),
            last: BTreeMap::new(),
            failures: BTreeMap::new(),
            log_end: None,
            base: None,
            healing: None,
            healed: None,
            unknown: Vec::new(),
            edition: 1,
        };
        let policy = &policy.record.policy;
        place_next(&Schedule::of(policy), &mut item, &policy.kinds(), now);
        let id = item.id;
        insert(tx, &self.key, item).await?;
        self.want_first_full_in(tx, id).await?;
        Ok(id)
    }
}

impl Vault {
    /// The item of a database. One of an availability group has one item for all its replicas, whichever of them it was found on.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(super) async fn item_of_in(
        &self,
        tx: &mut dyn Transaction,
        database: &Database,
    ) -> Result<Option<Item>, Trouble> {
        let mut same = vec![database.id];
        if let Some(group) = database.group {
            let found = self
                .of_group_in(tx, group, &database.name, database.family_guid)
                .await?;
            same.extend(found.iter().map(|one| one.id).filter(|id| *id != database.id));
        }
        for id in same {
            let of = Range::exactly(id.to_string());
            let query = Query::of(Scope::vault(&self.key), Slot::A, of).limit(1);
            if let Some(there) = page::<Item>(tx, &query).await?.records.pop() {
                return Ok(Some(there.record));
            }
        }
        Ok(None)
    }

    async fn refuse_too_many_items(&self, tx: &mut dyn Transaction) -> Result<(), Trouble> {
        let most = demand::<VaultRecord>(tx, &self.key, &self.key)
            .await?
            .record
            .databases_max;
        let there = tx
            .count(
                catalog::Kind::Item,
                &Scope::vault(&self.key),
                Slot::Id,
                &Range::ALL,
            )
            .await?;
        if there < i64::from(most) {
            return Ok(());
        }
        let why = format!("{there} databases are protected, and {most} are allowed");
        Err(Fault::new(Code::Bac2LimitReached).because(&why).into())
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
