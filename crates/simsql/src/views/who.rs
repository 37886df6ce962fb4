//! Functions about the session's login and user, and about what they may do.

use super::call::{Answer, Call, int, name, of, parts, same};
use super::principals::database_principal;
use crate::instance::{DatabaseEntry, State, access, permission};
use crate::value::{Length, SqlType, Value};

/// Answers, or not.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    let session = call.session;
    match call.name {
        "SUSER_SNAME" | "SUSER_NAME" => name(login_name(call)),
        "SUSER_SID" => of(SqlType::VarBinary(Length::Of(85)), suser_sid(call)),
        "SUSER_ID" => int(suser_id(call)),
        "SYSTEM_USER" | "ORIGINAL_LOGIN" => name(session.login.as_str()),
        "CURRENT_USER" | "USER" | "SESSION_USER" | "USER_NAME" => name(user_name(call)),
        "USER_ID" | "DATABASE_PRINCIPAL_ID" => int(principal_id(call)),
        "HOST_NAME" => of(
            SqlType::NVarChar(Length::Of(128)),
            of_session(call, |facts| facts.host.clone()),
        ),
        "APP_NAME" => of(
            SqlType::NVarChar(Length::Of(128)),
            of_session(call, |facts| facts.program.clone()),
        ),
        "HOST_ID" => of(
            SqlType::Char(10),
            of_session(call, |facts| format!("{:<10}", facts.process)),
        ),
        "IS_SRVROLEMEMBER" => int(is_server_role_member(call)),
        "IS_ROLEMEMBER" | "IS_MEMBER" => int(is_role_member(call)),
        "HAS_PERMS_BY_NAME" => int(has_permission(call)),
        "HAS_DBACCESS" => int(has_access(call)),
        _ => None,
    }
}

/// A login by its SID or id, the session's own without an argument.
fn login_name(call: &Call<'_>) -> Option<String> {
    if call.arguments.is_empty() {
        return Some(call.session.login.clone());
    }
    let state = call.state();
    let wanted = match call.arguments.first()? {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Integer(1) => vec![1],
        _ => return None,
    };
    let mut logins = state.server.logins.keys();
    logins
        .find(|login| super::principals::sid_of(&state, login) == Value::Bytes(wanted.clone()))
        .cloned()
}

fn suser_sid(call: &Call<'_>) -> Value {
    let login = match call.arguments.is_empty() {
        true => Some(call.session.login.clone()),
        false => call.text(0),
    };
    let state = call.state();
    login.map_or(Value::Null, |login| super::principals::sid_of(&state, &login))
}

fn suser_id(call: &Call<'_>) -> Option<i64> {
    let login = match call.arguments.is_empty() {
        true => call.session.login.clone(),
        false => call.text(0)?,
    };
    super::principals::server_principal(&call.state(), &login)
}

fn of_session(call: &Call<'_>, part: fn(&crate::instance::state::SessionFacts) -> String) -> Option<String> {
    call.state().sessions.get(&call.session.id).map(part)
}

/// The name of the session's user in its database; `dbo` for sysadmin, `guest` where the login has none of its own.
fn user_name(call: &Call<'_>) -> Option<String> {
    let state = call.state();
    let entry = call.own(&state)?;
    if let Some(id) = call.arguments.first() {
        let Value::Integer(id) = id else { return None };
        let fixed = ["public", "dbo", "guest", "INFORMATION_SCHEMA", "sys"];
        let known = entry.users.values().map(|user| user.name.as_str());
        return known
            .chain(fixed)
            .find(|user| database_principal(entry, user) == Some(*id))
            .map(str::to_owned);
    }
    let user = permission::user_of(&state, entry, &call.session.login);
    Some(user.map_or_else(|| "guest".to_owned(), |user| user.name.clone()))
}

fn principal_id(call: &Call<'_>) -> Option<i64> {
    let user = match call.arguments.is_empty() {
        true => user_name(call)?,
        false => call.text(0)?,
    };
    let state = call.state();
    database_principal(call.own(&state)?, &user)
}

fn is_server_role_member(call: &Call<'_>) -> Option<i64> {
    let role = call.text(0)?;
    let login = match call.arguments.len() {
        1 => call.session.login.clone(),
        _ => call.text(1)?,
    };
    let state = call.state();
    if !state.server.logins.keys().any(|known| same(known, &login)) {
        return None;
    }
    permission::is_server_role_member(&state, &login, &role).map(i64::from)
}

/// `IS_ROLEMEMBER(role [, user])` and `IS_MEMBER(role)`; NULL for a role or user that does not exist.
fn is_role_member(call: &Call<'_>) -> Option<i64> {
    let role = call.text(0)?;
    let state = call.state();
    let entry = call.own(&state)?;
    database_principal(entry, &role)?;
    if call.arguments.len() < 2 {
        return Some(i64::from(permission::is_role_member(
            &state,
            entry,
            &call.session.login,
            &role,
        )));
    }
    let user = call.text(1)?;
    let known = entry.users.get(&user.to_lowercase())?;
    let role = role.to_lowercase();
    Some(i64::from(role == "public" || known.roles.contains(&role)))
}

/// `HAS_PERMS_BY_NAME(securable, class, permission)`: the server (NULL, NULL or 'SERVER'), a database, an object or schema in the
/// session's database. NULL for a class that is not simulated and for a database that its replica lets nobody into, 0 for a
/// securable that is not there.
fn has_permission(call: &Call<'_>) -> Option<i64> {
    let wanted = call.text(2)?.trim().to_uppercase();
    let class = match call.arguments.get(1)? {
        Value::Null => None,
        _ => Some(call.text(1)?.trim().to_uppercase()),
    };
    let state = call.state();
    let login = &call.session.login;
    let held = match class.as_deref() {
        None | Some("SERVER") => permission::on_server(&state, login, &wanted),
        Some("DATABASE") => match call.arguments.first()? {
            Value::Null => call.own(&state),
            _ => database_in(&state, &call.text(0)?),
        }
        .map_or(Some(false), |entry| {
            let is_open = access::check_replica(&state, entry).is_ok();
            is_open.then(|| in_database(&state, entry, login, &wanted))
        })?,
        Some("OBJECT" | "SCHEMA") => {
            let securable = parts(&call.text(0)?);
            let entry = match securable.len() {
                3 => state.database(&securable[0]),
                _ => call.own(&state),
            };
            entry.is_some_and(|entry| in_database(&state, entry, login, &wanted))
        }
        Some(_) => return None,
    };
    Some(i64::from(held))
}

fn database_in<'a>(state: &'a State, text: &str) -> Option<&'a DatabaseEntry> {
    state.database(parts(text).first()?)
}

fn in_database(state: &State, entry: &DatabaseEntry, login: &str, wanted: &str) -> bool {
    let may_enter = permission::may_enter(state, login, entry.id);
    match wanted {
        "ANY" | "CONNECT" => may_enter,
        "VIEW DATABASE STATE" => {
            permission::in_database(state, entry, login, wanted)
                || permission::on_server(state, login, "VIEW SERVER STATE")
        }
        _ => permission::in_database(state, entry, login, wanted),
    }
}

/// 0 also where the state of the database lets nobody in.
fn has_access(call: &Call<'_>) -> Option<i64> {
    let state = call.state();
    let entry = state.database(&call.text(0)?)?;
    let is_open =
        access::check_state(entry, call.session.id).is_ok() && access::check_replica(&state, entry).is_ok();
    let may = permission::may_enter(&state, &call.session.login, entry.id);
    Some(i64::from(is_open && may))
}
