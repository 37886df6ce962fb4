//! What an instance answers, in the words of a client: what a wire would do, without one.

use mssql::value::{Column, DateTime, Decimal, Moment, Value};

pub(crate) fn message(from: simsql::message::Message) -> mssql::Message {
    mssql::Message {
        number: from.number,
        state: from.state,
        class: from.class,
        line: from.line,
        procedure: from.procedure,
        text: from.text,
    }
}

pub(crate) fn columns(from: &[simsql::value::Column]) -> Vec<Column> {
    let name = |column: &simsql::value::Column| Column {
        name: column.name.clone(),
    };
    from.iter().map(name).collect()
}

fn date_time(from: simsql::value::DateTime) -> DateTime {
    DateTime {
        days: from.days,
        ticks: from.ticks,
    }
}

pub(crate) fn value(from: &simsql::value::Value) -> Value {
    use simsql::value::Value as From;
    match from {
        From::Null => Value::Null,
        From::Bit(bit) => Value::Bit(*bit),
        From::Integer(number) => Value::Integer(*number),
        From::Decimal(decimal) => Value::Decimal(Decimal {
            unscaled: decimal.unscaled,
            scale: decimal.scale,
        }),
        From::Float(number) => Value::Float(*number),
        From::Text(text) => Value::Text(text.clone()),
        From::Bytes(bytes) => Value::Bytes(bytes.clone()),
        From::Guid(guid) => Value::Guid(*guid),
        From::Date(days) => Value::Date(*days),
        From::Time(ticks) => Value::Time(*ticks),
        From::DateTime(moment) => Value::DateTime(date_time(*moment)),
        From::DateTimeOffset(moment, offset) => Value::Moment(Moment {
            utc: date_time(*moment),
            offset_minutes: *offset,
        }),
    }
}
