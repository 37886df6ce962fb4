//! `bac2 chain`, as a user runs it, on the chains of real SQL Server backups.
//!
//! The files are not part of the project. `BAC2_REAL_BACKUPS` names a folder that has them, zstd-compressed; without it every test here
//! counts as ignored. What is expected was worked out by hand from the headers that an independent parser read (LSNs, times), by the
//! rules of SQL Server; why, stands at each test.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;

type Test = fn(&Path) -> Result<(), Failed>;

const TESTS: [(&str, Test); 5] = [
    ("a moment between two logs", a_moment_between_two_logs),
    ("both stripes", both_stripes),
    ("one stripe of two", one_stripe_of_two),
    ("without its full", without_its_full),
    ("everything at once", everything_at_once),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = match std::env::var_os("BAC2_REAL_BACKUPS") {
        None => TESTS
            .map(|(name, _)| Trial::test(name, || Ok(())).with_ignored_flag(true))
            .into(),
        Some(folder) => {
            let lab = PathBuf::from(folder).join("dbatools-lab");
            let trial = |(name, test): (&str, Test)| {
                let lab = lab.clone();
                Trial::test(name, move || test(&lab))
            };
            TESTS.map(trial).into()
        }
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Unpacks everything below `from` into `to`.
fn unpack(from: &Path, to: &Path) -> Result<(), Failed> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().ok_or("no name")?.to_string_lossy().into_owned();
        if path.is_dir() {
            unpack(&path, &to.join(name))?;
        } else if let Some(plain) = name.strip_suffix(".zst") {
            fs::create_dir_all(to)?;
            let mut decoder = zstd::stream::Decoder::new(File::open(&path)?)?;
            io::copy(&mut decoder, &mut File::create(to.join(plain))?)?;
        }
    }
    Ok(())
}

struct Ran {
    code: Option<i32>,
    text: String,
    complaint: String,
}

fn chain(arguments: &[&str], folder: &Path) -> Result<Ran, Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .arg("chain")
        .args(arguments)
        .current_dir(folder)
        .output()?;
    Ok(Ran {
        code: output.status.code(),
        text: String::from_utf8(output.stdout)?,
        complaint: String::from_utf8(output.stderr)?,
    })
}

impl Ran {
    fn database(&self) -> Result<Value, Failed> {
        let answer: Value = serde_json::from_str(&self.text)?;
        Ok(answer["databases"][0].clone())
    }
}

/// The names of the plan's files, step by step.
fn files(database: &Value) -> Vec<Vec<String>> {
    let steps = database["plan"]["steps"].as_array().cloned().unwrap_or_default();
    let name = |file: &Value| {
        let path = Path::new(file.as_str().unwrap_or_default()).file_name();
        path.unwrap_or_default().to_string_lossy().into_owned()
    };
    let of = |step: &Value| {
        step["files"]
            .as_array()
            .map(|files| files.iter().map(name).collect())
    };
    steps.iter().filter_map(of).collect()
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Failed> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: found {found:?}, expected {expected:?}").into())
    }
}

/// `RestoreTimeClean`: the full ends at 25:132:1, the differential at 25:190:1, the logs behind it at 25:200:1, 25:210:1, 25:220:1; the
/// logs before it are not needed. The second log behind it was begun at 13:24:13, so 13:21 lies in it. The clock was at +02:00.
fn a_moment_between_two_logs(lab: &Path) -> Result<(), Failed> {
    let scratch = TempDir::new()?;
    unpack(&lab.join("RestoreTimeClean"), scratch.path())?;
    let ran = chain(&[".", "--at", "2017-06-01T13:21:00"], scratch.path())?;
    equal("exit code", &ran.code, &Some(0))?;
    let database = ran.database()?;
    equal(
        "plan",
        &files(&database).concat(),
        &[
            "RestoreTimeClean.bak",
            "RestoreTimeClean2.bak",
            "RestoreTimeClean2_1.trn",
            "RestoreTimeClean2_2.trn",
        ]
        .map(str::to_owned)
        .to_vec(),
    )?;
    let steps = &database["plan"]["steps"];
    equal(
        "stop",
        &steps[3]["stopAt"],
        &Value::from("2017-06-01T13:21:00.000"),
    )?;
    equal(
        "last LSN",
        &steps[3]["lastLsn"],
        &Value::from("25000000021000001"),
    )?;
    let coverage = database["coverage"].as_array().cloned().unwrap_or_default();
    equal("spans", &coverage.len(), &1)?;
    for (member, expected) in [
        ("fromLsn", "25000000013200001"),
        ("toLsn", "25000000022000001"),
        ("fromTime", "2017-06-01T12:59:13+02:00"),
        ("toTime", "2017-06-01T13:29:12.999+02:00"),
    ] {
        equal(member, &coverage[0][member].as_str(), &Some(expected))?;
    }
    let script = database["plan"]["tsql"].as_str().ok_or("no script")?;
    equal("statements", &script.matches("RESTORE ").count(), &5)?;
    equal(
        "stops",
        &script.matches("STOPAT = '2017-06-01T13:21:00.000'").count(),
        &1,
    )
}

