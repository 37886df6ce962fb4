//! Where a running batch sends what it has to say: the wire behind it, or a list in a test.

use crate::message::Message;
use crate::value::{Column, Value};

/// Takes the answers of a batch in their order.
pub trait Answers: Send {
    /// Information or an error. Information is passed on at once, so that a long statement shows its progress.
    fn message(&mut self, message: Message);
    /// A result begins.
    fn columns(&mut self, columns: &[Column]);
    /// A row of the result that began last.
    fn row(&mut self, row: &[Value]);
    /// A statement ended, having touched or returned `count` rows where it counts any.
    fn done(&mut self, count: Option<u64>);
    /// The session changed its database; the wire tells the client (ENVCHANGE 1 and message 5701).
    fn database(&mut self, old: &str, new: &str);
}

/// One result of a [`Transcript`].
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Vec<Value>>,
}

/// All answers, kept in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// Messages in order.
    pub messages: Vec<Message>,
    /// Results in order.
    pub results: Vec<Rows>,
    /// The counts of the statements, in order.
    pub counts: Vec<Option<u64>>,
}

impl Transcript {
    /// The errors among the messages.
    pub fn errors(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| message.is_error())
    }
}

impl Answers for Transcript {
    fn message(&mut self, message: Message) {
        self.messages.push(message);
    }

    fn columns(&mut self, columns: &[Column]) {
        self.results.push(Rows {
            columns: columns.to_vec(),
            rows: Vec::new(),
        });
    }

    fn row(&mut self, row: &[Value]) {
        self.results
            .last_mut()
            .expect("columns come before rows")
            .rows
            .push(row.to_vec());
    }

    fn done(&mut self, count: Option<u64>) {
        self.counts.push(count);
    }

    fn database(&mut self, _: &str, _: &str) {}
}
