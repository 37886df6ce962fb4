//! How a restore ends: restoring, in standby, open; what does not stand where it should; and who is told.

use std::time::Duration;

use catalog::record::{JobState, Place, Point, RestoreEnd, RestoreTarget, Work};
use faults::{Code, Fault};
use schedule::BackupKind::{Full, Log};
use simsql::answers::Transcript;
use simsql::value::Value;

use super::over::{over, state, written};
use super::stand::{SHOP, Stand};

fn message(number: i32, text: &str) -> mssql::Message {
    mssql::Message {
        number,
        state: 1,
        class: 16,
        line: 1,
        procedure: String::new(),
        text: text.to_owned(),
    }
}

async fn state_of(stand: &Stand, name: &str) -> String {
    let asked =
        format!("SELECT CONCAT(state_desc, ' ', is_in_standby) FROM sys.databases WHERE name = '{name}'");
    match stand.cluster.sql(&stand.other).value(&asked).await {
        Value::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_database_that_is_left_restoring_takes_more_logs() {
    let stand = Stand::new(541);
    stand.run(async {
        let set = stand.set().await;
        let (source, other) = (stand.cluster.sql(&stand.source), stand.cluster.sql(&stand.other));
        written(&stand, &set).await;
        let waits = Place {
            end: RestoreEnd::Restoring,
            ..Place::new(set.other, SHOP)
        };
        let job = stand.restore(&set, RestoreTarget::Latest, waits.clone()).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(state_of(&stand, SHOP).await, "RESTORING 0");
        stand.back_up(&set, Log).await;
        let readable = Place {
            end: RestoreEnd::Standby {
                undo: "/sql/data/undo.dat".to_owned(),
            },
            continues: true,
            ..waits
        };
        let job = stand.restore(&set, RestoreTarget::Latest, readable.clone()).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(state_of(&stand, SHOP).await, "ONLINE 1");
        assert_eq!(other.rows(SHOP).await, 5 + 3 + 4);
        let Work::Restore(work) = &job.work else {
            panic!("{job:#?}")
        };
        assert_eq!(work.steps.len(), 1, "what it has it is not given again");
        // Readers of a database in standby are in the way of the next log.
        let mut reader = stand.other.instance().unwrap().attach("sa").unwrap();
        let mut heard = Transcript::default();
        reader.batch(&format!("USE [{SHOP}]"), &mut [], &mut heard).await;
        source.add_rows(SHOP, 2).await;
        stand.back_up(&set, Log).await;
        let open = Place {
            end: RestoreEnd::Recovered,
            ..readable
        };
        let job = stand.restore(&set, RestoreTarget::Latest, open).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(state_of(&stand, SHOP).await, "ONLINE 0");
        assert_eq!(other.rows(SHOP).await, 5 + 3 + 4 + 2);
    });
}

#[test]
fn what_does_not_stand_where_the_plan_says_is_not_recovered() {
    let stand = Stand::new(542);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let last = stand.cluster.points().await.pop().unwrap();
        // A record that promises more than its set holds.
        let catalog = stand.cluster.open_catalog();
        let key = stand.cluster.vault_id().to_string();
        let mut tx = catalog.begin().await.unwrap();
        let id = last.id.to_string();
        let mut found = catalog::demand::<Point>(tx.as_mut(), &key, &id).await.unwrap();
        let end: u128 = found.record.set.last_lsn.parse().unwrap();
        found.record.set.last_lsn = (end + 100_000).to_string();
        catalog::update(tx.as_mut(), found).await.unwrap();
        tx.commit().await.unwrap();
        let place = Place::new(set.other, SHOP);
        let job = stand.restore(&set, RestoreTarget::Latest, place).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let code = job.fault.as_ref().map(Fault::code);
        assert_eq!(code, Some(Code::Bac2RestoredPointDiffers), "{job:#?}");
        let warnings: Vec<Code> = job.warnings.iter().map(Fault::code).collect();
        assert_eq!(warnings, [Code::Bac2LeftRestoring], "{job:#?}");
        assert_eq!(state_of(&stand, SHOP).await, "RESTORING 0");
    });
}

