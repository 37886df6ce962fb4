//! BACKUP DATABASE and BACKUP LOG.

use super::cursor::Cursor;
use super::devices;
use super::options::{self, Seen};
use crate::message::Failure;
use crate::tsql::backup::{BackupOptions, BackupStatement, BackupWhat, Encryption};
use crate::tsql::statement::{Statement, Word};

/// Options of which a backup takes at most one.
const EXCLUSIVE: &[&[&str]] = &[
    &["COMPRESSION", "NO_COMPRESSION"],
    &["CHECKSUM", "NO_CHECKSUM"],
    &["STOP_ON_ERROR", "CONTINUE_AFTER_ERROR"],
    &["FORMAT", "NOFORMAT"],
    &["INIT", "NOINIT"],
    &["FORMAT", "NOINIT"],
    &["SKIP", "NOSKIP"],
    &["EXPIREDATE", "RETAINDAYS"],
    &["NORECOVERY", "STANDBY"],
];

/// What BACKUP LOG alone takes, and what it does not take.
const LOG_ONLY: &[&str] = &["NORECOVERY", "STANDBY", "NO_TRUNCATE"];
const DATA_ONLY: &[&str] = &["DIFFERENTIAL", "FILE_SNAPSHOT", "METADATA_ONLY", "SNAPSHOT"];

/// Options that change nothing here: how tapes are handled, and the defaults.
const WITHOUT_EFFECT: &[&str] = &["STOP_ON_ERROR", "REWIND", "NOREWIND", "UNLOAD", "NOUNLOAD"];

/// BACKUP.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let begin = cursor.index();
    cursor.advance();
    let what = match cursor.keyword().as_deref() {
        Some("DATABASE") => BackupWhat::Database,
        Some("LOG" | "TRAN" | "TRANSACTION") => BackupWhat::Log,
        Some(other @ ("CERTIFICATE" | "MASTER" | "SERVICE" | "SERVER" | "GROUP" | "SYMMETRIC")) => {
            let words = format!("BACKUP {other}");
            return Err(cursor.failure(40510, &[&words]));
        }
        _ => return Err(cursor.syntax_error()),
    };
    cursor.advance();
    let database = cursor.name_or_variable()?;
    let mut backup = BackupStatement {
        what,
        database,
        files: Vec::new(),
        filegroups: Vec::new(),
        read_write_filegroups: false,
        devices: Vec::new(),
        mirrors: Vec::new(),
        options: BackupOptions::default(),
    };
    files(cursor, &mut backup)?;
    cursor.expect("TO")?;
    backup.devices = devices::list(cursor)?;
    while cursor.eat(&["MIRROR", "TO"]) {
        backup.mirrors.push(devices::list(cursor)?);
    }
    if backup
        .mirrors
        .iter()
        .any(|mirror| mirror.len() != backup.devices.len())
        || backup.mirrors.len() > 3
    {
        return Err(cursor.failure(3010, &[]));
    }
    let mut seen = Seen::new(EXCLUSIVE);
    if cursor.eat(&["WITH"]) {
        loop {
            option(cursor, &mut backup.options, &mut seen)?;
            if !cursor.eat_symbol(",") {
                break;
            }
        }
    }
    check(cursor, begin, &mut backup, &seen)?;
    Ok(Statement::Backup(Box::new(backup)))
}

/// FILE =, FILEGROUP =, READ_WRITE_FILEGROUPS: singly, in parentheses, or as a list of each.
fn files(cursor: &mut Cursor, backup: &mut BackupStatement) -> Result<(), Failure> {
    if cursor.is("TO") {
        return Ok(());
    }
    loop {
        if cursor.eat(&["READ_WRITE_FILEGROUPS"]) {
            backup.read_write_filegroups = true;
        } else {
            let list = match cursor.keyword().as_deref() {
                Some("FILE") => &mut backup.files,
                Some("FILEGROUP") => &mut backup.filegroups,
                _ => return Err(cursor.syntax_error()),
            };
            cursor.advance();
            cursor.expect_symbol("=")?;
            list.extend(names(cursor)?);
        }
        if !cursor.eat_symbol(",") {
            return Ok(());
        }
    }
}

/// A logical name, or several in parentheses.
pub(super) fn names(cursor: &mut Cursor) -> Result<Vec<Word>, Failure> {
    if !cursor.eat_symbol("(") {
        return Ok(vec![logical_name(cursor)?]);
    }
    let mut names = vec![logical_name(cursor)?];
    while cursor.eat_symbol(",") {
        names.push(logical_name(cursor)?);
    }
    cursor.expect_symbol(")")?;
    Ok(names)
}

fn logical_name(cursor: &mut Cursor) -> Result<Word, Failure> {
    match cursor.token() {
        Some(sqlparser::tokenizer::Token::Word(_)) => cursor.name_or_variable(),
        _ => cursor.text().map(Word::Literal),
    }
}

