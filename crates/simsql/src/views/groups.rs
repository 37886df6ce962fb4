//! Availability groups as this replica sees them.
//!
//! Other replicas are names, and taken to be up and synchronized, and connected unless the record says otherwise. Where this
//! replica is the primary, all others are secondaries; where it is not, the primary is the one that the record names, else the
//! first other by name. This replica's own backup priority is 50, or what the group's record gives under this server's own name.
//! Nothing has a listener, nothing is seeded.

use uuid::Uuid;

use super::databases::{pair, state_of};
use super::field::{
    Field, bigint, bit, datetime, desc, field, guid, int, lsn, smallint, sysname, text, tinyint, varbinary,
};
use super::view::{Context, Needs, Rows, View, number};
use crate::engine::Engine;
use crate::instance::server::{AvailabilityGroup, ReplicaRole};
use crate::instance::{State, Version};
use crate::value::{Length, SqlType, Value};

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_server("sys.availability_groups", GROUPS, groups),
    View::of_server("sys.availability_groups_cluster", GROUPS_CLUSTER, groups_cluster),
    View::of_server("sys.availability_replicas", REPLICAS, replicas),
    View::of_server("sys.availability_group_listeners", LISTENERS, |_| Ok(Vec::new())),
    View::of_server(
        "sys.availability_databases_cluster",
        DATABASES_CLUSTER,
        databases_cluster,
    ),
    View::of_server(
        "sys.dm_hadr_availability_replica_states",
        REPLICA_STATES,
        replica_states,
    )
    .needs(Needs::ServerState),
    View::of_server(
        "sys.dm_hadr_database_replica_states",
        DATABASE_STATES,
        database_states,
    )
    .needs(Needs::ServerState),
    View::of_server(
        "sys.dm_hadr_availability_group_states",
        GROUP_STATES,
        group_states,
    )
    .needs(Needs::ServerState),
    View::of_server("sys.dm_hadr_cluster", CLUSTER, cluster).needs(Needs::ServerState),
    View::of_server("sys.dm_hadr_physical_seeding_stats", SEEDING, |_| Ok(Vec::new()))
        .needs(Needs::ServerState)
        .since(Version::V2016),
];

const GROUPS: &[Field] = &[
    guid("group_id"),
    sysname("name").or_null(),
    text("resource_id", 40).or_null(),
    text("resource_group_id", 40).or_null(),
    int("failure_condition_level").or_null(),
    int("health_check_timeout").or_null(),
    tinyint("automated_backup_preference").or_null(),
    desc("automated_backup_preference_desc"),
    smallint("version").or_null().since(Version::V2016),
    bit("basic_features").or_null().since(Version::V2016),
    bit("dtc_support").or_null().since(Version::V2016),
    bit("db_failover").or_null().since(Version::V2016),
    bit("is_distributed").or_null().since(Version::V2016),
    tinyint("cluster_type").or_null().since(Version::V2017),
    desc("cluster_type_desc").since(Version::V2017),
    int("required_synchronized_secondaries_to_commit")
        .or_null()
        .since(Version::V2017),
    bigint("sequence_number").or_null().since(Version::V2017),
    bit("is_contained").or_null().since(Version::V2022),
];

const GROUPS_CLUSTER: &[Field] = &[
    guid("group_id"),
    sysname("name").or_null(),
    text("resource_id", 40).or_null(),
    text("resource_group_id", 40).or_null(),
    int("failure_condition_level").or_null(),
    int("health_check_timeout").or_null(),
    tinyint("automated_backup_preference").or_null(),
    desc("automated_backup_preference_desc"),
];

