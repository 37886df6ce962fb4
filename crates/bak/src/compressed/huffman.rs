//! The Huffman table of an LZ77+Huffman chunk: 512 symbols, code lengths up to 15, canonical codes ordered by length, then by
//! symbol ([MS-XCA] 2.1.4.1 and 2.2.4).
//!
//! Lookup goes through a table over the first [`DIRECT_BITS`] bits; the rare longer codes are found by comparing with the
//! first code of each length. Only complete codes are taken: an over- or under-subscribed table is an error, so that decoding
//! cannot meet a pattern that means nothing.

use super::lz77::DecodeError;

/// Bytes of the table at the head of a chunk: two 4-bit lengths a byte, the low half first.
pub(super) const TABLE_BYTES: usize = 256;
/// Symbols of the alphabet: 256 literals, then 16 lengths for each of 16 distances.
pub(super) const SYMBOLS: usize = 512;
/// Longest code in bits.
pub(super) const CODE_BITS_MAX: u32 = 15;
/// Bits looked up at once. 4096 entries of 4 bytes stay in the first-level cache beside the output window.
const DIRECT_BITS: u32 = 11;

/// A decoded code: which symbol, and how many bits its code has.
///
/// Packed as `symbol << 8 | bits`; `bits` 0 marks a prefix of codes longer than the direct table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Code(u32);

impl Code {
    fn new(symbol: usize, bits: u32) -> Self {
        Self((symbol as u32) << 8 | bits)
    }

    pub(super) fn symbol(self) -> usize {
        (self.0 >> 8) as usize
    }

    pub(super) fn bits(self) -> u32 {
        self.0 & 0xFF
    }
}

/// Decoding table, rebuilt in place for each chunk.
#[derive(Clone, Debug)]
pub(super) struct Table {
    direct: Box<[Code; 1 << DIRECT_BITS]>,
    /// Symbols in canonical order.
    ordered: Box<[u16; SYMBOLS]>,
    /// For each length: the first code past those of that length, left-aligned to 15 bits.
    limit: [u32; CODE_BITS_MAX as usize + 1],
    /// For each length: index into `ordered` of its first symbol, minus its first code.
    base: [i32; CODE_BITS_MAX as usize + 1],
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            direct: Box::new([Code::default(); 1 << DIRECT_BITS]),
            ordered: Box::new([0; SYMBOLS]),
            limit: [0; CODE_BITS_MAX as usize + 1],
            base: [0; CODE_BITS_MAX as usize + 1],
        }
    }

    /// Takes the table from the head of a chunk.
    pub(super) fn rebuild(&mut self, packed: &[u8; TABLE_BYTES]) -> Result<(), DecodeError> {
        let mut count = [0u32; CODE_BITS_MAX as usize + 1];
        for byte in packed {
            count[usize::from(byte & 15)] += 1;
            count[usize::from(byte >> 4)] += 1;
        }
        count[0] = 0;
        let filled: u32 = (1..=CODE_BITS_MAX)
            .map(|bits| count[bits as usize] << (CODE_BITS_MAX - bits))
            .sum();
        if filled != 1 << CODE_BITS_MAX {
            return Err(DecodeError::IncompleteCode);
        }
        let mut next = self.lay_out(&count);
        for (index, byte) in packed.iter().enumerate() {
            for (symbol, bits) in [(2 * index, byte & 15), (2 * index + 1, byte >> 4)] {
                if bits != 0 {
                    let place = &mut next[usize::from(bits)];
                    self.ordered[*place] = symbol as u16;
                    *place += 1;
                }
            }
        }
        self.fill_direct(&count);
        Ok(())
    }

    /// Sets limits and bases; gives the place in `ordered` where each length starts.
    fn lay_out(&mut self, count: &[u32; CODE_BITS_MAX as usize + 1]) -> [usize; CODE_BITS_MAX as usize + 1] {
        let mut next = [0usize; CODE_BITS_MAX as usize + 1];
        let (mut code, mut index) = (0u32, 0u32);
        for bits in 1..=CODE_BITS_MAX {
            let at = bits as usize;
            code <<= 1;
            next[at] = index as usize;
            self.base[at] = index as i32 - code as i32;
            code += count[at];
            index += count[at];
            self.limit[at] = code << (CODE_BITS_MAX - bits);
        }
        next
    }

    fn fill_direct(&mut self, count: &[u32; CODE_BITS_MAX as usize + 1]) {
        let (mut at, mut index) = (0usize, 0usize);
        for bits in 1..=DIRECT_BITS {
            let span = 1usize << (DIRECT_BITS - bits);
            for _ in 0..count[bits as usize] {
                let code = Code::new(usize::from(self.ordered[index]), bits);
                self.direct[at..at + span].fill(code);
                at += span;
                index += 1;
            }
        }
        self.direct[at..].fill(Code::default());
    }

    /// The code at the head of `window`, whose next bit is its topmost.
    #[inline]
    pub(super) fn lookup(&self, window: u64) -> Code {
        let code = self.direct[(window >> (64 - DIRECT_BITS)) as usize];
        if code.bits() == 0 {
            self.lookup_long(window)
        } else {
            code
        }
    }

    #[cold]
    fn lookup_long(&self, window: u64) -> Code {
        let head = (window >> (64 - CODE_BITS_MAX)) as u32;
        // The code is complete: a head below no limit does not exist, and the last length takes the rest.
        let bits = (DIRECT_BITS + 1..CODE_BITS_MAX)
            .find(|bits| head < self.limit[*bits as usize])
            .unwrap_or(CODE_BITS_MAX);
        let code = (head >> (CODE_BITS_MAX - bits)) as i32;
        let index = self.base[bits as usize] + code;
        Code::new(usize::from(self.ordered[index as usize & (SYMBOLS - 1)]), bits)
    }
}

