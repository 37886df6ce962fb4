//! `--ask SERVER...`: SQL Server's own word on what runs, for the guard.
//!
//! Each server is asked in turn, over a connection of its own that ends with the question. An answer counts only where the login sees all requests; what a
//! batch does not write out (a variable, a device's name, a procedure) may be any blob.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use guard::ask::{Ask, Devices, Running, Unanswered};
use mssql::activity::{self, Shown};
use mssql::tds::Tds;
use mssql::{Address, Authentication, Connector, Fingerprint, Secret, Session, Target, Trust};

use super::account::warn_if_others_read;
use crate::console::Console;
use crate::failure::Failure;

/// Longest password file: a password has 128 characters.
const PASSWORD_FILE_MAX: u64 = 4 << 10;
/// Longest file of authorities.
const CA_FILE_MAX: u64 = 1 << 20;
/// How long one server may take to let us in.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whom to ask, and as whom.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Asking {
    /// SQL Servers (HOST, HOST,PORT or HOST\INSTANCE) to ask what they run before anything is broken
    #[arg(long, value_name = "SERVER", num_args = 1..)]
    ask: Vec<Address>,

    /// Their SQL login; without it, the Windows or Kerberos identity of this process
    #[arg(long, value_name = "USER", requires = "ask", requires = "ask_password_file")]
    ask_user: Option<String>,

    /// File with its password in the first line
    #[arg(long, value_name = "FILE", requires = "ask_user")]
    ask_password_file: Option<PathBuf>,

    /// Their certificates: verify, trust (whoever answers gets the password), or the SHA-256 of the only one that is accepted
    #[arg(long, value_name = "RULE", default_value = "verify", requires = "ask", value_parser = rule)]
    ask_certificate: Rule,

    /// Certificates in PEM of who vouches for them, in place of the system's
    #[arg(long, value_name = "FILE", requires = "ask")]
    ask_ca: Option<PathBuf>,
}

/// How a server's certificate is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Verify,
    Trust,
    Pin(Fingerprint),
}

fn rule(text: &str) -> Result<Rule, String> {
    match text {
        "verify" => Ok(Rule::Verify),
        "trust" => Ok(Rule::Trust),
        _ => text
            .parse()
            .map(Rule::Pin)
            .map_err(|_| "expected verify, trust, or the 64 digits of a SHA-256".to_owned()),
    }
}

impl Asking {
    /// The servers; `None` where nobody is to be asked.
    pub(super) fn servers(&self, console: &Console) -> Result<Option<Servers>, Failure> {
        if self.ask.is_empty() {
            return Ok(None);
        }
        let authentication = self.authentication(console)?;
        let trust = self.trust(console)?;
        let target = |address: &Address| Target {
            program: "bac2 leases".to_owned(),
            within: PATIENCE,
            ..Target::new(address.clone(), authentication.clone(), trust.clone())
        };
        Ok(Some(Servers {
            connector: Box::new(Tds::default()),
            targets: self.ask.iter().map(target).collect(),
        }))
    }

    fn authentication(&self, console: &Console) -> Result<Authentication, Failure> {
        let (Some(user), Some(file)) = (&self.ask_user, &self.ask_password_file) else {
            return Ok(Authentication::Windows { service: None });
        };
        warn_if_others_read(file, "a password", console);
        let text = read(file, PASSWORD_FILE_MAX)?;
        let password = text.lines().next().unwrap_or_default();
        if password.is_empty() {
            return Err(Failure::unusable(
                "PasswordMissing",
                format!("the first line of {} is empty", file.display()),
                "write the login's password there",
            ));
        }
        Ok(Authentication::Password {
            user: user.clone(),
            password: Secret::new(password.to_owned()),
        })
    }

    fn trust(&self, console: &Console) -> Result<Trust, Failure> {
        let authorities = match &self.ask_ca {
            Some(file) => Some(read(file, CA_FILE_MAX)?),
            None => None,
        };
        Ok(match self.ask_certificate {
            Rule::Verify => Trust::Verify {
                authorities,
                host: None,
            },
            Rule::Pin(fingerprint) => Trust::Pin(fingerprint),
            Rule::Trust => {
                console.warn(
                    "--ask-certificate trust gives the login to whoever answers; pin the certificate (its SHA-256), or name who \
                     vouches for it with --ask-ca",
                );
                Trust::Anyone
            }
        })
    }
}

fn read(path: &Path, most: u64) -> Result<String, Failure> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(most).read_to_string(&mut text))
        .map_err(|error| Failure::reading(path, &error))?;
    Ok(text)
}

/// The servers.
pub(super) struct Servers {
    connector: Box<dyn Connector>,
    targets: Vec<Target>,
}

impl Ask for Servers {
    async fn running(&self) -> Result<Vec<Running>, Unanswered> {
        let mut all = Vec::new();
        for target in &self.targets {
            let server = target.address.to_string();
            match ask(self.connector.as_ref(), target).await {
                Ok(running) => all.extend(running.into_iter().map(|one| of_server(&server, one))),
                Err(reason) => return Err(Unanswered { server, reason }),
            }
        }
        Ok(all)
    }
}

async fn ask(connector: &dyn Connector, target: &Target) -> Result<Vec<activity::Running>, String> {
    let opened = Session::open(connector, target).await;
    let mut session = opened.map_err(|error| error.to_string())?;
    session.within = Some(PATIENCE);
    let answer = async {
        // Who may not see the requests of others may not read their texts either, so nothing more is asked.
        match activity::sees_all(&mut session).await? {
            true => activity::running(&mut session).await.map(Some),
            false => Ok(None),
        }
    };
    let answer = answer.await;
    session.close().await;
    match answer {
        Ok(Some(running)) => Ok(running),
        Ok(None) => Err(
            "its login sees only its own sessions; GRANT VIEW SERVER STATE to it (from 2022 on, VIEW SERVER PERFORMANCE STATE is enough)"
                .to_owned(),
        ),
        Err(error) => Err(error.to_string()),
    }
}

fn of_server(server: &str, running: activity::Running) -> Running {
    let shown = running.text.as_deref().map(activity::devices);
    Running {
        server: server.to_owned(),
        session: running.session_id,
        command: running.command,
        devices: match shown {
            Some(Shown::Urls(urls)) => Devices::Named(urls),
            Some(Shown::Hidden) | None => Devices::Hidden,
        },
    }
}

#[cfg(test)]
#[path = "ask/tests.rs"]
mod tests;
