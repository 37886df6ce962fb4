//! Data files as pages of 8 KiB: to find one that a table's rows are on, and to compare two files.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};

/// Bytes of a page.
const PAGE: usize = 8192;

/// A page of data in its header.
const TYPE_AT: usize = 1;
const DATA: u8 = 1;
/// The object that a page belongs to, four bytes.
const OBJECT_AT: usize = 24;

/// A page in the middle of those that hold rows of an object.
pub(super) fn of_rows(file: &Path, object: u32) -> Result<u32> {
    let mut found = Vec::new();
    walk(file, |number, page| {
        if page[TYPE_AT] == DATA && page[OBJECT_AT..OBJECT_AT + 4] == object.to_le_bytes() {
            found.push(number);
        }
    })?;
    let middle = found.get(found.len() / 2).copied();
    middle.context("no page of the file holds rows of the table")
}

/// Pages that two files have in common, and those of them that differ. `but`: pages that may.
pub(super) fn compare(one: &Path, other: &Path, but: &[u32]) -> Result<(u64, Vec<u32>)> {
    let mut second = BufReader::new(File::open(other)?);
    let (mut same, mut differ) = (0, Vec::new());
    let mut theirs = vec![0; PAGE];
    let mut failed = None;
    walk(one, |number, page| {
        match second.read_exact(&mut theirs) {
            Ok(()) if page == theirs || but.contains(&number) => same += 1,
            Ok(()) => differ.push(number),
            Err(error) => failed = Some(error),
        };
    })?;
    match failed {
        Some(error) => Err(error).context("the other file is shorter"),
        None => Ok((same, differ)),
    }
}

fn walk(file: &Path, mut each: impl FnMut(u32, &[u8])) -> Result<()> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut page = vec![0; PAGE];
    for number in 0.. {
        match file.read_exact(&mut page) {
            Ok(()) => each(number, &page),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{OBJECT_AT, PAGE, TYPE_AT, compare, of_rows};

    fn file(pages: &[(u8, u32)]) -> tempfile::NamedTempFile {
        let mut bytes = vec![0; pages.len() * PAGE];
        for (page, (kind, object)) in bytes.chunks_mut(PAGE).zip(pages) {
            page[TYPE_AT] = *kind;
            page[OBJECT_AT..OBJECT_AT + 4].copy_from_slice(&object.to_le_bytes());
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn a_page_of_an_object_is_found_among_others() {
        let file = file(&[(15, 7), (1, 7), (1, 8), (1, 8), (1, 8), (10, 8)]);
        assert_eq!(of_rows(file.path(), 8).unwrap(), 3);
        assert_eq!(of_rows(file.path(), 7).unwrap(), 1);
        assert!(of_rows(file.path(), 9).is_err());
    }

    #[test]
    fn pages_that_differ_are_named_and_a_missing_one_is_an_error() {
        let one = file(&[(1, 1), (1, 2), (1, 3)]);
        assert_eq!(compare(one.path(), one.path(), &[]).unwrap(), (3, vec![]));
        let other = file(&[(1, 9), (1, 2), (1, 4)]);
        assert_eq!(compare(one.path(), other.path(), &[0]).unwrap(), (2, vec![2]));
        assert!(compare(one.path(), file(&[(1, 1)]).path(), &[]).is_err());
    }
}
