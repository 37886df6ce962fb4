//! Statements about what belongs to the server: credentials, logins, users, roles, permissions, certificates.

use std::collections::BTreeSet;

use super::login;
use super::permission;
use super::server::{Certificate, Login, StoredCredential};
use super::state::{DatabaseUser, State};
use crate::message::Failure;
use crate::session::Session;
use crate::tsql::statement::{PermissionDeed, ServerStatement, Word};

/// Things of one kind that a server holds at most.
const MOST: usize = 100_000;

/// Resolves a word to its text.
pub type Resolve<'a> = &'a dyn Fn(&Word) -> Result<String, Failure>;

/// Runs a statement.
///
/// # Errors
/// 15247 permission, 15530/15151 there or not there, and those of the deed.
pub fn server_statement(
    session: &Session,
    statement: &ServerStatement,
    resolve: Resolve<'_>,
) -> Result<(), Failure> {
    let mut state = session.instance.state();
    let needed = match statement {
        ServerStatement::PutCredential { .. } | ServerStatement::DropCredential(_) => "ALTER ANY CREDENTIAL",
        ServerStatement::CreateLogin { .. }
        | ServerStatement::AlterLogin { .. }
        | ServerStatement::DropLogin(_)
        | ServerStatement::ServerRole { .. } => "ALTER ANY LOGIN",
        _ => "CONTROL SERVER",
    };
    if !permission::on_server(&state, &session.login, needed) {
        return Err(Failure::new(15_247, &[]));
    }
    check_rank(session, &state, statement)?;
    run(session, &mut state, statement, resolve)?;
    session.instance.save(&state)
}

/// ALTER ANY LOGIN is no way to become more than one is: members of a fixed server role are made by its members alone, and who
/// may do everything is changed and dropped only by his like.
fn check_rank(session: &Session, state: &State, statement: &ServerStatement) -> Result<(), Failure> {
    let all = permission::on_server(state, &session.login, "CONTROL SERVER");
    let may = match statement {
        ServerStatement::ServerRole { role, .. } => {
            permission::is_server_role_member(state, &session.login, role) != Some(false)
        }
        ServerStatement::AlterLogin { name, .. } | ServerStatement::DropLogin(name) => {
            all || !permission::on_server(state, name, "CONTROL SERVER")
        }
        _ => true,
    };
    match (may, statement) {
        (true, _) => Ok(()),
        (false, ServerStatement::ServerRole { role, .. }) => {
            Err(Failure::new(15_151, &[&"alter", &"server role", role]))
        }
        (false, ServerStatement::DropLogin(name)) => Err(Failure::new(15_151, &[&"drop", &"login", name])),
        (false, ServerStatement::AlterLogin { name, .. }) => {
            Err(Failure::new(15_151, &[&"alter", &"login", name]))
        }
        (false, _) => Err(Failure::new(15_247, &[])),
    }
}

