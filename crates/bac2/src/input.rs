//! Which files a command reads, and opening them.
//!
//! Files are named one by one, `-` is standard input, and with `--recursive` a directory stands for the backups in
//! it: files named .bak, .trn or .dif, and any other file that begins as a backup does. What is passed over is said.
//! One bad name never keeps the others from being read.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bak::{FileKind, sniff};
use clap::Args;

use crate::console::Console;
use crate::failure::Failure;
use crate::quantity::counted;

/// Names of the files that hold backups by custom.
const BACKUP_EXTENSIONS: [&str; 3] = ["bak", "trn", "dif"];

/// How many passed-over files are named; the rest are counted.
const SKIPPED_NAMED: usize = 5;

/// The files a command is given.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Backup files; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Take the backups in directories, and in the directories below them
    #[arg(short, long)]
    recursive: bool,
}

/// One input, not yet opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// `-`
    Stdin,
    /// A path as the user wrote it, or below a directory the user named.
    File(PathBuf),
}

impl Input {
    /// The name in answers.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The size, where it is known without reading.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Stdin => None,
            Self::File(path) => fs::metadata(path)
                .ok()
                .filter(fs::Metadata::is_file)
                .map(|m| m.len()),
        }
    }

    /// Opens it for reading from the start.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        let Self::File(path) = self else {
            return Ok(Opened {
                handle: Handle::Stdin(io::stdin()),
                size: None,
            });
        };
        let failed = |error| Failure::reading(path, &error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Failure::directory(path));
        }
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Opened {
            handle: Handle::File(file),
            size,
        })
    }

    /// What became of reading on.
    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        match self {
            Self::Stdin => Failure::reading(Path::new("standard input"), error),
            Self::File(path) => Failure::reading(path, error),
        }
    }
}

/// An open input.
#[derive(Debug)]
pub(crate) struct Opened {
    handle: Handle,
    size: Option<u64>,
}

#[derive(Debug)]
enum Handle {
    Stdin(io::Stdin),
    File(File),
}

impl Opened {
    /// Size in bytes where the input is a regular file; such an input can be sought in.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Moves `bytes` forward in a regular file.
    pub(crate) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        match &mut self.handle {
            Handle::File(file) => {
                let bytes = i64::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
                file.seek(SeekFrom::Current(bytes)).map(drop)
            }
            Handle::Stdin(_) => Err(io::Error::from(io::ErrorKind::NotSeekable)),
        }
    }

    /// Reads until `buffer` is full or the input ends; gives how much of it is filled. Pipes hand out little at a time.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.handle {
            Handle::Stdin(stdin) => stdin.read(buffer),
            Handle::File(file) => file.read(buffer),
        }
    }
}

impl Files {
    /// The inputs in the order given, directories replaced by what is in them. What cannot be used is reported.
    pub(crate) fn collect(&self, console: &Console) -> Vec<Input> {
        let mut inputs = Vec::new();
        for path in &self.files {
            if path.as_os_str() == "-" {
                if inputs.contains(&Input::Stdin) {
                    console.fail(&Failure::unusable(
                        "StandardInputTwice",
                        "standard input can be read only once",
                        "give - once, and the other backups as files",
                    ));
                } else {
                    inputs.push(Input::Stdin);
                }
            } else if path.is_dir() {
                match self.recursive {
                    true => inputs.extend(in_directory(path, console)),
                    false => console.fail(&Failure::directory(path)),
                }
            } else {
                inputs.push(Input::File(path.clone()));
            }
        }
        inputs
    }
}

/// The backups below `directory`, by name.
pub(crate) fn in_directory(directory: &Path, console: &Console) -> Vec<Input> {
    let mut found = Vec::new();
    let mut skipped = Vec::new();
    let mut folders = vec![directory.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => {
                console.fail(&Failure::reading(&folder, &error));
                continue;
            }
        };
        for entry in entries {
            let path = entry.path();
            // A symbolic link to a folder is not followed: it may lead back up.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path.is_file() {
                if is_backup(&path) {
                    found.push(path);
                } else {
                    skipped.push(path);
                }
            }
        }
    }
    found.sort();
    skipped.sort();
    say_skipped(directory, &skipped, console);
    if found.is_empty() {
        console.fail(&Failure::unusable(
            "NoBackups",
            format!("there is no backup below {}", directory.display()),
            "name the folder that holds the .bak, .trn or .dif files",
        ));
    }
    found.into_iter().map(Input::File).collect()
}

fn say_skipped(directory: &Path, skipped: &[PathBuf], console: &Console) {
    if skipped.is_empty() {
        return;
    }
    let mut names: Vec<String> = skipped
        .iter()
        .take(SKIPPED_NAMED)
        .map(|path| path.strip_prefix(directory).unwrap_or(path).display().to_string())
        .collect();
    if skipped.len() > names.len() {
        names.push(format!("and {} more", skipped.len() - names.len()));
    }
    let files = counted(skipped.len() as u64, "file");
    console.note(format!(
        "passed over {files} in {} (no backup): {}",
        directory.display(),
        names.join(", ")
    ));
}

/// Whether a file is a backup by its name, or else by how it begins. One that cannot be opened counts, so that
/// reading it says why.
fn is_backup(path: &Path) -> bool {
    let named = path.extension().is_some_and(|found| {
        BACKUP_EXTENSIONS
            .iter()
            .any(|known| found.eq_ignore_ascii_case(known))
    });
    if named {
        return true;
    }
    let Ok(file) = File::open(path) else { return true };
    let mut start = Vec::new();
    match file.take(bak::sniff::SNIFF_SIZE as u64).read_to_end(&mut start) {
        Ok(_) => matches!(sniff(&start, true), Some(FileKind::Backup(_))),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{Files, Input};
    use crate::console::{Console, Format};
    use crate::failure::Exit;

    fn collect(files: Vec<PathBuf>, recursive: bool) -> (Vec<Input>, Exit) {
        let console = Console::new(Some(Format::Json), false);
        (Files { files, recursive }.collect(&console), console.exit())
    }

    #[test]
    fn a_directory_stands_for_the_backups_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("b");
        fs::create_dir(&below).unwrap();
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            Input::File(path)
        };
        let by_content = write("b/noextension", b"TAPE and so on");
        let by_name = write("a.BAK", b"anything");
        let log = write("b/z.trn", b"");
        write("notes.txt", b"no backup");
        let (found, exit) = collect(vec![folder.path().to_path_buf()], true);
        assert_eq!(found, [by_name, by_content, log]);
        assert_eq!(exit, Exit::Done);
    }

    #[test]
    fn what_cannot_be_used_does_not_keep_the_rest_away() {
        let folder = tempfile::tempdir().unwrap();
        let file = PathBuf::from("x.bak");
        let (found, exit) = collect(vec![folder.path().to_path_buf(), file.clone()], false);
        assert_eq!((found, exit), (vec![Input::File(file)], Exit::Unusable));
        let (found, exit) = collect(vec![folder.path().to_path_buf()], true);
        assert_eq!((found, exit), (vec![], Exit::Unusable));
        let (found, exit) = collect(vec!["-".into(), "-".into()], false);
        assert_eq!((found, exit), (vec![Input::Stdin], Exit::Unusable));
    }

    #[test]
    fn a_missing_file_is_told_from_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Input::File(folder.path().join("missing.bak"));
        assert_eq!(missing.open().unwrap_err().code(), "FileNotFound");
        let directory = Input::File(folder.path().to_path_buf());
        assert_eq!(directory.open().unwrap_err().code(), "IsADirectory");
    }
}
