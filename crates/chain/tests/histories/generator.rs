//! Plays a random history of one database on its servers.
//!
//! Time is in milliseconds. In most histories backups begin and end at whole seconds and are told so exactly, and no record is committed
//! at one: so that "up to and including this second" has one meaning. What a backup holds ends no later than its finish. In the others
//! they begin and end at any time, and the planner is told the second, as headers do; truth stays what it is.

use bak::{Lsn, RecoveryModel};
use chain::{Clock, DifferentialBase, Families, Fork, ForkOrigin, Grade, Grain, Kind, Set, SetId};
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::chance::Chance;
use crate::fate;
use crate::world::{
    Committed, Feature, Features, Line, Made, Parted, Record, SetBack, World, civil, timestamp,
};

const SECOND: i64 = 1000;
/// One history in so many tells its times cut to whole seconds.
const CUT_EVERY: u64 = 3;
/// Sets that are taken at most: brute force stays small.
const SETS_MAX: usize = 11;

/// A possible base of differentials.
#[derive(Debug, Clone, Copy)]
struct Base {
    backup: u32,
    guid: Uuid,
    checkpoint: Lsn,
    last: Lsn,
}

/// One server and the database on it.
#[derive(Debug, Clone)]
struct Server {
    line: usize,
    fork: Fork,
    /// Ahead of true time.
    skew: i64,
    /// Number of the next LSN.
    next: u64,
    /// Where the next log backup begins; none in SIMPLE, and before the first full.
    log_start: Option<Lsn>,
    chain_began: Option<Lsn>,
    model: RecoveryModel,
    /// Fulls that a differential could be relative to, oldest first.
    bases: Vec<Base>,
}

/// What kinds of event a history may have.
#[derive(Debug, Clone, Copy)]
struct Moods {
    forks: bool,
    snapshots: bool,
    simple: bool,
    bulk: bool,
    steps: bool,
    recorded: bool,
    fingerprints: u64,
    repeats_origin: bool,
    /// Headers cut their times to whole seconds.
    is_cut: bool,
}

struct Maker {
    chance: Chance,
    world: World,
    servers: Vec<Server>,
    snapshots: Vec<(usize, Server, usize)>,
    moods: Moods,
    /// True time.
    now: i64,
    zone: TimeZone,
    contents: u32,
    identities: u128,
}

/// The history of a seed.
pub(crate) fn world(seed: u64) -> World {
    let mut maker = Maker::new(seed);
    let events = maker.chance.range(5, 22);
    maker.data(0, Kind::Full, false);
    for _ in 0..events {
        if maker.world.made.len() >= SETS_MAX {
            break;
        }
        maker.event();
    }
    let Maker {
        mut chance,
        mut world,
        moods,
        zone,
        ..
    } = maker;
    fate::befall(&mut world, &mut chance, &zone, moods.fingerprints);
    world
}

/// The LSN of a number; each in a block of its own.
fn lsn(number: u64) -> Lsn {
    Lsn {
        vlf: 30 + (number / 40) as u32,
        block: 16 + 8 * (number % 40) as u32,
        slot: 1,
    }
}

fn whole_second(milliseconds: i64) -> i64 {
    (milliseconds + SECOND - 1).div_euclid(SECOND) * SECOND
}

/// The second that a moment lies in.
fn cut(milliseconds: i64) -> i64 {
    milliseconds.div_euclid(SECOND) * SECOND
}

