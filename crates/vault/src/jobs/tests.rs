//! Jobs by themselves: queue, seats, ends, cancellation, restarts, lists; with deeds that only take time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use catalog::memory::{Event, Step};
use catalog::record::{Job, JobId, JobState, Policy, Trigger, Work};
use faults::Code;
use futures::future::poll_fn;
use schedule::BackupKind;

use super::runner::Deeds;
use super::{Doing, Ending, JobFilter};
use crate::staged::{Stage, beside, policy};
use crate::vault::Vault;

/// Takes time, ends when told, and counts.
#[derive(Default)]
struct Slow {
    seconds: u64,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    now: usize,
    most: usize,
    begun: Vec<JobId>,
}

#[async_trait]
impl Deeds for Slow {
    async fn perform(&self, doing: &mut Doing<'_>) -> Ending {
        {
            let mut counts = self.counts.lock().unwrap();
            counts.now += 1;
            counts.most = counts.most.max(counts.now);
            counts.begun.push(doing.job.id);
        }
        let began = doing.begin("wait").await;
        for _ in 0..self.seconds {
            if !doing.is_cancelled() {
                doing.vault.world.clock.sleep(Duration::from_secs(1)).await;
            }
        }
        self.counts.lock().unwrap().now -= 1;
        match began {
            Err(fault) => Ending::Again(fault, doing.vault.now()),
            Ok(()) if doing.is_cancelled() => Ending::Failed(faults::Fault::new(Code::Bac2SessionLost)),
            Ok(()) => Ending::Done(Vec::new()),
        }
    }
}

fn slow(seconds: u64) -> Slow {
    Slow {
        seconds,
        ..Slow::default()
    }
}

async fn job(vault: &Vault, id: JobId) -> Job {
    vault.job(id).await.unwrap()
}

#[test]
fn one_of_a_kind_at_a_time_and_kinds_overlap() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("p")).await;
        let deeds = slow(60);
        let scenario = async {
            let full = vault.ask_for(item, BackupKind::Full).await.unwrap();
            let log = vault.ask_for(item, BackupKind::Log).await.unwrap();
            stage.pass(5).await;
            let met = vault.ask_for(item, BackupKind::Full).await.unwrap_err();
            assert_eq!(
                met.code(),
                Code::OperationCancelledBecauseConflictingOperationRunningUserError
            );
            for id in [full, log] {
                assert_eq!(job(&vault, id).await.state, JobState::InProgress);
            }
            let kept = vault.all_jobs().await;
            let ended: Vec<_> = kept
                .iter()
                .filter(|job| job.state == JobState::Cancelled)
                .collect();
            assert_eq!(ended.len(), 1, "people find the job that they asked for");
            assert_eq!(ended[0].fault.as_ref().unwrap().code(), met.code());
            stage.pass(60).await;
            assert_eq!(job(&vault, full).await.state, JobState::Completed);
            vault.ask_for(item, BackupKind::Full).await.unwrap();
        };
        beside(scenario, vault.run_jobs_by(&deeds)).await;
    });
}

#[test]
fn fulls_fill_an_instance_but_for_logs_and_no_other_instance_waits() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (first, rules) = vault.add_item(policy("p")).await;
        let one = vault.item(first).await.server;
        let two = vault.enrol("sql2").await;
        let mut items = Vec::new();
        for number in 0..31 {
            let server = if number == 30 { two } else { one };
            let database = vault.add_database(server, &format!("d{number}"), |_| ()).await;
            items.push(vault.protect(database, rules).await.unwrap());
        }
        let deeds = slow(3_600);
        let scenario = async {
            for item in &items[..30] {
                vault.ask_for(*item, BackupKind::Full).await.unwrap();
            }
            stage.pass(60).await;
            assert_eq!(
                deeds.counts.lock().unwrap().most,
                16,
                "20, a fifth of them for logs"
            );
            let log = vault.ask_for(items[3], BackupKind::Log).await.unwrap();
            let elsewhere = vault.ask_for(items[30], BackupKind::Full).await.unwrap();
            stage.pass(1).await;
            for id in [log, elsewhere] {
                assert_eq!(job(&vault, id).await.state, JobState::InProgress);
            }
            // The policy's own limit is smaller: no full more begins until four are left.
            vault
                .change::<Policy, _>(rules, |policy| {
                    policy.policy.running.concurrency_per_instance = 5;
                    Ok(())
                })
                .await
                .unwrap();
            stage.pass(3_600).await;
            stage.pass(60).await;
            assert_eq!(deeds.counts.lock().unwrap().now, 4);
        };
        beside(scenario, vault.run_jobs_by(&deeds)).await;
    });
}

