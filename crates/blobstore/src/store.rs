//! The store: opening it, finding things in it, and what all operations share.
//!
//! Operations are spread over modules by deed: [`crate::containers`], [`crate::put_block`],
//! [`crate::put_blob`], [`crate::put_block_list`], [`crate::read`], [`crate::change`], [`crate::listing`],
//! [`crate::proof`], [`crate::seal`], [`crate::sweep`].

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use azblob::error::ErrorCode;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::time::UnixMillis;
use uuid::Uuid;

use crate::blob::{Blob, Opening, State};
use crate::blob_file::{BlobFile, Writing};
use crate::clock::Clock;
use crate::container::Container;
use crate::content_log::Log;
use crate::data_dir::{DataDir, RESERVE};
use crate::disk::{Access, Disk};
use crate::error::{OpenError, StoreError};
use crate::health::Health;
use crate::limits::{CHANGES_PER_MAP, OPEN_FILES_MAX, RESERVE_BYTES, RESERVE_STEP_BYTES};
use crate::load;
use crate::reserve::Reserve;
use crate::service_record::{self, Services};
use crate::snapshot::{Which, find_snapshot};

/// Which blob.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobPath {
    /// The storage account.
    pub account: AccountName,
    /// The container.
    pub container: ContainerName,
    /// The blob.
    pub blob: BlobName,
}

/// One word in a log line: account/container/blob.
impl fmt::Debug for BlobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.container, self.blob)
    }
}

/// Where the store is and how much it puts by.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory; made if it is missing, its parent not.
    pub dir: PathBuf,
    /// Bytes kept for deletes and the end of leases on a full disk.
    pub reserve_bytes: u64,
    /// How much of them goes at once.
    pub reserve_step_bytes: u64,
    /// Blob files kept open between operations.
    pub open_files_max: usize,
    /// Changes of a page or append blob, at least 1, after which its map is written: so many are read again at most
    /// when it is opened.
    pub changes_per_map: u64,
}

impl Options {
    /// The usual sizes.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            reserve_bytes: RESERVE_BYTES,
            reserve_step_bytes: RESERVE_STEP_BYTES,
            open_files_max: OPEN_FILES_MAX,
            changes_per_map: CHANGES_PER_MAP,
        }
    }
}

/// A durable store of blobs. All operations block and may be called from any number of threads; what they
/// return as done survives a crash.
pub struct Store {
    pub(crate) core: Arc<Core>,
}

/// All containers, by account and name.
pub(crate) type Accounts = BTreeMap<AccountName, BTreeMap<ContainerName, Arc<Container>>>;

pub(crate) struct Core {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dir: DataDir,
    pub(crate) writing: Writing,
    pub(crate) reserve: Option<Reserve>,
    accounts: RwLock<Accounts>,
    /// Serialises making and deleting containers.
    pub(crate) containers_change: Mutex<()>,
    pub(crate) services: Mutex<Services>,
    next_number: AtomicU64,
    open_files: Mutex<VecDeque<Weak<Blob>>>,
    open_files_max: usize,
}

impl Store {
    /// Opens a data directory for serving: takes its lock and the next generation, reads the state of every
    /// blob, and recovers those that a crash left unfinished.
    ///
    /// A blob whose file is unreadable does not keep the store from opening; see [`Store::broken_files`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, options: &Options) -> Result<Self, OpenError> {
        let reserve = Reserve::find(
            &*disk,
            options.dir.join(RESERVE),
            options.reserve_bytes,
            options.reserve_step_bytes,
        );
        let dir = DataDir::open(&*disk, &options.dir, clock.random(), &reserve)?;
        let store = Self::load(disk, clock, dir, Some(reserve), options)?;
        if let Some(reserve) = &store.core.reserve {
            reserve.refill(&*store.core.disk);
        }
        Ok(store)
    }

    /// Opens a data directory for reading, while no server has it. Nothing on disk is changed.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_read_only(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let dir = DataDir::open_read_only(&*disk, &options.dir)?;
        Self::load(disk, clock, dir, None, options)
    }

    /// Opens a data directory as it is, without a lock, and changes nothing: the way out when all else is
    /// broken.
    ///
    /// Whatever is readable is found, beside whatever is not: a damaged file, a damaged `container.json`, even
    /// a lost `store.json` cost nothing but themselves. A directory that a server is using can be read too; a
    /// blob that is changed meanwhile may then be reported as gone or damaged, and opening again helps.
    ///
    /// # Errors
    /// [`OpenError::NewerFormat`]; [`OpenError::NotAStore`] without both `store.json` and `blobs`;
    /// [`OpenError::Io`].
    pub fn open_unlocked(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let dir = DataDir::open_unlocked(&*disk, &options.dir)?;
        Self::load(disk, clock, dir, None, options)
    }

    fn load(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        dir: DataDir,
        reserve: Option<Reserve>,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let health = Arc::new(Health::default());
        if reserve.is_none() {
            health.forbid("it was opened for reading");
        }
        let writing = Writing {
            generation: dir.generation,
            changes_per_map: options.changes_per_map.max(1),
            health,
        };
        let accounts = load::accounts(&*disk, &dir, &writing, reserve.as_ref(), clock.now())?;
        let services = service_record::load(&*disk, &dir, accounts.keys());
        Ok(Self {
            core: Arc::new(Core {
                disk,
                clock,
                writing,
                reserve,
                accounts: RwLock::new(accounts),
                containers_change: Mutex::new(()),
                services: Mutex::new(services),
                // Numbers are unique in the life of the store: the generation is in their upper half.
                next_number: AtomicU64::new(dir.generation << 32),
                open_files: Mutex::new(VecDeque::new()),
                open_files_max: options.open_files_max,
                dir,
            }),
        })
    }

    /// Rises with every start, and with nothing else.
    pub fn generation(&self) -> u64 {
        self.core.dir.generation
    }

    /// Made when the data directory was.
    pub fn id(&self) -> Uuid {
        self.core.dir.store_id
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.core.dir.root
    }

    /// Why nothing can be changed any more, if so.
    pub fn read_only(&self) -> Option<String> {
        self.core.writing.health.why().map(str::to_owned)
    }

    /// Bytes that the file system of the data directory still has for this user.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn free_space(&self) -> std::io::Result<u64> {
        self.core.disk.free_space(&self.core.dir.root)
    }

    /// Bytes that the file system of the data directory has in all.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn total_space(&self) -> std::io::Result<u64> {
        self.core.disk.total_space(&self.core.dir.root)
    }

    /// Files that hold a blob and cannot be read, each with the reason.
    pub fn broken_files(&self) -> Vec<(AccountName, ContainerName, String)> {
        let mut found = Vec::new();
        for container in self.core.all_containers() {
            for why in container.broken().values() {
                found.push((container.account.clone(), container.name.clone(), why.clone()));
            }
        }
        found
    }
}

