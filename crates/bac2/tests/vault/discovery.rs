//! What an instance holds, and what became of it: databases that come, go, change their names and come back.

use catalog::record::{Database, ServerId};
use faults::Code;
use mssql::Value;
use schedule::BackupKind;

use super::lab::{Lab, Release, code, quoted, run};

/// Names as people give them.
const NAMES: [&str; 3] = ["o'no] żółć 😀", "[a];--", "two  spaces \"quoted\""];

async fn all_named(lab: &Lab, server: ServerId, name: &str) -> Vec<Database> {
    let mut found = lab.records::<Database>().await;
    found.retain(|one| one.server == server && one.name == name);
    found.sort_by_key(|one| (one.gone.is_none(), one.first_seen));
    found
}

#[test]
fn databases_that_come_go_and_change_are_told_apart() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for name in ["Shop", "Crm", "Old", "Stock"] {
            server.make_database(name).await;
        }
        let id = lab.register(&server).await;
        let names: Vec<String> = lab.databases(id).await.into_iter().map(|one| one.name).collect();
        assert_eq!(
            names,
            ["Crm", "Old", "Shop", "Stock", "master", "model", "msdb", "tempdb"]
        );
        for name in ["Shop", "Crm", "Stock"] {
            lab.protect(id, name).await;
        }
        let (shop, crm) = (lab.database(id, "Shop").await, lab.database(id, "Crm").await);
        let stock = lab.database(id, "Stock").await;
        server.sql("ALTER DATABASE [Shop] MODIFY NAME = [Web Shop]").await;
        server.sql("DROP DATABASE [Crm]").await;
        server.make_database("Crm").await;
        server.sql("DROP DATABASE [Old]").await;
        server.make_database("New").await;
        server
            .foreign_backup("DATABASE", "Stock", "stock.bak", "COPY_ONLY")
            .await;
        let file = server.data().join("stock.bak");
        server
            .sql(&format!(
                "RESTORE DATABASE [Stock] FROM DISK = N'{}' WITH REPLACE",
                file.display()
            ))
            .await;
        lab.rediscover(id).await;
        let renamed = lab.database(id, "Web Shop").await;
        assert_eq!(
            (renamed.id, renamed.former_names[0].0.as_str()),
            (shop.id, "Shop")
        );
        let two = all_named(&lab, id, "Crm").await;
        assert_eq!((two.len(), two[0].id, two[0].gone.is_some()), (2, crm.id, true));
        assert!(all_named(&lab, id, "Old").await[0].gone.is_some());
        assert!(lab.database(id, "New").await.gone.is_none());
        let restored = lab.database(id, "Stock").await;
        assert_eq!(restored.id, stock.id, "it is the same database");
        assert_ne!(
            (restored.database_guid, restored.recovery_fork),
            (stock.database_guid, stock.recovery_fork)
        );
        let said = lab.notice_codes().await;
        for expected in [
            Code::Bac2DatabaseRenamed,
            Code::Bac2DatabaseRecreated,
            Code::UserErrorSQLLSNValidationFailure,
        ] {
            assert!(said.contains(&expected), "{expected:?}: {said:?}");
        }
        let before = lab.records::<Database>().await.len();
        lab.rediscover(id).await;
        assert_eq!(
            lab.records::<Database>().await.len(),
            before,
            "once more: nothing is new"
        );
    });
}

#[test]
fn names_may_hold_what_people_write() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2019).await;
        for name in NAMES {
            server.make_database(name).await;
        }
        let mut new = lab.registration(&server);
        new.name = "it's ]a[ żółć 😀".to_owned();
        let id = lab.vault().add_server(new).await.unwrap();
        for name in NAMES {
            let item = lab.protect(id, name).await;
            let full = lab.proved(item, BackupKind::Full).await;
            server.add_rows(name, 2).await;
            let log = lab.proved(item, BackupKind::Log).await;
            assert!(full.blobs[0].is_ascii() && log.blobs[0].is_ascii(), "{full:?}");
            let rows = "SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE database_name = N'";
            let rows = format!("{rows}{}'", name.replace('\'', "''"));
            assert_eq!(server.value(&rows).await, Value::Integer(2), "{name}");
        }
    });
}

#[test]
fn what_cannot_be_protected_is_refused() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let (vault, policy) = (lab.vault(), lab.quiet().await);
        let tempdb = lab.database(id, "tempdb").await;
        assert_eq!(
            code(vault.protect(tempdb.id, policy).await),
            Code::UserErrorSQLPODoesNotSupportBackupType
        );
        lab.protect(id, "Shop").await;
        let shop = lab.database(id, "Shop").await;
        assert_eq!(
            code(vault.protect(shop.id, policy).await),
            Code::Bac2AlreadyProtected
        );
        server
            .sql(&format!("ALTER DATABASE {} SET OFFLINE", quoted("Shop")))
            .await;
        lab.rediscover(id).await;
        let offline = lab.database(id, "Shop").await;
        assert_eq!((offline.state.state.as_str(), offline.id), ("OFFLINE", shop.id));
        assert_eq!(
            offline.database_guid, shop.database_guid,
            "what cannot be asked stays known"
        );
    });
}
