//! The key of secrets at rest. It lies in a file of its own, never in the catalog.

/// Encrypts and decrypts secrets.
pub struct Keyring {}
