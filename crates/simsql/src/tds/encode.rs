//! Types and values as a server sends them: TYPE_INFO of columns and return values, and the bytes of rows.
//! [MS-TDS] 2.2.5.4 to 2.2.5.6.
//!
//! Only the types that know NULL are used (INTN for `int`, and so on), also for columns that never hold one. Before TDS 7.2
//! there are no `(max)` types: they become `ntext`, `text` and `image`; before 7.3 there is no `datetime2` and its kin: they
//! become text, as real servers send them.

use crate::tds::dialect::{Collation, Dialect, narrow, wide};
use crate::value::{DateTime, Decimal, LONGEST, Length, SqlType, Value};

/// Days from 0001-01-01 to 1900-01-01, where `datetime` begins.
pub(super) const DAYS_1900: i32 = 693_595;
/// Units of 100 ns in a day.
pub(super) const TICKS_A_DAY: u64 = 864_000_000_000;
/// What stands for NULL before a value of up to 65534 bytes.
const NULL_SHORT: u16 = 0xFFFF;
/// What stands for NULL before a value in chunks.
const NULL_CHUNKED: u64 = u64::MAX;
/// The longest chunk of a value in chunks.
const CHUNK: usize = 1 << 20;
/// The length that `sql_variant` announces.
const VARIANT_LONGEST: u32 = 8009;

/// How values are said to one client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speech {
    pub(super) dialect: Dialect,
    pub(super) collation: Collation,
}

impl Speech {
    /// The type that a column is sent as: the one it has, where the client's version knows it.
    pub(super) fn sent_as(&self, sql_type: SqlType) -> SqlType {
        if self.dialect >= Dialect::V73 {
            return sql_type;
        }
        match sql_type {
            SqlType::Date => SqlType::NVarChar(Length::Of(10)),
            SqlType::Time(_) => SqlType::NVarChar(Length::Of(16)),
            SqlType::DateTime2(_) => SqlType::NVarChar(Length::Of(27)),
            SqlType::DateTimeOffset(_) => SqlType::NVarChar(Length::Of(34)),
            other => other,
        }
    }

    /// TYPE_INFO.
    pub(super) fn type_info(&self, sql_type: SqlType, out: &mut Vec<u8>) {
        match self.sent_as(sql_type) {
            SqlType::Bit => out.extend([0x68, 1]),
            SqlType::TinyInt => out.extend([0x26, 1]),
            SqlType::SmallInt => out.extend([0x26, 2]),
            SqlType::Int => out.extend([0x26, 4]),
            SqlType::BigInt => out.extend([0x26, 8]),
            SqlType::Real => out.extend([0x6D, 4]),
            SqlType::Float => out.extend([0x6D, 8]),
            SqlType::Decimal { precision, scale } => {
                out.extend([0x6C, decimal_length(precision), precision, scale]);
            }
            SqlType::Money => out.extend([0x6E, 8]),
            SqlType::Date => out.push(0x28),
            SqlType::Time(scale) => out.extend([0x29, scale]),
            SqlType::DateTime => out.extend([0x6F, 8]),
            SqlType::SmallDateTime => out.extend([0x6F, 4]),
            SqlType::DateTime2(scale) => out.extend([0x2A, scale]),
            SqlType::DateTimeOffset(scale) => out.extend([0x2B, scale]),
            SqlType::Char(length) => self.text_type(0xAF, length.clamp(1, LONGEST), out),
            SqlType::VarChar(Length::Of(length)) => self.text_type(0xA7, length.clamp(1, LONGEST), out),
            SqlType::NChar(length) => self.text_type(0xEF, length.clamp(1, LONGEST / 2) * 2, out),
            SqlType::NVarChar(Length::Of(length)) => {
                self.text_type(0xE7, length.clamp(1, LONGEST / 2) * 2, out);
            }
            SqlType::Binary(length) => short_type(0xAD, length.clamp(1, LONGEST), out),
            SqlType::VarBinary(Length::Of(length)) => short_type(0xA5, length.clamp(1, LONGEST), out),
            SqlType::UniqueIdentifier => out.extend([0x24, 16]),
            SqlType::Variant => {
                out.push(0x62);
                out.extend(VARIANT_LONGEST.to_le_bytes());
            }
            long => self.long_type(long, out),
        }
    }

    fn text_type(&self, token: u8, length: u16, out: &mut Vec<u8>) {
        short_type(token, length, out);
        out.extend(self.collation);
    }

