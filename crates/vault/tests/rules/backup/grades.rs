//! How sure a backup is whose stream the vault cannot read, and how its compression is wished for.

use catalog::record::{Grade, JobState};
use faults::Code;
use schedule::BackupKind::{Full, Log};
use simsql::instance::Version;

use super::codes;
use super::stand::{QUIET, Stand};

fn writing(fields: &str) -> String {
    QUIET.replace("\"running\"", &format!("\"writing\": {{{fields}}}, \"running\""))
}

#[test]
fn what_cannot_be_read_is_accepted_by_the_word_of_the_instance() {
    let stand = Stand::new(70);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.cluster.door.trouble(|trouble| trouble.is_unreadable = true);
        let full = stand.back_up(&vault, item, Full).await;
        assert_eq!(full.state, JobState::Completed, "{full:#?}");
        let point = stand.point(&full).await;
        assert_eq!(point.grade, Grade::Accepted);
        assert_eq!(point.reasons, ["it is encrypted"]);
        // Its LSNs are those of msdb, and the chain stands on it.
        assert_eq!(stand.cluster.item(item).await.base, Some(point.set.guid));
        let log = stand.back_up(&vault, item, Log).await;
        assert_eq!(log.state, JobState::Completed, "{log:#?}");
        assert_eq!(stand.point(&log).await.set.first_lsn, {
            let sql = stand.cluster.sql(&stand.server);
            let lsn = "SELECT CAST(first_lsn AS varchar(30)) FROM msdb.dbo.backupset WHERE type = 'L'";
            match sql.value(lsn).await {
                simsql::value::Value::Text(text) => text.to_string(),
                other => panic!("{other:?}"),
            }
        });
    });
}

#[test]
fn what_the_engine_reads_once_more_is_verified_by_it() {
    let stand = Stand::new(71);
    stand.run(async {
        let (vault, item) = stand.protect(&writing("\"verifyOnly\": true")).await;
        stand.cluster.door.trouble(|trouble| trouble.is_unreadable = true);
        let full = stand.back_up(&vault, item, Full).await;
        assert_eq!(full.state, JobState::Completed, "{full:#?}");
        assert_eq!(stand.point(&full).await.grade, Grade::EngineVerified);
    });
}

#[test]
fn an_algorithm_that_the_version_lacks_is_left_out_with_a_warning() {
    let stand = Stand::of(72, Version::V2019);
    stand.run(async {
        let (vault, item) = stand
            .protect(&writing("\"algorithm\": \"zstd\", \"level\": \"high\""))
            .await;
        let full = stand.back_up(&vault, item, Full).await;
        assert_eq!(full.state, JobState::CompletedWithWarnings, "{full:#?}");
        assert_eq!(codes(&full), [Code::Bac2UnsupportedVersionOrEdition]);
        let sent = full.statements.last().unwrap();
        assert!(sent.contains(" COMPRESSION, "), "{sent}");
        assert_eq!(stand.point(&full).await.grade, Grade::Proved);
    });
    let stand = Stand::of(73, Version::V2022);
    stand.run(async {
        let (vault, item) = stand.protect(&writing("\"algorithm\": \"msXpress\"")).await;
        let full = stand.back_up(&vault, item, Full).await;
        assert_eq!(full.state, JobState::Completed, "{full:#?}");
        let sent = full.statements.last().unwrap();
        assert!(sent.contains(" COMPRESSION (ALGORITHM = MS_XPRESS), "), "{sent}");
    });
}
