//! Months of backups of one database, with lost logs, damage and restores over it, aged day by day; what stays is judged by a walk
//! over positions in the log that knows nothing of the planner.

use std::collections::BTreeSet;

use catalog::record::{
    ContainerId, DatabaseId, Grade, ItemId, Point, PointId, PolicyId, Protection, SetFacts, SoftDelete,
};
use chain::{Database, Moment, SetId, Target};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use schedule::keep::Origin;
use schedule::policy::{DifferentialPolicy, LogPolicy};
use schedule::{BackupKind, Days, Period, Policy};
use uuid::Uuid;

use super::Reason;
use super::judging::{Stock, Terms};
use crate::points::set_of;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Fulls for 7 days, differentials for 5, logs for 9.
fn policy() -> Policy {
    let mut policy = Policy::daily("short", "22:00".parse().unwrap(), Days(7));
    policy.differential = Some(DifferentialPolicy {
        days: Vec::new(),
        times: Vec::new(),
        retention: Days(5),
    });
    policy.log = Some(LogPolicy {
        every: Period::minutes(60),
        offset: Period::default(),
        retention: Days(9),
    });
    policy
}

/// A line of a database's history.
struct Line {
    parent: Option<(usize, u32)>,
}

/// A database and its backups.
struct Story {
    points: Vec<Point>,
    lines: Vec<Line>,
    line: usize,
    now: Timestamp,
    at: u32,
    /// Where the next log begins.
    log_end: Option<u32>,
    base: Option<(Uuid, u32)>,
    chance: u64,
    taken: u128,
}

fn lsn(at: u32) -> String {
    let lsn = bak::Lsn {
        vlf: 40,
        block: at,
        slot: 1,
    };
    lsn.to_string()
}

fn position(text: &str) -> u32 {
    text.parse::<bak::Lsn>().unwrap().block
}

impl Story {
    fn new(seed: u64) -> Self {
        Self {
            points: Vec::new(),
            lines: vec![Line { parent: None }],
            line: 0,
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            at: 1_000,
            log_end: None,
            base: None,
            chance: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED,
            taken: 0,
        }
    }

