//! The record of a set beside its blobs: enough to make the recovery point again where the catalog is lost.
//!
//! It lies in a container that no SAS opens, under a name that follows from the set, so that writing it again changes nothing.

use azblob::names::BlobName;
use catalog::record::{
    Database, DatabaseId, Grade, ItemId, JobId, Outcome, Point, PolicyId, Server, ServerId, SetFacts, VaultId,
};
use faults::{Code, Fault};
use jiff::Timestamp;
use schedule::BackupKind;
use schedule::keep::Origin;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// The largest record, in bytes: names and a fingerprint of at most some hundred KiB.
pub const BYTES_MAX: usize = 4 << 20;

/// A set, as it is written beside its blobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetRecord {
    /// [`VERSION`].
    pub version: u32,
    /// The vault.
    pub vault: VaultId,
    /// Instance.
    pub server: ServerId,
    /// What people called it.
    pub server_name: String,
    /// The database's incarnation.
    pub database: DatabaseId,
    /// Its name then.
    pub database_name: String,
    /// `database_guid`.
    pub database_guid: Option<Uuid>,
    /// The protected database.
    pub item: ItemId,
    /// Policy at that time.
    pub policy: PolicyId,
    /// Its name then.
    pub policy_name: String,
    /// The job that took it.
    pub job: Option<JobId>,
    /// The recovery point.
    pub point: catalog::record::PointId,
    /// Kind.
    pub kind: BackupKind,
    /// What is known of the set.
    pub set: SetFacts,
    /// SQL Server's word.
    pub outcome: Outcome,
    /// The vault's proof.
    pub grade: Grade,
    /// Why the grade is not "proved".
    pub reasons: Vec<String>,
    /// Its blobs, in the order of the stripes.
    pub blobs: Vec<String>,
    /// Bytes in the vault.
    pub bytes: u64,
    /// The slot that it was taken for, without jitter; where there was none, when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Timestamp>,
    /// Who wanted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// When it ended, by the vault's clock.
    pub ended: Timestamp,
    /// Wanted by a user, and kept until this.
    pub keep_until: Option<Timestamp>,
    /// What is around it, with fulls: it changes seldom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<Box<Around>>,
}

/// What a lost catalog is made again of, besides the point itself. Nothing in it is a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Around {
    /// The database as it was known then.
    pub database: Database,
    /// What the policy said.
    pub policy: schedule::Policy,
    /// `HOST`, `HOST,PORT` or `HOST\\INSTANCE` of the instance.
    pub address: String,
}

/// Who a set belongs to, by names that outlive the catalog.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) vault: VaultId,
    pub(crate) server: &'a Server,
    pub(crate) database: &'a Database,
    pub(crate) policy: &'a schedule::Policy,
}

impl SetRecord {
    /// The record of a point.
    pub(crate) fn of(point: &Point, owner: &Owner<'_>) -> Self {
        Self {
            version: VERSION,
            vault: owner.vault,
            server: owner.server.id,
            server_name: owner.server.name.clone(),
            database: point.database,
            database_name: owner.database.name.clone(),
            database_guid: point.set.database_guid,
            item: point.item,
            policy: point.policy,
            policy_name: owner.policy.name.clone(),
            job: point.job,
            point: point.id,
            kind: point.kind,
            set: point.set.clone(),
            outcome: Outcome::Succeeded,
            grade: point.grade,
            reasons: point.reasons.clone(),
            blobs: point.blobs.clone(),
            bytes: point.bytes,
            taken: point.taken,
            origin: point.origin,
            ended: point.ended,
            keep_until: point.keep_until,
            around: point.kind.is_full().then(|| {
                Box::new(Around {
                    database: owner.database.clone(),
                    policy: owner.policy.clone(),
                    address: owner.server.address.clone(),
                })
            }),
        }
    }

    /// The point that it tells of, in a container.
    #[must_use]
    pub fn point(&self, container: catalog::record::ContainerId) -> Point {
        Point {
            id: self.point,
            item: self.item,
            database: self.database,
            job: self.job,
            policy: self.policy,
            container,
            blobs: self.blobs.clone(),
            kind: self.kind,
            set: self.set.clone(),
            grade: self.grade,
            reasons: self.reasons.clone(),
            taken: self.taken,
            origin: self.origin,
            ended: self.ended,
            bytes: self.bytes,
            keep_until: self.keep_until,
            deletion: None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> BlobName {
        Self::name_of(&self.blobs, self.set.guid)
    }

    /// The name of the record of a set: beside the first blob, by BackupSetGUID.
    ///
    /// # Panics
    /// Never: it is made of a blob's name and digits.
    #[must_use]
    pub fn name_of(blobs: &[String], set: Uuid) -> BlobName {
        let first = blobs.first().map_or("", String::as_str);
        let folder = first.rsplit_once('/').map_or("set", |(folder, _)| folder);
        BlobName::new(format!("{folder}/{set}.json")).expect("a name of a blob and digits")
    }

    /// As bytes.
    ///
    /// # Errors
    /// It is larger than [`BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, Fault> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| Fault::new(Code::Bac2InternalError).because(&error.to_string()))?;
        if bytes.len() > BYTES_MAX {
            let why = format!("a record of a set of {} bytes", bytes.len());
            return Err(Fault::new(Code::Bac2LimitReached).because(&why));
        }
        Ok(bytes)
    }

    /// From bytes.
    ///
    /// # Errors
    /// They are none, or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let damaged = |_| Fault::new(Code::Bac2StoreDamaged).because("a record of a set cannot be read");
        if bytes.len() > BYTES_MAX {
            return Err(Fault::new(Code::Bac2LimitReached).because("a record of a set is too large"));
        }
        let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
        if head.version > VERSION {
            let why = format!(
                "a record of a set of version {}; {VERSION} is known",
                head.version
            );
            return Err(Fault::new(Code::Bac2CatalogTooNew).because(&why));
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }
}
