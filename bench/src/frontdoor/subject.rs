//! Who is measured: the limits, the product, the peer; how each is started on its own folder and port.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::load::Target;
use super::proof::Prover;
use super::secured::{Certificate, Trust};
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
pub(crate) fn product(binary: &Path, dir: &Path, https: bool) -> Result<Server> {
    product_with(binary, dir, https, &[])
}

/// The same with further arguments.
pub(crate) fn product_with(binary: &Path, dir: &Path, https: bool, more: &[&str]) -> Result<Server> {
    let account = Account::bench();
    let (addr, data) = (free_address()?, dir.join("product"));
    let mut command = Command::new(binary);
    command.args(["blob", "serve", "--data"]).arg(&data);
    command.args(["--listen", &addr.to_string(), "--account"]);
    command.arg(format!("{}={}", account.name, account.key));
    if https {
        command.arg("--tls");
    }
    command.args(more);
    let log = dir.join("product.log");
    let process = start(&mut command, addr, &log)?;
    let trust = https.then(|| authority(binary, &data)).transpose()?;
    Ok(Server {
        name: "bac2",
        process,
        target: Target::new(addr, account, trust),
        prover: Some(Prover {
            binary: binary.to_path_buf(),
            data,
        }),
    })
}

/// The authority of the product, asked for as a user would. It is made while the server starts, a moment after the
/// address is taken.
fn authority(binary: &Path, data: &Path) -> Result<Trust> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let output = Command::new(binary)
            .args(["ca", "export", "--data"])
            .arg(data)
            .output()?;
        if output.status.success() {
            return Trust::of_pem(&output.stdout).context("bac2 ca export prints certificates");
        }
        ensure!(
            Instant::now() < deadline,
            "bac2 ca export: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// Azurite's blob service on disk, with its log off.
pub(crate) fn azurite(binary: &Path, dir: &Path, secured: Option<&Certificate>) -> Result<Server> {
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
    secure(&mut command, secured);
    Ok(Server {
        name: "Azurite",
        process: start(&mut command, addr, &dir.join("azurite.log"))?,
        target: Target::new(addr, account, secured.map(Certificate::trust).transpose()?),
        prover: None,
    })
}

/// The bare sink over `file`.
pub(crate) fn sink(file: &Path, dir: &Path, secured: Option<&Certificate>) -> Result<Server> {
    let addr = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["frontdoor-sink", "--listen", &addr.to_string(), "--file"])
        .arg(file);
    secure(&mut command, secured);
    Ok(Server {
        name: "bare sink",
        process: start(&mut command, addr, &dir.join("sink.log"))?,
        target: Target::new(
            addr,
            Account::bench(),
            secured.map(Certificate::trust).transpose()?,
        ),
        prover: None,
    })
}

/// The sink and Azurite take their certificate by options of the same name.
fn secure(command: &mut Command, secured: Option<&Certificate>) {
    if let Some(files) = secured {
        command.arg("--cert").arg(&files.certificate);
        command.arg("--key").arg(&files.key);
    }
}

fn start(command: &mut Command, addr: std::net::SocketAddr, log: &Path) -> Result<Process> {
    let mut process = Process::start(command, log)?;
    process.listens(addr, log)?;
    Ok(process)
}
