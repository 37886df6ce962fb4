//! What is in a database: schemas, tables, columns, indexes.
//!
//! A table with a primary key shows it as its clustered index, one without is a heap. Objects have the dates of their database:
//! the pages keep none.

use super::field::{Field, bit, chars, datetime, desc, field, int, smallint, sysname, text, tinyint};
use super::types::{id_of, is_text, max_length, precision_of};
use super::view::{Context, Rows, View, engine, number};
use crate::engine::TableFacts;
use crate::instance::Version;
use crate::message::Failure;
use crate::query::types;
use crate::value::{Column, Length, SqlType, Value};

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_database("sys.schemas", SCHEMA, schemas),
    View::of_database("sys.objects", OBJECT, objects),
    View::of_database("sys.all_objects", OBJECT, objects),
    View::of_database("sys.tables", TABLE, tables),
    View::of_database("sys.columns", COLUMN, columns),
    View::of_database("sys.all_columns", COLUMN, columns),
    View::of_database("sys.indexes", INDEX, indexes),
    View::of_database("information_schema.tables", SCHEMA_TABLES, schema_tables),
    View::of_database("information_schema.columns", SCHEMA_COLUMNS, schema_columns),
];

/// Schemas of every database.
pub(super) const SCHEMAS: &[(i64, &str)] = &[
    (1, "dbo"),
    (2, "guest"),
    (3, "INFORMATION_SCHEMA"),
    (4, "sys"),
    (16384, "db_owner"),
    (16385, "db_accessadmin"),
    (16386, "db_securityadmin"),
    (16387, "db_ddladmin"),
    (16389, "db_backupoperator"),
    (16390, "db_datareader"),
    (16391, "db_datawriter"),
    (16392, "db_denydatareader"),
    (16393, "db_denydatawriter"),
];

const SCHEMA: &[Field] = &[sysname("name"), int("schema_id"), int("principal_id").or_null()];

const OBJECT: &[Field] = &[
    sysname("name"),
    int("object_id"),
    int("principal_id").or_null(),
    int("schema_id"),
    int("parent_object_id"),
    chars("type", 2),
    desc("type_desc"),
    datetime("create_date"),
    datetime("modify_date"),
    bit("is_ms_shipped"),
    bit("is_published"),
    bit("is_schema_published"),
];

const TABLE: &[Field] = &[
    sysname("name"),
    int("object_id"),
    int("principal_id").or_null(),
    int("schema_id"),
    int("parent_object_id"),
    chars("type", 2),
    desc("type_desc"),
    datetime("create_date"),
    datetime("modify_date"),
    bit("is_ms_shipped"),
    bit("is_published"),
    bit("is_schema_published"),
    int("lob_data_space_id"),
    int("filestream_data_space_id").or_null(),
    int("max_column_id_used"),
    bit("lock_on_bulk_load"),
    bit("uses_ansi_nulls").or_null(),
    bit("is_replicated").or_null(),
    bit("has_replication_filter").or_null(),
    bit("is_merge_published").or_null(),
    bit("is_sync_tran_subscribed").or_null(),
    bit("has_unchecked_assembly_data"),
    int("text_in_row_limit").or_null(),
    bit("large_value_types_out_of_row").or_null(),
    bit("is_tracked_by_cdc").or_null(),
    tinyint("lock_escalation").or_null(),
    desc("lock_escalation_desc"),
    bit("is_filetable").or_null(),
    bit("is_memory_optimized").or_null().since(Version::V2014),
    tinyint("durability").or_null().since(Version::V2014),
    desc("durability_desc").since(Version::V2014),
    tinyint("temporal_type").or_null().since(Version::V2016),
    desc("temporal_type_desc").since(Version::V2016),
    int("history_table_id").or_null().since(Version::V2016),
    bit("is_remote_data_archive_enabled")
        .or_null()
        .since(Version::V2016),
    bit("is_external").since(Version::V2016),
    int("history_retention_period").or_null().since(Version::V2017),
    int("history_retention_period_unit")
        .or_null()
        .since(Version::V2017),
    text("history_retention_period_unit_desc", 10)
        .or_null()
        .since(Version::V2017),
    bit("is_node").or_null().since(Version::V2017),
    bit("is_edge").or_null().since(Version::V2017),
];

