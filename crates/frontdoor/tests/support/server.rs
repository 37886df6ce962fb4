//! A server in this process, on a data directory of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::shared_key::Secret;
use blobstore::disk::real::RealDisk;
use blobstore::{BlobPath, Options, Store, SystemClock};
use frontdoor::{Account, Accounts, Config, ProofWaiter, Server};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{ACCOUNT, Client, KEY, OTHER_ACCOUNT, OTHER_KEY};

/// The other key of the account.
pub const SECOND_KEY: &str = "T3RoZXJLZXlPZlRoZVRlc3Rz";

/// A blob of the tests' account.
pub fn path(container: &str, blob: &str) -> BlobPath {
    BlobPath {
        account: AccountName::new(ACCOUNT).unwrap(),
        container: ContainerName::new(container).unwrap(),
        blob: BlobName::new(blob).unwrap(),
    }
}

/// A server on the current runtime.
pub struct Started {
    pub address: SocketAddr,
    pub waiter: ProofWaiter,
    pub accounts: Accounts,
    pub store: Arc<Store>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// Serves a data directory on the current runtime.
pub async fn start(data: &Path) -> Started {
    let options = Options::new(data);
    let store = Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &options).unwrap();
    start_on(Arc::new(store), data).await
}

/// Serves a store.
pub async fn start_on(store: Arc<Store>, data: &Path) -> Started {
    start_as(store, data, |_| {}).await
}

/// Serves a store with a configuration of one's own.
pub async fn start_as(store: Arc<Store>, data: &Path, configure: impl FnOnce(&mut Config)) -> Started {
    let account = |name: &str, keys: &[&str]| Account {
        name: AccountName::new(name).unwrap(),
        keys: keys.iter().map(|key| Secret::from_base64(key).unwrap()).collect(),
    };
    let accounts = vec![
        account(ACCOUNT, &[KEY, SECOND_KEY]),
        account(OTHER_ACCOUNT, &[OTHER_KEY]),
    ];
    let mut config = Config::new(([127, 0, 0, 1], 0).into(), accounts, data);
    configure(&mut config);
    let server = Server::bind(config, Arc::clone(&store)).await.unwrap();
    let (stop, stopped) = oneshot::channel();
    let (address, waiter) = (server.local_addr(), server.proof_waiter());
    let accounts = server.accounts();
    let serving = tokio::spawn(server.serve(async {
        let _dropped = stopped.await.is_err();
    }));
    Started {
        address,
        waiter,
        accounts,
        store,
        stop,
        serving,
    }
}

/// A server with a runtime and a temporary directory.
pub struct TestServer {
    runtime: Option<Runtime>,
    started: Option<Started>,
    data: Option<TempDir>,
}

impl TestServer {
    pub fn start() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(data: TempDir) -> Self {
        Self::on_as(data, |_| {})
    }

    fn on_as(data: TempDir, configure: impl FnOnce(&mut Config)) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options::new(data.path());
        let store = Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &options).unwrap();
        let started = runtime.block_on(start_as(Arc::new(store), data.path(), configure));
        TestServer {
            runtime: Some(runtime),
            started: Some(started),
            data: Some(data),
        }
    }

    /// Stops, and starts again on the same directory.
    pub fn restart(mut self) -> Self {
        self.stop();
        Self::on(self.data.take().unwrap())
    }

    /// Stops, and starts again on the same directory, configured in another way.
    pub fn restart_as(mut self, configure: impl FnOnce(&mut Config)) -> Self {
        self.stop();
        Self::on_as(self.data.take().unwrap(), configure)
    }

    /// Stops gracefully; returns when the server has stopped.
    pub fn stop(&mut self) {
        if let (Some(runtime), Some(started)) = (self.runtime.take(), self.started.take()) {
            drop(started.waiter);
            drop(started.store);
            let _gone = started.stop.send(()).is_err();
            runtime.block_on(started.serving).unwrap();
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.started.as_ref().unwrap().address).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.started.as_ref().unwrap().address
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.started.as_ref().unwrap().store
    }

    /// The accounts of the running server.
    pub fn accounts(&self) -> &Accounts {
        &self.started.as_ref().unwrap().accounts
    }

    pub fn data(&self) -> PathBuf {
        self.data.as_ref().unwrap().path().to_owned()
    }

    /// Waits until every blob that can be judged is judged.
    pub fn wait_for_proof(&self) {
        self.started.as_ref().unwrap().waiter.wait();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}
