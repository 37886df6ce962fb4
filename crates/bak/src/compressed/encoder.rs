//! Writes the container of a compressed backup: the counterpart of the decoder, for fixtures, tests and the demo.
//!
//! Each record holds at most 64 KiB of the MTF stream, coded with matches found greedily through one hash table and with one
//! Huffman code of at most 15 bits. That is valid and compresses page data about as well as SQL Server does; it is not tuned.

use super::huffman::{CODE_BITS_MAX, SYMBOLS, TABLE_BYTES, canonical_codes};
use super::lz77::{END_SYMBOL, LENGTH_MORE, MATCH_MIN};
use super::{
    DATA_HEADER, FIRST_RECORD, MAGIC, RECORD_HEADER, SECTOR, SECTORS_MAX, TAG_DATA, TAG_PADDING, VERSION,
};
use crate::checksum::record_sum;

const CHUNK: usize = SECTORS_MAX as usize * SECTOR;
const HASH_BITS: u32 = 13;
/// Longest distance: 15 bits behind the leading one.
const DISTANCE_MAX: usize = (1 << 16) - 1;

/// Puts an MTF stream into the container.
///
/// The caller says where the soft filemarks are: they stand in the container as they are.
#[derive(Debug)]
pub struct Encoder {
    pending: Vec<u8>,
    /// What is made and was not taken away yet.
    file: Vec<u8>,
    /// Bytes of the container before that.
    taken: u64,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// A container with nothing but its header.
    #[must_use]
    pub fn new() -> Self {
        let mut file = Vec::with_capacity(FIRST_RECORD as usize);
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&VERSION.0.to_le_bytes());
        file.extend_from_slice(&VERSION.1.to_le_bytes());
        file.resize(FIRST_RECORD as usize, 0);
        Self {
            pending: Vec::new(),
            file,
            taken: 0,
        }
    }

    /// Goes on behind `length` bytes of a container, which end with a soft filemark.
    #[must_use]
    pub fn append(length: u64) -> Self {
        Self {
            pending: Vec::new(),
            file: Vec::new(),
            taken: length,
        }
    }

    /// Bytes of the container that are made and not taken away yet.
    #[must_use]
    pub fn made(&self) -> &[u8] {
        &self.file
    }

    /// Takes away the first `length` of them.
    ///
    /// # Panics
    /// Where there are fewer.
    #[must_use]
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.file.split_off(length);
        self.taken += length as u64;
        std::mem::replace(&mut self.file, rest)
    }

    fn position(&self) -> u64 {
        self.taken + self.file.len() as u64
    }

    /// Takes the next bytes of the stream. Between soft filemarks they come to whole 512-byte sectors.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        self.pack();
    }

    /// Compresses what came into the buffer, as far as it fills records.
    pub fn pack(&mut self) {
        let whole = self.pending.len() / CHUNK * CHUNK;
        self.write_records(whole);
    }

    /// Bytes of the stream that wait to be compressed; more may be appended.
    pub(crate) fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Writes all that came so far and pads up to where a soft filemark of `size` bytes can stand. Gives that offset.
    pub fn begin_filemark(&mut self, size: usize) -> u64 {
        self.write_records(self.pending.len());
        self.pad_to(size as u64);
        self.position()
    }

    /// Takes a soft filemark block, as long as a physical block.
    pub fn filemark(&mut self, block: &[u8]) {
        self.begin_filemark(block.len());
        self.file.extend_from_slice(block);
    }

    /// Ends the container; the last block of a backup is a soft filemark. Gives what was not taken away before.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.write_records(self.pending.len());
        self.file
    }

    fn write_records(&mut self, length: usize) {
        let pending = std::mem::take(&mut self.pending);
        let (now, later) = pending.split_at(length);
        for chunk in now.chunks(CHUNK) {
            assert!(chunk.len().is_multiple_of(SECTOR), "a record holds whole sectors");
            self.write_record(chunk);
        }
        self.pending.extend_from_slice(later);
    }

    fn write_record(&mut self, chunk: &[u8]) {
        let coded = encode_chunk(chunk);
        let Ok(length) = u16::try_from(coded.len()) else {
            // What cannot be compressed (encrypted or random bytes) grows a little: half of it fits.
            let (first, second) = chunk.split_at(chunk.len() / 2 / SECTOR * SECTOR);
            self.write_record(first);
            self.write_record(second);
            return;
        };
        let mut header = [0u8; DATA_HEADER];
        header[0] = TAG_DATA;
        header[1] = (chunk.len() / SECTOR) as u8;
        header[2..4].copy_from_slice(&length.to_le_bytes());
        header[RECORD_HEADER..].copy_from_slice(&record_sum(&coded).to_le_bytes());
        self.file.extend_from_slice(&header);
        self.file.extend_from_slice(&coded);
    }

    /// Writes padding up to a multiple of `block`, a block further where the 24 bytes of its header do not fit.
    fn pad_to(&mut self, block: u64) {
        let here = self.position();
        if here.is_multiple_of(block) {
            return;
        }
        let end = (here + RECORD_HEADER as u64).next_multiple_of(block);
        let length = end - here - RECORD_HEADER as u64;
        let mut header = [0u8; RECORD_HEADER];
        header[0] = TAG_PADDING;
        header[2..4].copy_from_slice(&u16::try_from(length).expect("less than a block").to_le_bytes());
        self.file.extend_from_slice(&header);
        self.file.resize((end - self.taken) as usize, 0);
    }
}

