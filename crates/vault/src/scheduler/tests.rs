//! Slots: each one job or one reported miss.

use catalog::NewRow;
use catalog::record::{Database, Item, JobState, Notice, PolicyId, Work, moment};
use catalog::{Keys, Kind, Record, Slot};
use faults::Code;
use schedule::BackupKind;

use super::Memory;
use crate::staged::{Stage, nobody, policy};
use crate::vault::Vault;

async fn jobs_of(vault: &Vault, kind: BackupKind) -> usize {
    let is_of = |work: &Work| matches!(work, Work::Backup(work) if work.asked == kind);
    vault
        .all_jobs()
        .await
        .iter()
        .filter(|job| is_of(&job.work) && job.state != JobState::Cancelled)
        .count()
}

async fn notices(vault: &Vault, code: Code) -> Vec<Notice> {
    let all = vault.open_notices().await;
    all.into_iter()
        .filter(|notice| notice.fault.code() == code)
        .collect()
}

async fn end_all(vault: &Vault) {
    for job in vault.all_jobs().await {
        if !job.state.is_ended() {
            vault.cancel_job(job.id).await.unwrap();
        }
    }
}

#[test]
fn after_an_outage_the_newest_slot_runs_and_the_others_are_counted() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("p")).await;
        let mut memory = Memory::default();
        stage.pass(900).await;
        vault.schedule_due(&mut memory).await.unwrap();
        assert_eq!(jobs_of(&vault, BackupKind::Log).await, 1);
        assert!(vault.open_notices().await.is_empty());
        end_all(&vault).await;
        // Nothing looks from 00:15 to 03:10: of 00:30, 00:45, ... 03:00 the last runs, ten are missed.
        stage.pass(2 * 3_600 + 55 * 60).await;
        for _ in 0..3 {
            vault.schedule_due(&mut memory).await.unwrap();
        }
        assert_eq!(jobs_of(&vault, BackupKind::Log).await, 1);
        let missed = notices(&vault, Code::Bac2ScheduleMissed).await;
        assert_eq!(missed.len(), 1);
        assert!(
            missed[0].fault.detail().starts_with("10 slots"),
            "{:?}",
            missed[0]
        );
        assert_eq!(missed[0].missed.unwrap().1.to_string(), "2026-01-01T02:45:00Z");
        let dealt = vault.item(item).await.scheduled[&BackupKind::Log];
        assert_eq!(dealt.to_string(), "2026-01-01T03:00:00Z");
        // The job of 03:00 is not over at 03:15 and 03:30: two misses of the same matter.
        for _ in 0..2 {
            stage.pass(900).await;
            vault.schedule_due(&mut memory).await.unwrap();
        }
        assert_eq!(jobs_of(&vault, BackupKind::Log).await, 1);
        let missed = notices(&vault, Code::Bac2ScheduleMissed).await;
        assert_eq!((missed.len(), missed[0].times), (1, 3));
    });
}

#[test]
fn a_type_that_the_database_does_not_support_is_skipped_with_one_warning() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let server = vault.enrol("sql1").await;
        let simple = |database: &mut Database| database.state.recovery_model = "SIMPLE".to_owned();
        let master = |database: &mut Database| database.state.is_system = true;
        let shop = vault.add_database(server, "Shop", simple).await;
        let system = vault.add_database(server, "master", master).await;
        let (rules, _) = vault.create_policy(policy("p")).await.unwrap();
        for database in [shop, system] {
            vault.protect(database, rules).await.unwrap();
        }
        let mut memory = Memory::default();
        for _ in 0..4 {
            stage.pass(900).await;
            vault.schedule_due(&mut memory).await.unwrap();
        }
        assert_eq!(jobs_of(&vault, BackupKind::Log).await, 0);
        let told = notices(&vault, Code::BackupTypeUnsupported).await;
        assert_eq!(told.len(), 2, "one of each");
        assert!(told.iter().all(|notice| notice.times == 4));
        vault
            .change::<Database, _>(shop, |database| {
                database.state.recovery_model = "FULL".to_owned();
                Ok(())
            })
            .await
            .unwrap();
        stage.pass(900).await;
        vault.schedule_due(&mut memory).await.unwrap();
        assert_eq!(jobs_of(&vault, BackupKind::Log).await, 1);
        assert_eq!(notices(&vault, Code::BackupTypeUnsupported).await.len(), 1);
        // 22:00: both take fulls.
        stage.pass(21 * 3_600).await;
        vault.schedule_due(&mut memory).await.unwrap();
        assert_eq!(jobs_of(&vault, BackupKind::Full).await, 2);
    });
}

