//! The addresses a token may be used from, `sip`.

use core::net::IpAddr;
use std::fmt;

/// One address, or all from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRange {
    first: IpAddr,
    last: IpAddr,
}

impl SourceRange {
    /// Reads `168.1.5.65` or `168.1.5.60-168.1.5.70`. Azure knows IPv4 only; IPv6 is read too.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.parse::<IpAddr>().ok()?, last.parse::<IpAddr>().ok()?);
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    /// Whether requests from this address are welcome. An IPv4 address that comes wrapped in an IPv6 one, as on a
    /// socket for both, counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && (self.first..=self.last).contains(&address)
    }
}

impl fmt::Display for SourceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_the_range() {
        let range = SourceRange::parse("168.1.5.60-168.1.5.70").unwrap();
        for (address, inside) in [
            ("168.1.5.59", false),
            ("168.1.5.60", true),
            ("168.1.5.70", true),
            ("168.1.5.71", false),
            ("::ffff:168.1.5.65", true),
            ("::1", false),
        ] {
            assert_eq!(range.contains(address.parse().unwrap()), inside, "{address}");
        }
        assert_eq!(range.to_string(), "168.1.5.60-168.1.5.70");
        let one = SourceRange::parse("::1").unwrap();
        assert!(one.contains("::1".parse().unwrap()) && one.to_string() == "::1");
        for bad in [
            "",
            "168.1.5",
            "1.1.1.2-1.1.1.1",
            "1.1.1.1-::1",
            "1.1.1.1-",
            "1.1.1.1/24",
        ] {
            assert_eq!(SourceRange::parse(bad), None, "{bad}");
        }
    }
}
