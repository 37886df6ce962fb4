//! The walk over descriptor blocks and their streams, driven by bytes in any slicing.
//!
//! The walker knows headers, lengths and alignment; what a block or stream means is the [`MediaReader`]'s. It ends in one of two
//! ways: where a header's checksum does not hold nothing after it can be trusted, so it takes no further step ([`Walker::is_lost`]);
//! otherwise it follows the announced lengths to the last byte.

use super::block::{self, Block, HeaderError};
use super::stream::{self, StreamHeader, StreamType};
use crate::damage::DamageKind;
use crate::gather::Gather;
use crate::reader::MediaReader;

/// What the next bytes are.
#[derive(Debug, Clone)]
enum State {
    BlockHeader,
    /// The rest of a block's fixed part.
    BlockRest {
        header: [u8; block::HEADER],
        length: usize,
    },
    StreamHeader,
    /// Data of a stream.
    Content {
        left: u64,
    },
    /// Zeros up to the next multiple of four.
    Align {
        left: u64,
    },
    /// A broken header: nothing after it can be placed.
    Lost,
}

/// Where the walk is.
#[derive(Debug, Clone)]
pub(crate) struct Walker {
    state: State,
    gather: Gather,
    /// Offset in the tape-format stream of the next byte to be taken into account; what the gatherer holds is not yet.
    offset: u64,
    stream: Option<StreamHeader>,
}

impl Walker {
    pub(crate) fn new() -> Self {
        Self {
            state: State::BlockHeader,
            gather: Gather::default(),
            offset: 0,
            stream: None,
        }
    }

    /// Takes all of `input`.
    pub(crate) fn push(&mut self, mut input: &[u8], reader: &mut MediaReader) {
        while !input.is_empty() {
            match &self.state {
                State::BlockHeader => self.block_header(&mut input, reader),
                State::BlockRest { header, length } => {
                    let (header, length) = (*header, *length);
                    self.block_rest(&mut input, header, length, reader);
                }
                State::StreamHeader => self.stream_header(&mut input, reader),
                State::Content { left } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    let (content, rest) = input.split_at(taken);
                    input = rest;
                    let left = *left - taken as u64;
                    reader.content(self.offset, content);
                    self.offset += taken as u64;
                    self.content_left(left, reader);
                }
                State::Align { left } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    let (zeros, rest) = input.split_at(taken);
                    input = rest;
                    let left = *left - taken as u64;
                    if zeros.iter().any(|byte| *byte != 0) {
                        reader.findings.structure(
                            DamageKind::StreamContent,
                            self.offset,
                            "padding between streams is not zero",
                        );
                    }
                    self.offset += taken as u64;
                    self.state = State::Align { left };
                    if left == 0 {
                        self.stream_done(reader);
                    }
                }
                State::Lost => {
                    self.offset += input.len() as u64;
                    return;
                }
            }
        }
    }

    /// Bytes of payload that lie ahead without another header: what a reader of headers may skip.
    pub(crate) fn payload_ahead(&self) -> u64 {
        match (&self.state, &self.stream) {
            (State::Content { left }, Some(stream)) => match stream.stream_type {
                StreamType::Data | StreamType::Log => *left,
                _ => 0,
            },
            _ => 0,
        }
    }

    /// Passes over up to `count` bytes of payload unread; returns how many.
    pub(crate) fn skip(&mut self, count: u64, reader: &mut MediaReader) -> u64 {
        let skipped = count.min(self.payload_ahead());
        if let State::Content { left } = self.state
            && skipped > 0
        {
            self.offset = self.offset.saturating_add(skipped);
            self.content_left(left - skipped, reader);
        }
        skipped
    }

    /// Whether a broken header ended the walk.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Whether the walk stands exactly between two blocks.
    pub(crate) fn is_between_blocks(&self) -> bool {
        matches!(self.state, State::BlockHeader) && self.gather.waiting() == 0
    }

    fn block_header(&mut self, input: &mut &[u8], reader: &mut MediaReader) {
        let Some(piece) = self.gather.take(input, block::HEADER) else {
            return;
        };
        let header: [u8; block::HEADER] = crate::bytes::array(&piece, 0);
        self.gather.reuse(piece);
        match block::length(&header) {
            Ok(length) => {
                self.state = State::BlockRest { header, length };
                if length == block::HEADER {
                    self.block_done(header.to_vec(), reader);
                }
            }
            Err(error) => {
                reader.bad_block_header(self.offset, &error);
                self.state = State::Lost;
                if error == HeaderError::Checksum {
                    self.offset += block::HEADER as u64;
                }
            }
        }
    }

    fn block_rest(
        &mut self,
        input: &mut &[u8],
        header: [u8; block::HEADER],
        length: usize,
        reader: &mut MediaReader,
    ) {
        let Some(piece) = self.gather.take(input, length - block::HEADER) else {
            return;
        };
        let mut bytes = header.to_vec();
        bytes.extend_from_slice(&piece);
        self.gather.reuse(piece);
        self.block_done(bytes, reader);
    }

    fn block_done(&mut self, bytes: Vec<u8>, reader: &mut MediaReader) {
        let block = Block::parse(self.offset, bytes);
        self.offset += block.bytes.len() as u64;
        reader.block(&block);
        // A filemark is the only block without streams, not even padding.
        let has_streams = block.block_type != block::BlockType::Filemark;
        self.state = if has_streams {
            State::StreamHeader
        } else {
            State::BlockHeader
        };
    }

    fn stream_header(&mut self, input: &mut &[u8], reader: &mut MediaReader) {
        let Some(piece) = self.gather.take(input, stream::HEADER) else {
            return;
        };
        let bytes: [u8; stream::HEADER] = crate::bytes::array(&piece, 0);
        self.gather.reuse(piece);
        let Some(header) = StreamHeader::parse(self.offset, &bytes) else {
            reader.bad_stream_header(self.offset);
            self.state = State::Lost;
            return;
        };
        self.offset += stream::HEADER as u64;
        self.stream = Some(header);
        reader.stream(&header);
        self.content_left(header.length, reader);
    }

    fn content_left(&mut self, left: u64, reader: &mut MediaReader) {
        self.state = State::Content { left };
        if left > 0 {
            return;
        }
        reader.stream_end(self.offset);
        let align = self.offset.wrapping_neg() & 3;
        self.state = State::Align { left: align };
        if align == 0 {
            self.stream_done(reader);
        }
    }

    fn stream_done(&mut self, reader: &mut MediaReader) {
        let ended = self
            .stream
            .take()
            .is_some_and(|stream| stream.stream_type == StreamType::Pad);
        if ended {
            reader.block_end(self.offset);
        }
        self.state = if ended {
            State::BlockHeader
        } else {
            State::StreamHeader
        };
    }
}
