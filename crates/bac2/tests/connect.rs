//! `bac2 blob serve --tls`, `bac2 ca` and `bac2 blob connect` as processes: what a person does on the first day.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";

fn bac2(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn said(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn refused(output: &Output, code: &str) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains(&format!("[{code}]")), "{complaint}");
    complaint
}

/// A vault with accounts, served with TLS; ends with this.
struct Served {
    child: Child,
    ready: Value,
}

impl Served {
    fn start(data: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bac2"))
            .args(["blob", "serve", "--tls", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(&line).expect("the ready line is JSON in a pipe");
        Served { child, ready }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

fn vault(accounts: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("vault");
    fs::create_dir(&data).expect("writable");
    fs::write(data.join("accounts"), accounts).expect("writable");
    (folder, data)
}

#[test]
fn the_first_day_of_a_vault() {
    let (_folder, data) = vault(&format!("vault01={KEY}\n"));
    let path = data.to_str().expect("text");
    refused(&bac2(&["ca", "export", "--data", path]), "NoAuthority");
    let served = Served::start(
        &data,
        &["--host", "backup.example", "--health-listen", "127.0.0.1:0"],
    );
    let url = served.ready["urls"][0].as_str().expect("a URL");
    assert!(
        url.starts_with("https://backup.example:") && url.ends_with("/vault01"),
        "{url}"
    );
    assert!(
        served.ready["health"]
            .as_str()
            .expect("a URL")
            .ends_with("/-/health")
    );

    let pem = said(&bac2(&["ca", "export", "--data", path]));
    assert_eq!(pem.matches("-----BEGIN CERTIFICATE-----").count(), 1);
    let shown: Value = serde_json::from_str(&said(&bac2(&["ca", "show", "--data", path]))).expect("JSON");
    assert_eq!(shown[0]["hosts"], serde_json::json!(["backup.example"]));

    let connect = |more: &[&str]| {
        let line = ["blob", "connect", "--data", path, "--container", "backups"];
        bac2(&[&line[..], more].concat())
    };
    let made: Value =
        serde_json::from_str(&said(&connect(&["--create-container", "--database", "it's"]))).expect("JSON");
    assert_eq!(made["url"], "https://backup.example/backups");
    assert_eq!(made["credential"]["name"], made["url"]);
    let secret = made["credential"]["secret"].as_str().expect("text");
    assert!(
        secret.len() <= 256 && !secret.starts_with('?') && secret.contains("sig="),
        "{secret}"
    );
    assert_eq!(made["containerCreated"], true);
    assert_eq!(made["authorities"][0]["pem"].as_str(), Some(&*pem));
    assert_eq!(made["blobNameMax"], 259 - "https://backup.example/backups/".len());
    let again: Value = serde_json::from_str(&said(&connect(&["--create-container"]))).expect("JSON");
    assert_eq!(again["containerCreated"], false);

    let text = said(&connect(&["-o", "table", "--windows"]));
    for word in [
        "Cert:\\LocalMachine\\Root",
        "CREATE CREDENTIAL [https://backup.example/backups]",
        "port 443",
    ] {
        assert!(text.contains(word), "{word}\n{text}");
    }
    assert!(!text.contains("/var/opt/mssql") && !text.contains(KEY));
    let text = said(&connect(&["-o", "table", "--linux"]));
    assert!(text.contains("/var/opt/mssql/security/ca-certificates") && !text.contains("LocalMachine"));
    let page = said(&connect(&["-o", "table", "--mode", "page"]));
    assert!(page.contains(&format!("SECRET = '{KEY}'")) && page.contains("IDENTITY = 'vault01'"));
    refused(&connect(&["--host", "10.0.0.7"]), "DnsNameNeeded");
    let label = "a".repeat(60);
    refused(
        &connect(&["--host", &format!("{label}.{label}.example")]),
        "CredentialNameTooLong",
    );
}

#[test]
fn the_host_is_needed_where_nothing_says_it_and_the_account_where_there_are_two() {
    let (_folder, data) = vault(&format!("vault01={KEY}\nvault02={KEY}\n"));
    let path = data.to_str().expect("text");
    let connect = |more: &[&str]| {
        let line = ["blob", "connect", "--data", path, "--container", "backups"];
        bac2(&[&line[..], more].concat())
    };
    refused(&connect(&[]), "WhichAccount");
    refused(&connect(&["--account", "vault02"]), "NoHost");
    let made = said(&connect(&[
        "--account",
        "vault02",
        "--host",
        "backup.example",
        "--create-container",
    ]));
    let made: Value = serde_json::from_str(&made).expect("JSON");
    assert_eq!(made["url"], "https://vault02.backup.example/backups");
    assert_eq!(
        made["trust"]["windows"],
        Value::Null,
        "this vault has no authority"
    );
    assert_eq!(made["containerCreated"], true, "no server runs");

    // Its URLs would be read as the account's own.
    let line = ["blob", "connect", "--data", path, "--account", "vault02"];
    let more = [
        "--container",
        "vault02",
        "--host",
        "backup.example",
        "--create-container",
    ];
    refused(&bac2(&[&line[..], &more].concat()), "ContainerNamedAsAccount");
}

#[test]
fn a_host_that_the_authority_does_not_cover_is_refused_with_the_way_out() {
    let (_folder, data) = vault(&format!("vault01={KEY}\n"));
    let path = data.to_str().expect("text");
    drop(Served::start(&data, &["--host", "old.example"]));
    let serve = [
        "blob",
        "serve",
        "--data",
        path,
        "--tls",
        "--listen",
        "127.0.0.1:0",
        "--host",
        "new.example",
    ];
    let complaint = refused(&bac2(&serve), "HostNotCovered");
    assert!(
        complaint.contains(&format!("bac2 ca renew --data {path} --host new.example")),
        "{complaint}"
    );
    said(&bac2(&["ca", "renew", "--data", path, "--host", "new.example"]));
    let served = Served::start(&data, &["--host", "old.example", "--host", "new.example"]);
    assert_eq!(served.ready["urls"].as_array().expect("a list").len(), 2);
    let pem = said(&bac2(&["ca", "export", "--data", path]));
    assert_eq!(
        pem.matches("-----BEGIN CERTIFICATE-----").count(),
        2,
        "clients are given both"
    );
}

#[test]
fn a_new_certificate_of_ones_own_is_taken_at_a_signal() {
    let (folder, data) = vault(&format!("vault01={KEY}\n"));
    let authorities = folder.path().join("other");
    for _ in 0..2 {
        drop(Served::start(
            &authorities,
            &["--account", &format!("vault01={KEY}")],
        ));
        said(&bac2(&[
            "ca",
            "renew",
            "--data",
            authorities.to_str().expect("text"),
        ]));
    }
    // Any certificate with its key will do here.
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let bring = |number: u32| {
        for (own, kind) in [(&certificate, "pem"), (&key, "key")] {
            fs::copy(authorities.join(format!("tls/ca-{number}.{kind}")), own).expect("readable");
        }
    };
    bring(1);
    let log = folder.path().join("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args([
            "blob",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data.to_str().expect("text"),
        ])
        .arg("--tls-cert")
        .arg(&certificate)
        .arg("--tls-key")
        .arg(&key)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).expect("writable"))
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut line).expect("a line");
    let told = |word: &str| {
        let pid = child.id().to_string();
        let sent = Command::new("kill")
            .args(["-HUP", &pid])
            .status()
            .expect("kill is there");
        assert!(sent.success());
        let since = std::time::Instant::now();
        while !fs::read_to_string(&log).expect("readable").contains(word) {
            assert!(
                since.elapsed().as_secs() < 300,
                "{word}: {}",
                fs::read_to_string(&log).expect("readable")
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    bring(2);
    told("serving a new certificate");
    fs::write(&key, "nonsense").expect("writable");
    told("k.pem cannot be used");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn a_certificate_that_does_not_fit_its_key_is_refused() {
    let (folder, data) = vault(&format!("vault01={KEY}\n"));
    drop(Served::start(&data, &[]));
    let file = |name: &str| data.join("tls").join(name).to_str().expect("text").to_owned();
    said(&bac2(&["ca", "renew", "--data", data.to_str().expect("text")]));
    let (one, two) = (file("ca-1.pem"), file("ca-2.key"));
    let serve = |certificate: &str, key: &str| {
        let other = folder.path().join("other");
        let data = other.to_str().expect("text");
        let listen = ["--listen", "127.0.0.1:0", "--account", &format!("vault01={KEY}")];
        let tls = [
            "blob",
            "serve",
            "--data",
            data,
            "--tls-cert",
            certificate,
            "--tls-key",
            key,
        ];
        bac2(&[&tls[..], &listen].concat())
    };
    refused(&serve(&one, &two), "CertificateKeyMismatch");
    refused(&serve(&two, &two), "CertificateUnusable");
    refused(&serve(&one, "/nowhere/key.pem"), "FileNotFound");
}
