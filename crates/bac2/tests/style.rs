//! The house rules that a machine can see, run as a test over the whole workspace.
//!
//! What clippy can enforce is in `Cargo.toml` and the `clippy.toml` files; here is the rest: the size of files,
//! module documentation, left-over markers, and the rules of the ground floor and of the store about where time,
//! threads and input/output may come from. Each failure names file and line.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// No Rust source file is longer than this; past 500 a reader already loses the thread.
const LINES_MAX: usize = 800;

/// Crates on the ground floor: bytes and times come in as arguments, decisions go out as values.
const GROUND_FLOOR: [&str; 5] = ["bak", "azblob", "chain", "schedule", "faults"];

/// What the ground floor never names.
const GROUND_FLOOR_FORBIDDEN: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "std::process",
    "tokio",
    "SystemTime::now",
    "Instant::now",
    "Uuid::new_v4",
];

/// What the store names only in its adapter modules, so that it runs over a simulated disk and clock.
const STORE_FORBIDDEN: [&str; 8] = [
    "tokio",
    "thread::spawn",
    "thread::Builder",
    "SystemTime::now",
    "Instant::now",
    "Uuid::new_v4",
    // Walked in an order that differs from run to run.
    "HashMap",
    "HashSet",
];

/// The two files of the store that touch the machine: its clock and chance, and its disk.
const STORE_ADAPTERS: [&str; 2] = [
    "crates/blobstore/src/clock.rs",
    "crates/blobstore/src/disk/real.rs",
];

/// Which of the workspace's own crates each crate may stand on: edges run one way, upwards.
const EDGES: [(&str, &[&str]); 13] = [
    ("bak", &[]),
    ("azblob", &[]),
    ("chain", &["bak"]),
    ("schedule", &[]),
    ("faults", &[]),
    ("blobstore", &["bak", "azblob"]),
    ("catalog", &["bak", "chain", "schedule", "faults"]),
    ("frontdoor", &["bak", "azblob", "blobstore"]),
    ("guard", &["bak", "azblob"]),
    ("mssql", &["bak"]),
    ("simsql", &["bak", "azblob"]),
    (
        "vault",
        &[
            "bak",
            "azblob",
            "faults",
            "chain",
            "schedule",
            "blobstore",
            "catalog",
            "frontdoor",
            "mssql",
            "guard",
        ],
    ),
    (
        "bac2",
        &[
            "bak",
            "azblob",
            "chain",
            "faults",
            "blobstore",
            "frontdoor",
            "guard",
            "mssql",
            "simsql",
            "catalog",
            "schedule",
            "vault",
        ],
    ),
];

/// What the guard names only in its adapters, so that it runs over a simulated account and clock.
const GUARD_FORBIDDEN: [&str; 9] = [
    "tokio",
    "reqwest",
    "azure_core",
    "std::fs",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "HashMap",
    "HashSet",
];

/// The guard's adapters: the machine's clock, and the real account over Microsoft's client.
const GUARD_ADAPTERS: [&str; 3] = [
    "crates/guard/src/clock.rs",
    "crates/guard/src/azure.rs",
    "crates/guard/src/azure/",
];

/// What the catalog names only in its adapter, so that the one in memory runs in a simulation.
const CATALOG_FORBIDDEN: [&str; 9] = [
    "tokio",
    "sqlx",
    "std::fs",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "Uuid::new_v4",
    "HashMap",
    "HashSet",
];

/// The catalog's adapter: SQLite and PostgreSQL.
const CATALOG_ADAPTERS: [&str; 2] = ["crates/catalog/src/sql.rs", "crates/catalog/src/sql/"];

/// What the sessions with SQL Server name only in their adapter, so that they run over simulated instances.
const MSSQL_FORBIDDEN: [&str; 9] = [
    "tokio",
    "mssql_tds",
    "native_tls",
    "std::fs",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "HashMap",
    "HashSet",
];

/// What the vault names only in its adapters to this machine, so that it runs whole in a simulation.
const VAULT_FORBIDDEN: [&str; 10] = [
    "tokio",
    "spawn",
    "frontdoor",
    "std::fs",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "Uuid::new_v4",
    "HashMap",
    "HashSet",
];

/// The vault's adapters: clock, chance, and the store behind the front door.
const VAULT_ADAPTERS: [&str; 2] = ["crates/vault/src/machine.rs", "crates/vault/src/machine/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace folder exists")
}

/// Every Rust file of the workspace, with its path relative to the root.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut folders: Vec<PathBuf> = ["crates", "bench", "conformance"]
        .iter()
        .map(|f| root.join(f))
        .collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            if path.is_dir() && name != "target" && !name.starts_with('.') && name != "node_modules" {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8 source");
                let relative = path.strip_prefix(&root).expect("below the root");
                found.push((relative.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 10, "the walk found only {} files", found.len());
    found
}

/// The text before the first test module: what ships.
fn shipped(text: &str) -> &str {
    text.find("#[cfg(test)]").map_or(text, |at| &text[..at])
}

/// Lines of code that contain one of `words`, comments left out.
fn offences(path: &str, text: &str, words: &[&str]) -> String {
    let mut out = String::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for word in words.iter().filter(|w| code.contains(**w)) {
            writeln!(out, "{path}:{}: {word}", number + 1).expect("a string grows");
        }
    }
    out
}