    /// SplitMix64, below a bound.
    fn dice(&mut self, bound: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pass(&mut self, minutes: i64) {
        self.now += SignedDuration::from_mins(minutes);
    }

    fn write(&mut self, most: u64) {
        self.at += u32::try_from(self.dice(most + 1)).unwrap();
    }

    fn take(&mut self, kind: BackupKind, first: u32, grade: Grade) {
        self.taken += 1;
        let started = self.now.to_zoned(TimeZone::UTC).datetime();
        self.pass(1);
        let fork = |line: usize| Uuid::from_u128(100 + line as u128);
        let parent = self.lines[self.line].parent;
        let guid = Uuid::from_u128(1_000 + self.taken);
        let base = self.base.filter(|_| kind == BackupKind::Differential);
        self.points.push(Point {
            id: PointId(guid),
            item: ItemId(Uuid::from_u128(2)),
            database: DatabaseId(Uuid::from_u128(3)),
            job: None,
            policy: PolicyId(Uuid::from_u128(4)),
            container: ContainerId(Uuid::from_u128(5)),
            blobs: vec![format!("a/{guid}")],
            kind,
            set: SetFacts {
                guid,
                first_lsn: lsn(first),
                last_lsn: lsn(self.at),
                checkpoint_lsn: lsn(first),
                database_backup_lsn: None,
                database_guid: None,
                family_guid: Some(Uuid::from_u128(7)),
                fork: fork(self.line),
                first_fork: parent.map(|(line, _)| fork(line)),
                fork_point: parent.map(|(_, at)| lsn(at)),
                base_guid: base.map(|(guid, _)| guid),
                base_lsn: base.map(|(_, at)| lsn(at)),
                started,
                finished: self.now.to_zoned(TimeZone::UTC).datetime(),
                offset_minutes: Some(0),
                last_restorable: None,
                recovery_model: "FULL".to_owned(),
                is_bulk_logged: false,
                is_copy_only: kind == BackupKind::CopyOnlyFull,
                begins_log_chain: false,
                families: 1,
                software_version: "15.0.4102".to_owned(),
                thumbprint: None,
                log: None,
            },
            grade,
            reasons: Vec::new(),
            taken: Some(self.now),
            origin: Some(Origin::Scheduled),
            ended: self.now,
            bytes: 10,
            keep_until: None,
            deletion: None,
        });
    }

    fn data(&mut self, kind: BackupKind, grade: Grade) {
        let first = self.at;
        self.at += 2;
        self.take(kind, first, grade);
        if kind == BackupKind::Full {
            self.base = Some((self.points.last().unwrap().set.guid, first));
            self.log_end.get_or_insert(first);
        }
    }

    fn log(&mut self, grade: Grade) {
        if let Some(first) = self.log_end {
            self.take(BackupKind::Log, first, grade);
            self.log_end = Some(self.at);
        }
    }

    /// Restored over to where it was: another line, whose log goes on from there.
    fn fork(&mut self) {
        let back = u32::try_from(self.dice(30)).unwrap();
        let from = self.lines[self.line].parent.map_or(1_000, |(_, at)| at);
        let point = self.at.saturating_sub(back).max(from + 1);
        self.lines.push(Line {
            parent: Some((self.line, point)),
        });
        self.line = self.lines.len() - 1;
        self.at = point + 1;
        self.log_end = Some(point);
        self.base = None;
        self.pass(5);
    }

    /// A day: a full now and then, differentials, logs, and trouble.
    fn day(&mut self) {
        if self.dice(25) == 0 && !self.points.is_empty() {
            self.fork();
            self.data(BackupKind::Full, Grade::Proved);
        }
        let full_every = 4;
        let kind = match self.dice(full_every) {
            0 => Some(BackupKind::Full),
            1 | 2 if self.base.is_some() => Some(BackupKind::Differential),
            _ if self.base.is_none() => Some(BackupKind::Full),
            3 if self.dice(4) == 0 => Some(BackupKind::CopyOnlyFull),
            _ => None,
        };
        let grade = match self.dice(12) {
            0 => Grade::Disputed,
            1 => Grade::Accepted,
            _ => Grade::Proved,
        };
        if let Some(kind) = kind {
            self.write(3);
            self.data(kind, grade);
        }
        for _ in 0..6 {
            self.pass(200);
            self.write(4);
            match self.dice(40) {
                // Lost: SQL Server has cut its log off there.
                0 => self.log_end = Some(self.at),
                1 => self.log(Grade::Disputed),
                _ => self.log(Grade::Proved),
            }
        }
        self.pass(200);
    }

    /// Where a position of a line belongs.
    fn home(&self, line: usize, at: u32) -> (usize, u32) {
        match self.lines[line].parent {
            Some((parent, point)) if at <= point => self.home(parent, at),
            _ => (line, at),
        }
    }

    fn line_of(point: &Point) -> usize {
        usize::try_from(point.set.fork.as_u128() - 100).unwrap()
    }

    /// The positions of a log: behind its first, to its last.
    fn positions(&self, log: &Point) -> Vec<(usize, u32)> {
        let (first, last) = (position(&log.set.first_lsn), position(&log.set.last_lsn));
        let line = Self::line_of(log);
        (first + 1..=last).map(|at| self.home(line, at)).collect()
    }

    /// Every position that can be restored to with these, and from which of them logs go on.
    fn restorable(&self, points: &[&Point], lenient: bool) -> BTreeSet<(usize, u32)> {
        let usable: Vec<&Point> = points
            .iter()
            .copied()
            .filter(|point| lenient || point.grade != Grade::Disputed)
            .collect();
        let mut open: Vec<(usize, u32)> = Vec::new();
        for point in &usable {
            let is_anchor = match point.kind {
                BackupKind::Full | BackupKind::CopyOnlyFull => true,
                BackupKind::Differential => usable
                    .iter()
                    .any(|full| full.kind == BackupKind::Full && Some(full.set.guid) == point.set.base_guid),
                BackupKind::Log => false,
            };
            if is_anchor {
                open.push(self.home(Self::line_of(point), position(&point.set.last_lsn)));
            }
        }
        let logs: Vec<&&Point> = usable
            .iter()
            .filter(|point| point.kind == BackupKind::Log)
            .collect();
        let begins: BTreeSet<(usize, u32)> = logs
            .iter()
            .map(|log| self.home(Self::line_of(log), position(&log.set.first_lsn)))
            .collect();
        let mut reached: BTreeSet<(usize, u32)> = open.iter().copied().collect();
        let mut gone_on: BTreeSet<(usize, u32)> = BTreeSet::new();
        while let Some(from) = open.pop() {
            if !gone_on.insert(from) {
                continue;
            }
            for log in &logs {
                let (first, last) = (position(&log.set.first_lsn), position(&log.set.last_lsn));
                let line = Self::line_of(log);
                if self.home(line, from.1) != from || from.1 < first || from.1 >= last {
                    continue;
                }
                for at in from.1 + 1..=last {
                    let to = self.home(line, at);
                    reached.insert(to);
                    // Logs go on from its end, or from where one of a fork begins in it.
                    if at == last || begins.contains(&to) {
                        open.push(to);
                    }
                }
            }
        }
        reached
    }
}

/// What of the live points `after` lost that `before` could be restored to.
fn lost(story: &Story, before: &[&Point], after: &[&Point], live: &BTreeSet<PointId>) -> Vec<String> {
    let mut lost = Vec::new();
    for lenient in [false, true] {
        let had = story.restorable(before, lenient);
        let has = story.restorable(after, lenient);
        for point in before.iter().filter(|point| live.contains(&point.id)) {
            if !after.iter().any(|left| left.id == point.id) {
                lost.push(format!("{:?} {} itself", point.kind, point.id));
            }
            if point.kind == BackupKind::Log && (lenient || point.grade != Grade::Disputed) {
                let gone = story
                    .positions(point)
                    .into_iter()
                    .find(|at| had.contains(at) && !has.contains(at));
                lost.extend(gone.map(|at| format!("{at:?} of log {}, lenient: {lenient}", point.id)));
            }
            let base = before
                .iter()
                .find(|full| Some(full.set.guid) == point.set.base_guid);
            if let Some(base) = base.filter(|base| !after.iter().any(|left| left.id == base.id)) {
                lost.push(format!("the base {} of {}", base.id, point.id));
            }
        }
    }
    lost
}

fn database(points: &[&Point]) -> Database {
    let sets = points.iter().enumerate();
    Database::new(
        sets.map(|(place, point)| set_of(point, SetId(place as u64)).unwrap())
            .collect(),
    )
}

/// The newest of what can be restored whole.
fn newest<'p>(story: &Story, points: &[&'p Point]) -> Option<&'p Point> {
    let reached = story.restorable(points, false);
    points
        .iter()
        .copied()
        .filter(|point| {
            let end = story.home(Story::line_of(point), position(&point.set.last_lsn));
            point.grade != Grade::Disputed && reached.contains(&end)
        })
        .max_by_key(|point| point.ended)
}

