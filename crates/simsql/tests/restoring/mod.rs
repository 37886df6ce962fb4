//! An instance in memory, and statements of RESTORE made by hand.
#![allow(missing_docs, clippy::unwrap_used, dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bak::ContentReader;
use bak::content::Event;
use simsql::answers::Transcript;
use simsql::instance::{Instance, Settings, Version};
use simsql::memory::Memory;
use simsql::message::Failure;
use simsql::session::Session;
use simsql::tsql::device::DeviceName;
use simsql::tsql::restore::{RestoreOptions, RestoreStatement, RestoreWhat};
use simsql::tsql::statement::Word;
use simsql::value::Value;

pub(crate) const PAGE: usize = 8192;

/// An instance and one session of `sa`.
pub(crate) struct Bench {
    pub(crate) memory: Memory,
    pub(crate) instance: Arc<Instance>,
    pub(crate) session: Session,
}

impl Bench {
    pub(crate) fn new(version: Version) -> Self {
        let memory = Memory::new(7);
        let settings = Settings {
            initial_pages: 128,
            ..Settings::new(version, "/sim")
        };
        let instance = Instance::start(memory.world.clone(), settings).unwrap();
        let session = instance.attach("sa").unwrap();
        Self {
            memory,
            instance,
            session,
        }
    }

    /// Runs a statement; its messages and rows, and how it ended.
    pub(crate) fn run(&mut self, statement: &RestoreStatement) -> (Transcript, Result<(), Failure>) {
        let mut transcript = Transcript::default();
        let clock = Arc::clone(&self.memory.clock);
        let done = clock.run_one(simsql::restore::run(
            &mut self.session,
            statement,
            &mut transcript,
        ));
        (transcript, done)
    }

    /// Runs a statement that succeeds; the numbers of its messages.
    pub(crate) fn does(&mut self, statement: &RestoreStatement) -> Vec<i32> {
        let (transcript, done) = self.run(statement);
        if let Err(failure) = done {
            panic!("{statement:?}: {failure:?}");
        }
        transcript.messages.iter().map(|message| message.number).collect()
    }

    /// Runs a statement that fails; the numbers of its errors.
    pub(crate) fn fails(&mut self, statement: &RestoreStatement) -> Vec<i32> {
        let (_, done) = self.run(statement);
        let failure = done.expect_err("it fails");
        failure.messages.iter().map(|message| message.number).collect()
    }

    /// The bytes of page `page` of a file on the disk.
    pub(crate) fn page(&self, path: &str, page: u32) -> Vec<u8> {
        let bytes = self.memory.disk.bytes(path).unwrap();
        bytes[page as usize * PAGE..][..PAGE].to_vec()
    }
}

pub(crate) fn word(text: &str) -> Word {
    Word::Literal(text.to_owned())
}

pub(crate) fn statement(what: RestoreWhat, database: Option<&str>, paths: &[&str]) -> RestoreStatement {
    RestoreStatement {
        what,
        database: database.map(word),
        files: Vec::new(),
        pages: None,
        devices: paths.iter().map(|path| DeviceName::Disk(word(path))).collect(),
        snapshot: None,
        options: RestoreOptions::default(),
    }
}

/// A column of a row by its name.
pub(crate) fn cell<'a>(transcript: &'a Transcript, row: usize, column: &str) -> &'a Value {
    let result = &transcript.results[0];
    let index = result
        .columns
        .iter()
        .position(|known| known.name == column)
        .unwrap_or_else(|| panic!("there is no column {column}"));
    &result.rows[row][index]
}

/// The pages of a set by file and number, later passes over earlier ones.
pub(crate) fn pages_of(files: &[&[u8]], position: u16) -> BTreeMap<(u16, u32), Vec<u8>> {
    let mut passes: BTreeMap<u32, Vec<((u16, u32), Vec<u8>)>> = BTreeMap::new();
    for file in files {
        let mut reader = ContentReader::of_set(position);
        let mut take = |event: Event| {
            if let Event::Extent(extent) = event {
                for (page, slot) in extent.pages.chunks(PAGE).zip(0..) {
                    let id = (extent.file_id, extent.first_page + slot);
                    passes.entry(extent.pass).or_default().push((id, page.to_vec()));
                }
            }
        };
        for slice in file.chunks(60_000) {
            reader.push(slice, &mut take);
        }
        let _ = reader.finish(&mut take);
    }
    passes.into_values().flatten().collect()
}
