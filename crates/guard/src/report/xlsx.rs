//! Rows as an Excel workbook: sheet "Locked blobs" with typed columns, sheet "Summary".
//!
//! Texts are written as texts and never guessed at: no name of a blob becomes a formula, a number or a link. Failures
//! are rows like any other, in red. The same rows give the same bytes: the one time in the document is the caller's.
//! Deliberately absent: macros, charts, formulas.

mod summary;

use azblob::time::UnixMillis;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

use super::column::{COLUMNS, COUNT, Cell, Column};
use super::heading::Heading;
use super::outcome::Summary;
use super::row::Row;

/// Rows of a sheet, the header included ("Excel specifications and limits").
const SHEET_ROWS_MAX: usize = 1_048_576;
/// Characters of a cell, in UTF-16 code units (same source).
const CELL_MAX: usize = 32_767;
/// The serial number of 1970-01-01: 25,567 days after 1900-01-01, which is 1, and one more for 1900-02-29, which Excel
/// believes in.
const UNIX_EPOCH_SERIAL: f64 = 25_569.0;
/// Serial numbers below it, 1900-03-01, mean different days to different programs.
const FIRST_SURE_SERIAL: f64 = 61.0;
const DAY_MS: f64 = 86_400_000.0;

/// The columns of the sheet, what people look for first: the blob, what was done and why, then the rest.
const ORDER: [&str; COUNT] = [
    "container",
    "blob",
    "action",
    "reason",
    "holder",
    "activity",
    "quietSeconds",
    "databaseName",
    "serverName",
    "backupType",
    "backupStartDate",
    "complete",
    "kind",
    "size",
    "uncommittedBlocks",
    "uncommittedBytes",
    "lastModified",
    "ageSeconds",
    "created",
    "leaseState",
    "leaseDuration",
    "evidence",
    "content",
    "quietSince",
    "connections",
    "ruling",
    "time",
    "account",
    "detail",
];

