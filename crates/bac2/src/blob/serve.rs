//! `bac2 blob serve`: a data directory behind an Azure Blob endpoint.
//!
//! Wiring only: settings, accounts, log, store, door, signals. Plain http is for loopback: on any other address it is
//! refused, so that no key signature and no backup crosses a network in the clear.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use blobstore::Store;
use clap::Args;
use frontdoor::tls::Certificates;
use frontdoor::{Config, Host, Reloader, Server, StartError};

use super::accounts::{self, Account};
use super::settings::{HTTPS, Settings, address};
use super::{listening, open_to_serve, rotation};
use crate::ca;
use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::logging::{self, LogFormat};
use crate::stopping;

/// Serves a folder as an Azure Blob endpoint.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 blob serve --data ./vault --tls --host backup.example --accounts-file ./accounts
  bac2 blob serve --data ./vault --listen 127.0.0.1:10000 --accounts-file ./accounts
  bac2 blob serve --data ./vault --config /etc/bac2.toml

The accounts file has one NAME=BASE64KEY a line; a name may have two lines while its key is being
changed. It is read again when it changes, and on SIGHUP; without --accounts-file it is the file
`accounts` in the data directory. This makes one:
  printf 'vault01=%s\\n' \"$(openssl rand -base64 64 | tr -d '\\n')\" > accounts && chmod 600 accounts

With --tls the vault makes its own certificate authority in the data directory, and certificates
that it renews by itself; `bac2 ca export` prints what clients must trust. With --tls-cert and
--tls-key your own are served; they are read again when the files change, and on SIGHUP. Plain http
is served on loopback addresses only.

A configuration file, whole; flags win over it:
  listen = [\"[::]:443\"]
  hosts = [\"backup.example\"]
  accounts-file = \"accounts\"
  health-listen = \"127.0.0.1:9180\"
  log-format = \"json\"
  seal-proved = true
  [tls]                             # this line alone: the vault's own authority
  certificate = \"fullchain.pem\"
  key = \"privkey.pem\"

An account is the first part of the path (https://HOST/vault01/container/blob), or the first label
of the host (https://vault01.HOST/container/blob), or the only one there is
(https://HOST/container/blob).

Prints one line when it is ready. Ctrl-C or SIGTERM stops it in order. The log goes to standard
error; BAC2_LOG sets its level (error, warn, info, debug), and
BAC2_LOG=info,frontdoor::request_log=debug adds a line for every request.")]
pub(crate) struct Arguments {
    /// The data directory; made where it does not exist
    #[arg(long, value_name = "DIR")]
    pub(super) data: PathBuf,

    /// Configuration file in TOML; flags win over it
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Address and port to listen on, may be given again; port 0 takes a free one; port 443 everywhere with --tls
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) listen: Vec<SocketAddr>,

    /// Serve https; with a certificate of the vault's own unless --tls-cert is given
    #[arg(long)]
    pub(super) tls: bool,

    /// Your own certificate in PEM, its chain after it
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,

    /// The key of your own certificate in PEM, without a password
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,

    /// Name or address that clients use for this server, may be given again
    #[arg(long, value_name = "NAME")]
    pub(super) host: Vec<Host>,

    /// Address and port for /-/health and /-/metrics (Prometheus), in plain http and without a signature
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) health_listen: Option<SocketAddr>,

    /// How the log is written; text on a terminal and json elsewhere, unless given here or in BAC2_LOG_FORMAT
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,

    /// An account and its key, for tests: others on this machine can see it in the list of processes
    #[arg(long, value_name = "NAME=BASE64KEY")]
    pub(super) account: Vec<Account>,

    /// File with one NAME=BASE64KEY a line
    #[arg(long, value_name = "FILE")]
    pub(super) accounts_file: Option<PathBuf>,

    /// Seal each blob whose verdict is final and ok: no key, SAS or lease changes or deletes it any more
    ///
    /// The stripes of a backup are sealed when all of them are there; a family of an incomplete set is not ok. What was
    /// proved before is sealed at the start, a blob under a lease when the lease ends. bac2 blob unseal lifts a seal.
    #[arg(long)]
    pub(super) seal_proved: bool,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let settings = Settings::of(arguments)?;
    let mut given = arguments.account.clone();
    if !given.is_empty() {
        console.warn(
            "--account shows a key to everybody who can list processes; use --accounts-file outside of tests",
        );
    }
    if let Some(file) = &settings.accounts_file {
        given.extend(accounts::from_file(file, console)?);
    }
    let accounts = accounts::joined(given)?;
    warn_of_names(&settings, console);
    logging::start(settings.log_format)?;
    let store = Arc::new(open_to_serve(&arguments.data)?);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| not_started(&StartError::Threads(error)))?;
    runtime.block_on(serve(arguments, settings, accounts, store, console))
}

/// A certificate for localhost alone helps nobody elsewhere.
fn warn_of_names(settings: &Settings, console: &Console) {
    let outside = settings.listen.iter().any(|address| !address.ip().is_loopback());
    if outside && settings.hosts.is_empty() && matches!(settings.tls, Some(Certificates::Vault(_))) {
        console.warn(
            "no --host was given, so the certificate is good for localhost only; SQL Servers elsewhere need a DNS name",
        );
    }
}

async fn serve(
    arguments: &Arguments,
    settings: Settings,
    accounts: Vec<frontdoor::Account>,
    store: Arc<Store>,
    console: &Console,
) -> Result<(), Failure> {
    let accounts_file = settings.accounts_file.clone();
    let mut ready = Ready {
        data: arguments.data.display().to_string(),
        scheme: if settings.tls.is_some() { "https" } else { "http" },
        hosts: settings.hosts.iter().map(Host::to_string).collect(),
        accounts: accounts.iter().map(|a| a.name.as_str().to_owned()).collect(),
        health: None,
    };
    let config = Config {
        listen: settings.listen,
        tls: settings.tls,
        hosts: settings.hosts,
        health: settings.health,
        seal_proved: settings.seal_proved,
        ..Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), accounts, &arguments.data)
    };
    let server = Server::bind(config, store)
        .await
        .map_err(|error| not_started(&error))?;
    ready.health = server.health_addr();
    let stop = stopping::asked().map_err(|error| no_signals(&error))?;
    reload_on_hangup(server.reloader()).map_err(|error| no_signals(&error))?;
    if let Some(file) = accounts_file {
        let accounts = server.accounts();
        rotation::keep(file, arguments.account.clone(), accounts).map_err(|error| no_signals(&error))?;
    }
    console.text(&ready.line(server.local_addrs(), console.format()))?;
    server.serve(stop).await;
    Ok(())
}

