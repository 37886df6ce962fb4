//! Scripts for the people who grant rights: a login for backups, another for restores, each with no more than it needs.
//!
//! The vault's own default is sysadmin, as Azure Backup's is. These are for those who will not have that: the rights are those
//! that SQL Server's documentation lists for each statement and view that this crate uses. Who reads the script fills in the
//! password; none is ever in it.

use std::fmt::Write as _;

use crate::build::Build;
use crate::quoting::Identifier;

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Discovering and backing up.
    Backup,
    /// Restoring, to new names and over what is there.
    Restore,
}

/// How a login shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// By a password, which the reader of the script sets.
    Sql,
    /// By Windows.
    Windows,
}

/// The script for one login. `databases` are those that it backs up; model and msdb may be among them.
#[must_use]
pub fn script(
    login: &Identifier,
    account: Account,
    purpose: Purpose,
    build: Build,
    databases: &[Identifier],
) -> String {
    let mut script = String::from("USE [master];\n");
    let mut line = |text: String| {
        script.push_str(&text);
        script.push('\n');
    };
    let exists = login.literal();
    let how = match account {
        Account::Sql => "WITH PASSWORD = N'<put a strong password here>', CHECK_POLICY = ON",
        Account::Windows => "FROM WINDOWS",
    };
    line(format!(
        "IF SUSER_ID({exists}) IS NULL CREATE LOGIN {login} {how};"
    ));
    line(format!(
        "GRANT {} TO {login}; -- progress of backups, who blocks whom",
        performance_state(build)
    ));
    if purpose == Purpose::Backup && security_state(build) != performance_state(build) {
        line(format!(
            "GRANT {} TO {login}; -- which certificates encrypt databases",
            security_state(build)
        ));
    }
    line(format!(
        "GRANT VIEW ANY DEFINITION TO {login}; -- files, certificates, availability groups"
    ));
    line(format!(
        "GRANT ALTER ANY CREDENTIAL TO {login}; -- BACKUP and RESTORE with URLs need it"
    ));
    match purpose {
        Purpose::Backup => {
            line(format!(
                "GRANT ALTER ANY CONNECTION TO {login}; -- ends a backup of its own whose session was lost"
            ));
            // Still in master, where procedures of the system are granted.
            line(error_log(login, build));
            for database in databases {
                line(member(login, database, "db_backupoperator"));
            }
        }
        Purpose::Restore => {
            line(format!(
                "ALTER SERVER ROLE [dbcreator] ADD MEMBER {login}; -- RESTORE of new and existing databases"
            ));
        }
    }
    let msdb = Identifier::new("msdb").expect("a name of four letters");
    line(member(login, &msdb, "db_datareader"));
    script
}

/// The rights to read the error log: the procedure's in master, and from 2022 on one of the server besides. That both are asked for
/// there has not been tried on a real server.
#[must_use]
pub fn error_log(login: &Identifier, build: Build) -> String {
    let name = login.literal();
    let mut text = format!(
        "USE [master];\nIF USER_ID({name}) IS NULL CREATE USER {login} FOR LOGIN {login};\nGRANT EXECUTE ON sys.xp_readerrorlog TO {login}; -- blobs that broken backups hold"
    );
    if build.major >= Build::V2022 {
        let written = write!(text, "\nGRANT VIEW ANY ERROR LOG TO {login};");
        written.expect("a string grows");
    }
    text
}

/// The right to read files of the server, which logs need that lie on its disk while the vault's is full.
#[must_use]
pub fn bulk(login: &Identifier) -> String {
    format!(
        "USE [master];\nGRANT ADMINISTER BULK OPERATIONS TO {login}; -- reads logs that lie on the server's disk"
    )
}

/// The right that shows `sys.dm_exec_requests`: from 2022 on a part of what it was before.
#[must_use]
pub fn performance_state(build: Build) -> &'static str {
    if build.major >= Build::V2022 {
        "VIEW SERVER PERFORMANCE STATE"
    } else {
        "VIEW SERVER STATE"
    }
}

