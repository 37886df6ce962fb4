//! PRINT, RAISERROR, THROW.

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::fragment;
use crate::message::Failure;
use crate::tsql::statement::Statement;

/// RAISERROR takes so many arguments for its text.
const ARGUMENTS_MAX: usize = 20;

/// PRINT, RAISERROR, THROW.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let word = cursor.keyword().unwrap_or_default();
    cursor.advance();
    match word.as_str() {
        "PRINT" => fragment::expression(cursor).map(Statement::Print),
        "THROW" => throw(cursor),
        _ => raise(cursor),
    }
}

fn throw(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let has_arguments = cursor.is_at_variable() || matches!(cursor.token(), Some(Token::Number(..)));
    if !has_arguments {
        return Ok(Statement::Rethrow);
    }
    let number = fragment::item(cursor)?;
    cursor.expect_symbol(",")?;
    let text = fragment::item(cursor)?;
    cursor.expect_symbol(",")?;
    let state = fragment::expression(cursor)?;
    Ok(Statement::Raise {
        number,
        text,
        class: integer(16),
        state,
        arguments: Vec::new(),
        is_throw: true,
    })
}

fn raise(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.expect_symbol("(")?;
    let mut parts = vec![fragment::item(cursor)?];
    while cursor.eat_symbol(",") {
        parts.push(fragment::item(cursor)?);
    }
    if parts.len() < 3 || parts.len() > ARGUMENTS_MAX + 3 {
        return Err(cursor.syntax_error());
    }
    cursor.expect_symbol(")")?;
    if cursor.eat(&["WITH"]) {
        loop {
            if !cursor.eat_any(&["LOG", "NOWAIT", "SETERROR"]) {
                return Err(cursor.syntax_error());
            }
            if !cursor.eat_symbol(",") {
                break;
            }
        }
    }
    let arguments = parts.split_off(3);
    let [text, class, state] = <[ast::Expr; 3]>::try_from(parts).map_err(|_| cursor.syntax_error())?;
    Ok(Statement::Raise {
        number: integer(50000),
        text,
        class,
        state,
        arguments,
        is_throw: false,
    })
}

fn integer(number: u32) -> ast::Expr {
    ast::Expr::value(ast::Value::Number(number.to_string(), false))
}
