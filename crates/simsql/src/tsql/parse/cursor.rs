//! Tokens of a batch, read one after the other.
//!
//! White space and comments are gone, each token knows its line. Where `QUOTED_IDENTIFIER` is off, `"..."` became a text.

use std::fmt::Display;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::keywords;
use super::tokens::{self, Unreadable};
use crate::message::{Failure, Message};
use crate::tsql::statement::Word;

/// What stands in an error for a text that may be a secret.
const HIDDEN: &str = "***";

/// Names are at most this long (`sysname`).
const NAME_MAX: usize = 128;

/// The tokens of a batch and a place among them.
pub(super) struct Cursor {
    tokens: Vec<TokenWithSpan>,
    at: usize,
    /// The batch speaks of secrets: no error shows a text of it.
    has_secrets: bool,
    /// Blocks that are open.
    pub(super) nesting: usize,
    /// WHILE loops that are open.
    pub(super) loops: usize,
}

impl Cursor {
    /// The tokens of `text`.
    pub(super) fn new(text: &str, quoted_identifier: bool) -> Result<Self, Failure> {
        let mut tokens = tokens::read(text).map_err(|reason| match reason {
            Unreadable::TooMany(line) => {
                at_line(Message::new(191, &[]), u32::try_from(line).unwrap_or(u32::MAX))
            }
            Unreadable::Unclosed(what, place) => unclosed(text, &what, place),
        })?;
        if !quoted_identifier {
            tokens.iter_mut().for_each(quoted_to_text);
        }
        Ok(Self {
            tokens,
            has_secrets: speaks_of_secrets(text),
            at: 0,
            nesting: 0,
            loops: 0,
        })
    }

    /// Index of the current token.
    pub(super) fn index(&self) -> usize {
        self.at
    }

    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Tokens from one index up to another.
    pub(super) fn slice(&self, from: usize, to: usize) -> &[TokenWithSpan] {
        &self.tokens[from..to]
    }

    /// Goes to an index.
    pub(super) fn move_to(&mut self, index: usize) {
        self.at = index;
    }

