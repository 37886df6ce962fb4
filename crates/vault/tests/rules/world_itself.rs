//! The simulated world by itself: that it is fit to test a vault in it.

use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use mssql::{Address, Authentication, ConnectError, Connector, Fault, Secret, Session, Target, Trust};
use vault::shelf::{Proof, Shelf, ShelfError};

use crate::world::{Cluster, End, PASSWORD, Server};

fn target(server: &Server, password: &str) -> Target {
    let address: Address = server.address.parse().unwrap();
    let authentication = Authentication::Password {
        user: "sa".to_owned(),
        password: Secret::new(password.to_owned()),
    };
    Target::new(address, authentication, Trust::Anyone)
}

async fn session(cluster: &Cluster, server: &Server) -> Session {
    Session::open(&*cluster.network, &target(server, PASSWORD))
        .await
        .unwrap()
}

fn container() -> ContainerName {
    ContainerName::new("sql1-0001").unwrap()
}

fn blob(name: &str) -> BlobName {
    BlobName::new(name).unwrap()
}

/// Makes a container and a credential for it on the instance.
async fn connect_to_door(cluster: &Cluster, server: &Server) {
    cluster.shelf.make_container(&container()).await.unwrap();
    let until = cluster.now() + Duration::from_secs(86_400);
    let sas = cluster.shelf.grant(&container(), "sql1", until).await.unwrap();
    assert!(sas.reveal().len() <= 256 && !sas.reveal().starts_with('?'));
    let url = cluster.shelf.url(&container());
    let make = format!(
        "CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = '{}'",
        sas.reveal()
    );
    cluster.sql(server).go(&make).await;
}

fn backup(cluster: &Cluster, name: &str) -> String {
    format!(
        "BACKUP DATABASE [Shop] TO URL = '{}/{name}' WITH CHECKSUM",
        cluster.shelf.url(&container())
    )
}

#[test]
fn a_backup_goes_to_the_door_is_proved_and_sealed() {
    let cluster = Cluster::new(1);
    let server = cluster.server("sql1");
    cluster.run(async {
        cluster.sql(&server).make_database("Shop").await;
        connect_to_door(&cluster, &server).await;
        let mut session = session(&cluster, &server).await;
        let outcome = session.execute(&backup(&cluster, "shop/one.bak")).await.unwrap();
        assert!(outcome.find(3014).is_some());
        let name = blob("shop/one.bak");
        let look = async || cluster.shelf.look(&container(), &name).await.unwrap().unwrap();
        cluster.pass(Duration::from_secs(1)).await;
        let seen = look().await;
        assert!(
            seen.is_committed && seen.lease.is_none() && !seen.is_sealed,
            "{seen:?}"
        );
        let Proof::Judged { verdict, sets, .. } = &seen.proof else {
            panic!("{seen:?}")
        };
        assert_eq!(*verdict, Some(bak::Verdict::Ok));
        assert_eq!(sets[0].database_name, "Shop");
        cluster.shelf.seal(&container(), &name).await.unwrap();
        let again = format!("{}, FORMAT", backup(&cluster, "shop/one.bak"));
        assert!(session.execute(&again).await.is_err());
        assert_eq!(look().await.size, seen.size);
        let verify =
            backup(&cluster, "shop/one.bak").replace("BACKUP DATABASE [Shop] TO", "RESTORE VERIFYONLY FROM");
        session.execute(&verify).await.unwrap();
        // Without its stored policy the SAS is void.
        cluster.shelf.revoke(&container(), "sql1").await.unwrap();
        assert!(session.execute(&backup(&cluster, "shop/two.bak")).await.is_err());
    });
}

