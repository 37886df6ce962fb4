//! A transaction in memory: one moment of the past, its own writes over it, and what it depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::plan::{self, Event, Step};
use super::state::{InFlight, State, Writes};
use super::table::{Name, Place, Read, place};
use super::{MemoryStore, unreachable};
use crate::catalog::Transaction;
use crate::error::CatalogError;
use crate::kind::{Kind, Slot};
use crate::query::{Edge, Order, Query, Range, RowPage, Scope, check_range};
use crate::row::{NewRow, Row};

pub(super) struct MemoryTransaction {
    store: MemoryStore,
    epoch: u64,
    generation: i64,
    number: u64,
    /// Sees the commits up to this one.
    begin: u64,
    writable: bool,
    writes: Writes,
    reads: Vec<Read>,
    ended: Option<CatalogError>,
    /// A step was begun and its answer not waited for: as with a server, there is no going on after that.
    midway: bool,
}

impl MemoryTransaction {
    pub(super) fn new(
        store: MemoryStore,
        epoch: u64,
        generation: i64,
        number: u64,
        begin: u64,
        writable: bool,
    ) -> Self {
        Self {
            store,
            epoch,
            generation,
            number,
            begin,
            writable,
            writes: Writes::new(),
            reads: Vec::new(),
            ended: None,
            midway: false,
        }
    }