#[test]
fn waiting_and_running_jobs_are_cancelled_and_ended_ones_are_not() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("p")).await;
        let waiting = vault.ask_for(item, BackupKind::Full).await.unwrap();
        let cancelled = vault.cancel_job(waiting).await.unwrap();
        assert_eq!(cancelled.state, JobState::Cancelled);
        assert_eq!(cancelled.fault.unwrap().code(), Code::Bac2JobCancelled);
        let refused = vault.cancel_job(waiting).await.unwrap_err();
        assert_eq!(refused.code(), Code::Bac2JobNotCancellable);
        let deeds = slow(3_600);
        let scenario = async {
            let running = vault.ask_for(item, BackupKind::Full).await.unwrap();
            stage.pass(10).await;
            assert_eq!(
                vault.cancel_job(running).await.unwrap().state,
                JobState::Cancelling
            );
            stage.pass(3).await;
            let ended = job(&vault, running).await;
            assert_eq!(ended.state, JobState::Cancelled);
            assert_eq!(ended.fault.unwrap().code(), Code::Bac2JobCancelled);
        };
        beside(scenario, vault.run_jobs_by(&deeds)).await;
    });
}

#[test]
fn whatever_step_a_crash_falls_into_the_job_ends_once() {
    let mut whole = 0;
    for polls in 1..120 {
        let stage = Stage::new();
        stage.run(async {
            let vault = stage.vault().await;
            let (item, _) = vault.add_item(policy("p")).await;
            let id = vault.ask_for(item, BackupKind::Full).await.unwrap();
            let mut left = polls;
            // Every step of the catalog may be the last.
            stage
                .store
                .set_plan(Box::new(|_: Step| Event::Wait(catalog::memory::pending(1))));
            {
                let deeds = slow(2);
                let mut run = Box::pin(vault.run_jobs_by(&deeds));
                poll_fn(|context| {
                    left -= 1;
                    match left {
                        0 => Poll::Ready(()),
                        _ => run.as_mut().poll(context),
                    }
                })
                .await;
            }
            let vault_id = vault.id();
            drop(vault);
            let vault = stage.again(vault_id).await;
            stage.store.set_plan(Box::new(catalog::memory::NoTrouble));
            let deeds = slow(2);
            beside(stage.pass(60), vault.run_jobs_by(&deeds)).await;
            let ended = job(&vault, id).await;
            assert_eq!(ended.state, JobState::Completed, "{polls}: {ended:?}");
            let begun = deeds.counts.lock().unwrap().begun.len();
            assert!(begun <= 1, "{polls}");
            whole += usize::from(begun == 0);
        });
    }
    assert!(
        (1..110).contains(&whole),
        "crashes before, in the midst of and after all steps: {whole}"
    );
}

#[test]
fn a_limit_that_could_not_be_read_is_no_leave_to_begin() {
    let mut met = 0;
    for lost in 0..60 {
        let stage = Stage::new();
        stage.run(async {
            let vault = stage.vault().await;
            let mut rules = policy("p");
            rules.running.concurrency_per_instance = 1;
            let (first, rules) = vault.add_item(rules).await;
            let server = vault.item(first).await.server;
            let database = vault.add_database(server, "Crm", |_| ()).await;
            let second = vault.protect(database, rules).await.unwrap();
            let mut jobs = Vec::new();
            for item in [first, second] {
                jobs.push(vault.ask_for(item, BackupKind::Log).await.unwrap());
            }
            let deeds = slow(30);
            let (steps, mut step) = (Arc::new(AtomicU32::new(0)), 0);
            let seen = Arc::clone(&steps);
            stage.store.set_plan(Box::new(move |_: Step| {
                step += 1;
                seen.store(step, Ordering::Relaxed);
                if step == lost { Event::Lost } else { Event::Go }
            }));
            beside(stage.pass(600), vault.run_jobs_by(&deeds)).await;
            assert_eq!(deeds.counts.lock().unwrap().most, 1, "step {lost} failed");
            for id in jobs {
                assert_eq!(job(&vault, id).await.state, JobState::Completed, "{lost}");
            }
            met += u32::from(steps.load(Ordering::Relaxed) >= lost);
        });
    }
    assert!(met >= 30, "so many steps failed: {met}");
}

