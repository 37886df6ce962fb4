//! The store behind the front door, as the vault sees it: containers with one revocable SAS each, blobs with their verdicts, and
//! the records that lie beside the blobs.
//!
//! The store is the truth for bytes, leases, seals and verdicts. Records of sets lie in a container of their own beside the one
//! that the instances write into, and in an account that the door serves to nobody: an instance can neither forge nor change one.
//!
//! Deliberately absent: writing of backups (SQL Server does that, but for logs that are brought from a server's disk, piece by piece),
//! and any way to change a verdict.

use std::time::Duration;

use async_trait::async_trait;
use azblob::names::{BlobName, ContainerName};
use bak::{BackupSet, LogFingerprint, Media, Verdict};
use jiff::Timestamp;
use mssql::Secret;

pub mod stored;

/// So long nobody must have used a lease on a sealed blob before it is broken for good: a restore that lives asks more often.
pub const LEASE_REST: Duration = Duration::from_secs(3_600);

/// The most bytes of a piece that the vault itself writes.
pub const PIECE_MAX: usize = 8 << 20;

/// The store behind the front door.
#[async_trait]
pub trait Shelf: Send + Sync {
    /// The URL of a container as instances name it, without a slash at the end: `https://vault.example.com/sql01-7f3a`.
    fn url(&self, container: &ContainerName) -> String;

    /// Makes a container and the one of its records; done already is done.
    async fn make_container(&self, container: &ContainerName) -> Result<(), ShelfError>;

    /// A SAS for the container under its stored access policy `policy`, which is made or changed so that it allows to read, write,
    /// create and list until `until`. At most 256 characters, without a question mark.
    async fn grant(
        &self,
        container: &ContainerName,
        policy: &str,
        until: Timestamp,
    ) -> Result<Secret, ShelfError>;

    /// Takes away the stored access policy: every SAS under it is void at once.
    async fn revoke(&self, container: &ContainerName, policy: &str) -> Result<(), ShelfError>;

    /// The account that the container lies in, for instances of before SQL Server 2016: they write page blobs, and know no other
    /// way to show themselves than an account's key. That key opens the whole account, but not the records, to whoever administers
    /// such an instance; what is sealed it cannot change. So such instances should have a front door's account of their own, and a
    /// shelf gives none (`None`) where its operator has not allowed it.
    async fn account(&self, container: &ContainerName) -> Result<Option<Account>, ShelfError> {
        let _ = container;
        Ok(None)
    }

    /// One blob; `None` where there is none, not even an uncommitted one.
    async fn look(&self, container: &ContainerName, blob: &BlobName) -> Result<Option<Blob>, ShelfError>;

    /// Bytes of a blob's committed content from an offset on, at most `limit`, fewer only at its end; verified.
    async fn read(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        from: u64,
        limit: usize,
    ) -> Result<Vec<u8>, ShelfError>;

