//! `bac2 demo` as a newcomer runs it: everything holds, in a minute, and nothing of it is left on the machine.
//!
//! One trial needs a real backup: `BAC2_REAL_BACKUPS` names a folder that has them, zstd-compressed (see `real_backups`). Without it
//! that trial counts as ignored, not as passed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the demo may take, in seconds: a minute as people build it, two without optimisation.
const BOUND: f64 = if cfg!(debug_assertions) { 120.0 } else { 60.0 };

/// A small real full backup, in one file.
const REAL: &str = "misc/dwip-nandi__pubs.bak.zst";

/// Orders that the demo makes, day by day, before they are deleted, and rows beside them that stay.
const ROWS: u64 = 3_000 + 3 * 300 + 10 + 500;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each of them wants the machine for itself.
    arguments.test_threads = Some(1);
    let real = std::env::var_os("BAC2_REAL_BACKUPS").map(PathBuf::from);
    let is_absent = real.is_none();
    let trials = vec![
        Trial::test("the demo holds, in time, and leaves nothing", holds),
        Trial::test("what is no backup is refused", no_backup_is_refused),
        Trial::test("Ctrl-C ends it and all of its processes", ctrl_c),
        Trial::test("instances do not outlive a demo that is killed", killed),
        Trial::test(
            "a real backup is restored, protected and brought back",
            move || real_backup(&real.clone().unwrap_or_default().join(REAL)),
        )
        .with_ignored_flag(is_absent),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A demo whose temporary files lie in a folder of ours.
fn demo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bac2"));
    command.arg("demo").env("TMPDIR", folder).stdin(Stdio::null());
    command
}

fn holds() -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let began = Instant::now();
    let output = demo(folder.path()).args(["-o", "json"]).output()?;
    let took = began.elapsed().as_secs_f64();
    let outcome = outcome(&output)?;
    let name = |value: &Value| value["type"].clone();
    let backups = outcome["backups"].as_array().ok_or("no backups")?;
    let kinds: Vec<Value> = backups.iter().map(name).collect();
    same(
        "backups",
        &json!(kinds),
        &json!(["full", "log", "differential", "log", "log", "log"]),
    )?;
    let (killed, corrupted) = (&outcome["killed"], &outcome["corrupted"]);
    for taken in backups.iter().chain([&killed["takenAgain"]]) {
        proved(taken)?;
    }
    same("the instance", &outcome["server"]["simulated"], &json!(true))?;
    same(
        "discovered",
        &outcome["server"]["discovered"],
        &json!(["Crm", "Shop"]),
    )?;
    same("the lease that was left", &killed["leaseState"], &json!("leased"))?;
    same("its duration", &killed["leaseDuration"], &json!("infinite"))?;
    same("what can be read of it", &killed["readableBytes"], &json!(0))?;
    same("cleaned up", &killed["cleanedUp"], &json!(true))?;
    same(
        "failed attempts",
        &json!(killed["attempts"].as_array().map(Vec::len)),
        &json!(1),
    )?;
    same("the instance's message", &corrupted["message"], &json!(3043))?;
    same("the verdict", &corrupted["verdict"], &json!("damaged"))?;
    let page = format!("page 1:{}", corrupted["page"]);
    let finding = corrupted["finding"].as_str().ok_or("nothing was found")?;
    if !finding.contains(&page) {
        return Err(format!("{page} was damaged, and found was: {finding}").into());
    }
    restored(&outcome["restored"])?;
    // Six of Shop and one of Crm.
    let rest = &outcome["atRest"];
    same("recovery points", &rest["recoveryPoints"], &json!(7))?;
    same("sealed", &rest["sealed"], &json!(7))?;
    same("leased", &rest["leased"], &json!([]))?;
    same("what else is there", &rest["others"], &json!(["by-hand.bak"]))?;
    nothing_is_left(folder.path())?;
    if took >= BOUND {
        return Err(format!("it took {took:.1} s").into());
    }
    Ok(())
}

fn proved(taken: &Value) -> Result<(), Failed> {
    same("state", &taken["state"], &json!("completed"))?;
    same("grade", &taken["grade"], &json!("proved"))?;
    same("verdict", &taken["verdict"], &json!("ok"))?;
    let checked = taken["pages"].as_u64().unwrap_or(0) + taken["logBlocks"].as_u64().unwrap_or(0);
    if checked == 0 || taken["bytes"].as_u64() < Some(1) {
        return Err(format!("nothing was checked: {taken}").into());
    }
    Ok(())
}

