//! Pages as they stand in the files, each with what is wrong with it.

use std::collections::BTreeMap;

use crate::engine::access::PageRead;
use crate::engine::data_file::{DataFile, mend, own_id, verify_in_use};
use crate::engine::pages::{EXTENT, PAGE, Page, PageId};
use crate::engine::{DatabaseFile, EngineError, Result};

/// How a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Soundness {
    /// Its own, and nothing is wrong with it.
    Sound,
    /// Its own, but checksum or torn-page bits do not hold, or it cannot be read.
    Damaged,
    /// Never formatted, or another page.
    Stranger,
}

struct Held {
    soundness: Soundness,
    page: Box<Page>,
}

/// The files, with the maps and one extent of each in memory.
pub(super) struct Reader<'a> {
    files: &'a [DataFile],
    maps: BTreeMap<PageId, Held>,
    extents: BTreeMap<u16, (u32, Vec<Held>)>,
    nothing: Held,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a [DataFile]) -> Self {
        Self {
            files,
            maps: BTreeMap::new(),
            extents: BTreeMap::new(),
            nothing: Held {
                soundness: Soundness::Damaged,
                page: Box::new([0; PAGE]),
            },
        }
    }

    /// How a page is; one beyond the end of its file is damaged.
    pub(super) fn soundness(&mut self, id: PageId) -> Soundness {
        self.held(id).soundness
    }

    fn held(&mut self, id: PageId) -> &Held {
        let Some(file) = self.files.iter().find(|file| file.id() == id.file) else {
            return &self.nothing;
        };
        if is_map(id.page) {
            return self.maps.entry(id).or_insert_with(|| one(file, id));
        }
        let first = id.page / EXTENT * EXTENT;
        let slot = self.extents.entry(id.file).or_insert((u32::MAX, Vec::new()));
        if slot.0 != first {
            *slot = (first, extent(file, first));
        }
        slot.1.get((id.page - first) as usize).unwrap_or(&self.nothing)
    }

    fn path(&self, id: PageId) -> String {
        let file = self.files.iter().find(|file| file.id() == id.file);
        file.map(|file| file.path().to_owned()).unwrap_or_default()
    }
}

impl PageRead for Reader<'_> {
    fn read(&mut self, id: PageId) -> Result<&Page> {
        if self.soundness(id) == Soundness::Damaged {
            return Err(EngineError::Page {
                path: self.path(id),
                page: id,
                detail: "it could not be processed".to_owned(),
            });
        }
        Ok(&self.held(id).page)
    }

    fn files(&self) -> Vec<DatabaseFile> {
        Vec::new()
    }
}

/// Whether a page is a map by its place, of which many pages ask.
fn is_map(number: u32) -> bool {
    number < EXTENT || number.is_multiple_of(8088) || number % 511_232 < EXTENT
}

fn extent(file: &DataFile, first: u32) -> Vec<Held> {
    let mut bytes = Vec::new();
    if file.read_run(first, EXTENT, false, &mut bytes).is_err() {
        // The end of the file, or a place that cannot be read: the others can.
        let ids = (first..first + EXTENT).map(|page| PageId {
            file: file.id(),
            page,
        });
        return ids.map(|id| one(file, id)).collect();
    }
    let pages = bytes.as_chunks::<PAGE>().0;
    let judge = |(page, content): (u32, &Page)| {
        judged(
            PageId {
                file: file.id(),
                page,
            },
            Box::new(*content),
        )
    };
    (first..).zip(pages).map(judge).collect()
}

fn one(file: &DataFile, id: PageId) -> Held {
    let mut bytes = Vec::new();
    let read = file.read_run(id.page, 1, false, &mut bytes);
    let page = bytes.as_chunks::<PAGE>().0.first().copied();
    match (read, page) {
        (Ok(()), Some(page)) => judged(id, Box::new(page)),
        _ => Held {
            soundness: Soundness::Damaged,
            page: Box::new([0; PAGE]),
        },
    }
}

fn judged(id: PageId, mut page: Box<Page>) -> Held {
    let is_its_own = page[0] == 1 && own_id(&page) == id;
    let soundness = match verify_in_use(&page, id) {
        _ if !is_its_own => Soundness::Stranger,
        Ok(()) => Soundness::Sound,
        Err(_) => Soundness::Damaged,
    };
    if soundness == Soundness::Sound {
        mend(&mut page);
    }
    Held { soundness, page }
}
