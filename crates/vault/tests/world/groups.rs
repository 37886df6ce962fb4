//! An availability group over several instances. simsql knows other replicas by their names alone, so the files of the group's
//! database are carried here, from the replica that worked last to all others: as a group does it all the time with the log.
//!
//! What is simplified: files are carried when a test says so, and a replica that is down or out of touch gets nothing.

use std::cell::Cell;
use std::sync::Arc;

use super::servers::Server;
use super::sql::Sql;

/// The group.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) database: String,
    pub(crate) replicas: Vec<Arc<Server>>,
    primary: Cell<usize>,
}

impl Group {
    /// A group of these instances over a database that is made for it; the first is the primary, secondaries are preferred.
    pub(crate) async fn form(name: &str, database: &str, replicas: &[Arc<Server>]) -> Self {
        let group = Self {
            name: name.to_owned(),
            database: database.to_owned(),
            replicas: replicas.to_vec(),
            primary: Cell::new(0),
        };
        Sql::on(&replicas[0]).make_database(database).await;
        // A group takes a database only after a full.
        Sql::on(&replicas[0])
            .foreign_backup("DATABASE", database, "seed.bak", "COPY_ONLY")
            .await;
        for other in &replicas[1..] {
            Sql::on(other)
                .go(&format!(
                    "CREATE DATABASE [{database}]; ALTER DATABASE [{database}] SET RECOVERY FULL"
                ))
                .await;
        }
        group.carry(0).await;
        for replica in replicas {
            replica.fault(&format!("group join {database} {name}")).await;
        }
        for (at, replica) in replicas.iter().enumerate() {
            for other in &replicas[at + 1..] {
                group.introduce(replica, other).await;
            }
        }
        group.tell_roles().await;
        group
    }

    async fn introduce(&self, one: &Server, other: &Server) {
        one.fault(&format!("group replica {} {}", self.name, other.server_name()))
            .await;
        other
            .fault(&format!("group replica {} {}", self.name, one.server_name()))
            .await;
    }

    /// Adds a replica.
    pub(crate) async fn add(&mut self, server: &Arc<Server>) {
        let database = &self.database;
        Sql::on(server).go(&format!("CREATE DATABASE [{database}]")).await;
        server
            .fault(&format!("group join {database} {}", self.name))
            .await;
        for replica in &self.replicas {
            self.introduce(replica, server).await;
        }
        self.replicas.push(Arc::clone(server));
        self.carry(self.primary.get()).await;
        self.tell_roles().await;
    }

    /// The primary.
    pub(crate) fn primary(&self) -> &Server {
        &self.replicas[self.primary.get()]
    }

    fn running(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.replicas.iter().filter(|one| one.instance().is_some())
    }

    async fn tell_roles(&self) {
        let primary = self.primary().server_name();
        for replica in self.running() {
            let role = match replica.server_name() == primary {
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

    /// Another replica becomes the primary; it has all that was carried to it.
    pub(crate) async fn fail_over(&self, to: usize) {
        self.primary.set(to);
        self.tell_roles().await;
    }

    /// Users write, and all replicas have it.
    pub(crate) async fn write(&self, rows: u32) {
        Sql::on(self.primary()).add_rows(&self.database, rows).await;
        self.carry(self.primary.get()).await;
    }

    /// What happened on one replica, a backup of the log above all, reaches the others.
    pub(crate) async fn carry(&self, from: usize) {
        let database = &self.database;
        let offline = format!("ALTER DATABASE [{database}] SET OFFLINE WITH ROLLBACK IMMEDIATE");
        for replica in self.running() {
            Sql::on(replica).go(&offline).await;
        }
        let source = &self.replicas[from];
        let files: Vec<String> = {
            let instance = source.instance().expect("only a running replica worked");
            let state = instance.state();
            let entry = state.database(database).expect("it has the database");
            entry
                .files
                .iter()
                .map(|file| file.physical_name.clone())
                .collect()
        };
        for replica in self.running().filter(|one| !Arc::ptr_eq(one, source)) {
            for path in &files {
                let bytes = source.disk().bytes(path).expect("the file is there");
                replica.disk().put(path, bytes);
            }
        }
        for replica in self.running() {
            Sql::on(replica)
                .go(&format!("ALTER DATABASE [{database}] SET ONLINE"))
                .await;
        }
    }
}
