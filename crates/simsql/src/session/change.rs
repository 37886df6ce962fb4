//! INSERT, UPDATE, DELETE and TRUNCATE TABLE.
//!
//! In order: the table is found and its lock taken; the statement is evaluated over rows that were read; then the rows are
//! written, [`PIECE`] of them at a time under the instance's mutex. What fails on the way is undone by the statement's own
//! standing.

use sqlparser::ast;

use crate::message::Failure;
use crate::query::change::{self, NewRow};
use crate::query::{self, convert};
use crate::session::names::{self, Rows, Scope};
use crate::session::row::Completion;
use crate::session::target::{self, Stored, Target};
use crate::session::writer::Writer;
use crate::session::{Session, locking, memory};
use crate::value::{SqlType, Value};

/// Rows written in one go.
const PIECE: usize = 500;

/// Runs the statement and tells how many rows it touched.
///
/// # Errors
/// As the statement meets them; 1222 and 1205 where it had to wait.
pub(crate) async fn run(session: &mut Session, statement: &ast::Statement) -> Result<u64, Failure> {
    let parts = change::target(statement)?;
    let permission = match statement {
        ast::Statement::Insert(_) => "INSERT",
        ast::Statement::Update(_) => "UPDATE",
        _ => "DELETE",
    };
    match target::find(session, &parts, permission)? {
        Target::Temporary(key) => in_memory(session, &key, statement).await,
        Target::Stored(stored) => {
            locking::take(session, stored.database, stored.facts.id).await?;
            // It may have changed while the session waited.
            let Target::Stored(stored) = target::find(session, &parts, permission)? else {
                return Err(Failure::new(208, &[&parts.join(".")]));
            };
            on_disk(session, &stored, statement).await
        }
    }
}

/// Rows for a table that are there already: those of `INSERT ... EXEC` and `SELECT ... INTO`.
pub(crate) async fn insert_rows(
    session: &mut Session,
    parts: &[String],
    rows: Vec<NewRow>,
) -> Result<u64, Failure> {
    match target::find(session, parts, "INSERT")? {
        Target::Temporary(key) => add_in_memory(session, &key, rows),
        Target::Stored(stored) => {
            locking::take(session, stored.database, stored.facts.id).await?;
            add(session, &stored, rows).await
        }
    }
}

/// Evaluates something that reads tables, and waits for those that others write.
///
/// # Errors
/// What `work` meets; 1222, 1205.
pub(crate) async fn unblocked<T: Send>(
    session: &Session,
    mut work: impl FnMut(&mut Scope<'_>) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    loop {
        let (answer, blocked) = {
            let mut scope = Scope::new(session);
            let answer = work(&mut scope);
            (answer, scope.blocked)
        };
        match blocked {
            Some(blocked) => locking::until_readable(session, blocked).await?,
            None => return answer,
        }
    }
}

async fn on_disk(session: &mut Session, stored: &Stored, statement: &ast::Statement) -> Result<u64, Failure> {
    let name = stored.place.full();
    let definition = &stored.facts.definition;
    let target = change::Target {
        name: &name,
        columns: &definition.columns,
        identity: definition.identity.map(|(place, _, _)| place),
    };
    if let ast::Statement::Insert(insert) = statement {
        let rows = unblocked(session, |scope| change::insert(insert, target, scope)).await?;
        return add(session, stored, limited_by_rowcount(session, rows)).await;
    }
    let rows = names::rows(&mut session.instance.state(), stored.database, stored.facts.id)?;
    let limit = limit(session, statement)?;
    let changes = unblocked(session, |scope| evaluate(statement, target, &rows, limit, scope)).await?;
    let completion = completion(session, &name, definition, stored.facts.next_identity);
    let changes = complete(session, changes, &rows, &completion)?;
    let mut writer = Writer::new(session, stored)?;
    writer.release_keys(changes.iter().map(|(place, _)| &rows[*place].1));
    let count = changes.len();
    let mut pending = changes.into_iter();
    loop {
        let piece: Vec<_> = pending.by_ref().take(PIECE).collect();
        if piece.is_empty() {
            break;
        }
        writer.write(session, |writer, state| {
            for (place, new) in &piece {
                let (row, old) = &rows[*place];
                match new {
                    Some(new) => writer.update(state, *row, old, new)?,
                    None => writer.delete(state, *row)?,
                }
            }
            Ok(())
        })?;
        breathe(session).await?;
    }
    writer.finish(session);
    Ok(count as u64)
}

/// Index of a row, and what it becomes; `None` where it is deleted.
type Change = (usize, Option<NewRow>);

/// The same with the row made whole.
type Whole = (usize, Option<Vec<Value>>);

