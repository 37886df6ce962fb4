//! Real SQL Server backups against what an independent parser and SQL Server's own documentation say about them.
//!
//! The files are not part of this project. The folder that holds them, with `expected.json` and the zstd-packed files it names, comes
//! from the variable `BAC2_REAL_BACKUPS`; without it every trial is counted as ignored, not as passed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bak::{
    BackupType, Container, FileType, Foreign, LogAgreement, LogFingerprint, RecoveryModel, Report, Verdict,
    Verifier, stripes,
};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

/// Trials of each file without the folder, so that a run without it says how much it left out.
const FILES: usize = 89;

fn main() {
    let arguments = Arguments::from_args();
    let trials = match std::env::var_os("BAC2_REAL_BACKUPS") {
        Some(folder) => trials(&PathBuf::from(folder)),
        None => ignored_trials(),
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn ignored_trials() -> Vec<Trial> {
    let without = |name: String| Trial::test(name, || Ok(())).with_ignored_flag(true);
    (1..=FILES)
        .map(|number| without(format!("real_backup_{number}")))
        .chain([without("stripes".into()), without("log_fingerprints".into())])
        .collect()
}

fn trials(folder: &Path) -> Vec<Trial> {
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("expected.json is in the folder");
    let expected: Vec<Value> = serde_json::from_str(&text).expect("expected.json is JSON");
    assert_eq!(
        expected.len(),
        FILES,
        "expected.json names another number of files"
    );
    let mut trials: Vec<Trial> = expected
        .iter()
        .map(|file| {
            let (folder, file) = (folder.to_owned(), file.clone());
            Trial::test(name_of(&file), move || one_file(&folder, &file))
        })
        .collect();
    let folder = folder.to_owned();
    let (place, all) = (folder.clone(), expected.clone());
    trials.push(Trial::test("log_fingerprints", move || logs(&place, &all)));
    trials.push(Trial::test("stripes", move || families(&folder, &expected)));
    trials
}

fn name_of(file: &Value) -> String {
    file["file"].as_str().expect("a file has a name").to_owned()
}

fn read(folder: &Path, file: &Value) -> Vec<u8> {
    let packed = std::fs::read(folder.join(name_of(file))).expect("the file is in the folder");
    zstd::decode_all(packed.as_slice()).expect("the file is zstd")
}

fn verify(bytes: &[u8]) -> Report {
    let mut verifier = Verifier::new();
    verifier.push(bytes);
    verifier.finish()
}

fn one_file(folder: &Path, file: &Value) -> Result<(), Failed> {
    let bytes = read(folder, file);
    same(
        "size",
        &(bytes.len() as u64),
        &file["size"].as_u64().expect("a size"),
    )?;
    let report = verify(&bytes);
    same("bytes", &report.bytes, &(bytes.len() as u64))?;
    let sets = file["sets"].as_array().cloned().unwrap_or_default();
    if sets.is_empty() {
        return foreign(&name_of(file), &report);
    }
    same("foreign", &report.foreign(), &None)?;
    same("sets", &report.sets.len(), &sets.len())?;
    for (found, expected) in report.sets.iter().zip(&sets) {
        set(&report, found, expected)?;
    }
    let is_striped = sets[0]["stripes"] != 1;
    let verdict = if is_striped {
        Verdict::Incomplete
    } else {
        Verdict::Ok
    };
    if report.verdict != verdict {
        return Err(format!("{:?}: {:?} {:#?}", report.verdict, report.reasons, report.damage).into());
    }
    counts(&report)?;
    slicings(&bytes, &report)?;
    headers_only(&bytes, &report)
}

fn foreign(name: &str, report: &Report) -> Result<(), Failed> {
    let expected = if name.contains(".ldf") {
        Foreign::LogFile
    } else {
        Foreign::DataFile
    };
    same("foreign", &report.foreign(), &Some(expected))?;
    same("sets", &report.sets.len(), &0)
}

/// How a value of expected.json reads in our JSON.
type Convert<'a> = &'a dyn Fn(&Value) -> Value;

/// The names of expected.json on the left, ours on the right.
fn set(report: &Report, found: &bak::BackupSet, expected: &Value) -> Result<(), Failed> {
    let json = serde_json::to_value(found).expect("a set is JSON");
    let decimal = |value: &Value| match value.as_u64() {
        Some(0) | None => Value::Null,
        Some(number) => Value::String(number.to_string()),
    };
    let guid = |value: &Value| match value.as_str() {
        Some("00000000-0000-0000-0000-000000000000") | None => Value::Null,
        Some(_) => value.clone(),
    };
    let date = |value: &Value| Value::String(value.as_str().unwrap_or_default().replace(' ', "T"));
    let plain = Value::clone;
    let type_name = |value: &Value| match value.as_str() {
        Some("D") => "full".into(),
        Some("I") => "differential".into(),
        Some("L") => "log".into(),
        _ => Value::Null,
    };
    let model = |value: &Value| match value.as_u64().unwrap_or_default() {
        status if status & 8 != 0 => "SIMPLE".into(),
        status if status & 4 != 0 => "BULK_LOGGED".into(),
        _ => "FULL".into(),
    };
    let fields: [(&str, &str, Convert<'_>); 27] = [
        ("position", "position", &plain),
        ("name", "backupName", &plain),
        ("description", "backupDescription", &plain),
        ("user", "userName", &plain),
        ("machine", "machineName", &plain),
        ("server", "serverName", &plain),
        ("database", "databaseName", &plain),
        ("build", "softwareVersion", &plain),
        ("db_version", "databaseVersion", &plain),
        ("compat", "compatibilityLevel", &plain),
        ("type", "backupType", &type_name),
        ("compressed", "compressed", &plain),
        ("checksums", "hasBackupChecksums", &plain),
        ("first_lsn", "firstLsn", &decimal),
        ("last_lsn", "lastLsn", &decimal),
        ("checkpoint_lsn", "checkpointLsn", &decimal),
        ("database_backup_lsn", "databaseBackupLsn", &decimal),
        ("differential_base_lsn", "differentialBaseLsn", &decimal),
        ("differential_base_guid", "differentialBaseGuid", &guid),
        ("backup_set_guid", "backupSetGuid", &guid),
        ("binding_id", "bindingId", &guid),
        ("family_guid", "familyGuid", &guid),
        ("recovery_fork", "recoveryForkId", &guid),
        ("fork_point_lsn", "forkPointLsn", &decimal),
        ("start", "backupStartDate", &date),
        ("finish", "backupFinishDate", &date),
        ("db_created", "databaseCreationDate", &date),
    ];
    for (theirs, ours, convert) in fields {
        assert!(
            !expected[theirs].is_null() || theirs == "description",
            "expected.json has no {theirs}"
        );
        same(ours, &json[ours], &convert(&expected[theirs]))?;
    }
    same("backupSize", &json["backupSize"], &expected["backup_size"])?;
    same(
        "recoveryModel",
        &json["recoveryModel"],
        &model(&expected["status_bits"]),
    )?;
    log_chain(found)?;
    same("complete", &found.complete, &true)?;
    same(
        "files",
        &found.files.iter().any(|file| file.file_type == FileType::Log),
        &true,
    )?;
    let media = report.media.as_ref().ok_or("no media")?;
    same(
        "mediaSetId",
        &media.media_set_id.to_string().as_str(),
        &expected["media_set_guid"].as_str().unwrap_or(""),
    )?;
    same(
        "familyNumber",
        &Value::from(media.family_number),
        &expected["stripe"],
    )?;
    same(
        "familyCount",
        &Value::from(media.family_count),
        &expected["stripes"],
    )?;
    same(
        "softwareName",
        &media.software_name.as_str(),
        &"Microsoft SQL Server",
    )?;
    let container = if found.compressed {
        Container::MssqlBak
    } else {
        Container::Mtf
    };
    same("container", &report.container, &Some(container))
}

/// What holds of the LSN where the log chain began, in every set.
fn log_chain(set: &bak::BackupSet) -> Result<(), Failed> {
    same("hasBulkLoggedData", &set.has_bulk_logged_data, &false)?;
    let Some(began) = set.log_chain_lsn else {
        return same(
            "log without a chain",
            &(set.backup_type == BackupType::Log),
            &false,
        );
    };
    same(
        "chain under SIMPLE",
        &(set.recovery_model == RecoveryModel::Simple),
        &false,
    )?;
    let is_behind = set.first_lsn.is_some_and(|first| began > first);
    same("chain that begins behind FirstLSN", &is_behind, &false)
}

fn counts(report: &Report) -> Result<(), Failed> {
    let pages = report.pages;
    let sum = pages.checksum_ok
        + pages.checksum_bad
        + pages.torn_ok
        + pages.torn_bad
        + pages.unprotected
        + pages.unformatted;
    same("pages.total", &pages.total, &sum)?;
    same("bad pages", &(pages.checksum_bad + pages.torn_bad), &0)?;
    same("bad log blocks", &report.log_blocks.bad, &0)?;
    same("bad stream checksums", &report.stream_checksums.bad, &0)
}

/// The report does not depend on how the bytes come.
fn slicings(bytes: &[u8], expected: &Report) -> Result<(), Failed> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for limit in [700, 70_000, 1 << 20] {
        let mut verifier = Verifier::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let size = ((random >> 33) as usize % limit + 1).min(rest.len());
            let (slice, after) = rest.split_at(size);
            verifier.push(slice);
            rest = after;
        }
        same("report in slices", &verifier.finish(), expected)?;
    }
    Ok(())
}

/// Reading headers alone finds the same sets without reading the payload of plain files.
fn headers_only(bytes: &[u8], expected: &Report) -> Result<(), Failed> {
    let mut verifier = Verifier::headers_only();
    let mut at = 0;
    let mut read = 0;
    while at < bytes.len() {
        let skippable = (verifier.skippable() as usize).min(bytes.len() - at);
        verifier.skip(skippable as u64);
        at += skippable;
        let size = 512.min(bytes.len() - at);
        verifier.push(&bytes[at..at + size]);
        at += size;
        read += size;
    }
    let report = verifier.finish();
    same("sets of headers", &report.sets, &expected.sets)?;
    same("media of headers", &report.media, &expected.media)?;
    same("verdict of headers", &report.verdict, &Verdict::CannotVerify)?;
    let payload =
        64 * 1024 * u64::from(expected.container == Some(Container::Mtf)) * (expected.pages.total / 8);
    same(
        "payload skipped",
        &(read as u64 + payload <= bytes.len() as u64 + 8192),
        &true,
    )
}

/// The families of a media set given together are judged as one.
fn families(folder: &Path, expected: &[Value]) -> Result<(), Failed> {
    let mut groups: BTreeMap<String, Vec<Report>> = BTreeMap::new();
    for file in expected
        .iter()
        .filter(|file| file["sets"].as_array().is_some_and(|sets| !sets.is_empty()))
    {
        let media = file["sets"][0]["media_set_guid"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        groups.entry(media).or_default().push(verify(&read(folder, file)));
    }
    let mut striped_whole = 0;
    for (media, reports) in groups {
        let count = usize::from(reports[0].media.as_ref().ok_or("no media")?.family_count);
        let verdicts = stripes::judge(&reports);
        let numbers: std::collections::BTreeSet<u16> = reports
            .iter()
            .filter_map(|report| report.media.as_ref())
            .map(|media| media.family_number)
            .collect();
        let whole = numbers.len() == count;
        striped_whole += usize::from(whole && count > 1);
        let expected = if whole { Verdict::Ok } else { Verdict::Incomplete };
        for judged in verdicts {
            same(
                &format!("verdict in media set {media}"),
                &judged.verdict,
                &expected,
            )?;
        }
    }
    same("whole stripe sets", &striped_whole, &4)
}

/// The log of a full or differential backup is in the log backup that covers it as well: the same bytes at the same LSNs. Other
/// databases have other logs, though the LSNs be the same.
fn logs(folder: &Path, expected: &[Value]) -> Result<(), Failed> {
    let reports: Vec<Report> = expected.iter().map(|file| verify(&read(folder, file))).collect();
    let sets: Vec<(&bak::BackupSet, &LogFingerprint)> = reports
        .iter()
        .flat_map(|report| (0..report.sets.len()).map(move |index| (report, index)))
        .filter_map(|(report, index)| Some((&report.sets[index], report.log_fingerprint(index)?)))
        .collect();
    let (mut shared, mut apart) = (0, 0);
    for (index, (a, our)) in sets.iter().enumerate() {
        for (b, their) in &sets[index + 1..] {
            let agreement = our.compare(their);
            let coarse = our.coarsened(16).compare(&their.coarsened(16));
            if a.family_guid == b.family_guid {
                let overlap = a.first_lsn.max(b.first_lsn) < a.last_lsn.min(b.last_lsn);
                same(
                    "a shared log is seen",
                    &(agreement == LogAgreement::Same),
                    &overlap,
                )?;
                same("difference", &matches!(coarse, LogAgreement::Differs(_)), &false)?;
                shared += usize::from(overlap);
            } else {
                same(
                    "other databases agree",
                    &(agreement == LogAgreement::Same),
                    &false,
                )?;
                apart += usize::from(agreement != LogAgreement::Unknown);
            }
        }
    }
    // Counted by another program: 20 pairs of sets share 40 log blocks.
    same("pairs that share log", &shared, &20)?;
    same("pairs of other databases at the same LSNs", &(apart > 5), &true)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Failed> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: found {found:?}, expected {expected:?}").into())
}
