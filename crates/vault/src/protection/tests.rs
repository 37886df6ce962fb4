//! Protection from its first day to the last.

use catalog::record::{
    Database, Item, ItemId, JobState, Protection, SoftDelete, SoftDeleteMode, Vault as VaultRecord, Work,
};
use faults::Code;
use jiff::SignedDuration;
use schedule::BackupKind;
use uuid::Uuid;

use super::Data;
use crate::staged::{Stage, beside, policy};
use crate::vault::Vault;

/// What makes a database one that cannot be protected.
type Change = fn(&mut Database);

/// What is done with an item.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Retain,
    Delete,
    Suspend,
    Resume,
    Undelete,
}

async fn do_it(vault: &Vault, item: ItemId, deed: Deed) -> Result<&'static str, Code> {
    let done = match deed {
        Deed::Retain => vault.unprotect(item, Data::Retain, None).await,
        Deed::Delete => vault.unprotect(item, Data::Delete, None).await,
        Deed::Suspend => vault.suspend(item, None).await,
        Deed::Resume => vault.resume(item, None).await,
        Deed::Undelete => vault.undelete(item, None).await,
    };
    done.map(|item| name(&item)).map_err(|fault| fault.code())
}

fn name(item: &Item) -> &'static str {
    match item.protection {
        Protection::Protected => "protected",
        Protection::Suspended { .. } => "suspended",
        Protection::Stopped { .. } => "stopped",
        Protection::SoftDeleted { .. } => "deleted",
    }
}

#[test]
fn from_every_state_every_deed_leads_where_it_should() {
    use Code::{Bac2AlreadyProtected, Bac2NotFound, Bac2NotProtected, Bac2SoftDeleted};
    use Deed::{Delete, Resume, Retain, Suspend, Undelete};
    for (way, deeds) in [
        (
            vec![],
            [
                (Retain, Ok("stopped")),
                (Delete, Ok("deleted")),
                (Suspend, Ok("suspended")),
                (Resume, Err(Bac2AlreadyProtected)),
                (Undelete, Err(Bac2NotFound)),
            ],
        ),
        (
            vec![Suspend],
            [
                (Retain, Ok("stopped")),
                (Delete, Ok("deleted")),
                (Suspend, Err(Bac2NotProtected)),
                (Resume, Ok("protected")),
                (Undelete, Err(Bac2NotFound)),
            ],
        ),
        (
            vec![Retain],
            [
                (Retain, Err(Bac2NotProtected)),
                (Delete, Ok("deleted")),
                (Suspend, Err(Bac2NotProtected)),
                (Resume, Ok("protected")),
                (Undelete, Err(Bac2NotFound)),
            ],
        ),
        (
            vec![Delete],
            [
                (Retain, Err(Bac2SoftDeleted)),
                (Delete, Err(Bac2SoftDeleted)),
                (Suspend, Err(Bac2SoftDeleted)),
                (Resume, Err(Bac2SoftDeleted)),
                (Undelete, Ok("stopped")),
            ],
        ),
    ] {
        for (deed, expected) in deeds {
            let stage = Stage::new();
            stage.run(async {
                let vault = stage.vault().await;
                let (item, _) = vault.add_item(policy("p")).await;
                for step in &way {
                    do_it(&vault, item, *step).await.unwrap();
                }
                assert_eq!(do_it(&vault, item, deed).await, expected, "{way:?} {deed:?}");
            });
        }
    }
}

