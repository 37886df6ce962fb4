//! What is stored, as `bac2 blob list` shows it.
//!
//! The same value whether a running server is asked or the store is opened for reading when nobody holds it. The names
//! of the fields are a contract of the command line.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus};
use bak::stripes::{Company, Family};
use bak::{BackupSet, LogFingerprint, Media, Verdict};
use blobstore::{BlobKind, InventoryEntry, Proof, Store};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::control;
use crate::proof::{STRIPES_PLACE, family_of, reasons};

/// One blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Storage account.
    pub account: String,
    /// Container.
    pub container: String,
    /// Name of the blob.
    pub name: String,
    /// `block`, `page` or `append`.
    pub kind: BlobKind,
    /// Bytes of committed content.
    pub size: u64,
    /// False while there are only uncommitted blocks.
    pub committed: bool,
    /// Nobody may change or delete it over the protocol.
    pub sealed: bool,
    /// Available, leased, expired, breaking or broken.
    pub lease_state: LeaseState,
    /// Locked or unlocked.
    pub lease_status: LeaseStatus,
    /// Infinite or fixed, while leased.
    pub lease_duration: Option<LeaseDurationKind>,
    /// None for what is not a SQL Server backup: an empty or uncommitted blob too.
    pub verdict: Option<ShownVerdict>,
    /// Why the verdict is not `ok`.
    pub reasons: Vec<String>,
    /// The backup sets, as `bac2 inspect` prints them.
    pub sets: Vec<BackupSet>,
    /// The media that the blob is, as `bac2 inspect` prints it; none while that is not known.
    #[serde(default)]
    pub media: Option<Media>,
    /// What the log in each of `sets` looks like, in their order; empty unless asked for with [`ask_with_logs`] or
    /// [`entries_with_logs`], and so no part of what `bac2 blob list` prints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_fingerprints: Vec<Option<LogFingerprint>>,
}

/// A verdict, or that there is none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ShownVerdict {
    /// As `bac2 verify` says it.
    Judged(Verdict),
    /// Verification is not done.
    Waiting(Pending),
}

/// The word for a verdict that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pending {
    /// Verification is not done.
    Pending,
}

impl ShownVerdict {
    /// The word in the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            ShownVerdict::Judged(verdict) => verdict.as_str(),
            ShownVerdict::Waiting(Pending::Pending) => "pending",
        }
    }
}

/// Windows of a log fingerprint in a list: a list of 10,000 logs stays within some 20 MB.
const LOG_WINDOWS: usize = 64;

/// Everything in a store, in order of account, container and name. Blocking.
pub fn entries(store: &Store) -> Vec<Entry> {
    listed(store, |_| Vec::new())
}

/// [`entries`] with the fingerprints of their logs. Blocking.
pub fn entries_with_logs(store: &Store) -> Vec<Entry> {
    listed(store, log_fingerprints)
}

fn listed(store: &Store, logs: impl Fn(&Proof) -> Vec<Option<LogFingerprint>>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut families: Families = BTreeMap::new();
    store.take_stock(&mut |found| {
        if let Some(proof) = &found.proof
            && let Some(family) = family_of(proof)
        {
            let judged_sound = matches!(proof.verdict, Some(Verdict::Ok | Verdict::Incomplete));
            let id = (found.path.account.to_string(), family.media_set_id);
            families.entry(id).or_default().push(Listed {
                entry: entries.len(),
                is_final: proof.is_final,
                family: Family {
                    is_sound: family.is_sound && judged_sound,
                    ..family
                },
            });
        }
        let log_fingerprints = found.proof.as_ref().map_or(Vec::new(), &logs);
        entries.push(Entry {
            log_fingerprints,
            ..entry(found)
        });
    });
    for listed in families.values() {
        say_what_is_missing(&mut entries, listed);
    }
    entries
}

/// The families in the list, by account and media set.
type Families = BTreeMap<(String, Uuid), Vec<Listed>>;

struct Listed {
    entry: usize,
    is_final: bool,
    family: Family,
}

