//! What a front door is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use azblob::names::AccountName;
use azblob::shared_key::Secret;

use crate::host::Host;
use crate::limits;
use crate::tls::Certificates;

/// A storage account: its name in URLs, and the keys that sign its requests.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name.
    pub name: AccountName,
    /// One key, or two while keys are being rotated; any of them is accepted.
    pub keys: Vec<Secret>,
}

/// How to serve.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen, at least one address. Port 0 takes a free one; [`crate::Server::local_addrs`] says which.
    pub listen: Vec<SocketAddr>,
    /// TLS on all of them, with certificates from here; `None`: plain http.
    pub tls: Option<Certificates>,
    /// What clients call this server, beside `localhost` and the loopback addresses. A certificate of the vault's own
    /// covers each of them, and `ACCOUNT.HOST` below each DNS name.
    pub hosts: Vec<Host>,
    /// Where `/-/health` and `/-/metrics` are answered, in plain http and to everybody; `None`: nowhere.
    pub health: Option<SocketAddr>,
    /// Who may ask. Requests for other accounts are refused; nobody is served without a signature.
    pub accounts: Vec<Account>,
    /// The data directory, for the control socket in it. Without one there is no control socket.
    pub control: Option<PathBuf>,
    /// Threads that verify backups; `None`: one a core.
    pub proof_threads: Option<usize>,
    /// Seal each blob whose verdict is final and ok, so that nobody changes or deletes it over the protocol.
    pub seal_proved: bool,
    /// How long nothing is written to a page or append blob before it is judged; the end of its lease ends the wait. As
    /// [`crate::limits::PROOF_QUIET`] unless for tests.
    pub proof_quiet: Duration,
}

impl Config {
    /// Serves these accounts at this address, with a control socket in `data`.
    pub fn new(listen: SocketAddr, accounts: Vec<Account>, data: impl Into<PathBuf>) -> Self {
        Config {
            listen: vec![listen],
            tls: None,
            health: None,
            hosts: Vec::new(),
            accounts,
            control: Some(data.into()),
            proof_threads: None,
            seal_proved: false,
            proof_quiet: limits::PROOF_QUIET,
        }
    }
}