/// A workbook that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the workbook could not be made: {0}")]
pub struct WorkbookError(#[from] XlsxError);

/// The workbook, as the bytes of an .xlsx file. Beyond 1,048,575 rows it goes on in "Locked blobs 2" and so on; a text
/// beyond 32,767 characters is cut and says so.
///
/// # Errors
/// [`WorkbookError`] where the library refuses, which it does for no rows that [`Row::of`] makes.
pub fn xlsx(rows: &[Row], summary: &Summary, heading: &Heading) -> Result<Vec<u8>, WorkbookError> {
    workbook(rows, summary, heading, SHEET_ROWS_MAX - 1)
}

fn workbook(
    rows: &[Row],
    summary: &Summary,
    heading: &Heading,
    rows_a_sheet: usize,
) -> Result<Vec<u8>, WorkbookError> {
    let mut workbook = Workbook::new();
    let properties = DocProperties::new()
        .set_title("Locked blobs")
        .set_subject(&heading.account)
        .set_author("bac2")
        .set_creation_datetime(&ExcelDateTime::from_timestamp(heading.at.0.div_euclid(1000))?);
    workbook.set_properties(&properties);
    let styles = Styles::new();
    let sheets = rows.len().div_ceil(rows_a_sheet).max(1);
    for number in 0..sheets {
        let from = number * rows_a_sheet;
        let rows = &rows[from..rows.len().min(from + rows_a_sheet)];
        let sheet = workbook.add_worksheet();
        sheet.set_name(match number {
            0 => "Locked blobs".to_owned(),
            _ => format!("Locked blobs {}", number + 1),
        })?;
        list(sheet, rows, &styles)?;
    }
    let sheet = workbook.add_worksheet();
    sheet.set_name("Summary")?;
    summary::write(sheet, rows, summary, heading, &styles)?;
    Ok(workbook.save_to_buffer()?)
}

/// How cells look.
struct Styles {
    header: Format,
    label: Format,
    number: Format,
    moment: Format,
    wrapped: Format,
    failure: Format,
}

impl Styles {
    fn new() -> Self {
        let header = Format::new()
            .set_bold()
            .set_text_wrap()
            .set_align(FormatAlign::Top)
            .set_border_bottom(FormatBorder::Thin);
        Self {
            header,
            label: Format::new().set_bold().set_align(FormatAlign::Top),
            number: Format::new().set_num_format("#,##0").set_align(FormatAlign::Left),
            moment: Format::new()
                .set_num_format("yyyy-mm-dd hh:mm:ss")
                .set_align(FormatAlign::Left),
            wrapped: Format::new().set_text_wrap().set_align(FormatAlign::Top),
            failure: Format::new()
                .set_bold()
                .set_font_color("#9C0006")
                .set_background_color("#FFC7CE"),
        }
    }
}

/// One sheet of rows.
fn list(sheet: &mut Worksheet, rows: &[Row], styles: &Styles) -> Result<(), XlsxError> {
    let columns: Vec<&Column> = ORDER
        .iter()
        .filter_map(|key| COLUMNS.iter().find(|column| column.key == *key))
        .collect();
    let plain_number = Format::new().set_num_format("#,##0");
    let plain_moment = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    for (at, column) in (0_u16..).zip(&columns) {
        sheet.set_column_width(at, column.width)?;
        sheet.write_string_with_format(0, at, column.title, &styles.header)?;
    }
    for (line, row) in (1_u32..).zip(rows) {
        let failed = matches!(row.action, "failed" | "brokenNotDeleted");
        for (at, column) in (0_u16..).zip(&columns) {
            match (column.of)(row) {
                Cell::Nothing => {}
                Cell::Text(text) if failed && matches!(column.key, "action" | "reason" | "detail") => {
                    sheet.write_string_with_format(line, at, cut(text), &styles.failure)?;
                }
                Cell::Text(text) => {
                    sheet.write_string(line, at, cut(text))?;
                }
                Cell::Number(number) => {
                    sheet.write_number_with_format(line, at, number as f64, &plain_number)?;
                }
                Cell::Moment(text) => write_moment(sheet, line, at, text, text, &plain_moment)?,
                Cell::LocalMoment(text) => {
                    write_moment(sheet, line, at, text, &format!("{text}Z"), &plain_moment)?;
                }
                Cell::Truth(truth) => {
                    sheet.write_boolean(line, at, truth)?;
                }
            }
        }
    }
    let last = u32::try_from(rows.len()).expect("at most as many rows as a sheet has");
    let last_column = u16::try_from(columns.len() - 1).expect("a few columns");
    sheet.autofilter(0, 0, last, last_column)?;
    // The header, and the names of container and blob.
    sheet.set_freeze_panes(1, 2)?;
    sheet.set_landscape();
    sheet.set_repeat_rows(0, 0)?;
    sheet.set_print_fit_to_pages(1, 0);
    Ok(())
}

/// A date where Excel has one for this moment, else the text.
fn write_moment(
    sheet: &mut Worksheet,
    line: u32,
    at: u16,
    text: &str,
    iso: &str,
    format: &Format,
) -> Result<(), XlsxError> {
    match UnixMillis::parse_iso(iso).map(moment) {
        Some(Ok(date)) => sheet.write_datetime_with_format(line, at, &date, format)?,
        Some(Err(_)) | None => sheet.write_string(line, at, text)?,
    };
    Ok(())
}

/// The moment as Excel counts: days since 1899-12-30, in UTC.
fn moment(at: UnixMillis) -> Result<ExcelDateTime, XlsxError> {
    let serial = at.0 as f64 / DAY_MS + UNIX_EPOCH_SERIAL;
    if serial < FIRST_SURE_SERIAL {
        return Err(XlsxError::DateTimeRangeError("before 1900-03-01".to_owned()));
    }
    ExcelDateTime::from_serial_datetime(serial)
}

/// The text, or as much of it as a cell takes and a note of how long it is.
fn cut(text: &str) -> String {
    // No text has more code units than bytes.
    if text.len() <= CELL_MAX || text.encode_utf16().count() <= CELL_MAX {
        return text.to_owned();
    }
    let note = format!(" [cut; {} characters in all]", text.chars().count());
    let mut room = CELL_MAX - note.len();
    let mut kept = String::new();
    for letter in text.chars() {
        let Some(rest) = room.checked_sub(letter.len_utf16()) else {
            break;
        };
        room = rest;
        kept.push(letter);
    }
    kept + &note
}

#[cfg(test)]
mod tests;