#[test]
fn logins_are_checked_and_dead_instances_do_not_answer() {
    let cluster = Cluster::new(2);
    let server = cluster.server_of("sql2", Some("A"), simsql::instance::Version::V2019);
    cluster.run(async {
        let refused = cluster.network.connect(&target(&server, "wrong")).await.err();
        let Some(ConnectError::Refused { messages, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(messages[0].number, 18456);
        let mut session = session(&cluster, &server).await;
        assert!(session.id().await.unwrap() > 50);
        cluster.end(&server, End::Kill);
        assert!(session.id().await.unwrap_err().is_lost());
        let gone = cluster.network.connect(&target(&server, PASSWORD)).await.err();
        assert!(matches!(gone, Some(ConnectError::Unreachable { .. })), "{gone:?}");
        server.start();
        assert!(
            crate::world_itself::session(&cluster, &server)
                .await
                .id()
                .await
                .is_ok()
        );
        server.cut_off(true);
        let before = cluster.now();
        let cut = cluster.network.connect(&target(&server, PASSWORD)).await.err();
        assert!(
            matches!(cut, Some(ConnectError::TimedOut { seconds: 15, .. })),
            "{cut:?}"
        );
        assert!(cluster.now().duration_since(before).as_secs() >= 15);
    });
}

#[test]
fn a_killed_instance_leaves_a_lease_without_connections() {
    let cluster = Cluster::new(3);
    let server = cluster.server("sql1");
    cluster.run(async {
        cluster.sql(&server).make_database("Shop").await;
        connect_to_door(&cluster, &server).await;
        server.fault("kill after 900000 bytes to vault.test").await;
        let mut session = session(&cluster, &server).await;
        let lost = session
            .execute(&backup(&cluster, "shop/one.bak"))
            .await
            .unwrap_err();
        assert!(lost.is_lost(), "{lost:?}");
        assert!(server.instance().is_none());
        cluster.end(&server, End::Kill);
        cluster.pass(Duration::from_secs(60)).await;
        let name = blob("shop/one.bak");
        let seen = cluster.shelf.look(&container(), &name).await.unwrap().unwrap();
        let lease = seen.lease.expect("it is leased still");
        assert!(
            !seen.is_committed && seen.arrived > 0 && lease.connections == 0,
            "{seen:?}"
        );
        assert!(lease.quiet >= Duration::from_secs(59), "{lease:?}");
        let sealed = cluster.shelf.seal(&container(), &name).await;
        assert!(matches!(sealed, Err(ShelfError::Refused(_))), "{sealed:?}");
        cluster.shelf.clean(&container(), &name, &seen).await.unwrap();
        assert_eq!(cluster.shelf.look(&container(), &name).await, Ok(None));
    });
}

#[test]
fn a_statement_is_cancelled_times_out_or_outlives_its_client() {
    let cluster = Cluster::new(4);
    let server = cluster.server("sql1");
    cluster.run(async {
        cluster.sql(&server).make_database("Shop").await;
        connect_to_door(&cluster, &server).await;
        let mut session = session(&cluster, &server).await;
        let wait = "WAITFOR DELAY '00:10:00'";
        let ran = session.run(wait, Some(Duration::from_secs(5))).await;
        assert_eq!(ran.fault, Some(Fault::TimedOut));
        let cancel = session.canceller();
        let (ran, ()) = futures::join!(session.run(wait, None), async {
            cluster.pass(Duration::from_secs(2)).await;
            cancel.cancel();
        });
        assert_eq!(ran.fault, Some(Fault::Cancelled));
        assert!(session.id().await.is_ok());
        server.goes_on_without_client(true);
        server.fault("network slow vault.test 500ms").await;
        server.lose_next("BACKUP DATABASE", Duration::from_millis(700));
        let lost = session
            .execute(&backup(&cluster, "shop/on.bak"))
            .await
            .unwrap_err();
        assert!(lost.is_lost());
        cluster.pass(Duration::from_secs(60)).await;
        let seen = cluster
            .shelf
            .look(&container(), &blob("shop/on.bak"))
            .await
            .unwrap()
            .unwrap();
        assert!(seen.is_committed, "{seen:?}");
    });
}

#[test]
fn a_vault_is_made_crashes_and_is_opened_again() {
    let cluster = Cluster::new(5);
    cluster.run(async {
        let id = cluster.vault().await.id();
        cluster.crash_vault();
        assert_eq!(cluster.vault().await.id(), id);
        let vaults = cluster.records::<catalog::record::Vault>().await;
        assert_eq!(vaults.len(), 1, "it hangs under itself");
    });
}
