//! Policies and the items that follow them.

use catalog::record::{
    Item, ItemId, Job, JobState, Policy, PolicyId, Protection, Trigger, Vault as VaultRecord,
};
use faults::Code;
use jiff::{SignedDuration, Timestamp};
use schedule::{BackupKind, Days, LocalTime, Period};

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

/// Stands one second behind a slot whose backup is still to begin, within a jitter of 14 minutes; gives the item, its policy and
/// when it is to begin.
async fn within_jitter(stage: &Stage, vault: &Vault, kind: BackupKind) -> (ItemId, PolicyId, Timestamp) {
    let (item, id) = vault.add_item(jittered()).await;
    let seconds = if kind == BackupKind::Log { 900 } else { 22 * 3_600 };
    stage.pass(seconds + 1).await;
    vault.schedule_due(&mut Memory::default()).await.unwrap();
    for job in vault.all_jobs().await {
        vault.cancel_job(job.id).await.unwrap();
    }
    let start = vault.item(item).await.due[&kind];
    let slot = vault.item(item).await.slots[&kind];
    assert_eq!(vault.now().duration_since(slot).as_secs(), 1, "the slot came");
    assert!(
        start > vault.now() + SignedDuration::from_secs(10),
        "and begins later"
    );
    (item, id, start)
}

fn jittered() -> schedule::Policy {
    let mut rules = policy("p");
    rules.running.jitter = Period::minutes(14);
    rules
}

/// Backups of a kind that nobody cancelled.
async fn backups(vault: &Vault, kind: BackupKind) -> Vec<Job> {
    let all = vault.all_jobs().await;
    let is_of = |job: &Job| job.work.name() == kind.name() && job.state != JobState::Cancelled;
    all.into_iter().filter(is_of).collect()
}

