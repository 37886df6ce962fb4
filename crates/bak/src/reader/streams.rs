//! Streams: what each holds, and how it is checked.

use super::MediaReader;
use crate::bytes::{u16_at, u32_at};
use crate::content::Event;
use crate::damage::DamageKind;
use crate::limits::{CONFIGURATION, SET_MAP, SMALL_STREAM};
use crate::mtf::block::BlockType;
use crate::mtf::oddity::bits_set;
use crate::mtf::stream::{StreamHeader, StreamType};
use crate::mtf::tape::{Family, RAID};

/// How the content of the current stream is taken.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Not looked at.
    Ignored,
    /// Zeros: padding. Counts the bits that are none, from `offset` on.
    Zeros { offset: u64, bits: u64 },
    /// Gathered whole; its length was compared with a limit.
    Whole { stream: StreamHeader, bytes: Vec<u8> },
    /// Pages, behind `prefix` bytes of zero.
    Pages { prefix: u64 },
    /// Log, behind `prefix` bytes of zero.
    Log { prefix: u64 },
}

/// Payload streams begin with two zero bytes, so that their data is on a sector boundary behind a 22-byte header.
const PREFIX: u64 = 2;
const SECTOR: u64 = 512;
/// Bytes of a CSUM stream.
const CHECKSUM: u64 = 4;

impl MediaReader {
    /// Takes the header of a stream.
    pub(crate) fn stream(&mut self, stream: &StreamHeader) {
        let is_foreign_block = matches!(self.block, BlockType::Unknown(_));
        if let Err(detail) = self.order.take(self.block, stream) {
            self.findings
                .structure(DamageKind::Structure, stream.offset, detail);
        }
        if stream.is_opaque() {
            self.findings.unknown(format!(
                "its stream {} is encrypted or compressed in a way this reader does not know",
                stream.name()
            ));
            self.content = Content::Ignored;
            return;
        }
        self.content = match stream.stream_type {
            StreamType::Unknown(_) => {
                self.findings
                    .unknown(format!("it holds a stream of the unknown type {}", stream.name()));
                Content::Ignored
            }
            _ if is_foreign_block => Content::Ignored,
            StreamType::Pad | StreamType::AlignPad | StreamType::Catalog => Content::Zeros {
                offset: stream.offset,
                bits: 0,
            },
            StreamType::Raid => self.whole(stream, Some(RAID), SMALL_STREAM),
            StreamType::Checksum => self.whole(stream, Some(CHECKSUM), SMALL_STREAM),
            StreamType::Config => self.whole(stream, None, CONFIGURATION),
            StreamType::SetMap if stream.length <= SET_MAP => self.whole(stream, None, SET_MAP),
            StreamType::SetMap => Content::Ignored,
            StreamType::Data | StreamType::Log => self.payload(stream),
        };
    }

    /// Takes a stream header that cannot be used.
    pub(crate) fn bad_stream_header(&mut self, offset: u64) {
        if let BlockType::Unknown(_) = self.block {
            // What follows a block of an unknown type need not be streams.
            self.findings
                .unknown("what follows a block of an unknown type cannot be followed");
            return;
        }
        let detail = "the checksum of a stream header does not hold; what follows cannot be read";
        self.findings.structure(DamageKind::StreamHeader, offset, detail);
    }

    fn whole(&mut self, stream: &StreamHeader, length: Option<u64>, limit: u64) -> Content {
        if length.is_some_and(|length| length != stream.length) || stream.length > limit {
            self.findings.unknown(format!(
                "its stream {} has {} bytes, which this reader does not know",
                stream.name(),
                stream.length
            ));
            return Content::Ignored;
        }
        Content::Whole {
            stream: *stream,
            bytes: Vec::new(),
        }
    }

    fn payload(&mut self, stream: &StreamHeader) -> Content {
        let prefix = if stream.length % SECTOR == PREFIX {
            PREFIX
        } else {
            0
        };
        if !(stream.length - prefix).is_multiple_of(SECTOR) {
            self.findings.unknown(format!(
                "its stream {} is no whole number of sectors",
                stream.name()
            ));
            return Content::Ignored;
        }
        let is_all = self.is_single_family();
        let passes_over = self.passes_over();
        let Some(set) = self.open.as_mut().filter(|_| !passes_over) else {
            return Content::Ignored;
        };
        if stream.stream_type == StreamType::Data {
            return Content::Pages { prefix };
        }
        match set.segment {
            Some(segment) => {
                set.log.start(segment, is_all);
                Content::Log { prefix }
            }
            None => Content::Ignored,
        }
    }

