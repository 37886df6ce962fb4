//! Readiness: each probe that fails has its code and the T-SQL that mends it, and mended, it passes.

use catalog::record::{Container, Database, Probe, ServerId, ServerState};
use faults::Code;
use mssql::Secret;
use mssql::statement::login::Account;
use vault::registration::{NewLogin, Purpose};

use super::registration::{Discovers, fault, of, policy, record};
use crate::world::door::Trouble;
use crate::world::{Cluster, Sql};

fn failed(probes: &[Probe]) -> Vec<(&str, Code)> {
    let missed = probes.iter().filter(|probe| !probe.passed);
    missed
        .map(|probe| (probe.name.as_str(), probe.fault.as_ref().unwrap().code()))
        .collect()
}

/// Encrypts a database by a certificate `tde` that nobody has backed up.
async fn encrypt(sql: &Sql, name: &str) {
    sql.go(
        "CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'p4ssW0rd!'; CREATE CERTIFICATE tde WITH SUBJECT = 'abc'",
    )
    .await;
    sql.go(&format!(
        "USE {name}; CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE tde;
         ALTER DATABASE {name} SET ENCRYPTION ON"
    ))
    .await;
}

#[test]
fn a_login_without_rights_is_registered_faulty_and_the_scripts_mend_it() {
    let cluster = Cluster::new(31);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let sql = cluster.sql(&server);
        sql.go("CREATE DATABASE [o'no]]x]").await;
        sql.go("CREATE LOGIN [back'up]]s] WITH PASSWORD = 'Correct-Horse-2'")
            .await;
        let mut new = of(&server, "sql");
        new.login = NewLogin::Sql {
            user: "back'up]s".to_owned(),
            password: Secret::new("Correct-Horse-2".to_owned()),
        };
        let id = vault.add_server(new).await.unwrap();
        let before = record(&cluster, id).await;
        assert_eq!(
            fault(&cluster, id).await,
            Some(Code::UserErrorSQLNoSysadminMembership)
        );
        let names: Vec<_> = failed(&before.readiness)
            .into_iter()
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in ["credentials", "server state", "definitions", "history", "backups"] {
            assert!(names.iter().any(|one| one == name), "{name}: {names:?}");
        }
        for probe in before.readiness.iter().filter(|probe| !probe.passed) {
            sql.go(probe.repair.as_deref().unwrap()).await;
        }
        // What was mended is seen, and the marker written, without registering again.
        vault.start(&cluster, id).await;
        let after = record(&cluster, id).await;
        assert_eq!(failed(&after.readiness), []);
        assert_eq!(after.state, ServerState::Ready);
        assert!(after.marker.is_some());
    });
}

#[test]
fn the_script_for_backups_gives_all_that_is_probed_and_not_more() {
    let cluster = Cluster::new(32);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let script = vault
            .login_script(id, Purpose::Backup, "bk", Account::Sql)
            .await
            .unwrap();
        assert!(!script.contains("sysadmin"), "{script}");
        encrypt(&sql, "Shop").await;
        sql.go(&script.replace("<put a strong password here>", "Correct-Horse-2"))
            .await;
        let change = vault::registration::ServerChange {
            login: Some(NewLogin::Sql {
                user: "bk".to_owned(),
                password: Secret::new("Correct-Horse-2".to_owned()),
            }),
            ..Default::default()
        };
        let changed = vault.reregister(id, change).await.unwrap();
        // It sees the certificate that nobody has backed up; without that right it says that it cannot tell.
        assert_eq!(
            (failed(&changed.readiness), changed.state),
            (
                vec![("certificate tde", Code::Bac2CertificateNotBackedUp)],
                ServerState::Ready
            )
        );
        sql.go("REVOKE VIEW SERVER SECURITY STATE FROM bk").await;
        vault.start(&cluster, id).await;
        let blind = record(&cluster, id).await.readiness;
        assert_eq!(failed(&blind), [("certificates", Code::Bac2NotReady)]);
        let repair = blind.iter().find_map(|probe| probe.repair.as_deref()).unwrap();
        sql.go(repair).await;
        vault.start(&cluster, id).await;
        let seeing = record(&cluster, id).await.readiness;
        assert_eq!(
            failed(&seeing),
            [("certificate tde", Code::Bac2CertificateNotBackedUp)]
        );
        assert!(
            vault
                .login_script(id, Purpose::Restore, "", Account::Sql)
                .await
                .is_err()
        );
    });
}

#[test]
fn clocks_that_differ_and_certificates_without_backup_are_warnings() {
    let cluster = Cluster::new(33);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        encrypt(&sql, "Shop").await;
        server.clock.set_offset(120);
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let probes = record(&cluster, id).await.readiness;
        // Local time is no error of the clock.
        assert_eq!(
            failed(&probes),
            [("certificate tde", Code::Bac2CertificateNotBackedUp)]
        );
        let repair = probes.iter().find_map(|probe| probe.repair.as_deref()).unwrap();
        assert!(repair.contains("BACKUP CERTIFICATE [tde]"), "{repair}");
        let notices = cluster.notices().await;
        assert_eq!(notices[0].fault.code(), Code::Bac2CertificateNotBackedUp);
        server.clock.jump(90_000_000);
        vault.start(&cluster, id).await;
        let late = record(&cluster, id).await;
        assert!(failed(&late.readiness).contains(&("clock", Code::Bac2ClockJumped)));
        assert_eq!(late.state, ServerState::Ready);
    });
}

