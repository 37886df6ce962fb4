//! INSERT, UPDATE and DELETE: which rows, and their new values. The session reads and writes the rows.
//!
//! Values come converted to the types of the columns; NOT NULL, defaults, identities and constraints are the session's. UPDATE
//! and DELETE know one table, with an alias where FROM gives it one; joins there are refused with 40510, as are OUTPUT and
//! variables in SET.

use std::collections::BTreeMap;
use std::rc::Rc;

use sqlparser::ast::{self, AssignmentTarget, FromTable, TableFactor, TableObject, UpdateTableFromKind};

use crate::message::Failure;
use crate::query::bind::{Binder, Source, same_name};
use crate::query::evaluate::{Env, Run};
use crate::query::plan::{Predicate, Row, Scalar};
use crate::query::{Answer, Names, convert, refuse, select};
use crate::value::{Column, SqlType, Value};

/// A table that a statement changes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its name for messages: `msdb.dbo.backupset`.
    pub name: &'a str,
    /// Its columns.
    pub columns: &'a [Column],
    /// The column that INSERT leaves out where it names none: the identity.
    pub identity: Option<usize>,
}

/// A value for each column of the table in its order, `None` where the statement gives none (or DEFAULT).
pub type NewRow = Vec<Option<Value>>;

/// A table as UPDATE and DELETE name it.
struct Named {
    parts: Vec<String>,
    /// What columns may be prefixed with.
    known_as: Vec<String>,
    /// TOP (n).
    top: Option<ast::Expr>,
}

/// The parts of the name of the table that INSERT, UPDATE or DELETE changes: behind an alias, the table it stands for.
///
/// # Errors
/// 40510 for joins and anything but these statements.
pub fn target(statement: &ast::Statement) -> Result<Vec<String>, Failure> {
    match statement {
        ast::Statement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => parts_of(name),
            _ => Err(refuse("INSERT into a function or a query")),
        },
        ast::Statement::Update(update) => Ok(named_by_update(update)?.parts),
        ast::Statement::Delete(delete) => Ok(named_by_delete(delete)?.parts),
        _ => Err(refuse("this statement")),
    }
}

fn parts_of(name: &ast::ObjectName) -> Result<Vec<String>, Failure> {
    name.0
        .iter()
        .map(|part| match part.as_ident() {
            Some(word) => Ok(word.value.clone()),
            None => Err(refuse(&format!("the name {name}"))),
        })
        .collect()
}

/// The only table of a list.
fn only(tables: &[ast::TableWithJoins]) -> Result<Named, Failure> {
    let [table] = tables else {
        return Err(refuse("UPDATE and DELETE with several tables"));
    };
    if !table.joins.is_empty() {
        return Err(refuse("UPDATE and DELETE with joins"));
    }
    let TableFactor::Table {
        name, alias, args, ..
    } = &table.relation
    else {
        return Err(refuse("UPDATE and DELETE of anything but a table"));
    };
    let parts = parts_of(name)?;
    // `UPDATE TOP (10) t` reads as a function with an alias.
    if let (Some(arguments), Some(alias)) = (args, alias)
        && parts.len() == 1
        && same_name(&parts[0], "TOP")
        && let [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(count))] = arguments.args.as_slice()
    {
        let parts = vec![alias.name.value.clone()];
        return Ok(Named {
            known_as: parts.clone(),
            parts,
            top: Some(count.clone()),
        });
    }
    if args.is_some() {
        return Err(refuse("UPDATE and DELETE of a function"));
    }
    let known_as = alias
        .as_ref()
        .map_or_else(|| parts.clone(), |alias| vec![alias.name.value.clone()]);
    Ok(Named {
        parts,
        known_as,
        top: None,
    })
}

/// The table of FROM, where the statement names it: by its alias or by its own name.
fn through_from(named: Named, from: &[ast::TableWithJoins]) -> Result<Named, Failure> {
    let behind = only(from)?;
    let last = |parts: &[String]| parts.last().cloned().unwrap_or_default();
    let same = (named.parts.len() == 1 && same_name(&named.parts[0], &last(&behind.known_as)))
        || same_name(&last(&named.parts), &last(&behind.parts));
    if !same {
        return Err(refuse("UPDATE and DELETE with joins"));
    }
    Ok(Named {
        top: named.top,
        ..behind
    })
}

fn named_by_update(update: &ast::Update) -> Result<Named, Failure> {
    if update.output.is_some() || update.returning.is_some() {
        return Err(refuse("OUTPUT"));
    }
    let named = only(std::slice::from_ref(&update.table))?;
    match &update.from {
        None => Ok(named),
        Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => {
            through_from(named, from)
        }
    }
}

