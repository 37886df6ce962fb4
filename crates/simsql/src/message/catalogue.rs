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
        511,
        16,
        "Cannot create a row of size {0} which is greater than the allowable maximum row size of {1}.",
    ),
    entry(
        823,
        24,
        "The operating system returned error {0} to SQL Server during a read or write in file '{1}'. Additional messages in the SQL Server error log and operating system error log may provide more detail. This is a severe system-level error condition that threatens database integrity and must be corrected immediately. Complete a full database consistency check (DBCC CHECKDB). This error can be caused by many factors; for more information, see SQL Server Books Online.",
    ),
    entry(
        824,
        24,
        "SQL Server detected a logical consistency-based I/O error: {0}. It occurred during a read of page {1} in database ID {2} at offset {3} in file '{4}'.  Additional messages in the SQL Server error log or operating system error log may provide more detail. This is a severe error condition that threatens database integrity and must be corrected immediately. Complete a full database consistency check (DBCC CHECKDB). This error can be caused by many factors; for more information, see SQL Server Books Online.",
    ),
    entry(
        911,
        16,
        "Database '{0}' does not exist. Make sure that the name is entered correctly.",
    ),
    entry(
        916,
        14,
        "The server principal \"{0}\" is not able to access the database \"{1}\" under the current security context.",
    ),
    entry(
        922,
        14,
        "Database '{0}' is being recovered. Waiting until recovery is finished.",
    ),
    entry(
        924,
        14,
        "Database '{0}' is already open and can only have one user at a time.",
    ),
    entry(
        926,
        14,
        "Database '{0}' cannot be opened. It has been marked SUSPECT by recovery. See the SQL Server errorlog for more information.",
    ),
    entry(
        927,
        14,
        "Database '{0}' cannot be opened. It is in the middle of a restore.",
    ),
    entry(942, 14, "Database '{0}' cannot be opened because it is offline."),
    entry(
        945,
        16,
        "Database '{0}' cannot be opened due to inaccessible files or insufficient memory or disk space.  See the SQL Server errorlog for details.",
    ),
    entry(
        952,
        16,
        "Database '{0}' is in transition. Try the statement later.",
    ),
    entry(
        1105,
        17,
        "Could not allocate space for object in database '{0}' because the 'PRIMARY' filegroup is full. Create disk space by deleting unneeded files, dropping objects in the filegroup, adding additional files to the filegroup, or setting autogrowth on for existing files in the filegroup.",
    ),
    entry(3013, 16, "{0} is terminating abnormally."),
    entry(
        3014,
        0,
        "{0} successfully processed {1} pages in {2} seconds ({3} MB/sec).",
    ),
    entry(3211, 0, "{0} percent processed."),
    entry(
        3414,
        21,
        "An error occurred during recovery, preventing the database '{0}' (database ID {1}) from restarting. Diagnose the recovery errors and fix them, or restore from a known good backup. If errors are not corrected or expected, contact Technical Support.",
    ),
    entry(
        4035,
        0,
        "Processed {0} pages for database '{1}', file '{2}' on file {3}.",
    ),
    entry(
        4060,
        11,
        "Cannot open database \"{0}\" requested by the login. The login failed.",
    ),
    entry(
        5120,
        16,
        "Unable to open the physical file \"{0}\". Operating system error {1}: \"{2}\".",
    ),
    entry(
        5123,
        16,
        "CREATE FILE encountered operating system error {0} while attempting to open or create the physical file '{1}'.",
    ),
    entry(
        5149,
        16,
        "MODIFY FILE encountered operating system error {0} while attempting to expand the physical file '{1}'.",
    ),
    entry(
        9002,
        17,
        "The transaction log for database '{0}' is full due to '{1}'.",
    ),
    entry(
        9004,
        21,
        "An error occurred while processing the log for database '{0}' at log record {1} ({2}). If possible, restore from backup. If a backup is not available, it might be necessary to rebuild the log.",
    ),
    entry(
        17126,
        10,
        "SQL Server is now ready for client connections. This is an informational message; no user action is required.",
    ),
    entry(
        17809,
        20,
        "Could not connect because the maximum number of '{0}' user connections has already been reached. The system administrator can use sp_configure to increase the maximum value. The connection has been closed.",
    ),
    entry(18456, 14, "Login failed for user '{0}'."),
    entry(
        18470,
        14,
        "Login failed for user '{0}'. Reason: The account is disabled.",
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
