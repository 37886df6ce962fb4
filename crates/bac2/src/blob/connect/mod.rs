//! `bac2 blob connect`: everything that a SQL Server needs to back up into a container here, ready to paste.
//!
//! It reads the data directory only (the authority's certificate, the accounts) and reaches no SQL Server. What it prints
//! holds a secret: an access signature, or in page mode the account's key.

mod trust;
mod tsql;

use std::path::Path;

use azblob::names::{AccountName, ContainerName};
use azblob::time::UnixMillis;
use blobstore::{Clock, SystemClock};
use clap::Args;
use frontdoor::tls::{AuthorityCertificate, certificates};
use frontdoor::{Host, creating};
use serde::Serialize;

use super::{accounts, open_to_serve};
use crate::ca;
use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::sas::keys::{Chosen, Keys};
use crate::sas::{for_backup, signed};
use tsql::{DEVICE_MAX, Facts, Mode, NAME_MAX, Statements};

/// Prints what a SQL Server needs to back up here: trust, credential, BACKUP and RESTORE.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 blob connect --data ./vault --container backups --create-container
  bac2 blob connect --data ./vault --container backups --host backup.example --windows --database Sales
  bac2 blob connect --data ./vault --container backups --mode page      SQL Server 2012 SP1 CU2 and 2014
  bac2 blob connect --data ./vault --container backups -o json | jq -r .statements.credential

Prints a secret: an access signature that is good for a year, or in page mode the account's key.

SQL Server's client wants a DNS name and port 443: it takes no address and no other port in an https
URL. With several accounts the account's name stands before the host
(https://vault01.backup.example/backups), so that name must resolve too; the vault's own certificate
covers it. SQL Server never creates the container: --create-container does.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    keys: Keys,

    /// The container that backups shall go into
    #[arg(long, value_name = "NAME", value_parser = container_name)]
    container: ContainerName,

    /// DNS name that SQL Server uses; the first host of the vault's authority without it
    #[arg(long, value_name = "NAME")]
    host: Option<Host>,

    /// How SQL Server writes
    #[arg(long, value_enum, default_value = "block")]
    mode: Mode,

    /// The database in the statements
    #[arg(long, value_name = "NAME", default_value = "YourDatabase")]
    database: String,

    /// Only the steps for SQL Server on Windows
    #[arg(long, conflicts_with = "linux")]
    windows: bool,

    /// Only the steps for SQL Server on Linux
    #[arg(long)]
    linux: bool,

    /// Make the container where it does not exist
    #[arg(long)]
    create_container: bool,
}

fn container_name(text: &str) -> Result<ContainerName, String> {
    ContainerName::new(text).map_err(|_| {
        "a container's name is 3 to 63 lower-case letters, digits and hyphens, such as backups".to_owned()
    })
}

/// What was found out. The order of members is part of the contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    account: String,
    container: String,
    url: String,
    mode: &'static str,
    /// `null` when nobody asked for it.
    container_created: Option<bool>,
    credential: Credential,
    /// When the access signature ends; a key does not.
    expires: Option<String>,
    authorities: Vec<Authority>,
    trust: Trust,
    statements: Shown,
    /// Characters that are left for the name of a blob in this container.
    blob_name_max: usize,
}

#[derive(Serialize)]
struct Credential {
    name: String,
    identity: String,
    secret: String,
}

#[derive(Serialize)]
struct Authority {
    name: String,
    sha256: String,
    pem: String,
}

/// `null` where the vault has no authority of its own.
#[derive(Serialize)]
struct Trust {
    windows: Option<String>,
    linux: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    credential: String,
    backup: String,
    backup_log: String,
    verify: String,
    restore: String,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let now = SystemClock.now();
    let chosen = arguments.keys.choose(console)?;
    if arguments.container.as_str() == chosen.account.name.as_str() {
        return Err(Failure::unusable(
            "ContainerNamedAsAccount",
            format!(
                "{} is the name of the account: a URL that begins with it means the account, and no container",
                arguments.container
            ),
            "use another name for the container",
        ));
    }
    let authorities = match arguments.keys.data() {
        Some(data) => certificates(data).map_err(|error| ca::failure(&error))?,
        None => Vec::new(),
    };
    let valid: Vec<_> = authorities.into_iter().filter(|a| a.is_valid(now)).collect();
    let mut connection = arguments.connection(&chosen, &valid, now, console)?;
    if arguments.create_container {
        let made = create(arguments.keys.data(), &chosen.account.name, &arguments.container)?;
        connection.container_created = Some(made);
    }
    match console.format() {
        Format::Json => console.json(&connection),
        Format::Table => console.text(&arguments.page(&connection)),
    }
}