#[test]
fn what_is_deleted_keeps_the_time_that_was_in_force_and_is_removed_after_it() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let days = |mode, days| SoftDelete { mode, days };
        vault
            .set_soft_delete(days(SoftDeleteMode::Enabled, 30), None)
            .await
            .unwrap();
        let (item, rules) = vault.add_item(policy("p")).await;
        vault.unprotect(item, Data::Delete, None).await.unwrap();
        vault
            .set_soft_delete(days(SoftDeleteMode::AlwaysOn, 14), None)
            .await
            .unwrap();
        let Protection::SoftDeleted { since, until } = vault.item(item).await.protection else {
            panic!("it is deleted")
        };
        assert_eq!(until, since + SignedDuration::from_hours(30 * 24));
        let purge = vault
            .all_jobs()
            .await
            .into_iter()
            .find(|job| job.work == Work::Purge);
        assert_eq!(purge.as_ref().unwrap().run_at, until);
        let again = vault.protect(vault.item(item).await.database, rules).await;
        assert_eq!(again.unwrap_err().code(), Code::Bac2SoftDeleted);
        vault.undelete(item, None).await.unwrap();
        let purge = vault.job(purge.unwrap().id).await.unwrap();
        assert_eq!(
            purge.state,
            JobState::Cancelled,
            "what was taken back is not removed"
        );
        vault.unprotect(item, Data::Delete, None).await.unwrap();
        stage.pass(14 * 86_400 + 1).await;
        assert_eq!(
            vault.undelete(item, None).await.unwrap_err().code(),
            Code::Bac2NotFound
        );
        for (wanted, code) in [
            (days(SoftDeleteMode::Disabled, 14), Code::Bac2SoftDeleteLocked),
            (days(SoftDeleteMode::Enabled, 180), Code::Bac2SoftDeleteLocked),
            (days(SoftDeleteMode::AlwaysOn, 13), Code::Bac2InputInvalid),
            (days(SoftDeleteMode::AlwaysOn, 181), Code::Bac2InputInvalid),
        ] {
            assert_eq!(
                vault.set_soft_delete(wanted, None).await.unwrap_err().code(),
                code
            );
        }
        vault
            .set_soft_delete(days(SoftDeleteMode::AlwaysOn, 180), None)
            .await
            .unwrap();
        let shorter = vault
            .set_soft_delete(days(SoftDeleteMode::AlwaysOn, 179), None)
            .await;
        assert_eq!(shorter.unwrap_err().code(), Code::Bac2SoftDeleteLocked);
    });
}

#[test]
fn stopping_cancels_what_waits_and_suspending_what_waits_by_schedule() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("p")).await;
        let asked = vault.ask_for(item, BackupKind::Full).await.unwrap();
        stage.pass(900).await;
        vault
            .schedule_due(&mut crate::scheduler::Memory::default())
            .await
            .unwrap();
        vault.suspend(item, None).await.unwrap();
        let open = |jobs: Vec<catalog::record::Job>| -> Vec<_> {
            jobs.into_iter()
                .filter(|job| !job.state.is_ended())
                .map(|job| job.id)
                .collect()
        };
        assert_eq!(open(vault.all_jobs().await), [asked]);
        assert!(vault.item(item).await.next_due().is_none());
        vault.unprotect(item, Data::Retain, None).await.unwrap();
        assert!(open(vault.all_jobs().await).is_empty());
        // Slots of the time in between are not missed.
        stage.pass(86_400).await;
        vault.resume(item, None).await.unwrap();
        stage.pass(900).await;
        vault
            .schedule_due(&mut crate::scheduler::Memory::default())
            .await
            .unwrap();
        assert!(vault.open_notices().await.is_empty());
        assert_eq!(open(vault.all_jobs().await).len(), 1);
    });
}

