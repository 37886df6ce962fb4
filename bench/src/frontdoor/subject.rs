//! Who is measured: the limits, the product, the peer; how each is started on its own folder and port.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::load::Target;
use super::proof::Prover;
use super::signed::Account;
use crate::child::{Process, free_address};

/// A subject that speaks HTTP.
pub(crate) struct Server {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// The process.
    pub(crate) process: Process,
    /// Where and how to talk to it.
    pub(crate) target: Target,
    /// Who is asked for verdicts; only the product has any.
    pub(crate) prover: Option<Prover>,
}

/// The product: `bac2 blob serve` as a user would start it, with nothing switched off.
pub(crate) fn product(binary: &Path, dir: &Path) -> Result<Server> {
    let account = Account::bench();
    let addr = free_address()?;
    let mut command = Command::new(binary);
    command.args(["blob", "serve", "--data"]).arg(dir.join("product"));
    command.args(["--listen", &addr.to_string(), "--account"]);
    command.arg(format!("{}={}", account.name, account.key));
    let server = start("bac2", &mut command, addr, account, &dir.join("product.log"))?;
    let prover = Prover {
        binary: binary.to_path_buf(),
        data: dir.join("product"),
    };
    Ok(Server {
        prover: Some(prover),
        ..server
    })
}

/// Azurite's blob service on disk, with its log off.
pub(crate) fn azurite(binary: &Path, dir: &Path) -> Result<Server> {
    let account = Account::bench();
    let addr = free_address()?;
    let mut command = Command::new(binary);
    command.env("AZURITE_ACCOUNTS", format!("{}:{}", account.name, account.key));
    command.args([
        "--silent",
        "--disableTelemetry",
        "--skipApiVersionCheck",
        "--location",
    ]);
    command.arg(dir.join("azurite"));
    command.args(["--blobHost", "127.0.0.1", "--blobPort", &addr.port().to_string()]);
    if binary.file_name().is_some_and(|name| name == "azurite") {
        // The program of all three services: its other two get ports of their own.
        command.args(["--queuePort", &free_address()?.port().to_string()]);
        command.args(["--tablePort", &free_address()?.port().to_string()]);
    }
    start("Azurite", &mut command, addr, account, &dir.join("azurite.log"))
}

/// The bare sink over `file`.
pub(crate) fn sink(file: &Path, dir: &Path) -> Result<Server> {
    let addr = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["frontdoor-sink", "--listen", &addr.to_string(), "--file"])
        .arg(file);
    start(
        "bare sink",
        &mut command,
        addr,
        Account::bench(),
        &dir.join("sink.log"),
    )
}

fn start(
    name: &'static str,
    command: &mut Command,
    addr: std::net::SocketAddr,
    account: Account,
    log: &Path,
) -> Result<Server> {
    let mut process = Process::start(command, log)?;
    process.listens(addr, log)?;
    Ok(Server {
        name,
        process,
        target: Target::new(addr, account),
        prover: None,
    })
}
