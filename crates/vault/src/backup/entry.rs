//! The way from an instance to a container: block blobs under a signature, or, before SQL Server 2016, a page blob under the key
//! of the account.

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Server, VaultId};
use faults::{Code, Fault};
use mssql::statement::Devices;
use mssql::statement::choice::{self, Mode, Refusal};

use super::ground::release;
use crate::vault::Vault;

/// How an instance reaches a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// URL of the container, without a slash at the end.
    pub(super) url: String,
    /// The kind of blob.
    pub(super) mode: Mode,
    /// Name of the credential: the container's URL itself for block blobs.
    pub(super) credential: String,
}

impl Entry {
    /// The URLs of blobs in it.
    pub(crate) fn urls(&self, blobs: &[BlobName]) -> Vec<String> {
        blobs.iter().map(|blob| format!("{}/{blob}", self.url)).collect()
    }

    /// The devices of a statement.
    ///
    /// # Errors
    /// SQL Server would take none such; a page blob is one.
    pub(crate) fn devices(&self, urls: &[String]) -> Result<Devices, Fault> {
        let internal = |why: &str| Fault::new(Code::Bac2InternalError).because(why);
        let devices = match (self.mode, urls) {
            (Mode::Block, urls) => Devices::urls(urls),
            (Mode::Page, [url]) => Devices::page_blob(url, &self.credential),
            (Mode::Page, _) => return Err(internal("a backup to a page blob has one stripe")),
        };
        devices.map_err(|error| internal(&error.to_string()))
    }
}

impl Vault {
    /// How an instance reaches a container.
    ///
    /// # Errors
    /// It is too old to back up to a URL.
    pub(super) fn entry(&self, container: &ContainerName, server: &Server) -> Result<Entry, Fault> {
        let (build, _) = release(server)?;
        let mode = choice::mode(build).map_err(|refusal| refused(refusal).at(&server.name))?;
        let url = self.world.shelf.url(container);
        Ok(Entry {
            credential: match mode {
                Mode::Block => url.clone(),
                Mode::Page => name_of_key(self.id, container),
            },
            url,
            mode,
        })
    }
}

/// Name of the credential that holds the key of a container's account. Not the container's URL: under that name the signature
/// will stand when the instance is updated. At most 105 of the 128 characters that SQL Server takes.
fn name_of_key(vault: VaultId, container: &ContainerName) -> String {
    format!("bac2 {vault} {container}")
}

/// Why an instance cannot write the backup at all, as people see it.
#[allow(clippy::needless_pass_by_value)] // It is what `map_err` gives.
pub(super) fn refused(refusal: Refusal) -> Fault {
    let code = match refusal {
        Refusal::TooOld(_) | Refusal::NoEncryption => Code::Bac2UnsupportedVersionOrEdition,
        Refusal::TooLarge(_) => Code::Bac2LimitReached,
    };
    Fault::new(code).because(&refusal.to_string())
}
