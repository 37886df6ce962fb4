//! Changes that belong together and stay: allocation, which no rollback takes back and which no crash may leave half done.
//!
//! While a section is open its changes are made in memory only, on frames that are held there, and nothing is logged; when it
//! ends, its records are appended one behind the other, the first and the last marked as such, and the pages get their LSNs. Redo
//! makes the changes of a section only when it has seen the last one. A section in which anything failed is taken back in memory
//! and never logged, so that the log has whole ones, but for the one that a crash cut off, and that one no page has seen: the
//! pages' records must be durable before they are written.
//!
//! Room in the log is reserved with each change, so that the end of a section does not fail for want of it.

use bak::Lsn;

use super::Result;
use super::aside::set_lsn;
use super::core::Core;
use super::pages::{Page, PageId};
use super::pool::Frame;
use super::record::{Place, Record};

/// What the log needs for a record beside its payload, generously: its slot, its length, its share of the block's header and of
/// its filler.
pub(super) const RECORD_OVERHEAD: u64 = 64;

/// A change of the open section.
enum Change {
    Bytes {
        page: PageId,
        offset: u16,
        before: Vec<u8>,
        after: Vec<u8>,
    },
    Whole {
        page: PageId,
        /// What was in memory, if anything was.
        before: Option<Frame>,
        content: Box<Page>,
    },
}

/// The open section, if one is.
#[derive(Default)]
pub(super) struct Section {
    depth: u32,
    has_failed: bool,
    changes: Vec<Change>,
    reserved: u64,
}

impl Section {
    /// Whether changes belong to a section.
    pub(super) fn is_open(&self) -> bool {
        self.depth > 0
    }

    /// Opens one, or another within it.
    pub(super) fn begin(&mut self) {
        self.depth += 1;
    }
}

impl Core {
    /// Replaces bytes of a page within the open section.
    pub(super) fn system_write(&mut self, page: PageId, offset: usize, bytes: &[u8]) -> Result<()> {
        let outcome = self.try_system_write(page, offset, bytes);
        self.section.has_failed |= outcome.is_err();
        outcome
    }

    fn try_system_write(&mut self, page: PageId, offset: usize, bytes: &[u8]) -> Result<()> {
        let place = offset..offset + bytes.len();
        let before = self.fetch(page)?.page[place.clone()].to_vec();
        if before == bytes {
            return Ok(());
        }
        self.reserve_for_section(bytes.len() as u64)?;
        let frame = self.fetch(page)?;
        frame.page[place].copy_from_slice(bytes);
        frame.is_dirty = true;
        frame.is_held = true;
        self.section.changes.push(Change::Bytes {
            page,
            offset: u16::try_from(offset).expect("an offset is within a page"),
            before,
            after: bytes.to_vec(),
        });
        Ok(())
    }

    /// Makes a page anew within the open section.
    pub(super) fn system_format(&mut self, page: PageId, content: &Page) -> Result<()> {
        let outcome = self.try_system_format(page, content);
        self.section.has_failed |= outcome.is_err();
        outcome
    }

    fn try_system_format(&mut self, page: PageId, content: &Page) -> Result<()> {
        self.reserve_for_section(content.len() as u64 / 2 * 3)?;
        let before = self.pool.get(page).cloned();
        if before.is_none() {
            self.make_room()?;
        }
        let content = Box::new(*content);
        let mut frame = Frame::clean(content.clone());
        frame.is_dirty = true;
        frame.is_held = true;
        self.pool.put(page, frame);
        self.section.changes.push(Change::Whole {
            page,
            before,
            content,
        });
        Ok(())
    }

    fn reserve_for_section(&mut self, bytes: u64) -> Result<()> {
        let room = bytes + RECORD_OVERHEAD;
        self.log.reserve(room)?;
        self.section.reserved += room;
        Ok(())
    }

    /// Ends a section, or one within it. What fails then is told by [`Core::settle`].
    pub(super) fn end_section(&mut self) {
        debug_assert!(self.section.depth > 0, "a section that ends has begun");
        self.section.depth -= 1;
        if self.section.depth > 0 {
            return;
        }
        if self.section.has_failed {
            self.revert_section();
        } else if let Err(error) = self.log_section() {
            self.broken.get_or_insert(error);
        }
        self.release_section();
    }

    fn release_section(&mut self) {
        self.log.release(std::mem::take(&mut self.section.reserved));
        self.section.has_failed = false;
        self.section.changes.clear();
    }

