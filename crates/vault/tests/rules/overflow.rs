//! A vault's disk with next to no room: logs go to the server's own disk, and come into the vault when it has room again.
//!
//! What msdb has of the logs is what the vault must have in the end; what a database shows that was restored to a moment in one of them
//! is what it held then.

use std::time::Duration;

use catalog::record::{
    HealingReason, ItemId, Job, JobState, Place, Point, RestoreTarget, ServerFolder, ServerLog,
    ServerSettings,
};
use faults::Code;
use jiff::Timestamp;
use schedule::BackupKind::{self, Differential, Full, Log};
use simsql::value::Value;

use crate::restoring::stand::{SHOP, Set, Stand};
use crate::world::End;

/// Where logs go meanwhile.
const SPARE: &str = "/sql/spare";

/// Longer than a sweep of the vault, and the job that it makes.
const A_SWEEP: Duration = Duration::from_secs(20 * 60);

/// The folder is there, and set for the instance.
async fn set_folder(stand: &Stand, set: &Set) {
    use simsql::world::Disk as _;
    stand.source.disk().create_directory(SPARE).unwrap();
    set_only(set).await;
}

async fn set_only(set: &Set) {
    let settings = ServerSettings {
        log_overflow: Some(ServerFolder::parse(SPARE).unwrap()),
        ..ServerSettings::default()
    };
    set.vault.set_server(set.source, settings).await.unwrap();
}

/// Leaves 2.4 % of the vault's disk free.
fn fill(stand: &Stand) {
    let used = stand.cluster.door.disk.used();
    stand.cluster.door.set_free(Some(used / 40));
}

async fn back_up(stand: &Stand, set: &Set, kind: BackupKind) -> Job {
    let job = set.vault.back_up(set.item, kind, None).await.unwrap();
    stand.cluster.ended(job).await
}

/// A log that goes to the server's disk.
async fn overflows(stand: &Stand, set: &Set) -> Job {
    let job = back_up(stand, set, Log).await;
    assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
    assert_eq!(codes(&job), [Code::Bac2LogOnServerDisk]);
    assert_eq!(job.point, None, "it is no recovery point");
    job
}

fn codes(job: &Job) -> Vec<Code> {
    job.warnings.iter().map(faults::Fault::code).collect()
}

/// The logs that wait on the server's disk, the oldest first.
async fn waiting(stand: &Stand) -> Vec<ServerLog> {
    let mut logs = stand.cluster.records::<ServerLog>().await;
    logs.retain(ServerLog::is_waiting);
    logs.sort_by_key(|log| log.written);
    logs
}

async fn is_told(stand: &Stand, code: Code) -> bool {
    let notices = stand.cluster.notices().await;
    notices.iter().any(|notice| notice.fault.code() == code)
}

/// FirstLSN and LastLSN of all logs that SQL Server took, by its own history.
async fn logs_of_msdb(stand: &Stand) -> Vec<(String, String)> {
    let asked = format!(
        "SELECT CAST(first_lsn AS varchar(30)), CAST(last_lsn AS varchar(30)) FROM msdb.dbo.backupset \
         WHERE type = 'L' AND database_name = '{SHOP}' ORDER BY backup_set_id"
    );
    let answers = stand.cluster.sql(&stand.source).go(&asked).await;
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    let rows = &answers.results.last().unwrap().rows;
    rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
}

/// The same of the vault's recovery points.
async fn logs_of_vault(stand: &Stand) -> Vec<(String, String)> {
    let mut points: Vec<Point> = stand.cluster.points().await;
    points.retain(|point| point.kind == Log);
    points.sort_by_key(|point| point.set.last_lsn.parse::<bak::Lsn>().unwrap());
    points
        .into_iter()
        .map(|point| (point.set.first_lsn, point.set.last_lsn))
        .collect()
}

/// The vault has every log that SQL Server took, and one unbroken line of moments.
async fn is_whole(stand: &Stand, set: &Set) {
    let taken = logs_of_msdb(stand).await;
    assert_eq!(logs_of_vault(stand).await, taken);
    let (coverage, _) = set.vault.coverage(set.item).await.unwrap();
    let last: bak::Lsn = taken.last().unwrap().1.parse().unwrap();
    let logged: Vec<_> = coverage
        .spans
        .iter()
        .filter(|span| span.times.is_some())
        .collect();
    assert_eq!(logged.len(), 1, "{coverage:#?}");
    assert_eq!(logged[0].to, last);
}

