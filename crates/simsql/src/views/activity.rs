//! Who is there and what runs: sessions, requests, connections, the texts of batches.
//!
//! Without the permission to see the server's state a login sees its own session alone. A text's handle names its session and the
//! text's hash: it leads to the text while that session runs it.

use super::field::{Field, bigint, bit, datetime, field, guid, int, real, smallint, text, varbinary};
use super::principals::sid_of;
use super::view::{Context, Needs, Rows, View, number};
use crate::instance::locks::SessionId;
use crate::instance::state::{RequestFacts, SessionFacts};
use crate::instance::{State, Version};
use crate::moment::Moment;
use crate::value::{Length, SqlType, Value};

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_server("sys.dm_exec_requests", REQUESTS, requests),
    View::of_server("sys.dm_exec_sessions", SESSIONS, sessions),
    View::of_server("sys.dm_exec_connections", CONNECTIONS, connections).needs(Needs::ServerState),
    View::of_server("sys.dm_exec_sql_text", TEXT, sql_text)
        .needs(Needs::ServerState)
        .takes(1),
    View::of_server("sys.dm_exec_input_buffer", BUFFER, input_buffer)
        .since(Version::V2016)
        .takes(2),
];

const REQUESTS: &[Field] = &[
    smallint("session_id"),
    int("request_id"),
    datetime("start_time"),
    text("status", 30),
    text("command", 32),
    varbinary("sql_handle", 64).or_null(),
    int("statement_start_offset").or_null(),
    int("statement_end_offset").or_null(),
    varbinary("plan_handle", 64).or_null(),
    smallint("database_id"),
    int("user_id"),
    guid("connection_id").or_null(),
    smallint("blocking_session_id").or_null(),
    text("wait_type", 60).or_null(),
    int("wait_time"),
    text("last_wait_type", 60),
    text("wait_resource", 256),
    int("open_transaction_count"),
    int("open_resultset_count"),
    bigint("transaction_id"),
    varbinary("context_info", 128).or_null(),
    real("percent_complete"),
    bigint("estimated_completion_time"),
    int("cpu_time"),
    int("total_elapsed_time"),
    int("scheduler_id").or_null(),
    varbinary("task_address", 8).or_null(),
    bigint("reads"),
    bigint("writes"),
    bigint("logical_reads"),
    int("text_size"),
    text("language", 128).or_null(),
    text("date_format", 3).or_null(),
    smallint("date_first"),
    bit("quoted_identifier"),
    bit("arithabort"),
    bit("ansi_null_dflt_on"),
    bit("ansi_defaults"),
    bit("ansi_warnings"),
    bit("ansi_padding"),
    bit("ansi_nulls"),
    bit("concat_null_yields_null"),
    smallint("transaction_isolation_level"),
    int("lock_timeout"),
    int("deadlock_priority"),
    bigint("row_count"),
    int("prev_error"),
    int("nest_level"),
    int("granted_query_memory"),
    bit("executing_managed_code"),
    int("group_id"),
    field("query_hash", SqlType::Binary(8)).or_null(),
    field("query_plan_hash", SqlType::Binary(8)).or_null(),
    varbinary("statement_sql_handle", 64)
        .or_null()
        .since(Version::V2014),
    bigint("statement_context_id").or_null().since(Version::V2014),
    int("dop").since(Version::V2016),
    int("parallel_worker_count").or_null().since(Version::V2016),
    guid("external_script_request_id").or_null().since(Version::V2016),
    bit("is_resumable").since(Version::V2017),
    field("page_resource", SqlType::Binary(8))
        .or_null()
        .since(Version::V2019),
    bigint("page_server_reads").since(Version::V2019),
];

const SESSIONS: &[Field] = &[
    smallint("session_id"),
    datetime("login_time"),
    text("host_name", 128).or_null(),
    text("program_name", 128).or_null(),
    int("host_process_id").or_null(),
    int("client_version").or_null(),
    text("client_interface_name", 32).or_null(),
    varbinary("security_id", 85),
    text("login_name", 128),
    text("nt_domain", 128).or_null(),
    text("nt_user_name", 128).or_null(),
    text("status", 30),
    varbinary("context_info", 128).or_null(),
    int("cpu_time"),
    int("memory_usage"),
    int("total_scheduled_time"),
    int("total_elapsed_time"),
    int("endpoint_id"),
    datetime("last_request_start_time"),
    datetime("last_request_end_time").or_null(),
    bigint("reads"),
    bigint("writes"),
    bigint("logical_reads"),
    bit("is_user_process"),
    int("text_size"),
    text("language", 128).or_null(),
    text("date_format", 3).or_null(),
    smallint("date_first"),
    bit("quoted_identifier"),
    bit("arithabort"),
    bit("ansi_null_dflt_on"),
    bit("ansi_defaults"),
    bit("ansi_warnings"),
    bit("ansi_padding"),
    bit("ansi_nulls"),
    bit("concat_null_yields_null"),
    smallint("transaction_isolation_level"),
    int("lock_timeout"),
    int("deadlock_priority"),
    bigint("row_count"),
    int("prev_error"),
    varbinary("original_security_id", 85),
    text("original_login_name", 128),
    datetime("last_successful_logon").or_null(),
    datetime("last_unsuccessful_logon").or_null(),
    bigint("unsuccessful_logons").or_null(),
    int("group_id"),
    smallint("database_id"),
    int("authenticating_database_id").or_null(),
    int("open_transaction_count"),
    bigint("page_server_reads").since(Version::V2019),
];

