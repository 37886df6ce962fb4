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
    // From 2022 on the smaller of the two rights that VIEW SERVER STATE was split into shows sys.dm_exec_requests.
    let state = if build.major >= Build::V2022 {
        "VIEW SERVER PERFORMANCE STATE"
    } else {
        "VIEW SERVER STATE"
    };
    line(format!(
        "GRANT {state} TO {login}; -- progress of backups, who blocks whom"
    ));
    if build.major >= Build::V2022 {
        line(format!(
            "GRANT VIEW SERVER SECURITY STATE TO {login}; -- which certificates encrypt databases"
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
        assert!(backup.contains("GRANT VIEW SERVER STATE TO") && !backup.contains("dbcreator"));
        assert!(!backup.contains("sysadmin"));
        let restore = of(Purpose::Restore, "16.0.4175.0");
        assert!(restore.contains("[dbcreator]") && !restore.contains("db_backupoperator"));
        assert!(restore.contains("VIEW SERVER PERFORMANCE STATE"));
    }
}
