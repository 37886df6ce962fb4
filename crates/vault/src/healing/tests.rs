//! Turning wishes into jobs, on a stage where no instance answers.

use catalog::record::{Database, DatabaseState, Healing, HealingReason, Item, ItemId, LastBackup, Trigger};
use catalog::{delete, demand, scoped};
use faults::Code;
use jiff::SignedDuration;
use schedule::BackupKind;

use super::wanting::strength;
use crate::staged::{Stage, policy};
use crate::vault::Vault;

async fn wish(vault: &Vault, item: ItemId) {
    let now = vault.now();
    vault
        .change::<Item, _>(item, |item| {
            // Nobody could ask msdb here.
            item.foreign_owner = None;
            item.healing = Some(Healing {
                kind: BackupKind::Full,
                reason: HealingReason::LogLost,
                since: now,
                not_before: now,
            });
            Ok(())
        })
        .await
        .unwrap();
}

/// Two items on two instances that want to be healed; of the first, longer than the second, the database's record is not there.
async fn one_of_two_broken(stage: &Stage, vault: &Vault) -> [ItemId; 2] {
    let (first, of) = vault.add_item(policy("one")).await;
    let server = vault.enrol("sql2").await;
    let other = vault.add_database(server, "Other", |_| ()).await;
    let second = vault.protect(other, of).await.unwrap();
    wish(vault, first).await;
    stage.pass(1).await;
    wish(vault, second).await;
    let id = vault.item(first).await.database.to_string();
    let (key, id) = (&vault.key, &id);
    vault
        .transact(|tx| {
            scoped(async move {
                let found = demand::<Database>(tx, key, id).await?;
                Ok(delete(tx, &found).await?)
            })
        })
        .await
        .unwrap();
    [first, second]
}

#[test]
fn an_item_that_cannot_be_healed_holds_up_no_other() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let [_, second] = one_of_two_broken(&stage, &vault).await;
        let fault = vault.take_healing().await.unwrap_err();
        assert_eq!(fault.code(), Code::Bac2NotFound);
        let jobs = vault.all_jobs().await;
        let healing = jobs
            .iter()
            .filter(|job| matches!(job.trigger, Trigger::Healing { .. }));
        assert_eq!(healing.map(|job| job.item).collect::<Vec<_>>(), [Some(second)]);
        vault.look_for_broken().await.unwrap();
    });
}

#[test]
fn healings_are_spread_after_an_outage_and_not_after_every_start() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("one")).await;
        vault.ask_for(item, BackupKind::Log).await.unwrap();
        stage.pass(300).await;
        wish(&vault, item).await;
        let before = vault.item(item).await;
        vault.stagger_healing().await.unwrap();
        assert_eq!(vault.item(item).await, before, "five minutes are none");
        stage.pass(301).await;
        vault.stagger_healing().await.unwrap();
        let after = vault.item(item).await.healing.unwrap().not_before;
        assert!(after >= vault.now() && after < vault.now() + SignedDuration::from_hours(1));
    });
}

#[test]
fn the_vaults_own_full_is_the_base_before_anybody_looked_again() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (id, _) = vault.add_item(policy("one")).await;
        let mut item = vault.item(id).await;
        let mut database = vault.get::<Database>(item.database).await.unwrap().record;
        let (own, theirs) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
        item.base = Some(own);
        let looked = database.last_seen;
        let mut case = |base, full: Option<i64>| {
            database.state = DatabaseState {
                differential_base: base,
                ..database.state.clone()
            };
            let last = full.map(|seconds| LastBackup {
                job: catalog::record::JobId(own),
                point: catalog::record::PointId(own),
                at: looked + SignedDuration::from_secs(seconds),
            });
            item.last = last.map(|last| (BackupKind::Full, last)).into_iter().collect();
            strength(BackupKind::Differential, &item, &database)
        };
        assert_eq!(case(Some(own), Some(-1)), BackupKind::Differential);
        assert_eq!(case(Some(theirs), Some(-1)), BackupKind::Full);
        assert_eq!(
            case(Some(theirs), Some(1)),
            BackupKind::Differential,
            "taken after the look"
        );
        assert_eq!(case(None, None), BackupKind::Full);
    });
}
