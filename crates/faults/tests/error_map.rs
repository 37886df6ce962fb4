//! From SQL Server's messages to codes: each message of the error map in its operation, and what mixtures come to.
//!
//! Numbers and shapes of texts are those of SQL Server's documentation of errors and events (sys.messages); which code
//! a message stands for is the error map's.

use faults::{Code, Operation, Said, classify};

use Operation::{Backup, Connect, Discovery, Restore};

/// Operations, messages, code: where the number alone decides.
const MAP: &[(&[Operation], &[i32], Code)] = &[
    (
        &[Connect, Discovery, Backup, Restore],
        &[262, 229, 3110, 916, 3265, 15247],
        Code::UserErrorSQLNoSysadminMembership,
    ),
    (
        &[Backup],
        &[4208, 3024, 4212, 3147, 3002],
        Code::UserErrorSQLPODoesNotSupportBackupType,
    ),
    (
        &[Backup],
        &[3023, 1222],
        Code::UserErrorFileManipulationIsNotAllowedDuringBackup,
    ),
    (&[Discovery, Backup], &[911], Code::UserErrorSQLPODoesNotExist),
    (&[Connect], &[4060], Code::UserErrorSQLPODoesNotExist),
    (&[Backup], &[4219], Code::UserErrorSQLLSNValidationFailure),
    (
        &[Restore],
        &[4305, 4312, 4330, 3136],
        Code::UserErrorSQLLSNValidationFailure,
    ),
    (
        &[Connect, Discovery, Backup, Restore],
        &[
            -1, 2, 53, 10060, 10061, 258, 18456, 18452, 18470, 18486, 18487, 18488, 17142, 18461,
        ],
        Code::UserErrorOpeningSQLConnection,
    ),
    (
        &[Backup],
        &[3035, 4214, 3039],
        Code::UserErrorParentFullBackupMissing,
    ),
    (
        &[Backup],
        &[9002, 3052, 1105],
        Code::UserErrorBackupFailedAsTransactionLogIsFull,
    ),
    (
        &[Restore],
        &[3141, 3142, 3154, 1834, 3159],
        Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite,
    ),
    (
        &[Restore],
        &[3101, 3102, 5061, 5064, 5069, 5070, 924, 3104],
        Code::UserErrorRestoreFailedDatabaseCannotBeOfflined,
    ),
    (
        &[Backup, Restore],
        &[
            3201, 3202, 3203, 3257, 3271, 5123, 5133, 5149, 823, 824, 825, 18204, 18210, 3043, 3183,
        ],
        Code::WlExtGenericIOFaultUserError,
    ),
    (
        &[Restore],
        &[33111, 33117],
        Code::UserErrorCannotFindServerCertificateWithThumbprint,
    ),
    (
        &[Backup],
        &[3095, 3096],
        Code::UserErrorCannotFindServerCertificateWithThumbprint,
    ),
    (
        &[Restore],
        &[4341, 4327],
        Code::UserErrorRestoreNotPossibleBecauseLogBackupContainsBulkLoggedChanges,
    ),
    (
        &[Backup],
        &[3059, 3062, 976, 983, 978],
        Code::FabricSvcBackupPreferenceCheckFailedUserError,
    ),
    (
        &[Backup],
        &[3048, 954],
        Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled,
    ),
];

/// An error as it comes at severity 16.
fn error(number: i32, text: &str) -> Said {
    Said::new(number, 1, 16, 1, text)
}

/// What follows each failed BACKUP or RESTORE.
fn trailer(statement: &str) -> Said {
    error(3013, &format!("{statement} is terminating abnormally."))
}

#[test]
fn each_message_of_the_map_comes_to_its_code() {
    for (operations, numbers, code) in MAP {
        for operation in *operations {
            for number in *numbers {
                let alone = [error(*number, "text in any language")];
                assert_eq!(classify(*operation, &alone), *code, "{number} in {operation}");
                let followed = [alone[0].clone(), trailer("BACKUP DATABASE")];
                assert_eq!(
                    classify(*operation, &followed),
                    *code,
                    "{number} in {operation}, followed by 3013"
                );
            }
        }
    }
}

