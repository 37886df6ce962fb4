//! One backup set, from SSET to its last filemark.

use super::MediaReader;
use crate::backup_set::{BackupSet, BackupType};
use crate::config::Config;
use crate::config::sfin::FileInfo;
use crate::content::{Event, FileHeader, SetHeader};
use crate::damage::DamageKind;
use crate::limits::{CONFIGURATIONS, FINGERPRINT_WINDOWS, FINGERPRINTS_WHOLE};
use crate::log::fingerprint::LogFingerprint;
use crate::log::reader::LogReader;
use crate::log::segment::Segment;
use crate::mtf::oddity::bits_apart;
use crate::mtf::set_blocks::SetStart;
use crate::pages::reader::PageReader;

/// A set that is being read.
#[derive(Debug, Clone)]
pub(crate) struct OpenSet {
    pub(crate) start: SetStart,
    pub(crate) machine: String,
    pub(crate) next_control_id: u32,
    /// As at the start.
    pub(crate) config: Option<Config>,
    /// The commit record's.
    pub(crate) final_config: Option<Config>,
    pub(crate) pages: PageReader,
    pub(crate) log: LogReader,
    /// The log block whose streams are being read.
    pub(crate) segment: Option<Segment>,
    /// Raw texts of SSET and VOLB that the set map repeats.
    pub(crate) map_texts: Vec<Vec<u8>>,
}

impl OpenSet {
    pub(crate) fn new(start: SetStart) -> Self {
        let utf16 = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        };
        let map_texts = vec![utf16(&start.name), utf16(&start.description), utf16(&start.user)];
        Self {
            start,
            machine: String::new(),
            next_control_id: 1,
            config: None,
            final_config: None,
            pages: PageReader::default(),
            log: LogReader::default(),
            segment: None,
            map_texts,
        }
    }

    /// All that the headers say; `None` before the configuration was read.
    fn header(&self, compressed: bool, complete: bool) -> Option<SetHeader> {
        let config = self.final_config.as_ref().or(self.config.as_ref())?;
        let scin = &config.scin;
        let file = |file: &FileInfo| FileHeader {
            file_id: file.file_id,
            group_id: file.group_id,
            sector_size: file.sector_size,
            growth: file.growth,
            base_lsn: file.base_lsn.non_zero(),
            base_guid: (!file.set_guid.is_nil()).then_some(file.set_guid),
            backup_bytes: file.backup_bytes,
        };
        Some(SetHeader {
            set: self.report(compressed, complete)?,
            flags: scin.flags,
            status: scin.status,
            expiration: self.start.expiration,
            vendor: self.start.vendor,
            sort_order: scin.sort_order,
            code_page: scin.code_page,
            locale: scin.locale,
            comparison_style: scin.comparison_style,
            collation_id: scin.collation_id,
            database_id: scin.database_id,
            tde_thumbprint: scin.tde_thumbprint,
            files: config.files.iter().map(file).collect(),
        })
    }

    /// The set in the form of the report; `None` before its configuration was read.
    fn report(&self, compressed: bool, complete: bool) -> Option<BackupSet> {
        let config = self.final_config.as_ref().or(self.config.as_ref())?;
        let scin = &config.scin;
        let guid = |guid: uuid::Uuid| (!guid.is_nil()).then_some(guid);
        Some(BackupSet {
            position: self.start.number,
            backup_type: scin.backup_type(),
            backup_name: self.start.name.clone(),
            backup_description: self.start.description.clone(),
            user_name: self.start.user.clone(),
            machine_name: self.machine.clone(),
            server_name: scin.server_name.clone(),
            database_name: scin.database_name.clone(),
            software_version: scin.version,
            database_version: scin.database_version,
            compatibility_level: scin.compatibility_level,
            recovery_model: scin.recovery_model(),
            compressed,
            has_backup_checksums: scin.has_checksums(),
            is_copy_only: scin.is_copy_only(),
            first_lsn: scin.first_lsn.non_zero(),
            last_lsn: scin.last_lsn.non_zero(),
            checkpoint_lsn: scin.checkpoint_lsn.non_zero(),
            database_backup_lsn: scin.database_backup_lsn.non_zero(),
            differential_base_lsn: scin.differential_base_lsn.non_zero(),
            fork_point_lsn: scin.fork_point_lsn.non_zero(),
            backup_set_guid: guid(self.start.backup_set_guid),
            binding_id: guid(scin.binding_id),
            family_guid: guid(scin.family_guid),
            recovery_fork_id: guid(scin.fork_id),
            first_recovery_fork_id: guid(scin.first_fork_id),
            differential_base_guid: guid(scin.differential_base_guid),
            backup_start_date: scin.started,
            backup_finish_date: self.final_config.as_ref().and_then(|config| config.scin.finished),
            database_creation_date: scin.created,
            time_zone_offset_minutes: self.start.time_zone_offset_minutes,
            backup_size: scin.backup_size,
            complete,
            files: config.database_files(),
            has_bulk_logged_data: scin.has_bulk_logged_data(),
            log_chain_lsn: scin.log_chain_lsn.non_zero(),
        })
    }
}