fn run(
    session: &Session,
    state: &mut State,
    statement: &ServerStatement,
    resolve: Resolve<'_>,
) -> Result<(), Failure> {
    match statement {
        ServerStatement::PutCredential {
            alter,
            name,
            identity,
            secret,
        } => {
            let identity = resolve(identity)?;
            let secret = secret.as_ref().map(resolve).transpose()?;
            put_credential(session, state, *alter, name, identity, secret)
        }
        ServerStatement::DropCredential(name) => {
            let key = key_of(state.server.credentials.keys(), name);
            remove(
                key.and_then(|key| state.server.credentials.remove(&key)),
                "credential",
                name,
            )
        }
        ServerStatement::CreateLogin {
            name,
            password,
            default_database,
        } => {
            let password = resolve(password)?;
            let database = default_database.as_deref().unwrap_or("master");
            create_login(session, state, name, &password, database)
        }
        ServerStatement::AlterLogin {
            name,
            enabled,
            password,
        } => {
            let password = password.as_ref().map(resolve).transpose()?;
            let login = login_mut(state, name)?;
            login.enabled = enabled.unwrap_or(login.enabled);
            if let Some(password) = password {
                login.set_password(&session.instance, &password);
            }
            Ok(())
        }
        ServerStatement::DropLogin(name) => {
            let connected = state
                .sessions
                .values()
                .any(|facts| facts.login.eq_ignore_ascii_case(name));
            if connected {
                return Err(Failure::new(15_434, &[name]));
            }
            let key = key_of(state.server.logins.keys(), name).filter(|key| key != "sa");
            remove(
                key.and_then(|key| state.server.logins.remove(&key)),
                "login",
                name,
            )
        }
        ServerStatement::CreateUser { name, login } => create_user(session, state, name, login.as_deref()),
        ServerStatement::DropUser(name) => {
            let entry = state.database_mut(&session.database);
            let dropped = entry.and_then(|entry| entry.users.remove(&name.to_lowercase()));
            remove(dropped, "user", name)
        }
        ServerStatement::ServerRole { role, login, add } => {
            let role = role.to_ascii_lowercase();
            let is_special = login.eq_ignore_ascii_case("sa");
            if permission::is_server_role_member(state, login, &role).is_none() {
                return Err(Failure::new(15_151, &[&"alter", &"server role", &role]));
            }
            let login = login_mut(state, login)?;
            if is_special && !add {
                return Err(Failure::new(15_405, &[&"sa"]));
            }
            toggle(&mut login.roles, role, *add);
            Ok(())
        }
        ServerStatement::DatabaseRole { role, user, add } => {
            let role = role.to_ascii_lowercase();
            let known = user_mut(session, state, user)?;
            toggle(&mut known.roles, role, *add);
            Ok(())
        }
        ServerStatement::Permission {
            deed,
            permissions,
            principal,
        } => permit(session, state, *deed, permissions, principal),
        ServerStatement::CreateCertificate { name, subject } => {
            create_certificate(session, state, name, subject)
        }
        ServerStatement::DropCertificate(name) => {
            remove(state.server.certificates.remove(name), "certificate", name)
        }
        ServerStatement::CreateKey { server_certificate } => {
            create_key(session, state, server_certificate.as_deref())
        }
    }
}

/// The key under which a name is known, without regard to case.
fn key_of<'a>(mut keys: impl Iterator<Item = &'a String>, name: &str) -> Option<String> {
    keys.find(|key| key.eq_ignore_ascii_case(name)).cloned()
}

fn remove<T>(removed: Option<T>, kind: &str, name: &str) -> Result<(), Failure> {
    removed
        .map(drop)
        .ok_or_else(|| Failure::new(15_151, &[&"drop", &kind, &name]))
}

fn room(count: usize) -> Result<(), Failure> {
    if count >= MOST {
        return Err(Failure::new(701, &[]));
    }
    Ok(())
}

fn put_credential(
    session: &Session,
    state: &mut State,
    alter: bool,
    name: &str,
    identity: String,
    secret: Option<String>,
) -> Result<(), Failure> {
    let now = session.instance.world.clock.now();
    let key = key_of(state.server.credentials.keys(), name);
    if alter {
        let known = key.and_then(|key| state.server.credentials.get_mut(&key));
        let known = known.ok_or_else(|| Failure::new(15_151, &[&"alter", &"credential", &name]))?;
        known.identity = identity;
        known.secret = secret.unwrap_or_default();
        known.modified = now;
        return Ok(());
    }
    if key.is_some() {
        return Err(Failure::new(15_530, &[&name]));
    }
    room(state.server.credentials.len())?;
    let id = state
        .server
        .credentials
        .values()
        .map(|credential| credential.id)
        .max()
        .map_or(65_536, |id| id + 1);
    let credential = StoredCredential {
        id,
        identity,
        secret: secret.unwrap_or_default(),
        created: now,
        modified: now,
    };
    state.server.credentials.insert(name.to_owned(), credential);
    Ok(())
}

fn create_login(
    session: &Session,
    state: &mut State,
    name: &str,
    password: &str,
    database: &str,
) -> Result<(), Failure> {
    if login::find(state, name).is_some() {
        return Err(Failure::new(15_025, &[&name]));
    }
    if state.database(database).is_none() {
        return Err(Failure::new(15_010, &[&database]));
    }
    room(state.server.logins.len())?;
    let login = Login::new(&session.instance, password, database);
    state.server.logins.insert(name.to_owned(), login);
    Ok(())
}

