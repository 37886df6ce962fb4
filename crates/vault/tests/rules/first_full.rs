//! The first full of a database that begins to be protected: wanted at once, taken one by one, and waited for by its logs.

use std::time::Duration;

use catalog::record::{HealingReason, Job, JobState, Trigger, Work};
use faults::Code;
use schedule::policy::{Mode, Window};
use schedule::{BackupKind, Days, Policy, Size};

use super::healing::{late, protected, with_logs};
use crate::world::Cluster;

const MINUTE: Duration = Duration::from_secs(60);

/// Jobs that asked for a kind of backup, oldest first.
fn of_kind(jobs: &[Job], kind: BackupKind) -> Vec<&Job> {
    let is_kind = |job: &&Job| matches!(&job.work, Work::Backup(work) if work.asked == kind);
    let mut found: Vec<&Job> = jobs.iter().filter(is_kind).collect();
    found.sort_by_key(|job| job.created);
    found
}

#[test]
fn databases_get_their_first_fulls_one_by_one_before_their_first_logs() {
    let cluster = Cluster::new(61);
    let server = cluster.server("sql1");
    cluster.run(async {
        let names: Vec<String> = (0..10).map(|number| format!("Db{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let items = protected(&cluster, &server, &names, with_logs()).await;
        let begun = cluster.now();
        let _vault = cluster.start_vault().await;
        // Whoever protects and backs up at once is not in the way of the vault's own.
        cluster.pass(4 * MINUTE).await;
        assert!(cluster.jobs().await.is_empty());
        cluster.pass(27 * MINUTE).await;
        let jobs = cluster.jobs().await;
        let fulls = of_kind(&jobs, BackupKind::Full);
        assert_eq!(fulls.len(), items.len());
        for pair in fulls.windows(2) {
            assert!(pair[1].created >= pair[0].ended.unwrap(), "{pair:#?}");
        }
        for full in &fulls {
            assert_eq!(full.state, JobState::Completed, "{full:#?}");
            assert!(full.created >= begun + 5 * MINUTE);
            let healing = Trigger::Healing {
                reason: HealingReason::FullMissing,
            };
            assert_eq!(full.trigger, healing);
        }
        let logs = of_kind(&jobs, BackupKind::Log);
        assert_eq!(logs.len(), 2 * items.len(), "00:15 and 00:30");
        assert!(logs.iter().all(|log| log.state == JobState::Completed));
        assert!(cluster.notices().await.is_empty());
    });
}

#[test]
fn logs_wait_for_a_first_full_that_waits_for_its_window() {
    let cluster = Cluster::new(62);
    let server = cluster.server("sql1");
    cluster.run(async {
        let mut policy = with_logs();
        policy.healing.window_above = Size::bytes(1);
        policy.healing.window = Some(Window {
            days: Vec::new(),
            from: "01:05".parse().unwrap(),
            to: "05:00".parse().unwrap(),
        });
        let item = protected(&cluster, &server, &["Shop"], policy).await[0];
        let wanted = cluster.item(item).await.healing.unwrap();
        assert_eq!(wanted.not_before.to_string(), "2026-01-01T01:05:00Z");
        let _vault = cluster.start_vault().await;
        cluster.pass(76 * MINUTE).await;
        let jobs = cluster.jobs().await;
        assert_eq!(of_kind(&jobs, BackupKind::Full).len(), 1);
        let logs = of_kind(&jobs, BackupKind::Log);
        let states: Vec<JobState> = logs.iter().map(|log| log.state).collect();
        let waits = JobState::CompletedWithWarnings;
        // 00:15 to 01:00, and 01:15.
        assert_eq!(states, [waits, waits, waits, waits, JobState::Completed]);
        for log in &logs[..4] {
            assert_eq!((log.point, log.fault.as_ref()), (None, None));
            let told: Vec<Code> = log.warnings.iter().map(faults::Fault::code).collect();
            assert_eq!(told, [Code::UserErrorParentFullBackupMissing]);
            assert!(
                log.warnings[0].detail().contains("01:05"),
                "{}",
                log.warnings[0].detail()
            );
        }
        assert!(cluster.notices().await.is_empty(), "nothing is wrong");
        assert_eq!(cluster.points().await.len(), 2);
    });
}

#[test]
fn where_the_vault_takes_no_first_full_the_schedule_does() {
    let cluster = Cluster::new(63);
    let server = cluster.server("sql1");
    cluster.run(async {
        let soon = Policy::daily("soon", "00:45".parse().unwrap(), Days(30));
        let mut off = late();
        "off".clone_into(&mut off.name);
        off.healing.enabled = false;
        let mut shadow = late();
        "shadow".clone_into(&mut shadow.name);
        shadow.mode = Mode::Shadow;
        for (name, policy, is_wanted) in [
            ("Soon", soon, false),
            ("Off", off, false),
            ("Shadow", shadow, false),
            ("Late", late(), true),
        ] {
            let server = match name {
                "Soon" => server.clone(),
                other => cluster.server(other),
            };
            let item = protected(&cluster, &server, &[name], policy).await[0];
            let wanted = cluster.item(item).await.healing;
            assert_eq!(wanted.is_some(), is_wanted, "{name}");
        }
    });
}

#[test]
fn a_full_that_a_user_takes_at_once_is_the_first() {
    let cluster = Cluster::new(64);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = protected(&cluster, &server, &["Shop"], late()).await[0];
        let vault = cluster.start_vault().await;
        let job = vault.back_up(item, BackupKind::Full, None).await.unwrap();
        cluster.done(job).await;
        cluster.pass(60 * MINUTE).await;
        let item = cluster.item(item).await;
        assert_eq!((item.healing, item.healed), (None, None));
        assert_eq!(cluster.jobs().await.len(), 1);
    });
}
