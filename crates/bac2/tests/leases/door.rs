//! A vault's door as a process, a client of it that does what SQL Server does, and the command under test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use azblob::block::{BlockId, BlockList, BlockSource};
use azblob::conditions::Conditions;
use azblob::lease::{LeaseAction, LeaseDuration, LeaseId};
use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::page::{PageRange, SequenceCondition};
use azblob::request::{
    AddressStyle, BlobOperation, BlobPath, ContainerOperation, Endpoint, Operation, PutBlob, PutBlock,
    PutBlockList, PutPage, PutPageBlob, Request,
};
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use bak::writer::sample::{Sample, SampleKind};
use serde_json::Value;
use tempfile::TempDir;

/// The bytes of a key, in Base64; looked for in everything that is printed.
pub(crate) const KEY: &str = "c2VjcmV0LWtleS1vZi10aGUtdGVzdC1hY2NvdW50ISE=";
const ACCOUNT: &str = "vault01";

/// A running door on a folder of its own.
pub(crate) struct Door {
    _child: Serving,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
}

/// A server, ended with its test.
pub(crate) struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.0.kill().is_err();
        let _gone = self.0.wait().is_err();
    }
}

/// Serves a folder; gives the account's URL once it is ready.
pub(crate) fn serving(data: &Path, accounts: &Path, more: &[&str]) -> (Serving, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(["blob", "serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .arg("--accounts-file")
        .arg(accounts)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("a line");
    let ready: Value = serde_json::from_str(&line).expect("JSON");
    let url = ready["urls"][0].as_str().expect("a URL").to_owned();
    (Serving(child), url)
}

impl Door {
    /// Starts it, with a container `backups`.
    pub(crate) fn open() -> Self {
        let folder = TempDir::new().expect("a folder");
        let accounts = folder.path().join("accounts");
        fs::write(&accounts, format!("{ACCOUNT}={KEY}\n")).expect("writable");
        owner_only(&accounts);
        let (child, url) = serving(&folder.path().join("vault"), &accounts, &[]);
        let address = url.trim_start_matches("http://").trim_end_matches("/vault01");
        let door = Self {
            _child: child,
            address: address.parse().expect("an address"),
            folder,
        };
        door.client().make_container("backups");
        door
    }

    pub(crate) fn client(&self) -> Client {
        Client {
            stream: BufReader::new(TcpStream::connect(self.address).expect("it listens")),
            address: self.address,
        }
    }

    /// Where the account is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/{ACCOUNT}", self.address)
    }

    pub(crate) fn accounts(&self) -> PathBuf {
        self.folder.path().join("accounts")
    }

    /// Runs `bac2 leases` on the account, with the key.
    pub(crate) fn leases(&self, words: &[&str]) -> Run {
        leases_at(&self.url(), &self.accounts(), words)
    }

    /// The same by way of a door that keeps its testimony to itself, as every other account does.
    pub(crate) fn leases_as_stranger(&self, words: &[&str]) -> Run {
        let address = silent_door(self.address);
        leases_at(&format!("http://{address}/{ACCOUNT}"), &self.accounts(), words)
    }
}

fn owner_only(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// `bac2 leases` ready to be run, its input empty.
pub(crate) fn command(url: &str, accounts: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bac2"));
    command
        .args(["leases", words[0], "--account-url", url, "--account-key-file"])
        .arg(accounts)
        .args(&words[1..])
        .stdin(Stdio::null());
    command
}

fn leases_at(url: &str, accounts: &Path, words: &[&str]) -> Run {
    Run::of(command(url, accounts, words).output().expect("the binary starts"))
}

/// What a run said.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// Nothing that is said holds the key.
    pub(crate) fn of(output: Output) -> Self {
        let run = Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        };
        for text in [&run.out, &run.err] {
            assert!(!text.contains(KEY) && !text.contains("sig="), "a secret: {text}");
        }
        run
    }

    /// The rows of a JSON answer.
    pub(crate) fn rows(&self) -> Vec<Value> {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }

    /// Blob and action of each row, in order.
    pub(crate) fn actions(&self) -> Vec<(String, String)> {
        let word = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
        self.rows()
            .iter()
            .map(|row| (word(row, "blob"), word(row, "action")))
            .collect()
    }

    /// The row of a blob.
    pub(crate) fn row(&self, blob: &str) -> Value {
        let rows = self.rows();
        let row = rows.iter().find(|row| row["blob"] == blob);
        row.unwrap_or_else(|| panic!("{blob} in {}", self.out)).clone()
    }

    /// Exit code 2, a code, a next step, and no answer.
    pub(crate) fn assert_refused(&self, code: &str) {
        assert_eq!(self.code, Some(2), "{}", self.err);
        assert!(
            self.err.contains(&format!("[{code}]")) && self.err.contains("next: "),
            "{}",
            self.err
        );
        assert!(self.out.is_empty(), "{}", self.out);
    }
}

