//! The history of restores in msdb, and the error log.
//!
//! A set that the server has not made itself gets rows of backupset and its relatives first, as in SQL Server, so that
//! restorehistory has something to point at. What msdb does not take is told (3009) and the restore stays done.

mod rows;

use std::ops::ControlFlow;

use bak::BackupType;
use bak::content::SetHeader;

use super::media_set::MediaSet;
use super::order::{Finish, Order, StopAt};
use super::target::Target;
use crate::answers::Answers;
use crate::engine::{Engine, EngineError, TableFacts, TransactionId};
use crate::instance::waiting::{Waiting, wait_for};
use crate::instance::{Instance, State, note};
use crate::message::{Failure, Message};
use crate::moment::Moment;
use crate::session::Session;
use crate::value::Value;

const MSDB: u16 = 4;
const SCHEMA: &str = "dbo";
const TABLES: [&str; 6] = [
    "backupmediaset",
    "backupmediafamily",
    "backupset",
    "backupfile",
    "restorehistory",
    "restorefile",
];

/// A row by the names of its columns; the others are NULL.
type Row = Vec<(&'static str, Value)>;

/// Writes a restore that is done into msdb and the error log.
pub(super) async fn write(
    session: &Session,
    order: &Order,
    header: &SetHeader,
    target: &Target,
    media: &mut MediaSet,
    answers: &mut dyn Answers,
) {
    let files = super::files::present_files(&session.instance.state(), target.id);
    let written = in_msdb(session, move |engine, transaction| {
        let set = set_id(engine, transaction, header, media)?;
        let table = table(engine, "restorehistory")?;
        let id = table.next_identity;
        put(
            engine,
            transaction,
            &table,
            rows::restore(session, id, set, order, header, target),
        )?;
        let table = self::table(engine, "restorefile")?;
        for file in &files {
            put(engine, transaction, &table, rows::restored_file(id, file))?;
        }
        Ok(())
    });
    if written.await.is_err() {
        answers.message(Message::new(3009, &[]));
    }
    note_in_log(
        &session.instance,
        &mut session.instance.state(),
        order,
        header,
        target,
    );
}

/// LOADHISTORY: the set's own rows alone.
pub(super) async fn load(
    session: &Session,
    header: &SetHeader,
    media: &mut MediaSet,
    answers: &mut dyn Answers,
) {
    let written = in_msdb(session, move |engine, transaction| {
        set_id(engine, transaction, header, media).map(drop)
    });
    if written.await.is_err() {
        answers.message(Message::new(3009, &[]));
    }
}

/// 18267 or 18268.
fn note_in_log(instance: &Instance, state: &mut State, order: &Order, header: &SetHeader, target: &Target) {
    let set = &header.set;
    let number = if set.backup_type == BackupType::Log {
        18_268
    } else {
        18_267
    };
    let created = set.database_creation_date.map_or_else(String::new, |time| {
        format!(
            "{:04}/{:02}/{:02}({:02}:{:02}:{:02})",
            time.year, time.month, time.day, time.hour, time.minute, time.second
        )
    });
    let lsn = |lsn: Option<bak::Lsn>| {
        let lsn = lsn.unwrap_or_default();
        format!("{}:{}:{}", lsn.vlf, lsn.block, lsn.slot)
    };
    let message = Message::new(
        number,
        &[
            &target.name,
            &created,
            &lsn(set.first_lsn),
            &lsn(set.last_lsn),
            &order.devices.len(),
            &order.device_information(),
        ],
    );
    note(state, instance.world.clock.now(), message);
}

/// Why msdb did not take it.
enum Refused {
    /// It is not open, or lacks a table.
    Absent,
    /// Its engine failed.
    Engine,
}

impl From<EngineError> for Refused {
    fn from(_: EngineError) -> Self {
        Self::Engine
    }
}

/// One transaction in msdb, begun and ended under the instance's mutex as soon as no other session has one of its tables: a row
/// under somebody's transaction is never touched. The lock is waited for as long as LOCK_TIMEOUT says, as by BACKUP.
async fn in_msdb(
    session: &Session,
    mut work: impl FnMut(&mut Engine, TransactionId) -> Result<(), Refused> + Send,
) -> Result<(), Failure> {
    let waiting = Waiting {
        wait_type: "LCK_M_IX",
        resource: format!("DATABASE: {MSDB}"),
    };
    let now = session.instance.world.clock.now();
    let written = wait_for(
        session,
        &waiting,
        |state| match writer(state, session.id) {
            Some(owner) => Err(owner),
            None => Ok(insert(state, now, &mut work)),
        },
        || Failure::new(3009, &[]),
    );
    written.await?.map_err(|_| Failure::new(3009, &[]))
}

/// Who else writes to one of the tables.
fn writer(state: &State, session: u16) -> Option<u16> {
    let entry = state.databases.get(&MSDB)?;
    let engine = entry.engine.as_ref()?;
    TABLES
        .iter()
        .filter_map(|name| engine.find_table(SCHEMA, name))
        .filter_map(|table| entry.locks.tables.get(&table.id))
        .find(|owner| **owner != session)
        .copied()
}

fn insert(
    state: &mut State,
    now: Moment,
    work: &mut impl FnMut(&mut Engine, TransactionId) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let entry = state.databases.get_mut(&MSDB).ok_or(Refused::Absent)?;
    let engine = entry.engine.as_mut().ok_or(Refused::Absent)?;
    let transaction = engine.begin(now)?;
    match work(engine, transaction) {
        Ok(()) => engine.commit(transaction, now).map(drop).map_err(Refused::from),
        Err(refused) => {
            drop(engine.rollback(transaction, now));
            Err(refused)
        }
    }
}

fn table(engine: &Engine, name: &str) -> Result<TableFacts, Refused> {
    engine.find_table(SCHEMA, name).ok_or(Refused::Absent)
}

fn put(engine: &mut Engine, transaction: TransactionId, table: &TableFacts, row: Row) -> Result<(), Refused> {
    let columns = &table.definition.columns;
    let mut values = vec![Value::Null; columns.len()];
    for (name, value) in row {
        if let Some(index) = columns.iter().position(|column| column.name == name) {
            values[index] = value;
        }
    }
    engine.insert(transaction, table.id, &values)?;
    Ok(())
}

/// The first column of the first row whose `column` has a value.
fn find(engine: &mut Engine, name: &str, column: &str, value: &Value) -> Result<Option<i64>, Refused> {
    let table = table(engine, name)?;
    let Some(index) = table
        .definition
        .columns
        .iter()
        .position(|known| known.name == column)
    else {
        return Ok(None);
    };
    let mut found = None;
    engine.scan(table.id, &mut |_, row| {
        if row.get(index) == Some(value)
            && let Some(Value::Integer(id)) = row.first()
        {
            found = Some(*id);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// `backup_set_id` of the set, whose rows are made where there are none.
fn set_id(
    engine: &mut Engine,
    transaction: TransactionId,
    header: &SetHeader,
    media: &MediaSet,
) -> Result<i64, Refused> {
    let guid = Value::Guid(header.set.backup_set_guid.unwrap_or_default());
    if let Some(id) = find(engine, "backupset", "backup_set_uuid", &guid)? {
        return Ok(id);
    }
    let Some(first) = media.families.first() else {
        return Err(Refused::Absent);
    };
    let media_guid = Value::Guid(first.media.media.media_set_id);
    let media_set = match find(engine, "backupmediaset", "media_uuid", &media_guid)? {
        Some(id) => id,
        None => {
            let table = table(engine, "backupmediaset")?;
            let id = table.next_identity;
            put(engine, transaction, &table, rows::media_set(id, first))?;
            let table = self::table(engine, "backupmediafamily")?;
            for family in &media.families {
                put(engine, transaction, &table, rows::media_family(id, family))?;
            }
            id
        }
    };
    let table = table(engine, "backupset")?;
    let id = table.next_identity;
    put(
        engine,
        transaction,
        &table,
        rows::backup_set(id, media_set, header, media),
    )?;
    let table = self::table(engine, "backupfile")?;
    for file in &header.set.files {
        put(engine, transaction, &table, rows::backup_file(id, header, file))?;
    }
    Ok(id)
}

/// `stop_at`, `stop_at_mark_name`, `stop_before` of an order.
fn stop_columns(session: &Session, order: &Order) -> Row {
    match order.stop {
        None => Vec::new(),
        Some(StopAt::Time(moment)) => {
            let offset = session.instance.world.clock.offset_minutes(moment);
            vec![("stop_at", Value::DateTime(moment.local(offset)))]
        }
        Some(StopAt::Including(lsn)) => vec![
            ("stop_at_mark_name", Value::Text(format!("lsn:{lsn}"))),
            ("stop_before", false.into()),
        ],
        Some(StopAt::Before(lsn)) => vec![
            ("stop_at_mark_name", Value::Text(format!("lsn:{lsn}"))),
            ("stop_before", true.into()),
        ],
    }
}

/// `recovery`: whether the database was recovered.
fn recovers(order: &Order) -> bool {
    order.finish == Finish::Recovery
}