/// The probe of the way to the store.
async fn way(cluster: &Cluster, id: ServerId) -> Probe {
    let probes = record(cluster, id).await.readiness;
    let mut ways = probes.into_iter().filter(|probe| probe.name.starts_with("store"));
    let found = ways.next().expect("it was tried");
    assert_eq!(ways.next(), None);
    found
}

#[test]
fn the_way_to_the_store_is_tried_before_the_first_backup_and_leaves_nothing() {
    let cluster = Cluster::new(35);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let trouble = |change: fn(&mut Trouble)| {
            cluster.door.trouble(|now| {
                *now = Trouble::default();
                change(now);
            });
        };
        trouble(|door| door.is_down = true);
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let down = way(&cluster, id).await;
        assert_eq!(
            down.fault.unwrap().code(),
            Code::UserErrorVMInternetConnectivityIssue
        );
        assert!(down.found.contains("port 443"), "{}", down.found);
        assert!(down.repair.unwrap().starts_with("-- "));
        // Whatever is wrong between the two, the instance itself is sound.
        assert_eq!(record(&cluster, id).await.state, ServerState::Ready);
        trouble(|door| door.is_untrusted = true);
        vault.start(&cluster, id).await;
        let untrusted = way(&cluster, id).await;
        assert_eq!(untrusted.fault.unwrap().code(), Code::Bac2NotReady);
        assert!(
            untrusted.found.contains("certificate authority"),
            "{}",
            untrusted.found
        );
        trouble(|_| {});
        // By the door's clock the signature has run out long ago.
        cluster.door.clock.jump(400 * 86_400_000_000);
        vault.start(&cluster, id).await;
        let refused = way(&cluster, id).await;
        assert_eq!(refused.fault.unwrap().code(), Code::Bac2CredentialRefused);
        cluster.door.clock.jump(-400 * 86_400_000_000);
        vault.start(&cluster, id).await;
        assert!(way(&cluster, id).await.passed);
        let probes = vault.probe(&record(&cluster, id).await).await.unwrap();
        assert!(probes.iter().all(|probe| probe.passed), "{probes:#?}");
        // Nothing is left: on the instance the marker alone, in the store a container without blobs that nothing opens.
        let credentials = cluster
            .sql(&server)
            .value("SELECT COUNT(*) FROM sys.credentials")
            .await;
        assert_eq!(credentials, simsql::value::Value::Integer(1));
        let store = cluster.door.store().unwrap();
        let container = format!("bac2-readiness-{}", &vault.id().0.simple().to_string()[..12]);
        let container = azblob::names::ContainerName::new(container).unwrap();
        assert_eq!(
            store
                .container_policies(&cluster.door.account, &container)
                .unwrap(),
            []
        );
        let blobs = vault::shelf::Shelf::list(&*cluster.shelf, &container, None, 10)
            .await
            .unwrap();
        assert!(blobs.is_empty(), "{blobs:?}");
    });
}

#[test]
fn a_credential_that_the_door_refuses_is_given_a_new_secret() {
    let cluster = Cluster::new(36);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let (policy, _) = vault.create_policy(policy()).await.unwrap();
        let databases = cluster.records::<Database>().await;
        let shop = databases.iter().find(|one| one.name == "Shop").unwrap();
        let item = vault.protect(shop.id, policy).await.unwrap();
        let job = vault.back_up(item, schedule::BackupKind::Full, None).await.unwrap();
        cluster.done(job).await;
        let container = cluster.records::<Container>().await.remove(0);
        let url = cluster.url(&container);
        sql.go(&format!(
            "ALTER CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'sv=2020-08-04&sr=c&si=bac2&sig=AAAA'"
        ))
        .await;
        vault.start(&cluster, id).await;
        let way = way(&cluster, id).await;
        assert!(way.passed && way.name.ends_with(&container.name), "{way:#?}");
        // A backup finds it well.
        let job = vault.back_up(item, schedule::BackupKind::Full, None).await.unwrap();
        let job = cluster.done(job).await;
        assert_eq!(job.attempt, 1, "{job:#?}");
    });
}

#[test]
fn the_login_for_restores_is_opened_before_it_is_needed() {
    let cluster = Cluster::new(37);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let sql = cluster.sql(&server);
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let script = vault.login_script(id, Purpose::Restore, "rs", Account::Sql);
        let script = script.await.unwrap();
        sql.go(&script.replace("<put a strong password here>", "Correct-Horse-2"))
            .await;
        let change = vault::registration::ServerChange {
            restore_login: Some(Some(NewLogin::Sql {
                user: "rs".to_owned(),
                password: Secret::new("Correct-Horse-2".to_owned()),
            })),
            ..Default::default()
        };
        let ready = vault.reregister(id, change).await.unwrap().readiness;
        assert_eq!(failed(&ready), []);
        assert!(
            ready.iter().any(|probe| probe.name == "restore login"),
            "{ready:?}"
        );
        sql.go("ALTER SERVER ROLE [dbcreator] DROP MEMBER [rs]").await;
        vault.start(&cluster, id).await;
        let without = record(&cluster, id).await;
        assert_eq!(
            failed(&without.readiness),
            [("restore login", Code::Bac2NotReady)]
        );
        assert_eq!(without.state, ServerState::Ready, "a warning");
        sql.go("ALTER LOGIN [rs] WITH PASSWORD = 'Another-Horse-3'").await;
        vault.start(&cluster, id).await;
        let refused = record(&cluster, id).await.readiness;
        assert_eq!(
            failed(&refused),
            [("restore login", Code::UserErrorOpeningSQLConnection)]
        );
    });
}
