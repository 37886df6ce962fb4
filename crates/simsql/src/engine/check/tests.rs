//! Each kind of damage is found and named; sound pages are not.

use super::*;
use crate::engine::TransactionId;
use crate::engine::space::gam_page;
use crate::engine::tables::Tables;
use crate::engine::test_pages::TestPages;
use crate::memory::Memory;
use crate::value::{Column, SYSNAME, SqlType, Value};
use crate::world::Open;

const PATH: &str = "/data.mdf";

/// All findings, three extents at a time.
pub(super) fn whole(database: &str, checked: &Checked<'_>) -> Vec<Message> {
    let mut checking = Checking::new(database);
    let state = (Uuid::nil(), Lsn::default());
    while go_on(&mut checking, checked, state, 3 * EXTENT) {}
    checking.summary()
}

struct Bench {
    memory: Memory,
    catalog_iam: PageId,
    table: TableId,
    first_iam: PageId,
}

impl Bench {
    /// A database with one table of 500 rows, on disk.
    fn new() -> Self {
        let mut pages = TestPages::new(&[256], 64, 1024);
        let (mut tables, catalog_iam) = Tables::create(&mut pages).unwrap();
        let definition = crate::engine::TableDefinition {
            schema: "dbo".into(),
            name: "Orders".into(),
            columns: vec![Column::new("id", SqlType::Int), Column::new("name", SYSNAME)],
            primary_key: vec![],
            identity: None,
            defaults: vec![None, None],
        };
        let table = tables
            .create_table(&mut pages, TransactionId(1), &definition)
            .unwrap();
        for id in 0..500 {
            let row = [Value::Integer(id), "somebody of some name".into()];
            tables.insert(&mut pages, table, &row).unwrap();
        }
        tables.ended(&mut pages, TransactionId(1)).unwrap();
        let memory = Memory::new(1);
        memory.disk.put(PATH, pages.file_bytes(1));
        Self {
            memory,
            catalog_iam,
            table,
            first_iam: tables.list()[0].first_iam,
        }
    }

    fn numbers(&self) -> Vec<i32> {
        self.messages().iter().map(|message| message.number).collect()
    }

    fn messages(&self) -> Vec<Message> {
        let file = self.memory.world.disk.open(PATH, Open::Write).unwrap();
        let checked = Checked {
            database_id: 5,
            files: &[DataFile::new(file, PATH.into(), 1)],
            catalog_iam: Some(self.catalog_iam),
            pending: &[],
        };
        whole("Shop", &checked)
    }

    /// Changes a page and makes its checksum right again.
    fn change(&self, page: u32, change: impl FnOnce(&mut crate::engine::pages::Page)) {
        self.memory.disk.damage(PATH, |bytes| {
            let page = &mut bytes.as_chunks_mut::<8192>().0[page as usize];
            change(page);
            bak::writer::page::protect(page, bak::writer::page::Protection::Checksum);
        });
    }

    fn flip(&self, page: u32, at: usize) {
        self.memory
            .disk
            .damage(PATH, |bytes| bytes[page as usize * 8192 + at] ^= 1);
    }
}

#[test]
fn a_sound_database_has_only_its_sum() {
    let bench = Bench::new();
    let messages = bench.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        messages[0].text,
        "CHECKDB found 0 allocation errors and 0 consistency errors in database 'Shop'."
    );
    // Pages that nobody has may carry anything.
    bench
        .memory
        .disk
        .damage(PATH, |bytes| bytes[250 * 8192..].fill(0x5A));
    assert_eq!(bench.numbers(), [8989]);
}

#[test]
fn a_page_whose_checksum_does_not_hold() {
    let bench = Bench::new();
    let page = bench.first_iam.page + 2;
    bench.flip(page, 5000);
    let messages = bench.messages();
    assert_eq!(bench.numbers(), [8928, 8939, 8990, 8989, 8958]);
    let id = bench.table.0;
    let unit = u64::from(id) * 65_536;
    assert_eq!(
        messages[0].text,
        format!(
            "Object ID {id}, index ID 0, partition ID {unit}, alloc unit ID {unit} (type In-row data): Page (1:{page}) could not be \
             processed.  See other errors for details."
        )
    );
    assert_eq!(
        messages[2].text,
        format!(
            "CHECKDB found 0 allocation errors and 2 consistency errors in table 'Orders' (object ID {id})."
        )
    );
}

#[test]
fn a_page_that_was_lost_or_is_another() {
    let bench = Bench::new();
    let page = bench.first_iam.page + 1;
    bench.memory.disk.damage(PATH, |bytes| {
        bytes[page as usize * 8192..(page as usize + 1) * 8192].fill(0);
    });
    assert_eq!(bench.numbers(), [8909, 8990, 8989, 8958]);
    let bench = Bench::new();
    bench.change(page, |content| content[32] ^= 1);
    assert_eq!(bench.numbers(), [8909, 8990, 8989, 8958]);
    // The right page with another table's rows.
    let bench = Bench::new();
    bench.change(page, |content| content[24] ^= 1);
    assert_eq!(bench.numbers(), [2533, 8990, 8989, 8958]);
}

#[test]
fn rows_that_cannot_be_read() {
    let bench = Bench::new();
    let page = bench.first_iam.page + 1;
    // The first slot leads into the header; the second row has another number of columns.
    bench.change(page, |content| content[8190..].copy_from_slice(&[7, 0]));
    assert_eq!(bench.numbers(), [8941, 8990, 8989, 8958]);
    let bench = Bench::new();
    bench.change(page, |content| content[96 + 8] = 3);
    assert_eq!(bench.numbers(), [8944, 8990, 8989, 8958]);
}

#[test]
fn extents_and_their_owners() {
    let free = 30;
    let gam = gam_page(1, 0).page;
    // Given away, but to nobody.
    let bench = Bench::new();
    let bit = |extent: u32| 194 + extent as usize / 8;
    bench.change(gam, |content| content[bit(free)] &= !(1 << (free % 8)));
    assert_eq!(bench.numbers(), [8905, 8954, 8989, 8958]);
    // A table's, and free all the same.
    let bench = Bench::new();
    let owned = bench.first_iam.page / 8;
    bench.change(gam, |content| content[bit(owned)] |= 1 << (owned % 8));
    assert_eq!(bench.numbers()[0], 8904);
    // A page in use in an extent that is free.
    let bench = Bench::new();
    bench.change(1, |content| content[100 + 8 * free as usize + 3] = 0x44);
    let messages = bench.messages();
    assert_eq!(
        messages[0].text,
        "Page (1:243) in database ID 5 is allocated in the SGAM (1:3) and PFS (1:1), but was not allocated in any IAM. PFS flags \
         'ALLOCATED 100_PCT_FULL'."
    );
}

#[test]
fn maps_that_cannot_be_believed() {
    let bench = Bench::new();
    bench.flip(1, 700);
    let numbers = bench.numbers();
    assert!(numbers.contains(&8998) && numbers.contains(&8939), "{numbers:?}");
    let bench = Bench::new();
    bench.flip(bench.first_iam.page, 300);
    // The chain is gone, and its page is damaged; that its extents have no owner is not said on top of it.
    let numbers = bench.numbers();
    assert_eq!(numbers[0], 2575);
    assert!(numbers.contains(&8939) && !numbers.contains(&8905), "{numbers:?}");
}
