//! The compressed container against real backups: what comes out is an MTF stream without a fault, whatever the slicing.
//!
//! The real files are found through `BAC2_REAL_BACKUPS`; without it the tests count as ignored. The MTF stream is walked by a
//! reader of its own, written down here from the MTF specification, not by the one of the crate.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bak::compressed::{ContainerEvent, Decoder, Ending};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let folder = std::env::var_os("BAC2_REAL_BACKUPS").map(PathBuf::from);
    // Name, and the length of the stream that a throw-away decoder in Python found in it.
    let files = [
        ("misc/JoeyCheung__TSQLV4.bak.zst", 7_589_888),
        ("misc/microsoft__TutorialDB.bak.zst", 2_906_624),
    ];
    let trials = files
        .into_iter()
        .map(|(name, length)| {
            let folder = folder.clone();
            let ignored = folder.is_none();
            let test = move || decodes_to_a_walkable_stream(&folder.expect("not ignored").join(name), length);
            Trial::test(name, test).with_ignored_flag(ignored)
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn decodes_to_a_walkable_stream(file: &Path, length: usize) -> Result<(), Failed> {
    let bytes = zstd::decode_all(std::fs::File::open(file)?)?;
    let stream = decode(&bytes, bytes.len());
    assert_eq!(stream.len(), length);
    assert_eq!(walk(&stream), length, "the walk reaches the last byte");
    for slice in [1, 3, 511, 70_000] {
        assert!(decode(&bytes, slice) == stream, "slices of {slice}");
    }
    Ok(())
}

fn decode(bytes: &[u8], slice: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut decoder = Decoder::new();
    let mut take = |event: ContainerEvent<'_>| match event {
        ContainerEvent::Bytes(bytes) => stream.extend_from_slice(bytes),
        ContainerEvent::Filemark { .. } => {}
        finding => panic!("{finding:?}"),
    };
    for slice in bytes.chunks(slice) {
        decoder.push(slice, &mut take);
    }
    assert_eq!(decoder.finish(&mut take), Ending::Between);
    stream
}

/// Walks descriptor blocks and their streams with all checksums of headers; gives where it ends.
fn walk(stream: &[u8]) -> usize {
    let mut at = 0;
    while at < stream.len() {
        assert_eq!(xor_words(&stream[at..at + 52]), 0, "block at {at}");
        let events = usize::from(u16::from_le_bytes([stream[at + 8], stream[at + 9]]));
        let filemark = &stream[at..at + 4] == b"SFMB";
        at += events;
        if filemark {
            continue;
        }
        loop {
            let header = &stream[at..at + 22];
            assert_eq!(xor_words(header), 0, "stream at {at}");
            let length = u64::from_le_bytes(header[8..16].try_into().expect("eight bytes")) as usize;
            at += 22 + length;
            if &header[..4] == b"SPAD" {
                break;
            }
            at = at.next_multiple_of(4);
        }
    }
    at
}

fn xor_words(bytes: &[u8]) -> u16 {
    bytes
        .chunks(2)
        .fold(0, |acc, word| acc ^ u16::from_le_bytes([word[0], word[1]]))
}
