//! Names of exported files: readable, safe on every file system a DBA may copy them to, and each used once.
//!
//! A blob's name may hold anything; slashes become folders, and in each part what some file system forbids becomes an
//! underscore. Two blobs whose names fall together, also where case does not count, are told apart by `~2`, `~3`, ...
//! A file never takes the name of a folder that another blob needs. The same blobs give the same names every time.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// Longest part of a path, bytes: what ext4, NTFS and APFS take is 255; room is left for `~N` and the ending of a file
/// that is being written.
const PART_BYTES_MAX: usize = 200;

/// Names that Windows reserves whatever their ending.
const RESERVED: [&str; 22] = [
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9",
    "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
];

/// Gives out names below one folder.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Folded to lower case, as some file systems do.
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Names {
    /// A path for a blob, relative to the folder of the export. `ending` is added where the name has none of a backup.
    pub(super) fn give(&mut self, folders: &[&str], name: &str, ending: Option<&str>) -> PathBuf {
        let mut parts: Vec<String> = folders.iter().copied().chain(name.split('/')).map(safe).collect();
        let mut file = parts.pop().expect("a split gives at least one part");
        if let Some(ending) = ending.filter(|_| !has_backup_ending(&file)) {
            file.push_str(ending);
        }
        let mut path = String::new();
        for part in parts {
            let folder = first_free(
                |n| join(&path, &numbered(&part, n)),
                |p| !self.files.contains(&p.to_lowercase()),
            );
            self.folders.insert(folder.to_lowercase());
            path = folder;
        }
        let file = first_free(
            |n| join(&path, &numbered(&file, n)),
            |p| !self.files.contains(&p.to_lowercase()) && !self.folders.contains(&p.to_lowercase()),
        );
        self.files.insert(file.to_lowercase());
        file.split('/').collect()
    }
}

fn join(folder: &str, part: &str) -> String {
    if folder.is_empty() {
        part.to_owned()
    } else {
        format!("{folder}/{part}")
    }
}

/// The first of the candidates 1, 2, 3, ... that is free.
fn first_free(candidate: impl Fn(u32) -> String, free: impl Fn(&str) -> bool) -> String {
    (1..)
        .map(candidate)
        .find(|path| free(path))
        .expect("there are more numbers than files")
}

/// `sales.bak`, `sales~2.bak`, ...
fn numbered(part: &str, number: u32) -> String {
    match (number, part.rsplit_once('.')) {
        (1, _) => part.to_owned(),
        (_, Some((stem, ending))) if !stem.is_empty() => format!("{stem}~{number}.{ending}"),
        _ => format!("{part}~{number}"),
    }
}

fn has_backup_ending(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, ending)| {
        ["bak", "trn", "dif"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// One part of a path without anything that a file system forbids or a shell trips over.
fn safe(part: &str) -> String {
    let mut out: String = part
        .chars()
        .map(|c| {
            if c.is_control() || "<>:\"|?*\\/".contains(c) {
                '_'
            } else {
                c
            }
        })
        .collect();
    while out.len() > PART_BYTES_MAX {
        out.pop();
    }
    // Windows drops dots and spaces at the end; `.` and `..` mean something; a leading dot or dash hides or misleads.
    let kept = out.trim_end_matches(['.', ' ']).trim_start();
    let mut out = if kept.is_empty() {
        "_".to_owned()
    } else {
        kept.to_owned()
    };
    if out.starts_with(['.', '-', '~']) {
        out.insert(0, '_');
    }
    let stem = out.split('.').next().unwrap_or_default();
    if RESERVED
        .iter()
        .any(|reserved| stem.eq_ignore_ascii_case(reserved))
    {
        out.insert(0, '_');
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::{Component, PathBuf};

    use proptest::prelude::{Strategy, any, proptest};

    use super::{Names, PART_BYTES_MAX};

    fn given(names: &[&str]) -> Vec<PathBuf> {
        let mut taken = Names::default();
        names
            .iter()
            .map(|name| taken.give(&["c"], name, Some(".bak")))
            .collect()
    }

    #[test]
    fn readable_names_stay_as_they_are() {
        assert_eq!(
            given(&["srv/Verkäufe FULL.bak"]),
            [PathBuf::from("c/srv/Verkäufe FULL.bak")]
        );
        assert_eq!(
            given(&["sales", "log.TRN", "v1.2"]).last(),
            Some(&PathBuf::from("c/v1.2.bak"))
        );
    }

    #[test]
    fn nothing_leaves_the_folder_or_means_something_else() {
        let expected = [
            "c/_/_/_/etc/passwd.bak",
            "c/_/a.bak",
            "c/a_b_c.bak",
            "c/_NUL.bak",
            "c/_-rf.bak",
            "c/_.bak",
        ];
        let found = given(&[
            "../../../etc/passwd",
            "/a",
            "a:b\\c",
            "nul".to_uppercase().as_str(),
            "-rf",
            ".. ",
        ]);
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn names_that_fall_together_are_told_apart() {
        assert_eq!(
            given(&["a.bak", "A.bak", "a?.bak", "a_.bak"]),
            ["c/a.bak", "c/A~2.bak", "c/a_.bak", "c/a_~2.bak"].map(PathBuf::from)
        );
        // A blob and a folder of blobs may share a name; a file and a folder may not.
        assert_eq!(
            given(&["x.bak", "x.bak/y.bak"]),
            ["c/x.bak", "c/x~2.bak/y.bak"].map(PathBuf::from)
        );
        assert_eq!(
            given(&["x.bak/y.bak", "x.bak"]),
            ["c/x.bak/y.bak", "c/x~2.bak"].map(PathBuf::from)
        );
    }

    proptest! {
        #[test]
        fn any_names_are_safe_and_unique(names in proptest::collection::vec(any::<String>().prop_filter("blob names are not empty", |n| !n.is_empty()), 1..20)) {
            let mut taken = Names::default();
            let mut seen = std::collections::BTreeSet::new();
            for name in &names {
                let path = taken.give(&["c"], name, None);
                assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
                assert!(path.components().all(|part| part.as_os_str().len() <= PART_BYTES_MAX + 16), "{path:?}");
                assert!(seen.insert(path.to_string_lossy().to_lowercase()), "{path:?} twice");
            }
        }
    }
}
