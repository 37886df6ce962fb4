//! RESTORE in all forms.

use super::backup::names;
use super::cursor::Cursor;
use super::devices;
use super::options::{self, Seen};
use crate::message::Failure;
use crate::tsql::restore::{RestoreOptions, RestoreStatement, RestoreWhat, StopOption};
use crate::tsql::statement::{Statement, Word};

/// Options of which a restore takes at most one.
const EXCLUSIVE: &[&[&str]] = &[
    &["RECOVERY", "NORECOVERY", "STANDBY"],
    &["CHECKSUM", "NO_CHECKSUM"],
    &["STOP_ON_ERROR", "CONTINUE_AFTER_ERROR"],
    &["STOPAT", "STOPATMARK", "STOPBEFOREMARK"],
    &["NORECOVERY", "KEEP_REPLICATION"],
    &["NORECOVERY", "KEEP_CDC"],
    &[
        "NORECOVERY",
        "ENABLE_BROKER",
        "NEW_BROKER",
        "ERROR_BROKER_CONVERSATIONS",
    ],
    &["STANDBY", "KEEP_REPLICATION"],
    &["STANDBY", "KEEP_CDC"],
];

/// Options that change nothing here: how tapes are handled, and the defaults.
const WITHOUT_EFFECT: &[&str] = &["STOP_ON_ERROR", "REWIND", "NOREWIND", "UNLOAD", "NOUNLOAD"];

/// Options kept as they are written.
const OTHERS: &[&str] = &[
    "KEEP_REPLICATION",
    "KEEP_CDC",
    "ENABLE_BROKER",
    "NEW_BROKER",
    "ERROR_BROKER_CONVERSATIONS",
];

/// What the forms that only look at the media take.
const LOOKING: &[&str] = &[
    "FILE",
    "CREDENTIAL",
    "MEDIANAME",
    "CHECKSUM",
    "NO_CHECKSUM",
    "CONTINUE_AFTER_ERROR",
    "STOP_ON_ERROR",
    "BLOCKSIZE",
    "MAXTRANSFERSIZE",
    "BUFFERCOUNT",
    "STATS",
    "REWIND",
    "NOREWIND",
    "UNLOAD",
    "NOUNLOAD",
];

/// RESTORE.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let begin = cursor.index();
    cursor.advance();
    let what = match cursor.keyword().as_deref() {
        Some("DATABASE") => RestoreWhat::Database,
        Some("LOG" | "TRAN" | "TRANSACTION") => RestoreWhat::Log,
        Some("HEADERONLY") => RestoreWhat::HeaderOnly,
        Some("FILELISTONLY") => RestoreWhat::FileListOnly,
        Some("LABELONLY") => RestoreWhat::LabelOnly,
        Some("VERIFYONLY") => RestoreWhat::VerifyOnly,
        Some(other @ ("REWINDONLY" | "MASTER" | "SERVICE" | "SYMMETRIC")) => {
            let words = format!("RESTORE {other}");
            return Err(cursor.failure(40510, &[&words]));
        }
        _ => return Err(cursor.syntax_error()),
    };
    cursor.advance();
    let mut restore = RestoreStatement {
        what,
        database: None,
        files: Vec::new(),
        pages: None,
        devices: Vec::new(),
        snapshot: None,
        options: RestoreOptions::default(),
    };
    let acts = matches!(what, RestoreWhat::Database | RestoreWhat::Log);
    if acts {
        restore.database = Some(cursor.name_or_variable()?);
        parts(cursor, &mut restore)?;
    }
    source(cursor, &mut restore)?;
    let mut seen = Seen::new(EXCLUSIVE);
    if cursor.eat(&["WITH"]) {
        loop {
            option(cursor, &mut restore.options, &mut seen)?;
            if !cursor.eat_symbol(",") {
                break;
            }
        }
    }
    check(cursor, begin, &restore, &seen)?;
    Ok(Statement::Restore(Box::new(restore)))
}

/// FROM: devices, a snapshot, or nothing at all.
fn source(cursor: &mut Cursor, restore: &mut RestoreStatement) -> Result<(), Failure> {
    let acts = restore.database.is_some();
    if !cursor.eat(&["FROM"]) {
        return match acts {
            true => Ok(()),
            false => Err(cursor.syntax_error()),
        };
    }
    if acts && cursor.is("DATABASE_SNAPSHOT") {
        cursor.advance();
        cursor.expect_symbol("=")?;
        restore.snapshot = Some(match cursor.is_at_variable() {
            true => cursor.variable().map(Word::Variable)?,
            false => Word::Literal(cursor.name().or_else(|_| cursor.text())?),
        });
    } else {
        restore.devices = devices::list(cursor)?;
    }
    Ok(())
}

