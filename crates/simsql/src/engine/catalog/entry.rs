//! A table as rows of the catalog, and back.

use std::collections::BTreeMap;

use crate::engine::pages::PageId;
use crate::engine::table::{RowId, TableDefinition, TableFacts, TableId};
use crate::value::{Column, Length, SYSNAME, SqlType, Value};

/// Kind of a row that is a table.
const TABLE: i64 = 1;
/// Kind of a row that is a column.
const COLUMN: i64 = 2;

// Where things are in a row.
const KIND: usize = 0;
const OBJECT: usize = 1;
const ORDINAL: usize = 2;
const KEY_ORDINAL: usize = 3;
const TYPE: usize = 4;
const LENGTH: usize = 5;
const PRECISION: usize = 6;
const SCALE: usize = 7;
const NULLABLE: usize = 8;
const SEED: usize = 9;
const INCREMENT: usize = 10;
const IAM_FILE: usize = 11;
const IAM_PAGE: usize = 12;
const NAME: usize = 13;
const SCHEMA: usize = 14;
const DEFAULT: usize = 15;

/// The columns of the catalog. `type` counts as `system_type_id` of sys.types does; a length of -1 is `max`.
pub(super) fn columns() -> Vec<Column> {
    [
        ("kind", SqlType::TinyInt),
        ("object_id", SqlType::Int),
        ("ordinal", SqlType::SmallInt),
        ("key_ordinal", SqlType::SmallInt),
        ("type", SqlType::TinyInt),
        ("length", SqlType::Int),
        ("precision", SqlType::TinyInt),
        ("scale", SqlType::TinyInt),
        ("is_nullable", SqlType::Bit),
        ("seed", SqlType::BigInt),
        ("increment", SqlType::BigInt),
        ("iam_file", SqlType::Int),
        ("iam_page", SqlType::BigInt),
        ("name", SYSNAME),
        ("schema_name", SYSNAME),
        ("default_expression", SqlType::NVarChar(Length::Max)),
    ]
    .map(|(name, sql_type)| Column::new(name, sql_type))
    .to_vec()
}

/// The rows of a table: itself, then its columns.
pub(super) fn to_rows(facts: &TableFacts) -> Vec<Vec<Value>> {
    let definition = &facts.definition;
    let mut table = vec![Value::Null; DEFAULT + 1];
    table[KIND] = Value::Integer(TABLE);
    table[OBJECT] = Value::Integer(i64::from(facts.id.0));
    table[NAME] = definition.name.as_str().into();
    table[SCHEMA] = definition.schema.as_str().into();
    table[IAM_FILE] = Value::Integer(i64::from(facts.first_iam.file));
    table[IAM_PAGE] = Value::Integer(i64::from(facts.first_iam.page));
    let mut rows = vec![table];
    for (index, column) in definition.columns.iter().enumerate() {
        rows.push(column_row(facts, index, column));
    }
    rows
}

fn column_row(facts: &TableFacts, index: usize, column: &Column) -> Vec<Value> {
    let definition = &facts.definition;
    let count = |number: usize| Value::Integer(number as i64);
    let mut row = vec![Value::Null; DEFAULT + 1];
    row[KIND] = Value::Integer(COLUMN);
    row[OBJECT] = Value::Integer(i64::from(facts.id.0));
    row[ORDINAL] = count(index);
    let key = definition.primary_key.iter().position(|key| *key == index);
    row[KEY_ORDINAL] = key.map_or(Value::Null, count);
    let (number, length, precision, scale) = numbers(column.sql_type);
    row[TYPE] = Value::Integer(number);
    row[LENGTH] = Value::Integer(length);
    row[PRECISION] = Value::Integer(precision);
    row[SCALE] = Value::Integer(scale);
    row[NULLABLE] = Value::Bit(column.nullable);
    if let Some((identity, seed, increment)) = definition.identity
        && identity == index
    {
        row[SEED] = Value::Integer(seed);
        row[INCREMENT] = Value::Integer(increment);
    }
    row[NAME] = column.name.as_str().into();
    row[DEFAULT] = definition.defaults.get(index).cloned().flatten().into();
    row
}

/// The tables that rows of the catalog tell, each with the places of its rows; a row that makes no sense is the error.
pub(super) fn from_rows(rows: Vec<(RowId, Vec<Value>)>) -> Result<Vec<(TableFacts, Vec<RowId>)>, RowId> {
    let mut tables: BTreeMap<i64, Parts> = BTreeMap::new();
    for (at, row) in rows {
        let parts = tables.entry(integer(&row, OBJECT).ok_or(at)?).or_default();
        parts.places.push(at);
        match integer(&row, KIND) {
            Some(TABLE) => parts.table = Some(row),
            Some(COLUMN) => drop(parts.columns.insert(integer(&row, ORDINAL).ok_or(at)?, row)),
            _ => return Err(at),
        }
    }
    let put_together = |parts: Parts| {
        let at = parts.places[0];
        let facts = parts.facts().ok_or(at)?;
        Ok((facts, parts.places))
    };
    tables.into_values().map(put_together).collect()
}

#[derive(Default)]
struct Parts {
    table: Option<Vec<Value>>,
    columns: BTreeMap<i64, Vec<Value>>,
    places: Vec<RowId>,
}

