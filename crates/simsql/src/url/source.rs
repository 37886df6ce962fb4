//! Reading a backup from a blob.
//!
//! Block mode: HEAD for the size, then ranged GETs within it; whether it takes a lease is not known, so it takes none. Page mode:
//! the well-known restore lease first (documented), which is taken again where a broken restore left it and refused with 409
//! where a backup holds the blob.

use async_trait::async_trait;
use azblob::lease::LeaseId;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};

use super::Access;
use super::address::Address;
use super::exchange::{Ask, Client};
use super::failure::{self, Trouble};
use super::page_blob;
use crate::media::MediaSource;
use crate::message::Failure;
use crate::session::Canceller;
use crate::world::{OsError, WireError, World};

/// Bytes of a GET at most.
const READ: usize = 4 << 20;

pub(super) async fn open(
    world: &World,
    url: &str,
    access: &Access,
    canceller: &Canceller,
) -> Result<Box<dyn MediaSource>, Failure> {
    let client = match access {
        Access::Container(credential) => Client::block(world, Address::parse(url)?, credential),
        Access::Account(credential, version) => page_blob::client(world, url, credential, *version)?,
    };
    let mut source = Source {
        client,
        lease: matches!(access, Access::Account(..)).then(restore_lease),
        length: 0,
    };
    match canceller.unless_cancelled(source.begin()).await {
        Ok(Ok(())) => Ok(Box::new(source)),
        Ok(Err(failure)) => {
            source.close().await;
            Err(failure)
        }
        Err(cancelled) => {
            source.close().await;
            Err(cancelled)
        }
    }
}

/// `BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2`, without dashes, as documented.
fn restore_lease() -> String {
    format!("{:032X}", LeaseId::RESTORE.as_u128())
}

struct Source {
    client: Client,
    /// The restore lease, in page mode.
    lease: Option<String>,
    length: u64,
}

impl Source {
    /// Takes the lease, in page mode, and learns how long the blob is.
    async fn begin(&mut self) -> Result<(), Failure> {
        if let Some(lease) = &self.lease {
            let acquire = Ask::new(Method::PUT, "comp=lease")
                .header("x-ms-lease-action", "acquire")
                .header("x-ms-lease-duration", "-1")
                .header("x-ms-proposed-lease-id", lease.as_str());
            if let Err(trouble) = self.client.send(acquire).await {
                if matches!(trouble, Trouble::Refused(_)) {
                    // It is not ours to release.
                    self.lease = None;
                }
                return Err(failure::page_open(self.client.url(), &trouble));
            }
        }
        self.length = self.measure().await.map_err(|trouble| match self.lease {
            None => failure::block_open(self.client.url(), &trouble),
            Some(_) => failure::page_open(self.client.url(), &trouble),
        })?;
        if self.length == 0 {
            // Seen on blobs that killed backups left: nothing, or a few kilobytes, committed.
            return Err(failure::cannot_open(self.client.url(), 87));
        }
        Ok(())
    }

    fn ask(&self, method: Method) -> Ask {
        let ask = Ask::new(method, "");
        match &self.lease {
            Some(lease) => ask.header("x-ms-lease-id", lease.as_str()),
            None => ask,
        }
    }

    async fn measure(&self) -> Result<u64, Trouble> {
        let answer = self.client.send(self.ask(Method::HEAD)).await?;
        Ok(length(answer.headers()))
    }

    fn failed(&self, trouble: &Trouble) -> Failure {
        match self.lease {
            None => failure::block_read(self.client.url(), trouble),
            Some(_) => failure::page_read(self.client.url(), trouble),
        }
    }
}

fn length(headers: &HeaderMap) -> u64 {
    headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

#[async_trait]
impl MediaSource for Source {
    fn len(&self) -> u64 {
        self.length
    }

    async fn read_at(&mut self, offset: u64, length: usize) -> Result<Bytes, Failure> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = length.min(left).min(READ);
        if length == 0 {
            return Ok(Bytes::new());
        }
        let last = offset + length as u64 - 1;
        let get = self
            .ask(Method::GET)
            .header("x-ms-range", format!("bytes={offset}-{last}"));
        let answer = self
            .client
            .send(get)
            .await
            .map_err(|trouble| self.failed(&trouble))?;
        let bytes = answer.into_body();
        if bytes.len() != length {
            // ERROR_WINHTTP_INVALID_SERVER_RESPONSE: more or less than was asked for, inside of what HEAD told.
            return Err(self.failed(&Trouble::Wire(WireError(OsError::new(12_152)))));
        }
        Ok(bytes)
    }

    async fn close(&mut self) {
        if let Some(lease) = self.lease.take() {
            let release = Ask::new(Method::PUT, "comp=lease")
                .header("x-ms-lease-action", "release")
                .header("x-ms-lease-id", lease);
            // A restore lease that stays blocks nobody's restore.
            drop(self.client.send(release).await);
        }
    }
}
