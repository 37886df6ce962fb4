//! The planner on a vault of 6.7 million sets: 2,000 databases, each with 35 days of logs every 15 minutes, a full every week and a
//! differential every day.
//!
//! Questions go to databases and moments drawn at random. Beside each stands a bare pass over the same database's sets, and one over
//! all sets of the vault: the first is the least that an answer without an index costs, the second what a planner costs that reads
//! the whole history. All on one thread.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bak::{Lsn, RecoveryModel};
use chain::{
    Clock, DifferentialBase, Families, Fork, Grade, Grain, Kind, Ledger, Moment, Set, SetId, Target, Terms,
};
use jiff::civil::{DateTime, date};
use jiff::{Span, Timestamp};
use uuid::Uuid;

use crate::child::peak_of_self;

/// A log every so many minutes.
const LOG_MINUTES: u64 = 15;
const DAYS: u64 = 35;
/// The server's clock is so far ahead of UTC.
const OFFSET_MINUTES: i16 = 120;

/// The planner on millions of sets.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Databases in the vault
    #[arg(long, default_value_t = 2000)]
    databases: u64,
    /// Questions of each kind
    #[arg(long, default_value_t = 500)]
    questions: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.databases > 0 && args.questions > 0, "nothing to measure");
    let since = Instant::now();
    let mut ledger = Ledger::default();
    let mut count = 0;
    let mut making = Duration::ZERO;
    for number in 0..args.databases {
        let start = Instant::now();
        let sets = history(number);
        making += start.elapsed();
        count += sets.len();
        ledger.load(family(number), sets);
    }
    let load = since.elapsed().saturating_sub(making);
    println!(
        "{count} sets of {} databases loaded and indexed in {:.1} s, {:.1} us a set; a set takes {} bytes, the process {} MiB at most",
        args.databases,
        load.as_secs_f64(),
        load.as_secs_f64() * 1e6 / count as f64,
        size_of::<Set>(),
        peak_of_self().context("this system does not tell the size of a process")? >> 20,
    );
    println!(
        "\n| question | median ms | 99th of 100 | slowest | times a bare pass over the database's sets |\n|---|---|---|---|---|"
    );
    let mut dice = Dice(42);
    for question in QUESTIONS {
        ask(&mut ledger, args, question, &mut dice)?;
    }
    whole_vault(&mut ledger, args);
    Ok(())
}

/// What is asked.
#[derive(Clone, Copy)]
enum Question {
    Moment,
    Lsn,
    Latest,
    Coverage,
    Loss,
    NewLog,
}

const QUESTIONS: [Question; 6] = [
    Question::Moment,
    Question::Lsn,
    Question::Latest,
    Question::Coverage,
    Question::Loss,
    Question::NewLog,
];

impl Question {
    fn words(self) -> &'static str {
        match self {
            Self::Moment => "plan for a moment (bar 50)",
            Self::Lsn => "plan for an LSN (bar 50)",
            Self::Latest => "plan for the latest (bar 50)",
            Self::Coverage => "coverage of one database (bar 10)",
            Self::Loss => "what if a full were deleted (bar 10)",
            Self::NewLog => "a log comes in, and coverage after it",
        }
    }

    /// Asks it of one database; whether the answer is as the history was made.
    fn is_answered(self, ledger: &mut Ledger, family: Uuid, minute: u64, round: u64) -> Result<bool> {
        let database = ledger.database(family).context("the database is there")?;
        Ok(match self {
            Self::Moment => {
                let at = Moment::Universal(moment(minute)?);
                let plans = database.plan(&Target::Moment(at), &Terms::default());
                plans.is_ok_and(|plans| (2..=100).contains(&plans.best.steps.len()))
            }
            Self::Lsn => {
                let plans = database.plan(&Target::Lsn(lsn(minute * 10 + 5)), &Terms::default());
                plans.is_ok_and(|plans| (2..=100).contains(&plans.best.steps.len()))
            }
            Self::Latest => database.plan(&Target::Latest, &Terms::default()).is_ok(),
            Self::Coverage => database.coverage().spans.len() == 1,
            Self::Loss => {
                let fulls: Vec<SetId> = database
                    .sets()
                    .iter()
                    .filter(|set| set.kind == Kind::Full)
                    .map(|set| set.id)
                    .collect();
                !database.loss(&fulls[..1]).spans.is_empty()
            }
            Self::NewLog => {
                let last = database.sets().last().context("the database has sets")?.clone();
                let next = Set {
                    id: SetId(u64::MAX - round),
                    guid: Some(Uuid::from_u128(u128::from(u64::MAX - round) << 64)),
                    first: last.last,
                    last: Lsn {
                        block: last.last.block + 1,
                        ..last.last
                    },
                    kind: Kind::Log,
                    ..last
                };
                ledger.insert(family, next);
                let database = ledger.database(family).context("the database is there")?;
                database.coverage().spans.len() == 1
            }
        })
    }
}

