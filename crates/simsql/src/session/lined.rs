//! Answers of one statement: its messages get its line.

use crate::answers::Answers;
use crate::message::Message;
use crate::value::{Column, Value};

/// Answers with a line.
pub(crate) struct Lined<'a> {
    inner: &'a mut dyn Answers,
    line: u32,
}

impl<'a> Lined<'a> {
    /// Those of the statement at `line`.
    pub(crate) fn new(inner: &'a mut dyn Answers, line: u32) -> Self {
        Self { inner, line }
    }
}

impl Answers for Lined<'_> {
    fn message(&mut self, mut message: Message) {
        if message.line == 0 {
            message.line = self.line;
        }
        self.inner.message(message);
    }

    fn columns(&mut self, columns: &[Column]) {
        self.inner.columns(columns);
    }

    fn row(&mut self, row: &[Value]) {
        self.inner.row(row);
    }

    fn done(&mut self, count: Option<u64>) {
        self.inner.done(count);
    }

    fn database(&mut self, old: &str, new: &str) {
        self.inner.database(old, new);
    }
}
