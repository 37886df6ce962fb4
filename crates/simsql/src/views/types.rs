//! Types as the catalog describes them: `sys.types`, and the lengths, precisions and ids of columns.

use super::field::{Field, bit, int, smallint, sysname, tinyint};
use super::view::{Context, Rows, View, number};
use crate::query::types;
use crate::value::{Length, SqlType, Value};

/// The views.
pub(super) const VIEWS: &[View] = &[View::of_database("sys.types", TYPES, all)];

const TYPES: &[Field] = &[
    sysname("name"),
    tinyint("system_type_id"),
    int("user_type_id"),
    int("schema_id"),
    int("principal_id").or_null(),
    smallint("max_length"),
    tinyint("precision"),
    tinyint("scale"),
    sysname("collation_name").or_null(),
    bit("is_nullable").or_null(),
    bit("is_user_defined"),
    bit("is_assembly_type"),
    int("default_object_id"),
    int("rule_object_id"),
    bit("is_table_type"),
];

/// Name and `system_type_id`, which is `user_type_id` too.
const IDS: [(&str, i64); 27] = [
    ("uniqueidentifier", 36),
    ("date", 40),
    ("time", 41),
    ("datetime2", 42),
    ("datetimeoffset", 43),
    ("tinyint", 48),
    ("smallint", 52),
    ("int", 56),
    ("smalldatetime", 58),
    ("real", 59),
    ("money", 60),
    ("datetime", 61),
    ("float", 62),
    ("sql_variant", 98),
    ("bit", 104),
    ("decimal", 106),
    ("numeric", 108),
    ("smallmoney", 122),
    ("bigint", 127),
    ("varbinary", 165),
    ("varchar", 167),
    ("binary", 173),
    ("char", 175),
    ("timestamp", 189),
    ("nvarchar", 231),
    ("nchar", 239),
    ("xml", 241),
];

/// `user_type_id` of `sysname`, which is an nvarchar(128).
const SYSNAME_ID: i64 = 256;

/// The type of a `user_type_id`.
pub(super) fn name_of(id: i64) -> Option<&'static str> {
    if id == SYSNAME_ID {
        return Some("sysname");
    }
    IDS.iter().find(|(_, known)| *known == id).map(|(name, _)| *name)
}

/// `system_type_id` of a type.
pub(super) fn id_of(sql_type: SqlType) -> i64 {
    let name = types::name(sql_type);
    let known = IDS.iter().find(|(known, _)| *known == name);
    known.map_or(0, |(_, id)| *id)
}

/// `max_length`: bytes, -1 for (max).
pub(super) fn max_length(sql_type: SqlType) -> i64 {
    let of = |length: Length, unit: i64| match length {
        Length::Of(length) => i64::from(length) * unit,
        Length::Max => -1,
    };
    // Bytes of a time by its scale: three up to 2, four up to 4, five above.
    let time = |scale: u8| match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    };
    match sql_type {
        SqlType::Bit | SqlType::TinyInt => 1,
        SqlType::SmallInt => 2,
        SqlType::Int | SqlType::Real | SqlType::SmallDateTime => 4,
        SqlType::BigInt | SqlType::Float | SqlType::Money | SqlType::DateTime => 8,
        SqlType::Date => 3,
        SqlType::Time(scale) => time(scale),
        SqlType::DateTime2(scale) => time(scale) + 3,
        SqlType::DateTimeOffset(scale) => time(scale) + 5,
        SqlType::Decimal { precision, .. } => match precision {
            0..=9 => 5,
            10..=19 => 9,
            20..=28 => 13,
            _ => 17,
        },
        SqlType::Char(length) | SqlType::Binary(length) => i64::from(length),
        SqlType::NChar(length) => i64::from(length) * 2,
        SqlType::VarChar(length) | SqlType::VarBinary(length) => of(length, 1),
        SqlType::NVarChar(length) => of(length, 2),
        SqlType::UniqueIdentifier => 16,
        SqlType::Variant => 8016,
    }
}

/// `precision` and `scale`; 0 for types without.
pub(super) fn precision_of(sql_type: SqlType) -> (i64, i64) {
    let (whole, fraction): (u8, u8) = match sql_type {
        SqlType::Bit => (1, 0),
        SqlType::TinyInt => (3, 0),
        SqlType::SmallInt => (5, 0),
        SqlType::Int => (10, 0),
        SqlType::BigInt => (19, 0),
        SqlType::Real => (24, 0),
        SqlType::Float => (53, 0),
        SqlType::Money => (19, 4),
        SqlType::Decimal { precision, scale } => (precision, scale),
        SqlType::Date => (10, 0),
        SqlType::DateTime => (23, 3),
        SqlType::SmallDateTime => (16, 0),
        // With a fraction there is the point, too.
        SqlType::Time(scale) => (8 + scale + u8::from(scale > 0), scale),
        SqlType::DateTime2(scale) => (19 + scale + u8::from(scale > 0), scale),
        SqlType::DateTimeOffset(scale) => (26 + scale + u8::from(scale > 0), scale),
        _ => (0, 0),
    };
    (i64::from(whole), i64::from(fraction))
}

/// Whether a type has a collation.
pub(super) fn is_text(sql_type: SqlType) -> bool {
    types::family(sql_type) == types::Family::Text
}

/// The type of a name as large as it gets, for `sys.types`; `None` for those that no column here has.
fn widest(name: &str) -> Option<SqlType> {
    Some(match name {
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "date" => SqlType::Date,
        "time" => SqlType::Time(7),
        "datetime2" => SqlType::DateTime2(7),
        "datetimeoffset" => SqlType::DateTimeOffset(7),
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" => SqlType::Int,
        "smalldatetime" => SqlType::SmallDateTime,
        "real" => SqlType::Real,
        "money" => SqlType::Money,
        "datetime" => SqlType::DateTime,
        "float" => SqlType::Float,
        "sql_variant" => SqlType::Variant,
        "bit" => SqlType::Bit,
        "decimal" | "numeric" => SqlType::Decimal {
            precision: 38,
            scale: 38,
        },
        "bigint" => SqlType::BigInt,
        "varbinary" => SqlType::VarBinary(Length::Of(8000)),
        "varchar" => SqlType::VarChar(Length::Of(8000)),
        "binary" => SqlType::Binary(8000),
        "char" => SqlType::Char(8000),
        "nvarchar" => SqlType::NVarChar(Length::Of(4000)),
        "nchar" => SqlType::NChar(4000),
        _ => return None,
    })
}

/// The types of columns, and `sysname`.
fn all(context: &Context<'_>) -> Rows {
    let collation = context.instance().settings.collation.as_str();
    let row = |name: &str, id: i64, user_id: i64, sql_type: SqlType| {
        let (precision, scale) = precision_of(sql_type);
        let is_nullable = user_id != SYSNAME_ID;
        vec![
            name.into(),
            number(id),
            number(user_id),
            number(4),
            Value::Null,
            number(max_length(sql_type)),
            number(precision),
            number(scale),
            is_text(sql_type).then_some(collation).into(),
            is_nullable.into(),
            false.into(),
            false.into(),
            number(0),
            number(0),
            false.into(),
        ]
    };
    let known = IDS
        .iter()
        .filter_map(|(name, id)| Some((*name, *id, widest(name)?)));
    let mut rows: Vec<_> = known
        .map(|(name, id, sql_type)| row(name, id, id, sql_type))
        .collect();
    rows.push(row("sysname", 231, SYSNAME_ID, crate::value::SYSNAME));
    Ok(rows)
}
