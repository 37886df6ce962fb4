//! Sealing blobs, and lifting seals, as the server's owner asks for it: through the control socket of a running server, or
//! on a store that nobody serves. The blob protocol has no way here.
//!
//! What is asked for is a [`Wish`]; what became of each blob is a [`Deed`]. Both cross the control socket as JSON.

use std::io;
use std::path::Path;

use azblob::names::{AccountName, BlobName, ContainerName};
use bak::Verdict;
use blobstore::{BlobPath, BlobView, ListEntry, ListQuery, Permit, SealIf, Sealed, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::control;

/// Which blobs shall be sealed or unsealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wish {
    /// Sealed afterwards, or not.
    pub sealed: bool,
    /// Storage account; needed only where several have a container of this name.
    pub account: Option<String>,
    /// Container.
    pub container: String,
    /// These blobs. None named: all blobs whose names begin with `prefix`.
    pub blobs: Vec<String>,
    /// Beginning of the names, when none are given.
    pub prefix: String,
    /// Only blobs whose verdict is final and ok.
    pub proved: bool,
    /// Find out what would be done, and change nothing.
    pub dry_run: bool,
}

/// What became of one blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deed {
    /// Storage account.
    pub account: String,
    /// Container.
    pub container: String,
    /// Name of the blob.
    pub name: String,
    /// Bytes of content.
    pub size: u64,
    /// What was done.
    pub status: Status,
    /// Whether it is sealed now.
    pub sealed: bool,
    /// Its verdict, where there is one.
    pub verdict: Option<Verdict>,
    /// Why it was refused.
    pub detail: Option<String>,
}

/// What was done to one blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Sealed.
    Sealed,
    /// Its seal was lifted.
    Unsealed,
    /// It was so before.
    Unchanged,
    /// It would be changed.
    Planned,
    /// It was not changed, for the reason in [`Deed::detail`].
    Refused,
}

impl Status {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Sealed => "sealed",
            Status::Unsealed => "unsealed",
            Status::Unchanged => "unchanged",
            Status::Planned => "planned",
            Status::Refused => "refused",
        }
    }
}

/// One line on the control socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase")]
enum Line {
    Seal(Wish),
}

/// Asks the server that runs on a data directory; `None` when none runs. Blocking.
///
/// # Errors
/// The connection broke, or the server says why it cannot.
pub fn ask(data: &Path, wish: &Wish) -> io::Result<Option<Vec<Deed>>> {
    let line = serde_json::to_string(&Line::Seal(wish.clone()))?;
    let Some(answer) = control::ask(data, &line)? else {
        return Ok(None);
    };
    Ok(Some(serde_json::from_str(&answer)?))
}

/// Answers a line of the control socket that is JSON. Blocking.
pub(crate) fn answer(store: &Store, line: &str) -> Result<String, String> {
    let Line::Seal(wish) = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let deeds = carry_out(store, &wish)?;
    serde_json::to_string(&deeds).map_err(|error| error.to_string())
}

/// Seals or unseals. Blocking; each blob is durable before the next.
///
/// # Errors
/// A sentence: the container is not there, or several accounts have it. What is wrong with one blob is in its deed.
pub fn carry_out(store: &Store, wish: &Wish) -> Result<Vec<Deed>, String> {
    let container = ContainerName::new(wish.container.as_str())
        .map_err(|_| format!("{:?} is no name of a container", wish.container))?;
    let account = account_of(store, wish.account.as_deref(), &container)?;
    let at = |blob| BlobPath {
        account: account.clone(),
        container: container.clone(),
        blob,
    };
    if wish.blobs.is_empty() {
        let selected = selected(store, &account, &container, wish)?;
        let deeds = selected.into_iter().map(|(name, view)| {
            let path = at(name);
            deed(store, &path, &view, wish)
        });
        return Ok(deeds.collect());
    }
    let deeds = wish.blobs.iter().map(|name| {
        let found = BlobName::new(name.as_str()).map_err(StoreError::from);
        match found.and_then(|blob| {
            let path = at(blob);
            let view = store.blob_properties(&path, &Permit::NONE)?;
            Ok((path, view))
        }) {
            Ok((path, view)) => deed(store, &path, &view, wish),
            Err(error) => refused_without_view(wish, &account, name, &error),
        }
    });
    Ok(deeds.collect())
}

/// The account that is meant, or the only one that has the container.
pub(crate) fn account_of(
    store: &Store,
    wanted: Option<&str>,
    container: &ContainerName,
) -> Result<AccountName, String> {
    let mut accounts = store.accounts_with(container);
    if let Some(wanted) = wanted {
        accounts.retain(|account| account.as_str() == wanted);
    }
    match accounts.as_slice() {
        [account] => Ok(account.clone()),
        [] => Err(format!("there is no container {container} here")),
        several => {
            let names: Vec<&str> = several.iter().map(AccountName::as_str).collect();
            Err(format!(
                "several accounts have a container {container} ({}): name one with --account",
                names.join(", ")
            ))
        }
    }
}

