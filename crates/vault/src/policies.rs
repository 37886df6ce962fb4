//! Policies: made, changed, and brought to every item that follows them.

use catalog::record::PolicyId;
use faults::Fault;

use crate::vault::Vault;

impl Vault {
    /// Makes a policy.
    ///
    /// # Errors
    /// It is not possible (every field that is wrong is named), or its name is taken.
    pub async fn create_policy(&self, _policy: schedule::Policy) -> Result<PolicyId, Fault> {
        unimplemented!()
    }
}
