//! Databases as the server lists them: `sys.databases`, `sys.database_recovery_status`, `sys.database_mirroring`, the old
//! `sysdatabases`.
//!
//! What only an open database knows (collation, LSNs, guids) is NULL while its files are not open; its options are read from its
//! boot page then, and NULL where that cannot be read. Statistics options are always shown as on and ANSI options as off, as for
//! a new database: nothing here depends on them.

use uuid::Uuid;

use super::field::{Field, bit, datetime, desc, guid, int, lsn, smallint, sysname, text, tinyint, varbinary};
use super::principals::sid_of;
use super::view::{Context, Rows, View, number};
use crate::engine::boot::{Protection, RecoveryModel};
use crate::engine::{Boot, Engine};
use crate::instance::state::UserAccess;
use crate::instance::{DatabaseEntry, DatabaseState, State, Version, trouble};
use crate::value::Value;

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_server("sys.databases", DATABASES, databases),
    View::of_server("sys.database_recovery_status", RECOVERY, recovery_status),
    View::of_server("sys.database_mirroring", MIRRORING, mirroring),
    View::of_server("sys.sysdatabases", OLD, sysdatabases),
];

/// In the order of the documentation of each version.
const DATABASES: &[Field] = &[
    sysname("name"),
    int("database_id"),
    int("source_database_id").or_null(),
    varbinary("owner_sid", 85).or_null(),
    datetime("create_date"),
    tinyint("compatibility_level"),
    sysname("collation_name").or_null(),
    tinyint("user_access").or_null(),
    desc("user_access_desc"),
    bit("is_read_only").or_null(),
    bit("is_auto_close_on"),
    bit("is_auto_shrink_on").or_null(),
    tinyint("state").or_null(),
    desc("state_desc"),
    bit("is_in_standby").or_null(),
    bit("is_cleanly_shutdown").or_null(),
    bit("is_supplemental_logging_enabled").or_null(),
    tinyint("snapshot_isolation_state").or_null(),
    desc("snapshot_isolation_state_desc"),
    bit("is_read_committed_snapshot_on").or_null(),
    tinyint("recovery_model").or_null(),
    desc("recovery_model_desc"),
    tinyint("page_verify_option").or_null(),
    desc("page_verify_option_desc"),
    bit("is_auto_create_stats_on").or_null(),
    bit("is_auto_create_stats_incremental_on")
        .or_null()
        .since(Version::V2014),
    bit("is_auto_update_stats_on").or_null(),
    bit("is_auto_update_stats_async_on").or_null(),
    bit("is_ansi_null_default_on").or_null(),
    bit("is_ansi_nulls_on").or_null(),
    bit("is_ansi_padding_on").or_null(),
    bit("is_ansi_warnings_on").or_null(),
    bit("is_arithabort_on").or_null(),
    bit("is_concat_null_yields_null_on").or_null(),
    bit("is_numeric_roundabort_on").or_null(),
    bit("is_quoted_identifier_on").or_null(),
    bit("is_recursive_triggers_on").or_null(),
    bit("is_cursor_close_on_commit_on").or_null(),
    bit("is_local_cursor_default").or_null(),
    bit("is_fulltext_enabled").or_null(),
    bit("is_trustworthy_on").or_null(),
    bit("is_db_chaining_on").or_null(),
    bit("is_parameterization_forced").or_null(),
    bit("is_master_key_encrypted_by_server"),
    bit("is_query_store_on").or_null().since(Version::V2016),
    bit("is_published"),
    bit("is_subscribed"),
    bit("is_merge_published"),
    bit("is_distributor"),
    bit("is_sync_with_backup"),
    guid("service_broker_guid"),
    bit("is_broker_enabled"),
    tinyint("log_reuse_wait").or_null(),
    desc("log_reuse_wait_desc"),
    bit("is_date_correlation_on"),
    bit("is_cdc_enabled"),
    bit("is_encrypted").or_null(),
    bit("is_honor_broker_priority_on").or_null(),
    guid("replica_id").or_null(),
    guid("group_database_id").or_null(),
    int("resource_pool_id").or_null().since(Version::V2014),
    smallint("default_language_lcid").or_null(),
    text("default_language_name", 128).or_null(),
    int("default_fulltext_language_lcid").or_null(),
    text("default_fulltext_language_name", 128).or_null(),
    bit("is_nested_triggers_on").or_null(),
    bit("is_transform_noise_words_on").or_null(),
    smallint("two_digit_year_cutoff").or_null(),
    tinyint("containment").or_null(),
    desc("containment_desc"),
    int("target_recovery_time_in_seconds").or_null(),
    int("delayed_durability").or_null().since(Version::V2014),
    desc("delayed_durability_desc").since(Version::V2014),
    bit("is_memory_optimized_elevate_to_snapshot_on")
        .or_null()
        .since(Version::V2014),
    bit("is_federation_member").or_null().since(Version::V2016),
    bit("is_remote_data_archive_enabled")
        .or_null()
        .since(Version::V2016),
    bit("is_mixed_page_allocation_on").or_null().since(Version::V2016),
    bit("is_temporal_history_retention_enabled")
        .or_null()
        .since(Version::V2017),
    int("catalog_collation_type").since(Version::V2019),
    desc("catalog_collation_type_desc").since(Version::V2019),
    text("physical_database_name", 128)
        .or_null()
        .since(Version::V2019),
    bit("is_result_set_caching_on").or_null().since(Version::V2019),
    bit("is_accelerated_database_recovery_on")
        .or_null()
        .since(Version::V2019),
    bit("is_tempdb_spill_to_remote_store")
        .or_null()
        .since(Version::V2019),
    bit("is_stale_page_detection_on").or_null().since(Version::V2019),
    bit("is_memory_optimized_enabled").or_null().since(Version::V2019),
    bit("is_data_retention_enabled").or_null().since(Version::V2022),
    bit("is_ledger_on").or_null().since(Version::V2022),
    bit("is_change_feed_enabled").or_null().since(Version::V2022),
];

