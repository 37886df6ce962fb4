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

/// An availability group as this instance sees it; its replicas are names, nothing is replicated. Whoever simulates several
/// replicas carries the databases' files from one to the other.
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
    /// The primary's name, where this replica is not and knows it; else the first other by name.
    #[serde(default)]
    pub primary: Option<String>,
    /// Other replicas that are out of touch.
    #[serde(default)]
    pub apart: BTreeSet<String>,
    /// `basic_features`.
    #[serde(default)]
    pub is_basic: bool,
    /// Secondaries let nobody in: `secondary_role_allow_connections` is NO.
    #[serde(default)]
    pub is_closed: bool,
}

impl AvailabilityGroup {
    /// A group whose primary and only replica is this instance. Ids are made of names, so that instances simulated side by side
    /// agree on them.
    #[must_use]
    pub fn new(name: &str, own: &str) -> Self {
        let id = id_of(&[name]);
        Self {
            id,
            replica_id: Self::replica_id(id, own),
            role: ReplicaRole::Primary,
            preference: 2,
            replicas: BTreeMap::new(),
            databases: BTreeMap::new(),
            primary: None,
            apart: BTreeSet::new(),
            is_basic: false,
            is_closed: false,
        }
    }

    /// `replica_id` of an instance.
    #[must_use]
    pub fn replica_id(group: Uuid, server: &str) -> Uuid {
        id_of(&[&group.to_string(), server])
    }

    /// Puts a database into it.
    pub fn join(&mut self, database: &str) {
        let id = id_of(&[&self.id.to_string(), database]);
        self.databases.insert(database.to_owned(), id);
    }
}

/// FNV-1a of 128 bits, without regard to case.
fn id_of(names: &[&str]) -> Uuid {
    let text = names.join("/").to_lowercase();
    let hash = text
        .bytes()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
        });
    Uuid::from_u128(hash)
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
