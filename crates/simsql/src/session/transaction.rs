//! Transactions: BEGIN, COMMIT, ROLLBACK, savepoints, and what one statement does on its own.
//!
//! An engine's transaction begins with the first change in its database. A transaction that changed several databases has one in
//! each; they commit one after the other, so that a loss of power between two of them leaves the first committed and the second
//! not: SQL Server would not.

use crate::engine::{Mark, TransactionId};
use crate::instance::trouble;
use crate::message::Failure;
use crate::session::work::Savepoint;
use crate::session::{Session, memory};

/// Savepoints of a transaction at most.
const SAVEPOINTS_MAX: usize = 10_000;

/// Where a session's transactions stood when a statement began.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    marks: Vec<(u16, TransactionId, Mark)>,
    had_transaction: bool,
}

impl Session {
    /// The transaction manager's request BEGIN.
    ///
    /// # Errors
    /// None: an engine's transaction begins with the first change.
    pub fn begin(&mut self) -> Result<(), Failure> {
        if self.nesting == 0 {
            self.work.temporary_before = Some(self.work.temporary.clone());
            self.begun += 1;
        }
        self.nesting += 1;
        self.show_nesting();
        Ok(())
    }

    /// COMMIT.
    ///
    /// # Errors
    /// 3902 where there is none, 3930 where it can only be rolled back; what the log says where it cannot be written, and then
    /// all is rolled back.
    pub fn commit(&mut self) -> Result<(), Failure> {
        if self.nesting == 0 {
            return Err(Failure::new(3902, &[]));
        }
        if self.work.is_doomed {
            return Err(Failure::new(3930, &[]));
        }
        if self.nesting > 1 {
            self.nesting -= 1;
            self.show_nesting();
            return Ok(());
        }
        let committed = self.commit_engines();
        self.end_transaction();
        committed
    }

    /// ROLLBACK of everything.
    ///
    /// # Errors
    /// 3903 where there is none.
    pub fn rollback(&mut self) -> Result<(), Failure> {
        if self.nesting == 0 {
            return Err(Failure::new(3903, &[]));
        }
        let undone = self.rollback_engines();
        if let Some(before) = self.work.temporary_before.take() {
            self.work.temporary = before;
        }
        self.end_transaction();
        undone
    }

    /// SAVE TRANSACTION.
    ///
    /// # Errors
    /// 628 outside of a transaction, 701 where there are too many or the session would hold too much.
    pub(crate) fn save_point(&mut self, name: &str) -> Result<(), Failure> {
        if self.nesting == 0 {
            return Err(Failure::new(628, &[]));
        }
        let savepoints = &mut self.work.savepoints;
        if savepoints
            .last()
            .is_some_and(|last| last.name.eq_ignore_ascii_case(name))
        {
            // No rollback reaches the older of two that have one name and none between them.
            savepoints.pop();
        }
        if savepoints.len() >= SAVEPOINTS_MAX {
            return Err(Failure::new(701, &[&"default"]));
        }
        let earlier = savepoints.last().map_or(0, |last| last.bytes);
        let savepoint = Savepoint {
            name: name.to_owned(),
            marks: self.marks(),
            temporary: self.work.temporary.clone(),
            bytes: earlier + memory::of_tables(&self.work.temporary),
        };
        self.work.savepoints.push(savepoint);
        let room = self.work.check_room(0);
        if room.is_err() {
            self.work.savepoints.pop();
        }
        room
    }

    /// ROLLBACK TRANSACTION name: to the latest savepoint of that name, or of everything where the name is the transaction's own.
    pub(crate) fn rollback_to_savepoint(&mut self, name: &str) -> Result<(), Failure> {
        let place = self
            .work
            .savepoints
            .iter()
            .rposition(|savepoint| savepoint.name.eq_ignore_ascii_case(name));
        let Some(place) = place else {
            let is_own = self.work.transaction_name.as_deref();
            return match is_own.is_some_and(|own| own.eq_ignore_ascii_case(name)) {
                true => self.rollback(),
                false => Err(Failure::new(6401, &[&name])),
            };
        };
        let savepoint = self.work.savepoints[place].clone();
        self.work.savepoints.truncate(place + 1);
        self.work.temporary = savepoint.temporary;
        self.undo_to(&savepoint.marks)
    }

    /// The engine's transaction in a database, begun where there is none yet.
    pub(crate) fn engine_transaction(&mut self, database: u16) -> Result<TransactionId, Failure> {
        if let Some((_, transaction)) = self.open_transactions().find(|(id, _)| *id == database) {
            return Ok(transaction);
        }
        let now = self.instance.world.clock.now();
        let transaction = {
            let mut state = self.instance.state();
            let entry = state
                .databases
                .get_mut(&database)
                .ok_or_else(|| Failure::new(911, &[&database]))?;
            let Some(engine) = entry.engine.as_mut() else {
                return Err(Failure::new(945, &[&entry.name]));
            };
            engine
                .begin(now)
                .map_err(|error| trouble::failure(&error, entry))?
        };
        match self.transaction {
            None => self.transaction = Some((database, transaction)),
            Some(_) => self.work.further.push((database, transaction)),
        }
        Ok(transaction)
    }

