//! An availability group over several processes. Each knows the others by their names alone, so the files of the group's database
//! are carried here, from the replica that worked last to all others: as a group does it all the time with the log.
//!
//! What is simplified: files are carried when a test says so, and a replica that is down gets nothing.

use std::cell::Cell;

use mssql::Value;

use super::server::{Server, quoted};

/// The group.
pub(crate) struct Group<'s> {
    name: &'static str,
    database: &'static str,
    replicas: Vec<&'s Server>,
    primary: Cell<usize>,
}

impl<'s> Group<'s> {
    /// A group of these instances over a database that is made for it; the first is the primary, secondaries are preferred.
    pub(crate) async fn form(name: &'static str, database: &'static str, replicas: &[&'s Server]) -> Self {
        let group = Self {
            name,
            database,
            replicas: replicas.to_vec(),
            primary: Cell::new(0),
        };
        replicas[0].make_database(database).await;
        // A group takes a database only after a full.
        let seed = "COPY_ONLY";
        replicas[0]
            .foreign_backup("DATABASE", database, "seed.bak", seed)
            .await;
        let name_of = quoted(database);
        for other in &replicas[1..] {
            let made = format!("CREATE DATABASE {name_of}; ALTER DATABASE {name_of} SET RECOVERY FULL");
            other.sql(&made).await;
        }
        group.carry(0).await;
        for one in replicas {
            one.fault(&format!("group join {database} {name}")).await;
            for other in replicas.iter().filter(|other| other.name() != one.name()) {
                one.fault(&format!("group replica {name} {}", other.name())).await;
            }
        }
        group.fail_over(0).await;
        group
    }

    fn running(&self) -> impl Iterator<Item = &'s Server> {
        self.replicas.iter().copied().filter(|one| one.is_running())
    }

    /// Another replica becomes the primary; it has all that was carried to it.
    pub(crate) async fn fail_over(&self, to: usize) {
        self.primary.set(to);
        let primary = self.replicas[to].name();
        for replica in self.running() {
            let role = match replica.name() == primary {
                true => "primary".to_owned(),
                false => format!("secondary {primary}"),
            };
            replica.fault(&format!("group role {} {role}", self.name)).await;
        }
    }

    /// Tells all replicas something about the group: `preference primary`, `closed`.
    pub(crate) async fn set(&self, what: &str) {
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        for replica in self.running() {
            replica.fault(&format!("group {verb} {} {rest}", self.name)).await;
        }
    }

    /// Users write, and all replicas have it.
    pub(crate) async fn write(&self) {
        let primary = self.primary.get();
        self.replicas[primary].add_rows(self.database, 2).await;
        self.carry(primary).await;
    }

    /// What happened on one replica, a backup of the log above all, reaches the others.
    pub(crate) async fn carry(&self, from: usize) {
        let name = quoted(self.database);
        for replica in self.running() {
            replica
                .sql(&format!(
                    "ALTER DATABASE {name} SET OFFLINE WITH ROLLBACK IMMEDIATE"
                ))
                .await;
        }
        let source = self.replicas[from];
        let files = files(source, self.database).await;
        for replica in self.running().filter(|one| one.name() != source.name()) {
            for (from, to) in files.iter().zip(self::files(replica, self.database).await) {
                std::fs::copy(from, to).unwrap();
            }
        }
        for replica in self.running() {
            replica.sql(&format!("ALTER DATABASE {name} SET ONLINE")).await;
        }
    }
}

/// Where a database's files are, in their order.
async fn files(server: &Server, database: &str) -> Vec<String> {
    let asked = format!(
        "SELECT physical_name AS n FROM sys.master_files WHERE database_id = DB_ID(N'{database}') ORDER BY file_id"
    );
    let mut session = server.session().await;
    let rows = session.query(&asked).await.unwrap();
    session.close().await;
    let path = |row: &Vec<Value>| match &row[0] {
        Value::Text(path) => path.clone(),
        other => panic!("the path of a file is a text: {other:?}"),
    };
    rows.rows.iter().map(path).collect()
}
