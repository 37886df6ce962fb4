//! One container in memory: its record, its blobs in order of name, and the gate that its deletion closes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use azblob::access_policy::SignedIdentifier;
use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::lease::Lease;
use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::time::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::data_dir::blob_file_name;
use crate::error::StoreError;

/// `container.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerRecord {
    pub(crate) account: AccountName,
    pub(crate) container: ContainerName,
    pub(crate) etag: u64,
    pub(crate) created: UnixMillis,
    pub(crate) last_modified: UnixMillis,
    #[serde(default)]
    pub(crate) lease: Lease,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    /// Stored access policies. Absent from records that were written before there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) policies: Vec<SignedIdentifier>,
}

impl ContainerRecord {
    pub(crate) fn view(&self) -> ContainerView {
        ContainerView {
            name: self.container.clone(),
            etag: ETag(self.etag),
            last_modified: self.last_modified,
            lease: self.lease,
            metadata: self.metadata.clone(),
        }
    }
}

/// What everybody may see of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerView {
    /// The name.
    pub name: ContainerName,
    /// Changes with metadata.
    pub etag: ETag,
    /// When the ETag last changed.
    pub last_modified: UnixMillis,
    /// The lease as remembered.
    pub lease: Lease,
    /// `x-ms-meta-*`.
    pub metadata: Metadata,
}

pub(crate) struct Container {
    pub(crate) account: AccountName,
    pub(crate) name: ContainerName,
    pub(crate) dir: PathBuf,
    record: Mutex<ContainerRecord>,
    /// True once deleted. Everything that touches the directory holds it for reading meanwhile.
    gate: RwLock<bool>,
    blobs: RwLock<BTreeMap<String, Arc<Blob>>>,
    /// Files that no name could be read from, by file name, with the reason.
    broken: Mutex<BTreeMap<String, String>>,
}

impl Container {
    pub(crate) fn new(dir: PathBuf, record: ContainerRecord) -> Self {
        Self {
            account: record.account.clone(),
            name: record.container.clone(),
            dir,
            record: Mutex::new(record),
            gate: RwLock::new(false),
            blobs: RwLock::new(BTreeMap::new()),
            broken: Mutex::new(BTreeMap::new()),
        }
    }

    /// Keeps the container from being deleted, or says that it is gone.
    pub(crate) fn enter(&self) -> Result<RwLockReadGuard<'_, bool>, ErrorCode> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        if *gate {
            Err(ErrorCode::ContainerNotFound)
        } else {
            Ok(gate)
        }
    }

    /// Keeps everybody else out.
    pub(crate) fn close(&self) -> Result<RwLockWriteGuard<'_, bool>, ErrorCode> {
        let gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        if *gate {
            Err(ErrorCode::ContainerNotFound)
        } else {
            Ok(gate)
        }
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, ContainerRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn view(&self) -> ContainerView {
        self.record().view()
    }

    pub(crate) fn blobs(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Blob>>> {
        self.blobs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn blobs_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Arc<Blob>>> {
        self.blobs.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a blob found at start.
    pub(crate) fn found(&self, blob: Blob) -> Arc<Blob> {
        let blob = Arc::new(blob);
        self.blobs_mut()
            .insert(blob.name.as_str().to_owned(), Arc::clone(&blob));
        blob
    }

    /// Takes note of a file that cannot be read.
    pub(crate) fn found_broken(&self, file_name: String, why: String) {
        self.broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(file_name, why);
    }

    /// Files that cannot be read, with the reason.
    pub(crate) fn broken(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blob of a name, if there is an entry for it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when its file is there and unreadable.
    pub(crate) fn blob(&self, name: &BlobName) -> Result<Option<Arc<Blob>>, StoreError> {
        if let Some(blob) = self.blobs().get(name.as_str()) {
            return Ok(Some(Arc::clone(blob)));
        }
        self.refuse_broken(name)?;
        Ok(None)
    }

    /// The blob of a name; an entry without a blob where there is none yet.
    pub(crate) fn blob_or_entry(&self, name: &BlobName) -> Result<Arc<Blob>, StoreError> {
        if let Some(blob) = self.blob(name)? {
            return Ok(blob);
        }
        let mut blobs = self.blobs_mut();
        let blob = blobs
            .entry(name.as_str().to_owned())
            .or_insert_with(|| Arc::new(Blob::new(name.clone(), self.blob_path(name), None)));
        Ok(Arc::clone(blob))
    }

    fn refuse_broken(&self, name: &BlobName) -> Result<(), StoreError> {
        let broken = self.broken();
        if broken.is_empty() {
            return Ok(());
        }
        match broken.get(&blob_file_name(name.as_str()).1) {
            None => Ok(()),
            Some(why) => Err(StoreError::Damaged { what: why.clone() }),
        }
    }

    /// Removes an entry that has no blob, unless somebody is about to give it one.
    pub(crate) fn forget_if_absent(&self, blob: &Arc<Blob>) {
        let mut blobs = self.blobs_mut();
        // One in the map, one with the caller; the map's lock keeps others from taking more.
        if Arc::strong_count(blob) <= 2 && !blob.exists() {
            blobs.remove(blob.name.as_str());
        }
    }

    pub(crate) fn blob_path(&self, name: &BlobName) -> PathBuf {
        let (shard, file) = blob_file_name(name.as_str());
        self.dir.join(shard).join(file)
    }
}

/// The directory of a shard, from the path of a blob's file.
pub(crate) fn shard_of(path: &Path) -> &Path {
    path.parent().expect("a blob's file lies in a shard")
}
