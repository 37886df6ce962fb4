//! BACKUP and RESTORE.

use super::{error, one};
use crate::tsql::backup::{BackupOptions, BackupStatement, BackupWhat, Encryption};
use crate::tsql::device::DeviceName;
use crate::tsql::restore::{RestoreStatement, RestoreWhat, StopOption};
use crate::tsql::statement::{Statement, Word};

fn literal(text: &str) -> Word {
    Word::Literal(text.to_owned())
}

fn variable(name: &str) -> Word {
    Word::Variable(name.to_owned())
}

fn backup(text: &str) -> BackupStatement {
    match one(text) {
        Statement::Backup(backup) => *backup,
        other => panic!("{text}: {other:?}"),
    }
}

fn restore(text: &str) -> RestoreStatement {
    match one(text) {
        Statement::Restore(restore) => *restore,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_full_backup_as_management_studio_writes_it() {
    let parsed = backup(
        "BACKUP DATABASE [Sales db] TO  DISK = N'/var/opt/mssql/data/It''s.bak' WITH NOFORMAT, NOINIT, \
         NAME = N'Sales-Full', SKIP, NOREWIND, NOUNLOAD,  STATS = 5",
    );
    assert_eq!(parsed.what, BackupWhat::Database);
    assert_eq!(parsed.database, literal("Sales db"));
    assert_eq!(
        parsed.devices,
        [DeviceName::Disk(literal("/var/opt/mssql/data/It's.bak"))]
    );
    assert_eq!(
        parsed.options,
        BackupOptions {
            format: Some(false),
            init: Some(false),
            skip: Some(true),
            name: Some(literal("Sales-Full")),
            stats: Some(5),
            ..BackupOptions::default()
        }
    );
}

#[test]
fn every_option_of_a_data_backup() {
    let options = backup(
        "backup database @db to url = @one, url = 'https://vault/c/b' with differential, checksum, stop_on_error, \
         compression (algorithm = zstd, level = high), encryption (algorithm = aes_256, server certificate = [My cert]), \
         format, mediadescription = 'md', medianame = @m, description = N'd', name = 'n', retaindays = 7, stats, \
         blocksize = 65536, maxtransfersize = 4194304, buffercount = 50, credential = 'c'",
    )
    .options;
    assert!(options.differential);
    assert_eq!(options.checksum, Some(true));
    assert_eq!(options.compression, Some(true));
    assert_eq!(options.compression_algorithm.as_deref(), Some("ZSTD"));
    assert_eq!(
        options.encryption,
        Some(Encryption {
            algorithm: "AES_256".to_owned(),
            encryptor: "My cert".to_owned(),
            is_key: false
        })
    );
    assert_eq!(
        (options.format, options.skip),
        (Some(true), Some(true)),
        "FORMAT implies SKIP"
    );
    assert_eq!(options.media_description, Some(literal("md")));
    assert_eq!(options.media_name, Some(variable("@m")));
    assert_eq!(options.retain_days, Some(7));
    assert_eq!(options.stats, Some(10), "10 where no number is given");
    assert_eq!(options.block_size, Some(65536));
    assert_eq!(options.max_transfer_size, Some(4_194_304));
    assert_eq!(options.buffer_count, Some(50));
    assert_eq!(options.credential, Some(literal("c")));
}

#[test]
fn log_backups_and_their_own_options() {
    let tail = backup(
        "BACKUP LOG db TO DISK = 'NUL' WITH NO_TRUNCATE, NORECOVERY, CONTINUE_AFTER_ERROR, NO_CHECKSUM",
    );
    assert_eq!(tail.what, BackupWhat::Log);
    assert!(tail.options.no_truncate && tail.options.norecovery && tail.options.continue_after_error);
    assert_eq!(tail.options.checksum, Some(false));
    let standby = backup(
        "BACKUP LOG db TO logical_device WITH STANDBY = 'undo', NO_COMPRESSION, EXPIREDATE = '20300101'",
    );
    assert_eq!(
        standby.devices,
        [DeviceName::Logical("logical_device".to_owned())]
    );
    assert_eq!(standby.options.standby, Some(literal("undo")));
    assert_eq!(standby.options.compression, Some(false));
    assert_eq!(standby.options.expire_date, Some(literal("20300101")));
}

#[test]
fn parts_and_mirrors() {
    let parsed = backup(
        "BACKUP DATABASE d FILE = 'f1', FILEGROUP = @g, READ_WRITE_FILEGROUPS TO DISK='a', DISK='b' \
         MIRROR TO DISK='c', DISK='d' WITH FORMAT, COPY_ONLY;",
    );
    assert_eq!(parsed.files, [literal("f1")]);
    assert_eq!(parsed.filegroups, [variable("@g")]);
    assert!(parsed.read_write_filegroups && parsed.options.copy_only);
    assert_eq!(parsed.mirrors.len(), 1);
    assert_eq!(parsed.mirrors[0].len(), 2);
}

#[test]
fn copy_only_is_passed_over_with_differential() {
    let options = backup("BACKUP DATABASE d TO DISK='a' WITH COPY_ONLY, DIFFERENTIAL").options;
    assert!(options.differential && !options.copy_only);
}

#[test]
fn what_backup_refuses() {
    let cases: [(&str, i32, &str); 12] = [
        (
            "BACKUP DATABASE d TO DISK='a' WITH FOO",
            155,
            "'FOO' is not a recognized BACKUP option.",
        ),
        (
            "BACKUP DATABASE d TO DISK='a' WITH INIT, INIT",
            1039,
            "Option 'init' is specified more than once.",
        ),
        (
            "BACKUP DATABASE d TO DISK='a' WITH CHECKSUM, NO_CHECKSUM",
            3031,
            "Option 'no_checksum' conflicts with option(s) 'checksum'. Remove the conflicting option and reissue the statement.",
        ),
        (
            "BACKUP DATABASE d TO DISK='a' WITH NORECOVERY",
            3032,
            "One or more of the options (norecovery) are not supported for this statement. Review the documentation for \
             supported options.",
        ),
        (
            "BACKUP LOG d TO DISK='a' WITH DIFFERENTIAL",
            3032,
            "One or more of the options (differential) are not supported for this statement. Review the documentation for \
             supported options.",
        ),
        (
            "BACKUP DATABASE d TO DISK='a', URL='b'",
            3011,
            "All backup devices must be of the same general class (for example, DISK and TAPE).",
        ),
        (
            "BACKUP DATABASE d TO DISK='a' MIRROR TO DISK='b', DISK='c' WITH FORMAT",
            3010,
            "Invalid backup mirror specification. All mirrors must have the same number of members.",
        ),
        ("BACKUP DATABASE d", 102, "Incorrect syntax near 'd'."),
        (
            "BACKUP DATABASE TO DISK='a'",
            156,
            "Incorrect syntax near the keyword 'TO'.",
        ),
        ("BACKUP DATABASE d TO DISK = a", 102, "Incorrect syntax near 'a'."),
        (
            "BACKUP DATABASE d TO DISK='a' WITH STATS = 'x'",
            102,
            "Incorrect syntax near 'x'.",
        ),
        (
            "BACKUP DATABASE d TO DISK='a' WITH STATS = 200",
            3217,
            "Invalid value specified for stats parameter.",
        ),
    ];
    for (text, number, message) in cases {
        assert_eq!(error(text), (number, message.to_owned(), 1), "{text}");
    }
    let too_many = vec!["DISK='a'"; 65].join(",");
    assert_eq!(error(&format!("BACKUP DATABASE d TO {too_many}")).0, 3205);
}

#[test]
fn restores_in_all_forms() {
    let parsed = restore(
        "RESTORE DATABASE [new] FROM DISK = @f WITH FILE = 2, MOVE N'a' TO N'/x/a.mdf', MOVE @l TO @p, REPLACE, NORECOVERY, \
         STATS = 10, CHECKSUM, RESTRICTED_USER, MEDIANAME = 'm', BUFFERCOUNT = 4, MAXTRANSFERSIZE = 65536, BLOCKSIZE = 512, \
         NOUNLOAD, RESTART, PARTIAL",
    );
    assert_eq!(parsed.what, RestoreWhat::Database);
    assert_eq!(parsed.database, Some(literal("new")));
    let options = parsed.options;
    assert_eq!(options.file, Some(literal("2")));
    assert_eq!(
        options.moves,
        [
            (literal("a"), literal("/x/a.mdf")),
            (variable("@l"), variable("@p"))
        ]
    );
    assert!(options.replace && options.norecovery && !options.recovery && options.restricted_user);
    assert!(options.restart && options.partial);
    assert_eq!(
        (
            options.block_size,
            options.max_transfer_size,
            options.buffer_count
        ),
        (Some(512), Some(65536), Some(4))
    );

    let bare = restore("RESTORE DATABASE x WITH RECOVERY, KEEP_CDC");
    assert!(bare.devices.is_empty() && bare.options.recovery);
    assert_eq!(bare.options.others, ["KEEP_CDC"]);
    assert_eq!(
        restore("RESTORE DATABASE x FROM DATABASE_SNAPSHOT = 'snap'").snapshot,
        Some(literal("snap"))
    );
    let pages = restore(
        "RESTORE DATABASE x FILE = 'f', FILEGROUP = 'g', PAGE = '1:57, 1:202' FROM DISK='a' WITH STANDBY='u'",
    );
    assert_eq!(pages.files, [literal("f"), literal("g")]);
    assert_eq!(pages.pages, Some(literal("1:57, 1:202")));
    assert_eq!(pages.options.standby, Some(literal("u")));
    for (word, what) in [
        ("HEADERONLY", RestoreWhat::HeaderOnly),
        ("FILELISTONLY", RestoreWhat::FileListOnly),
        ("LABELONLY", RestoreWhat::LabelOnly),
        ("VERIFYONLY", RestoreWhat::VerifyOnly),
    ] {
        let parsed = restore(&format!(
            "RESTORE {word} FROM URL = N'https://v/c/b' WITH CREDENTIAL = 'k', NOUNLOAD, FILE = @n"
        ));
        assert_eq!((parsed.what, parsed.database), (what, None));
        assert_eq!(parsed.devices, [DeviceName::Url(literal("https://v/c/b"))]);
        assert_eq!(parsed.options.credential, Some(literal("k")));
        assert_eq!(parsed.options.file, Some(variable("@n")));
    }
    let verify =
        restore("RESTORE VERIFYONLY FROM DISK='a' WITH LOADHISTORY, MOVE 'a' TO 'b', CONTINUE_AFTER_ERROR");
    assert!(
        verify.options.load_history && verify.options.continue_after_error && verify.options.moves.len() == 1
    );
}

#[test]
fn where_a_restore_stops() {
    let stop = |option: &str| {
        restore(&format!("RESTORE LOG x FROM DISK='a' WITH NORECOVERY, {option}"))
            .options
            .stop
    };
    assert_eq!(
        stop("STOPAT = '2026-01-01T10:00:00'"),
        Some(StopOption::At(literal("2026-01-01T10:00:00")))
    );
    assert_eq!(
        stop("STOPATMARK = 'lsn:53000002197300001'"),
        Some(StopOption::AtMark(literal("lsn:53000002197300001"), None))
    );
    assert_eq!(
        stop("STOPBEFOREMARK = @m AFTER '2026-01-01'"),
        Some(StopOption::BeforeMark(
            variable("@m"),
            Some(literal("2026-01-01"))
        ))
    );
}

#[test]
fn what_restore_refuses() {
    let cases: [(&str, i32, &str); 7] = [
        (
            "RESTORE DATABASE x FROM DISK='a' WITH FOO",
            155,
            "'FOO' is not a recognized RESTORE option.",
        ),
        (
            "RESTORE DATABASE x FROM DISK='a' WITH NORECOVERY, RECOVERY",
            3031,
            "Option 'recovery' conflicts with option(s) 'norecovery'. Remove the conflicting option and reissue the statement.",
        ),
        (
            "RESTORE DATABASE x FROM DISK='a' WITH KEEP_REPLICATION, NORECOVERY",
            3031,
            "Option 'norecovery' conflicts with option(s) 'keep_replication'. Remove the conflicting option and reissue the \
             statement.",
        ),
        (
            "RESTORE HEADERONLY FROM DISK='a' WITH REPLACE",
            3032,
            "One or more of the options (replace) are not supported for this statement. Review the documentation for supported \
             options.",
        ),
        (
            "RESTORE DATABASE x WITH STOPAT = 'a'",
            3032,
            "One or more of the options (stopat) are not supported for this statement. Review the documentation for supported \
             options.",
        ),
        ("RESTORE HEADERONLY", 102, "Incorrect syntax near 'HEADERONLY'."),
        (
            "RESTORE DATABASE x FROM DISK='a' WITH",
            156,
            "Incorrect syntax near the keyword 'WITH'.",
        ),
    ];
    for (text, number, message) in cases {
        assert_eq!(error(text), (number, message.to_owned(), 1), "{text}");
    }
}
