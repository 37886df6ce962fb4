//! Checksums that travel in headers: Content-MD5 and x-ms-content-crc64.
//!
//! Only their forms; computing them is the business of whoever has the bytes. MD5 is 16 bytes; CRC-64/NVME
//! is 8 bytes, little-endian. Both are Base64 on the wire.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;

/// An MD5 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Md5(pub [u8; 16]);

/// A CRC-64/NVME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc64(pub u64);

impl Md5 {
    /// Reads a header value.
    ///
    /// # Errors
    /// 400 [`ErrorCode::InvalidMd5`].
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| ErrorCode::InvalidMd5)?;
        bytes.try_into().map(Self).map_err(|_| ErrorCode::InvalidMd5)
    }
}

impl Crc64 {
    /// Reads a header value.
    ///
    /// # Errors
    /// 400 [`ErrorCode::InvalidCrc64`].
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        let bytes = STANDARD
            .decode(text.trim())
            .map_err(|_| ErrorCode::InvalidCrc64)?;
        let bytes: [u8; 8] = bytes.try_into().map_err(|_| ErrorCode::InvalidCrc64)?;
        Ok(Self(u64::from_le_bytes(bytes)))
    }
}

impl fmt::Display for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Display for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0.to_le_bytes()))
    }
}

impl TryFrom<String> for Md5 {
    type Error = ErrorCode;

    fn try_from(text: String) -> Result<Self, ErrorCode> {
        Self::parse(&text)
    }
}

impl From<Md5> for String {
    fn from(md5: Md5) -> String {
        md5.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        // `printf '' | md5sum | xxd -r -p | base64`
        let empty = "1B2M2Y8AsgTpgAmY7PhCfg==";
        assert_eq!(Md5::parse(empty).unwrap().to_string(), empty);
        assert_eq!(Md5::parse("AAAA"), Err(ErrorCode::InvalidMd5));
        assert_eq!(Md5::parse("*"), Err(ErrorCode::InvalidMd5));
        // 1 as eight little-endian bytes: 01 00 00 00 00 00 00 00.
        assert_eq!(Crc64(1).to_string(), "AQAAAAAAAAA=");
        assert_eq!(Crc64::parse("AQAAAAAAAAA="), Ok(Crc64(1)));
        assert_eq!(Crc64::parse("AQAA"), Err(ErrorCode::InvalidCrc64));
    }
}
