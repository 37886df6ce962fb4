//! Instances: registered under a name, marked as one vault's own, and let go again.

mod logging_in;

use catalog::record::{ServerId, ServerSettings, Trust};
use faults::Fault;
use mssql::Secret;

use crate::vault::Vault;

pub(crate) use logging_in::{Stopwatch, connecting, failed, said};

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

impl Vault {
    /// Registers an instance: connects, reads its facts, marks it, probes what the vault needs. It is registered, and its databases are
    /// listed, even where probes fail; it is not where it cannot be reached or belongs to another vault.
    ///
    /// # Errors
    /// The name is taken or wrong, the instance cannot be reached, refuses the login, or belongs to another vault.
    pub async fn add_server(&self, _new: NewServer) -> Result<ServerId, Fault> {
        unimplemented!()
    }
}
