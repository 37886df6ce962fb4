//! BACKUP, RESTORE and what they share with other statements: 3000 to 3999.

use super::{Entry, entry};

/// Ascending by number.
pub(super) const ENTRIES: &[Entry] = &[
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
        3121,
        16,
        "The file \"{0}\" is on a recovery path that is inconsistent with application of this backup set. RESTORE cannot continue.",
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
    entry(3167, 16, "RESTORE could not start database '{0}'."),
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
];
