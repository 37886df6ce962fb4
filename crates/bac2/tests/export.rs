//! `bac2 blob list` and `bac2 blob export` on a data directory that no server holds, a damaged neighbour included.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::page::PageRange;
use bak::writer::sample::{Sample, SampleKind};
use blobstore::disk::real::RealDisk;
use blobstore::{BlobPath, Options, PagePermit, Permit, Properties, PutPageBlob, Store, SystemClock};
use serde_json::Value;
use tempfile::TempDir;

const DAMAGED: &str = "srv/bad.bak";

struct Vault {
    folder: TempDir,
    full: Vec<u8>,
    log: Vec<u8>,
}

impl Vault {
    /// A store with two backups, a text, a blob of which one bit flipped at rest, and names that are no file names.
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let sales = Sample {
            database_name: "Sales".to_owned(),
            ..Sample::default()
        };
        let crm = Sample {
            database_name: "CRM".to_owned(),
            seed: 2,
            ..Sample::default()
        };
        let (full, log) = (sales.backup(SampleKind::Full, 1), crm.backup(SampleKind::Log, 1));
        let vault = Self { folder, full, log };
        let store = vault.store();
        for container in ["backups", "other"] {
            let name = ContainerName::new(container).expect("a name");
            store
                .create_container(&account(), &name, Metadata::default())
                .expect("a new container");
        }
        put(&store, "backups", "srv/Sales FULL", &vault.full);
        put(&store, "backups", "../../escape", &vault.log);
        put(&store, "backups", DAMAGED, &vault.full);
        put(&store, "backups", "empty.bak", b"");
        put(&store, "other", "notes.txt", b"no backup");
        drop(store);
        vault
    }

    fn store(&self) -> Store {
        let options = Options {
            reserve_bytes: 0,
            ..Options::new(self.data())
        };
        Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &options).expect("a store")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("vault")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Flips one bit in the middle of the file that holds the blob `DAMAGED`.
    fn rot(&self) {
        let path = find(&self.data(), &blake3_name(DAMAGED)).expect("the blob's file");
        let mut bytes = fs::read(&path).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("writable");
    }

    fn export(&self, more: &[&str]) -> (Option<i32>, Vec<Value>) {
        let output = self.bac2(
            &["blob", "export"],
            &[&["--to", &self.out().display().to_string()], more].concat(),
        );
        (
            output.status.code(),
            serde_json::from_slice(&output.stdout).expect("JSON"),
        )
    }

    fn bac2(&self, command: &[&str], more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_bac2"))
            .args(command)
            .arg("--data")
            .arg(self.data())
            .args(more)
            .output()
            .expect("the binary starts")
    }
}

fn account() -> AccountName {
    AccountName::new("vault01").expect("a name")
}

fn put(store: &Store, container: &str, name: &str, content: &[u8]) {
    let path = BlobPath {
        account: account(),
        container: ContainerName::new(container).expect("a name"),
        blob: BlobName::new(name).expect("a name"),
    };
    let mut writer = store
        .begin_blob(&path, content.len() as u64, &Permit::NONE)
        .expect("a new blob");
    writer.write(content).expect("room");
    writer
        .commit(Properties::default(), &Permit::NONE)
        .expect("committed");
}

/// As the client of SQL Server 2012 does: declares 1 TB, and writes pieces of the backup in any order.
fn put_pages(store: &Store, name: &str, content: &[u8]) {
    let path = BlobPath {
        account: account(),
        container: ContainerName::new("backups").expect("a name"),
        blob: BlobName::new(name).expect("a name"),
    };
    let blob = PutPageBlob {
        size: 1 << 40,
        ..PutPageBlob::default()
    };
    store
        .create_page_blob(&path, blob, &Permit::NONE)
        .expect("a new blob");
    let mut whole = content.to_vec();
    whole.resize(content.len().next_multiple_of(512), 0);
    for (index, piece) in whole.chunks(60 * 1024).enumerate().rev() {
        let start = (index * 60 * 1024) as u64;
        let range = PageRange::new(start, start + piece.len() as u64 - 1).expect("whole pages");
        let mut writer = store
            .begin_pages(&path, range, &PagePermit::NONE)
            .expect("within the blob");
        writer.write(piece).expect("room");
        writer.commit(&PagePermit::NONE).expect("committed");
    }
}

/// docs/format.md: a blob's file is named by the BLAKE3 of its name.
fn blake3_name(blob: &str) -> String {
    format!("{}.blob", blake3::hash(blob.as_bytes()).to_hex())
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            find(&path, name)
        } else {
            path.ends_with(name).then_some(path)
        }
    })
}