/// A name, the kind whose slot came, and what becomes of the policy.
type Change = (&'static str, BackupKind, fn(&mut schedule::Policy));

#[test]
fn a_slot_within_its_jitter_outlives_every_change() {
    let changes: [Change; 7] = [
        ("retention", BackupKind::Log, |rules| {
            rules.log.as_mut().unwrap().retention = Days(20);
        }),
        ("a shorter jitter", BackupKind::Log, |rules| {
            rules.running.jitter = Period::minutes(12);
        }),
        ("no jitter", BackupKind::Log, |rules| {
            rules.running.jitter = Period::default();
        }),
        ("another interval", BackupKind::Log, |rules| {
            rules.log.as_mut().unwrap().every = Period::minutes(20);
        }),
        ("another offset", BackupKind::Log, |rules| {
            rules.log.as_mut().unwrap().offset = Period::minutes(5);
        }),
        ("an earlier time", BackupKind::Full, |rules| {
            rules.full.schedule.times = vec![LocalTime::new(21, 30).unwrap()];
        }),
        ("a longer jitter", BackupKind::Full, |rules| {
            rules.running.jitter = Period::minutes(60);
        }),
    ];
    for (what, kind, change) in changes {
        for is_behind in [false, true] {
            let stage = Stage::new();
            stage.run(async {
                let vault = stage.vault().await;
                let (item, id, start) = within_jitter(&stage, &vault, kind).await;
                let mut rules = jittered();
                change(&mut rules);
                let seen = versions(&vault, id).await;
                vault.change_policy(id, seen, rules).await.unwrap();
                if !is_behind {
                    beside(stage.pass(5), vault.run_jobs()).await;
                    assert!(vault.inconsistent_items(id).await.unwrap().is_empty(), "{what}");
                }
                if what == "retention" {
                    assert_eq!(vault.item(item).await.due[&kind], start, "{what}");
                }
                // Where its job is late, the scheduler meets the item before.
                stage
                    .pass(u64::try_from(start.duration_since(vault.now()).as_secs()).unwrap() + 1)
                    .await;
                vault.schedule_due(&mut Memory::default()).await.unwrap();
                stage
                    .pass(if what == "a longer jitter" { 3_600 } else { 0 })
                    .await;
                vault.schedule_due(&mut Memory::default()).await.unwrap();
                let taken = backups(&vault, kind).await;
                assert_eq!(taken.len(), 1, "{what}, behind {is_behind}: {taken:?}");
                assert!(taken[0].run_at <= vault.now(), "{what}");
                let open = vault.open_notices().await;
                let missed = open.iter().filter(|one| {
                    one.fault.code() == Code::Bac2ScheduleMissed && one.about.ends_with(kind.name())
                });
                assert_eq!(missed.count(), 0, "{what}: it was kept");
            });
        }
    }
}

/// The slot of the one job of a kind that is not cancelled, and the newest slot that is told as missed.
async fn kept_and_missed(vault: &Vault, kind: BackupKind) -> (Timestamp, Option<Timestamp>) {
    let taken = backups(vault, kind).await;
    assert_eq!(taken.len(), 1, "{taken:#?}");
    let Trigger::Scheduled { slot } = taken[0].trigger else {
        panic!("{:?}", taken[0].trigger);
    };
    let open = vault.open_notices().await;
    let missed = open
        .iter()
        .find_map(|one| one.missed.filter(|(of, _)| *of == kind));
    (slot, missed.map(|(_, at)| at))
}

/// Lets the jobs of the items run that a change of their policy makes, and the scheduler look.
async fn follow(stage: &Stage, vault: &Vault) {
    beside(stage.pass(5), vault.run_jobs()).await;
    vault.schedule_due(&mut Memory::default()).await.unwrap();
}

#[test]
fn a_change_right_after_an_outage_forgets_no_slot_of_the_outage() {
    let changes: [fn(&mut schedule::Policy); 3] = [
        |rules| rules.running.jitter = Period::minutes(12),
        |rules| rules.log.as_mut().unwrap().every = Period::minutes(60),
        |rules| rules.log.as_mut().unwrap().retention = Days(20),
    ];
    for change in changes {
        let stage = Stage::new();
        stage.run(async {
            let vault = stage.vault().await;
            let (_, id, _) = within_jitter(&stage, &vault, BackupKind::Log).await;
            // Nobody looks from 00:15:01 on to 03:14:01, when 03:00 is the newest slot, and was to begin by now.
            stage.pass(3 * 3_600 - 60).await;
            let mut rules = jittered();
            change(&mut rules);
            let seen = versions(&vault, id).await;
            vault.change_policy(id, seen, rules).await.unwrap();
            follow(&stage, &vault).await;
            let (kept, missed) = kept_and_missed(&vault, BackupKind::Log).await;
            let last = "2026-01-01T03:00:00Z".parse::<Timestamp>().unwrap();
            let delay = kept.duration_since(last).as_secs();
            assert!((0..14 * 60).contains(&delay), "{kept}");
            assert_eq!(missed, Some("2026-01-01T02:45:00Z".parse().unwrap()));
            let told = vault.open_notices().await;
            let told = told.iter().map(|one| one.fault.detail()).collect::<String>();
            // 00:15 to 02:45 are eleven quarters of an hour.
            assert!(told.contains("11 slots from 2026-01-01T00:15:00Z"), "{told}");
        });
    }
}

#[test]
fn slots_of_the_new_policy_in_an_outage_before_items_follow_it_are_not_forgotten() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, id) = vault.add_item(policy("p")).await;
        stage.pass(15 * 60 + 1).await;
        vault.schedule_due(&mut Memory::default()).await.unwrap();
        for job in vault.all_jobs().await {
            vault.cancel_job(job.id).await.unwrap();
        }
        let mut rules = policy("p");
        rules.log.as_mut().unwrap().every = Period::minutes(60);
        vault.change_policy(id, 1, rules).await.unwrap();
        // From 00:15:01 on to 04:15:01.
        stage.pass(4 * 3_600).await;
        follow(&stage, &vault).await;
        let (kept, missed) = kept_and_missed(&vault, BackupKind::Log).await;
        assert_eq!(kept.to_string(), "2026-01-01T04:00:00Z");
        assert_eq!(missed, Some("2026-01-01T03:00:00Z".parse().unwrap()));
        let told = vault.open_notices().await;
        let told = told.iter().map(|one| one.fault.detail()).collect::<String>();
        assert!(told.contains("3 slots from 2026-01-01T01:00:00Z"), "{told}");
        assert!(
            !told.contains("00:30:00"),
            "nobody asks for that any more: {told}"
        );
        assert_eq!(
            vault.item(item).await.due[&BackupKind::Log].to_string(),
            "2026-01-01T05:00:00Z"
        );
    });
}

