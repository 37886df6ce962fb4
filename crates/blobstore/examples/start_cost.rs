//! What a start and a listing cost with many blobs: makes N small blobs from eight threads, opens the store
//! again, and lists them all in pages.
//!
//! `cargo run --release -p bac2-blobstore --example start_cost -- DIR [BLOBS]`

#![expect(clippy::disallowed_methods, reason = "a measurement takes time")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use azblob::metadata::Metadata;
use azblob::names::{AccountName, BlobName, ContainerName};
use blobstore::disk::real::RealDisk;
use blobstore::{BlobPath, ListQuery, Options, Permit, Properties, Store, SystemClock};

const THREADS: usize = 8;

type Failure = Box<dyn std::error::Error>;

fn open(dir: &str) -> Result<Store, Failure> {
    let options = Options::new(Path::new(dir).join("many"));
    Ok(Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &options)?)
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("usage: start_cost DIR [BLOBS]")?;
    let blobs = arguments
        .next()
        .map_or(Ok(100_000), |text| text.parse::<usize>())?;
    let account = AccountName::new("bench")?;
    let container = ContainerName::new("bench")?;
    let store = open(&dir)?;
    if store
        .create_container(&account, &container, Metadata::default())
        .is_ok()
    {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (store, account, container) = (&store, &account, &container);
                scope.spawn(move || {
                    for n in (thread..blobs).step_by(THREADS) {
                        let path = BlobPath {
                            account: account.clone(),
                            container: container.clone(),
                            blob: BlobName::new(format!("server/database-{:04}/{n:08}.bak", n % 2000))
                                .expect("a name"),
                        };
                        let writer = store.begin_blob(&path, 0, &Permit::NONE).expect("a place");
                        writer
                            .commit(Properties::default(), &Permit::NONE)
                            .expect("the disk keeps it");
                    }
                });
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "made {blobs} blobs in {seconds:.1} s, {:.0} a second",
            blobs as f64 / seconds
        );
    }
    drop(store);
    let start = Instant::now();
    let store = open(&dir)?;
    println!("opened in {:.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let mut query = ListQuery::default();
    let mut listed = 0;
    loop {
        let page = store.list_blobs(&account, &container, &query)?;
        listed += page.entries.len();
        query.marker = page.next_marker;
        if query.marker.is_none() {
            break;
        }
    }
    println!("listed {listed} in {:.3} s", start.elapsed().as_secs_f64());
    Ok(())
}
