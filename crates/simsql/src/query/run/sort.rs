//! ORDER BY. NULLs come first; rows that are equal keep the order they came in.

use std::cmp::Ordering;

use crate::query::key::{Key, key};
use crate::query::plan::{Row, SortKey};

/// Sorts rows by places in them.
pub(super) fn by_places(rows: &mut Vec<Row>, order: &[SortKey]) {
    let mut keyed: Vec<(Vec<Key>, Row)> = std::mem::take(rows)
        .into_iter()
        .map(|row| (keys(&row, order), row))
        .collect();
    let directions: Vec<bool> = order.iter().map(|key| key.descending).collect();
    keyed.sort_by(|(a, _), (b, _)| compare(a, b, &directions));
    rows.extend(keyed.into_iter().map(|(_, row)| row));
}

fn keys(row: &Row, order: &[SortKey]) -> Vec<Key> {
    order
        .iter()
        .map(|part| key(&row[part.index], part.sql_type, part.collation))
        .collect()
}

/// Compares keys, each in its direction.
pub(super) fn compare(left: &[Key], right: &[Key], descending: &[bool]) -> Ordering {
    left.iter()
        .zip(right)
        .zip(descending)
        .map(|((a, b), descending)| if *descending { b.cmp(a) } else { a.cmp(b) })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Whether two rows are equal in order.
pub(super) fn are_peers(left: &Row, right: &Row, order: &[SortKey]) -> bool {
    keys(left, order) == keys(right, order)
}
