//! Where the files of a restored database go, and whether they can go there.

use std::collections::{BTreeMap, BTreeSet};

use bak::content::SetHeader;
use bak::{DatabaseFile as StoredFile, FileType};

use super::order::Order;
use super::target::Target;
use crate::engine::{DatabaseFile, Engine};
use crate::instance::{Instance, State, is_same};
use crate::message::{Failure, Message};
use crate::session::Session;
use crate::world::{Kind, OsError};

/// Bytes of a page.
const PAGE: u64 = 8192;
/// Growth up to this number is a percentage.
const PERCENT: u32 = 100;
/// Windows' ERROR_SHARING_VIOLATION: somebody has the file open.
const IN_USE: i32 = 32;
/// The path does not exist.
const NO_PATH: i32 = 3;

/// The files of the database, at their places.
///
/// # Errors
/// 3241, 3234, 3176, 1834, 3142, 5133 with 3156, 3257, each with 3119 behind it.
pub(super) fn plan(
    session: &Session,
    state: &State,
    order: &Order,
    header: &SetHeader,
    target: &Target,
) -> Result<Vec<DatabaseFile>, Failure> {
    check_files(order, header)?;
    check_moves(order, header)?;
    let files: Vec<DatabaseFile> = header
        .set
        .files
        .iter()
        .map(|file| placed(state, order, header, target, file))
        .collect();
    let mut problems = claimed_twice(&files);
    for file in &files {
        problems.extend(problems_of(&session.instance, state, order, target, file));
    }
    problems.extend(space(&session.instance, state, target, &files));
    if problems.is_empty() {
        return Ok(files);
    }
    problems.push(Message::new(3119, &[]));
    Err(Failure { messages: problems })
}

/// What of the same keeps VERIFYONLY's set from being restored here; information, not errors.
pub(super) fn problems_for_verify(session: &Session, order: &Order, header: &SetHeader) -> Vec<Message> {
    let target = Target {
        id: 0,
        name: header.set.database_name.clone(),
        existed: false,
        binding: None,
    };
    let state = session.instance.state();
    let files: Vec<DatabaseFile> = header
        .set
        .files
        .iter()
        .map(|file| placed(&state, order, header, &target, file))
        .collect();
    let mut problems = Vec::new();
    for file in &files {
        problems.extend(directory_problem(&session.instance, file));
    }
    problems.extend(space(&session.instance, &state, &target, &files));
    problems
}

/// Whether what the set says of its files can be a database at all: a primary file, a log, numbers that are each one file's.
///
/// # Errors
/// 3241 where it cannot.
fn check_files(order: &Order, header: &SetHeader) -> Result<(), Failure> {
    let files = &header.set.files;
    let ids: BTreeSet<u32> = files.iter().map(|file| file.file_id).collect();
    let has = |file_type: FileType| files.iter().any(|file| file.file_type == file_type);
    let are_numbers = ids.iter().all(|id| (1..u32::from(u16::MAX)).contains(id));
    if ids.len() == files.len() && are_numbers && has(FileType::Data) && has(FileType::Log) {
        return Ok(());
    }
    let device = order.devices.first().map_or("", |device| device.name());
    Err(Failure::new(3241, &[&device]))
}

/// # Errors
/// 3234 where MOVE names a file that the database does not have.
pub(super) fn check_moves(order: &Order, header: &SetHeader) -> Result<(), Failure> {
    let set = &header.set;
    for (logical, _) in &order.moves {
        let known = set
            .files
            .iter()
            .any(|file| file.logical_name.eq_ignore_ascii_case(logical));
        if !known {
            return Err(Failure::new(3234, &[logical, &set.database_name]));
        }
    }
    Ok(())
}

/// A file at its place: where MOVE says, else where the same file of the database that is replaced lies, else where it lay.
fn placed(
    state: &State,
    order: &Order,
    header: &SetHeader,
    target: &Target,
    file: &StoredFile,
) -> DatabaseFile {
    let moved = order
        .moves
        .iter()
        .find(|(logical, _)| logical.eq_ignore_ascii_case(&file.logical_name))
        .map(|(_, path)| path.clone());
    let present = || {
        let files = present_files(state, target.id);
        files
            .into_iter()
            .find(|known| Some(known.unique_id) == file.unique_id)
            .map(|known| known.physical_name)
    };
    let path = moved
        .or_else(present)
        .unwrap_or_else(|| file.physical_name.clone());
    let size = pages(file.size);
    let details = header
        .files
        .iter()
        .find(|details| details.file_id == file.file_id);
    DatabaseFile {
        file_id: u16::try_from(file.file_id).unwrap_or(u16::MAX),
        logical_name: file.logical_name.clone(),
        physical_name: path,
        file_type: file.file_type,
        unique_id: file.unique_id.unwrap_or_default(),
        size,
        max_size: pages(file.max_size).max(size),
        growth: growth(size, details.map_or(0, |details| details.growth)),
        create_lsn: None,
    }
}

