//! The real account against Azurite, an independent server of the same protocol. Counts as ignored until it is asked
//! for, with `AZURITE_BIN` naming the program `azurite-blob`, as `conformance/run` does. Azurite is not told to forget
//! about versions.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::single_range_in_vec_init
)] // Real time and sockets here.

mod azure_support;

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use azblob::grant::ResourceTypes;
use azblob::lease::{LeaseState, LeaseStatus};
use azblob::names::AccountName;
use azblob::permission::Permissions;
use azblob::sas::AccountSas;
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use guard::Place;
use guard::account::{Account, Probe};
use guard::azure::{AzureAccount, Credential, Sas, Settings};
use guard::fault::Cause;
use reqwest::{Client, Method};
use tempfile::TempDir;

use azure_support::{LEASE, RESTORE, RESTORE_DASHED, in_seconds};

/// The account that Azurite always has; its key is published.
const EMULATOR: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

struct Azurite {
    url: String,
    process: Child,
    client: Client,
    _data: TempDir,
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

impl Azurite {
    async fn start() -> Self {
        let program = std::env::var_os("AZURITE_BIN").expect("AZURITE_BIN names azurite-blob");
        let data = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = Command::new(program)
            .args([
                "--silent",
                "--disableTelemetry",
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
            ])
            .arg(port.to_string())
            .arg("--location")
            .arg(data.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let azurite = Self {
            url: format!("http://127.0.0.1:{port}/{EMULATOR}"),
            process,
            client: Client::builder().no_proxy().tls_certs_only([]).build().unwrap(),
            _data: data,
        };
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return azurite;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Azurite did not start");
    }

    fn sas(&self, letters: &str, expiry: UnixMillis) -> String {
        AccountSas {
            version: ApiVersion::CURRENT,
            types: ResourceTypes {
                service: true,
                container: true,
                object: true,
            },
            permissions: Permissions::parse(letters).unwrap(),
            start: None,
            expiry,
            https_only: false,
            source: None,
        }
        .sign(
            &AccountName::new(EMULATOR).unwrap(),
            &Secret::from_base64(EMULATOR_KEY).unwrap(),
        )
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let joint = if path.contains('?') { '&' } else { '?' };
        let sas = self.sas("rwdlac", in_seconds(3_600));
        let mut request = self
            .client
            .request(Method::PUT, format!("{}/{path}{joint}{sas}", self.url))
            .header("x-ms-version", "2021-12-02")
            .header("content-length", body.len())
            .body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{path}: {}",
            answer.text().await.unwrap()
        );
    }

    async fn lease(&self, path: &str, id: &str) {
        let headers = [
            ("x-ms-lease-action", "acquire"),
            ("x-ms-proposed-lease-id", id),
            ("x-ms-lease-duration", "-1"),
        ];
        self.send(&format!("{path}?comp=lease"), &headers, b"").await;
    }

