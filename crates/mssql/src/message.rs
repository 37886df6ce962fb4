//! What SQL Server says beside rows: information and errors, with number, state, class, line and procedure.

use std::fmt;

/// BACKUP or RESTORE succeeded: `%hs successfully processed %I64d pages in %d.%03d seconds (%d.%03d MB/sec).`
pub const SUCCEEDED: i32 = 3014;
/// `The backup set on file %d is valid.`: what RESTORE VERIFYONLY says at success.
pub const SET_IS_VALID: i32 = 3262;
/// `%hs is terminating abnormally.`: the trailer behind the cause.
pub const TERMINATES_ABNORMALLY: i32 = 3013;

/// Classes from here on are errors; what is below informs.
pub const ERROR_CLASS: u8 = 11;
/// Classes from here on end the connection.
pub const FATAL_CLASS: u8 = 20;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Number in sys.messages; 50000 and above are users' own.
    pub number: i32,
    /// State.
    pub state: u8,
    /// Severity: 0 to 10 informs, 11 to 19 is an error that ends the statement, 20 and above ends the connection.
    pub class: u8,
    /// Line in the batch, from 1; 0 outside of any.
    pub line: u32,
    /// Procedure; empty outside of any.
    pub procedure: String,
    /// The text.
    pub text: String,
}

impl Message {
    /// Whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.class >= ERROR_CLASS
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (message {}, level {}, state {})",
            self.text, self.number, self.class, self.state
        )
    }
}

/// The error that explains a failure: the first one, since 3013 only trails; `None` where there is no error.
#[must_use]
pub fn cause(messages: &[Message]) -> Option<&Message> {
    let mut errors = messages.iter().filter(|message| message.is_error());
    let first = errors.clone().find(|one| one.number != TERMINATES_ABNORMALLY);
    first.or_else(|| errors.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: i32, class: u8) -> Message {
        Message {
            number,
            state: 1,
            class,
            line: 1,
            procedure: String::new(),
            text: String::new(),
        }
    }

    #[test]
    fn the_cause_is_the_first_error_but_never_the_trailer() {
        let said = [message(3211, 0), message(3013, 16), message(3201, 16)];
        assert_eq!(cause(&said).map(|one| one.number), Some(3201));
        assert_eq!(cause(&said[..2]).map(|one| one.number), Some(3013));
        assert_eq!(cause(&said[..1]), None);
    }
}
