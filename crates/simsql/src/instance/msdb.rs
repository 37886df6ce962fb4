//! The tables of the database msdb that keep the history of backups and restores.
//!
//! Real tables with real rows, so that they are backed up, restored and rolled back to a snapshot like any other. Columns, their
//! order and types are those of Microsoft's documentation for the chosen version; columns that only newer versions have come last
//! there, too. Absent: everything of msdb that has nothing to do with backups (jobs, mail, policies).

use super::settings::Version;
use crate::engine::TableDefinition;
use crate::value::{Column, Length, SYSNAME, SqlType};

/// `numeric(25,0)`: an LSN.
pub const LSN: SqlType = SqlType::Decimal {
    precision: 25,
    scale: 0,
};
/// `numeric(20,0)`: bytes.
pub const BYTES: SqlType = SqlType::Decimal {
    precision: 20,
    scale: 0,
};

const fn text(length: u16) -> SqlType {
    SqlType::NVarChar(Length::Of(length))
}

/// All tables of msdb, schema dbo.
#[must_use]
pub fn tables(version: Version) -> Vec<TableDefinition> {
    let mut tables = vec![
        backup_set(version),
        backup_media_set(version),
        backup_media_family(),
        backup_file(),
        restore_history(),
        restore_file(),
        suspect_pages(),
    ];
    tables.extend(log_shipping());
    tables
}

/// A table whose first column numbers its rows from 1 where `identity`.
fn table(name: &str, identity: bool, columns: &[(&str, SqlType)]) -> TableDefinition {
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, sql_type)| Column::new(name, *sql_type))
        .collect();
    TableDefinition {
        schema: "dbo".to_owned(),
        name: name.to_owned(),
        primary_key: if identity { vec![0] } else { Vec::new() },
        identity: identity.then_some((0, 1, 1)),
        defaults: vec![None; columns.len()],
        columns,
    }
}

fn backup_set(version: Version) -> TableDefinition {
    let mut columns = vec![
        ("backup_set_id", SqlType::Int),
        ("backup_set_uuid", SqlType::UniqueIdentifier),
        ("media_set_id", SqlType::Int),
        ("first_family_number", SqlType::TinyInt),
        ("first_media_number", SqlType::SmallInt),
        ("last_family_number", SqlType::TinyInt),
        ("last_media_number", SqlType::SmallInt),
        ("catalog_family_number", SqlType::TinyInt),
        ("catalog_media_number", SqlType::SmallInt),
        ("position", SqlType::Int),
        ("expiration_date", SqlType::DateTime),
        ("software_vendor_id", SqlType::Int),
        ("name", text(128)),
        ("description", text(255)),
        ("user_name", text(128)),
        ("software_major_version", SqlType::TinyInt),
        ("software_minor_version", SqlType::TinyInt),
        ("software_build_version", SqlType::SmallInt),
        ("time_zone", SqlType::SmallInt),
        ("mtf_minor_version", SqlType::TinyInt),
        ("first_lsn", LSN),
        ("last_lsn", LSN),
        ("checkpoint_lsn", LSN),
        ("database_backup_lsn", LSN),
        ("database_creation_date", SqlType::DateTime),
        ("backup_start_date", SqlType::DateTime),
        ("backup_finish_date", SqlType::DateTime),
        ("type", SqlType::Char(1)),
        ("sort_order", SqlType::SmallInt),
        ("code_page", SqlType::SmallInt),
        ("compatibility_level", SqlType::TinyInt),
        ("database_version", SqlType::Int),
        ("backup_size", BYTES),
        ("database_name", text(128)),
        ("server_name", text(128)),
        ("machine_name", text(128)),
        ("flags", SqlType::Int),
        ("unicode_locale", SqlType::Int),
        ("unicode_compare_style", SqlType::Int),
        ("collation_name", text(128)),
        ("is_password_protected", SqlType::Bit),
        ("recovery_model", text(60)),
        ("has_bulk_logged_data", SqlType::Bit),
        ("is_snapshot", SqlType::Bit),
        ("is_readonly", SqlType::Bit),
        ("is_single_user", SqlType::Bit),
        ("has_backup_checksums", SqlType::Bit),
        ("is_damaged", SqlType::Bit),
        ("begins_log_chain", SqlType::Bit),
        ("has_incomplete_metadata", SqlType::Bit),
        ("is_force_offline", SqlType::Bit),
        ("is_copy_only", SqlType::Bit),
        ("first_recovery_fork_guid", SqlType::UniqueIdentifier),
        ("last_recovery_fork_guid", SqlType::UniqueIdentifier),
        ("fork_point_lsn", LSN),
        ("database_guid", SqlType::UniqueIdentifier),
        ("family_guid", SqlType::UniqueIdentifier),
        ("differential_base_lsn", LSN),
        ("differential_base_guid", SqlType::UniqueIdentifier),
        ("compressed_backup_size", BYTES),
    ];
    if version >= Version::V2014 {
        columns.extend([
            ("key_algorithm", text(32)),
            ("encryptor_thumbprint", SqlType::VarBinary(Length::Of(20))),
            ("encryptor_type", text(32)),
        ]);
    }
    if version >= Version::V2022 {
        columns.extend([
            ("last_valid_restore_time", SqlType::DateTime),
            ("compression_algorithm", text(32)),
        ]);
    }
    table("backupset", true, &columns)
}

fn backup_media_set(version: Version) -> TableDefinition {
    let mut columns = vec![
        ("media_set_id", SqlType::Int),
        ("media_uuid", SqlType::UniqueIdentifier),
        ("media_family_count", SqlType::TinyInt),
        ("name", text(128)),
        ("description", text(255)),
        ("software_name", text(128)),
        ("software_vendor_id", SqlType::Int),
        ("MTF_major_version", SqlType::TinyInt),
        ("mirror_count", SqlType::TinyInt),
        ("is_password_protected", SqlType::Bit),
        ("is_compressed", SqlType::Bit),
    ];
    if version >= Version::V2014 {
        columns.push(("is_encrypted", SqlType::Bit));
    }
    table("backupmediaset", true, &columns)
}

