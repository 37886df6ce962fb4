//! Media that hold backup sets already: what a set that is appended must know of what lies before it.
//!
//! Two places tell it: the media header at the start, and behind the commit record of the last set the end of that set with the map of
//! all sets. What is between is not read, so that appending costs the same however long the file is.

use super::media::{BlockSize, MediaDescription};
use crate::bytes::{array, time_at, u16_at, u32_at, u64_at};
use crate::compressed::{ContainerEvent, Decoder, Encoder, FIRST_RECORD, MAGIC};
use crate::limits::SET_MAP;
use crate::mtf::block::{self, Block, BlockType, HEADER};
use crate::mtf::filemark;
use crate::mtf::stream::{self, StreamHeader, StreamType};
use crate::mtf::tape::{Family, RAID, Tape};

/// Offsets of a soft filemark's list: from 2008 on.
const FILEMARK_LIST: usize = 72;
/// Bytes of a set map before its entries.
const SET_MAP_HEADER: usize = 8;

/// The end of the last set of a media family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaEnd {
    /// Bytes of the family.
    pub(super) offset: u64,
    /// Where soft filemarks stand, the newest last; perhaps not all.
    pub(super) filemarks: Vec<u64>,
    /// Sets so far.
    pub(super) sets: u16,
    /// Entries of the set map.
    pub(super) set_map: Vec<u8>,
}

/// Why nothing can be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAppendable {
    /// There is nothing at all.
    #[error("the media are empty")]
    Empty,
    /// They do not start as a backup does.
    #[error("the media are no backup")]
    NotABackup,
    /// The media header cannot be read.
    #[error("the media header is damaged")]
    Header,
    /// They do not end as a backup set does: it was never finished, or something lies behind it.
    #[error("the last backup set has no end")]
    End,
}

impl MediaEnd {
    /// Bytes from the start that hold the media header: in the container its record comes first, and a record is at most 64 KiB of code.
    pub const HEAD: u64 = FIRST_RECORD + (1 << 17);

    /// The media header from the first [`Self::HEAD`] bytes of a family, or all of a shorter one.
    ///
    /// # Errors
    /// Where it is none.
    pub fn header(head: &[u8]) -> Result<MediaDescription, NotAppendable> {
        header(head)
    }

    /// Sets so far.
    #[must_use]
    pub fn sets(&self) -> u16 {
        self.sets
    }

