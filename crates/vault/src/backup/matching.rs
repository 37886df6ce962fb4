//! Whether the stream in the store is the set that SQL Server wrote for this job.
//!
//! The stream's headers say what it is, `msdb` says what SQL Server wrote, and the job knows what it asked for. A stream of another
//! backup under this job's URL proves nothing about this job's backup, however sound it is.
//!
//! Deliberately absent: whether the set meets the chain ([`super::meeting`]).

use bak::{BackupSet, BackupType};
use catalog::record::BackupWork;
use mssql::history::Set;
use schedule::BackupKind;

/// Why the stream is not the set that this job had written; none where nothing speaks against it.
pub(super) fn mismatch(work: &BackupWork, stream: &BackupSet, row: Option<&Set>) -> Option<String> {
    if let Some(marker) = &work.marker
        && stream.backup_description != *marker
    {
        return Some("its description is not that of this job".to_owned());
    }
    if stream.backup_type != type_of(work.kind) {
        return Some(format!(
            "it is a backup of type {:?}, not {}",
            stream.backup_type,
            work.kind.name()
        ));
    }
    let row = row?;
    let differs = |what: &str| Some(format!("its {what} is not what msdb has of it"));
    if stream.backup_set_guid.is_some_and(|guid| guid != row.guid) {
        return differs("BackupSetGUID");
    }
    // The end is in the commit record: a stream that was cut off has none.
    if matches!((stream.first_lsn, row.first_lsn), (Some(of_stream), Some(of_row)) if of_stream != of_row) {
        return differs("FirstLSN");
    }
    if stream.complete
        && matches!((stream.last_lsn, row.last_lsn), (Some(of_stream), Some(of_row)) if of_stream != of_row)
    {
        return differs("LastLSN");
    }
    if matches!((stream.binding_id, row.database_guid), (Some(of_stream), Some(of_row)) if of_stream != of_row)
    {
        return differs("database");
    }
    if row.is_copy_only != (work.kind == BackupKind::CopyOnlyFull) {
        return Some("msdb has COPY_ONLY otherwise than was asked for".to_owned());
    }
    None
}

/// Whether a row of `msdb` is this job's.
pub(super) fn is_of(work: &BackupWork, row: &Set) -> bool {
    row.description.is_some() && row.description == work.marker
}

fn type_of(kind: BackupKind) -> BackupType {
    match kind {
        BackupKind::Full | BackupKind::CopyOnlyFull => BackupType::Full,
        BackupKind::Differential => BackupType::Differential,
        BackupKind::Log => BackupType::Log,
    }
}