fn ask(ledger: &mut Ledger, args: &Args, question: Question, dice: &mut Dice) -> Result<()> {
    let mut answers = Vec::new();
    let mut passes = Vec::new();
    for round in 0..args.questions {
        let family = family(dice.below(args.databases));
        let minute = dice.below((DAYS - 7) * 24 * 60) + 7 * 24 * 60;
        let database = ledger.database(family).context("the database is there")?;
        let start = Instant::now();
        black_box(
            database
                .sets()
                .iter()
                .filter(|set| set.grade == Grade::Proved)
                .map(|set| set.bytes)
                .sum::<u64>(),
        );
        passes.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let is_right = question.is_answered(ledger, family, minute, round)?;
        answers.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(
            is_right,
            "{}: a wrong answer for minute {minute}",
            question.words()
        );
    }
    answers.sort_by(f64::total_cmp);
    passes.sort_by(f64::total_cmp);
    let at = |values: &[f64], part: usize| values[(values.len() * part / 100).min(values.len() - 1)];
    println!(
        "| {} | {:.2} | {:.2} | {:.2} | {:.0} |",
        question.words(),
        at(&answers, 50),
        at(&answers, 99),
        at(&answers, 100),
        at(&answers, 50) / at(&passes, 50),
    );
    Ok(())
}

/// What a planner costs that looks at every set of the vault for each question.
fn whole_vault(ledger: &mut Ledger, args: &Args) {
    let start = Instant::now();
    let mut bytes = 0;
    for number in 0..args.databases {
        if let Some(database) = ledger.database(family(number)) {
            bytes += database
                .sets()
                .iter()
                .filter(|set| set.grade == Grade::Proved)
                .map(|set| set.bytes)
                .sum::<u64>();
        }
    }
    black_box(bytes);
    println!(
        "\na bare pass over all sets of the vault: {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
}

fn family(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number) << 64 | 1)
}

/// Ten positions of log a minute.
fn lsn(position: u64) -> Lsn {
    Lsn {
        vlf: 1,
        block: position as u32,
        slot: 1,
    }
}

fn local(minute: u64) -> DateTime {
    let span = Span::new().minutes(minute as i64);
    date(2026, 1, 5)
        .at(0, 0, 0, 0)
        .checked_add(span)
        .expect("a few weeks later is a date")
}

fn moment(minute: u64) -> Result<Timestamp> {
    let local = local(minute).to_zoned(jiff::tz::TimeZone::UTC)?;
    Ok(local.timestamp() - Span::new().minutes(i64::from(OFFSET_MINUTES)))
}

/// The sets of one database.
fn history(number: u64) -> Vec<Set> {
    let mut sets = Vec::new();
    let mut base = (Uuid::nil(), Lsn::ZERO);
    for minute in (0..DAYS * 24 * 60).step_by(LOG_MINUTES as usize) {
        let id = |kind: u64| number << 32 | minute << 2 | kind;
        let is_midnight = minute % (24 * 60) == 0;
        if is_midnight && minute % (7 * 24 * 60) == 0 {
            let full = set(id(1), Kind::Full, minute, 2);
            base = (full.guid.unwrap_or_default(), full.checkpoint);
            sets.push(full);
        } else if is_midnight {
            let relative = DifferentialBase {
                guid: Some(base.0),
                lsn: base.1,
            };
            sets.push(set(id(2), Kind::Differential(relative), minute, 1));
        }
        sets.push(set(id(3), Kind::Log, minute, 0));
    }
    sets
}

/// A data backup of so many minutes that begins at `minute`, or the log up to it.
fn set(id: u64, kind: Kind, minute: u64, minutes: u64) -> Set {
    let (first, last) = if kind == Kind::Log {
        ((minute * 10).saturating_sub(LOG_MINUTES * 10), minute * 10)
    } else {
        (minute * 10, (minute + minutes) * 10)
    };
    Set {
        id: SetId(id),
        guid: Some(Uuid::from_u128(u128::from(id) | 1 << 100)),
        kind,
        first: lsn(first + 1),
        last: lsn(last + 1),
        checkpoint: lsn(first + 1),
        fork: Fork {
            id: Uuid::from_u128(u128::from(id >> 32) | 1 << 101),
            origin: None,
        },
        log_chain_began: Some(lsn(1)),
        clock: Clock {
            start: local(minute),
            finish: local(minute + minutes),
            grain: Grain::Second,
            offset_minutes: Some(OFFSET_MINUTES),
            last_restorable: None,
        },
        model: RecoveryModel::Full,
        is_bulk_logged: false,
        is_copy_only: false,
        families: Families::single(),
        bytes: 1 << 20,
        grade: Grade::Proved,
        log: None,
    }
}

/// Numbers that come the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
