//! Queries: sqlparser's tree run over tables and catalog views alike, all in memory. No optimiser: joins are nested loops, but for equality
//! between columns, which is hashed.

use crate::message::Failure;
use crate::value::{Column, SqlType, Value};

/// A table or view as the executor sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relation {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Vec<Value>>,
}

/// What a query can name, as the session sees it.
pub trait Names {
    /// The table, view or table function called by these parts (`db.schema.name`, fewer parts where the query has fewer; as written), with
    /// the arguments of a table function.
    ///
    /// # Errors
    /// 208 where there is none, 911 for an unknown database, 229 and others.
    fn relation(&mut self, parts: &[String], arguments: Option<&[Value]>) -> Result<Relation, Failure>;
    /// A scalar function that depends on server or session: `SERVERPROPERTY`, `DB_ID`, `SUSER_SNAME`, `GETDATE`, ... by its name in upper
    /// case, with its schema where the query has one (`SYS.FN_HADR_BACKUP_IS_PREFERRED_REPLICA`); `None` where it does not know the name.
    fn function(&mut self, name: &str, arguments: &[Value]) -> Option<Result<(Value, SqlType), Failure>>;
    /// `@name` or `@@NAME`, with the signs.
    fn variable(&mut self, name: &str) -> Option<(Value, SqlType)>;
}
