//! Bytes as [MS-TDS] 2.2.5 lays them out, worked out by hand.

use super::Speech;
use crate::tds::dialect::Dialect;
use crate::value::{DateTime, Decimal, Length, SqlType, Value};

const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

fn speech(dialect: Dialect) -> Speech {
    Speech {
        dialect,
        collation: COLLATION,
    }
}

fn sent(sql_type: SqlType, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    speech(Dialect::V74).value(sql_type, value, &mut out);
    out
}

fn info(dialect: Dialect, sql_type: SqlType) -> Vec<u8> {
    let mut out = Vec::new();
    speech(dialect).type_info(sql_type, &mut out);
    out
}

fn decimal(unscaled: i128, scale: u8) -> Value {
    Value::Decimal(Decimal { unscaled, scale })
}

#[test]
fn numbers() {
    assert_eq!(sent(SqlType::TinyInt, &Value::Integer(255)), [1, 255]);
    assert_eq!(sent(SqlType::SmallInt, &Value::Integer(-2)), [2, 0xFE, 0xFF]);
    assert_eq!(sent(SqlType::Int, &Value::Integer(0x0102_0304)), [4, 4, 3, 2, 1]);
    assert_eq!(sent(SqlType::Bit, &Value::Bit(true)), [1, 1]);
    assert_eq!(sent(SqlType::Int, &Value::Null), [0]);
    // 1.0 is 0x3F80_0000 and 0x3FF0_0000_0000_0000 by IEEE 754.
    assert_eq!(sent(SqlType::Real, &Value::Float(1.0)), [4, 0, 0, 0x80, 0x3F]);
    assert_eq!(
        sent(SqlType::Float, &Value::Float(1.0)),
        [8, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
    );
}

#[test]
fn decimals_have_a_sign_and_as_many_digits_as_their_precision_needs() {
    let ten = SqlType::Decimal {
        precision: 10,
        scale: 2,
    };
    // 12.34 as 1234 = 0x04D2 in 8 bytes; -1.5 as 150; 2.345 rounds to 2.35 = 235 = 0xEB.
    assert_eq!(sent(ten, &decimal(1234, 2)), [9, 1, 0xD2, 0x04, 0, 0, 0, 0, 0, 0]);
    assert_eq!(sent(ten, &decimal(-15, 1)), [9, 0, 150, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(sent(ten, &decimal(2345, 3))[..3], [9, 1, 0xEB]);
    let largest = SqlType::Decimal {
        precision: 38,
        scale: 0,
    };
    let value = decimal(10_i128.pow(38) - 1, 0);
    // 10^38 - 1 = 0x4B3B4CA85A86C47A098A223FFFFFFFFF.
    let expected = [
        17, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0x22, 0x8A, 0x09, 0x7A, 0xC4, 0x86, 0x5A, 0xA8, 0x4C, 0x3B, 0x4B,
    ];
    assert_eq!(sent(largest, &value), expected);
    // 1.0000 as money is 10000 = 0x2710 in the low half; -0.0001 has all bits set.
    assert_eq!(
        sent(SqlType::Money, &decimal(1, 0)),
        [8, 0, 0, 0, 0, 0x10, 0x27, 0, 0]
    );
    assert_eq!(
        sent(SqlType::Money, &decimal(-1, 4)),
        [8, 255, 255, 255, 255, 255, 255, 255, 255]
    );
}

#[test]
fn moments() {
    // 2000-01-01 is day 730119 = 0x0B2407 from 0001-01-01 and 36524 = 0x8EAC from 1900-01-01.
    let noon = DateTime {
        days: 730_119,
        ticks: 12 * 36_000_000_000,
    };
    assert_eq!(sent(SqlType::Date, &Value::Date(730_119)), [3, 0x07, 0x24, 0x0B]);
    // Noon in 300ths is 12 * 3600 * 300 = 12960000 = 0xC5C100.
    let value = Value::DateTime(noon);
    assert_eq!(
        sent(SqlType::DateTime, &value),
        [8, 0xAC, 0x8E, 0, 0, 0x00, 0xC1, 0xC5, 0]
    );
    assert_eq!(sent(SqlType::SmallDateTime, &value), [4, 0xAC, 0x8E, 0xD0, 0x02]);
    // Noon in seconds is 43200 = 0xA8C0, in units of 100 ns 432000000000 = 0x649534E000.
    assert_eq!(
        sent(SqlType::DateTime2(0), &value),
        [6, 0xC0, 0xA8, 0, 0x07, 0x24, 0x0B]
    );
    assert_eq!(
        sent(SqlType::DateTime2(7), &value),
        [8, 0x00, 0xE0, 0x34, 0x95, 0x64, 0x07, 0x24, 0x0B]
    );
    assert_eq!(
        sent(SqlType::DateTimeOffset(0), &Value::DateTimeOffset(noon, -90)),
        [8, 0xC0, 0xA8, 0, 0x07, 0x24, 0x0B, 0xA6, 0xFF]
    );
    assert_eq!(
        sent(SqlType::Time(3), &Value::Time(12_340_000)),
        [4, 0xD2, 0x04, 0, 0]
    );
}

#[test]
fn a_time_rounded_up_to_midnight_is_of_the_next_day() {
    let late = Value::DateTime(DateTime {
        days: 730_118,
        ticks: 863_999_999_999,
    });
    assert_eq!(sent(SqlType::DateTime, &late), [8, 0xAC, 0x8E, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        sent(SqlType::DateTime2(3), &late),
        [7, 0, 0, 0, 0, 0x07, 0x24, 0x0B]
    );
}

#[test]
fn texts_and_bytes() {
    let text = Value::from("ż€");
    assert_eq!(
        sent(SqlType::NVarChar(Length::Of(10)), &text),
        [4, 0, 0x7C, 0x01, 0xAC, 0x20]
    );
    assert_eq!(sent(SqlType::VarChar(Length::Of(10)), &text), [2, 0, b'?', 0x80]);
    assert_eq!(
        sent(SqlType::NChar(2), &Value::from("a")),
        [4, 0, b'a', 0, b' ', 0]
    );
    assert_eq!(sent(SqlType::Binary(3), &Value::Bytes(vec![7])), [3, 0, 7, 0, 0]);
    assert_eq!(sent(SqlType::VarBinary(Length::Of(3)), &Value::Null), [255, 255]);
    let chunked = sent(SqlType::VarBinary(Length::Max), &Value::Bytes(vec![7, 8]));
    assert_eq!(chunked, [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 7, 8, 0, 0, 0, 0]);
    assert_eq!(sent(SqlType::NVarChar(Length::Max), &Value::Null), [255; 8]);
    let guid = uuid::Uuid::from_u128(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF);
    let expected = [
        16, 0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
    ];
    assert_eq!(sent(SqlType::UniqueIdentifier, &Value::Guid(guid)), expected);
}

#[test]
fn variants_carry_their_type() {
    assert_eq!(sent(SqlType::Variant, &Value::Null), [0, 0, 0, 0]);
    assert_eq!(
        sent(SqlType::Variant, &Value::Integer(3)),
        [6, 0, 0, 0, 0x38, 0, 3, 0, 0, 0]
    );
    let text = [
        11, 0, 0, 0, 0xE7, 7, 0x09, 0x04, 0xD0, 0x00, 0x34, 0x40, 0x1F, b'a', 0,
    ];
    assert_eq!(sent(SqlType::Variant, &Value::from("a")), text);
}

#[test]
fn old_versions_get_what_they_know() {
    let text = SqlType::NVarChar(Length::Max);
    let of_2000 = info(Dialect::V71, text);
    assert_eq!(of_2000[..5], [0x63, 0xFE, 0xFF, 0xFF, 0x7F]);
    assert_eq!(info(Dialect::V72, text)[..3], [0xE7, 0xFF, 0xFF]);
    assert_eq!(info(Dialect::V72, SqlType::Date)[..3], [0xE7, 20, 0]);
    assert_eq!(info(Dialect::V73, SqlType::Date), [0x28]);
    let mut out = Vec::new();
    let moment = DateTime {
        days: 730_119,
        ticks: 36_000_000_001,
    };
    let offset = Value::DateTimeOffset(moment, 90);
    speech(Dialect::V72).value(SqlType::DateTimeOffset(7), &offset, &mut out);
    let written = crate::tds::input::utf16(&out[2..]);
    assert_eq!(written, "2000-01-01 02:30:00.0000001 +01:30");
}