    fn open_transactions(&self) -> impl Iterator<Item = (u16, TransactionId)> + '_ {
        self.transaction.iter().chain(&self.work.further).copied()
    }

    fn marks(&self) -> Vec<(u16, TransactionId, Mark)> {
        let state = self.instance.state();
        self.open_transactions()
            .filter_map(|(database, transaction)| {
                let engine = state.databases.get(&database)?.engine.as_ref()?;
                Some((database, transaction, engine.mark(transaction)))
            })
            .collect()
    }

    /// Notes where a statement begins.
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            marks: self.marks(),
            had_transaction: self.nesting > 0,
        }
    }

    /// A statement ended well: outside of a transaction its changes are committed.
    pub(crate) fn settle(&mut self, standing: &Standing) -> Result<(), Failure> {
        if standing.had_transaction || self.nesting > 0 {
            return Ok(());
        }
        let committed = self.commit_engines();
        self.end_transaction();
        committed
    }

    /// A statement failed: what it did is undone, and nothing else. Temporary tables take care of themselves.
    pub(crate) fn unsettle(&mut self, standing: &Standing) -> Result<(), Failure> {
        if standing.had_transaction || self.nesting > 0 {
            return self.undo_to(&standing.marks);
        }
        let undone = self.rollback_engines();
        self.end_transaction();
        undone
    }

    /// Undoes down to `marks`; an engine's transaction that is not among them began later and is undone whole.
    fn undo_to(&mut self, marks: &[(u16, TransactionId, Mark)]) -> Result<(), Failure> {
        let now = self.instance.world.clock.now();
        let open: Vec<_> = self.open_transactions().collect();
        let mut begun_later = Vec::new();
        {
            let mut state = self.instance.state();
            for (database, transaction) in open {
                state.keys.forget(database);
                let Some(entry) = state.databases.get_mut(&database) else {
                    continue;
                };
                let Some(engine) = entry.engine.as_mut() else {
                    continue;
                };
                let mark = marks.iter().find(|(_, known, _)| *known == transaction);
                let undone = match mark {
                    Some((_, _, mark)) => engine.rollback_to(transaction, *mark),
                    None => {
                        begun_later.push(transaction);
                        engine.rollback(transaction, now)
                    }
                };
                undone.map_err(|error| trouble::failure(&error, entry))?;
            }
        }
        self.work
            .further
            .retain(|(_, transaction)| !begun_later.contains(transaction));
        if self
            .transaction
            .is_some_and(|(_, transaction)| begun_later.contains(&transaction))
        {
            self.transaction = None;
            if !self.work.further.is_empty() {
                self.transaction = Some(self.work.further.remove(0));
            }
        }
        Ok(())
    }

    fn commit_engines(&mut self) -> Result<(), Failure> {
        let now = self.instance.world.clock.now();
        let open: Vec<_> = self.open_transactions().collect();
        let mut state = self.instance.state();
        let mut failed = None;
        for (database, transaction) in open {
            let Some(entry) = state.databases.get_mut(&database) else {
                continue;
            };
            let Some(engine) = entry.engine.as_mut() else {
                continue;
            };
            let ended = match failed {
                None => engine.commit(transaction, now).map(drop),
                Some(_) => engine.rollback(transaction, now),
            };
            if let Err(error) = ended {
                // A commit that could not be written is no commit; where the rollback fails as well, recovery does it.
                drop(engine.rollback(transaction, now));
                failed.get_or_insert(trouble::failure(&error, entry));
                state.keys.forget(database);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn rollback_engines(&mut self) -> Result<(), Failure> {
        let now = self.instance.world.clock.now();
        let open: Vec<_> = self.open_transactions().collect();
        let mut state = self.instance.state();
        let mut failed = None;
        for (database, transaction) in open {
            state.keys.forget(database);
            let Some(entry) = state.databases.get_mut(&database) else {
                continue;
            };
            let Some(engine) = entry.engine.as_mut() else {
                continue;
            };
            if let Err(error) = engine.rollback(transaction, now) {
                failed.get_or_insert(trouble::failure(&error, entry));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The tables are free again, and nothing of the transaction is left.
    fn end_transaction(&mut self) {
        self.transaction = None;
        self.work.further.clear();
        self.work.savepoints.clear();
        self.work.temporary_before = None;
        self.work.transaction_name = None;
        self.work.is_doomed = false;
        self.nesting = 0;
        let mut state = self.instance.state();
        for entry in state.databases.values_mut() {
            entry.locks.release_tables(self.id);
        }
        drop(state);
        self.show_nesting();
    }

    fn show_nesting(&self) {
        if let Some(facts) = self.instance.state().sessions.get_mut(&self.id) {
            facts.transactions = self.nesting;
        }
    }
}
