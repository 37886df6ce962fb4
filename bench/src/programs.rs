//! Where the programs are that a bench starts, and the folder that a bench works in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Where `conformance/run` installs Azurite: its blob service alone, seen from the root of the checkout.
const AZURITE: &str = ".tools/azurite/node_modules/.bin/azurite-blob";

/// The product: the path given, else the release build beside this binary.
pub(crate) fn product(given: Option<&Path>) -> Result<Option<PathBuf>> {
    find(given, &std::env::current_exe()?.with_file_name("bac2"))
}

/// The peer: the path given, else where it is installed.
pub(crate) fn azurite(given: Option<&Path>) -> Result<Option<PathBuf>> {
    find(given, Path::new(AZURITE))
}

/// A folder that is removed when dropped: in `parent`, else beside this binary, which is on the disk that the
/// checkout is on.
pub(crate) fn scratch(parent: Option<&Path>) -> Result<TempDir> {
    let own = std::env::current_exe()?;
    let beside = own.parent().context("a program lies in a folder")?;
    let parent = parent.unwrap_or(beside);
    tempfile::Builder::new()
        .prefix("bac2-bench-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot make a folder in {}", parent.display()))
}

fn find(given: Option<&Path>, usual: &Path) -> Result<Option<PathBuf>> {
    if let Some(path) = given {
        ensure!(path.is_file(), "{} is not there", path.display());
    }
    Ok([given, Some(usual)]
        .into_iter()
        .flatten()
        .find(|path| path.is_file())
        .map(Path::to_path_buf))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::find;

    #[test]
    fn a_path_that_was_given_must_be_there() {
        let here = std::env::current_exe().unwrap();
        assert_eq!(find(None, &here).unwrap(), Some(here.clone()));
        assert_eq!(find(None, Path::new("no/such/program")).unwrap(), None);
        assert!(
            find(Some(Path::new("no/such/program")), &here).is_err(),
            "no silent fall-back"
        );
    }
}