fn keeps(point: &Point) -> SignedDuration {
    DAY * match point.kind {
        BackupKind::Full | BackupKind::CopyOnlyFull => 7,
        BackupKind::Differential => 5,
        BackupKind::Log => 9,
    }
}

fn age_one(seed: u64) -> (usize, usize) {
    let mut story = Story::new(seed);
    let policy = policy();
    let protection = Protection::Protected;
    let terms = Terms::of(&policy, &protection);
    let mut removed = 0;
    for day in 0..50 {
        story.day();
        let now = story.now;
        let all: Vec<&Point> = story.points.iter().collect();
        let judged = Stock::of(&story.points).judge(&terms, &(0..all.len()).collect(), now);
        let kept: Vec<&Point> = judged
            .iter()
            .filter(|(_, one)| !one.reasons.is_empty())
            .map(|(place, _)| all[*place])
            .collect();
        let live: BTreeSet<PointId> = all
            .iter()
            .filter(|point| point.ended + keeps(point) > now)
            .map(|point| point.id)
            .collect();
        let lost = lost(&story, &all, &kept, &live);
        assert!(lost.is_empty(), "seed {seed}, day {day}: {lost:#?}");
        if let Some(newest) = newest(&story, &all) {
            let still = super::tests::newest(&story, &kept).map(|point| point.id);
            assert_eq!(still, Some(newest.id), "seed {seed}, day {day}");
        }
        // Moments, by the planner's own word: what it claims in a log that is kept, it claims afterwards.
        let (before, after) = (database(&all), database(&kept));
        for log in all
            .iter()
            .filter(|point| point.kind == BackupKind::Log && live.contains(&point.id))
        {
            let start = log.set.started.to_zoned(TimeZone::UTC).unwrap().timestamp();
            for back in [0, 30, 150] {
                let moment = Target::Moment(Moment::Universal(start - SignedDuration::from_mins(back)));
                let had = before.plan(&moment, &chain::Terms::default()).is_ok();
                let has = after.plan(&moment, &chain::Terms::default()).is_ok();
                assert!(
                    !had || has,
                    "seed {seed}, day {day}: {back} minutes before log {}",
                    log.id
                );
            }
        }
        let kept: BTreeSet<PointId> = kept.iter().map(|point| point.id).collect();
        let there = story.points.len();
        story.points.retain(|point| kept.contains(&point.id));
        removed += there - story.points.len();
    }
    (removed, story.points.len())
}

#[test]
fn nothing_that_is_kept_loses_what_it_could_be_restored_to() {
    let (mut removed, mut left) = (0, 0);
    for seed in 0..8 {
        let (gone, stays) = age_one(seed);
        removed += gone;
        left += stays;
    }
    // 50 days with seven backups each, of which nine are kept, and what these stand on.
    assert!(
        removed > 8 * 150 && left < 8 * 200,
        "{removed} removed, {left} left"
    );
}

/// A full each day and six logs, for so many days.
fn plain(days: usize) -> Story {
    let mut story = Story::new(1);
    for _ in 0..days {
        story.data(BackupKind::Full, Grade::Proved);
        for _ in 0..6 {
            story.pass(200);
            story.at += 3;
            story.log(Grade::Proved);
        }
        story.pass(240 - 7);
    }
    story
}