/// Without the column of read-write routing, which came with 2019.
const REPLICAS: &[Field] = &[
    guid("replica_id").or_null(),
    guid("group_id").or_null(),
    int("replica_metadata_id").or_null(),
    text("replica_server_name", 256).or_null(),
    varbinary("owner_sid", 85).or_null(),
    text("endpoint_url", 128).or_null(),
    tinyint("availability_mode").or_null(),
    desc("availability_mode_desc"),
    tinyint("failover_mode").or_null(),
    desc("failover_mode_desc"),
    int("session_timeout").or_null(),
    tinyint("primary_role_allow_connections").or_null(),
    desc("primary_role_allow_connections_desc"),
    tinyint("secondary_role_allow_connections").or_null(),
    desc("secondary_role_allow_connections_desc"),
    datetime("create_date").or_null(),
    datetime("modify_date").or_null(),
    int("backup_priority").or_null(),
    text("read_only_routing_url", 256).or_null(),
    tinyint("seeding_mode").or_null().since(Version::V2016),
    desc("seeding_mode_desc").since(Version::V2016),
];

const LISTENERS: &[Field] = &[
    guid("group_id"),
    text("listener_id", 36).or_null(),
    text("dns_name", 63).or_null(),
    int("port").or_null(),
    bit("is_conformant"),
    field(
        "ip_configuration_string_from_cluster",
        SqlType::NVarChar(Length::Max),
    )
    .or_null(),
];

const DATABASES_CLUSTER: &[Field] = &[
    guid("group_id"),
    guid("group_database_id"),
    sysname("database_name").or_null(),
    lsn("truncation_lsn"),
];

const REPLICA_STATES: &[Field] = &[
    guid("replica_id"),
    guid("group_id"),
    bit("is_local"),
    tinyint("role").or_null(),
    desc("role_desc"),
    tinyint("operational_state").or_null(),
    desc("operational_state_desc"),
    tinyint("connected_state").or_null(),
    desc("connected_state_desc"),
    tinyint("recovery_health").or_null(),
    desc("recovery_health_desc"),
    tinyint("synchronization_health").or_null(),
    desc("synchronization_health_desc"),
    int("last_connect_error_number").or_null(),
    text("last_connect_error_description", 1024).or_null(),
    datetime("last_connect_error_timestamp").or_null(),
];

const DATABASE_STATES: &[Field] = &[
    int("database_id"),
    guid("group_id"),
    guid("replica_id"),
    guid("group_database_id"),
    bit("is_local").or_null(),
    bit("is_primary_replica").or_null().since(Version::V2014),
    tinyint("synchronization_state").or_null(),
    desc("synchronization_state_desc"),
    bit("is_commit_participant").or_null(),
    tinyint("synchronization_health").or_null(),
    desc("synchronization_health_desc"),
    tinyint("database_state").or_null(),
    desc("database_state_desc"),
    bit("is_suspended").or_null(),
    tinyint("suspend_reason").or_null(),
    desc("suspend_reason_desc"),
    lsn("recovery_lsn"),
    lsn("truncation_lsn"),
    lsn("last_sent_lsn"),
    datetime("last_sent_time").or_null(),
    lsn("last_received_lsn"),
    datetime("last_received_time").or_null(),
    lsn("last_hardened_lsn"),
    datetime("last_hardened_time").or_null(),
    lsn("last_redone_lsn"),
    datetime("last_redone_time").or_null(),
    bigint("log_send_queue_size").or_null(),
    bigint("log_send_rate").or_null(),
    bigint("redo_queue_size").or_null(),
    bigint("redo_rate").or_null(),
    bigint("filestream_send_rate").or_null(),
    lsn("end_of_log_lsn"),
    lsn("last_commit_lsn"),
    datetime("last_commit_time").or_null(),
    bigint("low_water_mark_for_ghosts").or_null(),
    bigint("secondary_lag_seconds").or_null().since(Version::V2016),
];

const GROUP_STATES: &[Field] = &[
    guid("group_id"),
    text("primary_replica", 128).or_null(),
    tinyint("primary_recovery_health").or_null(),
    desc("primary_recovery_health_desc"),
    tinyint("secondary_recovery_health").or_null(),
    desc("secondary_recovery_health_desc"),
    tinyint("synchronization_health").or_null(),
    desc("synchronization_health_desc"),
];

