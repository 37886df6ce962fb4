//! `bac2 sas create`: a token for a container or a blob.

use std::time::{SystemTime, UNIX_EPOCH};

use azblob::access_policy::PolicyId;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::permission::Permissions;
use azblob::request::encode_path;
use azblob::sas::{ServiceSas, SourceRange};
use azblob::time::UnixMillis;
use clap::Args;
use serde::Serialize;

use super::keys::{Chosen, Keys};
use super::when::When;
use super::{for_backup, signed};
use crate::console::{Console, Format};
use crate::failure::Failure;

/// A token that lives longer than this is warned of: nobody who can use it today should be able to in three years.
const LONG_LIFE_MS: i64 = 2 * 366 * 86_400_000;

/// Makes a shared access signature: what a client shows instead of a key.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 sas create --accounts-file ./accounts --container backups
  bac2 sas create --data ./vault --container backups --permissions rl --expiry 7d --https-only
  bac2 sas create --data ./vault --container backups --policy nightly
  bac2 sas create --data ./vault --container backups --blob sales.bak --expiry 12h --url backup.example

Prints the token and nothing else on standard output, without a leading question mark, as CREATE
CREDENTIAL takes it:
  CREATE CREDENTIAL [https://HOST/CONTAINER] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'TOKEN'
Whoever has the token can use it until it expires: it cannot be taken back, unless it refers to a
stored policy (--policy), which can be changed or removed at any time, or the account's key is
replaced. It is signed with the account's first key.

Letters: r read, a add to an append blob, c create, w write, d delete, l list, t tags. SQL Server
needs rwdl.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    keys: Keys,

    /// The container it is for
    #[arg(long, value_name = "NAME", value_parser = container)]
    container: ContainerName,

    /// The blob it is for; the whole container without it
    #[arg(long, value_name = "NAME", value_parser = blob)]
    blob: Option<BlobName>,

    /// What it allows; rwdl for a container and r for a blob, unless a policy says so
    #[arg(long, value_name = "LETTERS", value_parser = permissions)]
    permissions: Option<Permissions>,

    /// From when on; at once without it
    #[arg(long, value_name = "TIME")]
    start: Option<When>,

    /// Until when: 365d, 12h, 2027-11-21 or 2027-11-21T18:00:00Z; 365d unless a policy says so
    #[arg(long, value_name = "TIME")]
    expiry: Option<When>,

    /// Stored policy of the container that says what this token does not
    #[arg(long, value_name = "ID", value_parser = policy)]
    policy: Option<PolicyId>,

    /// Good over https only
    #[arg(long)]
    https_only: bool,

    /// Good from this address only, or from a range such as 10.0.0.1-10.0.0.9
    #[arg(long, value_name = "ADDRESS", value_parser = source)]
    ip: Option<SourceRange>,

    /// Print a whole URL of this host, with the token in it
    #[arg(long, value_name = "HOST", value_parser = origin)]
    url: Option<String>,
}

pub(super) fn container(text: &str) -> Result<ContainerName, String> {
    ContainerName::new(text).map_err(|_| {
        "a container's name is 3 to 63 lower-case letters, digits and hyphens, such as backups".to_owned()
    })
}

fn blob(text: &str) -> Result<BlobName, String> {
    BlobName::new(text).map_err(|_| "a blob's name is 1 to 1,024 characters".to_owned())
}

pub(super) fn permissions(text: &str) -> Result<Permissions, String> {
    match Permissions::parse(text) {
        Some(permissions) if !permissions.is_empty() => Ok(permissions),
        _ => Err("expected some of the letters racwdlt; SQL Server needs rwdl".to_owned()),
    }
}

pub(super) fn policy(text: &str) -> Result<PolicyId, String> {
    PolicyId::new(text).map_err(|_| "a policy's name is 1 to 64 characters".to_owned())
}

fn source(text: &str) -> Result<SourceRange, String> {
    SourceRange::parse(text).ok_or_else(|| "expected an address, or two joined by a hyphen".to_owned())
}