#[test]
fn items_that_cannot_be_read_hold_up_no_other() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("p")).await;
        let good = vault.item(item).await;
        // Due before all others: one that is no record, and one whose policy is not there.
        let mut tx = vault.world.catalog.begin().await.unwrap();
        let early = moment(vault.now());
        let row = NewRow {
            kind: Kind::Item,
            vault: vault.key.clone(),
            id: "damaged".to_owned(),
            keys: Keys {
                a: Some("damaged".to_owned()),
                b: Some(early),
                ..Keys::NONE
            },
            format: Item::FORMAT,
            body: "{}".to_owned(),
        };
        tx.insert(row).await.unwrap();
        tx.commit().await.unwrap();
        let mut lost = good.clone();
        lost.id = catalog::record::ItemId(nobody());
        lost.database = catalog::record::DatabaseId(nobody());
        lost.policy = PolicyId(nobody());
        vault.insert(lost).await.unwrap();
        let mut memory = Memory::default();
        for _ in 0..2 {
            stage.pass(900).await;
            vault.schedule_due(&mut memory).await.unwrap();
        }
        assert_eq!(jobs_of(&vault, BackupKind::Log).await, 1);
        let told = vault.open_notices().await;
        let of_items = told
            .iter()
            .filter(|notice| notice.about.starts_with("unscheduled/"));
        assert_eq!(of_items.count(), 2, "{told:?}");
        assert!(
            vault.first_due().await.is_some(),
            "the good one's next slot is known"
        );
    });
}

#[test]
fn a_clock_that_goes_back_stops_no_schedule() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        stage.time.jump(48 * 3_600_000_000);
        let (item, _) = vault.add_item(policy("p")).await;
        let mut memory = Memory::default();
        stage.pass(900).await;
        vault.schedule_due(&mut memory).await.unwrap();
        end_all(&vault).await;
        stage.pass(900).await;
        vault.schedule_due(&mut memory).await.unwrap();
        stage.time.jump(-48 * 3_600_000_000);
        vault.align().await.unwrap();
        assert_eq!(notices(&vault, Code::Bac2ClockJumped).await.len(), 1);
        let waits = vault
            .all_jobs()
            .await
            .into_iter()
            .find(|job| job.state == JobState::Queued);
        assert!(
            waits.unwrap().run_at <= vault.now(),
            "what was let in tomorrow runs today"
        );
        end_all(&vault).await;
        vault.schedule_due(&mut memory).await.unwrap();
        stage.pass(900).await;
        vault.schedule_due(&mut memory).await.unwrap();
        assert_eq!(
            jobs_of(&vault, BackupKind::Log).await,
            1,
            "at the next slot of today"
        );
        assert!(vault.item(item).await.next_due().unwrap() > vault.now());
    });
}

#[test]
fn a_look_costs_what_is_due() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (first, rules) = vault.add_item(policy("p")).await;
        let server = vault.item(first).await.server;
        for number in 0..200 {
            let database = vault.add_database(server, &format!("d{number}"), |_| ()).await;
            vault.protect(database, rules).await.unwrap();
        }
        let reads = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&reads);
        stage.store.set_plan(Box::new(move |_: catalog::memory::Step| {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            catalog::memory::Event::Go
        }));
        let mut memory = Memory::default();
        vault.schedule_due(&mut memory).await.unwrap();
        assert!(vault.first_due().await.is_some());
        // Two transactions of one page each.
        assert!(reads.load(std::sync::atomic::Ordering::SeqCst) <= 4);
        assert_eq!(
            vault
                .list::<Item>(Slot::B, catalog::Range::ALL)
                .await
                .unwrap()
                .len(),
            201
        );
    });
}
