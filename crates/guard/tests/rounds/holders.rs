//! Those who hold leases: what they do step by step, and how each may be known to live.
//!
//! A holder is a script of requests with pauses before them. It may die before any of them; what it leaves is then an
//! orphan. Backups and restores run in a statement of an instance, and on the vault's own door over connections and
//! perhaps as a job.

use std::collections::BTreeMap;
use std::fmt;

use azblob::block::BlockId;
use azblob::lease::{LeaseAction, LeaseDuration, LeaseId};
use bytes::Bytes;
use guard::Place;
use guard::ask::Devices;

use crate::instances::spelled;
use crate::plan::SECOND;
use crate::store::{Answer, Body};
use crate::world::World;

/// The size at which SQL Server makes a page blob, before it knows the size of the backup.
pub(crate) const TERABYTE: u64 = 1 << 40;

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trade {
    /// BACKUP.
    Backup,
    /// RESTORE under the well-known id.
    Restore,
    /// A database that runs on files in the account.
    DatabaseFile,
    /// A virtual machine.
    Disk,
    /// Any other program.
    Program,
    /// Somebody who only reads, without a lease.
    Passer,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create(Fresh),
    Acquire(Term),
    /// Writes pages so far.
    Pages(usize),
    /// Cuts the page blob to what was written.
    Resize,
    /// Puts the bytes of `from..to` as block `number`.
    Block {
        number: usize,
        from: usize,
        to: usize,
    },
    Commit,
    Read,
    /// Writes something somewhere.
    Touch,
    Release,
    /// Deletes its own blob after a failure.
    Withdraw,
}

/// What Put Blob makes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fresh {
    Page(u64),
    Block,
    Append,
}

/// For how long a lease is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Term {
    Infinite,
    Seconds(u32),
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A statement that an instance runs.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) session: i32,
    pub(crate) command: &'static str,
    pub(crate) devices: Devices,
    /// It stands in the list of requests so long.
    pub(crate) until: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) trade: Trade,
    pub(crate) place: Place,
    pub(crate) instance: Option<usize>,
    pub(crate) script: Vec<(u64, Op)>,
    pub(crate) position: usize,
    /// Keepers do what follows from here for ever.
    pub(crate) again_from: Option<usize>,
    /// Dies instead of the request at this position.
    pub(crate) doom: Option<usize>,
    pub(crate) id: LeaseId,
    pub(crate) id_text: String,
    pub(crate) holds: bool,
    /// What it writes in the end.
    pub(crate) whole: Bytes,
    /// How often it begins anew where it may not overwrite, and how long it waits at most.
    pub(crate) tries: u32,
    pub(crate) retry_after: u64,
    /// The statement's text does not show the URL.
    pub(crate) hides: bool,
    pub(crate) statement: Option<Statement>,
    /// A job of the vault does it.
    pub(crate) job: bool,
    pub(crate) job_until: u64,
    /// Its connection stays open while it pauses.
    pub(crate) keeps_connection: bool,
    pub(crate) connected_until: u64,
    pub(crate) alive: bool,
    pub(crate) ended: Option<u64>,
}

impl Holder {
    pub(crate) fn doomed(&self) -> bool {
        self.doom == Some(self.position)
    }

    pub(crate) fn next_op(&mut self) -> Option<Op> {
        if self.position == self.script.len() {
            self.position = self.again_from?;
        }
        Some(self.script[self.position].1.clone())
    }

    /// The pause before the next request; `None` when there is none any more.
    pub(crate) fn delay(&self) -> Option<u64> {
        let position = match self.position == self.script.len() {
            true => self.again_from?,
            false => self.position,
        };
        Some(self.script[position].0)
    }

    pub(crate) fn end_statement(&mut self, now: u64, linger: u64) {
        if let Some(statement) = &mut self.statement {
            statement.until = statement.until.min(now + linger);
        }
    }

    /// The lease that it sends along.
    fn key(&self) -> Option<LeaseId> {
        self.holds.then_some(self.id)
    }
}

impl World {
    /// The statement and the job of a backup or restore begin before its first request.
    pub(crate) fn begin_statement(&mut self, index: usize) {
        let holder = &mut self.holders[index];
        if !matches!(holder.trade, Trade::Backup | Trade::Restore) {
            return;
        }
        if holder.job && self.plan.service == crate::plan::Service::OwnDoor {
            holder.job_until = u64::MAX;
        }
        let runs = holder
            .statement
            .as_ref()
            .is_some_and(|statement| statement.until > self.now);
        if runs {
            return;
        }
        let devices = match holder.hides {
            true => Devices::Hidden,
            false => Devices::Named(vec![
                "https://elsewhere.blob.core.windows.net/other/stripe1.bak".to_owned(),
                spelled(&mut self.noise, &holder.place),
            ]),
        };
        holder.statement = Some(Statement {
            session: 51 + index as i32,
            command: match holder.trade {
                Trade::Restore => "RESTORE DATABASE",
                _ => "BACKUP DATABASE",
            },
            devices,
            until: u64::MAX,
        });
    }

    /// Sends one request.
    pub(crate) fn perform(&mut self, index: usize, op: &Op) -> Answer {
        let at = self.at();
        let holder = &self.holders[index];
        let (place, key, whole) = (holder.place.clone(), holder.key(), holder.whole.clone());
        match op {
            Op::Create(fresh) => self.store.put(&place, fresh.body(), key, at),
            Op::Acquire(term) => {
                let duration = match term {
                    Term::Infinite => LeaseDuration::Infinite,
                    Term::Seconds(seconds) => LeaseDuration::Seconds(*seconds),
                };
                let id = (holder.id, holder.id_text.as_str());
                self.store.acquire(&place, index, id, duration, at)?;
                self.holders[index].holds = true;
                Ok(())
            }
            Op::Pages(end) => self.store.change(&place, key, at, |body| {
                if let Body::Page { data, .. } = body {
                    *data = whole.slice(..*end);
                }
            }),
            Op::Resize => self.store.change(&place, key, at, |body| {
                if let Body::Page { declared, data } = body {
                    *declared = data.len() as u64;
                }
            }),
            Op::Block { number, from, to } => {
                let id = BlockId::from_bytes(format!("BLOCKID{number:05}").as_bytes());
                let block = (id.expect("a short id"), whole.slice(*from..*to));
                self.store.put_block(&place, block, key, at)
            }
            Op::Commit => self.store.commit(&place, key, at),
            Op::Read => self.store.read(&place, key, at),
            Op::Touch => self.store.change(&place, key, at, |body| {
                if let Body::Append { data } | Body::Block { data, .. } = body {
                    *data = whole.slice(..whole.len().min(data.len() + 512));
                }
            }),
            Op::Release => {
                self.store.lease(
                    &place,
                    &LeaseAction::Release {
                        id: self.holders[index].id,
                    },
                    at,
                )?;
                self.holders[index].holds = false;
                Ok(())
            }
            Op::Withdraw => self.store.delete(&place, key, at),
        }
    }
}

impl Fresh {
    fn body(self) -> Body {
        let data = Bytes::new();
        match self {
            Self::Page(declared) => Body::Page { declared, data },
            Self::Block => Body::Block {
                data,
                committed: Vec::new(),
                pending: BTreeMap::new(),
            },
            Self::Append => Body::Append { data },
        }
    }
}

/// How long a holder waits between two requests when nothing holds it up.
pub(crate) const USUAL: std::ops::Range<u64> = SECOND / 2..20 * SECOND;
