//! Transactions: what begins, commits, and is rolled back whole or in part.
//!
//! A transaction is in the log from its first change on; one that only reads leaves nothing there. Its writes form a chain from
//! the newest back to the begin record, and undoing walks that chain: the bytes that were there are put back, and a compensation
//! record says so, so that recovery never undoes anything twice. Room for these records, and for the one that ends the
//! transaction, is reserved before the change is logged: a rollback never fails for want of log.

use std::collections::BTreeMap;

use bak::Lsn;

use super::aside::set_lsn;
use super::core::Core;
use super::pages::PageId;
use super::record::{COMPENSATION_BYTES, END_BYTES, OpenTransaction, Record};
use super::section::RECORD_OVERHEAD;
use super::{Engine, EngineError, Mark, Result, TransactionId};
use crate::moment::Moment;

/// A transaction that is open.
pub(super) struct Transaction {
    at: Moment,
    /// Its begin record and its newest; `None` until it changes anything.
    logged: Option<(Lsn, Lsn)>,
    /// Room for the undo of each write that is not undone yet, oldest first.
    undo: Vec<u64>,
}

/// Those that are open.
pub(super) struct Transactions {
    open: BTreeMap<TransactionId, Transaction>,
    next: u64,
}

impl Transactions {
    /// None; the next one gets the number `next`.
    pub(super) fn new(next: u64) -> Self {
        Self {
            open: BTreeMap::new(),
            next,
        }
    }

    /// The number that the next one gets.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Those that are in the log, by number, as a checkpoint notes them.
    pub(super) fn logged(&self) -> Vec<OpenTransaction> {
        let logged = self.open.iter().filter_map(|(id, transaction)| {
            let (begin, last) = transaction.logged?;
            Some(OpenTransaction {
                id: id.0,
                begin,
                last,
                at: transaction.at,
            })
        });
        logged.collect()
    }

    /// The begin record and the time of the one that has been in the log longest.
    pub(super) fn oldest(&self) -> Option<(Lsn, Moment)> {
        self.logged().iter().map(|one| (one.begin, one.at)).min()
    }

    fn get(&mut self, id: TransactionId) -> &mut Transaction {
        self.open.get_mut(&id).expect("the transaction is open")
    }
}

impl Core {
    /// Replaces bytes of a page for a transaction.
    pub(super) fn transaction_write(
        &mut self,
        id: TransactionId,
        page: PageId,
        offset: usize,
        bytes: &[u8],
    ) -> Result<()> {
        let place = offset..offset + bytes.len();
        let before = self.fetch(page)?.page[place.clone()].to_vec();
        if before == bytes {
            return Ok(());
        }
        let previous = self.logged(id)?;
        let room = COMPENSATION_BYTES + before.len() as u64 + RECORD_OVERHEAD;
        self.log.reserve(room)?;
        let record = Record::Write {
            transaction: id.0,
            previous,
            page,
            offset: u16::try_from(offset).expect("an offset is within a page"),
            before,
            after: bytes.to_vec(),
        };
        let lsn = match self.log.append(&record.encode()) {
            Ok(lsn) => lsn,
            Err(error) => {
                self.log.release(room);
                return Err(error);
            }
        };
        let transaction = self.transactions.get(id);
        transaction.undo.push(room);
        transaction.logged = transaction.logged.map(|(begin, _)| (begin, lsn));
        self.apply(lsn, page, offset, bytes)
    }

    /// Makes a logged change on its page.
    pub(super) fn apply(&mut self, lsn: Lsn, page: PageId, offset: usize, bytes: &[u8]) -> Result<()> {
        self.differential.mark(page);
        let frame = self.fetch(page)?;
        frame.page[offset..offset + bytes.len()].copy_from_slice(bytes);
        set_lsn(&mut frame.page, lsn);
        frame.is_dirty = true;
        frame.wal = lsn;
        Ok(())
    }

    /// The newest record of a transaction, its begin record if it has none yet.
    fn logged(&mut self, id: TransactionId) -> Result<Lsn> {
        let transaction = self.transactions.get(id);
        if let Some((_, last)) = transaction.logged {
            return Ok(last);
        }
        let at = transaction.at;
        let room = END_BYTES + RECORD_OVERHEAD;
        self.log.reserve(room)?;
        let record = Record::Begin {
            transaction: id.0,
            at,
        };
        match self.log.append(&record.encode()) {
            Ok(lsn) => {
                self.transactions.get(id).logged = Some((lsn, lsn));
                Ok(lsn)
            }
            Err(error) => {
                self.log.release(room);
                Err(error)
            }
        }
    }

    /// Undoes the newest write of a transaction that is not undone, from `from` on; gives where the next one is, `None` at the
    /// begin record. Its compensation goes into reserved room.
    pub(super) fn undo_one(&mut self, transaction: u64, from: Lsn) -> Result<Undone> {
        let bytes = self.log.record(from)?;
        match Record::decode(from, &bytes)?.leading_back(from)? {
            Record::Write {
                transaction: owner,
                previous,
                page,
                offset,
                before,
                ..
            } if owner == transaction => {
                let compensation = Record::Compensation {
                    transaction,
                    undo_next: previous,
                    page,
                    offset,
                    after: before.clone(),
                };
                // The page comes first: reading it may fail, and may write others.
                self.fetch(page)?;
                let lsn = self.log.append_reserved(&compensation.encode())?;
                self.apply(lsn, page, usize::from(offset), &before)?;
                Ok(Undone::Write { lsn, next: previous })
            }
            Record::Compensation {
                transaction: owner,
                undo_next,
                ..
            } if owner == transaction => Ok(Undone::Nothing { next: undo_next }),
            Record::Begin {
                transaction: owner, ..
            } if owner == transaction => Ok(Undone::All),
            _ => Err(EngineError::Log {
                lsn: from,
                detail: format!(
                    "the chain of transaction {transaction} leads to a record that is not its own"
                ),
            }),
        }
    }

