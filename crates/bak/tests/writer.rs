//! What the writer writes, read by a second reader that shares nothing with the crate: structure, addresses, alignment, every
//! checksum. That the crate's own reader agrees is the matter of the other tests.

use bak::compressed::{ContainerEvent, Decoder, Ending};
use bak::writer::page::Protection;
use bak::writer::sample::{ChainSample, Sample, SampleKind, lsn};
use bak::writer::{BlockSize, LogSegment, MediaWriter, SetDetails, SetPlan};

mod mtf_walk;

use mtf_walk::{Block, Stream, u16_at, u32_at, u64_at, walk};

const KINDS: [SampleKind; 3] = [SampleKind::Full, SampleKind::Differential, SampleKind::Log];

fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for block_size in [BlockSize::B512, BlockSize::B4096, BlockSize::B65536] {
        for (checksums, families, protection) in [
            (true, 1, Protection::Checksum),
            (false, 1, Protection::Torn),
            (true, 3, Protection::None),
        ] {
            let database_name = format!("Sample {families} Ünïcode");
            samples.push(Sample {
                database_name,
                checksums,
                families,
                block_size,
                protection,
                ..Sample::default()
            });
        }
    }
    samples
}

/// The sum of the format, sector by sector, word by word.
fn sum(data: &[u8]) -> u32 {
    data.chunks(512).fold(0u32, |acc, sector| {
        sector
            .chunks(4)
            .fold(acc.rotate_left(1), |acc, word| acc ^ u32_at(word, 0))
    })
}

#[test]
fn every_sample_stands_up_to_a_second_reader() {
    for sample in samples() {
        for kind in KINDS {
            for family in 1..=sample.families {
                check_file(&sample.backup(kind, family), &sample, family, None);
            }
        }
        check_file(&sample.backup_sets(&KINDS, 1), &sample, 1, None);
    }
}

#[test]
fn a_chain_stands_up_to_a_second_reader() {
    for checksums in [false, true] {
        let chain = ChainSample::new("Sales", lsn(40, 100)).with(checksums, false);
        let time = "2026-03-15T02:00:00".parse().expect("a local time");
        let full = chain.full(lsn(40, 100), lsn(40, 110), time);
        let log = chain.log(lsn(40, 100), lsn(41, 40), time);
        let empty = chain.log(lsn(41, 40), lsn(41, 40), time);
        let differential = chain.differential(&full, lsn(41, 20), lsn(41, 30), time);
        for families in 1..=3 {
            let sample = Sample {
                checksums,
                families,
                block_size: BlockSize::B512,
                ..Sample::default()
            };
            let files = chain.files(&[&full, &log, &empty, &differential], families);
            for (family, file) in (1..).zip(files) {
                check_file(&file, &sample, family, None);
            }
        }
    }
}

/// `container_places` are the places of the soft filemarks in a compressed file; in a plain one they are where they stand.
fn check_file(file: &[u8], sample: &Sample, family: u16, container_places: Option<&[u64]>) {
    let blocks = walk(file);
    let order: Vec<&[u8; 4]> = blocks.iter().map(|block| &block.letters).collect();
    assert_eq!(order[..2], [b"TAPE", b"SFMB"]);
    let unit = (sample.block_size as usize).max(1024);
    let mut set = 0;
    for block in &blocks {
        match &block.letters {
            b"TAPE" => {
                let raid = block.streams[0].data;
                assert_eq!((u16_at(raid, 20), u16_at(raid, 24)), (sample.families, family));
                assert_eq!(
                    usize::from(u16_at(block.bytes, 64)) * 512,
                    sample.block_size as usize
                );
            }
            b"SFMB" => {
                assert_eq!(block.bytes.len(), sample.block_size as usize);
                assert!(block.at.is_multiple_of(sample.block_size as usize));
            }
            b"SSET" => set = block.at,
            b"ESET" => {}
            _ => assert_eq!(u64_at(block.bytes, 20), (block.at - set) as u64 / 1024),
        }
        check_payload(block, set, unit, sample.checksums);
    }
    match container_places {
        Some(places) => check_filemarks(&blocks, places),
        None => {
            let marks = blocks.iter().filter(|block| &block.letters == b"SFMB");
            check_filemarks(&blocks, &marks.map(|mark| mark.at as u64).collect::<Vec<_>>());
        }
    }
}