const CLUSTER: &[Field] = &[
    text("cluster_name", 128),
    tinyint("quorum_type"),
    text("quorum_type_desc", 50),
    tinyint("quorum_state"),
    text("quorum_state_desc", 50),
];

const SEEDING: &[Field] = &[
    guid("local_physical_seeding_id"),
    guid("remote_physical_seeding_id").or_null(),
    int("local_database_id").or_null(),
    sysname("local_database_name").or_null(),
    text("remote_machine_name", 128).or_null(),
    text("role_desc", 60).or_null(),
    text("internal_state_desc", 60).or_null(),
    bigint("transfer_rate_bytes_per_second").or_null(),
    bigint("transferred_size_bytes").or_null(),
    bigint("database_size_bytes").or_null(),
    datetime("start_time_utc").or_null(),
    datetime("end_time_utc").or_null(),
    datetime("estimate_time_complete_utc").or_null(),
    bigint("total_disk_io_wait_time_ms").or_null(),
    bigint("total_network_wait_time_ms").or_null(),
    int("failure_code").or_null(),
    field("failure_message", SqlType::NVarChar(Length::Max)).or_null(),
    datetime("failure_time_utc").or_null(),
    bit("is_compression_enabled").or_null(),
];

/// The backup priority of a replica for which nothing is said.
const PRIORITY: u8 = 50;

/// A replica of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replica {
    pub(super) id: Uuid,
    pub(super) server: String,
    pub(super) is_local: bool,
    pub(super) role: ReplicaRole,
    /// 0 to 100; 0 never backs up.
    pub(super) priority: u8,
    /// Out of touch with the group.
    pub(super) is_apart: bool,
}

/// The replicas of a group, this one first.
pub(super) fn replicas_of(group: &AvailabilityGroup, own: &str) -> Vec<Replica> {
    let is_own = |server: &str| server.eq_ignore_ascii_case(own);
    let priority = group
        .replicas
        .iter()
        .find(|(server, _)| is_own(server))
        .map_or(PRIORITY, |(_, priority)| *priority);
    let mut all = vec![Replica {
        id: group.replica_id,
        server: own.to_owned(),
        is_local: true,
        role: group.role,
        priority,
        is_apart: false,
    }];
    let others = || group.replicas.iter().filter(|(server, _)| !is_own(server));
    let primary = group
        .primary
        .as_deref()
        .or_else(|| others().next().map(|(server, _)| server.as_str()));
    for (server, priority) in others() {
        let is_primary = primary.is_some_and(|primary| primary.eq_ignore_ascii_case(server));
        let role = match group.role {
            ReplicaRole::Secondary if is_primary => ReplicaRole::Primary,
            ReplicaRole::Resolving => ReplicaRole::Resolving,
            _ => ReplicaRole::Secondary,
        };
        all.push(Replica {
            id: AvailabilityGroup::replica_id(group.id, server),
            server: server.clone(),
            is_local: false,
            role,
            priority: *priority,
            is_apart: group.apart.contains(server),
        });
    }
    all
}

fn role_of(role: ReplicaRole) -> (i64, &'static str) {
    match role {
        ReplicaRole::Resolving => (0, "RESOLVING"),
        ReplicaRole::Primary => (1, "PRIMARY"),
        ReplicaRole::Secondary => (2, "SECONDARY"),
    }
}

fn preference_of(group: &AvailabilityGroup) -> (i64, &'static str) {
    match group.preference {
        0 => (0, "PRIMARY"),
        1 => (1, "SECONDARY_ONLY"),
        3 => (3, "NONE"),
        _ => (2, "SECONDARY"),
    }
}

/// 2 HEALTHY, or 0 while nobody is primary.
fn health_of(role: ReplicaRole) -> (i64, &'static str) {
    match role {
        ReplicaRole::Resolving => (0, "NOT_HEALTHY"),
        _ => (2, "HEALTHY"),
    }
}

