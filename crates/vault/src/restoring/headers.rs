//! Before the target is touched: each set of the plan is opened by the target itself, and is the set that it should be.
//!
//! What the target cannot read now it could not read in the middle of the restore either, with the database given up by then.

use std::collections::btree_map::Entry::Vacant;

use azblob::names::BlobName;
use catalog::record::{RestoreStep, Server};
use faults::{Code, Fault, Operation};
use mssql::media::{self, Header};
use mssql::{Error, Session};

use super::lending::{Entries, Lent};
use super::planning::Way;
use crate::backup::Entry;
use crate::jobs::Doing;
use crate::registration::failed;
use crate::vault::Vault;

/// The devices of a step.
///
/// # Errors
/// Its blobs have no names, or are no devices.
pub(super) fn devices(step: &RestoreStep, entry: &Entry) -> Result<mssql::statement::Devices, Fault> {
    let mut blobs = Vec::with_capacity(step.blobs.len());
    for blob in &step.blobs {
        let name = BlobName::new(blob.clone());
        blobs.push(name.map_err(|error| Fault::new(Code::Bac2InternalError).because(&error.to_string()))?);
    }
    entry.devices(&entry.urls(&blobs))
}

impl Vault {
    /// Has the target open every set of the plan but those that it opened before (`opened`), and notes whether it has checksums. Gives
    /// the ways to their containers.
    ///
    /// # Errors
    /// A set cannot be opened, or is another one.
    pub(super) async fn open_sets(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
        way: &mut Way,
        opened: &[RestoreStep],
    ) -> Result<Entries, Fault> {
        doing.begin("Open the backup sets").await?;
        let is_refused = doing.job.fault.as_ref().map(Fault::code) == Some(Code::Bac2CredentialRefused);
        let mut entries = Entries::new();
        for (step, point) in way.steps.iter_mut().zip(&way.points) {
            if let Vacant(free) = entries.entry(step.container) {
                let lent = self
                    .lend(doing, step.container, server, session, is_refused)
                    .await?;
                free.insert(lent);
            }
            if let Some(known) = opened.iter().find(|known| known.point == step.point) {
                step.has_checksums = known.has_checksums;
                continue;
            }
            let lent = &entries[&step.container];
            let headers = media::headers(session, devices(step, &lent.entry)?).await;
            let headers = headers.map_err(|error| not_opened(lent, server, step, error))?;
            step.has_checksums = only_set(&headers, step, point.set.guid)?.has_checksums;
        }
        doing.end(&format!("{} sets, all there", way.steps.len())).await?;
        Ok(entries)
    }
}

/// The one set of a medium, which must be this one.
fn only_set<'h>(headers: &'h [Header], step: &RestoreStep, guid: uuid::Uuid) -> Result<&'h Header, Fault> {
    let first = step.blobs.first().map_or("", String::as_str);
    match headers {
        [header] if header.guid == Some(guid) => Ok(header),
        [header] => {
            let found = header.guid.map_or_else(
                || "a set that breaks off".to_owned(),
                |guid| format!("set {guid}"),
            );
            Err(Fault::new(Code::Bac2BackupUnreadable)
                .at(first)
                .because(&format!("it should be set {guid}, and the target reads {found}")))
        }
        others => Err(Fault::new(Code::Bac2BackupUnreadable)
            .at(first)
            .because(&format!("the target reads {} sets instead of one", others.len()))),
    }
}

/// Why a set was not opened. What somebody else's credential does not open, is that credential's fault.
fn not_opened(lent: &Lent, server: &Server, step: &RestoreStep, error: Error) -> Fault {
    let first = step.blobs.first().map_or("", String::as_str);
    let fault = failed(Operation::Restore, &server.name, error);
    if lent.is_foreign && fault.code() == Code::Bac2CredentialRefused {
        return Fault::new(Code::Bac2ForeignCredential)
            .at(&server.name)
            .because(&format!("it does not open {first}: {}", fault.happened()));
    }
    fault.at(&format!("{}: {first}", server.name))
}
