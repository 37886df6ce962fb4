//! Operations of a container, from `restype=container`, `comp` and the method.

use super::fields::Fields;
use super::parse::{batch, not_offered, unknown};
use super::{ContainerOperation, ListBlobs};
use crate::error::Refusal;
use crate::metadata::Metadata;

pub(super) fn operation(fields: &Fields<'_>) -> Result<ContainerOperation, Refusal> {
    let comp = fields.word("comp");
    match (fields.method.as_str(), comp.as_str()) {
        ("PUT", "") => Ok(ContainerOperation::Create {
            metadata: Metadata::from_headers(fields.headers)?,
        }),
        ("DELETE", "") => Ok(ContainerOperation::Delete {
            lease_id: fields.lease_id()?,
            conditions: fields.conditions()?,
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
            conditions: fields.conditions()?,
        }),
        ("PUT" | "POST", "lease") => Ok(ContainerOperation::Lease {
            action: fields.lease_action()?,
            conditions: fields.conditions()?,
        }),
        (_, "acl") => Err(not_offered("Get or Set Container ACL")),
        (_, "undelete") => Err(not_offered("Restore Container")),
        (_, "rename") => Err(not_offered("Rename Container")),
        ("POST", "batch") => Ok(ContainerOperation::Batch(batch(fields)?)),
        (_, "blobs") => Err(not_offered("Find Blobs by Tags in Container")),
        _ => Err(unknown(fields)),
    }
}
