//! One row of a report: the JSON contract of `bac2 leases`, a line of CSV, a row of the sheet.

use serde::Serialize;

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
    /// `listed`, `wouldBreak`, `wouldDelete`, `broken`, `deleted`, `skipped`, `brokenNotDeleted` or `failed`.
    pub action: &'static str,
    /// Why, one word of the contract: a [`Grounds`](crate::ruling::Grounds), a [`Why`](crate::ruling::Why), a skip's, or
    /// Azure's error code.
    pub reason: Option<String>,
    /// Why, one sentence with the next step.
    pub detail: Option<String>,
}