impl Core {
    /// Refuses when nothing may be changed.
    pub(crate) fn check_writable(&self) -> Result<(), StoreError> {
        self.writing.health.check()
    }

    pub(crate) fn health(&self) -> &Health {
        &self.writing.health
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// A number never given before in this store: tags, commits, names of temporary files.
    pub(crate) fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn accounts(&self) -> RwLockReadGuard<'_, Accounts> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn accounts_mut(&self) -> RwLockWriteGuard<'_, Accounts> {
        self.accounts.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all_containers(&self) -> Vec<Arc<Container>> {
        self.accounts()
            .values()
            .flat_map(BTreeMap::values)
            .map(Arc::clone)
            .collect()
    }

    pub(crate) fn container(
        &self,
        account: &AccountName,
        container: &ContainerName,
    ) -> Result<Arc<Container>, ErrorCode> {
        self.accounts()
            .get(account)
            .and_then(|containers| containers.get(container))
            .map(Arc::clone)
            .ok_or(ErrorCode::ContainerNotFound)
    }

    /// A blob or one of its snapshots.
    pub(crate) fn which(&self, which: Which<'_>) -> Result<(Arc<Container>, Arc<Blob>), StoreError> {
        let (container, blob) = self.blob(which.path)?;
        let Some(time) = which.snapshot else {
            return Ok((container, blob));
        };
        let snapshot = find_snapshot(&container, &blob, time)?;
        Ok((container, snapshot))
    }

    /// A blob that may be committed or not.
    pub(crate) fn blob(&self, path: &BlobPath) -> Result<(Arc<Container>, Arc<Blob>), StoreError> {
        let container = self.container(&path.account, &path.container)?;
        let blob = container.blob(&path.blob)?.ok_or(ErrorCode::BlobNotFound)?;
        Ok((container, blob))
    }

    pub(crate) fn opening(&self) -> Opening<'_> {
        let access = if self.reserve.is_some() {
            Access::Write
        } else {
            Access::Read
        };
        Opening {
            disk: &*self.disk,
            access,
            writing: &self.writing,
        }
    }

    /// The blob's open file, and the promise to close it some time.
    pub(crate) fn file(&self, blob: &Arc<Blob>, state: &mut State) -> Result<Arc<BlobFile>, StoreError> {
        let was_open = state.file.is_some();
        let file = state.file(blob, &self.opening())?;
        if !was_open {
            self.opened(blob);
        }
        Ok(file)
    }

    /// The log of a page or append blob; opens its file where needed.
    pub(crate) fn log(&self, blob: &Arc<Blob>, state: &mut State) -> Result<Arc<Log>, StoreError> {
        self.file(blob, state)?;
        state.log(blob, &self.opening())
    }

    /// Takes note of an open file and closes one that was not used for long.
    pub(crate) fn opened(&self, blob: &Arc<Blob>) {
        {
            let mut open = self.open_files();
            open.push_back(Arc::downgrade(blob));
        }
        // Two for one, so that the queue shrinks again after files that could not be closed.
        for _ in 0..2 {
            let oldest = {
                let mut open = self.open_files();
                if open.len() > self.open_files_max {
                    open.pop_front()
                } else {
                    None
                }
            };
            if let Some(oldest) = oldest.and_then(|weak| weak.upgrade())
                && !Arc::ptr_eq(&oldest, blob)
                && !close_if_quiet(&oldest)
            {
                self.open_files().push_back(Arc::downgrade(&oldest));
            }
        }
    }

    fn open_files(&self) -> MutexGuard<'_, VecDeque<Weak<Blob>>> {
        self.open_files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a change that must succeed on a full disk, giving up the reserve for it.
    pub(crate) fn with_reserve<T>(
        &self,
        change: impl Fn() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            match change() {
                Err(StoreError::DiskFull) => {
                    let more = self.reserve.as_ref().is_some_and(|r| r.give_up_step(&*self.disk));
                    if !more {
                        return Err(StoreError::DiskFull);
                    }
                }
                done => return done,
            }
        }
    }
}

/// Closes a blob's file and forgets its maps, if nobody uses them. False when it has to stay.
fn close_if_quiet(blob: &Arc<Blob>) -> bool {
    let Some(mut state) = blob.try_state() else {
        return false;
    };
    let quiet = state
        .file
        .as_ref()
        .is_none_or(|file| Arc::strong_count(file) == 1 && file.is_quiet());
    if quiet && state.dropped.is_empty() {
        state.file = None;
        state.list = None;
        state.log = None;
        state.uncommitted = None;
        return true;
    }
    false
}
