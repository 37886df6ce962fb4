//! msdb's history: a row for each backup that succeeded.
//!
//! Read on from the last row seen, so that a history of years costs nothing. Rows come in the order of `backup_set_id`, which is
//! the order in which they were written and says nothing about LSNs. Times are on the server's clock, and history can be purged
//! at any time: it confirms, it is not the catalog.

use std::collections::{BTreeMap, BTreeSet};

use bak::Lsn;
use uuid::Uuid;

use crate::outcome::{Row, Rows};
use crate::quoting::Literal;
use crate::session::{Error, Session};
use crate::value::DateTime;

/// One backup set.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// `backup_set_id`.
    pub id: i32,
    /// BackupSetGUID.
    pub guid: Uuid,
    /// NAME.
    pub name: Option<String>,
    /// DESCRIPTION.
    pub description: Option<String>,
    /// Who took it.
    pub user_name: Option<String>,
    /// D full, I differential, L log, F file, G differential of a file, P partial, Q differential of a partial.
    pub kind: char,
    /// COPY_ONLY.
    pub is_copy_only: bool,
    /// By a snapshot of the volume: some other product's.
    pub is_snapshot: bool,
    /// Made over damage, with CONTINUE_AFTER_ERROR.
    pub is_damaged: bool,
    /// With checksums.
    pub has_checksums: bool,
    /// A log with minimally logged changes in it.
    pub has_bulk_logged: bool,
    /// The first of its chain.
    pub begins_log_chain: bool,
    /// The database as it was called.
    pub database_name: String,
    /// The database: BindingID.
    pub database_guid: Option<Uuid>,
    /// Its family.
    pub family_guid: Option<Uuid>,
    /// The server that took it; another one where it was only verified or restored here.
    pub server_name: Option<String>,
    /// FULL, BULK-LOGGED or SIMPLE.
    pub recovery_model: Option<String>,
    /// LSNs, where they are not NULL or 0.
    pub first_lsn: Option<Lsn>,
    /// One past the last.
    pub last_lsn: Option<Lsn>,
    /// Where redo begins.
    pub checkpoint_lsn: Option<Lsn>,
    /// Checkpoint of the full before.
    pub database_backup_lsn: Option<Lsn>,
    /// Where its history forked.
    pub fork_point_lsn: Option<Lsn>,
    /// Checkpoint of the full that a differential is of.
    pub differential_base_lsn: Option<Lsn>,
    /// BackupSetGUID of that full.
    pub differential_base_guid: Option<Uuid>,
    /// Line of history at its begin.
    pub first_recovery_fork: Option<Uuid>,
    /// Line of history at its end.
    pub last_recovery_fork: Option<Uuid>,
    /// When it began, on the server's clock.
    pub started: DateTime,
    /// When it ended.
    pub finished: DateTime,
    /// Quarters of an hour that the clock was ahead of UTC; `None` where it was not recorded.
    pub time_zone_quarters: Option<i32>,
    /// Bytes, uncompressed.
    pub size: Option<u64>,
    /// Bytes, as they were written.
    pub compressed_size: Option<u64>,
    /// AES_256, ... where it is encrypted.
    pub key_algorithm: Option<String>,
    /// Thumbprint of the certificate.
    pub encryptor_thumbprint: Option<Vec<u8>>,
    /// Until when it can be restored to, on the server's clock (2022 and later).
    pub last_valid_restore_time: Option<DateTime>,
    /// Its devices, in the order of the stripes; mirrors left out.
    pub devices: Vec<Device>,
}

/// One device of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Path or URL.
    pub name: Option<String>,
    /// 2 disk, 5 tape, 7 virtual (another product), 9 URL; 100 more where it was named by a logical device.
    pub kind: Option<i32>,
}

/// Rows of one question at most.
pub const BATCH: u32 = 5_000;

/// Media sets that one question asks for at most: of 64 stripes each, the most there are, they are 128,000 rows.
const RUN_MOST: i32 = 2_000;

/// Media sets between two of a batch that are read with them, so that two ranges are one.
const GAP_MOST: i32 = 16;

/// Ranges in one question.
const RANGES_MOST: usize = 200;

/// Sets after the one with the id `after` (0 for all), in order; at most 5,000, so whoever gets that many asks again.
///
/// # Errors
/// [`Error`]; [`Error::Refused`] without the right to read msdb.
pub async fn after(session: &mut Session, after: i32) -> Result<Vec<Set>, Error> {
    let text = format!(
        "SELECT TOP ({BATCH}) s.* FROM msdb.dbo.backupset AS s WHERE s.backup_set_id > {after} ORDER BY s.backup_set_id;"
    );
    let rows = session.query(&text).await?;
    with_devices(session, &rows).await
}