const COLUMN: &[Field] = &[
    int("object_id"),
    sysname("name").or_null(),
    int("column_id"),
    tinyint("system_type_id"),
    int("user_type_id"),
    smallint("max_length"),
    tinyint("precision"),
    tinyint("scale"),
    sysname("collation_name").or_null(),
    bit("is_nullable").or_null(),
    bit("is_ansi_padded"),
    bit("is_rowguidcol"),
    bit("is_identity"),
    bit("is_computed"),
    bit("is_filestream"),
    bit("is_replicated").or_null(),
    bit("is_non_sql_subscribed").or_null(),
    bit("is_merge_published").or_null(),
    bit("is_dts_replicated").or_null(),
    bit("is_xml_document"),
    int("xml_collection_id"),
    int("default_object_id"),
    int("rule_object_id"),
    bit("is_sparse").or_null(),
    bit("is_column_set").or_null(),
    tinyint("generated_always_type").or_null().since(Version::V2016),
    desc("generated_always_type_desc").since(Version::V2016),
    int("encryption_type").or_null().since(Version::V2016),
    desc("encryption_type_desc").since(Version::V2016),
    sysname("encryption_algorithm_name")
        .or_null()
        .since(Version::V2016),
    int("column_encryption_key_id").or_null().since(Version::V2016),
    sysname("column_encryption_key_database_name")
        .or_null()
        .since(Version::V2016),
    bit("is_hidden").or_null().since(Version::V2016),
    bit("is_masked").since(Version::V2016),
];

const INDEX: &[Field] = &[
    int("object_id"),
    sysname("name").or_null(),
    int("index_id"),
    tinyint("type"),
    desc("type_desc"),
    bit("is_unique").or_null(),
    int("data_space_id").or_null(),
    bit("ignore_dup_key").or_null(),
    bit("is_primary_key").or_null(),
    bit("is_unique_constraint").or_null(),
    tinyint("fill_factor"),
    bit("is_padded").or_null(),
    bit("is_disabled").or_null(),
    bit("is_hypothetical").or_null(),
    bit("is_ignored_in_optimization").or_null().since(Version::V2017),
    bit("allow_row_locks").or_null(),
    bit("allow_page_locks").or_null(),
    bit("has_filter").or_null(),
    field("filter_definition", SqlType::NVarChar(Length::Max)).or_null(),
];

const SCHEMA_TABLES: &[Field] = &[
    text("TABLE_CATALOG", 128).or_null(),
    text("TABLE_SCHEMA", 128).or_null(),
    sysname("TABLE_NAME"),
    field("TABLE_TYPE", SqlType::VarChar(Length::Of(10))).or_null(),
];

const SCHEMA_COLUMNS: &[Field] = &[
    text("TABLE_CATALOG", 128).or_null(),
    text("TABLE_SCHEMA", 128).or_null(),
    text("TABLE_NAME", 128),
    text("COLUMN_NAME", 128).or_null(),
    int("ORDINAL_POSITION").or_null(),
    text("COLUMN_DEFAULT", 4000).or_null(),
    field("IS_NULLABLE", SqlType::VarChar(Length::Of(3))).or_null(),
    text("DATA_TYPE", 128).or_null(),
    int("CHARACTER_MAXIMUM_LENGTH").or_null(),
    int("CHARACTER_OCTET_LENGTH").or_null(),
    tinyint("NUMERIC_PRECISION").or_null(),
    smallint("NUMERIC_PRECISION_RADIX").or_null(),
    int("NUMERIC_SCALE").or_null(),
    smallint("DATETIME_PRECISION").or_null(),
    sysname("CHARACTER_SET_CATALOG").or_null(),
    sysname("CHARACTER_SET_SCHEMA").or_null(),
    sysname("CHARACTER_SET_NAME").or_null(),
    sysname("COLLATION_CATALOG").or_null(),
    sysname("COLLATION_SCHEMA").or_null(),
    sysname("COLLATION_NAME").or_null(),
    sysname("DOMAIN_CATALOG").or_null(),
    sysname("DOMAIN_SCHEMA").or_null(),
    sysname("DOMAIN_NAME").or_null(),
];

