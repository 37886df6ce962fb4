//! From a backup set's own words to what a planner needs of it.
//!
//! [`bak::BackupSet`] is what RESTORE HEADERONLY prints; a [`Set`] is what can be reasoned with: LSNs that are there, dates that exist,
//! identities that are no zeros. What a planner cannot use is turned away here with the reason, so that nothing further in asks again.
//! Deliberately absent: what headers do not say (how sure the set is, which stripes are at hand, what its log looks like) comes in as
//! [`Known`].

use bak::{BackupSet, BackupType, LocalTime, LogFingerprint, Lsn};
use jiff::civil::DateTime;
use uuid::Uuid;

use crate::grade::Grade;
use crate::set::{Clock, DifferentialBase, Families, Fork, ForkOrigin, Grain, Kind, Set, SetId};

/// No clock on Earth is further from UTC, in minutes.
const OFFSET_MAX: i16 = 840;

/// What a set's headers do not say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The caller's number.
    pub id: SetId,
    /// How sure it is. A set without a finish date is [`Grade::None`] whatever is said here.
    pub grade: Grade,
    /// Which of its stripes are at hand.
    pub families: Families,
    /// Bytes to read for it, over all its stripes.
    pub bytes: u64,
    /// What the log in it looks like, where it was read.
    pub log: Option<Box<LogFingerprint>>,
}

/// Why a backup set is of no use to a planner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unplannable {
    /// A backup of files or filegroups.
    #[error("it is a backup of files or filegroups, not of the whole database")]
    File,
    /// A differential of files or filegroups.
    #[error("it is a differential backup of files or filegroups, not of the whole database")]
    DifferentialFile,
    /// READ_WRITE_FILEGROUPS.
    #[error("it is a partial backup: the read-only filegroups are not in it")]
    Partial,
    /// A differential of a partial backup.
    #[error("it is a differential of a partial backup: the read-only filegroups are not in it")]
    DifferentialPartial,
    /// A type that no document names.
    #[error("its backup type is unknown")]
    OtherType,
    /// One of the LSNs is missing.
    #[error("its header has no {0}")]
    NoLsn(&'static str),
    /// The LSNs contradict each other.
    #[error("its FirstLSN {first} lies behind its LastLSN {last}")]
    Backwards {
        /// FirstLSN.
        first: Lsn,
        /// LastLSN.
        last: Lsn,
    },
    /// A differential that does not say of what.
    #[error(
        "it is a differential, and its header names no base, neither by DifferentialBaseGUID nor by DifferentialBaseLSN"
    )]
    NoBase,
    /// No start date.
    #[error("its header has no BackupStartDate")]
    NoStartDate,
    /// A date that the calendar does not have.
    #[error("its {0} {1} is no date of the calendar")]
    ImpossibleDate(&'static str, LocalTime),
}

/// What groups sets into one [`crate::Database`]: the FamilyGUID, which a database keeps from its creation through every restore and
/// renaming. Names do not group: two databases may bear one name in turn. `None` where the header has none; such a set stands alone.
#[must_use]
pub fn family_of(set: &BackupSet) -> Option<Uuid> {
    non_nil(set.family_guid)
}

