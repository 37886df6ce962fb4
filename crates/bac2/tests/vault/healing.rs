//! What the vault does of itself about a chain that is broken or about to be, and what it leaves to people.

use std::time::Duration;

use catalog::record::{HealingReason, ItemId, Job, JobState, ServerSettings, Work};
use faults::{Code, Fault};
use schedule::BackupKind::{Differential, Full, Log};

use super::lab::{Lab, Release, Server, quiet, run, standard};

const QUARTER: Duration = Duration::from_secs(15 * 60);

/// The next slot of a log backup: its job, when that is over.
async fn next_slot(lab: &Lab, server: &Server, item: ItemId) -> Job {
    let known = lab.jobs_of(item).await.len();
    server.fault("clock jump 15m").await;
    lab.advance(QUARTER);
    lab.until("the slot has its job, and that its end", || async {
        let jobs = lab.jobs_of(item).await;
        jobs.into_iter().skip(known).find(|job| job.state.is_ended())
    })
    .await
}

fn converted(job: &Job) -> Option<HealingReason> {
    match &job.work {
        Work::Backup(work) => work.converted,
        other => panic!("a backup: {other:?}"),
    }
}

#[test]
fn a_scheduled_log_becomes_a_full_where_the_chain_is_broken() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let policy = standard().replace(
            "\"running\"",
            "\"healing\": {\"fullAgeMax\": \"2d\"}, \"running\"",
        );
        let item = lab.protect_by(&policy, id, "Shop").await;
        lab.proved(item, Full).await;
        let job = next_slot(&lab, &server, item).await;
        assert_eq!((converted(&job), lab.point(&job).await.kind), (None, Log));
        // The recovery model changed and back: no log stands on the full any more.
        server.sql("ALTER DATABASE Shop SET RECOVERY SIMPLE").await;
        server.sql("ALTER DATABASE Shop SET RECOVERY FULL").await;
        let job = next_slot(&lab, &server, item).await;
        assert_eq!(lab.point(&job).await.kind, Full, "{job:#?}");
        assert_eq!(job.state, JobState::CompletedWithWarnings);
        assert_eq!(
            job.warnings.iter().map(Fault::code).collect::<Vec<_>>(),
            [Code::Bac2BackupConverted]
        );
        assert!(converted(&job).is_some());
        // Another tool took a log that the vault does not have; one such full a day, and a user's does as well.
        server.add_rows("Shop", 1).await;
        server.foreign_backup("LOG", "Shop", "theirs.trn", "").await;
        assert_eq!(
            lab.refused(item, Log).await,
            Code::UserErrorSQLLSNValidationFailure
        );
        lab.proved(item, Full).await;
        let job = next_slot(&lab, &server, item).await;
        assert_eq!(
            (converted(&job), lab.point(&job).await.kind),
            (None, Log),
            "{job:#?}"
        );
        // A full that is older than the policy lets it be: fifteen days, where it says nothing.
        server.fault("clock jump 48h").await;
        lab.advance(Duration::from_secs(2 * 86_400));
        let (reason, full) = lab.healed(item).await;
        assert_eq!((reason, full.kind), (HealingReason::FullTooOld, Full));
    });
}

