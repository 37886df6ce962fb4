//! Containers: making, deleting, listing, metadata, leases.
//!
//! A container is made under a temporary name and renamed, so that it is there whole or not at all. It is
//! deleted by a rename into the trash, so that a crash in the middle leaves either all of it or nothing; the
//! trash is purged by [`Store::sweep`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use azblob::access_policy::SignedIdentifier;
use azblob::error::ErrorCode;
use azblob::lease::{LeaseAction, LeaseId, LeaseReply};
use azblob::metadata::Metadata;
use azblob::names::{AccountName, ContainerName};

use crate::container::{Container, ContainerRecord, ContainerView};
use crate::data_dir::{ensure_dir, replace_file};
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::load::NEW_CONTAINER;
use crate::store::{Core, Store};

impl Store {
    /// Makes a container.
    ///
    /// # Errors
    /// [`ErrorCode::ContainerAlreadyExists`]; those of changing anything.
    pub fn create_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        metadata: Metadata,
    ) -> Result<ContainerView, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let _change = core
            .containers_change
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if core.container(account, name).is_ok() {
            return Err(ErrorCode::ContainerAlreadyExists.into());
        }
        let now = core.now();
        let record = ContainerRecord {
            account: account.clone(),
            container: name.clone(),
            etag: core.number(),
            created: now,
            last_modified: now,
            lease: azblob::lease::Lease::Available,
            metadata,
            policies: Vec::new(),
        };
        let account_dir = core.dir.blobs().join(account.as_str());
        let dir = account_dir.join(name.as_str());
        let temporary = account_dir.join(format!("{NEW_CONTAINER}{}", core.number()));
        core.make_container_dir(&account_dir, &temporary, &dir, &record)?;
        let container = Arc::new(Container::new(dir, record));
        let view = container.view();
        core.accounts_mut()
            .entry(account.clone())
            .or_default()
            .insert(name.clone(), container);
        Ok(view)
    }

    /// Deletes a container with all its blobs, leased ones too.
    ///
    /// # Errors
    /// [`ErrorCode::ContainerNotFound`]; the codes of container leases;
    /// [`ErrorCode::BlobImmutableDueToPolicy`] while a blob in it is sealed; those of changing anything.
    pub fn delete_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        lease: Option<LeaseId>,
        condition: &dyn Fn(&ContainerView) -> Result<(), ErrorCode>,
    ) -> Result<(), StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let _change = core
            .containers_change
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let container = core.container(account, name)?;
        let mut gate = container.close()?;
        container
            .record()
            .lease
            .check_container_delete(lease, core.now())?;
        condition(&container.view())?;
        let sealed = |blob: &Arc<crate::blob::Blob>| blob.state().root.as_ref().is_some_and(|r| r.sealed);
        if container.blobs().values().any(sealed) {
            return Err(ErrorCode::BlobImmutableDueToPolicy.into());
        }
        let account_dir = core.dir.blobs().join(account.as_str());
        let trash = core.dir.trash();
        let grave = trash.join(core.number().to_string());
        core.with_reserve(|| core.changed("move", &container.dir, core.disk.rename(&container.dir, &grave)))?;
        *gate = true;
        drop(gate);
        if let Some(containers) = core.accounts_mut().get_mut(account) {
            containers.remove(name);
        }
        core.sync_dir(&account_dir, SyncPoint::ContainerGone)?;
        core.sync_dir(&trash, SyncPoint::ContainerGone)
    }

    /// A container's state.
    ///
    /// # Errors
    /// [`ErrorCode::ContainerNotFound`].
    pub fn container(
        &self,
        account: &AccountName,
        name: &ContainerName,
    ) -> Result<ContainerView, StoreError> {
        Ok(self.core.container(account, name)?.view())
    }

    /// The accounts that have a container of this name.
    pub fn accounts_with(&self, container: &ContainerName) -> Vec<AccountName> {
        let accounts = self.core.accounts();
        let with = accounts
            .iter()
            .filter(|(_, containers)| containers.contains_key(container));
        with.map(|(account, _)| account.clone()).collect()
    }

    /// The containers of an account in order of name.
    pub fn list_containers(&self, account: &AccountName) -> Vec<ContainerView> {
        let accounts = self.core.accounts();
        let containers = accounts.get(account).map(BTreeMap::values);
        containers
            .into_iter()
            .flatten()
            .map(|container| container.view())
            .collect()
    }

    /// Replaces a container's metadata. `condition` is judged at the moment of the change.
    ///
    /// # Errors
    /// [`ErrorCode::ContainerNotFound`]; those of changing anything.
    pub fn set_container_metadata(
        &self,
        account: &AccountName,
        name: &ContainerName,
        metadata: Metadata,
        condition: &dyn Fn(&ContainerView) -> Result<(), ErrorCode>,
    ) -> Result<ContainerView, StoreError> {
        self.describe_container(account, name, condition, |record| record.metadata = metadata)
    }

    /// The stored access policies of a container, in the order in which they were set.
    ///
    /// # Errors
    /// [`ErrorCode::ContainerNotFound`].
    pub fn container_policies(
        &self,
        account: &AccountName,
        name: &ContainerName,
    ) -> Result<Vec<SignedIdentifier>, StoreError> {
        let container = self.core.container(account, name)?;
        let policies = container.record().policies.clone();
        Ok(policies)
    }

    /// Replaces the stored access policies of a container; they hold from the return of this call on. `condition` is
    /// judged at the moment of the change.
    ///
    /// # Errors
    /// [`ErrorCode::ContainerNotFound`]; those of changing anything.
    pub fn set_container_policies(
        &self,
        account: &AccountName,
        name: &ContainerName,
        policies: Vec<SignedIdentifier>,
        condition: &dyn Fn(&ContainerView) -> Result<(), ErrorCode>,
    ) -> Result<ContainerView, StoreError> {
        self.describe_container(account, name, condition, |record| record.policies = policies)
    }

    /// Carries out a lease operation on a container.
    ///
    /// # Errors
    /// [`ErrorCode::ContainerNotFound`]; the codes of the lease table; those of changing anything.
    pub fn lease_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        action: &LeaseAction,
        condition: &dyn Fn(&ContainerView) -> Result<(), ErrorCode>,
    ) -> Result<(LeaseReply, ContainerView), StoreError> {
        let core = &self.core;
        let container = core.container(account, name)?;
        let _gate = container.enter()?;
        let fresh = LeaseId::from_u128(core.clock.random());
        core.with_reserve(|| {
            core.change_container(&container, |record| {
                condition(&record.view())?;
                let (lease, reply) = record.lease.apply(action, core.now(), fresh)?;
                record.lease = lease;
                Ok((reply, record.view()))
            })
        })
    }

    /// Changes what a container says of itself, and with it the tag.
    fn describe_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        condition: &dyn Fn(&ContainerView) -> Result<(), ErrorCode>,
        change: impl FnOnce(&mut ContainerRecord),
    ) -> Result<ContainerView, StoreError> {
        let core = &self.core;
        let container = core.container(account, name)?;
        let _gate = container.enter()?;
        core.change_container(&container, |record| {
            condition(&record.view())?;
            change(record);
            record.etag = core.number();
            record.last_modified = core.now();
            Ok(record.view())
        })
    }
}

