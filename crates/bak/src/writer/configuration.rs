//! MQCI, the configuration of a set: SCIN, one SFGI for each filegroup, one SFIN for each file. Offsets are from a chunk's tag.
//!
//! Written twice with the same length: at the start (MSCI), when finish date and size are not known, and at the end (MSLS).
//! Layout of 2012 and later; fields nobody has explained carry the values of real backups of builds 13 to 16.

use uuid::Uuid;

use super::block::{tape_address, utf16};
use super::set::SetPlan;
use crate::{BackupSet, BackupType, DatabaseFile, FileType, LocalTime, Lsn, RecoveryModel};

const SCIN: usize = 400;
const SFGI: usize = 224;
const SFIN: usize = 1028;

const FLAG_ALWAYS: u32 = 0x200;
const FLAG_BULK_LOGGED_DATA: u32 = 1;
const FLAG_CHECKSUMS: u32 = 0x10;
const FLAG_DIFFERENTIAL: u32 = 0x800;
const FLAG_COPY_ONLY: u32 = 0x400;
/// Page verification by checksum.
const STATUS_CHECKSUM: u32 = 0x1_0000;
const STATUS_BULK_LOGGED: u32 = 4;
const STATUS_SIMPLE: u32 = 8;
/// SQL_Latin1_General_CP1_CI_AS: sort order, code of the collation, Windows locale, comparison style.
const SORT_ORDER: u8 = 52;
const COLLATION: u32 = 0x00D0_0409;
const LOCALE: u32 = 1033;
const COMPARISON_STYLE: u32 = 0x3_0001;
/// The largest size of a database file, 16 TB: what RESTORE FILELISTONLY prints as MaxSize of data files without a limit.
const LARGEST_FILE: u64 = 35_184_372_080_640;
const GROWTH_BYTES: u32 = 64 << 20;
/// The first number that a user's database gets.
const USER_DATABASE: u16 = 5;

/// Which of the two configurations.
#[derive(Clone, Copy)]
pub(super) enum Phase {
    /// MSCI, with an estimate of the size in bytes.
    Start { size: u64 },
    /// MSLS, with the size from SSET to the soft filemark behind it.
    Final { size: u64, last_pass_pages: u32 },
}

impl Phase {
    fn size(self) -> u64 {
        match self {
            Self::Start { size } | Self::Final { size, .. } => size,
        }
    }
}

/// The content of MQCI.
pub(super) fn content(plan: &SetPlan, phase: Phase) -> Vec<u8> {
    let mut bytes = backup_set(plan, phase);
    let groups = filegroups(&plan.set);
    for (index, name) in groups.iter().enumerate() {
        bytes.extend(filegroup(&plan.set, index as u32 + 1, name));
    }
    for file in &plan.set.files {
        let group = file
            .filegroup
            .as_ref()
            .and_then(|name| groups.iter().position(|group| *group == name));
        let group = group.map_or(0, |index| index as u32 + 1);
        bytes.extend(database_file(plan, phase, file, group));
    }
    bytes
}

