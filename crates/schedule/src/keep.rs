//! How long recovery points are kept, by their age and the rules of a policy alone.
//!
//! What else a point is needed for is not known here: a full, or a differential, lives until the last of the points that stand on
//! it is gone, and the newest restorable chain of a database for ever. Whoever knows chains says so with [`Kept::hold`] before
//! anything is deleted.
//!
//! **Which full is the week's, the month's, the year's.** A rule names days. The first full that was taken on such a day or after
//! it, by the calendar of the policy's zone, is the rule's choice; it must have been taken before the rule's next day, and within
//! [`REACH_DAYS`]. So a full that failed on the day is stood in for by the next one, and a database protected in November does
//! not keep its first full for ten years as that of January. Azure Backup tags by day as well. A full counts for the day of the
//! slot it was taken for, not for that on which it ended. Where the choice is one that our reader disputes, the first sound one
//! is kept beside it.
//!
//! **What counts.** Fulls that the schedule or healing took, copy-only ones of a shadow policy too. A full that a user started is
//! kept for the time that was asked for; differentials and logs as their section says, whoever started them.
//!
//! **Changes.** The rules that are in force are applied to all points, old ones too. A choice never changes because points are
//! added later; when a choice is deleted by hand, the next one takes its place. Days, weeks, months and years are those of the
//! calendar, counted from the moment the backup finished.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::calendar::{Month, Weekday};
use crate::kind::BackupKind;
use crate::period::Days;
use crate::policy::{FullRetention, Policy, differential_retention, log_retention};
use crate::zone::Zone;

/// For how many days behind a day of a monthly or yearly rule a full can be that rule's choice: the longest month.
pub const REACH_DAYS: u32 = 31;

/// For how many days every point is kept at least, whatever chose it: Azure Backup's minimum of any retention.
pub const FLOOR: Days = Days(7);

/// A recovery point, as far as its retention depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point<Id> {
    /// Whatever the caller tells points apart by.
    pub id: Id,
    /// Its type.
    pub kind: BackupKind,
    /// Who wanted it.
    pub origin: Origin,
    /// The slot it was taken for; where there is none, when it began.
    pub taken: Timestamp,
    /// When it finished.
    pub finished: Timestamp,
    /// Whether the reader of backups found damage in it.
    pub disputed: bool,
}

/// Who wanted a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// The schedule.
    Scheduled,
    /// The vault, to heal a chain.
    Healing,
    /// A user.
    OnDemand {
        /// How long, where the user said so.
        keep: Option<Days>,
    },
}

/// Why a point is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// The daily rule.
    Daily,
    /// The weekly rule chose it.
    Weekly,
    /// The monthly rule chose it.
    Monthly,
    /// The yearly rule chose it.
    Yearly,
    /// It is a differential.
    Differential,
    /// It is a log.
    Log,
    /// A user started it.
    OnDemand,
    /// No rule keeps it longer than [`FLOOR`].
    Floor,
    /// It is the newest full, or the newest sound one.
    Newest,
    /// Something else that is kept stands on it; said by those who know chains.
    Needed,
}

/// One reason to keep a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The reason.
    pub why: Why,
    /// Until when; none: for as long as the reason holds.
    pub until: Option<Timestamp>,
}

/// A point with all reasons to keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept<Id> {
    /// Which point.
    pub id: Id,
    /// The reasons, in the order of [`Why`]; at least one.
    pub holds: Vec<Hold>,
}

impl<Id> Kept<Id> {
    /// Adds a reason.
    pub fn hold(&mut self, hold: Hold) {
        self.holds.push(hold);
        self.holds.sort_by_key(|hold| hold.why);
    }

    /// Until when the point is kept at least; none: for as long as one of its reasons holds.
    pub fn until(&self) -> Option<Timestamp> {
        let ends: Option<Vec<Timestamp>> = self.holds.iter().map(|hold| hold.until).collect();
        ends.map(|ends| ends.into_iter().max().unwrap_or(Timestamp::MIN))
    }

    /// Whether nothing keeps it any more at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.until().is_some_and(|until| until <= now)
    }
}

/// Every point of one database with its reasons, in the order given.
pub fn by_age<Id: Clone>(policy: &Policy, points: &[Point<Id>]) -> Vec<Kept<Id>> {
    let mut kept: Vec<Kept<Id>> = points.iter().map(|point| by_itself(policy, point)).collect();
    for choice in choices(policy, points) {
        let until = choice.term.end(&policy.time_zone, points[choice.index].finished);
        kept[choice.index].hold(Hold {
            why: choice.why,
            until: Some(until),
        });
    }
    for index in newest(points) {
        kept[index].hold(Hold {
            why: Why::Newest,
            until: None,
        });
    }
    for (kept, point) in kept
        .iter_mut()
        .zip(points)
        .filter(|(kept, _)| kept.holds.is_empty())
    {
        let until = Term::Days(FLOOR.0).end(&policy.time_zone, point.finished);
        kept.hold(Hold {
            why: Why::Floor,
            until: Some(until),
        });
    }
    kept
}

/// The points that `new` keeps for a shorter time than `old` does.
pub fn shortened<Id: Clone>(old: &Policy, new: &Policy, points: &[Point<Id>]) -> Vec<Id> {
    let later = |old: Option<Timestamp>, new: Option<Timestamp>| match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => new < old,
    };
    by_age(old, points)
        .into_iter()
        .zip(by_age(new, points))
        .filter(|(old, new)| later(old.until(), new.until()))
        .map(|(old, _)| old.id)
        .collect()
}