fn all(story: &Story) -> BTreeSet<usize> {
    (0..story.points.len()).collect()
}

#[test]
fn a_full_lives_until_the_last_log_that_stands_on_it_expires() {
    let story = plain(30);
    let (policy, protection) = (policy(), Protection::Protected);
    let terms = Terms::of(&policy, &protection);
    let judged = Stock::of(&story.points).judge(&terms, &all(&story), story.now);
    for (place, one) in &judged {
        let point = &story.points[*place];
        let age = story.now.duration_since(point.ended);
        let is_kept = !one.reasons.is_empty();
        match point.kind {
            BackupKind::Log if age < DAY * 9 => assert!(is_kept),
            // Those of the day on which the oldest log that is kept was taken lead to it.
            _ if age > DAY * 11 => assert!(!is_kept, "{point:#?}: {:?}", one.reasons),
            BackupKind::Full if age < DAY * 9 => assert!(is_kept),
            _ => {}
        }
    }
    let needed = judged
        .values()
        .filter(|one| matches!(one.reasons.as_slice(), [Reason::Needed { .. }]));
    assert!(
        needed.count() >= 3,
        "two fulls, and the logs before the oldest one that is kept"
    );
}

#[test]
fn the_newest_chain_never_expires_and_nothing_does_once_protection_is_stopped() {
    let story = plain(3);
    let policy = policy();
    let later = story.now + DAY * 4_000;
    let stock = Stock::of(&story.points);
    let protected = Protection::Protected;
    let judged = stock.judge(&Terms::of(&policy, &protected), &all(&story), later);
    let kept: Vec<BackupKind> = judged
        .iter()
        .filter(|(_, one)| !one.reasons.is_empty())
        .map(|(place, _)| story.points[*place].kind)
        .collect();
    // The third full, and the six logs of its day.
    let mut expected = vec![BackupKind::Full];
    expected.extend([BackupKind::Log; 6]);
    assert_eq!(kept, expected);
    for resting in [
        Protection::Stopped { since: story.now },
        Protection::SoftDeleted {
            since: story.now,
            until: later,
        },
    ] {
        let judged = stock.judge(&Terms::of(&policy, &resting), &all(&story), later);
        assert!(judged.values().all(|one| one.reasons.len() == 1));
    }
}

#[test]
fn wishes_and_damage_neither_shorten_nor_lengthen_what_others_have() {
    let mut story = plain(30);
    let policy = policy();
    let protected = Protection::Protected;
    let now = story.now;
    story.points[0].keep_until = Some(now + DAY);
    let judge = |story: &Story| {
        let judged = Stock::of(&story.points).judge(&Terms::of(&policy, &protected), &all(story), now);
        let kept = judged.into_iter().filter(|(_, one)| !one.reasons.is_empty());
        kept.map(|(place, _)| place).collect::<BTreeSet<usize>>()
    };
    let kept = judge(&story);
    assert!(
        kept.contains(&0) && !kept.contains(&1),
        "the full alone, and not its logs"
    );
    // A log of yesterday that is damaged ages as before, and so does what leads to it.
    let yesterday = story.points.len() - 10;
    story.points[yesterday].grade = Grade::Disputed;
    assert_eq!(judge(&story), kept);
}

#[test]
fn what_is_foreseen_comes_true() {
    let story = plain(20);
    let policy = policy();
    let protected = Protection::Protected;
    let terms = Terms::of(&policy, &protected);
    let stock = Stock::of(&story.points);
    let prospects = stock.foresee(&terms, story.now, SoftDelete::default());
    assert_eq!(prospects.len(), story.points.len());
    // Day by day, as the vault will do it.
    let mut members = all(&story);
    let mut now = story.now;
    while now < story.now + DAY * 40 {
        for (place, one) in stock.judge(&terms, &members, now) {
            let prospect = &prospects[place];
            if one.reasons.is_empty() {
                members.remove(&place);
                let expires = prospect.expires.expect("it goes");
                let early = now.duration_since(expires);
                assert!(
                    (SignedDuration::ZERO..=DAY * 2).contains(&early),
                    "{prospect:?} at {now}"
                );
                assert_eq!(prospect.gone, Some(expires + DAY * 14));
            } else if prospect.expires.is_some_and(|expires| now > expires + DAY * 2) {
                panic!("{prospect:?} is there at {now}: {:?}", one.reasons);
            }
        }
        now += DAY;
    }
    let stay: Vec<bool> = prospects
        .iter()
        .map(|prospect| prospect.expires.is_none())
        .collect();
    let left: Vec<bool> = (0..stay.len()).map(|place| members.contains(&place)).collect();
    assert_eq!(stay, left, "the newest chain");
    assert!(stay.iter().any(|stays| *stays) && !stay.iter().all(|stays| *stays));
}
