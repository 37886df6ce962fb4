//! One line an operation: which letters an access signature needs for it.
//!
//! Source: the table "Account SAS permissions by operation" of "Create an account SAS", and the permissions of "Create a
//! service SAS", which agree wherever both speak. Where they are silent, the comment says what was chosen. Create alone
//! makes a blob and never overwrites one; Put Block and Put Block List need Write in both documents.

use super::ResourceTypes;
use crate::conditions::Conditions;
use crate::lease::LeaseAction;
use crate::permission::Permissions;
use crate::request::{BlobOperation, ContainerOperation, Operation, ServiceOperation};
use crate::tags::Tags;

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
    /// Whether it may replace a blob that is there, which Create alone does not allow.
    pub(super) overwrites: bool,
}

/// What an operation is asked of, `srt` of an account signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Service,
    Container,
    Object,
    /// Whatever it is asked of.
    Any,
}

impl Level {
    pub(super) fn is_among(self, types: ResourceTypes) -> bool {
        match self {
            Self::Service => types.service,
            Self::Container => types.container,
            Self::Object => types.object,
            Self::Any => true,
        }
    }
}

impl Level {
    /// Whether a token for one blob can be for it.
    pub(super) fn holds_blobs(self) -> bool {
        matches!(self, Self::Object | Self::Any)
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

    /// Get and Set Container ACL: who reads or sets the policies could make tokens of any kind, so that no token allows
    /// it ("Delegate access with a shared access signature"; the tables have no line for the two).
    const BY_KEY_ALONE: Self = Self::container(Permissions::NONE);

    /// Get Account Information: any letter will do, at whatever level ("Get Account Information", authorization).
    const ABOUT_THE_ACCOUNT: Self = Self::new(Level::Any, Permissions::ALL, true);

    /// Blob Batch: the requests in it are authorised one by one, each with a signature of its own ("Blob Batch").
    const BATCH: Self = Self::new(Level::Any, Permissions::ALL, true);

    const fn new(level: Level, any_of: Permissions, by_service_signature: bool) -> Self {
        Self {
            level,
            any_of,
            all_of: Permissions::NONE,
            by_service_signature,
            overwrites: false,
        }
    }

    const fn overwriting(mut self) -> Self {
        self.overwrites = true;
        self
    }

    /// Giving tags along needs their own letter too ("Set Blob Tags", authorization), those of a source likewise.
    fn tagging(mut self, tags: &Tags, of_source: bool) -> Self {
        if of_source || !tags.is_empty() {
            self.all_of = Permissions::TAGS;
        }
        self
    }
}

const CREATE: Permissions = Permissions::CREATE;
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
        ServiceOperation::GetProperties | ServiceOperation::GetStats => Rule::service(READ),
        ServiceOperation::SetProperties(_) => Rule::service(WRITE),
        ServiceOperation::AccountInformation => Rule::ABOUT_THE_ACCOUNT,
        ServiceOperation::Batch(_) => Rule::BATCH,
    }
}

fn of_container(operation: &ContainerOperation) -> Rule {
    match operation {
        ContainerOperation::Create { .. } => Rule::container(CREATE | WRITE),
        ContainerOperation::Delete { .. } => Rule::container(DELETE),
        ContainerOperation::GetProperties { .. } | ContainerOperation::GetMetadata { .. } => {
            Rule::container(READ)
        }
        ContainerOperation::SetMetadata { .. } => Rule::container(WRITE),
        ContainerOperation::Lease { action, .. } => Rule::container(for_lease(action)),
        ContainerOperation::GetAcl { .. } | ContainerOperation::SetAcl { .. } => Rule::BY_KEY_ALONE,
        ContainerOperation::ListBlobs(list) => {
            let mut rule = Rule::listing(LIST);
            if list.include_tags {
                rule.all_of = Permissions::TAGS;
            }
            rule
        }
        ContainerOperation::AccountInformation => Rule::ABOUT_THE_ACCOUNT,
        ContainerOperation::Batch(_) => Rule::BATCH,
    }
}

