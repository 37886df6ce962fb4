//! The walk through a blob's content from header to header.
//!
//! A reader of backups says how many of the coming bytes are pages or log; these are passed over, and so is what a page
//! blob never had written there. What lies between is read in pieces that grow while nothing can be passed over (a
//! compressed backup), up to [`READ_MAX`].

use std::ops::Range;

use bak::sniff::SNIFF_SIZE;
use bak::trailer::TRAILER_SIZE;
use bak::{Container, FileKind, Foreign, Report, Trailer, Verifier, sniff, trailer};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

use super::written::{Run, Written};
use crate::account::{Account, ETag};
use crate::event::{Event, Listener, Nobody};
use crate::fault::{Cause, Fault, Operation};
use crate::limits::{READ_MAX, UNWRITTEN_MAX};
use crate::place::Place;

/// Bytes of a first read, and of the first one behind what was passed over: the headers of a backup set are some 20 KiB.
const FIRST_READ: u64 = 64 << 10;

/// How much a walk may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Reads.
    pub(crate) requests: u32,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The content ends here.
    End,
    /// What follows cannot be followed: damaged, or of a form that the reader does not know.
    Lost,
    /// What must be here was never written.
    Unwritten,
    /// It is no backup.
    Foreign,
    /// More would cost more than is allowed.
    Allowance,
}

/// What a walk found.
#[derive(Clone, Debug)]
pub(crate) struct Walked {
    /// What the first bytes are.
    pub(crate) kind: FileKind,
    /// The first bytes, as many as tell what it is.
    pub(crate) start: Vec<u8>,
    /// What the headers say.
    pub(crate) report: Report,
    /// Why it ended.
    pub(crate) stop: Stop,
    /// What the content ends with, where the walk did not get there.
    pub(crate) trailer: Option<Trailer>,
}

/// A read under way, and of which bytes.
type Ahead<'a> = (Range<u64>, BoxFuture<'a, Result<Bytes, Fault>>);

/// A walk under way.
pub(crate) struct Walk<'a, A> {
    account: &'a A,
    place: &'a Place,
    tag: &'a ETag,
    written: &'a Written,
    listener: &'a dyn Listener,
    allowance: Option<Allowance>,
    verifier: Verifier,
    start: Vec<u8>,
    kind: Option<FileKind>,
    at: u64,
    piece: u64,
    /// A read that was asked for before its bytes are needed.
    ahead: Option<Ahead<'a>>,
}

impl<'a, A: Account> Walk<'a, A> {
    /// Through the content of the tag `tag`, as far as it takes to know all headers.
    pub(crate) fn new(account: &'a A, place: &'a Place, tag: &'a ETag, written: &'a Written) -> Self {
        Self {
            account,
            place,
            tag,
            written,
            listener: &Nobody,
            allowance: None,
            verifier: Verifier::headers_only(),
            start: Vec::new(),
            kind: None,
            at: 0,
            piece: FIRST_READ,
            ahead: None,
        }
    }

    /// For no more than this, and one read of the end where it is not reached.
    pub(crate) fn within(mut self, allowance: Allowance) -> Self {
        self.allowance = Some(allowance);
        self
    }

    /// Tells this listener where it stands.
    pub(crate) fn telling(mut self, listener: &'a dyn Listener) -> Self {
        self.listener = listener;
        self
    }

    /// Walks.
    ///
    /// # Errors
    /// The fault of a request; [`Cause::Changed`](crate::fault::Cause::Changed) where the content is another one by now.
    pub(crate) async fn run(mut self) -> Result<Walked, Fault> {
        let stop = self.go().await?;
        let trailer = match stop {
            Stop::Allowance => Some(self.trailer().await?),
            _ => None,
        };
        let kind = self.kind.unwrap_or_else(|| kind_of_all(&self.start));
        Ok(Walked {
            kind: kind_of(kind, &self.start),
            start: self.start,
            report: self.verifier.finish(),
            stop,
            trailer,
        })
    }

    async fn go(&mut self) -> Result<Stop, Fault> {
        if !self.written.has_its_start() {
            return Ok(Stop::Foreign);
        }
        let end = self.written.end();
        while self.at < end {
            let ahead = self.verifier.skippable().min(end - self.at);
            if ahead > 0 {
                self.verifier.skip(ahead);
                self.at += ahead;
                self.piece = FIRST_READ;
                continue;
            }
            if let Some(stop) = self.reason_to_stop() {
                return Ok(stop);
            }
            match self.written.run(self.at) {
                Run::Zeros(until) if !self.take_zeros(until.min(end) - self.at) => {
                    return Ok(Stop::Unwritten);
                }
                Run::Zeros(_) => {}
                Run::Bytes(_) => {
                    let Some(length) = self.affordable() else {
                        return Ok(Stop::Allowance);
                    };
                    if !self.read(length).await? {
                        return Ok(Stop::Unwritten);
                    }
                }
            }
        }
        Ok(self.reason_to_stop().unwrap_or(Stop::End))
    }

    fn reason_to_stop(&self) -> Option<Stop> {
        match self.kind {
            Some(FileKind::Foreign(_)) => Some(Stop::Foreign),
            _ if self.verifier.is_lost() => Some(Stop::Lost),
            _ => None,
        }
    }

