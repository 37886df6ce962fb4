//! The product under the demo: a store in a temporary folder and its front door on a free port of loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::request::{BlobPath, ContainerOperation};
use azblob::shared_key::Secret;
use bak::Report;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use blobstore::Store;
use frontdoor::listing::{self, Entry};
use frontdoor::{Account, Config, Server};
use http::StatusCode;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::client::{Access, Client};
use super::upload::Place;
use crate::blob::open_to_serve;

const ACCOUNT: &str = "demo";
const CONTAINER: &str = "backups";

/// An open door, served by this process.
pub(super) struct Door {
    access: Access,
    container: ContainerName,
    store: Arc<Store>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Door {
    /// Opens the store in `data`, serves it, and makes the container.
    pub(super) async fn open(data: &Path) -> Result<Self> {
        let key = BASE64_STANDARD.encode([Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat());
        let secret = Secret::from_base64(&key)?;
        let account = AccountName::new(ACCOUNT).expect("a legal name");
        let store = Arc::new(open_to_serve(data)?);
        let accounts = vec![Account {
            name: account.clone(),
            keys: vec![secret.clone()],
        }];
        let config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), accounts, data);
        let server = Server::bind(config, Arc::clone(&store)).await?;
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(server.serve(async {
            // An error means that the other end is gone, which is a reason to stop as well.
            let _ = stopped.await;
        }));
        let container = ContainerName::new(CONTAINER).expect("a legal name");
        let door = Self {
            access: Access {
                address,
                account,
                secret,
            },
            container,
            store,
            stop,
            served,
        };
        let create = ContainerOperation::Create {
            metadata: Default::default(),
        };
        Client::connect(&door.access)
            .await?
            .container(&door.path("x"), create, StatusCode::CREATED)
            .await?;
        Ok(door)
    }

    /// Where clients find it.
    pub(super) fn url(&self) -> String {
        format!("http://{}/{ACCOUNT}/{CONTAINER}", self.access.address)
    }

    /// Where clients find the account.
    pub(super) fn account_url(&self) -> String {
        format!("http://{}/{ACCOUNT}", self.access.address)
    }

    /// The account's name.
    pub(super) fn account(&self) -> &AccountName {
        &self.access.account
    }

    /// The account's key.
    pub(super) fn secret(&self) -> &Secret {
        &self.access.secret
    }

    /// The container.
    pub(super) fn container(&self) -> &ContainerName {
        &self.container
    }

    /// A blob of the container.
    pub(super) fn place(&self, blob: &str) -> Place {
        Place {
            access: self.access.clone(),
            path: self.path(blob),
        }
    }

    fn path(&self, blob: &str) -> BlobPath {
        BlobPath {
            container: self.container.clone(),
            blob: BlobName::new(blob).expect("the demo's names are legal"),
        }
    }

    /// What `bac2 blob list` shows of a blob.
    pub(super) fn listed(&self, blob: &str) -> Option<Entry> {
        listing::entries(&self.store)
            .into_iter()
            .find(|entry| entry.name == blob)
    }

    /// The report that the vault stored with a blob as its proof.
    pub(super) fn report(&self, blob: &str) -> Result<Option<Report>> {
        let BlobPath { container, blob } = self.path(blob);
        let path = blobstore::BlobPath {
            account: self.access.account.clone(),
            container,
            blob,
        };
        let report = self.store.proof(&path)?.and_then(|proof| proof.report);
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
