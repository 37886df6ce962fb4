//! `sys.fn_hadr_backup_is_preferred_replica(database)`: whether this replica is the one to back a database up.
//!
//! A database outside of any group is always backed up here. In a group, by its preference: only the primary (0), only
//! secondaries (1), secondaries before the primary (2), anyone (3). Among those the highest backup priority wins, and of equals
//! the first by name: exactly one replica is preferred. Priority 0 never is; the primary of preference 0 is whatever its priority
//! says. A basic group's secondary takes no backups at all.

use super::call::{Answer, Call, of};
use super::groups::{Replica, replicas_of};
use crate::instance::server::{AvailabilityGroup, ReplicaRole};
use crate::value::{SqlType, Value};

/// Answers, or not.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    if call.name != "FN_HADR_BACKUP_IS_PREFERRED_REPLICA" {
        return None;
    }
    if let Err(failure) = call.expect(1, 1) {
        return Some(Err(failure));
    }
    let answer = preferred(call).map_or(Value::Null, Value::Bit);
    of(SqlType::Bit, answer)
}

/// `None` for NULL. An unknown name is no database of any group, and SQL Server does not look further.
fn preferred(call: &Call<'_>) -> Option<bool> {
    let wanted = call.text(0)?;
    let own = call.session.instance.settings.server_name();
    let state = call.state();
    let Some(entry) = state.database(&wanted) else {
        return Some(true);
    };
    let group = state
        .server
        .groups
        .values()
        .find(|group| group.databases.contains_key(&entry.name));
    Some(group.is_none_or(|group| is_preferred(group, &own)))
}

/// Whether this replica is the group's choice.
fn is_preferred(group: &AvailabilityGroup, own: &str) -> bool {
    if group.preference == 0 || group.is_basic || group.role == ReplicaRole::Resolving {
        return group.role == ReplicaRole::Primary;
    }
    let replicas = replicas_of(group, own);
    let of_role = |role: ReplicaRole| {
        let candidates = replicas
            .iter()
            .filter(move |replica| replica.role == role && replica.priority > 0);
        best(candidates)
    };
    let choice = match group.preference {
        1 => of_role(ReplicaRole::Secondary),
        3 => best(replicas.iter().filter(|replica| replica.priority > 0)),
        _ => of_role(ReplicaRole::Secondary).or_else(|| of_role(ReplicaRole::Primary)),
    };
    choice.is_some_and(|replica| replica.is_local)
}

fn best<'a>(candidates: impl Iterator<Item = &'a Replica>) -> Option<&'a Replica> {
    candidates.min_by_key(|replica| (std::cmp::Reverse(replica.priority), replica.server.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::is_preferred;
    use crate::instance::server::{AvailabilityGroup, ReplicaRole};

    fn group(role: ReplicaRole, preference: u8, others: &[(&str, u8)]) -> AvailabilityGroup {
        AvailabilityGroup {
            role,
            preference,
            replicas: others
                .iter()
                .map(|(name, priority)| ((*name).to_owned(), *priority))
                .collect(),
            ..AvailabilityGroup::new("G", "N2")
        }
    }

    #[test]
    fn preferences_priorities_and_names_choose_exactly_one() {
        use ReplicaRole::{Primary, Resolving, Secondary};
        let is =
            |role, preference, others: &[(&str, u8)]| is_preferred(&group(role, preference, others), "N2");
        // PRIMARY.
        assert!(is(Primary, 0, &[("N1", 50)]));
        assert!(!is(Secondary, 0, &[("N1", 50)]));
        // SECONDARY_ONLY: never the primary; where it is alone nobody is.
        assert!(!is(Primary, 1, &[]));
        assert!(is(Secondary, 1, &[("N1", 50)]));
        // SECONDARY: the primary where there is no secondary that may.
        assert!(is(Primary, 2, &[]));
        assert!(!is(Primary, 2, &[("N1", 50)]));
        assert!(is(Primary, 2, &[("N1", 0)]));
        // NONE: the first by name among equals, else the highest priority.
        assert!(!is(Primary, 3, &[("N1", 50)]));
        assert!(is(Primary, 3, &[("N3", 50)]));
        assert!(is(Primary, 3, &[("N1", 40)]));
        assert!(!is(Secondary, 3, &[("N1", 10), ("N2", 0)]));
        assert!(!is(Resolving, 3, &[]));
    }
}
