//! Rows against bytes worked out by hand, and back.

use super::*;
use crate::value::{DateTime, Decimal, Length, SqlType as T};

fn decimal(unscaled: i128, scale: u8) -> Value {
    Value::Decimal(Decimal { unscaled, scale })
}

fn moment(days: i32, ticks: u64) -> Value {
    Value::DateTime(DateTime { days, ticks })
}

fn columns(types: &[SqlType]) -> Vec<Column> {
    types.iter().map(|sql_type| Column::new("c", *sql_type)).collect()
}

fn round_trip(types: &[SqlType], values: &[Value]) -> Vec<u8> {
    let format = RowFormat::new(&columns(types));
    let row = format.encode(values).unwrap();
    assert_eq!(format.decode(&row).as_deref(), Some(values));
    for (index, value) in values.iter().enumerate() {
        assert_eq!(format.decode_column(&row, index).as_ref(), Some(value));
    }
    // A page goes on behind the row.
    let on_page = [&row[..], &[0xAA; 40]].concat();
    assert_eq!(length(&on_page), Some(row.len()));
    row
}

#[test]
fn a_row_of_an_order_in_bytes() {
    // int 10248 = 0x2808. 4 July 1996 is day 35_248 = 0x89B0 since 1900: 96 years of 365 days, 23 leap days before 1996, and 185
    // days of a leap year before it. money 32.38 is 323_800 = 0x4F0D8. The fixed part ends at 4 + 4 + 10 + 8 + 8 = 34; six
    // columns, of which the fifth is NULL (0x10).
    let date = DateTime::midnight(1996, 7, 4);
    let row = round_trip(
        &[
            T::Int,
            T::NChar(5),
            T::DateTime,
            T::Money,
            T::NVarChar(Length::Of(15)),
            T::NVarChar(Length::Max),
        ],
        &[
            Value::Integer(10_248),
            "VINET".into(),
            Value::DateTime(date),
            decimal(323_800, 4),
            Value::Null,
            "Reims".into(),
        ],
    );
    let mut expected = vec![0x30, 0, 34, 0];
    expected.extend([0x08, 0x28, 0, 0]);
    expected.extend(b"V\0I\0N\0E\0T\0");
    expected.extend([0, 0, 0, 0, 0xB0, 0x89, 0, 0]);
    expected.extend([0xD8, 0xF0, 0x04, 0, 0, 0, 0, 0]);
    expected.extend([6, 0, 0x10]);
    // Two variable columns, the first of them empty: 34 + 2 + 1 + 2 + 4 = 43 = 0x2B, and 43 + 10 = 53 = 0x35.
    expected.extend([2, 0, 0x2B, 0, 0x35, 0]);
    expected.extend(b"R\0e\0i\0m\0s\0");
    assert_eq!(row, expected);
}

#[test]
fn bits_share_a_byte_and_empty_variable_columns_at_the_end_are_not_stored() {
    // Nine bits: eight in byte 4, the ninth in byte 6, behind the tinyint; the fixed part ends at 7. Eleven columns, two bytes of
    // bitmap.
    let mut types = vec![T::Bit, T::TinyInt];
    types.extend([T::Bit; 8]);
    types.push(T::VarChar(Length::Of(10)));
    let mut values = vec![Value::Bit(true), Value::Integer(200)];
    values.extend([false, true, false, true, false, true, false, true].map(Value::Bit));
    values.push(Value::Null);
    // Bits 0, 2, 4, 6 of the first eight: 0x55; the ninth is set.
    let row = round_trip(&types, &values);
    assert_eq!(row, [0x10, 0, 7, 0, 0x55, 200, 0x01, 11, 0, 0x00, 0x04]);
    // An empty text is not stored either, but it is not NULL.
    values[10] = "".into();
    let row = round_trip(&types, &values);
    assert_eq!(row, [0x10, 0, 7, 0, 0x55, 200, 0x01, 11, 0, 0x00, 0x00]);
}

#[test]
fn dates_times_and_numbers_in_bytes() {
    // 2026-11-21 is day 739_940 = 0xB4A64 (since 0001-01-01: 719_162 days to 1970, and 20_778 more).
    let day = 739_940;
    let row = round_trip(
        &[
            T::Date,
            T::Time(0),
            T::Time(7),
            T::DateTime2(3),
            T::DateTimeOffset(7),
            T::SmallDateTime,
        ],
        &[
            Value::Date(day),
            // 12:34:56 = 45_296 s = 0xB0F0.
            Value::Time(452_960_000_000),
            // One unit of 100 ns before midnight: 863_999_999_999 = 0xC9_2A69_BFFF.
            Value::Time(863_999_999_999),
            // 1.5 s = 1500 ms = 0x5DC.
            moment(day, 15_000_000),
            Value::DateTimeOffset(DateTime { days: day, ticks: 1 }, -90),
            // 00:02; day 46_345 = 0xB509 since 1900 (739_940 - 693_595).
            moment(day, 1_200_000_000),
        ],
    );
    let mut expected: Vec<u8> = vec![0x10, 0, 36, 0];
    expected.extend([0x64, 0x4A, 0x0B]);
    expected.extend([0xF0, 0xB0, 0x00]);
    expected.extend([0xFF, 0xBF, 0x69, 0x2A, 0xC9]);
    expected.extend([0xDC, 0x05, 0, 0, 0x64, 0x4A, 0x0B]);
    // -90 = 0xFFA6.
    expected.extend([1, 0, 0, 0, 0, 0x64, 0x4A, 0x0B, 0xA6, 0xFF]);
    expected.extend([2, 0, 0x09, 0xB5]);
    expected.extend([6, 0, 0]);
    assert_eq!(row, expected);
}

