//! Principals: logins and server roles, users and database roles, their memberships and permissions.
//!
//! Fixed principals have the ids of SQL Server. A login's id comes from its SID, so that it stays when others go; a user's from
//! its name.

use uuid::Uuid;

use super::databases::pair;
use super::field::{Field, bit, chars, datetime, desc, int, sysname, text, tinyint, varbinary};
use super::view::{Context, Rows, View, number};
use crate::instance::locks::SessionId;
use crate::instance::server::Login;
use crate::instance::state::DatabaseUser;
use crate::instance::{DatabaseEntry, State, Version, permission};
use crate::value::Value;

/// The views.
pub(super) const VIEWS: &[View] = &[
    View::of_server("sys.server_principals", SERVER, server_principals),
    View::of_server("sys.sql_logins", LOGINS, sql_logins),
    View::of_server("sys.server_role_members", MEMBERS, server_role_members),
    View::of_server("sys.server_permissions", PERMISSIONS, server_permissions),
    View::of_database("sys.database_principals", DATABASE, database_principals),
    View::of_database("sys.database_role_members", MEMBERS, database_role_members),
    View::of_database("sys.database_permissions", PERMISSIONS, database_permissions),
    View::of_database("sys.fn_my_permissions", MINE, my_permissions).takes(2),
];

const SERVER: &[Field] = &[
    sysname("name"),
    int("principal_id"),
    varbinary("sid", 85).or_null(),
    chars("type", 1),
    desc("type_desc"),
    bit("is_disabled").or_null(),
    datetime("create_date"),
    datetime("modify_date"),
    sysname("default_database_name").or_null(),
    sysname("default_language_name").or_null(),
    int("credential_id").or_null(),
    int("owning_principal_id").or_null(),
    bit("is_fixed_role"),
];

const LOGINS: &[Field] = &[
    sysname("name"),
    int("principal_id"),
    varbinary("sid", 85).or_null(),
    chars("type", 1),
    desc("type_desc"),
    bit("is_disabled").or_null(),
    datetime("create_date"),
    datetime("modify_date"),
    sysname("default_database_name").or_null(),
    sysname("default_language_name").or_null(),
    int("credential_id").or_null(),
    bit("is_policy_checked").or_null(),
    bit("is_expiration_checked").or_null(),
    varbinary("password_hash", 256).or_null(),
];

const MEMBERS: &[Field] = &[int("role_principal_id"), int("member_principal_id")];

const PERMISSIONS: &[Field] = &[
    tinyint("class"),
    desc("class_desc"),
    int("major_id"),
    int("minor_id"),
    int("grantee_principal_id"),
    int("grantor_principal_id"),
    chars("type", 4),
    text("permission_name", 128).or_null(),
    chars("state", 1),
    desc("state_desc"),
];

const DATABASE: &[Field] = &[
    sysname("name"),
    int("principal_id"),
    chars("type", 1),
    desc("type_desc"),
    sysname("default_schema_name").or_null(),
    datetime("create_date"),
    datetime("modify_date"),
    int("owning_principal_id").or_null(),
    varbinary("sid", 85).or_null(),
    bit("is_fixed_role"),
    int("authentication_type"),
    desc("authentication_type_desc"),
    sysname("default_language_name").or_null(),
    int("default_language_lcid").or_null(),
    bit("allow_encrypted_value_modifications").since(Version::V2016),
];

const MINE: &[Field] = &[
    sysname("entity_name"),
    sysname("subentity_name"),
    text("permission_name", 60),
];

/// Fixed server roles with their ids.
const SERVER_ROLES: [(i64, &str); 9] = [
    (2, "public"),
    (3, "sysadmin"),
    (4, "securityadmin"),
    (5, "serveradmin"),
    (6, "setupadmin"),
    (7, "processadmin"),
    (8, "diskadmin"),
    (9, "dbcreator"),
    (10, "bulkadmin"),
];

/// Fixed server roles that came with 2022.
const SERVER_ROLES_2022: [(i64, &str); 2] =
    [(11, "##MS_ServerStateReader##"), (17, "##MS_DefinitionReader##")];

/// Fixed database roles with their ids.
const DATABASE_ROLES: [(i64, &str); 10] = [
    (0, "public"),
    (16384, "db_owner"),
    (16385, "db_accessadmin"),
    (16386, "db_securityadmin"),
    (16387, "db_ddladmin"),
    (16389, "db_backupoperator"),
    (16390, "db_datareader"),
    (16391, "db_datawriter"),
    (16392, "db_denydatareader"),
    (16393, "db_denydatawriter"),
];