/// `backup.example`, or with a scheme: `http://127.0.0.1:10000`.
fn origin(text: &str) -> Result<String, String> {
    let origin = match text.split_once("://") {
        Some(_) => text.trim_end_matches('/').to_owned(),
        None => format!("https://{}", text.trim_end_matches('/')),
    };
    let host = origin.strip_prefix("https://").or(origin.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(origin),
        _ => Err("expected a host, such as backup.example".to_owned()),
    }
}

/// What was made. The order of members is part of the contract.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    account: String,
    container: String,
    blob: Option<String>,
    token: String,
    url: Option<String>,
    permissions: Option<String>,
    starts: Option<String>,
    expires: Option<String>,
    policy: Option<String>,
    https_only: bool,
    ip: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let Chosen { account, alone } = arguments.keys.choose(console)?;
    let sas = arguments.sas(now(), console)?;
    let token = signed(&sas, &account)?;
    let path = url_path(&sas, (!alone).then_some(&account.name));
    let url = arguments
        .url
        .as_ref()
        .map(|origin| format!("{origin}/{path}?{token}"));
    let moment = |at: Option<UnixMillis>| at.map(UnixMillis::iso_short);
    let made = Made {
        account: account.name.to_string(),
        container: sas.container.to_string(),
        blob: sas.blob.as_ref().map(BlobName::to_string),
        token,
        url,
        permissions: sas.permissions.map(|p| p.to_string()),
        starts: moment(sas.start),
        expires: moment(sas.expiry),
        policy: sas.policy.as_ref().map(PolicyId::to_string),
        https_only: sas.https_only,
        ip: sas.source.map(|range| range.to_string()),
    };
    match console.format() {
        Format::Json => console.json(&made),
        Format::Table => {
            console.note(made.words());
            console.text(&format!("{}\n", made.url.as_ref().unwrap_or(&made.token)))
        }
    }
}

/// The path of what the token is for, below a host; the account only where the host alone does not say it.
fn url_path(sas: &ServiceSas, account: Option<&AccountName>) -> String {
    let account = account.map(AccountName::as_str);
    let blob = sas.blob.as_ref().map(BlobName::as_str);
    let parts: Vec<&str> = account
        .into_iter()
        .chain([sas.container.as_str()])
        .chain(blob)
        .collect();
    encode_path(&parts.join("/"))
}

impl Arguments {
    fn sas(&self, now: UnixMillis, console: &Console) -> Result<ServiceSas, Failure> {
        let by_policy = self.policy.is_some();
        let usual = for_backup(self.container.clone(), now);
        let usual_letters = if self.blob.is_some() {
            Permissions::READ
        } else {
            Permissions::BACKUP
        };
        let expiry = self.expiry.map(|when| when.from(now));
        let expiry = expiry.or(usual.expiry.filter(|_| !by_policy));
        let start = self.start.map(|when| when.from(now));
        if let Some(expiry) = expiry {
            if expiry <= start.unwrap_or(now) {
                return Err(Failure::unusable(
                    "SasExpired",
                    format!("a token until {} would never be good", expiry.iso_short()),
                    "give an --expiry that is later than now, and than --start",
                ));
            }
            if expiry.0.saturating_sub(now.0) > LONG_LIFE_MS {
                console.warn(
                    "this token lives for more than two years and cannot be taken back; --policy makes one that can be",
                );
            }
        }
        Ok(ServiceSas {
            blob: self.blob.clone(),
            permissions: self.permissions.or((!by_policy).then_some(usual_letters)),
            start,
            expiry,
            policy: self.policy.clone(),
            https_only: self.https_only,
            source: self.ip,
            ..usual
        })
    }
}

impl Made {
    /// What the token is, for somebody who watches.
    fn words(&self) -> String {
        let place = match &self.blob {
            Some(blob) => format!("blob {}/{blob}", self.container),
            None => format!("container {}", self.container),
        };
        let allows = match (&self.permissions, &self.policy) {
            (Some(letters), _) => letters.clone(),
            (None, Some(policy)) => format!("what the stored policy {policy} says"),
            (None, None) => "nothing".to_owned(),
        };
        let until = match &self.expires {
            Some(moment) => format!(", until {moment} (UTC)"),
            None => String::new(),
        };
        format!("for {place} of {}: {allows}{until}", self.account)
    }
}

pub(super) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
