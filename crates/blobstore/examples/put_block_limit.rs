//! How close Put Block comes to the disk: eight threads send 4 MiB blocks to one blob, and, in turn, eight
//! threads write the same bytes to files of their own with an fdatasync each. Prints both rates and the ratio.
//!
//! `cargo run --release -p bac2-blobstore --example put_block_limit -- DIR [MIB] [ROUNDS]`

#![allow(clippy::disallowed_methods)] // A measurement reads the clock.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use azblob::block::{BlockId, BlockList, BlockSource};
use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use blobstore::disk::real::RealDisk;
use blobstore::{BlobPath, Options, Permit, Properties, Store, SystemClock};

const THREADS: usize = 8;
const BLOCK: usize = 4 << 20;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments
        .next()
        .ok_or("usage: put_block_limit DIR [MIB] [ROUNDS]")?;
    let blocks = arguments.next().map_or(Ok(1024), |text| text.parse::<usize>())? * (1 << 20) / BLOCK;
    let rounds = arguments.next().map_or(Ok(3), |text| text.parse::<usize>())?;
    let data: Vec<u8> = (0..BLOCK).map(|i| (i * 7 % 251) as u8).collect();
    let store = Store::open(
        Arc::new(RealDisk),
        Arc::new(SystemClock),
        &Options::new(Path::new(&dir).join("store")),
    )?;
    let account = AccountName::new("bench")?;
    let container = ContainerName::new("bench")?;
    // There from the last run, perhaps.
    let _ = store.create_container(&account, &container, Metadata::default());
    let path = BlobPath {
        account,
        container,
        blob: BlobName::new("blob")?,
    };
    for round in 1..=rounds {
        let limit = own_files(Path::new(&dir), &data, blocks)?;
        let store_rate = one_blob(&store, &path, &data, blocks)?;
        let read_rate = read_back(&store, &path)?;
        println!(
            "round {round}: own files {limit:.0} MB/s, one blob {store_rate:.0} MB/s, ratio {:.2}; read back {read_rate:.0} MB/s",
            store_rate / limit
        );
        store.delete_blob(&path, &Permit::NONE)?;
    }
    Ok(())
}

fn rate(blocks: usize, start: Instant) -> f64 {
    (blocks * BLOCK) as f64 / 1e6 / start.elapsed().as_secs_f64()
}

fn own_files(dir: &Path, data: &[u8], blocks: usize) -> Result<f64, Failure> {
    let files: Vec<File> = (0..THREADS)
        .map(|n| File::create(dir.join(format!("own-{n}"))))
        .collect::<Result<_, _>>()?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for file in &files {
            scope.spawn(move || {
                for n in 0..blocks / THREADS {
                    file.write_all_at(data, (n * BLOCK) as u64)
                        .expect("the disk takes it");
                    file.sync_data().expect("the disk keeps it");
                }
            });
        }
    });
    let rate = rate(blocks, start);
    for n in 0..THREADS {
        fs::remove_file(dir.join(format!("own-{n}")))?;
    }
    Ok(rate)
}

fn one_blob(store: &Store, path: &BlobPath, data: &[u8], blocks: usize) -> Result<f64, Failure> {
    let id = |n: usize| BlockId::from_bytes(format!("{n:08}").as_bytes()).expect("eight bytes are an id");
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for n in (thread..blocks).step_by(THREADS) {
                    let mut writer = store
                        .begin_block(path, &id(n), data.len() as u64, None)
                        .expect("a place");
                    for part in data.chunks(1 << 20) {
                        writer.write(part).expect("the disk takes it");
                    }
                    writer.commit().expect("the disk keeps it");
                }
            });
        }
    });
    let rate = rate(blocks, start);
    let list = BlockList((0..blocks).map(|n| (BlockSource::Latest, id(n))).collect());
    store.put_block_list(path, &list, Properties::default(), &Permit::NONE)?;
    Ok(rate)
}

fn read_back(store: &Store, path: &BlobPath) -> Result<f64, Failure> {
    let reader = store.open_blob(path, &Permit::NONE)?;
    let mut buffer = vec![0; 1 << 20];
    let start = Instant::now();
    for at in (0..reader.size()).step_by(buffer.len()) {
        reader.read_at(at, &mut buffer)?;
    }
    Ok(reader.size() as f64 / 1e6 / start.elapsed().as_secs_f64())
}
