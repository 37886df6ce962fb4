//! The parser: recursive descent over sqlparser's tokens. One file per family of statements; [`cursor`] reads tokens,
//! [`fragment`] hands queries and expressions over to sqlparser.
//!
//! Limits: [`tokens::TOKENS_MAX`] tokens a batch, [`NESTING_MAX`] blocks within blocks.

use crate::message::Failure;
use crate::tsql::statement::{Located, Statement};

mod backup;
mod block;
mod cursor;
mod database;
mod database_option;
mod dbcc;
mod declare;
mod devices;
mod dialect;
mod execute;
mod extent;
mod file;
mod fragment;
mod keywords;
mod options;
mod principal;
mod raise;
mod restore;
mod server;
mod set;
mod table;
mod tokens;
mod transaction;

use cursor::Cursor;
pub(super) use cursor::speaks_of_secrets;

/// The parameters that `sp_executesql` declares.
pub(super) fn parameters(text: &str) -> Result<Vec<crate::tsql::DeclaredParameter>, Failure> {
    declare::parameters(&mut Cursor::new(text, true)?)
}

/// One expression, as a column's default is kept.
pub(super) fn expression(text: &str) -> Result<sqlparser::ast::Expr, Failure> {
    let mut cursor = Cursor::new(text, true)?;
    let expression = fragment::expression(&mut cursor)?;
    match cursor.is_at_end() {
        true => Ok(expression),
        false => Err(cursor.syntax_error()),
    }
}

/// Blocks, IFs and WHILEs within one another, SQL Server's own limit for nested levels.
const NESTING_MAX: usize = 32;

/// The statements of a batch.
pub(super) fn batch(text: &str, quoted_identifier: bool) -> Result<Vec<Located>, Failure> {
    let mut cursor = Cursor::new(text, quoted_identifier)?;
    let mut statements = Vec::new();
    let mut is_first = true;
    cursor.skip_semicolons();
    while !cursor.is_at_end() {
        let line = cursor.line();
        let statement = if is_first && execute::is_bare_procedure(&cursor) {
            execute::bare(&mut cursor)?
        } else {
            statement(&mut cursor)?
        };
        statements.push(Located { line, statement });
        is_first = false;
        cursor.skip_semicolons();
    }
    Ok(statements)
}

/// One statement, without the semicolon behind it.
fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let Some(word) = cursor.keyword() else {
        return match cursor.is_symbol("(") {
            true => fragment::query(cursor),
            false => Err(cursor.syntax_error()),
        };
    };
    match word.as_str() {
        "SELECT" | "WITH" => fragment::query(cursor),
        "INSERT" | "UPDATE" | "DELETE" => table::change(cursor),
        "BACKUP" => backup::statement(cursor),
        "RESTORE" => restore::statement(cursor),
        "CREATE" | "ALTER" | "DROP" | "TRUNCATE" => definition(cursor),
        "BEGIN" | "IF" | "WHILE" | "BREAK" | "CONTINUE" | "RETURN" | "WAITFOR" => block::statement(cursor),
        "COMMIT" | "ROLLBACK" | "SAVE" => transaction::statement(cursor),
        "DECLARE" => declare::statement(cursor),
        "SET" => set::statement(cursor),
        "EXEC" | "EXECUTE" => execute::statement(cursor),
        "PRINT" | "RAISERROR" | "THROW" => raise::statement(cursor),
        "DBCC" => dbcc::statement(cursor),
        "GRANT" | "DENY" | "REVOKE" => principal::permission(cursor),
        "USE" | "KILL" | "CHECKPOINT" | "SHUTDOWN" | "RECONFIGURE" => server::statement(cursor),
        _ => Err(unknown(cursor, &[&word])),
    }
}

/// CREATE, ALTER, DROP and TRUNCATE, by what they are about.
fn definition(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = cursor.keyword().unwrap_or_default();
    if deed == "TRUNCATE" {
        return table::truncate(cursor);
    }
    let kind = cursor.keyword_at(1).unwrap_or_default();
    match kind.as_str() {
        "DATABASE" if cursor.keyword_at(2).as_deref() == Some("ENCRYPTION") => server::encryption_key(cursor),
        "DATABASE" => match cursor.keyword_at(2).as_deref() {
            Some(other @ ("AUDIT" | "SCOPED")) => {
                let other = other.to_owned();
                Err(unknown(cursor, &[&deed, &kind, &other]))
            }
            _ => database::statement(cursor),
        },
        "TABLE" if deed != "ALTER" => table::definition(cursor),
        "CREDENTIAL" => principal::credential(cursor),
        "LOGIN" => principal::login(cursor),
        "USER" => principal::user(cursor),
        "ROLE" if deed == "ALTER" => principal::role(cursor),
        "SERVER" if deed == "ALTER" && cursor.keyword_at(2).as_deref() == Some("ROLE") => {
            principal::role(cursor)
        }
        "AUTHORIZATION" if deed == "ALTER" => principal::authorization(cursor),
        "CERTIFICATE" => server::certificate(cursor),
        "MASTER" => server::master_key(cursor),
        _ if keywords::DEFINED.contains(&kind.as_str()) => Err(unknown(cursor, &[&deed, &kind])),
        _ => {
            cursor.advance();
            Err(cursor.syntax_error())
        }
    }
}

/// What SQL Server knows and the simulation does not: 40510 at the current token; any other word is a syntax error.
fn unknown(cursor: &Cursor, words: &[&str]) -> Failure {
    match words.first() {
        Some(first) if keywords::STARTERS.contains(first) || keywords::OTHER_STATEMENTS.contains(first) => {
            cursor.failure(40510, &[&words.join(" ")])
        }
        _ => cursor.syntax_error(),
    }
}

#[cfg(test)]
mod tests;
