//! `bac2 sim`: a simulated SQL Server instance behind a port.
//!
//! Wiring only: settings, the machine as the instance's world, a certificate, signals. It is a simulation, and each place where it shows says so.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use simsql::instance::{Instance, Settings, Version};
use simsql::machine::{Identity, Machine, Wire};
use simsql::tds::{self, Backend, Encryption};
use tokio::net::UdpSocket;

use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::stopping;

/// Runs a simulated SQL Server instance, for tests and for the demo. It proves nothing about SQL Server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 sim --data ./sim --listen 127.0.0.1:1433 --sa-password-file ./sa
  bac2 sim --data ./sim --listen 127.0.0.1:0 --sa-password 'Test-1234' --version 2022
  bac2 sim --data ./sim --listen 127.0.0.1:1433 --sa-password-file ./sa \\
           --trust-ca ./ca.pem --host-at vault.example=127.0.0.1:10443

Then, with any client that speaks to SQL Server:
  tsql -H 127.0.0.1 -p 1433 -U sa -P 'Test-1234'
  1> SELECT @@VERSION
  2> GO

Databases, logs and backups are kept in the data directory; BACKUP TO DISK reaches no other, unless
--allow-dir names it. BACKUP TO URL goes over https alone, to a name, on port 443, as SQL Server
does it; --host-at says where such a name really is, and --trust-ca whom to trust for it
(`bac2 ca export` of the vault). EXEC sim_fault makes trouble on demand; --faults reads a schedule.

Prints one line when it is ready. Ctrl-C, SIGTERM or the statement SHUTDOWN stops it in order, and
batches that run have 10 seconds to end; kill -9 is a loss of power, and the next start recovers.

The password of sa is what the start says. ALTER LOGIN sa gives it another until the next start.")]
pub(crate) struct Arguments {
    /// The data directory; made where it does not exist
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1433")]
    listen: SocketAddr,

    /// Password of sa, for tests: others on this machine can see it in the list of processes
    #[arg(long, value_name = "PASSWORD", conflicts_with = "sa_password_file")]
    sa_password: Option<String>,

    /// File with the password of sa in its first line
    #[arg(long, value_name = "FILE")]
    sa_password_file: Option<PathBuf>,

    /// Which SQL Server to simulate
    #[arg(long, value_enum, default_value = "2022")]
    version: Release,

    /// Build to say it is, of the same version: 13.0.4001. It changes what the instance says, not what it does
    #[arg(long, value_name = "N.N.N", value_parser = build)]
    build: Option<Build>,

    /// Name of the instance; the default instance where absent
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,

    /// Name of the machine, as SERVERPROPERTY('MachineName') gives it
    #[arg(long, value_name = "NAME", default_value = "BAC2SIM")]
    machine: String,

    /// Certificates to trust for BACKUP TO URL, in PEM; without it no https server is trusted
    #[arg(long, value_name = "FILE")]
    trust_ca: Option<PathBuf>,

    /// Where a host of a URL really is; may be given again
    #[arg(long, value_name = "NAME=ADDR", value_parser = host_at)]
    host_at: Vec<(String, SocketAddr)>,

    /// Another directory that BACKUP and RESTORE may reach; may be given again
    #[arg(long, value_name = "DIR")]
    allow_dir: Vec<PathBuf>,

    /// Address of a SQL Server Browser, which tells clients the port of `--instance`; they ask at UDP port 1434
    #[arg(long, value_name = "ADDR")]
    browser: Option<SocketAddr>,

    /// How clients are encrypted
    #[arg(long, value_enum, default_value = "offered")]
    encryption: Wanted,

    /// Faults to come, one a line (`after 5s network lost vault.example`), as EXEC sim_fault takes them
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,

    /// Stop when standard input ends, for who starts an instance of its own: it does not outlive its parent
    #[arg(long)]
    until_stdin_ends: bool,

    /// Certificate for clients in PEM, its chain after it; one is made at each start where absent
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Its key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// The versions.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Release {
    #[value(name = "2012")]
    V2012,
    #[value(name = "2014")]
    V2014,
    #[value(name = "2016")]
    V2016,
    #[value(name = "2017")]
    V2017,
    #[value(name = "2019")]
    V2019,
    #[value(name = "2022")]
    V2022,
    #[value(name = "2025")]
    V2025,
}

