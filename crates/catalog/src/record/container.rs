//! A container of the front door, and the credential by which instances write into it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{ContainerId, SecretId, ServerId};

/// A container: one for each instance or availability group. Keys: `a` its name (unique), `b` its server or group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Which.
    pub id: ContainerId,
    /// Its name at the front door.
    pub name: String,
    /// The instance that it is for; none for a group's.
    pub server: Option<ServerId>,
    /// The availability group that it is for.
    pub group: Option<Uuid>,
    /// Id of the stored access policy that its SAS stands under.
    pub access_policy: String,
    /// The SAS in force.
    pub sas: Option<SecretId>,
    /// Until when the SAS is good.
    pub sas_until: Option<Timestamp>,
    /// On which instances the vault made the credential, and with which SAS.
    pub credentials: Vec<CredentialMade>,
    /// The stored access policy of restores may be there: written before it is made, and taken back after it is taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_lent_policy: bool,
}

/// A credential that the vault made on an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialMade {
    /// Instance.
    pub server: ServerId,
    /// Name of the credential: the URL of the container, or another where it holds an account's key (before SQL Server 2016).
    pub name: String,
    /// `credential_id` on the instance; another one under that name is not the vault's. 0 while it is about to be made.
    pub number: i32,
    /// `create_date` on the instance's clock: SQL Server may give the number of a dropped credential to another. While it is about to
    /// be made, when there was none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<DateTime>,
    /// The SAS that it has, or the account's key.
    pub sas: SecretId,
    /// When it was last set.
    pub set: Timestamp,
    /// It was made for restores alone, and goes with the last of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_lent: bool,
}
