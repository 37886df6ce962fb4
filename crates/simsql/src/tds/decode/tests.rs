//! What is sent is read back the same, and what lies is refused.

use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::{prop_assert_eq, proptest};
use uuid::Uuid;

use super::type_info;
use crate::tds::dialect::Dialect;
use crate::tds::encode::Speech;
use crate::tds::input::{Input, Misread};
use crate::value::{DateTime, Decimal, Length, SqlType, Value};

fn read(bytes: &[u8]) -> Result<(SqlType, Value), Misread> {
    let mut input = Input::new(bytes);
    let sent = type_info(&mut input, 1, "@p")?;
    let value = sent.value(&mut input)?;
    assert!(input.is_empty(), "everything is read");
    Ok((sent.sql_type, value))
}

fn there_and_back(sql_type: SqlType, value: &Value) -> (SqlType, Value) {
    let speech = Speech {
        dialect: Dialect::V74,
        collation: [0x09, 0x04, 0xD0, 0x00, 0x34],
    };
    let mut bytes = Vec::new();
    speech.type_info(sql_type, &mut bytes);
    speech.value(sql_type, value, &mut bytes);
    read(&bytes).unwrap()
}

fn moment() -> impl Strategy<Value = DateTime> {
    (0..3_652_059_i32, 0..864_000_000_000_u64).prop_map(|(days, ticks)| DateTime { days, ticks })
}

fn typed() -> impl Strategy<Value = (SqlType, Value)> {
    let decimal = (1..=38_u8, any::<u64>(), any::<bool>()).prop_map(|(precision, digits, negative)| {
        let scale = precision / 2;
        let magnitude = i128::from(digits) % 10_i128.pow(u32::from(precision));
        let unscaled = if negative { -magnitude } else { magnitude };
        (
            SqlType::Decimal { precision, scale },
            Value::Decimal(Decimal { unscaled, scale }),
        )
    });
    prop_oneof![
        any::<bool>().prop_map(|bit| (SqlType::Bit, Value::Bit(bit))),
        any::<u8>().prop_map(|n| (SqlType::TinyInt, Value::Integer(i64::from(n)))),
        any::<i16>().prop_map(|n| (SqlType::SmallInt, Value::Integer(i64::from(n)))),
        any::<i32>().prop_map(|n| (SqlType::Int, Value::Integer(i64::from(n)))),
        any::<i64>().prop_map(|n| (SqlType::BigInt, Value::Integer(n))),
        any::<i32>().prop_map(|n| (SqlType::Float, Value::Float(f64::from(n) / 7.0))),
        decimal,
        any::<i64>().prop_map(|n| {
            let unscaled = i128::from(n);
            (SqlType::Money, Value::Decimal(Decimal { unscaled, scale: 4 }))
        }),
        moment().prop_map(|m| (SqlType::Date, Value::Date(m.days))),
        moment().prop_map(|m| (SqlType::Time(7), Value::Time(m.ticks))),
        moment().prop_map(|m| (SqlType::DateTime2(7), Value::DateTime(m))),
        (moment(), -840..=840_i16)
            .prop_map(|(m, o)| (SqlType::DateTimeOffset(7), Value::DateTimeOffset(m, o))),
        any::<String>().prop_map(|s| (SqlType::NVarChar(Length::Max), Value::Text(s))),
        "[ -~é€]{0,40}".prop_map(|s| (SqlType::VarChar(Length::Of(40)), Value::Text(s))),
        any::<Vec<u8>>().prop_map(|b| (SqlType::VarBinary(Length::Max), Value::Bytes(b))),
        any::<u128>().prop_map(|n| (SqlType::UniqueIdentifier, Value::Guid(Uuid::from_u128(n)))),
    ]
}

proptest! {
    #[test]
    fn values_there_and_back((sql_type, value) in typed()) {
        prop_assert_eq!(there_and_back(sql_type, &value), (sql_type, value));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut input = Input::new(&bytes);
        if let Ok(sent) = type_info(&mut input, 1, "@p") {
            sent.value(&mut input).ok();
        }
    }
}

#[test]
fn nulls_of_every_type() {
    let types = [
        SqlType::Bit,
        SqlType::Int,
        SqlType::Float,
        SqlType::Money,
        SqlType::Date,
        SqlType::DateTime,
        SqlType::VarChar(Length::Of(10)),
        SqlType::NVarChar(Length::Max),
        SqlType::UniqueIdentifier,
        SqlType::Variant,
    ];
    for sql_type in types {
        assert_eq!(there_and_back(sql_type, &Value::Null), (sql_type, Value::Null));
    }
}

#[test]
fn a_datetime_there_and_back_keeps_its_300ths() {
    for parts in [0_u64, 1, 2, 25_919_999] {
        let ticks = (parts * 100_000 + 1) / 3;
        let value = Value::DateTime(DateTime { days: 730_119, ticks });
        assert_eq!(
            there_and_back(SqlType::DateTime, &value).1,
            value,
            "{parts}/300 s"
        );
    }
}

#[test]
fn forms_of_old_clients() {
    assert_eq!(read(&[0x38, 5, 0, 0, 0]), Ok((SqlType::Int, Value::Integer(5))));
    let old_text = read(&[0x27, 30, 2, b'h', b'i']);
    assert_eq!(
        old_text,
        Ok((SqlType::VarChar(Length::Of(30)), Value::from("hi")))
    );
    let mut text = vec![0x63, 0xFE, 0xFF, 0xFF, 0x7F, 9, 4, 0xD0, 0, 52];
    text.extend([2, 0, 0, 0, b'a', 0]);
    assert_eq!(
        read(&text),
        Ok((SqlType::NVarChar(Length::Max), Value::from("a")))
    );
}

#[test]
fn lies_are_refused() {
    // A chunk of 4 GB that is not there; a decimal of 39 digits; 25 hours; a table.
    let chunk = [
        0xA5, 0xFF, 0xFF, 0xFE, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    ];
    assert_eq!(read(&chunk), Err(Misread::Broken));
    let mut digits = vec![0x6C, 17, 38, 0, 17, 1];
    digits.extend([255; 16]);
    assert_eq!(read(&digits), Err(Misread::Broken));
    assert_eq!(read(&[0x29, 0, 3, 0x90, 0x5F, 0x01]), Err(Misread::Broken));
    assert_eq!(
        read(&[0xF3]),
        Err(Misread::refused(40510, &[&"table-valued parameters"]))
    );
    assert!(matches!(read(&[0x99]), Err(Misread::Refused(message)) if message.number == 8009));
}
