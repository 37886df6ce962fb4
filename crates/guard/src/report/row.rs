//! One row of a report: the JSON contract of `bac2 leases`, a line of CSV, a row of the sheet.

use azblob::lease::LeaseDurationKind;
use azblob::response::BlobType;
use azblob::time::UnixMillis;
use bak::BackupType;
use serde::Serialize;

use crate::activity::Activity;
use crate::content::{Contained, Content};
use crate::fault::Fault;
use crate::finding::Finding;
use crate::holder::Holder;
use crate::ruling::Ruling;

use super::outcome::Entry;
use super::{reason, sentence};

/// One locked blob, or one thing that could not be read. Times are RFC 3339 in UTC unless said otherwise; what does
/// not apply is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// When this row came to be.
    pub time: String,
    /// The account's address.
    pub account: String,
    /// The container; null where the account itself could not be read.
    pub container: Option<String>,
    /// The blob; null for a container that could not be read.
    pub blob: Option<String>,
    /// `block`, `page` or `append`.
    pub kind: Option<&'static str>,
    /// Bytes of committed content; of a page blob the declared size.
    pub size: Option<u64>,
    /// Blocks put and not committed.
    pub uncommitted_blocks: Option<u64>,
    /// Their bytes.
    pub uncommitted_bytes: Option<u64>,
    /// When the blob was made.
    pub created: Option<String>,
    /// When it last changed, as the service says.
    pub last_modified: Option<String>,
    /// Seconds between that and now, by the two clocks: for people, nothing is judged by it.
    pub age_seconds: Option<u64>,
    /// `leased` or `breaking`.
    pub lease_state: Option<&'static str>,
    /// `infinite` or `fixed`.
    pub lease_duration: Option<&'static str>,
    /// `restore`, `backup` or `unknown`.
    pub holder: Option<&'static str>,
    /// `tapeHeader`, `compressedHeader` or `blockIds`, of a backup.
    pub evidence: Option<&'static str>,
    /// `growing`, `quiet` or `unknown`.
    pub activity: Option<&'static str>,
    /// Since when it was seen to be quiet.
    pub quiet_since: Option<String>,
    /// For how long.
    pub quiet_seconds: Option<u64>,
    /// Connections that use it, open on the vault's own door.
    pub connections: Option<u32>,
    /// `backup`, `empty`, `dataFile`, `logFile`, `disk`, `other` or `unread`.
    pub content: Option<&'static str>,
    /// The database of the backup.
    pub database_name: Option<String>,
    /// Its server.
    pub server_name: Option<String>,
    /// `full`, `differential`, `log`, ...
    pub backup_type: Option<String>,
    /// When the backup began, on its server's clock, without an offset.
    pub backup_start_date: Option<String>,
    /// Whether the backup is whole, by its headers.
    pub complete: Option<bool>,
    /// What the rules say: `break`, `wait` or `keep`.
    pub ruling: Option<&'static str>,
    /// `listed`, `wouldBreak`, `wouldDelete`, `broken`, `deleted`, `skipped`, `brokenNotDeleted` or `failed`; in a
    /// watch also `released` and `gone`, of a blob that was locked in the round before.
    pub action: &'static str,
    /// Why, one word of the contract: a [`Grounds`](crate::ruling::Grounds), a [`Why`](crate::ruling::Why) or a
    /// [`Skip`](super::Skip) in camelCase, `notQuietYet` for a ruling to wait; of a failure Azure's error code, or
    /// where there was none a [`Cause`](crate::fault::Cause) in camelCase.
    pub reason: Option<String>,
    /// Why, one sentence with the next step.
    pub detail: Option<String>,
}

