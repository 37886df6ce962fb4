//! The columns that CSV and Excel share: the contract's keys, in its order, with a title and a width for people.

use super::row::Row;

/// One value of a row.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    /// Does not apply.
    Nothing,
    /// A text that may come from anybody: names of blobs are hostile until proved otherwise.
    Text(&'a str),
    /// A whole number.
    Number(u64),
    /// A moment in UTC, RFC 3339.
    Moment(&'a str),
    /// A moment on some server's clock, without an offset.
    LocalMoment(&'a str),
    /// True or false.
    Truth(bool),
}

/// One column.
pub(super) struct Column {
    /// Its key in the JSON contract and its header in CSV.
    pub(super) key: &'static str,
    /// Its header in Excel.
    pub(super) title: &'static str,
    /// Its width in Excel, in characters of the default font.
    pub(super) width: f64,
    /// Its value.
    pub(super) of: fn(&Row) -> Cell<'_>,
}

/// How many there are.
pub(super) const COUNT: usize = 29;

/// All, in the order of the contract.
pub(super) const COLUMNS: [Column; COUNT] = [
    column("time", "Time (UTC)", 20.0, |row| Cell::Moment(&row.time)),
    column("account", "Account", 40.0, |row| Cell::Text(&row.account)),
    column("container", "Container", 20.0, |row| name(&row.container)),
    column("blob", "Blob", 48.0, |row| name(&row.blob)),
    column("kind", "Kind", 8.0, |row| word(row.kind)),
    column("size", "Size (bytes)", 20.0, |row| number(row.size)),
    column("uncommittedBlocks", "Uncommitted blocks", 12.0, |row| {
        number(row.uncommitted_blocks)
    }),
    column("uncommittedBytes", "Uncommitted bytes", 20.0, |row| {
        number(row.uncommitted_bytes)
    }),
    column("created", "Created (UTC)", 20.0, |row| moment(&row.created)),
    column("lastModified", "Last modified (UTC)", 20.0, |row| {
        moment(&row.last_modified)
    }),
    column("ageSeconds", "Age (seconds)", 14.0, |row| number(row.age_seconds)),
    column("leaseState", "Lease state", 12.0, |row| word(row.lease_state)),
    column("leaseDuration", "Lease duration", 12.0, |row| {
        word(row.lease_duration)
    }),
    column("holder", "Holder", 10.0, |row| word(row.holder)),
    column("evidence", "Evidence", 18.0, |row| word(row.evidence)),
    column("activity", "Activity", 10.0, |row| word(row.activity)),
    column("quietSince", "Quiet since (UTC)", 20.0, |row| {
        moment(&row.quiet_since)
    }),
    column("quietSeconds", "Quiet (seconds)", 14.0, |row| {
        number(row.quiet_seconds)
    }),
    column("connections", "Open connections", 12.0, |row| {
        number(row.connections.map(u64::from))
    }),
    column("content", "Content", 10.0, |row| word(row.content)),
    column("databaseName", "Database", 24.0, |row| name(&row.database_name)),
    column("serverName", "Server", 24.0, |row| name(&row.server_name)),
    column("backupType", "Backup type", 14.0, |row| name(&row.backup_type)),
    column("backupStartDate", "Backup start (server's clock)", 20.0, |row| {
        row.backup_start_date
            .as_deref()
            .map_or(Cell::Nothing, Cell::LocalMoment)
    }),
    column("complete", "Complete", 10.0, |row| {
        row.complete.map_or(Cell::Nothing, Cell::Truth)
    }),
    column("ruling", "Ruling", 9.0, |row| word(row.ruling)),
    column("action", "Action", 16.0, |row| Cell::Text(row.action)),
    column("reason", "Reason", 24.0, |row| name(&row.reason)),
    column("detail", "Detail", 100.0, |row| name(&row.detail)),
];

const fn column(
    key: &'static str,
    title: &'static str,
    width: f64,
    of: for<'a> fn(&'a Row) -> Cell<'a>,
) -> Column {
    Column {
        key,
        title,
        width,
        of,
    }
}

fn name(text: &Option<String>) -> Cell<'_> {
    text.as_deref().map_or(Cell::Nothing, Cell::Text)
}

fn word(word: Option<&'static str>) -> Cell<'static> {
    word.map_or(Cell::Nothing, Cell::Text)
}

fn number(number: Option<u64>) -> Cell<'static> {
    number.map_or(Cell::Nothing, Cell::Number)
}

fn moment(text: &Option<String>) -> Cell<'_> {
    text.as_deref().map_or(Cell::Nothing, Cell::Moment)
}
