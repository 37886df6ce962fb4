//! Restores as tests ask for them, and what is there before and after.

use catalog::record::{ItemId, Job, JobState, Place, RestoreOrder, RestoreTarget, ServerId};
use faults::{Code, Fault};
use mssql::Value;

use super::{Lab, Server};

/// An order.
pub(crate) fn to(item: ItemId, target: RestoreTarget, place: Place) -> RestoreOrder {
    RestoreOrder {
        item,
        target,
        place,
        accept_damaged: Vec::new(),
    }
}

/// One that goes as far as the points do.
pub(crate) fn latest(item: ItemId, place: Place) -> RestoreOrder {
    to(item, RestoreTarget::Latest, place)
}

/// Over the database `Shop`.
pub(crate) fn over(server: ServerId) -> Place {
    Place {
        overwrite: true,
        ..Place::new(server, "Shop")
    }
}

/// The code that a job ended with, and those of its warnings.
pub(crate) fn codes(job: &Job) -> (Option<Code>, Vec<Code>) {
    let warnings = job.warnings.iter().map(Fault::code).collect();
    (job.fault.as_ref().map(Fault::code), warnings)
}

impl Lab {
    /// A restore, to its end, whatever that is.
    pub(crate) async fn restored(&self, order: RestoreOrder) -> Job {
        let job = self.vault().restore(order).await.unwrap();
        self.ended(job).await
    }

    /// One that must be completed.
    pub(crate) async fn restores(&self, order: RestoreOrder) -> Job {
        let job = self.restored(order).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        job
    }

    /// A restore that must be refused, as a plan where that can tell it and as a job; the databases of the target stay as they were,
    /// and no credential is left there that was not there before.
    pub(crate) async fn refuses(&self, server: &Server, order: RestoreOrder, is_planned: bool) -> Fault {
        let before = server.states().await;
        let planned = self.vault().plan_restore(&order).await;
        let job = self.restored(order).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let fault = job.fault.clone().unwrap();
        match planned {
            Err(planned) if is_planned => assert_eq!(planned.code(), fault.code(), "{planned} {fault}"),
            Ok(_) if !is_planned => {}
            other => panic!("{other:#?}"),
        }
        assert_eq!(server.states().await, before, "the target was touched: {fault}");
        assert_eq!(job.warnings, [], "{job:#?}");
        fault
    }
}

impl Server {
    /// A text that the instance is asked for.
    pub(crate) async fn text(&self, asked: &str) -> String {
        match self.value(asked).await {
            Value::Text(text) => text,
            other => panic!("{asked}: {other:?}"),
        }
    }

    /// How a database stands: `ONLINE MULTI_USER 0`, the last where it is in standby 1.
    pub(crate) async fn state(&self, name: &str) -> String {
        let name = name.replace('\'', "''");
        self.text(&format!(
            "SELECT CONCAT(state_desc, ' ', user_access_desc, ' ', CONVERT(int, is_in_standby)) AS s FROM sys.databases WHERE name = N'{name}'"
        ))
        .await
    }

    /// How many credentials for containers it has, but for the one by which discovery tries the way for a moment.
    pub(crate) async fn credentials(&self) -> i64 {
        let asked = "SELECT COUNT(*) AS n FROM sys.credentials WHERE name LIKE 'https:%' AND name NOT LIKE '%/bac2-readiness-%'";
        match self.value(asked).await {
            Value::Integer(count) => count,
            other => panic!("a count is a number: {other:?}"),
        }
    }

    /// What databases and credentials there are, and how the former stand.
    pub(crate) async fn states(&self) -> Vec<String> {
        let rows = self
            .rows_of(
                "SELECT CONCAT(name, ' ', state_desc, ' ', user_access_desc) AS s FROM sys.databases UNION ALL
                 SELECT CONCAT('credential ', name) FROM sys.credentials
                 WHERE name LIKE 'https:%' AND name NOT LIKE '%/bac2-readiness-%' ORDER BY s",
            )
            .await;
        rows.into_iter().map(|row| format!("{row:?}")).collect()
    }
}
