//! A second reader of the tape format for tests: written down from the MTF specification and the facts about real files, in a
//! few lines, without a line from the crate under test. It panics on whatever is not right.

/// A stream: its four letters, attributes, and data.
pub(crate) struct Stream<'a> {
    pub(crate) letters: [u8; 4],
    pub(crate) attributes: u16,
    pub(crate) at: usize,
    pub(crate) data: &'a [u8],
}

/// A descriptor block with its streams.
pub(crate) struct Block<'a> {
    pub(crate) letters: [u8; 4],
    pub(crate) at: usize,
    pub(crate) bytes: &'a [u8],
    pub(crate) streams: Vec<Stream<'a>>,
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn xor_words(bytes: &[u8]) -> u16 {
    bytes
        .chunks(2)
        .fold(0, |acc, word| acc ^ u16::from_le_bytes([word[0], word[1]]))
}

/// All blocks of a file, which they fill to the last byte.
pub(crate) fn walk(file: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < file.len() {
        assert_eq!(xor_words(&file[at..at + 52]), 0, "block at {at}");
        let letters: [u8; 4] = file[at..at + 4].try_into().expect("four bytes");
        let events = match usize::from(u16_at(file, at + 8)) {
            0 => 65536,
            events => events,
        };
        let mut block = Block {
            letters,
            at,
            bytes: &file[at..at + events],
            streams: Vec::new(),
        };
        at += events;
        while &letters != b"SFMB"
            && block
                .streams
                .last()
                .is_none_or(|stream| &stream.letters != b"SPAD")
        {
            at = at.next_multiple_of(4);
            let header = &file[at..at + 22];
            assert_eq!(xor_words(header), 0, "stream at {at}");
            let letters = header[..4].try_into().expect("four bytes");
            let (start, length) = (at + 22, u64_at(header, 8) as usize);
            let data = &file[start..start + length];
            block.streams.push(Stream {
                letters,
                attributes: u16_at(header, 6),
                at: start,
                data,
            });
            at = start + length;
        }
        blocks.push(block);
    }
    assert_eq!(at, file.len(), "the walk ends with the file");
    blocks
}
