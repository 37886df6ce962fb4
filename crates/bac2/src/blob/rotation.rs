//! Keys that change while the server serves: the accounts file is read again when it changes, and at SIGHUP.
//!
//! A file that is missing or wrong changes nothing: the accounts stay as they were and the log says why, so that a slip
//! while editing locks nobody out. A file is read once it has been the same for one look, since it may be half written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use frontdoor::Accounts;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::accounts::{self, Account};
use crate::failure::Failure;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What tells that a file has changed: when, how long, and which file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<(SystemTime, u64, u64)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let seen = fs::metadata(path).and_then(|data| Ok((data.modified()?, data.len(), inode(&data))));
        Stamp(seen.ok())
    }
}

#[cfg(unix)]
fn inode(data: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    data.ino()
}

#[cfg(not(unix))]
fn inode(_data: &fs::Metadata) -> u64 {
    0
}

/// Keeps `accounts` in step with the file until the runtime ends. `given` are those of the command line, which stay.
///
/// # Errors
/// Signals cannot be received.
pub(super) fn keep(file: PathBuf, given: Vec<Account>, accounts: Accounts) -> io::Result<()> {
    let mut hangup = Hangup::new()?;
    let mut read = Stamp::of(&file);
    let mut seen = read;
    tokio::spawn(async move {
        loop {
            let asked = tokio::select! {
                () = sleep(LOOK) => false,
                () = hangup.next() => true,
            };
            let now = stamp(&file).await;
            let settled = now == std::mem::replace(&mut seen, now);
            if asked || settled && now != read {
                read = now;
                reload(file.clone(), given.clone(), &accounts).await;
            }
        }
    });
    Ok(())
}

async fn stamp(file: &Path) -> Stamp {
    let file = file.to_owned();
    spawn_blocking(move || Stamp::of(&file))
        .await
        .unwrap_or(Stamp(None))
}

async fn reload(file: PathBuf, given: Vec<Account>, accounts: &Accounts) {
    let path = file.display().to_string();
    match spawn_blocking(move || read(&file, given)).await {
        Ok(Ok(new)) => {
            let names: Vec<String> = (new.iter())
                .map(|account| format!("{} ({} keys)", account.name, account.keys.len()))
                .collect();
            tracing::info!(
                file = path,
                accounts = names.join(", "),
                "the accounts were read again"
            );
            accounts.replace(new);
        }
        Ok(Err(failure)) => {
            let why = failure.to_string().replace('\n', "");
            tracing::error!(
                file = path,
                why,
                "the accounts file is not usable; the accounts stay as they were"
            );
        }
        Err(_) => tracing::error!(
            file = path,
            "reading the accounts broke down; they stay as they were"
        ),
    }
}

fn read(file: &Path, mut given: Vec<Account>) -> Result<Vec<frontdoor::Account>, Failure> {
    given.extend(accounts::read(file)?);
    accounts::joined(given)
}

/// SIGHUP, where there is such a signal.
struct Hangup(#[cfg(unix)] tokio::signal::unix::Signal);

impl Hangup {
    #[cfg(unix)]
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Hangup(signal(SignalKind::hangup())?))
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    #[cfg(not(unix))]
    fn new() -> io::Result<Self> {
        Ok(Hangup())
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}
