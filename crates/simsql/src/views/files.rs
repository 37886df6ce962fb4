//! Files: `sys.master_files`, `sys.database_files`, filegroups, volumes, and how much of a database's files is used.

use super::databases::{pair, state_of};
use super::field::{
    Field, bigint, bit, chars, datetime, desc, guid, int, lsn, smallint, sysname, text, tinyint,
};
use super::view::{Context, Needs, Rows, View, engine, from_local_time, number};
use crate::engine::{DatabaseFile, Engine};
use crate::instance::{DatabaseEntry, DatabaseState, State, Version, trouble};
use crate::message::Failure;
use crate::value::Value;

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_server("sys.master_files", MASTER, master_files),
    View::of_database("sys.database_files", DATABASE, database_files),
    View::of_database("sys.filegroups", FILEGROUPS, filegroups),
    View::of_database("sys.data_spaces", DATA_SPACES, data_spaces),
    View::of_database("sys.dm_db_file_space_usage", SPACE, file_space).needs(Needs::DatabaseState),
    View::of_server("sys.dm_os_volume_stats", VOLUME, volume_stats)
        .needs(Needs::ServerState)
        .takes(2),
];

/// `sys.master_files`; `sys.database_files` is the same without its first and last column.
const MASTER: &[Field] = &[
    int("database_id"),
    int("file_id"),
    guid("file_guid").or_null(),
    tinyint("type"),
    desc("type_desc"),
    int("data_space_id"),
    sysname("name"),
    text("physical_name", 260),
    tinyint("state").or_null(),
    desc("state_desc"),
    int("size"),
    int("max_size"),
    int("growth"),
    bit("is_media_read_only"),
    bit("is_read_only"),
    bit("is_sparse"),
    bit("is_percent_growth"),
    bit("is_name_reserved"),
    bit("is_persistent_log_buffer").since(Version::V2019),
    lsn("create_lsn"),
    lsn("drop_lsn"),
    lsn("read_only_lsn"),
    lsn("read_write_lsn"),
    lsn("differential_base_lsn"),
    guid("differential_base_guid").or_null(),
    datetime("differential_base_time").or_null(),
    lsn("redo_start_lsn"),
    guid("redo_start_fork_guid").or_null(),
    lsn("redo_target_lsn"),
    guid("redo_target_fork_guid").or_null(),
    lsn("backup_lsn"),
    int("credential_id").or_null().since(Version::V2014),
];

const DATABASE: &[Field] = {
    let (_, rest) = MASTER.split_at(1);
    let (rest, _) = rest.split_at(MASTER.len() - 2);
    rest
};

const FILEGROUPS: &[Field] = &[
    sysname("name"),
    int("data_space_id"),
    chars("type", 2),
    desc("type_desc"),
    bit("is_default"),
    bit("is_system"),
    guid("filegroup_guid").or_null(),
    int("log_filegroup_id").or_null(),
    bit("is_read_only"),
    bit("is_autogrow_all_files").since(Version::V2016),
];

const DATA_SPACES: &[Field] = &[
    sysname("name"),
    int("data_space_id"),
    chars("type", 2),
    desc("type_desc"),
    bit("is_default"),
    bit("is_system"),
];

/// `modified_extent_page_count` came with 2016 SP2.
const SPACE: &[Field] = &[
    int("database_id").or_null(),
    smallint("file_id").or_null(),
    smallint("filegroup_id").or_null(),
    bigint("total_page_count").or_null(),
    bigint("allocated_extent_page_count").or_null(),
    bigint("unallocated_extent_page_count").or_null(),
    bigint("version_store_reserved_page_count").or_null(),
    bigint("user_object_reserved_page_count").or_null(),
    bigint("internal_object_reserved_page_count").or_null(),
    bigint("mixed_extent_page_count").or_null(),
    bigint("modified_extent_page_count")
        .or_null()
        .since(Version::V2016),
];

const VOLUME: &[Field] = &[
    int("database_id").or_null(),
    int("file_id").or_null(),
    text("volume_mount_point", 512).or_null(),
    text("volume_id", 512).or_null(),
    text("logical_volume_name", 512).or_null(),
    text("file_system_type", 512).or_null(),
    bigint("total_bytes").or_null(),
    bigint("available_bytes").or_null(),
    tinyint("supports_compression").or_null(),
    tinyint("supports_alternate_streams").or_null(),
    tinyint("supports_sparse_files").or_null(),
    tinyint("is_read_only").or_null(),
    tinyint("is_compressed").or_null(),
];

/// The files of a database, as its engine or, where it is not open, the server knows them.
pub(super) fn files_of(entry: &DatabaseEntry) -> Vec<DatabaseFile> {
    entry
        .engine
        .as_ref()
        .map_or_else(|| entry.files.clone(), Engine::files)
}

fn is_log(file: &DatabaseFile) -> bool {
    file.file_type == bak::FileType::Log
}