/// The stored reasons of an incomplete family are those of the moment when it became so; the list says what holds now.
fn say_what_is_missing(entries: &mut [Entry], set: &[Listed]) {
    for listed in set.iter().filter(|listed| listed.family.is_sound) {
        let entry = &mut entries[listed.entry];
        if entry.verdict != Some(ShownVerdict::Judged(Verdict::Incomplete)) {
            continue;
        }
        let finished = set
            .iter()
            .filter(|other| other.is_final)
            .map(|other| &other.family);
        let company = Company::of(&listed.family, finished);
        entry.reasons = reasons(&listed.family, &company.judge(&listed.family, STRIPES_PLACE));
    }
}

/// [`entries`] as a JSON array. Blocking.
///
/// # Errors
/// None that can happen with these values; serde's type all the same.
pub fn json(store: &Store) -> serde_json::Result<String> {
    serde_json::to_string(&entries(store))
}

/// [`entries_with_logs`] as a JSON array. Blocking.
///
/// # Errors
/// None that can happen with these values; serde's type all the same.
pub fn json_with_logs(store: &Store) -> serde_json::Result<String> {
    serde_json::to_string(&entries_with_logs(store))
}

/// What the server that runs on a data directory has; `None` when none runs. Blocking.
///
/// # Errors
/// The connection broke, or the answer is not that of a server of this version.
pub fn ask(data: &Path) -> io::Result<Option<Vec<Entry>>> {
    ask_for(data, "list")
}

/// [`ask`], with the fingerprints of the logs. Blocking.
///
/// # Errors
/// As [`ask`].
pub fn ask_with_logs(data: &Path) -> io::Result<Option<Vec<Entry>>> {
    ask_for(data, "list with logs")
}

fn ask_for(data: &Path, command: &str) -> io::Result<Option<Vec<Entry>>> {
    let Some(answer) = control::ask(data, command)? else {
        return Ok(None);
    };
    Ok(Some(serde_json::from_str(&answer)?))
}

/// The fingerprints in a stored report; none in one that was stored before there were any.
fn log_fingerprints(proof: &Proof) -> Vec<Option<LogFingerprint>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Logs {
        #[serde(default)]
        log_fingerprints: Vec<Option<LogFingerprint>>,
    }
    let report = proof.report.as_ref();
    let logs = report.and_then(|report| serde_json::from_str::<Logs>(report.get()).ok());
    let logs = logs.into_iter().flat_map(|logs| logs.log_fingerprints);
    logs.map(|log| log.map(|log| log.coarsened(LOG_WINDOWS)))
        .collect()
}

/// The part of a stored report that is shown.
#[derive(Deserialize)]
struct Told {
    sets: Vec<BackupSet>,
    media: Option<Media>,
}

fn entry(found: InventoryEntry) -> Entry {
    let InventoryEntry { path, view, proof } = found;
    let judgeable = view.committed && view.size > 0;
    let (verdict, reasons, told) = match proof {
        None => (
            judgeable.then_some(ShownVerdict::Waiting(Pending::Pending)),
            Vec::new(),
            None,
        ),
        Some(proof) => {
            let told = proof
                .report
                .and_then(|report| serde_json::from_str::<Told>(report.get()).ok());
            (proof.verdict.map(ShownVerdict::Judged), proof.reasons, told)
        }
    };
    let (sets, media) = told.map_or_else(Default::default, |told| (told.sets, told.media));
    Entry {
        account: path.account.to_string(),
        container: path.container.to_string(),
        name: path.blob.to_string(),
        kind: view.kind,
        size: view.size,
        committed: view.committed,
        sealed: view.sealed,
        lease_state: view.lease_view.state,
        lease_status: view.lease_view.status,
        lease_duration: view.lease_view.duration,
        verdict,
        reasons,
        sets,
        media,
        log_fingerprints: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_one_word() {
        for (verdict, word) in [
            (ShownVerdict::Judged(Verdict::CannotVerify), "\"cannotVerify\""),
            (ShownVerdict::Waiting(Pending::Pending), "\"pending\""),
        ] {
            assert_eq!(serde_json::to_string(&verdict).unwrap(), word);
            assert_eq!(serde_json::from_str::<ShownVerdict>(word).unwrap(), verdict);
            assert_eq!(verdict.as_str(), word.trim_matches('"'));
        }
    }
}
