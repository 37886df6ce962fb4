//! What is refused, with its next step and before anything is sent.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::door::{Door, Run, command};

fn run(words: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .arg("leases")
        .args(words)
        .stdin(Stdio::null())
        .output();
    Run::of(output.expect("the binary starts"))
}

#[test]
fn exactly_one_credential_is_needed() {
    let url = ["list", "--account-url", "https://shop.blob.core.windows.net"];
    let mut two = url.to_vec();
    two.extend(["--entra", "--sas-file", "sas"]);
    for words in [&url[..], &two] {
        let run = run(words);
        assert_eq!(run.code, Some(2), "{words:?}");
        assert!(run.err.contains("--sas-file"), "{}", run.err);
    }
}

#[test]
fn a_secret_in_the_url_is_refused_and_not_repeated() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let sas = folder.path().join("sas");
    fs::write(&sas, "sv=2021-12-02&sr=c&sp=rl&se=2030-01-01T00:00:00Z&sig=aaaa").expect("writable");
    let sas = sas.to_str().expect("text");
    for url in [
        "https://shop.blob.core.windows.net/?sv=2021-12-02&sig=c2VjcmV0",
        "https://shop.blob.core.windows.net#c2VjcmV0",
        "https://user:c2VjcmV0@shop.blob.core.windows.net",
    ] {
        let refused = run(&["list", "--account-url", url, "--sas-file", sas]);
        refused.assert_refused("SecretInUrl");
        assert!(!refused.err.contains("c2VjcmV0"), "{}", refused.err);
    }
    let refused = run(&["list", "--account-url", "shop", "--sas-file", sas]);
    refused.assert_refused("AccountUrlInvalid");
}

#[test]
fn servers_to_ask_are_addresses_and_passwords_are_in_files() {
    let door = Door::open();
    for words in [
        &["list", "--ask", "sql01:1433"][..],
        &["list", "--ask", "sql01", "--ask-user", "guard"],
        &["list", "--ask-user", "guard", "--ask-password-file", "x"],
        &["list", "--ask", "sql01", "--ask-certificate", "maybe"],
    ] {
        assert_eq!(door.leases(words).code, Some(2), "{words:?}");
    }
    let missing = door.leases(&[
        "list",
        "--ask",
        "sql01",
        "--ask-user",
        "guard",
        "--ask-password-file",
        "/nowhere/password",
    ]);
    missing.assert_refused("FileNotFound");
}

#[test]
fn a_server_that_does_not_answer_keeps_every_lease() {
    let door = Door::open();
    door.dead_page_backup("backups/page.bak");
    let nobody = [
        "--ask",
        "127.0.0.1,1",
        "--ask-certificate",
        "trust",
        "--ask-user",
        "u",
        "--ask-password-file",
    ];
    let file = door.folder.path().join("password");
    std::fs::write(&file, "secret-of-u").expect("a file");
    let password = file.to_str().expect("text");
    let listed = door.leases(&[&["list", "-o", "json", "--apart", "0s"], &nobody[..], &[password]].concat());
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    assert!(
        listed.out.contains("127.0.0.1,1") && listed.out.contains("not every server could be asked"),
        "{}",
        listed.out
    );
    assert!(!format!("{}{}", listed.out, listed.err).contains("secret-of-u"));
}

#[test]
fn without_a_terminal_it_takes_yes_and_says_so_at_once() {
    let door = Door::open();
    door.dead_page_backup("backups/page.bak");
    let begun = Instant::now();
    for deed in ["break", "delete"] {
        door.leases(&[deed]).assert_refused("NobodyToAsk");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(300),
        "not after the long wait"
    );
}

#[test]
fn nobody_looks_on_so_watch_takes_a_long_quiet_to_act() {
    let door = Door::open();
    door.leases(&["watch", "--act", "break"])
        .assert_refused("QuietTooShort");
    door.leases(&["watch", "--once", "--act", "delete", "--min-quiet", "3h"])
        .assert_refused("QuietTooShort");
    door.leases(&["watch", "--interval", "0s"])
        .assert_refused("IntervalTooShort");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_work() {
    let door = Door::open();
    let inside = |name: &str| door.folder.path().join(name).to_str().expect("text").to_owned();
    for (path, code) in [
        (inside("report.txt"), "ReportForm"),
        (inside("report"), "ReportForm"),
        (inside("no/folder/report.csv"), "ReportNotWritable"),
    ] {
        door.leases(&["list", "--report", &path]).assert_refused(code);
        door.leases(&["break", "--yes", "--report", &path])
            .assert_refused(code);
    }
    let folder = inside("folder.csv");
    fs::create_dir(&folder).expect("made");
    door.leases(&["list", "--yes", "--report", &folder])
        .assert_refused("ReportNotAFile");
}

#[test]
fn files_and_answers_that_do_not_work_are_exit_code_2() {
    let door = Door::open();
    let url = door.url();
    let missing = door.folder.path().join("none");
    let output = command(&url, &missing, &["list"])
        .output()
        .expect("the binary starts");
    Run::of(output).assert_refused("FileNotFound");

    let wrong = door.folder.path().join("wrong");
    fs::write(&wrong, "vault01=AAECAwQFBgcICQoLDA0ODw==\n").expect("writable");
    let run = Run::of(
        command(&url, &wrong, &["list", "--apart", "0s"])
            .output()
            .expect("the binary starts"),
    );
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("[CredentialRefused]"), "{}", run.err);
    assert!(
        run.err.contains("warning: ") && run.err.contains("chmod 600"),
        "{}",
        run.err
    );

    // A watch for ever, too: waiting makes no wrong key right.
    let run = Run::of(
        command(&url, &wrong, &["watch", "--interval", "1h"])
            .output()
            .expect("the binary starts"),
    );
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("[CredentialRefused]"), "{}", run.err);

    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let gone = format!("http://{}/vault01", dead.local_addr().expect("bound"));
    drop(dead);
    let run = Run::of(
        command(&gone, &door.accounts(), &["break", "--yes"])
            .output()
            .expect("the binary starts"),
    );
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("[AccountUnreachable]"), "{}", run.err);
    assert!(
        run.err.contains(&gone),
        "a slip in the address is seen: {}",
        run.err
    );
}