/// The tables of the database that is asked.
pub(super) fn tables_of(context: &Context<'_>) -> Result<Vec<TableFacts>, Failure> {
    Ok(engine(&context.state(), context.database)?.tables())
}

/// `index_id` of where the rows are: 1 for a clustered primary key, 0 for a heap.
pub(super) fn index_of(facts: &TableFacts) -> i64 {
    i64::from(!facts.definition.primary_key.is_empty())
}

fn schemas(_: &Context<'_>) -> Rows {
    let rows = SCHEMAS
        .iter()
        .map(|(id, name)| vec![(*name).into(), number(*id), number(*id)]);
    Ok(rows.collect())
}

fn object_row(context: &Context<'_>, facts: &TableFacts) -> Vec<Value> {
    let created = {
        let state = context.state();
        let entry = state.databases.get(&context.database);
        entry.map_or(Value::Null, |entry| context.local(entry.created))
    };
    let schema = SCHEMAS
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(&facts.definition.schema));
    vec![
        facts.definition.name.as_str().into(),
        number(facts.id.0),
        Value::Null,
        number(schema.map_or(1, |(id, _)| *id)),
        number(0),
        "U ".into(),
        "USER_TABLE".into(),
        created.clone(),
        created,
        // The tables of the system databases came with the server.
        (context.database <= 4 && context.database != 2).into(),
        false.into(),
        false.into(),
    ]
}

fn objects(context: &Context<'_>) -> Rows {
    let tables = tables_of(context)?;
    Ok(tables.iter().map(|facts| object_row(context, facts)).collect())
}

fn tables(context: &Context<'_>) -> Rows {
    let off = || Value::Bit(false);
    let row = |facts: &TableFacts| {
        let mut row = object_row(context, facts);
        row.extend([number(0), Value::Null]);
        row.push(number(facts.definition.columns.len()));
        row.extend([off(), true.into(), off(), off(), off(), off(), off()]);
        row.extend([number(0), off(), off(), number(0), "TABLE".into(), off()]);
        row.extend([off(), number(0), "SCHEMA_AND_DATA".into()]);
        row.extend([number(0), "NON_TEMPORAL_TABLE".into(), Value::Null, off(), off()]);
        row.extend([Value::Null, Value::Null, Value::Null, off(), off()]);
        row
    };
    Ok(tables_of(context)?.iter().map(row).collect())
}

fn columns(context: &Context<'_>) -> Rows {
    let mut rows = Vec::new();
    for facts in tables_of(context)? {
        for (place, column) in facts.definition.columns.iter().enumerate() {
            rows.push(column_row(context, &facts, place, column));
        }
    }
    Ok(rows)
}

fn column_row(context: &Context<'_>, facts: &TableFacts, place: usize, column: &Column) -> Vec<Value> {
    let off = || Value::Bit(false);
    let id = id_of(column.sql_type);
    let (precision, scale) = precision_of(column.sql_type);
    let collation = context.instance().settings.collation.as_str();
    let has_identity = facts.definition.identity.is_some_and(|(at, _, _)| at == place);
    let mut row = vec![
        number(facts.id.0),
        column.name.as_str().into(),
        number(place + 1),
        number(id),
        number(id),
        number(max_length(column.sql_type)),
        number(precision),
        number(scale),
        is_text(column.sql_type).then_some(collation).into(),
        column.nullable.into(),
        true.into(),
        off(),
        has_identity.into(),
        off(),
        off(),
        off(),
        off(),
        off(),
        off(),
        off(),
    ];
    row.extend([number(0), number(0), number(0), off(), off()]);
    row.extend([number(0), "NOT_APPLICABLE".into()]);
    row.extend(std::iter::repeat_n(Value::Null, 5));
    row.extend([off(), off()]);
    row
}

