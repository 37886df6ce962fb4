//! What the catalogue says about one code.

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::heal::Heal;
use crate::rule::Rule;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// For the record; nothing was lost and nothing needs doing.
    Info,
    /// The thing asked for was done or skipped, and somebody should look.
    Warning,
    /// The thing asked for was not done.
    Error,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Actor {
    /// Who asked for it: by asking differently.
    User,
    /// Who administers the SQL Server instance.
    Dba,
    /// Who runs the machines and the network, the vault's own among them.
    Operator,
    /// The vault does it by itself.
    Vault,
}

/// Whom a report of reliability counts it against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Blame {
    /// The user's side: the instance, its machine, its settings, or what was asked for.
    User,
    /// The vault.
    Service,
}

/// Where the name of a code comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// Azure Backup's codes for SQL Server in virtual machines.
    AzureSql,
    /// The runbook for failed restores and missed recovery point objectives.
    Runbook,
    /// Azure Backup's codes for other workloads and for machines as a whole.
    Azure,
    /// bac2's own.
    Bac2,
}

/// One code's entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The code.
    #[serde(rename = "name")]
    pub code: Code,
    /// Where its name comes from.
    pub origin: Origin,
    /// How bad it is.
    pub severity: Severity,
    /// Whom it counts against.
    pub blame: Blame,
    /// Who must act, the first one first. [`Actor::Vault`] only where [`heal`](Self::heal) is not [`Heal::None`].
    pub who: Vec<Actor>,
    /// What heals it without a person.
    pub heal: Heal,
    /// The wider code of Azure Backup that this code of bac2's own is a closer name for.
    #[serde(default)]
    pub refines: Option<Code>,
    /// The vault never raises it itself: it is explained for those who know it from Azure Backup.
    #[serde(default)]
    pub known_only: bool,
    /// What happened: one sentence, with its full stop.
    pub message: String,
    /// Why that can be, the likeliest first.
    pub causes: Vec<String>,
    /// What to do, the first thing first; each begins with a verb.
    pub actions: Vec<String>,
    /// What the vault does by itself: one sentence. There wherever [`heal`](Self::heal) is not [`Heal::None`].
    #[serde(default)]
    pub vault: Option<String>,
    /// Where others write about it: `document#section`, of the documents named at the catalogue's head.
    #[serde(default)]
    pub see: Vec<String>,
    /// What SQL Server says then.
    #[serde(default)]
    pub raised: Vec<Rule>,
}

impl Entry {
    /// The entry of `code`.
    pub fn of(code: Code) -> &'static Self {
        crate::catalogue::get(code)
    }

    /// The first thing to do, without a full stop.
    pub fn next_step(&self) -> &str {
        self.actions
            .first()
            .map_or("", |action| action.trim_end_matches('.'))
    }

    /// The sentence of what happened, without a full stop.
    pub fn happened(&self) -> &str {
        self.message.trim_end_matches('.')
    }
}
