//! Functions on text. Positions count characters from 1.

use std::ops::Range;

use crate::message::Failure;
use crate::query::arithmetic::check_size;
use crate::query::bind::operator::{coerced, joined};
use crate::query::collation::fold;
use crate::query::convert::{self, text as lengths};
use crate::query::functions::{Bound, Builtin, MANY, as_text, integer, longest, text, text_like, varying};
use crate::query::like;
use crate::query::plan::{Node, Scalar};
use crate::query::types::{self, Family};
use crate::value::{Length, SqlType, Value};

const fn strict(
    name: &'static str,
    arguments: (usize, usize),
    bind: fn(Vec<Scalar>) -> Bound,
    run: fn(&[Value], SqlType) -> Result<Value, Failure>,
) -> Builtin {
    Builtin {
        name,
        arguments,
        strict: true,
        bind,
        run,
    }
}

pub(super) const ALL: &[Builtin] = &[
    strict("LEN", (1, 1), bind_len, |values, _| {
        let text = text(&values[0]).trim_end_matches(' ');
        Ok(length(text.chars().map(char::len_utf16).sum()))
    }),
    strict("DATALENGTH", (1, 1), bind_data_length, |values, _| {
        Ok(values[0].clone())
    }),
    strict("SUBSTRING", (3, 3), bind_substring, substring),
    strict("LEFT", (2, 2), bind_edge, |values, _| edge(values, false)),
    strict("RIGHT", (2, 2), bind_edge, |values, _| edge(values, true)),
    strict("CHARINDEX", (2, 3), bind_charindex, charindex),
    strict(PATINDEX, (2, 2), bind_patindex, |values, _| {
        patindex(values).map(|(place, _)| place)
    }),
    strict("REPLACE", (3, 3), bind_replace, replace),
    Builtin {
        name: "STUFF",
        arguments: (4, 4),
        strict: false,
        bind: bind_stuff,
        run: stuff,
    },
    strict("REPLICATE", (2, 2), bind_replicate, replicate),
    strict("SPACE", (1, 1), bind_space, |values, _| {
        match usize::try_from(integer(&values[0])) {
            Ok(count) => Ok(Value::Text(" ".repeat(count.min(8000)))),
            Err(_) => Ok(Value::Null),
        }
    }),
    strict("REVERSE", (1, 1), same_text, |values, _| {
        Ok(Value::Text(text(&values[0]).chars().rev().collect()))
    }),
    strict("UPPER", (1, 1), same_text, |values, _| {
        Ok(Value::Text(text(&values[0]).chars().map(large).collect()))
    }),
    strict("LOWER", (1, 1), same_text, |values, _| {
        Ok(Value::Text(text(&values[0]).to_lowercase()))
    }),
    strict("LTRIM", (1, 2), trimmed, |values, _| {
        let set = trim_set(values);
        Ok(Value::from(
            text(&values[0]).trim_start_matches(|sign| set.contains(&sign)),
        ))
    }),
    strict("RTRIM", (1, 2), trimmed, |values, _| {
        let set = trim_set(values);
        Ok(Value::from(
            text(&values[0]).trim_end_matches(|sign| set.contains(&sign)),
        ))
    }),
    strict("TRIM", (1, 2), trimmed, |values, _| {
        let set = trim_set(values);
        Ok(Value::from(
            text(&values[0]).trim_matches(|sign| set.contains(&sign)),
        ))
    }),
    Builtin {
        name: "CONCAT",
        arguments: (2, MANY),
        strict: false,
        bind: bind_concat,
        run: |values, sql_type| concat(values, "", sql_type),
    },
    Builtin {
        name: "CONCAT_WS",
        arguments: (3, MANY),
        strict: false,
        bind: bind_concat_with,
        run: |values, sql_type| concat(&values[1..], text(&values[0]), sql_type),
    },
];