/// Permissions that the simulation looks at, with their types, as `sys.fn_builtin_permissions` spells them.
const SERVER_PERMISSIONS: [(&str, &str); 14] = [
    ("ADBO", "ADMINISTER BULK OPERATIONS"),
    ("COSQ", "CONNECT SQL"),
    ("SHDN", "SHUTDOWN"),
    ("CRDB", "CREATE ANY DATABASE"),
    ("ALCN", "ALTER ANY CONNECTION"),
    ("ALCD", "ALTER ANY CREDENTIAL"),
    ("ALDB", "ALTER ANY DATABASE"),
    ("ALLG", "ALTER ANY LOGIN"),
    ("ALRS", "ALTER RESOURCES"),
    ("ALST", "ALTER SETTINGS"),
    ("VWDB", "VIEW ANY DATABASE"),
    ("VWAD", "VIEW ANY DEFINITION"),
    ("VWSS", "VIEW SERVER STATE"),
    ("CL", "CONTROL SERVER"),
];

const DATABASE_PERMISSIONS: [(&str, &str); 13] = [
    ("CRTB", "CREATE TABLE"),
    ("BADB", "BACKUP DATABASE"),
    ("BALO", "BACKUP LOG"),
    ("CO", "CONNECT"),
    ("SL", "SELECT"),
    ("IN", "INSERT"),
    ("UP", "UPDATE"),
    ("DL", "DELETE"),
    ("CP", "CHECKPOINT"),
    ("VWDS", "VIEW DATABASE STATE"),
    ("VW", "VIEW DEFINITION"),
    ("AL", "ALTER"),
    ("CL", "CONTROL"),
];

/// The SID of a login: 1 for `sa`, sixteen bytes for others; NULL where there is no such login.
pub(super) fn sid_of(state: &State, login: &str) -> Value {
    if login.eq_ignore_ascii_case("sa") {
        return Value::Bytes(vec![1]);
    }
    let known = state.server.logins.iter();
    let mut found = known.filter(|(name, _)| name.eq_ignore_ascii_case(login));
    found.next().map_or(Value::Null, |(_, login)| {
        Value::Bytes(login.sid.to_bytes_le().to_vec())
    })
}

/// The id of a session's connection.
pub(super) fn connection_id(session: SessionId) -> Uuid {
    Uuid::from_u128(0xbac2_0000_0000_4000_8000_0000_0000_0000 | u128::from(session))
}

/// `principal_id` of a login: 1 for `sa`, from 256 on by its SID for others.
fn login_id(name: &str, login: &Login) -> i64 {
    if name == "sa" {
        return 1;
    }
    256 + i64::try_from(login.sid.as_u128() & 0x00ff_ffff).unwrap_or(0)
}

fn server_roles(version: Version) -> impl Iterator<Item = (i64, &'static str)> {
    let newer = SERVER_ROLES_2022
        .iter()
        .filter(move |_| version >= Version::V2022);
    SERVER_ROLES.iter().chain(newer).copied()
}

/// Logins that the asker sees: `sa` and his own always, others with the right to alter logins or to see definitions.
fn seen<'a>(context: &Context<'_>, state: &'a State) -> Vec<(&'a String, &'a Login)> {
    let all = context.may(state, "ALTER ANY LOGIN") || context.may(state, "VIEW ANY DEFINITION");
    let own = context.login();
    let logins = state.server.logins.iter();
    logins
        .filter(|(name, _)| all || *name == "sa" || name.eq_ignore_ascii_case(own))
        .collect()
}

/// The columns that `sys.server_principals` and `sys.sql_logins` share.
fn login_row(context: &Context<'_>, state: &State, name: &str, login: &Login) -> Vec<Value> {
    vec![
        name.into(),
        number(login_id(name, login)),
        sid_of(state, name),
        "S".into(),
        "SQL_LOGIN".into(),
        (!login.enabled).into(),
        context.local(login.created),
        context.local(login.created),
        login.default_database.as_str().into(),
        "us_english".into(),
        Value::Null,
    ]
}

