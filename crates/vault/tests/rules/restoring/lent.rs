//! The credential that a target without one is lent: there while it is needed, gone afterwards, and nobody else's.

use catalog::record::{Container, Database, JobState, Place, RestoreOrder, RestoreTarget, Work};
use faults::Code;
use schedule::BackupKind::Full;
use simsql::value::Value;

use vault::shelf::Shelf as _;

use super::stand::{SHOP, Stand};
use crate::world::End;

/// How many credentials the second instance has for the vault's containers.
async fn on_other(stand: &Stand) -> i64 {
    let container = &stand.cluster.records::<Container>().await[0];
    let url = stand.cluster.url(container);
    let asked = format!("SELECT COUNT(*) FROM sys.credentials WHERE name = '{url}'");
    match stand.cluster.sql(&stand.other).value(&asked).await {
        Value::Integer(count) => count,
        other => panic!("{other:?}"),
    }
}

/// Whether the policy of restores stands in the store.
pub(super) async fn has_policy(stand: &Stand) -> bool {
    let container = &stand.cluster.records::<Container>().await[0];
    let name = azblob::names::ContainerName::new(container.name.clone()).unwrap();
    let store = stand.cluster.door.store().unwrap();
    let policies = store
        .container_policies(&stand.cluster.door.account, &name)
        .unwrap();
    policies.iter().any(|policy| policy.id.as_str() == "restores")
}

#[test]
fn a_credential_is_lent_and_taken_back() {
    let stand = Stand::new(521);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        for name in ["One", "Two"] {
            let job = stand
                .restore(&set, RestoreTarget::Latest, Place::new(set.other, name))
                .await;
            assert_eq!(job.state, JobState::Completed, "{job:#?}");
            assert_eq!(on_other(&stand).await, 0);
            assert!(!has_policy(&stand).await, "what was lent is void");
            let other = stand.cluster.sql(&stand.other);
            other.go(&format!("DROP DATABASE [{name}]")).await;
            let containers = stand.cluster.records::<Container>().await;
            let notes = containers.iter().flat_map(|one| &one.credentials);
            assert!(
                notes
                    .into_iter()
                    .all(|made| made.server == set.source && !made.is_lent)
            );
        }
        // Where backups are written from, the credential stays.
        stand.cluster.sql(&stand.source).go("DROP DATABASE [Shop]").await;
        let job = stand
            .restore(&set, RestoreTarget::Latest, Place::new(set.source, SHOP))
            .await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        stand.back_up(&set, Full).await;
    });
}

#[test]
fn what_somebody_else_made_is_neither_changed_nor_dropped() {
    let stand = Stand::new(522);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        let container = &stand.cluster.records::<Container>().await[0];
        let url = stand.cluster.url(container);
        let other = stand.cluster.sql(&stand.other);
        other
            .go(&format!(
                "CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'sig=theirs'"
            ))
            .await;
        let job = stand
            .restore(&set, RestoreTarget::Latest, Place::new(set.other, SHOP))
            .await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let code = job.fault.as_ref().map(faults::Fault::code);
        assert_eq!(code, Some(Code::Bac2ForeignCredential), "{job:#?}");
        assert_eq!(on_other(&stand).await, 1);
        other.go(&format!("DROP CREDENTIAL [{url}]")).await;
        let job = stand
            .restore(&set, RestoreTarget::Latest, Place::new(set.other, SHOP))
            .await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(on_other(&stand).await, 0);
    });
}