/// The canonical codes for given lengths: what an encoder writes.
pub(super) fn canonical_codes(lengths: &[u8; SYMBOLS]) -> [u16; SYMBOLS] {
    let mut codes = [0u16; SYMBOLS];
    let mut code = 0u32;
    for bits in 1..=CODE_BITS_MAX as u8 {
        code <<= 1;
        for (symbol, length) in lengths.iter().enumerate() {
            if *length == bits {
                codes[symbol] = code as u16;
                code += 1;
            }
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(lengths: &[u8; SYMBOLS]) -> [u8; TABLE_BYTES] {
        std::array::from_fn(|index| lengths[2 * index] | lengths[2 * index + 1] << 4)
    }

    #[test]
    fn every_code_is_found_again_short_and_long() {
        // 1, 2, 3 .. 14, 15, 15: complete, and long enough to leave the direct table.
        let mut lengths = [0u8; SYMBOLS];
        let symbols = [3, 256, 0, 511, 17, 99, 300, 301, 40, 41, 42, 43, 44, 45, 46, 500];
        for (index, symbol) in symbols.iter().enumerate() {
            lengths[*symbol] = (index as u8 + 1).min(15);
        }
        let mut table = Table::new();
        table.rebuild(&packed(&lengths)).unwrap();
        let codes = canonical_codes(&lengths);
        for symbol in symbols {
            let bits = u32::from(lengths[symbol]);
            for tail in [0u64, u64::MAX] {
                let window = u64::from(codes[symbol]) << (64 - bits) | tail >> bits;
                let code = table.lookup(window);
                assert_eq!((code.symbol(), code.bits()), (symbol, bits));
            }
        }
    }

    #[test]
    fn incomplete_and_overfull_codes_are_refused() {
        let mut lengths = [0u8; SYMBOLS];
        let mut table = Table::new();
        assert_eq!(table.rebuild(&packed(&lengths)), Err(DecodeError::IncompleteCode));
        lengths[1] = 1;
        assert_eq!(table.rebuild(&packed(&lengths)), Err(DecodeError::IncompleteCode));
        lengths[2] = 1;
        assert_eq!(table.rebuild(&packed(&lengths)), Ok(()));
        lengths[3] = 15;
        assert_eq!(table.rebuild(&packed(&lengths)), Err(DecodeError::IncompleteCode));
    }
}
