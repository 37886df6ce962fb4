//! The deeds of a [`Shelf`](super::Shelf) over a blob store: what the machine's shelf and the one of the simulation have in common.
//!
//! Calls block, and take the store from outside, since a simulated one goes away and comes back. Records lie in an account that
//! the door has no key of: no SAS, and no key that an instance was given, opens them.

use azblob::access_policy::{AccessPolicy, PolicyId, SignedIdentifier};
use azblob::block::{BlockId, BlockList, BlockSource};
use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::lease::{LeaseAction, LeaseId, LeaseStatus};
use azblob::limits::MAX_ACCESS_POLICIES;
use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::permission::Permissions;
use azblob::sas::ServiceSas;
use azblob::shared_key;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use bak::Report;
use blobstore::{
    BlobKind, BlobPath, BlobView, CommittedBlocks, ContainerView, ListEntry, ListMarker, ListQuery, Permit,
    Properties, SealIf, Sealed, Store, StoreError,
};
use jiff::Timestamp;
use mssql::Secret;

use super::{Blob, LEASE_REST, Lease, Proof, ShelfError, Space};

/// The account of records. The door serves none of this name.
pub const RECORDS_ACCOUNT: &str = "bac2records";

/// What the name of a container of records ends with.
const RECORDS: &str = "-records";

/// States that one question to the store asks for.
const PAGE: usize = 1_000;

/// How often the policies of a container are read anew where others change it meanwhile.
const CHANGES: u32 = 20;

/// The most that a record may have, in bytes: the record of a set is some kilobytes.
const RECORD_MAX: u64 = 16 << 20;

/// Who can tell what a front door saw of those who use a blob.
pub trait Witness: Send + Sync {
    /// What was seen.
    fn testify(&self, path: &BlobPath) -> Lease;

    /// A blob was written past the door: its verifier shall read it.
    fn arrived(&self, path: &BlobPath, done: CommittedBlocks);
}

/// A shelf over a store that it is given for each deed.
pub struct Stored {
    base: String,
    account: AccountName,
    key: shared_key::Secret,
    records: AccountName,
    witness: Box<dyn Witness>,
}

