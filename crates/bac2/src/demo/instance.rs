//! A simulated SQL Server of the demo: a process of `bac2 sim`, and T-SQL to it over TDS.
//!
//! It is a process of its own because one of them dies in the story, as a process does. None outlives the demo: each ends with
//! its standard input, whose other end is here.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use mssql::tds::Tds;
use mssql::value::FromValue;
use mssql::{Address, Authentication, Rows, Secret, Session, Target, Trust};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::door::HOST;

/// The release that is simulated.
pub(super) const RELEASE: &str = "2022";

/// How long one batch of the demo may take: far more than it needs.
const BATCH: Duration = Duration::from_secs(60);

/// How an instance is started.
#[derive(Debug, Clone)]
pub(super) struct Start {
    /// The machine's name, by which people know it.
    pub(super) name: String,
    /// Its folder.
    pub(super) data: PathBuf,
    /// PEM of whom it trusts for backups.
    pub(super) trusts: PathBuf,
    /// Where the door really is.
    pub(super) door: SocketAddr,
    /// Another folder whose files it may read.
    pub(super) reads: Option<PathBuf>,
}

/// An instance; its process ends with this.
pub(super) struct Instance {
    start: Start,
    password: Secret,
    port: u16,
    process: Mutex<Option<Child>>,
}

/// The line that says that it is ready.
#[derive(Debug, Deserialize)]
struct Ready {
    address: SocketAddr,
    simulated: bool,
}

impl Instance {
    /// Starts it at a port that is free.
    pub(super) async fn start(start: Start) -> Result<Self> {
        fs::create_dir_all(&start.data)?;
        let password = format!("Demo-{}", uuid::Uuid::new_v4());
        fs::write(password_file(&start), &password)?;
        let (child, ready) = spawn(&start, 0).await?;
        Ok(Self {
            start,
            password: Secret::new(password),
            port: ready.address.port(),
            process: Mutex::new(Some(child)),
        })
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        &self.start.name
    }

    /// Its folder.
    pub(super) fn data(&self) -> &Path {
        &self.start.data
    }

    /// Where it is reached: `HOST,PORT`.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1,{}", self.port)
    }

    /// The password of `sa`.
    pub(super) fn password(&self) -> &Secret {
        &self.password
    }

    /// Whether its process has ended by itself.
    pub(super) fn has_died(&self) -> Result<bool> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let child = process.as_mut().context("the instance was never started")?;
        Ok(child.try_wait()?.is_some())
    }

    /// Starts it again at the same port, with what lies in its folder, as whoever watches over a service does.
    pub(super) async fn start_again(&self) -> Result<()> {
        let (child, _) = spawn(&self.start, self.port).await?;
        let before = self
            .process
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(child);
        before.map_or(Ok(()), end)
    }

    /// Runs statements that must all succeed.
    pub(super) async fn execute(&self, text: &str) -> Result<()> {
        let mut session = self.session().await?;
        let ran = session.execute(text).await;
        session.close().await;
        ran.map(drop).with_context(|| self.doing(text))
    }

    /// Runs a statement for its rows.
    pub(super) async fn query(&self, text: &str) -> Result<Rows> {
        let mut session = self.session().await?;
        let rows = session.query(text).await;
        session.close().await;
        rows.with_context(|| self.doing(text))
    }

    /// The value of the only column that is called `v`, of the first row.
    pub(super) async fn value<T: FromValue>(&self, text: &str) -> Result<T> {
        let rows = self.query(text).await?;
        let row = rows
            .first()
            .with_context(|| format!("{}: no row", self.doing(text)))?;
        row.get("v").map_err(|error| anyhow!("{error}"))
    }

    /// Makes trouble: a line as `EXEC sim_fault` takes it.
    pub(super) async fn fault(&self, line: &str) -> Result<()> {
        self.execute(&format!("EXEC sim_fault {}", literal(line))).await
    }

    async fn session(&self) -> Result<Session> {
        let address: Address = self.address().parse().context("an address of this machine")?;
        let authentication = Authentication::Password {
            user: "sa".to_owned(),
            password: self.password.clone(),
        };
        let target = Target {
            program: "bac2 demo".to_owned(),
            // Its certificate is its own, and it is a child of this process at an address of this machine.
            ..Target::new(address, authentication, Trust::Anyone)
        };
        let mut session = Session::open(&Tds::default(), &target)
            .await
            .with_context(|| format!("{} does not let the demo in", self.start.name))?;
        session.within = Some(BATCH);
        Ok(session)
    }

    fn doing(&self, text: &str) -> String {
        let start: String = text.chars().take(80).collect();
        format!("{} was asked to: {start}", self.start.name)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = process.take() {
            // Nobody is left to tell.
            let _ = end(child);
        }
    }
}

/// A name in brackets.
pub(super) fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// Text in quotes.
pub(super) fn literal(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

fn password_file(start: &Start) -> PathBuf {
    start.data.with_extension("sa")
}

/// Ends a process that may have ended.
fn end(mut child: Child) -> Result<()> {
    // An error means that it has ended.
    let _ = child.kill();
    child.wait()?;
    Ok(())
}

async fn spawn(start: &Start, port: u16) -> Result<(Child, Ready)> {
    let start = start.clone();
    spawn_blocking(move || spawn_here(&start, port)).await?
}

fn spawn_here(start: &Start, port: u16) -> Result<(Child, Ready)> {
    let complaints = start.data.with_extension("log");
    let mut command = Command::new(std::env::current_exe().context("where this program is")?);
    command
        .args(["sim", "-o", "json", "--until-stdin-ends", "--version", RELEASE])
        .args(["--listen", &format!("127.0.0.1:{port}"), "--machine", &start.name])
        .args(["--host-at", &format!("{HOST}={}", start.door)])
        .arg("--data")
        .arg(&start.data)
        .arg("--trust-ca")
        .arg(&start.trusts)
        .arg("--sa-password-file")
        .arg(password_file(start));
    if let Some(folder) = &start.reads {
        command.arg("--allow-dir").arg(folder);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&complaints)?)
        .spawn()
        .context("the simulated instance cannot be started")?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    match serde_json::from_str::<Ready>(&line) {
        Ok(ready) => {
            ensure!(ready.simulated, "what answers says that it is no simulation");
            Ok((child, ready))
        }
        Err(_) => {
            end(child)?;
            let said = fs::read_to_string(&complaints).unwrap_or_default();
            Err(anyhow!("{} did not start: {}", start.name, said.trim()))
        }
    }
}