fn filegroups(set: &BackupSet) -> Vec<&String> {
    let mut names = Vec::new();
    for name in set.files.iter().filter_map(|file| file.filegroup.as_ref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A chunk: tag, length, fixed part, texts.
struct Chunk(Vec<u8>);

impl Chunk {
    fn new(tag: &[u8; 4], fixed: usize) -> Self {
        let mut bytes = vec![0; fixed];
        bytes[..4].copy_from_slice(tag);
        Self(bytes)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn word(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_le_bytes());
    }

    fn lsn(&mut self, at: usize, lsn: Option<Lsn>) {
        self.put(at, &lsn.unwrap_or_default().to_bytes());
    }

    fn guid(&mut self, at: usize, guid: Option<Uuid>) {
        self.put(at, &guid.unwrap_or_default().to_bytes_le());
    }

    fn date(&mut self, at: usize, date: Option<LocalTime>) {
        self.put(at, &date.map_or([0; 5], LocalTime::to_bytes));
    }

    fn text(&mut self, at: usize, text: &str) {
        if !text.is_empty() {
            let text = utf16(text);
            let address = tape_address(text.len(), self.0.len());
            self.put(at, &address);
            self.0.extend_from_slice(&text);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).expect("a chunk is small");
        self.word(4, length);
        self.0
    }
}

fn backup_set(plan: &SetPlan, phase: Phase) -> Vec<u8> {
    let set = &plan.set;
    let mut chunk = Chunk::new(b"SCIN", SCIN);
    chunk.word(8, flags(set) | plan.details.flags);
    chunk.word(
        12,
        set.files
            .iter()
            .filter(|file| file.file_type == FileType::Data)
            .count() as u32,
    );
    chunk.word(16, 1);
    chunk.put(24, &set.software_version.build.to_le_bytes());
    chunk.put(26, &[set.software_version.minor, set.software_version.major]);
    chunk.word(28, 9);
    chunk.lsn(32, set.first_lsn);
    chunk.lsn(42, set.last_lsn);
    chunk.lsn(52, set.checkpoint_lsn);
    chunk.lsn(62, set.database_backup_lsn);
    chunk.date(72, set.database_creation_date);
    chunk.date(77, set.backup_start_date);
    if let Phase::Final { .. } = phase {
        chunk.date(82, set.backup_finish_date);
    }
    chunk.put(
        87,
        &[
            type_letter(set.backup_type),
            SORT_ORDER,
            1,
            0,
            set.compatibility_level,
        ],
    );
    chunk.put(
        92,
        &plan.details.database_id.unwrap_or(USER_DATABASE).to_le_bytes(),
    );
    chunk.put(94, &set.database_version.to_le_bytes());
    chunk.put(96, &phase.size().to_le_bytes());
    chunk.word(116, LOCALE);
    chunk.word(120, COMPARISON_STYLE);
    chunk.guid(124, set.binding_id);
    put_lineage(&mut chunk, plan);
    chunk.word(216, COLLATION);
    chunk.word(220, u32::from(SORT_ORDER));
    chunk.guid(224, set.family_guid);
    chunk.word(240, 0x1_0000);
    chunk.word(244, status(set));
    chunk.put(344, &phase.size().to_le_bytes());
    chunk.word(372, 1);
    chunk.text(104, &set.database_name);
    chunk.text(108, &set.server_name);
    if let Some(thumbprint) = plan.details.tde_thumbprint {
        let address = tape_address(thumbprint.len(), chunk.0.len());
        chunk.put(392, &address);
        chunk.0.extend_from_slice(&thumbprint);
    }
    chunk.finish()
}

/// Forks, bases, and where the chain of log backups starts.
fn put_lineage(chunk: &mut Chunk, plan: &SetPlan) {
    let set = &plan.set;
    let last_full = plan.details.last_full.map(|(_, guid)| guid);
    chunk.lsn(144, set.last_lsn);
    chunk.guid(156, set.recovery_fork_id);
    chunk.lsn(172, set.fork_point_lsn);
    chunk.guid(184, set.first_recovery_fork_id);
    chunk.guid(200, set.differential_base_guid.or(last_full));
    chunk.lsn(248, set.log_chain_lsn);
    chunk.lsn(260, set.differential_base_lsn);
    chunk.guid(272, set.differential_base_guid);
    chunk.lsn(304, set.fork_point_lsn);
    chunk.guid(316, set.first_recovery_fork_id);
    chunk.lsn(332, set.log_chain_lsn.or(set.checkpoint_lsn));
}

/// Bits of `Flags` as RESTORE HEADERONLY prints them, as far as they follow from the set itself.
#[must_use]
pub fn flags(set: &BackupSet) -> u32 {
    let differential = matches!(
        set.backup_type,
        BackupType::Differential | BackupType::DifferentialFile | BackupType::DifferentialPartial
    );
    FLAG_ALWAYS
        | if set.has_backup_checksums {
            FLAG_CHECKSUMS
        } else {
            0
        }
        | if differential { FLAG_DIFFERENTIAL } else { 0 }
        | if set.is_copy_only { FLAG_COPY_ONLY } else { 0 }
        | if set.has_bulk_logged_data {
            FLAG_BULK_LOGGED_DATA
        } else {
            0
        }
}

fn type_letter(backup_type: BackupType) -> u8 {
    match backup_type {
        BackupType::Full => b'D',
        BackupType::Differential => b'I',
        BackupType::Log => b'L',
        BackupType::File => b'F',
        BackupType::DifferentialFile => b'G',
        BackupType::Partial => b'P',
        BackupType::DifferentialPartial => b'Q',
        BackupType::Other => b'?',
    }
}

fn status(set: &BackupSet) -> u32 {
    STATUS_CHECKSUM
        | match set.recovery_model {
            RecoveryModel::Full => 0,
            RecoveryModel::BulkLogged => STATUS_BULK_LOGGED,
            RecoveryModel::Simple => STATUS_SIMPLE,
        }
}

fn filegroup(set: &BackupSet, id: u32, name: &str) -> Vec<u8> {
    let mut chunk = Chunk::new(b"SFGI", SFGI);
    chunk.word(8, 0x10);
    chunk.word(12, id);
    chunk.word(20, 1);
    chunk.word(40, 4);
    chunk.lsn(52, set.checkpoint_lsn);
    chunk.lsn(64, set.last_lsn);
    chunk.lsn(76, set.checkpoint_lsn);
    chunk.lsn(112, set.checkpoint_lsn);
    chunk.lsn(128, set.last_lsn);
    chunk.guid(140, set.recovery_fork_id);
    chunk.text(16, name);
    chunk.finish()
}

fn database_file(plan: &SetPlan, phase: Phase, file: &DatabaseFile, group: u32) -> Vec<u8> {
    let set = &plan.set;
    let data = file.file_type == FileType::Data;
    let pages = plan
        .data_pages
        .iter()
        .find(|(id, _)| *id == file.file_id)
        .map_or(0, |(_, pages)| *pages);
    let pages = match phase {
        Phase::Final { last_pass_pages, .. } if data && file.file_id == 1 => last_pass_pages,
        _ => pages,
    };
    let mut chunk = Chunk::new(b"SFIN", SFIN);
    chunk.word(
        8,
        if data && set.backup_type == BackupType::Full {
            0x84
        } else {
            0x04
        },
    );
    chunk.word(16, 8192);
    chunk.word(20, file.file_id);
    chunk.word(24, pages);
    chunk.word(28, if data { 1 } else { 2 });
    chunk.word(32, 4096);
    chunk.word(36, group);
    chunk.put(40, &file.size.to_le_bytes());
    chunk.put(86, &file.max_size.to_le_bytes());
    let growth = plan.details.growth.iter().find(|(id, _)| *id == file.file_id);
    chunk.word(94, growth.map_or(GROWTH_BYTES, |(_, bytes)| *bytes));
    chunk.put(114, &file.size.to_le_bytes());
    // The same for data and log in every real backup.
    chunk.put(122, &LARGEST_FILE.to_le_bytes());
    chunk.put(130, &file.size.to_le_bytes());
    if data {
        // A conventional full backup is its own base; all others name the one before them.
        let own = (set.backup_type == BackupType::Full && !set.is_copy_only)
            .then_some(())
            .and(set.checkpoint_lsn.zip(set.backup_set_guid));
        let base = own.or(set.differential_base_lsn.zip(set.differential_base_guid));
        let base = base.or(plan.details.last_full);
        chunk.lsn(158, base.map(|(lsn, _)| lsn));
        chunk.guid(170, base.map(|(_, guid)| guid));
    }
    chunk.guid(186, file.unique_id);
    chunk.lsn(202, set.first_lsn);
    chunk.lsn(218, set.last_lsn);
    chunk.lsn(234, set.first_lsn);
    let bytes = if data {
        u64::from(pages) * 8192
    } else {
        plan.details.log_bytes
    };
    chunk.put(250, &bytes.to_le_bytes());
    chunk.text(48, &file.logical_name);
    chunk.text(52, &file.physical_name);
    chunk.finish()
}
