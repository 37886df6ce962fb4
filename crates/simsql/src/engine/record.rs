//! What the log says: one record a change, in a form of our own.
//!
//! A record is a kind (one byte) and its fields in little-endian order. [`Record::Write`] carries both the bytes that were there
//! and those that replaced them, so that it can be redone and undone; [`Record::System`] and [`Record::Format`] belong to a
//! section of changes that is redone whole or not at all and never undone; [`Record::Compensation`] says that a write was undone,
//! and is itself only ever redone.
//!
//! A record that does not read as one of these is damage, or log that another engine wrote: nothing is guessed.

use bak::Lsn;
use uuid::Uuid;

use super::boot::{Protection, RecoveryModel};
use super::pages::{PAGE, Page, PageId};
use super::{DatabaseFile, EngineError, Result};
use crate::moment::Moment;

/// Runs of zero bytes shorter than this are cheaper to keep than to cut out of a page's content.
const SHORTEST_GAP: usize = 8;

/// More pages than a data file has: SQL Server's largest are 16 TB.
const PAGES_MAX: u32 = 1 << 31;
/// More transactions than a database sees: a restored log may say anything, and the next number follows from what it says.
const TRANSACTIONS_MAX: u64 = 1 << 62;

/// A transaction as a checkpoint notes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenTransaction {
    /// Its number.
    pub(super) id: u64,
    /// Its begin record.
    pub(super) begin: Lsn,
    /// Its newest record.
    pub(super) last: Lsn,
    /// When it began.
    pub(super) at: Moment,
}

/// Where a record of a section stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Nothing of the section came before.
    pub(super) is_first: bool,
    /// With it the section is whole.
    pub(super) is_last: bool,
}

/// Facts of the boot page that go with the log to a database restored from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) recovery_model: RecoveryModel,
    pub(super) page_verify: Protection,
    pub(super) compatibility_level: u8,
    pub(super) option_bits: u32,
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// The first change of a transaction follows.
    Begin { transaction: u64, at: Moment },
    /// Bytes of a page were replaced; `previous` is the transaction's record before this one.
    Write {
        transaction: u64,
        previous: Lsn,
        page: PageId,
        offset: u16,
        before: Vec<u8>,
        after: Vec<u8>,
    },
    /// A write was undone; the next to be undone is at `undo_next`.
    Compensation {
        transaction: u64,
        undo_next: Lsn,
        page: PageId,
        offset: u16,
        after: Vec<u8>,
    },
    /// Bytes of a page changed for good.
    System {
        place: Place,
        page: PageId,
        offset: u16,
        after: Vec<u8>,
    },
    /// A page was made anew.
    Format {
        place: Place,
        page: PageId,
        content: Box<Page>,
    },
    /// A transaction ended and stays.
    Commit { transaction: u64, at: Moment },
    /// A transaction ended and everything it did is undone.
    Abort { transaction: u64, at: Moment },
    /// Every page is in its file as of here; these transactions are open.
    Checkpoint {
        at: Moment,
        next_transaction: u64,
        open: Vec<OpenTransaction>,
    },
    /// A data file has this many pages.
    FileSize { file: u16, pages: u32 },
    /// The database has another file.
    FileAdded(Box<DatabaseFile>),
    /// ALTER DATABASE SET.
    Options(Options),
    /// The database was recovered onto the fork `fork`, which parts from `first` at `point`.
    Fork { fork: Uuid, first: Uuid, point: Lsn },
}

const BEGIN: u8 = 1;
const WRITE: u8 = 2;
const COMPENSATION: u8 = 3;
const SYSTEM: u8 = 4;
const FORMAT: u8 = 5;
const COMMIT: u8 = 6;
const ABORT: u8 = 7;
const CHECKPOINT: u8 = 8;
const FILE_SIZE: u8 = 9;
const FILE_ADDED: u8 = 10;
const OPTIONS: u8 = 11;
const FORK: u8 = 12;

/// Bytes of a compensation record beside the page's bytes: what a rollback of a write needs room for.
pub(super) const COMPENSATION_BYTES: u64 = 1 + 8 + 10 + 6 + 2 + 4;
/// Bytes of a commit or abort record.
pub(super) const END_BYTES: u64 = 1 + 8 + 8;

