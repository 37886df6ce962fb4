//! A process of `bac2 sim`, and T-SQL to it over TDS.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use mssql::tds::Tds;
use mssql::{Address, Authentication, Message, Rows, Secret, Session, Target, Trust, Value};

use super::door::{Door, HOST};
use super::{LOOK, PATIENCE};

/// Password of `sa`.
pub(crate) const PASSWORD: &str = "Test-1234";

/// The versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    V2012,
    V2014,
    V2016,
    V2017,
    V2019,
    V2022,
    V2025,
}

impl Release {
    fn year(self) -> &'static str {
        match self {
            Self::V2012 => "2012",
            Self::V2014 => "2014",
            Self::V2016 => "2016",
            Self::V2017 => "2017",
            Self::V2019 => "2019",
            Self::V2022 => "2022",
            Self::V2025 => "2025",
        }
    }
}

/// How an instance is started.
pub(crate) struct Start {
    pub(crate) release: Release,
    /// The build it says it is, where it is not the version's usual one.
    pub(crate) build: Option<&'static str>,
    /// Name of the machine.
    pub(crate) machine: String,
    /// Where it listens, a free port for 0.
    pub(crate) listen: SocketAddr,
    /// Whether a SQL Server Browser answers for it, at the usual port of the same address.
    pub(crate) has_browser: bool,
    /// Name of the instance, where it is not the default one.
    pub(crate) instance: Option<String>,
    /// PEM that it trusts for backups; none: nobody.
    pub(crate) trust_ca: Option<PathBuf>,
    /// Where `vault.example` leads to; none: nowhere.
    pub(crate) door: Option<SocketAddr>,
    /// Whether a client may go without encryption: `off`, `offered`, `required`.
    pub(crate) encryption: &'static str,
    /// Certificate and key for clients, in PEM; one is made where there is none.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    /// Its folder.
    pub(crate) data: PathBuf,
}

impl Start {
    pub(super) fn new(release: Release, number: u32, folder: &Path, door: &Door) -> Self {
        Self {
            release,
            build: None,
            machine: format!("SQL{number}"),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            has_browser: false,
            instance: None,
            trust_ca: Some(door.ca.clone()),
            door: Some(door.address),
            encryption: "offered",
            certificate: None,
            data: folder.join(format!("sql{number}")),
        }
    }
}

/// An instance; its process ends with this.
pub(crate) struct Server {
    start: Start,
    process: Mutex<Process>,
    port: u16,
    /// A session that asks now and then: to open one costs more than to ask.
    asking: tokio::sync::Mutex<Option<Session>>,
}

struct Process {
    child: Option<Child>,
    certificate: Option<String>,
}