fn evaluate(
    statement: &ast::Statement,
    target: change::Target<'_>,
    rows: &Rows,
    limit: u64,
    scope: &mut Scope<'_>,
) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    let mut update = match statement {
        ast::Statement::Update(update) => {
            let plain = ast::Update {
                limit: None,
                ..update.clone()
            };
            Some(change::Update::new(&plain, target, scope)?)
        }
        _ => None,
    };
    let mut delete = match statement {
        ast::Statement::Delete(delete) => {
            let plain = ast::Delete {
                limit: None,
                ..delete.clone()
            };
            Some(change::Delete::new(&plain, target, scope)?)
        }
        _ => None,
    };
    for (place, (_, row)) in rows.iter().enumerate() {
        if changes.len() as u64 >= limit {
            break;
        }
        if let Some(update) = &mut update
            && let Some(new) = update.change(row, scope)?
        {
            changes.push((place, Some(new)));
        }
        if let Some(delete) = &mut delete
            && delete.matches(row, scope)?
        {
            changes.push((place, None));
        }
    }
    Ok(changes)
}

/// The changed rows made whole.
fn complete(
    session: &Session,
    changes: Vec<Change>,
    rows: &Rows,
    completion: &Completion<'_>,
) -> Result<Vec<Whole>, Failure> {
    let mut scope = Scope::new(session);
    changes
        .into_iter()
        .map(|(place, new)| {
            let new = match new {
                Some(new) => Some(completion.update(&rows[place].1, new, &mut scope)?),
                None => None,
            };
            Ok((place, new))
        })
        .collect()
}

async fn add(session: &mut Session, stored: &Stored, rows: Vec<NewRow>) -> Result<u64, Failure> {
    let name = stored.place.full();
    let (whole, last) = {
        let definition = &stored.facts.definition;
        let mut completion = completion(session, &name, definition, stored.facts.next_identity);
        let mut scope = Scope::new(session);
        let whole: Result<Vec<_>, _> = rows
            .into_iter()
            .map(|row| completion.insert(row, &mut scope))
            .collect();
        (whole?, completion.last_identity)
    };
    let mut writer = Writer::new(session, stored)?;
    for piece in whole.chunks(PIECE) {
        writer.write(session, |writer, state| {
            piece.iter().try_for_each(|row| writer.insert(state, row))
        })?;
        breathe(session).await?;
    }
    writer.finish(session);
    note_identity(session, last);
    Ok(whole.len() as u64)
}

/// TRUNCATE TABLE: all rows go, and the identity begins anew where the engine forgets it with them.
///
/// # Errors
/// 4701 where there is no such table, and as for DELETE.
pub(crate) async fn truncate(session: &mut Session, parts: &[String]) -> Result<(), Failure> {
    let missing = || Failure::new(4701, &[&parts.last().map_or("", String::as_str)]);
    match target::find(session, parts, "ALTER").map_err(|failure| match failure.messages.first() {
        Some(message) if message.number == 208 => missing(),
        _ => failure,
    })? {
        Target::Temporary(key) => {
            if let Some(table) = table_mut(session, &key) {
                *table = crate::session::temporary::TemporaryTable::new(table.definition.clone());
            }
            Ok(())
        }
        Target::Stored(stored) => {
            locking::take(session, stored.database, stored.facts.id).await?;
            let rows = names::rows(&mut session.instance.state(), stored.database, stored.facts.id)?;
            let mut writer = Writer::new(session, &stored)?;
            writer.release_keys(rows.iter().map(|(_, row)| row));
            for piece in rows.chunks(PIECE) {
                writer.write(session, |writer, state| {
                    piece
                        .iter()
                        .try_for_each(|(place, _)| writer.delete(state, *place))
                })?;
                breathe(session).await?;
            }
            writer.finish(session);
            Ok(())
        }
    }
}

/// Lets others run, and ends where the session was cancelled or killed.
async fn breathe(session: &Session) -> Result<(), Failure> {
    let clock = &session.instance.world.clock;
    session
        .canceller
        .unless_cancelled(clock.sleep(std::time::Duration::ZERO))
        .await?;
    match crate::instance::waiting::is_killed(session) {
        true => Err(Failure::cancelled()),
        false => Ok(()),
    }
}

fn completion<'a>(
    session: &Session,
    name: &'a str,
    definition: &'a crate::engine::TableDefinition,
    next_identity: i64,
) -> Completion<'a> {
    let takes_identity = session
        .work
        .options
        .identity_insert
        .as_deref()
        .is_some_and(|table| {
            let last = table.rsplit('.').next().unwrap_or(table);
            last.eq_ignore_ascii_case(&definition.name)
        });
    Completion {
        definition,
        table: name,
        takes_identity,
        next_identity,
        last_identity: None,
    }
}