#[test]
fn a_database_whose_sessions_do_not_end_is_as_it_was() {
    let stand = Stand::new(543);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let place = Place {
            tail: false,
            ..over(&set)
        };
        let mut busy = stand.source.instance().unwrap().attach("sa").unwrap();
        let mut heard = Transcript::default();
        busy.batch(&format!("USE [{SHOP}]"), &mut [], &mut heard).await;
        let text =
            "ALTER DATABASE failed because a lock could not be placed on database 'Shop'. Try again later.";
        for number in [5061, 5064, 5070, 3101] {
            let begins = match number {
                3101 => "RESTORE DATABASE [Shop] FROM",
                _ => "SET SINGLE_USER",
            };
            for _ in 0..3 {
                stand.source.refuse_next(begins, vec![message(number, text)]);
            }
            let job = stand.restore(&set, RestoreTarget::Latest, place.clone()).await;
            assert_eq!(job.state, JobState::Failed, "{number}: {job:#?}");
            let fault = job.fault.as_ref().unwrap();
            let expected = Code::UserErrorRestoreFailedDatabaseCannotBeOfflined;
            assert_eq!(fault.code(), expected, "{number}: {job:#?}");
            assert!(number == 3101 || fault.detail().contains("session"), "{fault:?}");
            assert_eq!(job.warnings, [], "{number}: {job:#?}");
            assert_eq!(state(&stand).await, "ONLINE MULTI_USER");
            assert_eq!(stand.cluster.sql(&stand.source).rows(SHOP).await, 5 + 3 + 4);
            // What was not heard is not left for the next one.
            while stand.source.refusal_of(begins).is_some() {}
        }
    });
}

#[test]
fn a_tail_whose_sessions_do_not_end_says_who_holds_the_database() {
    let stand = Stand::new(545);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let mut busy = stand.source.instance().unwrap().attach("sa").unwrap();
        let mut heard = Transcript::default();
        busy.batch(&format!("USE [{SHOP}]"), &mut [], &mut heard).await;
        let text =
            "ALTER DATABASE failed because a lock could not be placed on database 'Shop'. Try again later.";
        for _ in 0..20 {
            stand
                .source
                .refuse_next("SET SINGLE_USER", vec![message(5061, text)]);
        }
        let job = stand.restore(&set, RestoreTarget::Latest, over(&set)).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let fault = job.fault.as_ref().unwrap();
        let expected = Code::UserErrorRestoreFailedDatabaseCannotBeOfflined;
        assert_eq!(fault.code(), expected, "{job:#?}");
        assert!(fault.detail().contains("session"), "{fault:?}");
        assert_eq!(state(&stand).await, "ONLINE MULTI_USER");
        assert_eq!(stand.cluster.sql(&stand.source).rows(SHOP).await, 5 + 3 + 4);
    });
}

#[test]
fn a_database_goes_to_several_places_at_once_and_two_never_into_one() {
    let stand = Stand::new(546);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        stand.other.fault("network slow vault.test 5s").await;
        let order = |name| stand.order(&set, RestoreTarget::Latest, Place::new(set.other, name));
        let mut jobs = Vec::new();
        for name in ["First", "Second"] {
            jobs.push(set.vault.restore(order(name)).await.unwrap());
        }
        let refused = set.vault.restore(order("FIRST")).await.unwrap_err();
        let expected = Code::OperationCancelledBecauseConflictingOperationRunningUserError;
        assert_eq!(refused.code(), expected);
        assert!(refused.detail().contains(&jobs[0].to_string()), "{refused:?}");
        let there = Place::new(set.source, "First");
        let order = stand.order(&set, RestoreTarget::Latest, there);
        jobs.push(set.vault.restore(order).await.unwrap());
        stand.cluster.pass(Duration::from_secs(30)).await;
        for id in &jobs {
            let state = stand.cluster.job(*id).await.state;
            assert!(*id == jobs[2] || state == JobState::InProgress, "{state:?}");
        }
        stand.other.fault("network back vault.test").await;
        for id in jobs {
            let job = stand.cluster.ended(id).await;
            assert_eq!(job.state, JobState::Completed, "{job:#?}");
        }
        for (server, name) in [
            (&stand.other, "First"),
            (&stand.other, "Second"),
            (&stand.source, "First"),
        ] {
            assert_eq!(stand.cluster.sql(server).rows(name).await, 5 + 3, "{name}");
        }
    });
}

#[test]
fn a_backup_is_left_out_while_its_database_is_restored_into() {
    let stand = Stand::new(544);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let place = Place {
            tail: false,
            ..over(&set)
        };
        stand.source.fault("network slow vault.test 5s").await;
        let order = stand.order(&set, RestoreTarget::Latest, place);
        let restore = set.vault.restore(order).await.unwrap();
        for _ in 0..600 {
            let job = stand.cluster.job(restore).await;
            if matches!(&job.work, Work::Restore(work) if work.sent.is_some()) {
                break;
            }
            stand.cluster.pass(Duration::from_millis(500)).await;
        }
        let backup = set.vault.back_up(set.item, Full, None).await.unwrap();
        stand.cluster.pass(Duration::from_secs(5)).await;
        let expected = Code::OperationCancelledBecauseConflictingOperationRunningUserError;
        let Work::Backup(work) = stand.cluster.job(backup).await.work else {
            panic!("a backup")
        };
        assert_eq!((work.sent, work.failed.as_slice()), (None, &[expected][..]));
        assert!(!stand.cluster.job(restore).await.state.is_ended());
        stand.source.fault("network back vault.test").await;
        let job = stand.cluster.ended(restore).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(job.percent, Some(100.0), "{job:#?}");
        assert!(job.bytes > 0, "{job:#?}");
        stand.cluster.done(backup).await;
    });
}