impl Arguments {
    fn connection(
        &self,
        Chosen { account, alone }: &Chosen,
        authorities: &[AuthorityCertificate],
        now: UnixMillis,
        console: &Console,
    ) -> Result<Connection, Failure> {
        let host = self.dns_name(authorities)?;
        let host = if *alone {
            host
        } else {
            format!("{}.{host}", account.name)
        };
        let named = Host::Name(host.clone());
        if !authorities.is_empty() && !authorities.iter().any(|authority| authority.permits(&named)) {
            console.warn(format!(
                "the vault's authority was not made for {host}: `bac2 ca renew --host {host}` makes one that is"
            ));
        }
        let url = format!("https://{host}/{}", self.container);
        let (credential, expires) = match self.mode {
            Mode::Block => {
                let sas = for_backup(self.container.clone(), now);
                let credential = Credential {
                    name: url.clone(),
                    identity: "SHARED ACCESS SIGNATURE".to_owned(),
                    secret: signed(&sas, account)?,
                };
                (credential, sas.expiry.map(UnixMillis::iso_short))
            }
            Mode::Page => {
                let credential = Credential {
                    name: format!("bac2 {}", account.name),
                    identity: account.name.to_string(),
                    secret: accounts::key_text(&self.keys.file(), &account.name)?,
                };
                (credential, None)
            }
        };
        let statements = Statements::of(&Facts {
            mode: self.mode,
            container_url: &url,
            credential: &credential.name,
            identity: &credential.identity,
            secret: &credential.secret,
            database: &self.database,
            moment: &moment(now),
        });
        check_lengths(&credential.name, &self.database, statements.longest)?;
        let has_own = !authorities.is_empty();
        Ok(Connection {
            account: account.name.to_string(),
            container: self.container.to_string(),
            mode: if self.mode == Mode::Block { "block" } else { "page" },
            container_created: None,
            credential,
            expires,
            authorities: authorities.iter().map(Authority::of).collect(),
            trust: Trust {
                windows: (has_own && !self.linux).then(|| trust::windows(authorities)),
                linux: (has_own && !self.windows && self.mode == Mode::Block)
                    .then(|| trust::linux(authorities)),
            },
            blob_name_max: DEVICE_MAX.saturating_sub(url.chars().count() + 1),
            url,
            statements: Shown {
                credential: statements.credential,
                backup: statements.backup,
                backup_log: statements.backup_log,
                verify: statements.verify,
                restore: statements.restore,
            },
        })
    }

    /// The name that SQL Server shall use.
    fn dns_name(&self, authorities: &[AuthorityCertificate]) -> Result<String, Failure> {
        let known = || authorities.iter().flat_map(AuthorityCertificate::hosts);
        let given = self.host.clone();
        match given.or_else(|| known().find(|host| matches!(host, Host::Name(_)))) {
            Some(Host::Name(name)) => Ok(name),
            Some(Host::Address(address)) => Err(Failure::unusable(
                "DnsNameNeeded",
                format!("SQL Server's client takes a DNS name and no address such as {address}"),
                "give --host with a name that resolves there; a line in its hosts file is enough",
            )),
            None => Err(Failure::unusable(
                "NoHost",
                "nothing says by which name a SQL Server finds this vault",
                "give --host with a DNS name, and the same to `bac2 blob serve --tls --host`",
            )),
        }
    }

