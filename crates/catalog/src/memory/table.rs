//! The rows of one kind, with an ordered index for each slot.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::kind::{Kind, Slot};
use crate::query::{Order, Range};
use crate::row::Row;

/// Vault id and id.
pub(super) type Name = (String, String);

/// Vault id, key, id: what a scan is ordered by.
pub(super) type Place = (String, String, String);

/// The rows of one kind.
#[derive(Clone, Default)]
pub(super) struct Table {
    rows: BTreeMap<Name, Arc<Row>>,
    index: BTreeMap<Slot, BTreeSet<Place>>,
}

impl Table {
    pub(super) fn get(&self, name: &Name) -> Option<&Arc<Row>> {
        self.rows.get(name)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.values()
    }

    /// Puts the row there or, with none, takes it away; gives what was there before.
    pub(super) fn set(&mut self, name: &Name, row: Option<&Arc<Row>>) -> Option<Arc<Row>> {
        let old = match row {
            Some(new) => self.rows.insert(name.clone(), Arc::clone(new)),
            None => self.rows.remove(name),
        };
        for slot in Slot::KEYS {
            let places = self.index.entry(slot).or_default();
            if let Some(place) = old.as_deref().and_then(|row| place(row, slot)) {
                places.remove(&place);
            }
            if let Some(place) = row.and_then(|row| place(row, slot)) {
                places.insert(place);
            }
        }
        old
    }

    /// The first vault id above this one that has rows here.
    pub(super) fn vault_above(&self, vault: &str) -> Option<&str> {
        // The lowest text above it.
        let above = (format!("{vault}\0"), String::new());
        self.rows
            .range(above..)
            .next()
            .map(|((vault, _), _)| vault.as_str())
    }

    /// Rows of a vault between two places, both left out, in order.
    pub(super) fn walk<'a>(
        &'a self,
        slot: Slot,
        from: &Place,
        to: &Place,
        order: Order,
    ) -> Box<dyn Iterator<Item = &'a Arc<Row>> + 'a> {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        if slot == Slot::Id {
            // Key and id are one here: a bound with an empty id is just before the key, one with an id just behind it.
            let at = |place: &Place| (place.0.clone(), place.1.clone());
            let lowest = match from.2.as_str() {
                "" => Bound::Included(at(from)),
                _ => Bound::Excluded(at(from)),
            };
            let bounds = (lowest, Bound::Excluded(at(to)));
            let found = self.rows.range(bounds).map(|(_, row)| row);
            return turned(found, order);
        }
        let Some(places) = self.index.get(&slot) else {
            return Box::new(std::iter::empty());
        };
        let bounds = (Bound::Excluded(from.clone()), Bound::Excluded(to.clone()));
        let found = places
            .range(bounds)
            .map(|(vault, _, id)| &self.rows[&(vault.clone(), id.clone())]);
        turned(found, order)
    }
}

fn turned<'a>(
    rows: impl DoubleEndedIterator<Item = &'a Arc<Row>> + 'a,
    order: Order,
) -> Box<dyn Iterator<Item = &'a Arc<Row>> + 'a> {
    match order {
        Order::Ascending => Box::new(rows),
        Order::Descending => Box::new(rows.rev()),
    }
}

/// Where a row is in the order of a slot; nowhere without a key.
pub(super) fn place(row: &Row, slot: Slot) -> Option<Place> {
    let key = row.key(slot)?;
    Some((row.vault.clone(), key.to_owned(), row.id.clone()))
}

/// What a transaction depends on.
#[derive(Clone, Debug)]
pub(super) enum Read {
    /// One row, or that there is none.
    Point(Kind, Name),
    /// Rows of a vault with a key in this range.
    Range(Kind, String, Slot, Range),
    /// Which vaults have rows.
    Vaults(Kind),
}

impl Read {
    /// Whether this row, before or after a change, is part of what was read.
    pub(super) fn covers(&self, row: &Row) -> bool {
        match self {
            Self::Point(kind, (vault, id)) => *kind == row.kind && *vault == row.vault && *id == row.id,
            Self::Range(kind, vault, slot, range) => {
                *kind == row.kind
                    && *vault == row.vault
                    && row.key(*slot).is_some_and(|key| range.contains(key))
            }
            Self::Vaults(kind) => *kind == row.kind,
        }
    }
}
