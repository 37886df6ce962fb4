//! What an instance answers, as the vault's records keep it.

use std::collections::{BTreeMap, BTreeSet};

use catalog::record::{DatabaseState, Facts, FileSeen, GroupSeen};
use jiff::Timestamp;
use jiff::civil::DateTime;
use mssql::databases::{Access, Database, RecoveryModel, State};
use mssql::facts::Platform;
use mssql::groups::{Preference, Replica};
use mssql::{Build, Edition};
use uuid::Uuid;

/// The most files of one database that are kept: a backup lists them all, and a record has room for so many.
const FILES_MAX: usize = 1_000;

/// A database as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    /// None where it could not be asked.
    pub(crate) database_guid: Option<Uuid>,
    pub(crate) family_guid: Option<Uuid>,
    pub(crate) recovery_fork: Option<Uuid>,
    pub(crate) number: i32,
    pub(crate) created: DateTime,
    /// Its availability group.
    pub(crate) group: Membership,
    pub(crate) state: DatabaseState,
    pub(crate) data_bytes: u64,
    pub(crate) log_bytes: u64,
    pub(crate) files: Vec<FileSeen>,
    pub(crate) may_back_up: bool,
}

/// Whether a database is in an availability group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    /// It cannot be told: the login may not see groups.
    Unknown,
    /// In none.
    None,
    /// In this one.
    In {
        /// The group.
        group: Uuid,
        /// The instance that was asked is its primary.
        is_primary: bool,
    },
}

/// A date and time of a server, as the standard calendar has it; the earliest where that does not have it.
pub(crate) fn civil(at: mssql::value::DateTime) -> DateTime {
    crate::backup::civil(at).unwrap_or(DateTime::MIN)
}

/// What an instance says of itself.
pub(crate) fn server_facts(facts: &mssql::facts::Facts, now: Timestamp) -> Facts {
    let offset = facts.now.offset_minutes;
    let ahead = facts.now.utc.millis_since_1970() - now.as_millisecond();
    Facts {
        server_name: facts.server_name.clone(),
        machine_name: facts.machine_name.clone(),
        instance_name: facts.instance_name.clone(),
        version: facts.build.to_string(),
        edition: facts.edition_name.clone(),
        engine_edition: match facts.edition {
            Edition::Standard | Edition::Web => 2,
            Edition::Enterprise => 3,
            Edition::Express => 4,
            Edition::Other(number) => number,
        },
        collation: facts.collation.clone(),
        data_path: facts.paths.data.clone(),
        log_path: facts.paths.log.clone(),
        backup_path: facts.paths.backup.clone(),
        offset_minutes: offset,
        clock_ahead_seconds: ahead.div_euclid(1000),
        started: facts.started.and_then(|at| {
            let millis = at.millis_since_1970() - i64::from(offset) * 60_000;
            Timestamp::from_millisecond(millis).ok()
        }),
        is_hadr: facts.is_hadr_enabled,
        is_clustered: facts.is_clustered,
        is_linux: facts.platform == Platform::Linux,
    }
}

/// The build that an instance named.
pub(crate) fn build(facts: &Facts) -> Build {
    facts.version.parse().unwrap_or(Build::new(0, 0, 0, 0))
}

/// The availability groups, by what their replicas say.
pub(crate) fn groups(replicas: &[Replica]) -> Vec<GroupSeen> {
    let mut groups: BTreeMap<Uuid, GroupSeen> = BTreeMap::new();
    for replica in replicas {
        let group = groups.entry(replica.group).or_insert_with(|| GroupSeen {
            id: replica.group,
            name: replica.group_name.clone(),
            preference: match replica.preference {
                Preference::Primary => 0,
                Preference::SecondaryOnly => 1,
                Preference::Secondary => 2,
                Preference::Any => 3,
            },
            is_primary: false,
            replicas: Vec::new(),
        });
        let is_primary = replica.role.as_deref() == Some("PRIMARY");
        group.is_primary |= replica.is_local && is_primary;
        group.replicas.push(replica.server_name.clone());
    }
    groups.into_values().collect()
}