impl From<Release> for Version {
    fn from(release: Release) -> Self {
        match release {
            Release::V2012 => Self::V2012,
            Release::V2014 => Self::V2014,
            Release::V2016 => Self::V2016,
            Release::V2017 => Self::V2017,
            Release::V2019 => Self::V2019,
            Release::V2022 => Self::V2022,
            Release::V2025 => Self::V2025,
        }
    }
}

/// A build as people write it.
#[derive(Clone, Copy, Debug)]
struct Build {
    major: u8,
    minor: u8,
    build: u16,
}

/// Encryption.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wanted {
    /// Not at all
    Off,
    /// For the login, or for everything where the client asks
    Offered,
    /// For everything, whoever asks
    Required,
}

/// `NAME=ADDR`.
fn host_at(text: &str) -> Result<(String, SocketAddr), String> {
    let (name, address) = text.split_once('=').ok_or("expected NAME=ADDRESS:PORT")?;
    let address = address
        .parse()
        .map_err(|_| format!("{address:?} is no address and port"))?;
    Ok((name.to_ascii_lowercase(), address))
}

/// `13.0.4001`; the fourth number that builds of SQL Server have is always 0 here, so that none is mistaken for a real one.
fn build(text: &str) -> Result<Build, String> {
    let wrong = || format!("{text:?} is no build: three numbers are expected, as in 13.0.4001");
    let numbers: Vec<&str> = text.split('.').collect();
    let [major, minor, build] = numbers.as_slice() else {
        return Err(wrong());
    };
    Ok(Build {
        major: major.parse().map_err(|_| wrong())?,
        minor: minor.parse().map_err(|_| wrong())?,
        build: build.parse().map_err(|_| wrong())?,
    })
}

/// The third number of the build, where one is wanted that is of the version.
fn build_of(version: Version, wanted: Option<Build>) -> Result<Option<u16>, Failure> {
    let Some(wanted) = wanted else { return Ok(None) };
    let software = version.software();
    if (wanted.major, wanted.minor) == (software.major, software.minor) {
        return Ok(Some(wanted.build));
    }
    Err(Failure::unusable(
        "BuildOfAnotherVersion",
        format!(
            "--build {}.{}.{}: builds of SQL Server {} begin with {}.{}",
            wanted.major,
            wanted.minor,
            wanted.build,
            version.year(),
            software.major,
            software.minor
        ),
        "give --version as well, or another --build",
    ))
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let password = password(arguments, console)?;
    let version = Version::from(arguments.version);
    let build = build_of(version, arguments.build)?;
    let world = machine(arguments)?.world;
    let directory =
        fs::canonicalize(&arguments.data).map_err(|error| Failure::reading(&arguments.data, &error))?;
    let settings = Settings {
        machine: arguments.machine.clone(),
        instance: arguments.instance.clone(),
        sa_password: Some(password),
        build,
        ..Settings::new(version, &directory.to_string_lossy())
    };
    let (encryption, certificate) = encryption(arguments, &settings)?;
    let faults = faults(arguments)?;
    let instance = Instance::start(world, settings).map_err(|failure| not_started(&failure))?;
    for line in faults {
        instance.schedule(line).map_err(|failure| not_started(&failure))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(tds::STACK)
        .build();
    let runtime = runtime.map_err(|error| {
        Failure::unusable(
            "NoThreads",
            format!("no threads could be started: {error}"),
            "look at the limits of this user (`ulimit -u`)",
        )
    })?;
    let served = runtime.block_on(serve(arguments, &instance, encryption, &certificate, console));
    // Batches that still run end first: nothing is closed under them.
    instance.end_sessions(None);
    runtime.shutdown_timeout(PATIENCE);
    instance.stop();
    served
}

fn password(arguments: &Arguments, console: &Console) -> Result<String, Failure> {
    if let Some(password) = &arguments.sa_password {
        if !arguments.listen.ip().is_loopback() {
            return Err(Failure::unusable(
                "SecretInArguments",
                format!(
                    "--sa-password shows the password to everybody who can list processes, and {} is no loopback address",
                    arguments.listen
                ),
                "use --sa-password-file",
            ));
        }
        console.warn(
            "--sa-password shows the password to everybody who can list processes; use --sa-password-file outside of tests",
        );
        return Ok(password.clone());
    }
    let Some(file) = &arguments.sa_password_file else {
        return Err(Failure::unusable(
            "PasswordMissing",
            "sa has no password",
            "give --sa-password-file FILE",
        ));
    };
    let text = fs::read_to_string(file).map_err(|error| Failure::reading(file, &error))?;
    let password = text.lines().next().unwrap_or_default().to_owned();
    if password.is_empty() {
        return Err(Failure::unusable(
            "PasswordMissing",
            format!("the first line of {} is empty", file.display()),
            "write the password of sa there",
        ));
    }
    Ok(password)
}

fn faults(arguments: &Arguments) -> Result<Vec<simsql::faults::Line>, Failure> {
    let Some(file) = &arguments.faults else {
        return Ok(Vec::new());
    };
    let text = fs::read_to_string(file).map_err(|error| Failure::reading(file, &error))?;
    simsql::faults::parse_file(&text).map_err(|error| {
        Failure::unusable(
            "BadFault",
            format!("{}: {error}", file.display()),
            "the documentation of the crate's module `faults` lists them all",
        )
    })
}

/// Lets faults happen in their time, on a thread of its own, until `done`.
fn keep_faults(instance: &Arc<Instance>, done: &Arc<AtomicBool>) {
    let (instance, done) = (Arc::clone(instance), Arc::clone(done));
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            while !done.load(Ordering::SeqCst) {
                instance.let_faults_happen().await;
                tokio::time::sleep(LOOK).await;
            }
        });
    });
}

