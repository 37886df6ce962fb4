//! The push-style reader of the container: file bytes in, in any slicing; MTF bytes, damage and what is unknown out.
//!
//! What lies whole inside a pushed slice is worked on where it lies; only a record cut by the end of a slice is gathered, in a
//! buffer that never grows past the longest record (28 + 65,535 bytes). Damage is reported once and does not end the reading
//! where the framing is still known: a record that fails its checksum is decoded all the same, one that does not decode reads as zeros,
//! so that the MTF stream behind it keeps its place.

use super::lz77::Lz77Huffman;
use super::{
    DATA_HEADER, FIRST_RECORD, MAGIC, RECORD_HEADER, SECTOR, SECTORS_MAX, TAG_DATA, TAG_FIGURES, TAG_PADDING,
    VERSION,
};
use crate::checksum::record_sum;

/// What the decoder gives out.
#[derive(Debug, PartialEq, Eq)]
pub enum ContainerEvent<'a> {
    /// The next bytes of the MTF stream; never empty.
    Bytes(&'a [u8]),
    /// A soft filemark, stored as it is, follows in the next bytes.
    Filemark {
        /// Offset in the file, in bytes. Filemarks name each other by it.
        offset: u64,
    },
    /// Something is not as it was written.
    Damage {
        /// Offset in the file, in bytes.
        offset: u64,
        /// A sentence for people.
        detail: String,
    },
    /// Something this reader does not know; nothing behind it is decoded.
    Unsupported {
        /// Offset in the file, in bytes.
        offset: u64,
        /// A sentence for people.
        detail: String,
    },
}

/// Where the file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Between two records or behind a soft filemark. Whether it is the right place the MTF stream must say.
    Between,
    /// Inside what starts at this offset of the file.
    Inside(u64),
    /// Behind something unsupported or damaged beyond following, at this offset of the file.
    Lost(u64),
}

/// Bytes of the header every MTF block shares.
const BLOCK_HEADER: usize = 52;
/// Padding of tag 0x2C: header, then u16 1, u16 1, u32 2, u32 length from +24 on.
const FIGURES_HEADER: usize = RECORD_HEADER + 12;
/// Bytes that tell what follows.
const TAG: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    FileHeader,
    Tag,
    Data,
    /// A tag nobody knows, gathered as if it were data: where the checksum holds only the tag is damaged.
    Unknown,
    Padding,
    Figures,
    Filemark,
    /// After padding that leads nowhere: sector after sector until a soft filemark stands there.
    Search,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of a part make it whole.
    Gather(Part, usize),
    /// The rest of a soft filemark passes as it is.
    Pass(usize),
    /// Bytes that mean nothing, and what comes behind them.
    Skip(u64, Part),
    /// The rest of the file is left alone.
    Stopped(u64),
}

