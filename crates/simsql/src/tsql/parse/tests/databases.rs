//! Databases and what belongs to the server.

use super::{error, one};
use crate::engine::boot::{Protection, RecoveryModel};
use crate::tsql::statement::{
    AlterDatabase, CreateDatabase, DatabaseOption, FileSpecification, PermissionDeed, ServerStatement,
    Statement, Termination, Word,
};

fn set(options: &str) -> (Vec<DatabaseOption>, Termination) {
    match one(&format!("ALTER DATABASE d SET {options}")) {
        Statement::AlterDatabase(Some(Word::Literal(name)), AlterDatabase::Set(options, termination))
            if name == "d" =>
        {
            (options, termination)
        }
        other => panic!("{options}: {other:?}"),
    }
}

fn server(text: &str) -> ServerStatement {
    match one(text) {
        Statement::Server(statement) => statement,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn create_database_with_its_files() {
    let Statement::CreateDatabase(plain) = one("CREATE DATABASE [a b]") else {
        panic!("CREATE DATABASE");
    };
    assert_eq!(
        (plain.name.as_str(), plain.data.len(), plain.attach),
        ("a b", 0, false)
    );
    let Statement::CreateDatabase(full) = one("CREATE DATABASE s CONTAINMENT = NONE ON PRIMARY \
         ( NAME = N's', FILENAME = N'/d/s.mdf', SIZE = 8192KB, MAXSIZE = UNLIMITED, FILEGROWTH = 65536KB ), \
         ( NAME = s2, SIZE = 1 GB, FILEGROWTH = 10% ) \
         LOG ON ( NAME = 's_log', SIZE = 3, MAXSIZE = 2TB, FILEGROWTH = 0 ) COLLATE Polish_CI_AS WITH TRUSTWORTHY ON")
    else {
        panic!("CREATE DATABASE");
    };
    // 8 MB = 1024 pages of 8 KB; 64 MB = 8192; 1 GB = 131072, a tenth of it rounded up 13108; 3 MB = 384; 2 TB = 2^28.
    let expected = CreateDatabase {
        name: "s".to_owned(),
        data: vec![
            FileSpecification {
                name: "s".to_owned(),
                filename: Some("/d/s.mdf".to_owned()),
                size: Some(1024),
                max_size: Some(u32::MAX),
                growth: Some(8192),
            },
            FileSpecification {
                name: "s2".to_owned(),
                filename: None,
                size: Some(131_072),
                max_size: None,
                growth: Some(13_108),
            },
        ],
        log: vec![FileSpecification {
            name: "s_log".to_owned(),
            filename: None,
            size: Some(384),
            max_size: Some(1 << 28),
            growth: Some(0),
        }],
        collation: Some("Polish_CI_AS".to_owned()),
        attach: false,
    };
    assert_eq!(full, expected);
    let attach = one("CREATE DATABASE x ON (FILENAME = '/a.mdf', NAME = x) FOR ATTACH");
    assert!(matches!(
        attach,
        Statement::CreateDatabase(CreateDatabase { attach: true, .. })
    ));
}

#[test]
fn every_option_of_alter_database_set() {
    let cases = [
        ("RECOVERY FULL", DatabaseOption::Recovery(RecoveryModel::Full)),
        (
            "RECOVERY BULK_LOGGED",
            DatabaseOption::Recovery(RecoveryModel::BulkLogged),
        ),
        ("RECOVERY SIMPLE", DatabaseOption::Recovery(RecoveryModel::Simple)),
        ("SINGLE_USER", DatabaseOption::SingleUser),
        ("RESTRICTED_USER", DatabaseOption::RestrictedUser),
        ("MULTI_USER", DatabaseOption::MultiUser),
        ("READ_ONLY", DatabaseOption::ReadOnly(true)),
        ("READ_WRITE", DatabaseOption::ReadOnly(false)),
        ("ONLINE", DatabaseOption::Online),
        ("OFFLINE", DatabaseOption::Offline),
        ("EMERGENCY", DatabaseOption::Emergency),
        (
            "PAGE_VERIFY CHECKSUM",
            DatabaseOption::PageVerify(Protection::Checksum),
        ),
        (
            "PAGE_VERIFY TORN_PAGE_DETECTION",
            DatabaseOption::PageVerify(Protection::Torn),
        ),
        ("PAGE_VERIFY NONE", DatabaseOption::PageVerify(Protection::None)),
        (
            "AUTO_CLOSE ON",
            DatabaseOption::Switch("AUTO_CLOSE".to_owned(), true),
        ),
        (
            "ENCRYPTION OFF",
            DatabaseOption::Switch("ENCRYPTION".to_owned(), false),
        ),
        (
            "ACCELERATED_DATABASE_RECOVERY = ON",
            DatabaseOption::Switch("ACCELERATED_DATABASE_RECOVERY".to_owned(), true),
        ),
        (
            "AUTO_CREATE_STATISTICS ON(INCREMENTAL = OFF)",
            DatabaseOption::Switch("AUTO_CREATE_STATISTICS".to_owned(), true),
        ),
        (
            "COMPATIBILITY_LEVEL = 150",
            DatabaseOption::CompatibilityLevel(150),
        ),
        (
            "TARGET_RECOVERY_TIME = 60 SECONDS",
            DatabaseOption::Other("TARGET_RECOVERY_TIME = 60 SECONDS".to_owned()),
        ),
        (
            "DISABLE_BROKER",
            DatabaseOption::Other("DISABLE_BROKER".to_owned()),
        ),
    ];
    for (text, option) in cases {
        assert_eq!(set(text), (vec![option], Termination::None), "{text}");
    }
    let (options, termination) = set("SINGLE_USER, RECOVERY FULL WITH ROLLBACK IMMEDIATE");
    assert_eq!((options.len(), termination), (2, Termination::Immediate));
    assert_eq!(
        set("OFFLINE WITH ROLLBACK AFTER 30 SECONDS").1,
        Termination::After(30)
    );
    assert_eq!(set("OFFLINE WITH ROLLBACK AFTER 0").1, Termination::Immediate);
    assert_eq!(set("READ_ONLY WITH NO_WAIT").1, Termination::NoWait);
}

#[test]
fn other_forms_of_alter_and_drop() {
    assert_eq!(
        one("ALTER DATABASE CURRENT MODIFY NAME = [n n]"),
        Statement::AlterDatabase(None, AlterDatabase::ModifyName("n n".to_owned()))
    );
    let added = one("ALTER DATABASE d ADD LOG FILE (NAME = l2, SIZE = 1MB), (NAME = l3)");
    let Statement::AlterDatabase(
        _,
        AlterDatabase::AddFile {
            files,
            log,
            filegroup,
        },
    ) = added
    else {
        panic!("{added:?}");
    };
    assert_eq!((files.len(), log, filegroup), (2, true, None));
    let added = one("ALTER DATABASE d ADD FILE (NAME = f) TO FILEGROUP [PRIMARY]");
    assert!(
        matches!(added, Statement::AlterDatabase(_, AlterDatabase::AddFile { log: false, filegroup: Some(g), .. }) if g == "PRIMARY")
    );
    assert!(matches!(
        one("ALTER DATABASE d REMOVE FILE [f 1]"),
        Statement::AlterDatabase(_, AlterDatabase::RemoveFile(file)) if file == "f 1"
    ));
    assert!(matches!(
        one("ALTER DATABASE d MODIFY FILE (NAME = f, SIZE = 16MB)"),
        Statement::AlterDatabase(_, AlterDatabase::ModifyFile(file)) if file.size == Some(2048)
    ));
    assert!(matches!(
        one("ALTER DATABASE d COLLATE Latin1_General_CI_AS"),
        Statement::AlterDatabase(_, AlterDatabase::Collate(_))
    ));
    assert_eq!(
        one("DROP DATABASE IF EXISTS a, [b c]"),
        Statement::DropDatabase {
            if_exists: true,
            names: vec![Word::Literal("a".to_owned()), Word::Literal("b c".to_owned())],
        }
    );
    assert_eq!(
        one("ALTER AUTHORIZATION ON DATABASE::[d] TO [sa]"),
        Statement::ChangeOwner {
            database: "d".to_owned(),
            login: "sa".to_owned()
        }
    );
}

#[test]
fn what_belongs_to_the_server() {
    let text = |text: &str| Word::Literal(text.to_owned());
    assert_eq!(
        server(
            "CREATE CREDENTIAL [https://h/c] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'sv=1&sig=x'"
        ),
        ServerStatement::PutCredential {
            alter: false,
            name: "https://h/c".to_owned(),
            identity: text("SHARED ACCESS SIGNATURE"),
            secret: Some(text("sv=1&sig=x")),
        }
    );
    assert!(matches!(
        server("ALTER CREDENTIAL c WITH IDENTITY = @i"),
        ServerStatement::PutCredential {
            alter: true,
            secret: None,
            ..
        }
    ));
    assert_eq!(
        server("DROP CREDENTIAL c"),
        ServerStatement::DropCredential("c".to_owned())
    );
    assert_eq!(
        server(
            "CREATE LOGIN [l] WITH PASSWORD = N'p' MUST_CHANGE, DEFAULT_DATABASE = [m], CHECK_POLICY = OFF, CHECK_EXPIRATION=OFF"
        ),
        ServerStatement::CreateLogin {
            name: "l".to_owned(),
            password: text("p"),
            default_database: Some("m".to_owned()),
        }
    );
    assert_eq!(
        server("ALTER LOGIN sa DISABLE"),
        ServerStatement::AlterLogin {
            name: "sa".to_owned(),
            enabled: Some(false),
            password: None
        }
    );
    assert!(matches!(
        server("ALTER LOGIN sa WITH PASSWORD = 'x'"),
        ServerStatement::AlterLogin {
            password: Some(_),
            ..
        }
    ));
    assert_eq!(server("DROP LOGIN l"), ServerStatement::DropLogin("l".to_owned()));
    assert_eq!(
        server("CREATE USER u FOR LOGIN l WITH DEFAULT_SCHEMA = dbo"),
        ServerStatement::CreateUser {
            name: "u".to_owned(),
            login: Some("l".to_owned())
        }
    );
    assert!(matches!(
        server("CREATE USER u WITHOUT LOGIN"),
        ServerStatement::CreateUser { login: None, .. }
    ));
    assert_eq!(
        server("DROP USER IF EXISTS u"),
        ServerStatement::DropUser("u".to_owned())
    );
    assert_eq!(
        server("ALTER SERVER ROLE sysadmin ADD MEMBER [l]"),
        ServerStatement::ServerRole {
            role: "sysadmin".to_owned(),
            login: "l".to_owned(),
            add: true
        }
    );
    assert_eq!(
        server("ALTER ROLE db_backupoperator DROP MEMBER u"),
        ServerStatement::DatabaseRole {
            role: "db_backupoperator".to_owned(),
            user: "u".to_owned(),
            add: false
        }
    );
    assert_eq!(
        server("GRANT VIEW SERVER STATE, ALTER ANY CREDENTIAL TO [l]"),
        ServerStatement::Permission {
            deed: PermissionDeed::Grant,
            permissions: vec!["VIEW SERVER STATE".to_owned(), "ALTER ANY CREDENTIAL".to_owned()],
            principal: "l".to_owned(),
        }
    );
    assert!(matches!(
        server("REVOKE BACKUP DATABASE FROM u"),
        ServerStatement::Permission {
            deed: PermissionDeed::Revoke,
            ..
        }
    ));
    assert_eq!(
        server("CREATE CERTIFICATE c WITH SUBJECT = 's', EXPIRY_DATE = '20301231'"),
        ServerStatement::CreateCertificate {
            name: "c".to_owned(),
            subject: "s".to_owned()
        }
    );
    assert_eq!(
        server("DROP CERTIFICATE c"),
        ServerStatement::DropCertificate("c".to_owned())
    );
    assert_eq!(
        server("CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'p'"),
        ServerStatement::CreateKey {
            server_certificate: None
        }
    );
    assert_eq!(
        server("CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE c"),
        ServerStatement::CreateKey {
            server_certificate: Some("c".to_owned())
        }
    );
}

#[test]
fn what_is_refused_and_where() {
    assert_eq!(
        error("ALTER DATABASE d SET NONSENSE"),
        (102, "Incorrect syntax near 'NONSENSE'.".to_owned(), 1)
    );
    assert_eq!(error("ALTER DATABASE d\nSET RECOVERY MOST").2, 2);
    assert_eq!(error("SELECT 1;\nALTER DATABASE d SET HADR OFF").0, 40510);
    assert_eq!(error("CREATE DATABASE d ON (NAME = a, NAME = b)").0, 1039);
    assert_eq!(error("CREATE DATABASE d ON (SIZE = 8MB)").0, 102);
    assert_eq!(error("CREATE DATABASE").0, 156);
    assert_eq!(error("ALTER DATABASE d SET COMPATIBILITY_LEVEL = 95").0, 15048);
    for text in [
        "CREATE PROCEDURE p AS SELECT 1",
        "CREATE INDEX i ON t (a)",
        "MERGE t USING u ON 1 = 1 WHEN MATCHED THEN DELETE;",
    ] {
        assert_eq!(error(text).0, 40510, "{text}");
    }
    assert_eq!(
        error("CREATE NONSENSE x"),
        (102, "Incorrect syntax near 'NONSENSE'.".to_owned(), 1)
    );
}
