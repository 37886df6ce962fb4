//! A PostgreSQL server of the test's own, from the system's packages: in a temporary folder, reached through a
//! socket in it, and gone with the test.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use catalog::sql::Location;
use rustix::process::{Pid, Signal, getuid, kill_process};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use crate::subject::Sql;

/// A running server.
pub(crate) struct Server {
    folder: TempDir,
    child: Child,
    databases: AtomicU32,
}

impl Server {
    /// Starts one; nothing where the programs are not installed, with the reason.
    pub(crate) fn start() -> Result<Self, String> {
        let programs = programs().ok_or("its programs are not here (Debian: apt-get install postgresql)")?;
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let user = user();
        if let Some(user) = user {
            chown(folder.path(), Some(user), Some(user)).map_err(|error| error.to_string())?;
        }
        let data = folder.path().join("data");
        let command = |name: &str| {
            let mut command = Command::new(programs.join(name));
            if let Some(user) = user {
                command.uid(user).gid(user);
            }
            command.current_dir(folder.path()).stdin(Stdio::null());
            command
        };
        // The order of a language, so that a comparison that is not bytewise is seen to be wrong.
        let made = command("initdb")
            .args(["--auth=trust", "--username=bac2", "--encoding=UTF8", "--no-sync"])
            .args(["--locale-provider=icu", "--icu-locale=en-US", "--pgdata"])
            .arg(&data)
            .output()
            .map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(format!(
                "initdb failed: {}",
                String::from_utf8_lossy(&made.stderr)
            ));
        }
        let log = fs::File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses=", "-c", "max_connections=200"])
            // No case cuts the power, and making a database syncs every file of it.
            .args(["-c", "fsync=off", "-c", "autovacuum=off"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| error.to_string())?;
        let server = Self {
            folder,
            child,
            databases: AtomicU32::new(0),
        };
        server.wait()?;
        Ok(server)
    }

    /// Waits until it answers.
    #[allow(clippy::disallowed_methods)] // A test waits for a real server.
    fn wait(&self) -> Result<(), String> {
        let socket = self.folder.path().join(".s.PGSQL.5432");
        for _ in 0..6_000 {
            if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        Err(format!("the server did not start: {log}"))
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://bac2@localhost/{database}?host={}",
            self.folder.path().display()
        )
    }

    /// Connects without the catalog.
    pub(crate) async fn connect(&self, database: &str) -> PgConnection {
        for _ in 0..6_000 {
            match PgConnection::connect(&self.url(database)).await {
                Ok(connection) => return connection,
                // It accepts connections a moment before it serves them.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("the server does not answer");
    }

    /// A subject in a new database.
    pub(crate) async fn subject(&self) -> Sql {
        Sql {
            location: Location::parse(&self.url(&self.database().await)).unwrap(),
            _folder: None,
        }
    }

    /// A new database on another file system.
    pub(crate) async fn database_on(&self, folder: &Path) -> String {
        let name = format!("case{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let inner = folder.join("space");
        fs::create_dir(&inner).unwrap();
        if let Some(user) = user() {
            chown(&inner, Some(user), Some(user)).unwrap();
        }
        let mut admin = self.connect("postgres").await;
        let statements = [
            format!("CREATE TABLESPACE small LOCATION '{}'", inner.display()),
            format!("CREATE DATABASE {name} TABLESPACE small"),
        ];
        for statement in statements {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&mut admin)
                .await
                .unwrap();
        }
        name
    }

    /// A new database's name.
    pub(crate) async fn database(&self) -> String {
        let name = format!("case{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let mut admin = self.connect("postgres").await;
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(statement).execute(&mut admin).await.unwrap();
        name
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        // At once: nothing of it is needed any more.
        let _ = kill_process(pid, Signal::QUIT);
        let _ = self.child.wait();
    }
}

/// The folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let path = version.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            Some((number, path.join("bin")))
        })
        .filter(|(_, bin)| bin.join("postgres").exists() && bin.join("initdb").exists())
        .collect();
    found.sort();
    Some(found.pop()?.1)
}

/// Whom the server runs as, when the test runs as root, which it refuses.
fn user() -> Option<u32> {
    if !getuid().is_root() {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = passwd.lines().find(|line| line.starts_with("postgres:"));
    let number = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
    // nobody, by convention.
    Some(number.unwrap_or(65534))
}

/// Says on standard output why cases are left out, in the words that `./test` looks for.
pub(crate) fn say_skipped(why: &str) {
    let _ = writeln!(
        std::io::stdout(),
        "skipped: the catalog's contract on PostgreSQL: {why}"
    );
}
