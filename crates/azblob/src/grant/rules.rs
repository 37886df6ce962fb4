//! One line an operation: which letters an access signature needs for it.
//!
//! Source: the table "Account SAS permissions by operation" of "Create an account SAS", and the permissions of "Create a
//! service SAS", which agree wherever both speak. Where they are silent, the comment says what was chosen. Create alone
//! makes a blob and never overwrites one; Put Block and Put Block List need Write in both documents.

use super::ResourceTypes;
use crate::lease::LeaseAction;
use crate::permission::Permissions;
use crate::request::{BlobOperation, ContainerOperation, Operation, ServiceOperation};

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) level: Level,
    /// At least one of these.
    pub(super) any_of: Permissions,
    /// And all of these.
    pub(super) all_of: Permissions,
    /// Whether a service signature can allow it at all. Of a container it can allow listing and nothing else: making,
    /// deleting, leasing it, its properties, metadata and policies need an account signature or the key ("Create a
    /// service SAS").
    pub(super) by_service_signature: bool,
}

/// What an operation is asked of, `srt` of an account signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Service,
    Container,
    Object,
}

impl Level {
    pub(super) fn is_among(self, types: ResourceTypes) -> bool {
        match self {
            Self::Service => types.service,
            Self::Container => types.container,
            Self::Object => types.object,
        }
    }
}

impl Rule {
    const fn service(any_of: Permissions) -> Self {
        Self::new(Level::Service, any_of, false)
    }

    const fn container(any_of: Permissions) -> Self {
        Self::new(Level::Container, any_of, false)
    }

    const fn listing(any_of: Permissions) -> Self {
        Self::new(Level::Container, any_of, true)
    }

    const fn blob(any_of: Permissions) -> Self {
        Self::new(Level::Object, any_of, true)
    }

    const fn new(level: Level, any_of: Permissions, by_service_signature: bool) -> Self {
        Self {
            level,
            any_of,
            all_of: Permissions::NONE,
            by_service_signature,
        }
    }
}

const READ: Permissions = Permissions::READ;
const WRITE: Permissions = Permissions::WRITE;
const DELETE: Permissions = Permissions::DELETE;
const LIST: Permissions = Permissions::LIST;

/// The rule of an operation.
pub(super) fn of(operation: &Operation) -> Rule {
    match operation {
        Operation::Service(operation) => of_service(operation),
        Operation::Container(_, operation) => of_container(operation),
        Operation::Blob(_, operation) => of_blob(operation),
    }
}

fn of_service(operation: &ServiceOperation) -> Rule {
    match operation {
        ServiceOperation::ListContainers(_) => Rule::service(LIST),
    }
}

fn of_container(operation: &ContainerOperation) -> Rule {
    match operation {
        ContainerOperation::Create { .. } => Rule::container(Permissions::CREATE | WRITE),
        ContainerOperation::Delete { .. } => Rule::container(DELETE),
        ContainerOperation::GetProperties { .. } | ContainerOperation::GetMetadata { .. } => Rule::container(READ),
        ContainerOperation::SetMetadata { .. } => Rule::container(WRITE),
        ContainerOperation::Lease { action, .. } => Rule::container(for_lease(action)),
        ContainerOperation::ListBlobs(_) => Rule::listing(LIST),
    }
}

fn of_blob(operation: &BlobOperation) -> Rule {
    match operation {
        BlobOperation::Put(_) => Rule::blob(Permissions::CREATE | WRITE),
        BlobOperation::PutBlock(_) | BlobOperation::PutBlockList(_) => Rule::blob(WRITE),
        BlobOperation::GetBlockList { .. }
        | BlobOperation::Get(_)
        | BlobOperation::GetProperties { .. }
        | BlobOperation::GetMetadata { .. } => Rule::blob(READ),
        BlobOperation::SetMetadata { .. } | BlobOperation::SetProperties { .. } => Rule::blob(WRITE),
        BlobOperation::Delete { .. } => Rule::blob(DELETE),
        BlobOperation::Lease { action, .. } => Rule::blob(for_lease(action)),
    }
}

/// Delete allows breaking a lease and no other action ("Create an account SAS", note to Lease Blob).
fn for_lease(action: &LeaseAction) -> Permissions {
    match action {
        LeaseAction::Break { .. } => WRITE | DELETE,
        LeaseAction::Acquire { .. }
        | LeaseAction::Renew { .. }
        | LeaseAction::Change { .. }
        | LeaseAction::Release { .. } => WRITE,
    }
}

/// Lets an operation that makes a blob go ahead only where there is none yet.
pub(super) fn only_new(operation: &mut Operation) {
    if let Operation::Blob(_, BlobOperation::Put(put)) = operation {
        put.conditions.only_new = true;
    }
}
