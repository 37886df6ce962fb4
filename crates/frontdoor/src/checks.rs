//! The checksums a client sends with a body: Content-MD5 and x-ms-content-crc64.
//!
//! Both are optional, both at once are refused by whoever parses the request. Only what was sent is computed: MD5 runs at
//! some 600 MB/s, which is slower than the door. CRC-64/NVME travels as eight little-endian bytes in Base64 (established
//! by the service's own clients).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5::{Digest, Md5};

/// A checksum over a body, in the making.
pub(crate) enum BodyCheck {
    /// None was sent.
    Nothing,
    /// MD5; `expected` is absent where the server wants to know it for itself.
    Md5 {
        /// The running state.
        state: Md5,
        /// What the client sent.
        expected: Option<[u8; 16]>,
    },
    /// CRC-64/NVME.
    Crc64 {
        /// The running state.
        state: Box<Crc>,
        /// What the client sent.
        expected: [u8; 8],
    },
}

/// The body is not the one the client summed up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// Content-MD5; both values in Base64.
    Md5 {
        /// What the client sent.
        sent: String,
        /// What arrived.
        computed: String,
    },
    /// x-ms-content-crc64; both values in Base64.
    Crc64 {
        /// What the client sent.
        sent: String,
        /// What arrived.
        computed: String,
    },
}

impl BodyCheck {
    /// Expects this MD5.
    pub(crate) fn md5(expected: Option<[u8; 16]>) -> Self {
        BodyCheck::Md5 {
            state: Md5::new(),
            expected,
        }
    }

    /// Expects this CRC-64/NVME, as sent.
    pub(crate) fn crc64(expected: [u8; 8]) -> Self {
        BodyCheck::Crc64 {
            state: Box::new(Crc::new(CrcAlgorithm::Crc64Nvme)),
            expected,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            BodyCheck::Nothing => {}
            BodyCheck::Md5 { state, .. } => Digest::update(state, bytes),
            BodyCheck::Crc64 { state, .. } => state.update(bytes),
        }
    }

    /// Compares. The MD5 of the body, where it was computed.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub(crate) fn finish(self) -> Result<Option<[u8; 16]>, Mismatch> {
        match self {
            BodyCheck::Nothing => Ok(None),
            BodyCheck::Md5 { state, expected } => {
                let computed: [u8; 16] = state.finalize().into();
                match expected {
                    Some(sent) if sent != computed => Err(Mismatch::Md5 {
                        sent: STANDARD.encode(sent),
                        computed: STANDARD.encode(computed),
                    }),
                    _ => Ok(Some(computed)),
                }
            }
            BodyCheck::Crc64 { state, expected } => {
                let computed = state.finalize().to_le_bytes();
                if computed == expected {
                    return Ok(None);
                }
                Err(Mismatch::Crc64 {
                    sent: STANDARD.encode(expected),
                    computed: STANDARD.encode(computed),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_of_rfc_1321() {
        let mut check = BodyCheck::md5(None);
        check.update(b"message ");
        check.update(b"digest");
        let expected = [
            0xf9, 0x6b, 0x69, 0x7d, 0x7c, 0xb7, 0x93, 0x8d, 0x52, 0x5a, 0x2f, 0x31, 0xaa, 0xf1, 0x61, 0xd0,
        ];
        assert_eq!(check.finish(), Ok(Some(expected)));
        let mut wrong = BodyCheck::md5(Some(expected));
        wrong.update(b"message digesT");
        assert!(matches!(wrong.finish(), Err(Mismatch::Md5 { .. })));
    }

    #[test]
    fn crc64_nvme_check_value() {
        // The catalogue's check value of CRC-64/NVME over "123456789".
        let mut check = BodyCheck::crc64(0xae8b_1486_0a79_9888_u64.to_le_bytes());
        check.update(b"123456789");
        assert_eq!(check.finish(), Ok(None));
        let check = BodyCheck::crc64([1; 8]);
        assert!(matches!(check.finish(), Err(Mismatch::Crc64 { .. })));
    }
}