fn server_principals(context: &Context<'_>) -> Rows {
    let state = context.state();
    let mut rows: Vec<Vec<Value>> = seen(context, &state)
        .into_iter()
        .map(|(name, login)| {
            let mut row = login_row(context, &state, name, login);
            row.extend([Value::Null, false.into()]);
            row
        })
        .collect();
    for (id, name) in server_roles(context.version) {
        rows.push(vec![
            name.into(),
            number(id),
            Value::Bytes(vec![u8::try_from(id).unwrap_or(0)]),
            "R".into(),
            "SERVER_ROLE".into(),
            false.into(),
            context.local(state.started),
            context.local(state.started),
            Value::Null,
            Value::Null,
            Value::Null,
            number(1),
            // public is the one role that permissions can be given to.
            (id != 2).into(),
        ]);
    }
    Ok(rows)
}

fn sql_logins(context: &Context<'_>) -> Rows {
    let state = context.state();
    let rows = seen(context, &state).into_iter().map(|(name, login)| {
        let mut row = login_row(context, &state, name, login);
        // Nobody sees a password's hash.
        row.extend([true.into(), false.into(), Value::Null]);
        row
    });
    Ok(rows.collect())
}

fn server_role_members(context: &Context<'_>) -> Rows {
    let state = context.state();
    let mut rows = Vec::new();
    for (name, login) in seen(context, &state) {
        for (id, role) in server_roles(context.version) {
            if login.roles.contains(&role.to_ascii_lowercase()) {
                rows.push(vec![number(id), number(login_id(name, login))]);
            }
        }
    }
    Ok(rows)
}

fn type_of(permissions: &[(&'static str, &'static str)], name: &str) -> &'static str {
    let known = permissions.iter().find(|(_, known)| *known == name);
    known.map_or("", |(kind, _)| kind)
}

