//! Expressions: values and types. Where no other source is named, the documentation's page of the function is it, or arithmetic
//! by hand.

use super::World;
use crate::value::{Length, SqlType};

#[track_caller]
fn check(expression: &str, expected: &str) {
    assert_eq!(
        World::new().rows(&format!("SELECT {expression}")),
        [expected],
        "{expression}"
    );
}

#[track_caller]
fn check_type(expression: &str, expected: SqlType) {
    assert_eq!(
        World::new().types(&format!("SELECT {expression}")),
        [expected],
        "{expression}"
    );
}

fn decimal(precision: u8, scale: u8) -> SqlType {
    SqlType::Decimal { precision, scale }
}

#[test]
fn arithmetic() {
    check("7 / 2", "3");
    check("-7 / 2", "-3");
    check("-7 % 3", "-1");
    check("7 / 2.0", "3.500000");
    check("1.5 * 2.25", "3.375");
    check("10 - 3 - 2", "5");
    check("2 + 3 * 4", "14");
    check("1e0 / 4", "0.25");
    check("NULL + 1", "-");
    check("5 & 3", "1");
    check("5 | 3", "7");
    check("5 ^ 3", "6");
    check("~5", "-6");
    check("'3' + 4", "7");
    check("2147483648 + 1", "2147483649");
    check("-2147483648", "-2147483648");
    check("CAST(1 AS bigint) * 3000000000", "3000000000");
}

#[test]
fn types_of_expressions() {
    check_type("1", SqlType::Int);
    check_type("2147483648", decimal(10, 0));
    check_type("1.50", decimal(3, 2));
    check_type("0.5", decimal(1, 1));
    check_type("1e3", SqlType::Float);
    check_type("$1.5", SqlType::Money);
    check_type("'abc'", SqlType::VarChar(Length::Of(3)));
    check_type("N'abc'", SqlType::NVarChar(Length::Of(3)));
    check_type("0xAB01", SqlType::VarBinary(Length::Of(2)));
    check_type("NULL", SqlType::Int);
    check_type("'ab' + N'c'", SqlType::NVarChar(Length::Of(3)));
    check_type("1 + 1.5", decimal(3, 1));
    check_type("1 / 3.0", decimal(8, 6));
    check_type("CAST(1 AS bigint) + 1", SqlType::BigInt);
    check_type("CASE WHEN 1 = 1 THEN 1 ELSE 2.5 END", decimal(11, 1));
    check_type(
        "ISNULL(CAST(NULL AS varchar(5)), 'abcdefghi')",
        SqlType::VarChar(Length::Of(5)),
    );
    check_type("COALESCE(NULL, 'ab', N'abc')", SqlType::NVarChar(Length::Of(3)));
    check_type("COUNT(*)", SqlType::Int);
    check_type("COUNT_BIG(*)", SqlType::BigInt);
    check_type("SUM(CAST(1 AS decimal(5,2)))", decimal(38, 2));
    check_type("AVG(CAST(1 AS decimal(5,2)))", decimal(38, 6));
    check_type("CAST('a' AS varchar)", SqlType::VarChar(Length::Of(30)));
    check_type("CONVERT(sysname, 'a')", SqlType::NVarChar(Length::Of(128)));
    check_type("LEN('a')", SqlType::Int);
    check_type("DATEADD(day, 1, CAST('20260101' AS date))", SqlType::Date);
    check_type("GETDATE() - 1", SqlType::DateTime);
    check_type("SERVERPROPERTY('x')", SqlType::Variant);
    check_type("DB_NAME(a) FROM t", SqlType::NVarChar(Length::Of(128)));
    check_type("ROW_NUMBER() OVER (ORDER BY a) FROM t", SqlType::BigInt);
}