fn status<'a>(exported: &'a [Value], name: &str) -> &'a str {
    let one = exported
        .iter()
        .find(|one| one["name"] == name)
        .unwrap_or_else(|| panic!("{name} is not there"));
    one["status"].as_str().expect("a word")
}

#[test]
fn what_comes_out_is_what_went_in() {
    let vault = Vault::new();
    let (code, exported) = vault.export(&[]);
    assert_eq!(code, Some(0), "{exported:?}");
    let read =
        |path: &str| fs::read(vault.out().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(read("backups/srv/Sales FULL.bak") == vault.full);
    assert!(
        read("backups/_/_/escape.trn") == vault.log,
        "a log gets .trn, and stays below the folder"
    );
    assert!(read("other/notes.txt") == b"no backup");
    assert_eq!(status(&exported, "empty.bak"), "empty");
    assert!(!vault.out().join("backups/empty.bak").exists());
    let again = vault.export(&[]);
    assert_eq!((again.0, status(&again.1, "srv/Sales FULL")), (Some(0), "same"));
}

#[test]
fn a_page_blob_comes_out_as_sparse_as_it_is() {
    let vault = Vault::new();
    put_pages(&vault.store(), "paged", &vault.full);
    let check = |file: &str, whole: bool| {
        let path = vault.out().join(file);
        let metadata = fs::metadata(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(metadata.len(), 1 << 40);
        #[cfg(unix)]
        assert!(
            std::os::unix::fs::MetadataExt::blocks(&metadata) * 512 < 8 << 20,
            "holes take no space"
        );
        let mut content = vec![0; vault.full.len() + 1000];
        let mut open = fs::File::open(&path).expect("readable");
        std::io::Read::read_exact(&mut open, &mut content).expect("1 TiB");
        let same = content[..vault.full.len()]
            .iter()
            .zip(&vault.full)
            .filter(|(a, b)| a == b)
            .count();
        assert!(content[vault.full.len()..].iter().all(|byte| *byte == 0));
        assert!(if whole {
            same == vault.full.len()
        } else {
            same >= vault.full.len() - 2 * 65_536
        });
    };
    let (code, exported) = vault.export(&["--container", "backups", "--database", "Sales"]);
    assert_eq!((code, status(&exported, "paged")), (Some(0), "written"));
    check("backups/paged.bak", true);
    // One bit of it rotted, in the middle of a Put Page.
    let file = find(&vault.data(), &blake3_name("paged")).expect("the blob's file");
    let mut bytes = fs::read(&file).expect("readable");
    let mut pages = vault.full[61_440 + 512..].chunks(512);
    let page = pages.find(|page| page.iter().filter(|byte| **byte != 0).count() > 400);
    let at = bytes.windows(512).position(|window| Some(window) == page);
    bytes[at.expect("the page is in the file") + 7] ^= 4;
    fs::write(&file, bytes).expect("writable");
    let (code, exported) = vault.export(&["--container", "backups", "--yes"]);
    assert_eq!((code, status(&exported, "paged")), (Some(1), "damaged"));
    // Without a verdict its headers say what it is, and they may lie in what is lost.
    let named = ["backups/paged.bak.damaged", "backups/paged.damaged"];
    let file = named.into_iter().find(|name| vault.out().join(name).exists());
    check(file.expect("what could be saved"), false);
}

#[test]
fn a_damaged_blob_does_not_keep_its_neighbours() {
    let vault = Vault::new();
    vault.rot();
    let (code, exported) = vault.export(&[]);
    assert_eq!((code, status(&exported, DAMAGED)), (Some(1), "damaged"));
    assert_eq!(status(&exported, "srv/Sales FULL"), "written");
    assert!(
        !vault.out().join("backups/srv/bad.bak").exists(),
        "what is damaged never has the backup's name"
    );
    // Everything but the 64 KiB that share a checksum with the flipped bit is there.
    let saved = fs::read(vault.out().join("backups/srv/bad.bak.damaged")).expect("what could be saved");
    assert_eq!(saved.len(), vault.full.len());
    let different = saved
        .chunks(65_536)
        .zip(vault.full.chunks(65_536))
        .filter(|(a, b)| a != b)
        .count();
    assert_eq!(different, 1);
    // The list does not change the directory, and the damage is found again.
    assert_eq!(vault.bac2(&["blob", "list"], &[]).status.code(), Some(0));
}

#[test]
fn neither_the_stores_record_nor_a_server_is_needed() {
    let vault = Vault::new();
    // Held by a server, as far as another process can tell.
    let held = vault.store();
    let (code, exported) = vault.export(&["--container", "backups"]);
    assert_eq!((code, status(&exported, "srv/Sales FULL")), (Some(0), "written"));
    drop(held);
    fs::remove_file(vault.data().join("store.json")).expect("it was there");
    fs::remove_dir_all(vault.out()).expect("it was written");
    let (code, exported) = vault.export(&["--container", "backups"]);
    assert_eq!((code, status(&exported, "srv/Sales FULL")), (Some(0), "written"));
    assert!(
        !vault.data().join("store.json").exists(),
        "an export changes nothing in the data directory"
    );
}

#[test]
fn a_file_that_is_no_blob_any_more_is_named() {
    let vault = Vault::new();
    let path = find(&vault.data(), &blake3_name(DAMAGED)).expect("the blob's file");
    fs::write(&path, "nothing of a blob").expect("writable");
    let (code, exported) = vault.export(&[]);
    assert_eq!((code, status(&exported, "srv/Sales FULL")), (Some(1), "written"));
    let lost = exported
        .iter()
        .find(|one| one["status"] == "unreadable")
        .expect("it is reported");
    assert!(
        lost["detail"].as_str().is_some_and(|why| !why.is_empty()),
        "{lost}"
    );
    let listed = vault.bac2(&["blob", "list"], &[]);
    assert_eq!(listed.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&listed.stderr).contains("cannot be read"));
    assert_eq!(
        vault.bac2(&["blob", "list", "--strict"], &[]).status.code(),
        Some(1)
    );
}

#[test]
fn files_that_are_there_are_kept_unless_told_otherwise() {
    let vault = Vault::new();
    let (code, planned) = vault.export(&["--dry-run"]);
    assert_eq!((code, status(&planned, "srv/Sales FULL")), (Some(0), "planned"));
    assert!(!vault.out().exists(), "a dry run writes nothing");
    let path = vault.out().join("backups/srv/Sales FULL.bak");
    fs::create_dir_all(path.parent().expect("below out")).expect("writable");
    fs::write(&path, "mine").expect("writable");
    let (code, kept) = vault.export(&["--database", "sales"]);
    assert_eq!((code, status(&kept, "srv/Sales FULL")), (Some(1), "exists"));
    assert_eq!(fs::read(&path).expect("readable"), b"mine");
    let (code, replaced) = vault.export(&["--database", "sales", "--yes"]);
    assert_eq!((code, status(&replaced, "srv/Sales FULL")), (Some(0), "written"));
    assert!(fs::read(&path).expect("readable") == vault.full);
    assert_eq!(replaced.len(), 2, "only backups of Sales: {replaced:?}");
    let (code, one) = vault.export(&["--container", "other"]);
    assert_eq!((code, one.len()), (Some(0), 1));
}

#[test]
fn the_list_without_a_server_is_the_contract() {
    let vault = Vault::new();
    let output = vault.bac2(&["blob", "list"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let listed: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    assert_eq!(listed.len(), 5);
    let mut rest = text.as_str();
    for field in [
        "account",
        "container",
        "name",
        "kind",
        "size",
        "committed",
        "sealed",
        "leaseState",
        "leaseStatus",
        "leaseDuration",
        "verdict",
        "reasons",
        "sets",
    ] {
        let at = rest
            .find(&format!("\"{field}\": "))
            .unwrap_or_else(|| panic!("{field} is missing or out of order"));
        rest = &rest[at + field.len()..];
    }
    let empty = listed
        .iter()
        .find(|one| one["name"] == "empty.bak")
        .expect("listed");
    assert_eq!(
        (&empty["verdict"], &empty["kind"]),
        (&Value::Null, &Value::from("block"))
    );
}

#[test]
fn a_folder_that_is_no_data_directory_is_refused() {
    let folder = TempDir::new().expect("a folder");
    for command in [&["blob", "list"][..], &["blob", "export", "--to", "out"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_bac2"))
            .args(command)
            .args(["--data", "."])
            .current_dir(folder.path())
            .output()
            .expect("the binary starts");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.contains("[NotAStore]"), "{complaint}");
        assert_eq!(
            fs::read_dir(folder.path()).expect("readable").count(),
            0,
            "reading makes nothing"
        );
    }
}
