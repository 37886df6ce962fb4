//! Backups beside each other, cancelled ones, killed ones.

use std::time::Duration;

use bak::Verdict;
use simsql::answers::Transcript;
use simsql::backup;
use simsql::instance::locks::Bulk;
use simsql::instance::state::RequestFacts;
use simsql::message::Failure;
use simsql::session::Session;
use simsql::tsql::backup::BackupStatement;
use simsql::world::Clock as _;

use crate::support::{Place, SHOP, With, full, log, numbers};

type Outcome = Result<(), Failure>;

async fn run(session: &mut Session, statement: &BackupStatement) -> Outcome {
    let mut answers = Transcript::default();
    backup::run(session, statement, &mut answers).await
}

fn facts(database: u16, now: simsql::moment::Moment) -> RequestFacts {
    RequestFacts {
        start: now,
        command: "BACKUP DATABASE".to_owned(),
        text: String::new(),
        database,
        percent_complete: 0.0,
        estimated_completion_ms: 0,
        wait_type: None,
        wait_resource: String::new(),
        wait_since: None,
        blocked_by: 0,
    }
}

/// Holds the lock as a file operation does, for so long.
async fn hold(place: &Place, kind: Bulk, time: Duration) {
    let take = |taken: bool| {
        let mut state = place.instance.state();
        let locks = &mut state.database_mut(SHOP).unwrap().locks;
        if taken {
            locks.bulk.insert(kind, 99);
        } else {
            locks.bulk.remove(&kind);
        }
    };
    take(true);
    place.memory.clock.sleep(time).await;
    take(false);
}

#[test]
fn the_second_waits_and_then_runs_or_times_out() {
    let place = Place::new();
    let statement = full("/sql/backup/a.bak");
    for (timeout, expected) in [(-1, vec![]), (5000, vec![]), (1000, vec![3023, 3013])] {
        let mut session = place.session();
        session.lock_timeout = timeout;
        let outcomes = place.memory.clock.run(vec![
            Box::pin(async {
                hold(&place, Bulk::Database, Duration::from_secs(3)).await;
                Ok(())
            }) as std::pin::Pin<Box<dyn Future<Output = Outcome>>>,
            Box::pin(run(&mut session, &statement)),
        ]);
        let told = outcomes[1].as_ref().err().map(numbers).unwrap_or_default();
        assert_eq!(told, expected, "LOCK_TIMEOUT {timeout}");
        if let Err(failure) = &outcomes[1] {
            assert_eq!(failure.messages[0].state, 2);
        }
    }
}

#[test]
fn who_waits_is_seen_waiting() {
    let place = Place::new();
    let statement = full("/sql/backup/a.bak");
    let mut session = place.session();
    let id = session.id;
    let database = place.instance.state().database(SHOP).unwrap().id;
    let now = place.memory.clock.now();
    place.instance.state().sessions.get_mut(&id).unwrap().request = Some(facts(database, now));
    let seen = std::cell::RefCell::new(None);
    place.memory.clock.run(vec![
        Box::pin(async {
            hold(&place, Bulk::Database, Duration::from_secs(2)).await;
            Ok(())
        }) as std::pin::Pin<Box<dyn Future<Output = Outcome>>>,
        Box::pin(run(&mut session, &statement)),
        Box::pin(async {
            place.memory.clock.sleep(Duration::from_secs(1)).await;
            *seen.borrow_mut() = place.instance.state().sessions[&id].request.clone();
            Ok(())
        }),
    ]);
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.wait_type.as_deref(), Some("LCK_M_U"));
    assert_eq!(
        seen.wait_resource,
        format!("DATABASE: {database} [BULKOP_BACKUP_DB]")
    );
    assert_eq!(seen.blocked_by, 99);
    let after = place.instance.state().sessions[&id].request.clone().unwrap();
    assert_eq!(after.wait_type, None);
    assert!(after.percent_complete > 90.0, "{}", after.percent_complete);
}

#[test]
fn log_and_data_run_beside_each_other() {
    let place = Place::new();
    place.backup_ok(&full("/sql/backup/base.bak"));
    place.add_rows(100);
    let statements = [
        full("/sql/backup/a.bak").with(|options| options.max_transfer_size = Some(65_536)),
        log("/sql/backup/a.trn").with(|options| options.max_transfer_size = Some(65_536)),
    ];
    let mut sessions = [place.session(), place.session()];
    for session in &mut sessions {
        session.lock_timeout = 0;
    }
    let [first, second] = &mut sessions;
    let outcomes = place.memory.clock.run(vec![
        Box::pin(run(first, &statements[0])) as std::pin::Pin<Box<dyn Future<Output = Outcome>>>,
        Box::pin(run(second, &statements[1])),
    ]);
    assert_eq!(outcomes, [Ok(()), Ok(())]);
    for path in ["/sql/backup/a.bak", "/sql/backup/a.trn"] {
        let report = place.report(path);
        assert_eq!(
            report.verdict,
            Verdict::Ok,
            "{:?} {:?}",
            report.reasons,
            report.damage
        );
    }
}

#[test]
fn a_backup_among_changes_is_sound() {
    let place = Place::new();
    place.add_rows(50);
    let statement = full("/sql/backup/a.bak").with(|options| {
        options.max_transfer_size = Some(65_536);
        options.checksum = Some(true);
    });
    let mut session = place.session();
    let outcomes = place.memory.clock.run(vec![
        Box::pin(run(&mut session, &statement)) as std::pin::Pin<Box<dyn Future<Output = Outcome>>>,
        Box::pin(async {
            for _ in 0..10 {
                place.memory.clock.sleep(Duration::ZERO).await;
                place.add_rows(3);
            }
            Ok(())
        }),
    ]);
    assert_eq!(outcomes[0], Ok(()));
    let report = place.report("/sql/backup/a.bak");
    assert_eq!(
        report.verdict,
        Verdict::Ok,
        "{:?} {:?}",
        report.reasons,
        report.damage
    );
}

#[test]
fn a_cancelled_or_killed_backup_leaves_no_trace_in_the_database() {
    let place = Place::new();
    place.add_rows(100);
    for kill in [false, true] {
        let path = format!("/sql/backup/{kill}.bak");
        let statement = full(&path).with(|options| options.max_transfer_size = Some(65_536));
        let mut session = place.session();
        let (id, canceller) = (session.id, session.canceller.clone());
        let outcomes = place.memory.clock.run(vec![
            Box::pin(run(&mut session, &statement)) as std::pin::Pin<Box<dyn Future<Output = Outcome>>>,
            Box::pin(async {
                place.memory.clock.sleep(Duration::ZERO).await;
                if kill {
                    place.instance.state().sessions.get_mut(&id).unwrap().killed = true;
                } else {
                    canceller.cancel();
                }
                Ok(())
            }),
        ]);
        assert_eq!(outcomes[0], Err(Failure::cancelled()));
        assert_eq!(place.report(&path).verdict, Verdict::Truncated);
        assert_eq!(place.engine(SHOP, |engine| engine.boot().differential_base), None);
        let locks = place.instance.state().database(SHOP).unwrap().locks.bulk.clone();
        assert!(locks.is_empty());
        assert!(place.msdb("backupset").is_empty());
    }
    place.backup_ok(&full("/sql/backup/after.bak"));
}
