//! Catalog views, dynamic management views, and the functions that tell about server, databases and session.
//!
//! msdb's history is no view: its tables are real tables of the database msdb.

use crate::message::Failure;
use crate::query::Relation;
use crate::session::Session;
use crate::value::{SqlType, Value};

/// The view `schema.name` (both lower case: `sys.databases`, `information_schema.tables`) as this session sees it in `database`; `None` where there is no such view.
/// `arguments` are those of a table function (`sys.dm_db_log_stats(5)`).
#[allow(unused_variables)]
pub fn relation(
    session: &Session,
    database: &str,
    schema: &str,
    name: &str,
    arguments: Option<&[Value]>,
) -> Option<Result<Relation, Failure>> {
    None
}

/// A scalar function by its name in upper case, or a global variable (`@@VERSION`); `None` where it is not known.
#[allow(unused_variables)]
pub fn function(
    session: &Session,
    name: &str,
    arguments: &[Value],
) -> Option<Result<(Value, SqlType), Failure>> {
    None
}
