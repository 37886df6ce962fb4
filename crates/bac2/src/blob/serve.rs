//! `bac2 blob serve`: a data directory behind an Azure Blob endpoint.
//!
//! Wiring only: accounts, log, store, door, signals. Plain http is for loopback; until TLS is here any other address is
//! refused, so that no key signature and no backup crosses a network in the clear.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;

use blobstore::Store;
use clap::Args;
use frontdoor::{Config, Server};

use super::accounts::{self, Account};
use super::open_to_serve;
use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::logging;

/// Serves a folder as an Azure Blob endpoint.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 blob serve --data ./vault --listen 127.0.0.1:10000 --accounts-file ./accounts

The accounts file has one NAME=BASE64KEY a line; a name may have two lines while its key is being changed. This makes one:
  printf 'vault01=%s\\n' \"$(openssl rand -base64 64 | tr -d '\\n')\" > accounts && chmod 600 accounts

Prints one line when it is ready. Ctrl-C or SIGTERM stops it in order. The log goes to standard error; BAC2_LOG sets its
level (error, warn, info, debug). Plain http is served on loopback addresses only; TLS comes next.")]
pub(crate) struct Arguments {
    /// The data directory; made where it does not exist
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: SocketAddr,

    /// An account and its key, for tests: others on this machine can see it in the list of processes
    #[arg(long, value_name = "NAME=BASE64KEY")]
    account: Vec<Account>,

    /// File with one NAME=BASE64KEY a line
    #[arg(long, value_name = "FILE")]
    accounts_file: Option<PathBuf>,

    /// Seal each blob that is proved: no key, SAS or lease changes or deletes it any more (see bac2 blob unseal)
    #[arg(long)]
    seal_proved: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let wrong = || "expected an address and a port, such as 127.0.0.1:10000 or localhost:10000".to_owned();
    text.to_socket_addrs()
        .map_err(|_| wrong())?
        .next()
        .ok_or_else(wrong)
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    check_address(arguments)?;
    let mut given = arguments.account.clone();
    if !given.is_empty() {
        console.warn(
            "--account shows a key to everybody who can list processes; use --accounts-file outside of tests",
        );
    }
    if let Some(file) = &arguments.accounts_file {
        given.extend(accounts::from_file(file, console)?);
    }
    let accounts = accounts::joined(given)?;
    logging::start()?;
    let store = Arc::new(open_to_serve(&arguments.data)?);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| {
        Failure::failed(
            "StartFailed",
            format!("no threads could be started: {error}"),
            "look at this user's limits",
        )
    })?;
    runtime.block_on(serve(arguments, accounts, store, console))
}

fn check_address(arguments: &Arguments) -> Result<(), Failure> {
    let listen = arguments.listen;
    if listen.ip().is_loopback() {
        return Ok(());
    }
    if !arguments.account.is_empty() {
        return Err(Failure::unusable(
            "KeyInArguments",
            format!("--account is for tests and {listen} can be reached from outside"),
            "put NAME=BASE64KEY lines into a file and give --accounts-file",
        ));
    }
    Err(Failure::unusable(
        "PlainHttpNotLoopback",
        format!("this version speaks plain http only, and {listen} can be reached from outside"),
        "listen on 127.0.0.1 or [::1]; TLS comes with the next version",
    ))
}

async fn serve(
    arguments: &Arguments,
    accounts: Vec<frontdoor::Account>,
    store: Arc<Store>,
    console: &Console,
) -> Result<(), Failure> {
    let names: Vec<String> = accounts
        .iter()
        .map(|account| account.name.as_str().to_owned())
        .collect();
    let mut config = Config::new(arguments.listen, accounts, &arguments.data);
    config.seal_proved = arguments.seal_proved;
    let server = Server::bind(config, store)
        .await
        .map_err(|error| not_bound(arguments.listen, &error))?;
    let stop = stop_signal().map_err(|error| {
        Failure::failed(
            "StartFailed",
            format!("signals cannot be received: {error}"),
            "look at the system log",
        )
    })?;
    let ready = ready_line(server.local_addr(), &names, arguments, console.format());
    console.text(&ready)?;
    server.serve(stop).await;
    Ok(())
}

/// The one line that says that requests are served.
fn ready_line(address: SocketAddr, accounts: &[String], arguments: &Arguments, format: Format) -> String {
    let urls: Vec<String> = accounts
        .iter()
        .map(|name| format!("http://{address}/{name}"))
        .collect();
    let data = arguments.data.display();
    match format {
        Format::Table => format!("ready: {data} is served at {}\n", urls.join(", ")),
        Format::Json => {
            format!(
                "{}\n",
                serde_json::json!({ "ready": true, "data": data.to_string(), "urls": urls })
            )
        }
    }
}

/// Done when the process is asked to stop.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        tracing::info!(signal = name, "stopping: requests under way are finished first");
    })
}

/// Done when the process is asked to stop.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            tracing::info!("stopping: requests under way are finished first");
        }
    })
}

fn not_bound(listen: SocketAddr, error: &io::Error) -> Failure {
    let port = listen.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => Failure::unusable(
            "PortInUse",
            format!("{listen} is in use by another process"),
            format!(
                "`ss -ltnp 'sport = :{port}'` names it; stop it, or listen on another port (0 takes a free one)"
            ),
        ),
        io::ErrorKind::PermissionDenied => Failure::unusable(
            "PortNotAllowed",
            format!("this user may not listen on {listen}"),
            "take a port from 1024 up, 10000 for one",
        ),
        io::ErrorKind::AddrNotAvailable => Failure::unusable(
            "AddressNotHere",
            format!("{} is no address of this machine", listen.ip()),
            "`ip addr` lists those that are; 127.0.0.1 always is",
        ),
        _ => Failure::unusable(
            "ListenFailed",
            format!("cannot listen on {listen}: {error}"),
            "try another address or port",
        ),
    }
}
