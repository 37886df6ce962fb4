//! Certificates of transparent data encryption: the target must have each that a set of the plan needs, before it is touched.
//!
//! The vault does not read them from a stream; FILELISTONLY on the target tells them. A certificate changes rarely, so the full, the
//! differential and the last log are asked, and not every log between them: one that was in use there alone SQL Server asks for itself
//! (33111), and leaves the database restoring.

use std::collections::BTreeSet;

use catalog::record::Server;
use faults::{Code, Fault, Operation};
use mssql::{Session, media};
use schedule::BackupKind;

use super::headers::devices;
use super::lending::Entries;
use super::planning::Way;
use super::target;
use crate::registration::failed;
use crate::vault::Vault;

impl Vault {
    /// Refuses where the target lacks a certificate. Where the login may not see certificates, SQL Server says it.
    ///
    /// # Errors
    /// It lacks one; the target cannot be asked.
    pub(super) async fn certificates_are_there(
        &self,
        session: &mut Session,
        server: &Server,
        way: &Way,
        entries: &Entries,
    ) -> Result<(), Fault> {
        let last = way.steps.len().saturating_sub(1);
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for (number, step) in way.steps.iter().enumerate() {
            if step.kind == BackupKind::Log && number != last {
                continue;
            }
            let Some(lent) = entries.get(&step.container) else {
                continue;
            };
            let files = media::files(session, devices(step, &lent.entry)?, 1).await;
            let files = files.map_err(|error| failed(Operation::Restore, &server.name, error))?;
            let prints = files.iter().filter_map(|file| file.tde_thumbprint.as_ref());
            wanted.extend(
                prints.map(|print| print.iter().map(|byte| format!("{byte:02X}")).collect::<String>()),
            );
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let Some(held) = target::thumbprints(session, server).await? else {
            return Ok(());
        };
        match wanted.difference(&held).next() {
            None => Ok(()),
            Some(missing) => Err(
                Fault::new(Code::UserErrorCannotFindServerCertificateWithThumbprint)
                    .at(&server.name)
                    .because(&format!("the database was encrypted with thumbprint 0x{missing}")),
            ),
        }
    }
}
