//! Lists: containers, blobs, page ranges, blocks.
//!
//! One call asks for one page. The library makes the request and its pager is asked for the first page only; the body is
//! read by [`azblob`], the marker is carried as the service wrote it.

use std::ops::Range;

use azblob::block::{BlockEntry, BlockId, BlockListing, MAX_BLOCK_ID_BYTES};
use azblob::page::{MAX_PAGE_BLOB_BYTES, PAGE_BYTES};
use azblob::response::{BlobPage, ContainerPage, ListedBlob, ListedEntry, PageList, PageState};
use azblob::version::ApiVersion;
use azure_core::error::{Error, ErrorKind};
use azure_storage_blob::models::{
    BlobContainerClientListBlobsOptions, BlobServiceClientListContainersOptions, ListBlobsIncludeItem,
    PageBlobClientListPageRangesOptions,
};
use azure_storage_blob::{
    BlobContainerClient, BlobContainerClientOptions, BlobServiceClient, BlobServiceClientOptions,
    PageBlobClient, PageBlobClientOptions,
};
use futures::StreamExt as _;

use super::head::etag;
use super::{AzureAccount, nameless, of_blob, refusal, unusable};
use crate::account::{Block, Blocks, Listed, Marker, Page, Properties};
use crate::fault::{Cause, Fault, Operation};
use crate::limits::PAGE_RANGES_MAX;
use crate::place::Place;

/// Parts of one list of page ranges. Azure puts 10,000 ranges into one.
const PARTS_MAX: usize = 200;

impl AzureAccount {
    pub(super) async fn containers_page(&self, from: Option<&Marker>) -> Result<Page<String>, Fault> {
        let operation = Operation::ListContainers;
        let failed = |error: &Error| refusal::fault(operation, String::new(), error);
        if self.signer.sas().is_some_and(|sas| !sas.is_for_the_account()) {
            return Err(Fault {
                operation,
                target: String::new(),
                cause: Cause::NotAllowed,
                status: None,
                code: None,
            });
        }
        let options = BlobServiceClientOptions {
            client_options: self.options.clone(),
            version: ApiVersion::CURRENT.to_string(),
        };
        let client = BlobServiceClient::new(self.endpoint.url().clone(), None, Some(options))
            .map_err(|error| failed(&error))?;
        let options = BlobServiceClientListContainersOptions {
            marker: from.map(|marker| marker.0.clone()),
            ..BlobServiceClientListContainersOptions::default()
        };
        let mut pages = client
            .list_containers(Some(options))
            .map_err(|error| failed(&error))?
            .into_pages();
        let page = pages.next().await.ok_or_else(nothing).flatten();
        let page = page.map_err(|error| failed(&error))?;
        let (entries, next) = ContainerPage::parse_any(page.body().as_ref())
            .map_err(|error| unusable(operation, String::new(), error.to_string()))?;
        Ok(Page {
            items: entries.into_iter().map(|entry| entry.name).collect(),
            next: next.map(Marker),
        })
    }

