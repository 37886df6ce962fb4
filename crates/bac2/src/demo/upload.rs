//! Upload and download as SQL Server does them.
//!
//! BACKUP ... TO URL on a block blob: an empty Put Blob makes the blob, an infinite lease locks it, Put Block sends
//! 4 MiB pieces over several connections with ids `BLOCKIDnnnnn`, Put Block List commits them in order, and the lease is
//! released. RESTORE reads ranges. Established from published logs of real servers; this is a simulation of a client,
//! and no SQL Server takes part.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use azblob::block::{BlockId, BlockList, BlockSource};
use azblob::conditions::Conditions;
use azblob::lease::{LeaseAction, LeaseDuration, LeaseId};
use azblob::range::ByteRange;
use azblob::request::{BlobOperation, BlobPath, GetBlob, Operation, PutBlob, PutBlock, PutBlockList};
use azblob::snapshot::DeleteSnapshots;
use bytes::Bytes;
use http::StatusCode;
use tokio::task::{JoinSet, spawn_blocking};

use super::client::{Access, Client};
use super::source::Source;
use crate::progress::Progress;

/// MAXTRANSFERSIZE = 4194304, which Microsoft advises for large backups.
pub(super) const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// Connections that send blocks at the same time.
pub(super) const CONNECTIONS: u64 = 4;

/// A blob, and who may reach it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) access: Access,
    pub(super) path: BlobPath,
}

/// A blob that is being written: made, and locked by an infinite lease.
pub(super) struct Upload {
    place: Place,
    client: Client,
    lease: LeaseId,
}

/// The id of block `number`, in the form that SQL Server's blocks were seen to have.
fn block_id(number: u64) -> BlockId {
    BlockId::from_bytes(format!("BLOCKID{number:05}").as_bytes()).expect("short enough for an id")
}

/// How many blocks `source` is cut into.
pub(super) fn block_count(source: &Source) -> u64 {
    source.bytes().div_ceil(BLOCK_BYTES as u64)
}

async fn read_block(source: &Source, number: u64) -> Result<Bytes> {
    let source = source.clone();
    let part = spawn_blocking(move || source.read(number * BLOCK_BYTES as u64, BLOCK_BYTES)).await??;
    Ok(Bytes::from(part))
}

impl Upload {
    /// Makes the blob and locks it.
    pub(super) async fn begin(place: &Place) -> Result<Self> {
        let mut client = Client::connect(&place.access).await?;
        let empty = BlobOperation::Put(PutBlob::default());
        client
            .blob(&place.path, empty, Bytes::new(), StatusCode::CREATED)
            .await?;
        let action = LeaseAction::Acquire {
            proposed: None,
            duration: LeaseDuration::Infinite,
        };
        let acquire = BlobOperation::Lease {
            action,
            conditions: Conditions::default(),
        };
        let answer = client
            .blob(&place.path, acquire, Bytes::new(), StatusCode::CREATED)
            .await?;
        let lease = answer
            .header("x-ms-lease-id")
            .context("no lease id in the answer")?
            .parse()?;
        Ok(Self {
            place: place.clone(),
            client,
            lease,
        })
    }

    fn put_block(&self, number: u64, body: &Bytes) -> BlobOperation {
        put_block(self.lease, number, body)
    }

