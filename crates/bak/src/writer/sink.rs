//! Where a written backup goes, and what each piece of it is.

use crate::compressed::Encoder;

/// What a piece of a backup is: a map of the file for tests, and how the compressed container knows its soft filemarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece {
    /// A descriptor block up to its first stream.
    Block,
    /// A soft filemark, one whole physical block.
    Filemark,
    /// The 22 bytes before the data of a stream.
    StreamHeader,
    /// The content of a RAID stream.
    Family,
    /// The content of an MQCI stream.
    Configuration,
    /// The content of a TSMP stream.
    SetMap,
    /// The two bytes before pages or log.
    PayloadPrefix,
    /// Pages, whole ones.
    Pages,
    /// Log blocks, whole ones.
    LogBlocks,
    /// The content of a CSUM stream.
    Checksum,
    /// What only fills up: SPAD, APAD, OTCP, the gap before a stream header, the rest behind log blocks.
    Filler,
}

/// Takes a backup while it is written.
pub trait Sink {
    /// The next bytes, all of one kind. A piece may come in several calls, except for [`Piece::Filemark`].
    fn write(&mut self, piece: Piece, bytes: &[u8]);

    /// Where in the file the next piece, a soft filemark of `block_size` bytes, will stand, if that is not where it stands in the
    /// stream: soft filemarks and the ends of sets are named by that offset.
    fn filemark_offset(&mut self, block_size: usize) -> Option<u64> {
        let _ = block_size;
        None
    }
}

/// A sink that appends what it takes to one buffer, so that pages and log can be read right into it.
pub trait Buffer: Sink {
    /// The buffer; bytes are only ever appended to it.
    fn buffer(&mut self) -> &mut Vec<u8>;
}

impl Buffer for Vec<u8> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        self
    }
}

impl<F: FnMut(&[u8])> Sink for F {
    fn write(&mut self, _: Piece, bytes: &[u8]) {
        self(bytes);
    }
}

impl Sink for Vec<u8> {
    fn write(&mut self, _: Piece, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The same backup in the compressed container.
impl Sink for Encoder {
    fn write(&mut self, piece: Piece, bytes: &[u8]) {
        match piece {
            Piece::Filemark => self.filemark(bytes),
            _ => self.bytes(bytes),
        }
    }

    fn filemark_offset(&mut self, block_size: usize) -> Option<u64> {
        Some(self.begin_filemark(block_size))
    }
}

impl Buffer for Encoder {
    fn buffer(&mut self) -> &mut Vec<u8> {
        self.pending()
    }
}
