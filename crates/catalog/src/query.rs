//! What a scan is asked for, and a page of its answer.
//!
//! Rows come by vault id, then key, then id, all compared bytewise; descending turns all three around. The place
//! where a page ended is a [`Cursor`]; the next page starts behind it, whatever came or went in the meantime.

use serde::{Deserialize, Serialize};

use crate::error::CatalogError;
use crate::keys::TOP;
use crate::kind::Slot;
use crate::row::{Row, VAULT_BYTES_MAX, check_name};

/// The most rows of a page.
pub const PAGE_ROWS_MAX: u32 = 1000;

/// Whose records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of one vault.
    Vault(String),
    /// Those of all vaults, one vault after the other.
    All,
}

impl Scope {
    /// Those of one vault.
    pub fn vault(id: impl Into<String>) -> Self {
        Self::Vault(id.into())
    }
}

/// Keys from one up to, and without, another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first key that is in it; empty for the first of all.
    pub from: String,
    /// The first key that is not; nothing for no end.
    pub to: Option<String>,
}

impl Range {
    /// All keys.
    pub const ALL: Self = Self {
        from: String::new(),
        to: None,
    };

    /// This key alone.
    pub fn exactly(key: impl Into<String>) -> Self {
        let from = key.into();
        // What follows a key bytewise goes on with NUL, which no key holds, or with more than this.
        let to = Some(format!("{from}\u{1}"));
        Self { from, to }
    }

    /// All keys that start so; for the tuples whose first members these are, end the prefix with `\u{1}`
    /// ([`Range::members`] does).
    pub fn prefix(prefix: impl Into<String>) -> Self {
        let from = prefix.into();
        let to = Some(format!("{from}{TOP}"));
        Self { from, to }
    }

    /// All tuples that start with these members and go on.
    pub fn members(first: &[&str]) -> Self {
        Self::prefix(format!("{}\u{1}", crate::keys::tuple(first)))
    }

    /// From a key on, up to and without another.
    pub fn between(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: Some(to.into()),
        }
    }

    /// From a key on.
    pub fn from(from: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: None,
        }
    }

    /// Up to and without a key.
    pub fn before(to: impl Into<String>) -> Self {
        Self {
            from: String::new(),
            to: Some(to.into()),
        }
    }

    /// Whether a key is in it.
    pub fn contains(&self, key: &str) -> bool {
        key >= self.from.as_str() && self.to.as_deref().is_none_or(|to| key < to)
    }

    /// The end as text that every key in the range is below.
    pub(crate) fn end(&self) -> String {
        self.to.clone().unwrap_or_else(|| TOP.to_string())
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Lowest first.
    Ascending,
    /// Highest first.
    Descending,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub(crate) vault: String,
    pub(crate) key: String,
    pub(crate) id: String,
}

impl Cursor {
    /// Behind this row, in a scan by this slot.
    pub(crate) fn behind(row: &Row, slot: Slot) -> Self {
        Self {
            vault: row.vault.clone(),
            key: row.key(slot).unwrap_or_default().to_owned(),
            id: row.id.clone(),
        }
    }
}

/// A place in a scan of one vault: a key, then an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) key: String,
    pub(crate) id: String,
}

/// A scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Whose records.
    pub scope: Scope,
    /// By which key.
    pub slot: Slot,
    /// Which keys.
    pub range: Range,
    /// Behind which row; nothing for the first page.
    pub after: Option<Cursor>,
    /// At most how many rows: 1 to [`PAGE_ROWS_MAX`].
    pub limit: u32,
    /// Which way.
    pub order: Order,
}

impl Query {
    /// All records of a vault by a slot, ascending, [`PAGE_ROWS_MAX`] a page.
    pub fn all(vault: impl Into<String>, slot: Slot) -> Self {
        Self::of(Scope::vault(vault), slot, Range::ALL)
    }

    /// Those of a scope in a range of a slot, ascending, [`PAGE_ROWS_MAX`] a page.
    pub fn of(scope: Scope, slot: Slot, range: Range) -> Self {
        Self {
            scope,
            slot,
            range,
            after: None,
            limit: PAGE_ROWS_MAX,
            order: Order::Ascending,
        }
    }

    /// The same in another range.
    #[must_use]
    pub fn range(mut self, range: Range) -> Self {
        self.range = range;
        self
    }

    /// The same with at most so many rows.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// The same from the highest key down.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.order = Order::Descending;
        self
    }

    /// The page behind a cursor.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// The places before and behind what a scan of a vault may give, from lowest to highest. Every id is above the
    /// empty one, so a place with an empty id is just before its key.
    pub(crate) fn bounds(&self, vault: &str) -> (Edge, Edge) {
        let at = |key: &str, id: &str| Edge {
            key: key.to_owned(),
            id: id.to_owned(),
        };
        let mut from = at(&self.range.from, "");
        let mut to = at(&self.range.end(), "");
        if let Some(after) = self.after.as_ref().filter(|after| after.vault == vault) {
            let behind = at(&after.key, &after.id);
            match self.order {
                Order::Ascending => from = from.max(behind),
                Order::Descending => to = to.min(behind),
            }
        }
        (from, to)
    }

    /// Refuses limits out of range, and text that PostgreSQL does not take.
    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        if !(1..=PAGE_ROWS_MAX).contains(&self.limit) {
            return Err(CatalogError::Misuse {
                what: format!("a page of {} rows; 1 to {PAGE_ROWS_MAX} are possible", self.limit),
            });
        }
        check_range(&self.scope, &self.range)
    }
}

/// Refuses vault ids that none can have, and bounds that PostgreSQL does not take.
pub(crate) fn check_range(scope: &Scope, range: &Range) -> Result<(), CatalogError> {
    if let Scope::Vault(vault) = scope {
        check_name("vault id", vault, VAULT_BYTES_MAX)?;
    }
    if range.from.contains('\0') || range.to.as_deref().is_some_and(|to| to.contains('\0')) {
        return Err(CatalogError::Misuse {
            what: "a range of keys with NUL in it".into(),
        });
    }
    Ok(())
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPage {
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// Where the next page starts; nothing when this is the last. There may be no row behind it.
    pub next: Option<Cursor>,
}

impl RowPage {
    /// The page that these rows are, as an answer to a scan.
    pub(crate) fn new(rows: Vec<Row>, query: &Query) -> Self {
        let full = rows.len() as u64 == u64::from(query.limit);
        let next = rows
            .last()
            .filter(|_| full)
            .map(|row| Cursor::behind(row, query.slot));
        Self { rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    #[test]
    fn ranges_hold_what_they_say() {
        let exactly = Range::exactly("job");
        assert!(exactly.contains("job"));
        assert!(!exactly.contains("jo") && !exactly.contains("joba") && !exactly.contains("job\u{1}"));
        let queued = Range::members(&["Queued"]);
        assert!(queued.contains(&keys::tuple(&["Queued", &keys::number(i64::MAX)])));
        assert!(!queued.contains(&keys::tuple(&["Queued2", ""])));
        assert!(Range::prefix("a").contains("a\u{10FFFD}z"));
        assert!(!Range::prefix("a").contains("b"));
        let due = Range::between(
            keys::tuple(&["Queued", ""]),
            keys::tuple(&["Queued", &keys::number(100)]),
        );
        assert!(due.contains(&keys::tuple(&["Queued", &keys::number(99)])));
        assert!(!due.contains(&keys::tuple(&["Queued", &keys::number(100)])));
    }
}
