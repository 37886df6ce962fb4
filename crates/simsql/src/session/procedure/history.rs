//! `sp_delete_backuphistory` and `sp_delete_database_backuphistory`: what msdb remembers of backups and restores.

use std::collections::BTreeSet;

use super::Call;
use crate::engine::{RowId, TableId, TransactionId};
use crate::instance::{State, permission, trouble};
use crate::message::Failure;
use crate::query::convert;
use crate::session::Session;
use crate::session::names::{self, Rows};
use crate::value::{DateTime, SqlType, Value};

/// `database_id` of msdb.
const MSDB: u16 = 4;

/// What is to be forgotten.
enum Which {
    /// Backups that finished before a time on the server's clock.
    Before(DateTime),
    /// Those of a database.
    Of(String),
}

/// Deletes history.
///
/// # Errors
/// 229 without permission; 241 for a date that is none; the engine's.
pub(super) fn delete(session: &Session, call: &Call) -> Result<(), Failure> {
    let which = which(call)?;
    let now = session.instance.world.clock.now();
    let mut state = session.instance.state();
    if !permission::is_sysadmin(&state, &session.login) {
        return Err(Failure::new(229, &[&"EXECUTE", &call.name, &"msdb", &"dbo"]));
    }
    let sets = History::load(&mut state, "backupset")?;
    let (finish, database) = (sets.column("backup_finish_date"), sets.column("database_name"));
    let gone = |row: &[Value]| match &which {
        Which::Before(time) => {
            matches!(finish.and_then(|at| row.get(at)), Some(Value::DateTime(at)) if at < time)
        }
        Which::Of(name) => {
            matches!(database.and_then(|at| row.get(at)), Some(Value::Text(known)) if known.eq_ignore_ascii_case(name))
        }
    };
    let set_ids = sets.ids("backup_set_id", &gone);
    let kept_media = sets.ids("media_set_id", &|row| !gone(row));
    let media: BTreeSet<i64> = sets
        .ids("media_set_id", &gone)
        .difference(&kept_media)
        .copied()
        .collect();
    let restores = History::load(&mut state, "restorehistory")?;
    let restore_ids = restores.ids(
        "restore_history_id",
        &restores.is_among("backup_set_id", &set_ids),
    );
    let mut doomed = Vec::new();
    for (table, key, ids) in [
        ("restorefilegroup", "restore_history_id", &restore_ids),
        ("restorefile", "restore_history_id", &restore_ids),
        ("restorehistory", "restore_history_id", &restore_ids),
        ("backupfilegroup", "backup_set_id", &set_ids),
        ("backupfile", "backup_set_id", &set_ids),
        ("backupset", "backup_set_id", &set_ids),
        ("backupmediafamily", "media_set_id", &media),
        ("backupmediaset", "media_set_id", &media),
    ] {
        if let Ok(history) = History::load(&mut state, table) {
            let is_meant = history.is_among(key, ids);
            doomed.extend(history.places(&is_meant).map(|place| (history.table, place)));
        }
    }
    erase(&mut state, &doomed, now)
}

fn which(call: &Call) -> Result<Which, Failure> {
    if call.name == "sp_delete_database_backuphistory" {
        return call.required(0, "@database_name").map(Which::Of);
    }
    let text = call.required(0, "@oldest_date")?;
    let text_type = SqlType::NVarChar(crate::value::Length::Max);
    match convert::convert(Value::Text(text), text_type, SqlType::DateTime)? {
        Value::DateTime(time) => Ok(Which::Before(time)),
        _ => Err(Failure::new(241, &[])),
    }
}

fn erase(state: &mut State, doomed: &[(TableId, RowId)], now: crate::moment::Moment) -> Result<(), Failure> {
    let Some(entry) = state.databases.get_mut(&MSDB) else {
        return Ok(());
    };
    let Some(engine) = entry.engine.as_mut() else {
        return Err(Failure::new(945, &[&entry.name]));
    };
    let transaction: TransactionId = match engine.begin(now) {
        Ok(transaction) => transaction,
        Err(error) => return Err(trouble::failure(&error, entry)),
    };
    let deleted = doomed
        .iter()
        .try_for_each(|(table, place)| engine.delete(transaction, *table, *place));
    let ended = match deleted {
        Ok(()) => engine.commit(transaction, now).map(drop),
        Err(error) => engine.rollback(transaction, now).and(Err(error)),
    };
    ended.map_err(|error| trouble::failure(&error, entry))
}

/// One table of the history.
struct History {
    table: TableId,
    columns: Vec<String>,
    rows: Rows,
}

impl History {
    fn load(state: &mut State, name: &str) -> Result<Self, Failure> {
        let facts = state
            .databases
            .get(&MSDB)
            .and_then(|entry| entry.engine.as_ref())
            .and_then(|engine| engine.find_table("dbo", name))
            .ok_or_else(|| Failure::new(208, &[&format!("msdb.dbo.{name}")]))?;
        let columns = facts
            .definition
            .columns
            .into_iter()
            .map(|column| column.name)
            .collect();
        Ok(Self {
            table: facts.id,
            columns,
            rows: names::rows(state, MSDB, facts.id)?,
        })
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    fn ids(&self, column: &str, is_meant: &dyn Fn(&[Value]) -> bool) -> BTreeSet<i64> {
        let place = self.column(column);
        self.rows
            .iter()
            .filter(|(_, row)| is_meant(row))
            .filter_map(|(_, row)| match place.and_then(|place| row.get(place)) {
                Some(Value::Integer(id)) => Some(*id),
                _ => None,
            })
            .collect()
    }

    fn is_among<'a>(&self, column: &str, ids: &'a BTreeSet<i64>) -> impl Fn(&[Value]) -> bool + 'a {
        let place = self.column(column);
        move |row| matches!(place.and_then(|place| row.get(place)), Some(Value::Integer(id)) if ids.contains(id))
    }

    fn places<'a>(&'a self, is_meant: &'a dyn Fn(&[Value]) -> bool) -> impl Iterator<Item = RowId> + 'a {
        self.rows
            .iter()
            .filter(|(_, row)| is_meant(row))
            .map(|(place, _)| *place)
    }
}
