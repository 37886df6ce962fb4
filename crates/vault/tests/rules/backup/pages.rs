//! Before SQL Server 2016: one page blob, under the key of the account.

use catalog::record::{Container, Grade, JobState};
use faults::Code;
use schedule::BackupKind::{Differential, Full, Log};
use simsql::instance::Version;
use simsql::value::Value;
use vault::shelf::Shelf;

use super::stand::{DATABASE, QUIET, Stand};
use super::work;
use crate::world::door::{ACCOUNT, KEY};

async fn credentials(stand: &Stand) -> Vec<catalog::record::CredentialMade> {
    let containers = stand.cluster.records::<Container>().await;
    containers[0].credentials.clone()
}

#[test]
fn a_chain_of_page_blobs_is_proved_and_restores() {
    for version in [Version::V2012, Version::V2014] {
        let stand = Stand::of(60, version);
        stand.run(async {
            let policy = QUIET.replace("\"running\"", "\"writing\": {\"verifyOnly\": true}, \"running\"");
            let (vault, item) = stand.protect(&policy).await;
            let sql = stand.cluster.sql(&stand.server);
            let mut points = Vec::new();
            for kind in [Full, Log, Differential, Log] {
                let job = stand.back_up(&vault, item, kind).await;
                assert_eq!(job.state, JobState::Completed, "{job:#?}");
                let point = stand.point(&job).await;
                assert_eq!(
                    (point.kind, point.grade, point.blobs.len()),
                    (kind, Grade::Proved, 1),
                    "{point:#?}"
                );
                assert!(job.bytes < 1 << 30, "not the size that the blob was made with: {}", job.bytes);
                let statement = work_statement(&job);
                assert!(statement.contains(" CREDENTIAL = N'bac2 "), "{statement}");
                assert!(!statement.contains("SIZE"), "{statement}");
                points.push(point);
                sql.add_rows(DATABASE, 5).await;
            }
            assert_eq!(points[1].set.last_lsn, points[3].set.first_lsn);
            assert_eq!(points[2].set.base_guid, Some(points[0].set.guid));
            let rows = sql.rows(DATABASE).await - 5;
            let credential = credentials(&stand).await[0].name.clone();
            let url = stand.cluster.shelf.url(&stand.container().await);
            for (number, (point, what)) in [&points[0], &points[2], &points[3]]
                .into_iter()
                .zip(["DATABASE", "DATABASE", "LOG"])
                .enumerate()
            {
                let files = match number {
                    0 => ", MOVE 'Shop' TO '/sql/copy.mdf', MOVE 'Shop_log' TO '/sql/copy.ldf'",
                    _ => "",
                };
                let blob = &point.blobs[0];
                sql.go(&format!(
                    "RESTORE {what} [Copy] FROM URL = '{url}/{blob}' WITH CREDENTIAL = '{credential}', NORECOVERY{files}"
                ))
                .await;
            }
            sql.go("RESTORE DATABASE [Copy] WITH RECOVERY").await;
            assert_eq!(sql.rows("Copy").await, rows, "{version:?}");
            let shown = format!("{:?}", stand.cluster.jobs().await);
            assert!(!shown.contains(KEY), "{shown}");
        });
    }
}

fn work_statement(job: &catalog::record::Job) -> String {
    assert!(work(job).marker.is_some());
    job.statements
        .iter()
        .rfind(|text| text.starts_with("BACKUP "))
        .cloned()
        .unwrap()
}

#[test]
fn the_credential_of_the_key_is_altered_only_where_the_vault_made_it() {
    let stand = Stand::of(61, Version::V2014);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        let made = credentials(&stand).await.remove(0);
        assert!(made.number > 0 && made.created.is_some(), "{made:?}");
        let sql = stand.cluster.sql(&stand.server);
        let identity = sql
            .value("SELECT credential_identity FROM sys.credentials WHERE name LIKE 'bac2 %-%'")
            .await;
        assert!(format!("{identity:?}").contains(ACCOUNT), "{identity:?}");
        // It holds another key by now: the door refuses it, and the vault makes it good.
        sql.go(&format!(
            "ALTER CREDENTIAL [{}] WITH IDENTITY = '{ACCOUNT}', SECRET = 'QW5vdGhlcktleQ=='",
            made.name
        ))
        .await;
        let job = stand.back_up(&vault, item, Full).await;
        assert_eq!((job.state, job.attempt), (JobState::Completed, 2), "{job:#?}");
        // Somebody dropped it and made one of the same name and, as SQL Server may have it, of the same number.
        sql.go(&format!(
            "DROP CREDENTIAL [{}]; CREATE CREDENTIAL [{}] WITH IDENTITY = '{ACCOUNT}', SECRET = 'theirs'",
            made.name, made.name
        ))
        .await;
        let number = sql
            .value("SELECT credential_id FROM sys.credentials WHERE name LIKE 'bac2 %-%'")
            .await;
        let Value::Integer(number) = number else {
            panic!("{number:?}")
        };
        let number = i32::try_from(number).unwrap();
        let note = |container: &mut Container| container.credentials[0].number = number;
        stand.change_container(note).await;
        assert_eq!(
            stand.refused(&vault, item, Full).await,
            Code::Bac2ForeignCredential
        );
    });
}

#[test]
fn who_is_refused_for_its_clock_is_told_so() {
    let stand = Stand::of(64, Version::V2014);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.server.clock.jump(-20 * 60 * 1_000_000);
        let job = stand.back_up(&vault, item, Full).await;
        let fault = job.fault.unwrap();
        assert_eq!(fault.code(), Code::Bac2CredentialRefused);
        assert!(fault.detail().contains("20 minutes behind"), "{fault}");
        stand.server.clock.jump(20 * 60 * 1_000_000);
        let job = stand.back_up(&vault, item, Full).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
    });
}

#[test]
fn without_a_key_and_before_service_pack_1_there_is_no_way() {
    let stand = Stand::of(62, Version::V2014);
    stand.run(async {
        stand.cluster.door.trouble(|trouble| trouble.keeps_key = true);
        let (vault, item) = stand.protect(QUIET).await;
        let job = stand.back_up(&vault, item, Full).await;
        let fault = job.fault.expect("why it failed");
        assert_eq!(fault.code(), Code::Bac2UnsupportedVersionOrEdition);
        assert!(fault.happened().contains("2016"), "{}", fault.happened());
        assert!(credentials(&stand).await.is_empty());
        stand.cluster.door.trouble(|trouble| trouble.keeps_key = false);
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        // 2012 with service pack 1 and its first cumulative update.
        stand.change_version("11.0.3321.0").await;
        let job = stand.back_up(&vault, item, Full).await;
        let fault = job.fault.expect("why it failed");
        assert_eq!(fault.code(), Code::Bac2UnsupportedVersionOrEdition);
        assert!(fault.happened().contains("11.0.3339"), "{}", fault.happened());
        stand.change_version("11.0.3339.0").await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
    });
}

#[test]
fn the_key_leaves_an_instance_that_is_updated() {
    let stand = Stand::of(63, Version::V2019);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        // What was 2014 when it was registered: here only its record says so.
        let version = stand.version().await;
        stand.change_version("12.0.6024.0").await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        stand.change_version(&version).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        let sql = stand.cluster.sql(&stand.server);
        let count = sql
            .value(
                "SELECT COUNT(*) FROM sys.credentials WHERE credential_identity <> 'SHARED ACCESS SIGNATURE'",
            )
            .await;
        assert_eq!(format!("{count:?}"), "Integer(0)");
        assert_eq!(credentials(&stand).await.len(), 1);
    });
}