/// One row of `sys.master_files`.
fn row(entry: &DatabaseEntry, file: &DatabaseFile) -> Vec<Value> {
    let boot = entry.engine.as_ref().map(Engine::boot);
    let data = boot.filter(|_| !is_log(file));
    let base = data.and_then(|boot| boot.differential_base);
    let is_restoring = entry.state == DatabaseState::Restoring || entry.standby.is_some();
    let redo = boot.filter(|_| is_restoring).and_then(|boot| boot.redo_start);
    let kind = if is_log(file) { (1, "LOG") } else { (0, "ROWS") };
    // A file of a database in EMERGENCY is itself online.
    let state = match entry.state {
        DatabaseState::Emergency => DatabaseState::Online,
        other => other,
    };
    let mut row = vec![number(entry.id), number(file.file_id), file.unique_id.into()];
    row.extend(pair(Some(kind)));
    row.extend([
        number(i64::from(!is_log(file))),
        file.logical_name.as_str().into(),
        file.physical_name.as_str().into(),
    ]);
    row.extend(pair(Some(state_of(state))));
    row.extend([
        number(file.size),
        number(match file.max_size {
            u32::MAX => -1,
            pages => i64::from(pages),
        }),
        number(file.growth),
    ]);
    row.push(false.into());
    row.push((entry.is_read_only && !is_log(file)).into());
    row.extend(std::iter::repeat_n(Value::Bit(false), 4));
    row.push(file.create_lsn.into());
    row.extend([Value::Null, Value::Null, Value::Null]);
    row.extend([
        base.map(|(lsn, _, _)| lsn).into(),
        base.map(|(_, guid, _)| guid).into(),
        base.map(|(_, _, time)| from_local_time(time))
            .unwrap_or(Value::Null),
        redo.map(|(lsn, _)| lsn).into(),
        redo.map(|(_, fork)| fork).into(),
        Value::Null,
        Value::Null,
        data.and_then(|boot| boot.database_backup_lsn).into(),
        Value::Null,
    ]);
    row
}

/// Rows of other databases are for those who may make or alter databases, or see every definition.
fn sees_files(context: &Context<'_>, state: &State, entry: &DatabaseEntry) -> bool {
    matches!(entry.id, 1 | 2)
        || entry.owner.eq_ignore_ascii_case(context.login())
        || ["CREATE ANY DATABASE", "ALTER ANY DATABASE", "VIEW ANY DEFINITION"]
            .iter()
            .any(|permission| context.may(state, permission))
}

fn master_files(context: &Context<'_>) -> Rows {
    let state = context.state();
    let shown = state
        .databases
        .values()
        .filter(|entry| sees_files(context, &state, entry));
    let rows = shown.flat_map(|entry| files_of(entry).into_iter().map(|file| row(entry, &file)));
    Ok(rows.collect())
}

fn database_files(context: &Context<'_>) -> Rows {
    let state = context.state();
    let Some(entry) = state.databases.get(&context.database) else {
        return Ok(Vec::new());
    };
    let without_ends = |file: DatabaseFile| {
        let whole = row(entry, &file);
        let last = whole.len() - 1;
        whole.into_iter().take(last).skip(1).collect()
    };
    Ok(files_of(entry).into_iter().map(without_ends).collect())
}

/// Every database has the one filegroup PRIMARY.
fn filegroups(context: &Context<'_>) -> Rows {
    let state = context.state();
    let is_read_only = state
        .databases
        .get(&context.database)
        .is_some_and(|entry| entry.is_read_only);
    let mut row = primary();
    row.extend([
        Value::Null,
        Value::Null,
        is_read_only.into(),
        Value::Bit(context.database == 2),
    ]);
    Ok(vec![row])
}

fn data_spaces(_: &Context<'_>) -> Rows {
    Ok(vec![primary()])
}

fn primary() -> Vec<Value> {
    vec![
        "PRIMARY".into(),
        number(1),
        "FG".into(),
        "ROWS_FILEGROUP".into(),
        true.into(),
        false.into(),
    ]
}

fn file_space(context: &Context<'_>) -> Rows {
    let mut state = context.state();
    let id = context.database;
    engine(&state, id)?;
    let Some(entry) = state.databases.get_mut(&id) else {
        return Ok(Vec::new());
    };
    let files = files_of(entry);
    let mut rows = Vec::new();
    for file in files.iter().filter(|file| !is_log(file)) {
        let space = entry.engine.as_mut().map(|engine| engine.space(file.file_id));
        let (allocated, modified) = match space {
            Some(Ok(space)) => space,
            Some(Err(error)) => return Err(trouble::failure(&error, entry)),
            None => (0, 0),
        };
        let total = u64::from(file.size);
        rows.push(vec![
            number(id),
            number(file.file_id),
            number(1),
            number(total),
            number(allocated),
            number(total.saturating_sub(allocated)),
            number(0),
            number(0),
            number(0),
            number(0),
            number(modified),
        ]);
    }
    Ok(rows)
}

/// The volume is the root of the instance's paths: `/`, or the drive.
fn volume_stats(context: &Context<'_>) -> Rows {
    let path = {
        let state = context.state();
        let found = context.argument_database(&state, 0);
        let Some(entry) = found.and_then(|id| state.databases.get(&id)) else {
            return Ok(Vec::new());
        };
        let wanted = context.number(1);
        let file = files_of(entry)
            .into_iter()
            .find(|file| Some(i64::from(file.file_id)) == wanted);
        match file {
            Some(file) => file.physical_name,
            None => return Ok(Vec::new()),
        }
    };
    Ok(vec![volume(context, &path)?])
}

fn volume(context: &Context<'_>, path: &str) -> Result<Vec<Value>, Failure> {
    let is_windows = context.instance().settings.path_separator == '\\';
    let space = context.instance().world.disk.space(path);
    let (mount, kind) = match path.get(..3) {
        Some(drive) if is_windows => (drive.to_owned(), "NTFS"),
        _ => ("/".to_owned(), "ext4"),
    };
    Ok(vec![
        context.arguments.first().cloned().unwrap_or(Value::Null),
        context.arguments.get(1).cloned().unwrap_or(Value::Null),
        mount.into(),
        "".into(),
        "".into(),
        kind.into(),
        number(space.total),
        number(space.free),
        number(0),
        number(u8::from(is_windows)),
        number(1),
        number(0),
        number(0),
    ])
}