fn named_by_delete(delete: &ast::Delete) -> Result<Named, Failure> {
    if delete.output.is_some() || delete.returning.is_some() || delete.using.is_some() {
        return Err(refuse("OUTPUT"));
    }
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    match delete.tables.as_slice() {
        [] => only(from),
        [name] => {
            let parts = parts_of(name)?;
            let named = Named {
                known_as: parts.clone(),
                parts,
                top: None,
            };
            through_from(named, from)
        }
        _ => Err(refuse("DELETE from several tables")),
    }
}

/// The rows that INSERT adds.
///
/// # Errors
/// 207, 264, 109, 110, 120, 121 and what the query meets; 2628.
pub fn insert(
    statement: &ast::Insert,
    target: Target<'_>,
    names: &mut dyn Names,
) -> Result<Vec<NewRow>, Failure> {
    if statement.output.is_some() || statement.returning.is_some() {
        return Err(refuse("OUTPUT"));
    }
    let places = inserted_places(statement, target)?;
    let Some(source) = &statement.source else {
        return Ok(vec![vec![None; target.columns.len()]]);
    };
    if let ast::SetExpr::Values(values) = &*source.body
        && source.with.is_none()
    {
        return inserted_values(values, &places, target, names);
    }
    let Answer::Rows(relation) = select(source, names)? else {
        return Err(Failure::new(141, &[]));
    };
    if relation.columns.len() < places.len() {
        return Err(Failure::new(120, &[]));
    }
    if relation.columns.len() > places.len() {
        return Err(Failure::new(121, &[]));
    }
    let mut rows = Vec::with_capacity(relation.rows.len());
    for row in relation.rows {
        let mut new = vec![None; target.columns.len()];
        for ((place, value), from) in places.iter().zip(row).zip(&relation.columns) {
            new[*place] = Some(stored(value, from.sql_type, target, *place)?);
        }
        rows.push(new);
    }
    Ok(rows)
}

/// The columns that INSERT fills, in its order.
fn inserted_places(statement: &ast::Insert, target: Target<'_>) -> Result<Vec<usize>, Failure> {
    if statement.columns.is_empty() {
        return Ok((0..target.columns.len())
            .filter(|place| target.identity != Some(*place))
            .collect());
    }
    let mut places = Vec::new();
    for name in &statement.columns {
        let parts = parts_of(name)?;
        places.push(place_of(
            parts.last().map_or("", String::as_str),
            target,
            &places,
        )?);
    }
    Ok(places)
}

/// The place of a column that no part of the statement has named yet.
fn place_of(name: &str, target: Target<'_>, taken: &[usize]) -> Result<usize, Failure> {
    let place = target
        .columns
        .iter()
        .position(|column| same_name(&column.name, name))
        .ok_or_else(|| Failure::new(207, &[&name]))?;
    if taken.contains(&place) {
        return Err(Failure::new(264, &[&name]));
    }
    Ok(place)
}

fn inserted_values(
    values: &ast::Values,
    places: &[usize],
    target: Target<'_>,
    names: &mut dyn Names,
) -> Result<Vec<NewRow>, Failure> {
    let mut rows = Vec::with_capacity(values.rows.len());
    for row in &values.rows {
        if row.content.len() < places.len() {
            return Err(Failure::new(109, &[]));
        }
        if row.content.len() > places.len() {
            return Err(Failure::new(110, &[]));
        }
        let mut new = vec![None; target.columns.len()];
        for (place, expression) in places.iter().zip(&row.content) {
            if !is_default(expression) {
                let scalar = Binder::new(names).scalar(expression)?;
                let value = Run::new(names).scalar(&scalar, &Env::default())?;
                check_storable(&scalar, target.columns[*place].sql_type)?;
                new[*place] = Some(stored(value, scalar.sql_type, target, *place)?);
            }
        }
        rows.push(new);
    }
    Ok(rows)
}

