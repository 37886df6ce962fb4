//! Whether a new set meets what the vault has, by its LSNs.
//!
//! The look before the backup ([`super::preflight`]) finds most that is broken; between it and the backup, and where nobody could look,
//! something may have come in between. A set is kept in any case: what it can be used for is the planner's to say.

use bak::Lsn;
use catalog::record::{HealingReason, SetFacts};
use schedule::BackupKind;
use uuid::Uuid;

/// What the vault had before.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    /// LastLSN of its newest log.
    pub(super) log_end: Option<Lsn>,
    /// The greatest LastLSN of its fulls and differentials.
    pub(super) anchor: Option<Lsn>,
    /// BackupSetGUID of its base.
    pub(super) base: Option<Uuid>,
    /// The database's family.
    pub(super) family: Option<Uuid>,
}

/// Why a new set does not meet what the vault has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) reason: HealingReason,
    pub(super) why: String,
}

/// The gap between a new set and what was before; none where they meet.
pub(super) fn gap(kind: BackupKind, set: &SetFacts, before: &Before) -> Option<Gap> {
    let is = |why: String| {
        Some(Gap {
            reason: HealingReason::LsnValidation,
            why,
        })
    };
    if let (Some(ours), Some(theirs)) = (before.family, set.family_guid)
        && ours != theirs
    {
        return is(format!(
            "it is a set of the family {theirs}, the database is of {ours}"
        ));
    }
    match kind {
        BackupKind::Full | BackupKind::CopyOnlyFull => None,
        BackupKind::Differential => {
            if set.base_guid.is_some() && set.base_guid == before.base {
                return None;
            }
            let name = |guid: Option<Uuid>| guid.map_or_else(|| "none".to_owned(), |guid| guid.to_string());
            is(format!(
                "its base is {}, the vault's is {}",
                name(set.base_guid),
                name(before.base)
            ))
        }
        BackupKind::Log => {
            let first: Lsn = set.first_lsn.parse().ok()?;
            match (before.log_end, before.anchor) {
                (Some(end), _) if first != end => is(format!(
                    "it begins at {first}, the vault's newest log ends at {end}"
                )),
                (None, Some(anchor)) if first > anchor => is(format!(
                    "it begins at {first}, behind the newest full that ends at {anchor}"
                )),
                (None, None) => is("no full of the vault leads to it".to_owned()),
                _ => None,
            }
        }
    }
}
