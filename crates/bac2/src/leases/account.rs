//! Which account, and who asks: secrets come from files alone, so that no list of processes shows them.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use guard::azure::{AzureAccount, Credential, OpenError, Settings};

use crate::blob::accounts;
use crate::console::Console;
use crate::failure::Failure;

/// Longest file that is read for a key: an accounts file with a thousand lines.
const KEY_FILE_MAX: u64 = 256 << 10;

/// The account and the credential.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Reach {
    /// The account's address, without a key or a SAS in it
    #[arg(long, value_name = "URL")]
    account_url: String,

    #[command(flatten)]
    credential: CredentialFrom,

    /// Certificates in PEM to trust beside the system's, such as those of bac2 ca export
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// Exactly one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct CredentialFrom {
    /// File with the account's key, alone or as NAME=BASE64KEY
    #[arg(long, value_name = "FILE")]
    account_key_file: Option<PathBuf>,

    /// File with a shared access signature; read again when it has expired in the middle of the work
    #[arg(long, value_name = "FILE")]
    sas_file: Option<PathBuf>,

    /// Microsoft Entra: the identity of this machine, of the environment, or of az login
    #[arg(long)]
    entra: bool,
}

impl Reach {
    /// Opens it; nothing is sent yet. `acting`: leases are to be broken.
    pub(super) fn open(&self, acting: bool, console: &Console) -> Result<AzureAccount, Failure> {
        let url = self.url()?;
        let mut settings = Settings::new(url, self.credential(url, console)?);
        settings.acting = acting;
        if let Some(ca) = &self.ca {
            settings.ca = Some(fs::read(ca).map_err(|error| Failure::reading(ca, &error))?);
        }
        AzureAccount::open(settings).map_err(|error| not_opened(&error))
    }

    /// The address, in which nothing secret stands.
    fn url(&self) -> Result<&str, Failure> {
        let url = self.account_url.trim();
        // Checked before anything could repeat it: a query is where a signature stands.
        if url.contains(['?', '#']) {
            return Err(Failure::unusable(
                "SecretInUrl",
                "--account-url has a query: a SAS stands there, and arguments are seen by everybody on this machine",
                "put the SAS into a file of its own, name that with --sas-file, and end the URL before the question mark; \
                 make a new SAS, since this one was shown",
            ));
        }
        if url.contains('@') {
            return Err(Failure::unusable(
                "SecretInUrl",
                "--account-url has a user name or a password",
                "give https://NAME.blob.core.windows.net, and a credential in a file",
            ));
        }
        Ok(url)
    }

    fn credential(&self, url: &str, console: &Console) -> Result<Credential, Failure> {
        let from = &self.credential;
        if let Some(path) = &from.sas_file {
            warn_if_others_read(path, "a SAS", console);
            return Ok(Credential::SasFile(path.clone()));
        }
        match &from.account_key_file {
            Some(path) => {
                warn_if_others_read(path, "a key", console);
                key(path, url)
            }
            None => Ok(Credential::Entra),
        }
    }
}

/// The key in a file: as in the accounts file of `bac2 blob serve`, or as Azure shows it.
fn key(path: &Path, url: &str) -> Result<Credential, Failure> {
    let text = read(path).map_err(|error| unread(path, &error))?;
    let text = text.trim_start_matches(BYTE_ORDER_MARK);
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    let lines = lines.filter(|line| !line.is_empty());
    let found: Result<Vec<accounts::Account>, String> = lines.map(str::parse).collect();
    let Ok(found) = found else {
        return Credential::from_key_text(text).map_err(|error| not_opened(&error));
    };
    let named = found.iter().position(|account| is_of(url, account.name.as_str()));
    let index = named.or((found.len() == 1).then_some(0));
    match index.map(|index| found[index].clone()) {
        Some(account) => Ok(Credential::AccountKey {
            name: Some(account.name),
            key: Box::new(account.secret),
        }),
        None => Err(Failure::unusable(
            "WhichAccount",
            format!(
                "{} has no key that is of the account in --account-url",
                path.display()
            ),
            "end the URL with the account's name, or give a file with its key alone",
        )),
    }
}

