//! What hangs together beyond one instance: replicas of availability groups, certificates, machines with several instances.

use catalog::record::{Container, GroupSeen, Host, Server, ServerState};
use catalog::{Range, Slot};
use faults::{Code, Fault};

use crate::notices::About;
use crate::readiness::{Certificate, no_way, not_backed_up};
use crate::vault::Vault;

impl Vault {
    /// Raises a notice for each replica of its groups that is not ready for this vault: registered, with a credential for the
    /// group's container, and a way to the store. Gives what was raised. `before` are the groups that it was in until now.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn look_after_groups(
        &self,
        server: &Server,
        before: &[GroupSeen],
    ) -> Result<Vec<Fault>, Fault> {
        if server.groups.is_empty() && before.is_empty() {
            return Ok(Vec::new());
        }
        let servers: Vec<Server> = self
            .list::<Server>(Slot::A, Range::ALL)
            .await?
            .into_iter()
            .map(|one| one.record)
            .filter(Server::is_registered)
            .collect();
        let mut raised = Vec::new();
        for group in &server.groups {
            let container = self.container_of_group(group.id).await?;
            for replica in &group.replicas {
                let matter = format!("replica/{}/{}", group.id, replica.to_lowercase());
                let Some(why) = unready(replica, &servers, container.as_ref()) else {
                    self.resolve(&matter).await?;
                    continue;
                };
                let fault = Fault::new(Code::Bac2ReplicaNotReady)
                    .at(&format!("{}/{replica}", group.name))
                    .because(&why);
                let about = About {
                    matter,
                    server: Some(server.id),
                    ..About::default()
                };
                self.raise(about, fault.clone()).await?;
                raised.push(fault);
            }
        }
        self.forget_replicas(server, before, &servers).await?;
        Ok(raised)
    }

    async fn container_of_group(&self, group: uuid::Uuid) -> Result<Option<Container>, Fault> {
        let found = self
            .list::<Container>(Slot::B, Range::exactly(group.to_string()))
            .await?;
        Ok(found.into_iter().next().map(|one| one.record))
    }

    /// Ends the matters of replicas that are in a group no more.
    async fn forget_replicas(
        &self,
        server: &Server,
        before: &[GroupSeen],
        servers: &[Server],
    ) -> Result<(), Fault> {
        let now = server
            .groups
            .iter()
            .map(|group| (group.id, group.replicas.as_slice()));
        let left = before.iter().filter(|group| {
            !servers
                .iter()
                .any(|one| one.groups.iter().any(|other| other.id == group.id))
        });
        let left = left.map(|group| (group.id, [].as_slice()));
        for (group, replicas) in now.chain(left) {
            let beginning = format!("replica/{group}/");
            for matter in self.open_matters(&beginning).await? {
                let is_there = |name: &String| matter[beginning.len()..] == name.to_lowercase();
                if !replicas.iter().any(is_there) {
                    self.resolve(&matter).await?;
                }
            }
        }
        Ok(())
    }

    /// Raises a notice for each certificate that was never backed up; gives what was raised.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn look_after_certificates(
        &self,
        server: &Server,
        certificates: &[Certificate],
    ) -> Result<Vec<Fault>, Fault> {
        let mut raised = Vec::new();
        for one in certificates {
            let matter = format!("certificate/{}/{}", server.id, one.thumbprint);
            if one.is_backed_up {
                self.resolve(&matter).await?;
                continue;
            }
            let fault = not_backed_up(&server.name, one);
            let about = About {
                matter,
                server: Some(server.id),
                ..About::default()
            };
            self.raise(about, fault.clone()).await?;
            raised.push(fault);
        }
        Ok(raised)
    }

    /// Raises a notice where one of several instances of a machine that count is faulty and others are not; gives what was raised.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn look_after_host(&self, server: &Server) -> Result<Vec<Fault>, Fault> {
        let Some(id) = server.host else {
            return Ok(Vec::new());
        };
        let Some(host) = self.find::<Host>(id).await? else {
            return Ok(Vec::new());
        };
        let on_it = self
            .list::<Server>(Slot::C, Range::exactly(id.to_string()))
            .await?;
        let counted: Vec<Server> = on_it
            .into_iter()
            .map(|one| one.record)
            .filter(|one| one.is_registered() && counts(&host.record, one))
            .collect();
        let is_any_healthy = counted.iter().any(|one| one.state == ServerState::Ready);
        let faulty: Vec<&str> = counted
            .iter()
            .filter(|one| matches!(one.state, ServerState::Faulty { .. }))
            .map(|one| one.name.as_str())
            .collect();
        let matter = format!("host/{id}");
        if faulty.is_empty() || !is_any_healthy {
            self.resolve(&matter).await?;
            return Ok(Vec::new());
        }
        let fault = Fault::new(Code::Bac2FaultyInstanceOnHost)
            .at(&host.record.name)
            .because(&format!("faulty: {}", faulty.join(", ")));
        let about = About {
            matter,
            server: Some(server.id),
            ..About::default()
        };
        self.raise(about, fault.clone()).await?;
        Ok(vec![fault])
    }
}

/// Why a replica is not ready for backups; nothing where it is.
fn unready(replica: &str, servers: &[Server], container: Option<&Container>) -> Option<String> {
    let is_it = |server: &&Server| {
        let facts = server.facts.as_ref();
        facts.is_some_and(|facts| facts.server_name.eq_ignore_ascii_case(replica))
    };
    let Some(server) = servers.iter().find(is_it) else {
        return Some("it is not registered".to_owned());
    };
    if let ServerState::Faulty { fault, .. } = &server.state {
        return Some(format!("it is registered and faulty: {}", fault.code()));
    }
    if let Some(why) = no_way(&server.readiness) {
        return Some(why.to_owned());
    }
    // Its own next discovery makes the credential; a container without a signature was never used.
    let has_credential = |container: &Container| {
        let mut made = container.credentials.iter();
        container.sas.is_none() || made.any(|made| made.server == server.id && made.number != 0)
    };
    let lacks = container.is_some_and(|container| !has_credential(container));
    lacks.then(|| "it has no credential for the group's container yet".to_owned())
}

/// Whether an instance counts on its machine. Instances are named as Windows names their services: `MSSQLSERVER` is the default
/// one.
pub(crate) fn counts(host: &Host, server: &Server) -> bool {
    let Some(included) = &host.included else {
        return true;
    };
    let instance = server
        .facts
        .as_ref()
        .and_then(|facts| facts.instance_name.as_deref());
    let instance = instance.unwrap_or("MSSQLSERVER");
    included.iter().any(|one| one.eq_ignore_ascii_case(instance))
}
