//! Where the files of a restored database lie.
//!
//! In this order: the path that the user gave for the file; where the file lies now in the database that is overwritten; the target's
//! directory for the source's (`ServerSettings::path_map`); for the original place, the path of the backup; else the target's default
//! directories, under names that are made of the database's own, so that a copy never meets the files of its original.

use std::collections::{BTreeMap, BTreeSet};

use catalog::record::FileMove;
use faults::{Code, Fault};

use super::files::SourceFile;

/// The longest path that SQL Server takes for a file, in UTF-16 units (`sys.master_files.physical_name` is nvarchar(260)).
pub const PATH_MAX: usize = 260;

/// What decides where files go.
pub(super) struct Circumstances<'a> {
    /// The name of the database that comes of it.
    pub(super) database: &'a str,
    /// Paths that the user named.
    pub(super) moves: &'a [FileMove],
    /// Files of the database that is overwritten, by file id: logical name and path.
    pub(super) present: &'a BTreeMap<u32, (String, String)>,
    /// Directory to directory.
    pub(super) path_map: &'a BTreeMap<String, String>,
    /// The source's own instance and name: what the backup says is where files belong.
    pub(super) is_original: bool,
    /// It keeps the name that it had when it was backed up, and so may its files.
    pub(super) keeps_name: bool,
    /// Default directories of data and of log, where the target tells them.
    pub(super) defaults: (Option<&'a str>, Option<&'a str>),
    /// What stands between parts of a path there.
    pub(super) separator: char,
}

/// A file and where it will lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedFile {
    /// The file.
    pub file: SourceFile,
    /// Its path on the target.
    pub path: String,
}

/// Places each file. They are those of all sets of the plan, each file once.
///
/// # Errors
/// `Bac2InputInvalid`: a path was given for a file that there is not, or twice; `Bac2RestorePathUnusable`: two files at one path, one
/// too long, or no directory is known.
pub(super) fn place(files: &[SourceFile], here: &Circumstances<'_>) -> Result<Vec<PlacedFile>, Fault> {
    check_names(files, here.moves)?;
    let mut taken = BTreeSet::new();
    let mut placed = Vec::with_capacity(files.len());
    for file in files {
        let path = match here.path_of(file) {
            Some(path) => path,
            None => here.made(file, &taken)?,
        };
        let unusable = |why: String| Fault::new(Code::Bac2RestorePathUnusable).because(&why);
        if path.encode_utf16().count() > PATH_MAX {
            return Err(unusable(format!("{path} is longer than {PATH_MAX} characters")));
        }
        if !taken.insert(path.to_lowercase()) {
            return Err(unusable(format!("two files of the database would lie at {path}")));
        }
        placed.push(PlacedFile {
            file: file.clone(),
            path,
        });
    }
    Ok(placed)
}

fn check_names(files: &[SourceFile], moves: &[FileMove]) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for one in moves {
        let wrong = |why: String| Fault::new(Code::Bac2InputInvalid).because(&why);
        if !files.iter().any(|file| file.logical == one.logical) {
            let names: Vec<&str> = files.iter().map(|file| file.logical.as_str()).collect();
            return Err(wrong(format!(
                "the database has no file {}; it has {}",
                one.logical,
                names.join(", ")
            )));
        }
        if !seen.insert(&one.logical) {
            return Err(wrong(format!("two paths are given for {}", one.logical)));
        }
    }
    Ok(())
}

