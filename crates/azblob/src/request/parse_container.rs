//! Operations of a container, from `restype=container`, `comp` and the method.

use super::fields::Fields;
use super::parse::{batch, not_offered, unknown};
use super::{ContainerOperation, DocumentBody, ListBlobs};
use crate::error::{ErrorCode, Refusal};
use crate::limits::MAX_ACL_BODY;
use crate::metadata::Metadata;

pub(super) fn operation(fields: &Fields<'_>) -> Result<ContainerOperation, Refusal> {
    let comp = fields.word("comp");
    match (fields.method.as_str(), comp.as_str()) {
        ("PUT", "") => {
            private(fields)?;
            Ok(ContainerOperation::Create {
                metadata: Metadata::from_headers(fields.headers)?,
            })
        }
        ("DELETE", "") => Ok(ContainerOperation::Delete {
            lease_id: fields.lease_id()?,
            conditions: fields.time_conditions()?,
        }),
        ("GET" | "HEAD", "") => Ok(ContainerOperation::GetProperties {
            lease_id: fields.lease_id()?,
        }),
        ("GET", "list") => Ok(ContainerOperation::ListBlobs(ListBlobs::parse(fields)?)),
        ("GET" | "HEAD", "metadata") => Ok(ContainerOperation::GetMetadata {
            lease_id: fields.lease_id()?,
        }),
        ("PUT", "metadata") => Ok(ContainerOperation::SetMetadata {
            metadata: Metadata::from_headers(fields.headers)?,
            lease_id: fields.lease_id()?,
            conditions: fields.time_conditions()?,
        }),
        ("PUT" | "POST", "lease") => Ok(ContainerOperation::Lease {
            action: fields.lease_action()?,
            conditions: fields.time_conditions()?,
        }),
        ("GET" | "HEAD", "acl") => Ok(ContainerOperation::GetAcl {
            lease_id: fields.lease_id()?,
        }),
        ("PUT", "acl") => {
            private(fields)?;
            Ok(ContainerOperation::SetAcl {
                body: DocumentBody {
                    length: fields.body_length(MAX_ACL_BODY as u64)?,
                    checksum: fields.checksum()?,
                },
                lease_id: fields.lease_id()?,
                conditions: fields.time_conditions()?,
            })
        }
        (_, "undelete") => Err(not_offered("Restore Container")),
        (_, "rename") => Err(not_offered("Rename Container")),
        ("POST", "batch") => Ok(ContainerOperation::Batch(batch(fields)?)),
        (_, "blobs") => Err(not_offered("Find Blobs by Tags in Container")),
        _ => Err(unknown(fields)),
    }
}

/// There is no anonymous access, and no way to open a container to it: a container that is asked to be public is refused,
/// since leaving the wish out would leave somebody waiting for readers who cannot come.
fn private(fields: &Fields<'_>) -> Result<(), Refusal> {
    const NAME: &str = "x-ms-blob-public-access";
    match fields.header(NAME)? {
        None => Ok(()),
        Some("container" | "blob") => Err(ErrorCode::PublicAccessNotPermitted.into()),
        Some(other) => Err(Refusal::header(NAME, other)),
    }
}