/// The blobs that a prefix and `proved` select: those with content.
fn selected(
    store: &Store,
    account: &AccountName,
    container: &ContainerName,
    wish: &Wish,
) -> Result<Vec<(BlobName, BlobView)>, String> {
    let mut found = Vec::new();
    let mut query = ListQuery {
        prefix: wish.prefix.clone(),
        ..ListQuery::default()
    };
    loop {
        let page = store
            .list_blobs(account, container, &query)
            .map_err(|error| error.to_string())?;
        for entry in page.entries {
            if let ListEntry::Blob(name, view) = entry {
                found.push((name, view));
            }
        }
        match page.next_marker {
            Some(marker) => query.marker = Some(marker),
            None => break,
        }
    }
    found.retain(|(name, view)| {
        let path = BlobPath {
            account: account.clone(),
            container: container.clone(),
            blob: name.clone(),
        };
        view.size > 0 && (!wish.proved || is_proved(store, &path))
    });
    Ok(found)
}

fn verdict(store: &Store, path: &BlobPath) -> Option<(Option<Verdict>, bool)> {
    let state = store.proof_state(path).ok()??;
    Some((state.verdict, state.is_final))
}

fn is_proved(store: &Store, path: &BlobPath) -> bool {
    verdict(store, path) == Some((Some(Verdict::Ok), true))
}

fn deed(store: &Store, path: &BlobPath, view: &BlobView, wish: &Wish) -> Deed {
    let (status, detail) = if wish.dry_run {
        planned(store, path, view, wish)
    } else if wish.sealed {
        sealed(store, path, wish)
    } else {
        unsealed(store, path, view, wish)
    };
    if matches!(status, Status::Sealed | Status::Unsealed) {
        tracing::warn!(blob = ?path, seal = status.as_str(), "by its owner");
    }
    Deed {
        account: path.account.to_string(),
        container: path.container.to_string(),
        name: path.blob.to_string(),
        size: view.size,
        status,
        sealed: match status {
            Status::Sealed => true,
            Status::Unsealed => false,
            Status::Unchanged => wish.sealed,
            Status::Planned | Status::Refused => view.sealed,
        },
        verdict: verdict(store, path).and_then(|(verdict, _)| verdict),
        detail,
    }
}

const EMPTY: &str = "it is empty, and SQL Server fills an empty blob before it is a backup";
const LEASED: &str = "its lease is held: somebody may be writing it";
const NOT_PROVED: &str = "its verdict is not ok, or not final yet";

fn refused(why: impl Into<String>) -> (Status, Option<String>) {
    (Status::Refused, Some(why.into()))
}

fn planned(store: &Store, path: &BlobPath, view: &BlobView, wish: &Wish) -> (Status, Option<String>) {
    if view.sealed == wish.sealed {
        return (Status::Unchanged, None);
    }
    if wish.proved && !is_proved(store, path) {
        return refused(NOT_PROVED);
    }
    if wish.sealed && view.size == 0 {
        return refused(EMPTY);
    }
    if wish.sealed && view.lease_view.status == azblob::lease::LeaseStatus::Locked {
        return refused(LEASED);
    }
    (Status::Planned, None)
}

fn sealed(store: &Store, path: &BlobPath, wish: &Wish) -> (Status, Option<String>) {
    let wanted = if wish.proved {
        SealIf::Proved
    } else {
        SealIf::Quiet
    };
    match store.seal_if(path, wanted) {
        Ok(Sealed::Now) => (Status::Sealed, None),
        Ok(Sealed::Before) => (Status::Unchanged, None),
        Ok(Sealed::Leased) => refused(LEASED),
        Ok(Sealed::Empty) => refused(EMPTY),
        Ok(Sealed::NotProved) => refused(NOT_PROVED),
        Err(error) => refused(error.to_string()),
    }
}

fn unsealed(store: &Store, path: &BlobPath, view: &BlobView, wish: &Wish) -> (Status, Option<String>) {
    if !view.sealed {
        return (Status::Unchanged, None);
    }
    if wish.proved && !is_proved(store, path) {
        return refused(NOT_PROVED);
    }
    match store.seal(path, false) {
        Ok(_) => (Status::Unsealed, None),
        Err(error) => refused(error.to_string()),
    }
}

fn refused_without_view(wish: &Wish, account: &AccountName, name: &str, error: &StoreError) -> Deed {
    Deed {
        account: account.to_string(),
        container: wish.container.clone(),
        name: name.to_owned(),
        size: 0,
        status: Status::Refused,
        sealed: false,
        verdict: None,
        detail: Some(error.to_string()),
    }
}
