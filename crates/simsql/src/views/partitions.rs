//! Where a table's rows are, and how many: counted in its pages, whenever they are asked for.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::field::{Field, bigint, desc, field, int, smallint, tinyint};
use super::objects::index_of;
use super::view::{Context, Needs, Rows, View, engine, number};
use crate::engine::TableFacts;
use crate::instance::{Version, trouble};
use crate::message::Failure;
use crate::value::{SqlType, Value};

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_database("sys.partitions", PARTITIONS, partitions),
    View::of_database("sys.dm_db_partition_stats", STATS, partition_stats).needs(Needs::DatabaseState),
    View::of_database("sys.allocation_units", UNITS, allocation_units),
];

const PARTITIONS: &[Field] = &[
    bigint("partition_id"),
    int("object_id"),
    int("index_id"),
    int("partition_number"),
    bigint("hobt_id"),
    bigint("rows").or_null(),
    smallint("filestream_filegroup_id"),
    tinyint("data_compression"),
    desc("data_compression_desc"),
    field("xml_compression", SqlType::Bit)
        .or_null()
        .since(Version::V2022),
    field(
        "xml_compression_desc",
        SqlType::VarChar(crate::value::Length::Of(3)),
    )
    .or_null()
    .since(Version::V2022),
];

const STATS: &[Field] = &[
    bigint("partition_id").or_null(),
    int("object_id"),
    int("index_id"),
    int("partition_number"),
    bigint("in_row_data_page_count").or_null(),
    bigint("in_row_used_page_count").or_null(),
    bigint("in_row_reserved_page_count").or_null(),
    bigint("lob_used_page_count").or_null(),
    bigint("lob_reserved_page_count").or_null(),
    bigint("row_overflow_used_page_count").or_null(),
    bigint("row_overflow_reserved_page_count").or_null(),
    bigint("used_page_count").or_null(),
    bigint("reserved_page_count").or_null(),
    bigint("row_count").or_null(),
];

const UNITS: &[Field] = &[
    bigint("allocation_unit_id"),
    tinyint("type"),
    desc("type_desc"),
    bigint("container_id"),
    int("data_space_id"),
    bigint("total_pages"),
    bigint("used_pages"),
    bigint("data_pages"),
];

/// A table's rows and the pages they are on.
struct Counted {
    facts: TableFacts,
    rows: u64,
    pages: u64,
}

impl Counted {
    /// As SQL Server numbers partitions of objects: the object's id in the third word.
    fn partition_id(&self) -> i64 {
        72_057_594_037_927_936 | i64::from(self.facts.id.0) << 16
    }

    /// Pages of rows and the page that maps them.
    fn used(&self) -> u64 {
        self.pages + 1
    }

    /// Whole extents.
    fn reserved(&self) -> u64 {
        self.used().next_multiple_of(8)
    }
}

/// Counts table by table; between them others have the state.
fn count(context: &Context<'_>) -> Result<Vec<Counted>, Failure> {
    let tables = engine(&context.state(), context.database)?.tables();
    let mut counted = Vec::new();
    for facts in tables {
        let mut state = context.state();
        let Some(entry) = state.databases.get_mut(&context.database) else {
            break;
        };
        let Some(engine) = entry.engine.as_mut() else {
            break;
        };
        let (mut rows, mut pages) = (0, BTreeSet::new());
        let scanned = engine.scan(facts.id, &mut |place, _| {
            rows += 1;
            pages.insert((place.page.file, place.page.page));
            ControlFlow::Continue(())
        });
        if let Err(error) = scanned {
            return Err(trouble::failure(&error, entry));
        }
        counted.push(Counted {
            facts,
            rows,
            pages: pages.len() as u64,
        });
    }
    Ok(counted)
}

fn partitions(context: &Context<'_>) -> Rows {
    let row = |table: &Counted| {
        vec![
            number(table.partition_id()),
            number(table.facts.id.0),
            number(index_of(&table.facts)),
            number(1),
            number(table.partition_id()),
            number(table.rows),
            number(0),
            number(0),
            "NONE".into(),
            false.into(),
            "OFF".into(),
        ]
    };
    Ok(count(context)?.iter().map(row).collect())
}

fn partition_stats(context: &Context<'_>) -> Rows {
    let row = |table: &Counted| {
        let (used, reserved) = (number(table.used()), number(table.reserved()));
        let mut row = vec![
            number(table.partition_id()),
            number(table.facts.id.0),
            number(index_of(&table.facts)),
            number(1),
            number(table.pages),
            used.clone(),
            reserved.clone(),
        ];
        row.extend(std::iter::repeat_n(Value::Integer(0), 4));
        row.extend([used, reserved, number(table.rows)]);
        row
    };
    Ok(count(context)?.iter().map(row).collect())
}

fn allocation_units(context: &Context<'_>) -> Rows {
    let row = |table: &Counted| {
        vec![
            number(table.partition_id()),
            number(1),
            "IN_ROW_DATA".into(),
            number(table.partition_id()),
            number(1),
            number(table.reserved()),
            number(table.used()),
            number(table.pages),
        ]
    };
    Ok(count(context)?.iter().map(row).collect())
}