    /// Whether the transaction can go on.
    fn check(&mut self) -> Result<(), CatalogError> {
        if self.midway && self.ended.is_none() {
            self.ended = Some(unreachable(
                "an earlier statement of this transaction was not waited for",
            ));
        }
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// Runs one step, unless the transaction is over; remembers an error that ends it.
    async fn step<T>(
        &mut self,
        step: Step,
        work: impl FnOnce(&mut Self, &State) -> Result<T, CatalogError> + Send,
    ) -> Result<T, CatalogError> {
        self.check()?;
        self.midway = true;
        let done = match plan::face(&self.store, step).await {
            Ok(()) => {
                let store = self.store.clone();
                let state = store.lock();
                state.check_epoch(self.epoch).and_then(|()| work(self, &state))
            }
            Err(error) => Err(error),
        };
        self.midway = false;
        if let Err(error) = &done
            && error.ends_transaction()
        {
            self.ended = Some(error.clone());
        }
        done
    }

    /// The row as this transaction sees it.
    fn see(&self, state: &State, kind: Kind, name: &Name) -> Option<Arc<Row>> {
        if let Some(own) = self.writes.get(&(kind, name.clone())) {
            return own.clone();
        }
        let mut since = state.changes_since(self.begin);
        match since.find(|change| change.kind == kind && change.name == *name) {
            Some(change) => change.before.clone(),
            None => state.table(kind).get(name).cloned(),
        }
    }

    /// What this transaction sees otherwise than the table is now.
    fn otherwise(&self, state: &State, kind: Kind) -> BTreeMap<Name, Option<Arc<Row>>> {
        let mut rows = BTreeMap::new();
        for change in state
            .changes_since(self.begin)
            .filter(|change| change.kind == kind)
        {
            // The earliest change says what was there at the beginning.
            rows.entry(change.name.clone())
                .or_insert_with(|| change.before.clone());
        }
        let own = self.writes.iter().filter(|((of, _), _)| *of == kind);
        rows.extend(own.map(|((_, name), row)| (name.clone(), row.clone())));
        rows
    }

    /// Rows of one vault, in order, `limit` at most.
    fn walk(&self, state: &State, kind: Kind, vault: &str, query: &Query, limit: usize) -> Vec<Arc<Row>> {
        let place_of = |edge: Edge| (vault.to_owned(), edge.key, edge.id);
        let (from, to) = query.bounds(vault);
        let (from, to) = (place_of(from), place_of(to));
        let otherwise = self.otherwise(state, kind);
        let mut other: Vec<(Place, &Arc<Row>)> = otherwise
            .values()
            .flatten()
            .filter_map(|row| Some((place(row, query.slot)?, row)))
            .filter(|(place, _)| from < *place && *place < to)
            .collect();
        other.sort_by(|x, y| x.0.cmp(&y.0));
        if query.order == Order::Descending {
            other.reverse();
        }
        let before = |x: &Place, y: &Place| match query.order {
            Order::Ascending => x < y,
            Order::Descending => x > y,
        };
        let mut base = state
            .table(kind)
            .walk(query.slot, &from, &to, query.order)
            .filter(|row| !otherwise.contains_key(&(row.vault.clone(), row.id.clone())))
            .filter_map(|row| Some((place(row, query.slot)?, row)))
            .peekable();
        let mut other = other.into_iter().peekable();
        let mut rows = Vec::new();
        while rows.len() < limit {
            let next = match (base.peek(), other.peek()) {
                (Some(x), Some(y)) if before(&x.0, &y.0) => base.next(),
                (_, Some(_)) => other.next(),
                (_, None) => base.next(),
            };
            let Some((_, row)) = next else { break };
            rows.push(Arc::clone(row));
        }
        rows
    }

    /// The vaults that a scan goes through, in its order.
    fn vaults(&mut self, state: &State, kind: Kind, scope: &Scope, order: Order) -> Vec<String> {
        if let Scope::Vault(vault) = scope {
            return vec![vault.clone()];
        }
        self.reads.push(Read::Vaults(kind));
        let mut vaults = BTreeSet::new();
        let mut at = String::new();
        while let Some(next) = state.table(kind).vault_above(&at) {
            at = next.to_owned();
            vaults.insert(at.clone());
        }
        vaults.extend(self.otherwise(state, kind).into_keys().map(|(vault, _)| vault));
        let mut vaults: Vec<String> = vaults.into_iter().collect();
        if order == Order::Descending {
            vaults.reverse();
        }
        vaults
    }

    fn scan_now(&mut self, state: &State, kind: Kind, query: &Query) -> RowPage {
        let limit = query.limit as usize;
        let mut rows: Vec<Row> = Vec::new();
        for vault in self.vaults(state, kind, &query.scope, query.order) {
            if is_behind(&vault, query) {
                continue;
            }
            let left = limit - rows.len();
            if left == 0 {
                break;
            }
            let found = self.walk(state, kind, &vault, query, left);
            let seen = seen_range(query, &found, left);
            self.reads.push(Read::Range(kind, vault, query.slot, seen));
            rows.extend(found.iter().map(|row| row.as_ref().clone()));
        }
        RowPage::new(rows, query)
    }

    /// Refuses unique keys that another row has, and depends on nobody else taking them.
    fn check_unique(&mut self, state: &State, row: &NewRow) -> Result<(), CatalogError> {
        for slot in row.kind.unique() {
            let Some(key) = row.keys.get(*slot) else { continue };
            let range = Range::exactly(key);
            let query = Query::of(Scope::vault(&row.vault), *slot, range.clone());
            let holders = self.walk(state, row.kind, &row.vault, &query, 2);
            self.reads
                .push(Read::Range(row.kind, row.vault.clone(), *slot, range));
            if holders.iter().any(|holder| holder.id != row.id) {
                return Err(CatalogError::Exists {
                    kind: row.kind,
                    id: row.id.clone(),
                    slot: *slot,
                });
            }
        }
        Ok(())
    }

    /// The row to be changed, if it has this version.
    fn expect(&mut self, state: &State, kind: Kind, name: &Name, version: i64) -> Result<(), CatalogError> {
        self.reads.push(Read::Point(kind, name.clone()));
        match self.see(state, kind, name) {
            None => Err(CatalogError::Missing {
                kind,
                id: name.1.clone(),
            }),
            Some(row) if row.version != version => Err(CatalogError::Conflict {
                what: format!(
                    "the {kind} record {} has version {}, not {version}",
                    name.1, row.version
                ),
            }),
            Some(_) => Ok(()),
        }
    }

    fn check_writable(&self) -> Result<(), CatalogError> {
        if self.writable {
            return Ok(());
        }
        Err(CatalogError::Misuse {
            what: "a write in a reading transaction".into(),
        })
    }

    fn put(&mut self, row: NewRow, version: i64) -> Row {
        let row = Row::written(row, version, self.generation);
        let name = (row.vault.clone(), row.id.clone());
        self.writes.insert((row.kind, name), Some(Arc::new(row.clone())));
        row
    }
}

/// Whether a scan has this vault behind it.
fn is_behind(vault: &str, query: &Query) -> bool {
    let Some(after) = &query.after else { return false };
    match query.order {
        Order::Ascending => vault < after.vault.as_str(),
        Order::Descending => vault > after.vault.as_str(),
    }
}

/// The part of the range that was looked at: all of it, or as far as the last row of a full page.
fn seen_range(query: &Query, found: &[Arc<Row>], limit: usize) -> Range {
    let mut range = query.range.clone();
    let last = found.get(limit - 1).and_then(|row| row.key(query.slot));
    if let Some(last) = last {
        match query.order {
            Order::Ascending => range.to = Range::exactly(last).to,
            Order::Descending => range.from = last.to_owned(),
        }
    }
    range
}

#[async_trait]
impl Transaction for MemoryTransaction {
    async fn get(&mut self, kind: Kind, vault: &str, id: &str) -> Result<Option<Row>, CatalogError> {
        let name = (vault.to_owned(), id.to_owned());
        self.step(Step::Read, |tx, state| {
            let row = tx.see(state, kind, &name).map(|row| row.as_ref().clone());
            tx.reads.push(Read::Point(kind, name));
            Ok(row)
        })
        .await
    }