fn of_blob(operation: &BlobOperation) -> Rule {
    match operation {
        BlobOperation::Put(put) => Rule::blob(CREATE | WRITE).overwriting().tagging(&put.tags, false),
        BlobOperation::PutPageBlob(put) => Rule::blob(CREATE | WRITE).overwriting().tagging(&put.tags, false),
        BlobOperation::PutAppendBlob(put) => {
            Rule::blob(CREATE | WRITE).overwriting().tagging(&put.tags, false)
        }
        // What the source needs is judged by the signature in its URL.
        BlobOperation::Copy(copy) => Rule::blob(CREATE | WRITE)
            .overwriting()
            .tagging(&copy.tags, copy.tags_of_source),
        BlobOperation::PutFromUrl(put) => Rule::blob(CREATE | WRITE)
            .overwriting()
            .tagging(&put.tags, put.tags_of_source),
        BlobOperation::PutBlockList(put) => Rule::blob(WRITE).tagging(&put.tags, false),
        BlobOperation::GetTags { .. } | BlobOperation::SetTags { .. } => Rule::blob(Permissions::TAGS),
        BlobOperation::PutBlock(_)
        | BlobOperation::BlockFromUrl(_)
        | BlobOperation::PageFromUrl(_)
        | BlobOperation::AbortCopy { .. }
        | BlobOperation::SetTier { .. }
        | BlobOperation::PutPage(_)
        | BlobOperation::ClearPages(_)
        | BlobOperation::SetMetadata { .. }
        | BlobOperation::SetProperties { .. } => Rule::blob(WRITE),
        // The tables have no line for Append Blob Seal; its reference says "Write".
        BlobOperation::AppendBlock(_) | BlobOperation::AppendFromUrl(_) => {
            Rule::blob(Permissions::ADD | WRITE)
        }
        BlobOperation::SealAppend(_) => Rule::blob(WRITE),
        BlobOperation::GetBlockList { .. }
        | BlobOperation::GetPageRanges(_)
        | BlobOperation::Get(_)
        | BlobOperation::GetProperties { .. }
        | BlobOperation::GetMetadata { .. } => Rule::blob(READ),
        BlobOperation::Snapshot { .. } => Rule::blob(CREATE | WRITE),
        BlobOperation::Delete { .. } => Rule::blob(DELETE),
        BlobOperation::Lease { action, .. } => Rule::blob(for_lease(action)),
        BlobOperation::AccountInformation => Rule::ABOUT_THE_ACCOUNT,
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

/// Whether the operation is asked of a snapshot. A token for one snapshot is good for nothing else, whatever stands in
/// the query beside it.
pub(super) fn is_of_snapshot(operation: &Operation) -> bool {
    let Operation::Blob(_, operation) = operation else {
        return false;
    };
    match operation {
        BlobOperation::Get(get) => get.snapshot.is_some(),
        BlobOperation::GetPageRanges(get) => get.snapshot.is_some(),
        BlobOperation::GetBlockList { snapshot, .. }
        | BlobOperation::GetProperties { snapshot, .. }
        | BlobOperation::GetMetadata { snapshot, .. }
        | BlobOperation::GetTags { snapshot, .. }
        | BlobOperation::SetTier { snapshot, .. }
        | BlobOperation::Delete { snapshot, .. } => snapshot.is_some(),
        _ => false,
    }
}

/// The conditions of an operation that makes a blob, to let it go ahead only where there is none yet.
pub(super) fn conditions_of_creation(operation: &mut Operation) -> Option<&mut Conditions> {
    let Operation::Blob(_, operation) = operation else {
        return None;
    };
    match operation {
        BlobOperation::Put(put) => Some(&mut put.conditions),
        BlobOperation::Copy(copy) => Some(&mut copy.conditions),
        BlobOperation::PutFromUrl(put) => Some(&mut put.conditions),
        BlobOperation::PutPageBlob(put) => Some(&mut put.conditions),
        BlobOperation::PutAppendBlob(put) => Some(&mut put.conditions),
        _ => None,
    }
}