/// Groups, where the login may see definitions.
fn seen<'a>(context: &Context<'_>, state: &'a State) -> Vec<(&'a String, &'a AvailabilityGroup)> {
    let may = context.may(state, "VIEW ANY DEFINITION") || context.sees_all(state);
    state.server.groups.iter().filter(|_| may).collect()
}

fn group_row(name: &str, group: &AvailabilityGroup) -> Vec<Value> {
    let mut row = vec![
        group.id.into(),
        name.into(),
        group.id.to_string().into(),
        group.id.to_string().into(),
        number(3),
        number(30_000),
    ];
    row.extend(pair(Some(preference_of(group))));
    row
}

fn groups(context: &Context<'_>) -> Rows {
    let state = context.state();
    let rows = seen(context, &state).into_iter().map(|(name, group)| {
        let off = || Value::Bit(false);
        let mut row = group_row(name, group);
        row.extend([number(1), group.is_basic.into(), off(), off(), off()]);
        row.extend(pair(Some((0, "WSFC"))));
        row.extend([number(0), number(1), off()]);
        row
    });
    Ok(rows.collect())
}

fn groups_cluster(context: &Context<'_>) -> Rows {
    let state = context.state();
    let rows = seen(context, &state).into_iter();
    Ok(rows.map(|(name, group)| group_row(name, group)).collect())
}

fn replicas(context: &Context<'_>) -> Rows {
    let state = context.state();
    let own = context.instance().settings.server_name();
    let mut rows = Vec::new();
    for (_, group) in seen(context, &state) {
        for (place, replica) in replicas_of(group, &own).into_iter().enumerate() {
            let host = replica
                .server
                .split('\\')
                .next()
                .unwrap_or_default()
                .to_lowercase();
            let local = |value: Value| if replica.is_local { value } else { Value::Null };
            let started = local(context.local(state.started));
            let mut row = vec![
                replica.id.into(),
                group.id.into(),
                local(number(65_536 + place)),
                replica.server.as_str().into(),
                local(Value::Bytes(vec![1])),
                format!("TCP://{host}:5022").into(),
            ];
            row.extend(pair(Some((1, "SYNCHRONOUS_COMMIT"))));
            row.extend(pair(Some((1, "MANUAL"))));
            row.push(number(10));
            row.extend(pair(Some((2, "ALL"))));
            row.extend(pair(Some(if group.is_closed { (0, "NO") } else { (2, "ALL") })));
            row.extend([started.clone(), started, number(replica.priority), Value::Null]);
            row.extend(pair(Some((1, "MANUAL"))));
            rows.push(row);
        }
    }
    Ok(rows)
}

fn databases_cluster(context: &Context<'_>) -> Rows {
    let state = context.state();
    let mut rows = Vec::new();
    for (_, group) in seen(context, &state) {
        for (name, id) in &group.databases {
            rows.push(vec![
                (group.id).into(),
                (*id).into(),
                name.as_str().into(),
                Value::Null,
            ]);
        }
    }
    Ok(rows)
}

/// A secondary knows of itself alone, as does a replica that resolves.
fn known(group: &AvailabilityGroup, own: &str) -> Vec<Replica> {
    let mut replicas = replicas_of(group, own);
    replicas.retain(|replica| replica.is_local || group.role == ReplicaRole::Primary);
    replicas
}

