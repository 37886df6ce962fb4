//! Expected values are from the documentation's pages «CAST and CONVERT», «datetime», «int» or worked out by hand where it says so.

use super::{cast, check_implicit, convert, store};
use crate::query::decimal;
use crate::value::{Length, SqlType, Value};

const VARCHAR: SqlType = SqlType::VarChar(Length::Of(100));

fn shown(text: &str, to: SqlType) -> String {
    let value = convert(Value::from(text), VARCHAR, to).unwrap();
    match cast(value, to, VARCHAR, Some(121)).unwrap() {
        Value::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn failure(text: &str, to: SqlType) -> i32 {
    convert(Value::from(text), VARCHAR, to).unwrap_err().messages[0].number
}

#[test]
fn datetime_is_rounded_to_three_hundredths() {
    // The table on the page of `datetime`: .999 rounds up to the next day, .998, .995 to .997, .992 to .993, .990 and .991 to .990.
    let round = |fraction: &str| shown(&format!("1998-01-01 23:59:59.{fraction}"), SqlType::DateTime);
    assert_eq!(round("999"), "1998-01-02 00:00:00.000");
    assert_eq!(round("998"), "1998-01-01 23:59:59.997");
    assert_eq!(round("995"), "1998-01-01 23:59:59.997");
    assert_eq!(round("994"), "1998-01-01 23:59:59.993");
    assert_eq!(round("991"), "1998-01-01 23:59:59.990");
    assert_eq!(
        shown("2026-11-21 17:33:30", SqlType::SmallDateTime),
        "2026-11-21 17:34:00"
    );
    assert_eq!(
        shown("2026-11-21 23:59:59.99999", SqlType::DateTime2(3)),
        "2026-11-22 00:00:00.000"
    );
    assert_eq!(
        shown("2026-11-21 17:33:05 +01:00", SqlType::DateTimeOffset(0)),
        "2026-11-21 17:33:05 +01:00"
    );
}

#[test]
fn numbers_that_do_not_fit() {
    assert_eq!(failure("x", SqlType::Int), 245);
    assert_eq!(failure("300", SqlType::TinyInt), 244);
    assert_eq!(failure("3000000000", SqlType::Int), 248);
    assert_eq!(failure("x", SqlType::BigInt), 8114);
    assert_eq!(failure("x", SqlType::Float), 8114);
    assert_eq!(failure("soon", SqlType::DateTime), 241);
    assert_eq!(failure("1752-12-31", SqlType::DateTime), 242);
    assert_eq!(failure("x", SqlType::UniqueIdentifier), 8169);
    let number = |value, to| convert(value, SqlType::BigInt, to).unwrap_err().messages[0].number;
    assert_eq!(number(Value::Integer(256), SqlType::TinyInt), 220);
    assert_eq!(number(Value::Integer(1 << 31), SqlType::Int), 8115);
    assert_eq!(
        number(
            Value::Integer(1000),
            SqlType::Decimal {
                precision: 5,
                scale: 2
            }
        ),
        8115
    );
    assert_eq!(
        convert(Value::Float(1e10), SqlType::Float, SqlType::Int)
            .unwrap_err()
            .messages[0]
            .number,
        232
    );
    assert_eq!(
        convert(Value::Integer(1), SqlType::Int, SqlType::Date)
            .unwrap_err()
            .messages[0]
            .number,
        529
    );
}

#[test]
fn text_is_cut_or_refused() {
    let three = SqlType::VarChar(Length::Of(3));
    assert_eq!(
        convert(Value::from("abcd"), VARCHAR, three).unwrap(),
        Value::from("abc")
    );
    let refused = store(Value::from("abcd"), VARCHAR, three, "dbo.t", "c").unwrap_err();
    assert_eq!(refused.messages[0].number, 2628);
    assert!(refused.messages[0].text.ends_with("Truncated value: 'abc'."));
    assert_eq!(
        store(Value::from("abc  "), VARCHAR, three, "", "c").unwrap(),
        Value::from("abc")
    );
    assert_eq!(
        store(Value::from("abcd"), VARCHAR, three, "", "c")
            .unwrap_err()
            .messages[0]
            .number,
        8152
    );
    assert_eq!(
        convert(Value::from("a"), VARCHAR, SqlType::Char(3)).unwrap(),
        Value::from("a  ")
    );
    assert_eq!(
        convert(Value::from("aж€"), SqlType::NVarChar(Length::Max), VARCHAR).unwrap(),
        Value::from("a?€")
    );
    // The documentation: int as char too short gives an asterisk, as nchar an error.
    assert_eq!(
        convert(Value::Integer(123), SqlType::Int, SqlType::VarChar(Length::Of(2))).unwrap(),
        Value::from("*")
    );
    assert!(
        convert(
            Value::Integer(123),
            SqlType::Int,
            SqlType::NVarChar(Length::Of(2))
        )
        .is_err()
    );
}

#[test]
fn bytes_have_three_styles() {
    // «Binary styles»: CONVERT(char(8), 0x4E616d65, 0) is Name, style 1 0x4E616D65, style 2 4E616D65; back likewise.
    let bytes = Value::Bytes(vec![0x4E, 0x61, 0x6D, 0x65]);
    let binary = SqlType::VarBinary(Length::Of(8));
    let text = |style| cast(bytes.clone(), binary, VARCHAR, Some(style)).unwrap();
    assert_eq!(text(0), Value::from("Name"));
    assert_eq!(text(1), Value::from("0x4E616D65"));
    assert_eq!(text(2), Value::from("4E616D65"));
    let back = |given: &str, style| cast(Value::from(given), VARCHAR, binary, Some(style)).unwrap();
    assert_eq!(back("Name", 0), bytes);
    assert_eq!(back("0x4E616D65", 1), bytes);
    assert_eq!(back("4E616D65", 2), bytes);
    assert_eq!(
        convert(Value::Integer(258), SqlType::Int, SqlType::Binary(2)).unwrap(),
        Value::Bytes(vec![1, 2])
    );
}

#[test]
fn decimals_round_and_integers_cut() {
    // The documentation's table: numeric to numeric rounds, numeric to int truncates, money to int rounds: 10.6496.
    let number = Value::Decimal(decimal::parse("10.6496").unwrap());
    let wide = SqlType::Decimal {
        precision: 6,
        scale: 4,
    };
    assert_eq!(
        convert(number.clone(), wide, SqlType::Int).unwrap(),
        Value::Integer(10)
    );
    assert_eq!(
        convert(number.clone(), SqlType::Money, SqlType::Int).unwrap(),
        Value::Integer(11)
    );
    assert_eq!(
        convert(
            number,
            wide,
            SqlType::Decimal {
                precision: 6,
                scale: 2
            }
        )
        .unwrap(),
        Value::Decimal(decimal::parse("10.65").unwrap())
    );
}

#[test]
fn what_goes_by_itself() {
    assert!(check_implicit(VARCHAR, SqlType::DateTime).is_ok());
    assert_eq!(
        check_implicit(SqlType::Variant, VARCHAR).unwrap_err().messages[0].number,
        257
    );
    assert_eq!(
        check_implicit(SqlType::Int, SqlType::Date).unwrap_err().messages[0].number,
        206
    );
    assert_eq!(
        check_implicit(SqlType::DateTime, SqlType::Int)
            .unwrap_err()
            .messages[0]
            .number,
        257
    );
}
