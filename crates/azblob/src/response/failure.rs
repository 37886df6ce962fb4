//! What a client makes of an answer that is no success. The body is that of [`crate::error::render`].

use http::HeaderMap;

use super::read_headers::text;
use crate::error::ErrorCode;
use crate::xml::{self, Step, Walker};

/// What a client learns from an answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// The code, from the header or the body; empty when the answer has neither.
    pub code: String,
    /// The sentence; empty when the answer has none, as to HEAD.
    pub message: String,
}

impl Failure {
    /// Reads an answer. Never fails: what is not there or not readable stays empty.
    pub fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut failure = Self {
            status,
            code: String::new(),
            message: String::new(),
        };
        failure.read_body(body);
        if let Some(code) = text(headers, "x-ms-error-code") {
            code.clone_into(&mut failure.code);
        }
        failure
    }

    /// The code, where it is one that this crate knows.
    pub fn error_code(&self) -> Option<ErrorCode> {
        self.code.parse().ok()
    }

    fn read_body(&mut self, body: &[u8]) {
        let Ok(text) = xml::decode(body) else { return };
        let mut walker = Walker::new(&text);
        while let Ok(step) = walker.step() {
            match step {
                Step::Close { name, text } if name == "Code" && self.code.is_empty() => self.code = text,
                Step::Close { name, text } if name == "Message" && self.message.is_empty() => {
                    self.message = text;
                }
                Step::End => return,
                Step::Open { .. } | Step::Close { .. } => {}
            }
        }
    }
}
