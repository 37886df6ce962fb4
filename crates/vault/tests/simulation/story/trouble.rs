//! What goes wrong in a story, and how it ends.

use std::time::Duration;

use super::{Asked, Change, Deed, Stage, minutes, some_database};
use crate::step::Step;
use crate::world::End;
use crate::world::time::Dice;

/// So long after a trouble something may still be late because of it.
const AFTER: Duration = Duration::from_secs(30 * 60);

/// One trouble, with its end.
pub(super) fn trouble(
    dice: &Dice,
    stage: &Stage,
    at: Duration,
    deeds: &mut Vec<(Duration, Deed)>,
    troubled: &mut Vec<(Duration, Duration)>,
) {
    let later = at + Duration::from_secs(1 + dice.below(3600));
    let (first, then) = draw(dice, stage);
    // Half of what may meet a job waits for one.
    let at_step = meets_jobs(&first) && dice.one_in(2);
    let from = if at_step {
        at.saturating_sub(minutes(120)).max(minutes(10))
    } else {
        at
    };
    troubled.push((from, later + AFTER));
    if at_step {
        let (step, delay) = some_step(dice);
        deeds.push((from, Deed::At(step, delay, later - from, Box::new(first))));
    } else {
        deeds.push((from, first));
    }
    deeds.extend(then.map(|then| (later, then)));
}

/// Whether it is worth to let it happen in the midst of a job.
fn meets_jobs(deed: &Deed) -> bool {
    matches!(
        deed,
        Deed::CrashVault
            | Deed::EndServer(..)
            | Deed::CutOff(..)
            | Deed::LoseConnections(_)
            | Deed::DoorDown(_)
            | Deed::DoorRestart(_)
            | Deed::DoorFree(_)
            | Deed::AnswersLost(_)
            | Deed::BlocksDamaged(_)
            | Deed::CatalogTrouble(_)
            | Deed::CatalogFull(_)
            | Deed::Rollback(_)
            | Deed::Recreate(..)
            | Deed::Rename(..)
            | Deed::Suspend(..)
            | Deed::GroupRole(_)
            | Deed::Unprotect(..)
    )
}

/// A step of a job, and a time after it that may be within the step or behind it.
fn some_step(dice: &Dice) -> (Step, Duration) {
    let step = [
        Step::Queued,
        Step::Begun,
        Step::Named,
        Step::Sent,
        Step::Sent,
        Step::Sent,
        Step::Told,
        Step::Told,
        Step::Kept,
    ][dice.below(9) as usize];
    let micros = [0, 0, 200, 1_500, 12_000, 150_000][dice.below(6) as usize];
    (step, Duration::from_micros(micros))
}

/// A trouble and its end.
fn draw(dice: &Dice, stage: &Stage) -> (Deed, Option<Deed>) {
    let (server, number) = some_database(dice, stage);
    let alone = |deed: Deed| (deed, None);
    match dice.below(49) {
        0..=3 => (Deed::CrashVault, Some(Deed::StartVault)),
        4..=6 => (Deed::CrashVaultSoon(1 + dice.below(400)), Some(Deed::StartVault)),
        7 => (
            Deed::EndServer(server, End::Stop),
            Some(Deed::StartServer(server)),
        ),
        8 => (
            Deed::EndServer(server, End::Kill),
            Some(Deed::StartServer(server)),
        ),
        9 => (
            Deed::EndServer(server, End::Power),
            Some(Deed::StartServer(server)),
        ),
        10 => (Deed::CutOff(server, true), Some(Deed::CutOff(server, false))),
        11 => alone(Deed::LoseConnections(server)),
        12 => alone(Deed::LoseNextBackup(server, dice.below(200))),
        13 => (Deed::DoorDown(true), Some(Deed::DoorDown(false))),
        14 => alone(Deed::DoorRestart(dice.one_in(2))),
        15 => (
            Deed::DoorFree(Some(dice.below(1 << 20))),
            Some(Deed::DoorFree(None)),
        ),
        16 => alone(Deed::AnswersLost(1 + dice.below(3) as u32)),
        17 => alone(Deed::BlocksDamaged(1)),
        18 => (
            Deed::CatalogTrouble(Some(4 + dice.below(40))),
            Some(Deed::CatalogTrouble(None)),
        ),
        19 => (Deed::CatalogFull(true), Some(Deed::CatalogFull(false))),
        20 => (Deed::Snapshot(server), Some(Deed::Rollback(server))),
        21 => alone(Deed::VaultClock(jump(dice))),
        22 => alone(Deed::ServerClock(server, jump(dice))),
        23 => (
            Deed::Recovery(server, number, false),
            Some(Deed::Recovery(server, number, true)),
        ),
        24 => {
            let foreign = [Asked::Full, Asked::Log, Asked::Differential, Asked::CopyOnly];
            alone(Deed::Foreign(server, number, foreign[dice.below(4) as usize]))
        }
        25 => alone(Deed::Recreate(server, number)),
        26 => alone(Deed::Rename(server, number)),
        27 | 47 | 48 => alone(Deed::ChangePolicy(match dice.below(4) {
            0 => Change::LogDays(7 + dice.below(20) as u32),
            1 => Change::Jitter(dice.below(12) as i64),
            2 => Change::FullAt(dice.below(24 * 60) as u16),
            _ => Change::LogEvery([60, 120, 240][dice.below(3) as usize]),
        })),
        28 => (
            Deed::Suspend(server, number, true),
            Some(Deed::Suspend(server, number, false)),
        ),
        29..=31 => {
            let is_back = !dice.one_in(3);
            let then = is_back.then_some(Deed::Undelete(server, number));
            (Deed::Unprotect(server, number, !dice.one_in(3)), then)
        }
        32 => alone(Deed::TakeOver(server, number)),
        33..=34 => alone(Deed::NewDatabase(server, dice.one_in(3))),
        35 => alone(Deed::Reregister(server)),
        36..=37 => (Deed::Spare(true), Some(Deed::Spare(false))),
        38 => alone(Deed::OtherVault(server)),
        39 if stage.is_group => (Deed::GroupRole("secondary"), Some(Deed::GroupRole("primary"))),
        40 if stage.is_group => (Deed::GroupRole("resolving"), Some(Deed::GroupRole("primary"))),
        41 if stage.is_group => (
            Deed::GroupPreference("secondary"),
            Some(Deed::GroupPreference("primary")),
        ),
        39..=40 => alone(Deed::Rot),
        _ => fault(dice, server),
    }
}

fn jump(dice: &Dice) -> i64 {
    let size = 1 + dice.below(2 * 3600) as i64;
    if dice.one_in(2) { size } else { -size }
}

fn fault(dice: &Dice, server: usize) -> (Deed, Option<Deed>) {
    let (first, then) = [
        (
            "network lost vault.test after 300000 bytes",
            "network back vault.test",
        ),
        ("network slow vault.test 400ms", "network back vault.test"),
        ("network expired vault.test", "network back vault.test"),
        ("instance faulty", "instance well"),
        ("kill after 200000 bytes to vault.test", ""),
    ][dice.below(5) as usize];
    let then = match then {
        "" => Deed::StartServer(server),
        then => Deed::Fault(server, then),
    };
    (Deed::Fault(server, first), Some(then))
}
