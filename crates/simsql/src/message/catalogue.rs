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
    entry(
        103,
        15,
        "The {0} that starts with '{1}' is too long. Maximum length is {2}.",
    ),
    entry(
        104,
        16,
        "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.",
    ),
    entry(
        105,
        15,
        "Unclosed quotation mark after the character string '{0}'.",
    ),
    entry(
        107,
        15,
        "The column prefix '{0}' does not match with a table name or alias name used in the query.",
    ),
    entry(
        108,
        15,
        "The ORDER BY position number {0} is out of range of the number of items in the select list.",
    ),
    entry(
        109,
        15,
        "There are more columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.",
    ),
    entry(
        110,
        15,
        "There are fewer columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.",
    ),
    entry(113, 15, "Missing end comment mark '*/'."),
    entry(
        116,
        16,
        "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.",
    ),
    entry(
        120,
        15,
        "The select list for the INSERT statement contains fewer items than the insert list. The number of SELECT values must match the number of INSERT columns.",
    ),
    entry(
        121,
        15,
        "The select list for the INSERT statement contains more items than the insert list. The number of SELECT values must match the number of INSERT columns.",
    ),
    entry(
        131,
        15,
        "The size ({0}) given to the type '{1}' exceeds the maximum allowed for any data type ({2}).",
    ),
    entry(
        134,
        15,
        "The variable name '{0}' has already been declared. Variable names must be unique within a query batch or stored procedure.",
    ),
    entry(
        135,
        15,
        "Cannot use a BREAK statement outside the scope of a WHILE statement.",
    ),
    entry(
        136,
        15,
        "Cannot use a CONTINUE statement outside the scope of a WHILE statement.",
    ),
    entry(137, 15, "Must declare the scalar variable \"{0}\"."),
    entry(
        141,
        15,
        "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.",
    ),
    entry(
        145,
        15,
        "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.",
    ),
    entry(
        147,
        15,
        "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select list, and the column being aggregated is an outer reference.",
    ),
    entry(
        148,
        15,
        "Incorrect time syntax in time string '{0}' used with WAITFOR.",
    ),
    entry(155, 15, "'{0}' is not a recognized {1} option."),
    entry(156, 15, "Incorrect syntax near the keyword '{0}'."),
    entry(158, 15, "Incorrect number of values in the VALUES clause."),
    entry(174, 15, "The {0} function requires {1} argument(s)."),
    entry(
        178,
        15,
        "A RETURN statement with a return value cannot be used in this context.",
    ),
    entry(
        180,
        15,
        "There are too many parameters in this EXECUTE statement. The maximum number is {0}.",
    ),
    entry(189, 15, "The {0} function requires {1} to {2} arguments."),
    entry(
        191,
        15,
        "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.",
    ),
    entry(192, 15, "The scale must be less than or equal to the precision."),
    entry(
        194,
        15,
        "A SELECT INTO statement cannot contain a SELECT statement that assigns values to a variable.",
    ),
    entry(195, 15, "'{0}' is not a recognized built-in function name."),
    entry(
        201,
        16,
        "Procedure or function '{0}' expects parameter '{1}', which was not supplied.",
    ),
    entry(
        205,
        16,
        "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.",
    ),
    entry(206, 16, "Operand type clash: {0} is incompatible with {1}"),
    entry(207, 16, "Invalid column name '{0}'."),
    entry(208, 16, "Invalid object name '{0}'."),
    entry(209, 16, "Ambiguous column name '{0}'."),
    entry(
        213,
        16,
        "Column name or number of supplied values does not match table definition.",
    ),
    entry(214, 16, "Procedure expects parameter '{0}' of type '{1}'."),
    entry(
        215,
        16,
        "Parameters supplied for object '{0}' which is not a function. If the parameters are intended as a table hint, a WITH keyword is required.",
    ),
    entry(216, 16, "Parameters were not supplied for the function '{0}'."),
    entry(
        217,
        16,
        "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit {0}).",
    ),
    entry(
        220,
        16,
        "Arithmetic overflow error for data type {0}, value = {1}.",
    ),
    entry(
        226,
        16,
        "{0} statement not allowed within multi-statement transaction.",
    ),
    entry(
        229,
        14,
        "The {0} permission was denied on the object '{1}', database '{2}', schema '{3}'.",
    ),
    entry(232, 16, "Arithmetic overflow error for type {0}, value = {1}."),
    entry(
        234,
        16,
        "There is insufficient result space to convert a money value to {0}.",
    ),
    entry(
        235,
        16,
        "Cannot convert a char value to money. The char value has incorrect syntax.",
    ),
    entry(
        241,
        16,
        "Conversion failed when converting date and/or time from character string.",
    ),
    entry(
        242,
        16,
        "The conversion of a {0} data type to a {1} data type resulted in an out-of-range value.",
    ),
    entry(243, 16, "Type {0} is not a defined system type."),
    entry(
        244,
        16,
        "The conversion of the {0} value '{1}' overflowed an {2} column. Use a larger integer column.",
    ),
    entry(
        245,
        16,
        "Conversion failed when converting the {0} value '{1}' to data type {2}.",
    ),
    entry(
        248,
        16,
        "The conversion of the {0} value '{1}' overflowed an int column.",
    ),
    entry(
        257,
        16,
        "Implicit conversion from data type {0} to {1} is not allowed. Use the CONVERT function to run this query.",
    ),
    entry(262, 14, "{0} permission denied in database '{1}'."),
    entry(263, 16, "Must specify table to select from."),
    entry(
        264,
        16,
        "The column name '{0}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause. Modify the clause to make sure that a column is updated only once. If this statement updates or inserts columns into a view, column aliasing can conceal the duplication in your code.",
    ),
    entry(
        281,
        16,
        "{0} is not a valid style number when converting from {1} to a character string.",
    ),
    entry(
        289,
        16,
        "Cannot construct data type {0}, some of the arguments have values which are not valid.",
    ),
    entry(
        297,
        16,
        "The user does not have permission to perform this action.",
    ),
    entry(
        300,
        14,
        "{0} permission was denied on object '{1}', database '{2}'.",
    ),
    entry(
        313,
        16,
        "An insufficient number of arguments were supplied for the procedure or function {0}.",
    ),
    entry(
        402,
        16,
        "The data types {0} and {1} are incompatible in the {2} operator.",
    ),
    entry(
        506,
        16,
        "The invalid escape character \"{0}\" was specified in a LIKE predicate.",
    ),
    entry(
        511,
        16,
        "Cannot create a row of size {0} which is greater than the allowable maximum row size of {1}.",
    ),
    entry(
        512,
        16,
        "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.",
    ),
    entry(
        515,
        16,
        "Cannot insert the value NULL into column '{0}', table '{1}'; column does not allow nulls. {2} fails.",
    ),
    entry(517, 16, "Adding a value to a '{0}' column caused an overflow."),
    entry(
        529,
        16,
        "Explicit conversion from data type {0} to {1} is not allowed.",
    ),
    entry(
        535,
        16,
        "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.",
    ),
    entry(536, 16, "Invalid length parameter passed to the {0} function."),
    entry(
        537,
        16,
        "Invalid length parameter passed to the LEFT or SUBSTRING function.",
    ),
    entry(
        544,
        16,
        "Cannot insert explicit value for identity column in table '{0}' when IDENTITY_INSERT is set to OFF.",
    ),
    entry(
        545,
        16,
        "Explicit value must be specified for identity column in table '{0}' either when IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.",
    ),
    entry(
        596,
        21,
        "Cannot continue the execution because the session is in the kill state.",
    ),
    entry(
        628,
        16,
        "Cannot issue SAVE TRANSACTION when there is no active transaction.",
    ),
    entry(
        701,
        17,
        "There is insufficient system memory in resource pool 'default' to run this query.",
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
        923,
        14,
        "Database '{0}' is in restricted mode. Only the database owner and members of the dbcreator and sysadmin roles can access it.",
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
        951,
        0,
        "Database '{0}' running the upgrade step from version {1} to version {2}.",
    ),
    entry(
        952,
        16,
        "Database '{0}' is in transition. Try the statement later.",
    ),
    entry(
        1001,
        15,
        "Line {0}: Length or precision specification {1} is invalid.",
    ),
    entry(1002, 15, "Line {0}: Specified scale {1} is invalid."),
    entry(
        1007,
        15,
        "The number '{0}' is out of the range for numeric representation (maximum precision 38).",
    ),
    entry(
        1011,
        16,
        "The correlation name '{0}' is specified multiple times in a FROM clause.",
    ),
    entry(
        1013,
        16,
        "The objects \"{0}\" and \"{1}\" in the FROM clause have the same exposed names. Use correlation names to distinguish them.",
    ),
    entry(1014, 15, "A TOP or FETCH clause contains an invalid value."),
    entry(1023, 15, "Invalid parameter {0} specified for {1}."),
    entry(1031, 15, "Percent values must be between 0 and 100."),
    entry(
        1033,
        15,
        "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.",
    ),
    entry(
        1038,
        15,
        "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. For other statements, look for empty alias names. Aliases defined as \"\" or [] are not allowed. Change the alias to a valid name.",
    ),
    entry(1039, 15, "Option '{0}' is specified more than once."),
    entry(
        1060,
        15,
        "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
    ),
    entry(
        1062,
        16,
        "The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause.",
    ),
    entry(1080, 15, "The integer value {0} is out of range."),
    entry(1087, 15, "Must declare the table variable \"{0}\"."),
    entry(
        1105,
        17,
        "Could not allocate space for object in database '{0}' because the 'PRIMARY' filegroup is full. Create disk space by deleting unneeded files, dropping objects in the filegroup, adding additional files to the filegroup, or setting autogrowth on for existing files in the filegroup.",
    ),
    entry(
        1205,
        13,
        "Transaction (Process ID {0}) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.",
    ),
    entry(1222, 16, "Lock request time out period exceeded."),
    entry(
        1468,
        16,
        "The operation cannot be performed on database \"{0}\" because it is involved in a database mirroring session or an availability group. Some operations are not allowed on a database that is participating in a database mirroring session or in an availability group.",
    ),
    entry(
        1702,
        16,
        "CREATE TABLE failed because column count in table '{0}' exceeds the maximum of {1} columns.",
    ),
    entry(
        1801,
        16,
        "Database '{0}' already exists. Choose a different database name.",
    ),
    entry(
        1802,
        16,
        "CREATE DATABASE failed. Some file names listed could not be created. Check related errors.",
    ),
    entry(
        1828,
        16,
        "The logical file name \"{0}\" is already in use. Choose a different name.",
    ),
    entry(
        1834,
        16,
        "The file '{0}' cannot be overwritten.  It is being used by database '{1}'.",
    ),
    entry(1844, 16, "{0} is not supported on {1}."),
    entry(
        1911,
        16,
        "Column name '{0}' does not exist in the target table or view.",
    ),
    entry(
        2520,
        16,
        "Could not find database '{0}'. The database either does not exist, or was dropped before a statement tried to use it. Verify if the database exists by querying the sys.databases catalog view.",
    ),
    entry(
        2526,
        16,
        "Incorrect DBCC statement. Check the documentation for the correct DBCC syntax and options.",
    ),
    entry(
        2528,
        0,
        "DBCC execution completed. If DBCC printed error messages, contact your system administrator.",
    ),
    entry(
        2533,
        16,
        "Table error: page {0} allocated to object ID {1}, index ID {2}, partition ID {3}, alloc unit ID {4} (type {5}) was not seen. The page may be invalid or may have an incorrect alloc unit ID in its header.",
    ),
    entry(2571, 14, "User '{0}' does not have permission to run {1}."),
    entry(
        2575,
        16,
        "The Index Allocation Map (IAM) page {0} is pointed to by the next pointer of IAM page {1} in object ID {2}, index ID {3}, partition ID {4}, alloc unit ID {5} (type {6}), but it was not detected in the scan.",
    ),
    entry(
        2627,
        14,
        "Violation of {0} constraint '{1}'. Cannot insert duplicate key in object '{2}'. The duplicate key value is {3}.",
    ),
    entry(
        2628,
        16,
        "String or binary data would be truncated in table '{0}', column '{1}'. Truncated value: '{2}'.",
    ),
    entry(
        2705,
        16,
        "Column names in each table must be unique. Column name '{0}' in table '{1}' is specified more than once.",
    ),
    entry(
        2714,
        16,
        "There is already an object named '{0}' in the database.",
    ),
    entry(2715, 16, "Cannot find data type {0}."),
    entry(2741, 16, "SET DATEFORMAT date order '{0}' is invalid."),
    entry(2742, 16, "SET DATEFIRST {0} is out of range."),
    entry(
        2744,
        16,
        "Multiple identity columns specified for table '{0}'. Only one identity column per table is allowed.",
    ),
    entry(
        2749,
        16,
        "Identity column '{0}' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a scale of 0, unencrypted, and constrained to be nonnullable.",
    ),
    entry(
        2750,
        16,
        "Column or parameter #{0}: Specified column precision {1} is greater than the maximum precision of {2}.",
    ),
    entry(
        2754,
        16,
        "Error severity levels greater than 18 can only be specified by members of the sysadmin role, using the WITH LOG option.",
    ),
    entry(
        2760,
        16,
        "The specified schema name \"{0}\" either does not exist or you do not have permission to use it.",
    ),
    entry(
        2786,
        16,
        "The data type of a substitution parameter does not match the expected type of the format specification.",
    ),
    entry(2787, 16, "Invalid format specification: '{0}'."),
    entry(2812, 16, "Could not find stored procedure '{0}'."),
    entry(
        3008,
        16,
        "The specified device type is not supported for backup mirroring.",
    ),
    entry(
        3009,
        16,
        "Could not insert a backup or restore history/detail record in the msdb database. This may indicate a problem with the msdb database. The backup/restore operation was still successful.",
    ),
    entry(
        3010,
        16,
        "Invalid backup mirror specification. All mirrors must have the same number of members.",
    ),
    entry(
        3011,
        16,
        "All backup devices must be of the same general class (for example, DISK and TAPE).",
    ),
    entry(3013, 16, "{0} is terminating abnormally."),
    entry(
        3014,
        0,
        "{0} successfully processed {1} pages in {2} seconds ({3} MB/sec).",
    ),
    entry(
        3021,
        16,
        "Cannot perform a backup or restore operation within a transaction.",
    ),
    entry(
        3023,
        16,
        "Backup, file manipulation operations (such as ALTER DATABASE ADD FILE) and encryption changes on a database must be serialized. Reissue the statement after the current backup or file manipulation operation is completed.",
    ),
    entry(
        3024,
        16,
        "You can only perform a full backup of the master database. Use BACKUP DATABASE to back up the entire master database.",
    ),
    entry(
        3031,
        16,
        "Option '{0}' conflicts with option(s) '{1}'. Remove the conflicting option and reissue the statement.",
    ),
    entry(
        3032,
        16,
        "One or more of the options ({0}) are not supported for this statement. Review the documentation for supported options.",
    ),
    entry(
        3033,
        16,
        "BACKUP DATABASE cannot be used on a database opened in emergency mode.",
    ),
    entry(
        3035,
        16,
        "Cannot perform a differential backup for database \"{0}\", because a current database backup does not exist. Perform a full database backup by reissuing BACKUP DATABASE, omitting the WITH DIFFERENTIAL option.",
    ),
    entry(
        3036,
        16,
        "The database \"{0}\" is in warm-standby state (set by executing RESTORE WITH STANDBY) and cannot be backed up until the entire restore sequence is completed.",
    ),
    entry(
        3041,
        16,
        "BACKUP failed to complete the command {0}. Check the backup application log for detailed messages.",
    ),
    entry(
        3042,
        10,
        "BACKUP WITH CONTINUE_AFTER_ERROR successfully generated a backup of the damaged database. Refer to the SQL Server error log for information about the errors that were encountered.",
    ),
    entry(
        3043,
        16,
        "BACKUP '{0}' detected an error on page ({1}:{2}) in file '{3}'.",
    ),
    entry(
        3044,
        16,
        "Invalid zero-length device name. Reissue the BACKUP statement with a valid device name.",
    ),
    entry(
        3049,
        16,
        "BACKUP detected corruption in the database log. Check the errorlog for more information.",
    ),
    entry(
        3057,
        16,
        "Invalid device name. The length of the device name provided exceeds supported limit (maximum length is:{0}). Reissue the BACKUP statement with a valid device name.",
    ),
    entry(
        3059,
        16,
        "This BACKUP or RESTORE command is not supported on a database mirror or secondary replica.",
    ),
    entry(
        3062,
        16,
        "Cannot backup from a HADRON secondary because it is not in Synchronizing or Synchronized state.",
    ),
    entry(
        3063,
        16,
        "Write to backup block blob device {0} failed. Device has reached its limit of allowed blocks.",
    ),
    entry(
        3078,
        16,
        "The file name \"{0}\" is invalid as a backup device name for the specified device type. Reissue the BACKUP statement with a valid file name and device type.",
    ),
    entry(
        3095,
        16,
        "The backup cannot be performed because 'ENCRYPTION' was requested after the media was formatted with an incompatible structure. To append to this media set, either omit 'ENCRYPTION' or create a new media set by using WITH FORMAT in your BACKUP statement. If you use WITH FORMAT on an existing media set, all its backup sets will be overwritten.",
    ),
    entry(
        3098,
        16,
        "The backup cannot be performed because '{0}' was requested after the media was formatted with an incompatible structure. To append to this media set, either omit '{0}' or specify '{1}'. Alternatively, you can create a new media set by using WITH FORMAT in your BACKUP statement. If you use WITH FORMAT on an existing media set, all its backup sets will be overwritten.",
    ),
    entry(
        3101,
        16,
        "Exclusive access could not be obtained because the database is in use.",
    ),
    entry(
        3102,
        16,
        "RESTORE cannot process database '{0}' because it is in use by this session. It is recommended that the master database be used when performing this operation.",
    ),
    entry(
        3104,
        16,
        "RESTORE cannot operate on database '{0}' because it is configured for database mirroring or has joined an availability group. If you intend to restore the database, use ALTER DATABASE to remove mirroring or to remove the database from its availability group.",
    ),
    entry(
        3108,
        16,
        "To restore the master database, the server must be running in single-user mode. For information on starting in single-user mode, see \"How to: Start an Instance of SQL Server (sqlservr.exe)\" in Books Online.",
    ),
    entry(
        3110,
        14,
        "User does not have permission to RESTORE database '{0}'.",
    ),
    entry(
        3117,
        16,
        "The log or differential backup cannot be restored because no files are ready to rollforward.",
    ),
    entry(
        3118,
        16,
        "The database \"{0}\" does not exist. RESTORE can only create a database when restoring either a full backup or a file backup of the primary file.",
    ),
    entry(
        3119,
        16,
        "Problems were identified while planning for the RESTORE statement. Previous messages provide details.",
    ),
    entry(
        3120,
        16,
        "This backup set will not be restored because all data has already been restored to a point beyond the time covered by this backup set.",
    ),
    entry(
        3132,
        16,
        "The media set has {0} media families but only {1} are provided. All members must be provided.",
    ),
    entry(
        3135,
        16,
        "The backup set in file '{0}' was created by {1} and cannot be used for this restore operation.",
    ),
    entry(
        3136,
        16,
        "This differential backup cannot be restored because the database has not been restored to the correct earlier state.",
    ),
    entry(
        3141,
        16,
        "The database to be restored was named '{0}'. Reissue the statement using the WITH REPLACE option to overwrite the '{1}' database.",
    ),
    entry(
        3142,
        16,
        "File \"{0}\" cannot be restored over the existing \"{1}\". Reissue the RESTORE statement using WITH REPLACE to overwrite pre-existing files, or WITH MOVE to identify an alternate location.",
    ),
    entry(
        3145,
        16,
        "The STOPAT option is not supported for databases that use the SIMPLE recovery model.",
    ),
    entry(
        3147,
        16,
        "Backup and restore operations are not allowed on database tempdb.",
    ),
    entry(3153, 16, "The database is already fully recovered."),
    entry(
        3154,
        16,
        "The backup set holds a backup of a database other than the existing '{0}' database.",
    ),
    entry(
        3155,
        16,
        "The RESTORE operation cannot proceed because one or more files have been added or dropped from the database since the backup set was created.",
    ),
    entry(
        3156,
        16,
        "File '{0}' cannot be restored to '{1}'. Use WITH MOVE to identify a valid location for the file.",
    ),
    entry(
        3159,
        16,
        "The tail of the log for the database \"{0}\" has not been backed up. Use BACKUP LOG WITH NORECOVERY to backup the log if it contains work you do not want to lose. Use the WITH REPLACE or WITH STOPAT clause of the RESTORE statement to just overwrite the contents of the log.",
    ),
    entry(
        3168,
        16,
        "The backup of the system database on the device {0} cannot be restored because it was created by a different version of the server ({1}) than this server ({2}).",
    ),
    entry(
        3169,
        16,
        "The database was backed up on a server running version {0}. That version is incompatible with this server, which is running version {1}. Either restore the database on a server that supports the backup, or use a backup that is compatible with this server.",
    ),
    entry(3170, 16, "The STANDBY filename is invalid."),
    entry(
        3176,
        16,
        "File '{0}' is claimed by '{1}'({2}) and '{3}'({4}). The WITH MOVE clause can be used to relocate one or more files.",
    ),
    entry(
        3180,
        16,
        "This backup cannot be restored using WITH STANDBY because a database upgrade is needed. Reissue the RESTORE without WITH STANDBY.",
    ),
    entry(
        3181,
        0,
        "Attempting to restore this backup may encounter storage space problems. Subsequent messages will provide details.",
    ),
    entry(
        3182,
        16,
        "The backup set cannot be restored because the database was damaged when the backup occurred. Salvage attempts may exploit WITH CONTINUE_AFTER_ERROR.",
    ),
    entry(
        3183,
        16,
        "RESTORE detected an error on page ({0}:{1}) in database \"{2}\" as read from the backup set.",
    ),
    entry(
        3184,
        0,
        "RESTORE WITH CONTINUE_AFTER_ERROR was successful but some damage was encountered. Inconsistencies in the database are possible.",
    ),
    entry(
        3187,
        16,
        "RESTORE WITH CHECKSUM cannot be specified because the backup set does not contain checksum information.",
    ),
    entry(
        3188,
        0,
        "The backup set was written with damaged data by a BACKUP WITH CONTINUE_AFTER_ERROR.",
    ),
    entry(3189, 16, "Damage to the backup set was detected."),
    entry(
        3201,
        16,
        "Cannot open backup device '{0}'. Operating system error {1}.",
    ),
    entry(3202, 16, "Write on \"{0}\" failed: {1}"),
    entry(3203, 16, "Read on \"{0}\" failed: {1}"),
    entry(3204, 16, "The backup or restore was aborted."),
    entry(
        3205,
        16,
        "Too many backup devices specified for backup or restore; only {0} are allowed.",
    ),
    entry(
        3206,
        16,
        "Backup device '{0}' does not exist. To view existing backup devices, use the sys.backup_devices catalog view. To create a new backup device use either sp_addumpdevice or SQL Server Management Studio.",
    ),
    entry(
        3207,
        16,
        "Backup or restore requires at least one backup device. Rerun your statement specifying a backup device.",
    ),
    entry(3211, 0, "{0} percent processed."),
    entry(
        3214,
        16,
        "Too many backup mirrors are specified. Only {0} are allowed.",
    ),
    entry(3215, 16, "Use WITH FORMAT to create a new mirrored backup set."),
    entry(3217, 16, "Invalid value specified for {0} parameter."),
    entry(
        3218,
        16,
        "Backup mirroring is not available in this edition of SQL Server. See Books Online for more details on feature support in different SQL Server editions.",
    ),
    entry(
        3225,
        16,
        "Use of WITH CREDENTIAL syntax is not valid for credentials containing a Shared Access Signature.",
    ),
    entry(
        3227,
        16,
        "The backup media on \"{0}\" is part of media family {1} which has already been processed on \"{2}\". Ensure that backup devices are correctly specified. For tape devices, ensure that the correct volumes are loaded.",
    ),
    entry(
        3231,
        16,
        "The media loaded on \"{0}\" is formatted to support {1} media families, but {2} media families are expected according to the backup device specification.",
    ),
    entry(
        3232,
        16,
        "The volume mounted on \"{0}\" does not have the expected backup set identity. The volume may be obsolete due to a more recent overwrite of this media family. In that case, locate the correct volume with sequence number {1} of media family {2}.",
    ),
    entry(
        3234,
        16,
        "Logical file '{0}' is not part of database '{1}'. Use RESTORE FILELISTONLY to list the logical file names.",
    ),
    entry(
        3241,
        16,
        "The media family on device '{0}' is incorrectly formed. SQL Server cannot process this media family.",
    ),
    entry(
        3242,
        16,
        "The file on device '{0}' is not a valid Microsoft Tape Format backup set.",
    ),
    entry(
        3243,
        16,
        "The media family on device '{0}' was created using Microsoft Tape Format version {1}.{2}. SQL Server supports version {3}.{4}.",
    ),
    entry(
        3250,
        16,
        "The value '{0}' is not within range for the {1} parameter.",
    ),
    entry(
        3253,
        16,
        "The block size parameter must supply a value that is a power of 2.",
    ),
    entry(3254, 16, "The volume on device '{0}' is empty."),
    entry(
        3256,
        16,
        "The backup set on device '{0}' was terminated while it was being created and is incomplete. RESTORE sequence is terminated abnormally.",
    ),
    entry(
        3257,
        16,
        "There is insufficient free space on disk volume '{0}' to create the database. The database requires {1} additional free bytes, while only {2} bytes are available.",
    ),
    entry(
        3258,
        16,
        "The volume on the device \"{0}\" is not part of the media set that is currently being processed. Ensure that the backup devices are loaded with the correct media.",
    ),
    entry(3262, 0, "The backup set on file {0} is valid."),
    entry(
        3266,
        16,
        "The backup data at the end of \"{0}\" is incorrectly formatted. Backup sets on the media might be damaged and unusable. To determine the backup sets on the media, use RESTORE HEADERONLY. To determine the usability of the backup sets, run RESTORE VERIFYONLY. If all of the backup sets are incomplete, reformat the media using BACKUP WITH FORMAT, which destroys all the backup sets.",
    ),
    entry(
        3271,
        16,
        "A nonrecoverable I/O error occurred on file \"{0}:\" {1}.",
    ),
    entry(
        3272,
        16,
        "The '{0}' device has a hardware sector size of {1}, but the block size parameter specifies an incompatible override value of {2}. Reissue the statement using a compatible block size.",
    ),
    entry(
        3288,
        16,
        "The credential \"{0}\" does not exist or you do not have permission to use it.",
    ),
    entry(
        3289,
        16,
        "A Backup device of type URL was specified without a Credential, Backup/Restore operation cannot proceed.",
    ),
    entry(
        3291,
        16,
        "The {0} option is not permitted for a backup device of type URL.",
    ),
    entry(
        3294,
        16,
        "Only one backup device of type URL can be used with a Credential.",
    ),
    entry(
        3297,
        16,
        "The URL provided does not meet specified requirements. The URL must be either resolvable as an absolute URI using http or https scheme, and cannot contain a query component.",
    ),
    entry(3298, 16, "Backup/Restore to URL error: {0}."),
    entry(
        3414,
        21,
        "An error occurred during recovery, preventing the database '{0}' (database ID {1}) from restarting. Diagnose the recovery errors and fix them, or restore from a known good backup. If errors are not corrected or expected, contact Technical Support.",
    ),
    entry(3623, 16, "An invalid floating point operation occurred."),
    entry(
        3701,
        11,
        "Cannot {0} the {1} '{2}', because it does not exist or you do not have permission.",
    ),
    entry(3702, 16, "Cannot {0} {1} \"{2}\" because it is currently in use."),
    entry(3708, 16, "Cannot {0} the {1} '{2}' because it is a system {1}."),
    entry(
        3743,
        16,
        "The database '{0}' is enabled for database mirroring. Database mirroring must be removed before you drop the database.",
    ),
    entry(
        3752,
        16,
        "The database '{0}' is currently joined to an availability group.  Before you can drop the database, you need to remove it from the availability group.",
    ),
    entry(
        3902,
        16,
        "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.",
    ),
    entry(
        3903,
        16,
        "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.",
    ),
    entry(
        3906,
        16,
        "Failed to update database \"{0}\" because the database is read-only.",
    ),
    entry(
        3908,
        16,
        "Could not run BEGIN TRANSACTION in database '{0}' because the database is in emergency mode or is damaged and must be restarted.",
    ),
    entry(
        3930,
        16,
        "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.",
    ),
    entry(
        3998,
        16,
        "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.",
    ),
    entry(
        4002,
        16,
        "The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended unexpectedly.",
    ),
    entry(
        4030,
        10,
        "The medium on device '{0}' expires on {1} and cannot be overwritten.",
    ),
    entry(
        4035,
        0,
        "Processed {0} pages for database '{1}', file '{2}' on file {3}.",
    ),
    entry(
        4037,
        16,
        "The user-specified MEDIANAME \"{0}\" does not match the MEDIANAME \"{1}\" of the device \"{2}\".",
    ),
    entry(4038, 16, "Cannot find file ID {0} on device '{1}'."),
    entry(
        4060,
        11,
        "Cannot open database \"{0}\" requested by the login. The login failed.",
    ),
    entry(4104, 16, "The multi-part identifier \"{0}\" could not be bound."),
    entry(
        4108,
        15,
        "Windowed functions can only appear in the SELECT or ORDER BY clauses.",
    ),
    entry(
        4112,
        15,
        "The function '{0}' must have an OVER clause with ORDER BY.",
    ),
    entry(
        4145,
        15,
        "An expression of non-boolean type specified in a context where a condition is expected, near '{0}'.",
    ),
    entry(
        4199,
        16,
        "Argument value {0} is invalid for argument {1} of {2} function.",
    ),
    entry(
        4208,
        16,
        "The statement {0} is not allowed while the recovery model is SIMPLE. Use BACKUP DATABASE or change the recovery model using ALTER DATABASE.",
    ),
    entry(
        4212,
        16,
        "Cannot back up the log of the master database. Use BACKUP DATABASE instead.",
    ),
    entry(
        4214,
        16,
        "BACKUP LOG cannot be performed because there is no current database backup.",
    ),
    entry(
        4217,
        10,
        "BACKUP LOG cannot modify the database because the database is read-only. The backup will continue, although subsequent backups will duplicate the work of this backup.",
    ),
    entry(
        4220,
        16,
        "Cannot specify NORECOVERY for a log backup of the model database.",
    ),
    entry(
        4305,
        16,
        "The log in this backup set begins at LSN {0}, which is too recent to apply to the database. An earlier log backup that includes LSN {1} can be restored.",
    ),
    entry(
        4312,
        16,
        "This log cannot be restored because a gap in the log chain was created. Use more recent data backups to bridge the gap.",
    ),
    entry(
        4318,
        16,
        "File '{0}' has been rolled forward to LSN {1}. This log terminates at LSN {2}, which is too early to apply the WITH RECOVERY option. Reissue the RESTORE LOG statement WITH NORECOVERY.",
    ),
    entry(
        4319,
        16,
        "A previous restore operation was interrupted and did not complete processing on file '{0}'. Either restore the backup set that was interrupted or restart the restore sequence.",
    ),
    entry(
        4322,
        0,
        "This backup set contains records that were logged before the designated point in time. The database is being left in the restoring state so that more roll forward can be performed.",
    ),
    entry(
        4326,
        16,
        "The log in this backup set terminates at LSN {0}, which is too early to apply to the database. A more recent log backup that includes LSN {1} can be restored.",
    ),
    entry(
        4329,
        0,
        "This log file contains records logged before the designated mark. The database is being left in the Restoring state so you can apply another log file.",
    ),
    entry(
        4330,
        16,
        "This backup set cannot be applied because it is on a recovery path that is inconsistent with the database. The recovery path is the sequence of data and log backups that have brought the database to a particular recovery point. Find a compatible backup to restore, or restore the rest of the database to match a recovery point within this backup set, which will restore the database to a different point in time. For more information about recovery paths, see SQL Server Books Online.",
    ),
    entry(4334, 16, "The named mark does not identify a valid LSN."),
    entry(
        4335,
        16,
        "The specified STOPAT time is too early. All or part of the database is already rolled forward beyond that point.",
    ),
    entry(
        4338,
        16,
        "The STOPAT clause specifies a point too early to allow this backup set to be restored. Choose a different stop point or use RESTORE DATABASE WITH RECOVERY to recover at the current point.",
    ),
    entry(
        4340,
        16,
        "The point-in-time clause of this RESTORE statement is restricted for use by RESTORE LOG statements only. Omit the clause or use a clause that includes a timestamp.",
    ),
    entry(
        4341,
        16,
        "This log backup contains bulk-logged changes. It cannot be used to stop at an arbitrary point in time.",
    ),
    entry(
        4353,
        16,
        "Conflicting file relocations have been specified for file '{0}'. Only a single WITH MOVE clause should be specified for any logical file name.",
    ),
    entry(
        4701,
        16,
        "Cannot find the object \"{0}\" because it does not exist or you do not have permissions.",
    ),
    entry(
        5011,
        14,
        "User does not have permission to alter database '{0}', the database does not exist, or the database is not in a state that allows access checks.",
    ),
    entry(
        5030,
        16,
        "The database could not be exclusively locked to perform the operation.",
    ),
    entry(
        5039,
        16,
        "MODIFY FILE failed. Specified size is less than or equal to current size.",
    ),
    entry(5041, 16, "MODIFY FILE failed. File '{0}' does not exist."),
    entry(
        5052,
        16,
        "ALTER DATABASE is not permitted while a database is in the {0} state.",
    ),
    entry(5058, 16, "Option '{0}' cannot be set in database '{1}'."),
    entry(
        5061,
        16,
        "ALTER DATABASE failed because a lock could not be placed on database '{0}'. Try again later.",
    ),
    entry(5069, 16, "ALTER DATABASE statement failed."),
    entry(
        5070,
        16,
        "Database state cannot be changed while other users are using the database '{0}'",
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
        5133,
        16,
        "Directory lookup for the file \"{0}\" failed with the operating system error {1}({2}).",
    ),
    entry(
        5149,
        16,
        "MODIFY FILE encountered operating system error {0} while attempting to expand the physical file '{1}'.",
    ),
    entry(
        5170,
        16,
        "Cannot create file '{0}' because it already exists. Change the file path or the file name, and retry the operation.",
    ),
    entry(5701, 10, "Changed database context to '{0}'."),
    entry(5703, 10, "Changed language setting to {0}."),
    entry(6004, 14, "User does not have permission to perform this action."),
    entry(6006, 10, "Server shut down by request from login {0}."),
    entry(6101, 16, "Session ID {0} is not valid."),
    entry(
        6102,
        14,
        "User does not have permission to use the KILL statement.",
    ),
    entry(6104, 16, "Cannot use KILL to kill your own process."),
    entry(6106, 16, "Process ID {0} is not an active process ID."),
    entry(
        6401,
        16,
        "Cannot roll back {0}. No transaction or savepoint of that name was found.",
    ),
    entry(7969, 0, "No active open transactions."),
    entry(
        7983,
        14,
        "User '{0}' does not have permission to run DBCC checkdb for database '{1}'.",
    ),
    entry(
        8003,
        16,
        "The incoming request has too many parameters. The server supports a maximum of 2100 parameters. Reduce the number of parameters and resend the request.",
    ),
    entry(
        8009,
        16,
        "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. Parameter {0} (\"{1}\"): Data type 0x{2} is unknown.",
    ),
    entry(8102, 16, "Cannot update identity column '{0}'."),
    entry(
        8107,
        16,
        "IDENTITY_INSERT is already ON for table '{0}'. Cannot perform SET operation for table '{1}'.",
    ),
    entry(
        8110,
        16,
        "Cannot add multiple PRIMARY KEY constraints to table '{0}'.",
    ),
    entry(8114, 16, "Error converting data type {0} to {1}."),
    entry(
        8115,
        16,
        "Arithmetic overflow error converting {0} to data type {1}.",
    ),
    entry(
        8116,
        16,
        "Argument data type {0} is invalid for argument {1} of {2} function.",
    ),
    entry(8117, 16, "Operand data type {0} is invalid for {1} operator."),
    entry(
        8120,
        16,
        "Column '{0}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.",
    ),
    entry(
        8127,
        16,
        "Column \"{0}\" is invalid in the ORDER BY clause because it is not contained in either an aggregate function or the GROUP BY clause.",
    ),
    entry(8134, 16, "Divide by zero error encountered."),
    entry(
        8144,
        16,
        "Procedure or function {0} has too many arguments specified.",
    ),
    entry(8145, 16, "{0} is not a parameter for procedure {1}."),
    entry(8152, 16, "String or binary data would be truncated."),
    entry(8155, 16, "No column name was specified for column {0} of '{1}'."),
    entry(
        8156,
        16,
        "The column '{0}' was specified multiple times for '{1}'.",
    ),
    entry(
        8158,
        16,
        "'{0}' has more columns than were specified in the column list.",
    ),
    entry(
        8159,
        16,
        "'{0}' has fewer columns than were specified in the column list.",
    ),
    entry(8164, 16, "An INSERT EXEC statement cannot be nested."),
    entry(
        8169,
        16,
        "Conversion failed when converting from a character string to uniqueidentifier.",
    ),
    entry(
        8170,
        16,
        "Insufficient result space to convert uniqueidentifier value to char.",
    ),
    entry(
        8178,
        16,
        "The parameterized query '{0}' expects the parameter '{1}', which was not supplied.",
    ),
    entry(8179, 16, "Could not find prepared statement with handle {0}."),
    entry(
        8623,
        16,
        "The query processor ran out of internal resources and could not produce a query plan. This is a rare event and only expected for extremely complex queries or queries that reference a very large number of tables or partitions. Please simplify the query. If you believe you have received this message in error, contact Customer Support Services for more information.",
    ),
    entry(
        8632,
        17,
        "Internal error: An expression services limit has been reached. Please look for potentially complex expressions in your query, and try to simplify them.",
    ),
    entry(
        8730,
        16,
        "Offset parameter for Lag and Lead functions cannot be a negative value.",
    ),
    entry(
        8904,
        16,
        "Extent {0} in database ID {1} is allocated by more than one allocation object.",
    ),
    entry(
        8905,
        16,
        "Extent {0} in database ID {1} is marked allocated in the GAM, but no SGAM or IAM has allocated it.",
    ),
    entry(
        8906,
        16,
        "Page {0} in database ID {1} is allocated in the SGAM {2} and PFS {3}, but was not allocated in any IAM. PFS flags '{4}'.",
    ),
    entry(
        8909,
        16,
        "Table error: Object ID {0}, index ID {1}, partition ID {2}, alloc unit ID {3} (type {4}), page ID {5} contains an incorrect page ID in its page header. The PageId in the page header = {6}.",
    ),
    entry(
        8928,
        16,
        "Object ID {0}, index ID {1}, partition ID {2}, alloc unit ID {3} (type {4}): Page {5} could not be processed.  See other errors for details.",
    ),
    entry(
        8939,
        16,
        "Table error: Object ID {0}, index ID {1}, partition ID {2}, alloc unit ID {3} (type {4}), page {5}. Test ({6}) failed. Values are {7} and {8}.",
    ),
    entry(
        8941,
        16,
        "Table error: Object ID {0}, index ID {1}, partition ID {2}, alloc unit ID {3} (type {4}), page {5}. Test ({6}) failed. Slot {7}, offset 0x{8} is invalid.",
    ),
    entry(
        8944,
        16,
        "Table error: Object ID {0}, index ID {1}, partition ID {2}, alloc unit ID {3} (type {4}), page {5}, row {6}. Test ({7}) failed. Values are {8} and {9}.",
    ),
    entry(
        8954,
        10,
        "CHECKDB found {0} allocation errors and {1} consistency errors not associated with any single object.",
    ),
    entry(
        8958,
        10,
        "{0} is the minimum repair level for the errors found by DBCC CHECKDB ({1}).",
    ),
    entry(
        8985,
        16,
        "Could not locate file '{0}' for database '{1}' in sys.database_files. The file either does not exist, or was dropped.",
    ),
    entry(
        8989,
        10,
        "CHECKDB found {0} allocation errors and {1} consistency errors in database '{2}'.",
    ),
    entry(
        8990,
        10,
        "CHECKDB found {0} allocation errors and {1} consistency errors in table '{2}' (object ID {3}).",
    ),
    entry(
        8998,
        16,
        "Page errors on the GAM, SGAM, or PFS pages prevent allocation integrity checks in database ID {0} pages from {1} to {2}. See other errors for cause.",
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
        9810,
        16,
        "The datepart {0} is not supported by date function {1} for data type {2}.",
    ),
    entry(9812, 16, "The timezone provided to builtin function is invalid."),
    entry(
        9829,
        16,
        "STRING_AGG aggregation result exceeded the limit of 8000 bytes. Use LOB types to avoid result truncation.",
    ),
    entry(
        10_704,
        15,
        "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW statement inside a CATCH block, or add error parameters to the THROW statement.",
    ),
    entry(
        10_709,
        16,
        "The number of columns for each row in a table value constructor must be the same.",
    ),
    entry(
        10_742,
        15,
        "The offset specified in a OFFSET clause may not be negative.",
    ),
    entry(
        10_743,
        15,
        "The number of rows provided for a FETCH clause must be greater then zero.",
    ),
    entry(10_759, 15, "Use of DISTINCT is not allowed with the OVER clause."),
    entry(
        15_007,
        16,
        "'{0}' is not a valid login or you do not have permission.",
    ),
    entry(
        15_009,
        16,
        "The object '{0}' does not exist in database '{1}' or is invalid for this operation.",
    ),
    entry(
        15_010,
        16,
        "The database '{0}' does not exist. Supply a valid database name. To see available databases, use sys.databases.",
    ),
    entry(
        15_012,
        16,
        "The device '{0}' does not exist. Use sys.backup_devices to show available devices.",
    ),
    entry(
        15_023,
        16,
        "User, group, or role '{0}' already exists in the current database.",
    ),
    entry(15_025, 16, "The server principal '{0}' already exists."),
    entry(15_026, 16, "Logical device '{0}' already exists."),
    entry(
        15_048,
        16,
        "Valid values of the database compatibility level are 100 to {0} in steps of 10.",
    ),
    entry(
        15_123,
        16,
        "The configuration option '{0}' does not exist, or it may be an advanced option.",
    ),
    entry(15_124, 16, "The configuration option '{0}' is not unique."),
    entry(
        15_129,
        16,
        "'{0}' is not a valid value for configuration option '{1}'.",
    ),
    entry(
        15_151,
        16,
        "Cannot {0} the {1} '{2}', because it does not exist or you do not have permission.",
    ),
    entry(
        15_232,
        16,
        "A certificate with name '{0}' already exists or this certificate already has been added to the database.",
    ),
    entry(
        15_247,
        16,
        "User does not have permission to perform this action.",
    ),
    entry(
        15_434,
        16,
        "Could not drop login '{0}' as the user is currently logged in.",
    ),
    entry(
        15_457,
        0,
        "Configuration option '{0}' changed from {1} to {2}. Run the RECONFIGURE statement to install.",
    ),
    entry(15_530, 16, "The credential with name \"{0}\" already exists."),
    entry(
        17_126,
        10,
        "SQL Server is now ready for client connections. This is an informational message; no user action is required.",
    ),
    entry(
        17_142,
        14,
        "SQL Server service has been paused. No new connections will be allowed. To resume the service, use SQL Computer Manager or the Services application in Control Panel.",
    ),
    entry(
        17_809,
        20,
        "Could not connect because the maximum number of '{0}' user connections has already been reached. The system administrator can use sp_configure to increase the maximum value. The connection has been closed.",
    ),
    entry(
        18_054,
        16,
        "Error {0}, severity 16, state 1 was raised, but no message with that error number was found in sys.messages. If error is larger than 50000, make sure the user-defined message is added using sp_addmessage.",
    ),
    entry(
        18_204,
        16,
        "{0}: Backup device '{1}' failed to {2}. Operating system error {3}.",
    ),
    entry(
        18_210,
        16,
        "{0}: {1} failure on backup device '{2}'. Operating system error {3}.",
    ),
    entry(
        18_264,
        10,
        "Database backed up. Database: {0}, creation date(time): {1}, pages dumped: {2}, first LSN: {3}, last LSN: {4}, number of dump devices: {5}, device information: ({6}). This is an informational message only. No user action is required.",
    ),
    entry(
        18_265,
        10,
        "Log was backed up. Database: {0}, creation date(time): {1}, first LSN: {2}, last LSN: {3}, number of dump devices: {4}, device information: ({5}). This is an informational message only. No user action is required.",
    ),
    entry(
        18_267,
        0,
        "Database was restored: Database: {0}, creation date(time): {1}, first LSN: {2}, last LSN: {3}, number of dump devices: {4}, device information: ({5}). Informational message. No user action required.",
    ),
    entry(
        18_268,
        0,
        "Log was restored. Database: {0}, creation date(time): {1}, first LSN: {2}, last LSN: {3}, number of dump devices: {4}, device information: ({5}). This is an informational message. No user action is required.",
    ),
    entry(
        18_270,
        10,
        "Database differential changes were backed up. Database: {0}, creation date(time): {1}, pages dumped: {2}, first LSN: {3}, last LSN: {4}, full backup LSN: {5}, number of dump devices: {6}, device information: ({7}). This is an informational message. No user action is required.",
    ),
    entry(
        18_452,
        14,
        "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.",
    ),
    entry(18_456, 14, "Login failed for user '{0}'."),
    entry(
        18_470,
        14,
        "Login failed for user '{0}'. Reason: The account is disabled.",
    ),
    entry(22_048, 16, "{0}() returned error {2}, '{3}' from {1}."),
    entry(22_049, 16, "{0}() returned error {2}, '{3}' from {1}."),
    entry(
        33_107,
        16,
        "Cannot enable database encryption because it is not set up: there is no database encryption key. Create one, then retry.",
    ),
    entry(33_111, 16, "Cannot find server {0} with thumbprint '{1}'."),
    entry(
        35_100,
        16,
        "Error number {0} in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to 2147483647.",
    ),
    entry(
        40_510,
        16,
        "The simulated instance does not know {0}. It is bac2's simulation, not SQL Server.",
    ),
    entry(
        40_511,
        0,
        "The log in this backup set was written by SQL Server. The simulated instance cannot redo it and passes it over: database '{0}' holds the pages as they were read. It is bac2's simulation, not SQL Server.",
    ),
    entry(
        40_512,
        16,
        "The log in this backup set was written by SQL Server. The simulated instance cannot redo it. It is bac2's simulation, not SQL Server.",
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
