//! The front door of the demo: TLS by an authority of its own, over a store in the temporary folder, with the vault's way to it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::shared_key;
use bak::Report;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use blobstore::disk::real::RealDisk;
use blobstore::{BlobPath, Options, Store, SystemClock};
use frontdoor::listing::{self, Entry};
use frontdoor::tls::{AuthorityCertificate, Certificates, certificates};
use frontdoor::{Account, Config, Server};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;
use vault::machine::{DoorWitness, StoreShelf};

use super::allotment::Allotment;

/// What instances call the door. SQL Server backs up to port 443 of a name; `--host-at` of `bac2 sim` leads here from it.
pub(super) const HOST: &str = "vault.example";

const ACCOUNT: &str = "demo";

/// How much of the disk the vault believes to have, beside what the user's backup needs.
const ROOM: u64 = 2 << 30;

/// An open door, served by this process.
pub(super) struct Door {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// The vault's way to the store.
    pub(super) shelf: Arc<StoreShelf>,
    /// PEM of whom instances must trust.
    pub(super) authority: PathBuf,
    account: AccountName,
    store: Arc<Store>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Door {
    /// Opens the store in `data` and serves it on a free port of loopback. `room`: bytes that it shall have beside its usual ones.
    pub(super) async fn open(data: &Path, room: u64) -> Result<Self> {
        let key = BASE64_STANDARD.encode([Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat());
        let secret = shared_key::Secret::from_base64(&key)?;
        let account = AccountName::new(ACCOUNT).expect("a legal name");
        RealDisk::raise_open_files_limit();
        let disk = Arc::new(Allotment(ROOM + room));
        let store = Store::open(disk, Arc::new(SystemClock), &Options::new(data))?;
        let store = Arc::new(store);
        let accounts = vec![Account {
            name: account.clone(),
            keys: vec![secret.clone()],
        }];
        let config = Config {
            tls: Some(Certificates::Vault(data.to_owned())),
            hosts: vec![HOST.parse().context("a legal name of a host")?],
            control: None,
            ..Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), accounts, data)
        };
        let server = Server::bind(config, Arc::clone(&store)).await?;
        let address = server.local_addr();
        let witness = Box::new(DoorWitness(server.use_witness()));
        let shelf = StoreShelf::new(
            Arc::clone(&store),
            witness,
            &format!("https://{HOST}"),
            account.clone(),
            secret,
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(server.serve(async {
            // An error means that the other end is gone, which is a reason to stop as well.
            let _ = stopped.await;
        }));
        Ok(Self {
            address,
            shelf: Arc::new(shelf),
            authority: write_authority(data)?,
            account,
            store,
            stop,
            served,
        })
    }

    /// What `bac2 blob list` shows of all blobs of a container.
    pub(super) async fn listed(&self, container: &str) -> Result<Vec<Entry>> {
        let store = Arc::clone(&self.store);
        let mut entries = spawn_blocking(move || listing::entries(&store)).await?;
        entries.retain(|entry| entry.account == self.account.as_str() && entry.container == container);
        Ok(entries)
    }

    /// The report that the vault stored with a blob as its proof.
    pub(super) async fn report(&self, container: &str, blob: &str) -> Result<Option<Report>> {
        let path = BlobPath {
            account: self.account.clone(),
            container: ContainerName::new(container).map_err(|code| anyhow::anyhow!("{code}"))?,
            blob: BlobName::new(blob).map_err(|code| anyhow::anyhow!("{code}"))?,
        };
        let store = Arc::clone(&self.store);
        let proof = spawn_blocking(move || store.proof(&path)).await??;
        let report = proof.and_then(|proof| proof.report);
        Ok(report
            .map(|report| serde_json::from_str(report.get()))
            .transpose()?)
    }

    /// Stops serving.
    pub(super) async fn close(self) -> Result<()> {
        // The server may have stopped by itself, which the join tells.
        let _ = self.stop.send(());
        self.served.await.context("the server broke down")
    }
}

/// What `bac2 ca export` prints, in a file.
fn write_authority(data: &Path) -> Result<PathBuf> {
    let pems: Vec<String> = certificates(data)?
        .iter()
        .map(AuthorityCertificate::pem)
        .collect();
    let path = data.with_extension("pem");
    fs::write(&path, pems.concat())?;
    Ok(path)
}
