//! Whether the instance that answers is the one that was registered: by what it says of itself and by its marker, never by its
//! name.

use catalog::record::{Facts, Server, ServerId, ServerState, VaultId};
use faults::{Code, Fault};
use mssql::Session;
use mssql::facts::Rights;
use uuid::Uuid;

use super::marker::{Marked, marked};
use crate::vault::Vault;

/// What is known of a registration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'k> {
    /// The vault.
    pub(crate) vault: VaultId,
    /// The registration.
    pub(crate) server: ServerId,
    /// What people call it.
    pub(crate) name: &'k str,
    /// What the instance said of itself when it was registered.
    pub(crate) facts: Option<&'k Facts>,
    /// The marker that was written.
    pub(crate) mark: Option<Uuid>,
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Identity {
    /// It is the one.
    Same,
    /// It is the one, and its marker is still to be written.
    Unmarked,
    /// It is the one, its marker was written by this registration, and the record does not know it yet.
    Adopt(Uuid),
}

/// Judges.
///
/// | facts | marker | |
/// |---|---|---|
/// | other | any | `Bac2InstanceChanged` |
/// | same | another vault's, or strange | `Bac2InstanceOfAnotherVault` |
/// | same | of another registration of this vault | `Bac2NameTaken` |
/// | same | none or an older one, where there must be one | `WorkloadExtensionNotPresent` |
/// | same | none, where none was written yet | to be written |
/// | same | not to be seen for want of rights | taken for the one; its rights are probed |
///
/// # Errors
/// Why it is not the one.
pub(crate) fn judge(known: Known<'_>, facts: &Facts, marked: &Marked) -> Result<Identity, Fault> {
    let of = |code: Code, why: &str| Err(Fault::new(code).at(known.name).because(why));
    if let Some(before) = known.facts
        && !is_same_instance(before, facts)
    {
        return of(
            Code::Bac2InstanceChanged,
            &format!("it was {} and is {}", described(before), described(facts)),
        );
    }
    match (marked, known.mark) {
        (Marked::By(marker), _) if marker.vault != known.vault => of(
            Code::Bac2InstanceOfAnotherVault,
            &format!("its marker names the vault {}", marker.vault),
        ),
        (Marked::By(marker), _) if marker.server != known.server => of(
            Code::Bac2NameTaken,
            &format!(
                "the instance is registered in this vault already, as {}",
                marker.server
            ),
        ),
        (Marked::By(marker), Some(mark)) if marker.mark == mark => Ok(Identity::Same),
        (Marked::By(marker), None) => Ok(Identity::Adopt(marker.mark)),
        (Marked::By(_), Some(_)) => of(
            Code::WorkloadExtensionNotPresent,
            "its marker is an older one: the machine was put back to a time before it was registered anew",
        ),
        (Marked::Strange(identity), _) => of(
            Code::Bac2InstanceOfAnotherVault,
            &format!("its marker says {identity:?}, which this program did not write"),
        ),
        (Marked::No, Some(_)) => of(Code::WorkloadExtensionNotPresent, "its marker is gone"),
        (Marked::No, None) => Ok(Identity::Unmarked),
        (Marked::Unseen, _) => Ok(Identity::Same),
    }
}

impl Vault {
    /// Refuses to work with an instance that somebody else has taken over since it was last looked at. A marker that is gone or
    /// older is another matter: what discovery makes of it stands in the instance's record.
    ///
    /// # Errors
    /// `Bac2InstanceOfAnotherVault`, `Bac2NameTaken`; the instance cannot be asked.
    pub(crate) async fn refuse_lost(&self, server: &Server, session: &mut Session) -> Result<(), Fault> {
        if let ServerState::Faulty { fault, .. } = &server.state
            && fault.code() == Code::Bac2InstanceChanged
        {
            return Err(fault.clone());
        }
        let (Some(_), Some(facts)) = (server.marker, &server.facts) else {
            return Ok(());
        };
        let mark = marked(session, &server.name, &Rights::default()).await?;
        let known = Known {
            vault: self.id,
            server: server.id,
            name: &server.name,
            facts: None,
            mark: server.marker,
        };
        match judge(known, facts, &mark) {
            Err(fault) if fault.code() != Code::WorkloadExtensionNotPresent => Err(fault),
            _ => Ok(()),
        }
    }
}

/// Whether two looks saw the same instance: version and edition may change with an update, names may not.
pub(crate) fn is_same_instance(one: &Facts, other: &Facts) -> bool {
    let instance = |facts: &Facts| facts.instance_name.as_deref().map(str::to_lowercase);
    one.server_name.eq_ignore_ascii_case(&other.server_name)
        && one.machine_name.eq_ignore_ascii_case(&other.machine_name)
        && instance(one) == instance(other)
}

fn described(facts: &Facts) -> String {
    format!("{} on {}", facts.server_name, facts.machine_name)
}
