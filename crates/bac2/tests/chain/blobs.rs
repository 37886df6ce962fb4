//! Blobs of a data directory as sources of plans: without a server, and through a running one.

use std::path::Path;
use std::sync::Arc;

use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use blobstore::disk::real::RealDisk;
use blobstore::{BlobPath, Options, Permit, Properties, Store, SystemClock};
use tempfile::TempDir;

use crate::{Story, chain};

/// A store with stripes of a full and two logs, as a server would have them before it judges them.
fn vault(data: &Path) {
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
    let story = Story::of("Sales");
    let stripes = story.sample.files(&[&story.full], 2);
    let logs = story.logs.iter().map(|log| story.sample.file(&[log]));
    let names = ["srv/full 1.bak", "srv/full 2.bak", "srv/log1.trn", "srv/log2.trn"];
    for (name, content) in names.into_iter().zip(stripes.into_iter().chain(logs)) {
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

    use super::{TempDir, chain, vault};
    use crate::files;

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

    #[test]
    fn verdicts_are_grades_and_urls_are_devices() {
        let folder = TempDir::new().expect("a folder");
        let data = folder.path().join("vault");
        vault(&data);
        let arguments = ["vault", "--latest", "--blob-url", "https://backup.example"];
        {
            let _server = serving(&data);
            // The server judges in its own time what was there before it.
            let mut ran = chain(&arguments, folder.path());
            for _ in 0..300 {
                if ran.code == Some(0) && ran.databases().iter().any(|database| database["backupSets"] == 3) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
                ran = chain(&arguments, folder.path());
            }
            check(&ran);
        }
        // The verdicts stay when the server is gone.
        check(&chain(&arguments, folder.path()));
        let unnamed = chain(&["vault", "--latest"], folder.path());
        assert!(unnamed.complaint.contains("--blob-url"), "{}", unnamed.complaint);
    }

    fn check(ran: &crate::Ran) {
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
