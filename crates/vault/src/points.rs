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
