//! What is kept of a backup set, from its own headers or from the row in `msdb`.

use bak::{BackupSet, BackupType, LocalTime, LogFingerprint, Lsn};
use catalog::record::SetFacts;
use jiff::civil::{Date, DateTime};
use mssql::history::Set;
use mssql::value::TICKS_PER_SECOND;
use uuid::Uuid;

/// What a header does not say, with the header.
pub(crate) struct Header<'a> {
    /// The header.
    pub(crate) set: &'a BackupSet,
    /// What its log looks like.
    pub(crate) log: Option<&'a LogFingerprint>,
    /// Stripes.
    pub(crate) families: u16,
}

/// From the headers; none where a header lacks what a planner cannot do without.
pub(crate) fn of_header(header: &Header<'_>) -> Option<SetFacts> {
    let set = header.set;
    let decimal = |lsn: Option<Lsn>| lsn.and_then(Lsn::non_zero).map(|lsn| lsn.to_string());
    let first = set.first_lsn?;
    let is_log = set.backup_type == BackupType::Log;
    let started = local(set.backup_start_date?)?;
    let fork = set.recovery_fork_id.or(set.family_guid).unwrap_or(Uuid::nil());
    Some(SetFacts {
        guid: set.backup_set_guid?,
        first_lsn: first.to_string(),
        last_lsn: set.last_lsn?.to_string(),
        checkpoint_lsn: set.checkpoint_lsn.unwrap_or(first).to_string(),
        database_backup_lsn: decimal(set.database_backup_lsn),
        database_guid: set.binding_id,
        family_guid: set.family_guid,
        fork,
        first_fork: set.first_recovery_fork_id,
        fork_point: decimal(set.fork_point_lsn),
        base_guid: set.differential_base_guid,
        base_lsn: decimal(set.differential_base_lsn),
        started,
        finished: set.backup_finish_date.and_then(local).unwrap_or(started),
        offset_minutes: set.time_zone_offset_minutes,
        last_restorable: None,
        recovery_model: match set.recovery_model {
            bak::RecoveryModel::Full => "FULL",
            bak::RecoveryModel::BulkLogged => "BULK_LOGGED",
            bak::RecoveryModel::Simple => "SIMPLE",
        }
        .to_owned(),
        is_bulk_logged: set.has_bulk_logged_data,
        is_copy_only: set.is_copy_only,
        begins_log_chain: is_log && set.log_chain_lsn == Some(first),
        families: header.families,
        software_version: set.software_version.to_string(),
        thumbprint: None,
        log: header.log.and_then(|log| serde_json::to_string(log).ok()),
    })
}

/// From the row in `msdb`; none where it lacks LSNs. `software_version` is the instance's.
pub(super) fn of_history(set: &Set, software_version: &str) -> Option<SetFacts> {
    let decimal = |lsn: Option<Lsn>| lsn.map(|lsn| lsn.to_string());
    let first = set.first_lsn?;
    let fork = set.last_recovery_fork.or(set.family_guid).unwrap_or(Uuid::nil());
    let forked = set.fork_point_lsn.is_some();
    Some(SetFacts {
        guid: set.guid,
        first_lsn: first.to_string(),
        last_lsn: set.last_lsn?.to_string(),
        checkpoint_lsn: set.checkpoint_lsn.unwrap_or(first).to_string(),
        database_backup_lsn: decimal(set.database_backup_lsn),
        database_guid: set.database_guid,
        family_guid: set.family_guid,
        fork,
        first_fork: set.first_recovery_fork.filter(|_| forked),
        fork_point: decimal(set.fork_point_lsn),
        base_guid: set.differential_base_guid,
        base_lsn: decimal(set.differential_base_lsn),
        started: civil(set.started)?,
        finished: civil(set.finished)?,
        offset_minutes: set
            .time_zone_quarters
            .and_then(|quarters| i16::try_from(quarters * 15).ok()),
        last_restorable: set.last_valid_restore_time.and_then(civil),
        // msdb writes BULK-LOGGED.
        recovery_model: set
            .recovery_model
            .as_deref()
            .unwrap_or_default()
            .replace('-', "_"),
        is_bulk_logged: set.has_bulk_logged,
        is_copy_only: set.is_copy_only,
        begins_log_chain: set.begins_log_chain,
        families: u16::try_from(set.devices.len()).unwrap_or(u16::MAX).max(1),
        software_version: software_version.to_owned(),
        thumbprint: thumbprint(set),
        log: None,
    })
}

/// What `msdb` alone knows, put to what the headers said.
pub(super) fn complete(facts: &mut SetFacts, set: &Set) {
    facts.last_restorable = set.last_valid_restore_time.and_then(civil);
    facts.begins_log_chain |= set.begins_log_chain;
    facts.is_bulk_logged |= set.has_bulk_logged;
    facts.thumbprint = thumbprint(set);
}

fn thumbprint(set: &Set) -> Option<String> {
    let bytes = set.encryptor_thumbprint.as_ref()?;
    Some(bytes.iter().map(|byte| format!("{byte:02X}")).collect())
}

/// A time on the server's clock; none where the calendar does not have it.
pub(crate) fn civil(time: mssql::value::DateTime) -> Option<DateTime> {
    let (year, month, day) = time.date();
    let date = Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()?;
    let seconds = i64::try_from(time.ticks / TICKS_PER_SECOND).ok()?;
    let nanos = i64::try_from(time.ticks % TICKS_PER_SECOND).ok()? * 100;
    let since_midnight = jiff::SignedDuration::from_secs(seconds) + jiff::SignedDuration::from_nanos(nanos);
    date.to_datetime(jiff::civil::Time::midnight())
        .checked_add(since_midnight)
        .ok()
}

fn local(time: LocalTime) -> Option<DateTime> {
    let part = |part: u8| i8::try_from(part).ok();
    DateTime::new(
        i16::try_from(time.year).ok()?,
        part(time.month)?,
        part(time.day)?,
        part(time.hour)?,
        part(time.minute)?,
        part(time.second)?,
        0,
    )
    .ok()
}