/// Each soft filemark lists those before it, the newest first, by their places in the file.
fn check_filemarks(blocks: &[Block<'_>], places: &[u64]) {
    let marks: Vec<&Block<'_>> = blocks.iter().filter(|block| &block.letters == b"SFMB").collect();
    assert_eq!(marks.len(), places.len());
    for (index, mark) in marks.iter().enumerate() {
        assert_eq!(u32_at(mark.bytes, 56) as usize, index);
        for (entry, earlier) in places[..index].iter().rev().enumerate() {
            assert_eq!(u64_at(mark.bytes, 72 + 8 * entry), *earlier);
        }
    }
}

fn check_payload(block: &Block<'_>, set: usize, unit: usize, checksums: bool) {
    for (index, stream) in block.streams.iter().enumerate() {
        let payload = match &stream.letters {
            b"MQDA" | b"MQTL" if !stream.data.is_empty() => &stream.data[2..],
            _ => continue,
        };
        assert!((stream.at + 2 - set).is_multiple_of(unit));
        assert!(payload.len().is_multiple_of(65536));
        let next: &Stream<'_> = &block.streams[index + 1];
        assert_eq!(
            (&next.letters == b"CSUM", stream.attributes & 0x100 != 0),
            (checksums, checksums)
        );
        if checksums {
            assert_eq!(u32_at(next.data, 0), sum(payload));
        }
        if &stream.letters == b"MQDA" {
            payload.chunks(8192).for_each(check_page);
        } else {
            let held = (u64_at(block.bytes, 68) - u64_at(block.bytes, 60)) as usize;
            let sector = (u64_at(block.bytes, 60) - u64_at(block.bytes, 104)) / 512;
            check_log(&payload[..held], u32_at(block.bytes, 92), sector as u32);
        }
    }
}

fn check_page(page: &[u8]) {
    match u16_at(page, 4) {
        0x200 => {
            let mut without = page.to_vec();
            without[60..64].fill(0);
            assert_eq!(u32_at(page, 60), sum(&without));
        }
        0x100 => {
            let bits = u32_at(page, 60) & 3;
            assert!(bits == 1 || bits == 2);
            for sector in 1..16 {
                assert_eq!(u32::from(page[sector * 512 + 511]) & 3, bits);
            }
        }
        _ => {}
    }
}

fn check_log(mut log: &[u8], vlf: u32, mut sector: u32) {
    while !log.is_empty() {
        let size = usize::from(u16_at(log, 6));
        let (block, rest) = log.split_at(size);
        assert_eq!((u32_at(block, 12), u32_at(block, 16)), (vlf, sector));
        let mut without = block.to_vec();
        without[24..28].fill(0);
        assert_eq!(u32_at(block, 24), sum(&without));
        log = rest;
        sector += size as u32 / 512;
    }
}

#[test]
fn the_gam_has_exactly_the_extents_of_the_backup_and_each_page_its_id() {
    let sample = Sample {
        unformatted_pages: false,
        second_pass_extents: 0,
        extents: 40,
        ..Sample::default()
    };
    let file = sample.backup(SampleKind::Full, 1);
    let blocks = walk(&file);
    let data = blocks
        .iter()
        .find(|block| &block.letters == b"MSDA")
        .expect("a page block");
    let pages = &data
        .streams
        .iter()
        .find(|stream| &stream.letters == b"MQDA")
        .expect("pages")
        .data[2..];
    let gam = &pages[2 * 8192..3 * 8192];
    let bitmap = usize::from(u16_at(gam, 8192 - 4)) + 4;
    let allocated =
        (0..7988 * 8u32).filter(|extent| gam[bitmap + *extent as usize / 8] >> (extent % 8) & 1 == 0);
    let expected: Vec<u32> = allocated.flat_map(|extent| extent * 8..extent * 8 + 8).collect();
    let found: Vec<u32> = pages.chunks(8192).map(|page| u32_at(page, 32)).collect();
    assert_eq!(found.len(), 40 * 8);
    assert_eq!(found, expected);
}

#[test]
fn the_compressed_container_holds_the_same_stream() {
    for block_size in [BlockSize::B512, BlockSize::B4096, BlockSize::B65536] {
        let sample = Sample {
            compressed: true,
            block_size,
            ..Sample::default()
        };
        let container = sample.backup_sets(&KINDS, 1);
        let mut stream = Vec::new();
        let mut places = Vec::new();
        let mut decoder = Decoder::new();
        let mut take = |event: ContainerEvent<'_>| match event {
            ContainerEvent::Bytes(bytes) => stream.extend_from_slice(bytes),
            ContainerEvent::Filemark { offset } => places.push(offset),
            finding => panic!("{finding:?}"),
        };
        decoder.push(&container, &mut take);
        assert_eq!(decoder.finish(&mut take), Ending::Between);
        assert!(container.len() < stream.len() / 2, "it compresses");
        check_file(&stream, &sample, 1, Some(&places));
    }
}

#[test]
fn a_sample_follows_from_its_seed() {
    let sample = Sample::default();
    let other = Sample {
        seed: 2,
        ..Sample::default()
    };
    assert!(sample.backup(SampleKind::Full, 1) == sample.backup(SampleKind::Full, 1));
    assert!(sample.backup(SampleKind::Full, 1) != other.backup(SampleKind::Full, 1));
}

/// What is put into the sink's buffer in place is what is handed over.
#[test]
fn pages_and_log_in_place_are_pages_and_log() {
    let sample = Sample::default();
    let set = sample.set(SampleKind::Log);
    let plan = || SetPlan {
        set: set.clone(),
        data_pages: Vec::new(),
        details: SetDetails::default(),
    };
    let segment = LogSegment {
        file_id: 2,
        vlf_sequence: 40,
        vlf_offset: 0x2000,
        vlf_length: 0x4_0000,
        start: 0x4000,
        end: 0x4400,
    };
    let (pages, log) = ([7u8; 65_536], [9u8; 1024]);
    let mut handed = MediaWriter::new(Vec::new(), sample.media(1));
    let mut writer = handed.begin_set(plan());
    writer.begin_pages(1);
    writer.pages(&pages);
    writer.end_pages();
    writer.begin_log(&segment);
    writer.log(&log);
    writer.end_log();
    writer.commit(set.clone());
    let mut placed = MediaWriter::new(Vec::new(), sample.media(1));
    let mut writer = placed.begin_set(plan());
    let fill = |bytes: &'static [u8]| {
        move |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(bytes);
            Ok::<_, std::convert::Infallible>(())
        }
    };
    writer.begin_pages(1);
    writer.pages_in_place(fill(&[7; 65_536])).unwrap();
    writer.end_pages();
    writer.begin_log(&segment);
    writer.log_in_place(fill(&[9; 1024])).unwrap();
    writer.end_log();
    writer.commit(set.clone());
    assert!(handed.finish() == placed.finish());
}