#[test]
fn an_item_that_leaves_for_another_policy_is_told_what_it_missed_by_the_one_before() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("one")).await;
        let (two, _) = vault.create_policy(policy("two")).await.unwrap();
        vault.change_item_policy(item, two, None).await.unwrap();
        stage.pass(2 * 3_600 + 60).await;
        follow(&stage, &vault).await;
        assert_eq!(vault.item(item).await.policy, two);
        let (kept, missed) = kept_and_missed(&vault, BackupKind::Log).await;
        assert_eq!(kept.to_string(), "2026-01-01T02:00:00Z");
        assert_eq!(missed, Some("2026-01-01T01:45:00Z".parse().unwrap()));
    });
}

#[test]
fn what_the_new_policy_does_not_take_is_owed_no_more() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, id, _) = within_jitter(&stage, &vault, BackupKind::Log).await;
        let mut fulls_only = jittered();
        fulls_only.log = None;
        let seen = versions(&vault, id).await;
        vault.change_policy(id, seen, fulls_only).await.unwrap();
        beside(stage.pass(5), vault.run_jobs()).await;
        stage.pass(1_000).await;
        vault.schedule_due(&mut Memory::default()).await.unwrap();
        assert!(backups(&vault, BackupKind::Log).await.is_empty());
        assert_eq!(vault.item(item).await.slots.len(), 1);
    });
}

/// A policy of another retention.
fn other(name: &str) -> schedule::Policy {
    let mut rules = policy(name);
    rules.log.as_mut().unwrap().retention = Days(20);
    rules
}

#[test]
fn a_new_name_or_description_asks_nothing_of_items() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, rules) = vault.add_item(policy("p")).await;
        let mut told = policy("another name");
        told.description = "for the shop".to_owned();
        let changed = vault.change_policy(rules, 1, told).await.unwrap();
        assert_eq!((changed.items, changed.put_off), (0, 0));
        assert!(vault.inconsistent_items(rules).await.unwrap().is_empty());
        assert_eq!(vault.item(item).await.policy_version, changed.version);
        assert!(vault.all_jobs().await.is_empty() && vault.open_notices().await.is_empty());
        // One that is behind already does not come by what it missed.
        let behind = vault.change::<Item, _>(item, |item| {
            item.policy_version = 0;
            Ok(())
        });
        behind.await.unwrap();
        let changed = vault
            .change_policy(rules, changed.version, policy("p"))
            .await
            .unwrap();
        assert_eq!(changed.items, 1);
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
            let changed = vault.change_policy(rules, 1, other("q")).await.unwrap();
            assert_eq!((changed.items, changed.put_off), (5, 2), "5 were protected today");
            let told = vault.open_notices().await;
            assert!(
                told.iter()
                    .any(|notice| notice.fault.code() == Code::CloudDosAbsoluteLimitReachedWithRetry)
            );
            let late = vault.add_database(server, "late", |_| ()).await;
            let refused = vault.protect(late, rules).await.unwrap_err();
            assert_eq!(refused.code(), Code::CloudDosAbsoluteLimitReached);
            stage.pass(600).await;
            assert_eq!(vault.inconsistent_items(rules).await.unwrap().len(), 2);
            stage.pass(86_400).await;
            assert!(vault.inconsistent_items(rules).await.unwrap().is_empty());
            vault.protect(late, rules).await.unwrap();
            let spent = vault.get::<VaultRecord>(vault.id()).await.unwrap().record.spent;
            let spent: u32 = spent.iter().map(|one| one.configurations).sum();
            assert_eq!(spent, 3, "what was put off counts on the day on which it is done");
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
        vault.change_policy(one, 1, other("one more")).await.unwrap();
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
