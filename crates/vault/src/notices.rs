//! Notices: what people should know, one open notice for each matter.

use faults::Fault;

use crate::vault::Vault;

/// What a notice is about.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The matter, in a few ASCII words with slashes: `missed/ITEM/log`.
    pub matter: String,
    /// Instance.
    pub server: Option<catalog::record::ServerId>,
    /// Protected database.
    pub item: Option<catalog::record::ItemId>,
    /// Job.
    pub job: Option<catalog::record::JobId>,
    /// A schedule that was not kept.
    pub missed: Option<(schedule::BackupKind, jiff::Timestamp)>,
}

impl Vault {
    /// Raises a notice, or raises the open one of that matter again.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn raise(&self, _about: About, _fault: Fault) -> Result<(), Fault> {
        unimplemented!()
    }

    /// The matter is over.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn resolve(&self, _matter: &str) -> Result<(), Fault> {
        unimplemented!()
    }
}