/// The databases. `replicas` is what is known of groups, none where they cannot be seen; `shipped` are the primaries of log
/// shipping.
pub(crate) fn databases(
    found: Vec<Database>,
    replicas: Option<&[Replica]>,
    shipped: &BTreeSet<String>,
) -> Vec<Seen> {
    let by_replica: BTreeMap<Uuid, (Uuid, bool)> = replicas
        .unwrap_or_default()
        .iter()
        .map(|one| {
            let is_primary = one.is_local && one.role.as_deref() == Some("PRIMARY");
            (one.replica, (one.group, is_primary))
        })
        .collect();
    let membership = |replica: Option<Uuid>| match (replica, replicas) {
        (None, _) => Membership::None,
        (Some(_), None) => Membership::Unknown,
        (Some(replica), Some(_)) => {
            by_replica
                .get(&replica)
                .map_or(Membership::Unknown, |(group, is_primary)| Membership::In {
                    group: *group,
                    is_primary: *is_primary,
                })
        }
    };
    found
        .into_iter()
        .map(|one| {
            let group = membership(one.replica);
            seen(one, group, shipped)
        })
        .collect()
}

fn seen(one: Database, group: Membership, shipped: &BTreeSet<String>) -> Seen {
    let chain = one.chain.as_ref();
    let state = DatabaseState {
        state: state_name(one.state),
        recovery_model: model_name(one.recovery_model).to_owned(),
        user_access: access_name(one.access).to_owned(),
        is_read_only: one.is_read_only,
        is_standby: one.is_in_standby,
        is_mirrored: one.mirroring.is_some(),
        is_snapshot: one.snapshot_of.is_some(),
        is_system: one.is_system(),
        is_encrypted: one.is_encrypted,
        last_log_backup_lsn: chain
            .and_then(|chain| chain.last_log_backup_lsn)
            .map(|lsn| lsn.to_decimal().to_string()),
        differential_base: one
            .files
            .iter()
            .find(|file| file.kind == 0)
            .and_then(|file| file.differential_base_guid),
        is_log_shipped: shipped.contains(&one.name.to_lowercase()),
    };
    Seen {
        database_guid: chain.and_then(|chain| chain.database_guid),
        family_guid: chain.and_then(|chain| chain.family_guid),
        recovery_fork: chain.and_then(|chain| chain.recovery_fork),
        number: one.id,
        created: civil(one.created),
        group,
        state,
        data_bytes: one.data_bytes(),
        log_bytes: one.log_bytes(),
        may_back_up: one.may_back_up && one.may_back_up_log,
        files: one
            .files
            .iter()
            .take(FILES_MAX)
            .map(|file| FileSeen {
                logical: file.logical_name.clone(),
                path: file.physical_name.clone(),
                is_log: file.kind == 1,
                bytes: file.size,
            })
            .collect(),
        name: one.name,
    }
}

/// `state_desc` of sys.databases.
pub(crate) fn state_name(state: State) -> String {
    match state {
        State::Online => "ONLINE".to_owned(),
        State::Restoring => "RESTORING".to_owned(),
        State::Recovering => "RECOVERING".to_owned(),
        State::RecoveryPending => "RECOVERY_PENDING".to_owned(),
        State::Suspect => "SUSPECT".to_owned(),
        State::Emergency => "EMERGENCY".to_owned(),
        State::Offline => "OFFLINE".to_owned(),
        State::Other(number) => format!("STATE_{number}"),
    }
}

/// `recovery_model_desc`; empty where it cannot be told.
fn model_name(model: RecoveryModel) -> &'static str {
    match model {
        RecoveryModel::Full => "FULL",
        RecoveryModel::BulkLogged => "BULK_LOGGED",
        RecoveryModel::Simple => "SIMPLE",
        RecoveryModel::Unknown => "",
    }
}

/// `user_access_desc`.
fn access_name(access: Access) -> &'static str {
    match access {
        Access::Multi => "MULTI_USER",
        Access::Single => "SINGLE_USER",
        Access::Restricted => "RESTRICTED_USER",
    }
}
