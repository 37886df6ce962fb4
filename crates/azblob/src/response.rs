//! Answers as typed values: a server writes their headers and bodies, a client reads them back.
//!
//! Statuses are fixed by the operation ([`success_status`]) or by the error code. What a server says in every
//! answer is in [`Stamp`]. Bodies of blobs are not here: they are bytes.

mod account;
mod blob_head;
mod blob_list;
mod changed;
mod container_head;
mod container_list;
mod failure;
mod lease;
mod page_list;
mod read_headers;
mod stamp;
mod stats;

pub use account::AccountInformation;
pub use blob_head::{BlobHead, BlobType};
pub use blob_list::{BlobPage, ListedBlob, ListedEntry};
pub use changed::Changed;
pub use container_head::ContainerHead;
pub use container_list::{ContainerPage, ListedContainer};
pub use failure::Failure;
pub use page_list::{PageList, PageState, Ranges};
pub(crate) use read_headers::{put, text};
pub use stamp::Stamp;
pub use stats::ServiceStats;

use crate::lease::LeaseAction;
use crate::request::{BlobOperation, ContainerOperation, Operation, ServiceOperation};

/// A header of an answer is missing or unreadable: the other side is no Blob service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has no readable {0} header")]
pub struct BadHeader(pub &'static str);

/// The status of an operation that went well. Get Blob with a range that was honoured answers 206 instead.
pub fn success_status(operation: &Operation) -> u16 {
    match operation {
        Operation::Service(ServiceOperation::SetProperties(_) | ServiceOperation::Batch(_)) => 202,
        Operation::Service(_) => 200,
        Operation::Container(_, operation) => match operation {
            ContainerOperation::Create { .. } => 201,
            ContainerOperation::Delete { .. } | ContainerOperation::Batch(_) => 202,
            ContainerOperation::Lease { action, .. } => lease_status(action),
            _ => 200,
        },
        Operation::Blob(_, operation) => match operation {
            BlobOperation::Put(_)
            | BlobOperation::PutPageBlob(_)
            | BlobOperation::PutAppendBlob(_)
            | BlobOperation::PutBlock(_)
            | BlobOperation::PutBlockList(_)
            | BlobOperation::PutPage(_)
            | BlobOperation::ClearPages(_)
            | BlobOperation::AppendBlock(_)
            | BlobOperation::PutFromUrl(_)
            | BlobOperation::BlockFromUrl(_)
            | BlobOperation::PageFromUrl(_)
            | BlobOperation::AppendFromUrl(_)
            | BlobOperation::Snapshot { .. } => 201,
            BlobOperation::Copy(_) => 202,
            BlobOperation::AbortCopy { .. } | BlobOperation::SetTags { .. } => 204,
            BlobOperation::Delete { .. } => 202,
            BlobOperation::Lease { action, .. } => lease_status(action),
            _ => 200,
        },
    }
}

fn lease_status(action: &LeaseAction) -> u16 {
    match action {
        LeaseAction::Acquire { .. } => 201,
        LeaseAction::Break { .. } => 202,
        LeaseAction::Renew { .. } | LeaseAction::Change { .. } | LeaseAction::Release { .. } => 200,
    }
}
