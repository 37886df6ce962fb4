//! The whole instance kept and put back, as a snapshot of its virtual machine would be: databases, logs, history, logins.
//!
//! What was done since the snapshot is gone without a trace in the instance, and its LSNs are given out again under the same
//! recovery fork: the trouble that a vault must notice by itself.

use crate::instance::Instance;
use crate::message::Failure;
use crate::world::{Disk, Open, OsError};

/// Bytes copied at a time.
const PIECE: usize = 1 << 20;

fn check(name: &str) -> Result<(), Failure> {
    let is_plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_plain {
        Ok(())
    } else {
        Err(Failure::new(40_510, &[&format!("a snapshot called '{name}'")]))
    }
}

/// Keeps the instance under a name.
pub(super) fn take(instance: &Instance, name: &str) -> Result<(), Failure> {
    check(name)?;
    let directory = instance.settings.path(&["snapshots", name]);
    let files = instance.pause()?;
    let copied = copy_all(instance.world.disk.as_ref(), instance, &files, &directory, true);
    instance.resume()?;
    copied.map_err(|error| Failure::new(823, &[&error, &directory]))
}

/// Puts it back.
pub(super) fn put_back(instance: &Instance, name: &str) -> Result<(), Failure> {
    check(name)?;
    let directory = instance.settings.path(&["snapshots", name]);
    let disk = instance.world.disk.as_ref();
    let list = list(disk, instance, &directory).map_err(|error| Failure::new(823, &[&error, &directory]))?;
    let files = instance.pause()?;
    let restored = (|| {
        for file in files.iter().filter(|file| !list.contains(file)) {
            disk.remove(file)?;
        }
        copy_all(disk, instance, &list, &directory, false)
    })();
    instance.resume()?;
    restored.map_err(|error| Failure::new(823, &[&error, &directory]))
}

/// The names of the files of a snapshot, one a line.
fn list(disk: &dyn Disk, instance: &Instance, directory: &str) -> Result<Vec<String>, OsError> {
    let file = disk.open(&inside(instance, directory, "files"), Open::Read)?;
    let length = usize::try_from(file.len()?).unwrap_or(0).min(PIECE);
    let mut bytes = vec![0; length];
    file.read_at(0, &mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(str::to_owned).collect())
}

fn inside(instance: &Instance, directory: &str, name: &str) -> String {
    format!("{directory}{}{name}", instance.settings.path_separator)
}

fn copy_all(
    disk: &dyn Disk,
    instance: &Instance,
    files: &[String],
    directory: &str,
    keep: bool,
) -> Result<(), OsError> {
    if keep {
        disk.create_directory(directory)?;
    }
    for (number, file) in files.iter().enumerate() {
        let kept = inside(instance, directory, &number.to_string());
        let (from, to) = if keep { (file, &kept) } else { (&kept, file) };
        copy(disk, from, to)?;
    }
    if keep {
        let file = disk.open(&inside(instance, directory, "files"), Open::Replace)?;
        file.write_at(0, files.join("\n").as_bytes())?;
        file.sync()?;
    }
    Ok(())
}

fn copy(disk: &dyn Disk, from: &str, to: &str) -> Result<(), OsError> {
    let source = disk.open(from, Open::Read)?;
    let target = disk.open(to, Open::Replace)?;
    let length = source.len()?;
    let mut buffer = vec![0; PIECE];
    let mut offset = 0;
    while offset < length {
        let piece = usize::try_from(length - offset).unwrap_or(PIECE).min(PIECE);
        source.read_at(offset, &mut buffer[..piece])?;
        target.write_at(offset, &buffer[..piece])?;
        offset += piece as u64;
    }
    target.sync()
}
