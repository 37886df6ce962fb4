//! Options of ALTER DATABASE SET, and what happens to the sessions in its way.

use super::cursor::Cursor;
use crate::engine::boot::{Protection, RecoveryModel};
use crate::message::Failure;
use crate::tsql::statement::{DatabaseOption, Termination};

/// Options that are ON or OFF, with or without `=`.
const SWITCHES: &[&str] = &[
    "ACCELERATED_DATABASE_RECOVERY",
    "ALLOW_SNAPSHOT_ISOLATION",
    "ANSI_NULLS",
    "ANSI_NULL_DEFAULT",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "AUTO_CLOSE",
    "AUTO_CREATE_STATISTICS",
    "AUTO_SHRINK",
    "AUTO_UPDATE_STATISTICS",
    "AUTO_UPDATE_STATISTICS_ASYNC",
    "CONCAT_NULL_YIELDS_NULL",
    "CURSOR_CLOSE_ON_COMMIT",
    "DATE_CORRELATION_OPTIMIZATION",
    "DB_CHAINING",
    "ENCRYPTION",
    "HONOR_BROKER_PRIORITY",
    "MEMORY_OPTIMIZED_ELEVATE_TO_SNAPSHOT",
    "MIXED_PAGE_ALLOCATION",
    "NESTED_TRIGGERS",
    "NUMERIC_ROUNDABORT",
    "OPTIMIZED_LOCKING",
    "QUOTED_IDENTIFIER",
    "READ_COMMITTED_SNAPSHOT",
    "RECURSIVE_TRIGGERS",
    "TEMPORAL_HISTORY_RETENTION",
    "TRANSFORM_NOISE_WORDS",
    "TRUSTWORTHY",
];

/// Options of a single word that are kept as text.
const WORDS: &[&str] = &[
    "DISABLE_BROKER",
    "ENABLE_BROKER",
    "ERROR_BROKER_CONVERSATIONS",
    "NEW_BROKER",
];

/// Options with a value of which nothing is kept but the text.
const WITH_VALUE: &[&str] = &[
    "CATALOG_COLLATION",
    "CURSOR_DEFAULT",
    "DEFAULT_FULLTEXT_LANGUAGE",
    "DEFAULT_LANGUAGE",
    "DELAYED_DURABILITY",
    "PARAMETERIZATION",
    "TARGET_RECOVERY_TIME",
    "TWO_DIGIT_YEAR_CUTOFF",
];

/// Options that belong to what is not simulated.
const ABSENT: &[&str] = &[
    "AUTOMATIC_TUNING",
    "CHANGE_TRACKING",
    "CONTAINMENT",
    "FILESTREAM",
    "HADR",
    "LEDGER",
    "PARTNER",
    "PERSISTENT_LOG_BUFFER",
    "QUERY_STORE",
    "REMOTE_DATA_ARCHIVE",
    "SUSPEND_FOR_SNAPSHOT_BACKUP",
    "WITNESS",
];

/// Options, one at least.
pub(super) fn list(cursor: &mut Cursor) -> Result<Vec<DatabaseOption>, Failure> {
    let mut options = vec![option(cursor)?];
    while cursor.eat_symbol(",") {
        options.push(option(cursor)?);
    }
    Ok(options)
}

fn option(cursor: &mut Cursor) -> Result<DatabaseOption, Failure> {
    let Some(name) = cursor.keyword() else {
        return Err(cursor.syntax_error());
    };
    if ABSENT.contains(&name.as_str()) {
        return Err(cursor.failure(40510, &[&name]));
    }
    let place = cursor.index();
    cursor.advance();
    Ok(match name.as_str() {
        "SINGLE_USER" => DatabaseOption::SingleUser,
        "RESTRICTED_USER" => DatabaseOption::RestrictedUser,
        "MULTI_USER" => DatabaseOption::MultiUser,
        "READ_ONLY" | "READ_WRITE" => DatabaseOption::ReadOnly(name == "READ_ONLY"),
        "ONLINE" => DatabaseOption::Online,
        "OFFLINE" => DatabaseOption::Offline,
        "EMERGENCY" => DatabaseOption::Emergency,
        "RECOVERY" => DatabaseOption::Recovery(recovery_model(cursor)?),
        "PAGE_VERIFY" => DatabaseOption::PageVerify(protection(cursor)?),
        "TORN_PAGE_DETECTION" => DatabaseOption::PageVerify(match switch(cursor)? {
            true => Protection::Torn,
            false => Protection::None,
        }),
        "COMPATIBILITY_LEVEL" => DatabaseOption::CompatibilityLevel(compatibility_level(cursor)?),
        other if SWITCHES.contains(&other) => {
            let is_on = switch(cursor)?;
            skip_parentheses(cursor)?;
            DatabaseOption::Switch(name, is_on)
        }
        other if WORDS.contains(&other) => DatabaseOption::Other(name),
        other if WITH_VALUE.contains(&other) => DatabaseOption::Other(value(cursor, &name)?),
        _ => return Err(cursor.syntax_error_at(place)),
    })
}

