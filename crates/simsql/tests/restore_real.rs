//! Real SQL Server backups restored into the simulated instance: what their headers say, page for page what they hold, and what
//! becomes of their log.
//!
//! The files are not part of this project. The folder that holds them, with `expected.json` and the zstd-packed files it names,
//! comes from the variable `BAC2_REAL_BACKUPS`; without it every trial is counted as ignored, not as passed.
#![allow(missing_docs, clippy::unwrap_used)]

mod restoring;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use restoring::{Bench, PAGE, cell, pages_of, statement, word};
use serde_json::Value as Json;
use simsql::instance::{DatabaseState, Version};
use simsql::tsql::restore::{RestoreStatement, RestoreWhat};
use simsql::value::Value;

/// Pages that a restore itself writes: file header and boot page.
const OWN_PAGES: [u32; 2] = [0, 9];

struct Corpus {
    folder: PathBuf,
    expected: Vec<Json>,
}

fn main() {
    let arguments = Arguments::from_args();
    let Some(folder) = std::env::var_os("BAC2_REAL_BACKUPS").map(PathBuf::from) else {
        let names = ["headers", "fulls", "differentials", "stripes_and_logs"];
        let ignored = names.map(|name| Trial::test(name, || Ok(())).with_ignored_flag(true));
        libtest_mimic::run(&arguments, Vec::from(ignored)).exit();
    };
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("expected.json is in the folder");
    let expected: Vec<Json> = serde_json::from_str(&text).expect("expected.json is JSON");
    let corpus = Arc::new(Corpus { folder, expected });
    let mut trials = Vec::new();
    for (index, file) in corpus.expected.iter().enumerate() {
        let Some(set) = file["sets"].as_array().and_then(|sets| sets.first()) else {
            continue;
        };
        let name = file["file"].as_str().unwrap();
        let at = Arc::clone(&corpus);
        trials.push(Trial::test(format!("headers of {name}"), move || {
            headers(&at, index)
        }));
        if set["stripes"] == 1 && set["type"] == "D" {
            let at = Arc::clone(&corpus);
            trials.push(Trial::test(format!("restore of {name}"), move || {
                full(&at, index)
            }));
        }
        if set["type"] == "I" && base_of(&corpus, set).is_some() {
            let at = Arc::clone(&corpus);
            trials.push(Trial::test(format!("restore with {name}"), move || {
                differential(&at, index)
            }));
        }
    }
    let at = Arc::clone(&corpus);
    trials.push(Trial::test("stripes and their logs", move || stripes(&at)));
    libtest_mimic::run(&arguments, trials).exit();
}

impl Corpus {
    fn name(&self, index: usize) -> &str {
        self.expected[index]["file"].as_str().unwrap()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        unpack(&self.folder.join(name))
    }

    fn find(&self, part: &str) -> usize {
        (0..self.expected.len())
            .find(|index| self.name(*index).contains(part))
            .unwrap()
    }
}

fn unpack(path: &Path) -> Vec<u8> {
    zstd::decode_all(std::fs::read(path).unwrap().as_slice()).unwrap()
}

/// The full backup that a differential is relative to.
fn base_of(corpus: &Corpus, set: &Json) -> Option<usize> {
    let guid = &set["differential_base_guid"];
    (0..corpus.expected.len()).find(|index| corpus.expected[*index]["sets"][0]["backup_set_guid"] == *guid)
}