    async fn scan(&mut self, kind: Kind, query: &Query) -> Result<RowPage, CatalogError> {
        query.check()?;
        self.step(Step::Read, |tx, state| Ok(tx.scan_now(state, kind, query)))
            .await
    }

    async fn count(
        &mut self,
        kind: Kind,
        scope: &Scope,
        slot: Slot,
        range: &Range,
    ) -> Result<i64, CatalogError> {
        check_range(scope, range)?;
        self.step(Step::Read, |tx, state| {
            let query = Query::of(scope.clone(), slot, range.clone());
            let mut rows = 0;
            for vault in tx.vaults(state, kind, scope, Order::Ascending) {
                rows += tx.walk(state, kind, &vault, &query, usize::MAX).len();
                tx.reads.push(Read::Range(kind, vault, slot, range.clone()));
            }
            Ok(i64::try_from(rows).expect("rows are in memory"))
        })
        .await
    }

    async fn insert(&mut self, row: NewRow) -> Result<Row, CatalogError> {
        row.check()?;
        self.check_writable()?;
        self.step(Step::Write, |tx, state| {
            let name = (row.vault.clone(), row.id.clone());
            let there = tx.see(state, row.kind, &name).is_some();
            tx.reads.push(Read::Point(row.kind, name));
            if there {
                return Err(CatalogError::Exists {
                    kind: row.kind,
                    id: row.id,
                    slot: Slot::Id,
                });
            }
            tx.check_unique(state, &row)?;
            Ok(tx.put(row, 1))
        })
        .await
    }

    async fn update(&mut self, row: NewRow, expected: i64) -> Result<Row, CatalogError> {
        row.check()?;
        self.check_writable()?;
        self.step(Step::Write, |tx, state| {
            let name = (row.vault.clone(), row.id.clone());
            tx.expect(state, row.kind, &name, expected)?;
            tx.check_unique(state, &row)?;
            Ok(tx.put(row, expected + 1))
        })
        .await
    }

    async fn delete(&mut self, kind: Kind, vault: &str, id: &str, expected: i64) -> Result<(), CatalogError> {
        self.check_writable()?;
        let name = (vault.to_owned(), id.to_owned());
        self.step(Step::Write, |tx, state| {
            tx.expect(state, kind, &name, expected)?;
            tx.writes.insert((kind, name), None);
            Ok(())
        })
        .await
    }

    async fn commit(mut self: Box<Self>) -> Result<(), CatalogError> {
        self.check()?;
        let event = {
            let mut state = self.store.lock();
            state.check_epoch(self.epoch)?;
            if self.writes.is_empty() {
                return Ok(());
            }
            state.plan.next(Step::Commit)
        };
        match event {
            Event::Go => {
                self.take_off();
                self.store.lock().land(self.number)
            }
            Event::Wait(until) => {
                self.take_off();
                until.await;
                self.land_late()
            }
            Event::Lost => {
                self.take_off();
                let mut state = self.store.lock();
                if state.coin() {
                    // Whether it was refused, this caller does not learn.
                    let _ = state.land(self.number);
                } else {
                    state.abort(self.number);
                }
                Err(unknown())
            }
            refused @ (Event::DiskFull | Event::Conflict) => Err(refused.error()),
        }
    }
}

impl MemoryTransaction {
    /// From here on, the commit may be done even if nobody waits for it any more.
    fn take_off(&mut self) {
        let commit = InFlight {
            begin: self.begin,
            reads: std::mem::take(&mut self.reads),
            writes: std::mem::take(&mut self.writes),
        };
        self.store.lock().take_off(self.number, commit);
    }

    fn land_late(&self) -> Result<(), CatalogError> {
        let mut state = self.store.lock();
        if state.check_epoch(self.epoch).is_err() {
            // The crash has decided.
            return Err(unknown());
        }
        state.land(self.number)
    }
}

impl Drop for MemoryTransaction {
    fn drop(&mut self) {
        self.store.lock().leave(self.number);
    }
}

fn unknown() -> CatalogError {
    CatalogError::CommitUnknown {
        why: "the connection was lost during the commit".into(),
    }
}
