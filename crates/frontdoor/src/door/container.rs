//! Operations of a container.

use azblob::access_policy;
use azblob::conditions::{Conditions, WriteKind};
use azblob::error::{ErrorCode, Refusal};
use azblob::lease::LeaseId;
use azblob::names::{AccountName, ContainerName};
use azblob::request::{ContainerOperation, DocumentBody};
use azblob::response::{Changed, ContainerHead};
use blobstore::{ContainerView, Store};
use hyper::body::Incoming;

use super::{Answer, Door, now};
use crate::checks::BodyCheck;
use crate::fault::Fault;
use crate::reply::{self, changed, empty};

impl Door {
    /// Carries out an operation of a container other than List Blobs.
    pub(super) async fn container(
        &self,
        account: AccountName,
        name: ContainerName,
        operation: ContainerOperation,
    ) -> Answer {
        if matches!(operation, ContainerOperation::Create { .. })
            && self.accounts().current().is_account(name.as_str())
        {
            // A path that begins with an account's name always means the account.
            let words = "A container cannot have the name of a storage account of this server.";
            return Err(Refusal::with_message(ErrorCode::ContainerDisabled, words).into());
        }
        let forget =
            matches!(operation, ContainerOperation::Delete { .. }).then(|| (account.clone(), name.clone()));
        let answer = self
            .call(move |store| act(store, &account, &name, operation))
            .await?;
        if let Some((account, container)) = forget {
            self.proof.forget_container(&account, &container);
        }
        Ok(answer)
    }
}

impl Door {
    /// Set Container ACL.
    pub(super) async fn set_container_acl(
        &self,
        account: AccountName,
        name: ContainerName,
        (announced, lease, conditions): (DocumentBody, Option<LeaseId>, Conditions),
        body: &mut Incoming,
    ) -> Answer {
        let check = BodyCheck::of(announced.checksum);
        let document = self.document(body, announced.length, check).await?;
        let policies = access_policy::parse(document.bytes())?;
        self.call(move |store| {
            let may = |view: &ContainerView| may_change(view, lease, &conditions);
            let view = store.set_container_policies(&account, &name, policies, &may)?;
            Ok(changed(view.etag, view.last_modified))
        })
        .await
    }
}

fn act(store: &Store, account: &AccountName, name: &ContainerName, operation: ContainerOperation) -> Answer {
    let check = |conditions: &Conditions, view: &ContainerView| {
        conditions.check_write(Some((view.etag, view.last_modified)), WriteKind::Change)
    };
    match operation {
        ContainerOperation::Create { metadata } => {
            let view = store.create_container(account, name, metadata)?;
            Ok(changed(view.etag, view.last_modified))
        }
        ContainerOperation::Delete { lease_id, conditions } => {
            store.delete_container(account, name, lease_id, &|view| check(&conditions, view))?;
            Ok(empty())
        }
        ContainerOperation::GetProperties { lease_id } => {
            let mut answer = empty();
            head(&readable(store, account, name, lease_id)?).write_headers(answer.headers_mut());
            Ok(answer)
        }
        ContainerOperation::GetMetadata { lease_id } => {
            let mut answer = empty();
            head(&readable(store, account, name, lease_id)?).write_metadata_headers(answer.headers_mut());
            Ok(answer)
        }
        ContainerOperation::SetMetadata {
            metadata,
            lease_id,
            conditions,
        } => {
            let may = |view: &ContainerView| may_change(view, lease_id, &conditions);
            let view = store.set_container_metadata(account, name, metadata, &may)?;
            Ok(changed(view.etag, view.last_modified))
        }
        ContainerOperation::GetAcl { lease_id } => {
            let view = readable(store, account, name, lease_id)?;
            let policies = store.container_policies(account, name)?;
            let mut answer = reply::document(access_policy::render(&policies));
            Changed {
                etag: view.etag,
                last_modified: view.last_modified,
            }
            .write_headers(answer.headers_mut());
            Ok(answer)
        }
        ContainerOperation::Lease { action, conditions } => {
            let (reply, view) =
                store.lease_container(account, name, &action, &|view| check(&conditions, view))?;
            let mut answer = changed(view.etag, view.last_modified);
            reply.write_headers(answer.headers_mut());
            Ok(answer)
        }
        ContainerOperation::SetAcl { .. }
        | ContainerOperation::ListBlobs(_)
        | ContainerOperation::Batch(_)
        | ContainerOperation::AccountInformation => {
            unreachable!("listings, the account, and what has a body are answered elsewhere")
        }
    }
}

/// Lease id and conditions of a change, for the store to judge at the moment of the change.
fn may_change(
    view: &ContainerView,
    lease: Option<LeaseId>,
    conditions: &Conditions,
) -> Result<(), ErrorCode> {
    view.lease.check_container_use(lease, now())?;
    conditions.check_write(Some((view.etag, view.last_modified)), WriteKind::Change)
}

/// The container, if the lease id fits, where one is given.
fn readable(
    store: &Store,
    account: &AccountName,
    name: &ContainerName,
    lease_id: Option<LeaseId>,
) -> Result<ContainerView, Fault> {
    let view = store.container(account, name)?;
    view.lease.check_container_use(lease_id, now())?;
    Ok(view)
}

fn head(view: &ContainerView) -> ContainerHead {
    ContainerHead {
        etag: view.etag.to_string(),
        last_modified: view.last_modified,
        metadata: view.metadata.clone(),
        lease: view.lease.view(now()),
    }
}