fn recovery_model(cursor: &mut Cursor) -> Result<RecoveryModel, Failure> {
    let model = match cursor.keyword().as_deref() {
        Some("FULL") => RecoveryModel::Full,
        Some("BULK_LOGGED") => RecoveryModel::BulkLogged,
        Some("SIMPLE") => RecoveryModel::Simple,
        _ => return Err(cursor.syntax_error()),
    };
    cursor.advance();
    Ok(model)
}

fn protection(cursor: &mut Cursor) -> Result<Protection, Failure> {
    let protection = match cursor.keyword().as_deref() {
        Some("CHECKSUM") => Protection::Checksum,
        Some("TORN_PAGE_DETECTION") => Protection::Torn,
        Some("NONE") => Protection::None,
        _ => return Err(cursor.syntax_error()),
    };
    cursor.advance();
    Ok(protection)
}

fn compatibility_level(cursor: &mut Cursor) -> Result<u8, Failure> {
    cursor.expect_symbol("=")?;
    let level = cursor.number()?;
    match u8::try_from(level) {
        Ok(level) if (100..=170).contains(&level) && level % 10 == 0 => Ok(level),
        _ => Err(cursor.failure(15048, &[])),
    }
}

fn switch(cursor: &mut Cursor) -> Result<bool, Failure> {
    cursor.eat_symbol("=");
    let is_on = cursor.is("ON");
    match is_on || cursor.is("OFF") {
        true => cursor.advance(),
        false => return Err(cursor.syntax_error()),
    }
    Ok(is_on)
}

/// `(INCREMENTAL = ON)` and the like, which change nothing.
fn skip_parentheses(cursor: &mut Cursor) -> Result<(), Failure> {
    if cursor.eat_symbol("(") {
        while !cursor.eat_symbol(")") {
            if cursor.is_at_end() {
                return Err(cursor.syntax_error());
            }
            cursor.advance();
        }
    }
    Ok(())
}

/// `name = value [unit]` or `name value`, as text.
fn value(cursor: &mut Cursor, name: &str) -> Result<String, Failure> {
    let equals = if cursor.eat_symbol("=") { " =" } else { "" };
    let mut text = format!("{name}{equals}");
    let parts = if name == "TARGET_RECOVERY_TIME" { 2 } else { 1 };
    for _ in 0..parts {
        let Some(token) = cursor.token() else {
            return Err(cursor.syntax_error());
        };
        text.push(' ');
        text.push_str(&token.to_string());
        cursor.advance();
    }
    Ok(text)
}

/// WITH ROLLBACK AFTER, ROLLBACK IMMEDIATE, NO_WAIT.
pub(super) fn termination(cursor: &mut Cursor) -> Result<Termination, Failure> {
    if !cursor.eat(&["WITH"]) {
        return Ok(Termination::None);
    }
    if cursor.eat(&["NO_WAIT"]) {
        return Ok(Termination::NoWait);
    }
    cursor.expect("ROLLBACK")?;
    if cursor.eat(&["IMMEDIATE"]) {
        return Ok(Termination::Immediate);
    }
    cursor.expect("AFTER")?;
    let seconds = cursor.number()?;
    cursor.eat(&["SECONDS"]);
    Ok(match u32::try_from(seconds).unwrap_or(u32::MAX) {
        0 => Termination::Immediate,
        seconds => Termination::After(seconds),
    })
}
