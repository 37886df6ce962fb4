//! The key of secrets at rest. It lies in a file of its own, never in the catalog: who has the one without the other has nothing.
//!
//! AES-256-GCM with a random nonce for each secret; the secret's id is authenticated with it, so that records cannot be
//! exchanged. A fingerprint of the key stands in each record: a wrong key file is told from a damaged record.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog::record::{Secret as SecretRecord, SecretId};
use faults::{Code, Fault};
use mssql::Secret;

use crate::world::Chance;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// The longest secret, in bytes: a SAS has 256, a password of SQL Server 128 characters.
const SECRET_MAX: usize = 4_096;

/// Encrypts and decrypts secrets.
pub struct Keyring {
    key: LessSafeKey,
    fingerprint: String,
}

impl Keyring {
    /// With a key of [`KEY_BYTES`] random bytes.
    ///
    /// # Panics
    /// Never: every array of this length is a key.
    #[must_use]
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        let unbound = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key of AES-256");
        let hash = digest(&SHA256, &[b"bac2 keyring".as_slice(), key].concat());
        Self {
            key: LessSafeKey::new(unbound),
            fingerprint: hash.as_ref()[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        }
    }

    /// Encrypts a secret for its record.
    ///
    /// # Errors
    /// It is longer than any password or SAS.
    pub fn seal(&self, id: SecretId, secret: &Secret, chance: &dyn Chance) -> Result<SecretRecord, Fault> {
        let text = secret.reveal();
        if text.len() > SECRET_MAX {
            let why = format!("a secret of {} bytes; at most {SECRET_MAX} are kept", text.len());
            return Err(Fault::new(Code::Bac2LimitReached).because(&why));
        }
        let mut nonce = [0; NONCE_LEN];
        chance.fill(&mut nonce);
        let mut sealed = text.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(id.0.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| Fault::new(Code::Bac2InternalError).because("a secret could not be encrypted"))?;
        Ok(SecretRecord {
            id,
            key: self.fingerprint.clone(),
            nonce: STANDARD.encode(nonce),
            sealed: STANDARD.encode(sealed),
        })
    }

    /// Decrypts a record.
    ///
    /// # Errors
    /// It was encrypted with another key, or is damaged.
    pub fn open(&self, record: &SecretRecord) -> Result<Secret, Fault> {
        if record.key != self.fingerprint {
            let why = format!(
                "secret {} belongs to key {}, this is {}",
                record.id, record.key, self.fingerprint
            );
            return Err(Fault::new(Code::Bac2SecretsLocked).because(&why));
        }
        let damaged =
            || Fault::new(Code::Bac2SecretsLocked).because(&format!("secret {} is damaged", record.id));
        let nonce = STANDARD.decode(&record.nonce).map_err(|_| damaged())?;
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| damaged())?;
        let mut bytes = STANDARD.decode(&record.sealed).map_err(|_| damaged())?;
        let text = self
            .key
            .open_in_place(nonce, Aad::from(record.id.0.as_bytes()), &mut bytes)
            .map_err(|_| damaged())?;
        let text = String::from_utf8(text.to_vec()).map_err(|_| damaged())?;
        Ok(Secret::new(text))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use catalog::record::SecretId;
    use faults::Code;
    use mssql::Secret;
    use uuid::Uuid;

    use super::Keyring;
    use crate::world::Chance;

    struct Counting;

    impl Chance for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::try_from(at % 251).unwrap();
            }
        }
    }

    #[test]
    fn a_secret_comes_back_under_its_own_id_and_key_alone() {
        let (ring, id) = (Keyring::new(&[7; 32]), SecretId(Uuid::from_u128(1)));
        let record = ring
            .seal(id, &Secret::new("pass wörd".to_owned()), &Counting)
            .unwrap();
        assert_eq!(ring.open(&record).unwrap().reveal(), "pass wörd");
        assert!(!format!("{record:?}{ring:?}{}", serde_json::to_string(&record).unwrap()).contains("pass"));

        let mut exchanged = record.clone();
        exchanged.id = SecretId(Uuid::from_u128(2));
        assert_eq!(ring.open(&exchanged).unwrap_err().code(), Code::Bac2SecretsLocked);
        assert_eq!(
            Keyring::new(&[8; 32]).open(&record).unwrap_err().code(),
            Code::Bac2SecretsLocked
        );
        let mut cut = record;
        cut.sealed.truncate(8);
        assert_eq!(ring.open(&cut).unwrap_err().code(), Code::Bac2SecretsLocked);
    }
}
