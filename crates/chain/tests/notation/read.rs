//! Text to sets.

use std::collections::BTreeMap;

use bak::{LogFingerprint, Lsn, RecoveryModel};
use chain::{
    Clock, DifferentialBase, Families, Fork, ForkOrigin, Grade, Grain, Kind, Mark, Set, SetId, Terms,
};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime, date};
use jiff::tz::{Offset, TimeZone};
use uuid::Uuid;

use super::History;

/// The history that `text` tells.
pub(crate) fn history(text: &str) -> History {
    let mut reader = Reader {
        history: empty(date(2026, 3, 2)),
        offset: Some(0),
        origins: BTreeMap::new(),
    };
    for line in text.lines() {
        let told = line.split('#').next().unwrap_or_default().trim();
        if !told.is_empty() {
            reader.line(told);
        }
    }
    reader.history
}

/// A history of nothing.
pub(super) fn empty(day: Date) -> History {
    History {
        sets: Vec::new(),
        marks: Vec::new(),
        names: BTreeMap::new(),
        forks: BTreeMap::from([(fork_id("A"), "A".into())]),
        zone: None,
        day,
        shown: 0,
        terms: Terms::default(),
    }
}

/// `150`, or `21:153:37`.
pub(super) fn lsn(text: &str) -> Lsn {
    let number = |part: &str| part.parse().unwrap_or_else(|_| panic!("{text} is no LSN"));
    match text.split(':').collect::<Vec<_>>()[..] {
        [block] => Lsn {
            vlf: 1,
            block: number(block),
            slot: 1,
        },
        [vlf, block, slot] => Lsn {
            vlf: number(vlf),
            block: number(block),
            slot: number(slot).try_into().expect("a slot"),
        },
        _ => panic!("{text} is no LSN"),
    }
}

/// `10:15`, `10:15:30`, `3/10:15`, `2021-04-14T20:15:01`.
pub(super) fn time(text: &str, day: Date) -> DateTime {
    try_time(text, day).unwrap_or_else(|| panic!("{text} is no time"))
}

fn try_time(text: &str, day: Date) -> Option<DateTime> {
    if text.contains('T') {
        return text.parse().ok();
    }
    let (day, clock) = match text.split_once('/') {
        Some((number, clock)) => (day.with().day(number.parse().ok()?).build().ok()?, clock),
        None => (day, text),
    };
    let clock: jiff::civil::Time = clock.contains(':').then(|| clock.parse().ok())??;
    Some(day.to_datetime(clock))
}

/// One time, or two with a hyphen between them (dates have hyphens too).
fn times(text: &str, day: Date) -> (DateTime, DateTime) {
    // Two first: a time may be parsed with an offset behind it.
    text.match_indices('-')
        .find_map(|(at, _)| Some((try_time(&text[..at], day)?, try_time(&text[at + 1..], day)?)))
        .or_else(|| try_time(text, day).map(|both| (both, both)))
        .unwrap_or_else(|| panic!("{text} is no time"))
}

fn fork_id(name: &str) -> Uuid {
    named("fork", name)
}

/// A GUID of its own for each name.
fn named(kind: &str, name: &str) -> Uuid {
    let mut bytes = [0; 16];
    let text = [kind.as_bytes(), b"-", name.as_bytes()].concat();
    for (at, byte) in text.iter().enumerate() {
        bytes[at % 16] ^= byte.rotate_left(u32::try_from(at / 16).unwrap_or_default());
    }
    Uuid::from_bytes(bytes)
}