impl Parts {
    fn facts(&self) -> Option<TableFacts> {
        let table = self.table.as_ref()?;
        let mut definition = TableDefinition {
            schema: text(table, SCHEMA)?,
            name: text(table, NAME)?,
            columns: Vec::new(),
            primary_key: Vec::new(),
            identity: None,
            defaults: Vec::new(),
        };
        let mut key = BTreeMap::new();
        for (index, (ordinal, row)) in self.columns.iter().enumerate() {
            if usize::try_from(*ordinal) != Ok(index) {
                return None;
            }
            definition.columns.push(column(row)?);
            definition.defaults.push(text(row, DEFAULT));
            if let Some(place) = integer(row, KEY_ORDINAL) {
                key.insert(place, index);
            }
            if let (Some(seed), Some(increment)) = (integer(row, SEED), integer(row, INCREMENT)) {
                definition.identity = Some((index, seed, increment));
            }
        }
        definition.primary_key = key.into_values().collect();
        Some(TableFacts {
            id: TableId(u32::try_from(integer(table, OBJECT)?).ok()?),
            first_iam: PageId {
                file: u16::try_from(integer(table, IAM_FILE)?).ok()?,
                page: u32::try_from(integer(table, IAM_PAGE)?).ok()?,
            },
            next_identity: definition.identity.map_or(0, |(_, seed, _)| seed),
            definition,
        })
    }
}

fn column(row: &[Value]) -> Option<Column> {
    let sql_type = sql_type(
        integer(row, TYPE)?,
        integer(row, LENGTH)?,
        u8::try_from(integer(row, PRECISION)?).ok()?,
        u8::try_from(integer(row, SCALE)?).ok()?,
    )?;
    Some(Column {
        name: text(row, NAME)?,
        sql_type,
        nullable: row[NULLABLE] == Value::Bit(true),
    })
}

fn integer(row: &[Value], at: usize) -> Option<i64> {
    match row.get(at)? {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

fn text(row: &[Value], at: usize) -> Option<String> {
    match row.get(at)? {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// `system_type_id`, length, precision and scale of a type.
fn numbers(sql_type: SqlType) -> (i64, i64, i64, i64) {
    let length = |length| match length {
        Length::Of(length) => i64::from(length),
        Length::Max => -1,
    };
    match sql_type {
        SqlType::UniqueIdentifier => (36, 0, 0, 0),
        SqlType::Date => (40, 0, 0, 0),
        SqlType::Time(scale) => (41, 0, 0, scale.into()),
        SqlType::DateTime2(scale) => (42, 0, 0, scale.into()),
        SqlType::DateTimeOffset(scale) => (43, 0, 0, scale.into()),
        SqlType::TinyInt => (48, 0, 0, 0),
        SqlType::SmallInt => (52, 0, 0, 0),
        SqlType::Int => (56, 0, 0, 0),
        SqlType::SmallDateTime => (58, 0, 0, 0),
        SqlType::Real => (59, 0, 0, 0),
        SqlType::Money => (60, 0, 0, 0),
        SqlType::DateTime => (61, 0, 0, 0),
        SqlType::Float => (62, 0, 0, 0),
        SqlType::Variant => (98, 0, 0, 0),
        SqlType::Bit => (104, 0, 0, 0),
        SqlType::Decimal { precision, scale } => (106, 0, precision.into(), scale.into()),
        SqlType::BigInt => (127, 0, 0, 0),
        SqlType::VarBinary(bytes) => (165, length(bytes), 0, 0),
        SqlType::VarChar(characters) => (167, length(characters), 0, 0),
        SqlType::Binary(bytes) => (173, bytes.into(), 0, 0),
        SqlType::Char(characters) => (175, characters.into(), 0, 0),
        SqlType::NVarChar(characters) => (231, length(characters), 0, 0),
        SqlType::NChar(characters) => (239, characters.into(), 0, 0),
    }
}

fn sql_type(number: i64, length: i64, precision: u8, scale: u8) -> Option<SqlType> {
    let varying = if length == -1 {
        Length::Max
    } else {
        Length::Of(u16::try_from(length).ok()?)
    };
    let fixed = u16::try_from(length).unwrap_or(0);
    Some(match number {
        36 => SqlType::UniqueIdentifier,
        40 => SqlType::Date,
        41 => SqlType::Time(scale),
        42 => SqlType::DateTime2(scale),
        43 => SqlType::DateTimeOffset(scale),
        48 => SqlType::TinyInt,
        52 => SqlType::SmallInt,
        56 => SqlType::Int,
        58 => SqlType::SmallDateTime,
        59 => SqlType::Real,
        60 => SqlType::Money,
        61 => SqlType::DateTime,
        62 => SqlType::Float,
        98 => SqlType::Variant,
        104 => SqlType::Bit,
        106 => SqlType::Decimal { precision, scale },
        127 => SqlType::BigInt,
        165 => SqlType::VarBinary(varying),
        167 => SqlType::VarChar(varying),
        173 => SqlType::Binary(fixed),
        175 => SqlType::Char(fixed),
        231 => SqlType::NVarChar(varying),
        239 => SqlType::NChar(fixed),
        _ => return None,
    })
}
