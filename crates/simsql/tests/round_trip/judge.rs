//! Restores what plans say, and compares with what was recorded.

use chain::{Moment as Aim, Plan, Target, Terms};
use jiff::Timestamp;
use jiff::tz::Offset;
use simsql::moment::Moment;

use crate::library::{Library, Shelf, report};
use crate::story::Story;
use crate::workload::State;

/// How many targets were asked for, and how many were restored and found right.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) asked: u64,
    pub(crate) restored: u64,
}

/// The library of all files of a story.
pub(crate) fn library(story: &Story) -> Library {
    let written = story.media.iter().flat_map(|media| media.paths.clone());
    let disk = &story.place.memory.disk;
    let written: Vec<String> = written.filter(|path| disk.bytes(path).is_some()).collect();
    Library::read(disk, &written)
}

/// Restores random targets of all databases of a story.
///
/// # Errors
/// What did not come back as it was.
pub(crate) fn judge(story: &mut Story, targets: u64) -> Result<Tally, String> {
    for database in &mut story.databases {
        database.leave();
    }
    let library = library(story);
    let mut tally = Tally::default();
    for index in 0..story.databases.len() {
        let shelf = library.shelf(&story.databases[index].name);
        for nth in 0..targets {
            let target = target(story, index, shelf, nth);
            tally.asked += 1;
            story.place.trace.tell(&format!("target {target:?}"));
            let Ok(plans) = shelf.database.plan(&target, &Terms::default()) else {
                continue;
            };
            for plan in std::iter::once(&plans.best).chain(plans.other_branches.first()) {
                restore_and_compare(story, index, shelf, plan, &target)
                    .map_err(|error| format!("{target:?}: {error}\n{plan:#?}"))?;
                tally.restored += 1;
            }
        }
    }
    Ok(tally)
}

/// A moment as `chain` takes it: on the server's clock, or with an offset.
pub(crate) fn aim(story: &Story, moment: Moment) -> Aim {
    let time = Timestamp::from_microsecond(moment.0).unwrap();
    if story.place.chance.one_in(2) {
        return Aim::Universal(time);
    }
    let clock = &story.place.memory.clock;
    let minutes = simsql::world::Clock::offset_minutes(clock.as_ref(), moment);
    let offset = Offset::from_seconds(i32::from(minutes) * 60).unwrap();
    Aim::Local(offset.to_datetime(time))
}

/// One of the kinds of targets.
fn target(story: &Story, index: usize, shelf: &Shelf, nth: u64) -> Target {
    let chance = &story.place.chance;
    let history = &story.databases[index].history;
    let line = chance.below(history.line() as u64 + 1) as usize;
    let lineage = history.lineage(line);
    let commit = lineage[chance.below(lineage.len() as u64) as usize];
    match (nth, chance.below(9)) {
        (0, _) => Target::Latest,
        (_, 0) => Target::BeforeLsn(commit.end),
        (_, 1) => Target::Lsn(commit.end),
        (_, 2) => Target::Set(shelf.held[chance.below(shelf.held.len() as u64) as usize].set.id),
        (_, 3) => boundary(story, shelf).unwrap_or(Target::Latest),
        (_, 4 | 5) => Target::Moment(aim(story, commit.at)),
        (_, 6) => Target::Moment(aim(story, Moment(commit.at.0 - 1000))),
        _ => {
            let from = lineage[0].at.0;
            let span = (story.place.now().0 - from) / 1000;
            let millis = chance.below(span as u64 + 1) as i64;
            Target::Moment(aim(story, Moment(from + millis * 1000)))
        }
    }
}

/// An end of what is said to be restorable.
fn boundary(story: &Story, shelf: &Shelf) -> Option<Target> {
    let chance = &story.place.chance;
    let coverage = shelf.database.coverage();
    let count = coverage.spans.len() as u64;
    let span = coverage
        .spans
        .into_iter()
        .nth(chance.below(count.max(1)) as usize)?;
    Some(match (chance.below(3), span.times) {
        (0, Some(times)) => Target::Moment(Aim::Universal(times.from)),
        (1, Some(times)) => Target::Moment(Aim::Universal(times.to)),
        _ => Target::Lsn(span.to),
    })
}

/// Carries out a plan into a new database, which must be as recorded, and sound.
fn restore_and_compare(
    story: &Story,
    index: usize,
    shelf: &Shelf,
    plan: &Plan,
    target: &Target,
) -> Result<(), String> {
    const INTO: &str = "Restored";
    let place = &story.place;
    carry_out(story, shelf, plan, target, INTO, false)?;
    let found = place.tables(INTO);
    let right = compare(story, index, shelf, plan, target, &found);
    let sound = right.and_then(|_| check(story, INTO));
    place.does(&format!("DROP DATABASE [{INTO}]"));
    sound
}

/// # Errors
/// Where a RESTORE fails.
pub(crate) fn carry_out(
    story: &Story,
    shelf: &Shelf,
    plan: &Plan,
    target: &Target,
    into: &str,
    is_replacing: bool,
) -> Result<(), String> {
    let script = shelf.script(plan, target, into, is_replacing);
    story
        .place
        .run(&script)
        .map_err(|errors| format!("a planned restore fails: {errors:?}\n{script}"))
}

