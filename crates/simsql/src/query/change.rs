//! INSERT, UPDATE and DELETE: which rows, and their new values. The session reads and writes the rows.
//!
//! Values come converted to the types of the columns; NOT NULL, defaults, identities and constraints are the session's. UPDATE and DELETE know one
//! table, with an alias where FROM gives it one; joins there are refused with 40510, as are OUTPUT and variables in SET.

use sqlparser::ast;

use crate::message::Failure;
use crate::query::Names;
use crate::value::{Column, Value};

/// A table that a statement changes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its name for messages: `msdb.dbo.backupset`.
    pub name: &'a str,
    /// Its columns.
    pub columns: &'a [Column],
}

/// The parts of the name of the table that INSERT, UPDATE or DELETE changes: behind an alias, the table it stands for.
///
/// # Errors
/// 40510 for joins and anything but these statements.
#[allow(clippy::unimplemented, unused_variables)]
pub fn target(statement: &ast::Statement) -> Result<Vec<String>, Failure> {
    unimplemented!()
}

/// A row for INSERT: a value for each column of the table in its order, `None` where the statement gives none (or DEFAULT).
pub type NewRow = Vec<Option<Value>>;

/// The rows that INSERT adds.
///
/// # Errors
/// 207, 264, 109, 110, 120, 121 and what the query meets; 2628.
#[allow(clippy::unimplemented, unused_variables)]
pub fn insert(
    statement: &ast::Insert,
    target: Target<'_>,
    names: &mut dyn Names,
) -> Result<Vec<NewRow>, Failure> {
    unimplemented!()
}

/// UPDATE, bound to its table. Subqueries see the tables as they were when it was bound.
pub struct Update {}

#[allow(clippy::unimplemented, unused_variables)]
impl Update {
    /// Binds.
    ///
    /// # Errors
    /// 207 and what binding meets, 40510.
    pub fn new(statement: &ast::Update, target: Target<'_>, names: &mut dyn Names) -> Result<Self, Failure> {
        unimplemented!()
    }

    /// The new row where the statement changes this one: call it for each row once.
    ///
    /// # Errors
    /// What expressions meet; 2628.
    pub fn change(
        &mut self,
        row: &[Value],
        names: &mut dyn Names,
    ) -> Result<Option<Vec<Option<Value>>>, Failure> {
        unimplemented!()
    }
}

/// DELETE, bound to its table.
pub struct Delete {}

#[allow(clippy::unimplemented, unused_variables)]
impl Delete {
    /// Binds.
    ///
    /// # Errors
    /// As [`Update::new`].
    pub fn new(statement: &ast::Delete, target: Target<'_>, names: &mut dyn Names) -> Result<Self, Failure> {
        unimplemented!()
    }

    /// Whether the statement deletes this row: call it for each row once.
    ///
    /// # Errors
    /// What expressions meet.
    pub fn matches(&mut self, row: &[Value], names: &mut dyn Names) -> Result<bool, Failure> {
        unimplemented!()
    }
}