impl Set {
    /// The set that `backup` describes.
    ///
    /// Without a RecoveryForkID the FamilyGUID stands in for it, and without that the zero GUID, so that all such sets of one
    /// database are on one fork. A set without a finish date was never finished: it gets [`Grade::None`], and its start for a finish.
    ///
    /// # Errors
    /// Why no plan can use it.
    pub fn from_backup(backup: &BackupSet, known: Known) -> Result<Self, Unplannable> {
        let kind = kind(backup)?;
        let first = backup.first_lsn.ok_or(Unplannable::NoLsn("FirstLSN"))?;
        let last = backup.last_lsn.ok_or(Unplannable::NoLsn("LastLSN"))?;
        if first > last {
            return Err(Unplannable::Backwards { first, last });
        }
        // A full's is what differentials without a base GUID are told by; of the others nothing asks.
        let checkpoint = match (backup.checkpoint_lsn, kind) {
            (Some(checkpoint), _) => checkpoint,
            (None, Kind::Full) => return Err(Unplannable::NoLsn("CheckpointLSN")),
            (None, _) => first,
        };
        let clock = clock(backup)?;
        let is_finished = backup.backup_finish_date.is_some();
        Ok(Self {
            id: known.id,
            guid: non_nil(backup.backup_set_guid),
            kind,
            first,
            last,
            checkpoint,
            fork: fork(backup),
            log_chain_began: backup.log_chain_lsn,
            clock,
            model: backup.recovery_model,
            is_bulk_logged: backup.has_bulk_logged_data,
            is_copy_only: backup.is_copy_only,
            families: known.families,
            bytes: known.bytes,
            grade: if is_finished { known.grade } else { Grade::None },
            log: known.log,
        })
    }
}

fn kind(backup: &BackupSet) -> Result<Kind, Unplannable> {
    Ok(match backup.backup_type {
        BackupType::Full => Kind::Full,
        BackupType::Log => Kind::Log,
        BackupType::Differential => {
            let guid = non_nil(backup.differential_base_guid);
            let lsn = backup.differential_base_lsn.and_then(Lsn::non_zero);
            if guid.is_none() && lsn.is_none() {
                return Err(Unplannable::NoBase);
            }
            Kind::Differential(DifferentialBase {
                guid,
                lsn: lsn.unwrap_or(Lsn::ZERO),
            })
        }
        BackupType::File => return Err(Unplannable::File),
        BackupType::DifferentialFile => return Err(Unplannable::DifferentialFile),
        BackupType::Partial => return Err(Unplannable::Partial),
        BackupType::DifferentialPartial => return Err(Unplannable::DifferentialPartial),
        BackupType::Other => return Err(Unplannable::OtherType),
    })
}

/// The origin counts only where it names another fork and the point where that was left.
fn fork(backup: &BackupSet) -> Fork {
    let id = non_nil(backup.recovery_fork_id)
        .or_else(|| family_of(backup))
        .unwrap_or(Uuid::nil());
    let parent = non_nil(backup.first_recovery_fork_id).filter(|parent| *parent != id);
    let point = backup.fork_point_lsn.and_then(Lsn::non_zero);
    Fork {
        id,
        origin: parent
            .zip(point)
            .map(|(parent, point)| ForkOrigin { parent, point }),
    }
}

fn clock(backup: &BackupSet) -> Result<Clock, Unplannable> {
    let start = backup.backup_start_date.ok_or(Unplannable::NoStartDate)?;
    let start = date("BackupStartDate", start)?;
    let finish = match backup.backup_finish_date {
        Some(finish) => date("BackupFinishDate", finish)?,
        None => start,
    };
    let offset = backup.time_zone_offset_minutes;
    Ok(Clock {
        start,
        finish,
        grain: Grain::Second,
        offset_minutes: offset.filter(|minutes| (-OFFSET_MAX..=OFFSET_MAX).contains(minutes)),
        last_restorable: None,
    })
}

fn date(name: &'static str, time: LocalTime) -> Result<DateTime, Unplannable> {
    let date = || {
        let [month, day, hour, minute, second] =
            [time.month, time.day, time.hour, time.minute, time.second].map(|part| i8::try_from(part).ok());
        DateTime::new(
            i16::try_from(time.year).ok()?,
            month?,
            day?,
            hour?,
            minute?,
            second?,
            0,
        )
        .ok()
    };
    date().ok_or(Unplannable::ImpossibleDate(name, time))
}

fn non_nil(guid: Option<Uuid>) -> Option<Uuid> {
    guid.filter(|guid| !guid.is_nil())
}

#[cfg(test)]
mod tests {
    use bak::RecoveryModel;

