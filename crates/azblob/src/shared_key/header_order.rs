//! The order of signed headers.
//!
//! .NET's culture order in two passes: hyphen and apostrophe weigh nothing at first, punctuation comes before
//! digits and digits before letters; only where that leaves a tie does the place of a hyphen decide, an
//! earlier one sorting later. Established from the behaviour of Microsoft's SDKs, which carry the order as a
//! table of weights; restated here for the characters a header name can have.

/// How the `x-ms-` headers are sorted before signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderOrder {
    /// As Azure and its SDKs sort.
    Culture,
    /// By byte value.
    Byte,
}

/// Characters that weigh something in the first pass, lightest first.
const WEIGHTS: &[u8] = b"!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz";

impl HeaderOrder {
    /// Sorts header names, lower-case, in place.
    pub(super) fn sort(self, names: &mut [&str]) {
        match self {
            Self::Byte => names.sort_unstable(),
            Self::Culture => names.sort_by_cached_key(|name| (primary(name), secondary(name))),
        }
    }
}

fn primary(name: &str) -> Vec<u8> {
    let weight = |b: u8| {
        WEIGHTS
            .iter()
            .position(|w| *w == b)
            .and_then(|p| u8::try_from(p).ok())
    };
    name.bytes().filter_map(weight).collect()
}

fn secondary(name: &str) -> Vec<u8> {
    let weight = |b: u8| match b {
        b'\'' => 1,
        b'-' => 2,
        _ => 0,
    };
    name.bytes().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(order: HeaderOrder, names: &[&'static str]) -> Vec<&'static str> {
        let mut names = names.to_vec();
        order.sort(&mut names);
        names
    }

    #[test]
    fn culture_order_is_that_of_the_sdks() {
        // Made with azure-storage-blob 12.31.1, azure/storage/blob/_shared/authentication.py:
        // sorted(NAMES, key=functools.cmp_to_key(compare))
        let want = include!("../../tests/vectors/culture_order.in");
        let mut shuffled = want.to_vec();
        shuffled.sort_unstable_by_key(|n| (n.len(), std::cmp::Reverse(*n)));
        assert_eq!(sorted(HeaderOrder::Culture, &shuffled), want);
    }

    #[test]
    fn byte_order() {
        let names = ["x-ms-meta-a_b", "x-ms-meta-a1", "x-ms-meta-ab", "x-ms-meta-a"];
        let want = ["x-ms-meta-a", "x-ms-meta-a1", "x-ms-meta-a_b", "x-ms-meta-ab"];
        assert_eq!(sorted(HeaderOrder::Byte, &names), want);
    }
}
