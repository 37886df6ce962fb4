//! Backups of the simulated instance beside real ones of the same kind, field by field: the order of blocks and of streams,
//! alignments, attributes, the fixed fields of every structure.
//!
//! The judge is a reader of its own ([`tape`]). What has one value in all real backups of a kind must have it here; what has
//! several must have one of them. All differences are listed at once. Real backups come from the folder that `BAC2_REAL_BACKUPS`
//! names; without it the test says that it tested nothing.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "structure/fields.rs"]
mod fields;
#[path = "backup/support.rs"]
#[allow(dead_code)] // Shared with the tests of BACKUP, which use more of it.
mod support;
#[path = "structure/tape.rs"]
mod tape;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use simsql::instance::Version;
use simsql::tsql::backup::{BackupOptions, BackupStatement};
use support::{Place, settings};
use tape::Block;

/// What is known of all backups of a kind: values of each place that was looked at.
#[derive(Default)]
struct Known(BTreeMap<String, BTreeSet<String>>);

impl Known {
    fn add(&mut self, place: String, value: String) {
        self.0.entry(place).or_default().insert(value);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Marks single bytes of a fixed part: they must agree where all real backups of all kinds have the same there, and say nothing
/// where those differ.
const BYTE: &str = " byte ";

/// Each byte of a fixed part of a structure.
fn observe_bytes(name: &str, bytes: &[u8], known: &mut Known) {
    for (at, byte) in bytes.iter().enumerate() {
        known.add(format!("{name}{BYTE}{at}"), format!("{byte:02x}"));
    }
}

/// Everything that is looked at in a backup.
fn observe(file: &[u8], known: &mut Known) {
    let blocks = tape::blocks(file);
    known.add("order of blocks".to_owned(), order(&blocks));
    for (index, block) in blocks.iter().enumerate() {
        // The first ESET of a pair carries streams, the second carries none.
        let second = block.id == "ESET" && index > 0 && blocks[index - 1].id == "ESET";
        let name = if second {
            "ESET 2".to_owned()
        } else {
            block.id.clone()
        };
        for (field, at, length) in fields::of_block(&block.id) {
            if let Some(bytes) = block.bytes.get(at..at + length) {
                known.add(format!("{name} {field}"), hexadecimal(bytes));
            }
        }
        let fixed = fields::fixed_part(&block.id).min(block.bytes.len());
        observe_bytes(&name, &block.bytes[..fixed], known);
        observe_streams(&name, block, known);
    }
}

/// Types of blocks in their order; repetitions of a type, and of the blocks between the start and the end of the log, count as one.
fn order(blocks: &[Block]) -> String {
    let mut order: Vec<String> = Vec::new();
    for block in blocks {
        if order.last() != Some(&block.id) || block.id == "ESET" {
            order.push(block.id.clone());
        }
    }
    order.join(" ")
}

fn observe_streams(name: &str, block: &Block, known: &mut Known) {
    let streams: Vec<&str> = block.streams.iter().map(|stream| stream.id.as_str()).collect();
    known.add(format!("{name} streams"), streams.join(" "));
    let mut payload = 0;
    for stream in &block.streams {
        // The zero-length MQDA that closes a pass is another thing than the pages.
        let id = if stream.id == "MQDA" && stream.data.is_empty() {
            "closing MQDA".to_owned()
        } else {
            stream.id.clone()
        };
        for (field, at, length) in fields::STREAM {
            let value = hexadecimal(&stream.header[*at..at + length]);
            known.add(format!("{name} {id} {field}"), value);
        }
        match id.as_str() {
            "MQDA" | "MQTL" => {
                payload += 1;
                let prefix = stream.data.len() % 65_536;
                known.add(
                    format!("{name} {id} bytes beyond 64 KiB units"),
                    prefix.to_string(),
                );
                let aligned = (stream.data_offset + 2) % 512;
                known.add(format!("{name} {id} payload beyond sectors"), aligned.to_string());
            }
            "RAID" => {
                known.add(format!("{name} RAID bytes"), stream.data.len().to_string());
                known.add(format!("{name} RAID 16"), hexadecimal(&stream.data[16..20]));
            }
            "MQCI" => observe_configuration(name, &stream.data, known),
            _ => {}
        }
    }
    known.add(format!("{name} payloads"), payload.to_string());
}

fn observe_configuration(name: &str, configuration: &[u8], known: &mut Known) {
    let chunks = fields::chunks(configuration);
    let mut tags: Vec<&str> = chunks.iter().map(|(tag, _)| tag.as_str()).collect();
    tags.dedup();
    known.add(format!("{name} chunks"), tags.join(" "));
    for (tag, bytes) in &chunks {
        let fixed = fields::fixed_part(tag).min(bytes.len());
        observe_bytes(&format!("{name} {tag}"), &bytes[..fixed], known);
        for (field, at, length) in fields::of_chunk(tag) {
            if let Some(bytes) = bytes.get(*at..at + length) {
                known.add(format!("{name} {tag} {field}"), hexadecimal(bytes));
            }
        }
    }
}

/// A kind of backup: its letter, and whether it has checksums.
type Kind = (String, bool);

/// Real backups by kind: plain files of one set.
fn real(folder: &Path) -> BTreeMap<Kind, (Known, usize)> {
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut kinds: BTreeMap<Kind, (Known, usize)> = BTreeMap::new();
    for file in &expected {
        let sets = file["sets"].as_array().unwrap();
        let [set] = &sets[..] else { continue };
        if set["compressed"] != false || set["stripes"] != 1 {
            continue;
        }
        let packed = std::fs::read(folder.join(file["file"].as_str().unwrap())).unwrap();
        let bytes = zstd::decode_all(packed.as_slice()).unwrap();
        let kind = (
            set["type"].as_str().unwrap().to_owned(),
            set["checksums"].as_bool().unwrap(),
        );
        let (known, count) = kinds.entry(kind).or_default();
        observe(&bytes, known);
        *count += 1;
    }
    kinds
}

/// The statement with other options.
fn with(mut statement: BackupStatement, options: BackupOptions) -> BackupStatement {
    statement.options = options;
    statement
}

/// Our backups by kind, of a database that is at rest, as most of the real ones were.
fn ours(version: Version) -> BTreeMap<Kind, Known> {
    let mut kinds: BTreeMap<Kind, Known> = BTreeMap::new();
    for checksum in [false, true] {
        let place = Place::of(settings(version));
        let options = || BackupOptions {
            checksum: Some(checksum),
            ..BackupOptions::default()
        };
        let differential = BackupOptions {
            differential: true,
            ..options()
        };
        let steps = [
            ("D", with(support::full("/sql/backup/full.bak"), options())),
            ("I", with(support::full("/sql/backup/diff.bak"), differential)),
            ("L", with(support::log("/sql/backup/log.trn"), options())),
        ];
        for (letter, statement) in steps {
            place.add_rows(30);
            place.backup_ok(&statement);
            let path = match letter {
                "D" => "/sql/backup/full.bak",
                "I" => "/sql/backup/diff.bak",
                _ => "/sql/backup/log.trn",
            };
            let known = kinds.entry((letter.to_owned(), checksum)).or_default();
            observe(&place.bytes(path), known);
        }
    }
    kinds
}

/// Values of ours that no real backup of the kind has.
fn differences(kind: &Kind, real: &Known, ours: &Known) -> Vec<String> {
    let mut differences = Vec::new();
    for (place, values) in ours.0.iter().filter(|(place, _)| !place.contains(BYTE)) {
        let known = real.0.get(place);
        for value in values {
            if !known.is_some_and(|known| known.contains(value)) {
                let known = known.map_or_else(|| "nothing like it".to_owned(), |known| format!("{known:?}"));
                differences.push(format!("{kind:?} {place}: {value}, real ones have {known}"));
            }
        }
    }
    for place in real.0.keys().filter(|place| !ours.0.contains_key(*place)) {
        differences.push(format!("{kind:?} {place}: is not there, real ones have it"));
    }
    differences
}

/// Bytes of fixed parts in which all real backups agree, and ours do not.
fn different_bytes(real: &BTreeMap<Kind, (Known, usize)>, ours: &Known) -> Vec<String> {
    let mut differences = Vec::new();
    for (place, values) in ours.0.iter().filter(|(place, _)| place.contains(BYTE)) {
        let known: BTreeSet<&String> = (real.values())
            .filter_map(|(known, _)| known.0.get(place))
            .flatten()
            .collect();
        if let [only] = known.iter().collect::<Vec<_>>()[..] {
            let other = values.iter().filter(|value| value != only);
            differences.extend(other.map(|value| format!("{place}: {value}, all real ones have {only}")));
        }
    }
    differences
}

#[test]
fn backups_are_built_like_real_ones() {
    let Some(folder) = std::env::var_os("BAC2_REAL_BACKUPS") else {
        println!("BAC2_REAL_BACKUPS is not set: nothing was tested");
        return;
    };
    let real = real(Path::new(&folder));
    let looked_at: usize = real.values().map(|(_, count)| count).sum();
    assert!(looked_at >= 60, "{looked_at} real backups");
    let mut all = Vec::new();
    for version in [Version::V2017, Version::V2022] {
        for (kind, known) in ours(version) {
            let (known_of_kind, _) = real.get(&kind).expect("there are real backups of this kind");
            all.extend(differences(&kind, known_of_kind, &known));
            all.extend(different_bytes(&real, &known));
        }
    }
    all.sort();
    all.dedup();
    assert!(all.is_empty(), "{} differences:\n{}", all.len(), all.join("\n"));
}

#[test]
fn the_judge_sees_a_changed_bit_of_a_structure() {
    let place = Place::of(settings(Version::V2022));
    place.backup_ok(&support::full("/sql/backup/a.bak"));
    let bytes = place.bytes("/sql/backup/a.bak");
    let mut good = Known::default();
    observe(&bytes, &mut good);
    // The vendor of SSET, with the checksum of the block's header left alone: it covers the first 50 bytes only.
    let at = bytes.windows(4).position(|window| window == b"SSET").unwrap();
    let mut changed = bytes;
    changed[at + 60] ^= 1;
    let mut bad = Known::default();
    observe(&changed, &mut bad);
    let found = differences(&("D".to_owned(), false), &good, &bad);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("SSET vendor"), "{found:?}");
}
