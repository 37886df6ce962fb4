//! The server and its machine: options, host, services, backup devices, messages, its file system.

use super::field::{
    Field, bigint, bit, datetime, desc, field, int, smallint, sysname, text, tinyint, variant,
};
use super::options::{description, since};
use super::view::{Context, Needs, Rows, View, number};
use crate::instance::Version;
use crate::message::catalogue;
use crate::session::configuration::{OPTIONS, ServerOption};
use crate::value::{Length, SqlType, Value};

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_server("sys.configurations", CONFIGURATIONS, configurations),
    View::of_server("sys.dm_os_host_info", HOST, host_info).since(Version::V2017),
    View::of_server("sys.dm_os_sys_info", SYSTEM, system_info).needs(Needs::ServerState),
    View::of_server("sys.dm_server_services", SERVICES, services).needs(Needs::ServerState),
    View::of_server("sys.backup_devices", DEVICES, backup_devices),
    View::of_server("sys.messages", MESSAGES, messages),
];

const CONFIGURATIONS: &[Field] = &[
    int("configuration_id"),
    text("name", 35),
    variant("value").or_null(),
    variant("minimum").or_null(),
    variant("maximum").or_null(),
    variant("value_in_use").or_null(),
    text("description", 255),
    bit("is_dynamic"),
    bit("is_advanced"),
];

const HOST: &[Field] = &[
    text("host_platform", 256),
    text("host_distribution", 256),
    text("host_release", 256),
    text("host_service_pack_level", 256),
    int("host_sku").or_null(),
    int("os_language_version"),
    text("host_architecture", 256).since(Version::V2019),
];

const SYSTEM: &[Field] = &[
    bigint("cpu_ticks"),
    bigint("ms_ticks"),
    int("cpu_count"),
    int("hyperthread_ratio"),
    bigint("physical_memory_kb"),
    bigint("virtual_memory_kb"),
    bigint("committed_kb"),
    bigint("committed_target_kb"),
    bigint("visible_target_kb"),
    int("stack_size_in_bytes"),
    bigint("os_quantum"),
    int("os_error_mode"),
    int("os_priority_class").or_null(),
    int("max_workers_count"),
    int("scheduler_count"),
    int("scheduler_total_count"),
    int("deadlock_monitor_serial_number"),
    bigint("sqlserver_start_time_ms_ticks"),
    datetime("sqlserver_start_time"),
    int("affinity_type"),
    text("affinity_type_desc", 60),
    bigint("process_kernel_time_ms"),
    bigint("process_user_time_ms"),
    int("time_source"),
    text("time_source_desc", 60),
    int("virtual_machine_type"),
    text("virtual_machine_type_desc", 60),
    int("softnuma_configuration").since(Version::V2016),
    text("softnuma_configuration_desc", 60).since(Version::V2016),
    text("process_physical_affinity", 3072).since(Version::V2017),
    int("sql_memory_model").since(Version::V2016),
    text("sql_memory_model_desc", 60).since(Version::V2016),
    int("socket_count").since(Version::V2016),
    int("cores_per_socket").since(Version::V2016),
    int("numa_node_count").since(Version::V2016),
    int("container_type").since(Version::V2019),
    text("container_type_desc", 60).since(Version::V2019),
];

const SERVICES: &[Field] = &[
    text("servicename", 256),
    int("startup_type").or_null(),
    text("startup_type_desc", 256),
    int("status").or_null(),
    text("status_desc", 256),
    int("process_id").or_null(),
    field("last_startup_time", SqlType::DateTimeOffset(7)).or_null(),
    text("service_account", 256),
    text("filename", 256),
    text("is_clustered", 1),
    text("cluster_nodename", 256).or_null(),
    text("instant_file_initialization_enabled", 1).since(Version::V2016),
];

const DEVICES: &[Field] = &[
    sysname("name"),
    tinyint("type").or_null(),
    desc("type_desc"),
    text("physical_name", 260).or_null(),
];

const MESSAGES: &[Field] = &[
    int("message_id"),
    smallint("language_id"),
    tinyint("severity").or_null(),
    bit("is_event_logged"),
    field("text", SqlType::NVarChar(Length::Of(2048))),
];