#[test]
fn a_database_that_was_dropped_is_protected_again_at_once() {
    let stand = Stand::new(545);
    stand.run(async {
        let set = stand.set().await;
        let source = stand.cluster.sql(&stand.source);
        written(&stand, &set).await;
        stand.back_up(&set, Log).await;
        source.go(&format!("DROP DATABASE [{SHOP}]")).await;
        let discovered = set.vault.rediscover(set.source).await.unwrap();
        stand.cluster.done(discovered).await;
        let place = Place::new(set.source, SHOP);
        let job = stand.restore(&set, RestoreTarget::Latest, place).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let item = stand.cluster.item(set.item).await;
        let databases = stand.cluster.records::<catalog::record::Database>().await;
        let database = databases.iter().find(|one| one.id == item.database).unwrap();
        assert_eq!(database.gone, None, "{database:#?}");
        let seen = "SELECT CONVERT(varchar(36), database_guid) FROM sys.database_recovery_status WHERE database_id = DB_ID('Shop')";
        let Value::Text(guid) = source.value(seen).await else {
            panic!("a text")
        };
        let known = database.database_guid.map(|guid| guid.to_string());
        assert_eq!(known, Some(guid.to_string().to_lowercase()));
        // The full that begins its chain anew comes without anybody asking.
        for _ in 0..360 {
            if stand.cluster.item(set.item).await.healing.is_none() {
                break;
            }
            stand.cluster.pass(Duration::from_secs(10)).await;
        }
        stand.cluster.pass(Duration::from_secs(60)).await;
        source.add_rows(SHOP, 1).await;
        stand.back_up(&set, Log).await;
    });
}

/// Logs each quarter of an hour, and no patience with them.
const BUSY: &str = r#"{"version": 1, "name": "busy",
    "full": {"schedule": {"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]},
             "retention": {"weekly": {"count": 4, "days": ["sunday"]}}},
    "log": {"every": "15m"}, "running": {"jitter": "0s", "timeout": "10m"}}"#;

#[test]
fn a_restore_outlasts_slots_and_patience_of_its_policy() {
    let stand = Stand::new(546);
    stand.run(async {
        let set = stand.set().await;
        written(&stand, &set).await;
        let policy = schedule::Policy::from_json(BUSY).unwrap();
        let (policy, _) = set.vault.create_policy(policy).await.unwrap();
        set.vault
            .change_item_policy(set.item, policy, None)
            .await
            .unwrap();
        stand.cluster.pass(Duration::from_secs(60)).await;
        let place = Place {
            tail: false,
            ..over(&set)
        };
        stand.source.fault("network slow vault.test 5s").await;
        let order = stand.order(&set, RestoreTarget::Latest, place);
        let restore = set.vault.restore(order).await.unwrap();
        for _ in 0..600 {
            let job = stand.cluster.job(restore).await;
            if matches!(&job.work, Work::Restore(work) if work.sent.is_some()) {
                break;
            }
            stand.cluster.pass(Duration::from_millis(500)).await;
        }
        stand.source.fault("network slow vault.test 900s").await;
        stand.cluster.pass(Duration::from_secs(30 * 60)).await;
        let job = stand.cluster.job(restore).await;
        assert_eq!((job.state, job.cancel), (JobState::InProgress, None), "{job:#?}");
        let jobs = stand.cluster.jobs().await;
        let logs = jobs.iter().filter(|job| {
            job.work.name() == "log" && matches!(job.trigger, catalog::record::Trigger::Scheduled { .. })
        });
        let logs: Vec<_> = logs.collect();
        assert!(!logs.is_empty(), "{jobs:#?}");
        let expected = Code::OperationCancelledBecauseConflictingOperationRunningUserError;
        for log in logs {
            assert_eq!(log.state, JobState::CompletedWithWarnings, "{log:#?}");
            assert_eq!(log.warnings[0].code(), expected);
        }
        let notices = stand.cluster.notices().await;
        let told: Vec<Code> = notices.iter().map(|notice| notice.fault.code()).collect();
        assert!(
            !told.contains(&expected) && !told.contains(&Code::Bac2ScheduleMissed),
            "{notices:#?}"
        );
        stand.source.fault("network back vault.test").await;
        let job = stand.cluster.ended(restore).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
    });
}