    use super::*;

    fn time(day: u8, hour: u8) -> LocalTime {
        LocalTime {
            year: 2023,
            month: 2,
            day,
            hour,
            minute: 30,
            second: 5,
        }
    }

    fn lsn(decimal: u128) -> Option<Lsn> {
        Lsn::from_decimal(decimal)
    }

    /// The differential of the SMO fixture "OlderOutOfSequence", as its msdb row has it.
    fn backup() -> BackupSet {
        BackupSet {
            position: 1,
            backup_type: BackupType::Differential,
            backup_name: String::new(),
            backup_description: String::new(),
            user_name: String::new(),
            machine_name: String::new(),
            server_name: String::new(),
            database_name: "d".to_owned(),
            software_version: "15.0.4102".parse().unwrap(),
            database_version: 904,
            compatibility_level: 150,
            recovery_model: RecoveryModel::Full,
            compressed: false,
            has_backup_checksums: true,
            is_copy_only: false,
            first_lsn: lsn(315_000_007_756_600_000),
            last_lsn: lsn(322_000_000_237_600_000),
            checkpoint_lsn: lsn(322_000_000_236_800_000),
            database_backup_lsn: lsn(289_000_004_658_900_000),
            differential_base_lsn: lsn(289_000_004_658_900_000),
            fork_point_lsn: None,
            backup_set_guid: Some(Uuid::from_u128(1)),
            binding_id: None,
            family_guid: Some(Uuid::from_u128(2)),
            recovery_fork_id: Some(Uuid::from_u128(3)),
            first_recovery_fork_id: None,
            differential_base_guid: Some(Uuid::from_u128(4)),
            backup_start_date: Some(time(18, 20)),
            backup_finish_date: Some(time(18, 21)),
            database_creation_date: None,
            time_zone_offset_minutes: Some(120),
            backup_size: 1,
            complete: true,
            files: Vec::new(),
            has_bulk_logged_data: false,
            log_chain_lsn: lsn(289_000_004_658_900_000),
        }
    }

    fn known() -> Known {
        Known {
            id: SetId(7),
            grade: Grade::Proved,
            families: Families::single(),
            bytes: 4096,
            log: None,
        }
    }

    fn changed(change: impl FnOnce(&mut BackupSet)) -> Result<Set, Unplannable> {
        let mut backup = backup();
        change(&mut backup);
        Set::from_backup(&backup, known())
    }

    #[test]
    fn a_set_is_what_its_header_says() {
        let set = changed(|_| {}).unwrap();
        assert_eq!(set.id, SetId(7));
        assert_eq!(
            set.kind,
            Kind::Differential(DifferentialBase {
                guid: Some(Uuid::from_u128(4)),
                lsn: lsn(289_000_004_658_900_000).unwrap(),
            })
        );
        assert_eq!(set.last.to_string(), "322000000237600000");
        assert_eq!(set.clock.start.to_string(), "2023-02-18T20:30:05");
        assert_eq!(set.clock.finish.to_string(), "2023-02-18T21:30:05");
        assert_eq!(set.clock.offset_minutes, Some(120));
        assert_eq!(set.grade, Grade::Proved);
        assert_eq!(set.fork.origin, None);
        assert_eq!(set.log_chain_began, lsn(289_000_004_658_900_000));
        assert!(!set.is_bulk_logged);
        assert!(changed(|b| b.has_bulk_logged_data = true).unwrap().is_bulk_logged);
    }

    #[test]
    fn what_is_not_the_whole_database_is_named() {
        let types = [
            (BackupType::File, Unplannable::File),
            (BackupType::DifferentialFile, Unplannable::DifferentialFile),
            (BackupType::Partial, Unplannable::Partial),
            (BackupType::DifferentialPartial, Unplannable::DifferentialPartial),
            (BackupType::Other, Unplannable::OtherType),
        ];
        for (backup_type, error) in types {
            assert_eq!(changed(|b| b.backup_type = backup_type), Err(error));
        }
    }

