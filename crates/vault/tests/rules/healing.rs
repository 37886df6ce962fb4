//! Healing: chains are anchored again, one full of an instance at a time, when it may be.

use std::time::Duration;

use catalog::record::{HealingReason, Item, ItemId, Job, JobState, Protection, Trigger};
use faults::Code;
use schedule::policy::Window;
use schedule::{BackupKind, Days, Policy, Size};

use crate::world::{Cluster, Server};

const HOUR: Duration = Duration::from_secs(3_600);

/// A policy whose first full is due late in the day: the simulated world begins at midnight.
pub(crate) fn late() -> Policy {
    Policy::daily("late", "23:00".parse().unwrap(), Days(30))
}

/// Databases of an instance, protected.
pub(crate) async fn protected(
    cluster: &Cluster,
    server: &Server,
    names: &[&str],
    policy: Policy,
) -> Vec<ItemId> {
    for name in names {
        cluster.sql(server).make_database(name).await;
    }
    let (_, databases) = cluster.enrol(server).await;
    let vault = cluster.vault().await;
    let known = vault
        .policies()
        .await
        .unwrap()
        .into_iter()
        .map(|(known, _)| known);
    let policy = match known.into_iter().find(|known| known.policy.name == policy.name) {
        Some(known) => known.id,
        None => vault.create_policy(policy).await.unwrap().0,
    };
    let mut items = Vec::new();
    for name in names {
        let database = databases.iter().find(|one| one.name == *name).unwrap();
        items.push(vault.protect(database.id, policy).await.unwrap());
    }
    items
}

fn is_healing(job: &Job) -> bool {
    matches!(job.trigger, Trigger::Healing { .. })
}

#[test]
fn a_storm_of_broken_chains_is_healed_one_full_of_an_instance_at_a_time() {
    let cluster = Cluster::new(11);
    // Two hundred databases on two instances; each loses its chain in the same second.
    let servers = [cluster.server("sql1"), cluster.server("sql2")];
    let names: Vec<String> = (0..100).map(|number| format!("Db{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cluster.run(async {
        let mut items = Vec::new();
        for server in &servers {
            items.extend(protected(&cluster, server, &names, late()).await);
        }
        let vault = cluster.start_vault().await;
        for item in &items {
            vault.take_over_chain(*item).await.unwrap();
        }
        for _ in 0..600 {
            cluster.pass(Duration::from_secs(60)).await;
            let all = cluster.records::<Item>().await;
            if all
                .iter()
                .all(|item| item.healing.is_none() && item.healed.is_some())
            {
                break;
            }
        }
        let jobs = cluster.jobs().await;
        let healing: Vec<&Job> = jobs.iter().filter(|job| is_healing(job)).collect();
        assert_eq!(healing.len(), items.len());
        let mut at_once = 0;
        for one in &healing {
            assert_eq!(one.state, JobState::Completed, "{one:#?}");
            let others = healing.iter().filter(|other| other.id != one.id);
            for other in others {
                let meets = other.created < one.ended.unwrap() && one.created < other.ended.unwrap();
                at_once += u32::from(meets);
                assert!(!(meets && one.server == other.server), "{one:#?} and {other:#?}");
            }
        }
        assert!(at_once > 0, "instances wait for themselves alone");
    });
}

#[test]
fn where_healing_is_off_people_are_told() {
    let cluster = Cluster::new(12);
    let server = cluster.server("sql1");
    cluster.run(async {
        let mut policy = late();
        policy.healing.enabled = false;
        let item = protected(&cluster, &server, &["Shop"], policy).await[0];
        let vault = cluster.start_vault().await;
        let taken = vault.take_over_chain(item).await.unwrap();
        assert!(taken.took_over.is_some() && taken.healing.is_none());
        cluster.pass(HOUR).await;
        assert!(cluster.jobs().await.is_empty());
        let notices = cluster.notices().await;
        let codes: Vec<_> = notices.iter().map(|one| (one.fault.code(), one.item)).collect();
        assert_eq!(codes, [(Code::Bac2HealingDisabled, Some(item))]);
        assert_eq!(notices[0].fault.target(), "sql1/Shop");
    });
}

#[test]
fn what_is_large_waits_for_its_window_and_a_database_is_healed_once_a_day() {
    let cluster = Cluster::new(13);
    let server = cluster.server("sql1");
    cluster.run(async {
        let mut policy = late();
        policy.healing.window_above = Size::bytes(1);
        policy.healing.window = Some(Window {
            days: Vec::new(),
            from: "03:00".parse().unwrap(),
            to: "05:00".parse().unwrap(),
        });
        let item = protected(&cluster, &server, &["Shop"], policy).await[0];
        let begun = cluster.now();
        let vault = cluster.start_vault().await;
        let wanted = vault.take_over_chain(item).await.unwrap().healing.unwrap();
        assert_eq!(
            (wanted.kind, wanted.reason, wanted.not_before.to_string()),
            (
                BackupKind::Full,
                HealingReason::FullMissing,
                "2026-01-01T03:00:00Z".to_owned()
            )
        );
        cluster.pass(Duration::from_secs(2 * 3_600 + 3_000)).await;
        assert!(cluster.jobs().await.is_empty(), "before three o'clock");
        cluster.pass(HOUR).await;
        let healed = cluster.item(item).await;
        assert!(healed.healing.is_none() && healed.healed.unwrap() > begun + 3 * HOUR);
        // The next is a day away, and at four o'clock the window is open.
        let again = vault.take_over_chain(item).await.unwrap().healing.unwrap();
        assert_eq!(again.not_before, healed.healed.unwrap() + 24 * HOUR);
        assert_eq!(again.reason, HealingReason::LsnValidation);
    });
}

#[test]
fn after_an_outage_one_full_heals_and_its_slot_is_kept_by_it() {
    let cluster = Cluster::new(14);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = protected(&cluster, &server, &["Shop"], late()).await[0];
        let vault = cluster.start_vault().await;
        let job = vault.back_up(item, BackupKind::Full, None).await.unwrap();
        cluster.done(job).await;
        drop(vault);
        cluster.crash_vault();
        // Longer than 15 days, the age that a full may have.
        cluster.pass(16 * 24 * HOUR).await;
        cluster.start_vault().await;
        cluster.pass(3 * HOUR).await;
        let fulls = cluster.points().await;
        assert_eq!(fulls.len(), 2, "{fulls:#?}");
        let item = cluster.item(item).await;
        assert_eq!(item.protection, Protection::Protected);
        assert!(item.healing.is_none());
    });
}
