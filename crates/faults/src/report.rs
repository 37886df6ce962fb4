//! A fault, or an entry alone, as people's tools get it: stable JSON with everything that the catalogue adds.

use serde::Serialize;

use crate::code::Code;
use crate::entry::{Actor, Blame, Entry, Origin, Severity};
use crate::fault::Fault;
use crate::heal::Heal;
use crate::operation::Operation;
use crate::said::Said;

/// Names of fields and words never change their meaning; fields may be added.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'a> {
    /// The code.
    pub code: Code,
    /// The code of Azure Backup: the same, or the wider one of a code of bac2's own; null where there is none.
    pub azure_code: Option<Code>,
    /// Where the name comes from.
    pub origin: Origin,
    /// How bad it is.
    pub severity: Severity,
    /// What happened, in general.
    pub message: &'a str,
    /// What it is about; absent in an explanation without a fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'a str>,
    /// What is particular to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// What was being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// What SQL Server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<&'a [Said]>,
    /// Why that can be, the likeliest first.
    pub possible_causes: &'a [String],
    /// What to do, the first thing first.
    pub recommended_actions: &'a [String],
    /// Who must act.
    pub who: &'a [Actor],
    /// Whom it counts against.
    pub blame: Blame,
    /// What heals it without a person.
    pub heal: Heal,
    /// What the vault does by itself.
    pub vault: Option<&'a str>,
    /// Messages of SQL Server that stand for it.
    pub messages: Vec<i32>,
    /// The vault never raises it itself.
    pub known_only: bool,
}

impl From<&'static Entry> for Report<'static> {
    fn from(entry: &'static Entry) -> Self {
        let mut messages: Vec<i32> = entry
            .raised
            .iter()
            .flat_map(|rule| rule.messages.iter().copied())
            // The client library's words have no number.
            .filter(|number| *number != 0)
            .collect();
        messages.sort_unstable();
        messages.dedup();
        Self {
            code: entry.code,
            azure_code: entry.code.azure(),
            origin: entry.origin,
            severity: entry.severity,
            message: &entry.message,
            target: None,
            detail: None,
            operation: None,
            said: None,
            possible_causes: &entry.causes,
            recommended_actions: &entry.actions,
            who: &entry.who,
            blame: entry.blame,
            heal: entry.heal,
            vault: entry.vault.as_deref(),
            messages,
            known_only: entry.known_only,
        }
    }
}

impl<'a> From<&'a Fault> for Report<'a> {
    fn from(fault: &'a Fault) -> Self {
        let there = |text: &'a str| (!text.is_empty()).then_some(text);
        Self {
            target: there(fault.target()),
            detail: there(fault.detail()),
            operation: fault.operation(),
            said: (!fault.said().is_empty()).then(|| fault.said()),
            ..Report::from(fault.entry())
        }
    }
}
