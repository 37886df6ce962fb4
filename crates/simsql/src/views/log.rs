//! The log of a database: `sys.dm_db_log_stats`, `sys.dm_db_log_space_usage`, `sys.dm_db_log_info`.
//!
//! 2016 has the functions from SP2 on, which is what is simulated.

use bak::Lsn;

use super::databases::model_of;
use super::field::{Field, bigint, bit, datetime, float, int, real, smallint, text, tinyint, varbinary};
use super::view::{Context, Needs, Rows, View, engine, from_local_time, megabytes, never, number};
use crate::engine::Engine;
use crate::instance::server::ReplicaRole;
use crate::instance::{State, Version, trouble};
use crate::value::Value;

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_server("sys.dm_db_log_stats", STATS, log_stats)
        .needs(Needs::DatabaseState)
        .since(Version::V2016)
        .takes(1),
    View::of_server("sys.dm_db_log_info", INFO, log_info)
        .needs(Needs::DatabaseState)
        .since(Version::V2016)
        .takes(1),
    View::of_database("sys.dm_db_log_space_usage", SPACE, log_space).needs(Needs::DatabaseState),
];

const STATS: &[Field] = &[
    int("database_id").or_null(),
    text("recovery_model", 60).or_null(),
    text("log_min_lsn", 24).or_null(),
    text("log_end_lsn", 24).or_null(),
    bigint("current_vlf_sequence_number").or_null(),
    float("current_vlf_size_mb").or_null(),
    bigint("total_vlf_count").or_null(),
    float("total_log_size_mb").or_null(),
    bigint("active_vlf_count").or_null(),
    float("active_log_size_mb").or_null(),
    text("log_truncation_holdup_reason", 60).or_null(),
    datetime("log_backup_time").or_null(),
    text("log_backup_lsn", 24).or_null(),
    float("log_since_last_log_backup_mb").or_null(),
    text("log_checkpoint_lsn", 24).or_null(),
    float("log_since_last_checkpoint_mb").or_null(),
    text("log_recovery_lsn", 24).or_null(),
    float("log_recovery_size_mb").or_null(),
    bigint("recovery_vlf_count").or_null(),
];

const INFO: &[Field] = &[
    int("database_id").or_null(),
    smallint("file_id").or_null(),
    bigint("vlf_begin_offset").or_null(),
    float("vlf_size_mb").or_null(),
    bigint("vlf_sequence_number").or_null(),
    bit("vlf_active").or_null(),
    int("vlf_status").or_null(),
    tinyint("vlf_parity").or_null(),
    text("vlf_first_lsn", 24).or_null(),
    text("vlf_create_lsn", 24).or_null(),
    varbinary("vlf_encryptor_thumbprint", 20)
        .or_null()
        .since(Version::V2019),
];

const SPACE: &[Field] = &[
    int("database_id").or_null(),
    bigint("total_log_size_in_bytes").or_null(),
    bigint("used_log_space_in_bytes").or_null(),
    real("used_log_space_in_percent").or_null(),
    bigint("log_space_in_bytes_since_last_backup")
        .or_null()
        .since(Version::V2014),
];

/// An LSN as these functions print it: `00000022:000001a8:0001`.
fn hexadecimal(lsn: Lsn) -> Value {
    format!("{:08x}:{:08x}:{:04x}", lsn.vlf, lsn.block, lsn.slot).into()
}

/// Whether the database is a secondary's: most of its log's facts are then the primary's business.
fn is_secondary(state: &State, name: &str) -> bool {
    state
        .server
        .groups
        .values()
        .any(|group| group.databases.contains_key(name) && group.role != ReplicaRole::Primary)
}

fn log_stats(context: &Context<'_>) -> Rows {
    let state = context.state();
    let found = context.argument_database(&state, 0);
    let entry = found.and_then(|id| state.databases.get(&id));
    let Some((entry, engine)) = entry.and_then(|entry| Some((entry, entry.engine.as_ref()?))) else {
        return Ok(Vec::new());
    };
    let (boot, facts) = (engine.boot(), engine.log_facts());
    let backup_time = boot.log_backup_time.map_or_else(never, from_local_time);
    let mut row = vec![number(entry.id), model_of(boot.recovery_model).1.into()];
    if is_secondary(&state, &entry.name) {
        row.resize(STATS.len(), Value::Null);
        row[LOG_BACKUP_TIME] = backup_time;
        return Ok(vec![row]);
    }
    let vlfs = engine.log_files();
    let current = vlfs
        .iter()
        .filter(|vlf| vlf.is_active)
        .max_by_key(|vlf| vlf.sequence);
    let checkpoint = boot.checkpoint_lsn;
    let oldest = engine
        .oldest_transaction()
        .map_or(checkpoint, |(lsn, _)| lsn.min(checkpoint));
    row.extend([
        hexadecimal(facts.min_lsn),
        hexadecimal(facts.end_lsn),
        current.map(|vlf| i64::from(vlf.sequence)).into(),
        current.map_or(Value::Null, |vlf| megabytes(vlf.length)),
        number(facts.vlf_count),
        megabytes(facts.size),
        number(facts.active_vlf_count),
        megabytes(facts.used),
        trouble::reuse_wait_name(facts.reuse_wait).into(),
        backup_time,
        hexadecimal(boot.last_log_backup_lsn.unwrap_or(Lsn::ZERO)),
        megabytes(facts.since_last_backup),
        hexadecimal(checkpoint),
        megabytes(engine.log_between(checkpoint, facts.end_lsn)),
        hexadecimal(oldest),
        megabytes(engine.log_between(oldest, facts.end_lsn)),
        number(
            vlfs.iter()
                .filter(|vlf| vlf.is_active && vlf.sequence >= oldest.vlf)
                .count(),
        ),
    ]);
    Ok(vec![row])
}

/// Place of `log_backup_time`.
const LOG_BACKUP_TIME: usize = 11;

fn log_info(context: &Context<'_>) -> Rows {
    let state = context.state();
    let found = context.argument_database(&state, 0);
    let entry = found.and_then(|id| state.databases.get(&id));
    let Some((entry, engine)) = entry.and_then(|entry| Some((entry, entry.engine.as_ref()?))) else {
        return Ok(Vec::new());
    };
    let file_id = engine
        .files()
        .iter()
        .find(|file| file.file_type == bak::FileType::Log)
        .map_or(2, |file| file.file_id);
    let rows = engine.log_files().into_iter().map(|vlf| {
        let first = Lsn {
            vlf: vlf.sequence,
            block: vlf.first_block,
            slot: 1,
        };
        vec![
            number(entry.id),
            number(file_id),
            number(vlf.offset),
            megabytes(vlf.length),
            number(vlf.sequence),
            vlf.is_active.into(),
            number(if vlf.is_active { 2 } else { 0 }),
            number(if vlf.sequence == 0 { 0 } else { 64 }),
            hexadecimal(if vlf.is_active { first } else { Lsn::ZERO }),
            hexadecimal(Lsn::ZERO),
            Value::Null,
        ]
    });
    Ok(rows.collect())
}

fn log_space(context: &Context<'_>) -> Rows {
    let state = context.state();
    let facts = engine(&state, context.database).map(Engine::log_facts)?;
    let percent = facts.used as f64 * 100.0 / facts.size.max(1) as f64;
    Ok(vec![vec![
        number(context.database),
        number(facts.size),
        number(facts.used),
        Value::Float(percent),
        number(facts.since_last_backup),
    ]])
}