impl Stored {
    /// Containers of `account`, whose `key` signs the SAS; instances name the account's containers `BASE/CONTAINER`.
    ///
    /// # Panics
    /// Never: [`RECORDS_ACCOUNT`] is a legal name.
    #[must_use]
    pub fn new(base: &str, account: AccountName, key: shared_key::Secret, witness: Box<dyn Witness>) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            account,
            key,
            records: AccountName::new(RECORDS_ACCOUNT).expect("a legal name of an account"),
            witness,
        }
    }

    /// See [`super::Shelf::url`].
    #[must_use]
    pub fn url(&self, container: &ContainerName) -> String {
        format!("{}/{container}", self.base)
    }

    /// Where a blob is in the store.
    #[must_use]
    pub fn path(&self, container: &ContainerName, blob: &BlobName) -> BlobPath {
        BlobPath {
            account: self.account.clone(),
            container: container.clone(),
            blob: blob.clone(),
        }
    }

    /// See [`super::Shelf::make_container`].
    ///
    /// # Errors
    /// Those of changing anything.
    pub fn make_container(&self, store: &Store, container: &ContainerName) -> Result<(), ShelfError> {
        let both = [
            (&self.account, container.clone()),
            (&self.records, records_of(container)),
        ];
        for (account, name) in both {
            match store.create_container(account, &name, Metadata::default()) {
                Ok(_) | Err(StoreError::Protocol(ErrorCode::ContainerAlreadyExists)) => {}
                Err(error) => return Err(failed(error, name.as_str())),
            }
        }
        Ok(())
    }

    /// See [`super::Shelf::grant`].
    ///
    /// # Errors
    /// No such container, it has policies enough, `policy` is no name of one; those of changing anything.
    pub fn grant(
        &self,
        store: &Store,
        container: &ContainerName,
        policy: &str,
        until: Timestamp,
    ) -> Result<Secret, ShelfError> {
        let id = PolicyId::new(policy).map_err(|code| ShelfError::Refused(code.to_string()))?;
        let allowed = Permissions::READ | Permissions::WRITE | Permissions::CREATE | Permissions::LIST;
        let stored = SignedIdentifier {
            id: id.clone(),
            policy: AccessPolicy {
                start: None,
                expiry: Some(UnixMillis(until.as_millisecond())),
                permissions: Some(allowed),
            },
        };
        self.change_policies(store, container, |policies| {
            policies.retain(|one| one.id != id);
            policies.push(stored.clone());
        })?;
        let sas = ServiceSas {
            version: ApiVersion::CURRENT,
            container: container.clone(),
            blob: None,
            permissions: None,
            start: None,
            expiry: None,
            policy: Some(id),
            https_only: true,
            source: None,
        };
        Ok(Secret::new(sas.sign(&self.account, &self.key)))
    }

    /// See [`super::Shelf::revoke`].
    ///
    /// # Errors
    /// No such container; those of changing anything.
    pub fn revoke(&self, store: &Store, container: &ContainerName, policy: &str) -> Result<(), ShelfError> {
        self.change_policies(store, container, |policies| {
            policies.retain(|one| one.id.as_str() != policy);
        })
    }

    /// See [`super::Shelf::look`].
    ///
    /// # Errors
    /// No such container; the blob cannot be read.
    pub fn look(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
    ) -> Result<Option<Blob>, ShelfError> {
        match self.view(store, container, blob)? {
            Some(view) => self.see(store, container, blob, &view).map(Some),
            None => Ok(None),
        }
    }

    /// See [`super::Shelf::read`].
    ///
    /// # Errors
    /// No such blob; its bytes are not what was written.
    pub fn read(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
        from: u64,
        limit: usize,
    ) -> Result<Vec<u8>, ShelfError> {
        let fail = |error| failed(error, blob.as_str());
        let reader = store
            .open_blob(&self.path(container, blob), &Permit::NONE)
            .map_err(fail)?;
        let left = reader.size().saturating_sub(from);
        let mut piece = vec![0; usize::try_from(left).map_or(limit, |left| left.min(limit))];
        if !piece.is_empty() {
            reader.read_at(from, &mut piece).map_err(fail)?;
        }
        Ok(piece)
    }

    /// See [`super::Shelf::list`].
    ///
    /// # Errors
    /// No such container; a blob cannot be read.
    pub fn list(
        &self,
        store: &Store,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        let page = page(store, &self.account, container, after, limit)?;
        page.iter()
            .map(|(name, view)| self.see(store, container, name, view))
            .collect()
    }

    /// See [`super::Shelf::unsealed`]: of those that are sealed only the name is passed over, and no proof is read.
    ///
    /// # Errors
    /// No such container; a blob cannot be read.
    pub fn unsealed(
        &self,
        store: &Store,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        let views = self.unsealed_views(store, container, after, limit)?;
        views
            .iter()
            .map(|(name, view)| self.see(store, container, name, view))
            .collect()
    }

    /// The states of blobs that are not sealed, as [`Stored::views`].
    ///
    /// # Errors
    /// No such container.
    pub fn unsealed_views(
        &self,
        store: &Store,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<(BlobName, BlobView)>, ShelfError> {
        let mut after = after.cloned();
        let mut found = Vec::new();
        loop {
            let page = page(store, &self.account, container, after.as_ref(), PAGE)?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|(name, _)| name.clone());
            found.extend(page.into_iter().filter(|(_, view)| !view.sealed));
            if is_last || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    /// The state of a blob, committed or not.
    ///
    /// # Errors
    /// No such container.
    pub fn view(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
    ) -> Result<Option<BlobView>, ShelfError> {
        let query = ListQuery {
            prefix: blob.to_string(),
            max: 1,
            include_uncommitted: true,
            ..ListQuery::default()
        };
        let found = store
            .list_blobs(&self.account, container, &query)
            .map_err(|error| failed(error, container.as_str()))?;
        Ok(found.entries.into_iter().find_map(|entry| match entry {
            ListEntry::Blob(name, view) if name == *blob => Some(view),
            ListEntry::Blob(..) | ListEntry::Prefix(_) => None,
        }))
    }

    /// The states of blobs in order of name, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// No such container.
    pub fn views(
        &self,
        store: &Store,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<(BlobName, BlobView)>, ShelfError> {
        page(store, &self.account, container, after, limit)
    }

    /// See [`super::Shelf::put_piece`].
    ///
    /// # Errors
    /// It is leased or sealed; no such container; those of changing anything.
    pub fn put_piece(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
        number: u32,
        bytes: &[u8],
    ) -> Result<(), ShelfError> {
        let fail = |error| failed(error, blob.as_str());
        let path = self.path(container, blob);
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut writer = store
            .begin_block(&path, &piece_id(number), size, None)
            .map_err(fail)?;
        writer.write(bytes).map_err(fail)?;
        writer.commit().map(drop).map_err(fail)
    }

    /// See [`super::Shelf::join`].
    ///
    /// # Errors
    /// A piece is not there; it is leased or sealed; no such container; those of changing anything.
    pub fn join(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
        count: u32,
    ) -> Result<(), ShelfError> {
        let path = self.path(container, blob);
        let pieces = (0..count).map(|number| (BlockSource::Latest, piece_id(number)));
        let list = BlockList(pieces.collect());
        let done = store
            .put_block_list(&path, &list, Properties::default(), &Permit::NONE)
            .map_err(|error| failed(error, blob.as_str()))?;
        self.witness.arrived(&path, done);
        Ok(())
    }

    /// See [`super::Shelf::seal`].
    ///
    /// # Errors
    /// It is leased, empty or not there; those of changing anything.
    pub fn seal(&self, store: &Store, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError> {
        let sealed = store.seal_if(&self.path(container, blob), SealIf::Quiet);
        match sealed.map_err(|error| failed(error, blob.as_str()))? {
            Sealed::Now | Sealed::Before => Ok(()),
            Sealed::Leased => Err(ShelfError::Refused(format!("{blob} is leased"))),
            Sealed::Empty | Sealed::NotProved => Err(ShelfError::Refused(format!("{blob} has no content"))),
        }
    }

    /// See [`super::Shelf::free`].
    ///
    /// # Errors
    /// It is sealed, used, changed since `seen`, or not there; those of changing anything.
    pub fn free(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
        seen: &Blob,
    ) -> Result<(), ShelfError> {
        self.free_unused(store, container, blob, seen).map(drop)
    }

    /// See [`super::Shelf::clean`].
    ///
    /// # Errors
    /// As [`Stored::free`].
    pub fn clean(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
        seen: &Blob,
    ) -> Result<(), ShelfError> {
        let view = self.free_unused(store, container, blob, seen)?;
        let path = self.path(container, blob);
        // Who came in between has lost the lease, and a backup of SQL Server does not go on without; what it wrote stays.
        if self.witness.testify(&path).connections > 0 {
            return Err(refused(blob));
        }
        let permit = Permit {
            lease: None,
            condition: &|found| unchanged(&view, found),
        };
        let done = store.delete_blob(&path, &permit);
        done.map_err(|error| failed(error, blob.as_str()))
    }

    /// See [`super::Shelf::remove_sealed`].
    ///
    /// # Errors
    /// It is used or leased; no such container; those of changing anything.
    pub fn remove_sealed(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
    ) -> Result<(), ShelfError> {
        let found = self.view(store, container, blob)?;
        // What was never committed is swept away by the store itself.
        let Some(view) = found.filter(|view| view.committed) else {
            return Ok(());
        };
        let path = self.path(container, blob);
        let fail = |error| failed(error, blob.as_str());
        let used = self.witness.testify(&path);
        // Who reads it without a lease reads on: nobody restores from what is gone for good.
        if view.lease_view.status == LeaseStatus::Locked {
            if used.connections > 0 || used.quiet < LEASE_REST {
                return Err(ShelfError::Refused(format!("{blob} is leased")));
            }
            let at_once = LeaseAction::Break { period: Some(0) };
            let broken = store.lease_blob(&path, &at_once, &|found| unchanged(&view, found));
            broken.map_err(fail)?;
        }
        match store.remove_sealed(&path) {
            Err(StoreError::Protocol(ErrorCode::BlobNotFound)) => Ok(()),
            done => done.map_err(fail),
        }
    }

    /// See [`super::Shelf::remove_record`].
    ///
    /// # Errors
    /// No such container; those of changing anything.
    pub fn remove_record(
        &self,
        store: &Store,
        container: &ContainerName,
        name: &BlobName,
    ) -> Result<(), ShelfError> {
        match store.delete_blob(&self.record_path(container, name), &Permit::NONE) {
            Err(StoreError::Protocol(ErrorCode::BlobNotFound)) => Ok(()),
            done => done.map_err(|error| failed(error, name.as_str())),
        }
    }

    /// See [`super::Shelf::containers`].
    #[must_use]
    pub fn containers(&self, store: &Store) -> Vec<ContainerName> {
        let all = store.list_containers(&self.records).into_iter();
        let mut names: Vec<ContainerName> = all.filter_map(|view| container_of(&view.name)).collect();
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        names
    }

    /// Breaks the lease of a blob that nobody uses, where there is one; gives the state that it had.
    fn free_unused(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
        seen: &Blob,
    ) -> Result<BlobView, ShelfError> {
        let Some(view) = self.view(store, container, blob)? else {
            return Err(ShelfError::Missing(blob.to_string()));
        };
        let path = self.path(container, blob);
        let now = self.see(store, container, blob, &view)?;
        if now.tag != seen.tag || now.is_sealed || self.witness.testify(&path).connections > 0 {
            return Err(refused(blob));
        }
        if now.lease.is_some() {
            let at_once = LeaseAction::Break { period: Some(0) };
            let broken = store.lease_blob(&path, &at_once, &|found| unchanged(&view, found));
            broken.map_err(|error| failed(error, blob.as_str()))?;
        }
        Ok(view)
    }

    /// See [`super::Shelf::put_record`].
    ///
    /// # Errors
    /// No such container; those of changing anything.
    pub fn put_record(
        &self,
        store: &Store,
        container: &ContainerName,
        name: &BlobName,
        body: &[u8],
    ) -> Result<(), ShelfError> {
        let path = self.record_path(container, name);
        let fail = |error| failed(error, name.as_str());
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let mut writer = store.begin_blob(&path, size, &Permit::NONE).map_err(fail)?;
        writer.write(body).map_err(fail)?;
        let done = writer.commit(Properties::default(), &Permit::NONE);
        done.map(drop).map_err(fail)
    }

    /// See [`super::Shelf::records`].
    ///
    /// # Errors
    /// No such container; a record cannot be read.
    pub fn records(
        &self,
        store: &Store,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<(BlobName, Vec<u8>)>, ShelfError> {
        let page = page(store, &self.records, &records_of(container), after, limit)?;
        let records = page.into_iter().map(|(name, _)| {
            let fail = |error| failed(error, name.as_str());
            let path = self.record_path(container, &name);
            let reader = store.open_blob(&path, &Permit::NONE).map_err(fail)?;
            let size = Some(reader.size()).filter(|size| *size <= RECORD_MAX);
            let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else {
                return Err(ShelfError::Failed(format!("{name} is too large for a record")));
            };
            let mut body = vec![0; size];
            reader.read_at(0, &mut body).map_err(fail)?;
            Ok((name, body))
        });
        records.collect()
    }

    /// See [`super::Shelf::space`].
    ///
    /// # Errors
    /// The store takes no writes; the disk does not say.
    pub fn space(&self, store: &Store) -> Result<Space, ShelfError> {
        if let Some(why) = store.read_only() {
            return Err(ShelfError::ReadOnly(why));
        }
        let fail = |error: std::io::Error| ShelfError::Failed(error.to_string());
        Ok(Space {
            total: store.total_space().map_err(fail)?,
            free: store.free_space().map_err(fail)?,
        })
    }

    fn record_path(&self, container: &ContainerName, name: &BlobName) -> BlobPath {
        BlobPath {
            account: self.records.clone(),
            container: records_of(container),
            blob: name.clone(),
        }
    }

    fn change_policies(
        &self,
        store: &Store,
        container: &ContainerName,
        change: impl Fn(&mut Vec<SignedIdentifier>),
    ) -> Result<(), ShelfError> {
        let fail = |error| failed(error, container.as_str());
        // Not over a change that came in between, as by another job of the same instance: it is read again.
        let mut left = CHANGES;
        loop {
            left -= 1;
            let before = store.container(&self.account, container).map_err(fail)?;
            let mut policies = store.container_policies(&self.account, container).map_err(fail)?;
            change(&mut policies);
            if policies.len() > MAX_ACCESS_POLICIES {
                let why = format!("{container} has {MAX_ACCESS_POLICIES} access policies, which is the most");
                return Err(ShelfError::Refused(why));
            }
            let unchanged = |view: &ContainerView| match view.etag == before.etag {
                true => Ok(()),
                false => Err(ErrorCode::ConditionNotMet),
            };
            match store.set_container_policies(&self.account, container, policies, &unchanged) {
                Err(StoreError::Protocol(ErrorCode::ConditionNotMet)) if left > 0 => {}
                done => return done.map(drop).map_err(fail),
            }
        }
    }

    fn see(
        &self,
        store: &Store,
        container: &ContainerName,
        name: &BlobName,
        view: &BlobView,
    ) -> Result<Blob, ShelfError> {
        let fail = |error| failed(error, name.as_str());
        let path = self.path(container, name);
        let is_locked = view.lease_view.status == LeaseStatus::Locked;
        let arrived = match view.kind {
            BlobKind::Block => {
                let blocks = store.get_block_list(&path, &Permit::NONE).map_err(fail)?;
                let waiting = blocks.uncommitted.iter().map(|(_, size)| size);
                waiting.fold(view.size, |sum, size| sum.saturating_add(*size))
            }
            // Of its size nothing is there before it is written.
            BlobKind::Page => {
                let written = store
                    .page_ranges(&path, 0..view.size, usize::MAX, &Permit::NONE)
                    .map_err(fail)?;
                written.ranges.iter().map(|range| range.end - range.start).sum()
            }
            BlobKind::Append => view.size,
        };
        // The size of a page blob says nothing while its holder writes it.
        let is_committed = view.committed && view.size > 0 && !(view.kind == BlobKind::Page && is_locked);
        let proof = match is_committed {
            true => proof_of(store.proof(&path).map_err(fail)?),
            false => Proof::Pending,
        };
        let lease_id = view.lease.id().map(LeaseId::as_u128);
        Ok(Blob {
            name: name.clone(),
            size: if is_committed { view.size } else { 0 },
            arrived,
            is_committed,
            is_sealed: view.sealed,
            lease: is_locked.then(|| self.witness.testify(&path)),
            tag: format!("{} {arrived} {lease_id:?} {:?}", view.etag, view.lease_view.state),
            proof,
        })
    }
}

/// The id of a piece: all of one length, and in the order of their numbers.
fn piece_id(number: u32) -> BlockId {
    BlockId::from_bytes(format!("bac2-{number:010}").as_bytes()).expect("15 of at most 64 bytes")
}

/// The container of blobs that one of records goes with.
fn container_of(records: &ContainerName) -> Option<ContainerName> {
    let name = records.as_str().strip_suffix(RECORDS)?;
    ContainerName::new(name).ok()
}

/// The container of records that goes with one of blobs.
///
/// # Panics
/// Where the name of `container` has more than 55 characters; the vault gives none so long.
#[must_use]
pub fn records_of(container: &ContainerName) -> ContainerName {
    ContainerName::new(format!("{container}{RECORDS}")).expect("names of containers leave room")
}

/// Whether a blob's content and properties are still what `view` says.
fn unchanged(view: &BlobView, found: Option<(ETag, UnixMillis)>) -> Result<(), ErrorCode> {
    match found {
        Some((etag, _)) if etag == view.etag => Ok(()),
        None if !view.committed => Ok(()),
        Some(_) | None => Err(ErrorCode::ConditionNotMet),
    }
}

fn refused(blob: &BlobName) -> ShelfError {
    ShelfError::Refused(format!("{blob} is sealed, used, or changed"))
}

fn proof_of(stored: Option<blobstore::Proof>) -> Proof {
    let Some(proof) = stored else {
        return Proof::Pending;
    };
    let report = proof.report.as_ref();
    let report = report.and_then(|report| serde_json::from_str::<Report>(report.get()).ok());
    let (sets, logs, media) = report.map_or_else(Default::default, |report| {
        (report.sets, report.log_fingerprints, report.media)
    });
    Proof::Judged {
        verdict: proof.verdict,
        reasons: proof.reasons,
        sets,
        logs,
        media,
    }
}

fn page(
    store: &Store,
    account: &AccountName,
    container: &ContainerName,
    after: Option<&BlobName>,
    limit: usize,
) -> Result<Vec<(BlobName, BlobView)>, ShelfError> {
    let mut marker = after.map(|name| ListMarker {
        name: name.to_string(),
        snapshot: None,
    });
    let mut found = Vec::new();
    loop {
        let query = ListQuery {
            marker: marker.take(),
            max: limit - found.len() + 1,
            include_uncommitted: true,
            ..ListQuery::default()
        };
        let page = store
            .list_blobs(account, container, &query)
            .map_err(|error| failed(error, container.as_str()))?;
        found.extend(page.entries.into_iter().filter_map(|entry| match entry {
            ListEntry::Blob(name, view) => (Some(&name) != after).then_some((name, view)),
            ListEntry::Prefix(_) => None,
        }));
        marker = page.next_marker;
        // A page may be short because of long names.
        if marker.is_none() || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

fn failed(error: StoreError, what: &str) -> ShelfError {
    match error {
        StoreError::Protocol(ErrorCode::BlobNotFound | ErrorCode::ContainerNotFound) => {
            ShelfError::Missing(what.to_owned())
        }
        StoreError::Protocol(code) => ShelfError::Refused(format!("{what}: {code}")),
        StoreError::DiskFull => ShelfError::Full,
        StoreError::ReadOnly { why } => ShelfError::ReadOnly(why),
        other => ShelfError::Failed(other.to_string()),
    }
}
