//! The reader of content over real SQL Server backups: its pages are those that the verifier counts, and a full backup's make a data
//! file whose boot page and allocation map agree with the backup's own header.
//!
//! The files are not part of this project. The folder that holds them, with `expected.json` and the zstd-packed files it names, comes
//! from the variable `BAC2_REAL_BACKUPS`; without it every trial is counted as ignored, not as passed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bak::content::{Event, SetHeader};
use bak::{ContentReader, Lsn, Report, Verifier};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

const PAGE: usize = 8192;
/// Page types that this test knows: those of the format's description.
const TYPES: [u8; 17] = [1, 2, 3, 4, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20];

fn main() {
    let arguments = Arguments::from_args();
    let trials = match std::env::var_os("BAC2_REAL_BACKUPS") {
        Some(folder) => trials(&PathBuf::from(folder)),
        None => vec![Trial::test("content_of_real_backups", || Ok(())).with_ignored_flag(true)],
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn trials(folder: &Path) -> Vec<Trial> {
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("expected.json is in the folder");
    let expected: Vec<Value> = serde_json::from_str(&text).expect("expected.json is JSON");
    let backups = expected
        .into_iter()
        .filter(|file| file["sets"].as_array().is_some_and(|sets| !sets.is_empty()));
    backups
        .map(|file| {
            let name = file["file"].as_str().expect("a file has a name").to_owned();
            let path = folder.join(&name);
            Trial::test(name, move || one_file(&path, &file))
        })
        .collect()
}

/// What a set gave: its final header, its pages by file and number (later passes over earlier ones), its log.
#[derive(Default)]
struct Content {
    header: Option<SetHeader>,
    pages: BTreeMap<(u16, u32), Vec<u8>>,
    /// Formatted pages as they came, all passes.
    formatted: u64,
    first_pass: BTreeSet<u32>,
    log: Vec<(u32, u32, usize)>,
}

fn one_file(path: &Path, expected: &Value) -> Result<(), Failed> {
    let packed = std::fs::read(path)?;
    let bytes = zstd::decode_all(packed.as_slice())?;
    let mut verifier = Verifier::new();
    verifier.push(&bytes);
    let report = verifier.finish();
    let sets = expected["sets"].as_array().ok_or("sets")?;
    let mut formatted = 0;
    for (index, expected) in sets.iter().enumerate() {
        let content = content(&bytes, index as u16 + 1)?;
        formatted += content.formatted;
        header(&content, expected)?;
        if expected["stripes"] == 1 {
            log(&content, &report)?;
            if expected["type"] == "D" {
                boot(&content)?;
                allocation(&content)?;
            }
        }
    }
    let counts = report.pages;
    let judged =
        counts.checksum_ok + counts.checksum_bad + counts.torn_ok + counts.torn_bad + counts.unprotected;
    if formatted != judged {
        return Err(format!("{formatted} formatted pages given, the verifier judged {judged}").into());
    }
    Ok(())
}

fn content(bytes: &[u8], position: u16) -> Result<Content, Failed> {
    let mut reader = ContentReader::of_set(position);
    let mut content = Content::default();
    let mut wrong = None;
    let mut take = |event: Event| match event {
        Event::Extent(extent) => {
            if extent.pass == 1 && extent.file_id == 1 {
                content.first_pass.insert(extent.first_page / 8);
            }
            for (page, slot) in extent.pages.chunks(PAGE).zip(0..) {
                let id = (extent.file_id, extent.first_page + slot);
                let own = (u16_at(page, 36), u32_at(page, 32));
                content.formatted += u64::from(page[0] == 1 && TYPES.contains(&page[1]) && own == id);
                content.pages.insert(id, page.to_vec());
            }
        }
        Event::LogBlock(block) => {
            if !block.is_sound {
                wrong = Some("a log block does not hold".to_owned());
            }
            let place = (u32_at(&block.bytes, 12), u32_at(&block.bytes, 16));
            content.log.push((place.0, place.1, block.bytes.len()));
        }
        Event::Commit(header) if header.set.position == position => content.header = Some(*header),
        Event::Damage(damage) => wrong = Some(damage.detail),
        Event::Unknown(reason) => wrong = Some(reason),
        _ => {}
    };
    for slice in bytes.chunks(100_000) {
        reader.push(slice, &mut take);
    }
    let _ = reader.finish(&mut take);
    match wrong {
        // One family cannot place extents without a formatted page.
        Some(detail) if !detail.contains("striped set") => Err(detail.into()),
        _ => Ok(content),
    }
}

fn header(content: &Content, expected: &Value) -> Result<(), Failed> {
    let header = content.header.as_ref().ok_or("no commit record")?;
    same(
        "checksums flag",
        u64::from(header.flags & 0x10 != 0),
        u64::from(expected["checksums"] == true),
    )?;
    same(
        "differential flag",
        u64::from(header.flags & 0x800 != 0),
        u64::from(expected["type"] == "I"),
    )?;
    same("always", u64::from(header.flags & 0x200), 0x200)?;
    same("vendor", u64::from(header.vendor), 4608)?;
    same(
        "status",
        u64::from(header.status),
        expected["status_bits"].as_u64().unwrap_or_default(),
    )?;
    let sectors = header
        .files
        .iter()
        .all(|file| [512, 4096].contains(&file.sector_size));
    same("sector sizes", u64::from(sectors), 1)
}

/// The log that was given begins at FirstLSN and ends at LastLSN without a gap.
fn log(content: &Content, report: &Report) -> Result<(), Failed> {
    let set = &content.header.as_ref().ok_or("no header")?.set;
    let Some((first, last)) = content.log.first().zip(content.log.last()) else {
        return same("log blocks", report.log_blocks.ok, 0);
    };
    let found = set.first_lsn.map(|lsn| (lsn.vlf, lsn.block));
    if found != Some((first.0, first.1)) {
        return Err(format!("FirstLSN {found:?}, log from {first:?}").into());
    }
    let last_lsn = set.last_lsn.unwrap_or(Lsn::ZERO);
    let end = last.1 + last.2 as u32 / 512;
    if last.0 == last_lsn.vlf {
        same("end of the log", u64::from(end), u64::from(last_lsn.block))?;
    }
    for pair in content.log.windows(2) {
        if pair[0].0 == pair[1].0 {
            same(
                "next block",
                u64::from(pair[1].1),
                u64::from(pair[0].1) + pair[0].2 as u64 / 512,
            )?;
        }
    }
    Ok(())
}

/// The boot page (1:9) names the database and the checkpoint of the backup.
fn boot(content: &Content) -> Result<(), Failed> {
    let header = content.header.as_ref().ok_or("no header")?;
    let page = content.pages.get(&(1, 9)).ok_or("no boot page")?;
    same("type of the boot page", u64::from(page[1]), 13)?;
    let record = &page[96..];
    same(
        "version",
        u64::from(u16_at(record, 4)),
        u64::from(header.set.database_version),
    )?;
    let checkpoint = Lsn::from_bytes(record[348..358].try_into()?);
    if Some(checkpoint) != header.set.checkpoint_lsn {
        return Err(format!(
            "the boot page's checkpoint {checkpoint} is not {:?}",
            header.set.checkpoint_lsn
        )
        .into());
    }
    Ok(())
}

/// The first pass sends what the GAM page (1:2) calls allocated. Two of 59 real fulls are not exact: the copy of the map in the
/// stream may be some extents older or newer than the list the server worked from.
fn allocation(content: &Content) -> Result<(), Failed> {
    let gam = content.pages.get(&(1, 2)).ok_or("no GAM page")?;
    let record = usize::from(u16_at(gam, PAGE - 4)) + 4;
    let map = &gam[record..PAGE - 4];
    let files = &content.header.as_ref().ok_or("no header")?.set.files;
    let size = files
        .iter()
        .find(|file| file.file_id == 1)
        .map_or(0, |file| file.size)
        / 65_536;
    let allocated: BTreeSet<u32> = (0..size as u32)
        .filter(|extent| map[*extent as usize / 8] >> (extent % 8) & 1 == 0)
        .collect();
    let apart = allocated.symmetric_difference(&content.first_pass).count();
    if apart > 11 {
        return Err(format!(
            "{apart} extents apart: {} allocated, {} given",
            allocated.len(),
            content.first_pass.len()
        )
        .into());
    }
    Ok(())
}

fn same(what: &str, found: u64, expected: u64) -> Result<(), Failed> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: found {found}, expected {expected}").into())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
