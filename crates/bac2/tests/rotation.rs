//! Keys and policies that change while `bac2 blob serve` runs: the accounts file by itself and by SIGHUP, and not at all
//! when it is wrong; stored policies by `bac2 sas policy`, with a server and without.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use azblob::grant::ResourceTypes;
use azblob::names::{AccountName, ContainerName};
use azblob::permission::Permissions;
use azblob::sas::{AccountSas, ServiceSas};
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;

const OLD: &str = "T2xkS2V5T2xkS2V5T2xkS2V5";
const NEW: &str = "TmV3S2V5TmV3S2V5TmV3S2V5";

struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Serves `data` with its file `accounts`; the log goes to `log`.
    fn start(data: &Path, log: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bac2"))
            .args(["blob", "serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("BAC2_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).expect(&line);
        let url = ready["urls"][0].as_str().unwrap();
        let address = url
            .strip_prefix("http://")
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        Server { child, address }
    }

    /// Whether a token signed with this key lists the container `box`: 404, since there is none, or 403.
    fn takes(&self, key: &str) -> bool {
        let expiry = UnixMillis(4_070_908_800_000);
        let sas = ServiceSas::of_container(ContainerName::new("box").unwrap(), Permissions::LIST, expiry);
        let token = sas.sign(
            &AccountName::new("vault01").unwrap(),
            &Secret::from_base64(key).unwrap(),
        );
        match self.lists(&token) {
            404 => true,
            403 => false,
            other => panic!("{other}"),
        }
    }

    /// The status of List Blobs with this token.
    fn lists(&self, token: &str) -> u16 {
        self.status(
            "GET",
            &format!("/vault01/box?restype=container&comp=list&{token}"),
        )
    }

    fn make_container(&self) {
        let token = AccountSas {
            version: ApiVersion::CURRENT,
            types: ResourceTypes::from("c"),
            permissions: Permissions::CREATE,
            start: None,
            expiry: UnixMillis(4_070_908_800_000),
            https_only: false,
            source: None,
        };
        let token = token.sign(
            &AccountName::new("vault01").unwrap(),
            &Secret::from_base64(OLD).unwrap(),
        );
        assert_eq!(
            self.status("PUT", &format!("/vault01/box?restype=container&{token}")),
            201
        );
    }

    fn status(&self, method: &str, target: &str) -> u16 {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n");
        write!(stream, "{head}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).expect(&answer).parse().unwrap()
    }

    fn hangup(&self) {
        let sent = Command::new("kill")
            .args(["-HUP", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill().is_ok() && self.child.wait().is_ok();
    }
}

#[track_caller]
fn soon(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(300);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_accounts_file_is_read_again_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("vault"), folder.path().join("log"));
    fs::create_dir(&data).unwrap();
    let file = data.join("accounts");
    let write = |text: &str| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write(&format!("vault01={OLD}\n"));
    let server = Server::start(&data, &log);
    assert!(server.takes(OLD) && !server.takes(NEW));

    write(&format!("vault01={OLD}\nvault01={NEW}\n"));
    soon("both keys are taken without a signal", || server.takes(NEW));
    assert!(server.takes(OLD));

    write("vault01=nonsense\n");
    server.hangup();
    let logged = || fs::read_to_string(&log).unwrap();
    soon("the log says that the file is wrong", || {
        logged().contains("AccountsFileInvalid")
    });
    assert!(server.takes(OLD) && server.takes(NEW));

    write(&format!("vault01={NEW}\n"));
    server.hangup();
    soon("the old key is gone", || !server.takes(OLD));
    assert!(server.takes(NEW));
    fs::remove_file(&file).unwrap();
    soon("the log says that the file is gone", || {
        logged().contains("FileNotFound")
    });
    assert!(server.takes(NEW));

    let log = logged();
    assert!(
        log.contains("\"operation\":\"ListBlobs\""),
        "requests are logged: {log}"
    );
    assert!(!log.contains("sig=") && !log.contains("nonsense"), "{log}");
    assert!(!log.contains(OLD) && !log.contains(NEW), "{log}");
}

fn bac2(line: &[&str], data: &Path) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bac2"));
    command
        .args(line)
        .arg("--data")
        .arg(data)
        .args(["--container", "box"])
        .output()
        .unwrap()
}

/// The policies as JSON.
fn policies(line: &[&str], data: &Path) -> serde_json::Value {
    let output = bac2(line, data);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn policies_are_set_and_revoked_by_the_owner_of_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("vault"), folder.path().join("log"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("accounts"), format!("vault01={OLD}\n")).unwrap();
    let server = Server::start(&data, &log);
    let missing = bac2(&["sas", "policy", "list"], &data);
    assert_eq!(missing.status.code(), Some(2), "there is no container yet");
    server.make_container();

    assert_eq!(policies(&["sas", "policy", "list"], &data), serde_json::json!([]));
    let set = policies(
        &["sas", "policy", "set", "nightly", "--expiry", "2099-01-01"],
        &data,
    );
    assert_eq!(
        set,
        serde_json::json!([{ "account": "vault01", "container": "box", "id": "nightly", "permissions": "rwdl",
            "starts": null, "expires": "2099-01-01" }])
    );
    let made = policies(&["sas", "create", "--policy", "nightly"], &data);
    let token = made["token"].as_str().unwrap().to_owned();
    assert_eq!(server.lists(&token), 200);
    policies(&["sas", "policy", "set", "nightly", "--permissions", "w"], &data);
    assert_eq!(server.lists(&token), 403, "changed at once");
    policies(&["sas", "policy", "set", "nightly"], &data);
    drop(server);

    // Nobody serves the directory now.
    let kept = policies(&["sas", "policy", "list"], &data);
    assert_eq!(kept[0]["permissions"], "rwdl");
    assert_eq!(
        policies(&["sas", "policy", "revoke", "nightly"], &data),
        serde_json::json!([])
    );
    assert_eq!(
        bac2(&["sas", "policy", "revoke", "nightly"], &data).status.code(),
        Some(2)
    );
    let server = Server::start(&data, &log);
    assert_eq!(server.lists(&token), 403, "revoked");
}
