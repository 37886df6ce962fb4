//! What the client does to a server: blocks over several connections, one block list, ranged reads.
//!
//! Everything that can be made before the clock starts is made before: connections, signed heads, content.
//! Blocks and ranges are handed out one by one in rising order, as SQL Server's writer threads do.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::connection::Connection;
use super::content::{BLOCK, Content};
use super::signed::{Account, Head, block_id};

/// One of so many reads is compared byte by byte with what was written; all are checked for length.
const CHECK_EVERY: usize = 16;
/// The container of the bench.
const CONTAINER: &str = "/backups";

/// A server, and the blob that this round works on.
pub(crate) struct Target {
    addr: SocketAddr,
    host: String,
    account: Account,
    blob: String,
}

impl Target {
    /// A server at `addr`; no request yet.
    pub(crate) fn new(addr: SocketAddr, account: Account) -> Self {
        Self {
            addr,
            host: addr.to_string(),
            account,
            blob: String::new(),
        }
    }

    /// Makes the container.
    pub(crate) fn create_container(&self) -> Result<()> {
        let query = [("restype", "container")];
        self.once(
            &Head {
                method: "PUT",
                path: CONTAINER,
                query: &query,
                headers: &[],
                length: 0,
            },
            b"",
        )
    }

    /// Turns to the blob of another round.
    pub(crate) fn choose_blob(&mut self, round: usize) {
        self.blob = format!("{CONTAINER}/round-{round}.bak");
    }

    /// Puts the blocks of `range` and returns the time until the last was acknowledged.
    pub(crate) fn put_blocks(
        &self,
        content: &Content,
        range: Range<usize>,
        connections: usize,
    ) -> Result<Duration> {
        let heads: Vec<Vec<u8>> = range
            .clone()
            .map(|index| {
                let query = [("blockid", block_id(index)), ("comp", "block".to_owned())];
                let query: Vec<(&str, &str)> = query
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                self.sign("PUT", &query, &[], content.block(index).len())
            })
            .collect();
        self.in_parallel(connections, heads.len(), |connection, job| {
            connection.call(&heads[job], content.block(range.start + job))
        })
    }

    /// Commits the first `blocks` blocks as the blob.
    pub(crate) fn commit(&self, blocks: usize) -> Result<Duration> {
        let mut list = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
        for index in 0..blocks {
            list.push_str(&format!("<Latest>{}</Latest>", block_id(index)));
        }
        list.push_str("</BlockList>");
        let head = self.sign("PUT", &[("comp", "blocklist")], &[], list.len());
        let start = Instant::now();
        Connection::open(self.addr)?.call(&head, list.as_bytes())?;
        Ok(start.elapsed())
    }

    /// Reads the blocks of `range` in pieces of `piece` bytes, which divides a block.
    pub(crate) fn read(
        &self,
        content: &Content,
        range: Range<usize>,
        piece: usize,
        connections: usize,
    ) -> Result<Duration> {
        let per_block = BLOCK / piece;
        let offset = |job: usize| (range.start * BLOCK + job * piece) as u64;
        let jobs = range.len() * per_block;
        let heads: Vec<Vec<u8>> = (0..jobs)
            .map(|job| {
                let range = format!("bytes={}-{}", offset(job), offset(job) + piece as u64 - 1);
                self.sign("GET", &[], &[("x-ms-range", &range)], 0)
            })
            .collect();
        self.in_parallel(connections, jobs, |connection, job| {
            let (block, start) = (range.start + job / per_block, job % per_block * piece);
            let (mut seen, mut agrees) = (0, true);
            let length = connection.fetch(&heads[job], b"", |bytes| {
                if job.is_multiple_of(CHECK_EVERY) {
                    agrees &= content.agrees(block, start + seen, bytes);
                    seen += bytes.len();
                }
            })?;
            ensure!(
                length == piece as u64,
                "{length} bytes came for a range of {piece}"
            );
            ensure!(
                agrees,
                "the bytes at {} of {} are not those that were written",
                offset(job),
                self.blob
            );
            Ok(())
        })
    }

    /// Deletes the blob.
    pub(crate) fn delete(&self) -> Result<()> {
        let head = self.sign("DELETE", &[], &[], 0);
        Connection::open(self.addr)?.call(&head, b"")
    }

    fn sign(&self, method: &str, query: &[(&str, &str)], headers: &[(&str, &str)], length: usize) -> Vec<u8> {
        self.account.sign(
            &self.host,
            &Head {
                method,
                path: &self.blob,
                query,
                headers,
                length,
            },
        )
    }

    fn once(&self, head: &Head<'_>, body: &[u8]) -> Result<()> {
        Connection::open(self.addr)?.call(&self.account.sign(&self.host, head), body)
    }

    /// Runs `jobs` jobs on as many threads as connections; the clock starts when all are connected.
    fn in_parallel(
        &self,
        connections: usize,
        jobs: usize,
        job: impl Fn(&mut Connection, usize) -> Result<()> + Sync,
    ) -> Result<Duration> {
        let opened: Vec<Connection> = (0..connections)
            .map(|_| Connection::open(self.addr))
            .collect::<Result<_>>()?;
        let (next, barrier) = (AtomicUsize::new(0), Barrier::new(connections + 1));
        thread::scope(|scope| {
            let workers: Vec<_> = opened
                .into_iter()
                .map(|mut connection| {
                    let (next, barrier, job) = (&next, &barrier, &job);
                    scope.spawn(move || -> Result<()> {
                        barrier.wait();
                        loop {
                            let index = next.fetch_add(1, Ordering::Relaxed);
                            if index >= jobs {
                                return Ok(());
                            }
                            job(&mut connection, index)?;
                        }
                    })
                })
                .collect();
            barrier.wait();
            let start = Instant::now();
            for worker in workers {
                worker
                    .join()
                    .expect("a client thread returns its errors")
                    .context(self.host.clone())?;
            }
            Ok(start.elapsed())
        })
    }
}