fn configurations(context: &Context<'_>) -> Rows {
    let state = context.state();
    let row = |option: &ServerOption| {
        let in_use = state
            .server
            .configuration
            .get(&option.name.to_lowercase())
            .copied()
            .unwrap_or(option.default);
        vec![
            number(option.id),
            option.name.into(),
            number(in_use),
            number(option.minimum),
            number(option.maximum),
            number(in_use),
            description(option).into(),
            true.into(),
            option.is_advanced.into(),
        ]
    };
    let known = OPTIONS.iter().filter(|option| since(option) <= context.version);
    Ok(known.map(row).collect())
}

/// Windows or Linux, by the separator of its paths; the host is a simulation, and says so.
fn host_info(context: &Context<'_>) -> Rows {
    let is_windows = context.instance().settings.path_separator == '\\';
    let (platform, sku) = if is_windows {
        ("Windows", number(7))
    } else {
        ("Linux", Value::Null)
    };
    Ok(vec![vec![
        platform.into(),
        "bac2 simulation".into(),
        "1.0".into(),
        "".into(),
        sku,
        number(1033),
        "X64".into(),
    ]])
}

/// Time is the world's; the sizes are of a small machine with one processor.
fn system_info(context: &Context<'_>) -> Rows {
    let started = context.state().started;
    let uptime = context.instance().world.clock.uptime().as_millis();
    let since_start = (context.now.0 - started.0).max(0) / 1000;
    let ticks = i64::try_from(uptime).unwrap_or(i64::MAX);
    let one = || number(1);
    let none = || number(0);
    let mut row = vec![
        number(ticks.saturating_mul(1000)),
        number(ticks),
        one(),
        one(),
        number(4_194_304),
        number(137_438_953_344_i64),
        number(262_144),
        number(3_145_728),
        number(3_145_728),
        number(2_093_056),
        number(4),
        number(5),
        number(32),
        number(512),
        one(),
        one(),
        none(),
        number(ticks.saturating_sub(since_start).max(0)),
        context.local(started),
    ];
    row.extend([number(2), "AUTO".into(), none(), none()]);
    row.extend([none(), "QUERY_PERFORMANCE_COUNTER".into()]);
    row.extend([none(), "NONE".into(), none(), "OFF".into(), "{{0,1}}".into()]);
    row.extend([one(), "CONVENTIONAL".into(), one(), one(), one()]);
    row.extend([none(), "NONE".into()]);
    Ok(vec![row])
}

fn services(context: &Context<'_>) -> Rows {
    let settings = &context.instance().settings;
    let started = context.state().started;
    let offset = context.instance().world.clock.offset_minutes(started);
    let name = settings.instance.as_deref().unwrap_or("MSSQLSERVER");
    Ok(vec![vec![
        format!("SQL Server ({name})").into(),
        number(2),
        "Automatic".into(),
        number(4),
        "Running".into(),
        Value::Null,
        Value::DateTimeOffset(started.local(0), offset),
        "bac2".into(),
        settings.path(&["bac2"]).into(),
        "N".into(),
        Value::Null,
        "Y".into(),
    ]])
}

fn backup_devices(context: &Context<'_>) -> Rows {
    let state = context.state();
    let rows = state.server.devices.iter().map(|(name, physical)| {
        vec![
            name.as_str().into(),
            number(2),
            "DISK".into(),
            physical.as_str().into(),
        ]
    });
    Ok(rows.collect())
}

/// The messages that the simulation can raise; each argument shows as `%ls`.
fn messages(_: &Context<'_>) -> Rows {
    let row = |entry: &catalogue::Entry| {
        let mut text = entry.text.to_owned();
        for place in 0..10 {
            text = text.replace(&format!("{{{place}}}"), "%ls");
        }
        vec![
            number(entry.number),
            number(1033),
            number(entry.class),
            (entry.class >= 19).into(),
            text.into(),
        ]
    };
    Ok(catalogue::entries().map(row).collect())
}
