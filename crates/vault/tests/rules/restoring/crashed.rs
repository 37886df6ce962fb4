//! A vault, or an instance, that ends in the middle of a restore: it goes on, or the target is as it was.

use std::time::Duration;

use catalog::record::{Container, ItemId, Job, JobState, Place, RestoreOrder, RestoreTarget};
use schedule::BackupKind::Log;

use super::over::{over, over_it, state, tail_of, written};
use super::stand::{SHOP, Stand};
use crate::world::End;

/// A restore whose vault ends at so many polls, once and again, and then goes on to the end.
async fn crashed(stand: &Stand, item: ItemId, target: RestoreTarget, place: Place, polls: [u64; 2]) -> Job {
    let order = RestoreOrder {
        item,
        target,
        place,
        accept_damaged: Vec::new(),
    };
    let vault = stand.cluster.vault().await;
    let job = vault.restore(order).await.unwrap();
    drop(vault);
    for polls in polls {
        stand.cluster.crash_vault();
        assert!(stand.cluster.try_start_vault_for(polls).await);
        stand.cluster.pass(Duration::from_secs(20)).await;
    }
    stand.cluster.crash_vault();
    drop(stand.cluster.start_vault().await);
    stand.cluster.ended(job).await
}

/// What a restore leaves nowhere.
async fn nothing_is_lent(stand: &Stand) {
    // The sweep drops what a crash left.
    stand.cluster.pass(Duration::from_secs(1_200)).await;
    let containers = stand.cluster.records::<Container>().await;
    let lent: Vec<_> = containers
        .iter()
        .flat_map(|one| &one.credentials)
        .filter(|made| made.is_lent)
        .collect();
    assert!(lent.is_empty(), "{lent:?}");
    assert!(!super::lent::has_policy(stand).await);
}

#[test]
fn a_crash_at_any_poll_goes_on_on_another_instance() {
    let stand = Stand::new(531);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        stand.back_up(&set, Log).await;
        let (item, other) = (set.item, set.other);
        drop(set);
        for (number, polls) in (1..400).step_by(37).enumerate() {
            let name = format!("Shop{number}");
            stand.other.goes_on_without_client(number % 2 == 0);
            let place = Place::new(other, &name);
            let job = crashed(&stand, item, RestoreTarget::Latest, place, [polls, polls / 2 + 1]).await;
            assert_eq!(job.state, JobState::Completed, "{polls}: {job:#?}");
            let sql = stand.cluster.sql(&stand.other);
            assert_eq!(sql.rows(&name).await, 5 + 3 + 4, "{polls}");
            sql.go(&format!("DROP DATABASE [{name}]")).await;
        }
        nothing_is_lent(&stand).await;
    });
}

#[test]
fn who_is_cancelled_ends_nobody_elses_restore_of_the_same_set() {
    let stand = Stand::new(530);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        stand.other.goes_on_without_client(true);
        stand.other.fault("network slow vault.test 5s").await;
        let order = stand.order(&set, RestoreTarget::Latest, Place::new(set.other, "First"));
        let id = set.vault.restore(order).await.unwrap();
        let mut sent = None;
        for _ in 0..600 {
            let job = stand.cluster.job(id).await;
            let of_it = |text: &&String| text.starts_with("RESTORE DATABASE [First] FROM");
            sent = job.statements.iter().find(of_it).cloned();
            if sent.is_some() {
                break;
            }
            stand.cluster.pass(Duration::from_millis(500)).await;
        }
        drop(set);
        // Somebody restores the same set by hand, under another name.
        let by_hand = sent
            .unwrap()
            .replace("[First]", "[Second]")
            .replace("First", "Second");
        let sql = stand.cluster.sql(&stand.other);
        let second = sql.go(&by_hand);
        let cancelled = async {
            stand.cluster.crash_vault();
            let vault = stand.cluster.start_vault().await;
            vault.cancel_job(id).await.unwrap();
            stand.cluster.pass(Duration::from_secs(60)).await;
            stand.other.fault("network back vault.test").await;
            stand.cluster.ended(id).await
        };
        let (_, first) = futures::join!(second, cancelled);
        assert_eq!(first.state, JobState::Cancelled, "{first:#?}");
        sql.go("RESTORE DATABASE [Second] WITH RECOVERY").await;
        assert_eq!(sql.rows("Second").await, 5);
    });
}