#[test]
fn choices() {
    check("CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", "two");
    check("CASE WHEN NULL = NULL THEN 1 ELSE 0 END", "0");
    check("IIF(1 < 2, 'yes', 'no')", "yes");
    check("NULLIF(4, 4)", "-");
    check("NULLIF(4, 5)", "4");
    check(
        "CHOOSE(3, 'Manager', 'Director', 'Developer', 'Tester')",
        "Developer",
    );
    check("CHOOSE(9, 'a', 'b')", "-");
    check("COALESCE(NULL, NULL, 3)", "3");
    // The first branch that holds is the only one computed.
    check("CASE WHEN 1 = 1 THEN 1 ELSE 1 / 0 END", "1");
}

#[test]
fn text_functions() {
    check("LEN('abc  ')", "3");
    check("DATALENGTH('abc  ')", "5");
    check("DATALENGTH(N'abc')", "6");
    check("DATALENGTH(CAST(1 AS bigint))", "8");
    check("SUBSTRING('abcdef', 2, 3)", "bcd");
    check("SUBSTRING('abcdef', 0, 3)", "ab");
    check("SUBSTRING(0x010203, 2, 1)", "0x02");
    check("LEFT('abcdefg', 2)", "ab");
    check("RIGHT('abcdefg', 2)", "fg");
    check(
        "CHARINDEX('bike', 'Reflectors are vital safety components of your Bike.')",
        "48",
    );
    check("CHARINDEX('a', 'banana', 3)", "4");
    check("PATINDEX('%ter%', 'interesting data')", "3");
    check("REPLACE('abcdefghicde', 'CDE', 'xxx')", "abxxxfghixxx");
    check("STUFF('abcdef', 2, 3, 'ijklmn')", "aijklmnef");
    check("REPLICATE('0', 4)", "0000");
    check("'[' + SPACE(2) + ']'", "[  ]");
    check("REVERSE('Ken')", "neK");
    check("UPPER('aé') + LOWER('B')", "AÉb");
    check("TRIM('  x ') + LTRIM(' a') + RTRIM('b ')", "xab");
    check("TRIM('.,! ' FROM '# test .')", "# test");
    check(
        "CONCAT('Happy ', 'Birthday ', 11, '/', NULL, '25')",
        "Happy Birthday 11/25",
    );
    check(
        "CONCAT_WS(',', '1 Microsoft Way', NULL, NULL, 'Redmond', 'WA', 98052)",
        "1 Microsoft Way,Redmond,WA,98052",
    );
    check("QUOTENAME('abc[]def')", "[abc[]]def]");
    check("QUOTENAME('it''s', '''')", "'it''s'");
    check("PARSENAME('a.[b.c].d', 2)", "b.c");
    check("PARSENAME('server.db.schema.object', 4)", "server");
    check("ASCII('A') + UNICODE(N'Å')", "262");
    check("CHAR(65) + NCHAR(248)", "Aø");
    check("STR(123.45, 6, 1)", " 123.5");
    check("STR(123.45, 2, 2)", "**");
    check("STR(FLOOR(123.45), 8, 3)", " 123.000");
    check("'ab' + NULL", "-");
}

#[test]
fn number_functions() {
    check("ABS(-1.0)", "1.0");
    check("CEILING(123.45)", "124");
    check("CEILING(-123.45)", "-123");
    check("FLOOR(-123.45)", "-124");
    check("ROUND(123.9994, 3)", "123.9990");
    check("ROUND(123.4545, 2)", "123.4500");
    check("ROUND(748.58, -1)", "750.00");
    check("ROUND(150.75, 0, 1)", "150.00");
    check("POWER(2, 10)", "1024");
    check("SQRT(16)", "4");
    check("SIGN(-5)", "-1");
    check("ISNUMERIC('12.5')", "1");
    check("ISNUMERIC('x')", "0");
}

