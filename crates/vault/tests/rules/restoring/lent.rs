//! The credential that a target without one is lent: there while it is needed, gone afterwards, and nobody else's.

use catalog::record::{Container, Database, JobState, Place, RestoreOrder, RestoreTarget};
use faults::Code;
use schedule::BackupKind::Full;
use simsql::value::Value;

use super::stand::{SHOP, Stand};

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
        for job in jobs {
            let job = stand.cluster.ended(job).await;
            assert_eq!(job.state, JobState::Completed, "{job:#?}");
        }
        assert_eq!(on_other(&stand).await, 0);
    });
}