#[test]
fn blobs_are_named_with_their_container_and_not_beside_a_container() {
    for words in [
        &["--blob", "full.bak"][..],
        &["--blob", "a/b", "--container", "a"],
    ] {
        let mut all = vec![
            "list",
            "--account-url",
            "https://shop.blob.core.windows.net",
            "--entra",
        ];
        all.extend(words);
        assert_eq!(run(&all).code, Some(2), "{words:?}");
    }
}

#[test]
fn a_sas_in_a_file_opens_what_it_allows_and_is_never_shown() {
    let door = Door::open();
    door.dead_page_backup("backups/page.bak");
    let file = door.folder.path().join("sas");
    let sas = |permissions: &str| {
        let made = Command::new(env!("CARGO_BIN_EXE_bac2"))
            .args([
                "sas",
                "create",
                "--container",
                "backups",
                "--expiry",
                "1h",
                "-o",
                "json",
            ])
            .args(["--permissions", permissions, "--accounts-file"])
            .arg(door.accounts())
            .output()
            .expect("the binary starts");
        let answer: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
        let token = answer["token"].as_str().expect("a token").to_owned();
        // As `bac2 sas create ... > sas` leaves it.
        fs::write(&file, &made.stdout).expect("writable");
        token
    };
    let leases = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bac2"));
        command.args(["leases", words[0], "--account-url", &door.url(), "--sas-file"]);
        command.arg(&file).args(&words[1..]).stdin(Stdio::null());
        Run::of(command.output().expect("the binary starts"))
    };
    let token = sas("rl");
    let signature = token.split("sig=").nth(1).expect("a signature").to_owned();
    let run = leases(&["list", "--container", "backups", "--apart", "0s"]);
    assert_eq!(
        (run.code, run.row("page.bak")["holder"].as_str()),
        (Some(0), Some("backup")),
        "{}",
        run.err
    );
    assert!(run.err.contains("chmod 600"), "{}", run.err);

    let all = leases(&["list", "--apart", "0s"]);
    assert_eq!(all.code, Some(2), "a SAS of a container lists no containers");
    assert!(all.err.contains("--container"), "{}", all.err);

    let broken = leases(&["break", "--container", "backups", "--min-quiet", "1s", "--yes"]);
    assert_eq!(
        (broken.code, broken.row("page.bak")["action"].as_str()),
        (Some(1), Some("failed"))
    );
    assert!(broken.err.contains("SAS with the letter w"), "{}", broken.err);
    for run in [&run, &all, &broken] {
        assert!(!run.out.contains(&signature) && !run.err.contains(&signature));
    }

    fs::write(&file, "no signature").expect("writable");
    let refused = leases(&["list", "--container", "backups"]);
    refused.assert_refused("SasInvalid");
    assert!(!refused.err.contains("no signature\""), "{}", refused.err);
}

#[test]
fn a_private_authority_is_trusted_by_ca_and_not_without() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let data = folder.path().join("vault");
    let accounts = folder.path().join("accounts");
    fs::write(&accounts, format!("vault01={}\n", crate::door::KEY)).expect("writable");
    let (_child, url) = crate::door::serving(&data, &accounts, &["--tls"]);
    assert!(url.starts_with("https://"), "{url}");
    let run = Run::of(
        command(&url, &accounts, &["list"])
            .output()
            .expect("the binary starts"),
    );
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.contains("[AccountUnreachable]") && run.err.contains("--ca"),
        "{}",
        run.err
    );
    let pem = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(["ca", "export", "--data"])
        .arg(&data)
        .output()
        .expect("the binary starts");
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, pem.stdout).expect("writable");
    let words = ["list", "--ca", ca.to_str().expect("text")];
    let run = Run::of(
        command(&url, &accounts, &words)
            .output()
            .expect("the binary starts"),
    );
    assert_eq!((run.code, run.out.trim()), (Some(0), "[]"), "{}", run.err);
    fs::write(&ca, "no certificate").expect("writable");
    let run = Run::of(
        command(&url, &accounts, &words)
            .output()
            .expect("the binary starts"),
    );
    run.assert_refused("CaInvalid");
}
