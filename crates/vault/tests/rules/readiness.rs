//! Readiness: each probe that fails has its code and the T-SQL that mends it, and mended, it passes.

use catalog::record::{Probe, ServerState};
use faults::Code;
use mssql::Secret;
use mssql::statement::login::Account;
use vault::registration::{NewLogin, Purpose};

use super::registration::{Discovers, fault, of, record};
use crate::world::Cluster;

fn failed(probes: &[Probe]) -> Vec<(&str, Code)> {
    let missed = probes.iter().filter(|probe| !probe.passed);
    missed
        .map(|probe| (probe.name.as_str(), probe.fault.as_ref().unwrap().code()))
        .collect()
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
        assert_eq!(
            (failed(&changed.readiness), changed.state),
            (Vec::new(), ServerState::Ready)
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
        sql.go("CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'p4ssW0rd!'; CREATE CERTIFICATE tde WITH SUBJECT = 'abc'").await;
        sql.go("USE Shop; CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE tde; ALTER DATABASE Shop SET ENCRYPTION ON").await;
        server.clock.set_offset(120);
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let probes = record(&cluster, id).await.readiness;
        // Local time is no error of the clock.
        assert_eq!(failed(&probes), [("certificate tde", Code::Bac2CertificateNotBackedUp)]);
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

#[test]
fn replicas_that_are_not_ready_are_listed() {
    let cluster = Cluster::new(34);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.vault().await;
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        sql.foreign_backup("DATABASE", "Shop", "shop.bak", "").await;
        server.fault("group join Shop AG1").await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let groups = record(&cluster, id).await.groups;
        assert_eq!(
            (groups.len(), groups[0].name.as_str(), groups[0].is_primary),
            (1, "AG1", true)
        );
        let others = groups[0].replicas.iter().filter(|name| *name != "SQL1").count();
        let raised = cluster.notices().await;
        let listed = raised
            .iter()
            .filter(|one| one.fault.code() == Code::Bac2ReplicaNotReady)
            .count();
        assert_eq!(listed, others, "{raised:#?}");
    });
}