    fn account(&self, credential: Credential, acting: bool) -> AzureAccount {
        let mut settings = Settings::new(&self.url, credential);
        settings.acting = acting;
        AzureAccount::open(settings).unwrap()
    }
}

#[tokio::test]
#[ignore = "needs Azurite: conformance/run installs it and runs this"]
async fn azurite_is_an_account_like_any_other() {
    let azurite = Azurite::start().await;
    let key = || Credential::from_key_text(EMULATOR_KEY).unwrap();
    let account = azurite.account(key(), true);
    azurite.send("backups?restype=container", &[], b"").await;
    let page = [
        ("x-ms-blob-type", "PageBlob"),
        ("x-ms-blob-content-length", "1048576"),
    ];
    azurite.send("backups/folder/dead%20%2B.bak", &page, b"").await;
    let write = [("x-ms-page-write", "update"), ("x-ms-range", "bytes=512-1535")];
    azurite
        .send("backups/folder/dead%20%2B.bak?comp=page", &write, &[7; 1024])
        .await;
    azurite.lease("backups/folder/dead%20%2B.bak", LEASE).await;
    // "BLOCKID00001"
    azurite
        .send(
            "backups/half.bak?comp=block&blockid=QkxPQ0tJRDAwMDAx",
            &[],
            b"TAPE",
        )
        .await;
    azurite
        .send(
            "backups/r%C3%BCst%25.bak",
            &[("x-ms-blob-type", "BlockBlob")],
            b"x",
        )
        .await;
    azurite.lease("backups/r%C3%BCst%25.bak", RESTORE).await;

    assert_eq!(account.address(), azurite.url);
    assert_eq!(account.containers(None).await.unwrap().items, ["backups"]);
    let listed = account.blobs("backups", "", None).await.unwrap().items;
    let names: Vec<_> = listed.iter().map(|l| l.blob.as_str()).collect();
    assert_eq!(names, ["folder/dead +.bak", "half.bak", "rüst%.bak"]);
    let under = account
        .blobs("backups", "folder/dead +", None)
        .await
        .unwrap()
        .items;
    assert_eq!(under.len(), 1);

    let place = Place::new("backups", "folder/dead +.bak");
    let head = account.head(&place).await.unwrap();
    assert_eq!(head.properties.lease.status, LeaseStatus::Locked);
    assert_eq!(head.properties.etag, listed[0].properties.etag, "quoted alike");
    assert_eq!(head.properties.last_modified, listed[0].properties.last_modified);
    assert_eq!(head.witness, None);
    let tag = head.properties.etag.unwrap();
    assert_eq!(account.page_ranges(&place, 1 << 20).await, Ok(vec![512..1536]));
    assert_eq!(account.page_ranges(&place, 1000).await, Ok(vec![512..1000]));
    let bytes = account.read(&place, 510..514, &tag).await.unwrap();
    assert_eq!(bytes.as_ref(), [0, 0, 7, 7]);
    for spelling in [RESTORE, RESTORE_DASHED] {
        assert_eq!(account.probe(&place, spelling).await, Ok(Probe::Mismatch));
    }
    // Azurite compares ids as text: one of the spellings fits.
    let restored = Place::new("backups", "rüst%.bak");
    assert_eq!(account.probe(&restored, RESTORE).await, Ok(Probe::Match));
    let blocks = account.blocks(&Place::new("backups", "half.bak")).await.unwrap();
    assert_eq!(blocks.uncommitted.len(), 1);
    assert_eq!(blocks.uncommitted[0].id.as_bytes(), b"BLOCKID00001");
    let other = account.head(&restored).await.unwrap().properties.etag.unwrap();
    assert_eq!(account.read(&restored, 0..100, &other).await.unwrap(), "x");

    let kept = account.delete(&place, &tag).await.unwrap_err();
    assert_eq!(kept.cause, Cause::Lease, "{kept}");
    account.break_lease(&place, &tag).await.unwrap();
    let head = account.head(&place).await.unwrap();
    assert_eq!(head.properties.lease.state, LeaseState::Broken);
    assert_eq!(head.properties.etag, Some(tag.clone()));
    assert_eq!(account.probe(&place, RESTORE).await, Ok(Probe::NotLeased));
    account.delete(&place, &tag).await.unwrap();
    assert_eq!(account.head(&place).await.unwrap_err().cause, Cause::NotFound);

    let ended = in_seconds(-120).truncated_to_second();
    let expired = Sas::parse(&azurite.sas("rl", ended)).unwrap();
    let fault = azurite
        .account(Credential::Sas(expired), false)
        .head(&restored)
        .await;
    assert_eq!(fault.unwrap_err().cause, Cause::Expired(Some(ended)));
    let looking = azurite.account(key(), false);
    let tag = account.head(&restored).await.unwrap().properties.etag.unwrap();
    let fault = looking.delete(&restored, &tag).await.unwrap_err();
    assert_eq!(fault.cause, Cause::NotAllowed, "{fault}");
    let wrong = Credential::from_key_text(azure_support::KEY).unwrap();
    let fault = azurite.account(wrong, false).head(&restored).await.unwrap_err();
    assert!(
        matches!(fault.cause, Cause::Refused | Cause::NotAllowed),
        "{fault}"
    );
    println!("{fault}");
}