impl Circumstances<'_> {
    /// Where it lies without a name being made for it.
    fn path_of(&self, file: &SourceFile) -> Option<String> {
        if let Some(said) = self.moves.iter().find(|one| one.logical == file.logical) {
            return Some(said.path.clone());
        }
        if let Some((_, path)) = self
            .present
            .get(&file.id)
            .filter(|(logical, _)| *logical == file.logical)
        {
            return Some(path.clone());
        }
        match self.mapped(file) {
            Some((directory, name)) if self.keeps_name => {
                Some(format!("{directory}{}{name}", self.separator))
            }
            Some(_) => None,
            None => self.is_original.then(|| file.path.clone()),
        }
    }

    /// The directory that the map has for the file's, and the file's name; the innermost directory counts.
    fn mapped(&self, file: &SourceFile) -> Option<(String, String)> {
        let (directory, name) = file.path.rsplit_once(['/', '\\'])?;
        let mapped = self.path_map.iter().filter_map(|(from, to)| {
            let from = from.trim_end_matches(['/', '\\']);
            let rest = strip(directory, from)?.replace(['/', '\\'], &self.separator.to_string());
            Some((from.len(), format!("{}{rest}", to.trim_end_matches(['/', '\\']))))
        });
        let (_, directory) = mapped.max()?;
        Some((directory, name.to_owned()))
    }

    /// A path of its own in the mapped directory, or in a default one.
    fn made(&self, file: &SourceFile, taken: &BTreeSet<String>) -> Result<String, Fault> {
        let (data, log) = self.defaults;
        let default = if file.is_log { log.or(data) } else { data };
        let mapped = self.mapped(file).map(|(directory, _)| directory);
        let Some(directory) = mapped.or(default.map(str::to_owned)) else {
            return Err(Fault::new(Code::Bac2RestorePathUnusable).because(&format!(
                "the target tells no default directory, and no path is given for {}",
                file.logical
            )));
        };
        let extension = match (file.is_log, file.id) {
            (true, _) => "ldf",
            (false, 1) => "mdf",
            (false, _) => "ndf",
        };
        let stem = format!("{}_{}", tame(self.database), tame(&file.logical));
        let directory = directory.trim_end_matches(['/', '\\']);
        let path = |end: &str| format!("{directory}{}{stem}{end}.{extension}", self.separator);
        let plain = path("");
        Ok(match taken.contains(&plain.to_lowercase()) {
            // Two logical names that differ in what no path may hold.
            true => path(&format!("_{}", file.id)),
            false => plain,
        })
    }
}

/// The rest of a directory behind one that holds it, or is it; case does not count, as on Windows.
fn strip<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let head = path.get(..directory.len())?;
    let rest = &path[directory.len()..];
    let is_within = rest.is_empty() || rest.starts_with(['/', '\\']);
    (head.eq_ignore_ascii_case(directory) && is_within).then_some(rest)
}

/// The longest part of a file's name that is made of a database's or a logical one, in bytes of UTF-8: two of them and an ending fit into
/// the 255 bytes that Linux takes for a name, and leave a third of [`PATH_MAX`] to the directory.
const PART_MAX: usize = 80;

