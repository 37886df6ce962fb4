//! `bac2 sas policy`: limits that lie with a container, so that tokens can be changed and taken back.
//!
//! A token made with `--policy ID` says nothing but the policy's name. A running server holds the data directory, so it is
//! asked through its socket; where none runs, the store is opened here. No key is needed: it is the owner's directory.

use std::io;
use std::path::PathBuf;

use azblob::access_policy::{AccessPolicy, PolicyId, SignedIdentifier};
use azblob::names::ContainerName;
use azblob::permission::Permissions;
use azblob::time::UnixMillis;
use clap::Args;
use frontdoor::policies::{self, Change, Policies, Wish};
use serde::Serialize;

use super::create::{container, now, permissions, policy};
use super::when::When;
use crate::blob::{open_to_read, open_to_serve};
use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::paint::{cell, printable, table};

/// Which container.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Place {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// The container
    #[arg(long, value_name = "NAME", value_parser = container)]
    container: ContainerName,

    /// The storage account, where several have a container of this name
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

/// Lists the stored policies of a container.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 sas policy list --data ./vault --container backups")]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

/// Makes a stored policy, or replaces it: tokens that refer to it follow at once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 sas policy set --data ./vault --container backups nightly
  bac2 sas policy set --data ./vault --container backups nightly --permissions rl --expiry 2027-12-31
  bac2 sas create --data ./vault --container backups --policy nightly

A container has at most five. What a policy says, a token that refers to it must not say again. Set
it again to let its tokens live longer: nothing has to be changed on any SQL Server. Works while a
server runs on the folder, and without one.")]
pub(crate) struct Set {
    #[command(flatten)]
    place: Place,

    /// What it allows
    #[arg(long, value_name = "LETTERS", value_parser = permissions, default_value = "rwdl")]
    permissions: Permissions,

    /// From when on; at once without it
    #[arg(long, value_name = "TIME")]
    start: Option<When>,

    /// Until when: 365d, 12h, 2027-11-21 or 2027-11-21T18:00:00Z
    #[arg(long, value_name = "TIME", default_value = "365d")]
    expiry: When,

    /// Its name, 1 to 64 characters; short, for it stands in every token
    #[arg(value_name = "ID", value_parser = policy)]
    id: PolicyId,
}

/// Removes a stored policy: tokens that refer to it are refused from then on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 sas policy revoke --data ./vault --container backups nightly")]
pub(crate) struct Revoke {
    #[command(flatten)]
    place: Place,

    /// Its name
    #[arg(value_name = "ID", value_parser = policy)]
    id: PolicyId,
}

/// One policy. The order of members is part of the contract.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    account: String,
    container: String,
    id: String,
    permissions: Option<String>,
    starts: Option<String>,
    expires: Option<String>,
}

pub(crate) fn list(arguments: &List, console: &Console) -> Result<(), Failure> {
    show(&arguments.place.carry_out(None)?, console)
}

pub(crate) fn set(arguments: &Set, console: &Console) -> Result<(), Failure> {
    let now = now();
    let (start, expiry) = (
        arguments.start.map(|when| when.from(now)),
        arguments.expiry.from(now),
    );
    if expiry <= start.unwrap_or(now) {
        return Err(Failure::unusable(
            "SasExpired",
            format!("a policy until {} would never allow anything", expiry.iso_short()),
            "give an --expiry that is later than now, and than --start",
        ));
    }
    let policy = AccessPolicy {
        start,
        expiry: Some(expiry),
        permissions: Some(arguments.permissions),
    };
    let id = arguments.id.clone();
    let change = Change::Set(SignedIdentifier { id, policy });
    show(&arguments.place.carry_out(Some(change))?, console)
}

pub(crate) fn revoke(arguments: &Revoke, console: &Console) -> Result<(), Failure> {
    let change = Change::Revoke(arguments.id.clone());
    show(&arguments.place.carry_out(Some(change))?, console)
}

impl Place {
    /// Has the server that runs on the directory do it, or does it here where none runs.
    fn carry_out(&self, change: Option<Change>) -> Result<Policies, Failure> {
        let wish = Wish {
            account: self.account.clone(),
            container: self.container.to_string(),
            change,
        };
        match policies::ask(&self.data, &wish) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            // What the server itself says comes as an error of no other kind.
            Err(error) if error.kind() == io::ErrorKind::Other => return Err(refused(error.to_string())),
            Err(error) => {
                return Err(Failure::failed(
                    "ServerDoesNotAnswer",
                    format!(
                        "the server that runs on {} did not answer: {error}",
                        self.data.display()
                    ),
                    "look at its log",
                ));
            }
        }
        // Opening to read makes no directory where there is none.
        let store = open_to_read(&self.data)?;
        let store = if wish.change.is_none() {
            store
        } else {
            drop(store);
            open_to_serve(&self.data)?
        };
        policies::carry_out(&store, &wish).map_err(refused)
    }
}

fn refused(why: String) -> Failure {
    Failure::unusable(
        "NoSuchPolicy",
        why,
        "bac2 sas policy list shows the policies of a container, bac2 blob list the containers",
    )
}

fn show(found: &Policies, console: &Console) -> Result<(), Failure> {
    let moment = |at: Option<UnixMillis>| at.map(UnixMillis::iso_short);
    let rows: Vec<Shown> = (found.policies.iter())
        .map(|SignedIdentifier { id, policy }| Shown {
            account: found.account.clone(),
            container: found.container.clone(),
            id: id.to_string(),
            permissions: policy.permissions.map(|p| p.to_string()),
            starts: moment(policy.start),
            expires: moment(policy.expiry),
        })
        .collect();
    if console.format() == Format::Json {
        return console.json(&rows);
    }
    if rows.is_empty() {
        return console.text("no stored policies\n");
    }
    let mut table = table(console, &["policy", "allows", "from", "until (UTC)"]);
    for row in &rows {
        let said = |text: &Option<String>| cell(text.as_deref().unwrap_or("(the token says)"));
        table.add_row(vec![
            cell(&printable(&row.id)),
            said(&row.permissions),
            cell(row.starts.as_deref().unwrap_or("")),
            said(&row.expires),
        ]);
    }
    console.text(&format!("{}\n", table.trim_fmt()))
}
