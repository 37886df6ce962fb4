//! Codes that neither registration nor the usual troubles bring up: each is provoked at a real instance, and comes out as itself.

use std::time::Duration;

use catalog::record::{
    Database, Grade, HealingReason, Item, Job, JobState, Trigger, Vault as VaultRecord, Work,
};
use catalog::{demand, update};
use faults::Code;
use mssql::statement::login::Account;
use schedule::BackupKind::{CopyOnlyFull, Differential, Full, Log};
use vault::registration::{Purpose, ServerChange};

use super::lab::{Lab, Release, Server, code, login, run, standard};

#[test]
fn an_encrypted_database_and_the_certificate_that_it_needs() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        server.encrypt_shop().await;
        lab.rediscover(id).await;
        lab.noticed(Code::Bac2CertificateNotBackedUp).await;
        let job = lab.back_up(item, Full).await;
        let point = lab.point(&job).await;
        assert!(
            matches!(point.grade, Grade::Proved | Grade::Accepted),
            "{point:#?}"
        );
        server.fault("certificate missing tde").await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::UserErrorCannotFindServerCertificateWithThumbprint
        );
    });
}

#[test]
fn a_backup_of_another_tool_is_in_the_way() {
    run(|| async {
        let lab = Lab::new().await;
        lab.way.be_impatient();
        let (server, _, item) = lab.shop(Release::V2019).await;
        lab.proved(item, Full).await;
        let container = lab.containers().await.remove(0).name;
        let copy = format!(
            "BACKUP DATABASE Shop TO URL = 'https://vault.example/{container}/theirs.bak' WITH COPY_ONLY"
        );
        server.fault("network slow vault.example 2s").await;
        let theirs = server.sql(&copy);
        let ours = async {
            lab.until("theirs runs", || server.backup_session()).await;
            let job = lab.back_up(item, Full).await;
            server.fault("network back vault.example").await;
            job
        };
        let ((), job) = tokio::join!(theirs, ours);
        let Work::Backup(work) = &job.work else {
            panic!("a backup")
        };
        let failed = job.fault.as_ref().map(faults::Fault::code);
        let codes: Vec<Code> = work.failed.iter().copied().chain(failed).collect();
        assert!(
            codes.contains(&Code::UserErrorFileManipulationIsNotAllowedDuringBackup),
            "{job:#?}"
        );
        lab.proved(item, Full).await;
    });
}

/// Writes into a log that cannot grow until there is no room for as much as a checkpoint.
async fn fill_log(server: &Server) {
    for count in [100, 1] {
        let rows = vec!["(REPLICATE('x', 3900))"; count].join(", ");
        let insert = format!("INSERT INTO dbo.Orders (what) VALUES {rows}");
        assert_eq!(server.until_it_fails("Shop", &insert).await, 9002);
    }
    let small = "INSERT INTO dbo.Orders (what) VALUES ('x')";
    for deed in [small, "CHECKPOINT"] {
        assert_eq!(server.until_it_fails("Shop", deed).await, 9002);
    }
}

#[test]
fn a_log_without_room_for_a_checkpoint() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.fault("log full Shop").await;
        fill_log(&server).await;
        // A log that waits for its backup gets one, and the full is tried again.
        let full_log = Code::UserErrorBackupFailedAsTransactionLogIsFull;
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        lab.until("the log is backed up", || async {
            let jobs = lab.jobs_of(item).await;
            let is_it = |job: &&Job| {
                job.trigger
                    == Trigger::Healing {
                        reason: HealingReason::LogFull,
                    }
            };
            jobs.iter()
                .find(is_it)
                .filter(|job| job.state.is_ended())
                .cloned()
        })
        .await;
        let job = lab.ended(job).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let Work::Backup(work) = &job.work else {
            panic!("a backup")
        };
        assert_eq!(work.failed, [full_log]);
        // One that a transaction holds is for people.
        lab.proved(item, Log).await;
        server.sql("CREATE TABLE Shop.dbo.Held (id int)").await;
        let mut holder = server.session().await;
        holder
            .execute("BEGIN TRANSACTION; INSERT INTO Shop.dbo.Held (id) VALUES (1)")
            .await
            .unwrap();
        lab.proved(item, Log).await;
        fill_log(&server).await;
        lab.proved(item, Log).await;
        fill_log(&server).await;
        let job = lab.back_up(item, Full).await;
        let fault = job.fault.as_ref().unwrap_or_else(|| panic!("{job:#?}"));
        assert_eq!(fault.code(), full_log, "{job:#?}");
        assert!(fault.detail().contains("ACTIVE_TRANSACTION"), "{fault}");
        holder.close().await;
    });
}