/// `RestoreTimeStripe`: each backup lies on two files, one in each folder.
fn both_stripes(lab: &Path) -> Result<(), Failed> {
    let scratch = TempDir::new()?;
    unpack(&lab.join("RestoreTimeStripe"), scratch.path())?;
    let ran = chain(&[".", "--latest"], scratch.path())?;
    equal("exit code", &ran.code, &Some(0))?;
    let planned = files(&ran.database()?);
    equal("steps", &planned.len(), &4)?;
    equal(
        "the last step",
        &planned[3],
        &vec![
            "RestoreTimeStripe_3.trn".to_owned(),
            "RestoreTimeStripe_3a.trn".to_owned(),
        ],
    )
}

/// Without the second folder nothing of it can be had.
fn one_stripe_of_two(lab: &Path) -> Result<(), Failed> {
    let scratch = TempDir::new()?;
    unpack(&lab.join("RestoreTimeStripe/Stripe1"), scratch.path())?;
    let ran = chain(&[".", "--latest"], scratch.path())?;
    equal("exit code", &ran.code, &Some(1))?;
    let database = ran.database()?;
    equal("coverage", &database["coverage"], &Value::Array(vec![]))?;
    let holes = database["holes"].as_array().cloned().unwrap_or_default();
    let all_missing = holes.iter().all(|hole| hole["kind"] == "familiesMissing");
    equal(
        "every hole is a missing stripe",
        &(all_missing && !holes.is_empty()),
        &true,
    )
}

/// `db1`: two differentials and two logs, and no full.
fn without_its_full(lab: &Path) -> Result<(), Failed> {
    let scratch = TempDir::new()?;
    unpack(&lab.join("db1"), scratch.path())?;
    let ran = chain(&[".", "--latest"], scratch.path())?;
    equal("exit code", &ran.code, &Some(1))?;
    let said = ran.complaint.contains("no full backup") && ran.complaint.contains("next: ");
    equal("the reason is said", &said, &true)?;
    equal("plan", &ran.database()?["plan"], &Value::Null)
}

/// Two databases of one name are two, one that was renamed is one, and each is judged by itself.
fn everything_at_once(lab: &Path) -> Result<(), Failed> {
    let scratch = TempDir::new()?;
    unpack(lab, scratch.path())?;
    let ran = chain(&["."], scratch.path())?;
    equal("exit code", &ran.code, &Some(0))?;
    let answer: Value = serde_json::from_str(&ran.text)?;
    let databases = answer["databases"].as_array().cloned().unwrap_or_default();
    let named = |name: &str| databases.iter().filter(|d| d["databaseName"] == name).count();
    equal("OlaMsFilterTest", &named("OlaMsFilterTest"), &2)?;
    let renamed = databases
        .iter()
        .find(|database| database["databaseName"] == "stripetest");
    let renamed = renamed.ok_or("stripetest is not there")?;
    equal(
        "its other name",
        &renamed["otherNames"][0],
        &Value::from("RestoreTimeStripe"),
    )?;
    equal("its forks", &renamed["forks"].as_array().map(Vec::len), &Some(2))?;
    let table = chain(&[".", "-o", "table"], scratch.path())?;
    equal("colour in a pipe", &table.text.contains('\u{1b}'), &false)
}
