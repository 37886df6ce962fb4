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
    // NO_TRUNCATE, by which the tail of a damaged database is taken, is COPY_ONLY too.
    let may_be_either = work.tail.as_ref().is_some_and(|tail| tail.is_damaged);
    if !may_be_either && row.is_copy_only != (work.kind == BackupKind::CopyOnlyFull) {
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

#[cfg(test)]
mod tests {
    use bak::{BackupSet, BackupType, LocalTime, Lsn};
    use catalog::record::BackupWork;
    use mssql::history::Set;
    use mssql::value::DateTime;
    use schedule::BackupKind;
    use uuid::Uuid;

    use super::mismatch;

    const MARKER: &str = "bac2 0 attempt 1 vault 0";

    fn work(kind: BackupKind) -> BackupWork {
        BackupWork {
            marker: Some(MARKER.to_owned()),
            ..BackupWork::of(kind)
        }
    }

    fn lsn(decimal: &str) -> Option<Lsn> {
        Some(decimal.parse().unwrap())
    }

    fn stream(backup_type: BackupType) -> BackupSet {
        let at = LocalTime {
            year: 2026,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
        };
        BackupSet {
            position: 1,
            backup_type,
            backup_name: String::new(),
            backup_description: MARKER.to_owned(),
            user_name: "sa".to_owned(),
            machine_name: "SQL1".to_owned(),
            server_name: "SQL1".to_owned(),
            database_name: "Shop".to_owned(),
            software_version: bak::SoftwareVersion {
                major: 15,
                minor: 0,
                build: 4102,
            },
            database_version: 904,
            compatibility_level: 150,
            recovery_model: bak::RecoveryModel::Full,
            compressed: false,
            has_backup_checksums: true,
            is_copy_only: false,
            first_lsn: lsn("320000000231800000"),
            last_lsn: lsn("322000000252300000"),
            checkpoint_lsn: None,
            database_backup_lsn: None,
            differential_base_lsn: None,
            fork_point_lsn: None,
            backup_set_guid: Some(Uuid::from_u128(1)),
            binding_id: Some(Uuid::from_u128(2)),
            family_guid: None,
            recovery_fork_id: None,
            first_recovery_fork_id: None,
            differential_base_guid: None,
            backup_start_date: Some(at),
            backup_finish_date: Some(at),
            database_creation_date: None,
            time_zone_offset_minutes: None,
            backup_size: 1,
            complete: true,
            files: Vec::new(),
            has_bulk_logged_data: false,
            log_chain_lsn: None,
        }
    }

    fn row() -> Set {
        let at = DateTime {
            days: 739_600,
            ticks: 0,
        };
        Set {
            id: 1,
            guid: Uuid::from_u128(1),
            name: None,
            description: Some(MARKER.to_owned()),
            user_name: None,
            kind: 'L',
            is_copy_only: false,
            is_snapshot: false,
            is_damaged: false,
            has_checksums: true,
            has_bulk_logged: false,
            begins_log_chain: false,
            database_name: "Shop".to_owned(),
            database_guid: Some(Uuid::from_u128(2)),
            family_guid: None,
            server_name: None,
            recovery_model: None,
            first_lsn: lsn("320000000231800000"),
            last_lsn: lsn("322000000252300000"),
            checkpoint_lsn: None,
            database_backup_lsn: None,
            fork_point_lsn: None,
            differential_base_lsn: None,
            differential_base_guid: None,
            first_recovery_fork: None,
            last_recovery_fork: None,
            started: at,
            finished: at,
            time_zone_quarters: None,
            size: None,
            compressed_size: None,
            key_algorithm: None,
            encryptor_thumbprint: None,
            last_valid_restore_time: None,
            devices: Vec::new(),
        }
    }

    #[test]
    fn a_stream_is_the_set_that_its_job_had_written() {
        let (log, stream) = (work(BackupKind::Log), stream(BackupType::Log));
        assert_eq!(mismatch(&log, &stream, Some(&row())), None);
        assert_eq!(mismatch(&log, &stream, None), None, "msdb may be purged");
        let speaks_against = |change: &dyn Fn(&mut BackupSet)| {
            let mut other = stream.clone();
            change(&mut other);
            mismatch(&log, &other, Some(&row()))
        };
        assert!(speaks_against(&|set| set.backup_description = "nightly".to_owned()).is_some());
        assert!(speaks_against(&|set| set.backup_type = BackupType::Full).is_some());
        assert!(speaks_against(&|set| set.backup_set_guid = Some(Uuid::nil())).is_some());
        assert!(speaks_against(&|set| set.first_lsn = lsn("1")).is_some());
        assert!(speaks_against(&|set| set.last_lsn = lsn("1")).is_some());
        assert!(speaks_against(&|set| set.binding_id = Some(Uuid::nil())).is_some());
        // Cut off, it has no end of its own to compare; that it is cut off says the verifier.
        let cut = |set: &mut BackupSet| (set.complete, set.last_lsn) = (false, lsn("1"));
        assert_eq!(speaks_against(&cut), None);
    }

    #[test]
    fn a_copy_is_a_copy_by_msdb() {
        let full = stream(BackupType::Full);
        let copy = Set {
            is_copy_only: true,
            ..row()
        };
        assert_eq!(
            mismatch(&work(BackupKind::CopyOnlyFull), &full, Some(&copy)),
            None
        );
        assert!(mismatch(&work(BackupKind::Full), &full, Some(&copy)).is_some());
        assert!(mismatch(&work(BackupKind::CopyOnlyFull), &full, Some(&row())).is_some());
    }
}
