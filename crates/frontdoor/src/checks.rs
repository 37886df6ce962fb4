//! The checksums of a body: Content-MD5 and x-ms-content-crc64, checked where they are sent and told where they are due.
//!
//! Both are optional, both at once are refused by whoever parses the request. Which of them an answer carries depends on
//! the operation and the version ([`BodyCheck::of_block`] and its neighbours). Before 2019-02-02 Azure computes an MD5 for
//! every block; here it is only checked, never volunteered, because MD5 runs at some 600 MB/s, which is slower than the
//! door, and no client needs it. CRC-64/NVME travels as eight little-endian bytes in Base64 (established by the
//! service's own clients).

use azblob::digest::{Crc64, Md5};
use azblob::request::Checksum;
use azblob::version::ApiVersion;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use http::HeaderMap;
use md5::Digest;

use crate::reply::put;

/// The checksums over a body, in the making.
pub(crate) struct BodyCheck {
    md5: Option<md5::Md5>,
    crc64: Option<Box<Crc>>,
    sent: Option<Checksum>,
}

/// What a body summed up to, as far as that was computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Its MD5.
    pub(crate) md5: Option<Md5>,
    /// Its CRC-64/NVME.
    pub(crate) crc64: Option<Crc64>,
}

/// The body is not the one the client summed up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// Content-MD5.
    Md5 {
        /// What the client sent.
        sent: Md5,
        /// What arrived.
        computed: Md5,
    },
    /// x-ms-content-crc64.
    Crc64 {
        /// What the client sent.
        sent: Crc64,
        /// What arrived.
        computed: Crc64,
    },
}

impl BodyCheck {
    /// Only what was sent.
    pub(crate) fn of(sent: Option<Checksum>) -> Self {
        Self {
            md5: matches!(sent, Some(Checksum::Md5(_))).then(md5::Md5::new),
            crc64: matches!(sent, Some(Checksum::Crc64(_))).then(crc64),
            sent,
        }
    }

    /// The MD5, with nothing to compare it with.
    pub(crate) fn with_md5() -> Self {
        Self {
            md5: Some(md5::Md5::new()),
            ..Self::of(None)
        }
    }

    /// The CRC-64, likewise.
    pub(crate) fn with_crc64() -> Self {
        Self {
            crc64: Some(crc64()),
            ..Self::of(None)
        }
    }

    /// Of Put Block, Append Block and Put Block List: the CRC-64 unless an MD5 was sent, from 2019-02-02 on.
    pub(crate) fn of_block(sent: Option<Checksum>, version: ApiVersion) -> Self {
        match sent {
            None => Self::of_pages(sent, version),
            Some(_) => Self::of(sent),
        }
    }

    /// Of Put Page: the CRC-64 always, from 2019-02-02 on.
    pub(crate) fn of_pages(sent: Option<Checksum>, version: ApiVersion) -> Self {
        let mut check = Self::of(sent);
        if version >= ApiVersion::V2019_02_02 {
            check.crc64.get_or_insert_with(crc64);
        }
        check
    }

    /// Of Put Blob: as of a block, and the MD5 always, because it is stored.
    pub(crate) fn of_blob(sent: Option<Checksum>, version: ApiVersion) -> Self {
        let mut check = Self::of_block(sent, version);
        check.md5.get_or_insert_with(md5::Md5::new);
        check
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(state) = &mut self.md5 {
            Digest::update(state, bytes);
        }
        if let Some(state) = &mut self.crc64 {
            state.update(bytes);
        }
    }

    /// Compares with what was sent.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub(crate) fn finish(self) -> Result<Sums, Mismatch> {
        let sums = Sums {
            md5: self.md5.map(|state| Md5(state.finalize().into())),
            crc64: self.crc64.map(|state| Crc64(state.finalize())),
        };
        match (self.sent, sums) {
            (
                Some(Checksum::Md5(sent)),
                Sums {
                    md5: Some(computed), ..
                },
            ) if sent != computed => Err(Mismatch::Md5 { sent, computed }),
            (
                Some(Checksum::Crc64(sent)),
                Sums {
                    crc64: Some(computed),
                    ..
                },
            ) if sent != computed => Err(Mismatch::Crc64 { sent, computed }),
            _ => Ok(sums),
        }
    }
}

impl Sums {
    /// Adds the headers to an answer.
    pub(crate) fn write_headers(self, headers: &mut HeaderMap) {
        if let Some(md5) = self.md5 {
            put(headers, "content-md5", &md5.to_string());
        }
        if let Some(crc) = self.crc64 {
            put(headers, "x-ms-content-crc64", &crc.to_string());
        }
    }
}

fn crc64() -> Box<Crc> {
    Box::new(Crc::new(CrcAlgorithm::Crc64Nvme))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1321, A.5: "message digest".
    const DIGEST: Md5 = Md5([
        0xf9, 0x6b, 0x69, 0x7d, 0x7c, 0xb7, 0x93, 0x8d, 0x52, 0x5a, 0x2f, 0x31, 0xaa, 0xf1, 0x61, 0xd0,
    ]);
    /// The catalogue's check value of CRC-64/NVME over "123456789".
    const CHECK: Crc64 = Crc64(0xae8b_1486_0a79_9888);
    const OLD: ApiVersion = ApiVersion::V2016_05_31;
    const NEW: ApiVersion = ApiVersion::V2019_02_02;

    fn sums(mut check: BodyCheck, bytes: &[u8]) -> Result<Sums, Mismatch> {
        bytes.chunks(4).for_each(|part| check.update(part));
        check.finish()
    }

    #[test]
    fn what_is_sent_is_checked() {
        let md5 = Some(Checksum::Md5(DIGEST));
        assert_eq!(
            sums(BodyCheck::of(md5), b"message digest").unwrap().md5,
            Some(DIGEST)
        );
        assert!(matches!(
            sums(BodyCheck::of(md5), b"message digesT"),
            Err(Mismatch::Md5 { .. })
        ));
        let crc = Some(Checksum::Crc64(CHECK));
        assert_eq!(sums(BodyCheck::of(crc), b"123456789").unwrap().crc64, Some(CHECK));
        assert!(matches!(
            sums(BodyCheck::of(crc), b"12345678"),
            Err(Mismatch::Crc64 { .. })
        ));
    }

    #[test]
    fn which_sums_an_answer_carries() {
        let md5 = Some(Checksum::Md5(DIGEST));
        let told = |check: BodyCheck| (check.md5.is_some(), check.crc64.is_some());
        assert_eq!(told(BodyCheck::of_block(None, NEW)), (false, true));
        assert_eq!(told(BodyCheck::of_block(md5, NEW)), (true, false));
        assert_eq!(told(BodyCheck::of_block(None, OLD)), (false, false));
        assert_eq!(told(BodyCheck::of_pages(md5, NEW)), (true, true));
        assert_eq!(told(BodyCheck::of_pages(None, OLD)), (false, false));
        assert_eq!(told(BodyCheck::of_blob(None, OLD)), (true, false));
        let crc = Some(Checksum::Crc64(CHECK));
        assert_eq!(
            told(BodyCheck::of_blob(crc, NEW)),
            (true, true),
            "Put Blob stores an MD5 all the same"
        );
    }
}
