//! On which replica of an availability group a backup runs: the group's preference, by the kinds that SQL Server allows where.
//!
//! | preference | full, differential | log, copy-only full |
//! |---|---|---|
//! | primary | primary | primary |
//! | secondary only | primary | a secondary |
//! | prefer secondary | primary | a secondary, else the primary |
//! | any | primary | any |
//!
//! In a basic group all are the primary's. A replica that does not answer is none that can be chosen; the others are asked then.

use catalog::record::{Server, ServerId, ServerState};
use catalog::{Range, Slot};
use faults::{Code, Fault, Operation};
use mssql::Session;
use mssql::databases::Database;
use mssql::groups::{self, Preference, Replica};
use schedule::BackupKind;

use super::ground::Ground;
use crate::registration::failed;
use crate::vault::Vault;

/// A replica, as far as the choice needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// `MACHINE` or `MACHINE\INSTANCE`.
    pub(super) name: String,
    /// Its record, where it is registered and can be worked with.
    pub(super) server: Option<ServerId>,
    /// It is the primary.
    pub(super) is_primary: bool,
    /// It is the one that was asked.
    pub(super) is_local: bool,
    /// It is known not to be in touch with the group.
    pub(super) is_apart: bool,
}

/// The replica that takes a backup of this kind.
///
/// # Errors
/// Why none can.
pub(super) fn choose(
    kind: BackupKind,
    preference: Preference,
    replicas: &[Candidate],
) -> Result<ServerId, String> {
    let wants_primary = matches!(kind, BackupKind::Full | BackupKind::Differential);
    let primary = || {
        let primary = replicas
            .iter()
            .find(|one| one.is_primary)
            .ok_or("no replica is known to be the primary")?;
        primary.server.ok_or_else(|| {
            format!(
                "the primary {} is not registered, not ready, or does not answer",
                primary.name
            )
        })
    };
    // The one that was asked before others: its session is open.
    let secondary = || {
        let mut able: Vec<_> = replicas
            .iter()
            .filter(|one| !one.is_primary && !one.is_apart && one.server.is_some())
            .collect();
        able.sort_by_key(|one| (!one.is_local, one.name.clone()));
        able.first().and_then(|one| one.server)
    };
    match preference {
        _ if wants_primary => primary(),
        Preference::Primary => primary(),
        Preference::SecondaryOnly => secondary().ok_or_else(|| {
            "the group wants this backup on a secondary, and none is registered and healthy".to_owned()
        }),
        Preference::Secondary => secondary().map_or_else(primary, Ok),
        Preference::Any => {
            let local = replicas
                .iter()
                .find(|one| one.is_local && !one.is_apart)
                .and_then(|one| one.server);
            local.or_else(secondary).map_or_else(primary, Ok)
        }
    }
}

/// The role that a replica was found in.
pub(super) fn is_secondary(replicas: &[Replica]) -> bool {
    let local = replicas.iter().find(|one| one.is_local);
    local.is_some_and(|one| one.role.as_deref() != Some("PRIMARY"))
}

impl Vault {
    /// The replicas of the group that a database is in, as the replica asked sees them.
    ///
    /// # Errors
    /// It cannot be asked.
    pub(super) async fn replicas_of(
        &self,
        session: &mut Session,
        ground: &Ground,
        seen: &Database,
    ) -> Result<Vec<Replica>, Fault> {
        let target = ground.target();
        let all = groups::ask(session)
            .await
            .map_err(|error| failed(Operation::Backup, &target, error))?;
        let group = all
            .iter()
            .find(|one| Some(one.replica) == seen.replica)
            .map(|one| one.group);
        Ok(all.into_iter().filter(|one| Some(one.group) == group).collect())
    }

