//! What goes wrong with a request before there is an answer of the service that the library could judge.

use std::error::Error;
use std::fmt::Write as _;

use azblob::time::UnixMillis;

/// Longest text of somebody else's that a fault repeats.
const WORDS_MAX: usize = 300;

/// What went wrong. Holds no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mishap {
    /// No connection, or it broke.
    #[error("{0}")]
    Connection(String),
    /// Not in time.
    #[error("no answer in time")]
    Timeout,
    /// The answer is a cache's, and how the blob was some time ago.
    #[error("a cache between here and the account gave an old answer")]
    Cached,
    /// More than so many bytes.
    #[error("the answer has more than the {0} bytes that were asked for")]
    TooLarge(usize),
    /// The request could not be made, or the answer is no HTTP.
    #[error("{0}")]
    Broken(String),
    /// The service answered that the signature is past its time.
    #[error("the SAS has expired")]
    Expired {
        /// The status.
        status: u16,
        /// The code.
        code: Option<String>,
        /// When, where the SAS says so.
        at: Option<UnixMillis>,
    },
}

impl Mishap {
    /// Of the HTTP client.
    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_builder() {
            Self::Broken(Self::words(&error))
        } else {
            Self::Connection(Self::words(&error))
        }
    }

    /// Whether it may go well another time.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Connection(_) | Self::Timeout)
    }

    /// An error and what it comes from, in one line.
    pub(super) fn words(error: &(dyn Error + 'static)) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let words = cause.to_string();
            if !text.contains(&words) {
                let _infallible = write!(text, ": {words}");
            }
            source = cause.source();
        }
        plain(&text)
    }
}

/// Somebody else's text, fit for a sentence of ours: one line, not long, and without anything that could be a query.
pub(super) fn plain(text: &str) -> String {
    let (mut out, mut cut) = (String::new(), "");
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word = match word.split_once('?') {
            Some((before, after)) if !after.is_empty() => before,
            _ => word,
        };
        let word = match word.to_ascii_lowercase().find("sig=") {
            Some(at) => &word[..at],
            None => word,
        };
        if word.is_empty() {
            continue;
        }
        if out.chars().count() + word.chars().count() >= WORDS_MAX {
            cut = " ...";
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    format!("{}{cut}", out.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_lose_their_queries() {
        assert_eq!(
            plain("error sending request for url (http://h/a?sv=1&sig=SECRET): refused.\r\nRequestId:1"),
            "error sending request for url (http://h/a refused. RequestId:1"
        );
        assert_eq!(plain("x&SIG=SECRET y"), "x& y");
        assert_eq!(plain("what now? nothing"), "what now? nothing");
        assert!(plain(&"word ".repeat(1_000)).len() < 320);
        assert_eq!(plain(&"w".repeat(1_000)), " ...");
    }
}
