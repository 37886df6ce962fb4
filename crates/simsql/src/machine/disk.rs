//! The machine's disk, confined to a few directories.
//!
//! Whoever logs in to a simulated instance can name any path in BACKUP and RESTORE. A real server is held back by the rights of
//! its service account; this one by its directories: what lies outside, or is reached by a link that leads outside, is denied.
//! Files are made readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::world::{DiskFile, Kind, Open, OsError, Space};

/// The disk.
#[derive(Clone, Debug)]
pub struct Disk {
    roots: Vec<PathBuf>,
    /// Held as long as the disk is: one process, one directory.
    _lock: Arc<File>,
}

/// The file whose lock says that a process uses the directory.
const LOCK: &str = "instance.lock";

impl Disk {
    /// The disk below `directory`, which is made where it is not there, and below `others`.
    ///
    /// # Errors
    /// Where they cannot be made or found; [`io::ErrorKind::WouldBlock`] where another process uses `directory`.
    pub fn confined(directory: &Path, others: &[&Path]) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let lock = options(Open::Write)
            .create(true)
            .truncate(false)
            .open(directory.join(LOCK))?;
        lock.try_lock().map_err(io::Error::from)?;
        let mut roots = vec![directory.canonicalize()?];
        for other in others {
            roots.push(other.canonicalize()?);
        }
        Ok(Self {
            roots,
            _lock: Arc::new(lock),
        })
    }

    /// The path on this machine, where it is below one of the roots.
    fn place(&self, path: &str) -> Result<PathBuf, OsError> {
        let path = Path::new(path);
        let plain = path.is_absolute()
            && path
                .components()
                .all(|part| !matches!(part, Component::ParentDir | Component::CurDir));
        if !plain {
            // `C:\...` on a machine without drives, and relative paths, lead nowhere.
            return Err(OsError::new(3));
        }
        // The nearest directory that is there decides: what is made later is made in it.
        let mut existing = path;
        let real = loop {
            match existing.canonicalize() {
                Ok(real) => break real,
                Err(_) => existing = existing.parent().ok_or_else(|| OsError::new(3))?,
            }
        };
        if self.roots.iter().any(|root| real.starts_with(root)) {
            Ok(path.to_path_buf())
        } else {
            Err(OsError::new(5))
        }
    }
}

/// The error in Windows' numbers.
fn os_error(error: &io::Error) -> OsError {
    use io::ErrorKind as K;
    let number = match error.kind() {
        K::NotFound => 2,
        K::PermissionDenied | K::IsADirectory | K::ReadOnlyFilesystem => 5,
        K::NotADirectory => 3,
        K::AlreadyExists => 80,
        K::StorageFull | K::QuotaExceeded => 112,
        K::FileTooLarge => 223,
        K::UnexpectedEof => 38,
        K::InvalidFilename => 123,
        _ => 1117,
    };
    OsError::new(number)
}

/// Makes a new name in a directory survive a loss of power.
fn sync_parent(path: &Path) -> Result<(), OsError> {
    if cfg!(unix)
        && let Some(parent) = path.parent()
    {
        File::open(parent)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| os_error(&error))?;
    }
    Ok(())
}

fn options(how: Open) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    match how {
        Open::Read => {}
        Open::Write => {
            options.write(true);
        }
        Open::Create => {
            options.write(true).create_new(true);
        }
        Open::Replace => {
            options.write(true).create(true).truncate(true);
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

impl crate::world::Disk for Disk {
    fn open(&self, path: &str, how: Open) -> Result<Arc<dyn DiskFile>, OsError> {
        let place = self.place(path)?;
        let parent_is_there = place.parent().is_some_and(Path::is_dir);
        let file = options(how).open(&place).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if !parent_is_there => OsError::new(3),
            _ => os_error(&error),
        })?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(OsError::new(5));
        }
        if matches!(how, Open::Create | Open::Replace) {
            sync_parent(&place)?;
        }
        Ok(Arc::new(RealFile { file }))
    }

    fn remove(&self, path: &str) -> Result<(), OsError> {
        let place = self.place(path)?;
        fs::remove_file(&place).map_err(|error| os_error(&error))?;
        sync_parent(&place)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), OsError> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        fs::rename(from, &to).map_err(|error| os_error(&error))?;
        sync_parent(&to)
    }

    fn create_directory(&self, path: &str) -> Result<(), OsError> {
        let place = self.place(path)?;
        fs::create_dir_all(&place).map_err(|error| os_error(&error))?;
        sync_parent(&place)
    }

    fn look(&self, path: &str) -> Option<Kind> {
        let metadata = fs::metadata(self.place(path).ok()?).ok()?;
        Some(if metadata.is_dir() {
            Kind::Directory
        } else {
            Kind::File
        })
    }

    fn list(&self, path: &str) -> Result<Vec<String>, OsError> {
        let entries = fs::read_dir(self.place(path)?).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OsError::new(3),
            _ => os_error(&error),
        })?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| os_error(&error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn space(&self, path: &str) -> Space {
        self.place(path).map_or(NOWHERE, |place| volume(&place))
    }
}