    /// Takes the next bytes of the current stream's content; they begin at `offset`.
    pub(crate) fn content(&mut self, offset: u64, bytes: &[u8]) {
        match &mut self.content {
            Content::Ignored => {}
            Content::Zeros { offset: place, bits } => {
                let set = bits_set(bytes);
                if *bits == 0 && set > 0 {
                    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
                    *place = offset + first as u64;
                }
                *bits += set;
            }
            Content::Whole { bytes: whole, .. } => whole.extend_from_slice(bytes),
            Content::Pages { prefix } | Content::Log { prefix } => {
                let taken = (*prefix).min(bytes.len() as u64);
                *prefix -= taken;
                let (zeros, payload) = bytes.split_at(taken as usize);
                if zeros.iter().any(|byte| *byte != 0) {
                    let detail = "the two bytes before the payload are not zero";
                    self.findings.structure(DamageKind::StreamContent, offset, detail);
                }
                let is_pages = matches!(self.content, Content::Pages { .. });
                let Some(set) = self.open.as_mut().filter(|_| !payload.is_empty()) else {
                    return;
                };
                if is_pages {
                    set.pages.push(offset + taken, payload, &mut self.findings);
                } else {
                    set.log.push(offset + taken, payload, &mut self.findings);
                }
            }
        }
    }

    /// The content of the current stream is complete; it ended at `offset`.
    pub(crate) fn stream_end(&mut self, offset: u64) {
        match std::mem::replace(&mut self.content, Content::Ignored) {
            Content::Ignored | Content::Pages { .. } => {}
            // Whoever leaves memory in the padding leaves more than one bit of it.
            Content::Zeros { offset, bits } => match bits {
                0 => {}
                1 => {
                    self.findings.structure(
                        DamageKind::StreamContent,
                        offset,
                        "a bit of the padding is not zero",
                    );
                }
                _ => {
                    self.findings
                        .unknown("its padding is not zero, as it is in all known backups");
                }
            },
            Content::Whole { stream, bytes } => self.whole_stream(&stream, &bytes),
            Content::Log { .. } => {
                let ended = self.open.as_mut().map_or(Ok(()), |set| set.log.end());
                if let Err(detail) = ended {
                    self.findings.structure(DamageKind::LogChain, offset, detail);
                }
            }
        }
    }

    /// All streams of the current block are complete; it ended at `offset`.
    pub(crate) fn block_end(&mut self, offset: u64) {
        if self.block != BlockType::Data || self.passes_over() {
            return;
        }
        let findings = &mut self.findings;
        let ended = self
            .open
            .as_mut()
            .map_or(Ok(()), |set| set.pages.end_pass(findings));
        if let Err(detail) = ended {
            self.findings.structure(DamageKind::Structure, offset, detail);
        }
    }

    fn whole_stream(&mut self, stream: &StreamHeader, bytes: &[u8]) {
        match stream.stream_type {
            StreamType::Raid => self.family(stream, bytes),
            StreamType::Checksum => self.stream_checksum(stream, u32_at(bytes, 0)),
            StreamType::Config => self.configuration(stream.offset, bytes, self.block == BlockType::Commit),
            StreamType::SetMap => self.set_map(stream, bytes),
            _ => {}
        }
    }

    fn family(&mut self, stream: &StreamHeader, bytes: &[u8]) {
        match Family::parse(bytes) {
            Ok(family) => self.family = Some(family),
            Err(detail) => self
                .findings
                .structure(DamageKind::StreamContent, stream.offset, detail),
        }
        if Family::bits_apart_from_known(bytes) > 0 {
            self.findings.unknown(
                "its media family has a form that this reader does not know (mirrored media, perhaps)",
            );
        }
    }

    fn stream_checksum(&mut self, stream: &StreamHeader, stored: u32) {
        let is_data = self.block == BlockType::Data;
        let passes_over = self.passes_over();
        let Some(set) = self.open.as_mut().filter(|_| !passes_over) else {
            return;
        };
        let holds = if is_data {
            set.pages.checksum_holds(stored)
        } else {
            set.log.checksum_holds(stored)
        };
        self.findings.event(|| Event::StreamChecksum {
            of_pages: is_data,
            holds,
        });
        if holds {
            self.stream_checksums.ok += 1;
        } else {
            self.stream_checksums.bad += 1;
            let what = if is_data { "pages" } else { "log" };
            let detail =
                format!("the checksum that BACKUP WITH CHECKSUM wrote over the {what} does not hold");
            self.findings
                .structure(DamageKind::StreamChecksum, stream.offset, detail);
        }
    }

    /// The set map begins with the media family id and the number of sets, and repeats the texts of each set.
    fn set_map(&mut self, stream: &StreamHeader, bytes: &[u8]) {
        let family = self
            .tape
            .as_ref()
            .is_some_and(|tape| tape.family_id == u32_at(bytes, 0));
        let count = u64::from(u16_at(bytes, 4)) == self.set_count;
        let texts = self.open.as_ref().is_none_or(|set| {
            set.map_texts
                .iter()
                .all(|text| text.is_empty() || memory_contains(bytes, text))
        });
        let what = match (family, count, texts) {
            (true, true, true) => return,
            (false, ..) => "the media family",
            (_, false, _) => "the number of sets",
            _ => "the names in the set's headers",
        };
        let detail = format!("the set map does not agree with {what}");
        self.findings
            .structure(DamageKind::StreamContent, stream.offset, detail);
    }
}

/// Whether `needle`, which is not empty, is somewhere in `bytes`.
fn memory_contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some((first, _)) = needle.split_first() else {
        return true;
    };
    let candidates = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
    candidates
        .into_iter()
        .any(|(at, _)| bytes[at..].starts_with(needle))
}
