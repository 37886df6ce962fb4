//! Credentials, logins, users, roles and permissions.

use super::cursor::Cursor;
use super::options::Seen;
use crate::message::Failure;
use crate::tsql::statement::{PermissionDeed, ServerStatement, Statement, Word};

fn deed(cursor: &mut Cursor) -> String {
    let deed = cursor.keyword().unwrap_or_default();
    cursor.advance();
    cursor.advance();
    deed
}

/// CREATE, ALTER, DROP CREDENTIAL.
pub(super) fn credential(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = deed(cursor);
    let name = cursor.name()?;
    if deed == "DROP" {
        return Ok(Statement::Server(ServerStatement::DropCredential(name)));
    }
    cursor.expect("WITH")?;
    cursor.expect("IDENTITY")?;
    cursor.expect_symbol("=")?;
    let identity = cursor.text_or_variable()?;
    let secret = match cursor.eat_symbol(",") {
        true => {
            cursor.expect("SECRET")?;
            cursor.expect_symbol("=")?;
            Some(cursor.text_or_variable()?)
        }
        false => None,
    };
    if cursor.is("FOR") {
        return Err(cursor.failure(40510, &[&"cryptographic providers"]));
    }
    Ok(Statement::Server(ServerStatement::PutCredential {
        alter: deed == "ALTER",
        name,
        identity,
        secret,
    }))
}

/// CREATE, ALTER, DROP LOGIN.
pub(super) fn login(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = deed(cursor);
    let name = cursor.name()?;
    if deed == "DROP" {
        return Ok(Statement::Server(ServerStatement::DropLogin(name)));
    }
    if cursor.is("FROM") {
        return Err(cursor.failure(40510, &[&"logins other than with a password"]));
    }
    if deed == "ALTER" && (cursor.is("ENABLE") || cursor.is("DISABLE")) {
        let enabled = cursor.is("ENABLE");
        cursor.advance();
        return Ok(Statement::Server(ServerStatement::AlterLogin {
            name,
            enabled: Some(enabled),
            password: None,
        }));
    }
    cursor.expect("WITH")?;
    let options = login_options(cursor)?;
    let statement = match (deed.as_str(), options.password) {
        ("CREATE", Some(password)) => ServerStatement::CreateLogin {
            name,
            password,
            default_database: options.default_database,
        },
        ("CREATE", None) => return Err(cursor.syntax_error()),
        (_, password) => {
            if options.default_database.is_some() {
                return Err(cursor.failure(40510, &[&"ALTER LOGIN WITH DEFAULT_DATABASE"]));
            }
            ServerStatement::AlterLogin {
                name,
                enabled: None,
                password,
            }
        }
    };
    Ok(Statement::Server(statement))
}

#[derive(Default)]
struct LoginOptions {
    password: Option<Word>,
    default_database: Option<String>,
}

fn login_options(cursor: &mut Cursor) -> Result<LoginOptions, Failure> {
    let mut options = LoginOptions::default();
    let mut seen = Seen::new(&[]);
    loop {
        let Some(name) = cursor.keyword() else {
            return Err(cursor.syntax_error());
        };
        seen.note(cursor, &name)?;
        let place = cursor.index();
        cursor.advance();
        cursor.expect_symbol("=")?;
        match name.as_str() {
            "PASSWORD" => {
                options.password = Some(cursor.text_or_variable()?);
                if cursor.is("HASHED") {
                    return Err(cursor.failure(40510, &[&"HASHED"]));
                }
                while cursor.eat_any(&["MUST_CHANGE", "UNLOCK"]) {}
                if cursor.eat(&["OLD_PASSWORD"]) {
                    cursor.expect_symbol("=")?;
                    cursor.text()?;
                }
            }
            "DEFAULT_DATABASE" => options.default_database = Some(cursor.name()?),
            "DEFAULT_LANGUAGE" => drop(cursor.name()?),
            "CHECK_POLICY" | "CHECK_EXPIRATION" if cursor.eat_any(&["ON", "OFF"]) => {}
            "SID" | "CREDENTIAL" | "NAME" => {
                let words = format!("LOGIN WITH {name}");
                return Err(cursor.failure_at(place, 40510, &[&words]));
            }
            _ => return Err(cursor.syntax_error_at(place)),
        }
        if !cursor.eat_symbol(",") {
            return Ok(options);
        }
    }
}

