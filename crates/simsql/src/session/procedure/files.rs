//! Files of the server as its clients see them: `xp_fileexist`, `xp_dirtree`, `xp_create_subdir`, `xp_delete_file`,
//! `xp_fixeddrives`.

use super::Call;
use crate::answers::Answers;
use crate::instance::permission;
use crate::message::Failure;
use crate::session::Session;
use crate::value::{Column, Length, SqlType, Value};
use crate::world::{Kind, OsError};

/// Windows' ERROR_SHARING_VIOLATION: what it says of a file that somebody has open.
const IN_USE: i32 = 32;

/// Rows that `xp_dirtree` gives at most.
const ROWS_MAX: usize = 100_000;

fn join(session: &Session, directory: &str, name: &str) -> String {
    let separator = session.instance.settings.path_separator;
    format!("{}{separator}{name}", directory.trim_end_matches(['/', '\\']))
}

/// `xp_fileexist path [, @exists OUTPUT]`.
pub(super) fn exists(session: &mut Session, call: &Call, answers: &mut dyn Answers) -> Result<(), Failure> {
    let path = call.required(0, "@filename")?;
    let disk = &session.instance.world.disk;
    let look = disk.look(&path);
    let parent = path
        .trim_end_matches(['/', '\\'])
        .rfind(['/', '\\'])
        .map_or("", |end| &path[..end]);
    let has_parent = parent.is_empty() || disk.look(parent) == Some(Kind::Directory);
    let is_file = look == Some(Kind::File);
    let number = Value::Integer(i64::from(is_file));
    if call.give_back(session, (1, "@exists"), (number, SqlType::Int))? {
        return Ok(());
    }
    let bit = |name: &str| Column::new(name, SqlType::TinyInt);
    answers.columns(&[
        bit("File Exists"),
        bit("File is a Directory"),
        bit("Parent Directory Exists"),
    ]);
    let row = [is_file, look == Some(Kind::Directory), has_parent];
    answers.row(&row.map(|is| Value::Integer(i64::from(is))));
    answers.done(Some(1));
    Ok(())
}

/// `xp_dirtree path [, depth [, files]]` and `xp_subdirs path`.
///
/// # Errors
/// 22048 for a directory that cannot be listed (`xp_subdirs`); `xp_dirtree` gives no rows then.
pub(super) fn tree(session: &Session, call: &Call, answers: &mut dyn Answers) -> Result<(), Failure> {
    let path = call.required(0, "@path")?;
    let is_tree = call.name == "xp_dirtree";
    let depth = match call.integer(1, "@depth").unwrap_or(0) {
        _ if !is_tree => 1,
        0 => i64::MAX,
        depth => depth,
    };
    let with_files = is_tree && call.integer(2, "@file").unwrap_or(0) != 0;
    let mut columns = vec![Column::new("subdirectory", SqlType::NVarChar(Length::Of(512)))];
    if is_tree {
        columns.push(Column::new("depth", SqlType::Int));
    }
    if with_files {
        columns.push(Column::new("file", SqlType::Int));
    }
    let mut rows = Vec::new();
    collect(session, &path, (1, depth), with_files, &mut rows);
    answers.columns(&columns);
    for row in &rows {
        answers.row(&row[..columns.len()]);
    }
    answers.done(Some(rows.len() as u64));
    Ok(())
}

fn collect(
    session: &Session,
    path: &str,
    (level, depth): (i64, i64),
    with_files: bool,
    rows: &mut Vec<[Value; 3]>,
) {
    let disk = &session.instance.world.disk;
    let Ok(names) = disk.list(path) else {
        return;
    };
    for name in names {
        if rows.len() >= ROWS_MAX {
            return;
        }
        let inner = join(session, path, &name);
        let is_file = disk.look(&inner) == Some(Kind::File);
        if !is_file || with_files {
            rows.push([
                name.into(),
                Value::Integer(level),
                Value::Integer(i64::from(is_file)),
            ]);
        }
        if !is_file && level < depth {
            collect(session, &inner, (level + 1, depth), with_files, rows);
        }
    }
}

