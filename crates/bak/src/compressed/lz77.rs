//! LZ77+Huffman ([MS-XCA] 2.1 and 2.2), one chunk: 256 bytes of code lengths, then a stream of 16-bit little-endian words read
//! from their topmost bit.
//!
//! Literals are symbols below 256. A match is 256 + 16 * (bits of its distance) + (length - 3), where 15 means that the length
//! goes on in whole bytes, which stand in the input at the place the reader has reached *after loading words ahead*: in the
//! published algorithm between 16 and 31 bits are loaded and not yet used. Here up to 64 bits are loaded; whole words too many
//! are given back before such a length is read, which gives the same place.
//!
//! The output is checked as it grows: a distance never reaches before its start, a match never past its end. The chunk ends
//! with the symbol 256, and the published algorithm has then read exactly all of it: so do all 169 records of the real backups.

use std::cmp::Ordering;

use thiserror::Error;

use super::huffman::{TABLE_BYTES, Table};

/// Why a chunk does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The code lengths do not make a complete prefix code.
    #[error("the code lengths do not make a complete code")]
    IncompleteCode,
    /// The input ends before the output is full.
    #[error("the coded data ends early")]
    InputTooShort,
    /// The output is full and the input goes on.
    #[error("the coded data goes on behind its end")]
    InputTooLong,
    /// A match reaches before the first byte.
    #[error("a match reaches before the start of the data")]
    DistanceTooFar,
    /// A match reaches past the announced size.
    #[error("a match reaches past the end of the data")]
    MatchTooLong,
    /// The output is full, but no end marker follows.
    #[error("the end marker is missing")]
    NoEndMarker,
}

/// Symbol that ends a chunk where all of its output is there.
pub(super) const END_SYMBOL: usize = 256;
/// Shortest match.
pub(super) const MATCH_MIN: usize = 3;
/// Length code that goes on in bytes.
pub(super) const LENGTH_MORE: usize = 15;
/// Matches are copied in pieces of this many bytes, which may write past their end into this much slack.
const PIECE: usize = 32;

/// Decoder for single chunks; its table and nothing else is kept from one to the next.
#[derive(Clone, Debug)]
pub struct Lz77Huffman {
    table: Table,
}

impl Default for Lz77Huffman {
    fn default() -> Self {
        Self::new()
    }
}

impl Lz77Huffman {
    /// Slack in bytes which the output buffer of [`decode`](Self::decode) has behind the decoded data.
    pub const SLACK: usize = PIECE;

    /// A decoder without a table; 9 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self { table: Table::new() }
    }

    /// Decodes one chunk into `out`, which is exactly as long as the decoded data and [`SLACK`](Self::SLACK) more.
    ///
    /// The slack may be overwritten with anything.
    ///
    /// # Panics
    /// Where `out` is shorter than the slack.
    ///
    /// # Errors
    /// Anything but a well-formed chunk of exactly this size. `out` then holds what was decoded so far.
    pub fn decode(&mut self, chunk: &[u8], out: &mut [u8]) -> Result<(), DecodeError> {
        let (packed, coded) = chunk
            .split_first_chunk::<TABLE_BYTES>()
            .ok_or(DecodeError::InputTooShort)?;
        let size = out.len().checked_sub(PIECE).expect("the caller leaves the slack");
        self.table.rebuild(packed)?;
        let mut bits = BitReader::new(coded);
        let mut at = 0;
        while at < size {
            bits.refill();
            let code = self.table.lookup(bits.window);
            bits.consume(code.bits());
            let symbol = code.symbol();
            if symbol < 256 {
                out[at] = symbol as u8;
                at += 1;
                continue;
            }
            let length = bits.match_length(symbol % 16)?;
            let distance = bits.distance((symbol - 256) as u32 / 16);
            if distance > at {
                return Err(bits.or_input_too_short(DecodeError::DistanceTooFar));
            }
            if length > size - at {
                return Err(bits.or_input_too_short(DecodeError::MatchTooLong));
            }
            copy_match(out, at, distance, length);
            at += length;
        }
        self.check_end(bits)
    }

    fn check_end(&self, mut bits: BitReader<'_>) -> Result<(), DecodeError> {
        bits.refill();
        let code = self.table.lookup(bits.window);
        if code.symbol() != END_SYMBOL {
            return Err(bits.or_input_too_short(DecodeError::NoEndMarker));
        }
        bits.consume(code.bits());
        match bits.words_at().cmp(&bits.input.len()) {
            Ordering::Greater => Err(DecodeError::InputTooShort),
            Ordering::Less => Err(DecodeError::InputTooLong),
            Ordering::Equal => Ok(()),
        }
    }
}

