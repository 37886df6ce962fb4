//! The messages that the simulation raises: number, severity and text, `{0}` for the first argument.
//!
//! Shapes are those of sys.messages where documentation shows them; the number comes first, sorted, one entry a number. The
//! entries are in files by range of numbers.

mod backup;
mod queries;
mod server;

/// An entry of sys.messages.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Number.
    pub number: i32,
    /// Severity.
    pub class: u8,
    /// Text with `{0}`, `{1}`, ... for arguments.
    pub text: &'static str,
}

const fn entry(number: i32, class: u8, text: &'static str) -> Entry {
    Entry { number, class, text }
}

/// The files, ascending by their numbers.
const RANGES: [&[Entry]; 3] = [queries::ENTRIES, backup::ENTRIES, server::ENTRIES];

/// All entries, ascending by number.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    RANGES.into_iter().flatten()
}

/// The entry of `number`.
#[must_use]
pub fn find(number: i32) -> Option<&'static Entry> {
    let in_range = |range: &&'static [Entry]| {
        let at = range.binary_search_by_key(&number, |entry| entry.number);
        at.ok().map(|at| &range[at])
    };
    RANGES.iter().find_map(in_range)
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn each_number_stands_once_and_in_its_order() {
        let numbers: Vec<i32> = entries().map(|entry| entry.number).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
