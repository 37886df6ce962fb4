//! A secret at rest: encrypted with a key that is not in the catalog.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::SecretId;

/// A password or SAS, encrypted. The vault's keyring alone can open it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// Which.
    pub id: SecretId,
    /// Fingerprint of the key, so that a wrong key file is told from a damaged record.
    pub key: String,
    /// Nonce, base64.
    pub nonce: String,
    /// Cipher text with its tag, base64. The id is bound to it as associated data: secrets cannot be exchanged for one another.
    pub sealed: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
