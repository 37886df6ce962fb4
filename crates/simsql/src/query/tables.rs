//! Table functions that need neither server nor session: STRING_SPLIT and GENERATE_SERIES. All others are the session's.

use crate::message::Failure;
use crate::query::bind::same_name;
use crate::query::evaluate::ROWS_MAX;
use crate::query::{Names, Relation};
use crate::value::{Column, Length, SqlType, Value};

/// The rows of a table function.
pub(crate) fn call(
    names: &mut dyn Names,
    parts: &[String],
    arguments: &[Value],
) -> Result<Relation, Failure> {
    let [name] = parts else {
        return names.relation(parts, Some(arguments));
    };
    if same_name(name, "STRING_SPLIT") {
        return string_split(arguments);
    }
    if same_name(name, "GENERATE_SERIES") {
        return generate_series(arguments);
    }
    names.relation(parts, Some(arguments))
}

/// `STRING_SPLIT(text, separator [, enable_ordinal])`: a row for each piece. Without a text there are none.
fn string_split(arguments: &[Value]) -> Result<Relation, Failure> {
    if !(2..=3).contains(&arguments.len()) {
        return Err(Failure::new(189, &[&"STRING_SPLIT", &2, &3]));
    }
    let mut columns = vec![Column::new("value", SqlType::NVarChar(Length::Max))];
    let with_ordinal = matches!(arguments.get(2), Some(Value::Integer(1) | Value::Bit(true)));
    if with_ordinal {
        columns.push(Column::new("ordinal", SqlType::BigInt));
    }
    let (Value::Text(text), Value::Text(separator)) = (&arguments[0], &arguments[1]) else {
        return Ok(Relation {
            columns,
            rows: Vec::new(),
        });
    };
    let mut signs = separator.chars();
    let (Some(sign), None) = (signs.next(), signs.next()) else {
        return Err(Failure::new(214, &[&"separator", &"nchar(1)/nvarchar(1)"]));
    };
    let rows = text.split(sign).zip(1_i64..).map(|(piece, ordinal)| {
        let mut row = vec![Value::from(piece)];
        if with_ordinal {
            row.push(Value::Integer(ordinal));
        }
        row
    });
    Ok(Relation {
        rows: rows.collect(),
        columns,
    })
}

/// `GENERATE_SERIES(start, stop [, step])` over integers.
fn generate_series(arguments: &[Value]) -> Result<Relation, Failure> {
    if !(2..=3).contains(&arguments.len()) {
        return Err(Failure::new(189, &[&"GENERATE_SERIES", &2, &3]));
    }
    let mut relation = Relation {
        columns: vec![Column::new("value", SqlType::BigInt)],
        rows: Vec::new(),
    };
    let (Value::Integer(start), Value::Integer(stop)) = (&arguments[0], &arguments[1]) else {
        return Ok(relation);
    };
    let step = match arguments.get(2) {
        Some(Value::Integer(step)) => *step,
        Some(_) => return Ok(relation),
        None if start <= stop => 1,
        None => -1,
    };
    if step == 0 {
        return Err(Failure::new(4199, &[&0, &3, &"GENERATE_SERIES"]));
    }
    let mut value = Some(*start);
    while let Some(number) = value.filter(|number| if step > 0 { number <= stop } else { number >= stop }) {
        if relation.rows.len() >= ROWS_MAX {
            return Err(Failure::new(701, &[]));
        }
        relation.rows.push(vec![Value::Integer(number)]);
        value = number.checked_add(step);
    }
    Ok(relation)
}