    /// The `(max)` types, or what stood in their place before TDS 7.2.
    fn long_type(&self, sql_type: SqlType, out: &mut Vec<u8>) {
        let (token, before, longest) = match sql_type {
            SqlType::VarBinary(_) => (0xA5, 0x22, i32::MAX),
            SqlType::VarChar(_) => (0xA7, 0x23, i32::MAX),
            _ => (0xE7, 0x63, i32::MAX - 1),
        };
        if self.is_chunked() {
            short_type(token, u16::MAX, out);
        } else {
            out.push(before);
            out.extend(longest.to_le_bytes());
        }
        if !matches!(sql_type, SqlType::VarBinary(_)) {
            out.extend(self.collation);
        }
    }

    fn is_chunked(&self) -> bool {
        self.dialect >= Dialect::V72
    }

    /// Whether COLMETADATA names a table after the type: `text`, `ntext` and `image` alone.
    pub(super) fn names_table(&self, sql_type: SqlType) -> bool {
        is_max(sql_type) && !self.is_chunked()
    }

    /// A value of a row or of an output parameter.
    pub(super) fn value(&self, sql_type: SqlType, value: &Value, out: &mut Vec<u8>) {
        if self.sent_as(sql_type) != sql_type {
            let text = match value {
                Value::Null => Value::Null,
                moment => Value::Text(written(moment, sql_type)),
            };
            return self.value(self.sent_as(sql_type), &text, out);
        }
        match (sql_type, value) {
            (SqlType::Variant, value) => self.variant(value, out),
            (long, value) if is_max(long) => self.long(&bytes_of(long, value), out),
            (
                SqlType::Char(_)
                | SqlType::VarChar(_)
                | SqlType::NChar(_)
                | SqlType::NVarChar(_)
                | SqlType::Binary(_)
                | SqlType::VarBinary(_),
                value,
            ) => short(bytes_of(sql_type, value).as_deref(), out),
            (_, Value::Null) => out.push(0),
            (sql_type, value) => {
                let at = out.len();
                out.push(0);
                plain(sql_type, value, out);
                out[at] = u8::try_from(out.len() - at - 1).expect("no plain value has more than 17 bytes");
            }
        }
    }

    fn long(&self, bytes: &Option<Vec<u8>>, out: &mut Vec<u8>) {
        match (bytes, self.is_chunked()) {
            (None, true) => out.extend(NULL_CHUNKED.to_le_bytes()),
            (None, false) => out.push(0),
            (Some(bytes), true) => {
                out.extend((bytes.len() as u64).to_le_bytes());
                for chunk in bytes.chunks(CHUNK) {
                    out.extend((chunk.len() as u32).to_le_bytes());
                    out.extend_from_slice(chunk);
                }
                out.extend(0_u32.to_le_bytes());
            }
            (Some(bytes), false) => {
                // A text pointer and a timestamp that mean nothing: nobody can ask by them here.
                out.push(16);
                out.extend([0; 24]);
                out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }

    /// `sql_variant`: length of all, base type, its properties, the value. [MS-TDS] 2.2.5.5.4.
    fn variant(&self, value: &Value, out: &mut Vec<u8>) {
        let mut inner = Vec::new();
        match value {
            Value::Null => {}
            Value::Bit(bit) => inner.extend([0x32, 0, u8::from(*bit)]),
            Value::Integer(number) => match i32::try_from(*number) {
                Ok(number) => {
                    inner.extend([0x38, 0]);
                    inner.extend(number.to_le_bytes());
                }
                Err(_) => {
                    inner.extend([0x7F, 0]);
                    inner.extend(number.to_le_bytes());
                }
            },
            Value::Decimal(decimal) => {
                inner.extend([0x6C, 2, 38, decimal.scale]);
                plain_decimal(*decimal, 38, decimal.scale, &mut inner);
            }
            Value::Float(number) => {
                inner.extend([0x3E, 0]);
                inner.extend(number.to_le_bytes());
            }
            Value::Text(text) => {
                let bytes = wide(text);
                inner.extend([0xE7, 7]);
                inner.extend(self.collation);
                inner.extend(LONGEST.to_le_bytes());
                inner.extend(limited(&bytes));
            }
            Value::Bytes(bytes) => {
                inner.extend([0xA5, 2]);
                inner.extend(LONGEST.to_le_bytes());
                inner.extend(limited(bytes));
            }
            Value::Guid(guid) => {
                inner.extend([0x24, 0]);
                inner.extend(guid.to_bytes_le());
            }
            Value::DateTime(_) => {
                inner.extend([0x3D, 0]);
                plain(SqlType::DateTime, value, &mut inner);
            }
            moment if self.dialect < Dialect::V73 => {
                let sql_type = match moment {
                    Value::Date(_) => SqlType::Date,
                    Value::Time(_) => SqlType::Time(7),
                    _ => SqlType::DateTimeOffset(7),
                };
                return self.variant(&Value::Text(written(moment, sql_type)), out);
            }
            Value::Date(_) => {
                inner.extend([0x28, 0]);
                plain(SqlType::Date, value, &mut inner);
            }
            Value::Time(_) => {
                inner.extend([0x29, 1, 7]);
                plain(SqlType::Time(7), value, &mut inner);
            }
            Value::DateTimeOffset(..) => {
                inner.extend([0x2B, 1, 7]);
                plain(SqlType::DateTimeOffset(7), value, &mut inner);
            }
        }
        out.extend((inner.len() as u32).to_le_bytes());
        out.extend(inner);
    }
}

fn limited(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(usize::from(LONGEST))]
}

fn is_max(sql_type: SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::VarChar(Length::Max) | SqlType::NVarChar(Length::Max) | SqlType::VarBinary(Length::Max)
    )
}

