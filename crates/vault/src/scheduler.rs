//! The scheduler: turns each slot of each policy into exactly one job or one reported miss.

use crate::vault::Vault;

impl Vault {
    /// Schedules, for ever.
    pub(crate) async fn run_scheduler(&self) {
        unimplemented!()
    }
}
