//! What hangs together beyond one instance: replicas of availability groups, certificates, machines with several instances.

use catalog::record::{Host, Server, ServerState};
use catalog::{Range, Slot};
use faults::{Code, Fault};

use crate::notices::About;
use crate::readiness::{Certificate, not_backed_up};
use crate::vault::Vault;

impl Vault {
    /// Raises a notice for each replica of its groups that is not a ready instance of this vault; gives what was raised.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn look_after_groups(&self, server: &Server) -> Result<Vec<Fault>, Fault> {
        if server.groups.is_empty() {
            return Ok(Vec::new());
        }
        let servers = self.list::<Server>(Slot::A, Range::ALL).await?;
        let state_of = |name: &str| {
            let mut named = servers.iter().map(|one| &one.record).filter(|one| {
                let is_it = one
                    .facts
                    .as_ref()
                    .is_some_and(|facts| facts.server_name.eq_ignore_ascii_case(name));
                is_it && one.is_registered()
            });
            named.next().map(|one| one.state.clone())
        };
        let mut raised = Vec::new();
        for group in &server.groups {
            for replica in &group.replicas {
                let matter = format!("replica/{}/{}", group.id, replica.to_lowercase());
                let why = match state_of(replica) {
                    Some(ServerState::Ready) => {
                        self.resolve(&matter).await?;
                        continue;
                    }
                    Some(_) => "it is registered and faulty",
                    None => "it is not registered",
                };
                let fault = Fault::new(Code::Bac2ReplicaNotReady)
                    .at(&format!("{}/{replica}", group.name))
                    .because(why);
                let about = About {
                    matter,
                    server: Some(server.id),
                    ..About::default()
                };
                self.raise(about, fault.clone()).await?;
                raised.push(fault);
            }
        }
        Ok(raised)
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
