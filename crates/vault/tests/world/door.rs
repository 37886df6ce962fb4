//! The vault's front door in one process: the real store on a simulated disk, behind the rules of the Blob service as `azblob`
//! has them, without sockets and threads.
//!
//! What is simplified: checksums of bodies are not checked, a backup is judged when somebody looks at it (a while after its
//! commit), and of connections the door knows one for each instance and blob, which idles out.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use azblob::error::{ErrorCode, Refusal};
use azblob::lease::{LeaseAction, LeaseId};
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::request::{Address, BlobOperation, Operation, Request, Target};
use azblob::response::{Stamp, success_status};
use azblob::sas::{Presented, Token};
use azblob::shared_key::{self, Secret};
use azblob::time::UnixMillis;
use blobstore::disk::simulated::{Crash, SimulatedDisk};
use blobstore::disk::{Access, Disk as _};
use blobstore::{BlobPath, Options, Permit, Store, StoreError};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use simsql::world::{OsError, Wire, WireError};

use super::deeds::{self, Answer};
use super::leases::Leases;
use super::time::{Dice, MachineClock, StoreClock};
use super::uses::Uses;

/// Its host: `https://vault.test/CONTAINER`.
pub(crate) const HOST: &str = "vault.test";
/// Its one account.
pub(crate) const ACCOUNT: &str = "vault01";
/// The account's key, base64.
pub(crate) const KEY: &str = "T3RoZXJLZXlPZlRoZVRlc3Rz";
/// How long the verifier takes after a commit.
const VERIFIES: Duration = Duration::from_millis(40);

/// The door.
pub(crate) struct Door {
    pub(crate) clock: Arc<MachineClock>,
    pub(crate) disk: SimulatedDisk,
    pub(crate) account: AccountName,
    pub(crate) key: Secret,
    pub(crate) uses: Mutex<Uses>,
    pub(crate) leases: Leases,
    dice: Arc<Dice>,
    state: Mutex<State>,
}

struct State {
    store: Option<Arc<Store>>,
    trouble: Trouble,
    requests: u64,
}

/// What goes wrong at the door.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    /// Nothing answers, as where the door's process or its network is gone.
    pub(crate) is_down: bool,
    /// Instances do not trust its certificate.
    pub(crate) is_untrusted: bool,
    /// Every request takes so much longer.
    pub(crate) slow: Duration,
    /// So many of the next requests are carried out, and their answers lost.
    pub(crate) answers_lost: u32,
    /// Block lists are committed, and their answers lost.
    pub(crate) are_commits_unheard: bool,
    /// The vault gives no instance the key of its account.
    pub(crate) keeps_key: bool,
    /// The verifier can read nothing of what it judges, as of backups that SQL Server encrypted.
    pub(crate) is_unreadable: bool,
    /// A blob takes no more blocks than this.
    pub(crate) blocks_max: Option<usize>,
    /// So many of the next blocks are changed by one bit before they arrive.
    pub(crate) blocks_damaged: u32,
    /// So many of the next answers to reading are changed by one bit.
    pub(crate) reads_damaged: u32,
    /// So many of the next leases that are given back are not: the holder hears that they are.
    pub(crate) releases_forgotten: u32,
    /// The verifier comes to no end.
    pub(crate) verifier_rests: bool,
    /// The vault's own writes are refused: the store is read-only to it.
    pub(crate) is_read_only: bool,
}