fn printed(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.unscaled.to_string(),
        Value::Text(text) => text.clone(),
        Value::Guid(guid) => guid.to_string(),
        Value::Bit(bit) => bit.to_string(),
        Value::DateTime(time) => time.to_local_time().to_string().replace('T', " "),
        other => format!("{other:?}"),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn headers(corpus: &Corpus, index: usize) -> Result<(), Failed> {
    let mut bench = Bench::new(Version::V2022);
    bench
        .memory
        .disk
        .put("/sim/backup/real.bak", corpus.bytes(corpus.name(index)));
    let sets = corpus.expected[index]["sets"].as_array().unwrap();
    let ask = statement(RestoreWhat::HeaderOnly, None, &["real.bak"]);
    let label = statement(RestoreWhat::LabelOnly, None, &["real.bak"]);
    let (transcript, done) = bench.run(&label);
    done.unwrap();
    let media = printed(cell(&transcript, 0, "MediaSetId"));
    same("media set", &media, &plain(&sets[0]["media_set_guid"]))?;
    if sets[0]["stripes"] != 1 {
        assert_eq!(bench.fails(&ask), [3132, 3013]);
        return Ok(());
    }
    let (transcript, done) = bench.run(&ask);
    done.unwrap();
    same(
        "sets",
        &transcript.results[0].rows.len().to_string(),
        &sets.len().to_string(),
    )?;
    for (row, set) in sets.iter().enumerate() {
        header(&transcript, row, set)?;
    }
    // One that starts at the end of a chain, or on a fork of it, lists its files all the same.
    let (transcript, done) = bench.run(&statement(RestoreWhat::FileListOnly, None, &["real.bak"]));
    done.unwrap();
    let kinds: Vec<String> = (0..transcript.results[0].rows.len())
        .map(|row| printed(cell(&transcript, row, "Type")))
        .collect();
    same("a log file", &kinds.contains(&"L".to_owned()).to_string(), "true")?;
    let mut verify = statement(RestoreWhat::VerifyOnly, None, &["real.bak"]);
    let numbers = bench.does(&verify);
    same("verified", &numbers.last().unwrap().to_string(), "3262")?;
    verify.options.checksum = Some(true);
    let (_, done) = bench.run(&verify);
    same(
        "WITH CHECKSUM",
        &done.is_ok().to_string(),
        &plain(&sets[0]["checksums"]),
    )
}

fn header(transcript: &simsql::answers::Transcript, row: usize, set: &Json) -> Result<(), Failed> {
    let columns = [
        ("Position", "position"),
        ("BackupName", "name"),
        ("BackupDescription", "description"),
        ("UserName", "user"),
        ("MachineName", "machine"),
        ("ServerName", "server"),
        ("DatabaseName", "database"),
        ("DatabaseVersion", "db_version"),
        ("CompatibilityLevel", "compat"),
        ("Compressed", "compressed"),
        ("HasBackupChecksums", "checksums"),
        ("FirstLSN", "first_lsn"),
        ("LastLSN", "last_lsn"),
        ("CheckpointLSN", "checkpoint_lsn"),
        ("DatabaseBackupLSN", "database_backup_lsn"),
        ("BackupSetGUID", "backup_set_guid"),
        ("BindingID", "binding_id"),
        ("FamilyGUID", "family_guid"),
        ("RecoveryForkID", "recovery_fork"),
        ("BackupStartDate", "start"),
        ("BackupFinishDate", "finish"),
        ("DatabaseCreationDate", "db_created"),
        ("BackupSize", "backup_size"),
    ];
    for (column, field) in columns {
        same(
            column,
            &printed(cell(transcript, row, column)),
            &plain(&set[field]),
        )?;
    }
    let kind = match set["type"].as_str() {
        Some("I") => "5",
        Some("L") => "2",
        _ => "1",
    };
    same("BackupType", &printed(cell(transcript, row, "BackupType")), kind)?;
    let build = ["Major", "Minor", "Build"]
        .map(|part| printed(cell(transcript, row, &format!("SoftwareVersion{part}"))));
    same("build", &build.join("."), &plain(&set["build"]))?;
    let base = printed(cell(transcript, row, "DifferentialBaseGUID"));
    let expected = plain(&set["differential_base_guid"]);
    let expected = if expected.starts_with("00000000-0000") {
        String::new()
    } else {
        expected
    };
    same("DifferentialBaseGUID", &base, &expected)
}

fn same(what: &str, found: &str, expected: &str) -> Result<(), Failed> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: found {found}, expected {expected}").into())
}

/// RESTORE DATABASE with each file moved into the instance's directory.
fn restore_of(bench: &mut Bench, paths: &[&str], norecovery: bool) -> RestoreStatement {
    let (transcript, done) = bench.run(&statement(RestoreWhat::FileListOnly, None, paths));
    done.unwrap();
    let mut restore = statement(RestoreWhat::Database, Some("real"), paths);
    for row in 0..transcript.results[0].rows.len() {
        let logical = printed(cell(&transcript, row, "LogicalName"));
        let id = printed(cell(&transcript, row, "FileId"));
        let path = format!("/sim/data/real_{id}");
        restore.options.moves.push((word(&logical), word(&path)));
    }
    restore.options.norecovery = norecovery;
    restore
}

fn compare(bench: &Bench, pages: &BTreeMap<(u16, u32), Vec<u8>>) -> Result<(), Failed> {
    let mut files: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    for ((file, page), expected) in pages {
        let bytes = files.entry(*file).or_insert_with(|| {
            bench
                .memory
                .disk
                .bytes(&format!("/sim/data/real_{file}"))
                .unwrap()
        });
        if OWN_PAGES.contains(page) {
            continue;
        }
        if bytes[*page as usize * PAGE..][..PAGE] != expected[..] {
            return Err(format!("page {file}:{page} is not the backup's").into());
        }
    }
    Ok(())
}

fn state_of(bench: &Bench) -> DatabaseState {
    bench.instance.state().database("real").unwrap().state
}