fn assert_none(rule: &str, found: &str) {
    assert!(found.is_empty(), "{rule}:\n{found}");
}

#[test]
fn no_file_is_too_long() {
    let mut found = String::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            writeln!(found, "{path}: {lines} lines").expect("a string grows");
        }
    }
    assert_none("split these files by noun or deed", &found);
}

#[test]
fn every_module_says_what_it_is_for() {
    let missing: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert_none("these files do not start with //!", &missing.join("\n"));
}

#[test]
fn nothing_is_left_over() {
    // Put together here so that this file does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["dbg", "!("]].map(|w| w.concat());
    let mut found = String::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|w| line.contains(w.as_str())) {
                writeln!(found, "{path}:{}: {word}", number + 1).expect("a string grows");
            }
        }
    }
    assert_none("left-over markers", &found);
}

#[test]
fn the_ground_floor_has_no_clock_network_file_or_chance() {
    let mut found = String::new();
    for (path, text) in sources() {
        if GROUND_FLOOR
            .iter()
            .any(|name| path.starts_with(&format!("crates/{name}/src/")))
        {
            found.push_str(&offences(&path, shipped(&text), &GROUND_FLOOR_FORBIDDEN));
        }
    }
    assert_none("the ground floor takes these as arguments", &found);
}

#[test]
fn the_store_sees_the_world_through_its_adapters() {
    let mut found = String::new();
    for (path, text) in sources() {
        if path.starts_with("crates/blobstore/src/") && !STORE_ADAPTERS.contains(&path.as_str()) {
            found.push_str(&offences(&path, shipped(&text), &STORE_FORBIDDEN));
        }
    }
    assert_none("the store names these only in its adapters", &found);
}

#[test]
fn the_guard_sees_the_world_through_its_adapters() {
    let mut found = String::new();
    for (path, text) in sources() {
        let adapter = GUARD_ADAPTERS.iter().any(|adapter| path.starts_with(adapter));
        if path.starts_with("crates/guard/src/") && !adapter {
            found.push_str(&offences(&path, shipped(&text), &GUARD_FORBIDDEN));
        }
    }
    assert_none("the guard names these only in its adapters", &found);
}

#[test]
fn the_catalog_sees_the_world_through_its_adapter() {
    let mut found = String::new();
    for (path, text) in sources() {
        let adapter = CATALOG_ADAPTERS.iter().any(|adapter| path.starts_with(adapter));
        if path.starts_with("crates/catalog/src/") && !adapter {
            found.push_str(&offences(&path, shipped(&text), &CATALOG_FORBIDDEN));
        }
    }
    assert_none("the catalog names these only in its adapter", &found);
}

#[test]
fn sessions_see_the_world_through_their_adapter() {
    let mut found = String::new();
    for (path, text) in sources() {
        let adapter = path == "crates/mssql/src/tds.rs" || path.starts_with("crates/mssql/src/tds/");
        if path.starts_with("crates/mssql/src/") && !adapter {
            found.push_str(&offences(&path, shipped(&text), &MSSQL_FORBIDDEN));
        }
    }
    assert_none(
        "sessions with SQL Server name these only in their adapter",
        &found,
    );
}

#[test]
fn the_vault_sees_the_world_through_its_adapters() {
    let mut found = String::new();
    for (path, text) in sources() {
        let adapter = VAULT_ADAPTERS.iter().any(|adapter| path.starts_with(adapter));
        if path.starts_with("crates/vault/src/") && !adapter {
            found.push_str(&offences(&path, shipped(&text), &VAULT_FORBIDDEN));
        }
    }
    assert_none("the vault names these only in its adapters", &found);
}

#[test]
fn crates_stand_only_on_what_lies_below() {
    let mut found = String::new();
    for (name, allowed) in EDGES {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).expect("each crate has a manifest");
        let shipped = text.split("[dev-dependencies]").next().unwrap_or_default();
        let dependencies = shipped.split("[dependencies]").nth(1).unwrap_or_default();
        for line in dependencies.lines() {
            let Some(below) = line.strip_prefix("bac2-") else {
                continue;
            };
            let below = below.split(['.', ' ', '=']).next().unwrap_or_default();
            if !allowed.contains(&below) {
                writeln!(found, "{name} depends on {below}").expect("a string grows");
            }
        }
        if GROUND_FLOOR.contains(&name) {
            for word in ["tokio", "hyper", "tempfile", "rustix"] {
                if dependencies.lines().any(|l| l.starts_with(word)) {
                    writeln!(found, "{name} depends on {word}").expect("a string grows");
                }
            }
        }
    }
    assert_none("edges run one way, upwards", &found);
}
