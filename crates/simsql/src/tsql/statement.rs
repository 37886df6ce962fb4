//! Statements as the parser hands them to the session.

use sqlparser::ast;

use crate::engine::boot::{Protection, RecoveryModel};
use crate::value::SqlType;

/// A name or a text, or the variable that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// As it is.
    Literal(String),
    /// `@name`, with the sign.
    Variable(String),
}

/// A statement and the line of the batch where it begins, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// Line.
    pub line: u32,
    /// The statement.
    pub statement: Statement,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // A batch holds few statements, and none is moved but once.
pub enum Statement {
    /// SELECT, with its variables assigned where it assigns.
    Query(Box<ast::Query>),
    /// INSERT, UPDATE, DELETE, TRUNCATE TABLE, CREATE TABLE, DROP TABLE as sqlparser has them. A table variable is made by CREATE
    /// TABLE with its name.
    Table(Box<ast::Statement>),
    /// `DECLARE @a type [= expression], ...`.
    Declare(Vec<(String, SqlType, Option<ast::Expr>)>),
    /// `SET @a = expression`.
    Assign(String, ast::Expr),
    /// `SET option value`: name in upper case, the rest as text (`ON`, `OFF`, `10000`). Several switches of one statement have
    /// commas between their names; IDENTITY_INSERT has the table behind `ON` or `OFF`.
    Set(String, String),
    /// `USE name`.
    Use(String),
    /// `PRINT expression`.
    Print(ast::Expr),
    /// `RAISERROR (text, class, state)` and `THROW number, text, state`.
    Raise {
        /// Number; 50000 of RAISERROR.
        number: ast::Expr,
        /// Text.
        text: ast::Expr,
        /// Class; THROW has 16.
        class: ast::Expr,
        /// State.
        state: ast::Expr,
        /// What the `%` places of RAISERROR's text take.
        arguments: Vec<ast::Expr>,
        /// THROW, which ends the batch where nothing catches it.
        is_throw: bool,
    },
    /// `THROW` without arguments, in a CATCH: the error again.
    Rethrow,
    /// `BEGIN ... END` on its own.
    Block(Vec<Located>),
    /// `INSERT INTO table EXEC ...`: the results go into the table.
    InsertExecute {
        /// Parts of the table's name.
        table: Vec<String>,
        /// Columns, as they are listed.
        columns: Vec<String>,
        /// The EXEC.
        execute: Box<Statement>,
    },
    /// `ALTER AUTHORIZATION ON DATABASE::database TO login`.
    ChangeOwner {
        /// The database.
        database: String,
        /// Its new owner.
        login: String,
    },
    /// `IF condition statement [ELSE statement]`.
    If {
        /// Condition.
        condition: ast::Expr,
        /// Then.
        then: Vec<Located>,
        /// Else.
        otherwise: Vec<Located>,
    },
    /// `WHILE condition statement`.
    While {
        /// Condition.
        condition: ast::Expr,
        /// Body.
        body: Vec<Located>,
    },
    /// `BREAK`.
    Break,
    /// `CONTINUE`.
    Continue,
    /// `RETURN`.
    Return,
    /// `BEGIN TRY ... END TRY BEGIN CATCH ... END CATCH`.
    Try {
        /// Tried.
        body: Vec<Located>,
        /// Run after an error.
        handler: Vec<Located>,
    },
    /// BEGIN TRAN, COMMIT, ROLLBACK, SAVE TRAN.
    Transaction(Transaction),
    /// `WAITFOR DELAY 'hh:mm:ss[.mmm]'` and `WAITFOR TIME`.
    WaitFor {
        /// TIME, not DELAY.
        until: bool,
        /// The text.
        time: ast::Expr,
    },
    /// `KILL session`.
    Kill(u16),
    /// `CHECKPOINT`.
    Checkpoint,
    /// `SHUTDOWN [WITH NOWAIT]`.
    Shutdown {
        /// Without checkpoints.
        nowait: bool,
    },
    /// `BACKUP ...`.
    Backup(Box<super::backup::BackupStatement>),
    /// `RESTORE ...`.
    Restore(Box<super::restore::RestoreStatement>),
    /// `CREATE DATABASE ...`.
    CreateDatabase(CreateDatabase),
    /// `ALTER DATABASE name ...`; `None` is CURRENT.
    AlterDatabase(Option<Word>, AlterDatabase),
    /// `DROP DATABASE [IF EXISTS] names`.
    DropDatabase {
        /// Without an error where it is not there.
        if_exists: bool,
        /// Names.
        names: Vec<Word>,
    },
    /// CREATE, ALTER, DROP of what belongs to the server.
    Server(ServerStatement),
    /// `DBCC name (arguments) [WITH options]`: name and options in upper case, arguments as written.
    Dbcc {
        /// CHECKDB, SHRINKFILE, TRACEON, LOGINFO, ...
        name: String,
        /// Arguments.
        arguments: Vec<Word>,
        /// Options.
        options: Vec<String>,
    },
    /// `EXEC procedure arguments`; name in lower case with its schema as written.
    Execute {
        /// `@result =`.
        result: Option<String>,
        /// The procedure: `sp_configure`, `master.dbo.xp_fileexist`, `sim_fault`.
        procedure: String,
        /// Arguments.
        arguments: Vec<Argument>,
    },
    /// `EXEC (text)`.
    ExecuteText(ast::Expr),
    /// `RECONFIGURE`.
    Reconfigure,
}

/// An argument of EXEC.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// `@name =`, with the sign.
    pub name: Option<String>,
    /// The value; a bare word is its text.
    pub value: ast::Expr,
    /// OUTPUT.
    pub is_output: bool,
}