/// One chunk as LZ77+Huffman ([MS-XCA] 2.1); at most 64 KiB.
#[must_use]
pub fn encode_chunk(data: &[u8]) -> Vec<u8> {
    let tokens = find_matches(data);
    let mut weights = [0u32; SYMBOLS];
    for token in &tokens {
        weights[token.symbol()] += 1;
    }
    weights[END_SYMBOL] += 1;
    let lengths = code_lengths(&weights);
    let codes = canonical_codes(&lengths);
    let mut out: Vec<u8> = (0..TABLE_BYTES)
        .map(|index| lengths[2 * index] | lengths[2 * index + 1] << 4)
        .collect();
    let mut bits = BitWriter::new(&mut out);
    for token in &tokens {
        let symbol = token.symbol();
        bits.write(codes[symbol], u32::from(lengths[symbol]));
        if let Token::Match { distance, length } = *token {
            bits.write_length(length - MATCH_MIN);
            let extra = distance.ilog2();
            bits.write((distance - (1 << extra)) as u16, extra);
        }
    }
    bits.write(codes[END_SYMBOL], u32::from(lengths[END_SYMBOL]));
    bits.finish();
    out
}

enum Token {
    Literal(u8),
    Match { distance: usize, length: usize },
}

impl Token {
    fn symbol(&self) -> usize {
        match *self {
            Self::Literal(byte) => usize::from(byte),
            Self::Match { distance, length } => {
                256 + 16 * distance.ilog2() as usize + (length - MATCH_MIN).min(LENGTH_MORE)
            }
        }
    }
}

