//! T-SQL for the people who grant rights: a login for backups, another for restores, each with no more than it needs.

use catalog::record::{Database, Server, ServerId};
use catalog::{Range, Slot};
use faults::{Code, Fault};
use mssql::quoting::Identifier;
use mssql::statement::login::{Account, Purpose as Rights, bulk, script};

use super::Purpose;
use crate::discovery::seen::build;
use crate::vault::Vault;

impl Vault {
    /// The script that makes a login with the least rights for a purpose, for every database that is on an instance now. It holds
    /// no password: who runs it puts one in. The right to alter credentials, which backups need, is what the marker needs too.
    ///
    /// # Errors
    /// There is no such instance, or it was never reached; the name is no login's.
    pub async fn login_script(
        &self,
        server: ServerId,
        purpose: Purpose,
        login: &str,
        account: Account,
    ) -> Result<String, Fault> {
        let server = self.get::<Server>(server).await?.record;
        let Some(facts) = &server.facts else {
            return Err(Fault::new(Code::Bac2NotReady)
                .at(&server.name)
                .because("it was never reached"));
        };
        let login = Identifier::new(login).map_err(|error| {
            Fault::new(Code::Bac2InputInvalid)
                .at("login")
                .because(&error.to_string())
        })?;
        let databases = self
            .list::<Database>(Slot::D, Range::exactly(server.id.to_string()))
            .await?;
        let names: Vec<Identifier> = databases
            .into_iter()
            .map(|one| one.record)
            .filter(|one| {
                one.gone.is_none() && !one.state.is_snapshot && !one.name.eq_ignore_ascii_case("tempdb")
            })
            .filter_map(|one| Identifier::new(&one.name).ok())
            .collect();
        let rights = match purpose {
            Purpose::Backup => Rights::Backup,
            Purpose::Restore => Rights::Restore,
        };
        let mut script = script(&login, account, rights, build(facts), &names);
        if matches!(purpose, Purpose::Backup) && server.settings.log_overflow.is_some() {
            script.push_str(&bulk(&login));
            script.push('\n');
        }
        Ok(script)
    }
}
