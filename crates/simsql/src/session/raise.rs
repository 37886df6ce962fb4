//! PRINT, RAISERROR and THROW.

use sqlparser::ast;

use crate::answers::Answers;
use crate::instance::permission;
use crate::message::{Failure, Message};
use crate::session::Session;
use crate::session::run::{self, Flow};
use crate::tsql::statement::Statement;
use crate::value::{Length, SqlType, Value};

/// The longest text of a message, in characters.
const TEXT_MAX: usize = 2047;
/// What a THROW may have for a number, at least.
const NUMBER_MIN: i64 = 50_000;

const TEXT: SqlType = SqlType::NVarChar(Length::Max);

/// PRINT: a message without a number.
pub(crate) async fn print(
    session: &mut Session,
    expression: &ast::Expr,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let value = run::evaluate_as(session, expression, TEXT).await?;
    let text = match value {
        Value::Text(text) => text.chars().take(4000).collect(),
        _ => String::new(),
    };
    answers.message(message(0, 0, 1, text));
    Ok(())
}

fn message(number: i32, class: u8, state: u8, text: String) -> Message {
    Message {
        number,
        state,
        class,
        text,
        line: 0,
        procedure: String::new(),
    }
}

async fn integer(session: &Session, expression: &ast::Expr) -> Result<i64, Failure> {
    match run::evaluate_as(session, expression, SqlType::BigInt).await? {
        Value::Integer(number) => Ok(number),
        _ => Ok(0),
    }
}

/// RAISERROR, and THROW with its arguments.
///
/// # Errors
/// The error that is raised; 2732, 2754, 35100 for numbers and classes that may not be.
pub(crate) async fn raise(
    session: &mut Session,
    statement: &Statement,
    answers: &mut dyn Answers,
) -> Result<Flow, Failure> {
    let Statement::Raise {
        number,
        text,
        class,
        state,
        arguments,
        is_throw,
    } = statement
    else {
        return Ok(Flow::Next);
    };
    let number = integer(session, number).await?;
    let (value, from) = run::evaluate(session, text).await?;
    let is_number = matches!(value, Value::Integer(_));
    if is_number && !*is_throw {
        // Messages of one's own in sys.messages (sp_addmessage) are not simulated.
        return Err(Failure::new(
            18054,
            &[&run::evaluate_as(session, text, TEXT).await.map(shown)?],
        ));
    }
    let Value::Text(text) = crate::query::convert::convert(value, from, TEXT)? else {
        return Ok(Flow::Next);
    };
    let class = u8::try_from(integer(session, class).await?.clamp(0, 25)).unwrap_or(16);
    let state = integer(session, state).await?;
    let state = u8::try_from(if state < 0 { 1 } else { state.min(255) }).unwrap_or(1);
    if *is_throw {
        if number < NUMBER_MIN {
            return Err(Failure::new(35100, &[&number]));
        }
        return throw(
            session,
            message(i32::try_from(number).unwrap_or(i32::MAX), class, state, text),
            answers,
        );
    }
    let mut values = Vec::new();
    for argument in arguments {
        values.push(run::evaluate(session, argument).await?);
    }
    let text = formatted(&text, &values)?;
    if class > 18 && !permission::is_sysadmin(&session.instance.state(), &session.login) {
        return Err(Failure::new(2754, &[]));
    }
    let raised = message(50_000, class, state, text);
    if class <= 10 {
        answers.message(raised);
        session.last_error = 0;
        return Ok(Flow::Next);
    }
    session.work.has_thrown = false;
    Err(raised.into())
}

fn shown(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        _ => String::new(),
    }
}

/// THROW without arguments: what was caught, once more.
///
/// # Errors
/// The error; 10704 outside of CATCH.
pub(crate) fn again(session: &mut Session, answers: &mut dyn Answers) -> Result<Flow, Failure> {
    match session.work.caught.last().cloned() {
        Some(caught) => throw(session, caught, answers),
        None => Err(Failure::new(10704, &[])),
    }
}

/// An error that ends the batch where nothing catches it.
fn throw(session: &mut Session, raised: Message, answers: &mut dyn Answers) -> Result<Flow, Failure> {
    session.work.has_thrown = true;
    if session.work.tries > 0 {
        return Err(raised.into());
    }
    session.last_error = raised.number;
    session.row_count = 0;
    answers.message(raised);
    answers.done(None);
    if session.work.options.xact_abort && session.nesting > 0 {
        drop(session.rollback());
    }
    session.work.ends_batch = true;
    Ok(Flow::Abort)
}