/// How often it is looked whether a fault's time has come, and whether SHUTDOWN was asked for.
const LOOK: Duration = Duration::from_millis(50);

/// How long batches have to end when the instance stops.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the client that asked for SHUTDOWN has to hear of it.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Waits until SHUTDOWN has closed the instance.
async fn shut_down(instance: &Instance) {
    while !instance.is_shut_down() {
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(LAST_WORDS).await;
}

fn machine(arguments: &Arguments) -> Result<Machine, Failure> {
    let ca = match &arguments.trust_ca {
        Some(file) => Some(fs::read(file).map_err(|error| Failure::reading(file, &error))?),
        None => None,
    };
    let hosts: BTreeMap<String, SocketAddr> = arguments.host_at.iter().cloned().collect();
    let wire = Wire::new(ca.as_deref(), hosts).map_err(|error| {
        Failure::unusable(
            "BadCertificate",
            format!("--trust-ca: {error}"),
            "`bac2 ca export` prints what a vault's clients must trust",
        )
    })?;
    let others: Vec<&Path> = arguments.allow_dir.iter().map(PathBuf::as_path).collect();
    Machine::new(&arguments.data, &others, wire).map_err(|error| {
        if error.kind() == std::io::ErrorKind::WouldBlock {
            return Failure::unusable(
                "DirectoryInUse",
                format!("another process runs an instance in {}", arguments.data.display()),
                "stop it, or take another --data",
            );
        }
        Failure::unusable(
            "DirectoryFailed",
            format!(
                "{} and the allowed directories cannot all be used: {error}",
                arguments.data.display()
            ),
            "check the spelling, and that this user may write there",
        )
    })
}

fn encryption(arguments: &Arguments, settings: &Settings) -> Result<(Encryption, Option<String>), Failure> {
    let identity = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => {
            let certificate = fs::read(certificate).map_err(|error| Failure::reading(certificate, &error))?;
            let key = fs::read(key).map_err(|error| Failure::reading(key, &error))?;
            Identity::from_pem(&certificate, &key)
        }
        _ => Identity::self_signed(&[
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            settings.machine.clone(),
        ]),
    };
    let identity = identity.map_err(|error| {
        Failure::unusable(
            "BadCertificate",
            error.to_string(),
            "give both files in PEM, the key without a password",
        )
    })?;
    Ok(match arguments.encryption {
        Wanted::Off => (Encryption::Off, None),
        Wanted::Offered => (Encryption::Offered(identity.config), Some(identity.certificate)),
        Wanted::Required => (Encryption::Required(identity.config), Some(identity.certificate)),
    })
}

