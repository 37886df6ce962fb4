//! What the tests of the real account share: bac2's own door in this process, and a client that puts things there.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods
)] // Each test binary uses its own part.

pub mod script;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use azblob::grant::ResourceTypes;
use azblob::names::AccountName;
use azblob::permission::Permissions;
use azblob::sas::AccountSas;
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use blobstore::disk::real::RealDisk;
use blobstore::{Options, Store, SystemClock};
use frontdoor::tls::{AuthorityCertificate, Certificates, certificates};
use frontdoor::{Account, Config, Server};
use guard::Clock as _;
use guard::azure::{AzureAccount, Credential, Sas, Settings};
use reqwest::{Client, Method, Response};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const ACCOUNT: &str = "vault";
pub const KEY: &str =
    "S2V5T2ZUaGVUZXN0c0tleU9mVGhlVGVzdHNLZXlPZlRoZVRlc3RzS2V5T2ZUaGVUZXN0c0tleU9mVGhlVGVzdA==";
/// A lease id of nobody in particular.
pub const LEASE: &str = "11111111-2222-3333-4444-555555555555";
/// The id of SQL Server's restore lease, without dashes and with them.
pub const RESTORE: &str = "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2";
pub const RESTORE_DASHED: &str = "bac2bac2-bac2-bac2-bac2-bac2bac2bac2";

/// The machine's clock.
pub fn now() -> UnixMillis {
    guard::clock::SystemClock::new().now()
}

/// The moment so many seconds from now.
pub fn in_seconds(seconds: i64) -> UnixMillis {
    UnixMillis(now().0 + seconds * 1_000)
}

/// The text of a SAS for the account.
pub fn account_sas(letters: &str, types: &str, start: Option<UnixMillis>, expiry: UnixMillis) -> String {
    AccountSas {
        version: ApiVersion::CURRENT,
        types: ResourceTypes {
            service: types.contains('s'),
            container: types.contains('c'),
            object: types.contains('o'),
        },
        permissions: Permissions::parse(letters).unwrap(),
        start,
        expiry,
        https_only: false,
        source: None,
    }
    .sign(&AccountName::new(ACCOUNT).unwrap(), &secret())
}

/// A SAS that allows everything for an hour.
pub fn full_sas() -> Sas {
    Sas::parse(&account_sas("rwdlac", "sco", None, in_seconds(3_600))).unwrap()
}

pub fn secret() -> Secret {
    Secret::from_base64(KEY).unwrap()
}

/// bac2's own door on a directory of its own.
pub struct Door {
    pub address: SocketAddr,
    pub client: Client,
    tls: bool,
    data: TempDir,
    _stop: oneshot::Sender<()>,
    _serving: JoinHandle<()>,
}

