//! What discovery found, into the catalog: records, notices, and backups that heal.
//!
//! A healing is wanted before the record changes and notices are raised with it: after a crash in between, the next discovery
//! finds the same difference again.

use catalog::keys::tuple;
use catalog::record::{Database, DatabaseId, DatabaseState, HealingReason, Item, Server, ServerId, name_key};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, get, insert, page, scoped, update};
use faults::{Code, Fault};
use jiff::Timestamp;
use schedule::BackupKind;

use super::compare::{Change, Finding, Former, SIMPLE};
use super::seen::{Membership, Seen};
use crate::notices::About;
use crate::records::Trouble;
use crate::vault::Vault;

/// Findings that are written in one transaction.
const AT_ONCE: usize = 100;

/// Names of copies that a test of a restore makes begin so: no vault ever protects one by itself, whichever vault made it.
pub const TEST_COPY_PREFIX: &str = "bac2-test-";

impl Vault {
    /// Writes findings.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn apply_findings(&self, server: &Server, findings: &[Finding]) -> Result<(), Fault> {
        for finding in findings {
            if let Finding::Known { id, changes, .. } = finding {
                self.heal_for(*id, changes).await?;
            }
        }
        for some in findings.chunks(AT_ONCE) {
            self.transact(move |tx| {
                scoped(async move {
                    for finding in some {
                        self.apply_in(tx, server, finding).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        }
        Ok(())
    }

    /// Wants what heals a chain that these changes broke.
    async fn heal_for(&self, database: DatabaseId, changes: &[Change]) -> Result<(), Fault> {
        let reason = changes.iter().find_map(|change| match change {
            Change::RestoredOver => Some(HealingReason::Overwritten),
            // Back from SIMPLE; under SIMPLE a full would begin no chain.
            Change::ModelChanged(from) if from == SIMPLE => Some(HealingReason::RecoveryModelChanged),
            _ => None,
        });
        let Some(reason) = reason else {
            return Ok(());
        };
        let items = self
            .list::<Item>(Slot::A, Range::exactly(database.to_string()))
            .await?;
        for item in items {
            self.want_healing(item.record.id, BackupKind::Full, reason)
                .await?;
        }
        Ok(())
    }

    async fn apply_in(
        &self,
        tx: &mut dyn Transaction,
        server: &Server,
        finding: &Finding,
    ) -> Result<(), Trouble> {
        let now = self.now();
        match finding {
            Finding::New { seen, former } => {
                if self.is_there(tx, server.id, seen).await? {
                    return Ok(());
                }
                let id = DatabaseId(self.world.chance.uuid());
                insert(tx, &self.key, record(id, server.id, seen, now)).await?;
                if let Some((former, how)) = former {
                    self.note_former(tx, server, seen, *former, *how).await?;
                }
            }
            Finding::Known {
                id,
                seen,
                changes,
                former,
            } => {
                let mut found = demand::<Database>(tx, &self.key, &id.to_string()).await?;
                for change in changes {
                    self.note_change(tx, server, seen, *id, change).await?;
                    if let Change::Renamed(from) = change {
                        found.record.former_names.push((from.clone(), now));
                    }
                }
                if found.record.server != server.id {
                    self.move_item(tx, *id, server.id).await?;
                }
                merge(&mut found.record, server.id, seen, now);
                update(tx, found).await?;
                if let Some((former, how)) = former {
                    self.note_former(tx, server, seen, *former, *how).await?;
                }
            }
            Finding::Gone(id) => {
                if let Some(mut found) = get::<Database>(tx, &self.key, &id.to_string()).await? {
                    found.record.gone.get_or_insert(now);
                    update(tx, found).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether another discovery, at the same time, has written it already.
    async fn is_there(
        &self,
        tx: &mut dyn Transaction,
        server: ServerId,
        seen: &Seen,
    ) -> Result<bool, Trouble> {
        let key = tuple(&[&server.to_string(), &name_key(&seen.name)]);
        let query = Query::of(Scope::vault(&self.key), Slot::A, Range::exactly(key));
        let named = page::<Database>(tx, &query).await?.records;
        Ok(named.iter().map(|one| &one.record).any(|one| {
            one.gone.is_none()
                && one.database_guid == seen.database_guid
                && one.created == seen.created
                && one.group == group_of(seen)
        }))
    }

    /// The item of a group's database goes with it to the new primary: its next jobs begin there.
    async fn move_item(
        &self,
        tx: &mut dyn Transaction,
        database: DatabaseId,
        server: ServerId,
    ) -> Result<(), Trouble> {
        let range = Range::exactly(database.to_string());
        let query = Query::of(Scope::vault(&self.key), Slot::A, range).limit(1);
        if let Some(mut item) = page::<Item>(tx, &query).await?.records.pop() {
            item.record.server = server;
            update(tx, item).await?;
        }
        Ok(())
    }

    async fn item_that_protects(
        &self,
        tx: &mut dyn Transaction,
        database: DatabaseId,
    ) -> Result<Option<Item>, Trouble> {
        let range = Range::exactly(database.to_string());
        let query = Query::of(Scope::vault(&self.key), Slot::A, range).limit(1);
        Ok(page::<Item>(tx, &query)
            .await?
            .records
            .pop()
            .map(|one| one.record))
    }

    async fn note_former(
        &self,
        tx: &mut dyn Transaction,
        server: &Server,
        seen: &Seen,
        former: DatabaseId,
        how: Former,
    ) -> Result<(), Trouble> {
        let (code, matter) = match how {
            Former::Recreated => (Code::Bac2DatabaseRecreated, "recreated"),
            Former::MovedIntoGroup => (Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG, "moved"),
            Former::MovedOutOfGroup => (Code::UserErrorBackupFailedDatabaseMovedOutOfAG, "moved"),
        };
        self.note(tx, server, seen, former, matter, Fault::new(code))
            .await
    }

    async fn note_change(
        &self,
        tx: &mut dyn Transaction,
        server: &Server,
        seen: &Seen,
        database: DatabaseId,
        change: &Change,
    ) -> Result<(), Trouble> {
        let (matter, fault) = match change {
            Change::Renamed(from) => (
                "renamed",
                Fault::new(Code::Bac2DatabaseRenamed).because(&format!("it was {from:?}")),
            ),
            Change::RestoredOver => (
                "restored",
                Fault::new(Code::UserErrorSQLLSNValidationFailure)
                    .because("it was restored over, or to another point of its history"),
            ),
            Change::ModelChanged(from) => {
                let why = format!(
                    "its recovery model was {from} and is {}",
                    seen.state.recovery_model
                );
                (
                    "model",
                    Fault::new(Code::UserErrorSQLLSNValidationFailure).because(&why),
                )
            }
            Change::Returned => return Ok(()),
        };
        self.note(tx, server, seen, database, matter, fault).await
    }

    /// Raises a notice where the database is protected: of others nobody needs to know.
    async fn note(
        &self,
        tx: &mut dyn Transaction,
        server: &Server,
        seen: &Seen,
        database: DatabaseId,
        matter: &str,
        fault: Fault,
    ) -> Result<(), Trouble> {
        let Some(item) = self.item_that_protects(tx, database).await? else {
            return Ok(());
        };
        let about = About {
            matter: format!("{matter}/{database}"),
            server: Some(server.id),
            item: Some(item.id),
            ..About::default()
        };
        let fault = fault.at(&format!("{}/{}", server.name, seen.name));
        self.raise_in(tx, &about, &fault).await
    }
}

fn group_of(seen: &Seen) -> Option<uuid::Uuid> {
    match seen.group {
        Membership::In { group, .. } => Some(group),
        Membership::None | Membership::Unknown => None,
    }
}

fn record(id: DatabaseId, server: ServerId, seen: &Seen, now: Timestamp) -> Database {
    Database {
        id,
        server,
        group: group_of(seen),
        name: seen.name.clone(),
        former_names: Vec::new(),
        database_guid: seen.database_guid,
        family_guid: seen.family_guid,
        recovery_fork: seen.recovery_fork,
        number: seen.number,
        created: seen.created,
        state: seen.state.clone(),
        data_bytes: seen.data_bytes,
        log_bytes: seen.log_bytes,
        files: seen.files.clone(),
        first_seen: now,
        last_seen: now,
        gone: None,
        is_test_copy: seen.name.to_lowercase().starts_with(TEST_COPY_PREFIX),
    }
}

/// Brings a record up to date. What could not be asked stays as it was known.
fn merge(one: &mut Database, server: ServerId, seen: &Seen, now: Timestamp) {
    one.server = server;
    one.name.clone_from(&seen.name);
    if seen.group != Membership::Unknown {
        one.group = group_of(seen);
    }
    one.database_guid = seen.database_guid.or(one.database_guid);
    one.family_guid = seen.family_guid.or(one.family_guid);
    one.recovery_fork = seen.recovery_fork.or(one.recovery_fork);
    one.number = seen.number;
    one.created = seen.created;
    one.state = merged_state(&one.state, seen);
    if !seen.files.is_empty() {
        one.files.clone_from(&seen.files);
        one.data_bytes = seen.data_bytes;
        one.log_bytes = seen.log_bytes;
    }
    one.last_seen = now;
    one.gone = None;
}

fn merged_state(before: &DatabaseState, seen: &Seen) -> DatabaseState {
    let mut state = seen.state.clone();
    if state.recovery_model.is_empty() {
        state.recovery_model.clone_from(&before.recovery_model);
    }
    if seen.database_guid.is_none() && state.last_log_backup_lsn.is_none() {
        state.last_log_backup_lsn.clone_from(&before.last_log_backup_lsn);
    }
    if seen.files.is_empty() {
        state.differential_base = before.differential_base;
    }
    state
}
