//! Statements after the documented grammar, and what they must become; errors with their lines.

mod backups;
mod databases;
mod flow;
mod queries;

use crate::message::Failure;
use crate::tsql::parse;
use crate::tsql::statement::{Located, Statement};

/// The only statement of a batch.
fn one(text: &str) -> Statement {
    let mut all = all(text);
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0).statement
}

fn all(text: &str) -> Vec<Located> {
    parse(text, true).unwrap_or_else(|failure| panic!("{text}: {failure:?}"))
}

/// Number, text and line of the first error.
fn error(text: &str) -> (i32, String, u32) {
    let Failure { messages } = parse(text, true).expect_err(text);
    (messages[0].number, messages[0].text.clone(), messages[0].line)
}