/// Copies `length` bytes from `distance` before `at` to `at`, where the two may overlap. May write up to [`PIECE`] bytes more.
#[inline]
fn copy_match(out: &mut [u8], at: usize, distance: usize, length: usize) {
    let end = at + length;
    if distance >= PIECE {
        let mut to = at;
        while to < end {
            let from = to - distance;
            let piece: [u8; PIECE] = out[from..from + PIECE]
                .try_into()
                .expect("a slice of that length");
            out[to..to + PIECE].copy_from_slice(&piece);
            to += PIECE;
        }
    } else if distance == 1 {
        let byte = out[at - 1];
        out[at..end].fill(byte);
    } else {
        copy_pattern(out, at, distance, end);
    }
}

/// A match closer than a piece: the pattern is laid down until it is as long as a piece, then copied by pieces.
fn copy_pattern(out: &mut [u8], at: usize, distance: usize, end: usize) {
    let repeated = distance * PIECE.div_ceil(distance);
    let first = end.min(at + repeated);
    for to in at..first {
        out[to] = out[to - distance];
    }
    if first < end {
        copy_match(out, first, repeated, end - first);
    }
}

/// Bits of a stream of 16-bit words, topmost first.
struct BitReader<'a> {
    input: &'a [u8],
    /// Next byte to load. Runs on past the end, where zeros are read; the end is checked where it matters.
    at: usize,
    /// Loaded bits, the next one topmost.
    window: u64,
    /// How many bits of `window` are loaded.
    loaded: u32,
}