impl MediaReader {
    /// Takes a set's configuration: of MSCI, or with `is_final` of its commit record.
    pub(super) fn configuration(&mut self, offset: u64, bytes: &[u8], is_final: bool) {
        let config = match Config::parse(bytes) {
            Ok(config) => config,
            Err(detail) => {
                self.findings.structure(DamageKind::Configuration, offset, detail);
                return;
            }
        };
        for tag in &config.unknown {
            self.findings
                .unknown(format!("its configuration holds the unknown chunk {tag}"));
        }
        let is_whole = self.is_single_family();
        let Some(set) = &mut self.open else { return };
        if let Some(first) = set.config.as_ref().filter(|_| is_final)
            && let Some(what) = first.identity_differs(&config)
        {
            let detail = format!(
                "the configuration at the end of the set names {what} differently than the one at its start"
            );
            self.findings.structure(DamageKind::Configuration, offset, detail);
        }
        if config.scin.version.major != set.start.software_major
            || config.scin.version.minor != set.start.software_minor
        {
            let detail = "the configuration and the set header name different software versions";
            self.findings.structure(DamageKind::Configuration, offset, detail);
        }
        if config.scin.backup_type() == BackupType::Other {
            let letter = config.scin.type_letter.escape_ascii();
            self.findings
                .unknown(format!("its backup type {letter} is not known"));
        }
        let repeated = config
            .repeated_set_guid()
            .filter(|_| is_final && config.scin.backup_type() == BackupType::Full);
        // A copy-only backup may repeat the GUID of an earlier one; that differs in more than a bit.
        if repeated.is_some_and(|guid| bits_apart(guid.as_bytes(), set.start.backup_set_guid.as_bytes()) == 1)
        {
            let detail =
                "the set header and the commit record name the backup set's GUID with one bit of difference";
            self.findings.structure(DamageKind::Configuration, offset, detail);
        }
        if is_final {
            set.final_config = Some(config);
            let compressed = self.compressed;
            let findings = &mut self.findings;
            if let Some(header) = set.header(compressed, false) {
                findings.event(|| Event::Commit(Box::new(header)));
            }
            self.committed(offset);
        } else {
            set.pages = PageReader::new(&config, is_whole);
            set.config = Some(config);
            let compressed = self.compressed;
            let findings = &mut self.findings;
            if let Some(header) = set.header(compressed, false) {
                findings.event(|| Event::SetStart(Box::new(header)));
            }
        }
    }

    /// The commit record was read: what the set says of its log must be what was found.
    fn committed(&mut self, offset: u64) {
        let is_clean = self.findings.structural_count() == 0 && self.findings.reasons().is_empty();
        let is_whole = self.is_single_family() && !self.passes_over() && is_clean;
        let Some(set) = self.open.as_ref().filter(|_| is_whole) else {
            return;
        };
        let Some(config) = &set.final_config else { return };
        if let Err(detail) = set.log.check_bounds(config.scin.first_lsn, config.scin.last_lsn) {
            self.findings.structure(DamageKind::LogChain, offset, detail);
        }
    }

    /// Ends the set that is being read; `complete` where its last filemark was reached.
    pub(crate) fn close_set(&mut self, complete: bool) {
        let Some(set) = self.open.take() else { return };
        self.findings.event(|| Event::SetEnd {
            position: set.start.number,
            complete,
        });
        let config = set.final_config.as_ref().or(set.config.as_ref());
        self.configuration_bytes += config.map_or(0, Config::size);
        let mut report = set.report(self.compressed, complete);
        if let Some(report) = report
            .as_mut()
            .filter(|_| self.configuration_bytes > CONFIGURATIONS)
        {
            report.files.clear();
            self.findings
                .unknown("its sets name more database files than this reader lists");
        }
        if let Some(report) = report {
            let windows = if self.sets.len() < FINGERPRINTS_WHOLE {
                LogFingerprint::WINDOWS_MAX
            } else {
                FINGERPRINT_WINDOWS
            };
            let fingerprint = set.log.fingerprint().map(|log| log.coarsened(windows));
            self.log_fingerprints.push(fingerprint);
            self.sets.push(report);
        }
        let (pages, logs) = (set.pages.counts, set.log.counts);
        let total = &mut self.pages;
        total.total += pages.total;
        total.checksum_ok += pages.checksum_ok;
        total.checksum_bad += pages.checksum_bad;
        total.torn_ok += pages.torn_ok;
        total.torn_bad += pages.torn_bad;
        total.unprotected += pages.unprotected;
        total.unformatted += pages.unformatted;
        self.log_blocks.ok += logs.ok;
        self.log_blocks.bad += logs.bad;
        self.log_blocks.unchecked += logs.unchecked;
        self.content_bad += set.pages.content_bad;
        self.encrypted_looking += set.pages.encrypted_looking;
        if complete {
            self.findings.set = None;
        }
    }
}
