//! Recovery points as a planner of restores sees them: the one way from a [`Point`] to a [`chain::Set`].
//!
//! What is not known is told as the worse of the two: times as cut to whole seconds, which they are in headers and in `msdb` alike, so
//! that no data backup stands for a moment; an offset that no clock has as none; a point without a recovery fork as one on the fork
//! of its family.
//!
//! Deliberately absent: whether a point may be used at all (deleted, held back); who asks knows that.

use bak::{Lsn, RecoveryModel};
use catalog::record::{Grade, Point};
use chain::{Clock, DifferentialBase, Families, Fork, ForkOrigin, Grain, Kind, Set, SetId};
use faults::{Code, Fault};
use schedule::BackupKind;
use uuid::Uuid;

/// No clock is further from UTC, in minutes.
const OFFSET_MAX: i16 = 840;

/// The set of a point, under a number of the caller's.
///
/// # Errors
/// `Bac2InternalError`: what is written of it cannot be planned with (an LSN that is none, LSNs the wrong way round, a differential
/// without a base).
pub(crate) fn set_of(point: &Point, id: SetId) -> Result<Set, Fault> {
    let facts = &point.set;
    let lsn = |name: &str, text: &str| {
        text.parse::<Lsn>()
            .map_err(|_| unusable(point, &format!("its {name} '{text}' is no LSN")))
    };
    let optional = |name: &str, text: Option<&String>| {
        let found = text.map(|text| lsn(name, text)).transpose()?;
        Ok::<_, Fault>(found.and_then(Lsn::non_zero))
    };
    let (first, last) = (
        lsn("FirstLSN", &facts.first_lsn)?,
        lsn("LastLSN", &facts.last_lsn)?,
    );
    if first > last {
        return Err(unusable(point, "its FirstLSN lies behind its LastLSN"));
    }
    let base_lsn = optional("base", facts.base_lsn.as_ref())?;
    let family = non_nil(facts.family_guid);
    let fork = non_nil(Some(facts.fork)).or(family).unwrap_or(Uuid::nil());
    let left = non_nil(facts.first_fork).filter(|parent| *parent != fork);
    let fork_point = optional("ForkPointLSN", facts.fork_point.as_ref())?;
    Ok(Set {
        id,
        guid: non_nil(Some(facts.guid)),
        kind: kind_of(point, base_lsn)?,
        first,
        last,
        checkpoint: lsn("CheckpointLSN", &facts.checkpoint_lsn)?,
        fork: Fork {
            id: fork,
            origin: left
                .zip(fork_point)
                .map(|(parent, point)| ForkOrigin { parent, point }),
        },
        log_chain_began: facts.begins_log_chain.then_some(first),
        clock: Clock {
            start: facts.started,
            finish: facts.finished,
            grain: Grain::Second,
            offset_minutes: facts
                .offset_minutes
                .filter(|minutes| (-OFFSET_MAX..=OFFSET_MAX).contains(minutes)),
            last_restorable: facts.last_restorable,
        },
        model: match facts.recovery_model.as_str() {
            "BULK_LOGGED" => RecoveryModel::BulkLogged,
            "SIMPLE" => RecoveryModel::Simple,
            _ => RecoveryModel::Full,
        },
        is_bulk_logged: facts.is_bulk_logged,
        is_copy_only: facts.is_copy_only || point.kind == BackupKind::CopyOnlyFull,
        // All stripes are the vault's; a point of which one is gone is disputed.
        families: Families {
            count: facts.families.max(1),
            missing: Box::default(),
        },
        bytes: point.bytes,
        grade: grade_of(point.grade),
        log: facts
            .log
            .as_deref()
            .and_then(|log| serde_json::from_str(log).ok())
            .map(Box::new),
    })
}

/// The grade of a point as a planner has it.
pub(crate) fn grade_of(grade: Grade) -> chain::Grade {
    match grade {
        Grade::Proved => chain::Grade::Proved,
        Grade::EngineVerified => chain::Grade::EngineVerified,
        Grade::Accepted => chain::Grade::Accepted,
        Grade::Disputed => chain::Grade::Disputed,
    }
}

fn kind_of(point: &Point, base: Option<Lsn>) -> Result<Kind, Fault> {
    match point.kind {
        BackupKind::Full | BackupKind::CopyOnlyFull => Ok(Kind::Full),
        BackupKind::Log => Ok(Kind::Log),
        BackupKind::Differential => {
            let guid = non_nil(point.set.base_guid);
            if guid.is_none() && base.is_none() {
                return Err(unusable(point, "it is a differential, and names no base"));
            }
            let lsn = base.unwrap_or(Lsn::ZERO);
            Ok(Kind::Differential(DifferentialBase { guid, lsn }))
        }
    }
}

fn non_nil(guid: Option<Uuid>) -> Option<Uuid> {
    guid.filter(|guid| !guid.is_nil())
}

fn unusable(point: &Point, why: &str) -> Fault {
    Fault::new(Code::Bac2InternalError)
        .at(&format!("recovery point {}", point.id))
        .because(why)
}

#[cfg(test)]
pub(crate) mod tests {
    use bak::{BackupSet, BackupType, LocalTime, Lsn, RecoveryModel};
    use catalog::record::{ContainerId, DatabaseId, Grade, ItemId, Point, PointId, PolicyId};
    use chain::{Families, Known, Set, SetId};
    use schedule::BackupKind;
    use uuid::Uuid;

    use super::set_of;
    use crate::backup::{Header, of_header};

    const KINDS: [(BackupType, BackupKind); 3] = [
        (BackupType::Full, BackupKind::Full),
        (BackupType::Differential, BackupKind::Differential),
        (BackupType::Log, BackupKind::Log),
    ];

