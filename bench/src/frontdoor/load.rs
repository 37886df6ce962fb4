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
use super::secured::Trust;
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
    trust: Option<Trust>,
    blob: String,
    /// Blobs over which the blocks are dealt out in turn, as SQL Server does with several URLs.
    stripes: usize,
}

impl Target {
    /// A server at `addr`, spoken to over TLS where there is somebody to trust; no request yet.
    pub(crate) fn new(addr: SocketAddr, account: Account, trust: Option<Trust>) -> Self {
        Self {
            addr,
            host: addr.to_string(),
            account,
            trust,
            blob: String::new(),
            stripes: 1,
        }
    }

    /// Deals the blocks out over so many blobs instead of one.
    pub(crate) fn stripes(&mut self, stripes: usize) {
        self.stripes = stripes;
    }

    /// Where the server is.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
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
        self.blob = format!("{CONTAINER}/round-{round}");
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
                self.sign(self.stripe(index), "PUT", &query, &[], content.block(index).len())
            })
            .collect();
        self.in_parallel(connections, heads.len(), |connection, job| {
            connection.call(&heads[job], content.block(range.start + job))
        })
    }

    /// Commits the first `blocks` blocks, each to its stripe.
    pub(crate) fn commit(&self, blocks: usize) -> Result<Duration> {
        let mut connection = self.connect()?;
        let start = Instant::now();
        for stripe in 0..self.stripes.min(blocks) {
            let mut list = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
            for index in (stripe..blocks).step_by(self.stripes) {
                list.push_str(&format!("<Latest>{}</Latest>", block_id(index)));
            }
            list.push_str("</BlockList>");
            let head = self.sign(stripe, "PUT", &[("comp", "blocklist")], &[], list.len());
            connection.call(&head, list.as_bytes())?;
        }
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
        let block = |job: usize| range.start + job / per_block;
        let offset = |job: usize| (block(job) / self.stripes * BLOCK + job % per_block * piece) as u64;
        let jobs = range.len() * per_block;
        let heads: Vec<Vec<u8>> = (0..jobs)
            .map(|job| {
                let range = format!("bytes={}-{}", offset(job), offset(job) + piece as u64 - 1);
                self.sign(self.stripe(block(job)), "GET", &[], &[("x-ms-range", &range)], 0)
            })
            .collect();
        self.in_parallel(connections, jobs, |connection, job| {
            let (block, start) = (block(job), job % per_block * piece);
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

    /// Deletes the blobs that `blocks` blocks went to.
    pub(crate) fn delete(&self, blocks: usize) -> Result<()> {
        let mut connection = self.connect()?;
        (0..self.stripes.min(blocks)).try_for_each(|stripe| {
            let head = self.sign(stripe, "DELETE", &[], &[], 0);
            connection.call(&head, b"")
        })
    }

    fn stripe(&self, block: usize) -> usize {
        block % self.stripes
    }

    fn sign(
        &self,
        stripe: usize,
        method: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        length: usize,
    ) -> Vec<u8> {
        self.account.sign(
            &self.host,
            &Head {
                method,
                path: &format!("{}-{stripe}", self.blob),
                query,
                headers,
                length,
            },
        )
    }

    fn connect(&self) -> Result<Connection> {
        Connection::open(self.addr, self.trust.as_ref())
    }

    fn once(&self, head: &Head<'_>, body: &[u8]) -> Result<()> {
        self.connect()?.call(&self.account.sign(&self.host, head), body)
    }

    /// Runs `jobs` jobs on as many threads as connections; the clock starts when all are connected.
    fn in_parallel(
        &self,
        connections: usize,
        jobs: usize,
        job: impl Fn(&mut Connection, usize) -> Result<()> + Sync,
    ) -> Result<Duration> {
        let opened: Vec<Connection> = (0..connections).map(|_| self.connect()).collect::<Result<_>>()?;
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