fn replica_states(context: &Context<'_>) -> Rows {
    let state = context.state();
    let own = context.instance().settings.server_name();
    let mut rows = Vec::new();
    for group in state.server.groups.values() {
        for replica in known(group, &own) {
            let mut row = vec![replica.id.into(), group.id.into(), replica.is_local.into()];
            row.extend(pair(Some(role_of(replica.role))));
            row.extend(pair(replica.is_local.then_some((2, "ONLINE"))));
            row.extend(pair(Some(if replica.is_apart {
                (0, "DISCONNECTED")
            } else {
                (1, "CONNECTED")
            })));
            row.extend(pair(replica.is_local.then_some((1, "ONLINE"))));
            let is_sound = !replica.is_apart;
            row.extend(pair(Some(if is_sound {
                health_of(replica.role)
            } else {
                (0, "NOT_HEALTHY")
            })));
            row.extend([Value::Null, Value::Null, Value::Null]);
            rows.push(row);
        }
    }
    Ok(rows)
}

fn database_states(context: &Context<'_>) -> Rows {
    let state = context.state();
    let own = context.instance().settings.server_name();
    let mut rows = Vec::new();
    for group in state.server.groups.values() {
        for replica in known(group, &own) {
            for (name, id) in &group.databases {
                rows.extend(database_state(context, &state, group, &replica, (name, *id)));
            }
        }
    }
    Ok(rows)
}

fn database_state(
    context: &Context<'_>,
    state: &State,
    group: &AvailabilityGroup,
    replica: &Replica,
    (name, id): (&str, Uuid),
) -> Option<Vec<Value>> {
    let entry = state.database(name)?;
    let boot = entry.engine.as_ref().map(Engine::boot);
    let end = entry.engine.as_ref().map(|engine| engine.log_facts().end_lsn);
    // These columns name a block, padded with zeroes to the form of an LSN.
    let block = end.map(|lsn| bak::Lsn { slot: 1, ..lsn });
    let is_moving = replica.role != ReplicaRole::Resolving;
    let is_primary = replica.role == ReplicaRole::Primary;
    let now = context.local(context.now);
    let mut row = vec![
        number(entry.id),
        group.id.into(),
        replica.id.into(),
        id.into(),
        replica.is_local.into(),
        is_primary.into(),
    ];
    row.extend(pair(Some(if is_moving {
        (2, "SYNCHRONIZED")
    } else {
        (0, "NOT SYNCHRONIZING")
    })));
    row.push(is_moving.into());
    row.extend(pair(Some(health_of(replica.role))));
    row.extend(pair(replica.is_local.then(|| state_of(entry.state))));
    row.extend([false.into(), Value::Null, Value::Null]);
    row.extend([block.into(), boot.map(|boot| boot.checkpoint_lsn).into()]);
    for _ in 0..4 {
        let of_secondary = |value: Value| if is_primary { Value::Null } else { value };
        row.extend([of_secondary(block.into()), of_secondary(now.clone())]);
    }
    // On a primary the hardened LSN is the least of all replicas'.
    row[22] = block.into();
    row.extend([number(0), number(0), number(0), number(0), Value::Null]);
    row.extend([block.into(), boot.map(|boot| boot.checkpoint_lsn).into(), now]);
    row.extend([number(0), number(0)]);
    Some(row)
}

fn group_states(context: &Context<'_>) -> Rows {
    let state = context.state();
    let own = context.instance().settings.server_name();
    let row = |group: &AvailabilityGroup| {
        let replicas = replicas_of(group, &own);
        let primary = replicas
            .into_iter()
            .find(|replica| replica.role == ReplicaRole::Primary);
        let online = |here: bool| pair(here.then_some((1, "ONLINE")));
        let mut row = vec![group.id.into(), primary.map(|replica| replica.server).into()];
        row.extend(online(group.role == ReplicaRole::Primary));
        row.extend(online(group.role == ReplicaRole::Secondary));
        row.extend(pair(Some(health_of(group.role))));
        row
    };
    Ok(state.server.groups.values().map(row).collect())
}

/// The cluster of every simulated group has one name, so that replicas simulated side by side agree.
fn cluster(context: &Context<'_>) -> Rows {
    if context.state().server.groups.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![vec![
        "BAC2CLUSTER".into(),
        number(0),
        "NODE_MAJORITY".into(),
        number(1),
        "NORMAL_QUORUM".into(),
    ]])
}