impl Door {
    pub(crate) fn new(clock: &Arc<MachineClock>, seed: u64) -> Arc<Self> {
        let door = Self {
            clock: Arc::clone(clock),
            disk: SimulatedDisk::new(seed, 1 << 40),
            account: AccountName::new(ACCOUNT).unwrap(),
            key: Secret::from_base64(KEY).unwrap(),
            uses: Mutex::new(Uses::default()),
            leases: Leases::default(),
            dice: Dice::new(seed ^ 0xD00D),
            state: Mutex::new(State {
                store: None,
                trouble: Trouble::default(),
                requests: 0,
            }),
        };
        door.open();
        Arc::new(door)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes what goes wrong.
    pub(crate) fn trouble(&self, change: impl FnOnce(&mut Trouble)) {
        change(&mut self.state().trouble);
    }

    /// Whether the vault may give instances the key of its account.
    pub(crate) fn gives_key(&self) -> bool {
        !self.state().trouble.keeps_key
    }

    /// Whether the vault's own writes are refused.
    pub(crate) fn is_read_only(&self) -> bool {
        self.state().trouble.is_read_only
    }

    /// Whether the verifier can read what it judges.
    pub(crate) fn reads(&self) -> bool {
        !self.state().trouble.is_unreadable
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.state().requests
    }

    /// The store; none while it is closed.
    pub(crate) fn store(&self) -> Option<Arc<Store>> {
        self.state().store.clone()
    }

    /// The door's process ends, and its machine's power with [`Crash::Power`]. Nothing answers until [`Self::open`].
    pub(crate) fn close(&self, crash: Crash) {
        self.state().store = None;
        self.disk.crash(crash);
        *self.uses() = Uses::default();
    }

    /// Opens the store again, as after a start.
    pub(crate) fn open(&self) {
        let options = Options {
            reserve_bytes: 64 << 10,
            reserve_step_bytes: 32 << 10,
            ..Options::new(PathBuf::from("/data"))
        };
        let clock = StoreClock {
            clock: Arc::clone(&self.clock),
            dice: Arc::clone(&self.dice),
        };
        let disk = Arc::new(self.disk.clone());
        let store = Store::open(disk, Arc::new(clock), &options).unwrap();
        self.uses().watch_from(self.uptime());
        self.state().store = Some(Arc::new(store));
    }

    /// Leaves so many bytes free on its disk; `None`: plenty.
    pub(crate) fn set_free(&self, bytes: Option<u64>) {
        let capacity = bytes.map_or(1 << 40, |bytes| self.disk.used() + bytes);
        self.disk.set_capacity(capacity);
    }

    pub(crate) fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap()
    }

    pub(crate) fn uptime(&self) -> Duration {
        vault::world::Clock::uptime(&*self.clock)
    }

    pub(crate) fn now(&self) -> UnixMillis {
        UnixMillis(self.clock.timestamp().as_millisecond())
    }

    /// An instance is gone, and its connections with it.
    pub(crate) fn forget_holder(&self, holder: &str) {
        let now = self.uptime();
        self.uses().close(holder, now);
    }

    pub(crate) fn path(&self, container: &ContainerName, blob: &azblob::names::BlobName) -> BlobPath {
        BlobPath {
            account: self.account.clone(),
            container: container.clone(),
            blob: blob.clone(),
        }
    }

    /// Changes a byte of a blob's file, at so many thousandths of it, and lets somebody read the blob. False where it cannot be
    /// read or found at all.
    pub(crate) fn rot(&self, container: &str, blob: &str, place: u64) -> bool {
        let Some(store) = self.store() else { return false };
        let name = format!("\"name\":\"{blob}\"");
        let found = files(&self.disk, &PathBuf::from("/data"))
            .into_iter()
            .find(|file| {
                let mut birth = vec![0; 8192];
                let opened = self.disk.open(file, Access::Read);
                let read = opened.and_then(|opened| opened.read_at(&mut birth, 0));
                read.is_ok() && String::from_utf8_lossy(&birth).contains(&name)
            });
        let Some(file) = found else { return false };
        let length = self
            .disk
            .open(&file, Access::Read)
            .and_then(|file| file.len())
            .unwrap_or(0);
        // Not the file's head: that is read again only when the store is opened.
        let offset = (length / 4 + length / 2 * place / 1000).min(length.saturating_sub(1));
        if self.disk.rot(&file, offset, 1).is_err() {
            return false;
        }
        let (container, blob) = (
            ContainerName::new(container).unwrap(),
            BlobName::new(blob).unwrap(),
        );
        let Ok(reader) = store.open_blob(&self.path(&container, &blob), &Permit::NONE) else {
            return false;
        };
        let mut bytes = vec![0; usize::try_from(reader.size()).unwrap()];
        reader.read_at(0, &mut bytes).is_err()
    }