impl Row {
    /// What `entry` says, for the account at the address `account`.
    pub fn of(entry: &Entry, account: &str) -> Self {
        let mut row = Self {
            account: account.to_owned(),
            ..Self::default()
        };
        match entry {
            Entry::Blob {
                finding,
                ruling,
                did,
                at,
            } => {
                row.time = at.rfc3339();
                row.describe(finding, *at);
                row.ruling = Some(match ruling {
                    Ruling::Break(_) => "break",
                    Ruling::Wait(_) => "wait",
                    Ruling::Keep(_) => "keep",
                });
                row.action = did.as_str();
                row.reason = Some(reason::of_blob(ruling, did));
                row.detail = Some(sentence::of_blob(finding, ruling, did));
            }
            Entry::Unread { fault, at } => {
                row.time = at.rfc3339();
                row.lament(fault);
            }
        }
        row
    }

    fn describe(&mut self, finding: &Finding, now: UnixMillis) {
        let properties = &finding.properties;
        self.container = Some(finding.place.container.clone());
        self.blob = Some(finding.place.blob.clone());
        self.kind = Some(match properties.kind {
            BlobType::Block => "block",
            BlobType::Page => "page",
            BlobType::Append => "append",
        });
        self.size = Some(properties.size);
        self.uncommitted_blocks = finding.uncommitted.map(|sum| sum.blocks);
        self.uncommitted_bytes = finding.uncommitted.map(|sum| sum.bytes);
        self.created = properties.created.map(UnixMillis::rfc3339);
        self.last_modified = properties.last_modified.map(UnixMillis::rfc3339);
        self.age_seconds = properties.last_modified.map(|then| seconds_between(then, now));
        self.lease_state = Some(properties.lease.state.as_str());
        self.lease_duration = properties.lease.duration.map(LeaseDurationKind::as_str);
        self.holder = Some(finding.holder.as_str());
        self.evidence = match finding.holder {
            Holder::Backup(evidence) => Some(evidence.as_str()),
            Holder::Restore | Holder::Unknown => None,
        };
        self.activity = Some(finding.activity.as_str());
        if let Activity::Quiet { lasting, since } = finding.activity {
            self.quiet_since = Some(since.rfc3339());
            self.quiet_seconds = Some(lasting.as_secs());
        }
        self.connections = finding.witness.map(|witness| witness.connections);
        self.content = Some(finding.content.as_str());
        if let Content::Backup(contained) = &finding.content {
            self.describe_backup(contained);
        }
    }

    fn describe_backup(&mut self, contained: &Contained) {
        let said = |text: &String| (!text.is_empty()).then(|| text.clone());
        self.database_name = said(&contained.database_name);
        self.server_name = said(&contained.server_name);
        self.backup_type = contained.backup_type.map(|kind| word(kind).to_owned());
        self.backup_start_date = contained.backup_start_date.map(|at| at.to_string());
        self.complete = contained.ending.as_bool();
    }

    /// A failure stands in the report like anything else that was found.
    fn lament(&mut self, fault: &Fault) {
        let (container, blob) = match fault.target.split_once('/') {
            Some((container, blob)) => (container, Some(blob)),
            None => (fault.target.as_str(), None),
        };
        self.container = (!container.is_empty()).then(|| container.to_owned());
        self.blob = blob.filter(|blob| !blob.is_empty()).map(str::to_owned);
        self.action = "failed";
        self.reason = Some(reason::of_fault(fault));
        self.detail = Some(fault.to_string());
    }
}

/// Whole seconds from `then` to `now`; 0 where the account's clock is ahead of this machine's.
fn seconds_between(then: UnixMillis, now: UnixMillis) -> u64 {
    u64::try_from(now.0.saturating_sub(then.0) / 1000).unwrap_or(0)
}

/// The words that `bac2 inspect` has for the types of backups.
fn word(kind: BackupType) -> &'static str {
    match kind {
        BackupType::Full => "full",
        BackupType::Differential => "differential",
        BackupType::Log => "log",
        BackupType::File => "file",
        BackupType::DifferentialFile => "differentialFile",
        BackupType::Partial => "partial",
        BackupType::DifferentialPartial => "differentialPartial",
        BackupType::Other => "other",
    }
}
