//! `bac2 inspect` and `bac2 verify`, as a user runs them, on real SQL Server backups.
//!
//! The files are not part of the project (most carry no licence). `BAC2_REAL_BACKUPS` names a folder that has them,
//! zstd-compressed, with `expected.json` beside them: what an independent parser read from each. Without the variable
//! every test here counts as ignored, not as passed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;

/// The fields of one `inspect` answer, in the order of the contract.
const FILE_FIELDS: [&str; 5] = ["file", "size", "container", "media", "sets"];

/// The fields of one backup set, in the order of the contract.
const SET_FIELDS: [&str; 35] = [
    "position",
    "backupType",
    "backupName",
    "backupDescription",
    "userName",
    "machineName",
    "serverName",
    "databaseName",
    "softwareVersion",
    "databaseVersion",
    "compatibilityLevel",
    "recoveryModel",
    "compressed",
    "hasBackupChecksums",
    "isCopyOnly",
    "firstLsn",
    "lastLsn",
    "checkpointLsn",
    "databaseBackupLsn",
    "differentialBaseLsn",
    "forkPointLsn",
    "backupSetGuid",
    "bindingId",
    "familyGuid",
    "recoveryForkId",
    "firstRecoveryForkId",
    "differentialBaseGuid",
    "backupStartDate",
    "backupFinishDate",
    "databaseCreationDate",
    "timeZoneOffsetMinutes",
    "backupSize",
    "complete",
    "hasBulkLoggedData",
    "logChainLsn",
];

