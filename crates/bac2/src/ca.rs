//! `bac2 ca`: the certificate authorities of a vault, for those who must trust them.
//!
//! They lie in the data directory and can be read beside a running server. `export` prints every one that is valid, the
//! announced successor too, so that clients trust it years before it signs anything.

use std::path::PathBuf;

use azblob::time::UnixMillis;
use blobstore::{Clock, SystemClock};
use clap::Args;
use frontdoor::Host;
use frontdoor::tls::{AuthorityCertificate, TlsError, certificates};
use serde::Serialize;

use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::paint::{cell, figures, table};

/// Prints the certificates that clients must trust, as PEM.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 ca export --data ./vault > bac2-ca.pem
  curl --cacert bac2-ca.pem https://localhost/

Prints all authorities of the vault that are valid, oldest first: more than one when a successor has
been announced or `bac2 ca renew` made one. Clients should trust all of them. `bac2 blob connect`
prints how a SQL Server is made to.")]
pub(crate) struct Export {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Shows the authorities.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 ca show --data ./vault
  bac2 ca show --data ./vault -o json | jq -r '.[].sha256'")]
pub(crate) struct Show {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Makes the next authority.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 ca renew --data ./vault --host backup2.example     clients shall use a new name
  bac2 ca renew --data ./vault                            the old authority shall be retired, see below

An authority vouches only for the hosts it was made for, so a new host needs a new authority. The
new one vouches for all hosts of the old ones too, but the old hosts stay with the old authority
until it ends: clients that use the old names need nothing new. Clients of the new host must trust
the new authority: `bac2 ca export` prints it. A running server serves it within a minute, for the
hosts that it was started with.

To retire an authority early, because its key may have been seen say: renew, have all clients trust
the new one, then remove ca-N.pem and ca-N.key of the old one (N: bac2 ca show) from the folder tls
in the data directory. The running server goes over to the new one within a minute. Remove the old
certificate from the clients too.")]
pub(crate) struct Renew {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Name or address to vouch for beside those of the present authorities, may be given again
    #[arg(long, value_name = "NAME")]
    host: Vec<Host>,
}

/// One authority, in JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    number: u32,
    name: String,
    hosts: Vec<String>,
    not_before: String,
    not_after: String,
    valid: bool,
    sha256: String,
}

impl Shown {
    fn of(certificate: &AuthorityCertificate, now: UnixMillis) -> Self {
        Self {
            number: certificate.number,
            name: certificate.name.clone(),
            hosts: certificate.hosts().iter().map(Host::to_string).collect(),
            not_before: day(certificate.not_before),
            not_after: day(certificate.not_after),
            valid: certificate.is_valid(now),
            sha256: certificate.sha256(),
        }
    }
}

pub(crate) fn export(arguments: &Export, console: &Console) -> Result<(), Failure> {
    let now = SystemClock.now();
    let all = known(&arguments.data)?;
    let valid: String = (all.iter())
        .filter(|certificate| certificate.is_valid(now))
        .map(|certificate| format!("{}\n", certificate.pem().trim_end()))
        .collect();
    if valid.is_empty() {
        return Err(Failure::failed(
            "AuthorityExpired",
            "every certificate authority of this vault has expired",
            "start the server or run `bac2 ca renew`, then export again and give it to all clients",
        ));
    }
    console.text(&valid)
}

pub(crate) fn show(arguments: &Show, console: &Console) -> Result<(), Failure> {
    let now = SystemClock.now();
    let shown: Vec<Shown> = known(&arguments.data)?
        .iter()
        .map(|c| Shown::of(c, now))
        .collect();
    if console.format() == Format::Json {
        return console.json(&shown);
    }
    let mut rows = table(console, &["no.", "authority", "for", "until", "SHA-256"]);
    for shown in &shown {
        let until = if shown.valid {
            shown.not_after.clone()
        } else {
            format!("{} (expired)", shown.not_after)
        };
        let hosts = if shown.hosts.is_empty() {
            "localhost only".to_owned()
        } else {
            shown.hosts.join(", ")
        };
        rows.add_row([
            figures(&shown.number.to_string()),
            cell(&shown.name),
            cell(&hosts),
            cell(&until),
            cell(&shown.sha256),
        ]);
    }
    console.text(&format!("{rows}\n"))
}

pub(crate) fn renew(arguments: &Renew, console: &Console) -> Result<(), Failure> {
    known(&arguments.data)?;
    let now = SystemClock.now();
    let made =
        frontdoor::tls::renew(&arguments.data, &arguments.host, now).map_err(|error| failure(&error))?;
    match console.format() {
        Format::Json => console.json(&Shown::of(&made, now)),
        Format::Table => console.text(&format!(
            "made {}, which ends on {}\nnow: give clients the output of `bac2 ca export --data {}`\n",
            made.name,
            day(made.not_after),
            arguments.data.display()
        )),
    }
}

/// The authorities of a directory that has some.
fn known(data: &std::path::Path) -> Result<Vec<AuthorityCertificate>, Failure> {
    let all = certificates(data).map_err(|error| failure(&error))?;
    if all.is_empty() {
        return Err(Failure::unusable(
            "NoAuthority",
            format!("{} has no certificate authority yet", data.display()),
            "`bac2 blob serve --tls` makes it at its first start; check the spelling of the directory",
        ));
    }
    Ok(all)
}

/// The date alone: to the day is what people plan with.
fn day(moment: UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(moment.0)
        .map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// What stands in the way of TLS, as a sentence with a next step.
pub(crate) fn failure(error: &TlsError) -> Failure {
    let (code, next) = match error {
        TlsError::Io { path, source } => return Failure::reading(path, source),
        TlsError::Unreadable { .. } => (
            "CertificateUnusable",
            "give PEM files: the certificate with its chain, and its key without a password".to_owned(),
        ),
        TlsError::KeyMismatch { .. } => (
            "CertificateKeyMismatch",
            "give the key that the certificate was requested with; `openssl x509 -in CERT -pubkey -noout` and `openssl pkey -in KEY -pubout` must print the same".to_owned(),
        ),
        TlsError::Uncovered { host, folder } => (
            "HostNotCovered",
            format!(
                "`bac2 ca renew --data {} --host {host}` makes an authority that covers it; then give its clients the output of `bac2 ca export`",
                folder.parent().unwrap_or(folder).display()
            ),
        ),
        TlsError::TooMany { folder } => (
            "TooManyAuthorities",
            format!("look at what makes them, and remove those in {} that no client trusts", folder.display()),
        ),
        TlsError::Making(_) => ("NoCertificate", "look at the clock of this machine and at the names given".to_owned()),
    };
    Failure::unusable(code, error.to_string(), next)
}