#[test]
fn date_functions() {
    check("DATEADD(month, 1, '20060830')", "2006-09-30 00:00:00.000");
    check("DATEADD(month, 1, '2006-01-31')", "2006-02-28 00:00:00.000");
    check(
        "DATEADD(hour, -1, CAST('2026-01-01 00:30' AS datetime2(0)))",
        "2025-12-31 23:30:00",
    );
    // The table of the page: all of these are one border apart.
    for part in [
        "year",
        "quarter",
        "month",
        "dayofyear",
        "day",
        "week",
        "hour",
        "minute",
        "second",
        "millisecond",
    ] {
        check(
            &format!("DATEDIFF({part}, '2005-12-31 23:59:59.9999999', '2006-01-01 00:00:00.0000000')"),
            "1",
        );
    }
    check("DATEDIFF(day, '2026-11-21 23:59', '2026-11-22 00:01')", "1");
    check("DATEDIFF_BIG(second, '19000101', '20260101')", "3976214400");
    check("DATEPART(year, '12:10:30.123')", "1900");
    check("DATEPART(weekday, '2026-11-21')", "7");
    check("DATEPART(week, '2026-01-04')", "2");
    // ISO 8601: 2026-01-01 is a Thursday of week 1; 2021-01-03 belongs to week 53 of 2020.
    check("DATEPART(iso_week, '2026-01-01')", "1");
    check("DATEPART(iso_week, '2021-01-03')", "53");
    check(
        "DATENAME(month, '2026-11-21') + ' ' + DATENAME(dw, '2026-11-21')",
        "November Saturday",
    );
    check(
        "YEAR('2026-11-21') * 10000 + MONTH('2026-11-21') * 100 + DAY('2026-11-21')",
        "20261121",
    );
    check("EOMONTH('2026-02-11')", "2026-02-28");
    check("EOMONTH('2011-12-01', 2)", "2012-02-29");
    check("DATEFROMPARTS(2010, 12, 31)", "2010-12-31");
    check("ISDATE('2026-02-29')", "0");
    check("ISDATE('20261121')", "1");
    check("CONVERT(varchar(30), GETDATE(), 126)", "2026-11-21T17:33:05.123");
    check(
        "CONVERT(char(8), GETDATE(), 112) + REPLACE(CONVERT(char(8), GETDATE(), 108), ':', '')",
        "20261121173305",
    );
    check(
        "SWITCHOFFSET(CAST('1998-09-20 7:45:50.7 -05:00' AS datetimeoffset(1)), '-08:00')",
        "1998-09-20 04:45:50.7 -08:00",
    );
    check(
        "TODATETIMEOFFSET(CAST('2026-11-21 12:00' AS datetime2(0)), '+01:00')",
        "2026-11-21 12:00:00 +01:00",
    );
    check("GETDATE() - 0.5", "2026-11-21 05:33:05.123");
    check("{ts '2026-11-21 17:33:05'}", "2026-11-21 17:33:05.000");
    check("CURRENT_TIMESTAMP", "2026-11-21 17:33:05.123");
}

#[test]
fn conversions() {
    check("CAST(10.6496 AS int)", "10");
    check("CONVERT(varchar(20), 0x4E616D65, 2)", "4E616D65");
    check("CAST(1 AS bit)", "1");
    check("CAST('true' AS bit)", "1");
    check("TRY_CAST('x' AS int)", "-");
    check("TRY_CONVERT(datetime, '2026-02-30')", "-");
    check(
        "CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier)",
        "6F9619FF-8B86-D011-B42D-00C04FC964FF",
    );
    check(
        "CAST(CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS varbinary(16))",
        "0xFF19966F868B11D0B42D00C04FC964FF",
    );
    check("CAST(12.345 AS decimal(5, 2))", "12.35");
    check("CAST('abcdef' AS varchar(3))", "abc");
    check("CAST(258 AS varbinary(4))", "0x00000102");
}

#[test]
fn comparisons() {
    check("IIF('abc' = 'ABC  ', 1, 0)", "1");
    check("IIF('abc' = 'ABC' COLLATE Latin1_General_CS_AS, 1, 0)", "0");
    check("IIF('10' = 10, 1, 0)", "1");
    check("IIF(1 = 1.0, 1, 0)", "1");
    check("IIF(GETDATE() > '20260101', 1, 0)", "1");
    check(
        "IIF(CAST('2026-11-21' AS date) = CAST('2026-11-21' AS datetime), 1, 0)",
        "1",
    );
    check("IIF(0x0100 = 0x01, 1, 0)", "1");
    check("IIF('a' < 'B' AND 'Z' > 'y', 1, 0)", "1");
}
