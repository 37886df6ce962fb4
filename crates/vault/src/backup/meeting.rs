//! Whether a new set meets what the vault has, by its LSNs.
//!
//! The look before the backup ([`super::preflight`]) finds most that is broken; between it and the backup, and where nobody could
//! look, something may have come in between. A set is kept in any case: what it can be used for is the planner's to say.

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

/// A log from one LSN to another, of the family and base of the tests.
#[cfg(test)]
pub(super) fn set_of_tests(first: &str, last: &str) -> SetFacts {
    let at = jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0);
    SetFacts {
        guid: Uuid::from_u128(1),
        first_lsn: first.to_owned(),
        last_lsn: last.to_owned(),
        checkpoint_lsn: first.to_owned(),
        database_backup_lsn: None,
        database_guid: None,
        family_guid: Some(Uuid::from_u128(9)),
        fork: Uuid::from_u128(9),
        first_fork: None,
        fork_point: None,
        base_guid: Some(Uuid::from_u128(8)),
        base_lsn: None,
        started: at,
        finished: at,
        offset_minutes: None,
        last_restorable: None,
        recovery_model: "FULL".to_owned(),
        is_bulk_logged: false,
        is_copy_only: false,
        begins_log_chain: false,
        families: 1,
        software_version: "15.0.4102".to_owned(),
        thumbprint: None,
        log: None,
    }
}

#[cfg(test)]
mod tests {
    use schedule::BackupKind::{CopyOnlyFull, Differential, Full, Log};
    use uuid::Uuid;

    use super::{Before, gap, set_of_tests as set};

    const FAMILY: Uuid = Uuid::from_u128(9);
    const BASE: Uuid = Uuid::from_u128(8);

    /// The two logs of the SMO fixture "OlderOutOfSequence", and its full.
    const LOGS: [&str; 3] = ["320000000231800000", "322000000252300000", "324000000242400000"];
    const FULL_END: &str = "289000004659700000";

    fn before(log_end: Option<&str>, anchor: Option<&str>) -> Before {
        Before {
            log_end: log_end.map(|lsn| lsn.parse().unwrap()),
            anchor: anchor.map(|lsn| lsn.parse().unwrap()),
            base: Some(BASE),
            family: Some(FAMILY),
        }
    }

    #[test]
    fn a_log_begins_where_the_last_one_ended() {
        let second = set(LOGS[1], LOGS[2]);
        assert_eq!(gap(Log, &second, &before(Some(LOGS[1]), Some(FULL_END))), None);
        let why = gap(Log, &second, &before(Some(LOGS[0]), Some(FULL_END)))
            .unwrap()
            .why;
        assert!(why.contains(LOGS[0]) && why.contains(LOGS[1]), "{why}");
        assert!(gap(Log, &second, &before(Some(LOGS[2]), Some(FULL_END))).is_some());
    }

    #[test]
    fn the_first_log_begins_within_what_it_stands_on() {
        assert_eq!(
            gap(Log, &set(FULL_END, LOGS[0]), &before(None, Some(FULL_END))),
            None
        );
        assert!(gap(Log, &set(LOGS[0], LOGS[1]), &before(None, Some(FULL_END))).is_some());
        assert!(gap(Log, &set(LOGS[0], LOGS[1]), &before(None, None)).is_some());
    }

    #[test]
    fn a_differential_stands_on_the_vaults_full() {
        let mut differential = set(LOGS[0], LOGS[1]);
        assert_eq!(gap(Differential, &differential, &before(None, None)), None);
        differential.base_guid = Some(Uuid::from_u128(7));
        assert!(gap(Differential, &differential, &before(None, None)).is_some());
        differential.base_guid = None;
        let nothing = Before {
            base: None,
            ..before(None, None)
        };
        assert!(gap(Differential, &differential, &nothing).is_some());
    }

    #[test]
    fn a_full_stands_alone_but_must_be_of_the_database() {
        for kind in [Full, CopyOnlyFull] {
            assert_eq!(gap(kind, &set(LOGS[0], LOGS[1]), &before(None, None)), None);
            let mut other = set(LOGS[0], LOGS[1]);
            other.family_guid = Some(Uuid::from_u128(3));
            assert!(gap(kind, &other, &before(None, None)).is_some());
        }
    }
}