/// The number of commits of which line that a restored database shows, where that is what it should show.
///
/// # Errors
/// What is different.
pub(crate) fn compare(
    story: &Story,
    index: usize,
    shelf: &Shelf,
    plan: &Plan,
    target: &Target,
    found: &State,
) -> Result<(usize, usize), String> {
    let (line, from, to) = expected(story, index, shelf, plan, target)?;
    let lineage = story.databases[index].history.lineage(line);
    let possible = (from..=to).rev();
    let matching = possible
        .filter(|count| *count > 0)
        .find(|count| lineage[count - 1].state == *found);
    matching.map(|count| (line, count)).ok_or_else(|| {
        let states = lineage.iter().enumerate();
        let others: Vec<usize> = states
            .filter(|(_, commit)| commit.state == *found)
            .map(|(at, _)| at + 1)
            .collect();
        format!(
            "expected the state behind {from} to {to} of {} commits of line {line}, found that behind {others:?}: {}",
            lineage.len(),
            difference(&lineage[to.max(1) - 1].state, found)
        )
    })
}

/// On which line the plan ends, and behind how many commits at least and at most.
fn expected(
    story: &Story,
    index: usize,
    shelf: &Shelf,
    plan: &Plan,
    target: &Target,
) -> Result<(usize, usize, usize), String> {
    let history = &story.databases[index].history;
    let last = plan.steps.last().ok_or("a plan without a step")?;
    let held = shelf.held(last.set);
    let made = story
        .made
        .iter()
        .find(|made| made.path == held.paths[0] && made.position == held.backup.position)
        .ok_or("a backup that nobody made")?;
    assert_eq!(made.database, index);
    let line = made.line;
    let (from, to) = match target {
        Target::Moment(aim) => {
            let moment = match aim {
                Aim::Universal(time) => Moment(time.as_microsecond()),
                Aim::Local(time) => on_clock(story, *time),
            };
            history.at(line, moment)
        }
        Target::BeforeLsn(lsn) => {
            let count = history.before(line, *lsn);
            // An LSN of another line may lie within the block of a commit of this one.
            let is_of_line = history.lineage(line).iter().any(|commit| commit.end == *lsn);
            (count, count + usize::from(!is_of_line))
        }
        // The record that begins there may itself be a commit.
        Target::Lsn(lsn) => (history.before(line, *lsn), history.before(line, *lsn) + 1),
        _ => {
            let lineage = history.lineage(line);
            let mut count = history.before(line, held.set.last);
            // A commit that changed nothing leaves nothing in the log.
            while count > made.after && lineage[count - 1].state == lineage[count - 2].state {
                count -= 1;
            }
            if count < made.before || count > made.after {
                return Err(format!(
                    "LastLSN {} of a backup is behind {count} commits, not {} to {}",
                    held.set.last, made.before, made.after
                ));
            }
            (count, count)
        }
    };
    let length = history.lineage(line).len();
    Ok((line, from.min(length), to.min(length)))
}

/// The moment that the server's clock showed so; its offset never changes in a story.
fn on_clock(story: &Story, time: jiff::civil::DateTime) -> Moment {
    let clock = &story.place.memory.clock;
    let minutes = simsql::world::Clock::offset_minutes(clock.as_ref(), story.place.now());
    let offset = Offset::from_seconds(i32::from(minutes) * 60).unwrap();
    Moment(offset.to_timestamp(time).unwrap().as_microsecond())
}

fn difference(expected: &State, found: &State) -> String {
    let mut all = Vec::new();
    for name in expected.keys().chain(found.keys()) {
        match (expected.get(name), found.get(name)) {
            (Some(_), None) => all.push(format!("no table {name}")),
            (None, Some(_)) => all.push(format!("a table {name} too many")),
            (Some(a), Some(b)) => {
                let keys = a.keys().chain(b.keys());
                let odd: Vec<&i64> = keys.filter(|key| a.get(key) != b.get(key)).take(5).collect();
                if !odd.is_empty() {
                    all.push(format!("{name}: rows {odd:?} differ"));
                }
            }
            (None, None) => {}
        }
    }
    all.dedup();
    all.join("; ")
}

/// DBCC CHECKDB finds nothing, and neither does the verifier in a backup of all pages.
fn check(story: &Story, name: &str) -> Result<(), String> {
    const PROOF: &str = "/sim/backup/proof.bak";
    let place = &story.place;
    let found = place.engine(name, |engine| engine.check(name, 5));
    let errors: Vec<&str> = found
        .iter()
        .filter(|message| message.is_error())
        .map(|message| message.text.as_str())
        .collect();
    if !errors.is_empty() {
        return Err(format!("CHECKDB: {errors:?}"));
    }
    place.does(&format!(
        "BACKUP DATABASE [{name}] TO DISK = N'{PROOF}' WITH FORMAT, COPY_ONLY, CHECKSUM"
    ));
    let pages = report(&place.memory.disk, PROOF).pages;
    if pages.checksum_ok == 0 || pages.checksum_bad > 0 {
        return Err(format!("pages: {pages:?}"));
    }
    Ok(())
}