    /// Another instance of the group that an item's database is in, where it is in one: the one that was the primary last comes
    /// first. `silent` do not answer.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(super) async fn another_replica(
        &self,
        ground: &Ground,
        silent: &[ServerId],
    ) -> Result<Option<Server>, Fault> {
        let Some(group) = ground.database.group else {
            return Ok(None);
        };
        let primary = |server: &Server| {
            let seen = server.groups.iter().find(|seen| seen.id == group);
            seen.map(|seen| seen.is_primary)
        };
        let mut others: Vec<Server> = self
            .list::<Server>(Slot::A, Range::ALL)
            .await?
            .into_iter()
            .map(|server| server.record)
            .filter(|server| {
                server.is_registered() && primary(server).is_some() && !silent.contains(&server.id)
            })
            .collect();
        others.sort_by_key(|server| (primary(server) != Some(true), server.name.clone()));
        Ok(others.into_iter().next())
    }

    /// The instance that takes a backup of this kind. `silent` do not answer.
    ///
    /// # Errors
    /// `FabricSvcBackupPreferenceCheckFailedUserError` where none can.
    pub(super) async fn chosen_replica(
        &self,
        ground: &Ground,
        replicas: &[Replica],
        kind: BackupKind,
        silent: &[ServerId],
    ) -> Result<Server, Fault> {
        let servers: Vec<Server> = self
            .list::<Server>(Slot::A, Range::ALL)
            .await?
            .into_iter()
            .map(|server| server.record)
            .filter(|server| server.state == ServerState::Ready || server.id == ground.server.id)
            .filter(|server| server.is_registered() && !silent.contains(&server.id))
            .collect();
        let preference = match replicas.first() {
            Some(one) if !one.is_basic => one.preference,
            _ => Preference::Primary,
        };
        let candidates: Vec<Candidate> = replicas.iter().map(|one| candidate(one, &servers)).collect();
        let refused = |why: &str| {
            Fault::new(Code::FabricSvcBackupPreferenceCheckFailedUserError)
                .at(&ground.target())
                .because(why)
        };
        let id = choose(kind, preference, &candidates).map_err(|why| refused(&why))?;
        servers
            .into_iter()
            .find(|server| server.id == id)
            .ok_or_else(|| refused("the replica chosen is gone"))
    }
}

fn candidate(replica: &Replica, servers: &[Server]) -> Candidate {
    let server = servers.iter().find(|server| {
        server
            .facts
            .as_ref()
            .is_some_and(|facts| facts.server_name.eq_ignore_ascii_case(&replica.server_name))
    });
    // A secondary does not see the roles of others, but who the primary is; else what each said of itself last.
    let said = || {
        if let Some(primary) = &replica.primary {
            return primary.eq_ignore_ascii_case(&replica.server_name);
        }
        let groups = server.map(|server| server.groups.as_slice()).unwrap_or_default();
        groups
            .iter()
            .any(|group| group.id == replica.group && group.is_primary)
    };
    let is = |value: &Option<String>, word: &str| value.as_deref() == Some(word);
    Candidate {
        name: replica.server_name.clone(),
        server: server.map(|server| server.id),
        is_primary: match replica.role.as_deref() {
            Some(role) => role == "PRIMARY",
            None => said(),
        },
        is_local: replica.is_local,
        is_apart: is(&replica.connected, "DISCONNECTED") || is(&replica.health, "NOT_HEALTHY"),
    }
}

#[cfg(test)]
mod tests {
    use catalog::record::ServerId;
    use mssql::groups::Preference;
    use schedule::BackupKind::{self, CopyOnlyFull, Differential, Full, Log};
    use uuid::Uuid;

    use super::{Candidate, choose};

    fn replica(name: &str, number: u128, is_primary: bool) -> Candidate {
        Candidate {
            name: name.to_owned(),
            server: Some(ServerId(Uuid::from_u128(number))),
            is_primary,
            is_local: is_primary,
            is_apart: false,
        }
    }

    fn number(kind: BackupKind, preference: Preference, replicas: &[Candidate]) -> Result<u128, String> {
        choose(kind, preference, replicas).map(|server| server.0.as_u128())
    }

    #[test]
    fn the_table_of_preferences() {
        let both = [replica("A", 1, true), replica("B", 2, false)];
        for preference in [
            Preference::Primary,
            Preference::SecondaryOnly,
            Preference::Secondary,
            Preference::Any,
        ] {
            for kind in [Full, Differential] {
                assert_eq!(number(kind, preference, &both), Ok(1), "{preference:?} {kind}");
            }
        }
        for kind in [Log, CopyOnlyFull] {
            assert_eq!(number(kind, Preference::Primary, &both), Ok(1));
            assert_eq!(number(kind, Preference::SecondaryOnly, &both), Ok(2));
            assert_eq!(number(kind, Preference::Secondary, &both), Ok(2));
            assert_eq!(
                number(kind, Preference::Any, &both),
                Ok(1),
                "the one that was asked"
            );
        }
    }

    #[test]
    fn what_is_not_registered_or_apart_takes_nothing() {
        let mut both = [replica("A", 1, true), replica("B", 2, false)];
        both[1].is_apart = true;
        assert_eq!(number(Log, Preference::Secondary, &both), Ok(1));
        assert!(number(Log, Preference::SecondaryOnly, &both).is_err());
        both[0].server = None;
        let why = number(Full, Preference::Any, &both).unwrap_err();
        assert!(why.contains("primary A"), "{why}");
        assert!(number(Log, Preference::Secondary, &both).is_err());
        assert!(number(Log, Preference::Primary, &[]).is_err());
    }
}