/// What Windows's editors put in front of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

fn unread(path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::InvalidData => Failure::unusable(
            "KeyInvalid",
            format!("{shown} is no text in ASCII or UTF-8, so it holds no key"),
            "write it anew: the redirection of Windows PowerShell writes UTF-16, Set-Content -Encoding ascii does not",
        ),
        io::ErrorKind::IsADirectory => Failure::unusable(
            "IsADirectory",
            format!("{shown} is a directory"),
            "name the file with the key",
        ),
        _ => Failure::reading(path, error),
    }
}

/// Whether `url` names the account, in its path or as the first label of its host.
fn is_of(url: &str, name: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match path.trim_matches('/') {
        "" => host.split('.').next() == Some(name),
        path => path == name,
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?
        .take(KEY_FILE_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(unix)]
pub(super) fn warn_if_others_read(path: &Path, what: &str, console: &Console) {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        console.warn(format!(
            "{} holds {what} and other users may read it; chmod 600 it",
            path.display()
        ));
    }
}

#[cfg(not(unix))]
pub(super) fn warn_if_others_read(_path: &Path, _what: &str, _console: &Console) {}

fn not_opened(error: &OpenError) -> Failure {
    let (code, next) = match error {
        OpenError::Url(_) => (
            "AccountUrlInvalid",
            "give https://NAME.blob.core.windows.net, or http://ADDR/NAME for the vault's own door or Azurite",
        ),
        OpenError::Sas(_) => (
            "SasInvalid",
            "put the SAS alone into the file, as it was handed out",
        ),
        OpenError::Key => ("KeyInvalid", "put the key alone into the file, or NAME=BASE64KEY"),
        OpenError::AccountName => ("WhichAccount", "write NAME=BASE64KEY into the file"),
        OpenError::File { .. } => ("ReadFailed", "check the path, and whether this user may read it"),
        OpenError::Ca => (
            "CaInvalid",
            "bac2 ca export --data DIR prints the certificates of a vault",
        ),
        OpenError::EntraNeedsHttps => ("EntraNeedsHttps", "give an https URL, or a SAS or key in a file"),
        OpenError::Entra(_) => (
            "NoIdentity",
            "az login, or set the variables of the identity, or take --sas-file",
        ),
        OpenError::Client(_) => ("StartFailed", "look at --ca and at the system's certificates"),
    };
    Failure::unusable(code, error.to_string(), next)
}

#[cfg(test)]
mod tests {
    use azblob::names::AccountName;

    use super::*;

    /// 16 bytes, the shortest key that is taken.
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";

    fn key_in(text: &str, url: &str) -> Result<Credential, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        key(file.path(), url)
    }

    #[test]
    fn a_key_may_stand_alone_with_its_name_or_in_a_connection_string() {
        let azure = "https://shop.blob.core.windows.net";
        let connection =
            format!("DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={KEY};EndpointSuffix=x");
        for (text, name) in [
            (KEY.to_owned(), None),
            (format!("{KEY}\n"), None),
            (format!("\u{feff}{KEY}\r\n"), None),
            (format!("\u{feff}shop={KEY}\r\n"), Some("shop")),
            (format!("# of the door\nshop={KEY}\n"), Some("shop")),
            (format!("other={KEY}\nshop={KEY} # mine\n"), Some("shop")),
            (connection, Some("shop")),
        ] {
            match key_in(&text, azure) {
                Ok(Credential::AccountKey { name: found, .. }) => {
                    assert_eq!(found.as_ref().map(AccountName::as_str), name, "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        let two = format!("one={KEY}\ntwo={KEY}\n");
        assert!(matches!(
            key_in(&two, "http://127.0.0.1:10000/two"),
            Ok(Credential::AccountKey { name: Some(name), .. }) if name.as_str() == "two"
        ));
        assert_eq!(key_in(&two, azure).unwrap_err().code(), "WhichAccount");
        for bad in ["", "secret??", "shop=secret??"] {
            let failure = key_in(bad, azure).unwrap_err();
            assert!(!failure.to_string().contains("secret??"), "{failure}");
        }
    }
}