fn option(cursor: &mut Cursor, options: &mut BackupOptions, seen: &mut Seen) -> Result<(), Failure> {
    let Some(name) = cursor.keyword() else {
        return Err(cursor.syntax_error());
    };
    let name = match name.as_str() {
        "MEDIAPASSWORD" | "PASSWORD" => return Err(cursor.failure(3032, &[&name.to_lowercase()])),
        "SNAPSHOT" => "METADATA_ONLY".to_owned(),
        _ => name,
    };
    seen.note(cursor, &name)?;
    if text_option(cursor, options, &name)? || number_option(cursor, options, &name)? {
        return Ok(());
    }
    match name.as_str() {
        "DIFFERENTIAL" => options.differential = true,
        "COPY_ONLY" => options.copy_only = true,
        "COMPRESSION" | "NO_COMPRESSION" => options.compression = Some(name == "COMPRESSION"),
        "CHECKSUM" | "NO_CHECKSUM" => options.checksum = Some(name == "CHECKSUM"),
        "CONTINUE_AFTER_ERROR" => options.continue_after_error = true,
        "FORMAT" | "NOFORMAT" => options.format = Some(name == "FORMAT"),
        "INIT" | "NOINIT" => options.init = Some(name == "INIT"),
        "SKIP" | "NOSKIP" => options.skip = Some(name == "SKIP"),
        "NORECOVERY" => options.norecovery = true,
        "NO_TRUNCATE" => options.no_truncate = true,
        "FILE_SNAPSHOT" | "METADATA_ONLY" => options.snapshot = true,
        "ENCRYPTION" => {
            cursor.advance();
            options.encryption = Some(encryption(cursor)?);
            return Ok(());
        }
        _ if WITHOUT_EFFECT.contains(&name.as_str()) => {}
        _ => return Err(cursor.failure(155, &[&name, &"BACKUP"])),
    }
    cursor.advance();
    if name == "COMPRESSION" && cursor.is_symbol("(") {
        options.compression_algorithm = Some(algorithm(cursor)?);
    }
    Ok(())
}

/// Options whose value is a text.
fn text_option(cursor: &mut Cursor, options: &mut BackupOptions, name: &str) -> Result<bool, Failure> {
    let target = match name {
        "NAME" => &mut options.name,
        "DESCRIPTION" => &mut options.description,
        "MEDIANAME" => &mut options.media_name,
        "MEDIADESCRIPTION" => &mut options.media_description,
        "CREDENTIAL" => &mut options.credential,
        "EXPIREDATE" => &mut options.expire_date,
        "STANDBY" => &mut options.standby,
        _ => return Ok(false),
    };
    cursor.advance();
    cursor.expect_symbol("=")?;
    *target = Some(cursor.text_or_variable()?);
    Ok(true)
}

/// Options whose value is a number.
fn number_option(cursor: &mut Cursor, options: &mut BackupOptions, name: &str) -> Result<bool, Failure> {
    let target = match name {
        "STATS" => {
            cursor.advance();
            options.stats = Some(options::stats(cursor)?);
            return Ok(true);
        }
        "RETAINDAYS" => {
            cursor.advance();
            let days = options::equal_number(cursor)?;
            options.retain_days = Some(u32::try_from(days).unwrap_or(u32::MAX));
            return Ok(true);
        }
        "BLOCKSIZE" => &mut options.block_size,
        "MAXTRANSFERSIZE" => &mut options.max_transfer_size,
        "BUFFERCOUNT" => &mut options.buffer_count,
        _ => return Ok(false),
    };
    cursor.advance();
    *target = Some(options::equal_number(cursor)?);
    Ok(true)
}

/// `(ALGORITHM = name [, LEVEL = level])` of COMPRESSION.
fn algorithm(cursor: &mut Cursor) -> Result<String, Failure> {
    cursor.expect_symbol("(")?;
    cursor.expect("ALGORITHM")?;
    cursor.expect_symbol("=")?;
    let algorithm = cursor.name()?.to_ascii_uppercase();
    if cursor.eat_symbol(",") {
        cursor.expect("LEVEL")?;
        cursor.expect_symbol("=")?;
        if !cursor.eat_any(&["LOW", "MEDIUM", "HIGH"]) {
            return Err(cursor.syntax_error());
        }
    }
    cursor.expect_symbol(")")?;
    Ok(algorithm)
}

/// `(ALGORITHM = name, SERVER CERTIFICATE = name)`.
fn encryption(cursor: &mut Cursor) -> Result<Encryption, Failure> {
    cursor.expect_symbol("(")?;
    cursor.expect("ALGORITHM")?;
    cursor.expect_symbol("=")?;
    let algorithm = cursor.keyword().unwrap_or_default();
    if !["AES_128", "AES_192", "AES_256", "TRIPLE_DES_3KEY"].contains(&algorithm.as_str()) {
        return Err(cursor.syntax_error());
    }
    cursor.advance();
    cursor.expect_symbol(",")?;
    cursor.expect("SERVER")?;
    let is_key = cursor.eat(&["ASYMMETRIC", "KEY"]);
    if !is_key {
        cursor.expect("CERTIFICATE")?;
    }
    cursor.expect_symbol("=")?;
    let encryptor = cursor.name()?;
    cursor.expect_symbol(")")?;
    Ok(Encryption {
        algorithm,
        encryptor,
        is_key,
    })
}

/// What only the whole statement shows. COPY_ONLY is passed over with DIFFERENTIAL, as documented.
fn check(cursor: &Cursor, begin: usize, backup: &mut BackupStatement, seen: &Seen) -> Result<(), Failure> {
    let refused = match backup.what {
        BackupWhat::Database => seen.among(LOG_ONLY),
        BackupWhat::Log => seen.among(DATA_ONLY),
    };
    if !refused.is_empty() {
        return Err(cursor.failure_at(begin, 3032, &[&refused.join(", ")]));
    }
    let has_files = !backup.files.is_empty() || !backup.filegroups.is_empty() || backup.read_write_filegroups;
    if backup.what == BackupWhat::Log && has_files {
        return Err(cursor.failure_at(begin, 3032, &[&"file, filegroup"]));
    }
    if backup.options.differential {
        backup.options.copy_only = false;
    }
    if backup.options.format == Some(true) {
        backup.options.skip = Some(true);
    }
    Ok(())
}