#[test]
fn a_crash_at_any_poll_loses_nothing_of_what_is_overwritten() {
    for (number, polls) in (1..500).step_by(41).enumerate() {
        let stand = Stand::new(5_320 + polls);
        stand.run(async {
            let set = stand.set().await;
            let source = stand.cluster.sql(&stand.source);
            written(&stand, &set).await;
            let (item, server) = (set.item, set.source);
            drop(set);
            stand.source.goes_on_without_client(number % 2 == 0);
            let target = RestoreTarget::Latest;
            let polls = [polls, polls / 3 + 1];
            let job = crashed(&stand, item, target, over_it(server), polls).await;
            assert_eq!(job.state, JobState::Completed, "{polls:?}: {job:#?}");
            assert_eq!(source.rows(SHOP).await, 5 + 3 + 4, "{polls:?}: {job:#?}");
            assert_eq!(state(&stand).await, "ONLINE MULTI_USER", "{polls:?}");
            let tail = tail_of(&stand, &job).await;
            assert!(tail.point.is_some(), "{tail:#?}");
        });
    }
}

#[test]
fn a_cancel_leaves_the_target_as_it_was_or_says_that_it_is_restoring() {
    let mut seen = [0; 3];
    for after in 0..14_u64 {
        let stand = Stand::new(5_330 + after);
        stand.run(async {
            let set = stand.set().await;
            let source = stand.cluster.sql(&stand.source);
            written(&stand, &set).await;
            let order = RestoreOrder {
                item: set.item,
                target: RestoreTarget::Latest,
                place: over(&set),
                accept_damaged: Vec::new(),
            };
            let job = set.vault.restore(order).await.unwrap();
            stand.cluster.pass(Duration::from_millis(after * 200)).await;
            // One that is over is not cancelled.
            let cancelled = set.vault.cancel_job(job).await;
            let job = stand.cluster.ended(job).await;
            let is_left = !job.warnings.is_empty();
            match (job.state, is_left) {
                (JobState::Cancelled, false) => seen[0] += 1,
                (JobState::Cancelled, true) => {
                    seen[1] += 1;
                    assert!(state(&stand).await.starts_with("RESTORING"), "{job:#?}");
                    let job = stand.restore(&set, RestoreTarget::Latest, over(&set)).await;
                    assert_eq!(job.state, JobState::Completed, "{job:#?}");
                }
                (JobState::Completed, _) => seen[2] += 1,
                _ => panic!("{cancelled:?} {job:#?}"),
            }
            assert_eq!(state(&stand).await, "ONLINE MULTI_USER", "{after}: {job:#?}");
            assert_eq!(source.rows(SHOP).await, 5 + 3 + 4, "{after}: {job:#?}");
        });
    }
    assert!(seen[0] > 0 && seen[2] > 0, "{seen:?}");
}

#[test]
fn an_instance_that_ends_in_the_middle_is_asked_again() {
    let stand = Stand::new(534);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        stand.back_up(&set, Log).await;
        for (number, after) in (0..8_u64).enumerate() {
            let name = format!("Shop{number}");
            let order = RestoreOrder {
                item: set.item,
                target: RestoreTarget::Latest,
                place: Place::new(set.other, &name),
                accept_damaged: Vec::new(),
            };
            let job = set.vault.restore(order).await.unwrap();
            stand.cluster.pass(Duration::from_millis(300 + after * 500)).await;
            let end = if number % 2 == 0 { End::Kill } else { End::Power };
            stand.cluster.end(&stand.other, end);
            stand.cluster.pass(Duration::from_secs(90)).await;
            stand.other.start();
            let job = stand.cluster.ended(job).await;
            assert_eq!(job.state, JobState::Completed, "{after}: {job:#?}");
            let sql = stand.cluster.sql(&stand.other);
            assert_eq!(sql.rows(&name).await, 5 + 3 + 4, "{after}");
            sql.go(&format!("DROP DATABASE [{name}]")).await;
        }
        nothing_is_lent(&stand).await;
    });
}

#[test]
fn a_crash_at_any_poll_without_a_tail_restores_what_was_backed_up() {
    for polls in (1..400).step_by(57) {
        let stand = Stand::new(5_350 + polls);
        stand.run(async {
            let set = stand.set().await;
            let source = stand.cluster.sql(&stand.source);
            written(&stand, &set).await;
            let (item, server) = (set.item, set.source);
            drop(set);
            let place = Place {
                tail: false,
                ..over_it(server)
            };
            let polls = [polls, polls / 3 + 1];
            let job = crashed(&stand, item, RestoreTarget::Latest, place, polls).await;
            assert_eq!(job.state, JobState::Completed, "{polls:?}: {job:#?}");
            assert_eq!(source.rows(SHOP).await, 5 + 3, "{polls:?}: {job:#?}");
            assert_eq!(state(&stand).await, "ONLINE MULTI_USER", "{polls:?}");
        });
    }
}