/// The data files that a log backup lists and the database does not have yet: their logical names, and where they go.
///
/// # Errors
/// 3176, 1834, 5133 with 3156, 3257, each with 3119 behind it. A file of this path that is nobody's may be one that a restore
/// before made.
pub(super) fn added(
    instance: &Instance,
    state: &State,
    order: &Order,
    header: &SetHeader,
    target: &Target,
) -> Result<Vec<(String, String)>, Failure> {
    let mut all = present_files(state, target.id);
    let (mut problems, mut added) = (Vec::new(), Vec::new());
    for file in &header.set.files {
        let is_known = all.iter().any(|known| u32::from(known.file_id) == file.file_id);
        if is_known || file.file_type != FileType::Data {
            continue;
        }
        let file = placed(state, order, header, target, file);
        let found = problems_of(instance, state, order, target, &file);
        problems.extend(found.into_iter().filter(|problem| problem.number != 3142));
        added.push((file.logical_name.clone(), file.physical_name.clone()));
        all.push(file);
    }
    problems.extend(claimed_twice(&all));
    // Those that are there become as long as the log makes them.
    let listed = header.set.files.iter();
    let sizes: Vec<DatabaseFile> = listed
        .map(|file| placed(state, order, header, target, file))
        .collect();
    problems.extend(space(instance, state, target, &sizes));
    if problems.is_empty() {
        return Ok(added);
    }
    problems.push(Message::new(3119, &[]));
    Err(Failure { messages: problems })
}

fn pages(bytes: u64) -> u32 {
    u32::try_from(bytes / PAGE).unwrap_or(u32::MAX)
}

fn growth(size: u32, stored: u32) -> u32 {
    if stored <= PERCENT {
        (u64::from(size) * u64::from(stored) / 100) as u32
    } else {
        stored / PAGE as u32
    }
}

/// The files of a database as it is.
pub(super) fn present_files(state: &State, id: u16) -> Vec<DatabaseFile> {
    state.databases.get(&id).map_or_else(Vec::new, |entry| {
        entry
            .engine
            .as_ref()
            .map_or_else(|| entry.files.clone(), Engine::files)
    })
}

fn claimed_twice(files: &[DatabaseFile]) -> Vec<Message> {
    let mut problems = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let same = |earlier: &&DatabaseFile| earlier.physical_name.eq_ignore_ascii_case(&file.physical_name);
        if let Some(earlier) = files[..index].iter().find(same) {
            problems.push(Message::new(
                3176,
                &[
                    &file.physical_name,
                    &file.logical_name,
                    &file.file_id,
                    &earlier.logical_name,
                    &earlier.file_id,
                ],
            ));
        }
    }
    problems
}

fn problems_of(
    instance: &Instance,
    state: &State,
    order: &Order,
    target: &Target,
    file: &DatabaseFile,
) -> Vec<Message> {
    let path = &file.physical_name;
    let elsewhere = || Message::new(3156, &[&file.logical_name, path]);
    let has = |id: &u16| {
        present_files(state, *id)
            .iter()
            .any(|known| is_same(&known.physical_name, path))
    };
    let owner = state.databases.keys().find(|id| has(id)).copied();
    match owner {
        Some(id) if id == target.id && target.existed => return Vec::new(),
        Some(id) => {
            let name = &state.databases[&id].name;
            return vec![Message::new(1834, &[path, name]), elsewhere()];
        }
        // The instance's own record: no WITH REPLACE reaches it.
        None if instance.keeps(state, path) => {
            return vec![Message::new(5123, &[&OsError::new(IN_USE), path]), elsewhere()];
        }
        None => {}
    }
    if let Some(problem) = directory_problem(instance, file) {
        return vec![problem, elsewhere()];
    }
    match instance.world.disk.look(path) {
        Some(Kind::File) if !order.replace => vec![Message::new(3142, &[&file.logical_name, path])],
        Some(Kind::Directory) => vec![elsewhere()],
        _ => Vec::new(),
    }
}

/// 5133 where the directory of a file does not exist.
fn directory_problem(instance: &Instance, file: &DatabaseFile) -> Option<Message> {
    let path = &file.physical_name;
    let directory = path
        .rsplit_once(['/', '\\'])
        .map_or("", |(directory, _)| directory);
    // Above a root there is nothing to look for.
    if directory.is_empty() && path.starts_with('/') {
        return None;
    }
    if instance.world.disk.look(directory) == Some(Kind::Directory) {
        return None;
    }
    let error = OsError::new(NO_PATH);
    Some(Message::new(5133, &[path, &error.number, &error.text]))
}

/// What the files on one volume take.
struct Volume {
    directory: String,
    needed: u64,
    present: u64,
    free: u64,
}

/// 3257 for each volume that has less room than its files need beyond what they take already.
fn space(instance: &Instance, state: &State, target: &Target, files: &[DatabaseFile]) -> Vec<Message> {
    let mut volumes: BTreeMap<u64, Volume> = BTreeMap::new();
    let present = present_files(state, target.id);
    let all = files.iter().map(|file| (file, true));
    for (file, is_needed) in all.chain(present.iter().map(|file| (file, false))) {
        let path = &file.physical_name;
        let space = instance.world.disk.space(path);
        let directory = path
            .rsplit_once(['/', '\\'])
            .map_or("", |(directory, _)| directory);
        let volume = volumes.entry(space.volume).or_insert_with(|| Volume {
            directory: directory.to_owned(),
            needed: 0,
            present: 0,
            free: space.free,
        });
        let bytes = u64::from(file.size) * PAGE;
        if is_needed {
            volume.needed += bytes;
        } else {
            volume.present += bytes;
        }
    }
    let too_small = volumes.values().filter_map(|volume| {
        let additional = volume.needed.saturating_sub(volume.present);
        let arguments: [&dyn std::fmt::Display; 3] = [&volume.directory, &additional, &volume.free];
        (additional > volume.free).then(|| Message::new(3257, &arguments))
    });
    too_small.collect()
}