    #[test]
    fn a_header_without_what_planning_takes_is_refused() {
        assert_eq!(
            changed(|b| b.first_lsn = None),
            Err(Unplannable::NoLsn("FirstLSN"))
        );
        assert_eq!(changed(|b| b.last_lsn = None), Err(Unplannable::NoLsn("LastLSN")));
        let without_checkpoint = changed(|b| {
            b.backup_type = BackupType::Full;
            b.checkpoint_lsn = None;
        });
        assert_eq!(without_checkpoint, Err(Unplannable::NoLsn("CheckpointLSN")));
        assert_eq!(
            changed(|b| b.backup_start_date = None),
            Err(Unplannable::NoStartDate)
        );
        let baseless = changed(|b| {
            b.differential_base_guid = Some(Uuid::nil());
            b.differential_base_lsn = Some(Lsn::ZERO);
        });
        assert_eq!(baseless, Err(Unplannable::NoBase));
        let backwards = changed(|b| b.first_lsn = lsn(322_000_000_237_600_001));
        assert!(matches!(backwards, Err(Unplannable::Backwards { .. })));
        // February 2023 had 28 days.
        let impossible = changed(|b| b.backup_finish_date = Some(time(30, 1)));
        assert_eq!(
            impossible.unwrap_err().to_string(),
            "its BackupFinishDate 2023-02-30T01:30:05 is no date of the calendar"
        );
    }

    #[test]
    fn a_log_may_be_empty() {
        let set = changed(|b| {
            b.backup_type = BackupType::Log;
            b.first_lsn = b.last_lsn;
        });
        assert!(set.unwrap().is_empty_log());
    }

    #[test]
    fn what_was_never_finished_is_never_planned() {
        let set = changed(|b| b.backup_finish_date = None).unwrap();
        assert_eq!(set.grade, Grade::None);
        assert_eq!(set.clock.finish, set.clock.start);
    }

    #[test]
    fn zeros_are_no_identities() {
        let set = changed(|b| {
            b.backup_set_guid = Some(Uuid::nil());
            b.recovery_fork_id = Some(Uuid::nil());
        });
        let set = set.unwrap();
        assert_eq!(set.guid, None);
        assert_eq!(set.fork.id, Uuid::from_u128(2), "the family stands in");
        let set = changed(|b| {
            b.recovery_fork_id = None;
            b.family_guid = None;
        });
        assert_eq!(set.unwrap().fork.id, Uuid::nil());
    }

    #[test]
    fn a_fork_has_an_origin_only_where_another_fork_and_the_point_are_named() {
        let origin = |first: Option<u128>, point: Option<u128>| {
            let set = changed(|b| {
                b.first_recovery_fork_id = first.map(Uuid::from_u128);
                b.fork_point_lsn = point.and_then(Lsn::from_decimal);
            });
            set.unwrap().fork.origin
        };
        let point = 300_000_000_000_100_001;
        assert_eq!(origin(Some(3), Some(point)), None, "the same fork");
        assert_eq!(origin(Some(9), None), None);
        assert_eq!(origin(Some(9), Some(0)), None);
        assert_eq!(origin(Some(0), Some(point)), None);
        assert_eq!(
            origin(Some(9), Some(point)),
            Some(ForkOrigin {
                parent: Uuid::from_u128(9),
                point: lsn(point).unwrap(),
            })
        );
    }

    #[test]
    fn an_offset_beyond_all_clocks_is_none() {
        let offset = |minutes| {
            let set = changed(|b| b.time_zone_offset_minutes = Some(minutes));
            set.unwrap().clock.offset_minutes
        };
        assert_eq!(offset(-840), Some(-840));
        // 127 quarters of an hour: "unknown" in msdb.
        assert_eq!(offset(127 * 15), None);
    }
}
