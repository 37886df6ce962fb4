//! What an instance tells a client beside rows: information and errors, in order, with number, state, class and line.
//!
//! Texts come from [`catalogue`], keyed by number, so that sys.messages, the wire and the tests read one source.

pub mod catalogue;

/// A message. Class 0 to 10 informs, 11 to 19 is an error that ends the statement, 20 and above ends the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Number in sys.messages.
    pub number: i32,
    /// State, 1 where nothing else is known.
    pub state: u8,
    /// Severity.
    pub class: u8,
    /// The text with its arguments filled in.
    pub text: String,
    /// Line in the batch, from 1; 0 outside of any.
    pub line: u32,
    /// Procedure, empty outside of any.
    pub procedure: String,
}

impl Message {
    /// The message `number` of the [`catalogue`] with `{0}`, `{1}`, ... replaced by `arguments`.
    ///
    /// # Panics
    /// Where the catalogue has no such number: a programming error, found by the first test that raises it.
    #[must_use]
    pub fn new(number: i32, arguments: &[&dyn std::fmt::Display]) -> Self {
        let entry = catalogue::find(number)
            .unwrap_or_else(|| panic!("the catalogue holds every number that is raised, {number} too"));
        let mut text = entry.text.to_owned();
        for (place, argument) in arguments.iter().enumerate() {
            text = text.replace(&format!("{{{place}}}"), &argument.to_string());
        }
        Self {
            number,
            state: 1,
            class: entry.class,
            text,
            line: 0,
            procedure: String::new(),
        }
    }

    /// The same with another state.
    #[must_use]
    pub fn with_state(mut self, state: u8) -> Self {
        self.state = state;
        self
    }

    /// Whether it ends the statement.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.class > 10
    }
}

/// A statement that failed: its errors in order. For BACKUP and RESTORE the last is 3013.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The errors; at least one. Empty only for a statement that was cancelled.
    pub messages: Vec<Message>,
}

impl Failure {
    /// One error.
    #[must_use]
    pub fn new(number: i32, arguments: &[&dyn std::fmt::Display]) -> Self {
        Message::new(number, arguments).into()
    }

    /// A cancelled statement says nothing; the wire acknowledges the attention.
    #[must_use]
    pub fn cancelled() -> Self {
        Self { messages: Vec::new() }
    }

    /// Followed by another error.
    #[must_use]
    pub fn and(mut self, number: i32, arguments: &[&dyn std::fmt::Display]) -> Self {
        if !self.messages.is_empty() {
            self.messages.push(Message::new(number, arguments));
        }
        self
    }
}

impl From<Message> for Failure {
    fn from(message: Message) -> Self {
        Self {
            messages: vec![message],
        }
    }
}
