//! CREATE DATABASE.

use super::Instance;
use super::birth::Birth;
use super::permission;
use super::state::State;
use crate::engine::{DatabaseFile, EngineError, RecoveryModel};
use crate::message::Failure;
use crate::session::Session;
use crate::tsql::statement::{CreateDatabase, FileSpecification};

/// Databases of an instance, as SQL Server allows at most.
const DATABASES: usize = 32_767;
/// Bytes of a name.
const NAME: usize = 128;

/// Makes a database.
///
/// # Errors
/// 262 permission, 1801 exists, 103 a name too long, 1834 a file in use, 5170 a file that exists, 5123/5133 the disk's, 1802
/// behind each; 40510 for FOR ATTACH.
pub fn create_database(session: &Session, statement: &CreateDatabase) -> Result<(), Failure> {
    let instance = &session.instance;
    let mut state = instance.state();
    if !permission::on_server(&state, &session.login, "CREATE ANY DATABASE") {
        return Err(Failure::new(262, &[&"CREATE DATABASE", &"master"]));
    }
    if statement.attach {
        return Err(Failure::new(40_510, &[&"CREATE DATABASE ... FOR ATTACH"]));
    }
    let name = &statement.name;
    check_name(name)?;
    if state.database(name).is_some() {
        return Err(Failure::new(1801, &[name]));
    }
    if state.databases.len() >= DATABASES {
        return Err(Failure::new(1802, &[]));
    }
    let files = instance.files_of(statement)?;
    for file in &files {
        check_path(instance, &state, &file.physical_name).map_err(|failure| failure.and(1802, &[]))?;
    }
    let id = free_id(&state);
    let recovery_model = state
        .database("model")
        .and_then(|model| model.engine.as_ref())
        .map_or(RecoveryModel::Full, |engine| engine.boot().recovery_model);
    let birth = Birth {
        id,
        name: name.clone(),
        recovery_model,
        files,
        owner: session.login.clone(),
    };
    let entry = instance
        .give_birth(birth)
        .map_err(|error| creation_failure(&error))?;
    state.databases.insert(id, entry);
    instance.save(&state)
}

/// Whether a text can be the name of a database.
///
/// # Errors
/// 103 where it is too long, 1038 where it is empty.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let length = name.encode_utf16().count();
    if name.is_empty() {
        return Err(Failure::new(1038, &[]));
    }
    if length > NAME {
        return Err(Failure::new(103, &[&"identifier", &name, &NAME]));
    }
    Ok(())
}

/// The lowest free `database_id` of a user database.
#[must_use]
pub fn free_id(state: &State) -> u16 {
    (5..u16::MAX)
        .find(|id| !state.databases.contains_key(id))
        .expect("fewer databases than numbers")
}

/// Whether a path is free for a new database file.
///
/// # Errors
/// 1834 where a database has it, 5170 where a file has it.
pub fn check_path(instance: &Instance, state: &State, path: &str) -> Result<(), Failure> {
    let owner = state.databases.values().find(|database| {
        let files = database
            .engine
            .as_ref()
            .map_or_else(|| database.files.clone(), crate::engine::Engine::files);
        files
            .iter()
            .any(|file| file.physical_name.eq_ignore_ascii_case(path))
    });
    if let Some(owner) = owner {
        return Err(Failure::new(1834, &[&path, &owner.name]));
    }
    if instance.world.disk.look(path).is_some() {
        return Err(Failure::new(5170, &[&path]));
    }
    Ok(())
}

fn creation_failure(error: &EngineError) -> Failure {
    let first = match error {
        EngineError::Disk { path, error } if error.number == 3 => {
            Failure::new(5133, &[path, &error.number, &error.text])
        }
        EngineError::Disk { path, error } => Failure::new(5123, &[error, path]),
        other => Failure::new(5123, &[other, &""]),
    };
    first.and(1802, &[])
}

impl Instance {
    /// The files of CREATE DATABASE, defaults filled in.
    fn files_of(&self, statement: &CreateDatabase) -> Result<Vec<DatabaseFile>, Failure> {
        let name = &statement.name;
        if statement.log.len() > 1 {
            return Err(Failure::new(40_510, &[&"several log files"]));
        }
        let none = FileSpecification::default();
        let mut files = Vec::new();
        let mut next_id = 3;
        for (at, file) in statement
            .data
            .iter()
            .chain(std::iter::repeat_n(&none, usize::from(statement.data.is_empty())))
            .enumerate()
        {
            let file_id = if at == 0 { 1 } else { next_id };
            next_id += u16::from(at > 0);
            files.push(self.file_of(file_id, name, file));
        }
        files.insert(1, self.file_of(2, name, statement.log.first().unwrap_or(&none)));
        Ok(files)
    }

    /// One file of CREATE DATABASE or ADD FILE.
    pub(super) fn file_of(&self, file_id: u16, database: &str, file: &FileSpecification) -> DatabaseFile {
        let default_name = match file_id {
            1 => database.to_owned(),
            2 => format!("{database}_log"),
            _ => format!("{database}_{file_id}"),
        };
        let logical = if file.name.is_empty() {
            default_name
        } else {
            file.name.clone()
        };
        let path = file.filename.clone().unwrap_or_else(|| {
            let extension = match file_id {
                1 => "mdf",
                2 => "ldf",
                _ => "ndf",
            };
            // A name may hold what a path may not.
            let stem: String = logical
                .chars()
                .map(|c| {
                    if c.is_alphanumeric() || "_-. $#@".contains(c) {
                        c
                    } else {
                        '_'
                    }
                })
                .collect();
            self.settings.path(&["data", &format!("{stem}.{extension}")])
        });
        let mut made = self.default_file(file_id, &logical, path);
        made.size = file.size.unwrap_or(made.size);
        made.max_size = file.max_size.unwrap_or(made.max_size);
        made.growth = file.growth.unwrap_or(made.growth);
        made
    }
}