#[test]
fn what_two_restores_use_goes_with_the_last_of_them() {
    let stand = Stand::new(523);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        stand.cluster.sql(&stand.source).make_database("Depot").await;
        let discovered = set.vault.rediscover(set.source).await.unwrap();
        stand.cluster.done(discovered).await;
        let databases = stand.cluster.records::<Database>().await;
        let depot = databases.iter().find(|one| one.name == "Depot").unwrap();
        let policy = stand.cluster.item(set.item).await.policy;
        let depot = set.vault.protect(depot.id, policy).await.unwrap();
        let full = set.vault.back_up(depot, Full, None).await.unwrap();
        stand.cluster.done(full).await;
        stand.other.fault("network slow vault.test 700ms").await;
        let mut jobs = Vec::new();
        for (item, name) in [(set.item, "One"), (depot, "Two")] {
            let order = RestoreOrder {
                item,
                target: RestoreTarget::Latest,
                place: Place::new(set.other, name),
                accept_damaged: Vec::new(),
            };
            jobs.push(set.vault.restore(order).await.unwrap());
            stand.cluster.pass(std::time::Duration::from_millis(900)).await;
        }
        // The policy stands for as long as one of the two needs it, and no longer.
        let mut seen_with_one = false;
        loop {
            let mut open = 0;
            for job in &jobs {
                let job = stand.cluster.job(*job).await;
                let uses = matches!(&job.work, Work::Restore(work) if work.sent.is_some());
                assert!(!uses || has_policy(&stand).await, "{job:#?}");
                open += usize::from(!job.state.is_ended());
            }
            seen_with_one |= open == 1;
            if open == 0 {
                break;
            }
            stand.cluster.pass(std::time::Duration::from_millis(300)).await;
        }
        assert!(seen_with_one, "one ends before the other");
        for job in jobs {
            let job = stand.cluster.ended(job).await;
            assert_eq!(job.state, JobState::Completed, "{job:#?}");
        }
        assert_eq!(on_other(&stand).await, 0);
        assert!(!has_policy(&stand).await);
    });
}

#[test]
fn what_an_instance_that_is_away_keeps_is_void() {
    let stand = Stand::new(524);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        stand.other.fault("network slow vault.test 5s").await;
        let order = stand.order(&set, RestoreTarget::Latest, Place::new(set.other, "One"));
        let job = set.vault.restore(order).await.unwrap();
        for _ in 0..600 {
            if on_other(&stand).await > 0 {
                break;
            }
            stand.cluster.pass(std::time::Duration::from_millis(100)).await;
        }
        assert!(has_policy(&stand).await);
        // Before its first statement it is cancelled, and nobody answers there.
        set.vault.cancel_job(job).await.unwrap();
        stand.cluster.end(&stand.other, End::Kill);
        let ended = stand.cluster.ended(job).await;
        assert_eq!(ended.state, JobState::Cancelled, "{ended:#?}");
        assert!(!has_policy(&stand).await);
        let noted = stand.cluster.records::<Container>().await;
        assert!(noted.iter().all(|container| !container.has_lent_policy));
        assert!(
            noted[0].credentials.iter().any(|made| made.is_lent),
            "it is there still"
        );
    });
}

#[test]
fn a_policy_that_a_crash_left_goes_with_the_next_sweep() {
    let stand = Stand::new(525);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        let mut container = stand.cluster.records::<Container>().await.remove(0);
        // As it is between the end of a restore's credential and that of its policy.
        container.has_lent_policy = true;
        let name = azblob::names::ContainerName::new(container.name.clone()).unwrap();
        let until = stand.cluster.now() + std::time::Duration::from_secs(86_400);
        stand.cluster.shelf.grant(&name, "restores", until).await.unwrap();
        let catalog = stand.cluster.open_catalog();
        let key = stand.cluster.vault_id().to_string();
        let mut tx = catalog.begin().await.unwrap();
        let id = container.id.to_string();
        let mut found = catalog::demand::<Container>(tx.as_mut(), &key, &id)
            .await
            .unwrap();
        found.record = container;
        catalog::update(tx.as_mut(), found).await.unwrap();
        tx.commit().await.unwrap();
        assert!(has_policy(&stand).await);
        drop((set, catalog));
        stand.cluster.crash_vault();
        drop(stand.cluster.start_vault().await);
        stand.cluster.pass(std::time::Duration::from_secs(1_200)).await;
        assert!(!has_policy(&stand).await);
        assert!(!stand.cluster.records::<Container>().await[0].has_lent_policy);
    });
}
