//! What belongs to the server: logins, credentials, certificates, options, availability groups. Kept in one file beside the
//! databases.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::moment::Moment;

/// A login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Salted hash of the password, as hexadecimal text; empty for none.
    pub password: String,
    /// Salt, as hexadecimal text.
    pub salt: String,
    /// Whether it may log in.
    pub enabled: bool,
    /// Database it starts in.
    pub default_database: String,
    /// Server roles, lower case.
    pub roles: BTreeSet<String>,
    /// Permissions granted, upper case.
    pub granted: BTreeSet<String>,
    /// Permissions denied.
    pub denied: BTreeSet<String>,
    /// Its SID.
    pub sid: Uuid,
    /// When it was made.
    pub created: Moment,
}

/// A credential as kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCredential {
    /// Its id.
    pub id: u32,
    /// IDENTITY.
    pub identity: String,
    /// SECRET; never printed.
    pub secret: String,
    /// When it was made.
    pub created: Moment,
    /// When it was changed.
    pub modified: Moment,
}

/// A certificate: a name for a thumbprint, nothing more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// SUBJECT.
    pub subject: String,
    /// 20 bytes, hexadecimal in upper case without `0x`.
    pub thumbprint: String,
    /// When it was made.
    pub created: Moment,
    /// When its private key was last backed up.
    pub key_backup: Option<Moment>,
}

/// Role of this replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicaRole {
    /// PRIMARY.
    Primary,
    /// SECONDARY.
    Secondary,
    /// RESOLVING.
    Resolving,
}

/// An availability group as this instance sees it; its replicas are names, nothing is replicated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilityGroup {
    /// `group_id`.
    pub id: Uuid,
    /// This replica's id.
    pub replica_id: Uuid,
    /// Its role.
    pub role: ReplicaRole,
    /// `automated_backup_preference`: 0 primary, 1 secondary only, 2 secondary, 3 none.
    pub preference: u8,
    /// Other replicas by server name, with their backup priority.
    pub replicas: BTreeMap<String, u8>,
    /// Databases in it, by name, with their `group_database_id`.
    pub databases: BTreeMap<String, Uuid>,
}

/// The server's own records.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// By name in lower case; the key's spelling is kept in `names`.
    pub logins: BTreeMap<String, Login>,
    /// By name.
    pub credentials: BTreeMap<String, StoredCredential>,
    /// By name.
    pub certificates: BTreeMap<String, Certificate>,
    /// `sp_configure` options in use, by name in lower case.
    pub configuration: BTreeMap<String, i64>,
    /// By name.
    pub groups: BTreeMap<String, AvailabilityGroup>,
    /// Logical backup devices: name to physical name.
    pub devices: BTreeMap<String, String>,
    /// Trace flags switched on.
    pub trace_flags: BTreeSet<u32>,
}
