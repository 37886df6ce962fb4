//! Catalog views, dynamic management views, and the functions that tell about server, databases and session.
//!
//! Every view is a list of columns, each with its type and the first version that has it, beside a function that copies its rows
//! out of the instance's state; no view waits for anything. What a version does not have is absent: the view is unknown (208),
//! the column invalid (207). A view that counts (`sys.partitions`) reads the pages of what it counts, all others read none.
//!
//! Trouble that is switched on does not show. msdb's history is no view: its tables are real tables of the database msdb.

mod activity;
mod call;
pub(crate) mod databases;
mod field;
mod files;
mod filesystem;
mod groups;
mod keys;
mod log;
mod name;
mod objects;
mod options;
mod partitions;
mod preferred;
mod principals;
mod property;
mod server;
#[cfg(test)]
mod tests;
mod transactions;
mod types;
mod view;
mod who;

use call::Call;
use view::View;

use crate::instance::Version;
use crate::message::Failure;
use crate::query::Relation;
use crate::session::Session;
use crate::value::{SqlType, Value};

/// All views, by family.
const FAMILIES: &[&[View]] = &[
    databases::VIEWS,
    files::VIEWS,
    filesystem::VIEWS,
    groups::VIEWS,
    log::VIEWS,
    activity::VIEWS,
    keys::VIEWS,
    server::VIEWS,
    principals::VIEWS,
    types::VIEWS,
    objects::VIEWS,
    partitions::VIEWS,
    transactions::VIEWS,
];

fn find(version: Version, schema: &str, name: &str) -> Option<&'static View> {
    let views = FAMILIES.iter().flat_map(|family| family.iter());
    let mut views = views.filter(|view| view.since <= version);
    views.find(|view| {
        view.name
            .split_once('.')
            .is_some_and(|(known_schema, known)| known_schema == schema && known == name)
    })
}

/// The view `schema.name` (both lower case: `sys.databases`, `information_schema.tables`) as this session sees it in `database`;
/// `None` where there is no such view. `arguments` are those of a table function (`sys.dm_db_log_stats(5)`); with NULLs it gives
/// its columns and no rows.
pub fn relation(
    session: &Session,
    database: &str,
    schema: &str,
    name: &str,
    arguments: Option<&[Value]>,
) -> Option<Result<Relation, Failure>> {
    let view = find(session.instance.settings.version, schema, name)?;
    Some(view.relation(session, database, arguments))
}

/// A scalar function by its name in upper case, with the schema `SYS` where the query gives it, or a global variable
/// (`@@VERSION`); `None` where it is not known.
pub fn function(
    session: &Session,
    name: &str,
    arguments: &[Value],
) -> Option<Result<(Value, SqlType), Failure>> {
    let call = Call {
        session,
        name: name.strip_prefix("SYS.").unwrap_or(name),
        arguments,
    };
    property::answer(&call)
        .or_else(|| preferred::answer(&call))
        .or_else(|| who::answer(&call))
        .or_else(|| name::answer(&call))
        .or_else(|| name::of_server(&call))
}

/// `OBJECT_ID` of a view of the system or of one of its procedures that tools ask for: negative, and constant for a name.
fn system_object(version: Version, parts: &[String]) -> Option<i64> {
    let (name, before) = parts.split_last()?;
    let name = name.to_lowercase();
    let schema = before.last().map_or("dbo", String::as_str).to_lowercase();
    let place = FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .filter(|view| view.since <= version)
        .position(|view| {
            let parts = view.name.split_once('.');
            parts.is_some_and(|(known, last)| last == name && known == schema)
        })?;
    i64::try_from(place).ok().map(|place| -100 - place)
}