const RECOVERY: &[Field] = &[
    int("database_id"),
    guid("database_guid").or_null(),
    guid("family_guid").or_null(),
    lsn("last_log_backup_lsn"),
    guid("recovery_fork_guid").or_null(),
    guid("first_recovery_fork_guid").or_null(),
    lsn("fork_point_lsn"),
];

const MIRRORING: &[Field] = &[
    int("database_id"),
    guid("mirroring_guid").or_null(),
    tinyint("mirroring_state").or_null(),
    desc("mirroring_state_desc"),
    tinyint("mirroring_role").or_null(),
    desc("mirroring_role_desc"),
    int("mirroring_role_sequence").or_null(),
    tinyint("mirroring_safety_level").or_null(),
    desc("mirroring_safety_level_desc"),
    int("mirroring_safety_sequence").or_null(),
    text("mirroring_partner_name", 128).or_null(),
    text("mirroring_partner_instance", 128).or_null(),
    text("mirroring_witness_name", 128).or_null(),
    tinyint("mirroring_witness_state").or_null(),
    desc("mirroring_witness_state_desc"),
    lsn("mirroring_failover_lsn"),
    int("mirroring_connection_timeout").or_null(),
    int("mirroring_redo_queue").or_null(),
    desc("mirroring_redo_queue_type"),
    lsn("mirroring_end_of_log_lsn"),
    lsn("mirroring_replication_lsn"),
];

const OLD: &[Field] = &[
    sysname("name"),
    smallint("dbid").or_null(),
    varbinary("sid", 85).or_null(),
    smallint("mode").or_null(),
    int("status").or_null(),
    int("status2").or_null(),
    datetime("crdate"),
    datetime("reserved").or_null(),
    int("category").or_null(),
    tinyint("cmptlevel"),
    text("filename", 260).or_null(),
    smallint("version").or_null(),
];

/// `state` and `state_desc`.
pub(super) fn state_of(state: DatabaseState) -> (i64, &'static str) {
    match state {
        DatabaseState::Online => (0, "ONLINE"),
        DatabaseState::Restoring => (1, "RESTORING"),
        DatabaseState::Recovering => (2, "RECOVERING"),
        DatabaseState::RecoveryPending => (3, "RECOVERY_PENDING"),
        DatabaseState::Suspect => (4, "SUSPECT"),
        DatabaseState::Emergency => (5, "EMERGENCY"),
        DatabaseState::Offline => (6, "OFFLINE"),
    }
}

/// `user_access` and `user_access_desc`.
pub(super) fn access_of(access: UserAccess) -> (i64, &'static str) {
    match access {
        UserAccess::Multi => (0, "MULTI_USER"),
        UserAccess::Single => (1, "SINGLE_USER"),
        UserAccess::Restricted => (2, "RESTRICTED_USER"),
    }
}

/// `recovery_model` and `recovery_model_desc`.
pub(super) fn model_of(model: RecoveryModel) -> (i64, &'static str) {
    match model {
        RecoveryModel::Full => (1, "FULL"),
        RecoveryModel::BulkLogged => (2, "BULK_LOGGED"),
        RecoveryModel::Simple => (3, "SIMPLE"),
    }
}

fn verify_of(protection: Protection) -> (i64, &'static str) {
    match protection {
        Protection::None => (0, "NONE"),
        Protection::Torn => (1, "TORN_PAGE_DETECTION"),
        Protection::Checksum => (2, "CHECKSUM"),
    }
}

