//! Locks and transactions, and the old `sysprocesses`, which shows sessions and requests in one.
//!
//! A transaction has its session's number: a session has one at most. When it began is known of the oldest in a database, for
//! others it is when the session's request did.

use super::activity::{handle, milliseconds, seen};
use super::field::{Field, bigint, bit, datetime, field, guid, int, smallint, text, varbinary};
use super::principals::{sid_of, user_id};
use super::view::{Context, Needs, Rows, View, number};
use crate::engine::Engine;
use crate::instance::locks::{Bulk, Locks, SessionId};
use crate::instance::state::SessionFacts;
use crate::instance::{State, Version, permission};
use crate::value::{SqlType, Value};

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_server("sys.dm_tran_locks", LOCKS, locks).needs(Needs::ServerState),
    View::of_server("sys.dm_tran_active_transactions", ACTIVE, active).needs(Needs::ServerState),
    View::of_server("sys.dm_tran_session_transactions", SESSION, of_sessions).needs(Needs::ServerState),
    View::of_server("sys.sysprocesses", PROCESSES, processes),
];

const LOCKS: &[Field] = &[
    text("resource_type", 60),
    text("resource_subtype", 60),
    int("resource_database_id"),
    text("resource_description", 256),
    bigint("resource_associated_entity_id").or_null(),
    int("resource_lock_partition"),
    text("request_mode", 60),
    text("request_type", 60),
    text("request_status", 60),
    smallint("request_reference_count"),
    int("request_lifetime"),
    int("request_session_id"),
    int("request_exec_context_id"),
    int("request_request_id"),
    text("request_owner_type", 60),
    bigint("request_owner_id").or_null(),
    guid("request_owner_guid").or_null(),
    text("request_owner_lockspace_id", 32),
    varbinary("lock_owner_address", 8),
];

const ACTIVE: &[Field] = &[
    bigint("transaction_id"),
    text("name", 32),
    datetime("transaction_begin_time"),
    int("transaction_type"),
    guid("transaction_uow").or_null(),
    int("transaction_state"),
    int("transaction_status"),
    int("transaction_status2"),
    int("dtc_state"),
    int("dtc_status"),
    int("dtc_isolation_level"),
    varbinary("filestream_transaction_id", 128).or_null(),
];

const SESSION: &[Field] = &[
    int("session_id"),
    bigint("transaction_id"),
    field("transaction_descriptor", SqlType::Binary(8)),
    int("enlist_count"),
    bit("is_user_transaction"),
    bit("is_local"),
    bit("is_enlisted"),
    bit("is_bound"),
    int("open_transaction_count"),
];

const fn nchar(name: &'static str, length: u16) -> Field {
    field(name, SqlType::NChar(length))
}

const PROCESSES: &[Field] = &[
    smallint("spid"),
    smallint("kpid"),
    smallint("blocked"),
    field("waittype", SqlType::Binary(2)),
    bigint("waittime"),
    nchar("lastwaittype", 32),
    nchar("waitresource", 256),
    smallint("dbid"),
    smallint("uid").or_null(),
    int("cpu"),
    bigint("physical_io"),
    int("memusage"),
    datetime("login_time"),
    datetime("last_batch"),
    smallint("ecid"),
    smallint("open_tran"),
    nchar("status", 30),
    field("sid", SqlType::Binary(86)),
    nchar("hostname", 128),
    nchar("program_name", 128),
    nchar("hostprocess", 10),
    nchar("cmd", 26),
    nchar("nt_domain", 128),
    nchar("nt_username", 128),
    nchar("net_address", 12),
    nchar("net_library", 12),
    nchar("loginame", 128),
    field("context_info", SqlType::Binary(128)),
    field("sql_handle", SqlType::Binary(20)),
    int("stmt_start"),
    int("stmt_end"),
    int("request_id"),
    field("page_resource", SqlType::Binary(8))
        .or_null()
        .since(Version::V2019),
];

/// What a lock is on, and how.
struct Lock {
    resource: &'static str,
    subtype: &'static str,
    entity: i64,
    mode: &'static str,
    owner: SessionId,
}

fn held(locks: &Locks) -> Vec<Lock> {
    let database = |subtype, mode, owner| Lock {
        resource: "DATABASE",
        subtype,
        entity: 0,
        mode,
        owner,
    };
    let users = locks.users.iter().map(|owner| database("", "S", *owner));
    let exclusive = locks.exclusive.iter().map(|owner| database("", "X", *owner));
    let bulk = locks.bulk.iter().map(|(kind, owner)| {
        let subtype = match kind {
            Bulk::Database => "BULKOP_BACKUP_DB",
            Bulk::Log => "BULKOP_BACKUP_LOG",
        };
        database(subtype, "U", *owner)
    });
    let tables = locks.tables.iter().map(|(table, owner)| Lock {
        resource: "OBJECT",
        subtype: "",
        entity: i64::from(table.0),
        mode: "X",
        owner: *owner,
    });
    users.chain(exclusive).chain(bulk).chain(tables).collect()
}

fn locks(context: &Context<'_>) -> Rows {
    let state = context.state();
    let mut rows = Vec::new();
    for entry in state.databases.values() {
        for lock in held(&entry.locks) {
            let is_shared = lock.mode == "S";
            rows.push(lock_row(entry.id, &lock, is_shared));
        }
    }
    Ok(rows)
}

