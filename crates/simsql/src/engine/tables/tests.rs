//! Tables made, changed and dropped over pages in memory.

use super::*;
use crate::engine::test_pages::TestPages;
use crate::value::{Column, Length, SYSNAME, SqlType};

const FIRST: TransactionId = TransactionId(1);

fn definition(name: &str) -> TableDefinition {
    TableDefinition {
        schema: "dbo".into(),
        name: name.into(),
        columns: vec![
            Column {
                name: "id".into(),
                sql_type: SqlType::Int,
                nullable: false,
            },
            Column::new("name", SYSNAME),
            Column::new(
                "amount",
                SqlType::Decimal {
                    precision: 18,
                    scale: 4,
                },
            ),
            Column::new("note", SqlType::VarChar(Length::Max)),
        ],
        primary_key: vec![1, 0],
        identity: Some((0, 10, 5)),
        defaults: vec![None, Some("(N'nobody')".into()), None, None],
    }
}

fn row(id: i64) -> Vec<Value> {
    vec![Value::Integer(id), "somebody".into(), Value::Null, "x".into()]
}

fn ids(tables: &Tables, pages: &mut TestPages, table: TableId) -> Vec<Value> {
    let mut found = Vec::new();
    let visit = &mut |_, mut row: Vec<Value>| {
        found.push(row.remove(0));
        ControlFlow::Continue(())
    };
    tables.scan(pages, table, visit).unwrap();
    found
}

fn free_extents(pages: &mut TestPages) -> usize {
    let size = pages.files()[0].size;
    size as usize / 8 - super::super::space::allocated(pages, 1, size).unwrap().len()
}

#[test]
fn tables_are_there_when_the_database_is_opened_again() {
    let mut pages = TestPages::new(&[512], 64, 1024);
    let (mut tables, iam) = Tables::create(&mut pages).unwrap();
    let orders = tables
        .create_table(&mut pages, FIRST, &definition("Orders"))
        .unwrap();
    assert_eq!(orders, TableId(1_000_000));
    for id in [10, 15, 40] {
        tables.insert(&mut pages, orders, &row(id)).unwrap();
    }
    tables.ended(&mut pages, FIRST).unwrap();
    let known = tables.find("DBO", "orders").unwrap();
    assert_eq!(
        (known.next_identity, &known.definition),
        (45, &definition("Orders"))
    );
    let opened = Tables::open(&mut pages, Some(iam)).unwrap();
    assert_eq!(opened.list(), [known]);
    assert_eq!(ids(&opened, &mut pages, orders), [10, 15, 40].map(Value::Integer));
    let real = Tables::open(&mut pages, None).unwrap();
    assert!(real.list().is_empty());
}

#[test]
fn a_table_made_in_vain_leaves_nothing_but_its_number() {
    let mut pages = TestPages::new(&[512], 64, 1024);
    let (mut tables, _) = Tables::create(&mut pages).unwrap();
    // The catalog's first row takes the extent that it keeps.
    tables
        .create_table(&mut pages, FIRST, &definition("Kept"))
        .unwrap();
    tables.ended(&mut pages, FIRST).unwrap();
    let (mark, free) = (pages.mark(), free_extents(&mut pages));
    let second = TransactionId(2);
    let table = tables
        .create_table(&mut pages, second, &definition("Gone"))
        .unwrap();
    for id in 0..2000 {
        tables.insert(&mut pages, table, &row(id)).unwrap();
    }
    assert!(free_extents(&mut pages) < free - 1);
    pages.roll_back(mark);
    tables.undone(&mut pages).unwrap();
    assert_eq!(tables.find("dbo", "Gone"), None);
    assert_eq!(
        tables.insert(&mut pages, table, &row(1)),
        Err(EngineError::NoTable(table))
    );
    tables.ended(&mut pages, second).unwrap();
    assert_eq!(free_extents(&mut pages), free);
    let next = tables
        .create_table(&mut pages, second, &definition("Next"))
        .unwrap();
    assert_eq!(next, TableId(table.0 + 1));
}

#[test]
fn a_dropped_table_is_there_again_after_a_rollback_and_free_after_a_commit() {
    let mut pages = TestPages::new(&[512], 64, 1024);
    let (mut tables, _) = Tables::create(&mut pages).unwrap();
    let table = tables
        .create_table(&mut pages, FIRST, &definition("Orders"))
        .unwrap();
    for id in 0..3000 {
        tables.insert(&mut pages, table, &row(id)).unwrap();
    }
    tables.ended(&mut pages, FIRST).unwrap();
    let (mark, free) = (pages.mark(), free_extents(&mut pages));
    let known = tables.find("dbo", "Orders");
    tables.drop_table(&mut pages, FIRST, table).unwrap();
    assert_eq!(tables.find("dbo", "Orders"), None);
    pages.roll_back(mark);
    tables.undone(&mut pages).unwrap();
    tables.ended(&mut pages, FIRST).unwrap();
    assert_eq!(tables.find("dbo", "Orders"), known);
    assert_eq!(ids(&tables, &mut pages, table).len(), 3000);
    assert_eq!(free_extents(&mut pages), free);
    tables.drop_table(&mut pages, FIRST, table).unwrap();
    assert_eq!(free_extents(&mut pages), free, "it may still be rolled back");
    tables.ended(&mut pages, FIRST).unwrap();
    assert!(
        free_extents(&mut pages) > free + 1,
        "the one of the IAM page and others"
    );
}

#[test]
fn what_a_crash_left_without_an_owner_is_freed() {
    let mut pages = TestPages::new(&[512, 64], 64, 1024);
    let (mut tables, iam) = Tables::create(&mut pages).unwrap();
    let kept = tables
        .create_table(&mut pages, FIRST, &definition("Kept"))
        .unwrap();
    tables.insert(&mut pages, kept, &row(1)).unwrap();
    let free = free_extents(&mut pages);
    let dropped = tables
        .create_table(&mut pages, FIRST, &definition("Dropped"))
        .unwrap();
    for id in 0..1000 {
        tables.insert(&mut pages, dropped, &row(id)).unwrap();
    }
    tables.drop_table(&mut pages, FIRST, dropped).unwrap();
    // No call of `ended`: the instance was killed.
    let mut opened = Tables::open(&mut pages, Some(iam)).unwrap();
    opened.reclaim(&mut pages).unwrap();
    assert_eq!(free_extents(&mut pages), free);
    assert_eq!(ids(&opened, &mut pages, kept), [Value::Integer(1)]);
}
