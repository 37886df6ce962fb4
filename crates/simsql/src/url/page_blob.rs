//! The page blob client: a backup as pages under an account's key.
//!
//! No capture of its requests is known. The order here is inferred from documented error texts and from what its library offers:
//! HEAD, Put Blob of the largest size, acquire (infinite, an id of its own), Put Page, then the final size, release; delete on
//! failure. That the blob is created at its largest size and cut at the end is recollection of listings of interrupted backups,
//! unproved.

use async_trait::async_trait;
use azblob::lease::LeaseId;
use bytes::{Bytes, BytesMut};
use http::Method;

use super::address::Address;
use super::exchange::{Ask, Client};
use super::failure::{self, Trouble};
use super::hold::{Hold, Spelling};
use super::in_flight::InFlight;
use crate::instance::Version;
use crate::media::{Credential, MediaSink, SinkPlan};
use crate::message::Failure;
use crate::session::Canceller;
use crate::world::World;

/// Size of the blob while it is written: 1 TB, the largest that a page blob could have.
const LARGEST: u64 = 1 << 40;
/// Bytes of a Put Page at most.
const WRITE: usize = 4 << 20;
/// A page of a page blob.
const PAGE: usize = 512;

pub(super) async fn open(
    world: &World,
    url: &str,
    credential: &Credential,
    version: Version,
    plan: &SinkPlan,
    canceller: &Canceller,
) -> Result<Box<dyn MediaSink>, Failure> {
    let client = client(world, url, credential, version)?;
    let lease = LeaseId::from_u128(world.chance.guid().as_u128());
    let mut sink = PageSink {
        hold: Hold::new(client.clone(), lease, Spelling::Small),
        client,
        length: 0,
        in_flight: InFlight::of(WRITE as u32),
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

/// The client; 3298 where the credential holds no account and key.
pub(super) fn client(
    world: &World,
    url: &str,
    credential: &Credential,
    version: Version,
) -> Result<Client, Failure> {
    Client::page(world, Address::parse(url)?, credential, version).ok_or_else(|| {
        Failure::new(
            3298,
            &[&"The specified credential does not hold a storage account name and its access key"],
        )
    })
}

struct PageSink {
    client: Client,
    hold: Hold,
    length: u64,
    in_flight: InFlight,
}

impl PageSink {
    async fn begin(&mut self, format: bool) -> Result<(), Failure> {
        match self.client.send(Ask::new(Method::HEAD, "")).await {
            Ok(_) if !format => return Err(failure::exists(self.client.url())),
            Ok(_) => {}
            Err(trouble) if trouble.is_missing_blob() => {}
            Err(trouble) => return Err(self.failed(&trouble)),
        }
        let create = Ask::new(Method::PUT, "")
            .header("x-ms-blob-type", "PageBlob")
            .header("x-ms-blob-content-length", LARGEST.to_string());
        let taken = self.hold.take(create).await;
        taken.map_err(|trouble| self.failed(&trouble))
    }

    fn failed(&self, trouble: &Trouble) -> Failure {
        failure::page_write(self.client.url(), trouble)
    }

    async fn put(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let end = self.length + bytes.len() as u64;
        let put = Ask::new(Method::PUT, "comp=page")
            .header("x-ms-page-write", "update")
            .header("x-ms-range", format!("bytes={}-{}", self.length, end - 1))
            .header("x-ms-lease-id", self.hold.lease())
            .body(bytes);
        self.length = end;
        let client = self.client.clone();
        let write = Box::pin(async move { client.send(put).await.map(drop) });
        self.in_flight
            .start(write)
            .await
            .map_err(|trouble| self.failed(&trouble))
    }
}

#[async_trait]
impl MediaSink for PageSink {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let mut piece = bytes.split_to(bytes.len().min(WRITE));
            if !piece.len().is_multiple_of(PAGE) {
                // Only the last transfer of a media can be so.
                let mut padded = BytesMut::from(&piece[..]);
                padded.resize(piece.len().next_multiple_of(PAGE), 0);
                piece = padded.freeze();
            }
            self.put(piece).await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        self.in_flight
            .settle()
            .await
            .map_err(|trouble| self.failed(&trouble))?;
        let shrink = Ask::new(Method::PUT, "comp=properties")
            .header("x-ms-blob-content-length", self.length.to_string())
            .header("x-ms-lease-id", self.hold.lease());
        self.client
            .send(shrink)
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