fn permission_row(
    class: (i64, &'static str),
    grantee: i64,
    kind: &str,
    name: &str,
    denied: bool,
) -> Vec<Value> {
    let mut row = Vec::from(pair(Some(class)));
    row.extend([
        number(0),
        number(0),
        number(grantee),
        number(1),
        format!("{kind:<4}").into(),
        name.into(),
    ]);
    let (state, desc) = if denied { ("D", "DENY") } else { ("G", "GRANT") };
    row.extend([state.into(), desc.into()]);
    row
}

fn server_permissions(context: &Context<'_>) -> Rows {
    let state = context.state();
    let mut rows = Vec::new();
    let mut put = |grantee: i64, name: &str, denied: bool| {
        let kind = type_of(&SERVER_PERMISSIONS, name);
        rows.push(permission_row((100, "SERVER"), grantee, kind, name, denied));
    };
    put(2, "VIEW ANY DATABASE", false);
    for (name, login) in seen(context, &state) {
        let id = login_id(name, login);
        put(id, "CONNECT SQL", false);
        login.granted.iter().for_each(|name| put(id, name, false));
        login.denied.iter().for_each(|name| put(id, name, true));
    }
    Ok(rows)
}

/// `principal_id` of a user: of its place among the database's users for those that are not fixed.
pub(super) fn user_id(entry: &DatabaseEntry, user: &str) -> Option<i64> {
    let key = user.to_lowercase();
    match key.as_str() {
        "dbo" => return Some(1),
        "guest" => return Some(2),
        "information_schema" => return Some(3),
        "sys" => return Some(4),
        _ => {}
    }
    let users = entry
        .users
        .keys()
        .filter(|name| !matches!(name.as_str(), "dbo" | "guest"));
    let place = users.enumerate().find(|(_, name)| **name == key);
    place.and_then(|(place, _)| i64::try_from(5 + place).ok())
}

/// `principal_id` of a user or role.
pub(super) fn database_principal(entry: &DatabaseEntry, name: &str) -> Option<i64> {
    let role = DATABASE_ROLES
        .iter()
        .find(|(_, role)| role.eq_ignore_ascii_case(name));
    role.map(|(id, _)| *id).or_else(|| {
        let is_fixed = ["dbo", "guest", "information_schema", "sys"]
            .iter()
            .any(|fixed| fixed.eq_ignore_ascii_case(name));
        (is_fixed || entry.users.contains_key(&name.to_lowercase()))
            .then(|| user_id(entry, name))
            .flatten()
    })
}

fn database_principals(context: &Context<'_>) -> Rows {
    let state = context.state();
    let Some(entry) = state.databases.get(&context.database) else {
        return Ok(Vec::new());
    };
    let created = context.local(entry.created);
    let row = |name: &str, id: i64, kind: (&str, &str), sid: Value, is_fixed: bool| {
        let is_user = kind.0 == "S";
        let has_login = is_user && !matches!(id, 2..=4);
        let mut row = vec![
            name.into(),
            number(id),
            kind.0.into(),
            kind.1.into(),
            if is_user { name_of_schema(id) } else { Value::Null },
            created.clone(),
            created.clone(),
            if is_user { Value::Null } else { number(1) },
            sid,
            is_fixed.into(),
        ];
        row.extend(pair(Some(if has_login { (1, "INSTANCE") } else { (0, "NONE") })));
        row.extend([Value::Null, Value::Null, false.into()]);
        row
    };
    let user = ("S", "SQL_USER");
    let mut rows = vec![
        row("public", 0, ("R", "DATABASE_ROLE"), Value::Null, false),
        row("dbo", 1, user, sid_of(&state, &entry.owner), false),
        row("guest", 2, user, Value::Bytes(vec![0]), false),
        row("INFORMATION_SCHEMA", 3, user, Value::Null, false),
        row("sys", 4, user, Value::Null, false),
    ];
    for known in entry.users.values() {
        if matches!(known.name.to_lowercase().as_str(), "dbo" | "guest") {
            continue;
        }
        let sid = known
            .login
            .as_ref()
            .map_or(Value::Null, |login| sid_of(&state, login));
        rows.push(row(
            &known.name,
            user_id(entry, &known.name).unwrap_or(0),
            user,
            sid,
            false,
        ));
    }
    for (id, name) in DATABASE_ROLES.iter().skip(1) {
        rows.push(row(name, *id, ("R", "DATABASE_ROLE"), Value::Null, true));
    }
    Ok(rows)
}

fn name_of_schema(id: i64) -> Value {
    match id {
        2 => "guest".into(),
        3 | 4 => Value::Null,
        _ => "dbo".into(),
    }
}

fn database_role_members(context: &Context<'_>) -> Rows {
    let state = context.state();
    let Some(entry) = state.databases.get(&context.database) else {
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    for user in entry.users.values() {
        for (id, role) in &DATABASE_ROLES {
            if user.roles.contains(*role) {
                rows.push(vec![number(*id), user_id(entry, &user.name).into()]);
            }
        }
    }
    Ok(rows)
}

fn database_permissions(context: &Context<'_>) -> Rows {
    let state = context.state();
    let Some(entry) = state.databases.get(&context.database) else {
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    let mut put = |user: &DatabaseUser, name: &str, denied: bool| {
        let kind = type_of(&DATABASE_PERMISSIONS, name);
        let grantee = user_id(entry, &user.name).unwrap_or(0);
        rows.push(permission_row((0, "DATABASE"), grantee, kind, name, denied));
    };
    for user in entry.users.values() {
        put(user, "CONNECT", false);
        user.granted.iter().for_each(|name| put(user, name, false));
        user.denied.iter().for_each(|name| put(user, name, true));
    }
    Ok(rows)
}

/// What the asker may: on the server (`NULL, 'SERVER'`), or in the database (`NULL, 'DATABASE'`).
fn my_permissions(context: &Context<'_>) -> Rows {
    let Some(Value::Text(class)) = context.arguments.get(1) else {
        return Ok(Vec::new());
    };
    let class = class.trim().to_ascii_lowercase();
    let state = context.state();
    let login = context.login();
    let row = |name: &str| vec![class.as_str().into(), "".into(), name.into()];
    let held = match class.as_str() {
        "server" => SERVER_PERMISSIONS
            .iter()
            .filter(|(_, name)| permission::on_server(&state, login, name))
            .map(|(_, name)| row(name))
            .collect(),
        "database" => {
            let Some(entry) = state.databases.get(&context.database) else {
                return Ok(Vec::new());
            };
            DATABASE_PERMISSIONS
                .iter()
                .filter(|(_, name)| permission::in_database(&state, entry, login, name))
                .map(|(_, name)| row(name))
                .collect()
        }
        _ => Vec::new(),
    };
    Ok(held)
}

/// `principal_id` of a login or server role.
pub(super) fn server_principal(state: &State, name: &str) -> Option<i64> {
    let logins = state.server.logins.iter();
    let mut known = logins.filter(|(login, _)| login.eq_ignore_ascii_case(name));
    let role = SERVER_ROLES
        .iter()
        .chain(&SERVER_ROLES_2022)
        .find(|(_, role)| role.eq_ignore_ascii_case(name));
    known
        .next()
        .map(|(name, login)| login_id(name, login))
        .or(role.map(|(id, _)| *id))
}
