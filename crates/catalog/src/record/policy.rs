//! A policy under its name, and the auto-protection of an instance by one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::{DatabaseId, IntentId, PolicyId, ServerId};

/// A policy. Its record's version is the version that items are brought to. Keys: `a` its name in lower case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Which.
    pub id: PolicyId,
    /// What it says; its name is in it.
    pub policy: schedule::Policy,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// Auto-protection: every database that is found on an instance gets this policy. Keys: `a` its server, `b` its policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Which.
    pub id: IntentId,
    /// Instance.
    pub server: ServerId,
    /// Policy.
    pub policy: PolicyId,
    /// Names that are left out, in the selection grammar of DBAs: `%` stands for any characters.
    pub excludes: Vec<String>,
    /// Since when.
    pub since: Timestamp,
    /// Databases whose protection a user stopped with their data: not protected again until auto-protection is set anew.
    #[serde(default)]
    pub left_out: BTreeSet<DatabaseId>,
}