/// No room at all.
const NOWHERE: Space = Space {
    total: 0,
    free: 0,
    volume: 0,
};

/// Room on the volume of a path, or of the nearest directory above it that is there.
#[cfg(unix)]
fn volume(path: &Path) -> Space {
    path.ancestors()
        .find_map(|path| rustix::fs::statvfs(path).ok())
        .map_or(NOWHERE, |volume| Space {
            total: volume.f_blocks.saturating_mul(volume.f_frsize),
            free: volume.f_bavail.saturating_mul(volume.f_frsize),
            volume: volume.f_fsid,
        })
}

/// Not asked on this platform: as much as any test needs.
#[cfg(not(unix))]
fn volume(_: &Path) -> Space {
    Space {
        total: 1 << 40,
        free: 1 << 40,
        volume: 0,
    }
}

/// Takes the room on the disk for bytes `from` to `to`, so that a full disk refuses a file that grows and not a later write into
/// it. File systems that cannot are left to refuse the write.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::empty(), from, to - from) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}

struct RealFile {
    file: File,
}

#[cfg(unix)]
impl RealFile {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, offset)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, offset)
    }
}

#[cfg(windows)]
impl RealFile {
    fn read(&self, mut offset: u64, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = std::os::windows::fs::FileExt::seek_read(&self.file, bytes, offset)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes = &mut bytes[count..];
            offset += count as u64;
        }
        Ok(())
    }

    fn write(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = std::os::windows::fs::FileExt::seek_write(&self.file, bytes, offset)?;
            bytes = &bytes[count..];
            offset += count as u64;
        }
        Ok(())
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), OsError> {
        self.read(offset, bytes).map_err(|error| os_error(&error))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), OsError> {
        self.write(offset, bytes).map_err(|error| os_error(&error))
    }

    fn set_len(&self, length: u64) -> Result<(), OsError> {
        let present = self.len()?;
        if length > present {
            allocate(&self.file, present, length).map_err(|error| os_error(&error))?;
        }
        self.file.set_len(length).map_err(|error| os_error(&error))
    }

    fn len(&self) -> Result<u64, OsError> {
        let metadata = self.file.metadata().map_err(|error| os_error(&error))?;
        Ok(metadata.len())
    }

    fn sync(&self) -> Result<(), OsError> {
        self.file.sync_data().map_err(|error| os_error(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::Disk;
    use crate::world::{Disk as _, Kind, Open};

    #[test]
    fn a_path_outside_is_denied_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        let disk = Disk::confined(&inside, &[]).unwrap();
        let number = |path: &str| disk.open(path, Open::Create).err().map(|error| error.number);
        let at = |name: &str| inside.join(name).to_string_lossy().into_owned();
        assert_eq!(number(&at("a.bak")), None);
        assert_eq!(number(&at("a.bak")), Some(80));
        assert_eq!(number(&at("no/a.bak")), Some(3));
        assert_eq!(number(&folder.path().join("b.bak").to_string_lossy()), Some(5));
        assert_eq!(number(&at("../b.bak")), Some(3));
        assert_eq!(number(r"C:\backup\b.bak"), Some(3));
        assert_eq!(number("relative.bak"), Some(3));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path(), inside.join("link")).unwrap();
            assert_eq!(number(&at("link/b.bak")), Some(5));
        }
        assert_eq!(disk.look(&at("a.bak")), Some(Kind::File));
        assert!(disk.space(&at("a.bak")).free > 0);
    }
}
