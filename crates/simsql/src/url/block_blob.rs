//! The block blob client: a backup as blocks under a SAS.
//!
//! Order of requests, seen in logs of Azure for a server that backs up to a URL: an empty Put Blob, Acquire, Put Block (many, in
//! parallel), Put Block List, Release; on failure Delete Blob. That it looks first whether the blob is there (HEAD) is inferred
//! from its error for a blob that exists. Each transfer is one block. Block ids are base64 of 15 bytes, `BLOCKIDnnnnn` and three
//! zeros, from 11112 on, as in real block lists. The list is UTF-16 up to 2019 and UTF-8 from 2022 on.

use async_trait::async_trait;
use azblob::block::{BlockId, BlockList, BlockSource};
use azblob::lease::LeaseId;
use bytes::Bytes;
use http::Method;

use super::address::Address;
use super::exchange::{Ask, Client};
use super::failure::{self, Trouble};
use super::hold::{Hold, Spelling};
use super::in_flight::InFlight;
use crate::media::{Credential, MediaSink, SinkPlan};
use crate::message::Failure;
use crate::session::Canceller;
use crate::world::World;

/// Number in the id of the first block.
const FIRST_BLOCK: u32 = 11_112;
/// Blocks of a blob at most.
const BLOCKS: usize = 50_000;
/// Bytes of a block at most before the version that has larger ones, which a MAXTRANSFERSIZE of 20 MB (2022 and later) needs.
const OLD_BLOCK: u32 = 4 << 20;
const LARGE_BLOCKS: &str = "2016-05-31";

pub(super) async fn open(
    world: &World,
    url: &str,
    credential: &Credential,
    plan: &SinkPlan,
    canceller: &Canceller,
) -> Result<Box<dyn MediaSink>, Failure> {
    let mut client = Client::block(world, Address::parse(url)?, credential);
    if plan.max_transfer_size > OLD_BLOCK {
        client.speak(LARGE_BLOCKS);
    }
    let lease = LeaseId::from_u128(world.chance.guid().as_u128());
    let mut sink = BlockSink {
        hold: Hold::new(client.clone(), lease, Spelling::Capital),
        client,
        blocks: Vec::new(),
        in_flight: InFlight::of(plan.max_transfer_size),
        utf16_lists: plan.utf16_lists,
    };
    let begun = canceller.unless_cancelled(sink.begin(plan.format)).await;
    match begun.and_then(|begun| begun) {
        Ok(()) => Ok(Box::new(sink)),
        Err(failure) => {
            sink.abandon().await;
            Err(failure)
        }
    }
}

struct BlockSink {
    client: Client,
    hold: Hold,
    blocks: Vec<BlockId>,
    in_flight: InFlight,
    utf16_lists: bool,
}

impl BlockSink {
    async fn begin(&mut self, format: bool) -> Result<(), Failure> {
        let url = self.client.url();
        match self.client.send(Ask::new(Method::HEAD, "")).await {
            Ok(_) if !format => return Err(failure::exists(url)),
            Ok(_) => {}
            Err(trouble) if trouble.is_missing_blob() => {}
            Err(trouble) => return Err(failure::block_open(url, &trouble)),
        }
        let create = Ask::new(Method::PUT, "").header("x-ms-blob-type", "BlockBlob");
        let taken = self.hold.take(create).await;
        taken.map_err(|trouble| failure::block_open(url, &trouble))
    }

    fn failed(&self, trouble: &Trouble) -> Failure {
        failure::block_write(self.client.url(), trouble)
    }

    fn list(&self) -> Bytes {
        let blocks = self.blocks.iter().map(|id| (BlockSource::Latest, id.clone()));
        let text = BlockList(blocks.collect()).render();
        if self.utf16_lists {
            let text = text.replacen("utf-8", "utf-16", 1);
            let units = text.encode_utf16().flat_map(u16::to_le_bytes);
            return units.collect::<Vec<u8>>().into();
        }
        text.into()
    }
}

/// The id of the `index`-th block.
fn block_id(index: usize) -> BlockId {
    let number = FIRST_BLOCK + u32::try_from(index).expect("fewer blocks than numbers");
    let mut bytes = format!("BLOCKID{number:05}").into_bytes();
    bytes.extend([0; 3]);
    BlockId::from_bytes(&bytes).expect("15 bytes are a block id")
}

#[async_trait]
impl MediaSink for BlockSink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        if self.blocks.len() >= BLOCKS {
            let url = self.client.url();
            let limit = Failure::new(3202, &[&url, &crate::world::OsError::new(1117)]);
            return Err(limit.and(3063, &[&url]));
        }
        let id = block_id(self.blocks.len());
        let encoded: String = url::form_urlencoded::byte_serialize(id.to_base64().as_bytes()).collect();
        let put = Ask::new(Method::PUT, format!("comp=block&blockid={encoded}"))
            .header("x-ms-lease-id", self.hold.lease())
            .body(bytes);
        self.blocks.push(id);
        let client = self.client.clone();
        let write = Box::pin(async move { client.send(put).await.map(drop) });
        self.in_flight
            .start(write)
            .await
            .map_err(|trouble| self.failed(&trouble))
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        self.in_flight
            .settle()
            .await
            .map_err(|trouble| self.failed(&trouble))?;
        let commit = Ask::new(Method::PUT, "comp=blocklist")
            .header("x-ms-lease-id", self.hold.lease())
            .body(self.list());
        self.client
            .send(commit)
            .await
            .map_err(|trouble| self.failed(&trouble))?;
        let released = self.hold.release().await;
        released.map_err(|trouble| self.failed(&trouble))
    }

    async fn abandon(&mut self) {
        self.in_flight.forget();
        self.hold.delete().await;
    }
}

#[cfg(test)]
mod tests {
    use super::block_id;

    #[test]
    fn block_ids_are_those_of_real_block_lists() {
        // base64 of "BLOCKID11112\0\0\0".
        assert_eq!(block_id(0).to_base64(), "QkxPQ0tJRDExMTEyAAAA");
        assert_eq!(block_id(1).as_bytes(), b"BLOCKID11113\0\0\0");
    }
}