/// A client that keeps no connection open behind a request: an idle one still speaks for the blob of its latest request, and the door
/// would tell that somebody uses what was only put down before a test.
fn client(roots: &[reqwest::Certificate]) -> Client {
    Client::builder()
        .no_proxy()
        .tls_certs_only(roots.to_vec())
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

impl Door {
    pub async fn open() -> Self {
        Self::open_as(|_, _| {}).await
    }

    /// Behind TLS, with a certificate of its own authority.
    pub async fn open_tls() -> Self {
        Self::open_as(|config, data| config.tls = Some(Certificates::Vault(data.to_owned()))).await
    }

    async fn open_as(configure: impl FnOnce(&mut Config, &Path)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let options = Options::new(data.path());
        let store = Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &options).unwrap();
        let account = Account {
            name: AccountName::new(ACCOUNT).unwrap(),
            keys: vec![secret()],
        };
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), vec![account], data.path());
        configure(&mut config, data.path());
        let tls = config.tls.is_some();
        let server = Server::bind(config, Arc::new(store)).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let address = server.local_addr();
        let serving = tokio::spawn(server.serve(async {
            let _dropped = stopped.await.is_err();
        }));
        let mut door = Self {
            address,
            client: client(&[]),
            tls,
            data,
            _stop: stop,
            _serving: serving,
        };
        if tls {
            let roots = reqwest::Certificate::from_pem_bundle(door.roots().as_bytes()).unwrap();
            door.client = client(&roots);
        }
        door
    }

    /// The authority's certificates, as PEM.
    pub fn roots(&self) -> String {
        let all = certificates(self.data.path()).unwrap();
        all.iter().map(AuthorityCertificate::pem).collect()
    }

    /// The account's address, path style.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}/{ACCOUNT}", self.address)
    }

    /// The account with these settings.
    pub fn account_with(&self, credential: Credential, change: impl FnOnce(&mut Settings)) -> AzureAccount {
        let mut settings = Settings::new(self.url(), credential);
        if self.tls {
            settings.ca = Some(self.roots().into_bytes());
        }
        change(&mut settings);
        AzureAccount::open(settings).unwrap()
    }

    /// The account, entered with a SAS that allows everything.
    pub fn account(&self) -> AzureAccount {
        self.account_with(Credential::Sas(full_sas()), |_| {})
    }

    /// The account, entered with its key.
    pub fn account_by_key(&self, acting: bool) -> AzureAccount {
        let key = Credential::from_key_text(KEY).unwrap();
        self.account_with(key, |settings| settings.acting = acting)
    }

    /// Sends one request to `/account/` + `path`, encoded already, by this client, and waits for the head of the answer.
    async fn ask(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let joint = if path.contains('?') { '&' } else { '?' };
        let sas = account_sas("rwdlac", "sco", None, in_seconds(3_600));
        let mut request = client
            .request(method, format!("{}/{path}{joint}{sas}", self.url()))
            .header("x-ms-version", "2021-12-02")
            .header("content-length", body.len())
            .body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// Sends one request as [`Self::send`] does, by this client, takes the whole answer, and returns its status.
    pub async fn answer(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> u16 {
        let answer = self.ask(client, method, path, headers, body).await;
        let status = answer.status().as_u16();
        answer.bytes().await.unwrap();
        status
    }

    /// Sends one request to `/account/` + `path`, encoded already, and fails the test unless it goes well.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let answer = self.ask(&self.client, method, path, headers, body).await;
        assert!(
            answer.status().is_success(),
            "{path}: {} {}",
            answer.status(),
            answer.text().await.unwrap()
        );
        answer
    }

    pub async fn container(&self, name: &str) {
        let path = format!("{name}?restype=container");
        self.send(Method::PUT, &path, &[], b"").await;
    }

    pub async fn block_blob(&self, path: &str, body: &[u8]) {
        let kind = [("x-ms-blob-type", "BlockBlob")];
        self.send(Method::PUT, path, &kind, body).await;
    }

    pub async fn page_blob(&self, path: &str, size: u64) {
        let size = size.to_string();
        let kind = [
            ("x-ms-blob-type", "PageBlob"),
            ("x-ms-blob-content-length", &size),
        ];
        self.send(Method::PUT, path, &kind, b"").await;
    }

    pub async fn page(&self, path: &str, start: u64, body: &[u8]) {
        let range = format!("bytes={start}-{}", start + body.len() as u64 - 1);
        let headers = [("x-ms-page-write", "update"), ("x-ms-range", &range)];
        self.send(Method::PUT, &format!("{path}?comp=page"), &headers, body)
            .await;
    }

    pub async fn put_block(&self, path: &str, id: &str, body: &[u8]) {
        let id = id.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
        let path = format!("{path}?comp=block&blockid={id}");
        self.send(Method::PUT, &path, &[], body).await;
    }

    /// Takes a lease; `seconds` is -1 for an infinite one.
    pub async fn lease(&self, path: &str, id: &str, seconds: &str) {
        let headers = [
            ("x-ms-lease-action", "acquire"),
            ("x-ms-proposed-lease-id", id),
            ("x-ms-lease-duration", seconds),
        ];
        self.send(Method::PUT, &format!("{path}?comp=lease"), &headers, b"")
            .await;
    }
}
