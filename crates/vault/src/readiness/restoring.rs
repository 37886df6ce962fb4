//! The login for restores: that it can be used and may restore is known before it is needed.

use catalog::record::{Probe, Server};
use faults::{Code, Fault, Operation};
use mssql::facts::Rights;

use super::{login, missed, passed};
use crate::registration::{Purpose, failed};
use crate::vault::Vault;

/// Name of the probe.
const RESTORE_LOGIN: &str = "restore login";

impl Vault {
    /// Logs in as for a restore; none where restores have no login of their own.
    pub(crate) async fn probe_restore_login(&self, server: &Server) -> Option<Probe> {
        server.restore_login.as_ref()?;
        Some(match self.rights_for_restores(server).await {
            Ok(held) => judged(server, &held),
            Err(fault) => missed(RESTORE_LOGIN, &fault.happened(), None, fault),
        })
    }

    async fn rights_for_restores(&self, server: &Server) -> Result<Rights, Fault> {
        let mut session = self.session(server, Purpose::Restore).await?;
        let said = mssql::facts::ask(&mut session)
            .await
            .map_err(|error| failed(Operation::Connect, &server.name, error))?;
        session.close().await;
        Ok(said.rights)
    }
}

fn judged(server: &Server, held: &Rights) -> Probe {
    if held.sysadmin || held.dbcreator || held.create_databases {
        let found = format!("{} may create databases", held.login);
        return passed(RESTORE_LOGIN, &found);
    }
    let found = format!("{} may not create databases, so it can restore none", held.login);
    let repair = format!("ALTER SERVER ROLE [dbcreator] ADD MEMBER {};", login(held));
    // A warning: backups need it for nothing but RESTORE VERIFYONLY.
    let fault = Fault::new(Code::Bac2NotReady).at(&server.name).because(&found);
    missed(RESTORE_LOGIN, &found, Some(repair), fault)
}