impl Record {
    /// The record's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Out(Vec::with_capacity(64));
        match self {
            Self::Begin { transaction, at } => out.kind(BEGIN).u64(*transaction).time(*at),
            Self::Commit { transaction, at } => out.kind(COMMIT).u64(*transaction).time(*at),
            Self::Abort { transaction, at } => out.kind(ABORT).u64(*transaction).time(*at),
            Self::Write {
                transaction,
                previous,
                page,
                offset,
                before,
                after,
            } => out
                .kind(WRITE)
                .u64(*transaction)
                .lsn(*previous)
                .page(*page)
                .u16(*offset)
                .bytes(before)
                .bytes(after),
            Self::Compensation {
                transaction,
                undo_next,
                page,
                offset,
                after,
            } => out
                .kind(COMPENSATION)
                .u64(*transaction)
                .lsn(*undo_next)
                .page(*page)
                .u16(*offset)
                .bytes(after),
            Self::System {
                place,
                page,
                offset,
                after,
            } => out
                .kind(SYSTEM)
                .place(*place)
                .page(*page)
                .u16(*offset)
                .bytes(after),
            Self::Format { place, page, content } => {
                out.kind(FORMAT).place(*place).page(*page).content(content)
            }
            Self::Checkpoint {
                at,
                next_transaction,
                open,
            } => {
                out.kind(CHECKPOINT).time(*at).u64(*next_transaction);
                out.u32(u32::try_from(open.len()).expect("fewer transactions than 2^32"));
                for one in open {
                    out.u64(one.id).lsn(one.begin).lsn(one.last).time(one.at);
                }
                &mut out
            }
            Self::FileSize { file, pages } => out.kind(FILE_SIZE).u16(*file).u32(*pages),
            Self::FileAdded(file) => {
                let text = serde_json::to_vec(file).expect("a file's facts are plain data");
                out.kind(FILE_ADDED).bytes(&text)
            }
            Self::Options(options) => out.kind(OPTIONS).options(*options),
            Self::Fork { fork, first, point } => out.kind(FORK).guid(*fork).guid(*first).lsn(*point),
        };
        out.0
    }

    /// Reads a record that stands at `lsn`.
    ///
    /// # Errors
    /// [`EngineError::Log`] for one that this engine did not write.
    pub(super) fn decode(lsn: Lsn, bytes: &[u8]) -> Result<Self> {
        let mut input = In(bytes);
        let record = input.record();
        record
            .filter(|_| input.0.is_empty())
            .ok_or_else(|| EngineError::Log {
                lsn,
                detail: "a record that this engine did not write".to_owned(),
            })
    }
}

struct Out(Vec<u8>);