/// A number and the word for it, as two columns.
pub(super) fn pair(known: Option<(i64, &'static str)>) -> [Value; 2] {
    match known {
        Some((number, desc)) => [Value::Integer(number), desc.into()],
        None => [Value::Null, Value::Null],
    }
}

/// Replica and id of a database within its availability group.
pub(super) fn membership(state: &State, database: &str) -> Option<(Uuid, Uuid)> {
    state.server.groups.values().find_map(|group| {
        let id = group.databases.get(database)?;
        Some((group.replica_id, *id))
    })
}

fn databases(context: &Context<'_>) -> Rows {
    let state = context.state();
    let shown = state
        .databases
        .values()
        .filter(|entry| context.sees_database(&state, entry));
    Ok(shown.map(|entry| database(context, &state, entry)).collect())
}

fn database(context: &Context<'_>, state: &State, entry: &DatabaseEntry) -> Vec<Value> {
    let closed = match entry.engine {
        Some(_) => None,
        None => Boot::of_closed(context.instance().world.disk.as_ref(), &entry.files),
    };
    let boot = entry.engine.as_ref().map(Engine::boot).or(closed.as_ref());
    let is_online = entry.state == DatabaseState::Online;
    let is_on = |switch: &str| Value::Bit(entry.switches.contains(switch));
    let mut row = vec![
        entry.name.as_str().into(),
        number(entry.id),
        Value::Null,
        sid_of(state, &entry.owner),
        context.local(entry.created),
        number(boot.map_or(context.version.compatibility_level(), |boot| {
            boot.compatibility_level
        })),
        is_online
            .then_some(context.instance().settings.collation.as_str())
            .into(),
    ];
    row.extend(pair(Some(access_of(entry.user_access))));
    row.push((entry.is_read_only || entry.standby.is_some()).into());
    row.push(is_on("AUTO_CLOSE"));
    row.push(is_on("AUTO_SHRINK"));
    row.extend(pair(Some(state_of(entry.state))));
    row.push(entry.standby.is_some().into());
    row.push((entry.state == DatabaseState::Offline).into());
    row.push(false.into());
    let has_snapshots = entry.switches.contains("ALLOW_SNAPSHOT_ISOLATION");
    row.extend(pair(Some(if has_snapshots { (1, "ON") } else { (0, "OFF") })));
    row.push(is_on("READ_COMMITTED_SNAPSHOT"));
    row.extend(pair(boot.map(|boot| model_of(boot.recovery_model))));
    row.extend(pair(boot.map(|boot| verify_of(boot.page_verify))));
    row.extend(options(entry));
    row.push(boot.map_or(Uuid::nil(), |boot| boot.binding_id).into());
    row.push((entry.id == 4).into());
    row.extend(reuse_wait(entry));
    row.push(is_on("DATE_CORRELATION_OPTIMIZATION"));
    row.push(is_on(CAPTURED));
    row.push(is_on("ENCRYPTION"));
    row.push(is_on("HONOR_BROKER_PRIORITY"));
    let member = membership(state, &entry.name);
    row.push(member.map(|(replica, _)| replica).into());
    row.push(member.map(|(_, id)| id).into());
    row.extend(newer(entry));
    row
}

/// The switch of a database that is published for replication, and of one that captures changed data: faults turn them on.
pub(crate) const PUBLISHED: &str = "IS_PUBLISHED";
pub(crate) const CAPTURED: &str = "IS_CDC_ENABLED";

/// From `is_auto_create_stats_on` to `is_sync_with_backup`.
fn options(entry: &DatabaseEntry) -> Vec<Value> {
    let is_on = |switch: &str| Value::Bit(entry.switches.contains(switch));
    let off = || Value::Bit(false);
    vec![
        true.into(),
        off(),
        true.into(),
        is_on("AUTO_UPDATE_STATISTICS_ASYNC"),
        is_on("ANSI_NULL_DEFAULT"),
        is_on("ANSI_NULLS"),
        is_on("ANSI_PADDING"),
        is_on("ANSI_WARNINGS"),
        is_on("ARITHABORT"),
        is_on("CONCAT_NULL_YIELDS_NULL"),
        is_on("NUMERIC_ROUNDABORT"),
        is_on("QUOTED_IDENTIFIER"),
        is_on("RECURSIVE_TRIGGERS"),
        is_on("CURSOR_CLOSE_ON_COMMIT"),
        off(),
        off(),
        // msdb is trusted and takes part in ownership chains across databases, as do master and tempdb.
        (entry.id == 4 || entry.switches.contains("TRUSTWORTHY")).into(),
        (matches!(entry.id, 1 | 2 | 4) || entry.switches.contains("DB_CHAINING")).into(),
        off(),
        off(),
        off(),
        is_on(PUBLISHED),
        off(),
        off(),
        off(),
        off(),
    ]
}

/// Why the log is not shorter; a database without open files waits for nothing.
fn reuse_wait(entry: &DatabaseEntry) -> [Value; 2] {
    let wait = entry.engine.as_ref().map(|engine| engine.log_facts().reuse_wait);
    pair(Some(wait.map_or((0, "NOTHING"), |wait| {
        (trouble::reuse_wait_number(wait), trouble::reuse_wait_name(wait))
    })))
}

/// From `resource_pool_id` on.
fn newer(entry: &DatabaseEntry) -> Vec<Value> {
    let off = || Value::Bit(false);
    let accelerated = entry.switches.contains("ACCELERATED_DATABASE_RECOVERY");
    vec![
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        number(0),
        "NONE".into(),
        number(if entry.id <= 4 { 0 } else { 60 }),
        number(0),
        "DISABLED".into(),
        off(),
        off(),
        off(),
        entry.switches.contains("MIXED_PAGE_ALLOCATION").into(),
        true.into(),
        number(0),
        "DATABASE_DEFAULT".into(),
        entry.name.as_str().into(),
        off(),
        accelerated.into(),
        off(),
        off(),
        true.into(),
        off(),
        off(),
        off(),
    ]
}

fn recovery_status(context: &Context<'_>) -> Rows {
    let state = context.state();
    let shown = state
        .databases
        .values()
        .filter(|entry| context.sees_database(&state, entry));
    let row = |entry: &DatabaseEntry| {
        let boot = entry.engine.as_ref().map(Engine::boot);
        let of = |fact: fn(&Boot) -> Value| boot.map_or(Value::Null, fact);
        vec![
            number(entry.id),
            of(|boot| boot.binding_id.into()),
            of(|boot| boot.family_guid.into()),
            of(|boot| boot.last_log_backup_lsn.into()),
            of(|boot| boot.recovery_fork.into()),
            of(|boot| {
                boot.first_fork
                    .map_or(boot.recovery_fork, |(fork, _)| fork)
                    .into()
            }),
            of(|boot| boot.first_fork.map(|(_, lsn)| lsn).into()),
        ]
    };
    Ok(shown.map(row).collect())
}

fn mirroring(context: &Context<'_>) -> Rows {
    let state = context.state();
    let shown = state
        .databases
        .values()
        .filter(|entry| context.sees_database(&state, entry));
    let row = |entry: &DatabaseEntry| {
        let mut row = vec![number(entry.id)];
        let Some((guid, is_principal)) = entry.mirroring else {
            row.resize(MIRRORING.len(), Value::Null);
            return row;
        };
        row.push(guid.into());
        row.extend(pair(Some((4, "SYNCHRONIZED"))));
        row.extend(pair(Some(if is_principal {
            (1, "PRINCIPAL")
        } else {
            (2, "MIRROR")
        })));
        row.push(number(1));
        row.extend(pair(Some((2, "FULL"))));
        row.push(number(1));
        row.extend([Value::Null, Value::Null, "".into()]);
        row.extend(pair(Some((0, "UNKNOWN"))));
        row.extend([Value::Null, number(10), Value::Null, "UNLIMITED".into()]);
        row.extend([Value::Null, Value::Null]);
        row
    };
    Ok(shown.map(row).collect())
}

/// Bits of the old `status`: 8 trunc. log on chkpt., 32 loading, 512 offline, 1024 read only, 4096 single user.
fn sysdatabases(context: &Context<'_>) -> Rows {
    let state = context.state();
    let shown = state
        .databases
        .values()
        .filter(|entry| context.sees_database(&state, entry));
    let row = |entry: &DatabaseEntry| {
        let boot = entry.engine.as_ref().map(Engine::boot);
        let is_simple = boot.is_some_and(|boot| boot.recovery_model == RecoveryModel::Simple);
        let status: i64 = [
            (is_simple, 8),
            (entry.state == DatabaseState::Restoring, 32),
            (entry.state == DatabaseState::Offline, 512),
            (entry.is_read_only, 1024),
            (entry.user_access == UserAccess::Single, 4096),
        ]
        .iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, bit)| bit)
        .sum();
        vec![
            entry.name.as_str().into(),
            number(entry.id),
            sid_of(&state, &entry.owner),
            number(0),
            number(status),
            number(0),
            context.local(entry.created),
            super::view::never(),
            number(0),
            number(boot.map_or(context.version.compatibility_level(), |boot| {
                boot.compatibility_level
            })),
            entry.files.first().map(|file| file.physical_name.as_str()).into(),
            boot.map(|boot| i64::from(boot.version)).into(),
        ]
    };
    Ok(shown.map(row).collect())
}
