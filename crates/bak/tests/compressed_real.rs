//! The compressed container against real backups: what comes out is an MTF stream without a fault, whatever the slicing.
//!
//! The real files are found through `BAC2_REAL_BACKUPS`; without it the tests count as ignored. The MTF stream is walked by a
//! reader of its own, not by the one of the crate.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bak::compressed::{ContainerEvent, Decoder, Ending};
use libtest_mimic::{Arguments, Failed, Trial};

#[allow(dead_code, reason = "shared with the tests of the writer")]
mod mtf_walk;

use mtf_walk::walk;

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
    assert!(
        walk(&stream).len() > 10,
        "blocks fill the stream to the last byte"
    );
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
