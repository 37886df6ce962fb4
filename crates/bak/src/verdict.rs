//! What verification concludes about one file.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The conclusion about one file. "Cannot verify" is its own verdict: never "ok" and never "damaged".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Read to the end, everything that can be checked holds.
    Ok,
    /// Something is not as it was written.
    Damaged,
    /// The file ends before its last backup set does.
    Truncated,
    /// Sound, but a family of its media set is missing from the files given.
    Incomplete,
    /// Encrypted, or in a form that this reader does not know.
    CannotVerify,
}

impl Verdict {
    /// The name in the JSON contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Damaged => "damaged",
            Self::Truncated => "truncated",
            Self::Incomplete => "incomplete",
            Self::CannotVerify => "cannotVerify",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
