//! How the server's certificate is judged.
//!
//! Every SQL Server encrypts; a fresh one with a certificate that it signed itself, which no authority vouches for. So there is a
//! choice, and it is the user's: have the certificate verified, pin the one that was seen and compared, or trust whatever
//! answers. The password is sent only after the judgement.

use std::fmt;
use std::str::FromStr;

/// The rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// An authority vouches for the certificate, and it names the host.
    Verify {
        /// PEM of the authorities to believe; the machine's own where `None`.
        authorities: Option<String>,
        /// The name that the certificate must carry where it is not the host of the address: an alias, an address by number.
        host: Option<String>,
    },
    /// The certificate is exactly the one with this SHA-256.
    Pin(Fingerprint),
    /// Encrypted, but to whoever answers. A man in the middle learns the password.
    Anyone,
    /// Not encrypted but for the password's packet where the server can do that. Only towards this machine itself, for tests;
    /// elsewhere refused.
    Unencrypted,
}

impl Trust {
    /// The machine's authorities, the address's host: what is meant where nothing is said.
    #[must_use]
    pub fn verified() -> Self {
        Self::Verify {
            authorities: None,
            host: None,
        }
    }
}

/// SHA-256 of a certificate's DER form. Prints in lower-case hex; reads hex in any case, with or without colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

/// Text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is SHA-256: 64 hexadecimal digits, in pairs with colons between them or without")]
pub struct FingerprintError;

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let colons = text.len() - digits.len();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) || (colons != 0 && colons != 31) {
            return Err(FingerprintError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).expect("hex digits are ASCII");
            *byte = u8::from_str_radix(pair, 16).expect("two hex digits are a byte");
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_other_tools_print_them() {
        // SHA-256 of nothing, as FIPS 180-4's examples and every tool give it.
        let plain = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let read: Fingerprint = plain.parse().unwrap();
        assert_eq!(read.to_string(), plain);
        let colons: Vec<String> = plain
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
            .collect();
        assert_eq!(colons.join(":").parse(), Ok(read));
        for wrong in [
            "",
            "e3b0",
            &plain[1..],
            &format!("{plain}:"),
            &plain.replace('e', "g"),
        ] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(FingerprintError), "{wrong}");
        }
    }
}