/// The places of RAISERROR's text filled in: `%d`, `%i`, `%u`, `%s`, `%x`, `%X`, `%o`, `%I64d`, with flags, width and precision
/// as C has them.
fn formatted(text: &str, values: &[(Value, SqlType)]) -> Result<String, Failure> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        if rest.peek() == Some(&'%') {
            rest.next();
            out.push('%');
            continue;
        }
        let mut place = String::new();
        let kind = loop {
            match rest.next() {
                Some(sign) if sign.is_ascii_digit() || matches!(sign, '-' | '+' | ' ' | '#' | '.') => {
                    place.push(sign);
                }
                Some('h' | 'l' | 'I') => {}
                Some(kind) => break kind,
                None => return Err(Failure::new(2787, &[&format!("%{place}")])),
            }
        };
        // The 64 of %I64d is no width.
        let place = place.strip_suffix("64").unwrap_or(&place);
        let value = values.next();
        out.push_str(&filled(place, kind, value)?);
    }
    let is_long = out.chars().count() > TEXT_MAX;
    if is_long {
        out = out.chars().take(TEXT_MAX - 3).collect();
        out.push_str("...");
    }
    Ok(out)
}

fn filled(place: &str, kind: char, value: Option<&(Value, SqlType)>) -> Result<String, Failure> {
    let plain = match (kind, value) {
        (_, None | Some((Value::Null, _))) => "(null)".to_owned(),
        ('d' | 'i' | 'u', Some((Value::Integer(number), _))) => number.to_string(),
        ('x', Some((Value::Integer(number), _))) => format!("{:x}", *number as i32),
        ('X', Some((Value::Integer(number), _))) => format!("{:X}", *number as i32),
        ('o', Some((Value::Integer(number), _))) => format!("{:o}", *number as i32),
        ('s', Some((Value::Text(text), _))) => text.clone(),
        ('d' | 'i' | 'u' | 'x' | 'X' | 'o' | 's', Some(_)) => return Err(Failure::new(2786, &[])),
        _ => return Err(Failure::new(2787, &[&format!("%{place}{kind}")])),
    };
    let (flags, digits) = place.split_at(
        place
            .find(|sign: char| sign.is_ascii_digit() && sign != '0' || sign == '.')
            .unwrap_or(place.len()),
    );
    let (width, precision) = digits.split_once('.').unwrap_or((digits, ""));
    let mut shown = plain;
    if kind == 's'
        && let Ok(most) = precision.parse::<usize>()
    {
        shown = shown.chars().take(most).collect();
    }
    let width = width.parse::<usize>().unwrap_or(0).min(TEXT_MAX);
    let missing = width.saturating_sub(shown.chars().count());
    Ok(if flags.contains('-') {
        format!("{shown}{}", " ".repeat(missing))
    } else if flags.contains('0') {
        format!("{}{shown}", "0".repeat(missing))
    } else {
        format!("{}{shown}", " ".repeat(missing))
    })
}

#[cfg(test)]
mod tests {
    use super::formatted;
    use crate::value::{Length, SqlType, Value};

    #[test]
    fn places_are_filled_as_printf_fills_them() {
        let text = |text: &str| (Value::Text(text.to_owned()), SqlType::NVarChar(Length::Max));
        let number = |number: i64| (Value::Integer(number), SqlType::Int);
        let cases = [
            ("%s has %d rows", vec![text("t"), number(5)], "t has 5 rows"),
            ("100%% of %i", vec![number(-3)], "100% of -3"),
            (
                "[%5d|%-5d|%05d]",
                vec![number(42), number(42), number(42)],
                "[   42|42   |00042]",
            ),
            (
                "%.3s %x %X %o",
                vec![text("abcdef"), number(255), number(255), number(8)],
                "abc ff FF 10",
            ),
            ("%I64d", vec![number(1 << 40)], "1099511627776"),
            ("%s", vec![], "(null)"),
        ];
        for (format, values, expected) in cases {
            assert_eq!(formatted(format, &values).unwrap(), expected, "{format}");
        }
        assert_eq!(
            formatted("%d", &[text("x")]).unwrap_err().messages[0].number,
            2786
        );
        assert_eq!(
            formatted("%q", &[text("x")]).unwrap_err().messages[0].number,
            2787
        );
    }
}
