//! The sets of all databases, each family by itself: what is asked of one costs nothing for the others.
//!
//! A database is indexed when it is first asked after its sets changed, so that loading millions of sets one by one, or taking in the
//! next log, costs only where somebody looks.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::database::{Database, Mark};
use crate::set::{Set, SetId};

/// The databases of a vault, by FamilyGUID.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    databases: BTreeMap<Uuid, Entry>,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    database: Database,
    changes: Vec<Change>,
}

/// What happened since the database was indexed, in order.
#[derive(Debug, Clone)]
enum Change {
    Came(Box<Set>),
    Went(SetId),
}

impl Ledger {
    /// Takes in a set of this family. One with the same id replaces the old one.
    pub fn insert(&mut self, family: Uuid, set: Set) {
        let entry = self.databases.entry(family).or_default();
        entry.changes.push(Change::Came(Box::new(set)));
    }

    /// Takes in many sets of this family at once, for the start; ids are new.
    pub fn load(&mut self, family: Uuid, sets: Vec<Set>) {
        let entry = self.databases.entry(family).or_default();
        entry.bring_up_to_date();
        let mut all = entry.database.take_sets();
        all.extend(sets);
        all.shrink_to_fit();
        entry.database.index(all);
    }

    /// Forgets a set.
    pub fn remove(&mut self, family: Uuid, id: SetId) {
        if let Some(entry) = self.databases.get_mut(&family) {
            entry.changes.push(Change::Went(id));
        }
    }

    /// The rules of the time zone of this family's server.
    pub fn set_zone(&mut self, family: Uuid, zone: TimeZone) {
        let entry = self.databases.entry(family).or_default();
        entry.bring_up_to_date();
        entry.database = std::mem::take(&mut entry.database).in_zone(zone);
    }

    /// The marks of this family whose LSN is known, in place of those before.
    pub fn set_marks(&mut self, family: Uuid, marks: Vec<Mark>) {
        let entry = self.databases.entry(family).or_default();
        entry.database = std::mem::take(&mut entry.database).with_marks(marks);
    }

    /// A database, with all that came and went. Indexes it where something did: n log n for its n sets.
    pub fn database(&mut self, family: Uuid) -> Option<&Database> {
        let entry = self.databases.get_mut(&family)?;
        entry.bring_up_to_date();
        Some(&entry.database)
    }

    /// The families, ascending.
    pub fn families(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.databases.keys().copied()
    }
}

impl Entry {
    fn bring_up_to_date(&mut self) {
        if self.changes.is_empty() {
            return;
        }
        let mut sets: BTreeMap<SetId, Set> = BTreeMap::new();
        sets.extend(self.database.take_sets().into_iter().map(|set| (set.id, set)));
        for change in self.changes.drain(..) {
            match change {
                Change::Came(set) => drop(sets.insert(set.id, *set)),
                Change::Went(id) => drop(sets.remove(&id)),
            }
        }
        self.database.index(sets.into_values().collect());
    }
}

#[cfg(test)]
mod tests {
    use bak::{Lsn, RecoveryModel};
    use jiff::civil::date;

    use super::*;
    use crate::{Clock, Families, Fork, Grade, Grain, Kind, Target, Terms};

    fn set(id: u64, kind: Kind, first: u32, last: u32) -> Set {
        let at = |block| Lsn {
            vlf: 1,
            block,
            slot: 1,
        };
        let taken = date(2026, 3, 1).at(id as i8, 0, 0, 0);
        Set {
            id: SetId(id),
            guid: Some(Uuid::from_u128(u128::from(id))),
            kind,
            first: at(first),
            last: at(last),
            checkpoint: at(first),
            fork: Fork {
                id: Uuid::from_u128(7),
                origin: None,
            },
            log_chain_began: None,
            clock: Clock {
                start: taken,
                finish: taken,
                grain: Grain::Exact,
                offset_minutes: Some(60),
                last_restorable: None,
            },
            model: RecoveryModel::Full,
            is_bulk_logged: false,
            is_copy_only: false,
            families: Families::single(),
            bytes: 1,
            grade: Grade::Proved,
            log: None,
        }
    }

    fn latest(ledger: &mut Ledger, family: Uuid) -> Vec<SetId> {
        let database = ledger.database(family).expect("the family is there");
        let plans = database.plan(&Target::Latest, &Terms::default()).expect("a plan");
        plans.best.steps.iter().map(|step| step.set).collect()
    }

    #[test]
    fn what_comes_and_goes_is_planned_with() {
        let (mut ledger, one, other) = (Ledger::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        ledger.load(one, vec![set(1, Kind::Full, 10, 20), set(2, Kind::Log, 10, 30)]);
        ledger.load(other, vec![set(1, Kind::Full, 10, 20)]);
        assert_eq!(latest(&mut ledger, one), [SetId(1), SetId(2)]);
        ledger.insert(one, set(3, Kind::Log, 30, 40));
        assert_eq!(latest(&mut ledger, one), [SetId(1), SetId(2), SetId(3)]);
        // Gone and back again: the order of events counts.
        ledger.remove(one, SetId(2));
        assert_eq!(latest(&mut ledger, one), [SetId(1)]);
        ledger.insert(one, set(2, Kind::Log, 10, 30));
        ledger.remove(one, SetId(3));
        ledger.insert(one, set(3, Kind::Log, 30, 50));
        assert_eq!(latest(&mut ledger, one), [SetId(1), SetId(2), SetId(3)]);
        assert_eq!(latest(&mut ledger, other), [SetId(1)]);
        assert_eq!(ledger.families().collect::<Vec<_>>(), [one, other]);
        assert!(ledger.database(Uuid::nil()).is_none());
    }
}
