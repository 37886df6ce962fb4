//! `bac2 blob seal` and `unseal` as a process: with a server on the folder and without one, asked and told.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use bak::writer::sample::{Sample, SampleKind};
use blobstore::disk::real::RealDisk;
use blobstore::{BlobPath, Options, Permit, Properties, Store, SystemClock};
use serde_json::Value;
use tempfile::TempDir;

/// A store with two backups and an empty blob in `backups`, and one backup in `other`.
fn vault() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("vault");
    let store = open(&data);
    let full = Sample::default().backup(SampleKind::Full, 1);
    for (container, name, bytes) in [
        ("backups", "full-1.bak", full.as_slice()),
        ("backups", "full-2.bak", &full),
        ("backups", "empty.bak", b""),
        ("other", "full-1.bak", &full),
    ] {
        let at = path(container, name);
        let _there = store.create_container(&at.account, &at.container, Metadata::default());
        let mut writer = store
            .begin_blob(&at, bytes.len() as u64, &Permit::NONE)
            .expect("begun");
        writer.write(bytes).expect("written");
        writer
            .commit(Properties::default(), &Permit::NONE)
            .expect("stored");
    }
    (folder, data)
}

fn open(data: &Path) -> Store {
    let options = Options {
        reserve_bytes: 0,
        ..Options::new(data)
    };
    Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &options).expect("a store")
}

fn path(container: &str, name: &str) -> BlobPath {
    BlobPath {
        account: AccountName::new("vault01").expect("a name"),
        container: ContainerName::new(container).expect("a name"),
        blob: BlobName::new(name).expect("a name"),
    }
}

fn bac2(data: &Path, words: &[&str], typed: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(["blob", words[0], "--data"])
        .arg(data)
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // A command that asks nothing does not read.
    let _unread = child
        .stdin
        .take()
        .expect("piped")
        .write_all(typed.as_bytes())
        .is_err();
    child.wait_with_output().expect("it ends")
}

/// Name and status of each blob, in order.
fn deeds(output: &Output) -> Vec<(String, String)> {
    let answer: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let word = |deed: &Value, field: &str| deed[field].as_str().expect("a word").to_owned();
    answer
        .iter()
        .map(|deed| (word(deed, "name"), word(deed, "status")))
        .collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|(name, status)| ((*name).to_owned(), (*status).to_owned()))
        .collect()
}

fn sealed_blobs(data: &Path) -> Vec<String> {
    let list = bac2(data, &["list", "-o", "json"], "");
    let entries: Vec<Value> = serde_json::from_slice(&list.stdout).expect("a list");
    let sealed = entries.iter().filter(|entry| entry["sealed"] == true);
    sealed
        .map(|entry| format!("{}/{}", entry["container"], entry["name"]).replace('"', ""))
        .collect()
}

#[test]
fn without_a_server_the_folder_itself_is_opened() {
    let (_folder, data) = vault();
    let planned = bac2(&data, &["seal", "--container", "backups", "--dry-run"], "");
    assert_eq!(
        deeds(&planned),
        pairs(&[("full-1.bak", "planned"), ("full-2.bak", "planned")])
    );
    assert!(sealed_blobs(&data).is_empty());
    let sealed = bac2(&data, &["seal", "--container", "backups"], "");
    assert_eq!(
        deeds(&sealed),
        pairs(&[("full-1.bak", "sealed"), ("full-2.bak", "sealed")])
    );
    assert_eq!(sealed.status.code(), Some(0));
    assert_eq!(sealed_blobs(&data), ["backups/full-1.bak", "backups/full-2.bak"]);

    // A blob that was named and cannot be sealed is a failure.
    let empty = bac2(&data, &["seal", "--container", "backups", "empty.bak"], "");
    assert_eq!(empty.status.code(), Some(1));
    assert_eq!(deeds(&empty), pairs(&[("empty.bak", "refused")]));
    let nowhere = bac2(&data, &["seal", "--container", "nowhere"], "");
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn a_seal_is_lifted_for_the_typed_name_or_for_yes() {
    let (_folder, data) = vault();
    for container in ["backups", "other"] {
        assert_eq!(
            bac2(&data, &["seal", "--container", container], "").status.code(),
            Some(0)
        );
    }
    let one = ["unseal", "--container", "backups", "full-1.bak"];
    for typed in ["", "full-2.bak\n", "backups\n"] {
        let refused = bac2(&data, &one, typed);
        let complaint = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{typed:?}");
        assert!(complaint.contains("[NotConfirmed]"), "{complaint}");
        assert_eq!(sealed_blobs(&data).len(), 3);
    }
    let done = bac2(&data, &one, "full-1.bak\n");
    assert_eq!(deeds(&done), pairs(&[("full-1.bak", "unsealed")]));
    assert_eq!(
        bac2(&data, &["seal", "--container", "backups"], "").status.code(),
        Some(0)
    );
    // Several take the container's name; --prefix takes some.
    let all = bac2(&data, &["unseal", "--container", "backups"], "backups\n");
    assert_eq!(
        deeds(&all),
        pairs(&[("full-1.bak", "unsealed"), ("full-2.bak", "unsealed")])
    );
    let other = bac2(
        &data,
        &["unseal", "--container", "other", "--prefix", "full", "--yes"],
        "",
    );
    assert_eq!(deeds(&other), pairs(&[("full-1.bak", "unsealed")]));
    assert!(sealed_blobs(&data).is_empty());
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill().is_err();
        let _gone = self.0.wait().is_err();
    }
}

/// A server on the folder, once it is ready.
fn serving(data: &Path, more: &[&str]) -> Server {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(["blob", "serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(["--account", "vault01=AAECAwQFBgcICQoLDA0ODw=="])
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
    Server(child)
}

#[test]
fn with_a_server_the_server_does_it_and_seals_what_is_proved() {
    let (_folder, data) = vault();
    {
        let _server = serving(&data, &[]);
        let sealed = bac2(&data, &["seal", "--container", "backups", "full-1.bak"], "");
        assert_eq!(deeds(&sealed), pairs(&[("full-1.bak", "sealed")]));
        assert_eq!(sealed_blobs(&data), ["backups/full-1.bak"]);
        let lifted = bac2(
            &data,
            &["unseal", "--container", "backups", "full-1.bak", "--yes"],
            "",
        );
        assert_eq!(deeds(&lifted), pairs(&[("full-1.bak", "unsealed")]));
        assert!(sealed_blobs(&data).is_empty());
    }
    let _server = serving(&data, &["--seal-proved"]);
    for _ in 0..3_000 {
        if sealed_blobs(&data).len() == 3 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("sealed in the end: {:?}", sealed_blobs(&data));
}
