//! Restores over TDS that leave a database open for more: restoring, or in standby, where it can be read between two logs.

use std::sync::Arc;

use catalog::record::{ItemId, Job, JobId, JobState, Place, RestoreEnd, ServerId, Work};
use faults::Code;
use schedule::BackupKind::{Full, Log};
use tokio::sync::Notify;

use super::lab::{Lab, Release, Server, codes, latest, run};

fn steps(job: &Job) -> usize {
    match &job.work {
        Work::Restore(work) => work.steps.len(),
        other => panic!("a restore: {other:?}"),
    }
}

/// Goes on with the database `Copy`, and leaves it so.
fn on(server: ServerId, end: RestoreEnd) -> Place {
    Place {
        end,
        continues: true,
        ..Place::new(server, "Copy")
    }
}

#[test]
fn a_standby_is_read_and_takes_more_until_it_is_opened() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.add_rows("Shop", 3).await;
        lab.proved(item, Log).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let undo = other.data().join("data").join("Copy ] 'undo' \u{fc}.dat");
        let standby = || RestoreEnd::Standby {
            undo: undo.display().to_string(),
        };
        let begun = Place {
            end: standby(),
            ..Place::new(id, "Copy")
        };
        lab.restores(latest(item, begun)).await;
        assert_eq!(other.state("Copy").await, "ONLINE MULTI_USER 1");
        assert!(undo.is_file());
        assert_eq!(other.rows("Copy").await, 5 + 3);
        let said = other
            .try_sql("INSERT INTO Copy.dbo.Orders (what) VALUES ('x')")
            .await;
        assert!(said.iter().any(|said| said.number == 3906), "{said:?}");
        // Who reads in it is in the way of the next log.
        let mut reader = other.session().await;
        reader.execute("USE Copy").await.unwrap();
        server.add_rows("Shop", 4).await;
        lab.proved(item, Log).await;
        let job = lab.restores(latest(item, on(id, standby()))).await;
        assert_eq!(steps(&job), 1, "{job:#?}");
        assert_eq!(other.state("Copy").await, "ONLINE MULTI_USER 1");
        assert_eq!(other.rows("Copy").await, 5 + 3 + 4);
        server.add_rows("Shop", 2).await;
        lab.proved(item, Log).await;
        let job = lab.restores(latest(item, on(id, RestoreEnd::Recovered))).await;
        assert_eq!(steps(&job), 1, "{job:#?}");
        assert_eq!(other.state("Copy").await, "ONLINE MULTI_USER 0");
        assert_eq!(other.rows("Copy").await, 5 + 3 + 4 + 2);
        other.add_rows("Copy", 1).await;
    });
}

#[test]
fn one_that_waits_takes_what_came_since_and_nothing_twice() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2019).await;
        lab.proved(item, Full).await;
        let other = lab.server(Release::V2019).await;
        let id = lab.register(&other).await;
        let begun = Place {
            end: RestoreEnd::Restoring,
            ..Place::new(id, "Copy")
        };
        lab.restores(latest(item, begun)).await;
        assert_eq!(other.state("Copy").await, "RESTORING MULTI_USER 0");
        for count in [3, 4] {
            server.add_rows("Shop", count).await;
            lab.proved(item, Log).await;
        }
        let job = lab.restores(latest(item, on(id, RestoreEnd::Restoring))).await;
        assert_eq!(steps(&job), 2, "{job:#?}");
        assert_eq!(other.state("Copy").await, "RESTORING MULTI_USER 0");
        // A full in between is no step: the logs lead past it.
        lab.proved(item, Full).await;
        server.add_rows("Shop", 2).await;
        lab.proved(item, Log).await;
        let job = lab.restores(latest(item, on(id, RestoreEnd::Restoring))).await;
        assert_eq!(steps(&job), 1, "{job:#?}");
        // Nothing came since: it is opened as it stands.
        let job = lab.restores(latest(item, on(id, RestoreEnd::Recovered))).await;
        assert_eq!(steps(&job), 0, "{job:#?}");
        assert_eq!(other.state("Copy").await, "ONLINE MULTI_USER 0");
        assert_eq!(other.rows("Copy").await, 5 + 3 + 4 + 2);
        // To what is open nothing is added, nor to what is not there.
        for name in ["Copy", "None"] {
            let place = Place {
                name: name.to_owned(),
                ..on(id, RestoreEnd::Recovered)
            };
            let fault = lab.refuses(&other, latest(item, place), true).await;
            assert_eq!(fault.code(), Code::Bac2RestoreStepRefused, "{name}");
        }
    });
}

