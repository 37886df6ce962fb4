//! Statements about the whole server, and keys and certificates.

use super::cursor::Cursor;
use super::extent::{self, Cut};
use crate::message::Failure;
use crate::tsql::statement::{ServerStatement, Statement};

/// USE, KILL, CHECKPOINT, SHUTDOWN, RECONFIGURE.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let word = cursor.keyword().unwrap_or_default();
    cursor.advance();
    match word.as_str() {
        "USE" => cursor.name().map(Statement::Use),
        "KILL" => kill(cursor),
        "CHECKPOINT" => {
            if matches!(cursor.token(), Some(sqlparser::tokenizer::Token::Number(..))) {
                cursor.advance();
            }
            Ok(Statement::Checkpoint)
        }
        "SHUTDOWN" => {
            let nowait = cursor.eat(&["WITH"]);
            if nowait {
                cursor.expect("NOWAIT")?;
            }
            Ok(Statement::Shutdown { nowait })
        }
        _ => {
            if cursor.eat(&["WITH"]) {
                cursor.expect("OVERRIDE")?;
            }
            Ok(Statement::Reconfigure)
        }
    }
}

fn kill(cursor: &mut Cursor) -> Result<Statement, Failure> {
    if cursor.is("QUERY") || cursor.is("STATS") || cursor.text().is_ok() {
        return Err(cursor.failure(40510, &[&"KILL of anything but a session"]));
    }
    let place = cursor.index();
    let session = cursor.number()?;
    if cursor.is("WITH") {
        return Err(cursor.failure(40510, &[&"KILL WITH STATUSONLY"]));
    }
    match u16::try_from(session) {
        Ok(session) => Ok(Statement::Kill(session)),
        Err(_) => Err(cursor.failure_at(place, 6101, &[&session])),
    }
}

/// CREATE CERTIFICATE, DROP CERTIFICATE.
pub(super) fn certificate(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = cursor.keyword().unwrap_or_default();
    if deed == "ALTER" {
        return Err(cursor.failure(40510, &[&"ALTER CERTIFICATE"]));
    }
    cursor.advance();
    cursor.advance();
    let name = cursor.name()?;
    if deed == "DROP" {
        return Ok(Statement::Server(ServerStatement::DropCertificate(name)));
    }
    password(cursor)?;
    let subject = match cursor.eat(&["FROM"]) {
        true => {
            cursor.expect("FILE")?;
            cursor.expect_symbol("=")?;
            cursor.text()?
        }
        false => {
            cursor.expect("WITH")?;
            cursor.expect("SUBJECT")?;
            cursor.expect_symbol("=")?;
            cursor.text()?
        }
    };
    // Dates of validity and the private key's file: a certificate is a name for a thumbprint here, nothing more.
    let end = extent::end(cursor, Cut::Expression);
    cursor.move_to(end);
    Ok(Statement::Server(ServerStatement::CreateCertificate {
        name,
        subject,
    }))
}

/// `ENCRYPTION BY PASSWORD = '...'`: checked for its form, kept nowhere.
fn password(cursor: &mut Cursor) -> Result<(), Failure> {
    if cursor.eat(&["ENCRYPTION", "BY"]) {
        cursor.expect("PASSWORD")?;
        cursor.expect_symbol("=")?;
        cursor.text()?;
    }
    Ok(())
}

/// CREATE MASTER KEY.
pub(super) fn master_key(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = cursor.keyword().unwrap_or_default();
    if deed != "CREATE" {
        let words = format!("{deed} MASTER KEY");
        return Err(cursor.failure(40510, &[&words]));
    }
    cursor.advance();
    cursor.advance();
    cursor.expect("KEY")?;
    password(cursor)?;
    Ok(Statement::Server(ServerStatement::CreateKey {
        server_certificate: None,
    }))
}

/// CREATE DATABASE ENCRYPTION KEY.
pub(super) fn encryption_key(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = cursor.keyword().unwrap_or_default();
    if deed != "CREATE" {
        let words = format!("{deed} DATABASE ENCRYPTION KEY");
        return Err(cursor.failure(40510, &[&words]));
    }
    cursor.move_to(cursor.index() + 3);
    cursor.expect("KEY")?;
    cursor.expect("WITH")?;
    cursor.expect("ALGORITHM")?;
    cursor.expect_symbol("=")?;
    if !cursor.eat_any(&["AES_128", "AES_192", "AES_256", "TRIPLE_DES_3KEY"]) {
        return Err(cursor.syntax_error());
    }
    cursor.expect("ENCRYPTION")?;
    cursor.expect("BY")?;
    cursor.expect("SERVER")?;
    if cursor.is("ASYMMETRIC") {
        return Err(cursor.failure(40510, &[&"SERVER ASYMMETRIC KEY"]));
    }
    cursor.expect("CERTIFICATE")?;
    Ok(Statement::Server(ServerStatement::CreateKey {
        server_certificate: Some(cursor.name()?),
    }))
}
