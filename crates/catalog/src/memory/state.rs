//! What is committed, what was before it as long as somebody may still look at that, and commits under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::plan::{NoTrouble, Plan};
use super::table::{Name, Read, Table};
use super::{NAME, unreachable};
use crate::error::CatalogError;
use crate::kind::Kind;
use crate::row::Row;

/// The rows that a transaction writes, or takes away.
pub(super) type Writes = BTreeMap<(Kind, Name), Option<Arc<Row>>>;

/// A row that a commit changed: before and after.
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) name: Name,
    pub(super) before: Option<Arc<Row>>,
    pub(super) after: Option<Arc<Row>>,
}

/// A commit that an open transaction may have to look behind, or be checked against.
struct Committed {
    sequence: u64,
    changes: Vec<Change>,
}

/// A commit that has not been answered yet.
pub(super) struct InFlight {
    pub(super) begin: u64,
    pub(super) reads: Vec<Read>,
    pub(super) writes: Writes,
}

pub(super) struct State {
    pub(super) catalog_id: String,
    pub(super) generation: i64,
    /// Ends with each catalog; transactions of an earlier one are dead.
    pub(super) epoch: u64,
    pub(super) held: bool,
    pub(super) full: bool,
    pub(super) plan: Box<dyn Plan>,
    /// Commits so far.
    pub(super) sequence: u64,
    tables: BTreeMap<Kind, Table>,
    log: VecDeque<Committed>,
    /// Open transactions and the commit each began after.
    open: BTreeMap<u64, u64>,
    entered: u64,
    in_flight: BTreeMap<u64, InFlight>,
    random: u64,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        let mut state = Self {
            catalog_id: String::new(),
            generation: 0,
            epoch: 0,
            held: false,
            full: false,
            plan: Box::new(NoTrouble),
            sequence: 0,
            tables: Kind::ALL
                .into_iter()
                .map(|kind| (kind, Table::default()))
                .collect(),
            log: VecDeque::new(),
            open: BTreeMap::new(),
            entered: 0,
            in_flight: BTreeMap::new(),
            random: seed,
        };
        state.catalog_id = format!("{:016x}{:016x}", state.draw(), state.draw());
        state
    }

    /// The committed rows and the seed, without anybody who uses them.
    pub(super) fn copy(&self) -> Self {
        Self {
            catalog_id: self.catalog_id.clone(),
            tables: self.tables.clone(),
            sequence: self.sequence,
            generation: self.generation,
            ..Self::new(self.random)
        }
    }

    /// The next number of a splitmix64 sequence.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Whether what could go either way is done.
    pub(super) fn coin(&mut self) -> bool {
        self.draw() >> 63 == 1
    }

    /// Refuses a catalog or a transaction of an earlier start.
    pub(super) fn check_epoch(&self, epoch: u64) -> Result<(), CatalogError> {
        if epoch == self.epoch {
            return Ok(());
        }
        Err(unreachable("it was closed"))
    }

    /// A transaction begins; its number.
    pub(super) fn enter(&mut self) -> u64 {
        self.entered += 1;
        self.open.insert(self.entered, self.sequence);
        self.entered
    }

    /// A transaction is over.
    pub(super) fn leave(&mut self, number: u64) {
        self.open.remove(&number);
        self.forget_history();
    }

    /// All transactions are over.
    pub(super) fn forget_readers(&mut self) {
        self.open.clear();
        self.forget_history();
    }

    /// Drops what nobody can look behind any more.
    fn forget_history(&mut self) {
        let waiting = self.in_flight.values().map(|commit| commit.begin);
        let needed = self.open.values().copied().chain(waiting).min();
        while self
            .log
            .front()
            .is_some_and(|commit| needed.is_none_or(|needed| commit.sequence <= needed))
        {
            self.log.pop_front();
        }
    }

    pub(super) fn table(&self, kind: Kind) -> &Table {
        &self.tables[&kind]
    }

    /// What commits after `begin` changed, the earliest first.
    pub(super) fn changes_since(&self, begin: u64) -> impl Iterator<Item = &Change> {
        self.log
            .iter()
            .filter(move |commit| commit.sequence > begin)
            .flat_map(|commit| &commit.changes)
    }

    /// A commit is under way.
    pub(super) fn take_off(&mut self, number: u64, commit: InFlight) {
        self.in_flight.insert(number, commit);
    }

    /// The end of a commit under way: done, or refused.
    pub(super) fn land(&mut self, number: u64) -> Result<(), CatalogError> {
        let Some(commit) = self.in_flight.remove(&number) else {
            return Err(unreachable("it was closed"));
        };
        let landed = self.apply(commit);
        self.forget_history();
        landed
    }

    /// Takes back a commit under way that fails.
    pub(super) fn abort(&mut self, number: u64) {
        self.in_flight.remove(&number);
        self.forget_history();
    }

    /// Commits whose caller is gone: the seed decides about each, oldest first.
    pub(super) fn settle(&mut self) {
        let gone: Vec<u64> = self
            .in_flight
            .keys()
            .copied()
            .filter(|number| !self.open.contains_key(number) || !self.held)
            .collect();
        for number in gone {
            if self.coin() {
                // Refused is as good as not done: nobody waits for the answer.
                let _ = self.land(number);
            } else {
                self.abort(number);
            }
        }
    }

    fn apply(&mut self, commit: InFlight) -> Result<(), CatalogError> {
        if self.full {
            return Err(CatalogError::DiskFull { catalog: NAME.into() });
        }
        if let Some(met) = self.first_met(&commit) {
            return Err(CatalogError::Conflict { what: met });
        }
        self.sequence += 1;
        let mut changes = Vec::new();
        for ((kind, name), after) in commit.writes {
            let table = self.tables.get_mut(&kind).expect("every kind has a table");
            let before = table.set(&name, after.as_ref());
            changes.push(Change {
                kind,
                name,
                before,
                after,
            });
        }
        self.log.push_back(Committed {
            sequence: self.sequence,
            changes,
        });
        Ok(())
    }

    /// The first change since its beginning that a commit depends on.
    fn first_met(&self, commit: &InFlight) -> Option<String> {
        let met = self.changes_since(commit.begin).find(|change| {
            let mut rows = [&change.before, &change.after].into_iter().flatten();
            rows.any(|row| commit.reads.iter().any(|read| read.covers(row)))
        })?;
        Some(format!("the {} record {} was changed", met.kind, met.name.1))
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let tables = self.tables.values();
        tables
            .flat_map(Table::rows)
            .map(|row| row.as_ref().clone())
            .collect()
    }
}