const CONNECTIONS: &[Field] = &[
    int("session_id").or_null(),
    int("most_recent_session_id").or_null(),
    datetime("connect_time"),
    text("net_transport", 40),
    text("protocol_type", 40).or_null(),
    int("protocol_version").or_null(),
    int("endpoint_id").or_null(),
    text("encrypt_option", 40),
    text("auth_scheme", 40),
    smallint("node_affinity"),
    int("num_reads").or_null(),
    int("num_writes").or_null(),
    datetime("last_read").or_null(),
    datetime("last_write").or_null(),
    int("net_packet_size").or_null(),
    field("client_net_address", SqlType::VarChar(Length::Of(48))).or_null(),
    int("client_tcp_port").or_null(),
    field("local_net_address", SqlType::VarChar(Length::Of(48))).or_null(),
    int("local_tcp_port").or_null(),
    guid("connection_id"),
    guid("parent_connection_id").or_null(),
    varbinary("most_recent_sql_handle", 64).or_null(),
];

const TEXT: &[Field] = &[
    smallint("dbid").or_null(),
    int("objectid").or_null(),
    smallint("number").or_null(),
    bit("encrypted"),
    field("text", SqlType::NVarChar(Length::Max)).or_null(),
];

const BUFFER: &[Field] = &[
    text("event_type", 256).or_null(),
    smallint("parameters").or_null(),
    field("event_info", SqlType::NVarChar(Length::Max)).or_null(),
];

/// Sessions that the login sees.
pub(super) fn seen<'a>(
    context: &Context<'_>,
    state: &'a State,
) -> impl Iterator<Item = (SessionId, &'a SessionFacts)> {
    let all = context.sees_all(state);
    let own = context.session.id;
    state
        .sessions
        .iter()
        .filter(move |(id, _)| all || **id == own)
        .map(|(id, facts)| (*id, facts))
}

/// Milliseconds from one moment to another, as an `int`.
pub(super) fn milliseconds(from: Moment, to: Moment) -> Value {
    let passed = (to.0 - from.0).max(0) / 1000;
    Value::Integer(passed.min(i64::from(i32::MAX)))
}

/// The handle of a batch's text: 44 bytes as in SQL Server, of which two name the session and eight are the text's hash (FNV-1a).
pub(super) fn handle(session: SessionId, text: &str) -> Vec<u8> {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut handle = vec![2, 0, 0, 0];
    handle.extend(session.to_le_bytes());
    handle.extend(hash.to_le_bytes());
    handle.resize(44, 0);
    handle
}

/// ANSI options of a session, from `quoted_identifier` to `concat_null_yields_null`.
fn ansi() -> [Value; 8] {
    [true, true, true, false, true, true, true, true].map(Value::Bit)
}

fn requests(context: &Context<'_>) -> Rows {
    let state = context.state();
    let rows = seen(context, &state)
        .filter_map(|(id, facts)| facts.request.as_ref().map(|request| (id, facts, request)))
        .map(|(id, facts, request)| request_row(context, id, facts, request));
    Ok(rows.collect())
}

