//! Control of flow: blocks, IF, WHILE, TRY, RETURN, WAITFOR.

use super::cursor::Cursor;
use super::{NESTING_MAX, fragment, transaction};
use crate::message::Failure;
use crate::tsql::statement::{Located, Statement};

/// BEGIN, IF, WHILE, BREAK, CONTINUE, RETURN, WAITFOR.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let word = cursor.keyword().unwrap_or_default();
    match word.as_str() {
        "BEGIN" => begin(cursor),
        "IF" => nested(cursor, branch),
        "WHILE" => nested(cursor, repetition),
        "WAITFOR" => wait(cursor),
        "BREAK" | "CONTINUE" if cursor.loops == 0 => {
            let number = if word == "BREAK" { 135 } else { 136 };
            Err(cursor.failure(number, &[]))
        }
        "BREAK" | "CONTINUE" => {
            cursor.advance();
            Ok(if word == "BREAK" {
                Statement::Break
            } else {
                Statement::Continue
            })
        }
        _ => {
            cursor.advance();
            match cursor.token() {
                Some(sqlparser::tokenizer::Token::Number(..)) => Err(cursor.failure(178, &[])),
                _ => Ok(Statement::Return),
            }
        }
    }
}

fn begin(cursor: &mut Cursor) -> Result<Statement, Failure> {
    match cursor.keyword_at(1).as_deref() {
        Some("TRAN" | "TRANSACTION" | "DISTRIBUTED") => transaction::begin(cursor),
        Some("TRY") => nested(cursor, attempt),
        Some("CATCH") => {
            cursor.advance();
            Err(cursor.syntax_error())
        }
        Some(other @ ("DIALOG" | "CONVERSATION" | "ATOMIC")) => {
            let words = format!("BEGIN {other}");
            Err(cursor.failure(40510, &[&words]))
        }
        _ => nested(cursor, block),
    }
}

/// Runs `read` one level further in.
fn nested(
    cursor: &mut Cursor,
    read: fn(&mut Cursor) -> Result<Statement, Failure>,
) -> Result<Statement, Failure> {
    if cursor.nesting == NESTING_MAX {
        return Err(cursor.failure(191, &[]));
    }
    cursor.nesting += 1;
    let statement = read(cursor)?;
    cursor.nesting -= 1;
    Ok(statement)
}

/// `BEGIN ... END`.
fn block(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    let body = until_end(cursor)?;
    Ok(Statement::Block(body))
}

fn until_end(cursor: &mut Cursor) -> Result<Vec<Located>, Failure> {
    let mut body = Vec::new();
    cursor.skip_semicolons();
    while !cursor.is("END") {
        if cursor.is_at_end() {
            return Err(cursor.syntax_error());
        }
        body.push(located(cursor)?);
        cursor.skip_semicolons();
    }
    if body.is_empty() {
        return Err(cursor.syntax_error());
    }
    cursor.advance();
    Ok(body)
}

fn located(cursor: &mut Cursor) -> Result<Located, Failure> {
    let line = cursor.line();
    let statement = super::statement(cursor)?;
    Ok(Located { line, statement })
}

/// The one statement that an IF or a WHILE has, a block's in a row.
fn body(cursor: &mut Cursor) -> Result<Vec<Located>, Failure> {
    let one = located(cursor)?;
    Ok(match one.statement {
        Statement::Block(statements) => statements,
        _ => vec![one],
    })
}

fn branch(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    let condition = fragment::expression(cursor)?;
    let then = body(cursor)?;
    let behind = cursor.index();
    cursor.skip_semicolons();
    let otherwise = match cursor.eat(&["ELSE"]) {
        true => body(cursor)?,
        false => {
            cursor.move_to(behind);
            Vec::new()
        }
    };
    Ok(Statement::If {
        condition,
        then,
        otherwise,
    })
}

fn repetition(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    let condition = fragment::expression(cursor)?;
    cursor.loops += 1;
    let body = body(cursor)?;
    cursor.loops -= 1;
    Ok(Statement::While { condition, body })
}

/// `BEGIN TRY ... END TRY BEGIN CATCH ... END CATCH`; the handler may be empty.
fn attempt(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.move_to(cursor.index() + 2);
    let body = until_end(cursor)?;
    cursor.expect("TRY")?;
    cursor.skip_semicolons();
    cursor.expect("BEGIN")?;
    cursor.expect("CATCH")?;
    cursor.skip_semicolons();
    let handler = match cursor.eat(&["END"]) {
        true => Vec::new(),
        false => until_end(cursor)?,
    };
    cursor.expect("CATCH")?;
    Ok(Statement::Try { body, handler })
}

fn wait(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    let until = match cursor.keyword().as_deref() {
        Some("DELAY") => false,
        Some("TIME") => true,
        None if cursor.is_symbol("(") => return Err(cursor.failure(40510, &[&"WAITFOR (...)"])),
        _ => return Err(cursor.syntax_error()),
    };
    cursor.advance();
    let time = fragment::expression(cursor)?;
    Ok(Statement::WaitFor { until, time })
}