fn restored(restored: &Value) -> Result<(), Failed> {
    same("state", &restored["state"], &json!("completed"))?;
    same("target", &restored["server"], &json!("SQL2"))?;
    same("rows", &restored["rows"], &json!(ROWS))?;
    same("rows on the source", &restored["rowsExpected"], &json!(ROWS))?;
    same("difference", &restored["difference"], &Value::Null)?;
    same("between the two", &restored["isBetween"], &json!(true))?;
    let steps = json!(["full", "differential", "log", "log", "log"]);
    same("the way", &restored["steps"], &steps)?;
    let at = restored["at"].as_str().ok_or("no moment")?;
    let at: jiff::civil::DateTime = at.parse().map_err(|_| format!("{at} is no moment"))?;
    same("a whole second", &json!(at.subsec_nanosecond()), &json!(0))
}

fn no_backup_is_refused() -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let text = folder.path().join("notes.txt");
    fs::write(&text, "no backup")?;
    for (path, code) in [
        (&text, "[NotABackup]"),
        (&folder.path().join("none"), "[FileNotFound]"),
    ] {
        let output = demo(folder.path()).arg("--backup").arg(path).output()?;
        same("exit code", &json!(output.status.code()), &json!(2))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !said.contains(code) {
            return Err(format!("{code} is not in: {said}").into());
        }
    }
    fs::remove_file(&text)?;
    nothing_is_left(folder.path())
}

fn ctrl_c() -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let (mut child, told) = told_until(folder.path(), "Bad day one")?;
    if !told.contains("bac2's simulation of SQL Server") {
        return Err(format!("the simulation is not named as one: {told}").into());
    }
    signal(&child, "INT")?;
    let code = child.wait()?.code();
    same("exit code", &json!(code), &json!(1))?;
    nothing_is_left(folder.path())
}

fn killed() -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let (mut child, _) = told_until(folder.path(), "  instance")?;
    child.kill()?;
    child.wait()?;
    no_process_is_left(folder.path())
}

fn real_backup(packed: &Path) -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let elsewhere = TempDir::new()?;
    let file = elsewhere.path().join("pubs.bak");
    fs::write(&file, zstd::decode_all(fs::File::open(packed)?)?)?;
    let before = fs::read(&file)?;
    let output = demo(folder.path())
        .args(["-o", "json", "--backup"])
        .arg(&file)
        .output()?;
    let outcome = outcome(&output)?;
    same(
        "discovered",
        &outcome["server"]["discovered"],
        &json!(["Shop", "pubs"]),
    )?;
    let pages = &outcome["restoredPages"];
    same("database", &pages["database"], &json!("pubs"))?;
    same("differences", &pages["differ"], &json!([]))?;
    // 3,211,264 bytes of data file, as the backup's own header says.
    same("pages", &pages["same"], &json!(3_211_264 / 8192))?;
    same(
        "the file is only read",
        &json!(fs::read(&file)? == before),
        &json!(true),
    )?;
    nothing_is_left(folder.path())
}

/// The outcome of a demo in which all held.
fn outcome(output: &Output) -> Result<Value, Failed> {
    let said = String::from_utf8_lossy(&output.stderr);
    let outcome: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("no JSON ({error}); it said: {said}"))?;
    same("exit code", &json!(output.status.code()), &json!(0))
        .and_then(|()| same("held", &outcome["held"], &json!(true)))
        .map_err(|failed| format!("{}: {outcome:#}", failed.message().unwrap_or("failed")))?;
    Ok(outcome)
}

/// Starts a demo and reads what it tells people, until a line says this.
fn told_until(folder: &Path, text: &str) -> Result<(Child, String), Failed> {
    let mut child = demo(folder)
        .args(["-o", "table"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut out = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut told = String::new();
    while !told.contains(text) {
        if out.read_line(&mut told)? == 0 {
            return Err(format!("it ended before it said {text}: {told}").into());
        }
    }
    // It must not end because nobody reads.
    thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    Ok((child, told))
}

fn signal(child: &Child, name: &str) -> Result<(), Failed> {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()?;
    same("the signal was sent", &json!(sent.success()), &json!(true))
}

fn nothing_is_left(folder: &Path) -> Result<(), Failed> {
    no_process_is_left(folder)?;
    let left: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    match left.first() {
        None => Ok(()),
        Some(one) => Err(format!("{} is left", one.path().display()).into()),
    }
}

/// The folder of a demo is in the command line of each of its instances.
fn no_process_is_left(folder: &Path) -> Result<(), Failed> {
    let folder = folder.to_string_lossy().into_owned();
    let runs = || -> std::io::Result<bool> {
        for entry in fs::read_dir("/proc")? {
            // A process that ends meanwhile has no command line.
            let line = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(&folder) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let began = Instant::now();
    while runs()? {
        if began.elapsed() > Duration::from_secs(300) {
            return Err("a process of the demo is left".into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn same(what: &str, found: &Value, expected: &Value) -> Result<(), Failed> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: found {found}, expected {expected}").into())
}