fn short_type(token: u8, length: u16, out: &mut Vec<u8>) {
    out.push(token);
    out.extend(length.to_le_bytes());
}

fn short(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes.map(limited) {
        None => out.extend(NULL_SHORT.to_le_bytes()),
        Some(bytes) => {
            out.extend((bytes.len() as u16).to_le_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

/// The bytes of a text or binary type, padded where its length is fixed; `None` for NULL. A value of another kind is
/// written out: a session that gives one has made a mistake, and the client shall see what it was.
fn bytes_of(sql_type: SqlType, value: &Value) -> Option<Vec<u8>> {
    let written;
    let text = match value {
        Value::Null => return None,
        Value::Bytes(bytes) => {
            let mut bytes = bytes.clone();
            if let SqlType::Binary(length) = sql_type {
                bytes.resize(usize::from(length).max(bytes.len()), 0);
            }
            return Some(bytes);
        }
        Value::Text(text) => text,
        other => {
            written = format!("{other:?}");
            &written
        }
    };
    Some(match sql_type {
        SqlType::Char(length) => padded(narrow(text), usize::from(length), b" "),
        SqlType::NChar(length) => padded(wide(text), usize::from(length) * 2, b" \0"),
        SqlType::NVarChar(_) => wide(text),
        _ => narrow(text),
    })
}

fn padded(mut bytes: Vec<u8>, length: usize, blank: &[u8]) -> Vec<u8> {
    while bytes.len() < length {
        bytes.extend_from_slice(blank);
    }
    bytes
}

/// Bytes of a decimal with its sign.
pub(super) fn decimal_length(precision: u8) -> u8 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

/// A value of a type that is neither text nor binary, without its length. A value of another kind gives zero.
fn plain(sql_type: SqlType, value: &Value, out: &mut Vec<u8>) {
    let whole = match value {
        Value::Integer(number) => *number,
        Value::Bit(bit) => i64::from(*bit),
        _ => 0,
    };
    match sql_type {
        SqlType::Bit => out.push(u8::from(whole != 0)),
        SqlType::TinyInt => out.push(whole as u8),
        SqlType::SmallInt => out.extend((whole as i16).to_le_bytes()),
        SqlType::Int => out.extend((whole as i32).to_le_bytes()),
        SqlType::BigInt => out.extend(whole.to_le_bytes()),
        SqlType::Real | SqlType::Float => {
            let number = match value {
                Value::Float(number) => *number,
                _ => whole as f64,
            };
            match sql_type {
                SqlType::Real => out.extend((number as f32).to_le_bytes()),
                _ => out.extend(number.to_le_bytes()),
            }
        }
        SqlType::Decimal { precision, scale } => plain_decimal(decimal(value, whole), precision, scale, out),
        SqlType::Money => {
            let units = i64::try_from(rescaled(decimal(value, whole), 4)).unwrap_or(i64::MAX);
            out.extend(((units >> 32) as i32).to_le_bytes());
            out.extend((units as u32).to_le_bytes());
        }
        SqlType::UniqueIdentifier => match value {
            Value::Guid(guid) => out.extend(guid.to_bytes_le()),
            _ => out.extend([0; 16]),
        },
        moment => plain_moment(moment, value, out),
    }
}

fn decimal(value: &Value, whole: i64) -> Decimal {
    match value {
        Value::Decimal(decimal) => *decimal,
        _ => Decimal {
            unscaled: i128::from(whole),
            scale: 0,
        },
    }
}

/// The digits of a number at another scale, rounded half away from zero; the largest number where they do not fit.
fn rescaled(decimal: Decimal, scale: u8) -> i128 {
    if scale >= decimal.scale {
        return 10_i128
            .checked_pow(u32::from(scale - decimal.scale))
            .and_then(|factor| decimal.unscaled.checked_mul(factor))
            .unwrap_or(i128::MAX);
    }
    let Some(factor) = 10_i128.checked_pow(u32::from(decimal.scale - scale)) else {
        return 0;
    };
    let half = if decimal.unscaled < 0 {
        -factor / 2
    } else {
        factor / 2
    };
    decimal.unscaled.saturating_add(half) / factor
}

fn plain_decimal(decimal: Decimal, precision: u8, scale: u8, out: &mut Vec<u8>) {
    let unscaled = rescaled(decimal, scale);
    out.push(u8::from(unscaled >= 0));
    let digits = usize::from(decimal_length(precision)) - 1;
    out.extend(&unscaled.unsigned_abs().to_le_bytes()[..digits]);
}

fn plain_moment(sql_type: SqlType, value: &Value, out: &mut Vec<u8>) {
    let (moment, offset) = match value {
        Value::DateTime(moment) => (*moment, 0),
        Value::DateTimeOffset(moment, offset) => (*moment, *offset),
        Value::Date(days) => (
            DateTime {
                days: *days,
                ticks: 0,
            },
            0,
        ),
        Value::Time(ticks) => (
            DateTime {
                days: DAYS_1900,
                ticks: *ticks,
            },
            0,
        ),
        _ => (
            DateTime {
                days: DAYS_1900,
                ticks: 0,
            },
            0,
        ),
    };
    match sql_type {
        SqlType::Date => plain_days(moment.days, out),
        SqlType::Time(scale) => {
            plain_time(moment, scale, out);
        }
        SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) => {
            let days = plain_time(moment, scale, out);
            plain_days(days, out);
            if matches!(sql_type, SqlType::DateTimeOffset(_)) {
                out.extend(offset.to_le_bytes());
            }
        }
        SqlType::SmallDateTime => {
            out.extend(((moment.days - DAYS_1900) as u16).to_le_bytes());
            out.extend(((moment.ticks / 600_000_000) as u16).to_le_bytes());
        }
        _ => {
            let parts = (moment.ticks * 3 + 50_000) / 100_000;
            let (carry, parts) = (parts / (300 * 86_400), parts % (300 * 86_400));
            out.extend((moment.days - DAYS_1900 + carry as i32).to_le_bytes());
            out.extend((parts as u32).to_le_bytes());
        }
    }
}

fn plain_days(days: i32, out: &mut Vec<u8>) {
    out.extend(&days.to_le_bytes()[..3]);
}

/// A time of day rounded to `scale` digits of a second; gives the day, which is the next one where it was rounded up to it.
fn plain_time(moment: DateTime, scale: u8, out: &mut Vec<u8>) -> i32 {
    let scale = scale.min(7);
    let unit = 10_u64.pow(u32::from(7 - scale));
    let (mut days, mut parts) = (moment.days, (moment.ticks + unit / 2) / unit);
    if parts >= TICKS_A_DAY / unit {
        parts = 0;
        days += 1;
    }
    let length = match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    };
    out.extend(&parts.to_le_bytes()[..length]);
    days
}

/// A moment as text, for clients that do not know its type: `2026-11-21 17:56:42.1234567 +01:00`.
fn written(value: &Value, sql_type: SqlType) -> String {
    let digits = match sql_type {
        SqlType::Time(scale) | SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) => scale.min(7),
        _ => 7,
    };
    match value {
        Value::Date(days) => written_date(*days),
        Value::Time(ticks) => written_time(*ticks, digits),
        Value::DateTime(moment) => {
            format!(
                "{} {}",
                written_date(moment.days),
                written_time(moment.ticks, digits)
            )
        }
        Value::DateTimeOffset(moment, offset) => {
            let shown = moment.moment(0).local(*offset);
            // The last digit of a tick is below a moment's microsecond.
            let ticks = shown.ticks + moment.ticks % 10;
            let sign = if *offset < 0 { '-' } else { '+' };
            let (hours, minutes) = (offset.unsigned_abs() / 60, offset.unsigned_abs() % 60);
            let (date, time) = (written_date(shown.days), written_time(ticks, digits));
            format!("{date} {time} {sign}{hours:02}:{minutes:02}")
        }
        other => format!("{other:?}"),
    }
}

fn written_date(days: i32) -> String {
    let (year, month, day) = DateTime { days, ticks: 0 }.date();
    format!("{year:04}-{month:02}-{day:02}")
}

fn written_time(ticks: u64, digits: u8) -> String {
    let seconds = ticks / 10_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let whole = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if digits == 0 {
        return whole;
    }
    let fraction = format!("{:07}", ticks % 10_000_000);
    format!("{whole}.{}", &fraction[..usize::from(digits)])
}

#[cfg(test)]
mod tests;
