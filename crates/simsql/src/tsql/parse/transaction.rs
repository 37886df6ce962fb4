//! BEGIN TRANSACTION, COMMIT, ROLLBACK, SAVE TRANSACTION.

use super::cursor::Cursor;
use crate::message::Failure;
use crate::tsql::statement::{Statement, Transaction, Word};

/// `BEGIN TRANSACTION [name] [WITH MARK ['text']]`.
pub(super) fn begin(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    if cursor.is("DISTRIBUTED") {
        return Err(cursor.failure(40510, &[&"distributed transactions"]));
    }
    cursor.advance();
    let name = name(cursor)?;
    let mark = cursor.eat(&["WITH", "MARK"]);
    if mark && cursor.text_or_variable().is_err() && name.is_none() {
        return Err(cursor.syntax_error());
    }
    Ok(Statement::Transaction(Transaction::Begin { name, mark }))
}

/// COMMIT, ROLLBACK, SAVE.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = cursor.keyword().unwrap_or_default();
    cursor.advance();
    let has_kind = cursor.eat_any(&["TRAN", "TRANSACTION"]);
    if !has_kind && deed != "SAVE" {
        cursor.eat(&["WORK"]);
    }
    let name = match has_kind {
        true => name(cursor)?,
        false => None,
    };
    Ok(Statement::Transaction(match (deed.as_str(), name) {
        ("COMMIT", _) => {
            delayed_durability(cursor)?;
            Transaction::Commit
        }
        ("ROLLBACK", name) => Transaction::Rollback(name),
        (_, Some(name)) => Transaction::Save(name),
        (_, None) => return Err(cursor.syntax_error()),
    }))
}

/// A name of at most 32 characters, or the variable that holds it, with its sign.
fn name(cursor: &mut Cursor) -> Result<Option<String>, Failure> {
    let begin = cursor.index();
    match cursor.name_or_variable() {
        Ok(Word::Literal(name)) if name.eq_ignore_ascii_case("throw") => {
            cursor.move_to(begin);
            Ok(None)
        }
        Ok(Word::Literal(name)) if name.chars().count() > 32 => {
            Err(cursor.failure_at(begin, 103, &[&"identifier", &name, &32]))
        }
        Ok(Word::Literal(name) | Word::Variable(name)) => Ok(Some(name)),
        Err(_) => Ok(None),
    }
}

/// `WITH (DELAYED_DURABILITY = ON)`: a commit is durable here, whatever is asked for.
fn delayed_durability(cursor: &mut Cursor) -> Result<(), Failure> {
    if cursor.eat(&["WITH"]) {
        cursor.expect_symbol("(")?;
        cursor.expect("DELAYED_DURABILITY")?;
        cursor.expect_symbol("=")?;
        if !cursor.eat_any(&["ON", "OFF"]) {
            return Err(cursor.syntax_error());
        }
        cursor.expect_symbol(")")?;
    }
    Ok(())
}