struct Reader {
    history: History,
    offset: Option<i16>,
    origins: BTreeMap<String, ForkOrigin>,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["day", day] => self.history.day = day.parse().expect("a day"),
            ["clock", offset] => self.offset = offset_minutes(offset),
            ["zone", rules] => self.history.zone = Some(TimeZone::posix(rules).expect("rules of a zone")),
            ["mark", name, lsn, ref rest @ ..] => self.mark(name, lsn, rest),
            [kind, name, bounds, ref rest @ ..] => self.set(kind, name, bounds, rest),
            _ => panic!("not understood: {line}"),
        }
    }

    fn mark(&mut self, name: &str, at_lsn: &str, rest: &[&str]) {
        let mut mark = Mark {
            name: name.into(),
            lsn: lsn(at_lsn),
            at: None,
            fork: fork_id("A"),
        };
        for word in rest {
            if let Some(text) = word.strip_prefix('@') {
                let local = time(text, self.history.day);
                let ahead = i64::from(self.offset.unwrap_or_default());
                mark.at = Offset::UTC.to_timestamp(local - ahead.minutes()).ok();
            } else if let Some(fork) = word.strip_prefix("fork=") {
                mark.fork = fork_id(fork);
            } else {
                panic!("not understood: {word}");
            }
        }
        self.history.marks.push(mark);
    }

    fn set(&mut self, kind: &str, name: &str, bounds: &str, rest: &[&str]) {
        let (first, last) = bounds.split_once("..").expect("two bounds");
        let (first, last) = (lsn(first), lsn(last));
        let (kind, bytes) = match kind {
            "F" => (Kind::Full, 1000),
            "D" => (
                Kind::Differential(DifferentialBase {
                    guid: None,
                    lsn: Lsn::ZERO,
                }),
                100,
            ),
            "L" => (Kind::Log, 10),
            _ => panic!("{kind} is no kind of set: F, D or L"),
        };
        let number = u64::try_from(self.history.names.len()).expect("few sets") + 1;
        let at = self.history.day.at(0, 0, 0, 0);
        let mut set = Set {
            id: SetId(number),
            guid: Some(named("set", name)),
            kind,
            first,
            last,
            checkpoint: first,
            fork: Fork {
                id: fork_id("A"),
                origin: None,
            },
            log_chain_began: None,
            clock: Clock {
                start: at,
                finish: at,
                grain: Grain::Exact,
                offset_minutes: self.offset,
                last_restorable: None,
            },
            model: RecoveryModel::Full,
            is_bulk_logged: false,
            is_copy_only: false,
            families: Families::single(),
            bytes,
            grade: Grade::Proved,
            log: None,
        };
        let mut words = rest.iter().copied();
        while let Some(word) = words.next() {
            self.word(&mut set, word, &mut words);
        }
        assert!(
            self.history.names.insert(name.into(), set.id).is_none(),
            "two sets are named {name}"
        );
        self.history.sets.push(set);
    }

    fn word<'a>(&mut self, set: &mut Set, word: &str, words: &mut impl Iterator<Item = &'a str>) {
        let day = self.history.day;
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match (key, value) {
            (times_of, "") if times_of.starts_with('@') => {
                (set.clock.start, set.clock.finish) = times(&times_of[1..], day);
            }
            ("cut", "") => set.clock.grain = Grain::Second,
            ("bulk", "") => {
                set.is_bulk_logged = true;
                set.model = RecoveryModel::BulkLogged;
            }
            ("copy", "") => set.is_copy_only = true,
            ("simple", "") => set.model = RecoveryModel::Simple,
            ("bulk_logged", "") => set.model = RecoveryModel::BulkLogged,
            ("cp", value) => set.checkpoint = lsn(value),
            ("base", value) => set.kind = Kind::Differential(self.base(value)),
            ("fork", name) => self.fork(set, name, words),
            ("stripes", "") => {
                set.families.count = words.next().and_then(|n| n.parse().ok()).expect("a number");
            }
            ("missing", "") => {
                let numbers = words.next().expect("numbers of stripes");
                set.families.missing = numbers.split(',').map(|n| n.parse().expect("a number")).collect();
            }
            ("grade", value) => set.grade = grade(value),
            ("bytes", value) => set.bytes = value.parse().expect("a number"),
            ("restorable", value) => set.clock.last_restorable = Some(time(value, day)),
            ("began", value) => set.log_chain_began = Some(lsn(value)),
            ("log", content) => set.log = Some(Box::new(fingerprint(set, content))),
            ("silent", "") => set.fork.origin = None,
            ("copy_of", value) => set.guid = Some(named("set", value)),
            ("offset", value) => set.clock.offset_minutes = offset_minutes(value),
            _ => panic!("not understood: {word}"),
        }
    }

    fn base(&self, name: &str) -> DifferentialBase {
        if let Some(checkpoint) = name.strip_prefix('?') {
            return DifferentialBase {
                guid: None,
                lsn: lsn(checkpoint),
            };
        }
        if let Some(elsewhere) = name.strip_prefix('!') {
            let (elsewhere, checkpoint) = elsewhere.split_once('@').unwrap_or((elsewhere, "1"));
            return DifferentialBase {
                guid: Some(named("set", elsewhere)),
                lsn: lsn(checkpoint),
            };
        }
        let id = self.history.id(name);
        let base = self.history.sets.iter().find(|set| set.id == id);
        let base = base.expect("each name has a set");
        DifferentialBase {
            guid: base.guid,
            lsn: base.checkpoint,
        }
    }

    fn fork<'a>(&mut self, set: &mut Set, name: &str, words: &mut impl Iterator<Item = &'a str>) {
        if !self.origins.contains_key(name) && name != "A" {
            let mut told = || words.next().expect("fork=B from A at 150");
            let (from, parent, at, point) = (told(), told(), told(), told());
            assert_eq!((from, at), ("from", "at"), "fork=B from A at 150");
            let origin = ForkOrigin {
                parent: fork_id(parent),
                point: lsn(point),
            };
            self.origins.insert(name.into(), origin);
            self.history.forks.insert(fork_id(name), name.into());
            self.history.forks.insert(fork_id(parent), parent.into());
        }
        set.fork = Fork {
            id: fork_id(name),
            origin: self.origins.get(name).copied(),
        };
    }
}

/// A log of one block a block number, all of one content.
fn fingerprint(set: &Set, content: &str) -> LogFingerprint {
    let sum = named("log", content).as_u64_pair().0;
    let blocks = (set.first.block..set.last.block).map(|block| {
        let (vlf, slot) = (set.first.vlf, 1);
        (Lsn { vlf, block, slot }, sum)
    });
    LogFingerprint::new(set.first, set.last, blocks)
}

fn offset_minutes(text: &str) -> Option<i16> {
    (text != "?").then(|| text.parse().expect("minutes"))
}

fn grade(text: &str) -> Grade {
    match text {
        "proved" => Grade::Proved,
        "engine" => Grade::EngineVerified,
        "accepted" => Grade::Accepted,
        "headers" => Grade::HeadersOnly,
        "disputed" => Grade::Disputed,
        "none" => Grade::None,
        _ => panic!("{text} is no grade"),
    }
}
