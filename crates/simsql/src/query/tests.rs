//! Queries over small tables. Expected values are worked out by hand, or taken from the documentation where a test says so.

mod changes;
mod errors;
mod expressions;
mod joins;
mod sqlite;
mod tools;
mod windows;

use std::collections::BTreeMap;

use sqlparser::ast;
use sqlparser::dialect::MsSqlDialect;
use sqlparser::parser::Parser;
use uuid::Uuid;

use crate::message::Failure;
use crate::query::{Answer, Names, Relation, convert, select};
use crate::value::{Column, Length, SqlType, Value};

/// Tables and variables by name, a clock that stands still.
pub(super) struct World {
    tables: BTreeMap<String, Relation>,
    variables: BTreeMap<String, (Value, SqlType)>,
    guids: u128,
}

pub(super) const TEXT: SqlType = SqlType::NVarChar(Length::Of(128));

/// A table from its columns and rows as text; `-` is NULL.
pub(super) fn table(columns: &[(&str, SqlType)], rows: &[&str]) -> Relation {
    let value = |text: &str, sql_type| match text {
        "-" => Value::Null,
        text => convert::convert(Value::from(text), SqlType::VarChar(Length::Max), sql_type).unwrap(),
    };
    Relation {
        columns: columns
            .iter()
            .map(|(name, sql_type)| Column::new(name, *sql_type))
            .collect(),
        rows: rows
            .iter()
            .map(|row| {
                row.split('|')
                    .zip(columns)
                    .map(|(text, (_, sql_type))| value(text.trim(), *sql_type))
                    .collect()
            })
            .collect(),
    }
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            tables: BTreeMap::new(),
            variables: BTreeMap::new(),
            guids: 0,
        };
        let int = SqlType::Int;
        world.add(
            "t",
            table(&[("a", int), ("b", TEXT)], &["1|one", "2|two", "3|-", "-|none"]),
        );
        world.add(
            "u",
            table(
                &[("a", int), ("c", int)],
                &["1|10", "1|11", "3|30", "5|50", "-|0"],
            ),
        );
        world.add(
            "empty",
            table(&[("x", int), ("y", SqlType::VarChar(Length::Of(7)))], &[]),
        );
        world.set("@n", Value::Integer(2), int);
        world.set("@s", Value::from(""), SqlType::NVarChar(Length::Max));
        world
    }

    pub(super) fn add(&mut self, name: &str, relation: Relation) {
        self.tables.insert(name.to_owned(), relation);
    }

    pub(super) fn set(&mut self, name: &str, value: Value, sql_type: SqlType) {
        self.variables.insert(name.to_owned(), (value, sql_type));
    }

    /// Runs a query.
    pub(super) fn ask(&mut self, sql: &str) -> Result<Answer, Failure> {
        select(&parse(sql), self)
    }

    /// The rows of a query, each with `|` between its values.
    pub(super) fn rows(&mut self, sql: &str) -> Vec<String> {
        match self.ask(sql) {
            Ok(Answer::Rows(relation)) => shown(&relation),
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// The number of the error a query ends with.
    pub(super) fn error(&mut self, sql: &str) -> i32 {
        match self.ask(sql) {
            Err(failure) => failure.messages[0].number,
            Ok(answer) => panic!("{sql}: {answer:?}"),
        }
    }

    /// The types of a query's columns.
    pub(super) fn types(&mut self, sql: &str) -> Vec<SqlType> {
        match self.ask(sql) {
            Ok(Answer::Rows(relation)) => relation.columns.iter().map(|c| c.sql_type).collect(),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

pub(super) fn statement(sql: &str) -> ast::Statement {
    Parser::parse_sql(&MsSqlDialect {}, sql).unwrap().remove(0)
}

fn parse(sql: &str) -> ast::Query {
    match statement(sql) {
        ast::Statement::Query(query) => *query,
        other => panic!("{other}"),
    }
}

pub(super) fn shown(relation: &Relation) -> Vec<String> {
    let cell = |value: &Value, sql_type| match value {
        Value::Null => "-".to_owned(),
        value => {
            let style = matches!(value, Value::Bytes(_)).then_some(1);
            let style = style.or(matches!(value, Value::DateTime(_)).then_some(121));
            let from = if sql_type == SqlType::Variant {
                crate::query::types::of_value(value)
            } else {
                sql_type
            };
            match convert::cast(value.clone(), from, SqlType::NVarChar(Length::Max), style) {
                Ok(Value::Text(text)) => text,
                other => panic!("{other:?}"),
            }
        }
    };
    relation
        .rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&relation.columns)
                .map(|(value, column)| cell(value, column.sql_type))
                .collect();
            cells.join("|")
        })
        .collect()
}

impl Names for World {
    fn relation(&mut self, parts: &[String], arguments: Option<&[Value]>) -> Result<Relation, Failure> {
        let name = parts.last().map(|name| name.to_lowercase()).unwrap_or_default();
        if let Some(arguments) = arguments {
            // numbers(n): one row for each number from 1 to n.
            let Some(Value::Integer(count)) = arguments.first() else {
                return Ok(table(&[("value", SqlType::Int)], &[]));
            };
            let mut relation = table(&[("value", SqlType::Int)], &[]);
            relation.rows = (1..=*count).map(|number| vec![Value::Integer(number)]).collect();
            return Ok(relation);
        }
        self.tables
            .get(&name)
            .cloned()
            .ok_or_else(|| Failure::new(208, &[&parts.join(".")]))
    }

    fn function(&mut self, name: &str, arguments: &[Value]) -> Option<Result<(Value, SqlType), Failure>> {
        let now = convert::convert(
            Value::from("2026-11-21 17:33:05.123"),
            SqlType::VarChar(Length::Of(30)),
            SqlType::DateTime,
        );
        Some(match (name, arguments) {
            ("GETDATE" | "CURRENT_TIMESTAMP", _) => now.map(|now| (now, SqlType::DateTime)),
            ("SERVERPROPERTY", [Value::Text(_)]) => Ok((Value::from("Enterprise"), SqlType::Variant)),
            ("DB_NAME", [Value::Integer(id)]) => Ok((Value::Text(format!("db{id}")), TEXT)),
            ("DB_NAME", [_]) => Ok((Value::Null, TEXT)),
            ("NEWID", []) => {
                self.guids += 1;
                Ok((
                    Value::Guid(Uuid::from_u128(self.guids)),
                    SqlType::UniqueIdentifier,
                ))
            }
            _ => return None,
        })
    }

    fn variable(&mut self, name: &str) -> Option<(Value, SqlType)> {
        self.variables.get(name).cloned()
    }

    fn is_cancelled(&self) -> bool {
        self.variables.contains_key("@cancelled")
    }
}
