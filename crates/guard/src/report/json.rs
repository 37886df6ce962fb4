//! Rows as JSON: the form that scripts read, with every text exactly as it is.

use super::row::Row;

/// An array of all rows, one a line, so that it can be read by eye and by `grep` too; ends with a line feed.
pub fn json(rows: &[Row]) -> Vec<u8> {
    let mut out = b"[".to_vec();
    for (index, row) in rows.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
        append(&mut out, row);
    }
    out.extend_from_slice(if rows.is_empty() { b"]\n" } else { b"\n]\n" });
    out
}

/// One row as one line, with its line feed: what `watch` emits.
pub fn json_line(row: &Row) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, row);
    out.push(b'\n');
    out
}

fn append(out: &mut Vec<u8>, row: &Row) {
    serde_json::to_writer(out, row)
        .expect("a row has string keys and plain values, and memory takes every byte");
}
