//! Asking an instance for everything that discovery and readiness need, and keeping what it said.

use std::collections::BTreeSet;

use catalog::keys::tuple;
use catalog::record::{
    Database, Facts, GroupSeen, Probe, Server, ServerId, ServerState, Vault as VaultRecord, name_key,
};
use catalog::{Query, Range, Scope, Slot, Transaction, page};
use faults::{Fault, Operation};
use mssql::Session;
use uuid::Uuid;

use super::compare::compare;
use super::due;
use super::seen::{self, Membership, Seen};
use crate::readiness::{Certificate, Looked as Probed, certificates, probes};
use crate::records::{LIST_MAX, Trouble, fault};
use crate::registration::{Identity, Known, failed, judge, marked};
use crate::vault::Vault;

const SHIPPED: &str = "SELECT primary_database FROM msdb.dbo.log_shipping_primary_databases;";

/// What an instance said.
pub(crate) struct Looked {
    pub(crate) facts: Facts,
    pub(crate) rights: mssql::facts::Rights,
    /// Whether it is the instance that was registered.
    pub(crate) identity: Result<Identity, Fault>,
    pub(crate) databases: Vec<Seen>,
    /// None where the login may not see them.
    pub(crate) groups: Option<Vec<GroupSeen>>,
    /// None where the login may not see them.
    pub(crate) certificates: Option<Vec<Certificate>>,
    /// Whether logs may go to a folder on the server.
    pub(crate) overflows: bool,
}

impl Looked {
    /// The probes of what was said.
    pub(crate) fn probes(&self, name: &str) -> Vec<Probe> {
        probes(&Probed {
            name,
            facts: &self.facts,
            rights: &self.rights,
            databases: &self.databases,
            certificates: self.certificates.as_deref(),
            marker: self.identity.as_ref().err(),
            overflows: self.overflows,
        })
    }
}

