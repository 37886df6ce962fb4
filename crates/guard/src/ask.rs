//! SQL Server's own word on what runs.
//!
//! Observation cannot tell a backup that waits from one that died. An instance can: every BACKUP and RESTORE that runs
//! stands in `sys.dm_exec_requests`. The guard takes the answer through this small trait.

use std::future::Future;

use crate::place::Place;

/// The instances that back up to the account.
pub trait Ask: Sync {
    /// Every BACKUP and RESTORE that runs on them at this moment.
    ///
    /// # Errors
    /// [`Unanswered`] where any of them could not be asked, or the login sees only its own sessions: then nothing may
    /// be broken.
    fn running(&self) -> impl Future<Output = Result<Vec<Running>, Unanswered>> + Send;
}

/// One BACKUP or RESTORE that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The instance.
    pub server: String,
    /// Its session, for KILL and for reports.
    pub session: i32,
    /// `BACKUP DATABASE`, `RESTORE LOG`, ...
    pub command: String,
    /// The URLs that it names.
    pub devices: Devices,
}

/// The backup devices of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Devices {
    /// These URLs, as written in the statement.
    Named(Vec<String>),
    /// The statement's text does not show them (a variable, a device name, a text that is not to be had): it may use
    /// any blob.
    Hidden,
}

/// An instance that could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{server} could not be asked what it runs: {reason}")]
pub struct Unanswered {
    /// The instance.
    pub server: String,
    /// Why.
    pub reason: String,
}

/// No instance is asked.
#[derive(Clone, Copy, Debug)]
pub struct NobodyAsked;

impl Ask for NobodyAsked {
    async fn running(&self) -> Result<Vec<Running>, Unanswered> {
        Ok(Vec::new())
    }
}

impl Running {
    /// Whether the statement names the blob, or may. A URL counts by its path: an account answers to several host names
    /// (its own, a mirror's, a private one), and a blob too many that is left alone does no harm.
    pub fn may_use(&self, place: &Place) -> bool {
        match &self.devices {
            Devices::Hidden => true,
            Devices::Named(urls) => urls.iter().any(|url| names(url, place)),
        }
    }
}

/// The container of blobs whose URLs name none.
const ROOT: &str = "$root";

/// Whether the path of `url` ends with the container and the blob; of the root container, which a URL leaves out, with
/// the blob. Letters' case counts in neither: SQL Server keeps what the user wrote, and a container that differs only in
/// case cannot exist. A name may hold a `?` or `#` that was written as it is, so the whole text is compared too.
fn names(url: &str, place: &Place) -> bool {
    let url = url.trim();
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let wanted = if place.container == ROOT {
        format!("/{}", place.blob)
    } else {
        format!("/{}/{}", place.container, place.blob)
    };
    let wanted = wanted.to_lowercase();
    [
        plain.to_owned(),
        url.to_owned(),
        percent_decoded(plain),
        percent_decoded(url),
    ]
    .iter()
    .any(|path| path.to_lowercase().ends_with(&wanted))
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}
