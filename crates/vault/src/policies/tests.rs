//! Policies and the items that follow them.

use catalog::record::{Item, JobState, Policy, Protection, Vault as VaultRecord};
use faults::Code;
use schedule::{BackupKind, Period};

use crate::scheduler::Memory;
use crate::staged::{Stage, beside, nobody, policy};
use crate::vault::Vault;

async fn versions(vault: &Vault, id: catalog::record::PolicyId) -> i64 {
    vault.get::<Policy>(id).await.unwrap().version()
}

#[test]
fn a_change_reaches_every_item_and_asks_for_nothing_of_the_past() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let mut fulls_only = policy("p");
        fulls_only.log = None;
        let (item, rules) = vault.add_item(fulls_only).await;
        let scenario = async {
            stage.pass(5 * 3_600 + 600).await;
            let seen = versions(&vault, rules).await;
            let changed = vault.change_policy(rules, seen, policy("p")).await.unwrap();
            assert_eq!((changed.items, changed.put_off), (1, 0));
            assert_eq!(vault.inconsistent_items(rules).await.unwrap().len(), 1);
            let stale = vault.change_policy(rules, seen, policy("p")).await.unwrap_err();
            assert_eq!(stale.code(), Code::Bac2VersionConflict);
            stage.pass(60).await;
            assert!(vault.inconsistent_items(rules).await.unwrap().is_empty());
            vault.settle_policies().await.unwrap();
            assert!(vault.open_notices().await.is_empty());
            let mut memory = Memory::default();
            stage.pass(600).await;
            vault.schedule_due(&mut memory).await.unwrap();
            let logs = vault.all_jobs().await;
            assert_eq!(logs.iter().filter(|job| job.work.name() == "log").count(), 1);
            assert!(
                vault.open_notices().await.is_empty(),
                "no log of before 05:10 was asked for"
            );
            let due = vault.item(item).await.due;
            assert_eq!(due[&BackupKind::Log].to_string(), "2026-01-01T05:30:00Z");
        };
        beside(scenario, vault.run_jobs()).await;
    });
}

#[test]
fn a_slot_within_its_jitter_outlives_a_change_of_retention() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let mut rules = policy("p");
        rules.running.jitter = Period::minutes(14);
        let (item, id) = vault.add_item(rules.clone()).await;
        let start = vault.item(item).await.due[&BackupKind::Log];
        stage.pass(901).await;
        if start > vault.now() {
            rules.log.as_mut().unwrap().retention = schedule::Days(20);
            vault
                .change_policy(id, versions(&vault, id).await, rules)
                .await
                .unwrap();
            beside(stage.pass(5), vault.run_jobs()).await;
            assert_eq!(vault.item(item).await.due[&BackupKind::Log], start);
            stage.pass(15 * 60).await;
            vault.schedule_due(&mut Memory::default()).await.unwrap();
            assert_eq!(
                vault
                    .all_jobs()
                    .await
                    .iter()
                    .filter(|job| job.work.name() == "log")
                    .count(),
                1
            );
        }
    });
}

#[test]
fn more_than_a_day_allows_waits_for_the_next_and_a_user_is_refused() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (first, rules) = vault.add_item(policy("p")).await;
        let server = vault.item(first).await.server;
        for number in 0..4 {
            let database = vault.add_database(server, &format!("d{number}"), |_| ()).await;
            vault.protect(database, rules).await.unwrap();
        }
        vault
            .change::<VaultRecord, _>(vault.id(), |vault| {
                vault.daily.configurations = 8;
                Ok(())
            })
            .await
            .unwrap();
        let scenario = async {
            let changed = vault.change_policy(rules, 1, policy("q")).await.unwrap();
            assert_eq!((changed.items, changed.put_off), (5, 2), "5 were protected today");
            let told = vault.open_notices().await;
            assert!(
                told.iter()
                    .any(|notice| notice.fault.code() == Code::CloudDosAbsoluteLimitReachedWithRetry)
            );
            let other = vault.add_database(server, "other", |_| ()).await;
            let refused = vault.protect(other, rules).await.unwrap_err();
            assert_eq!(refused.code(), Code::CloudDosAbsoluteLimitReached);
            stage.pass(600).await;
            assert_eq!(vault.inconsistent_items(rules).await.unwrap().len(), 2);
            stage.pass(86_400).await;
            assert!(vault.inconsistent_items(rules).await.unwrap().is_empty());
            vault.protect(other, rules).await.unwrap();
        };
        beside(scenario, vault.run_jobs()).await;
    });
}

#[test]
fn an_item_gets_another_policy_and_only_what_nobody_follows_is_removed() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, one) = vault.add_item(policy("one")).await;
        let (two, _) = vault.create_policy(policy("two")).await.unwrap();
        let taken = vault.create_policy(policy("Two")).await.unwrap_err();
        assert_eq!(taken.code(), Code::Bac2NameTaken, "case does not count");
        assert_eq!(
            vault.delete_policy(one).await.unwrap_err().code(),
            Code::Bac2PolicyInUse
        );
        let stale = vault.change_item_policy(item, two, Some(99)).await.unwrap_err();
        assert_eq!(stale.code(), Code::Bac2VersionConflict);
        // What waits to follow the old one gives way.
        vault.change_policy(one, 1, policy("one more")).await.unwrap();
        let job = vault.change_item_policy(item, two, None).await.unwrap();
        beside(stage.pass(60), vault.run_jobs()).await;
        assert_eq!(vault.job(job).await.unwrap().state, JobState::Completed);
        assert_eq!(vault.item(item).await.policy, two);
        vault.delete_policy(one).await.unwrap();
        let nothing = vault
            .change_item_policy(item, catalog::record::PolicyId(nobody()), None)
            .await;
        assert_eq!(nothing.unwrap_err().code(), Code::Bac2NotFound);
    });
}

#[test]
fn an_item_that_stays_behind_is_told_and_repaired() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, rules) = vault.add_item(policy("p")).await;
        // A crash right after the policy was written: nobody brought its items to it.
        vault
            .change::<Policy, _>(rules, |policy| {
                policy.policy.description = "another".to_owned();
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(vault.inconsistent_items(rules).await.unwrap().len(), 1);
        vault.repair_policies().await.unwrap();
        let told = vault.open_notices().await;
        assert_eq!(told[0].fault.code(), Code::Bac2PolicyInconsistent);
        beside(stage.pass(60), vault.run_jobs()).await;
        vault.settle_policies().await.unwrap();
        assert!(vault.open_notices().await.is_empty());
        assert_eq!(vault.item(item).await.protection, Protection::Protected);
        let stopped = vault.change::<Item, _>(item, |item| {
            item.policy_version = 1;
            item.protection = Protection::Stopped { since: item.since };
            Ok(())
        });
        stopped.await.unwrap();
        assert!(
            vault.inconsistent_items(rules).await.unwrap().is_empty(),
            "who is stopped follows nothing"
        );
    });
}

#[test]
fn what_cannot_be_kept_is_refused_with_every_field() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let mut wrong = policy("p");
        wrong.log.as_mut().unwrap().retention = schedule::Days(99);
        wrong.running.concurrency_per_instance = 0;
        let refused = vault.create_policy(wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::Bac2PolicyInvalid);
        for field in ["log.retention", "concurrencyPerInstance"] {
            assert!(refused.detail().contains(field), "{}", refused.detail());
        }
    });
}