impl Vault {
    /// Asks, and changes nothing.
    ///
    /// # Errors
    /// The instance cannot be asked. That it is another one is in the answer.
    pub(crate) async fn look(&self, server: &Server, session: &mut Session) -> Result<Looked, Fault> {
        let failed = |error| failed(Operation::Discovery, &server.name, error);
        let said = mssql::facts::ask(session).await.map_err(failed)?;
        let facts = seen::server_facts(&said, self.now());
        let mark = marked(session, &server.name, &said.rights).await?;
        let known = Known {
            vault: self.id,
            server: server.id,
            name: &server.name,
            facts: server.facts.as_ref(),
            mark: server.marker,
        };
        let identity = judge(known, &facts, &mark);
        let replicas = match (facts.is_hadr, mssql::groups::ask(session).await) {
            (_, Ok(replicas)) => Some(replicas),
            // Without groups there is nothing to see.
            (false, Err(mssql::Error::Refused { .. })) => Some(Vec::new()),
            (true, Err(mssql::Error::Refused { .. })) => None,
            (_, Err(error)) => return Err(failed(error)),
        };
        let mut shipped = BTreeSet::new();
        if said.rights.sysadmin || said.rights.read_history {
            match session.query(SHIPPED).await {
                Ok(rows) => {
                    for row in rows.iter() {
                        let name: String = row.get("primary_database").map_err(failed)?;
                        shipped.insert(name.to_lowercase());
                    }
                }
                Err(mssql::Error::Refused { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let databases = mssql::databases::ask(session).await.map_err(failed)?;
        Ok(Looked {
            databases: seen::databases(databases, replicas.as_deref(), &shipped),
            groups: replicas.as_deref().map(seen::groups),
            certificates: certificates(session, &server.name).await?,
            facts,
            rights: said.rights,
            identity,
            overflows: server.settings.log_overflow.is_some(),
        })
    }

    /// Compares what was seen with what was known, and writes what became of it.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn take_in(&self, server: &Server, looked: &Looked) -> Result<(), Fault> {
        let mut known = self.databases_of(server.id).await?;
        known.extend(self.databases_of_groups(server.id, &looked.databases).await?);
        let sees_all = looked.rights.sysadmin || looked.rights.view_databases;
        let findings = compare(server.id, &known, looked.databases.clone(), sees_all);
        self.apply_findings(server, &findings).await
    }

    /// The records of an instance, those that are gone included.
    async fn databases_of(&self, server: ServerId) -> Result<Vec<Database>, Fault> {
        let found = self
            .list::<Database>(Slot::D, Range::exactly(server.to_string()))
            .await?;
        Ok(found.into_iter().map(|one| one.record).collect())
    }

    /// The records of databases of groups that other replicas keep.
    async fn databases_of_groups(&self, here: ServerId, seen: &[Seen]) -> Result<Vec<Database>, Fault> {
        let mut found = Vec::new();
        for one in seen {
            let Membership::In { group, .. } = one.group else {
                continue;
            };
            let mut tx = self.world.catalog.read().await.map_err(fault)?;
            let replicas = self
                .of_group_in(tx.as_mut(), group, &one.name, one.family_guid)
                .await
                .map_err(Trouble::fault)?;
            found.extend(replicas.into_iter().filter(|record| record.server != here));
        }
        Ok(found)
    }

    /// The records of a group's database of this name, on whichever replica: by its lineage, which all replicas share, and by the
    /// replicas, for a secondary that is not for reading may not tell its lineage.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(crate) async fn of_group_in(
        &self,
        tx: &mut dyn Transaction,
        group: Uuid,
        name: &str,
        family: Option<Uuid>,
    ) -> Result<Vec<Database>, Trouble> {
        let of = |slot, key: String| Query::of(Scope::vault(&self.key), slot, Range::exactly(key));
        let mut found = Vec::new();
        if let Some(family) = family {
            found.extend(
                page::<Database>(tx, &of(Slot::C, family.to_string()))
                    .await?
                    .records,
            );
        }
        let all = Query::of(Scope::vault(&self.key), Slot::A, Range::ALL);
        for server in catalog::all::<Server>(tx, all, LIST_MAX).await? {
            if server.record.groups.iter().any(|seen| seen.id == group) {
                let key = tuple(&[&server.record.id.to_string(), &name_key(name)]);
                found.extend(page::<Database>(tx, &of(Slot::A, key)).await?.records);
            }
        }
        let is_it =
            |record: &Database| record.group == Some(group) && name_key(&record.name) == name_key(name);
        let mut found: Vec<Database> = found.into_iter().map(|one| one.record).filter(is_it).collect();
        found.sort_by_key(|one| one.id);
        found.dedup_by_key(|one| one.id);
        Ok(found)
    }

    /// Keeps what an instance said of itself, and that it was asked.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(super) async fn keep_look(
        &self,
        server: &Server,
        looked: &Looked,
        probes: Vec<Probe>,
        prevented: Option<&Fault>,
    ) -> Result<Server, Fault> {
        let host = self.host_of(&looked.facts.machine_name).await?;
        let minutes = self.get::<VaultRecord>(self.id).await?.record.discovery_minutes;
        let (now, probes) = (self.now(), &probes);
        let (changed, ()) = self
            .change::<Server, _>(server.id, |server| {
                server.host = Some(host);
                server.facts = Some(looked.facts.clone());
                if let Ok(Identity::Adopt(mark)) = looked.identity {
                    server.marker = Some(mark);
                }
                server.readiness.clone_from(probes);
                if let Some(groups) = &looked.groups {
                    server.groups.clone_from(groups);
                }
                server.discovered = Some(now);
                server.discovery_due = due::next(now, minutes, server.id);
                if server.is_registered() && prevented.is_none() {
                    server.state = ServerState::Ready;
                }
                Ok(())
            })
            .await?;
        if prevented.is_none() {
            self.resolve(&format!("faulty/{}", server.id)).await?;
        }
        Ok(changed.record)
    }

    /// Keeps what was probed, and nothing else: another instance answers.
    pub(super) async fn keep_probes(&self, server: ServerId, probes: Vec<Probe>) -> Result<(), Fault> {
        let probes = &probes;
        self.change::<Server, _>(server, |server| {
            server.readiness.clone_from(probes);
            Ok(())
        })
        .await?;
        Ok(())
    }
}