/// FILE =, FILEGROUP =, PAGE = behind the name.
fn parts(cursor: &mut Cursor, restore: &mut RestoreStatement) -> Result<(), Failure> {
    while let Some(kind @ ("FILE" | "FILEGROUP" | "PAGE" | "READ_WRITE_FILEGROUPS")) =
        cursor.keyword().as_deref()
    {
        let is_page = kind == "PAGE";
        let is_flag = kind == "READ_WRITE_FILEGROUPS";
        cursor.advance();
        if !is_flag {
            cursor.expect_symbol("=")?;
            if is_page {
                restore.pages = Some(cursor.text_or_variable()?);
            } else {
                restore.files.extend(names(cursor)?);
            }
        }
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    Ok(())
}

fn option(cursor: &mut Cursor, options: &mut RestoreOptions, seen: &mut Seen) -> Result<(), Failure> {
    let Some(name) = cursor.keyword() else {
        return Err(cursor.syntax_error());
    };
    if name == "MOVE" {
        cursor.advance();
        let logical = cursor.text_or_variable()?;
        cursor.expect("TO")?;
        options.moves.push((logical, cursor.text_or_variable()?));
        return Ok(());
    }
    if name.ends_with("PASSWORD") {
        return Err(cursor.failure(3032, &[&name.to_lowercase()]));
    }
    seen.note(cursor, &name)?;
    if value_option(cursor, options, &name)? || stop_option(cursor, options, &name)? {
        return Ok(());
    }
    match name.as_str() {
        "RECOVERY" => options.recovery = true,
        "NORECOVERY" => options.norecovery = true,
        "REPLACE" => options.replace = true,
        "RESTART" => options.restart = true,
        "RESTRICTED_USER" => options.restricted_user = true,
        "PARTIAL" => options.partial = true,
        "CHECKSUM" | "NO_CHECKSUM" => options.checksum = Some(name == "CHECKSUM"),
        "CONTINUE_AFTER_ERROR" => options.continue_after_error = true,
        "LOADHISTORY" => options.load_history = true,
        _ if OTHERS.contains(&name.as_str()) => options.others.push(name),
        _ if WITHOUT_EFFECT.contains(&name.as_str()) => {}
        _ => return Err(cursor.failure(155, &[&name, &"RESTORE"])),
    }
    cursor.advance();
    Ok(())
}

/// Options with a value.
fn value_option(cursor: &mut Cursor, options: &mut RestoreOptions, name: &str) -> Result<bool, Failure> {
    let text = match name {
        "STANDBY" => &mut options.standby,
        "CREDENTIAL" => &mut options.credential,
        "MEDIANAME" => &mut options.media_name,
        "FILE" => {
            cursor.advance();
            cursor.expect_symbol("=")?;
            options.file = Some(match cursor.is_at_variable() {
                true => cursor.variable().map(Word::Variable)?,
                false => Word::Literal(cursor.number()?.to_string()),
            });
            return Ok(true);
        }
        "STATS" => {
            cursor.advance();
            options.stats = Some(options::stats(cursor)?);
            return Ok(true);
        }
        "BLOCKSIZE" | "MAXTRANSFERSIZE" | "BUFFERCOUNT" => {
            cursor.advance();
            let number = Some(options::equal_number(cursor)?);
            match name {
                "BLOCKSIZE" => options.block_size = number,
                "MAXTRANSFERSIZE" => options.max_transfer_size = number,
                _ => options.buffer_count = number,
            }
            return Ok(true);
        }
        _ => return Ok(false),
    };
    cursor.advance();
    cursor.expect_symbol("=")?;
    *text = Some(cursor.text_or_variable()?);
    Ok(true)
}

/// STOPAT, STOPATMARK, STOPBEFOREMARK.
fn stop_option(cursor: &mut Cursor, options: &mut RestoreOptions, name: &str) -> Result<bool, Failure> {
    if !matches!(name, "STOPAT" | "STOPATMARK" | "STOPBEFOREMARK") {
        return Ok(false);
    }
    cursor.advance();
    cursor.expect_symbol("=")?;
    let stop = cursor.text_or_variable()?;
    let after = match name != "STOPAT" && cursor.eat(&["AFTER"]) {
        true => Some(cursor.text_or_variable()?),
        false => None,
    };
    options.stop = Some(match name {
        "STOPAT" => StopOption::At(stop),
        "STOPATMARK" => StopOption::AtMark(stop, after),
        _ => StopOption::BeforeMark(stop, after),
    });
    Ok(true)
}

/// What only the whole statement shows.
fn check(cursor: &Cursor, begin: usize, restore: &RestoreStatement, seen: &Seen) -> Result<(), Failure> {
    let options = &restore.options;
    let mut refused = match restore.what {
        RestoreWhat::Database => seen.among(&["LOADHISTORY"]),
        RestoreWhat::Log => seen.among(&["PARTIAL", "LOADHISTORY"]),
        RestoreWhat::VerifyOnly => seen.except(LOOKING, &["LOADHISTORY"]),
        RestoreWhat::HeaderOnly | RestoreWhat::FileListOnly | RestoreWhat::LabelOnly => {
            let mut refused = seen.except(LOOKING, &[]);
            if !options.moves.is_empty() {
                refused.push("move".to_owned());
            }
            refused
        }
    };
    if restore.database.is_some() && restore.devices.is_empty() {
        refused.extend(seen.except(
            &["RECOVERY", "NORECOVERY", "STANDBY", "RESTRICTED_USER"],
            &[
                "KEEP_REPLICATION",
                "KEEP_CDC",
                "ENABLE_BROKER",
                "NEW_BROKER",
                "ERROR_BROKER_CONVERSATIONS",
            ],
        ));
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(cursor.failure_at(begin, 3032, &[&refused.join(", ")]))
    }
}
