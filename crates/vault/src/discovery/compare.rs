//! What became of the databases that were known: what was found against what was known, and nothing else.
//!
//! A database is itself by its `database_guid`; where that cannot be had (offline, closed, restoring), by its name with the time
//! it was created or its number. `family_guid` is its lineage, which copies share: it tells a restore over a database from
//! another database of the same name, and is never identity by itself. Of an availability group's database there is one record
//! for all replicas, by group and name, with the lineage where that can be had; its primary keeps it.

use std::collections::BTreeMap;

use catalog::record::{Database, DatabaseId, ServerId};

use super::seen::{Membership, Seen};

/// The recovery model without logs, as `sys.databases` names it.
pub(crate) const SIMPLE: &str = "SIMPLE";

/// What is to be done about one database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finding {
    /// It is new.
    New {
        seen: Box<Seen>,
        /// The one whose place it took.
        former: Option<(DatabaseId, Former)>,
    },
    /// It was known.
    Known {
        id: DatabaseId,
        seen: Box<Seen>,
        changes: Vec<Change>,
        /// The one whose place it took, having been gone itself.
        former: Option<(DatabaseId, Former)>,
    },
    /// It is not there any more.
    Gone(DatabaseId),
}

/// How a database took another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Former {
    /// That one was dropped, and this one has its name.
    Recreated,
    /// It is the same database, in an availability group now: an item of its own.
    MovedIntoGroup,
    /// It is the same database, out of its group now.
    MovedOutOfGroup,
}

/// What changed about a known database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It had this name.
    Renamed(String),
    /// It was restored over, or to another point: its log does not follow the old one.
    RestoredOver,
    /// It had this recovery model, and one of the two keeps no log.
    ModelChanged(String),
    /// It was missing.
    Returned,
}

struct Matching<'k> {
    here: ServerId,
    known: &'k [Database],
    taken: Vec<bool>,
    by_name: BTreeMap<String, Vec<usize>>,
    former: Vec<Option<Former>>,
}

/// Compares. `known` are the records of the instance, gone ones included, and those of its availability groups wherever they are
/// kept. Where the login does not see all databases, none is missed.
pub(crate) fn compare<'k>(
    here: ServerId,
    known: &'k [Database],
    seen: Vec<Seen>,
    sees_all: bool,
) -> Vec<Finding> {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, one) in known.iter().enumerate() {
        by_name.entry(one.name.to_lowercase()).or_default().push(at);
    }
    let mut matching = Matching {
        here,
        known,
        taken: vec![false; known.len()],
        by_name,
        former: vec![None; known.len()],
    };
    // Identities first, over all: names may have been exchanged.
    let passes: [fn(&Matching<'k>, &Seen) -> Option<usize>; 5] = [
        Matching::of_group,
        Matching::of_guid,
        Matching::of_name,
        Matching::of_gone_name,
        Matching::of_number,
    ];
    let mut found: Vec<Option<usize>> = vec![None; seen.len()];
    for pass in passes {
        for (place, seen) in found.iter_mut().zip(&seen) {
            if place.is_none()
                && let Some(at) = pass(&matching, seen)
            {
                matching.taken[at] = true;
                *place = Some(at);
            }
        }
    }
    let mut findings = Vec::new();
    for (place, seen) in found.into_iter().zip(seen) {
        findings.extend(match place {
            Some(at) => matching.known_as(at, seen),
            None => Some(matching.as_new(seen)),
        });
    }
    for (at, one) in known.iter().enumerate() {
        let is_missed = !matching.taken[at] && one.gone.is_none() && one.server == here;
        if is_missed && (sees_all || matching.former[at].is_some()) {
            findings.push(Finding::Gone(one.id));
        }
    }
    findings
}