fn length(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

fn large(sign: char) -> char {
    let mut all = sign.to_uppercase();
    match (all.next(), all.next()) {
        (Some(only), None) => only,
        _ => sign,
    }
}

/// The arguments as text and whole numbers: `pattern` has `t` for text, `i` for int.
fn arranged(arguments: Vec<Scalar>, pattern: &str) -> Result<Vec<Scalar>, Failure> {
    arguments
        .into_iter()
        .zip(pattern.chars())
        .map(|(scalar, kind)| {
            if kind == 'i' {
                coerced(scalar, SqlType::BigInt)
            } else {
                as_text(scalar)
            }
        })
        .collect()
}

fn same_text(arguments: Vec<Scalar>) -> Bound {
    let arguments = arranged(arguments, "t")?;
    let sql_type = varying(arguments[0].sql_type);
    Ok((arguments, sql_type))
}

fn trimmed(arguments: Vec<Scalar>) -> Bound {
    let arguments = arranged(arguments, "tt")?;
    let sql_type = varying(arguments[0].sql_type);
    Ok((arguments, sql_type))
}

fn trim_set(values: &[Value]) -> Vec<char> {
    match values.get(1) {
        Some(value) => text(value).chars().collect(),
        None => vec![' '],
    }
}

/// `bigint` for (max), else `int`.
fn count_type(sql_type: SqlType) -> SqlType {
    match types::length_of(sql_type) {
        Some(Length::Max) => SqlType::BigInt,
        _ => SqlType::Int,
    }
}

fn bind_len(arguments: Vec<Scalar>) -> Bound {
    let arguments = arranged(arguments, "t")?;
    let sql_type = count_type(arguments[0].sql_type);
    Ok((arguments, sql_type))
}

/// The bytes of a value depend on its type, not on the value alone: the argument becomes their number.
fn bind_data_length(arguments: Vec<Scalar>) -> Bound {
    let argument = arguments
        .into_iter()
        .next()
        .unwrap_or_else(|| Scalar::constant(Value::Null, SqlType::Int));
    let sql_type = count_type(argument.sql_type);
    let fixed = match argument.sql_type {
        SqlType::Bit | SqlType::TinyInt => Some(1),
        SqlType::SmallInt => Some(2),
        SqlType::Int | SqlType::Real | SqlType::SmallDateTime => Some(4),
        SqlType::BigInt | SqlType::Float | SqlType::Money | SqlType::DateTime => Some(8),
        SqlType::Date => Some(3),
        SqlType::UniqueIdentifier => Some(16),
        SqlType::Decimal { precision, .. } => Some(match precision {
            1..=9 => 5,
            10..=19 => 9,
            20..=28 => 13,
            _ => 17,
        }),
        SqlType::Time(scale) => Some(3 + i64::from(scale.saturating_sub(1) / 2)),
        SqlType::DateTime2(scale) => Some(6 + i64::from(scale.saturating_sub(1) / 2)),
        SqlType::DateTimeOffset(scale) => Some(8 + i64::from(scale.saturating_sub(1) / 2)),
        _ => None,
    };
    let counted = match fixed {
        Some(size) => Scalar::new(
            Node::Case(
                vec![(
                    crate::query::plan::Predicate::IsNull(argument),
                    Scalar::constant(Value::Null, SqlType::BigInt),
                )],
                Some(Box::new(Scalar::constant(Value::Integer(size), SqlType::BigInt))),
            ),
            SqlType::BigInt,
        ),
        None => Scalar::new(
            Node::Call(
                if types::is_unicode(argument.sql_type) || argument.sql_type == SqlType::Variant {
                    &WIDE_BYTES
                } else {
                    &NARROW_BYTES
                },
                vec![argument],
            ),
            SqlType::BigInt,
        ),
    };
    Ok((vec![counted], sql_type))
}

static WIDE_BYTES: Builtin = strict("DATALENGTH (two bytes)", (1, 1), same_text, |values, _| {
    Ok(match &values[0] {
        Value::Text(text) => length(text.encode_utf16().count() * 2),
        Value::Bytes(bytes) => length(bytes.len()),
        Value::Integer(_) => length(4),
        _ => length(8),
    })
});

static NARROW_BYTES: Builtin = strict("DATALENGTH (one byte)", (1, 1), same_text, |values, _| {
    Ok(match &values[0] {
        Value::Text(text) => length(text.chars().count()),
        Value::Bytes(bytes) => length(bytes.len()),
        _ => length(0),
    })
});

fn bind_substring(arguments: Vec<Scalar>) -> Bound {
    if types::family(arguments[0].sql_type) == Family::Binary {
        let sql_type = SqlType::VarBinary(types::printed_length(arguments[0].sql_type));
        let mut arguments = arguments.into_iter();
        let mut bound = Vec::new();
        bound.extend(arguments.next());
        for argument in arguments {
            bound.push(coerced(argument, SqlType::BigInt)?);
        }
        return Ok((bound, sql_type));
    }
    let arguments = arranged(arguments, "tii")?;
    // No longer than a literal length says.
    let mut sql_type = varying(arguments[0].sql_type);
    if let (Some(Length::Of(all)), Node::Convert { operand, .. }) =
        (types::length_of(sql_type), &arguments[2].node)
        && let Node::Constant(Value::Integer(count)) = operand.node
    {
        let count = u16::try_from(count.max(1)).unwrap_or(u16::MAX);
        sql_type = text_like(sql_type, Length::Of(all.min(count)));
    }
    Ok((arguments, sql_type))
}

/// Positions before the first character count towards the length.
fn substring(values: &[Value], _: SqlType) -> Result<Value, Failure> {
    let (start, count) = (integer(&values[1]), integer(&values[2]));
    if count < 0 {
        return Err(Failure::new(537, &[]));
    }
    let end = start.saturating_add(count).saturating_sub(1).max(0);
    let skip = usize::try_from(start.saturating_sub(1).max(0)).unwrap_or(usize::MAX);
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    let take = end.saturating_sub(skip);
    Ok(match &values[0] {
        Value::Bytes(bytes) => Value::Bytes(bytes.iter().skip(skip).take(take).copied().collect()),
        other => Value::Text(text(other).chars().skip(skip).take(take).collect()),
    })
}

fn bind_edge(arguments: Vec<Scalar>) -> Bound {
    let arguments = arranged(arguments, "ti")?;
    let sql_type = varying(arguments[0].sql_type);
    Ok((arguments, sql_type))
}

fn edge(values: &[Value], right: bool) -> Result<Value, Failure> {
    let text = text(&values[0]);
    let Ok(count) = usize::try_from(integer(&values[1])) else {
        return Err(Failure::new(if right { 536 } else { 537 }, &[&"RIGHT"]));
    };
    let skip = if right {
        text.chars().count().saturating_sub(count)
    } else {
        0
    };
    Ok(Value::Text(text.chars().skip(skip).take(count).collect()))
}

fn bind_charindex(arguments: Vec<Scalar>) -> Bound {
    let arguments = arranged(arguments, "tti")?;
    let sql_type = count_type(arguments[1].sql_type);
    Ok((arguments, sql_type))
}

fn charindex(values: &[Value], _: SqlType) -> Result<Value, Failure> {
    let within = text(&values[1]);
    let start = values.get(2).map_or(1, integer).max(1);
    let start = usize::try_from(start - 1).unwrap_or(usize::MAX);
    let from = within
        .char_indices()
        .nth(start)
        .map_or(within.len(), |(at, _)| at);
    let found = Finder::new(text(&values[0]))?.and_then(|finder| finder.find(within, from));
    Ok(length(
        found.map_or(0, |found| within[..found.start].chars().count() + 1),
    ))
}

/// Characters that CHARINDEX and REPLACE look for at most, as their documentation has it.
const WANTED_MAX: usize = 8000;

/// Looks for a text, in the server's collation. By Knuth, Morris and Pratt, so that it takes a time that grows with the text
/// searched alone.
struct Finder {
    /// Folded.
    wanted: Vec<char>,
    /// How many characters still fit where the one behind so many (less one) does not.
    back: Vec<usize>,
}

impl Finder {
    /// `None` for an empty text, which is found nowhere.
    fn new(wanted: &str) -> Result<Option<Self>, Failure> {
        let wanted: Vec<char> = wanted.chars().take(WANTED_MAX + 1).map(fold).collect();
        if wanted.len() > WANTED_MAX {
            return Err(Failure::new(8152, &[]));
        }
        let mut back = vec![0; wanted.len()];
        let mut fits = 0;
        for at in 1..wanted.len() {
            while fits > 0 && wanted[fits] != wanted[at] {
                fits = back[fits - 1];
            }
            fits += usize::from(wanted[fits] == wanted[at]);
            back[at] = fits;
        }
        Ok((!wanted.is_empty()).then_some(Self { wanted, back }))
    }

    /// The bytes of the first occurrence that begins at byte `from` or behind it.
    fn find(&self, within: &str, from: usize) -> Option<Range<usize>> {
        // Begins where the characters that fit so far begin.
        let mut start = within[from..].char_indices();
        let mut fits = 0;
        for (at, sign) in within[from..].char_indices() {
            let folded = fold(sign);
            let before = fits;
            while fits > 0 && self.wanted[fits] != folded {
                fits = self.back[fits - 1];
            }
            fits += usize::from(self.wanted[fits] == folded);
            for _ in fits..=before {
                start.next();
            }
            if fits == self.wanted.len() {
                return Some(from + start.offset()..from + at + sign.len_utf8());
            }
        }
        None
    }
}

/// The name of PATINDEX, which tells how much work it was.
pub(crate) const PATINDEX: &str = "PATINDEX";

/// PATINDEX: its value, and how many characters were compared.
pub(crate) fn patindex(values: &[Value]) -> Result<(Value, u64), Failure> {
    let mut comparisons = 0;
    let place = like::position(text(&values[1]), text(&values[0]), &mut comparisons)?;
    Ok((length(place), comparisons))
}

fn bind_patindex(arguments: Vec<Scalar>) -> Bound {
    let arguments = arranged(arguments, "tt")?;
    let sql_type = count_type(arguments[1].sql_type);
    Ok((arguments, sql_type))
}

fn bind_replace(arguments: Vec<Scalar>) -> Bound {
    let arguments = arranged(arguments, "ttt")?;
    let unicode = arguments.iter().any(|scalar| types::is_unicode(scalar.sql_type));
    let sql_type = longest(arguments[0].sql_type);
    let sql_type = match (unicode, sql_type) {
        (true, SqlType::VarChar(Length::Of(_))) => SqlType::NVarChar(Length::Of(4000)),
        (true, SqlType::VarChar(Length::Max)) => SqlType::NVarChar(Length::Max),
        (_, other) => other,
    };
    Ok((arguments, sql_type))
}

fn replace(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    let (within, by) = (text(&values[0]), text(&values[2]));
    let finder = Finder::new(text(&values[1]))?;
    let mut result = String::new();
    let mut at = 0;
    while let Some(found) = finder.as_ref().and_then(|finder| finder.find(within, at)) {
        result.push_str(&within[at..found.start]);
        result.push_str(by);
        check_size(result.len())?;
        at = found.end;
    }
    result.push_str(&within[at..]);
    convert::convert(Value::Text(result), sql_type, sql_type)
}

fn bind_stuff(arguments: Vec<Scalar>) -> Bound {
    let arguments = arranged(arguments, "tiit")?;
    let sql_type = joined(arguments[0].sql_type, arguments[3].sql_type);
    Ok((arguments, sql_type))
}

fn stuff(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    let (start, count) = (integer(&values[1]), integer(&values[2]));
    let all: Vec<char> = text(&values[0]).chars().collect();
    let missing = values[..3].contains(&Value::Null);
    let (Ok(start), Ok(count)) = (usize::try_from(start.saturating_sub(1)), usize::try_from(count)) else {
        return Ok(Value::Null);
    };
    if missing || start >= all.len() {
        return Ok(Value::Null);
    }
    check_size(text(&values[0]).len() + text(&values[3]).len())?;
    let mut result: String = all[..start].iter().collect();
    result.push_str(text(&values[3]));
    result.extend(&all[start.saturating_add(count).min(all.len())..]);
    convert::convert(Value::Text(result), sql_type, sql_type)
}

fn bind_replicate(arguments: Vec<Scalar>) -> Bound {
    let arguments = arranged(arguments, "ti")?;
    let sql_type = longest(arguments[0].sql_type);
    Ok((arguments, sql_type))
}

fn replicate(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    let Ok(count) = usize::try_from(integer(&values[1])) else {
        return Ok(Value::Null);
    };
    let piece = text(&values[0]);
    let count = match types::length_of(sql_type) {
        Some(Length::Of(most)) => {
            let units = lengths::units(piece, sql_type).max(1);
            count.min(usize::from(most) / units + 1)
        }
        _ => count,
    };
    check_size(piece.len().saturating_mul(count))?;
    convert::convert(Value::Text(piece.repeat(count)), sql_type, sql_type)
}

fn bind_space(arguments: Vec<Scalar>) -> Bound {
    Ok((arranged(arguments, "i")?, SqlType::VarChar(Length::Of(8000))))
}

fn bind_concat(arguments: Vec<Scalar>) -> Bound {
    let arguments = arguments
        .into_iter()
        .map(as_text)
        .collect::<Result<Vec<_>, _>>()?;
    let sql_type = arguments
        .iter()
        .map(|scalar| varying(scalar.sql_type))
        .reduce(joined)
        .unwrap_or(SqlType::VarChar(Length::Of(1)));
    Ok((arguments, sql_type))
}

fn bind_concat_with(arguments: Vec<Scalar>) -> Bound {
    let (arguments, mut sql_type) = bind_concat(arguments)?;
    // A separator stands between any two.
    for _ in 3..arguments.len() {
        sql_type = joined(sql_type, arguments[0].sql_type);
    }
    Ok((arguments, sql_type))
}

/// NULLs are left out.
fn concat(values: &[Value], between: &str, sql_type: SqlType) -> Result<Value, Failure> {
    let parts: Vec<&str> = values
        .iter()
        .filter(|value| **value != Value::Null)
        .map(text)
        .collect();
    // Many arguments may name one long text: looked at before it is built.
    let bytes = parts.iter().fold(0_usize, |sum, part| {
        sum.saturating_add(part.len()).saturating_add(between.len())
    });
    check_size(bytes.saturating_sub(between.len()))?;
    let result = parts.join(between);
    convert::convert(Value::Text(result), sql_type, sql_type)
}

#[cfg(test)]
mod tests {
    use super::{Finder, WANTED_MAX};

    #[test]
    fn a_text_is_found_where_it_first_occurs() {
        // All short texts over three letters, one of them of two bytes, against a search of the plainest kind.
        let text = |mut number: usize, length: usize| -> String {
            let mut text = String::new();
            for _ in 0..length {
                text.push(['a', 'B', 'é'][number % 3]);
                number /= 3;
            }
            text
        };
        for number in 0..3_usize.pow(7) {
            let within = text(number, 7);
            for (length, other) in [(1, 1), (2, 3), (2, 4), (3, 0), (3, 12), (4, 30)] {
                let wanted = text(other, length);
                let found = Finder::new(&wanted.to_uppercase())
                    .unwrap()
                    .unwrap()
                    .find(&within, 0);
                assert_eq!(
                    found.map(|found| found.start),
                    within.find(&wanted),
                    "{wanted} in {within}"
                );
            }
        }
    }

    #[test]
    fn a_hostile_search_takes_no_longer_than_another() {
        // By trying each place this would be 16,000,000,000 comparisons.
        let within = "a".repeat(4_000_000);
        let wanted = format!("{}b", "A".repeat(WANTED_MAX / 2));
        assert_eq!(Finder::new(&wanted).unwrap().unwrap().find(&within, 0), None);
        assert!(Finder::new(&"a".repeat(WANTED_MAX + 1)).is_err());
        assert!(Finder::new("").unwrap().is_none());
    }
}