/// How many rows a restore to a moment has, on the other instance.
async fn rows_at(stand: &Stand, set: &Set, at: Timestamp, name: &str) -> i64 {
    let target = RestoreTarget::Moment { at };
    let job = stand.restore(set, target, Place::new(set.other, name)).await;
    assert_eq!(job.state, JobState::Completed, "{job:#?}");
    stand.cluster.sql(&stand.other).rows(name).await
}

/// A moment, with seconds on both sides in which nothing happens: headers tell in whole ones.
async fn moment(stand: &Stand) -> Timestamp {
    stand.cluster.pass(Duration::from_secs(3)).await;
    let at = stand.cluster.now();
    stand.cluster.pass(Duration::from_secs(3)).await;
    at
}

#[test]
fn logs_go_to_the_server_and_come_back() {
    let stand = Stand::new(701);
    stand.run(async {
        let set = stand.set().await;
        set_folder(&stand, &set).await;
        let source = stand.cluster.sql(&stand.source);
        stand.back_up(&set, Full).await;
        source.add_rows(SHOP, 3).await;
        stand.back_up(&set, Log).await;
        fill(&stand);
        source.add_rows(SHOP, 4).await;
        overflows(&stand, &set).await;
        source.add_rows(SHOP, 5).await;
        let between = moment(&stand).await;
        source.add_rows(SHOP, 6).await;
        overflows(&stand, &set).await;

        let logs = waiting(&stand).await;
        let lsns: Vec<_> = logs
            .iter()
            .map(|log| (log.first_lsn.clone(), log.last_lsn.clone()))
            .collect();
        assert_eq!(lsns, logs_of_msdb(&stand).await[1..], "as msdb has them");
        for log in &logs {
            assert!(log.path.starts_with(SPARE), "{}", log.path);
            assert!(
                stand
                    .source
                    .disk()
                    .bytes(&log.path)
                    .is_some_and(|bytes| !bytes.is_empty())
            );
        }
        assert!(is_told(&stand, Code::Bac2LogOnServerDisk).await);
        assert_eq!(logs_of_vault(&stand).await.len(), 1);
        let item = stand.cluster.item(set.item).await;
        assert_eq!(item.log_end.as_ref(), Some(&logs[1].last_lsn));
        assert_eq!(item.healing, None, "the chain is whole");
        let full = back_up(&stand, &set, Full).await;
        assert_eq!(full.fault.unwrap().code(), Code::Bac2StoreDiskFilling);
        let early = stand
            .restore(
                &set,
                RestoreTarget::Moment { at: between },
                Place::new(set.other, "Early"),
            )
            .await;
        assert_eq!(early.state, JobState::Failed, "not in the vault yet: {early:#?}");
        let why = early.fault.unwrap();
        assert!(why.detail().contains(&logs[0].path), "{why}");
        // A sweep changes nothing while the disk is full.
        stand.cluster.pass(A_SWEEP).await;
        assert_eq!(waiting(&stand).await.len(), 2);

        stand.cluster.door.set_free(None);
        stand.cluster.pass(A_SWEEP).await;
        assert_eq!(waiting(&stand).await, []);
        is_whole(&stand, &set).await;
        assert!(
            !is_told(&stand, Code::Bac2LogOnServerDisk).await,
            "nothing waits there"
        );
        for log in &logs {
            assert!(
                stand.source.disk().bytes(&log.path).is_some(),
                "the vault deletes nothing there"
            );
        }
        let item = stand.cluster.item(set.item).await;
        assert_eq!(item.log_end.as_ref(), Some(&logs[1].last_lsn), "not put back");
        source.add_rows(SHOP, 7).await;
        stand.back_up(&set, Log).await;
        is_whole(&stand, &set).await;
        assert_eq!(rows_at(&stand, &set, between, "Then").await, 5 + 3 + 4 + 5);
        let points = stand.cluster.points().await;
        assert!(
            points
                .iter()
                .all(|point| point.grade == catalog::record::Grade::Proved)
        );
        assert_eq!(stand.cluster.item(set.item).await.healing, None);
    });
}