    /// For people.
    fn page(&self, made: &Connection) -> String {
        let mut page = String::new();
        let mut step = 0;
        let mut section = |title: &str, text: &str| {
            step += 1;
            page += &format!("-- {step}. {title}\n\n{}\n\n", text.trim_end());
        };
        section("Container", &container_words(made));
        let host = made
            .url
            .trim_start_matches("https://")
            .split('/')
            .next()
            .unwrap_or_default();
        section(
            "Name and port",
            &format!(
                "{host} must resolve on the SQL Server to this vault, whose port 443 must be reachable: its client takes no\naddress and no other port. Without DNS, a line in the hosts file will do:\n  C:\\Windows\\System32\\drivers\\etc\\hosts, /etc/hosts:   VAULT-ADDRESS  {host}"
            ),
        );
        if made.authorities.is_empty() {
            section(
                "Trust",
                "The vault has no authority of its own here: the SQL Server must trust the issuer of your certificate.",
            );
        }
        if let Some(text) = &made.trust.windows {
            section(
                "Trust, on Windows: PowerShell as administrator on the SQL Server (its error without it: operating system error 50)",
                text,
            );
        }
        if let Some(text) = &made.trust.linux {
            section(
                "Trust, on Linux: a shell on the SQL Server, which reads the folder at its start (its error without it: 12175).\n--    In a container, mount the folder instead. Documented for 2022 and later; unknown for 2017 and 2019",
                text,
            );
        }
        section(&credential_words(made), &made.statements.credential);
        section(
            match self.mode {
                Mode::Block => {
                    "Back up. A URL takes 50,000 blocks, 195 GiB at most: give large databases several, up to 64.\n--    Express edition: NO_COMPRESSION. Every backup needs a new name"
                }
                Mode::Page => {
                    "Back up. One URL, 1 TB at most. BackupToUrl.exe speaks TLS 1.2 from KB4017023 on. Every backup needs a new name"
                }
            },
            &format!("{}{}", made.statements.backup, made.statements.backup_log),
        );
        section(
            "Verify and restore",
            &format!("{}{}", made.statements.verify, made.statements.restore),
        );
        page
    }
}

impl Authority {
    fn of(certificate: &AuthorityCertificate) -> Self {
        Self {
            name: certificate.name.clone(),
            sha256: certificate.sha256(),
            pem: certificate.pem(),
        }
    }
}

fn container_words(made: &Connection) -> String {
    match made.container_created {
        Some(true) => format!("{} was made for the account {}.", made.container, made.account),
        Some(false) => format!("{} is there already.", made.container),
        None => format!(
            "{} must exist: SQL Server makes none. `bac2 blob connect --create-container` makes it.",
            made.container
        ),
    }
}

fn credential_words(made: &Connection) -> String {
    match &made.expires {
        Some(moment) => format!(
            "Credential, good until {moment}. A new secret later: ALTER CREDENTIAL with the same words"
        ),
        None => "Credential, with the account's key".to_owned(),
    }
}

fn check_lengths(credential: &str, database: &str, longest: usize) -> Result<(), Failure> {
    let units = credential.encode_utf16().count();
    if units > NAME_MAX {
        return Err(Failure::unusable(
            "CredentialNameTooLong",
            format!(
                "the credential is named as the container's URL, which has {units} characters; SQL Server takes {NAME_MAX}"
            ),
            "use a shorter DNS name or container",
        ));
    }
    if !(1..=NAME_MAX).contains(&database.encode_utf16().count()) {
        return Err(Failure::unusable(
            "DatabaseNameInvalid",
            format!("a database's name has 1 to {NAME_MAX} characters"),
            "give --database as SQL Server shows it in sys.databases",
        ));
    }
    if longest > DEVICE_MAX {
        return Err(Failure::unusable(
            "UrlTooLong",
            format!("a backup's URL would have {longest} characters; SQL Server takes {DEVICE_MAX}"),
            "use a shorter DNS name or container",
        ));
    }
    Ok(())
}

/// Has the running server make the container, or makes it here where none runs.
fn create(data: Option<&Path>, account: &AccountName, container: &ContainerName) -> Result<bool, Failure> {
    let Some(data) = data else {
        return Err(Failure::unusable(
            "NoDataDirectory",
            "the container cannot be made without the data directory",
            "give --data DIR",
        ));
    };
    let failed = |why: String| {
        Failure::failed(
            "ContainerNotMade",
            format!("the container {container} could not be made: {why}"),
            "look at the server's log",
        )
    };
    if let Some(made) = creating::ask(data, account, container).map_err(|error| failed(error.to_string()))? {
        return Ok(made);
    }
    let store = open_to_serve(data)?;
    creating::create(&store, account, container).map_err(|error| failed(error.to_string()))
}

/// `20261121T090000Z`.
fn moment(now: UnixMillis) -> String {
    now.iso_short()
        .chars()
        .filter(|c| !matches!(c, '-' | ':'))
        .collect()
}
