//! The front door of one store: binds, serves, stops.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

use blobstore::Store;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::accept;
use crate::config::{Accounts, Config};
use crate::door::{Door, now};
use crate::limits;
use crate::listing;
use crate::proof::Proof;
use crate::sealing;

/// A front door that is bound to its address and not serving yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    control: Option<Task>,
    store: Arc<Store>,
    door: Arc<Door>,
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
    /// Binds the address, answers on the control socket from now on, and starts the verifier threads, which look for
    /// blobs that have no final verdict. Must be called inside a tokio runtime with time and I/O.
    ///
    /// # Errors
    /// The address is taken or not ours, or the system gives no threads.
    pub async fn bind(config: Config, store: Arc<Store>) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let cores = available_parallelism().map_or(1, usize::from);
        let threads = config.proof_threads.unwrap_or(cores).min(cores);
        let proof = Proof::start(Arc::clone(&store), config.seal_proved, threads)?;
        let door = Arc::new(Door::new(
            Accounts::new(config.accounts),
            Arc::clone(&store),
            proof,
        ));
        Ok(Server {
            listener,
            address,
            control: config.control.and_then(|data| open_control(&data, &store)),
            store,
            door,
        })
    }

    /// Where clients find it.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is done, then lets requests under way finish (within [`crate::limits::GRACE`]) and returns.
    /// What was acknowledged is durable at any moment, so nothing is lost by not waiting for this.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let tidying = Task(tokio::spawn(tidy(self.store)));
        accept::serve(self.listener, self.door, stop).await;
        tidying.end().await;
        if let Some(control) = self.control {
            // The socket is removed before the next server on this directory opens its own.
            control.end().await;
        }
    }

    /// A handle with which to wait for verdicts while the server serves; for tests and demonstrations.
    pub fn proof_waiter(&self) -> ProofWaiter {
        ProofWaiter(Arc::clone(&self.door))
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

#[cfg(unix)]
fn open_control(data: &Path, store: &Arc<Store>) -> Option<Task> {
    use crate::control::{Answerer, Control};

    let store = Arc::clone(store);
    let answerer: Answerer = Arc::new(move |line| match line {
        "list" => listing::json(&store).map_err(|error| error.to_string()),
        line if line.starts_with('{') => sealing::answer(&store, line),
        other => Err(format!(
            "unknown command {other:?}; known are: list, and seal as JSON"
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