fn login_mut<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Login, Failure> {
    let key = key_of(state.server.logins.keys(), name);
    key.and_then(|key| state.server.logins.get_mut(&key))
        .ok_or_else(|| Failure::new(15_151, &[&"alter", &"login", &name]))
}

fn create_user(session: &Session, state: &mut State, name: &str, login: Option<&str>) -> Result<(), Failure> {
    let login = login.unwrap_or(name);
    let is_guest = name.eq_ignore_ascii_case("guest");
    let known = login::find(state, login).map(|(known, _)| known.clone());
    if known.is_none() && !is_guest {
        return Err(Failure::new(15_007, &[&login]));
    }
    let entry = state
        .database_mut(&session.database)
        .ok_or_else(|| Failure::new(911, &[&session.database]))?;
    if entry.users.contains_key(&name.to_lowercase()) {
        return Err(Failure::new(15_023, &[&name]));
    }
    room(entry.users.len())?;
    let user = DatabaseUser {
        name: name.to_owned(),
        login: known,
        roles: BTreeSet::new(),
        granted: BTreeSet::new(),
        denied: BTreeSet::new(),
    };
    entry.users.insert(name.to_lowercase(), user);
    Ok(())
}

fn user_mut<'a>(
    session: &Session,
    state: &'a mut State,
    user: &str,
) -> Result<&'a mut DatabaseUser, Failure> {
    state
        .database_mut(&session.database)
        .and_then(|entry| entry.users.get_mut(&user.to_lowercase()))
        .ok_or_else(|| Failure::new(15_151, &[&"add", &"principal", &user]))
}

fn toggle(set: &mut BTreeSet<String>, member: String, add: bool) {
    if add {
        set.insert(member);
    } else {
        set.remove(&member);
    }
}

/// Whether a permission is one of the server rather than of a database.
fn is_of_server(permission: &str) -> bool {
    permission.contains("SERVER")
        || permission.contains(" ANY ")
        || matches!(
            permission,
            "SHUTDOWN" | "CONNECT SQL" | "ALTER RESOURCES" | "ALTER SETTINGS" | "ADMINISTER BULK OPERATIONS"
        )
}

fn permit(
    session: &Session,
    state: &mut State,
    deed: PermissionDeed,
    permissions: &[String],
    principal: &str,
) -> Result<(), Failure> {
    for permission in permissions {
        let permission = permission.to_ascii_uppercase();
        let (granted, denied) = if is_of_server(&permission) {
            let login = login_mut(state, principal)?;
            (&mut login.granted, &mut login.denied)
        } else {
            let user = user_mut(session, state, principal)?;
            (&mut user.granted, &mut user.denied)
        };
        granted.remove(&permission);
        denied.remove(&permission);
        match deed {
            PermissionDeed::Grant => {
                granted.insert(permission);
            }
            PermissionDeed::Deny => {
                denied.insert(permission);
            }
            PermissionDeed::Revoke => {}
        }
    }
    Ok(())
}

/// A certificate is a name and a thumbprint. The thumbprint is the SHA-1 of its subject, so that CREATE CERTIFICATE with the same
/// subject on another instance stands for an import of the same certificate.
fn create_certificate(
    session: &Session,
    state: &mut State,
    name: &str,
    subject: &str,
) -> Result<(), Failure> {
    if state.server.certificates.contains_key(name) {
        return Err(Failure::new(15_232, &[&name]));
    }
    room(state.server.certificates.len())?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, subject.as_bytes());
    let certificate = Certificate {
        subject: subject.to_owned(),
        thumbprint: digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect(),
        created: session.instance.world.clock.now(),
        key_backup: None,
    };
    state.server.certificates.insert(name.to_owned(), certificate);
    Ok(())
}

fn create_key(session: &Session, state: &mut State, certificate: Option<&str>) -> Result<(), Failure> {
    let Some(certificate) = certificate else {
        // The master key: certificates need it, nothing here does.
        return Ok(());
    };
    if !state.server.certificates.contains_key(certificate) {
        return Err(Failure::new(15_151, &[&"find", &"certificate", &certificate]));
    }
    if let Some(entry) = state.database_mut(&session.database) {
        entry.encryption_certificate = Some(certificate.to_owned());
    }
    Ok(())
}
