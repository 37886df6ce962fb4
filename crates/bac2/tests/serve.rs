//! `bac2 blob serve` as a process: its ready line, what it refuses and how it says so, and an orderly end.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";

fn serve(data: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bac2"));
    command
        .args(["blob", "serve", "--listen", listen, "--data"])
        .arg(data);
    command
        .args(["--account", &format!("vault01={KEY}")])
        .stdin(Stdio::null());
    command
}

/// A server that is ready, and what its ready line says.
fn started(data: &Path) -> (Child, Value) {
    let mut child = serve(data, "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("a line");
    (
        child,
        serde_json::from_str(&line).expect("the ready line is JSON in a pipe"),
    )
}

fn refused(output: &Output, code: &str) {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(
        complaint.contains(&format!("[{code}]")) && complaint.contains("next: "),
        "{complaint}"
    );
    assert!(output.stdout.is_empty(), "nothing is ready");
}

#[test]
fn it_says_when_it_is_ready_and_stops_when_asked() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("vault");
    let (mut child, ready) = started(&data);
    assert_eq!(ready["ready"], true);
    let url = ready["urls"][0].as_str().expect("a URL");
    assert!(
        url.starts_with("http://127.0.0.1:") && url.ends_with("/vault01"),
        "{url}"
    );

    let list = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(["blob", "list", "--data"])
        .arg(&data)
        .output()
        .expect("the binary starts");
    assert_eq!(
        String::from_utf8_lossy(&list.stdout).trim(),
        "[]",
        "the running server answers"
    );

    refused(
        &serve(&data, "127.0.0.1:0").output().expect("it ends"),
        "StoreInUse",
    );

    let asked = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .expect("kill is there");
    assert!(asked.success());
    assert_eq!(
        child.wait().expect("it ends").code(),
        Some(0),
        "SIGTERM is an orderly end"
    );
}

#[test]
fn a_killed_server_leaves_a_directory_that_opens_again() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("vault");
    for _ in 0..2 {
        let (mut child, _) = started(&data);
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }
    let list = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(["blob", "list", "--data"])
        .arg(&data)
        .output()
        .expect("the binary starts");
    assert_eq!(
        list.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&list.stderr)
    );
}

#[test]
fn what_cannot_be_served_is_refused_with_the_reason() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("vault");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    refused(&serve(&data, &address).output().expect("it ends"), "PortInUse");

    refused(
        &serve(&data, "0.0.0.0:0").output().expect("it ends"),
        "KeyInArguments",
    );
    let accounts = folder.path().join("accounts");
    fs::write(&accounts, format!("vault01={KEY}\n")).expect("writable");
    let mut outside = Command::new(env!("CARGO_BIN_EXE_bac2"));
    outside
        .args(["blob", "serve", "--listen", "0.0.0.0:0", "--data"])
        .arg(&data);
    outside.arg("--accounts-file").arg(&accounts);
    refused(&outside.output().expect("it ends"), "PlainHttpNotLoopback");

    let file = folder.path().join("a file");
    fs::write(&file, "").expect("writable");
    refused(
        &serve(&file, "127.0.0.1:0").output().expect("it ends"),
        "StoreUnreadable",
    );
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("vault");
    let (mut child, _) = started(&data);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let record = data.join("store.json");
    let text = fs::read_to_string(&record).expect("the store's record");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["format"] = Value::from(999);
    fs::write(&record, value.to_string()).expect("writable");
    refused(
        &serve(&data, "127.0.0.1:0").output().expect("it ends"),
        "StoreTooNew",
    );
    assert_eq!(
        fs::read_to_string(&record).expect("still there"),
        value.to_string()
    );
}