    /// Whether the verifier had its time for what was last changed then.
    pub(crate) fn may_be_judged(&self, changed: UnixMillis) -> bool {
        let since = self.now().0 - changed.0;
        if self.state().trouble.verifier_rests {
            return false;
        }
        since < 0 || since >= i64::try_from(VERIFIES.as_millis()).unwrap_or(0)
    }

    /// Who asks, what is asked, and whether they may.
    fn admit(&self, store: &Store, request: &http::Request<Bytes>) -> Result<Request, Refusal> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let accounts = std::slice::from_ref(&self.account);
        let address = Address::locate(uri, headers, accounts)?;
        let keys = std::slice::from_ref(&self.key);
        let token = match headers.contains_key("authorization") {
            true => None,
            false => Token::from_query(uri.query().unwrap_or_default())?,
        };
        let grant = match token {
            None => shared_key::verify(method, uri, headers, &self.account, keys, self.now())?,
            Some(token) => {
                let target = Target::of(&address, uri)?;
                let policies = match (token.policy_id(), target.container()) {
                    (Some(_), Some(container)) => store
                        .container_policies(&self.account, container)
                        .unwrap_or_default(),
                    _ => Vec::new(),
                };
                token.verify(&Presented {
                    account: &self.account,
                    keys,
                    target: &target,
                    policies: &policies,
                    now: self.now(),
                    peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
                    secure: true,
                })?
            }
        };
        let mut request = Request::parse(&address, method, uri, headers)?;
        grant.allow(&mut request.operation)?;
        Ok(request)
    }

    fn answer(&self, store: &Store, holder: &str, request: &http::Request<Bytes>) -> Answer {
        let parsed = self.admit(store, request)?;
        let status = success_status(&parsed.operation);
        let Operation::Blob(path, operation) = parsed.operation else {
            return Err(ErrorCode::NotImplemented.into());
        };
        let path = self.path(&path.container, &path.blob);
        let mut body = request.body().clone();
        if let BlobOperation::PutBlock(_) | BlobOperation::PutPage(_) = &operation {
            body = self.damaged(body);
        }
        if let BlobOperation::PutBlock(ask) = &operation
            && let Some(most) = self.state().trouble.blocks_max
            && store
                .get_block_list(&path, &Permit::lease(ask.lease_id))?
                .uncommitted
                .len()
                >= most
        {
            return Err(StoreError::Misuse("no more blocks").into());
        }
        self.uses().used(holder, &path, self.uptime());
        if self.forgets(&operation) {
            return Ok(Response::new(Bytes::new()));
        }
        let is_read = matches!(operation, BlobOperation::Get(_));
        let is_break = matches!(
            &operation,
            BlobOperation::Lease {
                action: LeaseAction::Break { .. },
                ..
            }
        );
        let carry_out = || deeds::carry_out(store, &path, operation, parsed.version, &body);
        let mut response = match is_break {
            true => self.leases.during(store, &path, holder, carry_out),
            false => carry_out(),
        }?;
        if is_read {
            let body = std::mem::take(response.body_mut());
            *response.body_mut() = self.misread(body);
        }
        if response.status() != StatusCode::PARTIAL_CONTENT {
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
        }
        Ok(response)
    }

    /// Whether a lease that is given back is kept nevertheless.
    fn forgets(&self, operation: &BlobOperation) -> bool {
        let BlobOperation::Lease { action, .. } = operation else {
            return false;
        };
        let left = &mut self.state().trouble.releases_forgotten;
        let forgets = *left > 0 && matches!(action, LeaseAction::Release { .. });
        *left -= u32::from(forgets);
        forgets
    }

    /// With one bit in each piece behind the headers changed, where so many answers are to be misread.
    fn misread(&self, body: Bytes) -> Bytes {
        let left = &mut self.state().trouble.reads_damaged;
        if *left == 0 || body.is_empty() {
            return body;
        }
        *left -= 1;
        let mut bytes = body.to_vec();
        bytes
            .iter_mut()
            .skip(70_000)
            .step_by(2_000)
            .for_each(|byte| *byte ^= 1);
        bytes.into()
    }

    fn damaged(&self, body: Bytes) -> Bytes {
        let mut state = self.state();
        if state.trouble.blocks_damaged == 0 || body.is_empty() {
            return body;
        }
        state.trouble.blocks_damaged -= 1;
        let mut bytes = body.to_vec();
        let at = self.dice.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << self.dice.below(8);
        bytes.into()
    }
}

