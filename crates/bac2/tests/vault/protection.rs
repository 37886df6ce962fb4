//! Protection that rests, ends, is deleted and is had back; and that of a whole instance.

use std::time::Duration;

use catalog::record::{Item, Job, JobState, Protection, SoftDelete, SoftDeleteMode, Work};
use faults::Code;
use schedule::BackupKind::{Full, Log};
use vault::protection::Data;

use super::lab::{Lab, Release, Server, code, run, standard};

const DAY: Duration = Duration::from_secs(86_400);

/// The next slot of a log backup passes, at the vault and at the instance.
async fn a_quarter(lab: &Lab, server: &Server) {
    server.fault("clock jump 15m").await;
    lab.advance(Duration::from_secs(15 * 60));
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

#[test]
fn schedules_rest_while_protection_is_suspended_and_no_slot_of_that_time_is_missed() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let item = lab.protect_by(&standard(), id, "Shop").await;
        let vault = lab.vault();
        lab.proved(item, Full).await;
        let (_, seen) = vault.protected(item).await.unwrap();
        vault.suspend(item, Some(seen)).await.unwrap();
        assert_eq!(
            code(vault.suspend(item, Some(seen)).await),
            Code::Bac2VersionConflict
        );
        assert_eq!(code(vault.suspend(item, None).await), Code::Bac2NotProtected);
        let before = lab.jobs_of(item).await.len();
        for _ in 0..2 {
            a_quarter(&lab, &server).await;
        }
        assert_eq!(lab.jobs_of(item).await.len(), before, "nothing was begun");
        vault.resume(item, None).await.unwrap();
        assert_eq!(code(vault.resume(item, None).await), Code::Bac2AlreadyProtected);
        server.add_rows("Shop", 1).await;
        server.fault("clock jump 15m").await;
        lab.advance(Duration::from_secs(15 * 60));
        let job = lab
            .until("the next slot has its log", || async {
                let jobs = lab.jobs_of(item).await;
                jobs.into_iter().skip(before).find(|job| job.state.is_ended())
            })
            .await;
        assert_eq!(lab.point(&job).await.kind, Log, "{job:#?}");
        assert!(lab.notices().await.is_empty(), "{:#?}", lab.notices().await);
    });
}

#[test]
fn protection_that_stops_keeps_its_points_and_goes_on_when_it_is_resumed() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2019).await;
        let vault = lab.vault();
        lab.proved(item, Full).await;
        let stopped = vault.unprotect(item, Data::Retain, None).await.unwrap();
        assert!(matches!(stopped.protection, Protection::Stopped { .. }));
        for kind in [Full, Log] {
            assert_eq!(
                code(vault.back_up(item, kind, None).await),
                Code::Bac2NotProtected
            );
        }
        assert_eq!(
            code(vault.unprotect(item, Data::Retain, None).await),
            Code::Bac2NotProtected
        );
        assert_eq!(code(vault.suspend(item, None).await), Code::Bac2NotProtected);
        assert_eq!(
            code(vault.unregister(id).await),
            Code::Bac2UnregisterRefused,
            "its points are the vault's still"
        );
        let shop = lab.database(id, "Shop").await;
        let quiet = lab.quiet().await;
        assert_eq!(
            code(vault.protect(shop.id, quiet).await),
            Code::Bac2AlreadyProtected
        );
        assert_eq!(lab.points().await.len(), 1);
        vault.resume(item, None).await.unwrap();
        server.add_rows("Shop", 1).await;
        lab.proved(item, Log).await;
        // A backup that runs does not outlive the protection.
        server.fault("network slow vault.example 2s").await;
        let job = vault.back_up(item, Full, None).await.unwrap();
        lab.sent(job).await;
        vault.unprotect(item, Data::Retain, None).await.unwrap();
        server.fault("network back vault.example").await;
        let job = lab.ended(job).await;
        assert_eq!(job.state, JobState::Cancelled, "{job:#?}");
        assert_eq!(job.fault.unwrap().code(), Code::Bac2JobCancelled);
    });
}

