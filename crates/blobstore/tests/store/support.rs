//! A store for tests: fixed time, repeatable chance, short ways to make paths.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use azblob::block::{BlockId, BlockList, BlockSource};
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::time::UnixMillis;
use blobstore::disk::Disk;
use blobstore::disk::simulated::Random;
use blobstore::{
    BlobPath, BlockRef, Clock, OpenError, Options, Permit, Properties, Store, StoreError, Which,
};

/// A clock that stands still until it is moved.
pub(crate) struct TestClock {
    now: AtomicI64,
    random: AtomicU64,
}

impl TestClock {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            now: AtomicI64::new(1_700_000_000_000),
            random: AtomicU64::new(seed),
        })
    }

    pub(crate) fn advance_ms(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.load(Ordering::Relaxed))
    }

    fn random(&self) -> u128 {
        let mut random = Random::new(self.random.fetch_add(1, Ordering::Relaxed));
        u128::from(random.draw()) << 64 | u128::from(random.draw())
    }
}

pub(crate) fn account() -> AccountName {
    AccountName::new("acme").unwrap()
}

pub(crate) fn container() -> ContainerName {
    ContainerName::new("backups").unwrap()
}

pub(crate) fn path(name: &str) -> BlobPath {
    BlobPath {
        account: account(),
        container: container(),
        blob: BlobName::new(name).unwrap(),
    }
}

pub(crate) fn id(text: &str) -> BlockId {
    BlockId::from_bytes(text.as_bytes()).unwrap()
}

pub(crate) fn latest(ids: &[&str]) -> BlockList {
    BlockList(ids.iter().map(|text| (BlockSource::Latest, id(text))).collect())
}

/// Options for small disks.
pub(crate) fn small(dir: impl Into<PathBuf>) -> Options {
    Options {
        reserve_bytes: 64 << 10,
        reserve_step_bytes: 32 << 10,
        changes_per_map: 6,
        ..Options::new(dir)
    }
}

pub(crate) fn open(disk: Arc<dyn Disk>, clock: &Arc<TestClock>, dir: &str) -> Result<Store, OpenError> {
    Store::open(disk, Arc::clone(clock) as Arc<dyn Clock>, &small(dir))
}

/// Bytes that differ from any other stretch of bytes.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..len.div_ceil(8))
        .flat_map(|_| random.draw().to_le_bytes())
        .take(len)
        .collect()
}

pub(crate) fn put_block(store: &Store, name: &str, block: &str, data: &[u8]) -> Result<BlockRef, StoreError> {
    let mut writer = store.begin_block(&path(name), &id(block), data.len() as u64, None)?;
    for part in data.chunks(50_000) {
        writer.write(part)?;
    }
    writer.commit()
}

pub(crate) fn commit(
    store: &Store,
    name: &str,
    ids: &[&str],
) -> Result<blobstore::CommittedBlocks, StoreError> {
    store.put_block_list(&path(name), &latest(ids), Properties::default(), &Permit::NONE)
}

pub(crate) fn put_blob(store: &Store, name: &str, data: &[u8]) -> Result<blobstore::Committed, StoreError> {
    let mut writer = store.begin_blob(&path(name), data.len() as u64, &Permit::NONE)?;
    for part in data.chunks(70_000) {
        writer.write(part)?;
    }
    writer.commit(Properties::default(), &Permit::NONE)
}

pub(crate) fn read(store: &Store, name: &str) -> Result<Vec<u8>, StoreError> {
    read_path(store, &path(name))
}

pub(crate) fn read_path(store: &Store, path: &BlobPath) -> Result<Vec<u8>, StoreError> {
    read_which(store, path.into())
}

pub(crate) fn read_which(store: &Store, which: Which<'_>) -> Result<Vec<u8>, StoreError> {
    let reader = store.open_blob(which, &Permit::NONE)?;
    let mut data = vec![0; reader.size() as usize];
    reader.read_at(0, &mut data)?;
    Ok(data)
}

pub(crate) fn read_part(store: &Store, name: &str, at: u64, len: usize) -> Result<Vec<u8>, StoreError> {
    let reader = store.open_blob(&path(name), &Permit::NONE)?;
    let mut data = vec![0; len];
    reader.read_at(at, &mut data)?;
    Ok(data)
}
