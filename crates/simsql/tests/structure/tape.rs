//! A reader of the tape format that shares nothing with the product's own: it walks blocks and streams by the published layout
//! (MTF 1.00a) and keeps their bytes as they are.

/// A stream of a block.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) id: String,
    /// The 22 bytes of its header.
    pub(crate) header: Vec<u8>,
    pub(crate) data: Vec<u8>,
    /// Where its data begins, from the start of the set.
    pub(crate) data_offset: usize,
}

/// A descriptor block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) id: String,
    /// From its start to its first stream.
    pub(crate) bytes: Vec<u8>,
    pub(crate) streams: Vec<Stream>,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn letters(bytes: &[u8]) -> String {
    bytes[..4].iter().map(|byte| char::from(*byte)).collect()
}

fn xor_of_words(bytes: &[u8]) -> u16 {
    bytes.chunks_exact(2).fold(0, |sum, pair| sum ^ u16_at(pair, 0))
}

/// All blocks of a plain backup file, in order.
///
/// # Panics
/// Where the file is not as the published layout says: with the offset.
pub(crate) fn blocks(file: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut at = 0;
    let mut set_start = 0;
    while at < file.len() {
        let header = &file[at..at + 52];
        assert_eq!(
            xor_of_words(&header[..50]),
            u16_at(header, 50),
            "block header at {at}"
        );
        let id = letters(header);
        if id == "SSET" {
            set_start = at;
        }
        let first_event = match usize::from(u16_at(header, 8)) {
            // 65,536 does not fit the field.
            0 => 65_536,
            other => other,
        };
        let bytes = file[at..at + first_event].to_vec();
        let mut streams = Vec::new();
        at += first_event;
        if id != "SFMB" {
            loop {
                let stream = stream(file, at, set_start);
                at = (at + 22 + stream.data.len()).next_multiple_of(4);
                let is_last = stream.id == "SPAD";
                streams.push(stream);
                if is_last || at >= file.len() || is_block(file, at) {
                    break;
                }
            }
        }
        blocks.push(Block { id, bytes, streams });
    }
    blocks
}

fn stream(file: &[u8], at: usize, set_start: usize) -> Stream {
    let header = file[at..at + 22].to_vec();
    assert_eq!(
        xor_of_words(&header[..20]),
        u16_at(&header, 20),
        "stream header at {at}"
    );
    let length = usize::try_from(u64_at(&header, 8)).unwrap();
    Stream {
        id: letters(&header),
        data: file[at + 22..at + 22 + length].to_vec(),
        data_offset: at + 22 - set_start,
        header,
    }
}

/// Whether a block begins here rather than another stream.
fn is_block(file: &[u8], at: usize) -> bool {
    let known = [
        "TAPE", "SFMB", "SSET", "VOLB", "MSCI", "MSDA", "MSTL", "MSLS", "ESET",
    ];
    known.contains(&letters(&file[at..]).as_str())
}