fn request_row(
    context: &Context<'_>,
    id: SessionId,
    facts: &SessionFacts,
    request: &RequestFacts,
) -> Vec<Value> {
    let status = match request.wait_type {
        Some(_) => "suspended",
        None => "running",
    };
    let wait_time = request
        .wait_since
        .map_or(Value::Integer(0), |since| milliseconds(since, context.now));
    let text_handle = Value::Bytes(handle(id, &request.text));
    let mut row = vec![
        number(id),
        number(0),
        context.local(request.start),
        status.into(),
        request.command.as_str().into(),
        text_handle.clone(),
        number(0),
        number(-1),
        Value::Null,
        number(request.database),
        number(1),
        super::principals::connection_id(id).into(),
        number(request.blocked_by),
        request.wait_type.clone().into(),
        wait_time,
        request.wait_type.as_deref().unwrap_or("MISCELLANEOUS").into(),
        request.wait_resource.as_str().into(),
        number(facts.transactions),
        number(1),
        number(if facts.transactions > 0 { i64::from(id) } else { 0 }),
        Value::Null,
        Value::Float(f64::from(request.percent_complete)),
        number(request.estimated_completion_ms),
        number(0),
        milliseconds(request.start, context.now),
        number(0),
        Value::Null,
    ];
    row.extend(settings(context, id));
    row.extend([
        number(0),
        number(0),
        number(0),
        number(0),
        false.into(),
        number(2),
        Value::Null,
        Value::Null,
        text_handle,
        Value::Null,
        number(1),
        Value::Null,
        Value::Null,
        false.into(),
        Value::Null,
        number(0),
    ]);
    row
}

/// From `reads` to `deadlock_priority`. LOCK_TIMEOUT is known of the own session alone, others show the default.
fn settings(context: &Context<'_>, id: SessionId) -> Vec<Value> {
    let own = context.session;
    let lock_timeout = if id == own.id { own.lock_timeout } else { -1 };
    let mut row = vec![number(0), number(0), number(0), number(4096)];
    row.extend(["us_english".into(), "mdy".into(), number(7)]);
    row.extend(ansi());
    row.extend([number(2), number(lock_timeout), number(0)]);
    row
}

fn sessions(context: &Context<'_>) -> Rows {
    let state = context.state();
    let row = |(id, facts): (SessionId, &SessionFacts)| {
        let sid = sid_of(&state, &facts.login);
        let last = facts
            .request
            .as_ref()
            .map_or(facts.login_time, |request| request.start);
        let is_running = facts.request.is_some();
        let mut row = vec![
            number(id),
            context.local(facts.login_time),
            facts.host.as_str().into(),
            facts.program.as_str().into(),
            number(facts.process),
            number(7),
            "bac2".into(),
            sid.clone(),
            facts.login.as_str().into(),
            "".into(),
            "".into(),
            if is_running { "running" } else { "sleeping" }.into(),
            Value::Null,
            number(0),
            number(4),
            number(0),
            milliseconds(facts.login_time, context.now),
            number(4),
            context.local(last),
            if is_running {
                Value::Null
            } else {
                context.local(last)
            },
        ];
        let mut settings = settings(context, id);
        settings.insert(3, true.into());
        row.extend(settings);
        row.extend([
            number(0),
            number(0),
            sid,
            facts.login.as_str().into(),
            Value::Null,
            Value::Null,
            Value::Null,
            number(2),
            number(facts.database),
            number(1),
            number(facts.transactions),
            number(0),
        ]);
        row
    };
    Ok(seen(context, &state).map(row).collect())
}

/// Addresses and packets are the wire's business, and not known here.
fn connections(context: &Context<'_>) -> Rows {
    let state = context.state();
    let row = |(id, facts): (SessionId, &SessionFacts)| {
        let request = facts.request.as_ref();
        let last = context.local(request.map_or(facts.login_time, |request| request.start));
        vec![
            number(id),
            number(id),
            context.local(facts.login_time),
            "TCP".into(),
            "TSQL".into(),
            number(0x7400_0004),
            number(4),
            "TRUE".into(),
            "SQL".into(),
            number(0),
            Value::Null,
            Value::Null,
            last.clone(),
            last,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            super::principals::connection_id(id).into(),
            Value::Null,
            request.map_or(Value::Null, |request| Value::Bytes(handle(id, &request.text))),
        ]
    };
    Ok(seen(context, &state).map(row).collect())
}

fn sql_text(context: &Context<'_>) -> Rows {
    let Some(Value::Bytes(wanted)) = context.arguments.first() else {
        return Ok(Vec::new());
    };
    let state = context.state();
    let found = state.sessions.iter().find_map(|(id, facts)| {
        let request = facts.request.as_ref()?;
        (handle(*id, &request.text) == *wanted).then_some(request)
    });
    let row = |request: &RequestFacts| {
        vec![
            Value::Null,
            Value::Null,
            Value::Null,
            false.into(),
            request.text.as_str().into(),
        ]
    };
    Ok(found.into_iter().map(row).collect())
}

fn input_buffer(context: &Context<'_>) -> Rows {
    let wanted = context.number(0);
    let state = context.state();
    let row = |(_, facts): (SessionId, &SessionFacts)| {
        let text = facts.request.as_ref().map(|request| request.text.as_str());
        vec!["Language Event".into(), number(0), text.into()]
    };
    let found = seen(context, &state).filter(|(id, _)| Some(i64::from(*id)) == wanted);
    Ok(found.map(row).collect())
}
