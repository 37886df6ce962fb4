//! What the command line says when something does not work: one sentence, a code, the next step, and the exit code.
//!
//! Codes are words a person can search for and a script can match; they never change their meaning. Libraries below
//! return their own errors; they become a `Failure` here, once, at the border to the person.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// How a command ended. Ordered by weight: of several ends the heaviest is the command's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, with warnings perhaps.
    Done,
    /// The thing asked for failed or was found damaged.
    Failed,
    /// Wrong usage or unreadable input: there is no answer.
    Unusable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::Unusable => Self::from(2),
        }
    }
}

/// One thing that did not work.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    code: &'static str,
    next: String,
    exit: Exit,
}

impl Failure {
    /// The thing asked for failed: exit code 1.
    pub(crate) fn failed(code: &'static str, sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            code,
            next: next.into(),
            exit: Exit::Failed,
        }
    }

    /// Wrong usage or unreadable input: exit code 2.
    pub(crate) fn unusable(code: &'static str, sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            code,
            next: next.into(),
            exit: Exit::Unusable,
        }
    }

    /// What became of reading `path`.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        let shown = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => Self::unusable(
                "FileNotFound",
                format!("{shown} does not exist"),
                "check the spelling; a path with spaces needs quotes",
            ),
            io::ErrorKind::PermissionDenied => Self::unusable(
                "PermissionDenied",
                format!("{shown} may not be read by this user"),
                "run as a user who may read it, or copy it to a place of your own",
            ),
            io::ErrorKind::IsADirectory => Self::directory(path),
            _ => Self::unusable(
                "ReadFailed",
                format!("{shown} could not be read: {error}"),
                "look at the disk and the system log, then try another copy of the file",
            ),
        }
    }

    /// Standard output takes no more.
    pub(crate) fn output(error: &io::Error) -> Self {
        Self::failed(
            "OutputFailed",
            format!("the answer could not be written to standard output: {error}"),
            "make room, or send the output elsewhere",
        )
    }

    /// A directory where a file was expected.
    pub(crate) fn directory(path: &Path) -> Self {
        Self::unusable(
            "IsADirectory",
            format!("{} is a directory", path.display()),
            "add --recursive to take the backups in it, or name files",
        )
    }

    /// How a command that met this ends.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The word to search for.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// What happened, without code and next step.
    pub(crate) fn sentence(&self) -> &str {
        &self.sentence
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}. [{}]\n  next: {}",
            self.sentence.trim_end_matches('.'),
            self.code,
            self.next
        )
    }
}
