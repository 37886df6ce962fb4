//! `bac2 sas create` as a process: what it prints is a token that the protocol's rules accept.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use azblob::error::ErrorCode;
use azblob::grant::Grant;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::request::{BlobPath, Target};
use azblob::sas::{Presented, Token};
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use tempfile::TempDir;

const KEY: &str = "S2V5T2ZUaGVUZXN0c0tleU9mVGhlVGVzdHM=";
const OTHER: &str = "T3RoZXJLZXlPZlRoZVRlc3RzT3RoZXJLZXk=";

struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new(accounts: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene { folder };
        fs::write(scene.accounts(), accounts).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(scene.accounts(), fs::Permissions::from_mode(0o600)).unwrap();
        }
        scene
    }

    fn accounts(&self) -> PathBuf {
        self.folder.path().join("accounts")
    }

    fn create(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bac2"));
        command.args(["sas", "create", "--data"]).arg(self.folder.path());
        command
            .args(["--container", "backups"])
            .args(more)
            .output()
            .unwrap()
    }

    /// The answer in JSON.
    fn made(&self, more: &[&str]) -> serde_json::Value {
        let output = self.create(more);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn now() -> UnixMillis {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    UnixMillis(i64::try_from(since.as_millis()).unwrap())
}

fn accepted(token: &str, blob: &str, at: UnixMillis) -> Result<Grant, ErrorCode> {
    let target = Target::Blob(BlobPath {
        container: ContainerName::new("backups").unwrap(),
        blob: BlobName::new(blob).unwrap(),
    });
    let token = Token::from_query(token).unwrap().unwrap();
    let presented = Presented {
        account: &AccountName::new("vault01").unwrap(),
        keys: &[Secret::from_base64(KEY).unwrap()],
        target: &target,
        policies: &[],
        now: at,
        peer: "10.0.0.1".parse().unwrap(),
        secure: true,
    };
    token.verify(&presented).map_err(|refusal| refusal.code)
}

#[test]
fn the_usual_token_is_short_and_good_for_a_year() {
    let scene = Scene::new(&format!("vault01={KEY}\nvault01={OTHER}\n"));
    let made = scene.made(&[]);
    let token = made["token"].as_str().unwrap();
    assert!(
        token.len() <= 256 && !token.starts_with('?') && token.contains("sp=rwdl"),
        "{token}"
    );
    assert!(token.len() < 120, "the shortest that says it all: {token}");
    let day = 86_400_000;
    assert!(
        accepted(token, "a.bak", now()).is_ok(),
        "signed with the first key"
    );
    assert!(accepted(token, "a.bak", UnixMillis(now().0 + 365 * day)).is_ok());
    let failed = Err(ErrorCode::AuthenticationFailed);
    assert_eq!(
        accepted(token, "a.bak", UnixMillis(now().0 + 366 * day + 1)),
        failed
    );
    let table = scene.create(&["-o", "table"]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(accepted(text.trim_end(), "a.bak", now()).is_ok());
    let said = String::from_utf8(table.stderr).unwrap();
    assert!(
        said.contains("container backups of vault01: rwdl, until "),
        "{said}"
    );
}

#[test]
fn everything_asked_for_is_in_it() {
    let scene = Scene::new(&format!("vault01={KEY}\nother={OTHER}\n"));
    let made = scene.made(&[
        "--account",
        "vault01",
        "--blob",
        "db/a b.bak",
        "--permissions",
        "dr",
        "--expiry",
        "12h",
        "--https-only",
        "--ip",
        "10.0.0.1-10.0.0.9",
        "--start",
        "2026-01-01",
        "--url",
        "backup.example",
    ]);
    let token = made["token"].as_str().unwrap();
    for part in [
        "sr=b",
        "sp=rd",
        "st=2026-01-01",
        "spr=https",
        "sip=10.0.0.1-10.0.0.9",
    ] {
        assert!(token.split('&').any(|have| have == part), "{part} in {token}");
    }
    assert!(accepted(token, "db/a b.bak", now()).is_ok());
    assert_eq!(
        accepted(token, "db/other", now()),
        Err(ErrorCode::AuthenticationFailed)
    );
    let url = format!("https://backup.example/vault01/backups/db/a%20b.bak?{token}");
    assert_eq!(made["url"], url, "with several accounts the URL names this one");
    let by_policy = scene.made(&["--account", "vault01", "--policy", "nightly"]);
    let token = by_policy["token"].as_str().unwrap();
    assert!(
        token.contains("si=nightly") && !token.contains("sp=") && !token.contains("se="),
        "{token}"
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_a_next_step() {
    let scene = Scene::new(&format!("vault01={KEY}\nother={OTHER}\n"));
    let long = "é".repeat(64);
    for (line, code) in [
        (&[][..], "WhichAccount"),
        (&["--account", "nobody"], "WhichAccount"),
        (&["--account", "vault01", "--expiry", "2020-01-01"], "SasExpired"),
        (
            &["--account", "vault01", "--start", "2d", "--expiry", "1d"],
            "SasExpired",
        ),
        (&["--account", "vault01", "--policy", &long], "SasTooLong"),
    ] {
        let output = scene.create(line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line:?}");
        assert!(said.contains(code) && said.contains("next: "), "{line:?}: {said}");
        assert!(output.stdout.is_empty() && !said.contains(&KEY[..8]), "{said}");
    }
    let warned = scene.create(&["--account", "vault01", "--expiry", "5000d"]);
    assert!(warned.status.success() && String::from_utf8(warned.stderr).unwrap().contains("warning: "));
    for wrong in [
        ["--permissions", "rq"],
        ["--expiry", "soon"],
        ["--ip", "10.0.0.0/8"],
        ["--container", "No"],
    ] {
        let output = scene.create(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
