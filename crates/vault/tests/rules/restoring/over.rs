//! Restores over a database that is there: its tail becomes a recovery point, its sessions are drained, and what breaks off leaves it as
//! it was.

use catalog::record::{Grade, Item, Job, JobState, Place, RestoreTarget, ServerId, Work};
use faults::Code;
use schedule::BackupKind::{Full, Log};
use simsql::answers::Transcript;
use simsql::value::Value;

use super::stand::{SHOP, Set, Stand};

/// Over the database itself.
pub(super) fn over(set: &Set) -> Place {
    over_it(set.source)
}

pub(super) fn over_it(source: ServerId) -> Place {
    Place {
        overwrite: true,
        ..Place::new(source, SHOP)
    }
}

/// A full of 5 rows, a log of 3 more, and 4 rows that no backup has.
pub(super) async fn written(stand: &Stand, set: &Set) {
    let source = stand.cluster.sql(&stand.source);
    stand.back_up(set, Full).await;
    source.add_rows(SHOP, 3).await;
    stand.back_up(set, Log).await;
    source.add_rows(SHOP, 4).await;
}

/// `state_desc` and `user_access_desc`.
pub(super) async fn state(stand: &Stand) -> String {
    let asked =
        format!("SELECT CONCAT(state_desc, ' ', user_access_desc) FROM sys.databases WHERE name = '{SHOP}'");
    match stand.cluster.sql(&stand.source).value(&asked).await {
        Value::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn tail_of(stand: &Stand, job: &Job) -> Job {
    let Work::Restore(work) = &job.work else {
        panic!("{job:#?}");
    };
    stand.cluster.job(work.tail.expect("a tail")).await
}

/// The full that begins the chain anew is taken, and the log after it stands on it.
async fn begins_anew(stand: &Stand, set: &Set) {
    for _ in 0..600 {
        let item: Item = stand.cluster.item(set.item).await;
        let jobs = stand.cluster.jobs().await;
        let is_open = jobs.iter().any(|job| !job.state.is_ended());
        if item.healing.is_none() && !is_open {
            break;
        }
        stand.cluster.pass(std::time::Duration::from_secs(10)).await;
    }
    let jobs = stand.cluster.jobs().await;
    let last = jobs.iter().rev().find(|job| matches!(&job.work, Work::Backup(_)));
    let last = last.expect("a backup");
    assert_eq!(last.work.name(), "full", "{last:#?}");
    assert_eq!(last.state, JobState::Completed, "{last:#?}");
    stand.cluster.sql(&stand.source).add_rows(SHOP, 1).await;
    stand.back_up(set, Log).await;
}

#[test]
fn the_latest_point_over_the_original_has_its_tail_in_it() {
    let stand = Stand::new(511);
    stand.run(async {
        let set = stand.set().await;
        let source = stand.cluster.sql(&stand.source);
        written(&stand, &set).await;
        let job = stand.restore(&set, RestoreTarget::Latest, over(&set)).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let tail = tail_of(&stand, &job).await;
        assert_eq!(tail.state, JobState::Completed, "{tail:#?}");
        let points = stand.cluster.points().await;
        let point = points.iter().find(|point| Some(point.id) == tail.point).unwrap();
        assert_eq!((point.grade, point.kind), (Grade::Proved, Log));
        assert_eq!(source.rows(SHOP).await, 5 + 3 + 4, "nothing is lost");
        assert_eq!(state(&stand).await, "ONLINE MULTI_USER");
        begins_anew(&stand, &set).await;
    });
}

#[test]
fn an_earlier_point_over_the_original_leaves_its_tail_to_be_restored() {
    let stand = Stand::new(512);
    stand.run(async {
        let set = stand.set().await;
        let source = stand.cluster.sql(&stand.source);
        written(&stand, &set).await;
        let full = stand.cluster.points().await[0].id;
        let job = stand
            .restore(&set, RestoreTarget::Point { point: full }, over(&set))
            .await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(source.rows(SHOP).await, 5);
        let tail = tail_of(&stand, &job).await.point.unwrap();
        let place = Place::new(set.other, "Before");
        let job = stand
            .restore(&set, RestoreTarget::Point { point: tail }, place)
            .await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(stand.cluster.sql(&stand.other).rows("Before").await, 5 + 3 + 4);
        begins_anew(&stand, &set).await;
    });
}

#[test]
fn without_a_tail_sessions_are_drained_and_what_no_backup_has_is_gone() {
    let stand = Stand::new(513);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let mut busy = stand.source.instance().unwrap().attach("sa").unwrap();
        let mut heard = Transcript::default();
        busy.batch(&format!("USE [{SHOP}]"), &mut [], &mut heard).await;
        let place = Place {
            tail: false,
            ..over(&set)
        };
        let job = stand.restore(&set, RestoreTarget::Latest, place).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert!(
            job.statements
                .iter()
                .any(|one| one.contains("ROLLBACK IMMEDIATE")),
            "{job:#?}"
        );
        assert_eq!(stand.cluster.sql(&stand.source).rows(SHOP).await, 5 + 3);
        assert_eq!(state(&stand).await, "ONLINE MULTI_USER");
        assert_eq!(stand.cluster.points().await.len(), 2, "no tail");
        begins_anew(&stand, &set).await;
    });
}

