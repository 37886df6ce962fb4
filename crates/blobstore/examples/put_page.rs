//! What a Put Page costs beside a Put Block: eight threads send pieces of 1 MiB to one block blob and, in turn, to one
//! page blob, each acknowledged when it is durable; each begins every second round. Prints both rates, and how long a
//! start takes with the page blob.
//!
//! `cargo run --release -p bac2-blobstore --example put_page -- DIR [MIB] [ROUNDS]`

#![allow(clippy::disallowed_methods)] // A measurement reads the clock.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use azblob::block::BlockId;
use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::page::PageRange;
use blobstore::disk::real::RealDisk;
use blobstore::{BlobPath, Options, PagePermit, Permit, PutPageBlob, Store, SystemClock};

const THREADS: u64 = 8;
const PIECE: u64 = 1 << 20;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("usage: put_page DIR [MIB] [ROUNDS]")?;
    let pieces = arguments.next().map_or(Ok(1024), |text| text.parse::<u64>())?;
    let rounds = arguments.next().map_or(Ok(3), |text| text.parse::<u64>())?;
    let options = Options::new(Path::new(&dir).join("store"));
    let open = || Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &options);
    let mut store = open()?;
    let (account, container) = (AccountName::new("bench")?, ContainerName::new("bench")?);
    // There from the last run, perhaps.
    let _ = store.create_container(&account, &container, Metadata::default());
    let path = |name: &str| -> Result<BlobPath, Failure> {
        Ok(BlobPath {
            account: account.clone(),
            container: container.clone(),
            blob: BlobName::new(name)?,
        })
    };
    let (blocks, pages) = (path("blocks")?, path("pages")?);
    let data: Vec<u8> = (0..PIECE).map(|i| (i * 7 % 251) as u8).collect();
    for round in 1..=rounds {
        let send_blocks = || rate(pieces, |n| put_block(&store, &blocks, n, &data));
        let blob = PutPageBlob {
            size: 1 << 40,
            ..PutPageBlob::default()
        };
        store.create_page_blob(&pages, blob, &Permit::NONE)?;
        let send_pages = || rate(pieces, |n| put_page(&store, &pages, n, &data));
        // Disks are slower while they still deal with what came before: the one that begins has the better of it.
        let (block_rate, page_rate) = if round % 2 == 1 {
            (send_blocks(), send_pages())
        } else {
            let page_rate = send_pages();
            (send_blocks(), page_rate)
        };
        drop(store);
        let start = Instant::now();
        store = open()?;
        let opened = start.elapsed();
        let reader = store.open_blob(&pages, &Permit::NONE)?;
        println!(
            "round {round}: blocks {block_rate:.0} MB/s, pages {page_rate:.0} MB/s, ratio {:.2}; opened in {opened:?}, {:?} with the map",
            page_rate / block_rate,
            start.elapsed()
        );
        drop(reader);
        store.delete_blob(&pages, &Permit::NONE)?;
        store.delete_container(&account, &container, None, &|_| Ok(()))?;
        store.sweep(azblob::time::UnixMillis(0))?;
        store.create_container(&account, &container, Metadata::default())?;
    }
    Ok(())
}

fn rate(pieces: u64, put: impl Fn(u64) + Sync) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let put = &put;
            scope.spawn(move || (thread..pieces).step_by(THREADS as usize).for_each(put));
        }
    });
    (pieces * PIECE) as f64 / 1e6 / start.elapsed().as_secs_f64()
}

fn put_block(store: &Store, path: &BlobPath, n: u64, data: &[u8]) {
    let id = BlockId::from_bytes(format!("{n:08}").as_bytes()).expect("eight bytes are an id");
    let mut writer = store.begin_block(path, &id, PIECE, None).expect("a place");
    writer.write(data).expect("the disk takes it");
    writer.commit().expect("the disk keeps it");
}

fn put_page(store: &Store, path: &BlobPath, n: u64, data: &[u8]) {
    let range = PageRange::new(n * PIECE, (n + 1) * PIECE - 1).expect("whole pages");
    let mut writer = store
        .begin_pages(path, range, &PagePermit::NONE)
        .expect("a place");
    writer.write(data).expect("the disk takes it");
    writer.commit(&PagePermit::NONE).expect("the disk keeps it");
}
