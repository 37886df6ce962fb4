//! CREATE TABLE and DROP TABLE.

use sqlparser::ast::{self, ColumnOption, IdentityPropertyFormatKind, IdentityPropertyKind, TableConstraint};

use crate::engine::TableDefinition;
use crate::instance::{permission, trouble};
use crate::message::Failure;
use crate::query::types;
use crate::session::names::Place;
use crate::session::target::{self, Target};
use crate::session::temporary::{self, TemporaryTable};
use crate::session::{Session, locking};
use crate::value::{Column, SqlType};

/// Columns of a table at most.
const COLUMNS_MAX: usize = 1024;

/// The parts of a name.
///
/// # Errors
/// 102 for anything but words.
pub(crate) fn parts(name: &ast::ObjectName) -> Result<Vec<String>, Failure> {
    name.0
        .iter()
        .map(|part| {
            part.as_ident()
                .map(|word| word.value.clone())
                .ok_or_else(|| Failure::new(102, &[&part]))
        })
        .collect()
}

/// CREATE TABLE.
///
/// # Errors
/// 2714, 2705, 2744, 8110, 1911, 1702, 262, 40510 for constraints that are not simulated.
pub(crate) fn create(session: &mut Session, statement: &ast::CreateTable) -> Result<(), Failure> {
    let parts = parts(&statement.name)?;
    let definition = definition(statement, &parts)?;
    create_as(session, &parts, definition)
}

/// Makes a table of a definition that is there already.
///
/// # Errors
/// As [`create`].
pub(crate) fn create_as(
    session: &mut Session,
    parts: &[String],
    mut definition: TableDefinition,
) -> Result<(), Failure> {
    if let Some(key) = temporary::key(parts) {
        return create_temporary(session, key, definition);
    }
    let place = Place::of(session, parts);
    let database = target::writable(session, &place)?;
    definition.schema.clone_from(&place.schema);
    if !place.schema.eq_ignore_ascii_case("dbo") {
        return Err(Failure::new(2760, &[&place.schema]));
    }
    {
        let state = session.instance.state();
        let entry = &state.databases[&database];
        if !permission::in_database(&state, entry, &session.login, "CREATE TABLE") {
            return Err(Failure::new(262, &[&"CREATE TABLE", &entry.name]));
        }
        let exists = entry
            .engine
            .as_ref()
            .is_some_and(|engine| engine.find_table(&place.schema, &place.name).is_some());
        if exists {
            return Err(Failure::new(2714, &[&place.name]));
        }
    }
    if session.work.is_doomed {
        return Err(Failure::new(3930, &[]));
    }
    let transaction = session.engine_transaction(database)?;
    let id = session.id;
    let mut state = session.instance.state();
    let Some(entry) = state.databases.get_mut(&database) else {
        return Err(Failure::new(911, &[&place.database]));
    };
    let Some(engine) = entry.engine.as_mut() else {
        return Err(Failure::new(945, &[&entry.name]));
    };
    match engine.create_table(transaction, &definition) {
        Ok(table) => {
            // Nobody else knows the table yet, so the lock is free.
            let _: Result<(), _> = entry.locks.take_table(table, id);
            Ok(())
        }
        Err(error) => Err(trouble::failure(&error, entry)),
    }
}

fn create_temporary(session: &mut Session, key: String, definition: TableDefinition) -> Result<(), Failure> {
    let is_variable = key.starts_with('@');
    let work = &mut session.work;
    let tables = match is_variable {
        true => &work.frame.tables,
        false => &work.temporary,
    };
    if tables.contains_key(&key) {
        let number = if is_variable { 134 } else { 2714 };
        return Err(Failure::new(number, &[&definition.name]));
    }
    let table = TemporaryTable::new(definition);
    work.check_room(table.bytes())?;
    let tables = match is_variable {
        true => &mut work.frame.tables,
        false => &mut work.temporary,
    };
    tables.insert(key.clone(), table);
    if !is_variable {
        work.frame.made.insert(key);
    }
    Ok(())
}

fn definition(statement: &ast::CreateTable, parts: &[String]) -> Result<TableDefinition, Failure> {
    let name = parts.last().cloned().unwrap_or_default();
    let mut table = TableDefinition {
        schema: "dbo".to_owned(),
        name,
        columns: Vec::new(),
        primary_key: Vec::new(),
        identity: None,
        defaults: Vec::new(),
    };
    if statement.columns.len() > COLUMNS_MAX {
        return Err(Failure::new(1702, &[&table.name, &COLUMNS_MAX]));
    }
    for column in &statement.columns {
        add_column(&mut table, column)?;
    }
    for constraint in &statement.constraints {
        let TableConstraint::PrimaryKey(key) = constraint else {
            return Err(Failure::new(
                40510,
                &[&"constraints other than PRIMARY KEY and DEFAULT"],
            ));
        };
        let columns = key
            .columns
            .iter()
            .map(|column| column_place(&table, &column.column.expr))
            .collect::<Result<Vec<_>, _>>()?;
        set_primary_key(&mut table, columns)?;
    }
    if table.columns.is_empty() {
        return Err(Failure::new(102, &[&")"]));
    }
    Ok(table)
}