fn find_matches(data: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    // Where a hash of three bytes was seen last, plus one.
    let mut seen = vec![0u32; 1 << HASH_BITS];
    let mut at = 0;
    while at < data.len() {
        let candidate = data.get(at..at + MATCH_MIN).map(|three| {
            let word = u32::from_le_bytes([three[0], three[1], three[2], 0]);
            &mut seen[(word.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize]
        });
        let from = candidate.map_or(0, |place| std::mem::replace(place, at as u32 + 1)) as usize;
        let length = match from {
            0 => 0,
            from => data[at..]
                .iter()
                .zip(&data[from - 1..])
                .take_while(|(new, old)| new == old)
                .count(),
        };
        if length >= MATCH_MIN && at + 1 - from <= DISTANCE_MAX {
            tokens.push(Token::Match {
                distance: at + 1 - from,
                length,
            });
            at += length;
        } else {
            tokens.push(Token::Literal(data[at]));
            at += 1;
        }
    }
    tokens
}

/// Lengths of a complete prefix code for the symbols with a weight, none longer than 15 bits: Huffman's, with the weights
/// flattened until it fits.
fn code_lengths(weights: &[u32; SYMBOLS]) -> [u8; SYMBOLS] {
    let mut weights = *weights;
    if weights.iter().filter(|weight| **weight > 0).count() < 2 {
        // A code of one symbol is not complete: a second one that is never used.
        weights[if weights[0] > 0 { 1 } else { 0 }] = 1;
    }
    loop {
        let lengths = huffman_lengths(&weights);
        if lengths.iter().all(|length| u32::from(*length) <= CODE_BITS_MAX) {
            return lengths;
        }
        for weight in weights.iter_mut().filter(|weight| **weight > 0) {
            *weight = weight.div_ceil(2) + 1;
        }
    }
}

fn huffman_lengths(weights: &[u32; SYMBOLS]) -> [u8; SYMBOLS] {
    let mut nodes: Vec<(u32, Vec<usize>)> = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0)
        .map(|(s, w)| (*w, vec![s]))
        .collect();
    let mut lengths = [0u8; SYMBOLS];
    while nodes.len() > 1 {
        nodes.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| right.1.cmp(&left.1)));
        let (light, heavy) = (nodes.pop().expect("two nodes"), nodes.pop().expect("two nodes"));
        let mut symbols = light.1;
        symbols.extend(heavy.1);
        for symbol in &symbols {
            lengths[*symbol] += 1;
        }
        nodes.push((light.0 + heavy.0, symbols));
    }
    lengths
}

/// Words of 16 bits, topmost bit first. Two words are kept open, since the reader loads that far ahead: bytes written between
/// go behind them.
struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    open: [usize; 2],
    word: u32,
    free: u32,
}

impl<'a> BitWriter<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        Self {
            out,
            open: [at, at + 2],
            word: 0,
            free: 16,
        }
    }

    fn write(&mut self, value: u16, bits: u32) {
        let value = u32::from(value);
        if bits <= self.free {
            self.free -= bits;
            self.word = self.word << bits | value;
            return;
        }
        let over = bits - self.free;
        self.close(self.word << self.free | value >> over);
        self.free = 16 - over;
        self.word = value & ((1 << over) - 1);
    }

    fn close(&mut self, word: u32) {
        let at = self.open[0];
        self.out[at..at + 2].copy_from_slice(&(word as u16).to_le_bytes());
        self.open = [self.open[1], self.out.len()];
        self.out.extend_from_slice(&[0; 2]);
    }

    /// The part of a match length that its symbol does not hold.
    fn write_length(&mut self, length: usize) {
        let Some(more) = length.checked_sub(LENGTH_MORE) else {
            return;
        };
        match u8::try_from(more) {
            Ok(byte) if byte < 255 => self.out.push(byte),
            _ => {
                let word = u16::try_from(length).expect("a match lies inside 64 KiB");
                self.out.push(255);
                self.out.extend_from_slice(&word.to_le_bytes());
            }
        }
    }

    fn finish(self) {
        let at = self.open[0];
        let last = (self.word << self.free) as u16;
        self.out[at..at + 2].copy_from_slice(&last.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::Encoder;
    use crate::compressed::{ContainerEvent, Decoder, Ending};

    /// Bytes that no code makes shorter: SplitMix64.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let words = std::iter::repeat_with(|| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB)
        });
        words.flat_map(u64::to_le_bytes).take(length).collect()
    }

    #[test]
    fn bytes_that_do_not_compress_come_back_as_they_were() {
        let data = noise(200 * 1024);
        let mut encoder = Encoder::new();
        encoder.bytes(&data);
        // What was made may be taken away at any time.
        let mut container = encoder.take(encoder.made().len().min(1000));
        container.extend(encoder.finish());
        let mut out = Vec::new();
        let mut decoder = Decoder::new();
        decoder.push(&container, &mut |event| match event {
            ContainerEvent::Bytes(bytes) => out.extend_from_slice(bytes),
            other => panic!("{other:?}"),
        });
        assert_eq!(decoder.finish(&mut |_| {}), Ending::Between);
        assert!(out == data);
    }
}