impl Core {
    fn make_container_dir(
        &self,
        account_dir: &Path,
        temporary: &Path,
        dir: &Path,
        record: &ContainerRecord,
    ) -> Result<(), StoreError> {
        let disk = &*self.disk;
        ensure_dir(disk, account_dir).map_err(|e| self.health().change_failed("making", account_dir, &e))?;
        self.sync_dir(&self.dir.blobs(), SyncPoint::AccountEntry)?;
        self.changed("making", temporary, disk.create_dir(temporary))?;
        let made = self
            .write_record(temporary, record)
            .and_then(|()| self.changed("renaming", temporary, disk.rename(temporary, dir)));
        if made.is_err() && self.check_writable().is_ok() {
            crate::load::remove_tree(disk, temporary);
        }
        made?;
        self.sync_dir(account_dir, SyncPoint::ContainerEntry)
    }

    /// Changes a container's record on disk, then in memory.
    fn change_container<T>(
        &self,
        container: &Container,
        change: impl FnOnce(&mut ContainerRecord) -> Result<T, ErrorCode>,
    ) -> Result<T, StoreError> {
        self.check_writable()?;
        let mut record = container.record();
        let mut changed = record.clone();
        let result = change(&mut changed)?;
        self.write_record(&container.dir, &changed)?;
        *record = changed;
        Ok(result)
    }

    fn write_record(&self, dir: &Path, record: &ContainerRecord) -> Result<(), StoreError> {
        let path = dir.join("container.json");
        let bytes = serde_json::to_vec_pretty(record).expect("the record has string keys only");
        self.changed(
            "writing",
            &path,
            replace_file(&*self.disk, &path, &bytes, SyncPoint::ContainerRecord),
        )?;
        self.sync_dir(dir, SyncPoint::ContainerContent)
    }

    /// Turns the failure of a change on disk into what it means for the store.
    pub(crate) fn changed<T>(
        &self,
        deed: &str,
        path: &Path,
        result: std::io::Result<T>,
    ) -> Result<T, StoreError> {
        result.map_err(|error| self.health().change_failed(deed, path, &error))
    }

    /// Makes the names in a directory survive; a failure ends all changes.
    pub(crate) fn sync_dir(&self, dir: &Path, point: SyncPoint) -> Result<(), StoreError> {
        self.disk
            .sync_dir(dir, point)
            .map_err(|error| self.health().sync_failed(dir, &error))
    }
}
