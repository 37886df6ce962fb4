//! What can be restored, by what lies in the store and not by what the vault says, and targets within it.

use std::collections::BTreeMap;

use azblob::names::{BlobName, ContainerName};
use bak::{Report, Verifier};
use blobstore::Permit;
use catalog::record::{Container, Grade, Point, PointId, RestoreTarget};
use chain::from_backup::Known;
use chain::{Database, Families, Set, SetId, Span};
use jiff::{SignedDuration, Timestamp};

use super::Play;

/// The database, as the streams of its recovery points tell it.
pub(super) struct Held {
    pub(super) points: Vec<Point>,
    pub(super) database: Database,
}

/// Headers that were read already: a sealed blob never changes.
pub(super) type Headers = BTreeMap<PointId, Report>;

impl Play {
    /// Reads what lies behind the recovery points; those that are disputed are none that anything may stand on.
    pub(super) async fn held(&mut self) -> Held {
        self.held_of(|_| true).await
    }

    /// The same of some of them.
    pub(super) async fn held_of(&mut self, is_meant: impl Fn(&Point) -> bool) -> Held {
        let mut points: Vec<Point> = self.cluster.points().await;
        points.retain(|point| point.grade != Grade::Disputed && point.deletion.is_none() && is_meant(point));
        let containers: Vec<Container> = self.cluster.records().await;
        let mut sets = Vec::new();
        for (number, point) in points.iter().enumerate() {
            let container = containers.iter().find(|one| one.id == point.container);
            let container = ContainerName::new(container.expect("it is there").name.as_str()).unwrap();
            let report = match self.headers.remove(&point.id) {
                Some(report) => report,
                None => self.read(&container, &point.blobs[0]),
            };
            sets.push(set(number, point, &report));
            self.headers.insert(point.id, report);
        }
        Held {
            points,
            database: Database::new(sets),
        }
    }

    fn read(&self, container: &ContainerName, blob: &str) -> Report {
        let store = self.cluster.door.store().expect("the store is open");
        let path = self.cluster.door.path(container, &BlobName::new(blob).unwrap());
        let reader = store.open_blob(&path, &Permit::NONE).unwrap();
        let mut bytes = vec![0; reader.size() as usize];
        reader.read_at(0, &mut bytes).unwrap();
        let mut verifier = Verifier::new();
        verifier.push(&bytes);
        verifier.finish()
    }

    /// Something that can be restored, by what lies in the store or by what the vault shows; none where nothing can.
    pub(super) async fn some_target(&self, held: &Held) -> Option<RestoreTarget> {
        let dice = &self.dice;
        let spans = match dice.one_in(2) {
            true => self.spans().await,
            false => held.database.coverage().spans,
        };
        if held.database.coverage().spans.is_empty() {
            return None;
        }
        Some(match dice.below(6) {
            0 => RestoreTarget::Latest,
            1 => self.some_point(held).unwrap_or(RestoreTarget::Latest),
            _ => self.some_moment(&spans).unwrap_or(RestoreTarget::Latest),
        })
    }

    /// A point that a plan leads to.
    fn some_point(&self, held: &Held) -> Option<RestoreTarget> {
        let count = held.points.len() as u64;
        let number = self.dice.below(count) as usize;
        let target = chain::Target::Set(SetId(number as u64));
        let is_there = held.database.plan(&target, &chain::Terms::default()).is_ok();
        is_there.then(|| RestoreTarget::Point {
            point: held.points[number].id,
        })
    }

    /// A moment that coverage shows: one of its ends, one beside a commit, or any.
    fn some_moment(&self, spans: &[Span]) -> Option<RestoreTarget> {
        let dice = &self.dice;
        let times: Vec<_> = spans.iter().filter_map(|span| span.times).collect();
        let span = times.get(dice.below(times.len().max(1) as u64) as usize)?;
        let beside = |micros: i64| {
            let commit = self.truth.at(dice.below(self.truth.len() as u64) as usize);
            let at = Timestamp::from_millisecond(commit.as_millisecond()).unwrap();
            at + SignedDuration::from_micros(micros)
        };
        let at = match dice.below(5) {
            0 => span.from,
            1 => span.to,
            2 => beside(-10_000),
            3 => beside(5_000),
            _ => {
                let micros = span.to.as_microsecond() - span.from.as_microsecond();
                let into = dice.below(micros.unsigned_abs() / 1_000 + 1) as i64;
                span.from + SignedDuration::from_millis(into)
            }
        };
        let at = at.clamp(span.from, span.to);
        Some(RestoreTarget::Moment { at })
    }
}

/// The set in a point's stream.
fn set(number: usize, point: &Point, report: &Report) -> Set {
    let known = Known {
        id: SetId(number as u64),
        grade: match point.grade {
            Grade::Proved => chain::Grade::Proved,
            Grade::EngineVerified => chain::Grade::EngineVerified,
            Grade::Accepted => chain::Grade::Accepted,
            Grade::Disputed => chain::Grade::Disputed,
        },
        families: Families {
            count: 1,
            missing: Box::default(),
        },
        bytes: point.bytes,
        log: report.log_fingerprints.first().cloned().flatten().map(Box::new),
    };
    Set::from_backup(&report.sets[0], known).expect("a stream that was proved can be planned with")
}