#[test]
fn without_its_tail_nothing_is_overwritten() {
    let stand = Stand::new(514);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let broken = mssql::Message {
            number: 3049,
            state: 1,
            class: 16,
            line: 1,
            procedure: String::new(),
            text: "BACKUP detected corruption in the database log.".to_owned(),
        };
        stand.source.refuse_next("NORECOVERY", vec![broken]);
        let job = stand.restore(&set, RestoreTarget::Latest, over(&set)).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let fault = job.fault.as_ref().unwrap();
        assert_eq!(fault.code(), Code::Bac2TailLogFailed, "{job:#?}");
        assert!(fault.said().iter().any(|said| said.number() == 3049), "{fault:?}");
        let notices = stand.cluster.notices().await;
        let is_told = notices
            .iter()
            .any(|notice| notice.job == Some(job.id) && notice.fault == *fault);
        assert!(is_told, "{notices:#?}");
        assert_eq!(stand.cluster.sql(&stand.source).rows(SHOP).await, 5 + 3 + 4);
        assert_eq!(state(&stand).await, "ONLINE MULTI_USER");
        stand.back_up(&set, Log).await;
    });
}

#[test]
fn a_database_that_nobody_protects_has_nowhere_for_its_tail() {
    let stand = Stand::new(515);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let other = stand.cluster.sql(&stand.other);
        other.make_database("Mine").await;
        other
            .go("BACKUP DATABASE Mine TO DISK = '/sql/backup/mine.bak'")
            .await;
        let place = Place {
            overwrite: true,
            ..Place::new(set.other, "Mine")
        };
        let job = stand.restore(&set, RestoreTarget::Latest, place.clone()).await;
        assert_eq!(
            job.fault.as_ref().map(faults::Fault::code),
            Some(Code::Bac2TailLogFailed),
            "{job:#?}"
        );
        assert_eq!(other.rows("Mine").await, 5);
        let place = Place { tail: false, ..place };
        let job = stand.restore(&set, RestoreTarget::Latest, place).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(other.rows("Mine").await, 5 + 3);
    });
}

#[test]
fn what_fails_after_the_tail_leaves_the_database_as_it_was() {
    let stand = Stand::new(516);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let refused = mssql::Message {
            number: 3176,
            state: 1,
            class: 16,
            line: 1,
            procedure: String::new(),
            text: "File '/x' is claimed by 'a' and 'b'.".to_owned(),
        };
        stand
            .source
            .refuse_next("RESTORE DATABASE [Shop] FROM URL", vec![refused]);
        let job = stand.restore(&set, RestoreTarget::Latest, over(&set)).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let code = job.fault.as_ref().map(faults::Fault::code);
        assert_eq!(code, Some(Code::Bac2RestoreStepRefused), "{job:#?}");
        assert_eq!(job.warnings, [], "it is not left restoring");
        assert_eq!(state(&stand).await, "ONLINE MULTI_USER");
        assert_eq!(stand.cluster.sql(&stand.source).rows(SHOP).await, 5 + 3 + 4);
        // The chain is right after it: what is written now can be restored.
        begins_anew(&stand, &set).await;
        let place = Place::new(set.other, "Later");
        let job = stand.restore(&set, RestoreTarget::Latest, place).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(stand.cluster.sql(&stand.other).rows("Later").await, 5 + 3 + 4 + 1);
    });
}