    /// Reads both places of a family of `length` bytes; `read` gives so many bytes from an offset on.
    ///
    /// # Errors
    /// Those of `read`; inside, what is wrong with the media.
    #[allow(clippy::type_complexity)]
    pub fn read<E>(
        length: u64,
        read: &mut dyn FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<Result<(MediaDescription, Self), NotAppendable>, E> {
        if length == 0 {
            return Ok(Err(NotAppendable::Empty));
        }
        let head = read(0, Self::HEAD.min(length) as usize)?;
        let media = match header(&head) {
            Ok(media) => media,
            Err(why) => return Ok(Err(why)),
        };
        let size = media.block_size.bytes();
        let Some(last) = length.checked_sub(size).filter(|at| at.is_multiple_of(size)) else {
            return Ok(Err(NotAppendable::End));
        };
        let Some(mut filemarks) = closing_filemark(&read(last, size as usize)?) else {
            return Ok(Err(NotAppendable::End));
        };
        let from = filemarks.last().copied().unwrap_or_default().saturating_add(size);
        let Some(between) = last.checked_sub(from).filter(|between| *between <= SET_MAP) else {
            return Ok(Err(NotAppendable::End));
        };
        let end = read(from, between as usize)?;
        let end = if media.compressed { decoded(&end) } else { end };
        let Some((sets, set_map)) = set_end(&end) else {
            return Ok(Err(NotAppendable::End));
        };
        filemarks.push(last);
        let end = Self {
            offset: length,
            filemarks,
            sets,
            set_map,
        };
        Ok(Ok((media, end)))
    }
}

/// The media header from the first bytes of a file.
fn header(head: &[u8]) -> Result<MediaDescription, NotAppendable> {
    let compressed = head.starts_with(MAGIC);
    let decoded_head;
    let head = if compressed {
        decoded_head = records(head);
        &decoded_head[..]
    } else {
        head
    };
    let block = block_at(head).ok_or(NotAppendable::NotABackup)?;
    if block.block_type != BlockType::Tape {
        return Err(NotAppendable::NotABackup);
    }
    let tape = Tape::parse(&block).map_err(|_| NotAppendable::Header)?;
    let family = streams(head, block.bytes.len())
        .find(|(header, _)| header.stream_type == StreamType::Raid)
        .filter(|(_, content)| content.len() as u64 == RAID)
        .and_then(|(_, content)| Family::parse(content).ok())
        .ok_or(NotAppendable::Header)?;
    description(&block, &tape, family, compressed).ok_or(NotAppendable::Header)
}

fn description(block: &Block, tape: &Tape, family: Family, compressed: bool) -> Option<MediaDescription> {
    Some(MediaDescription {
        media_set_id: family.media_set_id,
        family_number: family.number,
        family_count: family.count,
        block_size: BlockSize::of(u64::from(tape.filemark_size))?,
        date: time_at(&block.bytes, 88)?,
        compressed,
        name: block.text(68)?,
        description: block.text(72)?,
    })
}

/// The filemarks before one that closes a set, the newest last.
fn closing_filemark(bytes: &[u8]) -> Option<Vec<u64>> {
    let block = block_at(bytes).filter(|block| block.block_type == BlockType::Filemark)?;
    let count = filemark::count(&block);
    let list = block.bytes.get(FILEMARK_LIST..)?.as_chunks::<8>().0;
    let entries = list.get(..count as usize)?;
    // Two for each set and the one behind the media header; a full list does not tell.
    let closes = count >= 2 && (count.is_multiple_of(2) || entries.len() == list.len());
    closes.then(|| entries.iter().rev().map(|entry| u64_at(entry, 0)).collect())
}

/// The number of the set that ends here, and the entries of the map that follows it.
fn set_end(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let block = block_at(bytes).filter(|block| block.block_type == BlockType::SetEnd)?;
    let number = u16_at(&block.bytes, 78);
    let (_, map) =
        streams(bytes, block.bytes.len()).find(|(header, _)| header.stream_type == StreamType::SetMap)?;
    let sets = map.get(4..SET_MAP_HEADER).map(|count| u32_at(count, 0))?;
    (sets == u32::from(number)).then(|| (number, map[SET_MAP_HEADER..].to_vec()))
}

fn block_at(bytes: &[u8]) -> Option<Block> {
    let length = block::length(bytes.first_chunk::<HEADER>()?).ok()?;
    Some(Block::parse(0, bytes.get(..length)?.to_vec()))
}

/// The streams behind a block of `length` bytes, as far as they can be read.
fn streams(bytes: &[u8], length: usize) -> impl Iterator<Item = (StreamHeader, &[u8])> {
    let mut at = length;
    std::iter::from_fn(move || {
        at = at.next_multiple_of(4);
        let header = StreamHeader::parse(at as u64, &array::<{ stream::HEADER }>(bytes.get(at..)?, 0))?;
        let content = at + stream::HEADER;
        let end = content.checked_add(usize::try_from(header.length).ok()?)?;
        at = end;
        Some((header, bytes.get(content..end)?))
    })
}

/// What the records at the start of a container decode to.
fn records(container: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    Decoder::new().push(container, &mut |event| {
        if let ContainerEvent::Bytes(bytes) = event {
            stream.extend_from_slice(bytes);
        }
    });
    stream
}

/// What records from the middle of a container decode to.
fn decoded(middle: &[u8]) -> Vec<u8> {
    let mut container = Encoder::new().finish();
    container.extend_from_slice(middle);
    records(&container)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::{MediaEnd, NotAppendable};
    use crate::compressed::Encoder;
    use crate::writer::sample::{Sample, SampleKind};
    use crate::writer::{BlockSize, MediaWriter};
    use crate::{Verdict, Verifier};

    fn end(file: &[u8]) -> Result<(super::MediaDescription, MediaEnd), NotAppendable> {
        MediaEnd::read(file.len() as u64, &mut |at, length| {
            Ok::<_, Infallible>(file[at as usize..at as usize + length].to_vec())
        })
        .unwrap()
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for block_size in BlockSize::ALL {
            for compressed in [false, true] {
                samples.push(Sample {
                    extents: 3,
                    block_size,
                    compressed,
                    ..Sample::default()
                });
            }
        }
        samples
    }

    #[test]
    fn a_set_that_is_appended_is_the_set_that_was_written_behind() {
        for sample in samples() {
            let mut file = sample.backup(SampleKind::Full, 1);
            for kind in [SampleKind::Differential, SampleKind::Log] {
                let (media, end) = end(&file).unwrap();
                assert_eq!(media.block_size, sample.block_size);
                assert_eq!(media.compressed, sample.compressed);
                assert_eq!(media.media_set_id, sample.media(1).media_set_id);
                if sample.compressed {
                    let mut writer = MediaWriter::append(Encoder::append(file.len() as u64), media, end);
                    sample.write_set(&mut writer, kind, 1);
                    file.extend(writer.finish().finish());
                } else {
                    let mut writer = MediaWriter::append(Vec::new(), media, end);
                    sample.write_set(&mut writer, kind, 1);
                    file.extend(writer.finish());
                }
            }
            let mut verifier = Verifier::new();
            verifier.push(&file);
            let report = verifier.finish();
            assert_eq!(
                report.verdict,
                Verdict::Ok,
                "{:?} {:?}",
                report.reasons,
                report.damage
            );
            assert_eq!(report.sets.len(), 3);
            if !sample.compressed {
                let kinds = [SampleKind::Full, SampleKind::Differential, SampleKind::Log];
                assert!(file == sample.backup_sets(&kinds, 1), "{:?}", sample.block_size);
            }
        }
    }

    #[test]
    fn many_sets_overflow_the_list_of_filemarks() {
        let sample = Sample {
            extents: 1,
            block_size: BlockSize::B512,
            ..Sample::default()
        };
        // 55 entries fit a filemark of 512 bytes: the one of the media header and those of 27 sets.
        let mut file = sample.backup_sets(&[SampleKind::Log; 27], 1);
        for _ in 0..3 {
            let (media, end) = end(&file).unwrap();
            let mut writer = MediaWriter::append(Vec::new(), media, end);
            sample.write_set(&mut writer, SampleKind::Log, 1);
            file.extend(writer.finish());
        }
        assert!(file == sample.backup_sets(&[SampleKind::Log; 30], 1));
    }

    #[test]
    fn what_is_no_whole_backup_takes_no_further_set() {
        let file = samples()[0].backup(SampleKind::Full, 1);
        assert_eq!(end(&[]).unwrap_err(), NotAppendable::Empty);
        assert_eq!(end(&[7; 4096]).unwrap_err(), NotAppendable::NotABackup);
        assert_eq!(end(&file[..file.len() - 512]).unwrap_err(), NotAppendable::End);
        assert_eq!(end(&file[..2048]).unwrap_err(), NotAppendable::End);
        let longer = [&file[..], &[0; 512]].concat();
        assert_eq!(end(&longer).unwrap_err(), NotAppendable::End);
    }
}
