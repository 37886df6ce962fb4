//! Instances: registered under a name, marked as one vault's own, and let go again.
//!
//! `adding` registers, `changing` registers again and changes, `leaving` lets go; `marker` is what the vault writes into an
//! instance, `identity` judges by it whether the one that answers is the one that was registered; `hosts` are machines with
//! several instances, `many` reads registrations from a csv file, `logging_in` opens sessions.
//!
//! Invariants: one instance belongs to one vault and is registered once in it; the record is there before the marker is; a secret
//! is in the catalog only encrypted, and in a csv file never.

mod adding;
mod changing;
mod hosts;
mod identity;
mod leaving;
mod logging_in;
pub mod many;
mod marker;
mod scripts;

use catalog::record::{ServerSettings, Trust};
use mssql::Secret;

pub use changing::ServerChange;
pub(crate) use identity::{Identity, Known, judge};
pub(crate) use logging_in::{Stopwatch, connecting, failed, said};
pub use marker::MARKER_NAME;
pub(crate) use marker::marked;

/// An instance to be registered.
#[derive(Debug, Clone)]
pub struct NewServer {
    /// What people shall call it; 1 to 128 characters, without a slash.
    pub name: String,
    /// `HOST`, `HOST,PORT` or `HOST\INSTANCE`.
    pub address: String,
    /// How to log in.
    pub login: NewLogin,
    /// How to log in for restores, where that is another login.
    pub restore_login: Option<NewLogin>,
    /// Which certificate to take.
    pub trust: Trust,
    /// Replace the marker of another vault, which is dead.
    pub take_over: bool,
    /// What is set for it.
    pub settings: ServerSettings,
}

/// A login with its secret in the open; in the catalog the secret is encrypted.
#[derive(Debug, Clone)]
pub enum NewLogin {
    /// SQL Server's own login.
    Sql {
        /// Its name.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// The account that the vault runs as.
    Windows,
    /// Microsoft Entra ID, by a service principal.
    Entra {
        /// Application (client) id.
        client: String,
        /// Tenant.
        tenant: String,
        /// Its secret.
        secret: Secret,
    },
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Discovery and backups.
    Backup,
    /// Restores.
    Restore,
}