    /// Undoes writes of an open transaction until only `keep` are left.
    fn undo_to(&mut self, id: TransactionId, keep: usize) -> Result<()> {
        while self.transactions.get(id).undo.len() > keep {
            let Some((begin, last)) = self.transactions.get(id).logged else {
                break;
            };
            let mut next = last;
            loop {
                match self.undo_one(id.0, next)? {
                    Undone::Nothing { next: further } => next = further,
                    Undone::Write { lsn, .. } => {
                        let transaction = self.transactions.get(id);
                        transaction.logged = Some((begin, lsn));
                        let room = transaction.undo.pop().unwrap_or(0);
                        self.log.release(room);
                        break;
                    }
                    Undone::All => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// Ends an open transaction that is in the log with a record, and lets its room go.
    fn end(&mut self, id: TransactionId, record: &Record) -> Result<Lsn> {
        let lsn = self.log.append_reserved(&record.encode())?;
        let transaction = self.transactions.open.remove(&id);
        let undo: u64 = transaction.map_or(0, |transaction| transaction.undo.iter().sum());
        self.log.release(undo + END_BYTES + RECORD_OVERHEAD);
        Ok(lsn)
    }
}

/// What undoing a record did.
pub(super) enum Undone {
    /// A write was undone, by the compensation at `lsn`.
    Write { lsn: Lsn, next: Lsn },
    /// The record was a compensation.
    Nothing { next: Lsn },
    /// The record was the first.
    All,
}

/// Transactions.
impl Engine {
    /// Begins a transaction.
    ///
    /// # Errors
    /// Where the log could not be written before: nothing more is done then until the database is opened anew.
    pub fn begin(&mut self, at: Moment) -> Result<TransactionId> {
        self.core.settle(Ok(()))?;
        let id = TransactionId(self.core.transactions.next);
        self.core.transactions.next += 1;
        let transaction = Transaction {
            at,
            logged: None,
            undo: Vec::new(),
        };
        self.core.transactions.open.insert(id, transaction);
        Ok(id)
    }

    /// Ends a transaction; its log is durable when this returns. The LSN is its commit record's; for one that changed nothing it
    /// is where the next record goes.
    ///
    /// # Errors
    /// Where the log cannot be written: nobody knows then whether the transaction is durable.
    pub fn commit(&mut self, transaction: TransactionId, at: Moment) -> Result<Lsn> {
        if self.core.transactions.get(transaction).logged.is_none() {
            self.core.transactions.open.remove(&transaction);
            return self.core.settle(Ok(self.core.log.next_lsn()));
        }
        let record = Record::Commit {
            transaction: transaction.0,
            at,
        };
        let committed = self.core.end(transaction, &record).and_then(|lsn| {
            self.core.flush_log()?;
            Ok(lsn)
        });
        let lsn = self.core.settle(committed)?;
        self.ended(transaction);
        self.relieve_log(at);
        Ok(lsn)
    }

    /// Undoes everything that a transaction did and ends it.
    ///
    /// # Errors
    /// Where a page cannot be read or the log not be written; the transaction is undone when the database is next opened.
    pub fn rollback(&mut self, transaction: TransactionId, at: Moment) -> Result<()> {
        if self.core.transactions.get(transaction).logged.is_none() {
            self.core.transactions.open.remove(&transaction);
            return self.core.settle(Ok(()));
        }
        let record = Record::Abort {
            transaction: transaction.0,
            at,
        };
        let undone = self.core.undo_to(transaction, 0);
        let ended = undone.and_then(|()| self.core.end(transaction, &record));
        self.core.settle(ended)?;
        self.undone()?;
        self.ended(transaction);
        self.relieve_log(at);
        Ok(())
    }

    /// Where the transaction stands.
    ///
    /// # Panics
    /// Where it is not open.
    #[must_use]
    pub fn mark(&self, transaction: TransactionId) -> Mark {
        let open = self.core.transactions.open.get(&transaction);
        Mark(open.expect("the transaction is open").undo.len() as u64)
    }

    /// Undoes what the transaction did since `mark`; it stays open.
    ///
    /// # Errors
    /// As [`Engine::rollback`].
    pub fn rollback_to(&mut self, transaction: TransactionId, mark: Mark) -> Result<()> {
        let keep = usize::try_from(mark.0).unwrap_or(usize::MAX);
        if self.core.transactions.get(transaction).undo.len() <= keep {
            return self.core.settle(Ok(()));
        }
        let undone = self.core.undo_to(transaction, keep);
        self.core.settle(undone)?;
        self.undone()
    }

    /// The LSN and the time of the oldest open transaction that changed anything.
    #[must_use]
    pub fn oldest_transaction(&self) -> Option<(Lsn, Moment)> {
        self.core.transactions.oldest()
    }
}