fn backup_media_family() -> TableDefinition {
    let columns = [
        ("media_set_id", SqlType::Int),
        ("family_sequence_number", SqlType::TinyInt),
        ("media_family_id", SqlType::UniqueIdentifier),
        ("media_count", SqlType::Int),
        ("logical_device_name", text(128)),
        ("physical_device_name", text(260)),
        ("device_type", SqlType::TinyInt),
        ("physical_block_size", SqlType::Int),
        ("mirror", SqlType::TinyInt),
    ];
    table("backupmediafamily", false, &columns)
}

fn backup_file() -> TableDefinition {
    let columns = [
        ("backup_set_id", SqlType::Int),
        ("first_family_number", SqlType::TinyInt),
        ("first_media_number", SqlType::SmallInt),
        ("filegroup_name", text(128)),
        ("page_size", SqlType::Int),
        ("file_number", BYTES),
        ("backed_up_page_count", BYTES),
        ("file_type", SqlType::Char(1)),
        ("source_file_block_size", BYTES),
        ("file_size", BYTES),
        ("logical_name", text(128)),
        ("physical_drive", text(260)),
        ("physical_name", text(260)),
        ("state", SqlType::TinyInt),
        ("state_desc", text(64)),
        ("create_lsn", LSN),
        ("drop_lsn", LSN),
        ("file_guid", SqlType::UniqueIdentifier),
        ("read_only_lsn", LSN),
        ("read_write_lsn", LSN),
        ("differential_base_lsn", LSN),
        ("differential_base_guid", SqlType::UniqueIdentifier),
        ("backup_size", BYTES),
        ("filegroup_guid", SqlType::UniqueIdentifier),
        ("is_readonly", SqlType::Bit),
        ("is_present", SqlType::Bit),
    ];
    table("backupfile", false, &columns)
}

fn restore_history() -> TableDefinition {
    let columns = [
        ("restore_history_id", SqlType::Int),
        ("restore_date", SqlType::DateTime),
        ("destination_database_name", text(128)),
        ("user_name", text(128)),
        ("backup_set_id", SqlType::Int),
        ("restore_type", SqlType::Char(1)),
        ("replace", SqlType::Bit),
        ("recovery", SqlType::Bit),
        ("restart", SqlType::Bit),
        ("stop_at", SqlType::DateTime),
        ("device_count", SqlType::TinyInt),
        ("stop_at_mark_name", text(128)),
        ("stop_before", SqlType::Bit),
    ];
    table("restorehistory", true, &columns)
}

fn restore_file() -> TableDefinition {
    let columns = [
        ("restore_history_id", SqlType::Int),
        ("file_number", BYTES),
        ("destination_phys_drive", text(260)),
        ("destination_phys_name", text(260)),
    ];
    table("restorefile", false, &columns)
}

/// At most 1,000 rows, then damage is noted no more.
fn suspect_pages() -> TableDefinition {
    let columns = [
        ("database_id", SqlType::Int),
        ("file_id", SqlType::Int),
        ("page_id", SqlType::BigInt),
        ("event_type", SqlType::Int),
        ("error_count", SqlType::Int),
        ("last_update_date", SqlType::DateTime),
    ];
    table("suspect_pages", false, &columns)
}

fn log_shipping() -> [TableDefinition; 3] {
    [
        table(
            "log_shipping_primary_databases",
            false,
            &[
                ("primary_id", SqlType::UniqueIdentifier),
                ("primary_database", SYSNAME),
                ("backup_directory", text(500)),
                ("backup_share", text(500)),
                ("backup_retention_period", SqlType::Int),
                ("backup_job_id", SqlType::UniqueIdentifier),
                ("monitor_server", SYSNAME),
                ("last_backup_file", text(500)),
                ("last_backup_date", SqlType::DateTime),
            ],
        ),
        table(
            "log_shipping_secondary_databases",
            false,
            &[
                ("secondary_database", SYSNAME),
                ("secondary_id", SqlType::UniqueIdentifier),
                ("restore_delay", SqlType::Int),
                ("restore_all", SqlType::Bit),
                ("restore_mode", SqlType::Bit),
                ("disconnect_users", SqlType::Bit),
                ("last_restored_file", text(500)),
                ("last_restored_date", SqlType::DateTime),
            ],
        ),
        table(
            "log_shipping_monitor_primary",
            false,
            &[
                ("primary_id", SqlType::UniqueIdentifier),
                ("primary_server", SYSNAME),
                ("primary_database", SYSNAME),
                ("backup_threshold", SqlType::Int),
                ("last_backup_file", text(500)),
                ("last_backup_date", SqlType::DateTime),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::tables;
    use crate::instance::Version;

    #[test]
    fn newer_columns_come_only_with_newer_versions() {
        let has = |version, table: &str, column: &str| {
            tables(version)
                .iter()
                .find(|candidate| candidate.name == table)
                .is_some_and(|table| table.columns.iter().any(|c| c.name == column))
        };
        assert!(!has(Version::V2012, "backupset", "encryptor_thumbprint"));
        assert!(has(Version::V2014, "backupset", "encryptor_thumbprint"));
        assert!(!has(Version::V2019, "backupset", "last_valid_restore_time"));
        assert!(has(Version::V2022, "backupset", "last_valid_restore_time"));
        assert!(!has(Version::V2012, "backupmediaset", "is_encrypted"));
    }
}
