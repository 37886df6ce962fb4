//! A descriptor block: the common header of 52 bytes, the fixed part of its type, and texts found through tape addresses.
//!
//! Its length, the offset to the first event at 8, is a multiple of 4; the checksum at 50 makes the XOR of the first 26 words
//! zero.

/// Bytes of the common header.
pub(super) const HEADER: usize = 52;
const OS_ID: u8 = 14;
const OS_VERSION: u8 = 1;

/// How the texts of a block are coded.
#[derive(Clone, Copy)]
pub(super) enum Text {
    None = 0,
    Utf16 = 2,
}

/// A block while it is put together.
pub(super) struct Block {
    bytes: Vec<u8>,
}

impl Block {
    /// A block with `fixed` bytes before its texts.
    pub(super) fn new(letters: &[u8; 4], fixed: usize, text: Text) -> Self {
        let mut bytes = vec![0; fixed.max(HEADER)];
        bytes[..4].copy_from_slice(letters);
        bytes[10] = OS_ID;
        bytes[11] = OS_VERSION;
        bytes[48] = text as u8;
        Self { bytes }
    }

    /// Address in 1024-byte blocks from the start of the set, and the block's number within the set.
    pub(super) fn address(&mut self, logical: u64, number: u32) {
        self.put(20, &logical.to_le_bytes());
        self.put(36, &number.to_le_bytes());
    }

    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Appends `bytes` and puts their tape address at `at`; nothing at all where there are none.
    pub(super) fn append(&mut self, at: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let address = tape_address(bytes.len(), self.bytes.len());
        self.put(at, &address);
        self.bytes.extend_from_slice(bytes);
    }

    /// The tape address, at `at`, of nothing: no bytes, at the present end.
    pub(super) fn append_nothing(&mut self, at: usize) {
        let address = tape_address(0, self.bytes.len());
        self.put(at, &address);
    }

    pub(super) fn append_text(&mut self, at: usize, text: &str) {
        self.append(at, &utf16(text));
    }

    /// Fills up with zeros to a multiple of `alignment`.
    pub(super) fn align(&mut self, alignment: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(alignment), 0);
    }

    /// The block with length and checksum. A length of 65,536, which only a soft filemark can have, reads as 0.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.align(4);
        let length = self.bytes.len();
        assert!(length <= 1 << 16, "a descriptor block fits its own offset field");
        self.put(8, &(length as u16).to_le_bytes());
        let checksum = xor_words(&self.bytes[..HEADER - 2]);
        self.put(HEADER - 2, &checksum.to_le_bytes());
        self.bytes
    }
}

/// XOR of little-endian words, the checksum of blocks and of stream headers.
pub(super) fn xor_words(bytes: &[u8]) -> u16 {
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .fold(0, |acc, word| acc ^ u16::from_le_bytes(*word))
}

/// Size and offset of something in a block.
pub(super) fn tape_address(size: usize, offset: usize) -> [u8; 4] {
    let field = |value: usize| {
        u16::try_from(value)
            .expect("texts of a block stay within 64 KiB")
            .to_le_bytes()
    };
    let ([a, b], [c, d]) = (field(size), field(offset));
    [a, b, c, d]
}

pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
