//! DECLARE: variables and table variables.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::cursor::Cursor;
use super::{fragment, table};
use crate::message::Failure;
use crate::tsql::DeclaredParameter;
use crate::tsql::statement::Statement;

/// `DECLARE @a type [= value], ...` or `DECLARE @t TABLE (...)`, which becomes CREATE TABLE with the variable for a name.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    if cursor.keyword_at(1).as_deref() == Some("CURSOR") {
        return Err(cursor.failure(40510, &[&"cursors"]));
    }
    let mut variables = Vec::new();
    loop {
        let name_at = cursor.index();
        let name = cursor.variable()?;
        cursor.eat(&["AS"]);
        if cursor.is("TABLE") {
            return match variables.is_empty() {
                true => table_variable(cursor, name_at),
                false => Err(cursor.syntax_error()),
            };
        }
        if cursor.is("CURSOR") {
            return Err(cursor.failure(40510, &[&"cursors"]));
        }
        let sql_type = fragment::data_type(cursor)?;
        let value = match cursor.eat_symbol("=") {
            true => Some(fragment::item(cursor)?),
            false => None,
        };
        variables.push((name, sql_type, value));
        if !cursor.eat_symbol(",") {
            return Ok(Statement::Declare(variables));
        }
    }
}

/// `@a type [= value] [OUTPUT], ...`, up to the end; defaults of parameters are refused, since every parameter must be given.
pub(super) fn parameters(cursor: &mut Cursor) -> Result<Vec<DeclaredParameter>, Failure> {
    let mut parameters = Vec::new();
    while !cursor.is_at_end() {
        let name = cursor.variable()?;
        cursor.eat(&["AS"]);
        let sql_type = fragment::data_type(cursor)?;
        let is_output = cursor.eat_any(&["OUTPUT", "OUT"]);
        parameters.push(DeclaredParameter {
            name,
            sql_type,
            is_output,
        });
        if !cursor.eat_symbol(",") && !cursor.is_at_end() {
            return Err(cursor.syntax_error());
        }
    }
    Ok(parameters)
}

fn table_variable(cursor: &mut Cursor, name_at: usize) -> Result<Statement, Failure> {
    let name = cursor.slice(name_at, name_at + 1)[0].clone();
    let table = cursor.slice(cursor.index(), cursor.index() + 1)[0].clone();
    let create = TokenWithSpan {
        token: Token::Word(Word {
            value: "CREATE".to_owned(),
            quote_style: None,
            keyword: Keyword::CREATE,
        }),
        span: table.span,
    };
    cursor.advance();
    table::definition_of(cursor, vec![create, table, name])
}
