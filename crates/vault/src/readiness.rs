//! Whether an instance is ready: what the vault needs, probed one by one, each with the T-SQL that mends it.

use catalog::record::{Probe, Server};
use faults::Fault;

use crate::vault::Vault;

impl Vault {
    /// Probes an instance.
    ///
    /// # Errors
    /// It cannot be asked at all.
    pub async fn probe(&self, _server: &Server) -> Result<Vec<Probe>, Fault> {
        unimplemented!()
    }
}
