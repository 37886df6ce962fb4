//! Where a statement ends that has no semicolon: before the next word that begins a statement, unless that word belongs to it.
//!
//! T-SQL needs no semicolons, and sqlparser takes words for aliases where it can, so each query and expression is cut out before
//! it is handed over. Words within parentheses never end anything; END and ELSE end nothing within CASE.

use sqlparser::tokenizer::Token;

use super::cursor::{Cursor, keyword_of};
use super::keywords;

/// What is cut out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// SELECT, INSERT, UPDATE, DELETE.
    Statement,
    /// An expression.
    Expression,
    /// An expression of a list: a comma ends it.
    Item,
}

struct Scan {
    parentheses: usize,
    cases: usize,
    /// A SELECT (INSERT, UPDATE, DELETE, EXEC) that belongs to what came before.
    awaits_body: bool,
    /// The SET of an UPDATE is still to come.
    awaits_set: bool,
}

/// The index behind the last token of what begins here.
pub(super) fn end(cursor: &Cursor, cut: Cut) -> usize {
    let tokens = cursor.slice(cursor.index(), cursor.len());
    let first = tokens.first().and_then(|token| keyword_of(&token.token));
    let mut scan = Scan {
        parentheses: 0,
        cases: 0,
        awaits_body: matches!(first.as_deref(), Some("WITH" | "INSERT")),
        awaits_set: first.as_deref() == Some("UPDATE"),
    };
    let mut previous: Option<&Token> = None;
    for (offset, token) in tokens.iter().enumerate() {
        let next = tokens.get(offset + 1).map(|token| &token.token);
        if scan.ends(cut, &token.token, previous, next, offset == 0) {
            return cursor.index() + offset;
        }
        previous = Some(&token.token);
    }
    cursor.len()
}

impl Scan {
    fn ends(
        &mut self,
        cut: Cut,
        token: &Token,
        previous: Option<&Token>,
        next: Option<&Token>,
        first: bool,
    ) -> bool {
        match token {
            Token::LParen => self.parentheses += 1,
            Token::RParen if self.parentheses == 0 => return true,
            Token::RParen => self.parentheses -= 1,
            Token::SemiColon => return true,
            Token::Comma => return cut == Cut::Item && self.parentheses == 0,
            Token::Word(_) if self.parentheses == 0 => {
                let follows_a_point = matches!(previous, Some(Token::Period));
                if let Some(word) = keyword_of(token).filter(|_| !follows_a_point) {
                    return self.word_ends(&word, previous, next, first);
                }
            }
            _ => {}
        }
        false
    }

    fn word_ends(&mut self, word: &str, previous: Option<&Token>, next: Option<&Token>, first: bool) -> bool {
        match word {
            "CASE" => self.cases += 1,
            "END" if self.cases > 0 => self.cases -= 1,
            "ELSE" if self.cases > 0 => {}
            "END" | "ELSE" => return true,
            "SELECT" if previous.is_some_and(joins_queries) => {}
            "SELECT" | "EXEC" | "EXECUTE" | "UPDATE" | "DELETE" | "INSERT" | "MERGE"
                if self.awaits_body && !first =>
            {
                self.awaits_body = word == "INSERT";
                self.awaits_set = word == "UPDATE";
            }
            "VALUES" => self.awaits_body = false,
            "DEFAULT" if next.and_then(keyword_of).as_deref() == Some("VALUES") => self.awaits_body = false,
            "SET" if self.awaits_set => self.awaits_set = false,
            "MERGE" if next.and_then(keyword_of).as_deref() == Some("JOIN") => {}
            "IF" if previous.and_then(keyword_of).as_deref() == Some("TABLE") => {}
            "THROW" => return !first && is_thrown(next),
            _ => return !first && keywords::STARTERS.binary_search(&word).is_ok(),
        }
        false
    }
}

fn joins_queries(token: &Token) -> bool {
    matches!(
        keyword_of(token).as_deref(),
        Some("UNION" | "ALL" | "EXCEPT" | "INTERSECT")
    )
}

/// Whether what stands behind THROW makes it the statement: it is no reserved word, and might be an alias.
fn is_thrown(next: Option<&Token>) -> bool {
    match next {
        None | Some(Token::SemiColon | Token::Number(..)) => true,
        Some(Token::Word(word)) => {
            word.quote_style.is_none()
                && (word.value.starts_with('@') || word.value.eq_ignore_ascii_case("end"))
        }
        _ => false,
    }
}
