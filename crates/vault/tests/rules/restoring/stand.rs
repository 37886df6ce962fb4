//! Two instances, and a protected database on the first.

use std::sync::Arc;

use catalog::record::{ItemId, Job, JobState, Place, Point, RestoreOrder, RestoreTarget, ServerId};
use schedule::{BackupKind, Policy};
use simsql::instance::Version;
use simsql::value::Value;
use vault::Vault;

use crate::world::{Cluster, Server};

/// One full a week, and nothing else: what a test wants, it asks for.
const QUIET: &str = r#"{"version": 1, "name": "quiet",
    "full": {"schedule": {"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]},
             "retention": {"weekly": {"count": 4, "days": ["sunday"]}}}, "running": {"jitter": "0s"}}"#;

/// The name of the database.
pub(crate) const SHOP: &str = "Shop";

/// The two.
pub(crate) struct Stand {
    pub(crate) cluster: Cluster,
    pub(crate) source: Arc<Server>,
    pub(crate) other: Arc<Server>,
}

/// What is on it.
pub(crate) struct Set {
    pub(crate) vault: Arc<Vault>,
    pub(crate) item: ItemId,
    pub(crate) source: ServerId,
    pub(crate) other: ServerId,
}

impl Stand {
    pub(crate) fn new(seed: u64) -> Self {
        Self::of(seed, Version::V2022, Version::V2022)
    }

    pub(crate) fn of(seed: u64, source: Version, other: Version) -> Self {
        let cluster = Cluster::new(seed);
        let source = cluster.server_of("sql1", None, source);
        let other = cluster.server_of("sql2", None, other);
        Self {
            cluster,
            source,
            other,
        }
    }

    pub(crate) fn run<T>(&self, scenario: impl Future<Output = T>) -> T {
        self.cluster.run(scenario)
    }

    /// Makes the database on the first, registers both, protects it, and runs the vault.
    pub(crate) async fn set(&self) -> Set {
        self.cluster.sql(&self.source).make_database(SHOP).await;
        self.protected().await
    }

    /// The same of a database with another name.
    pub(crate) async fn set_named(&self, name: &str) -> Set {
        let sql = self.cluster.sql(&self.source);
        sql.make_database(&name.replace(']', "]]")).await;
        self.protected().await
    }

    async fn protected(&self) -> Set {
        let (source, databases) = self.cluster.enrol(&self.source).await;
        let (other, _) = self.cluster.enrol(&self.other).await;
        let vault = self.cluster.vault().await;
        let policy = Policy::from_json(QUIET).unwrap();
        let (policy, _) = vault.create_policy(policy).await.unwrap();
        let item = vault.protect(databases[0].id, policy).await.unwrap();
        drop(vault);
        self.cluster.drop_wish(item).await;
        let vault = self.cluster.start_vault().await;
        Set {
            vault,
            item,
            source,
            other,
        }
    }

    /// A backup that must be proved.
    pub(crate) async fn back_up(&self, set: &Set, kind: BackupKind) -> Point {
        let job = set.vault.back_up(set.item, kind, None).await.unwrap();
        let job = self.cluster.ended(job).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let points = self.cluster.points().await;
        points
            .into_iter()
            .find(|point| Some(point.id) == job.point)
            .unwrap()
    }

    /// An order.
    pub(crate) fn order(&self, set: &Set, target: RestoreTarget, place: Place) -> RestoreOrder {
        RestoreOrder {
            item: set.item,
            target,
            place,
            accept_damaged: Vec::new(),
        }
    }

    /// The path of a database's first file.
    pub(crate) async fn path_of(&self, server: &Server, name: &str) -> String {
        let asked = format!(
            "SELECT physical_name FROM sys.master_files WHERE database_id = DB_ID(N'{name}') AND file_id = 1"
        );
        match self.cluster.sql(server).value(&asked).await {
            Value::Text(path) => path,
            other => panic!("{other:?}"),
        }
    }

    /// A restore, to its end.
    pub(crate) async fn restore(&self, set: &Set, target: RestoreTarget, place: Place) -> Job {
        let order = self.order(set, target, place);
        let job = set.vault.restore(order).await.unwrap();
        self.cluster.ended(job).await
    }
}