/// A row of the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `backup_set_id`; 0 stands before the first row.
    pub id: i32,
    /// BackupSetGUID of that row, where it is known.
    pub set: Option<Uuid>,
}

/// After which row to read on: `known`, the newest that was read, where it is there still and the same; else the one before the
/// last `days` days, or the newest, where all are older. A row that is gone was purged, or msdb was put back to an earlier state;
/// one of the same number with another BackupSetGUID was written after that, when msdb had counted past it again.
///
/// # Errors
/// [`Error`]; [`Error::Refused`] without the right to read msdb.
pub async fn start(session: &mut Session, known: Place, days: u32) -> Result<Place, Error> {
    let of_backupset = "s.backup_set_id, s.backup_set_uuid FROM msdb.dbo.backupset AS s";
    if known.id > 0 {
        let text = format!("SELECT {of_backupset} WHERE s.backup_set_id = {};", known.id);
        let found = first(session, &text).await?;
        if let Some(found) = found.filter(|found| known.set.is_none() || found.set == known.set) {
            return Ok(found);
        }
    }
    let text = format!(
        "SELECT TOP (1) {of_backupset} WHERE s.backup_finish_date >= DATEADD(day, -{days}, GETDATE()) ORDER BY s.backup_set_id;"
    );
    if let Some(oldest) = first(session, &text).await? {
        return Ok(Place {
            id: oldest.id - 1,
            set: None,
        });
    }
    let text = format!("SELECT TOP (1) {of_backupset} ORDER BY s.backup_set_id DESC;");
    Ok(first(session, &text).await?.unwrap_or_default())
}

async fn first(session: &mut Session, text: &str) -> Result<Option<Place>, Error> {
    let rows = session.query(text).await?;
    let Some(row) = rows.iter().next() else {
        return Ok(None);
    };
    Ok(Some(Place {
        id: row.get("backup_set_id")?,
        set: row.optional("backup_set_uuid")?,
    }))
}

/// The set with this BackupSetGUID; several where it was restored or verified here as well, the first is the oldest row.
///
/// # Errors
/// [`Error`].
pub async fn by_guid(session: &mut Session, guid: Uuid) -> Result<Vec<Set>, Error> {
    let text = format!(
        "SELECT TOP ({BATCH}) s.* FROM msdb.dbo.backupset AS s WHERE s.backup_set_uuid = '{guid}' ORDER BY s.backup_set_id;"
    );
    let rows = session.query(&text).await?;
    with_devices(session, &rows).await
}

/// Sets whose DESCRIPTION is exactly this: how a backup is found whose session was lost.
///
/// # Errors
/// [`Error`].
pub async fn by_description(session: &mut Session, description: &Literal) -> Result<Vec<Set>, Error> {
    // The comparison is the server's collation's: what is equal byte by byte is chosen here.
    let text = format!(
        "SELECT TOP ({BATCH}) s.* FROM msdb.dbo.backupset AS s WHERE s.description = {description} ORDER BY s.backup_set_id;"
    );
    let rows = session.query(&text).await?;
    let mut sets = with_devices(session, &rows).await?;
    sets.retain(|set| set.description.as_deref() == Some(description.text()));
    Ok(sets)
}

async fn with_devices(session: &mut Session, rows: &Rows) -> Result<Vec<Set>, Error> {
    let mut sets = Vec::with_capacity(rows.len());
    let mut media = Vec::with_capacity(rows.len());
    for row in rows.iter() {
        sets.push(read(&row)?);
        media.push(row.get::<i32>("media_set_id")?);
    }
    let mut devices: BTreeMap<i32, Vec<Device>> = BTreeMap::new();
    for runs in questions(media.iter().copied().collect()) {
        let ranges: Vec<String> = runs
            .iter()
            .map(|(least, most)| format!("media_set_id BETWEEN {least} AND {most}"))
            .collect();
        let text = format!(
            "SELECT media_set_id, family_sequence_number, physical_device_name, device_type FROM msdb.dbo.backupmediafamily
 WHERE ({}) AND mirror = 0 ORDER BY media_set_id, family_sequence_number;",
            ranges.join(" OR ")
        );
        for row in session.query(&text).await?.iter() {
            devices.entry(row.get("media_set_id")?).or_default().push(Device {
                name: row.optional("physical_device_name")?,
                kind: row.optional("device_type")?,
            });
        }
    }
    for (set, media) in sets.iter_mut().zip(media) {
        set.devices = devices.get(&media).cloned().unwrap_or_default();
    }
    Ok(sets)
}