#[test]
fn a_crash_of_the_vault_at_any_poll_loses_no_log() {
    for (number, polls) in (1..1_400).step_by(59).enumerate() {
        let stand = Stand::new(7_100 + polls);
        stand.run(async {
            let set = stand.set().await;
            set_folder(&stand, &set).await;
            stand.back_up(&set, Full).await;
            fill(&stand);
            stand.source.goes_on_without_client(number % 2 == 0);
            let item = set.item;
            stand.cluster.sql(&stand.source).add_rows(SHOP, 3).await;
            let job = set.vault.back_up(item, Log, None).await.unwrap();
            drop(set.vault);
            crash(&stand, polls).await;
            let job = stand.cluster.done(job).await;
            assert_eq!(waiting(&stand).await.len(), 1, "{polls}: {job:#?}");
            stand.cluster.door.set_free(None);
            // Crashes in the midst of the way back.
            for polls in [polls, polls / 2 + 1] {
                stand.cluster.pass(Duration::from_secs(601)).await;
                crash(&stand, polls).await;
            }
            stand.cluster.pass(2 * A_SWEEP).await;
            let vault = stand.cluster.vault().await;
            let set = Set { vault, ..set };
            assert_eq!(waiting(&stand).await, [], "{polls}");
            stand.cluster.sql(&stand.source).add_rows(SHOP, 3).await;
            stand.back_up(&set, Log).await;
            is_whole(&stand, &set).await;
            assert_eq!(stand.cluster.item(item).await.healing, None, "{polls}");
        });
    }
}

/// The vault ends at so many polls of its next run, and is started again.
async fn crash(stand: &Stand, polls: u64) {
    stand.cluster.crash_vault();
    assert!(stand.cluster.try_start_vault_for(polls).await);
    stand.cluster.pass(Duration::from_secs(20)).await;
    stand.cluster.crash_vault();
    drop(stand.cluster.start_vault().await);
}

/// A full, and a log on the server's disk.
async fn with_one(stand: &Stand) -> (Set, ServerLog) {
    let set = stand.set().await;
    set_folder(stand, &set).await;
    stand.back_up(&set, Full).await;
    stand.cluster.sql(&stand.source).add_rows(SHOP, 3).await;
    fill(stand);
    overflows(stand, &set).await;
    let log = waiting(stand).await.remove(0);
    (set, log)
}

/// The log is given up, people are told, and the chain is anchored anew by a backup that nobody asked for.
async fn is_lost_and_healed(stand: &Stand, item: ItemId, log: &ServerLog) {
    assert_eq!(waiting(stand).await, []);
    assert!(is_told(stand, Code::Bac2ServerLogNotAdopted).await);
    assert!(
        !is_told(stand, Code::Bac2LogOnServerDisk).await,
        "nothing waits there"
    );
    let points = stand.cluster.points().await;
    assert!(points.iter().all(|point| point.set.guid != log.set));
    let heals = |point: &&Point| point.kind == Differential && point.ended > log.written;
    assert_eq!(points.iter().filter(heals).count(), 1, "{points:#?}");
    assert_eq!(stand.cluster.item(item).await.healing, None);
}

#[test]
fn a_file_that_is_gone_is_looked_for_three_times_and_the_chain_is_healed() {
    let stand = Stand::new(703);
    stand.run(async {
        use simsql::world::Disk as _;
        let (set, log) = with_one(&stand).await;
        stand.source.disk().remove(&log.path).unwrap();
        stand.cluster.door.set_free(None);
        stand.cluster.pass(A_SWEEP).await;
        assert_eq!(waiting(&stand).await.len(), 1, "somebody may put it back");
        stand.cluster.pass(Duration::from_secs(9 * 3_600)).await;
        is_lost_and_healed(&stand, set.item, &log).await;
        let jobs = stand.cluster.jobs().await;
        let last = jobs.iter().find(|job| job.state == JobState::Failed).unwrap();
        let fault = last.fault.as_ref().unwrap();
        assert_eq!(fault.code(), Code::Bac2ServerLogNotAdopted);
        assert_eq!(fault.said()[0].number(), 4860, "{fault}");
        assert_eq!(last.attempt, 3);
        // The next log stands on what healed.
        stand.cluster.sql(&stand.source).add_rows(SHOP, 2).await;
        stand.back_up(&set, Log).await;
    });
}

#[test]
fn a_file_of_another_log_becomes_no_point() {
    let stand = Stand::new(704);
    stand.run(async {
        let (set, log) = with_one(&stand).await;
        stand.cluster.sql(&stand.source).add_rows(SHOP, 2).await;
        overflows(&stand, &set).await;
        let other = waiting(&stand).await.remove(1);
        let bytes = stand.source.disk().bytes(&other.path).unwrap();
        stand.source.disk().put(&log.path, bytes);
        stand.cluster.door.set_free(None);
        stand.cluster.pass(2 * A_SWEEP).await;
        is_lost_and_healed(&stand, set.item, &log).await;
        assert_eq!(
            logs_of_vault(&stand).await,
            [(other.first_lsn, other.last_lsn)],
            "the sound one came"
        );
    });
}