/// Reads a compressed backup; see the [module](super) for the format.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    gathered: Vec<u8>,
    /// Offset in the file of what is gathered, or of the next byte.
    offset: u64,
    block_size: Option<usize>,
    damaged: bool,
    lz77: Lz77Huffman,
    output: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the first byte of a file.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Gather(Part::FileHeader, 16),
            gathered: Vec::new(),
            offset: 0,
            block_size: None,
            damaged: false,
            lz77: Lz77Huffman::new(),
            output: vec![0; usize::from(SECTORS_MAX) * SECTOR + Lz77Huffman::SLACK],
        }
    }

    /// Takes the next bytes of the file and gives out what they decode to.
    pub fn push(&mut self, mut input: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) {
        while !input.is_empty() {
            input = match self.state {
                State::Gather(part, need) => self.gather(part, need, input, out),
                State::Pass(left) => self.pass(left, input, out),
                State::Skip(left, then) => self.skip(left, then, input),
                State::Stopped(_) => return,
            };
        }
    }

    /// Whether the rest of the file is left alone, whatever it is.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped(_))
    }

    /// Ends the file.
    pub fn finish(mut self, out: &mut impl FnMut(ContainerEvent<'_>)) -> Ending {
        match self.state {
            State::Gather(Part::Tag, _) if self.gathered.is_empty() => Ending::Between,
            State::Gather(Part::Unknown, _) => {
                self.lose_framing(&self.gathered.clone(), out);
                Ending::Lost(self.offset)
            }
            State::Stopped(offset) => Ending::Lost(offset),
            State::Gather(..) | State::Pass(_) | State::Skip(..) => Ending::Inside(self.offset),
        }
    }

    fn gather<'a>(
        &mut self,
        part: Part,
        need: usize,
        input: &'a [u8],
        out: &mut impl FnMut(ContainerEvent<'_>),
    ) -> &'a [u8] {
        if self.gathered.is_empty() && input.len() >= need {
            let used = self.take(part, &input[..need], out);
            return &input[used..];
        }
        let missing = need.saturating_sub(self.gathered.len());
        let (now, rest) = input.split_at(missing.min(input.len()));
        self.gathered.extend_from_slice(now);
        if self.gathered.len() >= need {
            let mut whole = std::mem::take(&mut self.gathered);
            let used = self.take(part, &whole, out);
            whole.drain(..used);
            self.gathered = whole;
        }
        rest
    }

    /// Works on a whole part and sets what comes next. Gives how many of its bytes are done with: all, or none where more of
    /// the same is needed.
    fn take(&mut self, part: Part, bytes: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) -> usize {
        let next = match part {
            Part::FileHeader => self.take_file_header(bytes, out),
            Part::Tag => {
                self.state = Self::part_by_tag(bytes);
                return 0;
            }
            Part::Data => self.take_data(bytes, out),
            Part::Unknown => self.take_unknown(bytes, out),
            Part::Padding => self.take_padding(u64::from(u16_at(bytes, 2)), bytes, out),
            Part::Figures => self.take_figures(bytes, out),
            Part::Filemark => self.take_filemark(bytes, out),
            Part::Search => self.take_search(bytes, out),
        };
        self.offset += bytes.len() as u64;
        self.state = match next {
            State::Skip(0, then) => Self::part_start(then),
            State::Pass(0) => Self::part_start(Part::Tag),
            other => other,
        };
        bytes.len()
    }

    fn part_start(part: Part) -> State {
        match part {
            Part::Search => State::Gather(Part::Search, SECTOR),
            _ => State::Gather(Part::Tag, TAG),
        }
    }

    fn part_by_tag(bytes: &[u8]) -> State {
        let length = usize::from(u16_at(bytes, 2));
        if bytes.starts_with(b"SFMB") {
            return State::Gather(Part::Filemark, BLOCK_HEADER);
        }
        match bytes[0] {
            TAG_DATA => State::Gather(Part::Data, DATA_HEADER + length),
            TAG_PADDING => State::Gather(Part::Padding, RECORD_HEADER),
            TAG_FIGURES => State::Gather(Part::Figures, FIGURES_HEADER),
            _ => State::Gather(Part::Unknown, DATA_HEADER + length),
        }
    }

    fn take_file_header(&mut self, bytes: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) -> State {
        let version = (u32_at(bytes, 8), u32_at(bytes, 12));
        if !bytes.starts_with(MAGIC) || version != VERSION {
            let detail = format!(
                "compressed container of version {}.{}, which is not known",
                version.0, version.1
            );
            return self.stop(detail, out);
        }
        State::Skip(FIRST_RECORD - bytes.len() as u64, Part::Tag)
    }

    fn take_data(&mut self, bytes: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) -> State {
        let (header, coded) = bytes.split_at(DATA_HEADER);
        let sectors = header[1];
        if record_sum(coded) != u32_at(header, RECORD_HEADER) {
            self.damage("compressed record fails its checksum".to_owned(), out);
        }
        if sectors == 0 || sectors > SECTORS_MAX {
            self.damage(
                format!("compressed record of {sectors} sectors, where 1 to {SECTORS_MAX} can be"),
                out,
            );
            return Self::part_start(Part::Tag);
        }
        let size = usize::from(sectors) * SECTOR;
        let window = &mut self.output[..size + Lz77Huffman::SLACK];
        if let Err(failure) = self.lz77.decode(coded, window) {
            self.output[..size].fill(0);
            if !self.damaged {
                self.damage(format!("compressed record does not decode: {failure}"), out);
            }
        }
        out(ContainerEvent::Bytes(&self.output[..size]));
        Self::part_start(Part::Tag)
    }

    fn take_unknown(&mut self, bytes: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) -> State {
        let coded = &bytes[DATA_HEADER..];
        if coded.len() > 1 && record_sum(coded) == u32_at(bytes, RECORD_HEADER) {
            self.damage(
                format!(
                    "tag 0x{:02x} on a record that is compressed data in all else",
                    bytes[0]
                ),
                out,
            );
            return self.take_data(bytes, out);
        }
        self.lose_framing(bytes, out)
    }

    fn lose_framing(&mut self, bytes: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) -> State {
        let tag = bytes[0];
        if self.damaged {
            self.damage(
                format!("no record starts here (0x{tag:02x}); what follows cannot be read"),
                out,
            );
            return State::Stopped(self.offset);
        }
        self.stop(format!("record with the unknown tag 0x{tag:02x}"), out)
    }

    /// Padding of `length` bytes behind the header leads to a sector boundary; the soft filemark there is checked when reached.
    fn take_padding(&mut self, length: u64, bytes: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) -> State {
        let here = self.offset + bytes.len() as u64;
        let end = self.offset + RECORD_HEADER as u64 + length;
        let alignment = self.block_size.unwrap_or(SECTOR) as u64;
        if bytes[1] == 0 && end >= here && end.is_multiple_of(alignment) {
            return State::Skip(end - here, Part::Search);
        }
        self.damage("padding that does not lead to a block boundary".to_owned(), out);
        State::Skip(here.next_multiple_of(SECTOR as u64) - here, Part::Search)
    }

    fn take_figures(&mut self, bytes: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) -> State {
        let fixed = (
            u16_at(bytes, 2),
            u16_at(bytes, 24),
            u16_at(bytes, 26),
            u32_at(bytes, 28),
        );
        let length = if fixed == (0, 1, 1, 2) {
            u32_at(bytes, 32)
        } else {
            0
        };
        self.take_padding(u64::from(length), bytes, out)
    }

    fn take_filemark(&mut self, bytes: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) -> State {
        let size = self.filemark_size(bytes);
        if !self.offset.is_multiple_of(size as u64) {
            self.damage(
                format!("soft filemark of {size} bytes that is not on its block boundary"),
                out,
            );
        }
        self.block_size = Some(size);
        out(ContainerEvent::Filemark { offset: self.offset });
        out(ContainerEvent::Bytes(bytes));
        State::Pass(size - bytes.len())
    }

    /// The size of a soft filemark is that of a physical block, told by its own offset to the first event. 65,536 does not fit
    /// that field and reads as 0. Where the block's checksum fails the size known from before is the better one; the damage
    /// itself is for the reader of the MTF stream to report.
    fn filemark_size(&self, bytes: &[u8]) -> usize {
        let told = match usize::from(u16_at(bytes, 8)) {
            0 => 1 << 16,
            size => size,
        };
        if told.is_power_of_two() && told >= SECTOR && block_checksum_holds(bytes) {
            return told;
        }
        self.block_size.unwrap_or(SECTOR)
    }

    fn take_search(&mut self, bytes: &[u8], out: &mut impl FnMut(ContainerEvent<'_>)) -> State {
        if bytes.starts_with(b"SFMB") {
            return self.take_filemark(bytes, out);
        }
        if !self.damaged {
            self.damage("padding that does not lead to a soft filemark".to_owned(), out);
        }
        State::Gather(Part::Search, SECTOR)
    }

    fn pass<'a>(
        &mut self,
        left: usize,
        input: &'a [u8],
        out: &mut impl FnMut(ContainerEvent<'_>),
    ) -> &'a [u8] {
        let (now, rest) = input.split_at(left.min(input.len()));
        out(ContainerEvent::Bytes(now));
        self.offset += now.len() as u64;
        self.state = match left - now.len() {
            0 => Self::part_start(Part::Tag),
            left => State::Pass(left),
        };
        rest
    }

    fn skip<'a>(&mut self, left: u64, then: Part, input: &'a [u8]) -> &'a [u8] {
        let now = left.min(input.len() as u64);
        self.offset += now;
        self.state = match left - now {
            0 => Self::part_start(then),
            left => State::Skip(left, then),
        };
        &input[now as usize..]
    }

    fn damage(&mut self, detail: String, out: &mut impl FnMut(ContainerEvent<'_>)) {
        self.damaged = true;
        out(ContainerEvent::Damage {
            offset: self.offset,
            detail,
        });
    }

    fn stop(&mut self, detail: String, out: &mut impl FnMut(ContainerEvent<'_>)) -> State {
        out(ContainerEvent::Unsupported {
            offset: self.offset,
            detail,
        });
        State::Stopped(self.offset)
    }
}

/// The XOR of the 25 words before the last one of a block header is the last one.
fn block_checksum_holds(header: &[u8]) -> bool {
    header[..BLOCK_HEADER]
        .as_chunks::<2>()
        .0
        .iter()
        .fold(0, |acc, word| acc ^ u16::from_le_bytes(*word))
        == 0
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