/// DBCC CHECKDB finds nothing to complain of.
fn check(bench: &Bench) -> Result<(), Failed> {
    let mut state = bench.instance.state();
    let engine = state.database_mut("real").unwrap().engine.as_mut().unwrap();
    let found = engine.check("real", 5);
    match found.iter().find(|message| message.is_error()) {
        Some(first) => Err(first.text.clone().into()),
        None => Ok(()),
    }
}

fn full(corpus: &Corpus, index: usize) -> Result<(), Failed> {
    let bytes = corpus.bytes(corpus.name(index));
    let pages = pages_of(&[&bytes], 1);
    let mut bench = Bench::new(Version::V2025);
    bench.memory.disk.put("/sim/backup/real.bak", bytes);
    let restore = restore_of(&mut bench, &["real.bak"], true);
    let numbers = bench.does(&restore);
    same("last message", &numbers.last().unwrap().to_string(), "3014")?;
    assert_eq!(state_of(&bench), DatabaseState::Restoring);
    compare(&bench, &pages)?;
    let numbers = bench.does(&statement(RestoreWhat::Database, Some("real"), &[]));
    assert!(numbers.contains(&40_511), "{numbers:?}");
    let version = corpus.expected[index]["db_version"].as_u64().unwrap();
    same(
        "upgrade",
        &numbers.contains(&951).to_string(),
        &(version < 998).to_string(),
    )?;
    assert_eq!(state_of(&bench), DatabaseState::Online);
    check(&bench)
}

fn differential(corpus: &Corpus, index: usize) -> Result<(), Failed> {
    let base = base_of(corpus, &corpus.expected[index]["sets"][0]).ok_or("no base")?;
    let (full, diff) = (corpus.bytes(corpus.name(base)), corpus.bytes(corpus.name(index)));
    let mut pages = pages_of(&[&full], 1);
    pages.extend(pages_of(&[&diff], 1));
    let mut bench = Bench::new(Version::V2019);
    bench.memory.disk.put("/sim/backup/full.bak", full);
    bench.memory.disk.put("/sim/backup/diff.bak", diff);
    let alone = statement(RestoreWhat::Database, Some("real"), &["diff.bak"]);
    assert_eq!(bench.fails(&alone), [3118, 3013]);
    let restore = restore_of(&mut bench, &["full.bak"], true);
    bench.does(&restore);
    let numbers = bench.does(&alone);
    assert!(numbers.contains(&40_511), "{numbers:?}");
    assert_eq!(state_of(&bench), DatabaseState::Online);
    // Recovery sealed a new fork and a checkpoint; all else is as the two backups have it.
    compare(&bench, &pages)?;
    check(&bench)?;
    assert_eq!(bench.fails(&alone), [3117, 3013]);
    Ok(())
}

fn stripes(corpus: &Corpus) -> Result<(), Failed> {
    let mut bench = Bench::new(Version::V2016);
    let put = |path: &str, part: &str| {
        let bytes = corpus.bytes(corpus.name(corpus.find(part)));
        bench
            .memory
            .disk
            .put(&format!("/sim/backup/{path}"), bytes.clone());
        bytes
    };
    let first = put("a1", "Stripe1/RestoreTimeStripe.bak");
    let second = put("a2", "Stripe2/RestoreTimeStripe1.bak");
    for log in 1..=3 {
        put(
            &format!("l{log}1"),
            &format!("Stripe1/RestoreTimeStripe_{log}.trn"),
        );
        put(
            &format!("l{log}2"),
            &format!("Stripe2/RestoreTimeStripe_{log}a.trn"),
        );
    }
    let pages = pages_of(&[&first, &second], 1);
    let alone = statement(RestoreWhat::Database, Some("real"), &["a1"]);
    assert_eq!(bench.fails(&alone), [3132, 3013]);
    let twice = statement(RestoreWhat::Database, Some("real"), &["a1", "a1"]);
    assert_eq!(bench.fails(&twice), [3227, 3013]);
    let strange = statement(RestoreWhat::Database, Some("real"), &["a1", "l12"]);
    assert_eq!(bench.fails(&strange), [3258, 3013]);
    let restore = restore_of(&mut bench, &["a2", "a1"], true);
    bench.does(&restore);
    compare(&bench, &pages)?;
    let log = |number: u16| {
        let names = [format!("l{number}1"), format!("l{number}2")];
        statement(RestoreWhat::Log, Some("real"), &[&names[0], &names[1]])
    };
    // LSNs are looked at first: the last log is too recent, the one that joins is refused for what it is.
    assert_eq!(bench.fails(&log(3)), [4305, 3013]);
    assert_eq!(bench.fails(&log(1)), [40_512, 3013]);
    bench.does(&statement(RestoreWhat::Database, Some("real"), &[]));
    assert_eq!(state_of(&bench), DatabaseState::Online);
    check(&bench)
}
