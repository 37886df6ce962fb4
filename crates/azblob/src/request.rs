//! Requests as typed values.
//!
//! A server goes three steps: [`Address::locate`] finds the account, so that its keys can be looked up and the
//! signature checked, then [`Request::parse`] reads what is asked. A client goes the other way with
//! [`Request::build`]; what is built parses to an equal value.
//!
//! Not offered yet, and answered so by a clear error: versions, queries.

mod address;
mod append_blob;
mod build;
mod copy;
mod fields;
mod listing;
mod operation;
mod page_blob;
mod parse;
mod parse_blob;
mod parse_container;
mod target;

pub use address::{Address, AddressStyle};
pub use append_blob::{AppendBlock, PutAppendBlob, SealAppend};
pub use build::{Endpoint, encode_path};
pub use copy::{AppendFromUrl, BlockFromUrl, CopyBlob, CopySource, PageFromUrl, PutFromUrl};
pub use listing::{ListBlobs, ListContainers, Marker};
pub use operation::{
    BatchBody, BlobOperation, BlobPath, Checksum, ContainerOperation, DocumentBody, GetBlob, Operation,
    PutBlob, PutBlock, PutBlockList, ServiceOperation,
};
pub use page_blob::{ClearPages, GetPageRanges, PageChange, PutPage, PutPageBlob};
pub use target::Target;

use crate::names::AccountName;
use crate::version::ApiVersion;

/// One request, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose storage.
    pub account: AccountName,
    /// What is asked, and of what.
    pub operation: Operation,
    /// `x-ms-version`, echoed in the answer; [`ApiVersion::CURRENT`] for a request without one.
    pub version: ApiVersion,
    /// `x-ms-client-request-id`, echoed in the answer.
    pub client_request_id: Option<String>,
}