fn administrator(session: &Session, procedure: &str) -> Result<(), Failure> {
    match permission::is_sysadmin(&session.instance.state(), &session.login) {
        true => Ok(()),
        false => Err(Failure::new(
            229,
            &[&"EXECUTE", &procedure, &"mssqlsystemresource", &"sys"],
        )),
    }
}

/// `xp_create_subdir path`.
///
/// # Errors
/// 22048 with the disk's error.
pub(super) fn create_directory(session: &Session, call: &Call) -> Result<(), Failure> {
    administrator(session, "xp_create_subdir")?;
    let path = call.required(0, "@path")?;
    let disk = &session.instance.world.disk;
    disk.create_directory(&path).map_err(|error| {
        Failure::new(
            22048,
            &[
                &"xp_create_subdir",
                &"CreateDirectory",
                &error.number,
                &error.text,
            ],
        )
    })
}

/// `xp_delete_file kind, path [, extension [, date [, subfolders]]]`: backup files (and text reports) of a folder that are older
/// than the date. A path that is a file is deleted itself. Only files that begin as a backup does are taken, as SQL Server takes
/// no others.
///
/// # Errors
/// 22049 with the disk's error.
pub(super) fn delete(session: &Session, call: &Call) -> Result<(), Failure> {
    administrator(session, "xp_delete_file")?;
    let kind = call.integer(0, "@kind").unwrap_or(0);
    let path = call.required(1, "@path")?;
    let extension = call.text(2, "@extension");
    let disk = &session.instance.world.disk;
    if disk.look(&path) == Some(Kind::File) {
        return remove(session, &path, kind);
    }
    if call.text(3, "@date").is_some() {
        // The world's disk knows no times of its files.
        return Err(Failure::new(40510, &[&"xp_delete_file with a date"]));
    }
    let names = disk.list(&path).map_err(|error| refused(&error))?;
    for name in names {
        let file = join(session, &path, &name);
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let is_meant = extension
            .as_deref()
            .is_none_or(|wanted| ending.eq_ignore_ascii_case(wanted.trim_start_matches('.')));
        if is_meant && disk.look(&file) == Some(Kind::File) {
            remove(session, &file, kind)?;
        }
    }
    Ok(())
}

fn remove(session: &Session, path: &str, kind: i64) -> Result<(), Failure> {
    if session.instance.has_open(path) {
        return Err(refused(&OsError::new(IN_USE)));
    }
    let disk = &session.instance.world.disk;
    let mut head = [0u8; 4];
    let is_backup = disk
        .open(path, crate::world::Open::Read)
        .and_then(|file| file.read_at(0, &mut head))
        .is_ok_and(|()| head == *b"TAPE" || head == *b"MSSQ");
    match kind == 0 && !is_backup {
        true => Ok(()),
        false => disk.remove(path).map_err(|error| refused(&error)),
    }
}

fn refused(error: &crate::world::OsError) -> Failure {
    Failure::new(
        22049,
        &[&"xp_delete_file", &"DeleteFile", &error.number, &error.text],
    )
}

/// `xp_fixeddrives`: the volume of the instance's directory.
pub(super) fn drives(session: &Session, answers: &mut dyn Answers) {
    let space = session
        .instance
        .world
        .disk
        .space(&session.instance.settings.directory);
    answers.columns(&[
        Column::new("drive", SqlType::NVarChar(Length::Of(1))),
        Column::new("MB free", SqlType::Int),
    ]);
    let free = i64::try_from(space.free >> 20).unwrap_or(i64::MAX);
    let drive = if session.instance.settings.path_separator == '/' {
        "/"
    } else {
        "C"
    };
    answers.row(&[drive.into(), Value::Integer(free)]);
    answers.done(Some(1));
}
