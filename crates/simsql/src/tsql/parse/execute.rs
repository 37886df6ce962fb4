//! EXEC: procedures with their arguments, and texts.

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use super::cursor::{Cursor, keyword_of};
use super::fragment;
use super::keywords;
use crate::message::Failure;
use crate::tsql::statement::{Argument, Statement};

/// Arguments of a procedure, at most (SQL Server's limit of parameters).
const ARGUMENTS_MAX: usize = 2100;

/// Whether a batch begins with a procedure's name, without EXEC.
pub(super) fn is_bare_procedure(cursor: &Cursor) -> bool {
    match cursor.token() {
        Some(Token::Word(word)) if word.quote_style.is_some() => true,
        Some(token @ Token::Word(word)) if !word.value.starts_with('@') => {
            keyword_of(token).is_some_and(|word| {
                let word = word.as_str();
                !keywords::is_reserved(word) && !keywords::OTHER_STATEMENTS.contains(&word) && word != "THROW"
            })
        }
        _ => false,
    }
}

/// A procedure's name and arguments, without EXEC.
pub(super) fn bare(cursor: &mut Cursor) -> Result<Statement, Failure> {
    procedure(cursor, None)
}

/// EXEC.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    if cursor.is_symbol("(") {
        return text(cursor);
    }
    if cursor.is("AS") {
        return Err(cursor.failure(40510, &[&"EXECUTE AS"]));
    }
    let result = match cursor.is_at_variable() {
        true => {
            let variable = cursor.variable()?;
            if !cursor.eat_symbol("=") {
                return Err(cursor.failure(40510, &[&"a procedure named by a variable"]));
            }
            Some(variable)
        }
        false => None,
    };
    procedure(cursor, result)
}

fn text(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    let text = fragment::item(cursor)?;
    cursor.expect_symbol(")")?;
    if cursor.is("AT") {
        return Err(cursor.failure(40510, &[&"linked servers"]));
    }
    Ok(Statement::ExecuteText(text))
}

fn procedure(cursor: &mut Cursor, result: Option<String>) -> Result<Statement, Failure> {
    let procedure = qualified_name(cursor)?;
    let mut arguments = Vec::new();
    if begins_argument(cursor) {
        loop {
            arguments.push(argument(cursor)?);
            if !cursor.eat_symbol(",") {
                break;
            }
        }
    }
    if arguments.len() > ARGUMENTS_MAX {
        return Err(cursor.failure(180, &[&ARGUMENTS_MAX]));
    }
    if cursor.eat(&["WITH"]) && !cursor.eat(&["RECOMPILE"]) {
        return Err(cursor.failure(40510, &[&"EXECUTE WITH RESULT SETS"]));
    }
    Ok(Statement::Execute {
        result,
        procedure,
        arguments,
    })
}

/// `server.database.schema.name` in lower case; missing parts stay empty (`master..sp_who`).
fn qualified_name(cursor: &mut Cursor) -> Result<String, Failure> {
    let mut name = cursor.name()?;
    while cursor.eat_symbol(".") {
        name.push('.');
        if !cursor.is_symbol(".") {
            name.push_str(&cursor.name()?);
        }
    }
    Ok(name.to_lowercase())
}

fn begins_argument(cursor: &Cursor) -> bool {
    match cursor.token() {
        None | Some(Token::SemiColon | Token::RParen) => false,
        Some(token) => match keyword_of(token) {
            Some(word) => !keywords::is_reserved(&word) || word == "NULL" || word == "DEFAULT",
            None => true,
        },
    }
}

fn argument(cursor: &mut Cursor) -> Result<Argument, Failure> {
    let is_named = cursor.is_at_variable() && matches!(cursor.token_at(1), Some(Token::Eq));
    let name = match is_named {
        true => {
            let name = cursor.variable()?;
            cursor.advance();
            Some(name)
        }
        false => None,
    };
    let value = value(cursor)?;
    let is_output = cursor.eat_any(&["OUTPUT", "OUT"]);
    Ok(Argument {
        name,
        value,
        is_output,
    })
}

/// A constant, a variable, or a bare word, which is a text.
fn value(cursor: &mut Cursor) -> Result<ast::Expr, Failure> {
    let constant = match cursor.token() {
        Some(Token::Word(word)) if word.quote_style.is_none() && word.value.starts_with('@') => {
            ast::Expr::Identifier(ast::Ident::new(word.value.clone()))
        }
        Some(Token::Word(_)) if cursor.is("NULL") => ast::Expr::value(ast::Value::Null),
        Some(Token::Word(_)) if cursor.is("DEFAULT") => {
            return Err(cursor.failure(40510, &[&"DEFAULT as an argument"]));
        }
        Some(Token::Word(_)) => {
            let text = cursor.name()?;
            return Ok(ast::Expr::value(ast::Value::SingleQuotedString(text)));
        }
        Some(Token::SingleQuotedString(text)) => {
            ast::Expr::value(ast::Value::SingleQuotedString(text.clone()))
        }
        Some(Token::NationalStringLiteral(text)) => {
            ast::Expr::value(ast::Value::NationalStringLiteral(text.clone()))
        }
        Some(Token::HexStringLiteral(text)) => ast::Expr::value(ast::Value::HexStringLiteral(text.clone())),
        Some(Token::Number(digits, _)) => number(digits),
        Some(Token::Minus | Token::Plus) => {
            let is_negative = cursor.is_symbol("-");
            let Some(Token::Number(digits, _)) = cursor.token_at(1) else {
                return Err(cursor.syntax_error());
            };
            let number = Box::new(number(digits));
            cursor.advance();
            match is_negative {
                true => ast::Expr::UnaryOp {
                    op: ast::UnaryOperator::Minus,
                    expr: number,
                },
                false => *number,
            }
        }
        _ => return Err(cursor.syntax_error()),
    };
    cursor.advance();
    Ok(constant)
}

fn number(digits: &str) -> ast::Expr {
    ast::Expr::value(ast::Value::Number(digits.to_owned(), false))
}