fn note_identity(session: &mut Session, last: Option<i64>) {
    if last.is_some() {
        session.work.identity = last;
        session.work.scope_identity = last;
    }
}

fn limited_by_rowcount<T>(session: &Session, mut rows: Vec<T>) -> Vec<T> {
    let limit = session.work.options.row_limit;
    if limit > 0 {
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    rows
}

/// TOP (n), or SET ROWCOUNT.
fn limit(session: &Session, statement: &ast::Statement) -> Result<u64, Failure> {
    let top = match statement {
        ast::Statement::Update(update) => update.limit.as_ref(),
        ast::Statement::Delete(delete) => delete.limit.as_ref(),
        _ => None,
    };
    let by_option = match session.work.options.row_limit {
        0 => u64::MAX,
        limit => limit,
    };
    let Some(top) = top else {
        return Ok(by_option);
    };
    let (value, from) = query::evaluate(top, &mut Scope::new(session))?;
    match convert::convert(value, from, SqlType::BigInt)? {
        Value::Integer(number) => u64::try_from(number)
            .map(|number| number.min(by_option))
            .map_err(|_| Failure::new(1060, &[])),
        _ => Err(Failure::new(1060, &[])),
    }
}

fn table_mut<'a>(
    session: &'a mut Session,
    key: &str,
) -> Option<&'a mut crate::session::temporary::TemporaryTable> {
    let work = &mut session.work;
    match work.temporary.get_mut(key) {
        Some(table) => Some(table),
        None => work.frame.tables.get_mut(key),
    }
}

async fn in_memory(session: &mut Session, key: &str, statement: &ast::Statement) -> Result<u64, Failure> {
    let Some(table) = table_mut(session, key) else {
        return Err(Failure::new(208, &[&key]));
    };
    let (definition, next) = (table.definition.clone(), table.next_identity);
    let rows = std::sync::Arc::clone(&table.rows);
    let name = definition.name.clone();
    let target = change::Target {
        name: &name,
        columns: &definition.columns,
        identity: definition.identity.map(|(place, _, _)| place),
    };
    if let ast::Statement::Insert(insert) = statement {
        let rows = unblocked(session, |scope| change::insert(insert, target, scope)).await?;
        let rows = limited_by_rowcount(session, rows);
        return add_in_memory(session, key, rows);
    }
    let nowhere = crate::engine::RowId {
        page: crate::engine::PageId { file: 0, page: 0 },
        slot: 0,
    };
    let placed: Rows = rows.iter().map(|row| (nowhere, row.clone())).collect();
    let limit = limit(session, statement)?;
    let changes = unblocked(session, |scope| {
        evaluate(statement, target, &placed, limit, scope)
    })
    .await?;
    let count = changes.len() as u64;
    let changes = complete(
        session,
        changes,
        &placed,
        &completion(session, &name, &definition, next),
    )?;
    let mut after: Vec<Option<Vec<Value>>> = rows.iter().cloned().map(Some).collect();
    for (place, new) in changes {
        after[place] = new;
    }
    let after: Vec<_> = after.into_iter().flatten().collect();
    check_keys(&definition, &after)?;
    session.work.check_room(memory::of_rows(&after))?;
    if let Some(table) = table_mut(session, key) {
        table.put(after);
    }
    Ok(count)
}

fn add_in_memory(session: &mut Session, key: &str, rows: Vec<NewRow>) -> Result<u64, Failure> {
    let Some(table) = table_mut(session, key) else {
        return Err(Failure::new(208, &[&key]));
    };
    let (definition, next) = (table.definition.clone(), table.next_identity);
    let mut all = table.rows.to_vec();
    let before = all.len();
    let (next, last) = {
        let mut completion = completion(session, &definition.name, &definition, next);
        let mut scope = Scope::new(session);
        for row in rows {
            all.push(completion.insert(row, &mut scope)?);
        }
        (completion.next_identity, completion.last_identity)
    };
    check_keys(&definition, &all)?;
    session.work.check_room(memory::of_rows(&all[before..]))?;
    let added = (all.len() - before) as u64;
    if let Some(table) = table_mut(session, key) {
        table.put(all);
        table.next_identity = next;
    }
    note_identity(session, last);
    Ok(added)
}

fn check_keys(definition: &crate::engine::TableDefinition, rows: &[Vec<Value>]) -> Result<(), Failure> {
    let collation = crate::query::collation::Collation::named("");
    let columns = &definition.primary_key;
    if columns.is_empty() {
        return Ok(());
    }
    let mut seen = crate::session::keys::Keys::new();
    for row in rows {
        if !seen.insert(crate::session::keys::Key::of(row, columns, collation)) {
            return Err(crate::session::writer::duplicate(definition, row));
        }
    }
    Ok(())
}
