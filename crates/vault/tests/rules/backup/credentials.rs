//! Credentials on the instance: only what the vault made is altered or dropped, also after a crash, and it leaves with the instance.

use std::time::Duration;

use catalog::record::{Container, CredentialMade, Item, ItemId, JobState, SecretId, ServerId};
use catalog::{delete, demand};
use faults::Code;
use schedule::BackupKind::Full;
use uuid::Uuid;

use super::stand::{QUIET, Stand};
use crate::healing::{late, protected};
use crate::world::{Cluster, End};

/// The instance of [`Stand`].
fn sql1() -> ServerId {
    ServerId(Uuid::from_u128(1))
}

async fn url(stand: &Stand) -> String {
    let container = stand.container().await;
    vault::shelf::Shelf::url(&*stand.cluster.shelf, &container)
}

/// Somebody makes a credential under the container's URL.
async fn make_theirs(stand: &Stand) {
    let url = url(stand).await;
    let text =
        format!("CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'theirs'");
    stand.cluster.sql(&stand.server).go(&text).await;
}

async fn drop_it(stand: &Stand) {
    let text = format!("DROP CREDENTIAL [{}]", url(stand).await);
    stand.cluster.sql(&stand.server).go(&text).await;
}

/// How many there are under the container's URL, and when they were last changed.
async fn seen(stand: &Stand) -> String {
    let url = url(stand).await;
    let text = format!(
        "SELECT CONCAT(COUNT(*), ' ', MAX(CONVERT(varchar(40), modify_date, 126))) FROM sys.credentials WHERE name = '{url}'"
    );
    format!("{:?}", stand.cluster.sql(&stand.server).value(&text).await)
}

/// The vault crashes after it has noted that it is about to make one, and before it sends the statement.
async fn crash_before_the_statement(stand: &Stand) {
    let url = url(stand).await;
    let now = stand.cluster.now();
    let noted = CredentialMade {
        server: sql1(),
        name: url,
        number: 0,
        // The clocks of the simulated instances are in UTC.
        created: Some(now.to_zoned(jiff::tz::TimeZone::UTC).datetime()),
        sas: SecretId(Uuid::from_u128(77)),
        set: now,
        is_lent: false,
    };
    stand
        .change_container(|container: &mut Container| container.credentials = vec![noted.clone()])
        .await;
}

#[test]
fn what_somebody_makes_after_a_crash_of_the_vault_is_theirs() {
    let stand = Stand::new(171);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        crash_before_the_statement(&stand).await;
        stand.cluster.pass(Duration::from_secs(90)).await;
        make_theirs(&stand).await;
        let before = seen(&stand).await;
        assert_eq!(
            stand.refused(&vault, item, Full).await,
            Code::Bac2ForeignCredential
        );
        assert_eq!(seen(&stand).await, before);
        // Neither is it dropped.
        forget(&stand, item).await;
        assert_eq!(vault.unregister(sql1()).await.unwrap(), []);
        assert_eq!(seen(&stand).await, before);
    });
}

#[test]
fn what_the_vault_makes_before_it_crashes_is_its_own() {
    let stand = Stand::new(172);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        // The statement arrives; that it did is never noted.
        crash_before_the_statement(&stand).await;
        stand.cluster.pass(Duration::from_secs(1)).await;
        make_theirs(&stand).await;
        stand.cluster.pass(Duration::from_secs(3_600)).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
    });
}

/// Takes the item out of the catalog, as retention does in the end.
async fn forget(stand: &Stand, item: ItemId) {
    let catalog = stand.cluster.open_catalog();
    let key = stand.cluster.vault_id().to_string();
    let mut tx = catalog.begin().await.unwrap();
    let found = demand::<Item>(tx.as_mut(), &key, &item.to_string())
        .await
        .unwrap();
    delete(tx.as_mut(), &found).await.unwrap();
    tx.commit().await.unwrap();
}

#[test]
fn an_instance_that_goes_keeps_no_credential_of_the_vault() {
    let stand = Stand::new(173);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        assert!(seen(&stand).await.contains("\"1 "), "{}", seen(&stand).await);
        forget(&stand, item).await;
        assert_eq!(vault.unregister(sql1()).await.unwrap(), []);
        assert!(seen(&stand).await.contains("\"0 "), "{}", seen(&stand).await);
    });
}

#[test]
fn what_somebody_put_in_its_place_stays() {
    let stand = Stand::new(174);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        drop_it(&stand).await;
        stand.cluster.pass(Duration::from_secs(10)).await;
        make_theirs(&stand).await;
        let before = seen(&stand).await;
        forget(&stand, item).await;
        assert_eq!(vault.unregister(sql1()).await.unwrap(), []);
        assert_eq!(seen(&stand).await, before);
    });
}

#[test]
fn an_instance_that_cannot_be_reached_is_let_go_with_what_is_left_on_it() {
    let stand = Stand::new(175);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        forget(&stand, item).await;
        stand.cluster.end(&stand.server, End::Kill);
        let warnings = vault.unregister(sql1()).await.unwrap();
        let url = url(&stand).await;
        for name in [url.as_str(), vault::registration::MARKER_NAME] {
            let statement = format!("DROP CREDENTIAL [{name}];");
            let told = |fault: &faults::Fault| {
                fault.code() == Code::UserErrorOpeningSQLConnection && fault.happened().contains(&statement)
            };
            assert_eq!(
                warnings.iter().filter(|fault| told(fault)).count(),
                1,
                "{warnings:#?}"
            );
        }
        assert_eq!(warnings.len(), 2, "{warnings:#?}");
    });
}

#[test]
fn first_backups_at_once_share_the_credential_that_one_of_them_makes() {
    for seed in 0..12 {
        let cluster = Cluster::new(600 + seed);
        let server = cluster.server("sql1");
        cluster.run(async {
            let names = ["one", "two", "three", "four"];
            let items = protected(&cluster, &server, &names, late()).await;
            let vault = cluster.start_vault().await;
            let mut jobs = Vec::new();
            for item in items {
                jobs.push(vault.back_up(item, Full, None).await.unwrap());
            }
            for job in jobs {
                cluster.done(job).await;
            }
            let made = cluster.records::<Container>().await[0].credentials.len();
            assert_eq!(made, 1);
        });
    }
}
