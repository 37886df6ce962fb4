//! File specifications: `(NAME = n, FILENAME = 'p', SIZE = 8MB, MAXSIZE = UNLIMITED, FILEGROWTH = 64MB)`.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::options::Seen;
use crate::message::Failure;
use crate::tsql::statement::FileSpecification;

/// Bytes of a page.
const PAGE: u64 = 8192;
const KIB: u64 = 1024;

/// A list of specifications.
pub(super) fn list(cursor: &mut Cursor) -> Result<Vec<FileSpecification>, Failure> {
    let mut files = vec![specification(cursor)?];
    while cursor.is_symbol(",") && matches!(cursor.token_at(1), Some(Token::LParen)) {
        cursor.advance();
        files.push(specification(cursor)?);
    }
    Ok(files)
}

/// One specification in its parentheses. A growth in percent is one of the size given here (or of SQL Server's 8 MB), once and
/// for all: the simulation's files grow by pages.
pub(super) fn specification(cursor: &mut Cursor) -> Result<FileSpecification, Failure> {
    let mut file = FileSpecification::default();
    let mut seen = Seen::new(&[]);
    let mut percent = None;
    cursor.expect_symbol("(")?;
    loop {
        let Some(name) = cursor.keyword() else {
            return Err(cursor.syntax_error());
        };
        seen.note(cursor, &name)?;
        cursor.advance();
        cursor.expect_symbol("=")?;
        match name.as_str() {
            "NAME" => file.name = cursor.text().or_else(|_| cursor.name())?,
            "FILENAME" => file.filename = Some(cursor.text()?),
            "SIZE" => file.size = Some(size(cursor)?),
            "MAXSIZE" if cursor.eat(&["UNLIMITED"]) => file.max_size = Some(u32::MAX),
            "MAXSIZE" => file.max_size = Some(size(cursor)?),
            "FILEGROWTH" if matches!(cursor.token_at(1), Some(Token::Mod)) => {
                percent = Some(cursor.number()?);
                cursor.advance();
            }
            "FILEGROWTH" => file.growth = Some(size(cursor)?),
            "NEWNAME" => return Err(cursor.failure(40510, &[&"NEWNAME"])),
            _ => {
                cursor.move_to(cursor.index() - 2);
                return Err(cursor.syntax_error());
            }
        }
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    cursor.expect_symbol(")")?;
    if let Some(percent) = percent {
        let size = u64::from(file.size.unwrap_or((8 * KIB * KIB / PAGE) as u32));
        file.growth = Some(u32::try_from(size.saturating_mul(percent).div_ceil(100)).unwrap_or(u32::MAX));
    }
    if file.name.is_empty() {
        return Err(cursor.syntax_error_at(cursor.index() - 1));
    }
    Ok(file)
}

/// A size in pages, rounded up: KB, MB (where no unit is given), GB, TB.
fn size(cursor: &mut Cursor) -> Result<u32, Failure> {
    let number = cursor.number()?;
    let unit = match cursor.keyword().as_deref() {
        Some("KB") => KIB,
        Some("MB") => KIB * KIB,
        Some("GB") => KIB * KIB * KIB,
        Some("TB") => KIB * KIB * KIB * KIB,
        None => return Ok(pages(number, KIB * KIB)),
        Some(_) => return Err(cursor.syntax_error()),
    };
    cursor.advance();
    Ok(pages(number, unit))
}

fn pages(number: u64, unit: u64) -> u32 {
    u32::try_from(number.saturating_mul(unit).div_ceil(PAGE)).unwrap_or(u32::MAX - 1)
}