#[test]
fn what_cannot_be_protected_is_refused_with_its_code() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (first, rules) = vault.add_item(policy("p")).await;
        let record = vault.item(first).await;
        let again = vault.protect(record.database, rules).await;
        assert_eq!(again.unwrap_err().code(), Code::Bac2AlreadyProtected);
        let changes: [(&str, Change, Code); 5] = [
            (
                "gone",
                |it| it.gone = Some(it.first_seen),
                Code::UserErrorSQLPODoesNotExist,
            ),
            (
                "mirrored",
                |it| it.state.is_mirrored = true,
                Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled,
            ),
            (
                "snapshot",
                |it| it.state.is_snapshot = true,
                Code::UserErrorSQLPODoesNotSupportBackupType,
            ),
            (
                "TempDB",
                |it| it.state.is_system = true,
                Code::UserErrorSQLPODoesNotSupportBackupType,
            ),
            ("copy", |it| it.is_test_copy = true, Code::Bac2InputInvalid),
        ];
        for (name, change, code) in changes {
            let database = vault.add_database(record.server, name, change).await;
            assert_eq!(
                vault.protect(database, rules).await.unwrap_err().code(),
                code,
                "{name}"
            );
        }
        vault
            .change::<VaultRecord, _>(vault.id(), |vault| {
                vault.databases_max = 1;
                Ok(())
            })
            .await
            .unwrap();
        let other = vault.add_database(record.server, "other", |_| ()).await;
        assert_eq!(
            vault.protect(other, rules).await.unwrap_err().code(),
            Code::Bac2LimitReached
        );
    });
}

#[test]
fn a_database_of_a_group_has_one_item_for_all_its_replicas() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (rules, _) = vault.create_policy(policy("p")).await.unwrap();
        let (one, two) = (vault.enrol("sql1").await, vault.enrol("sql2").await);
        let in_group = |database: &mut Database| {
            database.group = Some(Uuid::from_u128(7));
            database.family_guid = Some(Uuid::from_u128(8));
        };
        let here = vault.add_database(one, "Shop", in_group).await;
        let there = vault.add_database(two, "SHOP", in_group).await;
        let alone = vault
            .add_database(two, "Copy", |it| it.family_guid = Some(Uuid::from_u128(8)))
            .await;
        let item = vault.protect(here, rules).await.unwrap();
        let replica = vault.protect(there, rules).await;
        assert_eq!(replica.unwrap_err().code(), Code::Bac2AlreadyProtected);
        let copy = vault.protect(alone, rules).await.unwrap();
        assert_ne!(
            vault.item(item).await.container,
            vault.item(copy).await.container,
            "a group has its own"
        );
        vault.auto_protect(two, rules, Vec::new()).await.unwrap();
        beside(stage.pass(60), vault.run_jobs()).await;
        assert!(
            vault.all_jobs().await.is_empty(),
            "nothing of it is left to protect"
        );
    });
}

#[test]
fn auto_protection_takes_lots_of_fifty_and_leaves_out_what_it_shall() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (rules, _) = vault.create_policy(policy("p")).await.unwrap();
        let server = vault.enrol("sql1").await;
        for number in 0..120 {
            vault.add_database(server, &format!("d{number}"), |_| ()).await;
        }
        for name in ["tempdb", "Test_1", "scratch"] {
            vault.add_database(server, name, |_| ()).await;
        }
        let senseless = vault.auto_protect(server, rules, vec![String::new()]).await;
        assert_eq!(senseless.unwrap_err().code(), Code::Bac2InputInvalid);
        let excludes = vec!["test%".to_owned(), "scratch".to_owned()];
        vault.auto_protect(server, rules, excludes.clone()).await.unwrap();
        let again = vault.auto_protect(server, rules, excludes).await;
        assert_eq!(again.unwrap_err().code(), Code::Bac2AlreadyProtected);
        assert_eq!(vault.count_jobs(JobState::Queued).await.unwrap(), 50);
        vault.apply_intents(server).await.unwrap();
        assert_eq!(
            vault.count_jobs(JobState::Queued).await.unwrap(),
            50,
            "no more at a time"
        );
        beside(stage.pass(600), vault.run_jobs()).await;
        let done = vault.count_jobs(JobState::Completed).await.unwrap();
        assert_eq!(done, 120, "one lot after the other");
    });
}