/// The word DEFAULT.
fn is_default(expression: &ast::Expr) -> bool {
    matches!(expression, ast::Expr::Identifier(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("DEFAULT"))
}

fn check_storable(scalar: &Scalar, to: SqlType) -> Result<(), Failure> {
    if scalar.is_null() {
        return Ok(());
    }
    convert::check_implicit(scalar.sql_type, to)
}

fn stored(value: Value, from: SqlType, target: Target<'_>, place: usize) -> Result<Value, Failure> {
    let column = &target.columns[place];
    convert::store(value, from, column.sql_type, target.name, &column.name)
}

/// What UPDATE and DELETE have in common: which rows.
struct Choice {
    filter: Option<Predicate>,
    /// Rows that TOP leaves; `None` without it.
    left: Option<u64>,
    kept: BTreeMap<usize, Rc<Vec<Row>>>,
}

impl Choice {
    fn new(
        named: &Named,
        selection: Option<&ast::Expr>,
        target: Target<'_>,
        names: &mut dyn Names,
    ) -> Result<Self, Failure> {
        let left = match &named.top {
            None => None,
            Some(count) => {
                let scalar = Binder::new(names).scalar(count)?;
                let value = Run::new(names).scalar(&scalar, &Env::default())?;
                match convert::convert(value, scalar.sql_type, SqlType::BigInt)? {
                    Value::Integer(count) => Some(u64::try_from(count).map_err(|_| Failure::new(1014, &[]))?),
                    _ => return Err(Failure::new(1014, &[])),
                }
            }
        };
        let filter = match selection {
            None => None,
            Some(condition) => Some(over(named, target, names).predicate(condition)?),
        };
        Ok(Self {
            filter,
            left,
            kept: BTreeMap::new(),
        })
    }

    fn holds(&mut self, row: &[Value], names: &mut dyn Names) -> Result<bool, Failure> {
        if self.left == Some(0) {
            return Ok(false);
        }
        let truth = match &self.filter {
            None => Some(true),
            Some(filter) => {
                let mut run = Run::new(names);
                run.kept = std::mem::take(&mut self.kept);
                let env = Env::of(row);
                let truth = run.predicate(filter, &env);
                self.kept = run.kept;
                truth?
            }
        };
        if truth == Some(true) {
            self.left = self.left.map(|left| left - 1);
        }
        Ok(truth == Some(true))
    }
}

fn over<'n>(named: &Named, target: Target<'_>, names: &'n mut dyn Names) -> Binder<'n> {
    Binder::over(
        names,
        Source {
            parts: named.known_as.clone(),
            aliased: true,
            offset: 0,
            columns: target.columns.to_vec(),
        },
    )
}

/// UPDATE, bound to its table. Subqueries see the tables as they were when it was bound.
pub struct Update {
    choice: Choice,
    /// Places and their new values; `None` is DEFAULT.
    sets: Vec<(usize, Option<Scalar>)>,
    name: String,
    columns: Vec<Column>,
}

impl Update {
    /// Binds.
    ///
    /// # Errors
    /// 207, 264 and what binding meets, 40510.
    pub fn new(statement: &ast::Update, target: Target<'_>, names: &mut dyn Names) -> Result<Self, Failure> {
        let named = named_by_update(statement)?;
        let choice = Choice::new(&named, statement.selection.as_ref(), target, names)?;
        let mut sets = Vec::new();
        let mut taken = Vec::new();
        for assignment in &statement.assignments {
            let AssignmentTarget::ColumnName(name) = &assignment.target else {
                return Err(Failure::new(102, &[&"("]));
            };
            let parts = parts_of(name)?;
            let column = parts.last().map_or("", String::as_str);
            if column.starts_with('@') {
                return Err(refuse("variables in the SET of UPDATE"));
            }
            let place = place_of(column, target, &taken)?;
            taken.push(place);
            let value = if is_default(&assignment.value) {
                None
            } else {
                let scalar = over(&named, target, names).scalar(&assignment.value)?;
                check_storable(&scalar, target.columns[place].sql_type)?;
                Some(scalar)
            };
            sets.push((place, value));
        }
        Ok(Self {
            choice,
            sets,
            name: target.name.to_owned(),
            columns: target.columns.to_vec(),
        })
    }

    /// The new row where the statement changes this one (`None` for a column that takes its DEFAULT): call it for each row once.
    ///
    /// # Errors
    /// What expressions meet; 2628.
    pub fn change(&mut self, row: &[Value], names: &mut dyn Names) -> Result<Option<NewRow>, Failure> {
        if !self.choice.holds(row, names)? {
            return Ok(None);
        }
        let mut new: NewRow = row.iter().cloned().map(Some).collect();
        let target = Target {
            name: &self.name,
            columns: &self.columns,
            identity: None,
        };
        let env = Env::of(row);
        let mut run = Run::new(names);
        run.kept = std::mem::take(&mut self.choice.kept);
        for (place, value) in &self.sets {
            new[*place] = match value {
                None => None,
                Some(scalar) => {
                    let value = run.scalar(scalar, &env)?;
                    Some(stored(value, scalar.sql_type, target, *place)?)
                }
            };
        }
        self.choice.kept = run.kept;
        Ok(Some(new))
    }
}

/// DELETE, bound to its table.
pub struct Delete {
    choice: Choice,
}

impl Delete {
    /// Binds.
    ///
    /// # Errors
    /// As [`Update::new`].
    pub fn new(statement: &ast::Delete, target: Target<'_>, names: &mut dyn Names) -> Result<Self, Failure> {
        let named = named_by_delete(statement)?;
        let choice = Choice::new(&named, statement.selection.as_ref(), target, names)?;
        Ok(Self { choice })
    }

    /// Whether the statement deletes this row: call it for each row once.
    ///
    /// # Errors
    /// What expressions meet.
    pub fn matches(&mut self, row: &[Value], names: &mut dyn Names) -> Result<bool, Failure> {
        self.choice.holds(row, names)
    }
}