/// Of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// BEGIN TRANSACTION, with its mark where WITH MARK is given.
    Begin {
        /// Name.
        name: Option<String>,
        /// WITH MARK.
        mark: bool,
    },
    /// COMMIT.
    Commit,
    /// ROLLBACK, to a savepoint where named.
    Rollback(Option<String>),
    /// SAVE TRANSACTION.
    Save(String),
}

/// A file of CREATE DATABASE and ADD FILE.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FileSpecification {
    /// NAME.
    pub name: String,
    /// FILENAME; the default directory where absent.
    pub filename: Option<String>,
    /// SIZE in pages.
    pub size: Option<u32>,
    /// MAXSIZE in pages; `u32::MAX` for UNLIMITED.
    pub max_size: Option<u32>,
    /// FILEGROWTH in pages.
    pub growth: Option<u32>,
}

/// CREATE DATABASE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDatabase {
    /// Name.
    pub name: String,
    /// ON: data files, the primary one first.
    pub data: Vec<FileSpecification>,
    /// LOG ON.
    pub log: Vec<FileSpecification>,
    /// COLLATE.
    pub collation: Option<String>,
    /// FOR ATTACH.
    pub attach: bool,
}

/// WITH ROLLBACK ..., NO_WAIT behind ALTER DATABASE SET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// Waits for others.
    None,
    /// ROLLBACK IMMEDIATE, and ROLLBACK AFTER 0.
    Immediate,
    /// ROLLBACK AFTER n SECONDS.
    After(u32),
    /// NO_WAIT: fails at once.
    NoWait,
}

/// ALTER DATABASE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlterDatabase {
    /// MODIFY NAME = name.
    ModifyName(String),
    /// COLLATE.
    Collate(String),
    /// ADD FILE (log file where `log`).
    AddFile {
        /// Files.
        files: Vec<FileSpecification>,
        /// ADD LOG FILE.
        log: bool,
        /// TO FILEGROUP.
        filegroup: Option<String>,
    },
    /// REMOVE FILE name.
    RemoveFile(String),
    /// MODIFY FILE (...).
    ModifyFile(FileSpecification),
    /// SET options, with a termination.
    Set(Vec<DatabaseOption>, Termination),
}

/// An option of ALTER DATABASE SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseOption {
    /// RECOVERY.
    Recovery(RecoveryModel),
    /// SINGLE_USER.
    SingleUser,
    /// RESTRICTED_USER.
    RestrictedUser,
    /// MULTI_USER.
    MultiUser,
    /// READ_ONLY or READ_WRITE.
    ReadOnly(bool),
    /// ONLINE.
    Online,
    /// OFFLINE.
    Offline,
    /// EMERGENCY.
    Emergency,
    /// PAGE_VERIFY.
    PageVerify(Protection),
    /// AUTO_CLOSE, AUTO_SHRINK, ENCRYPTION, TRUSTWORTHY, ... ON or OFF: name in upper case.
    Switch(String, bool),
    /// COMPATIBILITY_LEVEL = n.
    CompatibilityLevel(u8),
    /// TARGET_RECOVERY_TIME and the like, kept as text and shown by nothing.
    Other(String),
}

/// Objects of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerStatement {
    /// CREATE or ALTER CREDENTIAL.
    PutCredential {
        /// ALTER: it must exist.
        alter: bool,
        /// Name.
        name: String,
        /// IDENTITY.
        identity: Word,
        /// SECRET.
        secret: Option<Word>,
    },
    /// DROP CREDENTIAL.
    DropCredential(String),
    /// CREATE LOGIN name WITH PASSWORD = ...
    CreateLogin {
        /// Name.
        name: String,
        /// Password.
        password: Word,
        /// DEFAULT_DATABASE.
        default_database: Option<String>,
    },
    /// ALTER LOGIN name ENABLE, DISABLE, or WITH PASSWORD.
    AlterLogin {
        /// Name.
        name: String,
        /// ENABLE or DISABLE.
        enabled: Option<bool>,
        /// New password.
        password: Option<Word>,
    },
    /// DROP LOGIN.
    DropLogin(String),
    /// CREATE USER name FOR LOGIN login, in the current database.
    CreateUser {
        /// User.
        name: String,
        /// Login.
        login: Option<String>,
    },
    /// DROP USER.
    DropUser(String),
    /// ALTER SERVER ROLE role ADD or DROP MEMBER login.
    ServerRole {
        /// Role.
        role: String,
        /// Login.
        login: String,
        /// ADD.
        add: bool,
    },
    /// ALTER ROLE role ADD or DROP MEMBER user, in the current database.
    DatabaseRole {
        /// Role.
        role: String,
        /// User.
        user: String,
        /// ADD.
        add: bool,
    },
    /// GRANT, DENY or REVOKE of server and database permissions.
    Permission {
        /// GRANT, DENY, REVOKE.
        deed: PermissionDeed,
        /// Permissions in upper case: `VIEW SERVER STATE`.
        permissions: Vec<String>,
        /// To whom.
        principal: String,
    },
    /// CREATE CERTIFICATE stub: a name and its thumbprint, from the subject.
    CreateCertificate {
        /// Name.
        name: String,
        /// SUBJECT or FROM FILE.
        subject: String,
    },
    /// DROP CERTIFICATE.
    DropCertificate(String),
    /// CREATE MASTER KEY, CREATE DATABASE ENCRYPTION KEY: `server_certificate` is the one named.
    CreateKey {
        /// Of DATABASE ENCRYPTION KEY.
        server_certificate: Option<String>,
    },
}

/// GRANT, DENY, REVOKE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermissionDeed {
    /// GRANT.
    Grant,
    /// DENY.
    Deny,
    /// REVOKE.
    Revoke,
}
