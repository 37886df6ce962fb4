//! The messages that the simulation raises: number, severity and text, `{0}` for the first argument.
//!
//! Shapes are those of sys.messages where documentation shows them; the number comes first, sorted, one entry a number.

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

/// All entries, ascending by number.
pub const ENTRIES: &[Entry] = &[
    entry(102, 15, "Incorrect syntax near '{0}'."),
    entry(208, 16, "Invalid object name '{0}'."),
    entry(
        911,
        16,
        "Database '{0}' does not exist. Make sure that the name is entered correctly.",
    ),
    entry(3013, 16, "{0} is terminating abnormally."),
    entry(
        3014,
        0,
        "{0} successfully processed {1} pages in {2} seconds ({3} MB/sec).",
    ),
    entry(3211, 0, "{0} percent processed."),
    entry(
        4035,
        0,
        "Processed {0} pages for database '{1}', file '{2}' on file {3}.",
    ),
    entry(
        40510,
        16,
        "The simulated instance does not know {0}. It is bac2's simulation, not SQL Server.",
    ),
];

/// The entry of `number`.
#[must_use]
pub fn find(number: i32) -> Option<&'static Entry> {
    ENTRIES
        .binary_search_by_key(&number, |entry| entry.number)
        .ok()
        .map(|at| &ENTRIES[at])
}