#[test]
fn a_catalog_that_fails_for_a_while_loses_no_job() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("p")).await;
        let id = vault.ask_for(item, BackupKind::Full).await.unwrap();
        let deeds = slow(30);
        let scenario = async {
            stage.pass(5).await;
            stage.store.set_plan(Box::new(|_: Step| Event::Lost));
            stage.pass(120).await;
            stage.store.set_plan(Box::new(catalog::memory::NoTrouble));
            stage.pass(120).await;
            assert_eq!(job(&vault, id).await.state, JobState::Completed);
            // Commits of which nobody knows whether they were done.
            let mut step = 0;
            stage.store.set_plan(Box::new(move |next: Step| {
                step += 1;
                match next {
                    Step::Commit if step % 3 == 0 => Event::Lost,
                    _ => Event::Go,
                }
            }));
            let mut asked = Vec::new();
            for _ in 0..20 {
                asked.extend(vault.ask_for(item, BackupKind::Log).await);
                stage.pass(120).await;
            }
            stage.store.set_plan(Box::new(catalog::memory::NoTrouble));
            stage.pass(600).await;
            for job in vault.all_jobs().await {
                assert!(job.state.is_ended(), "{job:?}");
            }
        };
        beside(scenario, vault.run_jobs_by(&deeds)).await;
    });
}

#[test]
fn a_job_over_its_time_is_cancelled_and_one_that_takes_long_is_told() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let mut rules = policy("p");
        rules.running.timeout = Some(schedule::Period::hours(6));
        let (item, _) = vault.add_item(rules).await;
        let deeds = slow(8 * 3_600);
        let scenario = async {
            let id = vault.ask_for(item, BackupKind::Full).await.unwrap();
            stage.pass(5 * 3_600).await;
            // The clock is put forward: that is no time that the job took.
            stage.time.jump(3_600_000_000 * 48);
            vault.watch_jobs().await.unwrap();
            let told: Vec<_> = vault.open_notices().await;
            assert_eq!(told.len(), 1);
            assert_eq!(told[0].fault.code(), Code::Bac2JobStuck);
            assert_eq!(job(&vault, id).await.state, JobState::InProgress);
            stage.pass(2 * 3_600).await;
            vault.watch_jobs().await.unwrap();
            stage.pass(10).await;
            let ended = job(&vault, id).await;
            assert_eq!(ended.state, JobState::Cancelled);
            assert_eq!(ended.fault.unwrap().code(), Code::Bac2JobTimedOut);
            let left = vault.open_notices().await;
            assert!(
                left.iter()
                    .all(|notice| notice.fault.code() != Code::Bac2JobStuck)
            );
        };
        beside(scenario, vault.run_jobs_by(&deeds)).await;
    });
}

#[test]
fn nine_fulls_on_demand_a_day_and_the_limit_can_be_raised() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("p")).await;
        let deeds = slow(1);
        let scenario = async {
            for _ in 0..9 {
                vault.ask_for(item, BackupKind::Full).await.unwrap();
                stage.pass(60).await;
            }
            let refused = vault.ask_for(item, BackupKind::CopyOnlyFull).await.unwrap_err();
            assert_eq!(refused.code(), Code::CloudDosAbsoluteLimitReached);
            vault.ask_for(item, BackupKind::Log).await.unwrap();
            vault
                .change::<catalog::record::Vault, _>(vault.id(), |vault| {
                    vault.daily.fulls_on_demand = 10;
                    Ok(())
                })
                .await
                .unwrap();
            vault.ask_for(item, BackupKind::CopyOnlyFull).await.unwrap();
            stage.pass(60).await;
            assert!(vault.ask_for(item, BackupKind::Full).await.is_err());
            stage.pass(86_400).await;
            vault.ask_for(item, BackupKind::Full).await.unwrap();
        };
        beside(scenario, vault.run_jobs_by(&deeds)).await;
    });
}