#[test]
fn what_is_deleted_goes_when_its_time_is_over_and_not_before() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for name in ["Shop", "Crm"] {
            server.make_database(name).await;
        }
        let id = lab.register(&server).await;
        let (shop, crm) = (lab.protect(id, "Shop").await, lab.protect(id, "Crm").await);
        lab.proved(shop, Full).await;
        let vault = lab.vault();
        let of = |days, mode| SoftDelete { days, mode };
        for days in [13, 181] {
            let refused = vault
                .set_soft_delete(of(days, SoftDeleteMode::Enabled), None)
                .await;
            assert_eq!(code(refused), Code::Bac2InputInvalid, "{days}");
        }
        vault
            .set_soft_delete(of(20, SoftDeleteMode::AlwaysOn), None)
            .await
            .unwrap();
        for less in [
            of(19, SoftDeleteMode::AlwaysOn),
            of(180, SoftDeleteMode::Disabled),
        ] {
            assert_eq!(
                code(vault.set_soft_delete(less, None).await),
                Code::Bac2SoftDeleteLocked
            );
        }
        for item in [shop, crm] {
            vault.unprotect(item, Data::Delete, None).await.unwrap();
        }
        lab.advance(DAY * 19);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(
            lab.records::<Item>().await.len(),
            2,
            "nineteen days are not twenty"
        );
        lab.advance(DAY + Duration::from_secs(600));
        let purged = lab
            .until("both are looked at", || async {
                let jobs = lab.jobs().await;
                let is_over = |job: &&Job| matches!(job.work, Work::Purge) && job.state.is_ended();
                let purged: Vec<Job> = jobs.iter().filter(is_over).cloned().collect();
                (purged.len() == 2).then_some(purged)
            })
            .await;
        // With its recovery points, the newest chain too.
        assert!(
            purged.iter().all(|job| job.state == JobState::Completed),
            "{purged:#?}"
        );
        assert!(lab.records::<Item>().await.is_empty());
        assert!(lab.points().await.is_empty());
        assert_eq!(code(vault.undelete(shop, None).await), Code::Bac2NotFound);
        lab.protect(id, "Crm").await;
    });
}

#[test]
fn auto_protection_that_is_ended_cancels_what_waits_with_the_code_that_says_so() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for name in ["one", "two", "three"] {
            server.sql(&format!("CREATE DATABASE [{name}]")).await;
        }
        let id = lab.register(&server).await;
        let vault = lab.vault();
        let seen = vault.vault_settings().await.unwrap();
        let mut fewer = seen.clone();
        fewer.daily.configurations = 1;
        vault.set_vault(&seen, fewer).await.unwrap();
        let excludes = ["m%", "%system%"].map(str::to_owned).to_vec();
        let policy = lab.quiet().await;
        let senseless = vault.auto_protect(id, policy, vec![String::new()]).await;
        assert_eq!(code(senseless), Code::Bac2InputInvalid);
        let intent = vault.auto_protect(id, policy, excludes).await.unwrap();
        lab.noticed(Code::CloudDosAbsoluteLimitReachedWithRetry).await;
        lab.until("the first is protected", || async {
            (lab.records::<Item>().await.len() == 1).then_some(())
        })
        .await;
        vault.stop_auto_protection(intent).await.unwrap();
        let jobs = lab.jobs().await;
        let mut states: Vec<(JobState, Option<Code>)> = jobs
            .iter()
            .filter(|job| matches!(job.work, Work::Configure { .. }))
            .map(|job| (job.state, job.fault.as_ref().map(faults::Fault::code)))
            .collect();
        states.sort_by_key(|(_, code)| *code);
        let cancelled = (JobState::Cancelled, Some(Code::AutoProtectionCancelledOrNotValid));
        assert_eq!(states, [(JobState::Completed, None), cancelled, cancelled]);
        lab.advance(DAY * 2);
        lab.rediscover(id).await;
        assert_eq!(lab.records::<Item>().await.len(), 1, "what is protected stays so");
    });
}

#[test]
fn more_databases_than_the_vault_may_have_are_refused_and_told() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for name in ["one", "two", "three"] {
            server.sql(&format!("CREATE DATABASE [{name}]")).await;
        }
        let id = lab.register(&server).await;
        let vault = lab.vault();
        let seen = vault.vault_settings().await.unwrap();
        let mut fewer = seen.clone();
        fewer.databases_max = 2;
        vault.set_vault(&seen, fewer).await.unwrap();
        lab.protect(id, "one").await;
        let policy = lab.quiet().await;
        vault
            .auto_protect(id, policy, vec!["m%".to_owned()])
            .await
            .unwrap();
        lab.noticed(Code::Bac2LimitReached).await;
        let items = lab
            .until("the second is protected", || async {
                let items = lab.records::<Item>().await;
                (items.len() == 2).then_some(items)
            })
            .await;
        let databases = lab.databases(id).await;
        let left = databases
            .iter()
            .find(|one| one.state.is_system || items.iter().all(|item| item.database != one.id))
            .unwrap();
        let refused = vault.protect(left.id, policy).await;
        assert_eq!(code(refused), Code::Bac2LimitReached);
    });
}