/// Passes everything on to the door, but renames the header by which it testifies: then nobody does.
fn silent_door(door: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let Ok(server) = TcpStream::connect(door) else {
                return;
            };
            let (mut from_client, mut to_server) = (
                client.try_clone().expect("cloned"),
                server.try_clone().expect("cloned"),
            );
            thread::spawn(move || {
                let _gone = std::io::copy(&mut from_client, &mut to_server).is_err();
                let _gone = to_server.shutdown(std::net::Shutdown::Write).is_err();
            });
            thread::spawn(move || silence(server, client));
        }
    });
    address
}

fn silence(mut server: TcpStream, mut client: TcpStream) {
    const NAME: &[u8] = b"x-bac2-lease-witness";
    const OTHER: &[u8] = b"x-nobody-says-aught-";
    let mut held = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = server.read(&mut buffer).unwrap_or(0);
        held.extend_from_slice(&buffer[..read]);
        while let Some(at) = held
            .windows(NAME.len())
            .position(|window| window.eq_ignore_ascii_case(NAME))
        {
            held[at..at + NAME.len()].copy_from_slice(OTHER);
        }
        // A name that is cut in two waits for its other half.
        let cut = (1..NAME.len())
            .rev()
            .find(|length| held.ends_with(&NAME[..*length]));
        let ready = if read == 0 {
            held.len()
        } else {
            held.len() - cut.unwrap_or(0)
        };
        if client.write_all(&held[..ready]).is_err() || read == 0 {
            let _gone = client.shutdown(std::net::Shutdown::Both).is_err();
            return;
        }
        held.drain(..ready);
    }
}

/// One connection to the door, that stays open until it is dropped.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

pub(crate) fn path(blob: &str) -> BlobPath {
    let (container, blob) = blob.split_once('/').expect("container/name");
    BlobPath {
        container: ContainerName::new(container).expect("a name"),
        blob: BlobName::new(blob).expect("a name"),
    }
}

/// The answer's status and error code.
pub(crate) type Answer = (u16, Option<String>);