#[test]
fn every_type_comes_back_and_its_null_too() {
    let guid = uuid::Uuid::from_u128(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF);
    let cases: Vec<(SqlType, Value)> = vec![
        (T::Bit, Value::Bit(true)),
        (T::TinyInt, Value::Integer(255)),
        (T::SmallInt, Value::Integer(-32_768)),
        (T::Int, Value::Integer(i64::from(i32::MIN))),
        (T::BigInt, Value::Integer(i64::MIN)),
        (T::Real, Value::Float(-1.5)),
        (T::Float, Value::Float(1e300)),
        (
            T::Decimal {
                precision: 9,
                scale: 2,
            },
            decimal(-999_999_999, 2),
        ),
        (
            T::Decimal {
                precision: 19,
                scale: 0,
            },
            decimal(9_999_999_999_999_999_999, 0),
        ),
        (
            T::Decimal {
                precision: 28,
                scale: 4,
            },
            decimal(-12_345, 4),
        ),
        (
            T::Decimal {
                precision: 38,
                scale: 10,
            },
            decimal(10_i128.pow(38) - 1, 10),
        ),
        (T::Money, decimal(-9_223_372_036_854_775_808, 4)),
        (T::Date, Value::Date(3_652_058)),
        (T::Time(4), Value::Time(1_000)),
        (T::DateTime, moment(0, 30_000)),
        (T::DateTime, moment(693_595, 863_999_970_000)),
        (T::DateTime2(7), moment(1, 7)),
        (T::Char(4), "ab  ".into()),
        (T::VarChar(Length::Of(8)), "Z\u{fc}rich\u{20ac}".into()),
        (T::NChar(3), "\u{1d11e} ".into()),
        (T::NVarChar(Length::Max), "Ünïcode \u{1d11e}".into()),
        (T::Binary(3), Value::Bytes(vec![0, 255, 1])),
        (T::VarBinary(Length::Max), Value::Bytes(vec![0; 5000])),
        (T::UniqueIdentifier, Value::Guid(guid)),
    ];
    let types: Vec<SqlType> = cases.iter().map(|(sql_type, _)| *sql_type).collect();
    let values: Vec<Value> = cases.iter().map(|(_, value)| value.clone()).collect();
    round_trip(&types, &values);
    for (sql_type, value) in &cases {
        round_trip(&[*sql_type], std::slice::from_ref(value));
        round_trip(&[*sql_type], &[Value::Null]);
    }
    // A uniqueidentifier is stored with its first three parts turned around.
    let row = round_trip(&[T::UniqueIdentifier], &[Value::Guid(guid)]);
    assert_eq!(row[4..12], [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66]);
}

#[test]
fn what_a_column_lacks_is_filled_up_or_replaced() {
    let format = RowFormat::new(&columns(&[
        T::Char(4),
        T::VarChar(Length::Of(3)),
        T::Decimal {
            precision: 5,
            scale: 1,
        },
        T::DateTime,
    ]));
    let almost_midnight = DateTime {
        days: 693_595,
        ticks: 863_999_990_000,
    };
    let row = format
        .encode(&[
            "a".into(),
            "\u{4e2d}x".into(),
            decimal(125, 2),
            Value::DateTime(almost_midnight),
        ])
        .unwrap();
    let decoded = format.decode(&row).unwrap();
    assert_eq!(decoded[..2], ["a   ".into(), "?x".into()]);
    // 1.25 to one digit is 1.3; 23:59:59.999 is nearer to midnight than to .997.
    let number = Decimal {
        unscaled: 13,
        scale: 1,
    };
    assert_eq!(decoded[2], Value::Decimal(number));
    let midnight = DateTime {
        days: 693_596,
        ticks: 0,
    };
    assert_eq!(decoded[3], Value::DateTime(midnight));
}

#[test]
fn the_longest_row_fits_and_the_next_does_not() {
    let format = RowFormat::new(&columns(&[SqlType::VarBinary(Length::Max)]));
    // 4 + 2 + 1 + 2 + 2 = 11 bytes beside the value.
    let longest = vec![Value::Bytes(vec![7; LONGEST_ROW - 11])];
    assert_eq!(format.encode(&longest).unwrap().len(), LONGEST_ROW);
    let longer = vec![Value::Bytes(vec![7; LONGEST_ROW - 10])];
    assert_eq!(
        format.encode(&longer),
        Err(EngineError::RowTooLong(LONGEST_ROW + 1))
    );
    let far_longer = vec![Value::Bytes(vec![7; 100_000])];
    assert_eq!(format.encode(&far_longer), Err(EngineError::RowTooLong(100_011)));
}

#[test]
fn no_bytes_bring_the_reader_down() {
    let format = RowFormat::new(&columns(&[SqlType::Int, SqlType::VarChar(Length::Of(20))]));
    let row = format.encode(&[Value::Integer(1), "some text".into()]).unwrap();
    for cut in 0..row.len() {
        let _ = (format.decode(&row[..cut]), length(&row[..cut]));
    }
    for bit in 0..row.len() * 8 {
        let mut flipped = row.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let _ = (format.decode(&flipped), length(&flipped));
    }
}
