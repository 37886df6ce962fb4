//! BACKUP TO URL and RESTORE FROM URL: the two clients that SQL Server has, block blobs under a SAS and page blobs under an account key.

use crate::media::{Credential, MediaSink, MediaSource, SinkPlan};
use crate::message::Failure;
use crate::world::World;

/// How a statement names its credential.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// No WITH CREDENTIAL: a SAS, the credential named by the container's URL. Block blobs.
    Container(Credential),
    /// WITH CREDENTIAL: an account and its key. Page blobs.
    Account(Credential),
}

/// Whose name a Wire request carries and what the errors say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// BACKUP.
    Backup,
    /// RESTORE of any form.
    Restore,
}

/// Finds the credential for a URL: for block mode the one whose name is the longest prefix of it, container URL as a rule.
///
/// # Errors
/// 3289, 3288, 3225, 3220, 3078, 3297, 3057, 3201 as documented, with the statement's name for the trailer not added.
#[allow(clippy::unimplemented, unused_variables, clippy::missing_panics_doc)]
pub fn access(
    url: &str,
    named: Option<&str>,
    credentials: &std::collections::BTreeMap<String, crate::instance::server::StoredCredential>,
    direction: Direction,
) -> Result<Access, Failure> {
    unimplemented!()
}

/// Opens a blob to write a backup into: creates it and takes its lease.
///
/// # Errors
/// 3201, 3271 (with `exists on the remote endpoint, and WITH FORMAT was not specified`), 3292, 3298, ...
#[allow(clippy::unimplemented, unused_variables, clippy::missing_panics_doc)]
pub async fn sink(
    world: &World,
    url: &str,
    access: &Access,
    plan: &SinkPlan,
) -> Result<Box<dyn MediaSink>, Failure> {
    unimplemented!()
}

/// Opens a blob to read a backup from it.
///
/// # Errors
/// 3201, 3271, 3292, ...
#[allow(clippy::unimplemented, unused_variables, clippy::missing_panics_doc)]
pub async fn source(world: &World, url: &str, access: &Access) -> Result<Box<dyn MediaSource>, Failure> {
    unimplemented!()
}