impl Client {
    /// Asks, and reads the answer.
    pub(crate) fn ask(&mut self, operation: Operation, body: &[u8]) -> Answer {
        let is_head = matches!(
            &operation,
            Operation::Blob(_, BlobOperation::GetProperties { .. })
        );
        let request = Request {
            account: AccountName::new(ACCOUNT).expect("a name"),
            operation,
            version: ApiVersion::CURRENT,
            client_request_id: None,
        };
        let endpoint = Endpoint {
            origin: format!("http://{}", self.address),
            style: AddressStyle::Path,
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let now = UnixMillis(i64::try_from(since.as_millis()).expect("small"));
        let secret = Secret::from_base64(KEY).expect("a key");
        let (head, ()) = request
            .build(&endpoint, now, Some(&secret))
            .expect("a request")
            .into_parts();
        let mut text = format!(
            "{} {} HTTP/1.1\r\n",
            head.method,
            head.uri.path_and_query().expect("a path")
        );
        for (name, value) in &head.headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().expect("ASCII")));
        }
        text.push_str("\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(text.as_bytes()).expect("it reads");
        stream.write_all(body).expect("it reads");
        self.answer(is_head)
    }

    fn answer(&mut self, is_head: bool) -> Answer {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer");
        let status = line
            .split(' ')
            .nth(1)
            .expect("a status")
            .parse()
            .expect("a number");
        let (mut length, mut code) = (0, None);
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a number"),
                "x-ms-error-code" => code = Some(value.to_owned()),
                _ => {}
            }
        }
        if !is_head {
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).expect("a body");
        }
        (status, code)
    }

    fn blob(&mut self, blob: &str, operation: BlobOperation, body: &[u8]) {
        let name = format!("{operation:?}");
        let (status, code) = self.ask(Operation::Blob(path(blob), operation), body);
        assert!((200..300).contains(&status), "{status} {code:?} to {name}");
    }

    pub(crate) fn make_container(&mut self, name: &str) {
        let create = ContainerOperation::Create {
            metadata: Metadata::default(),
        };
        let name = ContainerName::new(name).expect("a name");
        let (status, _) = self.ask(Operation::Container(name, create), b"");
        assert_eq!(status, 201);
    }

    /// Puts a block blob whole.
    pub(crate) fn put(&mut self, blob: &str, bytes: &[u8]) {
        let put = PutBlob {
            length: bytes.len() as u64,
            ..PutBlob::default()
        };
        self.blob(blob, BlobOperation::Put(put), bytes);
    }

    /// Takes a lease, under `id` if that is given; for ever, or for so many seconds.
    pub(crate) fn lease(&mut self, blob: &str, id: LeaseId, seconds: Option<u32>) {
        let action = LeaseAction::Acquire {
            proposed: Some(id),
            duration: seconds.map_or(LeaseDuration::Infinite, LeaseDuration::Seconds),
        };
        self.blob(
            blob,
            BlobOperation::Lease {
                action,
                conditions: Conditions::default(),
            },
            b"",
        );
    }

    pub(crate) fn release(&mut self, blob: &str, id: LeaseId) {
        let action = LeaseAction::Release { id };
        self.blob(
            blob,
            BlobOperation::Lease {
                action,
                conditions: Conditions::default(),
            },
            b"",
        );
    }

    /// Puts a block under a lease, with an id as SQL Server's.
    pub(crate) fn put_block(&mut self, blob: &str, lease: LeaseId, number: u32, bytes: &[u8]) {
        let put = PutBlock {
            id: block_id(number),
            length: bytes.len() as u64,
            lease_id: Some(lease),
            checksum: None,
        };
        self.blob(blob, BlobOperation::PutBlock(put), bytes);
    }

    pub(crate) fn commit(&mut self, blob: &str, lease: LeaseId, numbers: std::ops::Range<u32>) {
        let blocks = numbers.map(|number| (BlockSource::Latest, block_id(number)));
        let list = BlockList(blocks.collect()).render();
        let put = PutBlockList {
            length: list.len() as u64,
            lease_id: Some(lease),
            ..PutBlockList::default()
        };
        self.blob(blob, BlobOperation::PutBlockList(put), list.as_ref());
    }

    pub(crate) fn put_pages(&mut self, blob: &str, lease: LeaseId, start: u64, bytes: &[u8]) {
        let range = PageRange::new(start, start + bytes.len() as u64 - 1).expect("whole pages");
        let put = PutPage {
            range,
            lease_id: Some(lease),
            conditions: Conditions::default(),
            sequence: SequenceCondition::default(),
            checksum: None,
        };
        self.blob(blob, BlobOperation::PutPage(put), bytes);
    }

    pub(crate) fn make_pages(&mut self, blob: &str, size: u64) {
        self.blob(
            blob,
            BlobOperation::PutPageBlob(PutPageBlob {
                size,
                ..PutPageBlob::default()
            }),
            b"",
        );
    }

    /// The status and code of an overwrite without a lease.
    pub(crate) fn try_overwrite(&mut self, blob: &str) -> Answer {
        self.ask(
            Operation::Blob(path(blob), BlobOperation::Put(PutBlob::default())),
            b"",
        )
    }

    /// The status of a look: 404 when it is gone.
    pub(crate) fn look(&mut self, blob: &str) -> u16 {
        let look = BlobOperation::GetProperties {
            snapshot: None,
            lease_id: None,
            conditions: Conditions::default(),
        };
        self.ask(Operation::Blob(path(blob), look), b"").0
    }
}

fn block_id(number: u32) -> BlockId {
    BlockId::from_bytes(format!("BLOCKID{number:05}").as_bytes()).expect("short enough")
}

/// A whole backup of the database `name`.
pub(crate) fn backup(name: &str) -> Vec<u8> {
    let sample = Sample {
        database_name: name.to_owned(),
        ..Sample::default()
    };
    sample.backup(SampleKind::Full, 1)
}

impl Door {
    /// A backup to pages that died half-way: half of its bytes are there, its blob is as large as it was to become.
    pub(crate) fn dead_page_backup(&self, blob: &str) {
        let bytes = backup("Sales");
        let half = bytes.len() / 2 / 512 * 512;
        let mut client = self.client();
        client.make_pages(blob, 16 << 20);
        client.lease(blob, own_lease(1), None);
        client.put_pages(blob, own_lease(1), 0, &bytes[..half]);
    }

    /// A backup to blocks that died half-way: nothing is committed.
    pub(crate) fn dead_block_backup(&self, blob: &str) {
        let mut client = self.live_block_backup(blob);
        client.put_block(blob, own_lease(2), 1, &[2; 4096]);
    }

    /// A backup to blocks whose connection is open.
    pub(crate) fn live_block_backup(&self, blob: &str) -> Client {
        let mut client = self.client();
        client.put(blob, b"");
        client.lease(blob, own_lease(2), None);
        client.put_block(blob, own_lease(2), 0, &backup("Sales")[..64 * 1024]);
        client
    }

    /// A whole backup under the lease of a restore that died.
    pub(crate) fn dead_restore(&self, blob: &str) {
        let mut client = self.client();
        client.put(blob, &backup("Sales"));
        client.lease(blob, LeaseId::RESTORE, None);
    }
}

/// The lease of a backup.
pub(crate) fn own_lease(number: u128) -> LeaseId {
    LeaseId::from_u128(0x1111_2222_3333_4444_5555_6666_0000_0000 + number)
}
