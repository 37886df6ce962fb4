//! Who may do what: server roles, server permissions, users, database roles and permissions.
//!
//! sysadmin may do everything, DENY does not reach it. Otherwise a permission comes from a role that implies it or a GRANT, and a
//! DENY takes it away. The owner of a database is its `dbo` and may do everything in it.

use super::login;
use super::state::{DatabaseEntry, DatabaseUser, State};

/// Server permissions that fixed server roles imply, besides sysadmin's.
const SERVER_ROLES: [(&str, &[&str]); 8] = [
    ("dbcreator", &["CREATE ANY DATABASE", "ALTER ANY DATABASE"]),
    (
        "serveradmin",
        &["SHUTDOWN", "VIEW SERVER STATE", "ALTER SETTINGS"],
    ),
    ("securityadmin", &["ALTER ANY LOGIN"]),
    ("processadmin", &["ALTER ANY CONNECTION", "VIEW SERVER STATE"]),
    ("diskadmin", &["ALTER RESOURCES"]),
    ("bulkadmin", &["ADMINISTER BULK OPERATIONS"]),
    (
        "##ms_serverstatereader##",
        &["VIEW SERVER STATE", "VIEW SERVER PERFORMANCE STATE"],
    ),
    (
        "##ms_definitionreader##",
        &["VIEW ANY DEFINITION", "VIEW ANY DATABASE"],
    ),
];

/// Server permissions that imply others.
const IMPLIED: [(&str, &[&str]); 4] = [
    ("CONTROL SERVER", &["*"]),
    (
        "ALTER ANY DATABASE",
        &["CREATE ANY DATABASE", "VIEW ANY DATABASE"],
    ),
    (
        "VIEW SERVER STATE",
        &["VIEW SERVER PERFORMANCE STATE", "VIEW SERVER SECURITY STATE"],
    ),
    ("VIEW ANY DEFINITION", &["VIEW ANY DATABASE"]),
];

/// What everyone may: `public`.
const PUBLIC: [&str; 2] = ["VIEW ANY DATABASE", "CONNECT SQL"];

/// Whether a login is a member of sysadmin.
#[must_use]
pub fn is_sysadmin(state: &State, login: &str) -> bool {
    login::find(state, login).is_some_and(|(_, login)| login.roles.contains("sysadmin"))
}

/// Whether a login is a member of a fixed server role, as `IS_SRVROLEMEMBER` tells; `None` for a role that does not exist.
#[must_use]
pub fn is_server_role_member(state: &State, login: &str, role: &str) -> Option<bool> {
    let role = role.to_ascii_lowercase();
    let others = ["sysadmin", "public", "setupadmin"];
    let exists = others.contains(&role.as_str()) || SERVER_ROLES.iter().any(|(name, _)| *name == role);
    let member = || {
        role == "public"
            || login::find(state, login)
                .is_some_and(|(_, login)| login.roles.contains("sysadmin") || login.roles.contains(&role))
    };
    exists.then(member)
}

/// Whether a login has a permission on the server.
#[must_use]
pub fn on_server(state: &State, login: &str, permission: &str) -> bool {
    let Some((_, login)) = login::find(state, login) else {
        return false;
    };
    if login.roles.contains("sysadmin") {
        return true;
    }
    let implies = |held: &str| {
        held == permission
            || IMPLIED.iter().any(|(name, others)| {
                *name == held && (others.contains(&"*") || others.contains(&permission))
            })
    };
    if login.denied.contains(permission) {
        return false;
    }
    let by_role = SERVER_ROLES
        .iter()
        .filter(|(role, _)| login.roles.contains(*role))
        .flat_map(|(_, permissions)| permissions.iter());
    PUBLIC.iter().chain(by_role).any(|held| implies(held)) || login.granted.iter().any(|held| implies(held))
}

/// The user of a login in a database: `dbo` for sysadmin and for the owner.
#[must_use]
pub fn user_of<'a>(state: &State, entry: &'a DatabaseEntry, login: &str) -> Option<&'a DatabaseUser> {
    if is_sysadmin(state, login) || entry.owner.eq_ignore_ascii_case(login) {
        return entry.users.get("dbo");
    }
    let is_user = |user: &&DatabaseUser| {
        user.login
            .as_deref()
            .is_some_and(|known| known.eq_ignore_ascii_case(login))
    };
    entry
        .users
        .values()
        .find(is_user)
        .or_else(|| entry.users.get("guest"))
}

/// Whether a login may enter a database: it has a user there, or it is a system database that everyone may enter as guest.
#[must_use]
pub fn may_enter(state: &State, login: &str, database: u16) -> bool {
    state.databases.get(&database).is_some_and(|entry| {
        matches!(entry.id, 1 | 2 | 4)
            || on_server(state, login, "CONNECT ANY DATABASE")
            || user_of(state, entry, login).is_some()
    })
}

/// Whether the user of a login is a member of a database role.
#[must_use]
pub fn is_role_member(state: &State, entry: &DatabaseEntry, login: &str, role: &str) -> bool {
    let role = role.to_ascii_lowercase();
    role == "public"
        || is_sysadmin(state, login)
        || user_of(state, entry, login).is_some_and(|user| user.name == "dbo" || user.roles.contains(&role))
}

/// Whether a login has a permission in a database: `BACKUP DATABASE`, `BACKUP LOG`, `SELECT`, `ALTER`, ...
#[must_use]
pub fn in_database(state: &State, entry: &DatabaseEntry, login: &str, permission: &str) -> bool {
    if is_sysadmin(state, login) {
        return true;
    }
    let Some(user) = user_of(state, entry, login) else {
        return false;
    };
    if user.name == "dbo" || user.roles.contains("db_owner") {
        return true;
    }
    if user.denied.contains(permission) {
        return false;
    }
    let by_role = |role: &str| match role {
        "db_backupoperator" => matches!(permission, "BACKUP DATABASE" | "BACKUP LOG" | "CHECKPOINT"),
        "db_datareader" => permission == "SELECT",
        "db_datawriter" => matches!(permission, "INSERT" | "UPDATE" | "DELETE"),
        "db_ddladmin" => matches!(permission, "CREATE TABLE" | "ALTER"),
        _ => false,
    };
    user.granted.contains(permission)
        || user.granted.contains("CONTROL")
        || user.roles.iter().any(|role| by_role(role))
        // msdb's history may be read by everyone who may see the server's state.
        || (entry.id == 4 && permission == "SELECT" && on_server(state, login, "VIEW SERVER STATE"))
}