#[test]
fn the_error_of_the_operating_system_tells_messages_of_one_number_apart() {
    const PATH: &str = r"E:\backup\shop.bak";
    const URL: &str = "https://vault.example/c/shop-1.bak";
    for (number, target, system, code) in [
        (
            3201,
            PATH,
            "3(The system cannot find the path specified.)",
            Code::WlExtGenericIOFaultUserError,
        ),
        (
            3201,
            PATH,
            "5(Access is denied.)",
            Code::WlExtGenericIOFaultUserError,
        ),
        (
            3201,
            PATH,
            "53(The network path was not found.)",
            Code::WlExtGenericIOFaultUserError,
        ),
        (
            3202,
            PATH,
            "112(There is not enough space on the disk.)",
            Code::WlExtGenericIOFaultUserError,
        ),
        (
            3201,
            PATH,
            "32(The process cannot access the file because it is being used by another process.)",
            Code::WlExtGenericIOFaultUserError,
        ),
        (
            3201,
            URL,
            "50(The request is not supported.)",
            Code::UserErrorVMInternetConnectivityIssue,
        ),
        (
            3201,
            URL,
            "53(The network path was not found.)",
            Code::UserErrorVMInternetConnectivityIssue,
        ),
        (
            3271,
            URL,
            "12002(The operation timed out.)",
            Code::UserErrorVMInternetConnectivityIssue,
        ),
        (
            3201,
            URL,
            "12175(failed to retrieve text for this error)",
            Code::UserErrorVMInternetConnectivityIssue,
        ),
        (3201, URL, "5(Access is denied.)", Code::Bac2CredentialRefused),
        (
            3201,
            URL,
            "86(The specified network password is not correct.)",
            Code::Bac2CredentialRefused,
        ),
        (
            3201,
            URL,
            "32(The process cannot access the file because it is being used by another process.)",
            Code::Bac2UrlLeased,
        ),
        (
            3202,
            URL,
            "1117(The request could not be performed because of an I/O device error.)",
            Code::Bac2UrlBlockLimit,
        ),
        (3201, URL, "80(The file exists.)", Code::Bac2UrlTaken),
    ] {
        let text = match number {
            3201 => format!("Cannot open backup device '{target}'. Operating system error {system}."),
            _ => format!(r#"Write on "{target}" failed: {system}"#),
        };
        let said = [error(number, &text), trailer("BACKUP DATABASE")];
        assert_eq!(classify(Backup, &said), code, "{text}");
    }
}

#[test]
fn a_status_of_http_tells_more_than_the_number() {
    let received = |status: &str| {
        [
            error(
                3271,
                &format!(
                    "A nonrecoverable I/O error occurred on file \"https://h/c/a.bak:\" Backup to URL received an exception \
                     from the remote endpoint. Exception Message: The remote server returned an error: {status}."
                ),
            ),
            trailer("BACKUP DATABASE"),
        ]
    };
    for (status, code) in [
        (
            "(412) There is currently a lease on the blob and no lease ID was specified in the request.",
            Code::Bac2UrlLeased,
        ),
        ("(409) Conflict.", Code::Bac2UrlLeased),
        ("(409) The specified blob already exists.", Code::Bac2UrlTaken),
        (
            "(500) Release the brake, please.",
            Code::WlExtGenericIOFaultUserError,
        ),
        ("(403) Forbidden.", Code::Bac2CredentialRefused),
        (
            "(407) Proxy Authentication Required.",
            Code::UserErrorVMInternetConnectivityIssue,
        ),
        ("(502) Bad Gateway.", Code::UserErrorVMInternetConnectivityIssue),
        ("(500) Internal Server Error.", Code::WlExtGenericIOFaultUserError),
    ] {
        assert_eq!(classify(Backup, &received(status)), code, "{status}");
        if code != Code::Bac2UrlTaken {
            assert_eq!(classify(Restore, &received(status)), code, "{status}");
        }
    }
}

#[test]
fn the_first_error_is_the_cause_and_what_follows_says_nothing() {
    // RESTORE over the files of another database, as the engine says it.
    let said = [
        error(
            1834,
            "The file 'D:\\shop.mdf' cannot be overwritten. It is being used by database 'shop'.",
        ),
        error(
            3156,
            "File 'shop' cannot be restored to 'D:\\shop.mdf'. Use WITH MOVE to identify a valid location for the file.",
        ),
        error(
            3119,
            "Problems were identified while planning for the RESTORE statement. Previous messages provide details.",
        ),
        trailer("RESTORE DATABASE"),
    ];
    assert_eq!(
        classify(Restore, &said),
        Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite
    );
    // The follower alone still has a code, the pointer does not.
    assert_eq!(classify(Restore, &said[1..]), Code::Bac2RestorePathUnusable);
    assert_eq!(classify(Restore, &said[2..]), Code::Bac2UnexpectedSqlError);
    // A folder that does not exist.
    let said = [
        error(
            5133,
            "Directory lookup for the file \"Z:\\a.mdf\" failed with the operating system error 3(The system cannot find the path specified.).",
        ),
        error(
            3156,
            "File 'a' cannot be restored to 'Z:\\a.mdf'. Use WITH MOVE to identify a valid location for the file.",
        ),
        error(
            3119,
            "Problems were identified while planning for the RESTORE statement. Previous messages provide details.",
        ),
        trailer("RESTORE DATABASE"),
    ];
    assert_eq!(classify(Restore, &said), Code::WlExtGenericIOFaultUserError);
    // The database that the login enters is gone: the login fails after it.
    let said = [
        error(
            4060,
            "Cannot open database \"shop\" requested by the login. The login failed.",
        ),
        error(18456, "Login failed for user 'vault'."),
    ];
    assert_eq!(classify(Connect, &said), Code::UserErrorSQLPODoesNotExist);
    // Setting the target to single user.
    let said = [
        error(
            5064,
            "Changes to the state or options of database 'shop' cannot be made at this time.",
        ),
        error(5069, "ALTER DATABASE statement failed."),
    ];
    assert_eq!(
        classify(Restore, &said),
        Code::UserErrorRestoreFailedDatabaseCannotBeOfflined
    );
}

#[test]
fn information_decides_where_no_error_does() {
    let information = |number: i32, text: &str| Said::new(number, 1, 0, 1, text);
    let percent = information(3211, "10 percent processed.");
    let ends_early = information(
        4322,
        "This backup set contains records that were logged before the designated point in time. The database is being left in \
         the restoring state so that more roll forward can be performed.",
    );
    assert_eq!(
        classify(Restore, &[percent.clone(), ends_early.clone()]),
        Code::Bac2StopPointNotReached
    );
    let gap = error(
        4305,
        "The log in this backup set begins at LSN 1, which is too recent to apply to the database.",
    );
    assert_eq!(
        classify(Restore, &[percent, ends_early, gap]),
        Code::UserErrorSQLLSNValidationFailure
    );
}

#[test]
fn the_same_message_means_other_things_at_other_times() {
    let taken = error(
        924,
        "Database 'shop' is already open and can only have one user at a time.",
    );
    assert_eq!(
        classify(Backup, std::slice::from_ref(&taken)),
        Code::Bac2DatabaseNotAvailable
    );
    assert_eq!(
        classify(Restore, &[taken]),
        Code::UserErrorRestoreFailedDatabaseCannotBeOfflined
    );
}

#[test]
fn what_the_client_library_says_has_a_code_too() {
    for (text, code) in [
        (
            "error sending: Connection refused (os error 111)",
            Code::UserErrorOpeningSQLConnection,
        ),
        (
            "connection attempt timed out",
            Code::UserErrorOpeningSQLConnection,
        ),
        (
            "failed to lookup address information: Name or service not known",
            Code::Bac2ServerNameNotResolved,
        ),
        (
            "TLS handshake failed: certificate verify failed: self-signed certificate",
            Code::Bac2ServerCertificateNotTrusted,
        ),
        (
            "Cannot generate SSPI context",
            Code::Bac2AuthenticationUnavailable,
        ),
    ] {
        assert_eq!(classify(Connect, &[Said::client(text)]), code, "{text}");
    }
    let reset = [Said::client("Connection reset by peer (os error 104)")];
    assert_eq!(classify(Backup, &reset), Code::Bac2SessionLost);
    assert_eq!(classify(Connect, &reset), Code::UserErrorOpeningSQLConnection);
}

#[test]
fn what_nobody_knows_is_said_to_be_unknown() {
    let strange = error(49_999, "Something new.");
    for operation in Operation::ALL {
        assert_eq!(
            classify(operation, std::slice::from_ref(&strange)),
            Code::Bac2UnexpectedSqlError
        );
        assert_eq!(classify(operation, &[]), Code::Bac2UnexpectedSqlError);
        assert_eq!(
            classify(operation, &[trailer("BACKUP LOG")]),
            Code::Bac2UnexpectedSqlError
        );
    }
}
