//! The key of an account, kept so that it cannot be printed.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An account key, ready for HMAC-SHA256. Printing it shows that there is one, never what it is.
#[derive(Clone)]
pub struct Secret(hmac::Key);

/// The text is no account key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account key is Base64 of at least 16 bytes")]
pub struct InvalidSecret;

impl Secret {
    /// Reads the Base64 text in which account keys are handed out. Azure's own have 64 bytes; 16 are the
    /// least taken here.
    ///
    /// # Errors
    /// [`InvalidSecret`].
    pub fn from_base64(text: &str) -> Result<Self, InvalidSecret> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidSecret)?;
        if bytes.len() < 16 {
            return Err(InvalidSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// HMAC-SHA256 of `message`.
    pub(crate) fn hmac(&self, message: &[u8]) -> [u8; 32] {
        hmac::sign(&self.0, message)
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 bytes")
    }

    /// Whether `tag` is the HMAC of `message`, in constant time.
    pub(crate) fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_printed() {
        let text = STANDARD.encode([b'k'; 64]);
        let secret = Secret::from_base64(&text).unwrap();
        assert_eq!(
            format!("{secret} {secret:?} {secret:#?}"),
            "*** Secret(***) Secret(***)"
        );
        assert_eq!(Secret::from_base64("c2hvcnQ=").unwrap_err(), InvalidSecret);
        assert_eq!(Secret::from_base64("no key!").unwrap_err(), InvalidSecret);
    }

    #[test]
    fn rfc_4231_case_4() {
        // RFC 4231 test case 4: key 0102..19, data 50 times 0xcd.
        let key: Vec<u8> = (1..=25).collect();
        let secret = Secret::from_base64(&STANDARD.encode(key)).unwrap();
        let hex: String = secret
            .hmac(&[0xcd; 50])
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(
            hex,
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        );
    }
}