impl Out {
    fn kind(&mut self, kind: u8) -> &mut Self {
        self.0.push(kind);
        self
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn time(&mut self, at: Moment) -> &mut Self {
        self.0.extend_from_slice(&at.0.to_le_bytes());
        self
    }

    fn lsn(&mut self, lsn: Lsn) -> &mut Self {
        self.0.extend_from_slice(&lsn.to_bytes());
        self
    }

    fn guid(&mut self, guid: Uuid) -> &mut Self {
        self.0.extend_from_slice(guid.as_bytes());
        self
    }

    fn page(&mut self, page: PageId) -> &mut Self {
        self.u16(page.file).u32(page.page)
    }

    fn place(&mut self, place: Place) -> &mut Self {
        self.kind(u8::from(place.is_first) | u8::from(place.is_last) << 1)
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let length =
            u32::try_from(bytes.len()).expect("a record holds no more than a page or a file's facts");
        self.u32(length).0.extend_from_slice(bytes);
        self
    }

    /// A page as the runs of its bytes that are not zero.
    fn content(&mut self, page: &Page) -> &mut Self {
        let runs = runs(page);
        self.u16(u16::try_from(runs.len()).expect("a page has fewer runs than bytes"));
        for (start, end) in runs {
            self.u16(start as u16)
                .u16((end - start) as u16)
                .0
                .extend_from_slice(&page[start..end]);
        }
        self
    }

    fn options(&mut self, options: Options) -> &mut Self {
        let model = match options.recovery_model {
            RecoveryModel::Full => 1,
            RecoveryModel::BulkLogged => 2,
            RecoveryModel::Simple => 3,
        };
        let verify = match options.page_verify {
            Protection::None => 0,
            Protection::Torn => 1,
            Protection::Checksum => 2,
        };
        self.kind(model)
            .kind(verify)
            .kind(options.compatibility_level)
            .u32(options.option_bits)
    }
}

/// Where a page's bytes are not zero, gaps shorter than [`SHORTEST_GAP`] among them.
fn runs(page: &Page) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in page.iter().enumerate().filter(|(_, byte)| **byte != 0) {
        match runs.last_mut() {
            Some((_, end)) if at - *end < SHORTEST_GAP => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn record(&mut self) -> Option<Record> {
        Some(match self.u8()? {
            BEGIN => Record::Begin {
                transaction: self.number()?,
                at: self.time()?,
            },
            COMMIT => Record::Commit {
                transaction: self.number()?,
                at: self.time()?,
            },
            ABORT => Record::Abort {
                transaction: self.number()?,
                at: self.time()?,
            },
            WRITE => Record::Write {
                transaction: self.number()?,
                previous: self.lsn()?,
                page: self.page()?,
                offset: self.u16()?,
                before: self.bytes()?.to_vec(),
                after: self.bytes()?.to_vec(),
            },
            COMPENSATION => Record::Compensation {
                transaction: self.number()?,
                undo_next: self.lsn()?,
                page: self.page()?,
                offset: self.u16()?,
                after: self.bytes()?.to_vec(),
            },
            SYSTEM => Record::System {
                place: self.place()?,
                page: self.page()?,
                offset: self.u16()?,
                after: self.bytes()?.to_vec(),
            },
            FORMAT => Record::Format {
                place: self.place()?,
                page: self.page()?,
                content: self.content()?,
            },
            CHECKPOINT => self.checkpoint()?,
            FILE_SIZE => Record::FileSize {
                file: self.u16()?,
                pages: self.u32().filter(|pages| *pages <= PAGES_MAX)?,
            },
            FILE_ADDED => Record::FileAdded(self.file()?),
            OPTIONS => Record::Options(self.options()?),
            FORK => Record::Fork {
                fork: self.guid()?,
                first: self.guid()?,
                point: self.lsn()?,
            },
            _ => return None,
        })
        .filter(Record::is_within_page)
    }

    fn checkpoint(&mut self) -> Option<Record> {
        let at = self.time()?;
        let next_transaction = self.number()?;
        let count = self.u32()?;
        let open = (0..count)
            .map(|_| {
                Some(OpenTransaction {
                    id: self.number()?,
                    begin: self.lsn()?,
                    last: self.lsn()?,
                    at: self.time()?,
                })
            })
            .collect::<Option<_>>()?;
        Some(Record::Checkpoint {
            at,
            next_transaction,
            open,
        })
    }

    fn options(&mut self) -> Option<Options> {
        Some(Options {
            recovery_model: match self.u8()? {
                1 => RecoveryModel::Full,
                2 => RecoveryModel::BulkLogged,
                3 => RecoveryModel::Simple,
                _ => return None,
            },
            page_verify: match self.u8()? {
                0 => Protection::None,
                1 => Protection::Torn,
                2 => Protection::Checksum,
                _ => return None,
            },
            compatibility_level: self.u8()?,
            option_bits: self.u32()?,
        })
    }

    fn content(&mut self) -> Option<Box<Page>> {
        let mut page = Box::new([0; PAGE]);
        for _ in 0..self.u16()? {
            let (start, length) = (usize::from(self.u16()?), usize::from(self.u16()?));
            let run = self.take(length)?;
            page.get_mut(start..start + length)?.copy_from_slice(run);
        }
        Some(page)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn time(&mut self) -> Option<Moment> {
        self.array().map(|bytes| Moment(i64::from_le_bytes(bytes)))
    }

    fn lsn(&mut self) -> Option<Lsn> {
        self.array().map(Lsn::from_bytes)
    }

    fn guid(&mut self) -> Option<Uuid> {
        self.array().map(Uuid::from_bytes)
    }

    fn page(&mut self) -> Option<PageId> {
        Some(PageId {
            file: self.u16()?,
            page: self.u32().filter(|page| *page < PAGES_MAX)?,
        })
    }

    /// The number of a transaction.
    fn number(&mut self) -> Option<u64> {
        self.u64().filter(|number| *number < TRANSACTIONS_MAX)
    }

    /// A data file that was added.
    fn file(&mut self) -> Option<Box<DatabaseFile>> {
        let file: Box<DatabaseFile> = serde_json::from_slice(self.bytes()?).ok()?;
        let is_data = file.file_type == bak::FileType::Data && file.file_id > 2;
        (is_data && file.size <= PAGES_MAX).then_some(file)
    }

    fn place(&mut self) -> Option<Place> {
        let bits = self.u8()?;
        (bits <= 3).then_some(Place {
            is_first: bits & 1 != 0,
            is_last: bits & 2 != 0,
        })
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }
}

impl Record {
    /// The record at `lsn`, as one of a chain that is walked from its newest record back: a restored log may say anything, and a
    /// walk that does not go back never ends.
    ///
    /// # Errors
    /// [`EngineError::Log`] where the next one is not before it.
    pub(super) fn leading_back(self, lsn: Lsn) -> Result<Self> {
        let next = match &self {
            Self::Write { previous, .. } => *previous,
            Self::Compensation { undo_next, .. } => *undo_next,
            _ => return Ok(self),
        };
        if next < lsn {
            return Ok(self);
        }
        let detail = "the chain of a transaction does not lead back".to_owned();
        Err(EngineError::Log { lsn, detail })
    }

    /// Whether what it changes lies on its page, so that whoever applies it need not look.
    fn is_within_page(&self) -> bool {
        match self {
            Self::Write {
                offset,
                before,
                after,
                ..
            } => before.len() == after.len() && usize::from(*offset) + after.len() <= PAGE,
            Self::Compensation { offset, after, .. } | Self::System { offset, after, .. } => {
                usize::from(*offset) + after.len() <= PAGE
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lsn(slot: u16) -> Lsn {
        Lsn {
            vlf: 40,
            block: 16,
            slot,
        }
    }

    fn all() -> Vec<Record> {
        let page = PageId { file: 3, page: 77 };
        let at = Moment(1_795_282_385_000_000);
        let place = Place {
            is_first: true,
            is_last: false,
        };
        let mut content = Box::new([0; PAGE]);
        content[0] = 1;
        content[7] = 2;
        content[PAGE - 1] = 9;
        vec![
            Record::Begin { transaction: 7, at },
            Record::Write {
                transaction: 7,
                previous: lsn(3),
                page,
                offset: 8190,
                before: vec![1, 2],
                after: vec![3, 4],
            },
            Record::Compensation {
                transaction: 7,
                undo_next: lsn(3),
                page,
                offset: 96,
                after: vec![1],
            },
            Record::System {
                place,
                page,
                offset: 200,
                after: vec![5; 30],
            },
            Record::Format { place, page, content },
            Record::Commit { transaction: 7, at },
            Record::Abort { transaction: 8, at },
            Record::Checkpoint {
                at,
                next_transaction: 9,
                open: vec![OpenTransaction {
                    id: 8,
                    begin: lsn(1),
                    last: lsn(2),
                    at,
                }],
            },
            Record::FileSize { file: 1, pages: 1024 },
            Record::Fork {
                fork: Uuid::from_u128(1),
                first: Uuid::from_u128(2),
                point: lsn(9),
            },
            Record::Options(Options {
                recovery_model: RecoveryModel::BulkLogged,
                page_verify: Protection::Torn,
                compatibility_level: 150,
                option_bits: 5,
            }),
        ]
    }

    #[test]
    fn records_read_as_they_were_written() {
        for record in all() {
            assert_eq!(Record::decode(lsn(1), &record.encode()), Ok(record));
        }
    }

    #[test]
    fn rollback_reserves_what_it_writes() {
        for record in all() {
            let (length, reserved) = match &record {
                Record::Compensation { after, .. } => {
                    (record.encode().len(), COMPENSATION_BYTES + after.len() as u64)
                }
                Record::Commit { .. } | Record::Abort { .. } => (record.encode().len(), END_BYTES),
                _ => continue,
            };
            assert_eq!(length as u64, reserved);
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for record in all() {
            let bytes = record.encode();
            for cut in 0..bytes.len() {
                assert!(
                    Record::decode(lsn(1), &bytes[..cut]).is_err(),
                    "{record:?} cut at {cut}"
                );
            }
        }
        assert!(Record::decode(lsn(1), &[200, 1, 2]).is_err());
    }

    #[test]
    fn what_no_database_can_say_is_refused() {
        let far = PageId {
            file: 1,
            page: u32::MAX,
        };
        let at = Moment(0);
        let place = Place {
            is_first: true,
            is_last: true,
        };
        let page = Box::new([0; PAGE]);
        let impossible = [
            Record::Format {
                place,
                page: far,
                content: page,
            },
            Record::System {
                place,
                page: far,
                offset: 0,
                after: vec![1],
            },
            Record::FileSize {
                file: 1,
                pages: u32::MAX,
            },
            Record::Begin {
                transaction: u64::MAX,
                at,
            },
            Record::Checkpoint {
                at,
                next_transaction: u64::MAX,
                open: Vec::new(),
            },
        ];
        for record in impossible {
            assert!(Record::decode(lsn(1), &record.encode()).is_err(), "{record:?}");
        }
    }

    #[test]
    fn a_chain_that_does_not_lead_back_is_refused() {
        let write = |previous| Record::Write {
            transaction: 7,
            previous,
            page: PageId { file: 1, page: 9 },
            offset: 0,
            before: vec![1],
            after: vec![2],
        };
        assert!(write(lsn(4)).leading_back(lsn(5)).is_ok());
        assert!(write(lsn(5)).leading_back(lsn(5)).is_err());
        assert!(write(lsn(6)).leading_back(lsn(5)).is_err());
    }
}
