//! DBCC.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use crate::message::Failure;
use crate::tsql::statement::{Statement, Word};

/// `DBCC name [(arguments)] [WITH options]`.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    let name = match cursor.keyword() {
        Some(name) => name,
        None => return Err(cursor.syntax_error()),
    };
    cursor.advance();
    let mut arguments = Vec::new();
    if cursor.eat_symbol("(") && !cursor.eat_symbol(")") {
        arguments.push(argument(cursor)?);
        while cursor.eat_symbol(",") {
            arguments.push(argument(cursor)?);
        }
        cursor.expect_symbol(")")?;
    }
    let mut options = Vec::new();
    if cursor.eat(&["WITH"]) {
        options.push(option(cursor)?);
        while cursor.eat_symbol(",") {
            options.push(option(cursor)?);
        }
    }
    Ok(Statement::Dbcc {
        name,
        arguments,
        options,
    })
}

fn argument(cursor: &mut Cursor) -> Result<Word, Failure> {
    match cursor.token() {
        Some(Token::Number(..)) => cursor.number().map(|number| Word::Literal(number.to_string())),
        Some(Token::Minus) => {
            cursor.advance();
            cursor.number().map(|number| Word::Literal(format!("-{number}")))
        }
        Some(Token::Word(_)) => cursor.name_or_variable(),
        _ => cursor.text().map(Word::Literal),
    }
}

/// A word, with its number where it has one (`MAXDOP = 2`).
fn option(cursor: &mut Cursor) -> Result<String, Failure> {
    let Some(name) = cursor.keyword() else {
        return Err(cursor.syntax_error());
    };
    cursor.advance();
    match cursor.eat_symbol("=") {
        true => Ok(format!("{name} = {}", cursor.number()?)),
        false => Ok(name),
    }
}
