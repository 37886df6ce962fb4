//! Delays that spread many items over a window, each the same on every machine and after every restart.
//!
//! An item's place comes from its id alone: FNV-1a over the bytes, then the finalizer of SplitMix64, so that ids which differ in
//! their last digit lie far apart. Nothing is drawn by lot.

use jiff::SignedDuration;

/// The delay of an item within a window: from none to less than the window, in whole milliseconds.
pub fn delay(item: &str, window: SignedDuration) -> SignedDuration {
    let window = u64::try_from(window.as_millis()).unwrap_or(0);
    let place = u128::from(hash(item)) * u128::from(window);
    let millis = i64::try_from(place >> 64).unwrap_or(i64::MAX);
    SignedDuration::from_millis(millis)
}

/// A number for an item that is spread evenly over all 64-bit numbers.
pub(crate) fn hash(item: &str) -> u64 {
    finish(fnv1a(item.as_bytes()))
}

/// Fowler, Noll and Vo's hash 1a of 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood).
fn finish(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // Vectors of the authors of FNV.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        // SplitMix64 with seed 0: the first output finishes the first increment.
        assert_eq!(finish(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn two_thousand_items_are_spread_evenly() {
        let window = SignedDuration::from_mins(5);
        let mut per_ten_seconds = [0; 30];
        for item in 0..2000 {
            let delay = delay(&format!("instance/database-{item}"), window);
            assert!(delay < window && !delay.is_negative());
            per_ten_seconds[usize::try_from(delay.as_secs() / 10).unwrap()] += 1;
        }
        // 66.7 are expected in each, with a standard deviation of 8: five of them either way.
        assert!(
            per_ten_seconds.iter().all(|count| (27..=107).contains(count)),
            "{per_ten_seconds:?}"
        );
    }

    #[test]
    fn without_a_window_there_is_no_delay() {
        assert_eq!(delay("any", SignedDuration::ZERO), SignedDuration::ZERO);
        assert_eq!(delay("any", SignedDuration::from_secs(-5)), SignedDuration::ZERO);
    }
}