/// The one line that says that requests are served.
struct Ready {
    data: String,
    scheme: &'static str,
    hosts: Vec<String>,
    accounts: Vec<String>,
    health: Option<SocketAddr>,
}

impl Ready {
    fn line(&self, addresses: &[SocketAddr], format: Format) -> String {
        let bases = self.bases(addresses);
        let urls: Vec<String> = (bases.iter())
            .flat_map(|base| self.accounts.iter().map(move |name| format!("{base}/{name}")))
            .collect();
        let health = self.health.map(|address| format!("http://{address}/-/health"));
        match format {
            Format::Table => {
                let watched = health
                    .map(|url| format!("; {url} says how it is"))
                    .unwrap_or_default();
                format!("ready: {} is served at {}{watched}\n", self.data, urls.join(", "))
            }
            Format::Json => {
                let mut line = serde_json::json!({ "ready": true, "data": self.data, "urls": urls });
                if let Some(url) = health {
                    line["health"] = url.into();
                }
                format!("{line}\n")
            }
        }
    }

    /// URLs without a path: by name where there is one, else by address.
    fn bases(&self, addresses: &[SocketAddr]) -> Vec<String> {
        let scheme = self.scheme;
        let port = addresses[0].port();
        let port = if scheme == "https" && port == HTTPS {
            String::new()
        } else {
            format!(":{port}")
        };
        if !self.hosts.is_empty() {
            return self
                .hosts
                .iter()
                .map(|host| format!("{scheme}://{host}{port}"))
                .collect();
        }
        (addresses.iter())
            .map(|address| match address.ip().is_unspecified() {
                true => format!("{scheme}://localhost{port}"),
                false => format!("{scheme}://{address}"),
            })
            .collect()
    }
}

/// Has certificates read again at each SIGHUP.
#[cfg(unix)]
fn reload_on_hangup(reloader: Reloader) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reloader.reload();
        }
    });
    Ok(())
}

/// There is no such signal here; files are looked at again anyway.
#[cfg(not(unix))]
fn reload_on_hangup(_reloader: Reloader) -> io::Result<()> {
    Ok(())
}

fn no_signals(error: &io::Error) -> Failure {
    Failure::failed(
        "StartFailed",
        format!("signals cannot be received: {error}"),
        "look at the system log",
    )
}

fn not_started(error: &StartError) -> Failure {
    match error {
        StartError::Listen { address, source } => listening::failure(*address, source),
        StartError::Tls(error) => ca::failure(error),
        StartError::Threads(_) => {
            Failure::failed("StartFailed", error.to_string(), "look at this user's limits")
        }
    }
}
