//! One failure as it is kept and shown: its code, what SQL Server said, and what this one is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::classify::judge;
use crate::code::Code;
use crate::entry::Entry;
use crate::operation::Operation;
use crate::said::{Said, bounded};

/// Messages kept of one failure: the first ones and the last ones. A restore of many files says a line for each.
pub const SAID_MAX: usize = 32;

/// A detail is cut after this many characters.
pub const DETAIL_MAX: usize = 1_024;

/// What failed is cut after this many characters: a name on each side of a `/`, 128 characters each, and some room.
pub const TARGET_MAX: usize = 512;

/// A failure. Its JSON form is what records keep; [`Report`](crate::Report) is the one for people and scripts.
///
/// It holds no secret, and at most [`SAID_MAX`] messages, [`DETAIL_MAX`] and [`TARGET_MAX`] characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Raw")]
pub struct Fault {
    code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Operation>,
    #[serde(skip_serializing_if = "String::is_empty")]
    target: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    said: Vec<Said>,
}

/// As it comes out of a record.
#[derive(Deserialize)]
struct Raw {
    code: Code,
    #[serde(default)]
    operation: Option<Operation>,
    #[serde(default)]
    target: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    said: Vec<Said>,
}

impl From<Raw> for Fault {
    fn from(raw: Raw) -> Self {
        Self {
            operation: raw.operation,
            said: kept(raw.said),
            ..Self::new(raw.code).at(&raw.target).because(&raw.detail)
        }
    }
}

impl Fault {
    /// A failure that the vault found out itself.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            operation: None,
            target: String::new(),
            detail: String::new(),
            said: Vec::new(),
        }
    }

    /// A failure by what SQL Server said in `operation`, in the order in which it was said.
    pub fn of(operation: Operation, said: &[Said]) -> Self {
        let (code, _) = judge(operation, said);
        Self {
            operation: Some(operation),
            said: kept(said.to_vec()),
            ..Self::new(code)
        }
    }

    /// About this: `SERVER/DATABASE`, a job, a file, a policy's field.
    #[must_use]
    pub fn at(mut self, target: &str) -> Self {
        self.target = bounded(target, TARGET_MAX);
        self
    }

    /// What is particular to this failure: a figure, a name, a time. Without a full stop.
    #[must_use]
    pub fn because(mut self, detail: &str) -> Self {
        let mut detail = bounded(detail, DETAIL_MAX);
        // Three dots are a cut, one is the end of a sentence.
        if !detail.ends_with("...") {
            detail.truncate(detail.trim_end_matches(['.', ' ']).len());
        }
        self.detail = detail;
        self
    }

    /// The same with what SQL Server said in `operation`, where the vault knows the code better than the messages tell.
    #[must_use]
    pub fn with_said(mut self, operation: Operation, said: &[Said]) -> Self {
        self.operation = Some(operation);
        self.said = kept(said.to_vec());
        self
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What was being done, where SQL Server spoke.
    pub fn operation(&self) -> Option<Operation> {
        self.operation
    }

    /// What it is about; empty where that is clear.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What is particular to it; empty where there is nothing.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What SQL Server said, in its order.
    pub fn said(&self) -> &[Said] {
        &self.said
    }

    /// What the catalogue says of its code.
    pub fn entry(&self) -> &'static Entry {
        self.code.entry()
    }

    /// The message that tells most about it: the one that decides the code, else the first error.
    pub fn decisive(&self) -> Option<&Said> {
        let judged = self
            .operation
            .and_then(|operation| judge(operation, &self.said).1);
        judged
            .map(|at| &self.said[at])
            .or_else(|| self.said.iter().find(|said| said.is_error()))
    }

    /// What happened, without code, next step and full stop.
    pub fn happened(&self) -> String {
        let mut sentence = match self.target.as_str() {
            "" => String::new(),
            target => format!("{target}: "),
        };
        sentence.push_str(self.entry().happened());
        if !self.detail.is_empty() {
            sentence.push_str(": ");
            sentence.push_str(&self.detail);
        }
        if let Some(said) = self.decisive() {
            let who = if said.number() == 0 {
                "the connection"
            } else {
                "SQL Server"
            };
            sentence.push_str(&format!(
                " ({who} said: {})",
                said.to_string().trim_end_matches('.')
            ));
        }
        sentence
    }
}

/// One sentence, the code, the next step.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} [{}]; next: {}",
            self.happened(),
            self.code,
            self.entry().next_step()
        )
    }
}

impl std::error::Error for Fault {}

/// The first and the last of many messages: the first error is the cause, the last ones say how it ended.
fn kept(mut said: Vec<Said>) -> Vec<Said> {
    if said.len() > SAID_MAX {
        let from = SAID_MAX / 2;
        said.drain(from..said.len() - (SAID_MAX - from));
    }
    said
}