async fn serve(
    arguments: &Arguments,
    instance: &Arc<Instance>,
    encryption: Encryption,
    certificate: &Option<String>,
    console: &Console,
) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(arguments.listen).await;
    let listener = listener.map_err(|error| {
        Failure::unusable(
            "ListenFailed",
            format!("cannot listen on {}: {error}", arguments.listen),
            "try another address or port (0 takes a free one)",
        )
    })?;
    let address = listener.local_addr().unwrap_or(arguments.listen);
    let browser = browser(arguments).await?;
    let stop = stopping::asked().map_err(|error| {
        Failure::unusable(
            "NoSignals",
            format!("signals cannot be waited for: {error}"),
            "look at the limits of this process",
        )
    })?;
    let done = Arc::new(AtomicBool::new(false));
    keep_faults(instance, &done);
    let served = tds::serve(Arc::clone(instance), listener, encryption);
    console.text(&ready(
        instance,
        address,
        certificate.as_deref(),
        console.format(),
    ))?;
    tokio::select! {
        () = served => {}
        () = browse(browser.as_ref(), instance, address) => {}
        () = stop => {}
        () = stdin_ended(arguments.until_stdin_ends) => {}
        () = shut_down(instance) => {}
    }
    done.store(true, Ordering::SeqCst);
    Ok(())
}

/// Done when standard input ends, where somebody wants to know.
async fn stdin_ended(is_wanted: bool) {
    if !is_wanted {
        return std::future::pending().await;
    }
    let (ended, wait) = tokio::sync::oneshot::channel::<()>();
    // A thread of its own: nobody can call a read off, and the runtime would wait for it when it ends.
    std::thread::spawn(move || {
        // One that cannot be read has ended.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(ended);
    });
    // The thread never sends: that it has let go is the word.
    let _ = wait.await;
}

/// The socket of the browser, where one is wanted.
async fn browser(arguments: &Arguments) -> Result<Option<UdpSocket>, Failure> {
    let Some(address) = arguments.browser else {
        return Ok(None);
    };
    let socket = UdpSocket::bind(address).await.map_err(|error| {
        Failure::unusable(
            "ListenFailed",
            format!("the browser cannot listen on {address}: {error}"),
            "another browser may be there; clients ask at port 1434 and at no other",
        )
    })?;
    Ok(Some(socket))
}

/// Answers for the instance until it is dropped; without a socket, never.
async fn browse(socket: Option<&UdpSocket>, instance: &Arc<Instance>, address: SocketAddr) {
    match socket {
        Some(socket) => tds::browser::browse(socket, &instance.greeting(), address.port()).await,
        None => std::future::pending().await,
    }
}

/// The one line that says that clients can come.
fn ready(instance: &Instance, address: SocketAddr, certificate: Option<&str>, format: Format) -> String {
    let name = instance.settings.server_name();
    let year = instance.settings.version.year();
    match format {
        Format::Table => {
            format!("ready: {name}, bac2's simulated SQL Server {year}, listens on {address}; log in as sa\n")
        }
        Format::Json => {
            let line = serde_json::json!({
                "ready": true,
                "simulated": true,
                "server": name,
                "version": year,
                "address": address.to_string(),
                "certificate": certificate,
            });
            format!("{line}\n")
        }
    }
}

fn not_started(failure: &simsql::message::Failure) -> Failure {
    let text = failure.messages.first().map_or_else(String::new, |message| {
        format!("{} (message {})", message.text, message.number)
    });
    Failure::failed(
        "InstanceNotStarted",
        format!("the simulated instance cannot start: {text}"),
        "look at the data directory; another process may be using it, or it is not one of bac2 sim",
    )
}
