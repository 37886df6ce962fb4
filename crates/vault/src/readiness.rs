//! Whether an instance is ready: what the vault needs, probed one by one, each with the T-SQL that mends it.
//!
//! `rights` is what the login may, `certificates` what encrypted databases hang on, `store` the way to the vault's door,
//! `restoring` the login for restores. A probe
//! that fails and keeps the vault from working makes its instance faulty; the others are warnings, the way to the store too:
//! each backup tries it anyway.

mod certificates;
mod restoring;
mod rights;
mod store;

use std::time::Duration;

use catalog::record::{Facts, Probe, Server};
use faults::{Code, Fault};
use mssql::quoting::Identifier;
use mssql::{Build, Edition, Session};

use crate::discovery::seen::{Seen, build};
use crate::registration::{Purpose, failed};
use crate::vault::Vault;

pub(crate) use certificates::{Certificate, certificates, not_backed_up};
pub(crate) use store::no_way;

/// The first build with BACKUP TO URL: 2012 SP1 CU2 (Microsoft's list of builds).
const FIRST_BUILD: Build = Build::new(Build::V2012, 0, 3339, 0);

/// How far clocks may differ. A SAS begins and ends by the vault's clock, and moments to restore to are by the instance's.
const CLOCKS_DIFFER_MOST: Duration = Duration::from_secs(60);

/// What is probed.
pub(crate) struct Looked<'l> {
    /// What people call the instance.
    pub(crate) name: &'l str,
    /// What it said of itself.
    pub(crate) facts: &'l Facts,
    /// What the login may.
    pub(crate) rights: &'l mssql::facts::Rights,
    /// Its databases.
    pub(crate) databases: &'l [Seen],
    /// Certificates that encrypt databases; none where they cannot be seen.
    pub(crate) certificates: Option<&'l [Certificate]>,
    /// Why its marker is not as it must be.
    pub(crate) marker: Option<&'l Fault>,
    /// Whether logs may go to a folder on the server.
    pub(crate) overflows: bool,
}

impl Vault {
    /// Probes an instance. What it changes is a credential for the store, as its next backup would.
    ///
    /// # Errors
    /// It cannot be asked at all.
    pub async fn probe(&self, server: &Server) -> Result<Vec<Probe>, Fault> {
        let mut session = self.session(server, Purpose::Backup).await?;
        let looked = self.look(server, &mut session).await?;
        let mut probes = looked.probes(&server.name);
        if looked.identity.is_ok() {
            probes.extend(self.probe_store(server, &mut session).await?);
            probes.extend(self.probe_restore_login(server).await);
        }
        session.close().await;
        Ok(probes)
    }
}

/// All probes, in the order in which people should mend them.
pub(crate) fn probes(looked: &Looked<'_>) -> Vec<Probe> {
    let mut probes = vec![version(looked), marker(looked)];
    probes.extend(rights::probes(looked));
    probes.push(clock(looked));
    probes.extend(certificates::probes(looked));
    probes
}

/// The fault of the first probe whose failure keeps the vault from working with the instance.
pub(crate) fn prevents(probes: &[Probe]) -> Option<Fault> {
    let faults = probes
        .iter()
        .filter(|probe| !probe.passed)
        .filter_map(|probe| probe.fault.as_ref());
    let mut serious = faults.filter(|fault| {
        matches!(
            fault.code(),
            Code::Bac2UnsupportedVersionOrEdition
                | Code::UserErrorSQLNoSysadminMembership
                | Code::Bac2InstanceChanged
                | Code::Bac2InstanceOfAnotherVault
                | Code::Bac2NameTaken
                | Code::WorkloadExtensionNotPresent
        )
    });
    serious.next().cloned()
}

/// A probe that went well.
pub(crate) fn passed(name: &str, found: &str) -> Probe {
    Probe {
        name: name.to_owned(),
        passed: true,
        found: found.to_owned(),
        repair: None,
        fault: None,
    }
}

/// A probe that did not.
pub(crate) fn missed(name: &str, found: &str, repair: Option<String>, fault: Fault) -> Probe {
    Probe {
        name: name.to_owned(),
        passed: false,
        found: found.to_owned(),
        repair,
        fault: Some(fault),
    }
}

/// The login as a name between brackets.
fn login(rights: &mssql::facts::Rights) -> Identifier {
    Identifier::new(&rights.login)
        .unwrap_or_else(|_| Identifier::new("login").expect("five letters are a name"))
}

fn version(looked: &Looked<'_>) -> Probe {
    let (name, facts) = ("version and edition", looked.facts);
    let found = format!("{}, {}", facts.version, facts.edition);
    let is_cloud = matches!(
        Edition::new(facts.engine_edition, &facts.edition),
        Edition::Other(_)
    );
    if build(facts) < FIRST_BUILD || is_cloud {
        let fault = Fault::new(Code::Bac2UnsupportedVersionOrEdition)
            .at(looked.name)
            .because(&found);
        return missed(name, &found, None, fault);
    }
    passed(name, &found)
}

fn marker(looked: &Looked<'_>) -> Probe {
    match looked.marker {
        None => passed("marker", "the instance belongs to this vault"),
        Some(fault) => missed("marker", &fault.happened(), None, fault.clone()),
    }
}

fn clock(looked: &Looked<'_>) -> Probe {
    let ahead = looked.facts.clock_ahead_seconds;
    let found = match ahead {
        0 => "the clocks agree to the second".to_owned(),
        1.. => format!("{ahead} s ahead of the vault"),
        _ => format!("{} s behind the vault", ahead.unsigned_abs()),
    };
    if ahead.unsigned_abs() > CLOCKS_DIFFER_MOST.as_secs() {
        let fault = Fault::new(Code::Bac2ClockJumped).at(looked.name).because(&found);
        return missed("clock", &found, None, fault);
    }
    passed("clock", &found)
}

/// An answer that SQL Server may refuse to a login without rights: nothing then.
async fn rows_or_none(session: &mut Session, target: &str, text: &str) -> Result<Option<mssql::Rows>, Fault> {
    match session.query(text).await {
        Ok(rows) => Ok(Some(rows)),
        Err(mssql::Error::Refused { .. }) => Ok(None),
        Err(error) => Err(failed(faults::Operation::Discovery, target, error)),
    }
}
