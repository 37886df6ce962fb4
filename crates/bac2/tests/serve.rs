//! `bac2 blob serve` as a process: its ready line, what it refuses and how it says so, and an orderly end.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
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

#[test]
fn the_request_log_says_who_did_what_and_no_secret() {
    let folder = TempDir::new().expect("a folder");
    let log = folder.path().join("log");
    let mut child = serve(&folder.path().join("vault"), "127.0.0.1:0")
        .env("BAC2_LOG", "info,frontdoor::request_log=debug")
        .env("BAC2_LOG_FORMAT", "json")
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).expect("writable"))
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut line).expect("a line");
    let ready: Value = serde_json::from_str(&line).expect("JSON");
    let url = ready["urls"][0].as_str().expect("a URL");
    let address = url.trim_start_matches("http://").trim_end_matches("/vault01");
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = "GET /vault01/box/sales/a.bak?sv=2021-12-02&sig=c2VjcmV0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                   User-Agent: SQLBLOBACCESS\r\nx-ms-client-request-id: 4711\r\n\
                   Authorization: SharedKey vault01:c2VjcmV0\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let request_id = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-ms-request-id: "))
        .expect("an id");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let text = fs::read_to_string(&log).expect("readable");
    assert!(!text.contains("c2VjcmV0"), "{text}");
    let line = text
        .lines()
        .find(|line| line.contains("\"message\":\"request\""))
        .expect("a line of the request");
    let line: Value = serde_json::from_str(line).expect("JSON");
    for (field, value) in [
        ("request_id", request_id),
        ("client_request_id", "4711"),
        ("scheme", "http"),
        ("account", "vault01"),
        ("blob", "box/sales/a.bak"),
        ("agent", "SQLBLOBACCESS"),
    ] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    let status = answer.split(' ').nth(1).expect("a status");
    assert_eq!(line["status"].to_string(), status);
    assert!(
        line["code"].is_string() && line["ms"].is_number() && line["operation"].is_string(),
        "{line}"
    );
    assert!(line["client"].as_str().expect("text").starts_with("127.0.0.1:"));
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    assert_eq!(line["bytes_out"], body.len());
}
