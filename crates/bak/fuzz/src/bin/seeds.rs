//! Writes the seed corpus of each target: small backups of every kind from the writer, and chunks of its encoder.
//!
//! Usage: `seeds FOLDER`, which gets a folder for each target.

use std::fs;
use std::io::Result;
use std::path::PathBuf;

use bak::compressed::encode_chunk;
use bak::writer::BlockSize;
use bak::writer::page::Protection;
use bak::writer::sample::{Sample, SampleKind};

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("the folder for the seeds"));
    for target in ["verify", "mended"] {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for (name, sample) in samples() {
            for kind in [SampleKind::Full, SampleKind::Differential, SampleKind::Log] {
                fs::write(folder.join(format!("{name}-{kind:?}")), sample.backup(kind, 1))?;
            }
        }
        let sets = [SampleKind::Log, SampleKind::Log];
        fs::write(folder.join("two-sets"), samples()[0].1.backup_sets(&sets, 1))?;
    }
    let folder = folder.join("lz77_huffman");
    fs::create_dir_all(&folder)?;
    let backup = samples()[0].1.backup(SampleKind::Full, 1);
    for (index, piece) in backup.chunks(8192).enumerate() {
        fs::write(folder.join(format!("{index}")), encode_chunk(piece))?;
    }
    Ok(())
}

fn samples() -> Vec<(&'static str, Sample)> {
    let small = Sample { extents: 1, second_pass_extents: 0, block_size: BlockSize::B512, ..Sample::default() };
    let of = |change: fn(&mut Sample)| {
        let mut sample = small.clone();
        change(&mut sample);
        sample
    };
    vec![
        ("checksums", small.clone()),
        ("plain", of(|sample| sample.checksums = false)),
        ("torn", of(|sample| sample.protection = Protection::Torn)),
        ("unprotected", of(|sample| sample.protection = Protection::None)),
        ("second-pass", of(|sample| sample.second_pass_extents = 1)),
        ("striped", of(|sample| sample.families = 2)),
        ("compressed", of(|sample| sample.compressed = true)),
        ("large-blocks", of(|sample| sample.block_size = BlockSize::B4096)),
    ]
}
