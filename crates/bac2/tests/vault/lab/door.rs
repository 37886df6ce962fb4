//! The front door in this process: TLS by an authority of its own, over a store on disk, with the vault's shelf beside it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use azblob::names::AccountName;
use azblob::shared_key::Secret;
use blobstore::disk::Disk;
use blobstore::disk::real::RealDisk;
use blobstore::disk::simulated::SimulatedDisk;
use blobstore::{BlobPath, CommittedBlocks, Options, Store};
use frontdoor::tls::{Certificates, certificates};
use frontdoor::{Account, Config};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use vault::machine::{DoorWitness, StoreShelf};
use vault::shelf::Lease;
use vault::shelf::stored::Witness;

use super::clock::{LabClock, StoreClock};
use super::disk::Roomy;

/// What instances call the door. SQL Server backs up to port 443 of it, which `--host-at` of `bac2 sim` leads here.
pub(crate) const HOST: &str = "vault.example";
/// Its account.
pub(crate) const ACCOUNT: &str = "vault01";
/// The account's key, base64.
pub(crate) const KEY: &str = "T3RoZXJLZXlPZlRoZVRlc3Rz";

/// The door. It closes with it.
pub(crate) struct Door {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it tells what it did.
    health: SocketAddr,
    /// The vault's way to the store.
    pub(crate) shelf: Arc<StoreShelf>,
    /// The store itself.
    pub(crate) store: Arc<Store>,
    /// The disk under it, where it is simulated.
    pub(crate) disk: Option<SimulatedDisk>,
    /// PEM of the authority that instances must trust.
    pub(crate) ca: PathBuf,
    serves: JoinHandle<()>,
}

impl Door {
    pub(super) async fn open(data: &Path, clock: &Arc<LabClock>) -> Self {
        std::fs::create_dir_all(data).unwrap();
        Self::over(Arc::new(Roomy(RealDisk)), &Options::new(data), data, clock).await
    }

    pub(super) async fn simulated(data: &Path, clock: &Arc<LabClock>) -> Self {
        std::fs::create_dir_all(data).unwrap();
        let disk = SimulatedDisk::new(1, 1 << 40);
        let options = Options {
            reserve_bytes: 64 << 10,
            reserve_step_bytes: 32 << 10,
            ..Options::new("/data")
        };
        let mut door = Self::over(Arc::new(disk.clone()), &options, data, clock).await;
        door.disk = Some(disk);
        door
    }

    async fn over(disk: Arc<dyn Disk>, options: &Options, data: &Path, clock: &Arc<LabClock>) -> Self {
        let store = Store::open(disk, Arc::new(StoreClock(Arc::clone(clock))), options).unwrap();
        let store = Arc::new(store);
        let (account, key) = (
            AccountName::new(ACCOUNT).unwrap(),
            Secret::from_base64(KEY).unwrap(),
        );
        let accounts = vec![Account {
            name: account.clone(),
            keys: vec![key.clone()],
        }];
        let config = Config {
            tls: Some(Certificates::Vault(data.to_owned())),
            hosts: vec![HOST.parse().unwrap()],
            control: None,
            proof_threads: Some(1),
            health: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            ..Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), accounts, data)
        };
        let server = frontdoor::Server::bind(config, Arc::clone(&store)).await.unwrap();
        let pems: Vec<String> = certificates(data)
            .unwrap()
            .iter()
            .map(frontdoor::tls::AuthorityCertificate::pem)
            .collect();
        let ca = data.join("authorities.pem");
        std::fs::write(&ca, pems.concat()).unwrap();
        let witness = Later {
            seen: DoorWitness(server.use_witness()),
            clock: Arc::clone(clock),
        };
        let base = format!("https://{HOST}");
        let shelf = StoreShelf::new(Arc::clone(&store), Box::new(witness), &base, account, key).giving(
            vault::shelf::Account {
                name: ACCOUNT.to_owned(),
                key: mssql::Secret::new(KEY.to_owned()),
            },
        );
        Self {
            address: server.local_addr(),
            health: server.health_addr().expect("it was asked for"),
            shelf: Arc::new(shelf),
            store,
            disk: None,
            ca,
            serves: tokio::spawn(server.serve(std::future::pending())),
        }
    }
}

impl Door {
    /// How many requests for an operation it has answered with a status.
    pub(crate) async fn answered(&self, operation: &str, status: u16) -> u64 {
        let mut stream = TcpStream::connect(self.health).await.unwrap();
        let ask = b"GET /-/metrics HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        let line = format!("bac2_requests_total{{operation=\"{operation}\",status=\"{status}\"}} ");
        let count = page.lines().find_map(|one| one.strip_prefix(&line));
        count.map_or(0, |count| count.parse().unwrap())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serves.abort();
    }
}

/// What the door saw, as if the time that a test skipped had passed.
struct Later {
    seen: DoorWitness,
    clock: Arc<LabClock>,
}

impl Witness for Later {
    fn testify(&self, path: &BlobPath) -> Lease {
        let seen = self.seen.testify(path);
        Lease {
            connections: seen.connections,
            quiet: match seen.connections {
                0 => seen.quiet + self.clock.added_since(seen.quiet),
                _ => seen.quiet,
            },
            watched: seen.watched + self.clock.added_since(seen.watched),
        }
    }

    fn arrived(&self, path: &BlobPath, done: CommittedBlocks) {
        self.seen.arrived(path, done);
    }
}
