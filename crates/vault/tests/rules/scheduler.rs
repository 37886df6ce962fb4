//! Slots in the whole vault, over an instance that takes the backups.

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::record::{Job, Trigger, Work};
use jiff::Timestamp;
use schedule::{BackupKind, Days, LocalTime, Period, Policy};

use crate::world::Cluster;

/// Fulls at 01:00, logs every 15 minutes, starts spread over 2 minutes.
fn policy() -> Policy {
    let mut policy = Policy::daily("night", LocalTime::new(1, 0).unwrap(), Days(30));
    policy.log = Some(schedule::policy::LogPolicy {
        every: Period::minutes(15),
        offset: Period::default(),
        retention: Days(15),
    });
    policy.running.jitter = Period::minutes(2);
    policy
}

/// Scheduled jobs by kind and start of their slot.
fn by_slot(jobs: &[Job]) -> BTreeMap<(BackupKind, Timestamp), usize> {
    let mut found = BTreeMap::new();
    for job in jobs {
        if let (Work::Backup(work), Trigger::Scheduled { slot }) = (&job.work, &job.trigger) {
            *found.entry((work.asked, *slot)).or_default() += 1;
        }
    }
    found
}

#[test]
fn each_slot_of_a_night_is_one_job_that_begins_in_time_and_ends_and_an_outage_is_told() {
    let cluster = Cluster::new(41);
    let server = cluster.server("sql1");
    cluster.run(async {
        cluster.sql(&server).make_database("Shop").await;
        let vault = cluster.start_vault().await;
        let (_, databases) = cluster.enrol(&server).await;
        let (rules, _) = vault.create_policy(policy()).await.unwrap();
        let item = vault.protect(databases[0].id, rules).await.unwrap();
        cluster.pass(Duration::from_secs(4 * 3_600 + 600)).await;
        let jobs = cluster.jobs().await;
        let slots = by_slot(&jobs);
        let of = |kind| slots.keys().filter(|(of, _)| *of == kind).count();
        // 00:15, 00:30, ... 04:00, and 01:00.
        assert_eq!((of(BackupKind::Log), of(BackupKind::Full)), (16, 1), "{slots:?}");
        assert!(slots.values().all(|count| *count == 1));
        for job in jobs.iter().filter(|job| job.state.is_ended()) {
            if let (Trigger::Scheduled { slot }, Some(started), 1) = (&job.trigger, job.started, job.attempt)
            {
                let late = started.duration_since(*slot).as_secs();
                assert!((0..60).contains(&late), "{late} s: {job:?}");
            }
        }
        let open = jobs.iter().filter(|job| !job.state.is_ended()).count();
        assert_eq!(open, 0, "every job ends");
        drop(vault);
        cluster.crash_vault();
        cluster.pass(Duration::from_secs(3 * 3_600)).await;
        let vault = cluster.start_vault().await;
        cluster.pass(Duration::from_secs(120)).await;
        let missed: Vec<_> = cluster
            .notices()
            .await
            .into_iter()
            .filter_map(|notice| Some((notice.missed?, notice.fault)))
            .collect();
        let caught_up = by_slot(&cluster.jobs().await);
        assert_eq!(
            caught_up.len(),
            slots.len() + 1,
            "one log for eleven slots and it"
        );
        let log = missed.iter().find(|((kind, _), _)| *kind == BackupKind::Log);
        // The job that catches up resolves the report when it succeeds; until then it is open.
        if let Some((_, fault)) = log {
            assert!(fault.detail().starts_with("11 slots"), "{fault:?}");
        }
        assert_eq!(
            cluster.item(item).await.scheduled[&BackupKind::Log].to_string(),
            "2026-01-01T07:00:00Z"
        );
        drop(vault);
    });
}