/// A name as a part of a path: what Windows or Linux do not take in one, and what T-SQL would have to quote, becomes `_`. At most
/// [`PART_MAX`] bytes.
pub(super) fn tame(name: &str) -> String {
    let mut tamed = String::new();
    for letter in name.chars() {
        let is_plain = letter.is_alphanumeric() || matches!(letter, '-' | '.' | '_' | '$');
        let letter = if is_plain { letter } else { '_' };
        if tamed.len() + letter.len_utf8() > PART_MAX {
            break;
        }
        tamed.push(letter);
    }
    tamed.trim_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog::record::FileMove;
    use faults::Code;

    use super::{Circumstances, place};
    use crate::restoring::files::SourceFile;

    fn file(id: u32, logical: &str, path: &str) -> SourceFile {
        SourceFile {
            id,
            unique: None,
            logical: logical.to_owned(),
            path: path.to_owned(),
            is_log: id == 2,
            size: 8192,
        }
    }

    fn files() -> [SourceFile; 2] {
        [
            file(1, "shop", "D:\\Data\\shop.mdf"),
            file(2, "shop_log", "L:\\Log\\shop.ldf"),
        ]
    }

    struct Stage {
        moves: Vec<FileMove>,
        present: BTreeMap<u32, (String, String)>,
        path_map: BTreeMap<String, String>,
        is_original: bool,
        database: &'static str,
    }

    impl Stage {
        fn new() -> Self {
            Self {
                moves: Vec::new(),
                present: BTreeMap::new(),
                path_map: BTreeMap::new(),
                is_original: false,
                database: "Copy]'",
            }
        }

        fn paths(&self, files: &[SourceFile]) -> Result<Vec<String>, Code> {
            let here = Circumstances {
                database: self.database,
                moves: &self.moves,
                present: &self.present,
                path_map: &self.path_map,
                is_original: self.is_original,
                keeps_name: self.is_original,
                defaults: (Some("/var/data/"), Some("/var/log")),
                separator: '/',
            };
            let placed = place(files, &here).map_err(|fault| fault.code())?;
            Ok(placed.into_iter().map(|one| one.path).collect())
        }
    }

    #[test]
    fn a_copy_lies_in_the_defaults_under_its_own_name() {
        let paths = Stage::new().paths(&files()).unwrap();
        assert_eq!(
            paths,
            ["/var/data/Copy___shop.mdf", "/var/log/Copy___shop_log.ldf"]
        );
    }

    #[test]
    fn what_was_said_comes_first_then_what_is_there_then_the_map() {
        let mut stage = Stage::new();
        stage.is_original = true;
        assert_eq!(
            stage.paths(&files()).unwrap(),
            ["D:\\Data\\shop.mdf", "L:\\Log\\shop.ldf"]
        );
        stage.path_map = BTreeMap::from([
            ("d:\\".to_owned(), "/outer".to_owned()),
            ("D:\\DATA".to_owned(), "/inner/".to_owned()),
        ]);
        assert_eq!(
            stage.paths(&files()).unwrap(),
            ["/inner/shop.mdf", "L:\\Log\\shop.ldf"]
        );
        stage.present = BTreeMap::from([(1, ("shop".to_owned(), "/now/shop.mdf".to_owned()))]);
        assert_eq!(
            stage.paths(&files()).unwrap(),
            ["/now/shop.mdf", "L:\\Log\\shop.ldf"]
        );
        stage.moves = vec![FileMove {
            logical: "shop".to_owned(),
            path: "/said/x.mdf".to_owned(),
        }];
        assert_eq!(
            stage.paths(&files()).unwrap(),
            ["/said/x.mdf", "L:\\Log\\shop.ldf"]
        );
    }

    #[test]
    fn a_copy_lies_in_the_mapped_directory_under_its_own_name() {
        let mut stage = Stage::new();
        stage.path_map = BTreeMap::from([("L:".to_owned(), "/logs".to_owned())]);
        let paths = stage.paths(&files()).unwrap();
        assert_eq!(
            paths,
            ["/var/data/Copy___shop.mdf", "/logs/Log/Copy___shop_log.ldf"]
        );
    }

    #[test]
    fn another_file_under_the_same_number_does_not_keep_its_place() {
        let mut stage = Stage::new();
        stage.present = BTreeMap::from([(1, ("other".to_owned(), "/now/other.mdf".to_owned()))]);
        assert_eq!(stage.paths(&files()).unwrap()[0], "/var/data/Copy___shop.mdf");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let said = |logical: &str, path: &str| FileMove {
            logical: logical.to_owned(),
            path: path.to_owned(),
        };
        for (moves, code) in [
            (vec![said("none", "/x")], Code::Bac2InputInvalid),
            (
                vec![said("shop", "/x"), said("shop", "/y")],
                Code::Bac2InputInvalid,
            ),
            (
                vec![said("shop", "/x"), said("shop_log", "/X")],
                Code::Bac2RestorePathUnusable,
            ),
            (
                vec![said("shop", &"/x".repeat(131))],
                Code::Bac2RestorePathUnusable,
            ),
        ] {
            let stage = Stage {
                moves: moves.clone(),
                ..Stage::new()
            };
            assert_eq!(stage.paths(&files()), Err(code), "{moves:?}");
        }
    }

    #[test]
    fn names_that_differ_only_in_what_no_path_holds_get_paths_of_their_own() {
        let two = [file(1, "a:b", "D:\\1"), file(3, "a?b", "D:\\3")];
        let paths = Stage::new().paths(&two).unwrap();
        assert_eq!(paths, ["/var/data/Copy___a_b.mdf", "/var/data/Copy___a_b.ndf"]);
        let three = [file(3, "a:b", "D:\\1"), file(4, "a?b", "D:\\3")];
        let paths = Stage::new().paths(&three).unwrap();
        assert_eq!(paths, ["/var/data/Copy___a_b.ndf", "/var/data/Copy___a_b_4.ndf"]);
    }

    #[test]
    fn names_of_any_length_and_letters_become_names_that_every_platform_takes() {
        let long = |end: &str| format!("{}{end}", "\u{4e2d}".repeat(127));
        let three = [
            file(1, &long("a"), "D:\\1"),
            file(3, &long("b"), "D:\\3"),
            file(4, &long("c"), "D:\\4"),
        ];
        let mut stage = Stage::new();
        stage.database = "\u{1f980}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}";
        let mut paths = stage.paths(&three).unwrap();
        for path in &paths {
            let name = path.strip_prefix("/var/data/").unwrap();
            assert!(name.len() <= 255 && name.encode_utf16().count() < 180, "{name}");
        }
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), 3);
    }
}
