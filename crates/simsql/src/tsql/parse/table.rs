//! Tables and their rows: INSERT, UPDATE, DELETE, CREATE TABLE, DROP TABLE, TRUNCATE TABLE.
//!
//! Where rows are kept (filegroups, index options, CLUSTERED) changes nothing here and is left out before sqlparser sees it.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::{Cursor, keyword_of};
use super::dialect::parenthesised;
use super::extent::{self, Cut};
use super::{execute, fragment};
use crate::message::Failure;
use crate::tsql::statement::Statement;

/// INSERT, UPDATE, DELETE.
pub(super) fn change(cursor: &mut Cursor) -> Result<Statement, Failure> {
    if cursor.is("UPDATE") && cursor.is_at(1, "STATISTICS") {
        return Err(cursor.failure(40510, &[&"UPDATE STATISTICS"]));
    }
    if cursor.is("INSERT") && cursor.is_at(1, "BULK") {
        return Err(cursor.failure(40510, &[&"INSERT BULK"]));
    }
    if cursor.is("INSERT")
        && let Some(insert) = insert_execute(cursor)?
    {
        return Ok(insert);
    }
    fragment::query(cursor)
}

/// `INSERT [INTO] table [(columns)] EXEC ...`.
fn insert_execute(cursor: &mut Cursor) -> Result<Option<Statement>, Failure> {
    let begin = cursor.index();
    cursor.advance();
    cursor.eat(&["INTO"]);
    let mut table = Vec::new();
    let mut columns = Vec::new();
    let is_one =
        cursor.insert_target(&mut table, &mut columns) && (cursor.is("EXEC") || cursor.is("EXECUTE"));
    if !is_one {
        cursor.move_to(begin);
        return Ok(None);
    }
    let execute = execute::statement(cursor)?;
    Ok(Some(Statement::InsertExecute {
        table,
        columns,
        execute: Box::new(execute),
    }))
}

impl Cursor {
    /// Reads a table's name and its columns; false where something else is here.
    fn insert_target(&mut self, table: &mut Vec<String>, columns: &mut Vec<String>) -> bool {
        loop {
            match self.name().or_else(|_| self.variable()) {
                Ok(part) => table.push(part),
                Err(_) => return false,
            }
            if !self.eat_symbol(".") {
                break;
            }
        }
        if !self.eat_symbol("(") {
            return true;
        }
        loop {
            match self.name() {
                Ok(column) => columns.push(column),
                Err(_) => return false,
            }
            if !self.eat_symbol(",") {
                return self.eat_symbol(")");
            }
        }
    }
}

/// TRUNCATE TABLE.
pub(super) fn truncate(cursor: &mut Cursor) -> Result<Statement, Failure> {
    fragment::query(cursor)
}

/// CREATE TABLE, DROP TABLE.
pub(super) fn definition(cursor: &mut Cursor) -> Result<Statement, Failure> {
    if cursor.is("CREATE") {
        return definition_of(cursor, Vec::new());
    }
    fragment::query(cursor)
}

/// CREATE TABLE, of which `before` stands for what was read already.
pub(super) fn definition_of(cursor: &mut Cursor, before: Vec<TokenWithSpan>) -> Result<Statement, Failure> {
    let end = extent::end(cursor, Cut::Statement);
    let mut tokens = before;
    tokens.extend(without_storage(cursor.slice(cursor.index(), end)));
    fragment::statement_of(cursor, end, tokens).map(|statement| Statement::Table(Box::new(statement)))
}

fn without_storage(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1).map(|token| &token.token);
        match keyword_of(&token.token).as_deref() {
            Some("CLUSTERED" | "NONCLUSTERED" | "ROWGUIDCOL" | "SPARSE") => at += 1,
            Some("WITH") if matches!(next, Some(Token::LParen)) => at += 1 + parenthesised(&tokens[at + 1..]),
            Some("ON" | "TEXTIMAGE_ON")
                if !matches!(next.and_then(keyword_of).as_deref(), Some("DELETE" | "UPDATE")) =>
            {
                at += 2;
            }
            _ => {
                kept.push(token.clone());
                at += 1;
            }
        }
    }
    kept
}
