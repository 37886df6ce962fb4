//! Descriptor blocks: their order, their addresses, and what they repeat of each other.

use super::MediaReader;
use super::set::OpenSet;
use crate::backup_set::Media;
use crate::content::{Event, MediaHeader};
use crate::damage::DamageKind;
use crate::limits::{FILEMARKS, SETS};
use crate::log::segment::{self, Segment};
use crate::mtf::block::{Block, BlockType, FORMAT_BLOCK, HEADER, HeaderError};
use crate::mtf::oddity::bits_apart;
use crate::mtf::order::Place;
use crate::mtf::stream_order::StreamOrder;
use crate::mtf::tape::{self, Tape};
use crate::mtf::{filemark, set_blocks};

impl MediaReader {
    /// Takes a block whose header checksum holds.
    pub(crate) fn block(&mut self, block: &Block) {
        self.block = block.block_type;
        self.order = StreamOrder::default();
        if let BlockType::Unknown(_) = block.block_type {
            self.findings.unknown(format!(
                "it holds a block of the unknown type {}",
                block.block_type.name()
            ));
            self.check_address(block);
            self.unknown_block = true;
            return;
        }
        let Some(next) = self.place.after(block.block_type) else {
            if self.unknown_block {
                // What may follow a block of an unknown type is not known either.
                self.findings
                    .unknown("its blocks come in an order that this reader does not know");
                self.unknown_order = true;
                return;
            }
            let detail = format!(
                "a block {} where {} belongs",
                block.block_type.name(),
                self.place.expected()
            );
            self.findings
                .structure(DamageKind::Structure, block.offset, detail);
            return;
        };
        let here = std::mem::replace(&mut self.place, next);
        self.check_address(block);
        match block.block_type {
            BlockType::Tape => self.tape(block),
            BlockType::Filemark => self.filemark(block, here),
            BlockType::SetStart => self.set_start(block),
            BlockType::Volume => self.volume(block),
            BlockType::Config | BlockType::Commit => self.fixed_part(block, &[0; 4]),
            BlockType::Data => {
                self.fixed_part(block, &[0, 0, 0, 0, 0, 0, 1, 0]);
                if let Some(set) = &mut self.open {
                    set.pages.start_pass();
                }
            }
            BlockType::Log => self.log_segment(block),
            BlockType::SetEnd => self.set_end(block),
            BlockType::Unknown(_) => {}
        }
    }

    /// Takes a header that cannot be used.
    pub(crate) fn bad_block_header(&mut self, offset: u64, error: &HeaderError) {
        let what = match error {
            HeaderError::Checksum => "the checksum of a block header does not hold",
            HeaderError::Length => "a block header has an impossible length",
        };
        let detail = format!(
            "{what} where {} belongs; what follows cannot be read",
            self.place.expected()
        );
        self.findings
            .structure(DamageKind::DescriptorBlock, offset, detail);
    }

    fn damaged_block(&mut self, block: &Block, detail: &str) {
        self.findings
            .structure(DamageKind::DescriptorBlock, block.offset, detail);
    }

    /// Takes note of bits that differ from what all known files have, where no checksum can tell damage from a writer or device
    /// that this reader has not met: the first backup of a new kind must not be called damaged for a flag.
    fn odd_bits(&mut self, block: &Block, bits: u64) {
        let name = block.block_type.name();
        match bits {
            0 => {}
            1 => self.findings.unknown(format!(
                "one bit of its block {name} is as in no known backup: flipped, or a form that this reader does not know"
            )),
            _ => self.findings.unknown(format!(
                "its block {name} has a form that this reader does not know"
            )),
        }
    }

    /// Compares the format logical address with the offset and the control block id with the one before.
    fn check_address(&mut self, block: &Block) {
        let Some(set) = &mut self.open else { return };
        if !self.place.is_addressed() && block.block_type != BlockType::Commit {
            return;
        }
        let expected = block.offset.checked_sub(set.start.offset);
        let address = block.address.checked_mul(FORMAT_BLOCK);
        let in_place = expected == address;
        let in_turn = block.control_id == set.next_control_id;
        set.next_control_id = block.control_id.wrapping_add(1);
        if !in_place {
            self.damaged_block(
                block,
                "the block's address is not where it stands: bytes are missing or too many before it",
            );
        } else if !in_turn {
            self.damaged_block(
                block,
                "the block's number does not follow the one before it: a block is missing",
            );
        }
    }

    /// Compares the fixed part behind the header with what it is in every real file.
    fn fixed_part(&mut self, block: &Block, expected: &[u8]) {
        let bits = bits_apart(&block.bytes[HEADER..], expected);
        self.odd_bits(block, bits);
    }

    fn tape(&mut self, block: &Block) {
        match Tape::parse(block) {
            Ok(tape) => {
                self.odd_bits(block, tape::bits_apart_from_known(&block.bytes));
                self.tape = Some(tape);
            }
            Err(detail) => self.damaged_block(block, detail),
        }
    }