#[test]
fn a_damaged_file_is_a_disputed_point_as_every_damaged_backup() {
    let stand = Stand::new(705);
    stand.run(async {
        let (set, log) = with_one(&stand).await;
        stand.source.disk().damage(&log.path, |bytes| {
            let place = bytes.len() / 2;
            bytes[place] ^= 0x20;
        });
        stand.cluster.door.set_free(None);
        stand.cluster.pass(A_SWEEP).await;
        let points = stand.cluster.points().await;
        let point = points.iter().find(|point| point.set.guid == log.set).unwrap();
        assert_eq!(point.grade, catalog::record::Grade::Disputed, "{point:#?}");
        let jobs = stand.cluster.jobs().await;
        let job = jobs.iter().find(|job| job.point == Some(point.id)).unwrap();
        assert_eq!(codes(job), [Code::Bac2StreamDisputed], "{job:#?}");
        stand.cluster.pass(2 * A_SWEEP).await;
        let points = stand.cluster.points().await;
        assert!(
            points.iter().any(|point| point.kind == Differential),
            "{points:#?}"
        );
        assert_eq!(stand.cluster.item(set.item).await.healing, None);
    });
}

#[test]
fn logs_in_the_store_may_come_between_and_the_chain_is_one() {
    let stand = Stand::new(708);
    stand.run(async {
        let (set, _) = with_one(&stand).await;
        let source = stand.cluster.sql(&stand.source);
        // Room for a log, which knows nothing of the one that waits.
        stand.cluster.door.set_free(None);
        source.add_rows(SHOP, 2).await;
        stand.back_up(&set, Log).await;
        let end = stand.cluster.item(set.item).await.log_end;
        fill(&stand);
        source.add_rows(SHOP, 2).await;
        overflows(&stand, &set).await;
        stand.cluster.door.set_free(None);
        stand.cluster.pass(2 * A_SWEEP).await;
        assert_eq!(waiting(&stand).await, []);
        assert_ne!(stand.cluster.item(set.item).await.log_end, end);
        is_whole(&stand, &set).await;
        source.add_rows(SHOP, 2).await;
        stand.back_up(&set, Log).await;
        is_whole(&stand, &set).await;
        assert_eq!(stand.cluster.item(set.item).await.healing, None);
    });
}

#[test]
fn an_instance_that_is_away_is_waited_for() {
    let stand = Stand::new(709);
    stand.run(async {
        let (set, _) = with_one(&stand).await;
        stand.source.cut_off(true);
        stand.cluster.door.set_free(None);
        stand.cluster.pass(Duration::from_secs(24 * 3_600)).await;
        assert_eq!(waiting(&stand).await.len(), 1);
        assert!(!is_told(&stand, Code::Bac2ServerLogNotAdopted).await);
        stand.source.cut_off(false);
        stand.cluster.pass(A_SWEEP).await;
        assert_eq!(waiting(&stand).await, []);
        is_whole(&stand, &set).await;
    });
}

#[test]
fn an_instance_that_dies_meanwhile_is_asked_when_it_is_back() {
    for (number, end) in [End::Kill, End::Power].into_iter().enumerate() {
        let stand = Stand::new(713 + number as u64);
        stand.run(async {
            let set = stand.set().await;
            set_folder(&stand, &set).await;
            stand.back_up(&set, Full).await;
            stand.cluster.sql(&stand.source).add_rows(SHOP, 3).await;
            fill(&stand);
            let job = set.vault.back_up(set.item, Log, None).await.unwrap();
            while !is_sent(&stand.cluster.job(job).await) {
                stand.cluster.pass(Duration::from_micros(100)).await;
            }
            stand.cluster.end(&stand.source, end);
            stand.cluster.pass(Duration::from_secs(60)).await;
            stand.source.start();
            let job = stand.cluster.done(job).await;
            assert_eq!(codes(&job), [Code::Bac2LogOnServerDisk], "{job:#?}");
            assert_eq!(waiting(&stand).await.len(), 1);
            // And once more, between two pieces.
            stand
                .source
                .lose_next("SUBSTRING(f.BulkColumn", Duration::from_micros(1));
            stand.cluster.door.set_free(None);
            stand.cluster.pass(2 * A_SWEEP).await;
            assert_eq!(waiting(&stand).await, []);
            is_whole(&stand, &set).await;
        });
    }
}

fn is_sent(job: &Job) -> bool {
    matches!(&job.work, catalog::record::Work::Backup(work) if work.sent.is_some())
}