#[test]
fn where_healing_is_off_people_are_told_and_nothing_is_taken() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for name in ["byPolicy", "byServer"] {
            server.make_database(name).await;
        }
        let id = lab.register(&server).await;
        let off = standard().replace("\"running\"", "\"healing\": {\"enabled\": false}, \"running\"");
        let by_policy = lab.protect_by(&off, id, "byPolicy").await;
        let job = next_slot(&lab, &server, by_policy).await;
        assert_eq!(
            (job.state, job.fault.as_ref().map(Fault::code)),
            (JobState::Failed, Some(Code::Bac2HealingDisabled)),
            "{job:#?}"
        );
        lab.proved(by_policy, Full).await;
        server.foreign_backup("DATABASE", "byPolicy", "a.bak", "").await;
        server.foreign_backup("LOG", "byPolicy", "a.trn", "").await;
        lab.rediscover(id).await;
        let job = next_slot(&lab, &server, by_policy).await;
        assert_eq!(
            lab.point(&job).await.kind,
            Log,
            "what can go on goes on: {job:#?}"
        );
        let codes: Vec<Code> = job.warnings.iter().map(Fault::code).collect();
        assert!(codes.contains(&Code::Bac2HealingDisabled), "{job:#?}");
        // What Azure Backup has for a whole server.
        let settings = ServerSettings {
            auto_heal: false,
            ..ServerSettings::default()
        };
        lab.vault().set_server(id, settings).await.unwrap();
        let policy = standard().replace("standard", "other");
        let by_server = lab.protect_by(&policy, id, "byServer").await;
        let job = next_slot(&lab, &server, by_server).await;
        assert_eq!(
            (job.state, job.fault.as_ref().map(Fault::code)),
            (JobState::Failed, Some(Code::Bac2HealingDisabled)),
            "{job:#?}"
        );
        lab.noticed(Code::Bac2HealingDisabled).await;
        let points = lab.points().await;
        let fulls = points.iter().filter(|point| point.kind == Full).count();
        assert_eq!(fulls, 1, "the one that a user asked for");
    });
}

#[test]
fn backups_of_another_tool_are_named_with_who_when_and_where() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2019).await;
        lab.proved(item, Full).await;
        server.sql("CREATE LOGIN [other tool] WITH PASSWORD = 'Correct-Horse-2'; ALTER SERVER ROLE sysadmin ADD MEMBER [other tool]").await;
        let path = server.data().join("their]s.bak");
        let mut session = server.session_as("other tool", "Correct-Horse-2").await;
        session
            .execute(&format!("BACKUP DATABASE Shop TO DISK = N'{}'", path.display()))
            .await
            .unwrap();
        session.close().await;
        lab.rediscover(id).await;
        let notice = lab.noticed(Code::Bac2ForeignBackupSeen).await;
        let said = notice.fault.to_string();
        let today = lab.now().strftime("%Y-%m-%d").to_string();
        for word in ["Shop", "other tool", "their]s.bak", today.as_str()] {
            assert!(said.contains(word), "{word}: {said}");
        }
        // A copy of its own chain's nobody minds.
        lab.proved(item, Full).await;
        lab.until("the vault's own full puts it right", || async {
            lab.notices().await.is_empty().then_some(())
        })
        .await;
        server
            .foreign_backup("DATABASE", "Shop", "copy.bak", "COPY_ONLY")
            .await;
        lab.rediscover(id).await;
        assert!(lab.notices().await.is_empty(), "{:#?}", lab.notices().await);
        lab.proved(item, Differential).await;
    });
}

#[test]
fn a_large_database_goes_into_stripes_by_its_size() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        let folder = server.data();
        let files = format!(
            "ON (NAME = Shop, FILENAME = '{0}/shop.mdf', SIZE = 150MB) LOG ON (NAME = Shop_log, FILENAME = '{0}/shop.ldf', SIZE = 4MB)",
            folder.display()
        );
        server
            .sql(&format!(
                "CREATE DATABASE Shop {files}; ALTER DATABASE Shop SET RECOVERY FULL"
            ))
            .await;
        server
            .sql("CREATE TABLE Shop.dbo.Orders (id int IDENTITY(1,1), what varchar(4000))")
            .await;
        server.add_rows("Shop", 50).await;
        let id = lab.register(&server).await;
        let striped = quiet().replace(
            "\"running\"",
            "\"writing\": {\"stripes\": {\"sizeMax\": \"64MiB\"}}, \"running\"",
        );
        let item = lab.protect_by(&striped, id, "Shop").await;
        let point = lab.proved(item, Full).await;
        // 150 MB are more than two and fewer than three times 64 MiB.
        assert_eq!((point.blobs.len(), point.set.families), (3, 3));
        assert_eq!(lab.proved(item, Log).await.blobs.len(), 1);
    });
}
