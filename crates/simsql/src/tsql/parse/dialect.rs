//! Where sqlparser's T-SQL falls short: the same statement in words that it reads.
//!
//! Query hints (`OPTION (...)`) change nothing here and are left out; `DELETE t` becomes `DELETE FROM t`; `TOP (n)` of UPDATE and
//! DELETE becomes the limit that sqlparser's tree has for other dialects; `OPENROWSET(BULK 'file', SINGLE_BLOB)` is a call with two
//! texts.

use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::cursor::keyword_of;

/// A statement's tokens made readable, and those of `TOP (n)` where they were taken out.
pub(super) struct Readable {
    /// What sqlparser is given.
    pub(super) tokens: Vec<TokenWithSpan>,
    /// The expression of TOP, with its parentheses.
    pub(super) top: Vec<TokenWithSpan>,
}

/// Prepares a statement.
pub(super) fn prepare(tokens: &[TokenWithSpan]) -> Readable {
    let mut tokens = bulk_in_words(without_option(tokens));
    let first = tokens.first().and_then(|token| keyword_of(&token.token));
    let mut top = Vec::new();
    if matches!(first.as_deref(), Some("UPDATE" | "DELETE")) && is(&tokens, 1, "TOP") {
        let length = parenthesised(&tokens[2..]);
        top = tokens.drain(1..2 + length).skip(1).collect();
    }
    if first.as_deref() == Some("DELETE") {
        tokens = delete_in_order(tokens);
    }
    Readable { tokens, top }
}

/// Puts the limit back.
pub(super) fn limited(mut statement: ast::Statement, top: Option<ast::Expr>) -> ast::Statement {
    match &mut statement {
        ast::Statement::Update(update) => update.limit = top,
        ast::Statement::Delete(delete) => delete.limit = top,
        _ => {}
    }
    statement
}

/// How many tokens there are from an opening parenthesis to the one that closes it; all of them where none does, none where none
/// opens.
pub(super) fn parenthesised(tokens: &[TokenWithSpan]) -> usize {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return if place == 0 { 0 } else { place + 1 };
        }
    }
    tokens.len()
}

fn is(tokens: &[TokenWithSpan], place: usize, keyword: &str) -> bool {
    tokens
        .get(place)
        .and_then(|token| keyword_of(&token.token))
        .as_deref()
        == Some(keyword)
}

/// `OPTION (...)` at the end of a statement.
fn without_option(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let hints = (0..tokens.len())
        .rev()
        .find(|place| is(tokens, *place, "OPTION"))
        .filter(|place| {
            place + 1 + parenthesised(&tokens[place + 1..]) == tokens.len() && place + 1 < tokens.len()
        });
    tokens[..hints.unwrap_or(tokens.len())].to_vec()
}

/// `OPENROWSET(BULK N'file', SINGLE_BLOB)` as `OPENROWSET(N'file', N'SINGLE_BLOB')`.
fn bulk_in_words(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut place = 0;
    while place < tokens.len() {
        let begins = is(&tokens, place, "OPENROWSET")
            && matches!(tokens.get(place + 1), Some(next) if next.token == Token::LParen)
            && is(&tokens, place + 2, "BULK");
        if begins {
            tokens.remove(place + 2);
            // The file, a comma, and what it is read as.
            if let Some(how) = tokens.get_mut(place + 4)
                && let Some(word) = keyword_of(&how.token)
            {
                how.token = Token::NationalStringLiteral(word);
            }
        }
        place += 1;
    }
    tokens
}

/// `DELETE [FROM] t` with one FROM before the table; `DELETE a FROM t a ...` as it is; `DELETE FROM a FROM t a ...` without the
/// first FROM.
fn delete_in_order(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let has_from = is(&tokens, 1, "FROM");
    let target = if has_from { 2 } else { 1 };
    let second = second_from(&tokens, target);
    match (has_from, second) {
        (true, true) => drop(tokens.remove(1)),
        (false, false) if tokens.len() > 1 => {
            let span = tokens[0].span;
            let from = Token::Word(Word {
                value: "FROM".to_owned(),
                quote_style: None,
                keyword: Keyword::FROM,
            });
            tokens.insert(1, TokenWithSpan { token: from, span });
        }
        _ => {}
    }
    tokens
}

/// Whether a FROM follows the target, before any WHERE.
fn second_from(tokens: &[TokenWithSpan], target: usize) -> bool {
    let mut depth = 0_usize;
    for place in target..tokens.len() {
        match &tokens[place].token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if is(tokens, place, "FROM") => return true,
            _ if is(tokens, place, "WHERE") => return false,
            _ => {}
        }
    }
    false
}
