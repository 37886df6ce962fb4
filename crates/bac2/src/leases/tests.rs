//! The flow of `break` and `delete`, and the rounds of `watch`, over an account in memory and hours that take no time.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bak::writer::sample::{Sample, SampleKind};
use guard::report::{Did, Entry, Skip};
use guard::ruling::Terms;
use guard::scope::Scope;
use guard::{Deed, Place};
use serde_json::Value;

use super::clean::{self, Cleaned};
use super::confirm::Consent;
use super::pretend::{Pretended, PretendedClock};
use super::report::{About, ReportTo};
use super::rounds::{self, Lines, Rounds};
use super::stop::Stop;
use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn whole() -> Vec<u8> {
    Sample::default().backup(SampleKind::Full, 1)
}

fn half() -> Vec<u8> {
    let bytes = whole();
    bytes[..bytes.len() / 2].to_vec()
}

fn console() -> Console {
    Console::new(Some(Format::Json), false)
}

fn terms(min_quiet: Duration, named: &[&str]) -> Terms {
    Terms {
        min_quiet,
        include_restore: true,
        named: named.iter().map(|place| Place::parse(place).unwrap()).collect(),
    }
}

fn cleaned(
    account: &Pretended,
    clock: &PretendedClock,
    deed: Deed,
    stop: &Stop,
    console: &Console,
) -> Cleaned {
    let order = clean::Order {
        scope: Scope::default(),
        terms: terms(HOUR, &[]),
        deed,
        dry_run: false,
        ask: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(clean::clean(
        account,
        clock,
        order,
        Some(Consent::Given),
        stop,
        console,
    ))
}

fn dids(cleaned: &Cleaned) -> Vec<Did> {
    let did = |entry: &Entry| match entry {
        Entry::Blob { did, .. } => Some(did.clone()),
        Entry::Unread { .. } => None,
    };
    cleaned.entries.iter().filter_map(did).collect()
}

#[test]
fn a_signal_between_two_acts_leaves_the_rest_alone() {
    let account = Pretended::default();
    account.backup("a/1.bak", &half());
    account.backup("a/2.bak", &half());
    let (sender, stop) = Stop::by_hand();
    let told = move || sender.send_modify(|times| *times += 1);
    *account.on_break.lock().unwrap() = Some(Box::new(told));
    let done = cleaned(
        &account,
        &PretendedClock::default(),
        Deed::Break,
        &stop,
        &console(),
    );
    assert_eq!(dids(&done), [Did::Broke, Did::Listed]);
    assert_eq!(done.end.map(|end| end.code()), Some("Interrupted"));
    assert_eq!(
        (account.is_leased("a/1.bak"), account.is_leased("a/2.bak")),
        (Some(false), Some(true))
    );
}

#[test]
fn a_second_signal_drops_the_act_whose_outcome_is_then_unknown() {
    let account = Pretended::default();
    account.backup("a/1.bak", &half());
    *account.hangs.lock().unwrap() = true;
    let (sender, stop) = Stop::by_hand();
    let told = move || sender.send_modify(|times| *times += 2);
    *account.on_break.lock().unwrap() = Some(Box::new(told));
    let done = cleaned(
        &account,
        &PretendedClock::default(),
        Deed::Break,
        &stop,
        &console(),
    );
    assert!(
        matches!(&dids(&done)[..], [Did::Failed(fault)] if fault.sentence().contains("not known")),
        "{:?}",
        done.entries
    );
}

#[test]
fn a_signal_while_watching_does_nothing_at_all() {
    let account = Pretended::default();
    account.backup("a/1.bak", &half());
    let (sender, stop) = Stop::by_hand();
    let clock = PretendedClock::default().plan(30 * MINUTE, move || sender.send_modify(|times| *times += 1));
    let done = cleaned(&account, &clock, Deed::Break, &stop, &console());
    assert_eq!(dids(&done), [Did::Skipped(Skip::NotQuietYet)]);
    assert_eq!(done.end.map(|end| end.code()), Some("Interrupted"));
    assert_eq!(account.is_leased("a/1.bak"), Some(true));
}

#[test]
fn a_deletion_that_fails_after_the_break_is_a_failure_that_is_told() {
    let account = Pretended::default();
    account.backup("a/1.bak", &half());
    *account.protected.lock().unwrap() = true;
    let (_sender, stop) = Stop::by_hand();
    let console = console();
    let deed = Deed::Delete { complete_too: false };
    let done = cleaned(&account, &PretendedClock::default(), deed, &stop, &console);
    assert!(
        matches!(&dids(&done)[..], [Did::BrokeNotDeleted(_)]),
        "{:?}",
        done.entries
    );
    super::complaint::about(&done.entries, |entry| done.was_chosen(entry), &console);
    assert_eq!(console.exit(), Exit::Failed);
}

#[test]
fn an_account_that_stops_answering_is_a_failure_with_a_row_and_nothing_is_done() {
    let account = Pretended::default();
    account.backup("a/1.bak", &half());
    let (_sender, stop) = Stop::by_hand();
    let console = console();
    let clock = PretendedClock::default().plan(30 * MINUTE, || *account.down.lock().unwrap() = true);
    let done = cleaned(&account, &clock, Deed::Break, &stop, &console);
    let is_failure = |entry: &Entry| match entry {
        Entry::Unread { .. } => true,
        Entry::Blob { did, .. } => matches!(did, Did::Failed(_)),
    };
    assert!(done.entries.iter().any(is_failure), "{:?}", done.entries);
    super::complaint::about(&done.entries, |entry| done.was_chosen(entry), &console);
    assert_ne!(console.exit(), Exit::Done);
    assert_eq!(account.is_leased("a/1.bak"), Some(true));
}

/// What is written can be read by the test.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Blob, action and reason of each line.
fn watched(
    account: &Pretended,
    clock: &PretendedClock,
    order: rounds::Order,
    stop: &Stop,
    console: &Console,
) -> (Result<(), Failure>, Vec<[String; 3]>) {
    let paper = Paper::default();
    let lines = Lines::new(Format::Json, Box::new(paper.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ended = runtime.block_on(Rounds::new(account, clock, order, lines, None).go_on(stop, console));
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    let row = |line: &str| -> [String; 3] {
        let row: Value = serde_json::from_str(line).unwrap();
        ["blob", "action", "reason"].map(|field| row[field].as_str().unwrap_or("-").to_owned())
    };
    (ended, text.lines().map(row).collect())
}

fn order(deed: Option<Deed>, interval: Option<Duration>, named: &[&str]) -> rounds::Order {
    rounds::Order {
        scope: Scope::default(),
        terms: terms(4 * HOUR, named),
        deed,
        interval,
        ask: None,
    }
}

fn line(blob: &str, action: &str, reason: &str) -> [String; 3] {
    [blob, action, reason].map(str::to_owned)
}

#[test]
fn watch_acts_when_its_time_has_come_and_tells_each_thing_once() {
    let account = Pretended::default();
    account.backup("a/dead.bak", &half());
    account.restore("a/restored.bak", &whole());
    let (sender, stop) = Stop::by_hand();
    let grows = || {
        let place = Place::parse("a/late.bak").unwrap();
        account.blobs.lock().unwrap().get_mut(&place).unwrap().version += 1;
    };
    let clock = PretendedClock::default()
        .plan(HOUR, || account.backup("a/late.bak", &half()))
        .plan(2 * HOUR, grows)
        .plan(3 * HOUR, || *account.down.lock().unwrap() = true)
        .plan(3 * HOUR + 11 * MINUTE, || *account.down.lock().unwrap() = false)
        .plan(5 * HOUR, move || sender.send_modify(|times| *times += 1));
    let order = order(Some(Deed::Break), Some(5 * MINUTE), &[]);
    let (ended, lines) = watched(&account, &clock, order, &stop, &console());
    assert!(ended.is_ok());
    assert_eq!(account.is_leased("a/dead.bak"), Some(false));
    assert_eq!(
        account.is_leased("a/late.bak"),
        Some(true),
        "three hours after it grew"
    );
    assert_eq!(
        account.is_leased("a/restored.bak"),
        Some(true),
        "nobody could see it read"
    );
    let of = |blob: &str| -> Vec<&[String; 3]> { lines.iter().filter(|line| line[0] == blob).collect() };
    assert_eq!(
        of("dead.bak"),
        [
            &line("dead.bak", "listed", "notQuietYet"),
            &line("dead.bak", "listed", "notQuietYet"),
            &line("dead.bak", "broken", "quietBackup"),
        ],
        "first look, second look, act"
    );
    assert_eq!(
        of("-"),
        [&line("-", "failed", "unreachable")],
        "said once while it lasts"
    );
    assert_eq!(
        of("restored.bak").last(),
        Some(&&line("restored.bak", "listed", "includedRestore"))
    );
    let late: Vec<&str> = of("late.bak").iter().map(|line| line[2].as_str()).collect();
    assert_eq!(late, ["notQuietYet", "notQuietYet", "growing", "notQuietYet"]);
}

#[test]
fn a_restore_that_was_named_is_acted_on() {
    let account = Pretended::default();
    account.restore("a/restored.bak", &whole());
    let (_sender, stop) = Stop::by_hand();
    let console = console();
    let mut order = order(Some(Deed::Break), None, &["a/restored.bak"]);
    order.scope.blobs = BTreeSet::from([Place::parse("a/restored.bak").unwrap()]);
    let (ended, lines) = watched(&account, &PretendedClock::default(), order, &stop, &console);
    assert!(ended.is_ok());
    assert_eq!(lines, [line("restored.bak", "broken", "includedRestore")]);
    assert_eq!(console.exit(), Exit::Done, "nothing abandoned is left");
}

#[test]
fn a_whole_backup_is_spared_and_not_read_again_at_each_round() {
    let account = Pretended::default();
    account.backup("a/whole.bak", &whole());
    account.backup("a/half.bak", &half());
    let (sender, stop) = Stop::by_hand();
    let read = Mutex::new(0);
    let clock = PretendedClock::default()
        .plan(4 * HOUR + 30 * MINUTE, || {
            *read.lock().unwrap() = *account.bytes_read.lock().unwrap();
        })
        .plan(9 * HOUR, move || sender.send_modify(|times| *times += 1));
    let order = order(Some(Deed::Delete { complete_too: false }), Some(5 * MINUTE), &[]);
    let (_, lines) = watched(&account, &clock, order, &stop, &console());
    assert_eq!(account.is_leased("a/half.bak"), None, "deleted");
    assert_eq!(account.is_leased("a/whole.bak"), Some(true));
    let spared: Vec<_> = lines.iter().filter(|line| line[2] == "completeBackup").collect();
    assert_eq!(
        spared,
        [&line("whole.bak", "skipped", "completeBackup")],
        "said once"
    );
    assert_eq!(*account.bytes_read.lock().unwrap(), *read.lock().unwrap());
}

#[test]
fn once_ends_with_1_for_what_is_left_and_with_2_for_no_answer() {
    let account = Pretended::default();
    account.backup("a/dead.bak", &half());
    let (_sender, stop) = Stop::by_hand();
    let looked = console();
    let (ended, lines) = watched(
        &account,
        &PretendedClock::default(),
        order(None, None, &[]),
        &stop,
        &looked,
    );
    assert!(ended.is_ok());
    assert_eq!(lines, [line("dead.bak", "listed", "quietBackup")]);
    assert_eq!(looked.exit(), Exit::Failed);
    *account.down.lock().unwrap() = true;
    let (ended, lines) = watched(
        &account,
        &PretendedClock::default(),
        order(None, None, &[]),
        &stop,
        &console(),
    );
    assert_eq!(ended.unwrap_err().exit(), Exit::Unusable);
    assert_eq!(lines, [line("-", "failed", "unreachable")]);
}

#[test]
fn a_signal_in_the_middle_of_a_single_round_is_told_by_its_exit_code() {
    let account = Pretended::default();
    account.backup("a/1.bak", &half());
    account.backup("a/2.bak", &half());
    let (sender, stop) = Stop::by_hand();
    let told = move || sender.send_modify(|times| *times += 1);
    *account.on_break.lock().unwrap() = Some(Box::new(told));
    let order = order(Some(Deed::Break), None, &[]);
    let (ended, lines) = watched(&account, &PretendedClock::default(), order, &stop, &console());
    assert_eq!(lines, [line("1.bak", "broken", "quietBackup")]);
    assert_eq!(ended.unwrap_err().code(), "Interrupted");
}

#[test]
fn what_is_about_to_be_done_is_not_called_a_dry_run() {
    let account = Pretended::default();
    account.backup("a/1.bak", &half());
    let (_sender, stop) = Stop::by_hand();
    let order = clean::Order {
        scope: Scope::default(),
        terms: terms(HOUR, &[]),
        deed: Deed::Break,
        dry_run: true,
        ask: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let clock = PretendedClock::default();
    let done = runtime.block_on(clean::clean(&account, &clock, order, None, &stop, &console()));
    assert_eq!(dids(&done), [Did::WouldBreak]);
    let said = |rows: &[guard::report::Row]| rows[0].detail.clone().unwrap();
    assert!(said(&clean::rows(&done.entries, &account)).contains("--dry-run"));
    let planned = said(&clean::planned_rows(&done.entries, &account));
    assert!(
        planned.ends_with("died.") && !planned.contains("--dry-run"),
        "{planned}"
    );
}

#[test]
fn what_is_released_or_deleted_while_it_is_watched_is_told() {
    let account = Pretended::default();
    for place in ["a/1.bak", "a/2.bak", "a/3.bak"] {
        account.backup(place, &half());
    }
    let (_sender, stop) = Stop::by_hand();
    let place = |text: &str| Place::parse(text).unwrap();
    let clock = PretendedClock::default()
        .plan(20 * MINUTE, || {
            account
                .blobs
                .lock()
                .unwrap()
                .get_mut(&place("a/1.bak"))
                .unwrap()
                .leased = false;
        })
        .plan(30 * MINUTE, || {
            account.blobs.lock().unwrap().remove(&place("a/2.bak"));
        });
    let console = console();
    let done = cleaned(&account, &clock, Deed::Break, &stop, &console);
    assert_eq!(
        dids(&done),
        [Did::Skipped(Skip::Released), Did::Skipped(Skip::Gone), Did::Broke]
    );
    super::complaint::about(&done.entries, |entry| done.was_chosen(entry), &console);
    assert_eq!(console.exit(), Exit::Done);
}

/// No room on the disk.
struct Full;

impl Write for Full {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that went away.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_watch_that_cannot_be_heard_fails_and_one_that_nobody_hears_ends() {
    let account = Pretended::default();
    account.backup("a/dead.bak", &half());
    let (_sender, stop) = Stop::by_hand();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ended = |out: Box<dyn Write>| {
        let order = order(None, Some(5 * MINUTE), &[]);
        let lines = Lines::new(Format::Json, out);
        let clock = PretendedClock::default();
        let rounds = Rounds::new(&account, &clock, order, lines, None);
        runtime.block_on(rounds.go_on(&stop, &console()))
    };
    assert_eq!(ended(Box::new(Full)).unwrap_err().code(), "OutputFailed");
    assert!(ended(Box::new(Gone)).is_ok());
}

#[test]
fn the_report_of_a_watch_has_one_row_of_what_is_locked_however_often_it_was_tried() {
    let account = Pretended::default();
    account.backup("a/whole.bak", &whole());
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("watch.json");
    let (sender, stop) = Stop::by_hand();
    let clock = PretendedClock::default().plan(9 * HOUR, move || sender.send_modify(|times| *times += 1));
    let order = order(Some(Deed::Delete { complete_too: false }), Some(5 * MINUTE), &[]);
    let about = About {
        command: "watch --act delete",
        dry_run: false,
        scope: order.scope.clone(),
        terms: order.terms.clone(),
    };
    let report = ReportTo::file(&path).prepare(false, about).ok().flatten();
    let lines = Lines::new(Format::Json, Box::new(Paper::default()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let rounds = Rounds::new(&account, &clock, order, lines, report);
    runtime.block_on(rounds.go_on(&stop, &console())).unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let row =
        |row: &Value| ["blob", "action", "reason"].map(|key| row[key].as_str().unwrap_or("-").to_owned());
    let rows: Vec<_> = rows.iter().map(row).collect();
    assert_eq!(rows, [line("whole.bak", "skipped", "completeBackup")]);
}