/// A length of time of the calendar.
#[derive(Debug, Clone, Copy)]
enum Term {
    Days(u32),
    Weeks(u32),
    Months(u32),
    Years(u32),
}

impl Term {
    /// When a clock of the zone shows the same time of day so many days, weeks, months or years later; on the last day of a month
    /// that is too short. What would leave the calendar ends with it.
    fn end(self, zone: &Zone, from: Timestamp) -> Timestamp {
        let span = match self {
            Self::Days(count) => Span::new().try_days(count),
            Self::Weeks(count) => Span::new().try_weeks(count),
            Self::Months(count) => Span::new().try_months(count),
            Self::Years(count) => Span::new().try_years(count),
        };
        let later = span.and_then(|span| zone.local(from).checked_add(span));
        later.map_or(Timestamp::MAX, |later| zone.reaches(later))
    }
}

/// What a point is kept for whatever the others are.
fn by_itself<Id: Clone>(policy: &Policy, point: &Point<Id>) -> Kept<Id> {
    let mut kept = Kept {
        id: point.id.clone(),
        holds: Vec::new(),
    };
    let (why, days) = match (point.kind, point.origin) {
        (BackupKind::Differential, _) => {
            let section = policy.differential.as_ref().map(|section| section.retention);
            (Why::Differential, section.unwrap_or(differential_retention()))
        }
        (BackupKind::Log, _) => {
            let section = policy.log.as_ref().map(|section| section.retention);
            (Why::Log, section.unwrap_or(log_retention()))
        }
        (_, Origin::OnDemand { keep }) => (Why::OnDemand, keep.unwrap_or(policy.on_demand.retention)),
        _ => match &policy.full.retention.daily {
            Some(daily) => (Why::Daily, Days(daily.count)),
            None => return kept,
        },
    };
    kept.hold(Hold {
        why,
        until: Some(Term::Days(days.0).end(&policy.time_zone, point.finished)),
    });
    kept
}

/// A full that a rule chose.
struct Choice {
    index: usize,
    why: Why,
    term: Term,
}

/// What the weekly, monthly and yearly rules choose.
fn choices<Id>(policy: &Policy, points: &[Point<Id>]) -> Vec<Choice> {
    let mut fulls: Vec<(usize, Date)> = points
        .iter()
        .enumerate()
        .filter(|(_, point)| point.kind.is_full() && !matches!(point.origin, Origin::OnDemand { .. }))
        .map(|(index, point)| (index, policy.time_zone.local(point.taken).date()))
        .collect();
    fulls.sort_by_key(|(index, _)| (points[*index].taken, points[*index].finished));
    let mut found = Vec::new();
    for (why, term) in terms(&policy.full.retention) {
        let mut last = None;
        let mut sound = false;
        for (index, date) in &fulls {
            let Some(day) = rule_day(&policy.full.retention, why, *date) else {
                continue;
            };
            let first = last != Some(day);
            if first || !sound {
                let disputed = points[*index].disputed;
                if first || !disputed {
                    found.push(Choice {
                        index: *index,
                        why,
                        term,
                    });
                }
                sound = !disputed;
            }
            last = Some(day);
        }
    }
    found
}

/// The rules that choose, and for how long.
fn terms(rules: &FullRetention) -> impl Iterator<Item = (Why, Term)> {
    let weekly = rules
        .weekly
        .as_ref()
        .map(|rule| (Why::Weekly, Term::Weeks(rule.count)));
    let monthly = rules
        .monthly
        .as_ref()
        .map(|rule| (Why::Monthly, Term::Months(rule.count)));
    let yearly = rules
        .yearly
        .as_ref()
        .map(|rule| (Why::Yearly, Term::Years(rule.count)));
    [weekly, monthly, yearly].into_iter().flatten()
}

/// The last day of a rule at or before a date, within the rule's reach.
fn rule_day(rules: &FullRetention, why: Why, date: Date) -> Option<Date> {
    let is_day = |date: Date| match why {
        Why::Weekly => rules
            .weekly
            .as_ref()
            .is_some_and(|rule| rule.days.contains(&Weekday::of(date))),
        Why::Monthly => rules.monthly.as_ref().is_some_and(|rule| rule.on.holds(date)),
        Why::Yearly => rules
            .yearly
            .as_ref()
            .is_some_and(|rule| rule.months.contains(&Month::of(date)) && rule.on.holds(date)),
        _ => false,
    };
    let back = Span::new().days(-1);
    date.series(back)
        .take(REACH_DAYS as usize)
        .find(|date| is_day(*date))
}

/// The newest full, and the newest sound one where that is another.
fn newest<Id>(points: &[Point<Id>]) -> Vec<usize> {
    let newest_of = |sound: bool| {
        points
            .iter()
            .enumerate()
            .filter(|(_, point)| point.kind.is_full() && !(sound && point.disputed))
            .max_by_key(|(_, point)| (point.finished, point.taken))
            .map(|(index, _)| index)
    };
    let (any, sound) = (newest_of(false), newest_of(true));
    let sound = sound.filter(|index| Some(*index) != any);
    any.into_iter().chain(sound).collect()
}
