//! BACKUP TO URL and RESTORE FROM URL: the two clients that SQL Server has, block blobs under a SAS and page blobs under an
//! account key.
//!
//! They are different programs in SQL Server and differ here in everything that a server can see: the order of requests, headers,
//! leases, how a failure reads. What is documented or was seen in logs of real servers is done so; what could only be inferred
//! says so where it is decided.
//!
//! | | block blob (2016 and later) | page blob (2012 SP1 CU2 and later, Windows) |
//! |---|---|---|
//! | begin | HEAD, Put Blob (empty), Acquire | HEAD, Put Blob (page, full size), acquire |
//! | write | Put Block, several in flight | Put Page, several in flight |
//! | end | Put Block List, Release | Set Blob Properties (size), release |
//! | failure | Delete Blob under the lease | Delete Blob under the lease |
//! | restore | HEAD, ranged GET | acquire BAC2..., HEAD, ranged GET, release |

mod access;
mod address;
mod block_blob;
mod exchange;
mod failure;
mod hold;
mod in_flight;
mod page_blob;
mod source;

pub use access::{Access, access};

use crate::media::{MediaSink, MediaSource, SinkPlan};
use crate::message::Failure;
use crate::session::Canceller;
use crate::world::World;

/// What a request is made for; decides the words of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// BACKUP.
    Backup,
    /// RESTORE of any form.
    Restore,
}

/// Opens a blob to write a backup into: creates it and takes its lease. Where that fails or is cancelled half-way, what was made
/// is deleted.
///
/// # Errors
/// 3201, 3271 (the blob exists and FORMAT was not given), 3202 (it is leased), ...; [`Failure::cancelled`].
pub async fn sink(
    world: &World,
    url: &str,
    access: &Access,
    plan: &SinkPlan,
    canceller: &Canceller,
) -> Result<Box<dyn MediaSink>, Failure> {
    match access {
        Access::Container(credential) => block_blob::open(world, url, credential, plan, canceller).await,
        Access::Account(credential, version) => {
            page_blob::open(world, url, credential, *version, plan, canceller).await
        }
    }
}

/// Opens a blob to read a backup from it. Where that is cancelled half-way, the restore lease is released.
///
/// # Errors
/// 3201 and others; [`Failure::cancelled`].
pub async fn source(
    world: &World,
    url: &str,
    access: &Access,
    canceller: &Canceller,
) -> Result<Box<dyn MediaSource>, Failure> {
    source::open(world, url, access, canceller).await
}