#[test]
fn what_fails_in_the_middle_says_that_the_database_is_restoring() {
    let stand = Stand::new(517);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let refused = mssql::Message {
            number: 4333,
            state: 1,
            class: 16,
            line: 1,
            procedure: String::new(),
            text: "The database cannot be recovered because the log was not restored.".to_owned(),
        };
        stand
            .source
            .refuse_next("RESTORE LOG [Shop] FROM URL", vec![refused]);
        let job = stand.restore(&set, RestoreTarget::Latest, over(&set)).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let warnings: Vec<Code> = job.warnings.iter().map(faults::Fault::code).collect();
        assert_eq!(warnings, [Code::Bac2LeftRestoring], "{job:#?}");
        assert!(state(&stand).await.starts_with("RESTORING"));
    });
}

#[test]
fn a_tail_that_no_full_leads_to_stops_the_restore() {
    let stand = Stand::new(518);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let first = stand.restore(&set, RestoreTarget::Latest, over(&set)).await;
        assert_eq!(first.state, JobState::Completed, "{first:#?}");
        // Its chain begins anew with the full that comes; until then nothing could bring this row back.
        let source = stand.cluster.sql(&stand.source);
        source.add_rows(SHOP, 1).await;
        let job = stand.restore(&set, RestoreTarget::Latest, over(&set)).await;
        if job.state != JobState::Completed {
            let code = job.fault.as_ref().map(faults::Fault::code);
            assert_eq!(code, Some(Code::Bac2TailLogFailed), "{job:#?}");
        }
        assert_eq!(
            source.rows(SHOP).await,
            5 + 3 + 4 + 1,
            "nothing is lost: {job:#?}"
        );
        assert_eq!(state(&stand).await, "ONLINE MULTI_USER");
    });
}

#[test]
fn a_moment_behind_the_last_log_lies_in_the_tail() {
    let stand = Stand::new(519);
    stand.run(async {
        let set = stand.set().await;
        let source = stand.cluster.sql(&stand.source);
        written(&stand, &set).await;
        let pass = std::time::Duration::from_secs(10);
        stand.cluster.pass(pass).await;
        let at = stand.cluster.now();
        stand.cluster.pass(pass).await;
        source.add_rows(SHOP, 2).await;
        stand.cluster.pass(pass).await;
        // Into another database there is no tail, and no way to that moment.
        let target = RestoreTarget::Moment { at };
        let job = stand
            .restore(&set, target.clone(), Place::new(set.other, SHOP))
            .await;
        let code = job.fault.as_ref().map(faults::Fault::code);
        assert_eq!(code, Some(Code::Bac2MomentNotRestorable), "{job:#?}");
        let order = stand.order(&set, target.clone(), over(&set));
        let plan = set.vault.plan_restore(&order).await.unwrap();
        assert!(plan.notes.iter().any(|note| note.contains("tail")), "{plan:#?}");
        let job = stand.restore(&set, target, over(&set)).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(source.rows(SHOP).await, 5 + 3 + 4);
        // What came after that moment is in the tail still.
        let tail = tail_of(&stand, &job).await.point.unwrap();
        let place = Place::new(set.other, SHOP);
        let job = stand
            .restore(&set, RestoreTarget::Point { point: tail }, place)
            .await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(stand.cluster.sql(&stand.other).rows(SHOP).await, 5 + 3 + 4 + 2);
    });
}

#[test]
fn a_database_that_is_suspect_loses_nothing() {
    let stand = Stand::new(520);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let instance = stand.source.instance().unwrap();
        instance.state().database_mut(SHOP).unwrap().state = simsql::instance::DatabaseState::Suspect;
        assert_eq!(state(&stand).await, "SUSPECT MULTI_USER");
        let job = stand.restore(&set, RestoreTarget::Latest, over(&set)).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(stand.cluster.sql(&stand.source).rows(SHOP).await, 5 + 3 + 4);
        assert_eq!(state(&stand).await, "ONLINE MULTI_USER");
    });
}
