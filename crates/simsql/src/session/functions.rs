//! Functions and global variables that only the session can answer; everything else is the catalog's.

use crate::message::Message;
use crate::session::Session;
use crate::session::temporary;
use crate::value::{Decimal, Length, SYSNAME, SqlType, Value};

type Answer = Option<Result<(Value, SqlType), crate::message::Failure>>;

/// A function by its name in upper case.
pub(crate) fn call(session: &Session, name: &str, arguments: &[Value]) -> Answer {
    let caught = session.work.caught.last();
    let number = |number: Option<i64>| Some(Ok((number.into(), SqlType::Int)));
    let of_error = |part: fn(&Message) -> i64| number(caught.map(part));
    match name {
        "ERROR_NUMBER" => of_error(|message| i64::from(message.number)),
        "ERROR_SEVERITY" => of_error(|message| i64::from(message.class)),
        "ERROR_STATE" => of_error(|message| i64::from(message.state)),
        "ERROR_LINE" => of_error(|message| i64::from(message.line)),
        "ERROR_MESSAGE" => Some(Ok((
            caught.map(|message| message.text.clone()).into(),
            SqlType::NVarChar(Length::Of(4000)),
        ))),
        "ERROR_PROCEDURE" => Some(Ok((
            caught
                .filter(|message| !message.procedure.is_empty())
                .map(|message| message.procedure.clone())
                .into(),
            SYSNAME,
        ))),
        "XACT_STATE" => Some(Ok((
            Value::Integer(transaction_state(session)),
            SqlType::SmallInt,
        ))),
        "SCOPE_IDENTITY" => Some(Ok(identity(session.work.scope_identity))),
        "ROWCOUNT_BIG" => Some(Ok((
            Value::Integer(i64::try_from(session.row_count).unwrap_or(i64::MAX)),
            SqlType::BigInt,
        ))),
        "OBJECT_ID" => object_id(session, arguments),
        _ => None,
    }
}

/// 1 with an open transaction, -1 where it can only be rolled back, 0 without.
fn transaction_state(session: &Session) -> i64 {
    match (session.nesting, session.work.is_doomed) {
        (0, _) => 0,
        (_, true) => -1,
        (_, false) => 1,
    }
}

/// `OBJECT_ID` of a temporary table: a negative number while it is there, NULL else. Other objects are the catalog's.
fn object_id(session: &Session, arguments: &[Value]) -> Answer {
    let Some(Value::Text(name)) = arguments.first() else {
        return None;
    };
    let parts: Vec<String> = name
        .split('.')
        .map(|part| part.trim_matches(['[', ']', '"', ' ']).to_owned())
        .collect();
    let key = temporary::key(&parts).filter(|key| key.starts_with('#'))?;
    let place = session.work.temporary.keys().position(|known| *known == key);
    let id = place.map(|place| -1_000 - i64::try_from(place).unwrap_or(0));
    Some(Ok((id.into(), SqlType::Int)))
}

/// A global variable, with both signs, in any case.
pub(crate) fn global(session: &Session, name: &str) -> Option<(Value, SqlType)> {
    let int = |number: i64| Some((Value::Integer(number), SqlType::Int));
    match name.to_ascii_uppercase().as_str() {
        "@@ROWCOUNT" => int(i64::try_from(session.row_count).unwrap_or(i64::MAX)),
        "@@ERROR" => int(i64::from(session.last_error)),
        "@@TRANCOUNT" => int(i64::from(session.nesting)),
        "@@SPID" => Some((Value::Integer(i64::from(session.id)), SqlType::SmallInt)),
        "@@IDENTITY" => Some(identity(session.work.identity)),
        "@@NESTLEVEL" => int(i64::try_from(session.work.depth).unwrap_or(i64::MAX)),
        "@@LOCK_TIMEOUT" => int(session.lock_timeout),
        "@@DATEFIRST" => Some((
            Value::Integer(i64::from(session.work.options.date_first)),
            SqlType::TinyInt,
        )),
        "@@OPTIONS" => int(options(session)),
        "@@FETCH_STATUS" | "@@CURSOR_ROWS" => int(0),
        _ => None,
    }
}

/// The bits of `@@OPTIONS` that are kept: IMPLICIT_TRANSACTIONS 2, QUOTED_IDENTIFIER 256, NOCOUNT 512, XACT_ABORT 16384; and
/// those of ANSI behaviour, which is always on: ANSI_WARNINGS 8, ANSI_PADDING 16, ANSI_NULLS 32, ARITHABORT 64,
/// CONCAT_NULL_YIELDS_NULL 4096.
fn options(session: &Session) -> i64 {
    let options = &session.work.options;
    let bit = |is_on: bool, bit: i64| if is_on { bit } else { 0 };
    8 + 16
        + 32
        + 64
        + 4096
        + bit(options.implicit_transactions, 2)
        + bit(options.quoted_identifier, 256)
        + bit(options.nocount, 512)
        + bit(options.xact_abort, 16_384)
}

/// `numeric(38,0)`, the type of `@@IDENTITY` and `SCOPE_IDENTITY()`.
fn identity(value: Option<i64>) -> (Value, SqlType) {
    let number = value.map_or(Value::Null, |value| {
        Value::Decimal(Decimal {
            unscaled: i128::from(value),
            scale: 0,
        })
    });
    (
        number,
        SqlType::Decimal {
            precision: 38,
            scale: 0,
        },
    )
}
