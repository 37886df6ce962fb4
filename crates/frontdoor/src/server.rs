//! The front door of one store: binds, serves, stops.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use azblob::lease::LeaseWitness;
use azblob::names::AccountName;
use blobstore::{BlobPath, CommittedBlocks, Store};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::accept::{self, Reception};
use crate::accounts::Accounts;
use crate::config::Config;
use crate::creating;
use crate::door::{Door, now};
use crate::health::{self, Watched};
use crate::host::Host;
use crate::limits;
use crate::listing;
use crate::policies;
use crate::proof::Proof;
use crate::sealing;
use crate::tls::{self, Certificates, Keeper, TlsError};
use crate::uses::Uses;

/// A front door that is bound to its addresses and not serving yet.
pub struct Server {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    tls: Option<Tls>,
    health: Option<TcpListener>,
    control: Option<Task>,
    store: Arc<Store>,
    door: Arc<Door>,
    reloader: Reloader,
}

struct Tls {
    acceptor: TlsAcceptor,
    keeper: Keeper,
}

/// Why a front door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// There is no usable certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no threads.
    #[error("no threads could be started: {0}")]
    Threads(io::Error),
}

/// Asks a server that is being served elsewhere to look at its files again.
#[derive(Clone, Default)]
pub struct Reloader(Arc<Notify>);

impl Reloader {
    /// Returns at once; what comes of it is in the log.
    pub fn reload(&self) {
        self.0.notify_one();
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Task {
    /// Ends the task and waits until it has ended.
    async fn end(mut self) {
        self.0.abort();
        let _cancelled = (&mut self.0).await.is_err();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Server {
    /// Binds the addresses, gets certificates where TLS is on, answers on the control socket from now on, and starts the
    /// verifier threads, which look for blobs that have no final verdict. Must be called inside a tokio runtime with time
    /// and I/O.
    ///
    /// # Errors
    /// An address is taken or not ours, there is no certificate, or the system gives no threads.
    pub async fn bind(config: Config, store: Arc<Store>) -> Result<Self, StartError> {
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for address in config.listen {
            let (listener, address) = listen(address).await?;
            addresses.push(address);
            listeners.push(listener);
        }
        let health = match config.health {
            Some(address) => Some(listen(address).await?.0),
            None => None,
        };
        let accounts = Accounts::new(config.accounts);
        let tls = match config.tls {
            Some(from) => Some(Tls::open(from, config.hosts, accounts.current().names())?),
            None => None,
        };
        let cores = available_parallelism().map_or(1, usize::from);
        let threads = config.proof_threads.unwrap_or(cores).min(cores);
        let proof = Proof::start(
            Arc::clone(&store),
            config.seal_proved,
            threads,
            config.proof_quiet,
        )
        .map_err(StartError::Threads)?;
        let door = Door::new(accounts, Arc::clone(&store), proof).map_err(StartError::Threads)?;
        let door = Arc::new(door);
        Ok(Server {
            listeners,
            addresses,
            tls,
            health,
            control: config.control.and_then(|data| open_control(&data, &store)),
            store,
            door,
            reloader: Reloader::default(),
        })
    }

    /// Where clients find it: the first address.
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where clients find it.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where `/-/health` and `/-/metrics` are.
    pub fn health_addr(&self) -> Option<SocketAddr> {
        self.health.as_ref()?.local_addr().ok()
    }

    /// A handle with which to have certificates read again while the server serves.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until `stop` is done, then lets requests under way finish (within [`crate::limits::GRACE`]) and returns.
    /// What was acknowledged is durable at any moment, so nothing is lost by not waiting for this.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let watched = Arc::new(Watched {
            door: Arc::clone(&self.door),
            store: Arc::clone(&self.store),
            served: self.tls.as_ref().map(|tls| tls.keeper.served()),
            stopping: AtomicBool::new(false),
        });
        let mut beside = vec![
            Task(tokio::spawn(tidy(self.store))),
            Task(tokio::spawn(forget(Arc::clone(self.door.uses())))),
        ];
        if let Some(listener) = self.health {
            beside.push(Task(tokio::spawn(health::serve(listener, Arc::clone(&watched)))));
        }
        let mut reception = Reception {
            listeners: self.listeners,
            tls: None,
            metrics: Arc::clone(self.door.metrics()),
            uses: Arc::clone(self.door.uses()),
        };
        if let Some(Tls { acceptor, keeper }) = self.tls {
            beside.push(Task(tokio::spawn(keep(
                keeper,
                self.door.accounts(),
                self.reloader,
            ))));
            reception.tls = Some(acceptor);
        }
        let stop = async {
            stop.await;
            watched.stopping.store(true, Ordering::Relaxed);
        };
        accept::serve(reception, self.door, stop).await;
        for task in beside {
            task.end().await;
        }
        if let Some(control) = self.control {
            // The socket is removed before the next server on this directory opens its own.
            control.end().await;
        }
    }

    /// The accounts, to replace them while the server serves.
    pub fn accounts(&self) -> Accounts {
        self.door.accounts()
    }

    /// A handle with which to learn who uses a blob while the server serves.
    pub fn use_witness(&self) -> UseWitness {
        UseWitness(Arc::clone(&self.door))
    }

    /// A handle with which to wait for verdicts while the server serves; for tests and demonstrations.
    pub fn proof_waiter(&self) -> ProofWaiter {
        ProofWaiter(Arc::clone(&self.door))
    }
}

/// Tells what a server that is being served elsewhere saw of those who use a blob, and hears of what its owner wrote past it.
#[derive(Clone)]
pub struct UseWitness(Arc<Door>);

impl UseWitness {
    /// What was seen. Only of a locked blob it is all.
    pub fn testify(&self, path: &BlobPath) -> LeaseWitness {
        self.0.uses().testify(path)
    }

