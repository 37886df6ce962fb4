//! The account that is searched: what is in it, and how it is filled.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, ensure};
use bak::writer::sample::{Sample, SampleKind};

use crate::frontdoor::connection::Connection;
use crate::frontdoor::signed::{Account, Head, block_id};

/// The lease id of every RESTORE.
pub(crate) const RESTORE_ID: &str = "BAC2BAC2-BAC2-BAC2-BAC2-BAC2BAC2BAC2";

/// Bytes of a backup that a killed BACKUP left: enough for its headers, whole pages of a page blob.
const CUT_AT: usize = 64 << 10;
/// Bytes of an unlocked blob, and of an uncommitted block.
const SMALL: usize = 4 << 10;

/// How many blobs of which kind.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) blobs: usize,
    pub(crate) containers: usize,
    pub(crate) locked: usize,
}

/// What one blob is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A small block blob that nobody locks.
    Plain,
    /// A page blob with the beginning of a backup, locked.
    Pages,
    /// A block blob with three uncommitted blocks of SQL Server's names, locked.
    Blocks,
    /// A whole backup that a restore has locked.
    Restore,
}

impl Shape {
    pub(crate) fn new(blobs: usize, containers: usize, locked: usize) -> Result<Self> {
        ensure!(
            containers > 0 && locked <= blobs,
            "at least one container, and no more locked blobs than blobs"
        );
        Ok(Self {
            blobs,
            containers,
            locked,
        })
    }

    /// How many locked blobs are held by backups and by restores.
    pub(crate) fn held(self) -> (usize, usize) {
        let restores = (0..self.blobs)
            .filter(|index| self.kind(*index) == Kind::Restore)
            .count();
        (self.locked - restores, restores)
    }

    /// The locked ones are spread evenly, their kinds in turn.
    fn kind(self, index: usize) -> Kind {
        let before = index * self.locked / self.blobs;
        if before == (index + 1) * self.locked / self.blobs {
            return Kind::Plain;
        }
        match before % 3 {
            0 => Kind::Pages,
            1 => Kind::Blocks,
            _ => Kind::Restore,
        }
    }

    /// Container `number`, as a path.
    fn container(number: usize) -> String {
        format!("/tenant-{number:03}")
    }

    fn path(self, index: usize) -> String {
        let container = Self::container(index % self.containers);
        format!("{container}/server-{:02}/full-{index:06}.bak", index % 7)
    }
}

/// A client of the account.
pub(crate) struct Tenant {
    pub(crate) account: Account,
    pub(crate) addr: SocketAddr,
    pub(crate) connections: usize,
    backup: Vec<u8>,
}

impl Tenant {
    pub(crate) fn new(addr: SocketAddr, connections: usize) -> Self {
        let sample = Sample {
            extents: 2,
            ..Sample::default()
        };
        let mut backup = Vec::new();
        let _sink = sample.write(&[SampleKind::Full], 1, |bytes: &[u8]| {
            backup.extend_from_slice(bytes);
        });
        Self {
            account: Account::bench(),
            addr,
            connections,
            backup,
        }
    }

    /// The signed head of a request; query and headers sorted by name.
    pub(crate) fn head(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        length: usize,
    ) -> Vec<u8> {
        let head = Head {
            method,
            path,
            query,
            headers,
            length,
        };
        self.account.sign(&self.addr.to_string(), &head)
    }

    /// Makes everything, each blob by a few requests as a client would send them.
    pub(crate) fn fill(&self, shape: Shape) -> Result<()> {
        let mut connection = Connection::open(self.addr, None)?;
        for number in 0..shape.containers {
            let query = [("restype", "container")];
            connection.call(&self.head("PUT", &Shape::container(number), &query, &[], 0), b"")?;
        }
        self.shared(shape.blobs, |connection, index| {
            self.make(connection, &shape.path(index), shape.kind(index))
        })
    }

    /// Does `work` for every index below `count`, over all connections.
    pub(crate) fn shared(
        &self,
        count: usize,
        work: impl Fn(&mut Connection, usize) -> Result<()> + Sync,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.connections)
                .map(|_| {
                    scope.spawn(|| -> Result<()> {
                        let mut connection = Connection::open(self.addr, None)?;
                        loop {
                            match next.fetch_add(1, Ordering::Relaxed) {
                                index if index < count => work(&mut connection, index)?,
                                _ => return Ok(()),
                            }
                        }
                    })
                })
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().expect("a client thread returns its errors"))
        })
    }

    fn make(&self, connection: &mut Connection, path: &str, kind: Kind) -> Result<()> {
        let small = &self.backup[CUT_AT..CUT_AT + SMALL];
        let block = [("x-ms-blob-type", "BlockBlob")];
        let mut put = |query: &[(&str, &str)], headers: &[(&str, &str)], body: &[u8]| {
            connection.call(&self.head("PUT", path, query, headers, body.len()), body)
        };
        match kind {
            Kind::Plain => return put(&[], &block, small),
            Kind::Pages => {
                // A terabyte, as SQL Server 2012 and 2014 declare it.
                let page = [
                    ("x-ms-blob-content-length", "1099511627776"),
                    ("x-ms-blob-type", "PageBlob"),
                ];
                put(&[], &page, b"")?;
                let range = format!("bytes=0-{}", CUT_AT - 1);
                let update = [("x-ms-page-write", "update"), ("x-ms-range", range.as_str())];
                put(&[("comp", "page")], &update, &self.backup[..CUT_AT])?;
            }
            Kind::Blocks => {
                put(&[], &block, b"")?;
                for index in 0..3 {
                    let id = block_id(index);
                    put(&[("blockid", &id), ("comp", "block")], &[], small)?;
                }
            }
            Kind::Restore => put(&[], &block, &self.backup)?,
        }
        let mut acquire = vec![("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "-1")];
        if kind == Kind::Restore {
            acquire.push(("x-ms-proposed-lease-id", RESTORE_ID));
        }
        put(&[("comp", "lease")], &acquire, b"")
    }
}