fn indexes(context: &Context<'_>) -> Rows {
    let off = || Value::Bit(false);
    let row = |facts: &TableFacts| {
        let is_clustered = index_of(facts) == 1;
        let name = format!("PK_{}", facts.definition.name);
        vec![
            number(facts.id.0),
            is_clustered.then_some(name).into(),
            number(index_of(facts)),
            number(index_of(facts)),
            if is_clustered { "CLUSTERED" } else { "HEAP" }.into(),
            is_clustered.into(),
            number(1),
            off(),
            is_clustered.into(),
            off(),
            number(0),
            off(),
            off(),
            off(),
            off(),
            true.into(),
            true.into(),
            off(),
            Value::Null,
        ]
    };
    Ok(tables_of(context)?.iter().map(row).collect())
}

fn database_name(context: &Context<'_>) -> Value {
    let state = context.state();
    let entry = state.databases.get(&context.database);
    entry.map(|entry| entry.name.as_str()).into()
}

fn schema_tables(context: &Context<'_>) -> Rows {
    let catalog = database_name(context);
    let row = |facts: &TableFacts| {
        vec![
            catalog.clone(),
            facts.definition.schema.as_str().into(),
            facts.definition.name.as_str().into(),
            "BASE TABLE".into(),
        ]
    };
    Ok(tables_of(context)?.iter().map(row).collect())
}

fn schema_columns(context: &Context<'_>) -> Rows {
    let catalog = database_name(context);
    let collation = context.instance().settings.collation.as_str();
    let mut rows = Vec::new();
    for facts in tables_of(context)? {
        for (place, column) in facts.definition.columns.iter().enumerate() {
            let default = facts.definition.defaults.get(place).cloned().flatten();
            let mut row = vec![
                catalog.clone(),
                facts.definition.schema.as_str().into(),
                facts.definition.name.as_str().into(),
                column.name.as_str().into(),
                number(place + 1),
                default.map(|default| format!("({default})")).into(),
                if column.nullable { "YES" } else { "NO" }.into(),
                types::name(column.sql_type).into(),
            ];
            row.extend(measures(column.sql_type));
            row.extend([Value::Null, Value::Null]);
            row.push(charset(column.sql_type));
            row.extend([Value::Null, Value::Null]);
            row.push(is_text(column.sql_type).then_some(collation).into());
            row.extend([Value::Null, Value::Null, Value::Null]);
            rows.push(row);
        }
    }
    Ok(rows)
}

fn charset(sql_type: SqlType) -> Value {
    match sql_type {
        SqlType::NChar(_) | SqlType::NVarChar(_) => "UNICODE".into(),
        _ if is_text(sql_type) => "iso_1".into(),
        _ => Value::Null,
    }
}

/// From `CHARACTER_MAXIMUM_LENGTH` to `DATETIME_PRECISION`.
fn measures(sql_type: SqlType) -> [Value; 6] {
    let mut measures = [const { Value::Null }; 6];
    let bytes = max_length(sql_type);
    match sql_type {
        SqlType::NChar(_) | SqlType::NVarChar(Length::Of(_)) => {
            measures[0] = number(bytes / 2);
            measures[1] = number(bytes);
        }
        SqlType::Char(_)
        | SqlType::VarChar(_)
        | SqlType::NVarChar(_)
        | SqlType::Binary(_)
        | SqlType::VarBinary(_) => {
            measures[0] = number(bytes);
            measures[1] = number(bytes);
        }
        SqlType::Date => measures[5] = number(0),
        SqlType::SmallDateTime => measures[5] = number(0),
        SqlType::DateTime => measures[5] = number(3),
        SqlType::Time(scale) | SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) => {
            measures[5] = number(scale);
        }
        SqlType::Real | SqlType::Float => {
            measures[2] = number(precision_of(sql_type).0);
            measures[3] = number(2);
        }
        _ if types::is_number(sql_type) => {
            let (precision, scale) = precision_of(sql_type);
            measures[2] = number(precision);
            measures[3] = number(10);
            measures[4] = number(scale);
        }
        _ => {}
    }
    measures
}