/// A restore under the name `Copy` whose first set the target has, and nobody has heard of that yet.
struct Middle {
    lab: Lab,
    _source: Server,
    item: ItemId,
    other: Server,
    id: ServerId,
    job: JobId,
    heard: Arc<Notify>,
}

impl Middle {
    async fn reached() -> Self {
        let lab = Lab::new().await;
        let (source, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        source.add_rows("Shop", 3).await;
        lab.proved(item, Log).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let heard = lab.way.hold("RESTORE DATABASE [Copy] FROM");
        let order = latest(item, Place::new(id, "Copy"));
        let job = lab.vault().restore(order).await.unwrap();
        let restored = "SELECT COUNT(*) AS n FROM msdb.dbo.restorehistory";
        lab.until("the full is restored", || async {
            (other.value(restored).await == mssql::Value::Integer(1)).then_some(())
        })
        .await;
        Self {
            lab,
            _source: source,
            item,
            other,
            id,
            job,
            heard,
        }
    }

    /// Its end, once the answer was heard.
    async fn ended(&self) -> Job {
        self.heard.notify_one();
        self.lab.ended(self.job).await
    }

    /// The URL of the newest backup.
    async fn newest(&self) -> String {
        let point = self.lab.points().await.pop().unwrap();
        let container = self.lab.containers().await.remove(0).name;
        format!("https://vault.example/{container}/{}", point.blobs[0])
    }
}

#[test]
fn somebody_who_opens_it_in_the_middle_is_noticed() {
    run(|| async {
        let middle = Middle::reached().await;
        middle.other.sql("RESTORE DATABASE Copy WITH RECOVERY").await;
        let job = middle.ended().await;
        let expected = (
            Some(Code::Bac2RestoreStepRefused),
            vec![Code::Bac2RestoredPointDiffers],
        );
        assert_eq!(codes(&job), expected, "{job:#?}");
        assert_eq!(middle.other.rows("Copy").await, 5, "what they have is theirs");
    });
}

#[test]
fn somebody_who_applies_its_next_log_has_it_end_and_another_finishes_it() {
    run(|| async {
        let middle = Middle::reached().await;
        let log = format!(
            "RESTORE LOG Copy FROM URL = '{}' WITH NORECOVERY",
            middle.newest().await
        );
        middle.other.sql(&log).await;
        let job = middle.ended().await;
        let expected = (
            Some(Code::UserErrorSQLLSNValidationFailure),
            vec![Code::Bac2LeftRestoring],
        );
        assert_eq!(codes(&job), expected, "{job:#?}");
        assert!(middle.other.state("Copy").await.starts_with("RESTORING"));
        let goes_on = latest(middle.item, on(middle.id, RestoreEnd::Recovered));
        middle.lab.restores(goes_on).await;
        assert_eq!(middle.other.rows("Copy").await, 5 + 3);
    });
}

#[test]
fn somebody_who_drops_it_in_the_middle_finds_nothing_of_it() {
    run(|| async {
        let middle = Middle::reached().await;
        middle.other.sql("DROP DATABASE Copy").await;
        let job = middle.ended().await;
        assert_eq!(
            codes(&job),
            (Some(Code::Bac2RestoreStepRefused), Vec::new()),
            "{job:#?}"
        );
        let there = middle.other.value("SELECT DB_ID(N'Copy') AS n").await;
        assert_eq!(there, mssql::Value::Null);
    });
}

#[test]
fn an_instance_that_dies_in_the_middle_goes_on_when_it_is_back() {
    run(|| async {
        let middle = Middle::reached().await;
        middle.other.kill();
        middle.other.start_again();
        let job = middle.ended().await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(middle.other.rows("Copy").await, 5 + 3);
        assert_eq!(middle.other.credentials().await, 0);
    });
}