/// The way from one instance to the door.
pub(crate) struct DoorWire {
    door: Arc<Door>,
    holder: String,
}

impl DoorWire {
    pub(crate) fn new(door: &Arc<Door>, holder: String) -> Self {
        Self {
            door: Arc::clone(door),
            holder,
        }
    }
}

/// WinHTTP: the request timed out.
const TIMED_OUT: i32 = 12_002;
/// WinHTTP: a connection could not be made.
const CANNOT_CONNECT: i32 = 12_029;
/// WinHTTP: what TLS meets where the authority is not known.
const NOT_TRUSTED: i32 = 12_175;

#[async_trait]
impl Wire for DoorWire {
    async fn send(&self, request: http::Request<Bytes>) -> Result<Response<Bytes>, WireError> {
        use vault::world::Clock as _;
        let door = &self.door;
        if request.uri().host() != Some(HOST) {
            return Err(WireError(OsError::new(12_007)));
        }
        let (trouble, trip) = {
            let mut state = door.state();
            state.requests += 1;
            let trip = Duration::from_micros(500 + door.dice.below(4000));
            (state.trouble.clone(), trip)
        };
        door.clock.sleep(trip + trouble.slow).await;
        if trouble.is_untrusted {
            return Err(WireError(OsError::new(NOT_TRUSTED)));
        }
        let is_down = door.state().trouble.is_down;
        let Some(store) = door.store().filter(|_| !is_down) else {
            // What was open is closed with it.
            door.forget_holder(&self.holder);
            return Err(WireError(OsError::new(CANNOT_CONNECT)));
        };
        let stamp = Stamp::of_headers(
            request.headers(),
            LeaseId::from_u128(u128::from(door.requests())),
            door.now(),
        );
        let is_head = request.method() == http::Method::HEAD;
        let is_commit = request.method() == http::Method::PUT
            && request
                .uri()
                .query()
                .is_some_and(|query| query.contains("comp=blocklist"));
        let mut response = door
            .answer(&store, &self.holder, &request)
            .unwrap_or_else(|refusal| refused(&refusal, is_head, &stamp.message_lines()));
        stamp.write_headers(response.headers_mut());
        let is_lost = {
            let mut state = door.state();
            let left = &mut state.trouble.answers_lost;
            let is_lost = *left > 0;
            *left = left.saturating_sub(1);
            is_lost || is_commit && state.trouble.are_commits_unheard
        };
        door.clock.sleep(trip).await;
        if is_lost {
            return Err(WireError(OsError::new(TIMED_OUT)));
        }
        Ok(response)
    }
}

/// All files below a directory.
fn files(disk: &SimulatedDisk, directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in disk.list(directory).unwrap_or_default() {
        let path = directory.join(&entry.name);
        match entry.is_dir {
            true => found.extend(files(disk, &path)),
            false => found.push(path),
        }
    }
    found
}

fn refused(refused: &deeds::Refused, is_head: bool, lines: &str) -> Response<Bytes> {
    let (status, code, message) = match refused {
        deeds::Refused::Protocol(refusal) => (
            refusal.code.status(),
            refusal.code.as_str(),
            refusal.message().to_owned(),
        ),
        deeds::Refused::Store(StoreError::DiskFull) => (
            507,
            "InsufficientStorage",
            "The disk of the backup store is full.".to_owned(),
        ),
        deeds::Refused::Store(StoreError::ReadOnly { why }) => (503, "StoreIsReadOnly", why.clone()),
        deeds::Refused::Store(StoreError::Damaged { .. }) => (
            500,
            "BlobContentIsDamaged",
            "The stored bytes are not what was uploaded.".to_owned(),
        ),
        deeds::Refused::Store(error) => (500, "InternalError", error.to_string()),
    };
    let body = match is_head {
        true => String::new(),
        false => azblob::error::render(code, &format!("{message}\n{lines}"), &[]),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    let code = HeaderValue::from_static(code);
    response.headers_mut().insert("x-ms-error-code", code);
    response
}