    /// How much may be read now. `None` where nothing, or where reading on would lead nowhere: the compressed have no
    /// place to pass over, so one that is too long is left when it has said what it is.
    fn affordable(&self) -> Option<u64> {
        let length = self.written.reach(self.at, self.at + self.piece) - self.at;
        let Some(allowance) = self.allowance else {
            return Some(length);
        };
        let is_compressed = self.kind == Some(FileKind::Backup(Container::MssqlBak));
        if is_compressed && self.written.end() - self.at > allowance.bytes && self.names_its_database() {
            return None;
        }
        (allowance.requests > 0 && allowance.bytes > 0).then(|| length.min(allowance.bytes))
    }

    fn names_its_database(&self) -> bool {
        !self.verifier.clone().finish().sets.is_empty()
    }

    /// Reads the end alone.
    async fn trailer(&mut self) -> Result<Trailer, Fault> {
        let end = self.written.end();
        let range = end.saturating_sub(TRAILER_SIZE as u64)..end;
        let bytes = self.account.read(self.place, range, self.tag).await?;
        Ok(trailer(&bytes))
    }

    /// Reads, and takes what was read. Returns whether a backup can have zeros where nothing was written.
    async fn read(&mut self, length: u64) -> Result<bool, Fault> {
        let range = self.at..self.at + length;
        let bytes = match self.ahead.take() {
            Some((asked, read)) if asked == range => read.await?,
            _ => self.account.read(self.place, range, self.tag).await?,
        };
        if bytes.len() as u64 != length {
            return Err(short(self.place, bytes.len(), length));
        }
        if let Some(allowance) = &mut self.allowance {
            allowance.requests -= 1;
            allowance.bytes -= length;
        }
        self.piece = (self.piece * 2).min(READ_MAX);
        self.ask_ahead(self.at + length);
        let sound = self.take(&bytes);
        self.listener.hear(&Event::Reads {
            at: self.at,
            of: self.written.end(),
        });
        Ok(sound)
    }

    /// Takes bytes that were read over short gaps, gap by gap.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let reach = self.at + bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (until, is_gap) = match self.written.run(self.at) {
                Run::Bytes(until) => (until, false),
                Run::Zeros(until) => (until, true),
            };
            let length = until.min(reach) - self.at;
            let (piece, behind) = rest.split_at(length as usize);
            if !is_gap {
                self.push(piece);
            } else if !self.take_zeros(length) {
                return false;
            }
            rest = behind;
        }
        true
    }

    /// Where all will be read, as of the compressed, the next read is under way while the bytes of this one are decoded.
    fn ask_ahead(&mut self, at: u64) {
        let is_compressed = self.kind == Some(FileKind::Backup(Container::MssqlBak));
        if !is_compressed || self.allowance.is_some() || at >= self.written.end() {
            return;
        }
        let Run::Bytes(_) = self.written.run(at) else {
            return;
        };
        let range = at..self.written.reach(at, at + self.piece);
        let mut read = self.account.read(self.place, range.clone(), self.tag).boxed();
        // The first poll sends the request.
        let read = match (&mut read).now_or_never() {
            Some(answer) => ready(answer).boxed(),
            None => read,
        };
        self.ahead = Some((range, read));
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.kind.is_none() {
            let missing = SNIFF_SIZE.saturating_sub(self.start.len());
            self.start.extend_from_slice(&bytes[..missing.min(bytes.len())]);
            let whole = self.at + bytes.len() as u64 >= self.written.end();
            self.kind = sniff(&self.start, whole);
        }
        self.verifier.push(bytes);
        self.at += bytes.len() as u64;
    }

    /// Takes bytes that were never written for the zeros that they read as. Whether a backup can have zeros here: in its
    /// padding it can (a copy may have left out what was zero), a header it cannot.
    fn take_zeros(&mut self, length: u64) -> bool {
        if self.verifier.skippable() >= length {
            self.verifier.skip(length);
            self.at += length;
            return true;
        }
        if length > UNWRITTEN_MAX {
            return false;
        }
        let before = self.faults();
        self.push(&vec![0; length as usize]);
        self.faults() == before
    }

    /// How much was found that is not as it should be.
    fn faults(&self) -> (u64, usize, bool) {
        let verifier = &self.verifier;
        let reasons = verifier.clone().finish().reasons.len();
        (verifier.damage_count(), reasons, verifier.is_lost())
    }
}

/// What a blob is of whose content no more than `start` could be had.
fn kind_of_all(start: &[u8]) -> FileKind {
    let unknown = FileKind::Foreign(Foreign::Unknown);
    if start.is_empty() {
        return unknown;
    }
    sniff(start, true).unwrap_or(unknown)
}

/// First bytes of the page that opens every file of a database: version 1, type "file header"; at 32 its page id, 0.
const FILE_HEADER: (&[u8], usize) = (&[1, 15], 32);

/// What a blob is that begins with `start`. A page that opens a database file is enough to take it for one, even where the
/// second page is none that is known.
fn kind_of(kind: FileKind, start: &[u8]) -> FileKind {
    let (header, page_id) = FILE_HEADER;
    let is_file_header = start.starts_with(header) && start.get(page_id..page_id + 4) == Some(&[0; 4]);
    match kind {
        FileKind::Foreign(Foreign::Unknown) if is_file_header => FileKind::Foreign(Foreign::DataFile),
        kind => kind,
    }
}

fn short(place: &Place, got: usize, wanted: u64) -> Fault {
    Fault {
        operation: Operation::Read,
        target: place.to_string(),
        cause: Cause::Unusable(format!("{got} bytes came where {wanted} were asked for")),
        status: None,
        code: None,
    }
}