#[test]
fn a_store_that_fails_or_refuses() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        server.fault("network expired vault.example").await;
        assert_eq!(lab.refused(item, Full).await, Code::Bac2CredentialRefused);
        server.fault("network back vault.example").await;
        server.fault("network lost vault.example after 50000 bytes").await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::UserErrorVMInternetConnectivityIssue
        );
        server.fault("network back vault.example").await;
        lab.proved(item, Full).await;
    });
}

#[test]
fn a_disk_of_the_instance_that_cannot_be_read() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        let file =
            "SELECT physical_name AS n FROM sys.master_files WHERE database_id = DB_ID('Shop') AND type = 0";
        let mssql::Value::Text(path) = server.value(file).await else {
            panic!("the path of a file is a text")
        };
        lab.proved(item, Full).await;
        server.fault(&format!("disk unreadable {path} 1117")).await;
        assert_eq!(lab.refused(item, Full).await, Code::WlExtGenericIOFaultUserError);
        server.fault(&format!("disk well {path}")).await;
        lab.proved(item, Full).await;
    });
}

#[test]
fn rights_that_sql_server_misses_at_the_statement() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let vault = lab.vault();
        let script = vault
            .login_script(id, Purpose::Backup, "bk", Account::Sql)
            .await
            .unwrap();
        server
            .sql(&script.replace("<put a strong password here>", "Correct-Horse-2"))
            .await;
        let change = ServerChange {
            login: Some(login("bk", "Correct-Horse-2")),
            ..ServerChange::default()
        };
        vault.reregister(id, change).await.unwrap();
        let item = lab.protect(id, "Shop").await;
        server
            .sql("USE Shop; ALTER ROLE db_backupoperator DROP MEMBER bk")
            .await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::UserErrorSQLNoSysadminMembership
        );
        server
            .sql("USE Shop; ALTER ROLE db_backupoperator ADD MEMBER bk")
            .await;
        lab.proved(item, Full).await;
        server.sql("ALTER LOGIN bk DISABLE").await;
        assert_eq!(lab.refused(item, Full).await, Code::UserErrorOpeningSQLConnection);
    });
}

#[test]
fn a_scheduled_type_that_the_database_cannot_have_is_skipped_with_one_warning() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let item = lab.protect_by(&standard(), id, "Shop").await;
        lab.proved(item, Full).await;
        server.sql("ALTER DATABASE Shop SET RECOVERY SIMPLE").await;
        lab.rediscover(id).await;
        for _ in 0..2 {
            server.fault("clock jump 15m").await;
            lab.advance(Duration::from_secs(15 * 60));
            lab.noticed(Code::BackupTypeUnsupported).await;
        }
        let unsupported = lab.notice_codes().await;
        let count = unsupported
            .iter()
            .filter(|code| **code == Code::BackupTypeUnsupported)
            .count();
        assert_eq!(count, 1, "{unsupported:?}");
        assert!(
            lab.jobs_of(item)
                .await
                .iter()
                .all(|job| job.state != JobState::Failed)
        );
    });
}

/// The names of what is protected, once nothing more is being configured.
async fn protected(lab: &Lab) -> Vec<String> {
    for job in lab.jobs().await {
        lab.ended(job.id).await;
    }
    let databases = lab.records::<Database>().await;
    let items = lab.records::<Item>().await;
    let of = |item: &Item| databases.iter().find(|one| one.id == item.database);
    let mut names: Vec<String> = items.iter().filter_map(of).map(|one| one.name.clone()).collect();
    names.sort();
    names
}

