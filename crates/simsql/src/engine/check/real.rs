//! Databases that real servers made, put together from their backups: what their boot pages and file headers tell, and that
//! CHECKDB finds nothing wrong with their pages.
//!
//! The files are not part of this project; the folder that holds them comes from the variable `BAC2_REAL_BACKUPS`. Without it the
//! test says that it tested nothing.

use std::collections::BTreeMap;
use std::path::Path;

use bak::content::{ContentReader, Event};
use serde_json::Value;

use super::*;
use crate::engine::boot_page::BootPage;
use crate::engine::data_file::mend;
use crate::engine::file_header::FileHeader;
use crate::engine::pages::{PAGE, Page};
use crate::memory::Memory;
use crate::world::Open;

#[test]
fn databases_of_real_servers_are_understood_and_sound() {
    let Some(folder) = std::env::var_os("BAC2_REAL_BACKUPS") else {
        println!("BAC2_REAL_BACKUPS is not set: nothing was tested");
        return;
    };
    let folder = Path::new(&folder);
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut databases = 0;
    for file in &expected {
        let name = file["file"].as_str().unwrap();
        let sets = file["sets"].as_array().unwrap();
        let is_whole = |set: &Value| set["type"] == "D" && set["stripes"] == 1 && set["compressed"] == false;
        if let [set] = &sets[..]
            && is_whole(set)
        {
            one(&folder.join(name), set);
            databases += 1;
        }
    }
    assert!(databases >= 20, "{databases} databases");
}

fn one(path: &Path, set: &Value) {
    let packed = std::fs::read(path).unwrap();
    let backup = zstd::decode_all(packed.as_slice()).unwrap();
    let mut files: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    let mut take = |event| {
        if let Event::Extent(extent) = event {
            let file = files.entry(extent.file_id).or_default();
            let at = extent.first_page as usize * PAGE;
            let end = at + extent.pages.len();
            file.resize(file.len().max(end), 0);
            if extent.is_named || file[at..end].iter().all(|byte| *byte == 0) {
                file[at..end].copy_from_slice(&extent.pages);
            }
        }
    };
    let mut reader = ContentReader::new();
    reader.push(&backup, &mut take);
    let _ = reader.finish(&mut take);
    let page = |number: usize| {
        let mut page = files[&1].as_chunks::<PAGE>().0[number];
        mend(&mut page);
        page
    };
    boot(&page(9), set);
    let header = FileHeader::decode(&page(0)).unwrap();
    assert_eq!(header.binding_id.to_string(), set["binding_id"].as_str().unwrap());
    assert_eq!(header.file_id, 1);

    let memory = Memory::new(1);
    let mut data = Vec::new();
    for (id, bytes) in &files {
        let name = format!("/{id}.mdf");
        memory.disk.put(&name, bytes.clone());
        let file = memory.world.disk.open(&name, Open::Read).unwrap();
        data.push(DataFile::new(file, name, *id));
    }
    let checked = Checked {
        database_id: 5,
        files: &data,
        catalog_iam: None,
        pending: &[],
    };
    let messages = super::tests::whole("real", &checked);
    let numbers: Vec<i32> = messages.iter().map(|message| message.number).collect();
    assert_eq!(numbers, [8989], "{}: {messages:#?}", path.display());
}

fn boot(page: &Page, set: &Value) {
    let found = BootPage::decode(page).unwrap();
    let boot = found.boot.clone();
    let text = |field: &str| set[field].as_str().unwrap().to_owned();
    let number = |field: &str| set[field].as_u64().unwrap();
    assert_eq!(found.catalog_iam, None);
    assert_eq!(u64::from(boot.version), number("db_version"));
    assert_eq!(u64::from(boot.compatibility_level), number("compat"));
    assert_eq!(boot.family_guid.to_string(), text("family_guid"));
    assert_eq!(boot.recovery_fork.to_string(), text("recovery_fork"));
    assert_eq!(
        boot.checkpoint_lsn.to_string(),
        number("checkpoint_lsn").to_string()
    );
    let backup = boot.database_backup_lsn.unwrap_or_default();
    assert_eq!(backup.to_decimal(), u128::from(number("database_backup_lsn")));
    let (_, fork) = boot.first_fork.unwrap_or_default();
    assert_eq!(fork.to_decimal(), u128::from(number("fork_point_lsn")));
    let status = number("status_bits") as u32;
    assert_eq!(boot.recovery_model == bak::RecoveryModel::Simple, status & 8 != 0);
    let mut written = Box::new(*page);
    found.encode(&mut written);
    assert_eq!(BootPage::decode(&written).unwrap().boot.name, boot.name);
    let end = 96 + 2048;
    let changed: Vec<usize> = (96..end).filter(|at| written[*at] != page[*at]).collect();
    assert_eq!(changed, [0; 0], "what is known is where it was");
}
