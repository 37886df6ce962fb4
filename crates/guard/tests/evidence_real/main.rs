//! What the guard says of real SQL Server backups that lie locked in an account: whole, cut short, in page blobs.
//!
//! The files are not part of this project; the folder comes from `BAC2_REAL_BACKUPS`, and what must be found from the
//! `expected.json` in it, which an independent parser wrote. Without the variable the trials are counted as ignored, not
//! as passed.
#![allow(missing_docs, clippy::unwrap_used)]

mod shelf;

use std::future::Future;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use azblob::time::UnixMillis;
use bak::trailer::TRAILER_SIZE;
use bak::{Trailer, trailer};
use guard::content::Ending;
use guard::holder::Evidence;
use guard::limits::CONTENT_REQUESTS_MAX;
use guard::report::{Did, Entry, Skip};
use guard::ruling::Terms;
use guard::scope::Scope;
use guard::{Clock, Content, Deed, Finding, Guard, Holder, Place};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

use shelf::{Shelf, Stored};

fn main() {
    let arguments = Arguments::from_args();
    let trials = match std::env::var_os("BAC2_REAL_BACKUPS").map(PathBuf::from) {
        Some(folder) => trials(&folder),
        None => vec![Trial::test("real backups under a lease", || Ok(())).with_ignored_flag(true)],
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn trials(folder: &Path) -> Vec<Trial> {
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(!expected.is_empty(), "expected.json names files");
    let trial = |entry: Value| {
        let name = format!("real file {}", entry["file"].as_str().unwrap());
        let folder = folder.to_owned();
        Trial::test(name, move || one_file(&folder, &entry))
    };
    expected.into_iter().map(trial).collect()
}

/// Time passes only by waiting.
#[derive(Default)]
struct Waiting(std::sync::Mutex<Duration>);

impl Clock for Waiting {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.watched().as_millis() as i64)
    }

    fn watched(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    async fn sleep(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// How a blob was stored, and what that makes of its content.
struct Case {
    name: String,
    stored: Stored,
    whole: bool,
}

fn one_file(folder: &Path, entry: &Value) -> Result<(), Failed> {
    let packed = std::fs::read(folder.join(entry["file"].as_str().unwrap()))?;
    let bytes = Arc::new(zstd::decode_all(packed.as_slice())?);
    let is_backup = entry["sets"].as_array().is_some_and(|sets| !sets.is_empty());
    if let Some(sets) = entry["sets"].as_array().filter(|sets| !sets.is_empty()) {
        check_trailer(&bytes, sets.len())?;
    }
    let cases = cases(&bytes);
    let shelf = Shelf::new(
        cases
            .iter()
            .map(|case| (Place::new("c", &case.name), case.stored.clone())),
    );
    let clock = Waiting::default();
    let terms = Terms {
        min_quiet: Duration::from_secs(600),
        include_restore: false,
        named: cases.iter().map(|case| Place::new("c", &case.name)).collect(),
    };
    let mut guard = Guard::new(&shelf, &clock, Scope::default(), terms);
    run(guard.survey())?;
    run(guard.ripen())?;
    for case in &cases {
        let place = Place::new("c", &case.name);
        let told = |why: String| Failed::from(format!("{}: {why}", case.name));
        let Some(Entry::Blob { finding, .. }) = guard.entry(&place) else {
            return Err(told("not found".to_owned()));
        };
        if !is_backup {
            check_database_file(&finding, case).map_err(told)?;
            continue;
        }
        check_backup(&finding, entry, case).map_err(told)?;
        let reads = shelf.reads(&place);
        if reads > CONTENT_REQUESTS_MAX {
            return Err(told(format!("{reads} reads")));
        }
        let did = run(guard.act(&place, Deed::Delete { complete_too: false }));
        check_deletion(&did, entry, case).map_err(told)?;
    }
    Ok(())
}

/// The file as a block blob, whole and cut, and in page blobs of a terabyte, written in one piece, with what is zero left
/// out, and cut.
fn cases(bytes: &Arc<Vec<u8>>) -> Vec<Case> {
    let size = bytes.len() as u64;
    let all = std::slice::from_ref(&(0..size)).to_vec();
    let case = |name: String, stored, whole| Case { name, stored, whole };
    let mut cases = vec![
        case("whole.bak".to_owned(), Stored::block(bytes, size), true),
        case("page-whole.bak".to_owned(), Stored::page(bytes, all), true),
        case(
            "page-sparse.bak".to_owned(),
            Stored::page(bytes, without_zeros(bytes)),
            true,
        ),
    ];
    let places = [
        8,
        512,
        1024,
        4096,
        65_536,
        size / 4,
        size / 2,
        size - size / 8,
        size - 4096,
        size - 512,
        size - 1,
    ];
    for end in places.into_iter().filter(|end| *end < size) {
        cases.push(case(format!("cut-{end}.bak"), Stored::block(bytes, end), false));
        let end = end / 512 * 512;
        if end > 0
            && cases
                .iter()
                .all(|case| case.name != format!("page-cut-{end}.bak"))
        {
            let stored = Stored::page(bytes, std::slice::from_ref(&(0..end)).to_vec());
            cases.push(case(format!("page-cut-{end}.bak"), stored, false));
        }
    }
    cases
}

/// The ranges that a client writes which leaves out what is zero, as copying tools do. The last page is always written.
fn without_zeros(bytes: &[u8]) -> Vec<Range<u64>> {
    const PAGE: usize = 512;
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let last = (bytes.len() - 1) / PAGE;
    for (number, page) in bytes.chunks(PAGE).enumerate() {
        if number != last && page.iter().all(|byte| *byte == 0) {
            continue;
        }
        let start = (number * PAGE) as u64;
        let end = start + page.len() as u64;
        match ranges.last_mut() {
            Some(range) if range.end == start => range.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?} instead of {expected:?}"))
    }
}

fn check_backup(finding: &Finding, entry: &Value, case: &Case) -> Result<(), String> {
    let set = &entry["sets"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let compressed = set["compressed"].as_bool().unwrap();
    let evidence = if compressed {
        Evidence::CompressedHeader
    } else {
        Evidence::TapeHeader
    };
    equal("holder", &finding.holder, &Holder::Backup(evidence))?;
    let Content::Backup(contained) = &finding.content else {
        return Err(format!("content: {:?}", finding.content));
    };
    if !case.whole {
        return equal("ending", &contained.ending, &Ending::CutShort);
    }
    equal("ending", &contained.ending, &Ending::Complete)?;
    equal("sets", &contained.sets, &entry["sets"].as_array().unwrap().len())?;
    equal("database", &contained.database_name, &text(&set["database"]))?;
    equal("server", &contained.server_name, &text(&set["server"]))?;
    let start = contained.backup_start_date.map(|date| date.to_string());
    equal("start", &start, &Some(text(&set["start"]).replace(' ', "T")))?;
    let kind = contained.backup_type.map(|kind| format!("{kind:?}"));
    let expected = match set["type"].as_str().unwrap() {
        "D" => "Full",
        "I" => "Differential",
        "L" => "Log",
        other => return Err(format!("a type that this test does not know: {other}")),
    };
    equal("type", &kind.as_deref(), &Some(expected))
}

/// The last block of a whole file closes its last set, and nowhere else is there such a block but behind an earlier set.
fn check_trailer(bytes: &[u8], sets: usize) -> Result<(), String> {
    let of = |end: usize| trailer(&bytes[end.saturating_sub(TRAILER_SIZE)..end]);
    equal("trailer", &of(bytes.len()), &Trailer::SetClosed)?;
    let ends = (512..=bytes.len()).step_by(512);
    let closed = ends.filter(|end| of(*end) == Trailer::SetClosed).count();
    equal("trailers", &closed, &sets)
}

/// Nothing complete is deleted unasked; what was cut is, but for a file whose earlier set is whole.
fn check_deletion(did: &Did, entry: &Value, case: &Case) -> Result<(), String> {
    let several = entry["sets"].as_array().unwrap().len() > 1;
    match did {
        Did::Skipped(Skip::CompleteBackup) if case.whole || several => Ok(()),
        Did::Deleted if !case.whole => Ok(()),
        other => Err(format!("deletion: {other:?}")),
    }
}

/// Its header page is enough to leave it alone.
fn check_database_file(finding: &Finding, case: &Case) -> Result<(), String> {
    let cut_in_the_header = case.name.ends_with("cut-8.bak");
    match &finding.content {
        Content::DataFile | Content::LogFile => equal("holder", &finding.holder, &Holder::Unknown),
        Content::Other if cut_in_the_header => Ok(()),
        other => Err(format!("content: {other:?}")),
    }
}