impl Maker {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let is_summer_time = chance.percent(15);
        let (zone, now) = if is_summer_time {
            let rule = "CET-1CEST,M3.5.0,M10.5.0/3";
            // An hour or so before the clock changes: 2026-03-29 01:00 UTC, 2026-10-25 01:00 UTC.
            let change = chance.pick(&[1_774_746_000_000, 1_792_890_000_000]);
            (
                TimeZone::posix(rule).expect("a POSIX rule"),
                change - chance.range(0, 5_400_000),
            )
        } else {
            let minutes = chance.pick(&[0, 120, -300, 330]);
            let offset = jiff::tz::Offset::from_seconds(minutes * 60).expect("a usual offset");
            (
                TimeZone::fixed(offset),
                1_780_000_000_000 + chance.range(0, 90_000_000),
            )
        };
        let mut features = Features::default();
        if is_summer_time {
            features.add(Feature::SummerTime);
        }
        let moods = Moods {
            forks: chance.percent(40),
            snapshots: chance.percent(25),
            simple: chance.percent(25),
            bulk: chance.percent(30),
            steps: chance.percent(20),
            recorded: chance.percent(30),
            fingerprints: chance.pick(&[0, 60, 100, 100]),
            repeats_origin: chance.percent(70),
            is_cut: seed.is_multiple_of(CUT_EVERY),
        };
        if moods.is_cut {
            features.add(Feature::Cut);
        }
        let server = Server {
            line: 0,
            fork: Fork {
                id: Uuid::from_u128(1),
                origin: None,
            },
            skew: 0,
            next: chance.range(5, 60) as u64,
            log_start: None,
            chain_began: None,
            model: RecoveryModel::Full,
            bases: Vec::new(),
        };
        Self {
            world: World {
                seed,
                lines: vec![Line {
                    records: Vec::new(),
                    fork: server.fork.id,
                    parted: None,
                    set_back: Vec::new(),
                }],
                made: Vec::new(),
                zone: None,
                has_plain_time: !is_summer_time,
                features,
                story: Vec::new(),
            },
            chance,
            servers: vec![server],
            snapshots: Vec::new(),
            moods,
            now: whole_second(now),
            zone,
            contents: 0,
            identities: 1,
        }
    }

    fn identity(&mut self) -> Uuid {
        self.identities += 1;
        Uuid::from_u128(self.identities)
    }

    fn told(&mut self, what: &str) {
        let at = civil(self.now);
        self.world.story.push(format!("{at} {what}"));
    }

    fn event(&mut self) {
        let server = self.chance.below(self.servers.len());
        if self.moods.snapshots && self.chance.percent(15) {
            self.snapshot(server);
            return;
        }
        match self.chance.below(100) {
            0..22 => self.work(server),
            22..30 => self.data(server, Kind::Full, false),
            30..35 => self.data(server, Kind::Full, true),
            35..44 => self.differential(server),
            44..78 => self.log(server),
            78..83 => self.simple(server),
            83..87 => self.bulk(server),
            87..92 => self.restored(server),
            92..97 => self.snapshot(server),
            _ => self.step(server),
        }
    }

    /// Where times are told exactly, backups begin and end on whole seconds.
    fn reach_the_second(&mut self) {
        if !self.moods.is_cut {
            self.now = whole_second(self.now);
        }
    }

    /// Time passes; never to a whole second.
    fn wait(&mut self, seconds: i64) {
        self.now += seconds * SECOND + self.chance.range(1, 999);
        // Commits are stamped in 1/300 of a second, which print as 0, 3 and 7 milliseconds.
        let tick = [0, 2, 1, 0, 3, 2, 1, 0, 2, 1][self.now.rem_euclid(10) as usize];
        self.now += tick;
        if self.now % SECOND == 0 {
            self.now += 3;
        }
    }

    fn write(&mut self, server: usize, is_commit: bool, is_bulk: bool) {
        let utc = self.now + self.servers[server].skew;
        let local = utc + self.offset(utc);
        let home = &mut self.servers[server];
        self.contents += 1;
        self.world.lines[home.line].records.push(Record {
            lsn: lsn(home.next),
            content: self.contents,
            at: is_commit.then_some(Committed { utc, local }),
            is_bulk,
        });
        home.next += 1;
    }

    /// What the server's zone adds to UTC.
    fn offset(&self, utc: i64) -> i64 {
        i64::from(self.zone.to_offset(timestamp(utc)).seconds()) * SECOND
    }

    fn work(&mut self, server: usize) {
        for _ in 0..self.chance.range(1, 3) {
            let seconds = self.chance.pick(&[0, 5, 60, 600, 2400]);
            self.wait(seconds);
            self.write(server, true, false);
        }
        if self.chance.percent(10) {
            self.servers[server].next += self.chance.range(1, 50) as u64;
        }
    }

    fn bulk(&mut self, server: usize) {
        if !self.moods.bulk || self.servers[server].model == RecoveryModel::Simple {
            return;
        }
        self.servers[server].model = self.chance.pick(&[
            RecoveryModel::BulkLogged,
            RecoveryModel::BulkLogged,
            RecoveryModel::Full,
        ]);
        if self.servers[server].model == RecoveryModel::BulkLogged {
            self.wait(3);
            self.write(server, true, true);
            self.told(&format!("server {server}: a bulk-logged change"));
        }
    }

    fn simple(&mut self, server: usize) {
        if !self.moods.simple {
            return;
        }
        self.wait(2);
        self.write(server, false, false);
        let home = &mut self.servers[server];
        if home.model == RecoveryModel::Simple {
            home.model = RecoveryModel::Full;
            self.told(&format!("server {server}: back to FULL"));
        } else {
            home.model = RecoveryModel::Simple;
            home.log_start = None;
            home.chain_began = None;
            self.world.features.add(Feature::Simple);
            self.told(&format!("server {server}: to SIMPLE"));
        }
    }

    fn step(&mut self, server: usize) {
        if !self.moods.steps {
            return;
        }
        let seconds = self.chance.range(30, 4000) * self.chance.pick(&[1, -1]);
        self.world.features.add(if seconds > 0 {
            Feature::ClockForward
        } else {
            Feature::ClockBack
        });
        let home = &mut self.servers[server];
        let before = self.now + home.skew;
        home.skew += seconds * SECOND;
        let after = self.now + home.skew;
        let line = &mut self.world.lines[home.line];
        let at = line.records.len();
        if after < before {
            line.set_back.push(SetBack { at, before, after });
        }
        self.told(&format!("server {server}: its clock steps by {seconds} s"));
    }

    fn differential(&mut self, server: usize) {
        let Some(base) = self.servers[server].bases.last() else {
            return;
        };
        let base = DifferentialBase {
            guid: Some(base.guid),
            lsn: base.checkpoint,
        };
        self.data(server, Kind::Differential(base), false);
    }

    /// A full or a differential. Others go on while it runs.
    fn data(&mut self, server: usize, kind: Kind, is_copy_only: bool) {
        self.reach_the_second();
        let start = self.now + self.servers[server].skew;
        let checkpoint = lsn(self.servers[server].next);
        self.write(server, false, false);
        let line = self.servers[server].line;
        let open = self.chance.below(3).min(self.world.lines[line].records.len() - 1);
        let first = self.world.lines[line].records[self.world.lines[line].records.len() - 1 - open].lsn;
        let lasts = self.chance.pick(&[0, 0, 1, 30, 300]);
        if lasts > 0 {
            for _ in 0..self.chance.below(3) {
                if self.chance.percent(40)
                    && self.servers[server].log_start.is_some()
                    && self.world.made.len() < SETS_MAX
                {
                    self.log(server);
                    self.world.features.add(Feature::LogDuringData);
                } else {
                    self.wait(lasts / 3);
                    self.write(server, true, false);
                }
            }
            self.wait(lasts / 3);
        } else {
            self.world.features.add(Feature::SameSecond);
        }
        self.write(server, false, false);
        let to = self.world.lines[line].records.len();
        let last = lsn(self.servers[server].next);
        self.reach_the_second();
        let is_full = kind == Kind::Full;
        self.world.features.add(match (is_full, is_copy_only) {
            (true, true) => Feature::CopyOnly,
            (true, false) => Feature::Full,
            _ => Feature::Differential,
        });
        let home = &mut self.servers[server];
        if home.log_start.is_none() && home.model != RecoveryModel::Simple && !is_copy_only {
            home.log_start = Some(first);
            home.chain_began = Some(first);
        }
        let base = (!is_full)
            .then(|| home.bases.last().map(|base| base.backup))
            .flatten();
        let (from, bounds) = (0, (first, last, checkpoint));
        let guid = self.made(server, (kind, is_copy_only), bounds, (from, to), start);
        let made = self.world.made.len() - 1;
        self.world.made[made].base = base;
        if is_full && !is_copy_only {
            let backup = self.world.made[made].backup;
            self.servers[server].bases.push(Base {
                backup,
                guid,
                checkpoint,
                last,
            });
        }
    }

    fn log(&mut self, server: usize) {
        let Some(first) = self.servers[server].log_start else {
            return;
        };
        self.reach_the_second();
        let start = self.now + self.servers[server].skew;
        if self.chance.percent(20) {
            self.wait(2);
            self.write(server, true, false);
        }
        let line = self.servers[server].line;
        let from = self.world.lines[line].count_before(first);
        let to = self.world.lines[line].records.len();
        let last = if from == to {
            self.world.features.add(Feature::EmptyLog);
            first
        } else {
            lsn(self.servers[server].next)
        };
        if self.chance.percent(30) {
            // After the end of what it holds, before it finishes.
            self.wait(1);
            self.write(server, true, false);
        }
        self.reach_the_second();
        let is_copy_only = first < last && self.chance.percent(6);
        if is_copy_only {
            self.world.features.add(Feature::CopyOnlyLog);
        } else {
            self.servers[server].log_start = Some(last);
        }
        self.made(
            server,
            (Kind::Log, is_copy_only),
            (first, last, first),
            (from, to),
            start,
        );
    }

    /// Writes down a backup that has just finished.
    fn made(
        &mut self,
        server: usize,
        (kind, is_copy_only): (Kind, bool),
        (first, last, checkpoint): (Lsn, Lsn, Lsn),
        (from, to): (usize, usize),
        start: i64,
    ) -> Uuid {
        let guid = self.identity();
        let home = self.servers[server].clone();
        let finish = self.now + home.skew;
        let (start, finish, grain) = if self.moods.is_cut {
            (cut(start), cut(finish), Grain::Second)
        } else {
            (start, finish, Grain::Exact)
        };
        let held = &self.world.lines[home.line].records[from..to];
        let is_bulk_logged = kind == Kind::Log && held.iter().any(|record| record.is_bulk);
        let last_commit = held.iter().rev().find_map(|record| record.at);
        let recorded =
            last_commit.filter(|_| kind == Kind::Log && self.moods.recorded && self.chance.percent(80));
        if is_bulk_logged {
            self.world.features.add(Feature::BulkLogged);
        }
        if recorded.is_some() {
            self.world.features.add(Feature::LastRestorable);
        }
        let mut fork = home.fork;
        let reaches_back = kind == Kind::Log && fork.origin.is_some_and(|origin| first <= origin.point);
        if !reaches_back && !self.moods.repeats_origin {
            fork.origin = None;
        }
        let backup = self.world.made.len() as u32;
        let offset_minutes = self.offset(start) / SECOND / 60;
        let set = Set {
            id: SetId(u64::from(backup) + 1),
            guid: Some(guid),
            kind,
            first,
            last,
            checkpoint,
            fork,
            log_chain_began: home.chain_began,
            clock: Clock {
                start: civil(start + self.offset(start)),
                finish: civil(finish + self.offset(finish)),
                grain,
                offset_minutes: i16::try_from(offset_minutes).ok(),
                last_restorable: recorded.map(|at| civil(at.local)),
            },
            model: home.model,
            is_bulk_logged,
            is_copy_only,
            families: Families::single(),
            bytes: self.chance.range(1, 4) as u64 * if kind == Kind::Log { 100 } else { 1000 },
            grade: Grade::Proved,
            log: None,
        };
        self.world.made.push(Made {
            set,
            backup,
            line: home.line,
            from,
            to,
            base: None,
            start,
            finish,
            last_restorable: recorded.map(|at| at.utc),
        });
        guid
    }

    /// A restore to a point of the server's own line, and recovery: a fork. Sometimes the old line goes on elsewhere.
    fn restored(&mut self, server: usize) {
        if !self.moods.forks || self.world.lines.len() > 3 {
            return;
        }
        let old = self.servers[server].clone();
        let records = &self.world.lines[old.line].records;
        let position = |count: usize| records.get(count).map_or(lsn(old.next), |record| record.lsn);
        // A header tells of one fork only: the log of the new one does not reach back over the point of the old one.
        let floor = old.fork.origin.map_or(1, |origin| {
            records.partition_point(|record| record.lsn <= origin.point) + 1
        });
        let floor = floor.max(
            old.chain_began
                .map_or(0, |began| records.partition_point(|record| record.lsn < began)),
        );
        if floor >= records.len() {
            return;
        }
        let shared = self.chance.range(floor as i64, records.len() as i64) as usize;
        let reaches_back =
            self.chance
                .range(shared.saturating_sub(4).max(floor) as i64, shared as i64) as usize;
        let (point, log_start) = (position(shared), position(reaches_back));
        let skipped = self.chance.pick(&[0, 0, 3, 100]);
        let kept = records[..shared].to_vec();
        let fork = Fork {
            id: self.identity(),
            origin: Some(ForkOrigin {
                parent: old.fork.id,
                point,
            }),
        };
        self.world.features.add(Feature::Fork);
        if old.fork.origin.is_some() {
            self.world.features.add(Feature::ForkOfFork);
        }
        self.wait(60);
        let number = (0..=old.next)
            .find(|number| lsn(*number) >= point)
            .unwrap_or(old.next);
        let mut new = old.clone();
        new.fork = fork;
        new.next = number + skipped;
        new.log_start = old.log_start.map(|_| log_start);
        new.bases.retain(|base| base.last <= point);
        let certain = log_start;
        self.told(&format!(
            "server {server}: restored to {point}, its log goes on from {log_start}"
        ));
        self.part(server, new, kept, (false, certain));
        if self.chance.percent(35) {
            self.world.features.add(Feature::BothAlive);
            self.servers.push(old);
            self.told(&format!(
                "server {}: goes on with the old line",
                self.servers.len() - 1
            ));
        }
        // Recovery writes records of its own.
        self.write(server, false, false);
    }

    /// The host is put back to an earlier snapshot, or one is taken.
    fn snapshot(&mut self, server: usize) {
        if !self.moods.snapshots {
            return;
        }
        let line = self.servers[server].line;
        let found = self
            .snapshots
            .iter()
            .position(|(owner, of, _)| *owner == server && of.line == line);
        let Some(found) = found else {
            let count = self.world.lines[line].records.len();
            self.snapshots.push((server, self.servers[server].clone(), count));
            self.told(&format!("server {server}: a snapshot of its host"));
            // What happens after it is what will be undone.
            self.work(server);
            self.log(server);
            return;
        };
        let (_, mut old, count) = self.snapshots.remove(found);
        old.skew = self.servers[server].skew;
        let kept = self.world.lines[line].records[..count].to_vec();
        self.wait(120);
        let point = lsn(old.next);
        let certain = old.log_start.unwrap_or(point);
        self.told(&format!(
            "server {server}: its host is put back to the snapshot, at {point}"
        ));
        self.world.features.add(Feature::HiddenFork);
        self.part(server, old, kept, (true, certain));
        self.work(server);
    }

    fn part(&mut self, server: usize, mut new: Server, kept: Vec<Record>, (is_hidden, certain): (bool, Lsn)) {
        let parent = self.servers[server].line;
        let mut set_back = self.world.lines[parent].set_back.clone();
        set_back.retain(|step| step.at <= kept.len());
        // What is undone may have been behind a step of the clock.
        let before = kept
            .iter()
            .rev()
            .find_map(|record| record.at)
            .map_or(0, |at| at.utc);
        let after = self.now + new.skew;
        if after < before {
            let at = kept.len();
            set_back.push(SetBack { at, before, after });
        }
        self.world.lines.push(Line {
            records: kept,
            fork: new.fork.id,
            parted: Some(Parted {
                parent,
                is_hidden,
                certain,
            }),
            set_back,
        });
        new.line = self.world.lines.len() - 1;
        self.servers[server] = new;
    }
}
