//! Every code is one that people can meet: by what SQL Server says, by the product's own sources, or as `known_only`.
#![allow(clippy::unwrap_used)] // A source that cannot be read shall fail loudly.

use std::fs;
use std::path::{Path, PathBuf};

use faults::catalogue::catalogue;
use faults::{Code, Entry};

/// Codes of restores, of monitors and of a second process on one catalog: parts that are to come. One that is raised leaves the
/// list.
const AWAITED: [Code; 3] = [
    Code::Bac2VaultInUse,
    Code::Bac2RpoMissed,
    Code::Bac2TestRestoreOverdue,
];

/// What the product says of itself: all sources but this catalogue's own and what is compiled for tests alone.
fn product() -> String {
    fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources = Vec::new();
    for one in fs::read_dir(crates).unwrap() {
        let one = one.unwrap().path();
        if !one.ends_with("faults") && one.join("src").is_dir() {
            collect(&one.join("src"), &mut sources);
        }
    }
    let mut text = String::new();
    for path in sources {
        let is_of_tests = path.components().any(|part| {
            let part = part.as_os_str();
            part == "tests.rs" || part == "tests" || part == "staged.rs"
        });
        if !is_of_tests {
            let source = fs::read_to_string(&path).unwrap();
            text.push_str(source.split("#[cfg(test)]\nmod tests {").next().unwrap());
        }
    }
    text
}

/// Whether sources name a code, and not a longer one that begins so.
fn names(product: &str, code: Code) -> bool {
    let path = format!("Code::{code}");
    product.match_indices(&path).any(|(at, _)| {
        let behind = product[at + path.len()..].chars().next();
        !behind.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

#[test]
fn every_code_is_raised_somewhere_or_known_only() {
    let product = product();
    assert!(names(&product, Code::Bac2InternalError), "the sources were read");
    let is_raised = |entry: &Entry| !entry.raised.is_empty() || names(&product, entry.code);
    for entry in catalogue().entries() {
        let code = entry.code;
        let states = [is_raised(entry), entry.known_only, AWAITED.contains(&code)];
        let count = states.iter().filter(|state| **state).count();
        assert_eq!(count, 1, "{code}: raised, known only, awaited: {states:?}");
    }
}