#[test]
fn auto_protection_that_is_ended_cancels_what_it_began() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for number in 0..4 {
            server.sql(&format!("CREATE DATABASE [d{number}]")).await;
        }
        let id = lab.register(&server).await;
        let policy = lab.quiet().await;
        let vault = lab.vault();
        let intent = vault
            .auto_protect(id, policy, vec!["m%".to_owned(), "d0".to_owned()])
            .await
            .unwrap();
        let again = vault.auto_protect(id, policy, Vec::new()).await;
        assert_eq!(code(again), Code::Bac2AlreadyProtected);
        assert_eq!(protected(&lab).await, ["d1", "d2", "d3"]);
        server.sql("CREATE DATABASE [later]").await;
        lab.rediscover(id).await;
        assert_eq!(protected(&lab).await, ["d1", "d2", "d3", "later"]);
        vault.stop_auto_protection(intent).await.unwrap();
        assert_eq!(code(vault.stop_auto_protection(intent).await), Code::Bac2NotFound);
    });
}

#[test]
fn more_fulls_on_demand_than_a_day_allows() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        let vault = lab.vault();
        let mut refused = None;
        for _ in 0..12 {
            match vault.back_up(item, CopyOnlyFull, None).await {
                Ok(job) => drop(lab.ended(job).await),
                Err(fault) => {
                    refused = Some(fault.code());
                    break;
                }
            }
        }
        assert_eq!(refused, Some(Code::CloudDosAbsoluteLimitReached));
        lab.advance(Duration::from_secs(86_400));
        assert!(vault.back_up(item, CopyOnlyFull, None).await.is_ok());
    });
}

#[test]
fn more_configurations_than_a_day_allows_are_put_off() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for number in 0..3 {
            server.sql(&format!("CREATE DATABASE [d{number}]")).await;
        }
        let id = lab.register(&server).await;
        for number in 0..2 {
            lab.protect(id, &format!("d{number}")).await;
        }
        let vault = lab.vault();
        {
            let catalog = lab.world().catalog;
            let key = vault.id().to_string();
            let mut tx = catalog.begin().await.unwrap();
            let mut found = demand::<VaultRecord>(tx.as_mut(), &key, &key).await.unwrap();
            found.record.daily.configurations = 2;
            update(tx.as_mut(), found).await.unwrap();
            tx.commit().await.unwrap();
        }
        let policy = lab.quiet().await;
        let third = lab.database(id, "d2").await;
        assert_eq!(
            code(vault.protect(third.id, policy).await),
            Code::CloudDosAbsoluteLimitReached
        );
        let (mut wanted, version) = vault
            .policies()
            .await
            .unwrap()
            .into_iter()
            .map(|(policy, version)| (policy.policy, version))
            .next()
            .unwrap();
        wanted.name = "other".to_owned();
        wanted.log = schedule::Policy::from_json(&standard()).unwrap().log;
        vault.change_policy(policy, version, wanted).await.unwrap();
        lab.noticed(Code::CloudDosAbsoluteLimitReachedWithRetry).await;
    });
}

#[test]
fn what_is_deleted_is_kept_for_a_while_and_can_be_had_back() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, id, item) = lab.shop(Release::V2022).await;
        let vault = lab.vault();
        lab.proved(item, Full).await;
        vault
            .unprotect(item, vault::protection::Data::Delete, None)
            .await
            .unwrap();
        assert_eq!(code(vault.back_up(item, Full, None).await), Code::Bac2SoftDeleted);
        let again = vault.unprotect(item, vault::protection::Data::Delete, None).await;
        assert_eq!(code(again), Code::Bac2SoftDeleted);
        let shop = lab.database(id, "Shop").await;
        let quiet = lab.quiet().await;
        assert_eq!(code(vault.protect(shop.id, quiet).await), Code::Bac2SoftDeleted);
        vault.undelete(item, None).await.unwrap();
        assert_eq!(code(vault.back_up(item, Log, None).await), Code::Bac2NotProtected);
        vault.resume(item, None).await.unwrap();
        lab.proved(item, Differential).await;
        assert_eq!(code(vault.delete_policy(quiet).await), Code::Bac2PolicyInUse);
    });
}
