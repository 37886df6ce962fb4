"""A table with a column of every common type, and what goes into it and must come out of it. A row of the simulation has at
most 8060 bytes, also where it holds `(max)` types; longer values are judged without a table."""

import datetime
import decimal
import uuid

LONG = "Zażółć gęślą jaźń 😀 " * 3000
GUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
MOMENT = datetime.datetime(2026, 11, 21, 17, 50, 2, 123000)

# Name, type, value.
COLUMNS = [
    ("a_bit", "bit", True),
    ("a_tinyint", "tinyint", 255),
    ("a_smallint", "smallint", -32768),
    ("an_int", "int", 2147483647),
    ("a_bigint", "bigint", -(2**63)),
    ("a_real", "real", 0.5),
    ("a_float", "float", -1.5e300),
    ("a_decimal", "decimal(25, 0)", decimal.Decimal("4000000001280000100001")),
    ("a_numeric", "numeric(9, 4)", decimal.Decimal("-1.2345")),
    ("a_money", "money", decimal.Decimal("-1.0001")),
    ("a_date", "date", MOMENT.date()),
    ("a_datetime", "datetime", MOMENT),
    ("a_datetime2", "datetime2(3)", MOMENT),
    ("a_varchar", "varchar(30)", "naïve €"),
    ("a_char", "char(4)", "abcd"),
    ("an_nvarchar", "nvarchar(60)", "Gęś 😀"),
    ("an_nchar", "nchar(4)", "żółw"),
    ("a_varbinary", "varbinary(10)", bytes([0, 255, 39])),
    ("a_max", "nvarchar(max)", LONG[:1000]),
    ("a_blob", "varbinary(max)", bytes(range(256)) * 4),
    ("a_guid", "uniqueidentifier", GUID),
]


def create(name):
    """CREATE TABLE."""
    columns = ", ".join(f"{column} {sql_type} NULL" for column, sql_type, _ in COLUMNS)
    return f"CREATE TABLE {name} (id int NOT NULL, {columns})"


def insert(name, mark):
    """INSERT with a parameter mark for each column."""
    marks = ", ".join([mark] * (len(COLUMNS) + 1))
    return f"INSERT INTO {name} VALUES ({marks})"


def values():
    return tuple(value for _, _, value in COLUMNS)


def nulls():
    return (None,) * len(COLUMNS)


def compare(row, expected):
    """Column by column, so that a failure names the type."""
    for (name, sql_type, _), got, wanted in zip(COLUMNS, row, expected, strict=True):
        assert got == wanted, f"{name} {sql_type}: {got!r} instead of {wanted!r}"[:400]