#[test]
fn a_job_that_somebody_ends_leaves_nothing_and_another_one_brings_the_log() {
    let stand = Stand::new(710);
    stand.run(async {
        let (set, _) = with_one(&stand).await;
        stand.source.cut_off(true);
        stand.cluster.door.set_free(None);
        stand.cluster.pass(A_SWEEP).await;
        let brings =
            |job: &&Job| matches!(&job.work, catalog::record::Work::Backup(work) if work.brings().is_some());
        let jobs = stand.cluster.jobs().await;
        let first = jobs.iter().find(brings).unwrap();
        set.vault.cancel_job(first.id).await.unwrap();
        assert_eq!(stand.cluster.ended(first.id).await.state, JobState::Cancelled);
        stand.source.cut_off(false);
        stand.cluster.pass(A_SWEEP).await;
        assert_eq!(waiting(&stand).await, []);
        is_whole(&stand, &set).await;
        let jobs = stand.cluster.jobs().await;
        assert_eq!(jobs.iter().filter(brings).count(), 2);
    });
}

#[test]
fn a_login_without_the_right_is_given_it_in_time() {
    let stand = Stand::new(711);
    stand.run(async {
        let (set, _) = with_one(&stand).await;
        let denied = mssql::Message {
            number: 4834,
            state: 1,
            class: 16,
            line: 1,
            procedure: String::new(),
            text: "You do not have permission to use the bulk load statement.".to_owned(),
        };
        stand.source.refuse_next("OPENROWSET", vec![denied]);
        stand.cluster.door.set_free(None);
        stand.cluster.pass(A_SWEEP).await;
        let jobs = stand.cluster.jobs().await;
        let job = jobs.iter().find(|job| job.state == JobState::Queued).unwrap();
        let fault = job.fault.as_ref().unwrap();
        assert_eq!(fault.code(), Code::Bac2ServerLogNotAdopted, "{fault}");
        assert_eq!(fault.said()[0].number(), 4834, "{fault}");
        stand.cluster.pass(Duration::from_secs(3_600)).await;
        assert_eq!(waiting(&stand).await, []);
        assert_eq!(stand.cluster.ended(job.id).await.state, JobState::Completed);
        is_whole(&stand, &set).await;
        assert_eq!(stand.cluster.item(set.item).await.healing, None);
    });
}

#[test]
fn what_became_of_a_lost_session_only_the_instance_tells() {
    for goes_on in [true, false] {
        let stand = Stand::new(712);
        stand.run(async {
            let set = stand.set().await;
            set_folder(&stand, &set).await;
            stand.back_up(&set, Full).await;
            stand.cluster.sql(&stand.source).add_rows(SHOP, 3).await;
            fill(&stand);
            stand.source.goes_on_without_client(goes_on);
            stand.source.lose_next("TO DISK", Duration::from_millis(1));
            let job = back_up(&stand, &set, Log).await;
            assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
            assert_eq!(waiting(&stand).await.len(), 1);
            stand.cluster.door.set_free(None);
            stand.cluster.pass(A_SWEEP).await;
            is_whole(&stand, &set).await;
        });
    }
}

#[test]
fn without_a_folder_logs_go_on_into_the_store_and_then_fail_with_the_setting_named() {
    let stand = Stand::new(706);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        fill(&stand);
        // There is too little room for it in this small world, which its statement finds out.
        let job = back_up(&stand, &set, Log).await;
        assert!(!job.statements.is_empty(), "{job:#?}");
        assert!(
            job.statements.iter().all(|one| one.contains(" TO URL = ")),
            "{job:#?}"
        );
        stand
            .cluster
            .door
            .set_free(Some(stand.cluster.door.disk.used() / 100));
        let job = back_up(&stand, &set, Log).await;
        let fault = job.fault.unwrap();
        assert_eq!(fault.code(), Code::Bac2StoreDiskFull);
        assert!(fault.detail().contains("logOverflow"), "{fault}");
        assert_eq!(waiting(&stand).await, []);
    });
}

#[test]
fn a_folder_that_cannot_be_written_fails_with_a_code_of_its_own() {
    let stand = Stand::new(707);
    stand.run(async {
        let set = stand.set().await;
        set_only(&set).await;
        stand.back_up(&set, Full).await;
        fill(&stand);
        let job = back_up(&stand, &set, Log).await;
        let fault = job.fault.unwrap();
        assert_eq!(fault.code(), Code::Bac2LogOverflowRefused, "{fault}");
        assert_eq!(fault.said()[0].number(), 3201, "{fault}");
        let item = stand.cluster.item(set.item).await;
        assert_eq!(item.healing.map(|wanted| wanted.reason), None::<HealingReason>);
        stand.cluster.door.set_free(None);
        stand.cluster.sql(&stand.source).add_rows(SHOP, 3).await;
        stand.back_up(&set, Log).await;
        is_whole(&stand, &set).await;
    });
}
