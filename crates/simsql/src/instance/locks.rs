//! Locks: who uses a database, who backs it up, who writes to which table.
//!
//! A lock is asked for without waiting; whoever must wait sleeps and asks again until its LOCK_TIMEOUT. Owners are sessions.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::TableId;

/// A session: `@@SPID`, from 51 on.
pub type SessionId = u16;

/// What BACKUP and file operations lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bulk {
    /// `BULKOP_BACKUP_DB`: data backups and file operations.
    Database,
    /// `BULKOP_BACKUP_LOG`: log backups and file operations.
    Log,
}

/// Locks of one database.
#[derive(Clone, Debug, Default)]
pub struct Locks {
    /// Sessions that use the database (a shared lock on it).
    pub users: BTreeSet<SessionId>,
    /// The one that has it alone: a restore, SINGLE_USER, OFFLINE.
    pub exclusive: Option<SessionId>,
    /// Backups and file operations under way.
    pub bulk: BTreeMap<Bulk, SessionId>,
    /// Writers of tables.
    pub tables: BTreeMap<TableId, SessionId>,
}

impl Locks {
    /// Takes a bulk lock; the session that has it where it is taken.
    ///
    /// # Errors
    /// The owner.
    pub fn take_bulk(&mut self, kind: Bulk, session: SessionId) -> Result<(), SessionId> {
        match self.bulk.get(&kind) {
            Some(owner) if *owner != session => Err(*owner),
            _ => {
                self.bulk.insert(kind, session);
                Ok(())
            }
        }
    }

    /// Takes the right to write a table.
    ///
    /// # Errors
    /// The owner.
    pub fn take_table(&mut self, table: TableId, session: SessionId) -> Result<(), SessionId> {
        match self.tables.get(&table) {
            Some(owner) if *owner != session => Err(*owner),
            _ => {
                self.tables.insert(table, session);
                Ok(())
            }
        }
    }

    /// Lets go of the tables that a session wrote: its transaction ended.
    pub fn release_tables(&mut self, session: SessionId) {
        self.tables.retain(|_, owner| *owner != session);
    }

    /// Lets go of everything a session holds here.
    pub fn release(&mut self, session: SessionId) {
        self.users.remove(&session);
        if self.exclusive == Some(session) {
            self.exclusive = None;
        }
        self.bulk.retain(|_, owner| *owner != session);
        self.release_tables(session);
    }
}
