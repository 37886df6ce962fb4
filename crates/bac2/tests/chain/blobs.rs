//! Blobs of a data directory as sources of plans: without a server, and through a running one.

use std::path::Path;
use std::sync::Arc;

use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use blobstore::disk::real::RealDisk;
use blobstore::{BlobPath, Options, Permit, Properties, Store, SystemClock};
use tempfile::TempDir;

use crate::{Story, chain};

/// A store with stripes of a full and two logs.
fn vault(data: &Path) {
    let story = Story::of("Sales");
    let stripes = story.sample.files(&[&story.full], 2);
    let logs = story.logs.iter().map(|log| story.sample.file(&[log]));
    let names = ["srv/full 1.bak", "srv/full 2.bak", "srv/log1.trn", "srv/log2.trn"];
    vault_of(data, names.into_iter().zip(stripes.into_iter().chain(logs)));
}

/// A store with these backups, as a server would have them before it judges them.
fn vault_of<'a>(data: &Path, blobs: impl Iterator<Item = (&'a str, Vec<u8>)>) {
    let options = Options {
        reserve_bytes: 0,
        ..Options::new(data)
    };
    let store = Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &options).expect("a store");
    let account = AccountName::new("vault01").expect("a name");
    let container = ContainerName::new("backups").expect("a name");
    store
        .create_container(&account, &container, Metadata::default())
        .expect("a new container");
    for (name, content) in blobs {
        let path = BlobPath {
            account: account.clone(),
            container: container.clone(),
            blob: BlobName::new(name).expect("a name"),
        };
        let mut writer = store
            .begin_blob(&path, content.len() as u64, &Permit::NONE)
            .expect("a new blob");
        writer.write(&content).expect("room");
        writer
            .commit(Properties::default(), &Permit::NONE)
            .expect("committed");
    }
}

#[cfg(unix)]
mod served {
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use bak::writer::sample::lsn;

    use super::{Story, TempDir, chain, vault, vault_of};
    use crate::{Ran, at, files, write};

    struct Server(Child);

    impl Drop for Server {
        fn drop(&mut self) {
            let _gone = self.0.kill().is_err();
            let _gone = self.0.wait().is_err();
        }
    }

    /// A server on the folder, once it is ready.
    fn serving(data: &Path) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bac2"))
            .args(["blob", "serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(["--account", "vault01=AAECAwQFBgcICQoLDA0ODw=="])
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

    /// The answer once the server, in its own time, has judged so many backup sets that were there before it.
    fn judged(arguments: &[&str], folder: &Path, sets: usize) -> Ran {
        let mut ran = chain(arguments, folder);
        for _ in 0..3_000 {
            if ran.code == Some(0)
                && ran
                    .databases()
                    .iter()
                    .any(|database| database["backupSets"] == sets)
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            ran = chain(arguments, folder);
        }
        ran
    }

    #[test]
    fn a_hidden_fork_is_told_without_reading_again() {
        let folder = TempDir::new().expect("a folder");
        let data = folder.path().join("vault");
        let story = Story::of("Sales");
        // The host went back to a snapshot taken at block 150, and wrote the same LSNs again, and more of them than before: no header
        // tells.
        let twin = story
            .sample
            .log(lsn(40, 150), lsn(40, 230), at("02:50:00"))
            .rewritten(lsn(40, 150), 1);
        let sets = [&story.full, &story.logs[0], &story.logs[1], &twin];
        let files = sets.map(|set| story.sample.file(&[set]));
        let names = ["full.bak", "log1.trn", "log2.trn", "twin.trn"];
        let plain = TempDir::new().expect("a folder");
        for (name, file) in names.iter().zip(&files) {
            write(&plain, name, file);
        }
        vault_of(&data, names.into_iter().zip(files));
        let forks = |ran: &Ran| ran.database()["forks"].as_array().expect("forks").clone();
        assert_eq!(forks(&chain(&["."], plain.path())).len(), 1);
        let told = |ran: &Ran| {
            let forks = forks(ran);
            assert_eq!(forks.len(), 2, "{forks:?}");
            assert_eq!(forks[0]["recoveryForkId"], forks[1]["recoveryForkId"]);
        };
        {
            let _server = serving(&data);
            told(&judged(&["vault"], folder.path(), 4));
        }
        told(&chain(&["vault"], folder.path()));
    }

    #[test]
    fn verdicts_are_grades_and_urls_are_devices() {
        let folder = TempDir::new().expect("a folder");
        let data = folder.path().join("vault");
        vault(&data);
        let arguments = ["vault", "--latest", "--blob-url", "https://backup.example"];
        {
            let _server = serving(&data);
            check(&judged(&arguments, folder.path(), 3));
        }
        // The verdicts stay when the server is gone.
        check(&chain(&arguments, folder.path()));
        let unnamed = chain(&["vault", "--latest"], folder.path());
        assert!(unnamed.complaint.contains("--blob-url"), "{}", unnamed.complaint);
    }

    fn check(ran: &Ran) {
        assert_eq!(ran.code, Some(0), "{}", ran.complaint);
        let database = ran.database();
        assert_eq!(
            files(&database),
            [
                "vault01/backups/srv/full 1.bak+vault01/backups/srv/full 2.bak",
                "vault01/backups/srv/log1.trn",
                "vault01/backups/srv/log2.trn"
            ]
        );
        assert_eq!(database["plan"]["steps"][0]["grade"], "proved", "{database}");
        let script = database["plan"]["tsql"].as_str().expect("a script");
        assert!(
            script.contains("URL = N'https://backup.example/backups/srv/full%201.bak'"),
            "{script}"
        );
    }
}

#[test]
fn blobs_without_a_verdict_are_not_planned_with() {
    let folder = TempDir::new().expect("a folder");
    vault(&folder.path().join("vault"));
    let ran = chain(&["vault"], folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    assert!(
        ran.complaint.contains("4 blobs still being written or checked"),
        "{}",
        ran.complaint
    );
    assert!(ran.databases().is_empty());
}
