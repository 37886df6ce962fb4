//! `bench list`: how long it takes to list a container with very many blobs, page by page, as any client does.
//!
//! The blobs are empty: a listing shows names and properties, and making them must not take an hour. Every page is read
//! to its end and its entries are counted, so a listing that leaves some out is an error and not a record. The clock
//! runs from the first request to the last byte of the last page.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::frontdoor::connection::Connection;
use crate::frontdoor::signed::{Account, Head};
use crate::frontdoor::subject;
use crate::median::median;
use crate::programs;

/// Lists a container of very many blobs, all pages
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Blobs in the container
    #[arg(long, default_value_t = 100_000)]
    blobs: usize,
    /// Connections that make them
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Listings; the median and the slowest are reported
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Folder for everything written, removed afterwards [default: where this binary lies]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The product [default: bac2 beside this binary]
    #[arg(long, env = "BAC2_BIN")]
    bac2: Option<PathBuf>,
}

/// The container of the bench.
const CONTAINER: &str = "/many";
/// All pages of 100,000 blobs are to come within this time.
const BAR: Duration = Duration::from_secs(2);
/// The most that Azure puts on a page.
const PAGE: &str = "5000";

/// Runs the bench and prints its figures.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.rounds > 0 && args.connections > 0, "at least one of each");
    let dir = programs::scratch(args.dir.as_deref())?;
    let binary = programs::product(args.bac2.as_deref())?
        .context("no release build beside this binary: cargo build --release")?;
    let server = subject::product(&binary, dir.path(), false)?;
    let client = Client {
        account: Account::bench(),
        addr: server.target.addr(),
    };
    client.once("PUT", CONTAINER, &[("restype", "container")], &[])?;
    let made = Instant::now();
    client.make(args.blobs, args.connections)?;
    println!(
        "{} empty blobs made in {:.1} s",
        args.blobs,
        made.elapsed().as_secs_f64()
    );

    let mut seconds = Vec::new();
    let mut bytes = 0;
    for _ in 0..args.rounds {
        let start = Instant::now();
        let (count, total) = client.list()?;
        seconds.push(start.elapsed().as_secs_f64());
        ensure!(count == args.blobs, "{count} of {} blobs were listed", args.blobs);
        bytes = total;
    }
    let slowest = seconds.iter().copied().fold(0.0, f64::max);
    let middle = median(seconds).context("at least one round")?;
    let word = if slowest < BAR.as_secs_f64() {
        "pass"
    } else {
        "FAIL"
    };
    println!(
        "{word}: all pages of {} blobs ({:.1} MB) in {middle:.2} s, {slowest:.2} s at most; the bar is {} s",
        args.blobs,
        bytes as f64 / 1e6,
        BAR.as_secs()
    );
    Ok(())
}

struct Client {
    account: Account,
    addr: std::net::SocketAddr,
}

impl Client {
    fn head(&self, method: &str, path: &str, query: &[(&str, &str)], headers: &[(&str, &str)]) -> Vec<u8> {
        let head = Head {
            method,
            path,
            query,
            headers,
            length: 0,
        };
        self.account.sign(&self.addr.to_string(), &head)
    }

    fn once(&self, method: &str, path: &str, query: &[(&str, &str)], headers: &[(&str, &str)]) -> Result<()> {
        Connection::open(self.addr, None)?.call(&self.head(method, path, query, headers), b"")
    }

    fn make(&self, blobs: usize, connections: usize) -> Result<()> {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let makers: Vec<_> = (0..connections)
                .map(|_| {
                    scope.spawn(|| -> Result<()> {
                        let mut connection = Connection::open(self.addr, None)?;
                        loop {
                            let index = next.fetch_add(1, Ordering::Relaxed);
                            if index >= blobs {
                                return Ok(());
                            }
                            let path = format!("{CONTAINER}/server-{:02}/log-{index:07}.trn", index % 50);
                            let kind = [("x-ms-blob-type", "BlockBlob")];
                            connection.call(&self.head("PUT", &path, &[], &kind), b"")?;
                        }
                    })
                })
                .collect();
            for maker in makers {
                maker.join().expect("a client thread returns its errors")?;
            }
            Ok(())
        })
    }

    /// All pages: how many blobs, how many bytes.
    fn list(&self) -> Result<(usize, u64)> {
        let mut connection = Connection::open(self.addr, None)?;
        let (mut marker, mut count, mut bytes) = (String::new(), 0, 0);
        loop {
            let mut query = vec![("comp", "list")];
            if !marker.is_empty() {
                query.push(("marker", marker.as_str()));
            }
            query.extend([("maxresults", PAGE), ("restype", "container")]);
            let head = self.head("GET", CONTAINER, &query, &[]);
            let mut page = Vec::new();
            bytes += connection.fetch(&head, b"", |part| page.extend_from_slice(part))?;
            let page = String::from_utf8(page).context("a page is text")?;
            count += page.matches("<Blob>").count();
            marker = next_marker(&page)?;
            if marker.is_empty() {
                return Ok((count, bytes));
            }
        }
    }
}

/// What stands in `NextMarker`; empty on the last page.
pub(crate) fn next_marker(page: &str) -> Result<String> {
    let Some((_, rest)) = page.split_once("<NextMarker>") else {
        return Ok(String::new());
    };
    let Some((marker, _)) = rest.split_once("</NextMarker>") else {
        bail!("NextMarker has no end")
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!/=".contains(c);
    ensure!(
        marker.chars().all(plain),
        "a marker that needs escaping: {marker}"
    );
    Ok(marker.replace('/', "%2F").replace('=', "%3D"))
}