/// The right that shows `sys.dm_database_encryption_keys`: from 2022 on the other part.
#[must_use]
pub fn security_state(build: Build) -> &'static str {
    if build.major >= Build::V2022 {
        "VIEW SERVER SECURITY STATE"
    } else {
        "VIEW SERVER STATE"
    }
}

/// A user of the login in a database, member of a role there.
#[must_use]
pub fn member(login: &Identifier, database: &Identifier, role: &str) -> String {
    let name = login.literal();
    let mut text = String::new();
    // Lines of their own: USE counts for what follows it.
    let written = write!(
        text,
        "USE {database};\nIF USER_ID({name}) IS NULL CREATE USER {login} FOR LOGIN {login};\nALTER ROLE [{role}] ADD MEMBER {login};"
    );
    written.expect("a string grows");
    text
}

/// Membership in sysadmin: what the vault asks for where nothing else is said.
#[must_use]
pub fn sysadmin(login: &Identifier) -> String {
    format!("ALTER SERVER ROLE [sysadmin] ADD MEMBER {login};")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_gets_no_right_to_restore_and_the_other_way_round() {
        let login = Identifier::new("bac2]'x").unwrap();
        let shop = [Identifier::new("shop").unwrap()];
        let of = |purpose, build: &str| script(&login, Account::Sql, purpose, build.parse().unwrap(), &shop);
        let backup = of(Purpose::Backup, "15.0.4415.0");
        assert!(backup.contains("IF SUSER_ID(N'bac2]''x') IS NULL CREATE LOGIN [bac2]]'x] WITH PASSWORD"));
        assert!(backup.contains("USE [shop];\n") && backup.contains("[db_backupoperator]"));
        assert!(
            backup.matches("VIEW SERVER").count() == 1
                && backup.contains("GRANT VIEW SERVER STATE TO")
                && !backup.contains("dbcreator")
        );
        assert!(!backup.contains("sysadmin"));
        let newer = of(Purpose::Backup, "16.0.4175.0");
        assert!(
            newer.contains("VIEW SERVER PERFORMANCE STATE") && newer.contains("VIEW SERVER SECURITY STATE")
        );
        let restore = of(Purpose::Restore, "16.0.4175.0");
        assert!(restore.contains("[dbcreator]") && !restore.contains("db_backupoperator"));
        assert!(restore.contains("VIEW SERVER PERFORMANCE STATE"));
    }

    /// Rights that a text grants or names: after GRANT, in brackets after ROLE, or in the first column of a table.
    fn granted(script: &str) -> std::collections::BTreeSet<String> {
        let rights = script.lines().filter_map(|line| {
            let grant = line
                .strip_prefix("GRANT ")
                .and_then(|rest| rest.split_once(" TO "));
            let role = line
                .split_once(" ROLE [")
                .and_then(|(_, rest)| rest.split_once(']'));
            grant.or(role).map(|(right, _)| right.to_owned())
        });
        rights.collect()
    }

    #[test]
    fn the_document_names_what_the_script_gives_and_nothing_else() {
        const DOCUMENT: &str = include_str!("../../../../docs/permissions.md");
        let login = Identifier::new("bac2").unwrap();
        let shop = [Identifier::new("shop").unwrap()];
        for (purpose, title) in [
            (Purpose::Backup, "## The login for backups"),
            (Purpose::Restore, "## The login for restores"),
        ] {
            let (_, section) = DOCUMENT.split_once(title).unwrap();
            let section = section.split("\n## ").next().unwrap();
            for (build, other) in [
                ("15.0.4415.0", "SQL Server 2022 and later"),
                ("16.0.4175.0", "to SQL Server 2019"),
            ] {
                let rows = section
                    .lines()
                    .filter(|line| line.starts_with("| `") && !line.contains(other));
                let told: std::collections::BTreeSet<String> = rows
                    .map(|line| line.split('`').nth(1).unwrap().to_owned())
                    .collect();
                let mut script = script(&login, Account::Sql, purpose, build.parse().unwrap(), &shop);
                if purpose == Purpose::Backup {
                    // What an instance with a folder for logs gets besides.
                    assert!(!script.contains("BULK"), "{script}");
                    script.push_str(&bulk(&login));
                }
                assert_eq!(granted(&script), told, "{title} {build}");
            }
        }
    }
}