    /// Blobs in order of name, those after `after`, at most `limit` (1 to 1,000).
    async fn list(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError>;

    /// The same of blobs that are not sealed, which are few: most of what a store holds is looked at by nobody but its readers.
    async fn unsealed(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError>;

    /// Stores a piece of a blob that the vault itself writes, durably: at most [`PIECE_MAX`] bytes. Its number is its place in the
    /// blob, from 0; the same number again replaces it. [`Shelf::join`] makes a blob of the pieces.
    async fn put_piece(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        number: u32,
        bytes: Vec<u8>,
    ) -> Result<(), ShelfError>;

    /// Makes the first `count` pieces the content of a blob, which is verified from then on like every other that arrives. Refused
    /// where one is not there, or the blob is sealed or leased.
    async fn join(&self, container: &ContainerName, blob: &BlobName, count: u32) -> Result<(), ShelfError>;

    /// Seals a blob that is committed and under no lease: no key, SAS or lease changes it any more. Sealed already is done.
    async fn seal(&self, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError>;

    /// Breaks the lease that a finished backup did not give back, and leaves the blob as it is. Refused where it changed since
    /// `seen`, is sealed, or a connection uses it; without a lease it is done already.
    async fn free(&self, container: &ContainerName, blob: &BlobName, seen: &Blob) -> Result<(), ShelfError>;

    /// Breaks the lease of a blob that an interrupted backup left behind, and removes the blob. Refused where it changed since
    /// `seen`, is sealed, or a connection uses it.
    async fn clean(&self, container: &ContainerName, blob: &BlobName, seen: &Blob) -> Result<(), ShelfError>;

    /// Removes a blob of a recovery point that is gone for good, sealed or not; what is not there is done already. Refused while it is
    /// under a lease that a connection uses, or that was used within [`LEASE_REST`]: somebody may be restoring from it. A lease that is
    /// older is broken. Nobody but retention may ask for this.
    async fn remove_sealed(&self, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError>;

    /// Removes a record beside the blobs; what is not there is done already.
    async fn remove_record(&self, container: &ContainerName, name: &BlobName) -> Result<(), ShelfError>;

    /// The containers that have records, in the order of their names, whether the catalog knows them or not.
    async fn containers(&self) -> Result<Vec<ContainerName>, ShelfError>;

    /// Writes a record beside the blobs, durably; the same name with the same bytes is done already, with others it is replaced.
    async fn put_record(
        &self,
        container: &ContainerName,
        name: &BlobName,
        body: Vec<u8>,
    ) -> Result<(), ShelfError>;

    /// Records in order of name, those after `after`, at most `limit` (1 to 1,000).
    async fn records(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<(BlobName, Vec<u8>)>, ShelfError>;

    /// Room on its disk for what is to be written; an error where nothing can be.
    async fn space(&self) -> Result<Space, ShelfError>;
}

/// An account of the front door.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name: the IDENTITY of a credential.
    pub name: String,
    /// Its key, base64: the SECRET.
    pub key: Secret,
}

/// A blob.
#[derive(Debug, Clone, PartialEq)]
pub struct Blob {
    /// Its name.
    pub name: BlobName,
    /// Bytes of its committed content.
    pub size: u64,
    /// Bytes that have arrived, committed or not.
    pub arrived: u64,
    /// Whether its content is committed: false while there are only uncommitted blocks, or an empty blob that a backup began with.
    pub is_committed: bool,
    /// Whether it is sealed.
    pub is_sealed: bool,
    /// The lease on it.
    pub lease: Option<Lease>,
    /// Changes with every change of the blob.
    pub tag: String,
    /// What the verifier found.
    pub proof: Proof,
}

/// A lease on a blob, with what the front door saw of its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Open connections whose newest request was about this blob.
    pub connections: u32,
    /// Time since the newest use of the blob.
    pub quiet: Duration,
    /// For how long the door has watched: no quiet time is longer.
    pub watched: Duration,
}

/// What the verifier found.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof {
    /// It has not come to its end yet.
    Pending,
    /// It has.
    Judged {
        /// Verdict; none for what is not a SQL Server backup.
        verdict: Option<Verdict>,
        /// Why the verdict is not `ok`.
        reasons: Vec<String>,
        /// The backup sets in it.
        sets: Vec<BackupSet>,
        /// What the log in each of `sets` looks like, in their order.
        logs: Vec<Option<LogFingerprint>>,
        /// The media it is; none where that could not be read.
        media: Option<Media>,
    },
}

/// Room on a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// In all.
    pub total: u64,
    /// Free.
    pub free: u64,
}

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShelfError {
    /// There is no such container or blob.
    #[error("{0} is not there")]
    Missing(String),
    /// It is leased, sealed, used, or changed since it was looked at.
    #[error("{0}")]
    Refused(String),
    /// The store takes no more writes, until somebody looks at its disk.
    #[error("the store is read-only: {0}")]
    ReadOnly(String),
    /// Its disk is full.
    #[error("the disk of the store is full")]
    Full,
    /// It failed.
    #[error("the store failed: {0}")]
    Failed(String),
}
