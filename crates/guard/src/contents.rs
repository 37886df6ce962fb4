//! Reading what a locked blob holds, with few and bounded requests.

use crate::account::{Account, Blocks, Properties};
use crate::content::Content;
use crate::holder::Evidence;
use crate::place::Place;

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
    let _ = (account, place, properties, blocks);
    unimplemented!()
}