impl<'a> BitReader<'a> {
    fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            at: 0,
            window: 0,
            loaded: 0,
        }
    }

    /// Leaves at least 33 bits: a symbol (15) and a distance (15).
    #[inline]
    fn refill(&mut self) {
        if self.loaded <= 32 {
            let words = match self.input.get(self.at..self.at + 4) {
                Some(four) => u32::from_le_bytes(four.try_into().expect("a slice of four")),
                None => self.last_words(),
            };
            self.window |= u64::from(words.rotate_left(16)) << (32 - self.loaded);
            self.loaded += 32;
            self.at += 4;
        }
    }

    #[cold]
    fn last_words(&self) -> u32 {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let mut four = [0; 4];
        four[..rest.len()].copy_from_slice(rest);
        u32::from_le_bytes(four)
    }

    #[inline]
    fn consume(&mut self, bits: u32) {
        self.window <<= bits;
        self.loaded -= bits;
    }

    /// The distance with this many bits behind its leading one.
    #[inline]
    fn distance(&mut self, bits: u32) -> usize {
        // Two shifts, since a shift by 64 is none.
        let low = (self.window >> 1 >> (63 - bits)) as usize;
        self.consume(bits);
        low | 1 << bits
    }

    /// The length of a match from its code, and from the bytes behind it where the code says so.
    #[inline]
    fn match_length(&mut self, code: usize) -> Result<usize, DecodeError> {
        if code < LENGTH_MORE {
            Ok(code + MATCH_MIN)
        } else {
            self.long_length()
        }
    }

    #[inline(never)]
    fn long_length(&mut self) -> Result<usize, DecodeError> {
        let at = self.words_at();
        self.loaded -= (self.at - at) as u32 * 8;
        self.window &= !(u64::MAX >> self.loaded);
        let bytes = |from: usize, to: usize| {
            self.input
                .get(at + from..at + to)
                .ok_or(DecodeError::InputTooShort)
        };
        let first = usize::from(bytes(0, 1)?[0]);
        let (length, used) = if first < 255 {
            (first + LENGTH_MORE, 1)
        } else {
            let word = bytes(1, 3)?;
            match usize::from(u16::from_le_bytes([word[0], word[1]])) {
                // Lengths beyond a u16 do not fit a chunk of 64 KiB.
                0 => return Err(DecodeError::MatchTooLong),
                length if length < LENGTH_MORE => return Err(DecodeError::MatchTooLong),
                length => (length, 3),
            }
        };
        self.at = at + used;
        Ok(length + MATCH_MIN)
    }

    /// The place the published algorithm has reached: with 16 to 31 bits loaded.
    fn words_at(&self) -> usize {
        match self.loaded.checked_sub(16) {
            Some(ahead) => self.at - 2 * (ahead / 16) as usize,
            None => self.at + 2,
        }
    }

    /// Bits beyond the input make any error out of thin air: the true one is then the early end.
    fn or_input_too_short(&self, error: DecodeError) -> DecodeError {
        if self.words_at() > self.input.len() {
            DecodeError::InputTooShort
        } else {
            error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compressed::encode_chunk;

    fn decode(chunk: &[u8], size: usize) -> Result<Vec<u8>, DecodeError> {
        let mut out = vec![0xEE; size + Lz77Huffman::SLACK];
        Lz77Huffman::new().decode(chunk, &mut out)?;
        out.truncate(size);
        Ok(out)
    }

    fn with_table(lengths: &[(usize, u8)], coded: &[u8]) -> Vec<u8> {
        let mut chunk = vec![0; 256];
        for (at, byte) in lengths {
            chunk[*at] = *byte;
        }
        chunk.extend_from_slice(coded);
        chunk
    }

    /// [MS-XCA] 3.2, first example: no match at all.
    #[test]
    fn the_alphabet_of_the_specification() {
        let mut lengths: Vec<_> = (0x31..0x3B).map(|at| (at, 0x55)).collect();
        lengths.extend([
            (0x30, 0x50),
            (0x3B, 0x45),
            (0x3C, 0x44),
            (0x3D, 0x04),
            (0x80, 0x04),
        ]);
        let coded = [
            0xd8, 0x52, 0x3e, 0xd7, 0x94, 0x11, 0x5b, 0xe9, 0x19, 0x5f, 0xf9, 0xd6, 0x7c, 0xdf, 0x8d, 0x04,
            0, 0, 0, 0,
        ];
        let chunk = with_table(&lengths, &coded);
        assert_eq!(decode(&chunk, 26).unwrap(), b"abcdefghijklmnopqrstuvwxyz");
    }

    /// [MS-XCA] 3.2, second example: a match whose length stands in bytes between the words.
    #[test]
    fn the_hundred_abc_of_the_specification() {
        let lengths = [(0x30, 0x30), (0x31, 0x23), (0x80, 0x02), (0x8F, 0x20)];
        let chunk = with_table(&lengths, &[0xa8, 0xdc, 0, 0, 0xff, 0x26, 0x01]);
        assert_eq!(decode(&chunk, 300).unwrap(), b"abc".repeat(100));
        assert_eq!(decode(&chunk, 299), Err(DecodeError::MatchTooLong));
        // Before its end the end marker is a match of three bytes, so that a wrong size is wrong there or behind it.
        for size in 301..320 {
            assert!(decode(&chunk, size).is_err(), "{size}");
        }
        assert_eq!(
            decode(&chunk[..chunk.len() - 1], 300),
            Err(DecodeError::InputTooShort)
        );
        assert_eq!(
            decode(&[&chunk[..], &[0, 0]].concat(), 300),
            Err(DecodeError::InputTooLong)
        );
        assert_eq!(decode(&chunk[..256], 300), Err(DecodeError::InputTooShort));
        assert_eq!(decode(&[], 300), Err(DecodeError::InputTooShort));
    }

    #[test]
    fn what_the_encoder_wrote_comes_back() {
        let mut state = 9u64;
        let mut noise = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..300usize {
            let size = 1 + noise() as usize % 65536;
            let alphabet = [1, 2, 3, 250][round % 4];
            let mut data: Vec<u8> = (0..size).map(|_| (noise() % alphabet) as u8).collect();
            for _ in 0..round % 20 {
                // Repeats at every distance, the short ones included, and runs.
                let from = noise() as usize % size;
                let distance = 1 + noise() as usize % [3, 40, 4000, 65535][round % 4];
                for at in from.max(distance)..size.min(from + noise() as usize % 9000) {
                    data[at] = data[at - distance];
                }
            }
            assert!(
                decode(&encode_chunk(&data), size).unwrap() == data,
                "round {round}"
            );
        }
    }

    #[test]
    fn hostile_chunks_never_panic() {
        let data: Vec<u8> = (0..4096u32).map(|index| (index * index / 32) as u8).collect();
        let chunk = encode_chunk(&data);
        for bit in 0..chunk.len() * 8 {
            let mut hostile = chunk.clone();
            hostile[bit / 8] ^= 1 << (bit % 8);
            let _ = decode(&hostile, 4096);
            let _ = decode(&hostile[..bit / 8], 4096);
        }
    }
}
