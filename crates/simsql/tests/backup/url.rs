//! BACKUP TO URL against a blob in memory: the blocks that go out, and what of them is there when it fails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bak::{Verdict, Verifier};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use simsql::instance::Version;
use simsql::instance::server::StoredCredential;
use simsql::memory::Memory;
use simsql::moment::Moment;
use simsql::tsql::backup::BackupStatement;
use simsql::tsql::device::DeviceName;
use simsql::tsql::statement::Word;
use simsql::value::Value;
use simsql::world::{Wire, WireError, World};

use crate::support::{Place, SHOP, With, full, log, numbers, settings, value};

const URL: &str = "https://vault.test/shop/one.bak";

/// Blobs by path: blocks by id, and what was committed.
#[derive(Default)]
struct Blobs {
    blocks: BTreeMap<(String, String), Bytes>,
    committed: BTreeMap<String, Vec<Bytes>>,
    /// So many blocks are taken, then every one is refused.
    room: Option<usize>,
    deleted: usize,
}

struct Door(Arc<Mutex<Blobs>>);

#[async_trait]
impl Wire for Door {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, WireError> {
        let mut blobs = self.0.lock().unwrap();
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let part = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let status = match (request.method(), part("comp").as_deref()) {
            (&Method::HEAD, _) if !blobs.committed.contains_key(&path) => StatusCode::NOT_FOUND,
            (&Method::HEAD, _) => StatusCode::OK,
            (&Method::PUT, Some("block")) => {
                if blobs.room.is_some_and(|room| blobs.blocks.len() >= room) {
                    StatusCode::FORBIDDEN
                } else {
                    let id = part("blockid").unwrap();
                    blobs.blocks.insert((path, id), request.into_body());
                    StatusCode::CREATED
                }
            }
            (&Method::PUT, Some("blocklist")) => {
                let list = String::from_utf8(request.into_body().to_vec()).unwrap();
                let ids = list.split("<Latest>").skip(1);
                let ids = ids.map(|rest| rest.split('<').next().unwrap_or_default().to_owned());
                let blocks = ids.map(|id| blobs.blocks[&(path.clone(), id)].clone()).collect();
                blobs.committed.insert(path, blocks);
                StatusCode::CREATED
            }
            (&Method::DELETE, _) => {
                blobs.committed.remove(&path);
                blobs.deleted += 1;
                StatusCode::ACCEPTED
            }
            (&Method::PUT, Some("lease")) if part("x").is_none() => StatusCode::CREATED,
            (&Method::PUT, _) => {
                blobs.committed.insert(path, Vec::new());
                StatusCode::CREATED
            }
            _ => StatusCode::BAD_REQUEST,
        };
        let answer = Response::builder()
            .status(status)
            .header("x-ms-version", "2014-02-14");
        Ok(answer.body(Bytes::new()).unwrap())
    }
}

fn place() -> (Place, Arc<Mutex<Blobs>>) {
    let memory = Memory::new(7);
    let blobs = Arc::new(Mutex::new(Blobs::default()));
    let world = World {
        wire: Arc::new(Door(Arc::clone(&blobs))),
        ..memory.world.clone()
    };
    let place = Place::in_world(Memory { world, ..memory }, settings(Version::V2022));
    let credential = StoredCredential {
        id: 1,
        identity: "SHARED ACCESS SIGNATURE".to_owned(),
        secret: "sv=1&sig=none".to_owned(),
        created: Moment(0),
        modified: Moment(0),
    };
    let name = "https://vault.test/shop".to_owned();
    place.instance.state().server.credentials.insert(name, credential);
    (place, blobs)
}

fn to_url(mut statement: BackupStatement, url: &str) -> BackupStatement {
    statement.devices = vec![DeviceName::Url(Word::Literal(url.to_owned()))];
    statement
}

fn blocks(blobs: &Mutex<Blobs>, path: &str) -> Vec<Bytes> {
    blobs.lock().unwrap().committed[path].clone()
}

fn verdict(blocks: &[Bytes]) -> Verdict {
    let mut verifier = Verifier::new();
    for block in blocks {
        verifier.push(block);
    }
    verifier.finish().verdict
}

#[test]
fn blocks_are_framed_as_in_a_real_block_list() {
    let (place, blobs) = place();
    place.backup_ok(&to_url(full(""), URL).with(|options| options.max_transfer_size = Some(4 << 20)));
    assert_eq!(verdict(&blocks(&blobs, "/shop/one.bak")), Verdict::Ok);
    // Log within one virtual log file.
    place.backup_ok(&log("NUL"));
    place.add_rows(2);
    place.backup_ok(&to_url(log(""), "https://vault.test/shop/two.trn"));
    let blocks = blocks(&blobs, "/shop/two.trn");
    assert_eq!(verdict(&blocks), Verdict::Ok);
    // A real log backup of a small database: three blocks of 64 KiB ahead, one with the log, six of 64 KiB behind.
    let sizes: Vec<usize> = blocks.iter().map(|block| block.len() / 65_536).collect();
    assert!(blocks.iter().all(|block| block.len().is_multiple_of(65_536)));
    assert_eq!(sizes.len(), 10, "{sizes:?}");
    assert_eq!((&sizes[..3], &sizes[4..]), (&[1; 3][..], &[1; 6][..]));
    let families = place.msdb("backupmediafamily");
    assert_eq!(value(&families[0], "device_type"), &Value::Integer(9));
    assert_eq!(
        value(&families[0], "physical_block_size"),
        &Value::Integer(65_536)
    );
}

#[test]
fn compressed_stripes_to_urls() {
    let (place, blobs) = place();
    let mut statement = full("").with(|options| options.compression = Some(true));
    let urls = ["https://vault.test/shop/s1.bak", "https://vault.test/shop/s2.bak"];
    statement.devices = urls
        .iter()
        .map(|url| DeviceName::Url(Word::Literal((*url).to_owned())))
        .collect();
    place.backup_ok(&statement);
    let reports: Vec<_> = ["/shop/s1.bak", "/shop/s2.bak"]
        .iter()
        .map(|path| {
            let mut verifier = Verifier::new();
            for block in blocks(&blobs, path) {
                verifier.push(&block);
            }
            verifier.finish()
        })
        .collect();
    let judged = bak::stripes::judge(&reports);
    assert!(
        judged.iter().all(|judged| judged.verdict == Verdict::Ok),
        "{judged:?}"
    );
}

#[test]
fn a_blob_that_is_there_is_not_overwritten_and_a_failed_backup_is_cleaned_up() {
    let (place, blobs) = place();
    place.backup_ok(&to_url(full(""), URL));
    let statement = to_url(full(""), URL);
    let (outcome, _) = place.backup(&statement);
    assert_eq!(numbers(&outcome.unwrap_err()), [3271, 3013]);
    place.backup_ok(&statement.with(|options| options.format = Some(true)));
    let base = place.engine(SHOP, |engine| engine.boot().differential_base);
    let taken = blobs.lock().unwrap().blocks.len();
    blobs.lock().unwrap().room = Some(taken + 4);
    let (outcome, _) = place.backup(&to_url(full(""), "https://vault.test/shop/three.bak"));
    let told = numbers(&outcome.unwrap_err());
    assert_eq!(told.last(), Some(&3013), "{told:?}");
    assert_eq!(blobs.lock().unwrap().deleted, 1);
    assert_eq!(place.engine(SHOP, |engine| engine.boot().differential_base), base);
    // No credential for it.
    let (outcome, _) = place.backup(&to_url(full(""), "https://other.test/shop/a.bak"));
    assert_eq!(numbers(&outcome.unwrap_err()), [3201, 3013]);
}
