//! Values as keys: an order that is SQL Server's, for sorting, grouping, comparing and hashed joins.

use std::cmp::Ordering;

use crate::query::calendar;
use crate::query::collation::{Collation, TextKey};
use crate::query::decimal;
use crate::query::types;
use crate::value::{DateTime, Decimal, SqlType, Value};

/// A value as a key; NULL comes first and equals itself, as ORDER BY and GROUP BY have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Null,
    Bytes(Vec<u8>),
    Text(TextKey),
    Guid([u8; 16]),
    Number(Number),
    Time(u64),
    Moment(DateTime),
}

/// A number: exact where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Exact(Decimal),
    Float(f64),
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Exact(left), Self::Exact(right)) => exact(*left, *right),
            _ => self.float().total_cmp(&other.float()),
        }
    }
}

impl Number {
    fn float(self) -> f64 {
        match self {
            Self::Exact(decimal) => decimal::to_float(decimal),
            // No negative zero: it equals zero.
            Self::Float(number) => number + 0.0,
        }
    }
}

fn exact(left: Decimal, right: Decimal) -> Ordering {
    if left.scale == right.scale {
        return left.unscaled.cmp(&right.unscaled);
    }
    let scale = left.scale.max(right.scale);
    match (decimal::rescale(left, scale), decimal::rescale(right, scale)) {
        (Some(left), Some(right)) => left.unscaled.cmp(&right.unscaled),
        // The one that does not fit is greater in size than any that does.
        (None, _) => left.unscaled.signum().cmp(&0),
        (_, None) => 0.cmp(&right.unscaled.signum()),
    }
}

/// The key of a value of a type.
pub(crate) fn key(value: &Value, sql_type: SqlType, collation: Collation) -> Key {
    match value {
        Value::Null => Key::Null,
        Value::Bit(bit) => whole(i64::from(*bit)),
        Value::Integer(number) => whole(*number),
        Value::Decimal(decimal) => Key::Number(Number::Exact(*decimal)),
        Value::Float(number) => Key::Number(Number::Float(*number)),
        Value::Text(text) => Key::Text(collation.key(text)),
        Value::Bytes(bytes) => {
            // Zeros at the end do not count, as blanks do not in text.
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            Key::Bytes(bytes[..end].to_vec())
        }
        Value::Guid(guid) => Key::Guid(guid_order(guid.to_bytes_le())),
        Value::Date(days) => Key::Moment(DateTime {
            days: *days,
            ticks: 0,
        }),
        Value::Time(ticks) => Key::Time(*ticks),
        Value::DateTime(moment) if sql_type == SqlType::DateTime => {
            // Whoever made the value may have kept more of a second than the type has.
            Key::Moment(calendar::carried(
                moment.days,
                calendar::three_hundredths(moment.ticks),
            ))
        }
        Value::DateTime(moment) => Key::Moment(*moment),
        Value::DateTimeOffset(utc, _) => Key::Moment(*utc),
    }
}

fn whole(number: i64) -> Key {
    Key::Number(Number::Exact(Decimal {
        unscaled: i128::from(number),
        scale: 0,
    }))
}

/// `uniqueidentifier` is compared from its last group to its first: bytes 10 to 15, 8 and 9, 6 and 7, 4 and 5, 0 to 3.
fn guid_order(bytes: [u8; 16]) -> [u8; 16] {
    let order = [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3];
    order.map(|at: usize| bytes[at])
}

/// Compares two values of one type; `None` where one of them is NULL.
pub(crate) fn compare(
    left: &Value,
    right: &Value,
    sql_type: SqlType,
    collation: Collation,
) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
        _ if sql_type == SqlType::Variant => Some(variants(left, right, collation)),
        _ => Some(key(left, sql_type, collation).cmp(&key(right, sql_type, collation))),
    }
}

/// `sql_variant`: families in their order; within one, by value.
fn variants(left: &Value, right: &Value, collation: Collation) -> Ordering {
    let of = |value: &Value| key(value, types::of_value(value), collation);
    of(left).cmp(&of(right))
}
