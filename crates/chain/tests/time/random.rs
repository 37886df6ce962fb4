//! Random servers around the change of their clocks: what was truly the case against what is made of the headers.
//!
//! The truth is a zone and points in UTC. Headers show them on the zone's clock; the offset may be left out of them, and the zone kept
//! back. Whatever is claimed then must hold of the truth, whichever it was.

use chain::time::{NoLiteral, Readings, Timeline, certain_neighbours, literal};
use chain::{Kind, Moment, Set, SetId};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{set, timeline, utc, zone};

/// Berlin, New York, Lord Howe, Kathmandu, Chatham, and Troll, which moves by two hours.
const ZONES: [&str; 6] = [
    crate::BERLIN,
    "EST5EDT,M3.2.0,M11.1.0",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "<+0545>-5:45",
    "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
    "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3",
];

/// One backup as it truly was.
#[derive(Debug, Clone)]
struct Truth {
    is_log: bool,
    start: Timestamp,
    finish: Timestamp,
    last: Option<Timestamp>,
    is_marked: bool,
}

#[derive(Clone)]
struct Server {
    zone: TimeZone,
    /// In the order of the log.
    truth: Vec<Truth>,
    sets: Vec<Set>,
}

/// Only what was drawn: the headers follow from it.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}", self.zone)?;
        for (truth, set) in self.truth.iter().zip(&self.sets) {
            writeln!(f, "{truth:?} {:?}", set.clock)?;
        }
        Ok(())
    }
}

/// What the generator draws for a log: seconds since the log before, its length, the last record's age, whether it carries its offset,
/// and a full before it: how long ago that began and whether it is there.
type Draw = (i64, i64, Option<i64>, bool, Option<i64>);

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let gap = prop_oneof![0..60_i64, Just(900), 60..7200_i64];
    let length = prop_oneof![Just(0_i64), 1..30_i64, 60..5400_i64];
    let age = prop::option::of(0..600_i64);
    let full = prop::option::weighted(0.15, 0..10_800_i64);
    prop::collection::vec((gap, length, age, any::<bool>(), full), 2..12)
}

fn server() -> impl Strategy<Value = Server> {
    (0..ZONES.len(), 0..4_usize, 0..36_000_i64, draws())
        .prop_map(|(rules, change, ahead, draws)| make(ZONES[rules], change, ahead, &draws))
}

fn make(rules: &str, change: usize, ahead: i64, draws: &[Draw]) -> Server {
    let zone = zone(rules);
    let begin = utc("2025-01-01T00:00:00Z");
    let change = zone
        .following(begin)
        .nth(change)
        .map_or(begin, |change| change.timestamp());
    let mut now = change - SignedDuration::from_secs(ahead);
    let mut truth = Vec::new();
    for (index, (gap, length, age, is_marked, full)) in draws.iter().enumerate() {
        let is_end = index == 0 || index + 1 == draws.len();
        let earlier = now;
        now += SignedDuration::from_secs(*gap);
        if let Some(long) = full.filter(|_| index > 0) {
            truth.push(Truth {
                is_log: false,
                start: earlier - SignedDuration::from_secs(long),
                finish: now,
                last: None,
                is_marked: true,
            });
        }
        let start = now;
        // The last one is short: no set behind it tells of a change in it.
        now += SignedDuration::from_secs(if is_end { 0 } else { *length });
        let last = age.map(|age| (now - SignedDuration::from_secs(age)).max(earlier));
        truth.push(Truth {
            is_log: true,
            start,
            finish: now,
            last,
            is_marked: *is_marked || is_end,
        });
    }
    let sets = (1..)
        .zip(&truth)
        .map(|(number, truth)| header(&zone, number, truth))
        .collect();
    Server { zone, truth, sets }
}

fn header(zone: &TimeZone, number: u64, truth: &Truth) -> Set {
    let kind = if truth.is_log { Kind::Log } else { Kind::Full };
    let shown = |at: Timestamp| zone.to_datetime(at);
    let minutes = zone.to_offset(truth.start).seconds() / 60;
    let offset = truth.is_marked.then_some(i16::try_from(minutes).unwrap());
    let (start, finish) = (shown(truth.start).to_string(), shown(truth.finish).to_string());
    let mut set = set(kind, number, &start, &finish, offset);
    set.clock.last_restorable = truth.last.map(shown);
    set
}

impl Server {
    /// The sets as they come: with every offset, or only some.
    fn headers(&self, all_marked: bool) -> Vec<Set> {
        let mut sets = self.sets.clone();
        if all_marked {
            for (set, truth) in sets.iter_mut().zip(&self.truth) {
                let minutes = self.zone.to_offset(truth.start).seconds() / 60;
                set.clock.offset_minutes = Some(i16::try_from(minutes).unwrap());
            }
        }
        sets
    }

    fn shown(&self, at: Timestamp) -> DateTime {
        self.zone.to_datetime(at)
    }
}

