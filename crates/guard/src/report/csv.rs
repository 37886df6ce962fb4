//! Rows as CSV: RFC 4180, UTF-8, the contract's keys as the header.
//!
//! A byte order mark stands in front, because Excel reads a file without one in the code page of the machine. Excel also
//! runs a field as a formula that begins with `=`, `+`, `-`, `@`, a tab or a line's end, quoted or not, and anybody who
//! may write to the container chooses the names of its blobs. So a text that begins with one of these, or with an
//! apostrophe, gets one apostrophe in front. Where the system's list separator is a semicolon, as in most of Europe, Excel
//! ignores commas and their quotes and begins a new cell after each semicolon (and after a line's end), so the same holds
//! there. Who reads the file by a program takes one apostrophe away at the beginning and after each of these, and has the
//! text back; JSON has every text as it is.

use csv::{QuoteStyle, Terminator, WriterBuilder};

use super::column::{COLUMNS, COUNT, Cell};
use super::row::Row;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What Excel and its kin take for the beginning of a formula, in the wide forms too that Japanese and Chinese editions
/// accept; and the apostrophe, so that what was put in front can be told from what was there.
const MARKED: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\'', '＝', '＋', '－', '＠'];

/// After which a spreadsheet may begin a new cell whatever the quotes: the list separator of many countries, and what
/// ends cells and lines of pasted text.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// A header and one record a row. Lines end in CR LF.
pub fn csv(rows: &[Row]) -> Vec<u8> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .quote_style(QuoteStyle::Necessary)
        .from_writer(BYTE_ORDER_MARK.to_vec());
    writer
        .write_record(COLUMNS.iter().map(|column| column.key))
        .expect("memory takes every byte");
    let mut record = Vec::with_capacity(COUNT);
    for row in rows {
        record.clear();
        record.extend(COLUMNS.iter().map(|column| field((column.of)(row))));
        writer
            .write_record(&record)
            .expect("each row has every column, and memory takes every byte");
    }
    writer.into_inner().expect("memory takes every byte")
}

fn field(cell: Cell<'_>) -> String {
    match cell {
        Cell::Nothing => String::new(),
        Cell::Text(text) => marked(text),
        Cell::Moment(text) | Cell::LocalMoment(text) => text.to_owned(),
        Cell::Number(number) => number.to_string(),
        Cell::Truth(truth) => truth.to_string(),
    }
}

/// `text` with an apostrophe before each place where a cell could begin as a formula.
fn marked(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut begins = true;
    for c in text.chars() {
        if begins && MARKED.contains(&c) {
            out.push('\'');
        }
        out.push(c);
        begins = SEPARATORS.contains(&c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{ACCOUNT, entry, finding};
    use crate::report::{Did, Row};
    use crate::ruling::{Grounds, Ruling};

    fn named(blob: &str) -> Row {
        let mut finding = finding();
        blob.clone_into(&mut finding.place.blob);
        let entry = entry(finding, Ruling::Break(Grounds::QuietBackup), Did::Broke);
        Row::of(&entry, ACCOUNT)
    }

    fn read(bytes: &[u8]) -> Vec<Vec<String>> {
        let text = bytes.strip_prefix(&BYTE_ORDER_MARK).unwrap();
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(text);
        let records = reader.records().map(Result::unwrap);
        records
            .map(|record| record.iter().map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn the_header_is_the_contract() {
        // Keys in the order in which they are serialised, taken from the text: a map would sort them.
        let json = String::from_utf8(crate::report::json_line(&Row::default())).unwrap();
        let keys: Vec<&str> = json
            .split(['{', ','])
            .filter_map(|part| part.trim().strip_prefix('"')?.split_once("\":"))
            .map(|(key, _)| key)
            .collect();
        assert_eq!(keys.len(), COUNT);
        let header = String::from_utf8(csv(&[])).unwrap();
        assert_eq!(header, format!("\u{feff}{}\r\n", keys.join(",")));
    }

    #[test]
    fn a_row_in_full() {
        let records = read(&csv(&[named("full.bak")]));
        let row: Vec<&str> = records[1].iter().map(String::as_str).collect();
        assert_eq!(
            row[..13],
            [
                "2026-11-21T12:00:00Z",
                ACCOUNT,
                "sql",
                "full.bak",
                "page",
                "1099511627776",
                "",
                "",
                "2026-11-21T10:00:00Z",
                "2026-11-21T10:55:00Z",
                "3900",
                "leased",
                "infinite"
            ]
        );
        assert_eq!(
            row[23..28],
            ["2026-11-21T11:30:00", "false", "break", "broken", "quietBackup"]
        );
    }

    #[test]
    fn no_name_becomes_a_formula_and_each_can_be_had_back() {
        let names = [
            "=HYPERLINK(\"http://evil.example\",\"x\")",
            "+1+1",
            "-2+3|cmd",
            "@SUM(A1)",
            "\t=1",
            "\r\n=1",
            "＝1",
            "'=1",
            "''",
            "a,b;c\"d\" e\nf",
            " =1",
            "Überfall/日本.bak",
            "a;=HYPERLINK(1);'b;;@c\n=1",
        ];
        // As the documentation has it: one apostrophe away at the beginning and after each separator.
        let back = |field: &str| -> String {
            let pieces = field.split_inclusive([';', '\t', '\r', '\n']);
            pieces
                .map(|piece| piece.strip_prefix('\'').unwrap_or(piece))
                .collect()
        };
        let rows: Vec<Row> = names.iter().map(|name| named(name)).collect();
        let records = read(&csv(&rows));
        assert_eq!(records.len(), names.len() + 1);
        for (record, name) in records[1..].iter().zip(names) {
            let field = &record[3];
            let first = field.chars().next().unwrap();
            assert!(!"=+-@\t\r\n＝＋－＠".contains(first), "{field:?}");
            let cells = field.split([';', '\t', '\r', '\n']);
            for cell in cells {
                assert!(!cell.starts_with(['=', '+', '-', '@']), "{field:?}");
            }
            assert_eq!(back(field), name);
        }
    }

    #[test]
    fn lines_end_as_the_rfc_says() {
        let text = String::from_utf8(csv(&[named("a"), named("b")])).unwrap();
        assert_eq!(text.matches("\r\n").count(), 3);
        assert_eq!(text.matches('\n').count(), 3);
        assert!(text.ends_with("\r\n"));
    }
}
