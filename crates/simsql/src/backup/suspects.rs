//! Damaged pages that a backup met, in msdb's `suspect_pages`.

use std::ops::ControlFlow;

use crate::engine::{Engine, PageId, Result, RowId, TableFacts};
use crate::instance::State;
use crate::session::Session;
use crate::value::Value;

/// A damaged page and what is wrong with it.
pub(super) type Suspect = (PageId, String);

const MSDB: u16 = 4;
/// Rows that the table takes at most; further damage is not noted there.
const ROWS: usize = 1000;
/// `event_type`.
const BAD_CHECKSUM: i64 = 2;
const TORN: i64 = 3;
const OTHER: i64 = 1;

/// Notes damage. What msdb does not take is lost: the backup's own error is what the client is told.
pub(super) fn note(session: &Session, state: &mut State, database: u16, suspects: &[Suspect]) {
    if suspects.is_empty() {
        return;
    }
    let Some(entry) = state.databases.get_mut(&MSDB) else {
        return;
    };
    let Some(engine) = entry.engine.as_mut() else {
        return;
    };
    // The lock on the table is that of sessions: rows under another one's transaction are left alone. Between deeds nobody else
    // writes, for the state is held.
    let table = engine.find_table("dbo", "suspect_pages");
    if table.is_some_and(|table| entry.locks.tables.contains_key(&table.id)) {
        return;
    }
    for suspect in suspects {
        drop(put(session, engine, database, suspect));
    }
}

fn put(session: &Session, engine: &mut Engine, database: u16, (page, detail): &Suspect) -> Result<()> {
    let Some(table) = engine.find_table("dbo", "suspect_pages") else {
        return Ok(());
    };
    let event = if detail.contains("checksum") {
        BAD_CHECKSUM
    } else if detail.contains("torn") {
        TORN
    } else {
        OTHER
    };
    let clock = &session.instance.world.clock;
    let now = clock.now();
    let key = [
        Value::Integer(i64::from(database)),
        Value::Integer(i64::from(page.file)),
        Value::Integer(i64::from(page.page)),
        Value::Integer(event),
    ];
    let (rows, known) = find(engine, &table, &key)?;
    let transaction = engine.begin(now)?;
    let count = known.as_ref().map_or(0, |(_, count)| *count);
    let mut row = key.to_vec();
    row.push(Value::Integer(count + 1));
    row.push(Value::DateTime(now.local(clock.offset_minutes(now))));
    let written = match known {
        Some((place, _)) => engine.update(transaction, table.id, place, &row).map(drop),
        None if rows < ROWS => engine.insert(transaction, table.id, &row).map(drop),
        None => Ok(()),
    };
    match written {
        Ok(()) => engine.commit(transaction, now).map(drop),
        Err(error) => engine.rollback(transaction, now).and(Err(error)),
    }
}

/// How many rows there are, and the one of this damage with its count.
fn find(engine: &mut Engine, table: &TableFacts, key: &[Value]) -> Result<(usize, Option<(RowId, i64)>)> {
    let mut rows = 0;
    let mut known = None;
    engine.scan(table.id, &mut |place, row| {
        rows += 1;
        if row.starts_with(key)
            && let Some(Value::Integer(count)) = row.get(key.len())
        {
            known = Some((place, *count));
        }
        ControlFlow::Continue(())
    })?;
    Ok((rows, known))
}