/// The fields of one `verify` answer, in the order of the contract.
const VERIFY_FIELDS: [&str; 10] = [
    "file",
    "verdict",
    "reasons",
    "pages",
    "logBlocks",
    "streamChecksums",
    "damage",
    "damageCount",
    "bytes",
    "seconds",
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = match std::env::var_os("BAC2_REAL_BACKUPS") {
        Some(folder) => trials(Path::new(&folder)),
        None => ["each file alone", "stripes together", "a folder at once"]
            .map(|name| Trial::test(name, || Ok(())).with_ignored_flag(true))
            .into(),
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(folder: &Path) -> Vec<Trial> {
    let text =
        fs::read_to_string(folder.join("expected.json")).expect("BAC2_REAL_BACKUPS holds expected.json");
    let expected: Vec<Value> = serde_json::from_str(&text).expect("expected.json is a list");
    assert!(!expected.is_empty(), "expected.json names files");
    let mut trials = Vec::new();
    for entry in &expected {
        let (entry, folder) = (entry.clone(), folder.to_owned());
        let name = format!("real file {}", entry["file"].as_str().expect("a name"));
        trials.push(Trial::test(name, move || one_file(&folder, &entry)));
    }
    let (folder, entries) = (folder.to_owned(), expected);
    let (folder_again, entries_again) = (folder.clone(), entries.clone());
    trials.push(Trial::test("stripes together", move || {
        stripes_together(&folder, &entries)
    }));
    trials.push(Trial::test("a folder at once", move || {
        a_folder_at_once(&folder_again, &entries_again)
    }));
    trials
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what().into()) }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Failed> {
    check(found == expected, || {
        format!("{what}: found {found:?}, expected {expected:?}")
    })
}

/// Unpacks one entry into `to`, under its own name.
fn unpack(folder: &Path, entry: &Value, to: &Path) -> Result<PathBuf, Failed> {
    let packed = entry["file"].as_str().ok_or("no name")?;
    let target = to.join(packed.strip_suffix(".zst").unwrap_or(packed));
    fs::create_dir_all(target.parent().expect("below a folder"))?;
    let mut decoder = zstd::stream::Decoder::new(File::open(folder.join(packed))?)?;
    io::copy(&mut decoder, &mut File::create(&target)?)?;
    Ok(target)
}

struct Ran {
    code: i32,
    answer: Value,
    text: String,
    complaint: String,
}

fn bac2(arguments: &[&str], files: &[&Path]) -> Result<Ran, Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(arguments)
        .args(files)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(Ran {
        code: output.status.code().ok_or("killed")?,
        answer: serde_json::from_str(&text)?,
        text,
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Whether the keys appear in `text` in this order: field order is part of the contract.
fn in_order(text: &str, keys: &[&str]) -> Result<(), Failed> {
    let mut rest = text;
    for key in keys {
        let needle = format!("\"{key}\": ");
        let at = rest
            .find(&needle)
            .ok_or_else(|| format!("{key} is missing or out of order"))?;
        rest = &rest[at + needle.len()..];
    }
    Ok(())
}

fn one_file(folder: &Path, entry: &Value) -> Result<(), Failed> {
    let scratch = TempDir::new()?;
    let path = unpack(folder, entry, scratch.path())?;
    let inspected = bac2(&["inspect"], &[&path])?;
    let verified = bac2(&["verify"], &[&path])?;
    let expected_sets = entry["sets"].as_array().ok_or("no sets")?;
    if expected_sets.is_empty() {
        return refused(&path, &inspected).and_then(|()| refused(&path, &verified));
    }
    check(inspected.code == 0, || {
        format!("inspect: exit {}: {}", inspected.code, inspected.complaint)
    })?;
    in_order(&inspected.text, &FILE_FIELDS)?;
    let answer = &inspected.answer[0];
    equal("size", &answer["size"], &entry["size"])?;
    let sets = answer["sets"].as_array().ok_or("no sets in the answer")?;
    equal("sets", &sets.len(), &expected_sets.len())?;
    for (found, expected) in sets.iter().zip(expected_sets) {
        in_order(&serde_json::to_string_pretty(&inspected.answer)?, &["sets"])?;
        one_set(answer, found, expected)?;
    }
    in_order(
        &inspected.text[inspected.text.find("\"sets\"").unwrap_or(0)..],
        &SET_FIELDS,
    )?;

    let stripes = expected_sets[0]["stripes"].as_u64().ok_or("no stripes")?;
    let (code, verdict) = if stripes > 1 { (1, "incomplete") } else { (0, "ok") };
    let found = &verified.answer[0];
    equal("verdict", &found["verdict"].as_str(), &Some(verdict)).map_err(|e| {
        format!(
            "{}; {} {}",
            e.message().unwrap_or_default(),
            found["reasons"],
            found["damage"][0]
        )
    })?;
    equal("verify's exit code", &verified.code, &code)?;
    equal("damageCount", &found["damageCount"].as_u64(), &Some(0))?;
    equal("bytes", &found["bytes"], &entry["size"])?;
    in_order(&verified.text, &VERIFY_FIELDS)?;
    same_from_a_pipe(&path, &verified)
}

/// A raw data or log file: refused with exit code 2, for what it is.
fn refused(path: &Path, ran: &Ran) -> Result<(), Failed> {
    equal("exit code", &ran.code, &2)?;
    equal("answers", &ran.answer.as_array().map(Vec::len), &Some(0))?;
    let log = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("ldf"));
    let word = if log { ".ldf" } else { ".mdf" };
    let sentence = ran.complaint.replace(&path.display().to_string(), "");
    check(sentence.contains(word), || {
        format!("the message does not say {word}: {}", ran.complaint)
    })
}

/// A pipe gives the same verdict as the file.
fn same_from_a_pipe(path: &Path, from_file: &Ran) -> Result<(), Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(["verify", "-"])
        .stdin(File::open(path)?)
        .output()?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    for field in ["verdict", "pages", "logBlocks", "bytes"] {
        equal(field, &answer[0][field], &from_file.answer[0][field])?;
    }
    equal(
        "the name of standard input",
        &answer[0]["file"].as_str(),
        &Some("-"),
    )
}

fn one_set(file: &Value, found: &Value, expected: &Value) -> Result<(), Failed> {
    for (ours, theirs) in [
        ("position", "position"),
        ("backupName", "name"),
        ("backupDescription", "description"),
        ("userName", "user"),
        ("machineName", "machine"),
        ("serverName", "server"),
        ("databaseName", "database"),
        ("softwareVersion", "build"),
        ("databaseVersion", "db_version"),
        ("compatibilityLevel", "compat"),
        ("compressed", "compressed"),
        ("hasBackupChecksums", "checksums"),
        ("backupSetGuid", "backup_set_guid"),
        ("bindingId", "binding_id"),
        ("familyGuid", "family_guid"),
        ("recoveryForkId", "recovery_fork"),
        ("backupSize", "backup_size"),
    ] {
        equal(ours, &found[ours], &expected[theirs])?;
    }
    for (ours, theirs) in [
        ("firstLsn", "first_lsn"),
        ("lastLsn", "last_lsn"),
        ("checkpointLsn", "checkpoint_lsn"),
        ("databaseBackupLsn", "database_backup_lsn"),
        ("differentialBaseLsn", "differential_base_lsn"),
        ("forkPointLsn", "fork_point_lsn"),
    ] {
        let number = expected[theirs].as_u64().ok_or("no LSN")?;
        let text = if number == 0 {
            Value::Null
        } else {
            Value::String(number.to_string())
        };
        equal(ours, &found[ours], &text)?;
    }
    for (ours, theirs) in [
        ("backupStartDate", "start"),
        ("backupFinishDate", "finish"),
        ("databaseCreationDate", "db_created"),
    ] {
        let time = expected[theirs].as_str().ok_or("no date")?.replace(' ', "T");
        equal(ours, &found[ours].as_str(), &Some(time.as_str()))?;
    }
    let base = expected["differential_base_guid"]
        .as_str()
        .filter(|g| !g.starts_with("00000000-0000"));
    equal(
        "differentialBaseGuid",
        &found["differentialBaseGuid"].as_str(),
        &base,
    )?;
    let kind = match expected["type"].as_str() {
        Some("D") => "full",
        Some("I") => "differential",
        Some("L") => "log",
        other => return Err(format!("expected.json has the type {other:?}").into()),
    };
    equal("backupType", &found["backupType"].as_str(), &Some(kind))?;
    // Facts section 3.1: bit 8 is SIMPLE, else bit 4 is BULK_LOGGED, else FULL.
    let model = match expected["status_bits"].as_u64().ok_or("no status bits")? {
        bits if bits & 8 != 0 => "SIMPLE",
        bits if bits & 4 != 0 => "BULK_LOGGED",
        _ => "FULL",
    };
    equal("recoveryModel", &found["recoveryModel"].as_str(), &Some(model))?;
    equal("complete", &found["complete"], &Value::Bool(true))?;
    equal(
        "mediaSetId",
        &file["media"]["mediaSetId"],
        &expected["media_set_guid"],
    )?;
    equal(
        "familyNumber",
        &file["media"]["familyNumber"],
        &expected["stripe"],
    )?;
    equal("familyCount", &file["media"]["familyCount"], &expected["stripes"])?;
    let container = if expected["compressed"] == Value::Bool(true) {
        "mssqlbak"
    } else {
        "mtf"
    };
    equal("container", &file["container"].as_str(), &Some(container))
}

/// The two families of one media set, given together, are both ok.
fn stripes_together(folder: &Path, entries: &[Value]) -> Result<(), Failed> {
    let scratch = TempDir::new()?;
    let mut media: Vec<&str> = Vec::new();
    for entry in entries {
        let set = &entry["sets"][0];
        if set["stripes"] == 2 && set["stripe"] == 1 {
            media.push(set["media_set_guid"].as_str().ok_or("no media set")?);
        }
    }
    let mut groups = 0;
    for media_set in media {
        let families: Vec<&Value> = entries
            .iter()
            .filter(|entry| entry["sets"][0]["media_set_guid"].as_str() == Some(media_set))
            .collect();
        if families.len() != 2 {
            continue;
        }
        groups += 1;
        let paths = families
            .iter()
            .map(|entry| unpack(folder, entry, scratch.path()))
            .collect::<Result<Vec<_>, Failed>>()?;
        let ran = bac2(
            &["verify"],
            &paths.iter().map(PathBuf::as_path).collect::<Vec<_>>(),
        )?;
        check(ran.code == 0, || {
            format!("media set {media_set}: exit {}: {}", ran.code, ran.text)
        })?;
    }
    check(groups > 0, || {
        "no media set is there with all its families".to_owned()
    })
}

/// `--recursive` finds every backup, also the one without an extension, and says what it passed over.
fn a_folder_at_once(folder: &Path, entries: &[Value]) -> Result<(), Failed> {
    let scratch = TempDir::new()?;
    for entry in entries {
        unpack(folder, entry, scratch.path())?;
    }
    let backups = entries
        .iter()
        .filter(|e| e["sets"].as_array().is_some_and(|sets| !sets.is_empty()))
        .count();
    let ran = bac2(&["inspect", "--recursive"], &[scratch.path()])?;
    equal("exit code", &ran.code, &0)?;
    equal("files", &ran.answer.as_array().map(Vec::len), &Some(backups))?;
    let passed_over = format!("passed over {} files", entries.len() - backups);
    check(ran.complaint.contains(&passed_over), || {
        format!("not said: {passed_over}: {}", ran.complaint)
    })?;
    // A reader that takes a table gets one row a set.
    let mut table = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(["inspect", "-o", "table", "--recursive"])
        .arg(scratch.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    let mut text = String::new();
    table
        .stdout
        .take()
        .ok_or("no output")?
        .read_to_string(&mut text)?;
    check(table.wait()?.success(), || "the table failed".to_owned())?;
    check(!text.contains('\u{1b}'), || "colour in a pipe".to_owned())?;
    check(text.contains("Northwind"), || text.clone())
}