    pub(super) async fn blobs_page(
        &self,
        container: &str,
        prefix: &str,
        from: Option<&Marker>,
    ) -> Result<Page<Listed>, Fault> {
        let operation = Operation::ListBlobs;
        let target = || container.to_owned();
        let failed = |error: &Error| refusal::fault(operation, target(), error);
        let url = self
            .endpoint
            .container(container)
            .ok_or_else(|| nameless(operation, target()))?;
        let options = BlobContainerClientOptions {
            client_options: self.options.clone(),
            version: ApiVersion::CURRENT.to_string(),
        };
        let client = BlobContainerClient::new(url, None, Some(options)).map_err(|error| failed(&error))?;
        let options = BlobContainerClientListBlobsOptions {
            include: Some(vec![ListBlobsIncludeItem::UncommittedBlobs]),
            marker: from.map(|marker| marker.0.clone()),
            prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let mut pages = client
            .list_blobs(Some(options))
            .map_err(|error| failed(&error))?
            .into_pages();
        let page = pages.next().await.ok_or_else(nothing).flatten();
        let page = page.map_err(|error| failed(&error))?;
        let (entries, next) = BlobPage::parse_any(page.body().as_ref())
            .map_err(|error| unusable(operation, target(), error.to_string()))?;
        Ok(Page {
            items: entries.into_iter().filter_map(listed).collect(),
            next: next.map(Marker),
        })
    }

    pub(super) async fn written_ranges(&self, place: &Place, end: u64) -> Result<Vec<Range<u64>>, Fault> {
        let operation = Operation::PageRanges;
        let failed = |error: &Error| of_blob(operation, place, error);
        let options = PageBlobClientOptions {
            client_options: self.options.clone(),
            version: ApiVersion::CURRENT.to_string(),
        };
        let client = PageBlobClient::new(self.url_of(operation, place)?, None, Some(options))
            .map_err(|error| failed(&error))?;
        if end == 0 {
            return Ok(Vec::new());
        }
        let options = PageBlobClientListPageRangesOptions {
            range: Some((0..whole_pages(end)).into()),
            ..PageBlobClientListPageRangesOptions::default()
        };
        let mut parts = client
            .list_page_ranges(Some(options))
            .map_err(|error| failed(&error))?;
        let (mut ranges, mut read) = (Vec::new(), 0);
        while let Some(part) = parts.next().await {
            read += 1;
            if read > PARTS_MAX {
                let why = "its list of page ranges does not end";
                return Err(unusable(operation, place.to_string(), why));
            }
            let part = part.map_err(|error| failed(&error))?;
            add(&mut ranges, end, part.body().as_ref())
                .map_err(|why| unusable(operation, place.to_string(), why))?;
        }
        Ok(ranges)
    }
}

/// `end`, rounded up to a page: Azurite cuts ranges in the middle of one where it is asked to.
fn whole_pages(end: u64) -> u64 {
    end.min(MAX_PAGE_BLOB_BYTES).next_multiple_of(PAGE_BYTES)
}

/// The library's pager ended before its first page.
fn nothing() -> Error {
    Error::with_message(ErrorKind::DataConversion, "an empty list without a page")
}

/// A blob of a listing; `None` for a snapshot, which nobody asked for.
fn listed(entry: ListedEntry) -> Option<Listed> {
    let ListedEntry::Blob(blob) = entry else {
        return None;
    };
    let ListedBlob {
        name,
        snapshot: None,
        etag: tag,
        last_modified,
        created,
        length,
        blob_type,
        lease,
        ..
    } = *blob
    else {
        return None;
    };
    Some(Listed {
        blob: name,
        properties: Properties {
            kind: blob_type,
            size: length,
            etag: tag.as_deref().map(etag),
            last_modified,
            created,
            lease,
        },
    })
}

/// Adds the ranges of one part, below `end`, to those before it; what touches becomes one.
fn add(ranges: &mut Vec<Range<u64>>, end: u64, body: &[u8]) -> Result<(), String> {
    let (part, _) = PageList::parse_any(body).map_err(|error| error.to_string())?;
    for (range, state) in part {
        let range = range.start()..range.end().min(end);
        if state != PageState::Written || range.is_empty() {
            continue;
        }
        let full = ranges.len() == PAGE_RANGES_MAX;
        match ranges.last_mut() {
            Some(last) if range.start < last.end => return Err("its ranges are not in order".to_owned()),
            Some(last) if range.start == last.end => last.end = range.end,
            _ if full => return Err(format!("it has more than {PAGE_RANGES_MAX} written ranges")),
            _ => ranges.push(range),
        }
    }
    Ok(())
}

/// The blocks of a block list. A block whose id is no Base64 of 1 to 64 bytes, which no service should have taken, counts
/// as a block: its id is then `?` and the beginning of the text, so that it is evidence of nobody's and yet seen when it
/// comes and goes.
///
/// # Errors
/// It cannot be read.
pub(super) fn blocks(body: &[u8]) -> Result<Blocks, String> {
    let id = |text: &str| {
        let stray: Vec<u8> = b"?"
            .iter()
            .copied()
            .chain(text.bytes())
            .take(MAX_BLOCK_ID_BYTES)
            .collect();
        BlockId::from_base64(text)
            .or_else(|_| BlockId::from_bytes(&stray))
            .ok()
    };
    let listing = BlockListing::parse_with(body, id).map_err(|error| error.to_string())?;
    let of = |entries: Option<Vec<BlockEntry>>| {
        let block = |entry: BlockEntry| Block {
            id: entry.id,
            size: entry.size,
        };
        entries.unwrap_or_default().into_iter().map(block).collect()
    };
    Ok(Blocks {
        committed: of(listing.committed),
        uncommitted: of(listing.uncommitted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &[Block]) -> Vec<&[u8]> {
        list.iter().map(|block| block.id.as_bytes()).collect()
    }

    #[test]
    fn stray_block_ids_count_and_prove_nothing() {
        let name = |text: &str| format!("<Block><Name>{text}</Name><Size>7</Size></Block>");
        // Base64 of "BLOCKID00001"; the same as text, which is Base64 of other bytes (by Python); no Base64; nothing; too long.
        let body = format!(
            "<BlockList><CommittedBlocks/><UncommittedBlocks>{}{}{}{}{}</UncommittedBlocks></BlockList>",
            name("QkxPQ0tJRDAwMDAx"),
            name("BLOCKID00001"),
            name("BLOCKID_*"),
            name(""),
            name(&"Q".repeat(96)),
        );
        let blocks = blocks(body.as_bytes()).unwrap();
        assert_eq!(blocks.committed, []);
        let mut long = b"?".to_vec();
        long.extend([b'Q'; 63]);
        assert_eq!(
            ids(&blocks.uncommitted),
            [
                b"BLOCKID00001".as_slice(),
                b"\x04\xB3\x82\x28\x80\xF4\xD3\x4D\x35",
                b"?BLOCKID_*",
                b"?",
                &long,
            ]
        );
        assert!(blocks.uncommitted.iter().all(|block| block.size == 7));
    }

    #[test]
    fn ranges_are_asked_for_in_whole_pages() {
        for (end, want) in [(1, 512), (512, 512), (513, 1024), (u64::MAX, 8 << 40)] {
            assert_eq!(whole_pages(end), want, "{end}");
        }
    }
}
