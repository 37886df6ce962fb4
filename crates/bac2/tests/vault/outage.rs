//! The vault itself is away, has a wrong clock, no room for its catalog or not its key: what it tells, and that nothing is lost.

use std::time::Duration;

use catalog::record::{Job, JobState, Trigger, Work};
use faults::{Code, Fault};
use schedule::BackupKind::{Full, Log};
use vault::Vault;

use super::lab::{Lab, Release, any_keyring, run, standard};

/// Makes policies, large and then small ones, until the catalog takes no more; how many, and what it said then.
async fn fill(vault: &Vault) -> (usize, Fault) {
    let mut made = 0;
    for size in [500, 1] {
        loop {
            assert!(made < 1_000, "so little room holds no thousand policies");
            let mut policy = schedule::Policy::from_json(&standard()).unwrap();
            policy.name = format!("p{made}");
            policy.description = "x".repeat(size);
            match vault.create_policy(policy).await {
                Ok(_) => made += 1,
                Err(fault) if size == 1 => return (made, fault),
                Err(_) => break,
            }
        }
    }
    unreachable!("the last size ends it")
}

/// Asks until the vault takes a job, and waits for its end.
async fn scheduled(lab: &Lab, item: catalog::record::ItemId, known: usize) -> Vec<Job> {
    lab.until("the schedule goes on", || async {
        let jobs = lab.jobs_of(item).await;
        let is_over = jobs.len() > known && jobs.iter().all(|job| job.state.is_ended());
        is_over.then(|| jobs[known..].to_vec())
    })
    .await
}

#[test]
fn slots_that_passed_while_the_vault_was_away_are_told_and_one_job_catches_up() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let item = lab.protect_by(&standard(), id, "Shop").await;
        lab.proved(item, Full).await;
        lab.proved(item, Log).await;
        let known = lab.jobs_of(item).await.len();
        server.add_rows("Shop", 2).await;
        lab.crash().await;
        let three_hours = Duration::from_secs(3 * 3_600);
        server.fault("clock jump 3h").await;
        lab.advance(three_hours);
        lab.open().await;
        let missed = lab.noticed(Code::Bac2ScheduleMissed).await;
        let (kind, last) = missed.missed.unwrap();
        assert_eq!((kind, missed.item), (Log, Some(item)));
        // Of twelve slots the newest is taken up, and eleven are missed.
        assert!(missed.fault.detail().starts_with("11 slots"), "{}", missed.fault);
        let jobs = scheduled(&lab, item, known).await;
        assert_eq!(jobs.len(), 1, "{jobs:#?}");
        assert!(matches!(jobs[0].trigger, Trigger::Scheduled { slot } if slot > last));
        assert_eq!(jobs[0].state, JobState::Completed, "{:#?}", jobs[0]);
        assert_eq!(lab.point(&jobs[0]).await.kind, Log);
        lab.until("the log is there again, and nothing is to be said", || async {
            lab.notices().await.is_empty().then_some(())
        })
        .await;
    });
}

#[test]
fn clocks_that_are_wrong_are_told_and_schedules_go_on_by_the_right_time() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let item = lab.protect_by(&standard(), id, "Shop").await;
        lab.proved(item, Full).await;
        // The instance's: seen at its next discovery, and gone with it.
        server.fault("clock jump -2h").await;
        lab.rediscover(id).await;
        let probes = lab.server_record(id).await.readiness;
        let of_clock = probes.iter().find(|probe| probe.name == "clock").unwrap();
        assert_eq!(
            of_clock.fault.as_ref().map(faults::Fault::code),
            Some(Code::Bac2ClockJumped)
        );
        server.fault("clock jump 2h").await;
        lab.rediscover(id).await;
        let probes = lab.server_record(id).await.readiness;
        assert!(probes.iter().all(|probe| probe.passed), "{probes:#?}");
        // The vault's own: a day ahead, where a log is dealt with, and back again.
        let known = lab.jobs_of(item).await.len();
        lab.show_wrong(86_400);
        lab.advance(Duration::from_secs(60));
        let ahead = scheduled(&lab, item, known).await;
        let known = known + ahead.len();
        lab.show_wrong(-86_400);
        lab.advance(Duration::from_secs(60));
        lab.noticed(Code::Bac2ClockJumped).await;
        server.add_rows("Shop", 1).await;
        server.fault("clock jump 15m").await;
        lab.advance(Duration::from_secs(15 * 60));
        let jobs = scheduled(&lab, item, known).await;
        assert!(jobs.iter().any(|job| job.point.is_some()), "{jobs:#?}");
        assert!(lab.item(item).await.due[&Log] <= lab.now() + Duration::from_secs(15 * 60));
    });
}

#[test]
fn a_catalog_without_room_takes_no_job_and_loses_nothing() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        lab.crash().await;
        lab.give_catalog(Some(64 << 10));
        lab.open().await;
        let vault = lab.vault();
        let (made, refused) = fill(&vault).await;
        assert_eq!(refused.code(), Code::Bac2CatalogUnavailable, "{refused}");
        assert!(!refused.code().entry().actions.is_empty());
        // What is small may find room yet; then it is there to stay.
        let asked = vault.back_up(item, Full, None).await;
        if let Err(refused) = &asked {
            assert_eq!(refused.code(), Code::Bac2CatalogUnavailable);
        }
        drop(vault);
        lab.crash().await;
        lab.give_catalog(None);
        lab.open().await;
        let vault = lab.vault();
        assert_eq!(vault.policies().await.unwrap().len(), made + 1);
        drop(vault);
        if let Ok(job) = asked {
            assert_eq!(lab.ended(job).await.state, JobState::Completed);
        }
        server.add_rows("Shop", 1).await;
        lab.proved(item, Log).await;
        assert_eq!(lab.points().await.len(), 2 + usize::from(asked.is_ok()));
    });
}

#[test]
fn a_catalog_that_fills_up_under_a_backup_keeps_the_backup() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        lab.crash().await;
        lab.give_catalog(Some(96 << 10));
        lab.open().await;
        server.fault("network slow vault.example 1s").await;
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        lab.sent(job).await;
        // Somebody fills the rest while the statement runs.
        fill(&lab.vault()).await;
        server.fault("network back vault.example").await;
        lab.until("the statement is over", || async {
            server.backup_session().await.is_none().then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        lab.crash().await;
        lab.give_catalog(None);
        lab.open().await;
        let ended = lab.ended(job).await;
        assert_eq!(ended.state, JobState::Completed, "{ended:#?}");
        assert_eq!(lab.points().await.len(), 2);
        let Work::Backup(work) = ended.work else {
            panic!("a backup")
        };
        assert!(work.failed.is_empty(), "it was taken once: {work:#?}");
    });
}

#[test]
fn without_its_key_the_vault_says_so_and_works_again_with_it() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2019).await;
        lab.proved(item, Full).await;
        lab.crash().await;
        let key = lab.change_key(any_keyring());
        lab.open().await;
        assert_eq!(lab.refused(item, Log).await, Code::Bac2SecretsLocked);
        lab.rediscover(id).await;
        assert_eq!(lab.server_fault(id).await, Some(Code::Bac2SecretsLocked));
        lab.crash().await;
        lab.change_key(key);
        lab.open().await;
        lab.rediscover(id).await;
        assert_eq!(lab.server_fault(id).await, None);
        server.add_rows("Shop", 1).await;
        lab.proved(item, Log).await;
        assert!(lab.notices().await.is_empty(), "{:#?}", lab.notices().await);
    });
}