    /// The next token.
    pub(super) fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len());
    }

    /// Whether all was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.tokens.len()
    }

    /// The current token.
    pub(super) fn token(&self) -> Option<&Token> {
        self.token_at(0)
    }

    /// The token `ahead` of the current one.
    pub(super) fn token_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|token| &token.token)
    }

    /// Its line, or the last one's.
    pub(super) fn line(&self) -> u32 {
        self.line_at(self.at)
    }

    fn line_at(&self, index: usize) -> u32 {
        let last = self.tokens.len().saturating_sub(1);
        self.tokens.get(index.min(last)).map_or(1, line_of)
    }

    /// The unquoted word here, in upper case.
    pub(super) fn keyword(&self) -> Option<String> {
        self.keyword_at(0)
    }

    /// The unquoted word `ahead` of here, in upper case.
    pub(super) fn keyword_at(&self, ahead: usize) -> Option<String> {
        self.token_at(ahead).and_then(keyword_of)
    }

    /// Whether this unquoted word is here.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.is_at(0, keyword)
    }

    /// Whether this unquoted word is `ahead` of here.
    pub(super) fn is_at(&self, ahead: usize, keyword: &str) -> bool {
        matches!(self.token_at(ahead), Some(Token::Word(word))
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
    }

    /// Reads the words where all of them are here, one after the other.
    pub(super) fn eat(&mut self, keywords: &[&str]) -> bool {
        let are_here = keywords
            .iter()
            .enumerate()
            .all(|(ahead, keyword)| self.is_at(ahead, keyword));
        if are_here {
            self.at += keywords.len();
        }
        are_here
    }

    /// Reads one of these words.
    pub(super) fn eat_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.eat(&[keyword]))
    }

    /// Reads a word that must be here.
    pub(super) fn expect(&mut self, keyword: &str) -> Result<(), Failure> {
        match self.eat(&[keyword]) {
            true => Ok(()),
            false => Err(self.syntax_error()),
        }
    }

    /// Whether this sign is here.
    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.token()
            .is_some_and(|token| is_sign(token) && token.to_string() == symbol)
    }

    /// Reads a sign where it is here.
    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let is_here = self.is_symbol(symbol);
        if is_here {
            self.advance();
        }
        is_here
    }

    /// Reads a sign that must be here.
    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<(), Failure> {
        match self.eat_symbol(symbol) {
            true => Ok(()),
            false => Err(self.syntax_error()),
        }
    }

    /// Passes over semicolons.
    pub(super) fn skip_semicolons(&mut self) {
        while self.eat_symbol(";") {}
    }

    /// A name: quoted, or a word that is not reserved and no variable.
    pub(super) fn name(&mut self) -> Result<String, Failure> {
        let name = match self.token() {
            Some(Token::Word(word)) if word.quote_style.is_some() => word.value.clone(),
            Some(Token::Word(word))
                if !word.value.starts_with('@')
                    && !keywords::is_reserved(&word.value.to_ascii_uppercase()) =>
            {
                word.value.clone()
            }
            _ => return Err(self.syntax_error()),
        };
        if name.encode_utf16().count() > NAME_MAX {
            let shown: String = name.chars().take(NAME_MAX).collect();
            return Err(self.failure(103, &[&"identifier", &shown, &NAME_MAX]));
        }
        self.advance();
        Ok(name)
    }

    /// `@name` (no global variable).
    pub(super) fn variable(&mut self) -> Result<String, Failure> {
        match self.token() {
            Some(Token::Word(word)) if is_variable(word) => {
                let name = word.value.clone();
                self.advance();
                Ok(name)
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// Whether a variable is here.
    pub(super) fn is_at_variable(&self) -> bool {
        matches!(self.token(), Some(Token::Word(word)) if is_variable(word))
    }

    /// A name or a variable.
    pub(super) fn name_or_variable(&mut self) -> Result<Word, Failure> {
        if self.is_at_variable() {
            self.variable().map(Word::Variable)
        } else {
            self.name().map(Word::Literal)
        }
    }

    /// A text in quotes.
    pub(super) fn text(&mut self) -> Result<String, Failure> {
        match self.token() {
            Some(Token::SingleQuotedString(text) | Token::NationalStringLiteral(text)) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// A text in quotes or a variable.
    pub(super) fn text_or_variable(&mut self) -> Result<Word, Failure> {
        if self.is_at_variable() {
            self.variable().map(Word::Variable)
        } else {
            self.text().map(Word::Literal)
        }
    }

    /// A whole number.
    pub(super) fn number(&mut self) -> Result<u64, Failure> {
        let number = match self.token() {
            Some(Token::Number(digits, _)) => digits.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => {
                self.advance();
                Ok(number)
            }
            None => Err(self.syntax_error()),
        }
    }

    /// 156 at a reserved word, 102 at anything else, here or at the last token where there is nothing more.
    pub(super) fn syntax_error(&self) -> Failure {
        self.syntax_error_at(self.at)
    }

    /// The same at an index.
    pub(super) fn syntax_error_at(&self, index: usize) -> Failure {
        let last = self.tokens.len().saturating_sub(1);
        let Some(token) = self.tokens.get(index.min(last)) else {
            return at_line(Message::new(102, &[&""]), 1);
        };
        let is_text = matches!(
            token.token,
            Token::SingleQuotedString(_) | Token::NationalStringLiteral(_)
        );
        let message = match keyword_of(&token.token).filter(|word| keywords::is_reserved(word)) {
            Some(_) => Message::new(156, &[&written(&token.token)]),
            None if is_text && self.has_secrets => Message::new(102, &[&HIDDEN]),
            None => Message::new(102, &[&written(&token.token)]),
        };
        at_line(message, line_of(token))
    }

    /// A message of the catalogue, here.
    pub(super) fn failure(&self, number: i32, arguments: &[&dyn Display]) -> Failure {
        at_line(Message::new(number, arguments), self.line())
    }

    /// A message of the catalogue, at the token with this index.
    pub(super) fn failure_at(&self, index: usize, number: i32, arguments: &[&dyn Display]) -> Failure {
        at_line(Message::new(number, arguments), self.line_at(index))
    }

    /// The index of the token that begins at a place of the text.
    pub(super) fn index_at(&self, line: u64, column: u64) -> Option<usize> {
        let place = (line, column);
        let start = |token: &TokenWithSpan| (token.span.start.line, token.span.start.column);
        self.tokens.binary_search_by_key(&place, start).ok()
    }
}

/// The unquoted word that a token is, in upper case; no variable.
pub(super) fn keyword_of(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
        _ => None,
    }
}

fn is_variable(word: &sqlparser::tokenizer::Word) -> bool {
    word.quote_style.is_none() && word.value.starts_with('@') && !word.value.starts_with("@@")
}

fn is_sign(token: &Token) -> bool {
    !matches!(
        token,
        Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) | Token::NationalStringLiteral(_)
    )
}

fn line_of(token: &TokenWithSpan) -> u32 {
    u32::try_from(token.span.start.line).unwrap_or(u32::MAX)
}

/// Whether a batch may hold a secret: its text is then shown nowhere. A word that is put together of pieces (`'PASS' + N'WORD'`)
/// counts as well.
pub(crate) fn speaks_of_secrets(text: &str) -> bool {
    let speaks = |text: &str| text.contains("SECRET") || text.contains("PASSWORD");
    let text = text.to_ascii_uppercase();
    if speaks(&text) {
        return true;
    }
    let joined = text.replace("+N'", "").replace("+ N'", "");
    speaks(&joined.replace(
        |sign: char| sign.is_whitespace() || matches!(sign, '\'' | '"' | '+'),
        "",
    ))
}

/// A token as an error shows it: names and texts without their quotes.
fn written(token: &Token) -> String {
    match token {
        Token::Word(word) => word.value.clone(),
        Token::SingleQuotedString(text) | Token::NationalStringLiteral(text) => text.clone(),
        other => other.to_string(),
    }
}

fn quoted_to_text(token: &mut TokenWithSpan) {
    if let Token::Word(word) = &mut token.token
        && word.quote_style == Some('"')
    {
        debug_assert_eq!(word.keyword, Keyword::NoKeyword);
        token.token = Token::SingleQuotedString(std::mem::take(&mut word.value));
    }
}

fn at_line(mut message: Message, line: u32) -> Failure {
    message.line = line;
    message.into()
}

/// A text, a name or a comment that does not end.
fn unclosed(text: &str, what: &str, place: Location) -> Failure {
    let line = u32::try_from(place.line).unwrap_or(u32::MAX);
    if what.contains("comment") {
        return at_line(Message::new(113, &[]), line);
    }
    let rest: String = text
        .lines()
        .skip(
            usize::try_from(place.line)
                .unwrap_or(usize::MAX)
                .saturating_sub(1),
        )
        .enumerate()
        .map(|(number, content)| match number {
            0 => content
                .chars()
                .skip(usize::try_from(place.column).unwrap_or(0))
                .collect(),
            _ => format!("\n{content}"),
        })
        .collect();
    let shown = match speaks_of_secrets(text) {
        true => HIDDEN,
        false => rest.trim_start_matches(['\'', '"', '[']),
    };
    let mut failure = at_line(Message::new(105, &[&shown]), line);
    let mut near = Message::new(102, &[&shown]);
    near.line = line;
    failure.messages.push(near);
    failure
}