    /// Sends the blocks `0..until`, several at a time, each under the lease.
    pub(super) async fn send(&self, source: &Source, until: u64, progress: &Arc<Progress>) -> Result<()> {
        let next = Arc::new(AtomicU64::new(0));
        let mut senders = JoinSet::new();
        for _ in 0..CONNECTIONS.min(until) {
            let mut client = Client::connect(&self.place.access).await?;
            let (source, next, progress) = (source.clone(), Arc::clone(&next), Arc::clone(progress));
            let (path, lease) = (self.place.path.clone(), self.lease);
            senders.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= until {
                        return anyhow::Ok(());
                    }
                    let body = read_block(&source, number).await?;
                    let operation = put_block(lease, number, &body);
                    let length = body.len() as u64;
                    client.blob(&path, operation, body, StatusCode::CREATED).await?;
                    progress.add(length);
                }
            });
        }
        while let Some(sent) = senders.join_next().await {
            sent??;
        }
        Ok(())
    }

    /// Commits the blocks in order and releases the lease.
    pub(super) async fn finish(mut self, source: &Source) -> Result<()> {
        let blocks = (0..block_count(source)).map(|number| (BlockSource::Latest, block_id(number)));
        let list = Bytes::from(BlockList(blocks.collect()).render());
        let commit = PutBlockList {
            length: list.len() as u64,
            lease_id: Some(self.lease),
            ..PutBlockList::default()
        };
        let commit = BlobOperation::PutBlockList(commit);
        self.client
            .blob(&self.place.path, commit, list, StatusCode::CREATED)
            .await?;
        let action = LeaseAction::Release { id: self.lease };
        let release = BlobOperation::Lease {
            action,
            conditions: Conditions::default(),
        };
        self.client
            .blob(&self.place.path, release, Bytes::new(), StatusCode::OK)
            .await?;
        Ok(())
    }

    /// Sends half of block `number` and cuts the connection: no block list will follow, and no release.
    pub(super) async fn die_within_block(self, source: &Source, number: u64) -> Result<()> {
        let body = read_block(source, number).await?;
        let operation = Operation::Blob(self.place.path.clone(), self.put_block(number, &body));
        self.place
            .access
            .break_off(operation, &body[..body.len() / 2])
            .await
    }
}

fn put_block(lease: LeaseId, number: u64, body: &Bytes) -> BlobOperation {
    let (id, length) = (block_id(number), body.len() as u64);
    BlobOperation::PutBlock(PutBlock {
        id,
        length,
        lease_id: Some(lease),
        checksum: None,
    })
}

/// Tries to delete the blob without its lease. Gives the error code it met; `None` where it was deleted.
pub(super) async fn try_delete(place: &Place) -> Result<Option<String>> {
    let delete = BlobOperation::Delete {
        snapshot: None,
        snapshots: DeleteSnapshots::Refuse,
        lease_id: None,
        conditions: Conditions::default(),
    };
    let mut client = Client::connect(&place.access).await?;
    let answer = client
        .send(Operation::Blob(place.path.clone(), delete), Bytes::new())
        .await?;
    Ok(answer
        .status
        .is_client_error()
        .then(|| answer.code().unwrap_or_default().to_owned()))
}

/// The length that a reader of the blob is told.
pub(super) async fn readable_bytes(place: &Place) -> Result<u64> {
    length(&mut Client::connect(&place.access).await?, &place.path).await
}

async fn length(client: &mut Client, path: &BlobPath) -> Result<u64> {
    let head = BlobOperation::GetProperties {
        snapshot: None,
        lease_id: None,
        conditions: Conditions::default(),
    };
    let answer = client.blob(path, head, Bytes::new(), StatusCode::OK).await?;
    Ok(answer
        .header("content-length")
        .context("no length in the answer")?
        .parse()?)
}

/// Reads the blob back in ranges and compares each with the source. Gives whether every byte is the same.
pub(super) async fn same_as(place: &Place, source: &Source, progress: &Progress) -> Result<bool> {
    let mut client = Client::connect(&place.access).await?;
    let length = length(&mut client, &place.path).await?;
    if length != source.bytes() {
        return Ok(false);
    }
    for number in 0..block_count(source) {
        let start = number * BLOCK_BYTES as u64;
        let last = (start + BLOCK_BYTES as u64).min(length) - 1;
        let range = Some(ByteRange {
            start,
            last: Some(last),
        });
        let get = BlobOperation::Get(GetBlob {
            range,
            ..GetBlob::default()
        });
        let answer = client
            .blob(&place.path, get, Bytes::new(), StatusCode::PARTIAL_CONTENT)
            .await?;
        ensure!(!answer.body.is_empty(), "an empty answer to a range");
        let expected = read_block(source, number).await?;
        if answer.body != expected {
            return Ok(false);
        }
        progress.add(expected.len() as u64);
    }
    Ok(true)
}