    /// To be called when a deed has ended, well or not: takes back a section that it left open, and tells what the end of one
    /// met. Once the log could not be written nobody knows what of it is durable: every deed fails until the database is opened
    /// anew.
    pub(super) fn settle<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if self.section.is_open() {
            self.section.depth = 0;
            self.revert_section();
            self.release_section();
        }
        match &self.broken {
            Some(error) => outcome.and(Err(error.clone())),
            None => outcome,
        }
    }

    fn revert_section(&mut self) {
        for change in std::mem::take(&mut self.section.changes).into_iter().rev() {
            match change {
                Change::Bytes {
                    page, offset, before, ..
                } => {
                    if let Some(frame) = self.pool.get_mut(page) {
                        let start = usize::from(offset);
                        frame.page[start..start + before.len()].copy_from_slice(&before);
                        // It may be as its file has it again; writing it once more does no harm.
                        frame.is_held = false;
                    }
                }
                Change::Whole { page, before, .. } => match before {
                    Some(frame) => self.pool.put(page, frame),
                    None => self.pool.remove(page),
                },
            }
        }
    }

    /// Appends the records of the section and gives its pages their LSNs.
    fn log_section(&mut self) -> Result<()> {
        let changes = std::mem::take(&mut self.section.changes);
        let count = changes.len();
        let mut pages = Vec::with_capacity(count);
        let mut newest = Lsn::ZERO;
        for (index, change) in changes.into_iter().enumerate() {
            let place = Place {
                is_first: index == 0,
                is_last: index + 1 == count,
            };
            let (page, is_new, record) = change.record(place);
            newest = self.log.append_reserved(&record.encode())?;
            self.differential.mark(page);
            if let Some(frame) = self.pool.get_mut(page) {
                set_lsn(&mut frame.page, newest);
                if is_new {
                    frame.formatted = newest;
                }
            }
            pages.push(page);
        }
        // Only now may the pages go to their files, and none of them before the last record of the section.
        for page in pages {
            if let Some(frame) = self.pool.get_mut(page) {
                frame.is_held = false;
                frame.wal = newest;
            }
        }
        Ok(())
    }
}

impl Change {
    fn record(self, place: Place) -> (PageId, bool, Record) {
        match self {
            Self::Bytes {
                page, offset, after, ..
            } => (
                page,
                false,
                Record::System {
                    place,
                    page,
                    offset,
                    after,
                },
            ),
            Self::Whole { page, content, .. } => (page, true, Record::Format { place, page, content }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bak::writer::page::{PageIdentity, PageType, write_header};

    use super::*;
    use crate::engine::access::PageAccess;
    use crate::engine::change::Access;
    use crate::engine::create::tests::small;
    use crate::engine::{Engine, EngineError, Opening};
    use crate::memory::Memory;
    use crate::moment::Moment;
    use crate::world::Disk as _;

    const PAGE_ID: PageId = PageId { file: 1, page: 50 };

    fn content(byte: u8) -> Page {
        let mut page = [0; super::super::pages::PAGE];
        let identity = PageIdentity {
            file_id: PAGE_ID.file,
            page_id: PAGE_ID.page,
            page_type: PageType::Data,
            object_id: 1,
            lsn: Lsn::ZERO,
        };
        write_header(&mut page, &identity, 0, 96);
        page[100] = byte;
        page
    }

    fn engine(memory: &Memory) -> Engine {
        let mut engine = Engine::create(&memory.world, small(), Moment(0)).unwrap();
        let mut access = Access {
            core: &mut engine.core,
            transaction: None,
        };
        access.format(PAGE_ID, &content(1)).unwrap();
        engine
    }

    fn byte(engine: &mut Engine) -> u8 {
        engine.core.fetch(PAGE_ID).unwrap().page[100]
    }

    #[test]
    fn a_section_that_a_crash_cut_off_is_not_redone() {
        let memory = Memory::new(1);
        memory.disk.create_directory("/data").unwrap();
        let mut engine = engine(&memory);
        let half = |place| Record::System {
            place,
            page: PAGE_ID,
            offset: 100,
            after: vec![9],
        };
        let begun = Place {
            is_first: true,
            is_last: false,
        };
        engine.core.log.append(&half(begun).encode()).unwrap();
        engine.core.flush_log().unwrap();
        let files = engine.files();
        drop(engine);
        let reopen =
            || Engine::open(&memory.world, files.clone(), Opening::Recover { at: Moment(1) }).unwrap();
        let mut engine = reopen();
        assert_eq!(byte(&mut engine), 1);
        // Nor is it when another section follows, and that one is.
        let mut access = Access {
            core: &mut engine.core,
            transaction: None,
        };
        access.write(PAGE_ID, 100, &[2]).unwrap();
        engine.core.flush_log().unwrap();
        drop(engine);
        assert_eq!(byte(&mut reopen()), 2);
    }

    #[test]
    fn a_section_that_failed_is_taken_back() {
        let memory = Memory::new(1);
        memory.disk.create_directory("/data").unwrap();
        let mut engine = engine(&memory);
        let core = &mut engine.core;
        let before = core.log.next_lsn();
        core.section.begin();
        core.system_write(PAGE_ID, 100, &[3]).unwrap();
        core.section.begin();
        core.system_format(PAGE_ID, &content(4)).unwrap();
        core.end_section();
        let no_file = PageId { file: 9, page: 1 };
        assert!(core.system_write(no_file, 100, &[3]).is_err());
        core.end_section();
        assert_eq!(core.log.next_lsn(), before, "nothing of it is logged");
        assert_eq!(byte(&mut engine), 1);
        // One that nobody ended goes with the deed that left it.
        engine.core.section.begin();
        engine.core.system_write(PAGE_ID, 100, &[5]).unwrap();
        let outcome: Result<()> = engine.core.settle(Err(EngineError::DataFull));
        assert_eq!(outcome, Err(EngineError::DataFull));
        assert_eq!(byte(&mut engine), 1);
        assert!(!engine.core.fetch(PAGE_ID).unwrap().is_held);
    }
}