#[test]
fn auto_protection_at_the_limit_says_so_once_and_queues_nothing() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (rules, _) = vault.create_policy(policy("p")).await.unwrap();
        let server = vault.enrol("sql1").await;
        for number in 0..6 {
            vault.add_database(server, &format!("d{number}"), |_| ()).await;
        }
        let allow = async |most: u32| {
            let change = vault.change::<VaultRecord, _>(vault.id(), |vault| {
                vault.databases_max = most;
                Ok(())
            });
            change.await.unwrap();
        };
        allow(4).await;
        vault.auto_protect(server, rules, Vec::new()).await.unwrap();
        beside(stage.pass(3_600), vault.run_jobs()).await;
        assert_eq!(vault.all_jobs().await.len(), 4, "nobody loops over the other two");
        let told = vault.open_notices().await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].fault.code(), Code::Bac2LimitReached);
        allow(5).await;
        vault.apply_intents(server).await.unwrap();
        beside(stage.pass(60), vault.run_jobs()).await;
        assert_eq!(vault.all_jobs().await.len(), 5);
        allow(6).await;
        vault.apply_intents(server).await.unwrap();
        assert!(vault.open_notices().await.is_empty(), "there is room for all");
    });
}

#[test]
fn a_database_that_cannot_be_protected_is_tried_once_a_discovery() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (rules, _) = vault.create_policy(policy("p")).await.unwrap();
        let server = vault.enrol("sql1").await;
        let shop = vault.add_database(server, "Shop", |_| ()).await;
        for number in 0..3 {
            vault.add_database(server, &format!("d{number}"), |_| ()).await;
        }
        vault.auto_protect(server, rules, Vec::new()).await.unwrap();
        // Mirrored after it was chosen, and a sound one again an hour later.
        let mirrored = |is: bool| {
            vault.change::<Database, _>(shop, move |database| {
                database.state.is_mirrored = is;
                Ok(())
            })
        };
        mirrored(true).await.unwrap();
        beside(stage.pass(3_600), vault.run_jobs()).await;
        mirrored(false).await.unwrap();
        let tries = async || {
            let jobs = vault.all_jobs().await;
            let of_shop = |job: &&catalog::record::Job| matches!(job.work, Work::Configure { database, .. } if database == shop);
            jobs.iter().filter(of_shop).count()
        };
        assert_eq!(tries().await, 1);
        vault.apply_intents(server).await.unwrap();
        assert_eq!(tries().await, 1, "it failed an hour ago");
        stage.pass(8 * 3_600).await;
        vault.apply_intents(server).await.unwrap();
        assert_eq!(tries().await, 2, "with the next discovery");
    });
}

#[test]
fn what_a_user_deletes_does_not_come_back_by_auto_protection() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (rules, _) = vault.create_policy(policy("p")).await.unwrap();
        let server = vault.enrol("sql1").await;
        for name in ["Shop", "Shop%"] {
            vault.add_database(server, name, |_| ()).await;
        }
        let intent = vault.auto_protect(server, rules, Vec::new()).await.unwrap();
        beside(stage.pass(60), vault.run_jobs()).await;
        let items = || vault.list::<Item>(catalog::Slot::Id, catalog::Range::ALL);
        let deleted = items().await.unwrap().remove(0).record;
        vault.unprotect(deleted.id, Data::Delete, None).await.unwrap();
        beside(stage.pass(15 * 86_400), vault.run_jobs()).await;
        vault.apply_intents(server).await.unwrap();
        beside(stage.pass(60), vault.run_jobs()).await;
        assert_eq!(items().await.unwrap().len(), 1, "it stays deleted");
        vault.stop_auto_protection(intent).await.unwrap();
        vault.auto_protect(server, rules, Vec::new()).await.unwrap();
        beside(stage.pass(60), vault.run_jobs()).await;
        assert_eq!(items().await.unwrap().len(), 2, "asked for anew, it is");
    });
}