fn column_place(table: &TableDefinition, expression: &ast::Expr) -> Result<usize, Failure> {
    let name = match expression {
        ast::Expr::Identifier(word) => word.value.clone(),
        other => other.to_string(),
    };
    table
        .columns
        .iter()
        .position(|column| column.name.eq_ignore_ascii_case(&name))
        .ok_or_else(|| Failure::new(1911, &[&name]))
}

fn set_primary_key(table: &mut TableDefinition, columns: Vec<usize>) -> Result<(), Failure> {
    if !table.primary_key.is_empty() {
        return Err(Failure::new(8110, &[&table.name]));
    }
    for column in &columns {
        table.columns[*column].nullable = false;
    }
    table.primary_key = columns;
    Ok(())
}

fn add_column(table: &mut TableDefinition, column: &ast::ColumnDef) -> Result<(), Failure> {
    let name = column.name.value.clone();
    if table
        .columns
        .iter()
        .any(|known| known.name.eq_ignore_ascii_case(&name))
    {
        return Err(Failure::new(2705, &[&name, &table.name]));
    }
    let place = table.columns.len();
    let mut added = Column::new(&name, types::declared(&column.data_type)?);
    let mut default = None;
    let mut is_key = false;
    for option in &column.options {
        match &option.option {
            ColumnOption::Null => added.nullable = true,
            ColumnOption::NotNull => added.nullable = false,
            ColumnOption::Default(expression) => default = Some(expression.to_string()),
            ColumnOption::PrimaryKey(_) => is_key = true,
            ColumnOption::Collation(_) => {}
            ColumnOption::Identity(IdentityPropertyKind::Identity(property)) => {
                let (seed, increment) = identity(property.parameters.as_ref())?;
                check_identity(table, &name, added.sql_type)?;
                table.identity = Some((place, seed, increment));
                added.nullable = false;
            }
            _ => {
                let what = format!("the column option {}", option.option);
                return Err(Failure::new(40510, &[&what]));
            }
        }
    }
    table.columns.push(added);
    table.defaults.push(default);
    match is_key {
        true => set_primary_key(table, vec![place]),
        false => Ok(()),
    }
}

fn check_identity(table: &TableDefinition, column: &str, sql_type: SqlType) -> Result<(), Failure> {
    if table.identity.is_some() {
        return Err(Failure::new(2744, &[&table.name]));
    }
    match sql_type {
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => Ok(()),
        SqlType::Decimal { scale: 0, .. } => Ok(()),
        _ => Err(Failure::new(2749, &[&column])),
    }
}

/// Seed and increment, 1 and 1 where they are not given.
fn identity(parameters: Option<&IdentityPropertyFormatKind>) -> Result<(i64, i64), Failure> {
    let Some(IdentityPropertyFormatKind::FunctionCall(parameters)) = parameters else {
        return Ok((1, 1));
    };
    let number = |expression: &ast::Expr| {
        let text = expression.to_string();
        text.parse::<i64>().map_err(|_| Failure::new(102, &[&text]))
    };
    let (seed, increment) = (number(&parameters.seed)?, number(&parameters.increment)?);
    match increment {
        0 => Err(Failure::new(2749, &[&"IDENTITY"])),
        _ => Ok((seed, increment)),
    }
}

/// DROP TABLE.
///
/// # Errors
/// 3701 where there is no such table or no permission; 1222 where others write it.
pub(crate) async fn drop_table(
    session: &mut Session,
    parts: &[String],
    if_exists: bool,
) -> Result<(), Failure> {
    let found = target::find(session, parts, "ALTER");
    let target = match found {
        Ok(target) => target,
        Err(failure) => {
            let is_missing = failure
                .messages
                .first()
                .is_some_and(|message| matches!(message.number, 208 | 229 | 1087));
            return match (is_missing, if_exists) {
                (true, true) => Ok(()),
                (true, false) => Err(Failure::new(3701, &[&"drop", &"table", &parts.join(".")])),
                (false, _) => Err(failure),
            };
        }
    };
    match target {
        Target::Temporary(key) => {
            session.work.temporary.remove(&key);
            session.work.frame.made.remove(&key);
            Ok(())
        }
        Target::Stored(stored) => {
            locking::take(session, stored.database, stored.facts.id).await?;
            let transaction = session.engine_transaction(stored.database)?;
            let mut state = session.instance.state();
            state.keys.forget(stored.database);
            let Some(entry) = state.databases.get_mut(&stored.database) else {
                return Err(Failure::new(911, &[&stored.place.database]));
            };
            let Some(engine) = entry.engine.as_mut() else {
                return Err(Failure::new(945, &[&entry.name]));
            };
            engine
                .drop_table(transaction, stored.facts.id)
                .map_err(|error| trouble::failure(&error, entry))
        }
    }
}