impl Server {
    pub(super) async fn start(start: Start) -> Self {
        let (child, ready) = spawn(&start, start.listen.port()).expect("it starts");
        let address: SocketAddr = ready["address"].as_str().expect("an address").parse().unwrap();
        Self {
            start,
            process: Mutex::new(Process {
                child: Some(child),
                certificate: ready["certificate"].as_str().map(str::to_owned),
            }),
            port: address.port(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap()
    }

    /// The machine's name.
    pub(crate) fn name(&self) -> &str {
        &self.start.machine
    }

    /// How it is reached: `127.0.0.1,PORT`.
    pub(crate) fn address(&self) -> String {
        format!("{},{}", self.start.listen.ip(), self.port)
    }

    /// Its folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.start.data.canonicalize().unwrap()
    }

    /// PEM of the certificate that it shows.
    pub(crate) fn certificate(&self) -> String {
        let certificate = self.process().certificate.clone();
        certificate.expect("it encrypts")
    }

    /// Its process ends at once, as by a loss of power.
    pub(crate) fn kill(&self) {
        let child = self.process().child.take();
        if let Some(mut child) = child {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// Starts it again at the same port, with whatever lies in its folder. Meanwhile the port may have become somebody's who asked for
    /// any; that passes.
    pub(crate) fn start_again(&self) {
        self.kill();
        let patience = Instant::now() + PATIENCE;
        let (child, ready) = loop {
            match spawn(&self.start, self.port) {
                Ok(started) => break started,
                Err(said) => assert!(Instant::now() < patience, "no instance started: {said}"),
            }
            std::thread::sleep(LOOK);
        };
        let mut process = self.process();
        process.child = Some(child);
        process.certificate = ready["certificate"].as_str().map(str::to_owned);
    }

    /// Another instance takes its place at the same port: of the same release, and with a folder and a name of its own.
    pub(crate) fn give_way_to(&mut self, machine: &str) {
        self.kill();
        self.start.machine = machine.to_owned();
        self.start.data.set_file_name(machine);
        self.start_again();
    }

    /// Whether its process runs.
    pub(crate) fn is_running(&self) -> bool {
        let mut process = self.process();
        let child = process.child.as_mut();
        child.is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// A session as `sa`.
    pub(crate) async fn session(&self) -> Session {
        self.session_as("sa", PASSWORD).await
    }

    /// A session of a login.
    pub(crate) async fn session_as(&self, user: &str, password: &str) -> Session {
        let address: Address = self.address().parse().unwrap();
        let authentication = Authentication::Password {
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
        };
        let mut target = Target::new(address, authentication, Trust::Anyone);
        target.within = PATIENCE;
        Session::open(&Tds::default(), &target).await.unwrap()
    }

    /// Runs a batch that must succeed.
    pub(crate) async fn sql(&self, text: &str) {
        let mut session = self.session().await;
        if let Err(error) = session.execute(text).await {
            panic!("{text}: {error}");
        }
        session.close().await;
    }

    /// Runs a batch, whatever comes of it; what the server said.
    pub(crate) async fn try_sql(&self, text: &str) -> Vec<Message> {
        let mut session = self.session().await;
        let ran = session.run(text, Some(PATIENCE)).await;
        session.close().await;
        ran.outcome.messages
    }

    /// Asks in the session that is kept for it; it is opened anew where the instance ended it meanwhile.
    async fn ask(&self, text: &str) -> Rows {
        let mut kept = self.asking.lock().await;
        if let Some(mut session) = kept.take() {
            match session.query(text).await {
                Ok(rows) => {
                    *kept = Some(session);
                    return rows;
                }
                Err(error) if error.is_lost() => {}
                Err(error) => panic!("{text}: {error}"),
            }
        }
        let mut session = self.session().await;
        let rows = session
            .query(text)
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        *kept = Some(session);
        rows
    }

    /// The first value of the first row.
    pub(crate) async fn value(&self, text: &str) -> Value {
        let rows = self.ask(text).await;
        let row = rows.rows.first().unwrap_or_else(|| panic!("{text}: no row"));
        row[0].clone()
    }

    /// All rows.
    pub(crate) async fn rows_of(&self, text: &str) -> Vec<Vec<Value>> {
        let rows = self.ask(text).await;
        rows.rows
    }

    /// Makes trouble: a line of the crate simsql's module `faults`, as `EXEC sim_fault` takes it.
    pub(crate) async fn fault(&self, line: &str) {
        self.sql(&format!("EXEC sim_fault N'{}'", line.replace('\'', "''")))
            .await;
    }

    /// Encrypts the database Shop with a certificate `tde` of this instance's own.
    pub(crate) async fn encrypt_shop(&self) {
        for text in [
            "CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'p4ssW0rd!'; CREATE CERTIFICATE tde WITH SUBJECT = 'abc'",
            "USE Shop; CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE tde",
            "ALTER DATABASE Shop SET ENCRYPTION ON",
        ] {
            self.sql(text).await;
        }
    }

    /// Makes a database in the full recovery model, with a table `dbo.Orders (id int identity, what varchar(4000))` and some rows.
    pub(crate) async fn make_database(&self, name: &str) {
        let quoted = quoted(name);
        self.sql(&format!(
            "CREATE DATABASE {quoted}; ALTER DATABASE {quoted} SET RECOVERY FULL"
        ))
        .await;
        self.sql(&format!(
            "CREATE TABLE {quoted}.dbo.Orders (id int IDENTITY(1,1), what varchar(4000))"
        ))
        .await;
        self.add_rows(name, 5).await;
    }

    /// Does something in a database again and again, until it fails; with which number.
    pub(crate) async fn until_it_fails(&self, database: &str, deed: &str) -> i64 {
        let text = format!(
            "USE {}; BEGIN TRY WHILE 1 = 1 {deed} END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS n END CATCH",
            quoted(database)
        );
        let mut session = self.session().await;
        let rows = session
            .query(&text)
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        session.close().await;
        match rows.rows[0][0] {
            Value::Integer(number) => number,
            ref other => panic!("the number of an error: {other:?}"),
        }
    }

    /// Adds rows of about a kilobyte.
    pub(crate) async fn add_rows(&self, name: &str, count: usize) {
        let rows = vec!["(REPLICATE('x', 1000))"; count].join(", ");
        self.sql(&format!(
            "INSERT INTO {}.dbo.Orders (what) VALUES {rows}",
            quoted(name)
        ))
        .await;
    }

    /// Another tool backs a database up to a file of the instance: `DATABASE` or `LOG`, with options such as `DIFFERENTIAL`.
    pub(crate) async fn foreign_backup(&self, what: &str, name: &str, file: &str, with: &str) {
        let with = if with.is_empty() {
            String::new()
        } else {
            format!(" WITH {with}")
        };
        let path = self.data().join(file);
        self.sql(&format!(
            "BACKUP {what} {} TO DISK = N'{}'{with}",
            quoted(name),
            path.display()
        ))
        .await;
    }

    /// The session that takes a backup now.
    pub(crate) async fn backup_session(&self) -> Option<i64> {
        let asked = "SELECT session_id AS n FROM sys.dm_exec_requests WHERE command LIKE 'BACKUP%'";
        let rows = self.ask(asked).await;
        match rows.rows.first()?.first()? {
            Value::Integer(id) => Some(*id),
            other => panic!("the number of a session: {other:?}"),
        }
    }

    /// How many rows `dbo.Orders` has.
    pub(crate) async fn rows(&self, name: &str) -> i64 {
        match self
            .value(&format!("SELECT COUNT(*) AS n FROM {}.dbo.Orders", quoted(name)))
            .await
        {
            Value::Integer(count) => count,
            other => panic!("a count is a number: {other:?}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A name in brackets.
pub(crate) fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// Starts the process and waits until it is ready.
///
/// # Errors
/// It ended before; what it said.
fn spawn(start: &Start, port: u16) -> Result<(Child, serde_json::Value), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bac2"));
    command
        .args([
            "sim",
            "--sa-password",
            PASSWORD,
            "--version",
            start.release.year(),
        ])
        .args([
            "--listen",
            &SocketAddr::new(start.listen.ip(), port).to_string(),
            "--machine",
            &start.machine,
        ])
        .args(["--encryption", start.encryption])
        .arg("--data")
        .arg(&start.data);
    if start.has_browser {
        command.args(["--browser", &SocketAddr::new(start.listen.ip(), 1434).to_string()]);
    }
    if let Some(instance) = &start.instance {
        command.args(["--instance", instance]);
    }
    if let Some(build) = start.build {
        command.args(["--build", build]);
    }
    if let Some(ca) = &start.trust_ca {
        command.arg("--trust-ca").arg(ca);
    }
    if let Some(door) = start.door {
        command.args(["--host-at", &format!("{HOST}={door}")]);
    }
    if let Some((certificate, key)) = &start.certificate {
        command
            .arg("--tls-cert")
            .arg(certificate)
            .arg("--tls-key")
            .arg(key);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut line).expect("a line");
    match serde_json::from_str(&line) {
        Ok(ready) => Ok((child, ready)),
        Err(_) => {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().expect("ours");
            Err(line)
        }
    }
}