#[test]
fn pages_of_jobs_are_all_jobs_in_their_order() {
    let stage = Stage::new();
    stage.run(async {
        let vault = stage.vault().await;
        let (item, _) = vault.add_item(policy("p")).await;
        let record = vault.item(item).await;
        for number in 0..60_u64 {
            let kind = BackupKind::ALL[usize::try_from(number % 4).unwrap()];
            let new = super::NewJob {
                work: Work::Backup(catalog::record::BackupWork::of(kind)),
                trigger: Trigger::OnDemand,
                server: Some(record.server),
                item: Some(item),
                run_at: vault.now(),
            };
            // Every second one ends, the others are in each other's way and end as well.
            vault.enqueue(new).await.unwrap();
            stage.pass(number % 3).await;
        }
        let mut expected: Vec<_> = vault.all_jobs().await;
        expected.sort_by_key(|job| std::cmp::Reverse((job.created, job.id)));
        assert_eq!(expected.len(), 60);
        for states in [vec![], vec![JobState::Cancelled], vec![JobState::Queued]] {
            for (of_item, of_server) in [(true, false), (false, true), (false, false)] {
                let mut filter = JobFilter {
                    item: of_item.then_some(item),
                    server: of_server.then_some(record.server),
                    states: states.clone(),
                    limit: 7,
                    ..JobFilter::default()
                };
                let mut found = Vec::new();
                loop {
                    let page = vault.page_of_jobs(&filter).await.unwrap();
                    found.extend(page.jobs.into_iter().map(|job| job.id));
                    filter.before = page.next;
                    if page.next.is_none() {
                        break;
                    }
                }
                let wanted: Vec<_> = expected
                    .iter()
                    .filter(|job| states.is_empty() || states.contains(&job.state))
                    .map(|job| job.id)
                    .collect();
                assert_eq!(found, wanted, "{states:?} {of_item} {of_server}");
            }
        }
        assert_eq!(
            vault.count_jobs(JobState::Queued).await.unwrap(),
            4,
            "one of each kind"
        );
    });
}

#[test]
fn running_a_job_costs_the_same_however_many_wait() {
    let mut costs = Vec::new();
    for count in [50_usize, 400] {
        let stage = Stage::new();
        stage.run(async {
            let vault = stage.vault().await;
            let (rules, _) = vault.create_policy(policy("p")).await.unwrap();
            let mut items = Vec::new();
            for number in 0..count {
                let server = match number % 20 {
                    0 => vault.enrol(&format!("sql{number}")).await,
                    _ => vault.item(*items.last().unwrap()).await.server,
                };
                let database = vault.add_database(server, &format!("d{number}"), |_| ()).await;
                items.push(vault.protect(database, rules).await.unwrap());
            }
            let ids: Vec<JobId> = {
                let mut ids = Vec::new();
                for item in &items {
                    ids.push(vault.ask_for(*item, BackupKind::Log).await.unwrap());
                }
                ids
            };
            let steps = std::sync::Arc::new(Mutex::new(0_usize));
            let counted = std::sync::Arc::clone(&steps);
            stage.store.set_plan(Box::new(move |_: Step| {
                *counted.lock().unwrap() += 1;
                Event::Go
            }));
            let deeds = slow(3);
            beside(stage.pass(120), vault.run_jobs_by(&deeds)).await;
            for id in ids {
                assert_eq!(job(&vault, id).await.state, JobState::Completed);
            }
            // By size: 160 seats on 20 instances.
            assert_eq!(deeds.counts.lock().unwrap().most, count.min(160));
            costs.push(*steps.lock().unwrap() / count);
        });
    }
    // Begun, its task, its end: three changes of begin, read, write, commit; and its policy.
    assert!(
        costs.iter().all(|steps| *steps <= 20),
        "{costs:?} steps of the catalog a job"
    );
}