    /// The owner of the store put a blob together from blocks of its own: it is verified like one that came through the door.
    pub fn arrived(&self, path: &BlobPath, done: CommittedBlocks) {
        self.0.arrived(path, done);
    }
}

impl Tls {
    fn open(from: Certificates, hosts: Vec<Host>, accounts: &[AccountName]) -> Result<Self, TlsError> {
        let keeper = Keeper::open(from, hosts, accounts, now())?;
        let acceptor = tls::acceptor(keeper.served())?;
        Ok(Tls { acceptor, keeper })
    }
}

/// Has the certificates looked at now and then, and when somebody asks for it.
async fn keep(mut keeper: Keeper, accounts: Accounts, reloader: Reloader) {
    loop {
        // Either is a reason to look.
        let _asked = timeout(limits::CERTIFICATE_POLL, reloader.0.notified())
            .await
            .is_ok();
        let accounts = accounts.current();
        let look = spawn_blocking(move || {
            keeper.tend(accounts.names(), now());
            keeper
        });
        match look.await {
            Ok(back) => keeper = back,
            Err(_) => {
                tracing::error!("looking after the certificates broke down; they are not renewed any more");
                return;
            }
        }
    }
}

/// Waits for the verifier of a server that is being served elsewhere.
#[derive(Clone)]
pub struct ProofWaiter(Arc<Door>);

impl ProofWaiter {
    /// Blocks the calling thread until the verifier has nothing left to do.
    pub fn wait(&self) {
        self.0.wait_for_proof();
    }
}

/// Has the store drop what nobody came back for, now and then; see [`Store::sweep`].
async fn tidy(store: Arc<Store>) {
    loop {
        tokio::time::sleep(limits::SWEEP).await;
        let store = Arc::clone(&store);
        match tokio::task::spawn_blocking(move || store.sweep(now())).await {
            Ok(Ok(swept)) => tracing::debug!(?swept, "swept"),
            Ok(Err(error)) => tracing::warn!(%error, "the store could not be swept"),
            Err(_) => tracing::error!("sweeping the store broke down"),
        }
    }
}

/// Has the uses forgotten of blobs whose lease ran out by itself, now and then.
async fn forget(uses: Arc<Uses>) {
    loop {
        tokio::time::sleep(limits::USES_SWEEP).await;
        let uses = Arc::clone(&uses);
        if tokio::task::spawn_blocking(move || uses.sweep()).await.is_err() {
            tracing::error!("forgetting the uses of unlocked blobs broke down");
        }
    }
}

#[cfg(unix)]
fn open_control(data: &Path, store: &Arc<Store>) -> Option<Task> {
    use crate::control::{Answerer, Control};

    let store = Arc::clone(store);
    let answerer: Answerer = Arc::new(move |line| match line {
        "list" => listing::json(&store).map_err(|error| error.to_string()),
        "list with logs" => listing::json_with_logs(&store).map_err(|error| error.to_string()),
        line if line.starts_with('{') => {
            let answered = policies::answer(&store, line).or_else(|| creating::answer(&store, line));
            answered.unwrap_or_else(|| sealing::answer(&store, line))
        }
        other => Err(format!(
            "unknown command {other:?}; known are: list, list with logs, and seal, policies and createContainer as JSON"
        )),
    });
    match Control::open(data) {
        Ok(control) => Some(Task(tokio::spawn(control.serve(answerer)))),
        Err(error) => {
            tracing::warn!(%error, "no control socket: `bac2 blob list` cannot ask this server");
            None
        }
    }
}

#[cfg(not(unix))]
fn open_control(_data: &Path, _store: &Arc<Store>) -> Option<Task> {
    None
}
