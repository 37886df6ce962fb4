//! SET: variables and options of the session.

use sqlparser::ast::{self, BinaryOperator};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::extent::{self, Cut};
use super::fragment;
use crate::message::Failure;
use crate::tsql::statement::Statement;

/// Options that are ON or OFF; several may stand in one statement.
const SWITCHES: &[&str] = &[
    "ANSI_DEFAULTS",
    "ANSI_NULLS",
    "ANSI_NULL_DFLT_OFF",
    "ANSI_NULL_DFLT_ON",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "ARITHIGNORE",
    "CONCAT_NULL_YIELDS_NULL",
    "CURSOR_CLOSE_ON_COMMIT",
    "FMTONLY",
    "FORCEPLAN",
    "IMPLICIT_TRANSACTIONS",
    "NOCOUNT",
    "NOEXEC",
    "NO_BROWSETABLE",
    "NUMERIC_ROUNDABORT",
    "PARSEONLY",
    "QUOTED_IDENTIFIER",
    "REMOTE_PROC_TRANSACTIONS",
    "RESULT_SET_CACHING",
    "SHOWPLAN_ALL",
    "SHOWPLAN_TEXT",
    "SHOWPLAN_XML",
    "XACT_ABORT",
];

/// Options with another value.
const VALUES: &[&str] = &[
    "CONTEXT_INFO",
    "DATEFIRST",
    "DATEFORMAT",
    "DEADLOCK_PRIORITY",
    "FIPS_FLAGGER",
    "LANGUAGE",
    "LOCK_TIMEOUT",
    "OFFSETS",
    "QUERY_GOVERNOR_COST_LIMIT",
    "ROWCOUNT",
    "TEXTSIZE",
];

/// SET. A list of switches becomes one statement, its names with commas between them.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    if cursor.is_at_variable() {
        return assignment(cursor);
    }
    let Some(name) = cursor.keyword() else {
        return Err(cursor.syntax_error());
    };
    match name.as_str() {
        "TRANSACTION" => isolation(cursor),
        "STATISTICS" => statistics(cursor),
        "IDENTITY_INSERT" => identity_insert(cursor),
        known if SWITCHES.contains(&known) => switches(cursor),
        known if VALUES.contains(&known) => {
            cursor.advance();
            let value = rest(cursor)?;
            Ok(Statement::Set(name, value))
        }
        _ => Err(unknown(cursor, &name)),
    }
}

/// `SET @a = expression`, and `+=` and its like.
fn assignment(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let variable = cursor.variable()?;
    let operator = match cursor.token() {
        Some(Token::Plus) => Some(BinaryOperator::Plus),
        Some(Token::Minus) => Some(BinaryOperator::Minus),
        Some(Token::Mul) => Some(BinaryOperator::Multiply),
        Some(Token::Div) => Some(BinaryOperator::Divide),
        Some(Token::Mod) => Some(BinaryOperator::Modulo),
        Some(Token::Ampersand) => Some(BinaryOperator::BitwiseAnd),
        Some(Token::Pipe) => Some(BinaryOperator::BitwiseOr),
        Some(Token::Caret) => Some(BinaryOperator::BitwiseXor),
        _ => None,
    };
    if operator.is_some() {
        cursor.advance();
    }
    cursor.expect_symbol("=")?;
    if cursor.is("CURSOR") {
        return Err(cursor.failure(40510, &[&"cursors"]));
    }
    let value = fragment::expression(cursor)?;
    let value = match operator {
        None => value,
        Some(op) => ast::Expr::BinaryOp {
            left: Box::new(ast::Expr::Identifier(ast::Ident::new(variable.clone()))),
            op,
            right: Box::new(ast::Expr::Nested(Box::new(value))),
        },
    };
    Ok(Statement::Assign(variable, value))
}

fn switches(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let mut names = Vec::new();
    loop {
        let Some(name) = cursor.keyword() else {
            return Err(cursor.syntax_error());
        };
        if !SWITCHES.contains(&name.as_str()) {
            return Err(unknown(cursor, &name));
        }
        cursor.advance();
        names.push(name);
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    let value = on_or_off(cursor)?;
    Ok(Statement::Set(names.join(","), value))
}

/// 195, whose text the catalogue has for functions.
fn unknown(cursor: &Cursor, name: &str) -> Failure {
    let mut failure = cursor.failure(195, &[&name]);
    failure.messages[0].text = format!("'{name}' is not a recognized SET option.");
    failure
}

fn on_or_off(cursor: &mut Cursor) -> Result<String, Failure> {
    let value = cursor.keyword().unwrap_or_default();
    if value != "ON" && value != "OFF" {
        return Err(cursor.syntax_error());
    }
    cursor.advance();
    Ok(value)
}

/// `SET TRANSACTION ISOLATION LEVEL ...`.
fn isolation(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    cursor.expect("ISOLATION")?;
    cursor.expect("LEVEL")?;
    let levels: [&[&str]; 5] = [
        &["READ", "UNCOMMITTED"],
        &["READ", "COMMITTED"],
        &["REPEATABLE", "READ"],
        &["SERIALIZABLE"],
        &["SNAPSHOT"],
    ];
    let level = levels.into_iter().find(|level| cursor.eat(level));
    match level {
        Some(level) => Ok(Statement::Set(
            "TRANSACTION ISOLATION LEVEL".to_owned(),
            level.join(" "),
        )),
        None => Err(cursor.syntax_error()),
    }
}

/// `SET STATISTICS IO, TIME ON`: accepted, nothing is measured.
fn statistics(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    loop {
        if !cursor.eat_any(&["IO", "TIME", "PROFILE", "XML"]) {
            return Err(cursor.syntax_error());
        }
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    let value = on_or_off(cursor)?;
    Ok(Statement::Set("STATISTICS".to_owned(), value))
}

/// `SET IDENTITY_INSERT table ON`: the value is `ON` or `OFF` and the table, its parts joined by points.
fn identity_insert(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    let mut table = cursor.name()?;
    while cursor.eat_symbol(".") {
        table = format!("{table}.{}", cursor.name()?);
    }
    let value = on_or_off(cursor)?;
    Ok(Statement::Set(
        "IDENTITY_INSERT".to_owned(),
        format!("{value} {table}"),
    ))
}

fn rest(cursor: &mut Cursor) -> Result<String, Failure> {
    let end = extent::end(cursor, Cut::Expression);
    if end == cursor.index() {
        return Err(cursor.syntax_error());
    }
    let mut text = String::new();
    for token in cursor.slice(cursor.index(), end) {
        let part = match &token.token {
            Token::SingleQuotedString(part) | Token::NationalStringLiteral(part) => part.clone(),
            other => other.to_string(),
        };
        if !text.is_empty() && text != "-" {
            text.push(' ');
        }
        text.push_str(&part);
    }
    cursor.move_to(end);
    Ok(text)
}
