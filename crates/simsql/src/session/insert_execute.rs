//! `INSERT INTO table EXEC ...`: the rows of all results go into the table; messages go on to the client.

use crate::answers::Answers;
use crate::engine::TableDefinition;
use crate::message::{Failure, Message};
use crate::query::change::NewRow;
use crate::query::convert;
use crate::session::target::{self, Target};
use crate::session::{Session, change, leaf, memory};
use crate::tsql::statement::Statement;
use crate::value::{Column, Value};

/// Rows kept before they go into the table.
const ROWS_MAX: usize = 1_000_000;

/// Runs the EXEC and adds its rows.
///
/// # Errors
/// 213 where the results have other columns than the table, 8164 where it holds another one, and what both meet.
pub(crate) async fn run(
    session: &mut Session,
    table: &[String],
    columns: &[String],
    execute: &Statement,
    answers: &mut dyn Answers,
) -> Result<u64, Failure> {
    if session.work.collects {
        return Err(Failure::new(8164, &[]));
    }
    let definition = match target::find(session, table, "INSERT")? {
        Target::Temporary(key) => {
            let work = &session.work;
            let found = work.temporary.get(&key).or_else(|| work.frame.tables.get(&key));
            found.map(|table| table.definition.clone())
        }
        Target::Stored(stored) => Some(stored.facts.definition),
    };
    let definition = definition.ok_or_else(|| Failure::new(208, &[&table.join(".")]))?;
    let places = places(&definition, columns)?;
    let mut collector = Collector {
        inner: answers,
        columns: std::sync::Arc::new([]),
        rows: Vec::new(),
        bytes: 0,
        overflows: false,
    };
    session.work.collects = true;
    let ran = Box::pin(leaf::run(session, execute, &mut collector)).await;
    session.work.collects = false;
    ran?;
    if collector.overflows {
        return Err(Failure::new(701, &[&"default"]));
    }
    let rows = collector
        .rows
        .into_iter()
        .map(|(columns, row)| new_row(&definition, &places, &columns, row))
        .collect::<Result<Vec<_>, _>>()?;
    change::insert_rows(session, table, rows).await
}

fn places(definition: &TableDefinition, columns: &[String]) -> Result<Vec<usize>, Failure> {
    if columns.is_empty() {
        let identity = definition.identity.map(|(place, _, _)| place);
        return Ok((0..definition.columns.len())
            .filter(|place| Some(*place) != identity)
            .collect());
    }
    columns
        .iter()
        .map(|name| {
            definition
                .columns
                .iter()
                .position(|column| column.name.eq_ignore_ascii_case(name))
                .ok_or_else(|| Failure::new(207, &[name]))
        })
        .collect()
}

fn new_row(
    definition: &TableDefinition,
    places: &[usize],
    columns: &[Column],
    row: Vec<Value>,
) -> Result<NewRow, Failure> {
    if places.len() != columns.len() || row.len() != columns.len() {
        return Err(Failure::new(213, &[]));
    }
    let mut new: NewRow = vec![None; definition.columns.len()];
    for ((place, value), from) in places.iter().zip(row).zip(columns) {
        let column = &definition.columns[*place];
        let value = convert::store(
            value,
            from.sql_type,
            column.sql_type,
            &definition.name,
            &column.name,
        )?;
        new[*place] = Some(value);
    }
    Ok(new)
}

/// Takes the rows aside.
struct Collector<'a> {
    inner: &'a mut dyn Answers,
    columns: std::sync::Arc<[Column]>,
    rows: Vec<(std::sync::Arc<[Column]>, Vec<Value>)>,
    /// Bytes of the rows.
    bytes: usize,
    /// There were more rows, or larger ones, than are kept: the statement fails rather than lose some.
    overflows: bool,
}

impl Answers for Collector<'_> {
    fn message(&mut self, message: Message) {
        self.inner.message(message);
    }

    fn columns(&mut self, columns: &[Column]) {
        self.columns = columns.into();
    }

    fn row(&mut self, row: &[Value]) {
        self.bytes += row.iter().map(memory::of_value).sum::<usize>();
        if self.rows.len() < ROWS_MAX && self.bytes <= memory::SESSION_MAX {
            self.rows
                .push((std::sync::Arc::clone(&self.columns), row.to_vec()));
        } else {
            self.overflows = true;
        }
    }

    fn done(&mut self, _: Option<u64>) {}

    fn database(&mut self, old: &str, new: &str) {
        self.inner.database(old, new);
    }
}
