//! SET: options of the session. Those that would change what a query means (ANSI_NULLS OFF and the like) are accepted and change
//! nothing.

use crate::message::Failure;
use crate::session::Session;
use crate::session::run;
use crate::tsql::statement::Word;

/// Sets an option, or several of them with commas between their names.
///
/// # Errors
/// 102 for values that are none, 2741, 2742 and 1088 for those out of range.
pub(crate) fn run(session: &mut Session, name: &str, value: &str) -> Result<(), Failure> {
    if name.contains(',') {
        return name.split(',').try_for_each(|name| run(session, name, value));
    }
    let is_on = value == "ON";
    let options = &mut session.work.options;
    match name {
        "NOCOUNT" => options.nocount = is_on,
        "XACT_ABORT" => options.xact_abort = is_on,
        "IMPLICIT_TRANSACTIONS" => options.implicit_transactions = is_on,
        "QUOTED_IDENTIFIER" => options.quoted_identifier = is_on,
        "ANSI_DEFAULTS" => {
            options.quoted_identifier = is_on;
            options.implicit_transactions = is_on;
        }
        "PARSEONLY" | "NOEXEC" => options.only_parses = is_on,
        "TRANSACTION ISOLATION LEVEL" => options.reads_uncommitted = value == "READ UNCOMMITTED",
        "LOCK_TIMEOUT" => session.lock_timeout = number(session, value)?.max(-1),
        "ROWCOUNT" => {
            let rows = number(session, value)?;
            session.work.options.row_limit = u64::try_from(rows).map_err(|_| Failure::new(1080, &[&rows]))?;
        }
        "TEXTSIZE" => drop(number(session, value)?),
        "DATEFIRST" => {
            let day = number(session, value)?;
            session.work.options.date_first = u8::try_from(day)
                .ok()
                .filter(|day| (1..=7).contains(day))
                .ok_or_else(|| Failure::new(2742, &[&day]))?;
        }
        "DEADLOCK_PRIORITY" => check_priority(value)?,
        "DATEFORMAT" => date_format(&text(session, value)?)?,
        "LANGUAGE" => language(&text(session, value)?)?,
        "IDENTITY_INSERT" => identity_insert(session, value)?,
        _ => {}
    }
    Ok(())
}

fn text(session: &Session, value: &str) -> Result<String, Failure> {
    match value.starts_with('@') {
        true => run::word(session, &Word::Variable(value.to_owned())),
        false => Ok(value.to_owned()),
    }
}

fn number(session: &Session, value: &str) -> Result<i64, Failure> {
    let text = text(session, value)?;
    text.trim().parse().map_err(|_| Failure::new(102, &[&text]))
}

/// The victim of a deadlock is whoever closes it, whatever the priorities are.
fn check_priority(value: &str) -> Result<(), Failure> {
    match value.to_ascii_uppercase().as_str() {
        "LOW" | "NORMAL" | "HIGH" => Ok(()),
        other => match other.parse() {
            Ok(-10..=10) => Ok(()),
            _ => Err(Failure::new(102, &[&other])),
        },
    }
}

/// The simulation reads dates as `mdy`; the other orders are refused where they would change what a date means.
fn date_format(value: &str) -> Result<(), Failure> {
    match value.to_ascii_lowercase().as_str() {
        "mdy" => Ok(()),
        "dmy" | "ymd" | "ydm" | "myd" | "dym" => {
            Err(Failure::new(40510, &[&format!("SET DATEFORMAT {value}")]))
        }
        _ => Err(Failure::new(2741, &[&value])),
    }
}

fn language(value: &str) -> Result<(), Failure> {
    match value.to_ascii_lowercase().as_str() {
        "us_english" | "english" => Ok(()),
        _ => Err(Failure::new(40510, &[&format!("SET LANGUAGE {value}")])),
    }
}

fn identity_insert(session: &mut Session, value: &str) -> Result<(), Failure> {
    let (switch, table) = value.split_once(' ').unwrap_or((value, ""));
    let current = &mut session.work.options.identity_insert;
    match (switch == "ON", current.as_deref()) {
        (true, Some(other)) if !other.eq_ignore_ascii_case(table) => {
            return Err(Failure::new(8107, &[&other, &table]));
        }
        (true, _) => *current = Some(table.to_owned()),
        (false, _) => *current = None,
    }
    Ok(())
}
