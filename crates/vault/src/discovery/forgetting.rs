//! Forgetting databases that are gone: test copies, databases of builds, one that was dropped for good.
//!
//! What is or was protected stays, for its recovery points name it. A database that comes back after its time is a new one.

use std::collections::BTreeSet;

use catalog::record::{Database, DatabaseId, Foreign, Item};
use catalog::{Query, Range, Scope, Slot, Transaction, all, delete, get, page, scoped};
use faults::Fault;
use jiff::{SignedDuration, Timestamp};

use crate::foreign::OWNER_DAYS;
use crate::records::{LIST_MAX, Trouble, fault};
use crate::vault::Vault;

/// For how many days a gone database that nobody protects is known: as long as other tools' backups of it say anything. Of a
/// server that makes and drops 7,000 a day the catalog then holds as many as it can list.
const KEPT_DAYS: u32 = OWNER_DAYS;

/// Databases that are forgotten in one transaction.
const AT_ONCE: usize = 100;

impl Vault {
    /// Forgets the databases that are gone for long and that nothing needs.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn forget_gone(&self) -> Result<(), Fault> {
        let kept = SignedDuration::from_hours(24 * i64::from(KEPT_DAYS));
        let before = self.now().checked_sub(kept).unwrap_or(Timestamp::MIN);
        let items = self.list_readable::<Item>(Slot::Id, Range::ALL).await?;
        let needed: BTreeSet<DatabaseId> = items.iter().map(|item| item.record.database).collect();
        let mut query = Query::of(Scope::vault(&self.key), Slot::Id, Range::ALL);
        loop {
            let found = {
                let mut tx = self.world.catalog.read().await.map_err(fault)?;
                page::<Database>(tx.as_mut(), &query).await.map_err(fault)?
            };
            let old: Vec<DatabaseId> = found
                .records
                .iter()
                .map(|one| &one.record)
                .filter(|one| one.gone.is_some_and(|gone| gone < before) && !needed.contains(&one.id))
                .map(|one| one.id)
                .collect();
            for some in old.chunks(AT_ONCE) {
                self.transact(move |tx| {
                    scoped(async move {
                        for id in some {
                            self.forget_database_in(tx, *id, before).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
            }
            match found.next {
                Some(next) => query = query.after(next),
                None => return Ok(()),
            }
        }
    }

    async fn forget_database_in(
        &self,
        tx: &mut dyn Transaction,
        id: DatabaseId,
        before: Timestamp,
    ) -> Result<(), Trouble> {
        let Some(found) = get::<Database>(tx, &self.key, &id.to_string()).await? else {
            return Ok(());
        };
        let of = |slot, range| Query::of(Scope::vault(&self.key), slot, range);
        let item = page::<Item>(tx, &of(Slot::A, Range::exactly(id.to_string())).limit(1)).await?;
        // It came back, or is protected, meanwhile.
        if found.record.gone.is_none_or(|gone| gone >= before) || !item.records.is_empty() {
            return Ok(());
        }
        let seen = of(Slot::A, Range::members(&[&id.to_string()]));
        for foreign in all::<Foreign>(tx, seen, LIST_MAX).await? {
            delete(tx, &foreign).await?;
        }
        delete(tx, &found).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use catalog::record::{Database, DatabaseId};
    use catalog::{Range, Slot};

    use crate::staged::{Stage, policy};

    #[test]
    fn what_is_gone_for_two_weeks_and_nobody_protects_is_forgotten() {
        let stage = Stage::new();
        stage.run(async {
            let vault = stage.vault().await;
            let (rules, _) = vault.create_policy(policy("p")).await.unwrap();
            let server = vault.enrol("sql1").await;
            let there = vault.add_database(server, "there", |_| ()).await;
            let protected = vault.add_database(server, "protected", |_| ()).await;
            vault.protect(protected, rules).await.unwrap();
            let (start, mut expected) = (vault.now(), vec![there, protected]);
            for number in 0..250 {
                let name = format!("build{number}");
                vault
                    .add_database(server, &name, |one| one.gone = Some(start))
                    .await;
            }
            vault
                .change::<Database, _>(protected, |one| {
                    one.gone = Some(start);
                    Ok(())
                })
                .await
                .unwrap();
            stage.pass(13 * 86_400).await;
            let later = vault.now();
            expected.push(
                vault
                    .add_database(server, "young", |one| one.gone = Some(later))
                    .await,
            );
            vault.forget_gone().await.unwrap();
            let all = || vault.list::<Database>(Slot::Id, Range::ALL);
            assert_eq!(all().await.unwrap().len(), 253);
            stage.pass(86_400 + 1).await;
            vault.forget_gone().await.unwrap();
            let mut left: Vec<DatabaseId> = all().await.unwrap().iter().map(|one| one.record.id).collect();
            left.sort();
            expected.sort();
            assert_eq!(left, expected);
        });
    }
}
