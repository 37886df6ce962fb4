//! A registered instance, and the machine it is on.

use std::collections::BTreeMap;

use faults::Fault;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{HostId, SecretId, ServerId};
use super::server_log::ServerFolder;

/// A machine. Keys: `a` its name in lower case (unique).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// Which.
    pub id: HostId,
    /// The machine's name, as the instances tell it.
    pub name: String,
    /// Instances that count where one of several is faulty; `None`: all of them do.
    pub included: Option<Vec<String>>,
}

/// An instance. Keys: `a` its name in lower case (unique), `b` when discovery is due while it is registered, `c` its host, `d`
/// its marker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// Which.
    pub id: ServerId,
    /// What people call it; unique in the vault, whatever the instance calls itself.
    pub name: String,
    /// `HOST`, `HOST,PORT` or `HOST\INSTANCE`.
    pub address: String,
    /// How the vault logs in for backups.
    pub login: Login,
    /// How it logs in for restores, where that is another login.
    pub restore_login: Option<Login>,
    /// Which certificate it takes.
    pub trust: Trust,
    /// Where it stands.
    pub state: ServerState,
    /// Its machine, once known.
    pub host: Option<HostId>,
    /// What it said of itself, the last time.
    pub facts: Option<Facts>,
    /// What the vault wrote into the instance, so that another vault sees it.
    pub marker: Option<Uuid>,
    /// What was probed, the last time.
    pub readiness: Vec<Probe>,
    /// When it was registered.
    pub registered: Timestamp,
    /// When its databases were last listed.
    pub discovered: Option<Timestamp>,
    /// When they will be next.
    pub discovery_due: Timestamp,
    /// The newest `backup_set_id` of its `msdb` that was read.
    pub history_read: i64,
    /// BackupSetGUID of that row: with another one under its number, `msdb` was put back and has counted past it.
    #[serde(default)]
    pub history_set: Option<Uuid>,
    /// Up to when, by the instance's clock, its error log was read for blobs that broken backups hold.
    #[serde(default)]
    pub error_log_read: Option<Timestamp>,
    /// What is set for this instance.
    pub settings: ServerSettings,
    /// Availability groups that it takes part in.
    pub groups: Vec<GroupSeen>,
}

impl Server {
    /// Whether it is registered, faulty or not.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        !matches!(self.state, ServerState::Unregistered { .. })
    }
}

/// How the vault logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Login {
    /// SQL Server's own login.
    Sql {
        /// Its name.
        user: String,
        /// Its password.
        password: SecretId,
    },
    /// The account that the vault runs as.
    Windows,
    /// Microsoft Entra ID, by a service principal.
    Entra {
        /// Application (client) id.
        client: String,
        /// Tenant.
        tenant: String,
        /// Its secret.
        secret: SecretId,
    },
}

/// Which server certificate is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Trust {
    /// One that a known authority vouches for, for this host.
    Verify,
    /// This one: SHA-256 of its DER, 64 hexadecimal digits.
    Pin {
        /// The fingerprint.
        sha256: String,
    },
    /// Any: the user said so.
    Any,
}

/// Where an instance stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ServerState {
    /// It can be worked with.
    Ready,
    /// It is registered and something keeps it from being worked with.
    Faulty {
        /// What.
        fault: Fault,
        /// Since when.
        since: Timestamp,
    },
    /// It was unregistered; the record stays as long as recovery points name it.
    Unregistered {
        /// When.
        at: Timestamp,
    },
}

/// What an instance says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// `SERVERPROPERTY('ServerName')`.
    pub server_name: String,
    /// `SERVERPROPERTY('MachineName')`.
    pub machine_name: String,
    /// `SERVERPROPERTY('InstanceName')`; none for the default instance.
    pub instance_name: Option<String>,
    /// `SERVERPROPERTY('ProductVersion')`: `16.0.4165.4`.
    pub version: String,
    /// `SERVERPROPERTY('Edition')`.
    pub edition: String,
    /// `SERVERPROPERTY('EngineEdition')`.
    pub engine_edition: i32,
    /// `SERVERPROPERTY('Collation')`.
    pub collation: String,
    /// Default data directory.
    pub data_path: Option<String>,
    /// Default log directory.
    pub log_path: Option<String>,
    /// Default backup directory.
    pub backup_path: Option<String>,
    /// Minutes that its clock is ahead of UTC now.
    pub offset_minutes: i16,
    /// Seconds that its clock was ahead of the vault's, beyond the offset.
    pub clock_ahead_seconds: i64,
    /// When its service started.
    pub started: Option<Timestamp>,
    /// Whether availability groups are on.
    pub is_hadr: bool,
    /// Whether it is a failover cluster instance.
    pub is_clustered: bool,
    /// Runs on Linux.
    pub is_linux: bool,
}

/// One probe of readiness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// What was probed, in a few words.
    pub name: String,
    /// Whether it is as it must be.
    pub passed: bool,
    /// What was found.
    pub found: String,
    /// T-SQL that mends it, ready to run.
    pub repair: Option<String>,
    /// The fault that it would become.
    pub fault: Option<Fault>,
}

/// What is set for one instance: what Azure Backup keeps in files on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerSettings {
    /// Backups that may run at the same time: 20, as `DefaultBackupTasksThreshold`.
    pub jobs_at_once: u32,
    /// Whether the vault heals by itself (`EnableAutoHealer`).
    pub auto_heal: bool,
    /// Memory that all running backups may take for buffers, in bytes.
    pub buffer_bytes: u64,
    /// Directory on the server to directory on the server, for restores.
    pub path_map: BTreeMap<String, String>,
    /// Folder on the server that log backups go to while the vault's disk has no room for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_overflow: Option<ServerFolder>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            jobs_at_once: 20,
            auto_heal: true,
            buffer_bytes: 1 << 30,
            path_map: BTreeMap::new(),
            log_overflow: None,
        }
    }
}

/// An availability group as one replica sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSeen {
    /// `group_id`.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// `automated_backup_preference`: 0 primary, 1 secondary only, 2 prefer secondary, 3 none.
    pub preference: u8,
    /// Whether this replica is the primary.
    pub is_primary: bool,
    /// All replicas, as the group names them.
    pub replicas: Vec<String>,
}
