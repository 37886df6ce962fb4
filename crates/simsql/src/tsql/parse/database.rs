//! CREATE DATABASE, ALTER DATABASE, DROP DATABASE.

use super::cursor::Cursor;
use super::database_option;
use super::file;
use crate::message::Failure;
use crate::tsql::statement::{AlterDatabase, CreateDatabase, Statement, Word};

/// CREATE, ALTER or DROP DATABASE.
pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let deed = cursor.keyword().unwrap_or_default();
    cursor.advance();
    cursor.advance();
    match deed.as_str() {
        "CREATE" => create(cursor),
        "ALTER" => alter(cursor),
        _ => drop(cursor),
    }
}

fn create(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let mut database = CreateDatabase {
        name: cursor.name()?,
        data: Vec::new(),
        log: Vec::new(),
        collation: None,
        attach: false,
    };
    if cursor.eat(&["CONTAINMENT"]) {
        cursor.expect_symbol("=")?;
        if !cursor.eat(&["NONE"]) {
            return Err(cursor.failure(40510, &[&"contained databases"]));
        }
    }
    if cursor.eat(&["ON"]) {
        cursor.eat(&["PRIMARY"]);
        database.data = file::list(cursor)?;
        if cursor.is_symbol(",") {
            cursor.advance();
            return Err(match cursor.is("FILEGROUP") {
                true => cursor.failure(40510, &[&"filegroups"]),
                false => cursor.syntax_error(),
            });
        }
    }
    if cursor.eat(&["LOG", "ON"]) {
        database.log = file::list(cursor)?;
    }
    if cursor.eat(&["COLLATE"]) {
        database.collation = Some(cursor.name()?);
    }
    if cursor.is("AS") {
        return Err(cursor.failure(40510, &[&"database snapshots"]));
    }
    if cursor.eat(&["FOR"]) {
        database.attach = true;
        if !cursor.eat(&["ATTACH"]) {
            return Err(match cursor.is("ATTACH_REBUILD_LOG") {
                true => cursor.failure(40510, &[&"FOR ATTACH_REBUILD_LOG"]),
                false => cursor.syntax_error(),
            });
        }
    }
    if cursor.eat(&["WITH"]) {
        database_option::list(cursor)?;
    }
    Ok(Statement::CreateDatabase(database))
}

fn alter(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let name = match cursor.eat(&["CURRENT"]) {
        true => None,
        false => Some(cursor.name_or_variable()?),
    };
    let change = match cursor.keyword().as_deref() {
        Some("SET") => {
            cursor.advance();
            let options = database_option::list(cursor)?;
            AlterDatabase::Set(options, database_option::termination(cursor)?)
        }
        Some("MODIFY") => modify(cursor)?,
        Some("COLLATE") => {
            cursor.advance();
            AlterDatabase::Collate(cursor.name()?)
        }
        Some("ADD") => add(cursor)?,
        Some("REMOVE") => {
            cursor.advance();
            filegroups_are_absent(cursor)?;
            cursor.expect("FILE")?;
            AlterDatabase::RemoveFile(cursor.text().or_else(|_| cursor.name())?)
        }
        _ => return Err(cursor.syntax_error()),
    };
    Ok(Statement::AlterDatabase(name, change))
}

fn modify(cursor: &mut Cursor) -> Result<AlterDatabase, Failure> {
    cursor.advance();
    filegroups_are_absent(cursor)?;
    if cursor.eat(&["FILE"]) {
        return file::specification(cursor).map(AlterDatabase::ModifyFile);
    }
    cursor.expect("NAME")?;
    cursor.expect_symbol("=")?;
    cursor.name().map(AlterDatabase::ModifyName)
}

fn add(cursor: &mut Cursor) -> Result<AlterDatabase, Failure> {
    cursor.advance();
    filegroups_are_absent(cursor)?;
    let log = cursor.eat(&["LOG"]);
    cursor.expect("FILE")?;
    let files = file::list(cursor)?;
    let filegroup = match cursor.eat(&["TO", "FILEGROUP"]) {
        true => Some(cursor.name()?),
        false => None,
    };
    Ok(AlterDatabase::AddFile {
        files,
        log,
        filegroup,
    })
}

fn filegroups_are_absent(cursor: &Cursor) -> Result<(), Failure> {
    match cursor.is("FILEGROUP") {
        true => Err(cursor.failure(40510, &[&"filegroups"])),
        false => Ok(()),
    }
}

fn drop(cursor: &mut Cursor) -> Result<Statement, Failure> {
    let if_exists = cursor.eat(&["IF", "EXISTS"]);
    let mut names: Vec<Word> = vec![cursor.name_or_variable()?];
    while cursor.eat_symbol(",") {
        names.push(cursor.name_or_variable()?);
    }
    Ok(Statement::DropDatabase { if_exists, names })
}
