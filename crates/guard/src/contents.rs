//! Reading what a locked blob holds, with few and bounded requests.
//!
//! The headers of a backup tell what it is, and whether it ended: pages and log between them are passed over. A page
//! blob is read through its written ranges: what was never written is zeros and costs nothing, and its content ends with
//! the last of them, whatever size it was declared with (a backup in page blobs is declared at up to 1 TB and cut at its
//! end). Every read is bound to the tag that was looked at.
//!
//! Where that would take too much (a compressed backup has no place to pass over), the last block tells whether it is the
//! one that closes a backup.
//!
//! A lease's holder is called a backup on the letters of a backup, all of them, at the start of content that is
//! committed, unless blocks wait on top of it that are not SQL Server's; or on the block ids that SQL Server uses. Content that only resembles a backup is described as one, which
//! does no harm, and is no evidence.

mod block_ids;
mod headers;
mod names;
mod walk;
mod written;

#[cfg(test)]
mod tests;

use bak::trailer::TRAILER_SIZE;
use bak::{FileKind, Foreign};

use crate::account::{Account, Blocks, Properties};
use crate::content::Content;
use crate::fault::{Cause, Fault};
use crate::holder::Evidence;
use crate::limits::{CONTENT_BYTES_MAX, CONTENT_REQUESTS_MAX};
use crate::place::Place;
use walk::Allowance;

pub(crate) use headers::ending;
pub(crate) use names::by_name;
pub(crate) use walk::{Walk, Walked};
pub(crate) use written::Written;

/// What is in a blob, and what that says about the holder of its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    /// What it holds.
    pub(crate) content: Content,
    /// What shows a backup's hand; `None` where nothing does.
    pub(crate) evidence: Option<Evidence>,
}

/// Reads the headers of whatever the blob holds; `blocks` of a block blob. Names count for what may be in use: a blob
/// called `.vhd`, `.vhdx`, `.mdf`, `.ndf` or `.ldf` is taken for what it is called, whatever its bytes say. A blob that
/// cannot be read is [`Content::Unread`].
pub(crate) async fn contents<A: Account>(
    account: &A,
    place: &Place,
    properties: &Properties,
    blocks: Option<&Blocks>,
) -> Contents {
    if let Some(content) = by_name(&place.blob) {
        return Contents {
            content,
            evidence: None,
        };
    }
    let block_ids = blocks
        .is_some_and(block_ids::are_sql_servers)
        .then_some(Evidence::BlockIds);
    // Then some other program writes now, over what a backup left once.
    let written_by_others =
        block_ids.is_none() && blocks.is_some_and(|blocks| !blocks.uncommitted.is_empty());
    let (content, letters) = match read(account, place, properties).await {
        Ok(Some(walked)) => (content(&walked), letters(&walked.start)),
        Ok(None) => (Content::Empty, None),
        Err(why) => (Content::Unread(why), None),
    };
    let in_use = content.is_in_use_by_its_nature();
    Contents {
        evidence: letters
            .filter(|_| !written_by_others)
            .or(block_ids)
            .filter(|_| !in_use),
        content,
    }
}

/// Walks through the headers; `None` where nothing is committed.
async fn read<A: Account>(
    account: &A,
    place: &Place,
    properties: &Properties,
) -> Result<Option<Walked>, String> {
    if properties.size == 0 {
        return Ok(None);
    }
    let Some(tag) = &properties.etag else {
        return Err(NO_TAG.to_owned());
    };
    let written = Written::of(account, place, properties).await;
    let written = written.map_err(|fault| why_unread(&fault))?;
    if written.is_empty() {
        return Ok(None);
    }
    let allowance = Allowance {
        requests: CONTENT_REQUESTS_MAX - 1,
        bytes: CONTENT_BYTES_MAX - TRAILER_SIZE as u64,
    };
    let walk = Walk::new(account, place, tag, &written).within(allowance);
    walk.run().await.map(Some).map_err(|fault| why_unread(&fault))
}

/// Of a blob whose size is not 0.
pub(crate) const NO_TAG: &str =
    "the service gives it no tag, so that it cannot be told which content was read";

/// One sentence.
pub(crate) fn why_unread(fault: &Fault) -> String {
    match fault.cause {
        Cause::Changed => "it is being written: its content changed while it was read".to_owned(),
        _ => fault.sentence(),
    }
}

fn content(walked: &Walked) -> Content {
    match walked.kind {
        FileKind::Backup(container) => Content::Backup(Box::new(headers::contained(walked, container))),
        FileKind::Foreign(Foreign::Empty) => Content::Empty,
        FileKind::Foreign(Foreign::DataFile) => Content::DataFile,
        FileKind::Foreign(Foreign::LogFile) => Content::LogFile,
        FileKind::Foreign(Foreign::Unknown) => Content::Other,
    }
}

/// The letters of a backup, all of them.
fn letters(start: &[u8]) -> Option<Evidence> {
    for (letters, evidence) in [
        (b"TAPE".as_slice(), Evidence::TapeHeader),
        (b"MSSQLBAK".as_slice(), Evidence::CompressedHeader),
    ] {
        if start.starts_with(letters) {
            return Some(evidence);
        }
    }
    None
}