/// CREATE USER, DROP USER.
pub(super) fn user(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = deed(cursor);
    if deed == "DROP" {
        cursor.eat(&["IF", "EXISTS"]);
        return cursor
            .name()
            .map(|name| Statement::Server(ServerStatement::DropUser(name)));
    }
    let name = cursor.name()?;
    if deed == "ALTER" {
        return Err(cursor.failure(40510, &[&"ALTER USER"]));
    }
    let login = if cursor.eat(&["WITHOUT", "LOGIN"]) {
        None
    } else if cursor.eat_any(&["FOR", "FROM"]) {
        cursor.expect("LOGIN")?;
        cursor.expect_symbol("=").ok();
        Some(cursor.name()?)
    } else {
        Some(name.clone())
    };
    if cursor.eat(&["WITH"]) {
        cursor.expect("DEFAULT_SCHEMA")?;
        cursor.expect_symbol("=")?;
        cursor.name()?;
    }
    Ok(Statement::Server(ServerStatement::CreateUser { name, login }))
}

/// ALTER ROLE and ALTER SERVER ROLE: ADD MEMBER, DROP MEMBER.
pub(super) fn role(cursor: &mut Cursor) -> Result<Statement, Failure> {
    cursor.advance();
    let of_server = cursor.eat(&["SERVER"]);
    cursor.expect("ROLE")?;
    let role = cursor.name()?;
    let add = cursor.is("ADD");
    if !add && !cursor.is("DROP") {
        return Err(match cursor.is("WITH") {
            true => cursor.failure(40510, &[&"ALTER ROLE WITH NAME"]),
            false => cursor.syntax_error(),
        });
    }
    cursor.advance();
    cursor.expect("MEMBER")?;
    let member = cursor.name()?;
    Ok(Statement::Server(match of_server {
        true => ServerStatement::ServerRole {
            role,
            login: member,
            add,
        },
        false => ServerStatement::DatabaseRole {
            role,
            user: member,
            add,
        },
    }))
}

/// `ALTER AUTHORIZATION ON DATABASE::name TO login`.
pub(super) fn authorization(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let begin = cursor.index();
    cursor.advance();
    cursor.advance();
    cursor.expect("ON")?;
    if !cursor.eat(&["DATABASE"]) {
        return Err(cursor.failure_at(begin, 40510, &[&"ALTER AUTHORIZATION on anything but a database"]));
    }
    cursor.expect_symbol("::")?;
    let database = cursor.name()?;
    cursor.expect("TO")?;
    let login = cursor.name()?;
    Ok(Statement::ChangeOwner { database, login })
}

/// GRANT, DENY, REVOKE of permissions of the server and the current database.
pub(super) fn permission(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = match cursor.keyword().as_deref() {
        Some("GRANT") => PermissionDeed::Grant,
        Some("DENY") => PermissionDeed::Deny,
        _ => PermissionDeed::Revoke,
    };
    cursor.advance();
    if cursor.is("GRANT") {
        return Err(cursor.failure(40510, &[&"GRANT OPTION FOR"]));
    }
    let mut permissions = vec![words(cursor)?];
    while cursor.eat_symbol(",") {
        permissions.push(words(cursor)?);
    }
    if cursor.eat(&["ON"]) {
        permissions = vec![on_procedure(cursor, &permissions)?];
    }
    if !(cursor.eat(&["TO"]) || (deed == PermissionDeed::Revoke && cursor.eat(&["FROM"]))) {
        return Err(cursor.syntax_error());
    }
    let principal = match cursor.eat(&["PUBLIC"]) {
        true => "public".to_owned(),
        false => cursor.name()?,
    };
    if cursor.is_symbol(",") {
        return Err(cursor.failure(40510, &[&"permissions for several principals in one statement"]));
    }
    if cursor.is("WITH") || cursor.is("CASCADE") || cursor.is("AS") {
        return Err(cursor.failure(40510, &[&"WITH GRANT OPTION, CASCADE and AS"]));
    }
    Ok(Statement::Server(ServerStatement::Permission {
        deed,
        permissions,
        principal,
    }))
}

/// Of objects only procedures of the system: `EXECUTE ON sys.xp_readerrorlog`, which is kept as such.
fn on_procedure(cursor: &mut Cursor, permissions: &[String]) -> Result<String, Failure> {
    let is_execute = permissions == ["EXECUTE"] || permissions == ["EXEC"];
    let mut name = cursor.name()?;
    if cursor.eat_symbol(".") {
        name = cursor.name()?;
    }
    let is_of_system = name.starts_with("xp_") || name.starts_with("sp_");
    match is_execute && is_of_system {
        true => Ok(format!("EXECUTE ON {}", name.to_ascii_uppercase())),
        false => Err(cursor.failure(40510, &[&"permissions on an object"])),
    }
}

/// The words of a permission, up to a comma, ON, TO or FROM.
fn words(cursor: &mut Cursor) -> Result<String, Failure> {
    let mut words = Vec::new();
    while let Some(word) = cursor
        .keyword()
        .filter(|word| !matches!(word.as_str(), "ON" | "TO" | "FROM"))
    {
        words.push(word);
        cursor.advance();
    }
    match words.is_empty() {
        true => Err(cursor.syntax_error()),
        false => Ok(words.join(" ")),
    }
}