/// The bounds hold, and no log reaches further than it did.
fn check_places(server: &Server, timeline: &Timeline) -> Result<(), TestCaseError> {
    for (truth, times) in server.truth.iter().zip(timeline.all()) {
        let holds = |bounds: chain::time::Bounds, at| bounds.earliest <= at && at <= bounds.latest;
        prop_assert!(holds(times.start, truth.start), "{truth:?} {times:?}");
        prop_assert!(holds(times.finish, truth.finish), "{truth:?} {times:?}");
        // A last record that is younger than its log is a clock put back, for whoever reads it.
        let is_put_back = times.reach > times.finish.latest;
        let is_kept = times.reach <= truth.last.unwrap_or(truth.start);
        prop_assert!(is_kept || is_put_back, "{truth:?} {times:?}");
    }
    Ok(())
}

/// What the server's clock truly showed at a moment is read as that moment, maybe among others that it could have shown it at.
fn check_readings(server: &Server, timeline: &Timeline, at: Timestamp) -> Result<(), TestCaseError> {
    let readings = match timeline.readings(Moment::Local(server.shown(at))) {
        Ok(Readings::Skipped) | Err(_) => vec![],
        Ok(Readings::One(one)) => vec![one],
        Ok(Readings::Several(all)) => all,
    };
    prop_assert!(readings.contains(&at), "{at}: {readings:?}");
    Ok(())
}

/// Down to what `datetime` prints, by counting.
fn cut(at: Timestamp) -> Timestamp {
    let millisecond = at.subsec_millisecond();
    let printed = (0..=millisecond).rev().find(|ms| [0, 3, 7].contains(&(ms % 10)));
    Timestamp::new(at.as_second(), printed.unwrap() * 1_000_000).unwrap()
}

/// In all the time of the log the clock showed at most the literal up to the moment, and more than it after.
fn check_literal(server: &Server, log: usize, at: Timestamp, stop: DateTime) -> Result<(), TestCaseError> {
    let (first, last) = (server.truth[log - 1].start, server.truth[log].finish);
    let at = cut(at);
    prop_assert_eq!(stop, server.shown(at));
    let changes: Vec<Timestamp> = server
        .zone
        .following(first)
        .take_while(|change| change.timestamp() <= last)
        .flat_map(|change| {
            let change = change.timestamp();
            [change, change - SignedDuration::from_millis(1)]
        })
        .collect();
    let even = (0..=100).map(|step| first + (last - first).total_millis_of(step));
    for instant in even.chain(changes).chain([at, first, last]) {
        if instant < first || instant > last {
            continue;
        }
        prop_assert_eq!(
            instant <= at,
            server.shown(instant) <= stop,
            "at {} the clock shows {}",
            instant,
            server.shown(instant)
        );
    }
    Ok(())
}

/// Hundredths of a span.
trait Hundredths {
    fn total_millis_of(self, step: i64) -> SignedDuration;
}

impl Hundredths for jiff::Span {
    fn total_millis_of(self, step: i64) -> SignedDuration {
        let whole = SignedDuration::try_from(self).unwrap().as_millis();
        SignedDuration::from_millis(i64::try_from(whole).unwrap() * step / 100)
    }
}

fn check(server: &Server, sets: &[Set], zone: Option<&TimeZone>, share: f64) -> Result<(), TestCaseError> {
    let timeline = timeline(sets, zone);
    check_places(server, &timeline)?;
    for log in 1..sets.len() {
        let (first, last) = (server.truth[log - 1].start, server.truth[log].finish);
        let whole = last.as_millisecond() - first.as_millisecond();
        // Where in the log is drawn; precise enough at a millisecond.
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let at = Timestamp::from_millisecond(first.as_millisecond() + (whole as f64 * share) as i64).unwrap();
        if server.truth[0].start <= at {
            check_readings(server, &timeline, at)?;
        }
        let before = timeline.times(SetId(log as u64)).unwrap();
        let times = timeline.times(SetId(log as u64 + 1)).unwrap();
        match literal(at, times, Some(before), zone) {
            Ok(stop) => check_literal(server, log, at, stop)?,
            Err(NoLiteral::OutOfRange) => prop_assert!(false, "2025 is in range"),
            Err(_) => {
                let changed = server
                    .zone
                    .following(first - SignedDuration::from_hours(30))
                    .next();
                let is_near =
                    changed.is_some_and(|change| change.timestamp() <= last + SignedDuration::from_hours(30));
                prop_assert!(is_near, "refused at {at} without a change near");
                let (earlier, later) = certain_neighbours(at, times, Some(before), zone);
                for neighbour in [earlier, later].into_iter().flatten() {
                    let stop = literal(neighbour, times, Some(before), zone).unwrap();
                    check_literal(server, log, neighbour, stop)?;
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_claimed_with_the_rules_of_the_zone_holds(server in server(), share in 0.0..1.0_f64) {
        check(&server, &server.headers(false), Some(&server.zone), share)?;
    }

    #[test]
    fn what_is_claimed_by_offsets_alone_holds(server in server(), share in 0.0..1.0_f64) {
        check(&server, &server.headers(true), None, share)?;
    }

    #[test]
    fn what_is_claimed_by_some_offsets_holds(server in server(), share in 0.0..1.0_f64) {
        check(&server, &server.headers(false), None, share)?;
    }

    #[test]
    fn a_wrong_zone_does_no_harm_where_offsets_are_recorded(server in server(), share in 0.0..1.0_f64) {
        let tokyo = zone("JST-9");
        check(&server, &server.headers(true), Some(&tokyo), share)?;
    }
}