    /// A header that names everything.
    fn header(backup_type: BackupType) -> BackupSet {
        let lsn = |decimal: u128| Lsn::from_decimal(decimal);
        let at = |minute| LocalTime {
            year: 2026,
            month: 2,
            day: 18,
            hour: 20,
            minute,
            second: 5,
        };
        BackupSet {
            position: 1,
            backup_type,
            backup_name: String::new(),
            backup_description: String::new(),
            user_name: String::new(),
            machine_name: String::new(),
            server_name: String::new(),
            database_name: "d".to_owned(),
            software_version: "15.0.4102".parse().unwrap(),
            database_version: 904,
            compatibility_level: 150,
            recovery_model: RecoveryModel::BulkLogged,
            compressed: false,
            has_backup_checksums: true,
            is_copy_only: false,
            first_lsn: lsn(315_000_007_756_600_001),
            last_lsn: lsn(322_000_000_237_600_001),
            checkpoint_lsn: lsn(322_000_000_236_800_001),
            database_backup_lsn: lsn(289_000_004_658_900_001),
            differential_base_lsn: lsn(289_000_004_658_900_001),
            fork_point_lsn: lsn(300_000_004_658_900_001),
            backup_set_guid: Some(Uuid::from_u128(1)),
            binding_id: Some(Uuid::from_u128(6)),
            family_guid: Some(Uuid::from_u128(2)),
            recovery_fork_id: Some(Uuid::from_u128(3)),
            first_recovery_fork_id: Some(Uuid::from_u128(5)),
            differential_base_guid: Some(Uuid::from_u128(4)),
            backup_start_date: Some(at(30)),
            backup_finish_date: Some(at(31)),
            database_creation_date: None,
            time_zone_offset_minutes: Some(120),
            backup_size: 1,
            complete: true,
            files: Vec::new(),
            has_bulk_logged_data: true,
            log_chain_lsn: None,
        }
    }

    /// A full backup's point, for tests of what is done with points.
    pub(crate) fn full_point() -> Point {
        point(&header(BackupType::Full), BackupKind::Full, Grade::Proved)
    }

    fn point(header: &BackupSet, kind: BackupKind, grade: Grade) -> Point {
        let facts = of_header(&Header {
            set: header,
            log: None,
            families: 2,
        });
        Point {
            id: PointId(Uuid::from_u128(1)),
            item: ItemId(Uuid::from_u128(2)),
            database: DatabaseId(Uuid::from_u128(3)),
            job: None,
            policy: PolicyId(Uuid::from_u128(4)),
            container: ContainerId(Uuid::from_u128(5)),
            blobs: vec!["a".to_owned(), "b".to_owned()],
            kind,
            set: facts.unwrap(),
            grade,
            reasons: Vec::new(),
            taken: None,
            origin: None,
            ended: "2026-02-18T20:31:05Z".parse().unwrap(),
            bytes: 4096,
            keep_until: None,
            deletion: None,
        }
    }

    /// What `chain` itself makes of the header.
    fn expected(header: &BackupSet, grade: chain::Grade) -> Set {
        let known = Known {
            id: SetId(7),
            grade,
            families: Families {
                count: 2,
                missing: Box::default(),
            },
            bytes: 4096,
            log: None,
        };
        Set::from_backup(header, known).unwrap()
    }

    #[test]
    fn a_point_is_the_set_that_its_header_describes() {
        let changes: [fn(&mut BackupSet); 7] = [
            |_| {},
            |set| set.is_copy_only = set.backup_type == BackupType::Full,
            |set| set.recovery_fork_id = None,
            |set| set.first_recovery_fork_id = set.recovery_fork_id,
            |set| set.fork_point_lsn = None,
            |set| set.time_zone_offset_minutes = Some(127 * 15),
            |set| set.differential_base_guid = Some(Uuid::nil()),
        ];
        for (backup_type, kind) in KINDS {
            for change in changes {
                let mut header = header(backup_type);
                change(&mut header);
                let point = point(&header, kind, Grade::Proved);
                let set = set_of(&point, SetId(7)).unwrap();
                assert_eq!(set, expected(&header, chain::Grade::Proved), "{header:?}");
            }
        }
    }

    #[test]
    fn grades_and_the_beginning_of_a_chain_come_with_it() {
        let header = header(BackupType::Log);
        for (grade, planned) in [
            (Grade::Proved, chain::Grade::Proved),
            (Grade::EngineVerified, chain::Grade::EngineVerified),
            (Grade::Accepted, chain::Grade::Accepted),
            (Grade::Disputed, chain::Grade::Disputed),
        ] {
            let mut point = point(&header, BackupKind::Log, grade);
            assert_eq!(set_of(&point, SetId(1)).unwrap().grade, planned);
            point.set.begins_log_chain = true;
            let began = set_of(&point, SetId(1)).unwrap().log_chain_began;
            assert_eq!(began, header.first_lsn);
        }
    }

    #[test]
    fn what_cannot_be_planned_with_is_told() {
        let header = header(BackupType::Differential);
        let broken: [fn(&mut Point); 4] = [
            |point| point.set.first_lsn = "none".to_owned(),
            |point| std::mem::swap(&mut point.set.first_lsn, &mut point.set.last_lsn),
            |point| point.set.checkpoint_lsn = String::new(),
            |point| (point.set.base_guid, point.set.base_lsn) = (None, None),
        ];
        for change in broken {
            let mut point = point(&header, BackupKind::Differential, Grade::Proved);
            change(&mut point);
            assert!(set_of(&point, SetId(1)).is_err(), "{point:?}");
        }
    }
}
