//! What a report is about: which command, where, under which terms.

use azblob::time::UnixMillis;

use crate::ruling::Terms;
use crate::scope::Scope;

/// The circumstances of a run, for the summary of a workbook. Two runs that did different things differ here or in the
/// actions of their rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// The account's address, without any secret.
    pub account: String,
    /// `list`, `break`, `delete`, `watch --act break`, ...
    pub command: String,
    /// Nothing was changed, whatever the command.
    pub dry_run: bool,
    /// Where it looked.
    pub scope: Scope,
    /// Under which terms a lease could be broken.
    pub terms: Terms,
    /// The servers that were asked what they run; empty where none were.
    pub asked: Vec<String>,
    /// When the report was made; also the creation time of the document.
    pub at: UnixMillis,
}