    fn filemark(&mut self, block: &Block, here: Place) {
        match filemark::physical_block_size(block) {
            Some(size) => {
                self.after_filemark = self.file_offset.map(|offset| offset + u64::from(size));
                self.physical_block(block, size);
            }
            None => self.damaged_block(block, "the filemark's length is no physical block size"),
        }
        if !filemark::lists(block, self.filemarks.make_contiguous(), self.filemark_count) {
            self.damaged_block(block, "the filemark does not list the filemarks before it");
        }
        self.odd_bits(block, filemark::bits_apart_from_known(block));
        if self.filemarks.len() == FILEMARKS {
            self.filemarks.pop_front();
        }
        self.filemarks.push_back(self.file_offset.unwrap_or(block.offset));
        self.filemark_count += 1;
        if here == Place::SetMark {
            self.close_set(true);
        }
    }

    fn physical_block(&mut self, block: &Block, size: u32) {
        let announced = self.tape.as_ref().map(|tape| tape.filemark_size);
        if announced.is_some_and(|announced| announced != size) {
            self.damaged_block(
                block,
                "the filemark's length is not the one that the media header announces",
            );
        }
        if !block.offset.is_multiple_of(u64::from(size)) {
            self.damaged_block(block, "the filemark is not on a physical block boundary");
        }
        if self.media.is_none()
            && let (Some(family), Some(tape)) = (self.family, &self.tape)
        {
            self.media = Some(Media {
                media_set_id: family.media_set_id,
                family_number: family.number,
                family_count: family.count,
                physical_block_size: size,
                software_name: tape.software_name.clone(),
            });
            self.media_event();
        }
    }

    /// Passes the media header on.
    fn media_event(&mut self) {
        let (Some(media), Some(tape)) = (&self.media, &self.tape) else {
            return;
        };
        let compressed = self.compressed;
        self.findings.event(|| {
            Event::Media(Box::new(MediaHeader {
                media: media.clone(),
                family_id: tape.family_id,
                name: tape.name.clone(),
                description: tape.description.clone(),
                date: tape.date,
                vendor: tape.vendor,
                format_version: tape.format_version,
                compressed,
            }))
        });
    }

    fn set_start(&mut self, block: &Block) {
        self.set_count += 1;
        self.findings.set = u16::try_from(self.set_count).ok();
        if self.sets.len() >= SETS {
            self.findings.unknown(format!(
                "it holds more than {SETS} backup sets, the limit of this reader"
            ));
            return;
        }
        match set_blocks::SetStart::parse(block, self.after_filemark) {
            Ok(start) => {
                if u64::from(start.number) != self.set_count {
                    self.damaged_block(block, "the set's number is not its position in the file");
                }
                self.odd_bits(block, set_blocks::bits_apart_from_known(&block.bytes));
                if block.address != 0 || block.control_id != 0 {
                    self.damaged_block(block, "the set header is not the first block of its set");
                }
                self.open = Some(OpenSet::new(start));
            }
            Err(detail) => self.damaged_block(block, detail),
        }
    }

    fn volume(&mut self, block: &Block) {
        match set_blocks::volume(block) {
            Ok((machine, date)) => {
                let Some(set) = &mut self.open else { return };
                let bits = set_blocks::volume_bits_apart_from_known(&block.bytes);
                let same_date = date == set.start.date;
                set.map_texts
                    .push(block.addressed(64).unwrap_or_default().to_vec());
                set.machine = machine;
                self.odd_bits(block, bits);
                if !same_date {
                    self.damaged_block(block, "the volume's date is not the one of its set");
                }
            }
            Err(detail) => self.damaged_block(block, detail),
        }
    }

    fn log_segment(&mut self, block: &Block) {
        let fixed = block.bytes.get(HEADER..HEADER + 8).unwrap_or(&[]);
        let bits = bits_apart(fixed, &[0, 0, 0, 0, 0, 0, 1, 0]) + segment::bits_behind_known(&block.bytes);
        self.odd_bits(block, bits);
        let segment = Segment::parse(block);
        let Some(set) = &mut self.open else { return };
        set.segment = segment.ok();
        if let Ok(segment) = segment {
            self.findings.event(|| Event::LogSegment(segment.described()));
        }
        if let Err(detail) = segment {
            self.damaged_block(block, detail);
        }
    }

    fn set_end(&mut self, block: &Block) {
        let first = self.set_end.take();
        let Some(set) = &self.open else { return };
        let checked = set_blocks::check_set_end(block, &set.start, first);
        if first.is_none() {
            self.set_end = Some(self.after_filemark.unwrap_or(block.offset));
        }
        match checked {
            Ok(()) => self.odd_bits(block, set_blocks::reserved_bits_of_set_end(&block.bytes)),
            Err(detail) => self.damaged_block(block, detail),
        }
    }
}
