//! Backup devices: DISK, URL, TAPE, and logical names.

use super::cursor::Cursor;
use crate::message::Failure;
use crate::tsql::device::DeviceName;
use crate::tsql::statement::Word;

/// Devices of a media set at most.
const DEVICES_MAX: usize = 64;

/// A list of devices.
///
/// # Errors
/// 3205 where there are too many, 3011 where they are of different classes.
pub(super) fn list(cursor: &mut Cursor) -> Result<Vec<DeviceName>, Failure> {
    let mut devices = vec![device(cursor)?];
    while cursor.eat_symbol(",") {
        devices.push(device(cursor)?);
    }
    if devices.len() > DEVICES_MAX {
        return Err(cursor.failure(3205, &[&DEVICES_MAX]));
    }
    if devices.iter().any(|device| class(device) != class(&devices[0])) {
        return Err(cursor.failure(3011, &[]));
    }
    Ok(devices)
}

fn device(cursor: &mut Cursor) -> Result<DeviceName, Failure> {
    let kind: fn(Word) -> DeviceName = match cursor.keyword().as_deref() {
        Some("DISK") => DeviceName::Disk,
        Some("URL") => DeviceName::Url,
        Some("TAPE") => DeviceName::Tape,
        Some("DATABASE_SNAPSHOT" | "VIRTUAL_DEVICE") => {
            return Err(cursor.failure(40510, &[&"virtual devices"]));
        }
        _ => return logical(cursor),
    };
    if !matches!(cursor.token_at(1), Some(sqlparser::tokenizer::Token::Eq)) {
        return logical(cursor);
    }
    cursor.advance();
    cursor.advance();
    cursor.text_or_variable().map(kind)
}

/// A device's name, as a name or in a variable.
fn logical(cursor: &mut Cursor) -> Result<DeviceName, Failure> {
    Ok(DeviceName::Logical(match cursor.name_or_variable()? {
        Word::Literal(name) | Word::Variable(name) => name,
    }))
}

/// A logical device may be of any class: what it is shows when the statement runs.
fn class(device: &DeviceName) -> u8 {
    match device {
        DeviceName::Url(_) => 1,
        DeviceName::Tape(_) => 2,
        DeviceName::Disk(_) | DeviceName::Logical(_) => 0,
    }
}