impl Matching<'_> {
    fn free(&self) -> impl Iterator<Item = (usize, &Database)> {
        self.known.iter().enumerate().filter(|(at, _)| !self.taken[*at])
    }

    fn named(&self, name: &str) -> impl Iterator<Item = (usize, &Database)> {
        let places = self.by_name.get(&name.to_lowercase());
        places
            .into_iter()
            .flatten()
            .map(|&at| (at, &self.known[at]))
            .filter(|(at, _)| !self.taken[*at])
    }

    /// The record of a group's database, whichever replica keeps it.
    fn of_group(&self, seen: &Seen) -> Option<usize> {
        let Membership::In { group, .. } = seen.group else {
            return None;
        };
        // A database of another lineage was put into the group in its place.
        let may_be = |one: &Database| match (one.family_guid, seen.family_guid) {
            (Some(before), Some(now)) => before == now,
            _ => true,
        };
        let named = self
            .named(&seen.name)
            .filter(|(_, one)| one.group == Some(group) && may_be(one));
        named
            .max_by_key(|(_, one)| (one.gone.is_none(), one.last_seen))
            .map(|(at, _)| at)
    }

    fn of_guid(&self, seen: &Seen) -> Option<usize> {
        let guid = seen.database_guid?;
        let same = self
            .free()
            .filter(|(_, one)| one.database_guid == Some(guid) && self.may_be(one, seen));
        // The one that is there before those that are gone, then the newest.
        same.max_by_key(|(_, one)| (one.gone.is_none(), one.last_seen))
            .map(|(at, _)| at)
    }

    fn of_name(&self, seen: &Seen) -> Option<usize> {
        let mut there = self
            .named(&seen.name)
            .filter(|(_, one)| one.gone.is_none() && self.may_be(one, seen));
        there
            .find(|(_, one)| is_same_by_name(one, seen))
            .map(|(at, _)| at)
    }

    fn of_gone_name(&self, seen: &Seen) -> Option<usize> {
        let gone = self.named(&seen.name).filter(|(_, one)| {
            let is_same = match seen.database_guid {
                Some(_) => is_same_family(one, seen),
                None => one.created == seen.created,
            };
            one.gone.is_some() && self.may_be(one, seen) && is_same
        });
        gone.max_by_key(|(_, one)| one.last_seen).map(|(at, _)| at)
    }

    /// A rename of what cannot be asked.
    fn of_number(&self, seen: &Seen) -> Option<usize> {
        if seen.database_guid.is_some() {
            return None;
        }
        let first = |files: &[catalog::record::FileSeen]| files.first().map(|file| file.path.clone());
        let mut same = self.free().filter(|(_, one)| {
            let is_same_file = first(&one.files).is_some() && first(&one.files) == first(&seen.files);
            one.gone.is_none()
                && one.number == seen.number
                && (one.created == seen.created || is_same_file)
                && self.may_be(one, seen)
        });
        same.next().map(|(at, _)| at)
    }

    /// Whether a record may be this database's, as far as its instance and its group go.
    fn may_be(&self, one: &Database, seen: &Seen) -> bool {
        one.server == self.here
            && match seen.group {
                Membership::Unknown => true,
                Membership::None => one.group.is_none(),
                Membership::In { group, .. } => one.group == Some(group),
            }
    }

    fn known_as(&mut self, at: usize, seen: Seen) -> Option<Finding> {
        let known = self.known;
        let one = &known[at];
        let is_kept_here = one.server == self.here;
        if !is_kept_here && !matches!(seen.group, Membership::In { is_primary: true, .. }) {
            // Another replica keeps the record.
            return None;
        }
        Some(Finding::Known {
            id: one.id,
            changes: changes(one, &seen, is_kept_here),
            former: if one.gone.is_some() {
                self.moved(&seen)
            } else {
                None
            },
            seen: Box::new(seen),
        })
    }

    fn as_new(&mut self, seen: Seen) -> Finding {
        let former = self.moved(&seen).or_else(|| self.recreated(&seen));
        Finding::New {
            seen: Box::new(seen),
            former,
        }
    }

    /// The same database on the other side of a group's border, which it left.
    fn moved(&mut self, seen: &Seen) -> Option<(DatabaseId, Former)> {
        let guid = seen.database_guid?;
        let is_it =
            |one: &Database| one.gone.is_none() && one.server == self.here && one.database_guid == Some(guid);
        let (at, id) = self
            .free()
            .find(|(_, one)| is_it(one))
            .map(|(at, one)| (at, one.id))?;
        let how = match seen.group {
            Membership::In { .. } => Former::MovedIntoGroup,
            Membership::None | Membership::Unknown => Former::MovedOutOfGroup,
        };
        self.former[at] = Some(how);
        Some((id, how))
    }

    /// The newest other database that had this name.
    fn recreated(&mut self, seen: &Seen) -> Option<(DatabaseId, Former)> {
        let before = self.named(&seen.name).filter(|(_, one)| one.server == self.here);
        let newest = before.max_by_key(|(_, one)| (one.gone.is_none(), one.last_seen));
        let (at, id) = newest.map(|(at, one)| (at, one.id))?;
        self.former[at] = Some(Former::Recreated);
        Some((id, Former::Recreated))
    }
}

/// tempdb is made anew at each start, and is never anything else than tempdb.
fn is_tempdb(seen: &Seen) -> bool {
    seen.state.is_system && seen.name.eq_ignore_ascii_case("tempdb")
}

fn is_same_family(one: &Database, seen: &Seen) -> bool {
    one.family_guid.is_some() && one.family_guid == seen.family_guid
}

/// Whether what has the name of a database that is there is that database.
fn is_same_by_name(one: &Database, seen: &Seen) -> bool {
    let is_announced = one.number == 0;
    if is_tempdb(seen) || is_announced {
        return true;
    }
    match (one.database_guid, seen.database_guid) {
        // Another one, unless it is of the same lineage: then it was restored over.
        (Some(_), Some(_)) => is_same_family(one, seen),
        (None, Some(_)) => one.created == seen.created || is_same_family(one, seen),
        (_, None) => one.created == seen.created || one.number == seen.number,
    }
}

fn changes(one: &Database, seen: &Seen, is_kept_here: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    let differ = |before: Option<uuid::Uuid>, now: Option<uuid::Uuid>| {
        before.is_some() && now.is_some() && before != now
    };
    if one.gone.is_some() {
        changes.push(Change::Returned);
    }
    if one.name != seen.name {
        changes.push(Change::Renamed(one.name.clone()));
    }
    let is_other =
        differ(one.database_guid, seen.database_guid) || differ(one.recovery_fork, seen.recovery_fork);
    if is_other && is_kept_here && !is_tempdb(seen) {
        changes.push(Change::RestoredOver);
    }
    let (before, now) = (&one.state.recovery_model, &seen.state.recovery_model);
    // Between FULL and BULK_LOGGED the chain of logs goes on.
    let is_chained = |model: &String| model != SIMPLE;
    if !before.is_empty() && !now.is_empty() && is_chained(before) != is_chained(now) {
        changes.push(Change::ModelChanged(before.clone()));
    }
    changes
}

#[cfg(test)]
mod tests;
