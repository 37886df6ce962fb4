//! What sqlparser parses: queries, changes of tables, expressions, types. Its errors become 102 and 156 at the token it stopped at.

use sqlparser::ast;
use sqlparser::dialect::MsSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::{Cursor, keyword_of};
use super::dialect;
use super::extent::{self, Cut};
use crate::message::Failure;
use crate::query::types;
use crate::tsql::statement::Statement;
use crate::value::SqlType;

/// Expressions within expressions, beyond which 191 is raised.
const DEPTH_MAX: usize = 200;

/// Operators one after the other (`a + b + c`, `SELECT 1 UNION SELECT 2`), beyond which 191 is raised: sqlparser makes a tree of
/// them that is as deep as they are many, and whoever walks it (were it to drop it) needs a stack for that.
const CHAIN_MAX: usize = 5_000;

const DIALECT: MsSqlDialect = MsSqlDialect {};

/// SELECT.
pub(super) fn query(cursor: &mut Cursor) -> Result<Statement, Failure> {
    match statement(cursor)? {
        ast::Statement::Query(query) => Ok(Statement::Query(query)),
        other => Ok(Statement::Table(Box::new(other))),
    }
}

/// A statement as sqlparser has it, up to where it ends.
pub(super) fn statement(cursor: &mut Cursor) -> Result<ast::Statement, Failure> {
    let end = extent::end(cursor, Cut::Statement);
    selects_something(cursor, end)?;
    let readable = dialect::prepare(cursor.slice(cursor.index(), end));
    let top = match readable.top.is_empty() {
        true => None,
        false => {
            let mut parser = parser(readable.top);
            Some(
                parser
                    .parse_expr()
                    .map_err(|error| failure(cursor, end, &error))?,
            )
        }
    };
    let statement = run_tokens(cursor, end, readable.tokens, Parser::parse_statement)?;
    Ok(dialect::limited(statement, top))
}

/// `SELECT FROM`, which sqlparser takes.
fn selects_something(cursor: &Cursor, end: usize) -> Result<(), Failure> {
    let words = cursor.slice(cursor.index(), end).windows(2).position(|pair| {
        let follows = |place: usize| keyword_of(&pair[place].token);
        follows(0).as_deref() == Some("SELECT") && follows(1).as_deref() == Some("FROM")
    });
    match words {
        Some(offset) => Err(cursor.syntax_error_at(cursor.index() + offset + 1)),
        None => Ok(()),
    }
}

/// A statement made of these tokens, which stand from here to `end`, with some of them left out or changed.
pub(super) fn statement_of(
    cursor: &mut Cursor,
    end: usize,
    tokens: Vec<TokenWithSpan>,
) -> Result<ast::Statement, Failure> {
    run_tokens(cursor, end, tokens, Parser::parse_statement)
}

/// An expression up to the end of its statement.
pub(super) fn expression(cursor: &mut Cursor) -> Result<ast::Expr, Failure> {
    let end = extent::end(cursor, Cut::Expression);
    run(cursor, end, Parser::parse_expr)
}

/// An expression up to a comma, a parenthesis that it did not open, or the end of its statement.
pub(super) fn item(cursor: &mut Cursor) -> Result<ast::Expr, Failure> {
    let end = extent::end(cursor, Cut::Item);
    run(cursor, end, Parser::parse_expr)
}

/// A data type.
pub(super) fn data_type(cursor: &mut Cursor) -> Result<SqlType, Failure> {
    let from = cursor.index();
    let end = extent::end(cursor, Cut::Item);
    let mut parser = parser(cursor.slice(from, end).to_vec());
    let parsed = parser
        .parse_data_type()
        .map_err(|error| failure(cursor, end, &error))?;
    let read = parser.index();
    let known = types::declared(&parsed).map_err(|mut failure| {
        failure.messages[0].line = cursor.line();
        failure
    });
    cursor.move_to(from + read);
    known
}

fn run<T>(
    cursor: &mut Cursor,
    end: usize,
    parse: impl FnOnce(&mut Parser<'static>) -> Result<T, ParserError>,
) -> Result<T, Failure> {
    let tokens = cursor.slice(cursor.index(), end).to_vec();
    run_tokens(cursor, end, tokens, parse)
}

fn run_tokens<T>(
    cursor: &mut Cursor,
    end: usize,
    tokens: Vec<TokenWithSpan>,
    parse: impl FnOnce(&mut Parser<'static>) -> Result<T, ParserError>,
) -> Result<T, Failure> {
    if tokens.is_empty() {
        return Err(cursor.syntax_error());
    }
    if longest_chain(&tokens) > CHAIN_MAX {
        return Err(cursor.failure(191, &[]));
    }
    let mut parser = parser(tokens);
    let parsed = parse(&mut parser).map_err(|error| failure(cursor, end, &error))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let start = rest.span.start;
        return Err(cursor.syntax_error_at(cursor.index_at(start.line, start.column).unwrap_or(end)));
    }
    cursor.move_to(end);
    Ok(parsed)
}

/// How many operators there are at most between two commas, or two parentheses of a pair, without those in parentheses within.
fn longest_chain(tokens: &[TokenWithSpan]) -> usize {
    let (mut longest, mut chain, mut around) = (0, 0_usize, Vec::new());
    for token in tokens {
        match &token.token {
            Token::LParen => around.push(std::mem::take(&mut chain)),
            Token::RParen => chain = around.pop().unwrap_or(0),
            Token::Comma => chain = 0,
            Token::Word(word) if word.quote_style.is_none() => {
                chain += usize::from(CHAINING.contains(&word.keyword));
            }
            Token::Word(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::Period => {}
            _ => chain += 1,
        }
        longest = longest.max(chain);
    }
    longest
}

/// Words that chain expressions, queries and tables.
const CHAINING: [Keyword; 13] = [
    Keyword::AND,
    Keyword::OR,
    Keyword::IS,
    Keyword::IN,
    Keyword::LIKE,
    Keyword::BETWEEN,
    Keyword::COLLATE,
    Keyword::AT,
    Keyword::UNION,
    Keyword::EXCEPT,
    Keyword::INTERSECT,
    Keyword::JOIN,
    Keyword::APPLY,
];

fn parser(tokens: Vec<TokenWithSpan>) -> Parser<'static> {
    Parser::new(&DIALECT)
        .with_recursion_limit(DEPTH_MAX)
        .with_tokens_with_locations(tokens)
}

/// sqlparser's error ends in the place of the token that it did not expect; without a place it stopped at the end.
fn failure(cursor: &Cursor, end: usize, error: &ParserError) -> Failure {
    match error {
        ParserError::RecursionLimitExceeded => cursor.failure(191, &[]),
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            let index = place(text).and_then(|(line, column)| cursor.index_at(line, column));
            cursor.syntax_error_at(index.unwrap_or(end))
        }
    }
}

fn place(text: &str) -> Option<(u64, u64)> {
    let (rest, column) = text.rsplit_once(", Column: ")?;
    let (_, line) = rest.rsplit_once("Line: ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}