#[test]
fn jobs_of_an_auto_protection_that_ends_are_cancelled_with_its_code() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (rules, _) = vault.create_policy(policy("p")).await.unwrap();
        let server = vault.enrol("sql1").await;
        for number in 0..10 {
            vault.add_database(server, &format!("d{number}"), |_| ()).await;
        }
        let intent = vault.auto_protect(server, rules, Vec::new()).await.unwrap();
        // Two are in progress, the catalog is slow.
        stage.store.set_plan(Box::new(|_: catalog::memory::Step| {
            catalog::memory::Event::Wait(catalog::memory::pending(3))
        }));
        let scenario = async {
            while vault.count_jobs(JobState::InProgress).await.unwrap() == 0 {
                futures::future::ready(()).await;
            }
            vault.stop_auto_protection(intent).await.unwrap();
            stage.pass(60).await;
        };
        beside(scenario, vault.run_jobs()).await;
        stage.store.set_plan(Box::new(catalog::memory::NoTrouble));
        let jobs = vault.all_jobs().await;
        let cancelled: Vec<_> = jobs
            .iter()
            .filter(|job| job.state == JobState::Cancelled)
            .collect();
        assert!(cancelled.len() >= 7, "{}", cancelled.len());
        for job in &cancelled {
            let code = job.fault.as_ref().unwrap().code();
            assert_eq!(code, Code::AutoProtectionCancelledOrNotValid);
        }
        assert!(jobs.iter().all(|job| job.state.is_ended()));
        let items = vault
            .list::<Item>(catalog::Slot::Id, catalog::Range::ALL)
            .await
            .unwrap();
        assert_eq!(
            items.len() + cancelled.len(),
            10,
            "what it protected stays protected"
        );
    });
}

#[test]
fn an_item_that_somebody_else_changed_is_changed_only_by_who_saw_that() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("p")).await;
        let (_, seen) = vault.protected(item).await.unwrap();
        // What the vault notes with every slot is nobody's change.
        let slot = vault.now();
        let noted = vault.change::<Item, _>(item, |item| {
            item.scheduled.insert(BackupKind::Log, slot);
            Ok(())
        });
        noted.await.unwrap();
        vault.suspend(item, Some(seen)).await.unwrap();
        let conflict = Code::Bac2VersionConflict;
        let stale = Some(seen);
        let (_, now) = vault.protected(item).await.unwrap();
        assert!(now > seen);
        assert_eq!(vault.resume(item, stale).await.unwrap_err().code(), conflict);
        vault.resume(item, Some(now)).await.unwrap();
        assert_eq!(vault.suspend(item, Some(now)).await.unwrap_err().code(), conflict);
        for data in [Data::Retain, Data::Delete] {
            assert_eq!(
                vault.unprotect(item, data, Some(now)).await.unwrap_err().code(),
                conflict
            );
        }
        assert_eq!(name(&vault.item(item).await), "protected");
        let (_, now) = vault.protected(item).await.unwrap();
        vault.unprotect(item, Data::Delete, Some(now)).await.unwrap();
        assert_eq!(
            vault.undelete(item, Some(now)).await.unwrap_err().code(),
            conflict
        );
        let (_, now) = vault.protected(item).await.unwrap();
        vault.undelete(item, Some(now)).await.unwrap();
    });
}

#[test]
fn soft_deletion_that_somebody_else_changed_is_changed_only_by_who_saw_that() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let days = |days| SoftDelete {
            mode: SoftDeleteMode::Enabled,
            days,
        };
        let (_, seen) = vault.settings().await.unwrap();
        vault.set_soft_delete(days(20), Some(seen)).await.unwrap();
        let late = vault.set_soft_delete(days(30), Some(seen)).await;
        assert_eq!(late.unwrap_err().code(), Code::Bac2VersionConflict);
        let (settings, seen) = vault.settings().await.unwrap();
        assert_eq!(settings.soft_delete.days, 20);
        vault.set_soft_delete(days(30), Some(seen)).await.unwrap();
    });
}