/// Media sets as few ranges, in questions of bounded length and answer: a batch may append to a device of years ago, and what lies
/// between is none of its own.
fn questions(media: BTreeSet<i32>) -> Vec<Vec<(i32, i32)>> {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for id in media {
        match runs.last_mut() {
            Some((least, most))
                if id.saturating_sub(*most) <= GAP_MOST && id.saturating_sub(*least) < RUN_MOST =>
            {
                *most = id;
            }
            _ => runs.push((id, id)),
        }
    }
    let mut questions: Vec<Vec<(i32, i32)>> = Vec::new();
    let mut held = 0;
    for (least, most) in runs {
        let span = most - least + 1;
        match questions.last_mut() {
            Some(last) if last.len() < RANGES_MOST && held + span <= RUN_MOST => {
                last.push((least, most));
                held += span;
            }
            _ => {
                questions.push(vec![(least, most)]);
                held = span;
            }
        }
    }
    questions
}

fn read(row: &Row<'_>) -> Result<Set, Error> {
    let flag = |column| row.optional::<bool>(column).map(|flag| flag == Some(true));
    let lsn = |column| row.optional::<Lsn>(column).map(|lsn| lsn.and_then(Lsn::non_zero));
    let kind: Option<String> = row.optional("type")?;
    // 127: not recorded.
    let zone = row
        .optional::<i32>("time_zone")?
        .filter(|quarters| *quarters != 127);
    Ok(Set {
        id: row.get("backup_set_id")?,
        guid: row.get("backup_set_uuid")?,
        name: row.optional("name")?,
        description: row.optional("description")?,
        user_name: row.optional("user_name")?,
        kind: kind.and_then(|kind| kind.chars().next()).unwrap_or('?'),
        is_copy_only: flag("is_copy_only")?,
        is_snapshot: flag("is_snapshot")?,
        is_damaged: flag("is_damaged")?,
        has_checksums: flag("has_backup_checksums")?,
        has_bulk_logged: flag("has_bulk_logged_data")?,
        begins_log_chain: flag("begins_log_chain")?,
        database_name: row.optional("database_name")?.unwrap_or_default(),
        database_guid: row.optional("database_guid")?,
        family_guid: row.optional("family_guid")?,
        server_name: row.optional("server_name")?,
        recovery_model: row.optional("recovery_model")?,
        first_lsn: lsn("first_lsn")?,
        last_lsn: lsn("last_lsn")?,
        checkpoint_lsn: lsn("checkpoint_lsn")?,
        database_backup_lsn: lsn("database_backup_lsn")?,
        fork_point_lsn: lsn("fork_point_lsn")?,
        differential_base_lsn: lsn("differential_base_lsn")?,
        differential_base_guid: row.optional("differential_base_guid")?,
        first_recovery_fork: row.optional("first_recovery_fork_guid")?,
        last_recovery_fork: row.optional("last_recovery_fork_guid")?,
        started: row.get("backup_start_date")?,
        finished: row.get("backup_finish_date")?,
        time_zone_quarters: zone,
        size: row.optional("backup_size")?,
        compressed_size: row.optional("compressed_backup_size")?,
        key_algorithm: row.if_there("key_algorithm")?,
        encryptor_thumbprint: row.if_there("encryptor_thumbprint")?,
        last_valid_restore_time: row.if_there("last_valid_restore_time")?,
        devices: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::{RANGES_MOST, RUN_MOST, questions};

    #[test]
    fn media_of_years_ago_cost_nothing_that_lies_between() {
        // One device that is appended to since three years, and this batch's own ones.
        let batch = std::iter::once(3).chain(250_000..254_999).collect();
        let asked = questions(batch);
        let span: i32 = asked.iter().flatten().map(|(least, most)| most - least + 1).sum();
        assert_eq!(span, 5_000, "no other media set is read");
        assert_eq!(
            asked.len(),
            4,
            "of 2,000 each at most, the old one by itself: {asked:?}"
        );
        // Every fifth one: what lies between is read with them, and is little.
        let every_fifth = questions((0..5_000).map(|step| step * 5).collect());
        let held = |runs: &Vec<(i32, i32)>| runs.iter().map(|(least, most)| most - least + 1).sum::<i32>();
        assert!(
            every_fifth
                .iter()
                .all(|runs| held(runs) <= RUN_MOST && runs.len() <= RANGES_MOST)
        );
        let last = questions([i32::MIN, 0, i32::MAX].into());
        assert_eq!(last, [[(i32::MIN, i32::MIN), (0, 0), (i32::MAX, i32::MAX)]]);
        assert!(questions([].into()).is_empty());
    }
}