fn lock_row(database: u16, lock: &Lock, is_shared: bool) -> Vec<Value> {
    let (owner_type, owner_id) = if is_shared {
        ("SHARED_TRANSACTION_WORKSPACE", 0)
    } else {
        ("TRANSACTION", i64::from(lock.owner))
    };
    vec![
        lock.resource.into(),
        lock.subtype.into(),
        number(database),
        "".into(),
        number(lock.entity),
        number(0),
        lock.mode.into(),
        "LOCK".into(),
        "GRANT".into(),
        number(1),
        number(0),
        number(lock.owner),
        number(0),
        number(0),
        owner_type.into(),
        number(owner_id),
        Value::Null,
        format!("{:#018x}:0:0", lock.owner).into(),
        Value::Bytes(u64::from(lock.owner).to_be_bytes().to_vec()),
    ]
}

fn in_transaction(state: &State) -> impl Iterator<Item = (SessionId, &SessionFacts)> {
    let sessions = state.sessions.iter();
    sessions
        .filter(|(_, facts)| facts.transactions > 0)
        .map(|(id, facts)| (*id, facts))
}

fn active(context: &Context<'_>) -> Rows {
    let state = context.state();
    let row = |(id, facts): (SessionId, &SessionFacts)| {
        let engine = state
            .databases
            .get(&facts.database)
            .and_then(|entry| entry.engine.as_ref());
        let oldest = engine.and_then(Engine::oldest_transaction).map(|(_, at)| at);
        let request = facts.request.as_ref().map(|request| request.start);
        let since = oldest.or(request).unwrap_or(facts.login_time);
        let mut row = vec![
            number(id),
            "user_transaction".into(),
            context.local(since),
            number(1),
            Value::Null,
            number(2),
        ];
        row.extend(std::iter::repeat_n(Value::Integer(0), 4));
        row.extend([number(-1), Value::Null]);
        row
    };
    Ok(in_transaction(&state).map(row).collect())
}

fn of_sessions(context: &Context<'_>) -> Rows {
    let state = context.state();
    let row = |(id, facts): (SessionId, &SessionFacts)| {
        vec![
            number(id),
            number(id),
            Value::Bytes(u64::from(id).to_le_bytes().to_vec()),
            number(1),
            true.into(),
            true.into(),
            false.into(),
            false.into(),
            number(facts.transactions),
        ]
    };
    Ok(in_transaction(&state).map(row).collect())
}

/// Text of a fixed length, filled with spaces.
fn fixed(text: &str, length: usize) -> Value {
    let text: String = text.chars().take(length).collect();
    format!("{text:<length$}").into()
}

/// Bytes of a fixed length, filled with zeroes.
fn padded(mut bytes: Vec<u8>, length: usize) -> Value {
    bytes.resize(length, 0);
    Value::Bytes(bytes)
}

fn processes(context: &Context<'_>) -> Rows {
    let state = context.state();
    Ok(seen(context, &state)
        .map(|(id, facts)| process(context, &state, id, facts))
        .collect())
}

fn process(context: &Context<'_>, state: &State, id: SessionId, facts: &SessionFacts) -> Vec<Value> {
    let request = facts.request.as_ref();
    let waiting = request.and_then(|request| request.wait_since);
    let entry = state.databases.get(&facts.database);
    let user = entry.and_then(|entry| {
        let user = permission::user_of(state, entry, &facts.login)?;
        user_id(entry, &user.name)
    });
    let status = match request {
        None => "sleeping",
        Some(request) if request.wait_type.is_some() => "suspended",
        Some(_) => "runnable",
    };
    let sid = match sid_of(state, &facts.login) {
        Value::Bytes(bytes) => bytes,
        _ => Vec::new(),
    };
    let wait_type = request.and_then(|request| request.wait_type.as_deref());
    vec![
        number(id),
        number(0),
        number(request.map_or(0, |request| request.blocked_by)),
        padded(Vec::new(), 2),
        waiting.map_or(Value::Integer(0), |since| milliseconds(since, context.now)),
        fixed(wait_type.unwrap_or("MISCELLANEOUS"), 32),
        fixed(request.map_or("", |request| request.wait_resource.as_str()), 256),
        number(facts.database),
        user.into(),
        number(0),
        number(0),
        number(4),
        context.local(facts.login_time),
        context.local(request.map_or(facts.login_time, |request| request.start)),
        number(0),
        number(facts.transactions),
        fixed(status, 30),
        padded(sid, 86),
        fixed(&facts.host, 128),
        fixed(&facts.program, 128),
        fixed(&facts.process.to_string(), 10),
        fixed(
            request.map_or("AWAITING COMMAND", |request| request.command.as_str()),
            26,
        ),
        fixed("", 128),
        fixed("", 128),
        fixed("", 12),
        fixed("TCP/IP", 12),
        fixed(&facts.login, 128),
        padded(Vec::new(), 128),
        padded(
            request.map_or_else(Vec::new, |request| handle(id, &request.text)),
            20,
        ),
        number(0),
        number(if request.is_some() { -1 } else { 0 }),
        number(0),
        Value::Null,
    ]
}
