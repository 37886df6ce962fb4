//! What happens in one run: drawn from a seed, in the order of its times. A story knows nothing of the vault.

use std::time::Duration;

use crate::world::End;
use crate::world::time::Dice;

/// The stage.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// Instances: their databases, each with whether it is under FULL.
    pub(crate) servers: Vec<Vec<bool>>,
    /// Minutes between log backups.
    pub(crate) log_minutes: i64,
    /// When the full is due, in minutes after midnight.
    pub(crate) full_at: u16,
    /// When the differential is due, likewise, where there is one.
    pub(crate) differential_at: Option<u16>,
    /// Minutes over which starts are spread.
    pub(crate) jitter_minutes: i64,
    /// Statements go on when their client is gone.
    pub(crate) goes_on: bool,
}

/// A kind of backup that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Full,
    Differential,
    Log,
    CopyOnly,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    /// Users work.
    Rows(usize, usize, u32),
    /// Somebody wants a backup.
    BackUp(usize, usize, Asked),
    /// Somebody cancels what runs.
    CancelSomething,
    /// Another product takes a backup to a file.
    Foreign(usize, usize, Asked),
    /// The vault's process dies.
    CrashVault,
    /// It will, after so many polls.
    CrashVaultSoon(u64),
    /// It starts, dead or not.
    StartVault,
    /// An instance ends.
    EndServer(usize, End),
    /// It starts where it is down.
    StartServer(usize),
    /// The network to an instance.
    CutOff(usize, bool),
    /// All connections of an instance are lost.
    LoseConnections(usize),
    /// The next backup loses its connection after so many milliseconds.
    LoseNextBackup(usize, u64),
    /// The front door does not answer, or does.
    DoorDown(bool),
    /// The store's process dies and starts again; its machine loses power.
    DoorRestart(bool),
    /// The store's disk has so many bytes left, or plenty.
    DoorFree(Option<u64>),
    /// Answers of the door are lost.
    AnswersLost(u32),
    /// Blocks arrive changed by a bit.
    BlocksDamaged(u32),
    /// The catalog has trouble: one in so many steps.
    CatalogTrouble(Option<u64>),
    /// The catalog has no space, or has.
    CatalogFull(bool),
    /// An instance is kept, or put back, as its machine's snapshot does.
    Snapshot(usize),
    Rollback(usize),
    /// Clocks jump, by seconds.
    VaultClock(i64),
    ServerClock(usize, i64),
    /// Somebody changes the recovery model.
    Recovery(usize, usize, bool),
    /// A line of `sim_fault`.
    Fault(usize, &'static str),
    /// Somebody drops a database, and makes another one under its name.
    Recreate(usize, usize),
    /// A database gets another name.
    Rename(usize, usize),
    /// The policy's retention of logs changes, in days.
    ChangePolicy(u32),
    /// Schedules of a database rest, or run again.
    Suspend(usize, usize, bool),
}

impl Deed {
    /// The word under which it is counted.
    pub(crate) fn word(&self) -> String {
        let text = format!("{self:?}");
        let word = text.split(['(', ' ']).next().unwrap_or_default();
        match self {
            Self::EndServer(_, end) => format!("{word} {end:?}"),
            Self::BackUp(.., asked) | Self::Foreign(.., asked) => format!("{word} {asked:?}"),
            Self::Fault(_, line) => line.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
            _ => word.to_owned(),
        }
    }
}

/// The story.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) stage: Stage,
    /// What happens when, in order.
    pub(crate) deeds: Vec<(Duration, Deed)>,
    /// When trouble ends.
    pub(crate) trouble_ends: Duration,
    /// How long it is calm then.
    pub(crate) calm: Duration,
}

/// The host of an instance.
pub(crate) fn host(server: usize) -> String {
    format!("sql{server}")
}

/// The name of a database.
pub(crate) fn database(server: usize, number: usize) -> String {
    format!("Db {server}{number}")
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

impl Story {
    /// The story of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let dice = Dice::new(seed.wrapping_mul(0x9E37_79B9) ^ 0x57);
        let stage = stage(&dice);
        let trouble_ends = minutes(180 + dice.below(240));
        let mut deeds = Vec::new();
        for _ in 0..6 + dice.below(10) {
            let at = minutes(10) + Duration::from_secs(dice.below(trouble_ends.as_secs() - 600));
            trouble(&dice, &stage, at, &mut deeds);
        }
        let calm = minutes(26 * 60);
        work(&dice, &stage, (trouble_ends, trouble_ends + calm), &mut deeds);
        deeds.sort_by_key(|(at, _)| *at);
        Self {
            stage,
            deeds,
            trouble_ends,
            calm,
        }
    }
}

fn stage(dice: &Dice) -> Stage {
    let servers = (0..1 + dice.below(2)).map(|_| (0..1 + dice.below(2)).map(|_| !dice.one_in(6)).collect());
    Stage {
        servers: servers.collect(),
        log_minutes: [60, 120, 120, 240][dice.below(4) as usize],
        full_at: dice.below(24 * 60) as u16,
        differential_at: dice.one_in(2).then(|| dice.below(24 * 60) as u16),
        jitter_minutes: dice.below(6) as i64,
        goes_on: dice.one_in(2),
    }
}

/// Users work, and ask for backups now and then.
fn work(
    dice: &Dice,
    stage: &Stage,
    (calm_from, until): (Duration, Duration),
    deeds: &mut Vec<(Duration, Deed)>,
) {
    let mut at = minutes(5);
    while at < until {
        let (server, number) = some_database(dice, stage);
        deeds.push((at, Deed::Rows(server, number, 1 + dice.below(8) as u32)));
        if at < calm_from + minutes(60) && dice.one_in(6) {
            let asked = [Asked::Full, Asked::Differential, Asked::Log, Asked::CopyOnly];
            let asked = asked[dice.below(4) as usize];
            deeds.push((at, Deed::BackUp(server, number, asked)));
            if dice.one_in(3) {
                let soon = at + Duration::from_millis(dice.below(3000));
                deeds.push((soon, Deed::CancelSomething));
            }
        }
        at += if at < calm_from {
            minutes(5 + dice.below(25))
        } else {
            minutes(30 + dice.below(90))
        };
    }
}

fn some_database(dice: &Dice, stage: &Stage) -> (usize, usize) {
    let server = dice.below(stage.servers.len() as u64) as usize;
    (server, dice.below(stage.servers[server].len() as u64) as usize)
}

/// One trouble, with its end.
fn trouble(dice: &Dice, stage: &Stage, at: Duration, deeds: &mut Vec<(Duration, Deed)>) {
    let (server, number) = some_database(dice, stage);
    let later = at + Duration::from_secs(1 + dice.below(3600));
    let mut both = |first: Deed, then: Deed| {
        deeds.push((at, first));
        deeds.push((later, then));
    };
    match dice.below(30) {
        0 => both(Deed::CrashVault, Deed::StartVault),
        1..=4 => both(Deed::CrashVaultSoon(1 + dice.below(400)), Deed::StartVault),
        5 => both(Deed::EndServer(server, End::Stop), Deed::StartServer(server)),
        6 => both(Deed::EndServer(server, End::Kill), Deed::StartServer(server)),
        7 => both(Deed::EndServer(server, End::Power), Deed::StartServer(server)),
        8 => both(Deed::CutOff(server, true), Deed::CutOff(server, false)),
        9 => deeds.push((at, Deed::LoseConnections(server))),
        10 => deeds.push((at, Deed::LoseNextBackup(server, dice.below(200)))),
        11 => both(Deed::DoorDown(true), Deed::DoorDown(false)),
        12 => deeds.push((at, Deed::DoorRestart(dice.one_in(2)))),
        13 => both(Deed::DoorFree(Some(dice.below(1 << 20))), Deed::DoorFree(None)),
        14 => deeds.push((at, Deed::AnswersLost(1 + dice.below(3) as u32))),
        15 => deeds.push((at, Deed::BlocksDamaged(1))),
        16 => both(
            Deed::CatalogTrouble(Some(4 + dice.below(40))),
            Deed::CatalogTrouble(None),
        ),
        17 => both(Deed::CatalogFull(true), Deed::CatalogFull(false)),
        18 => both(Deed::Snapshot(server), Deed::Rollback(server)),
        19 => deeds.push((at, Deed::VaultClock(jump(dice)))),
        20 => deeds.push((at, Deed::ServerClock(server, jump(dice)))),
        21 => both(
            Deed::Recovery(server, number, false),
            Deed::Recovery(server, number, true),
        ),
        22 => {
            let foreign = [Asked::Full, Asked::Log, Asked::Differential, Asked::CopyOnly];
            deeds.push((at, Deed::Foreign(server, number, foreign[dice.below(4) as usize])));
        }
        23 => deeds.push((at, Deed::Recreate(server, number))),
        24 => deeds.push((at, Deed::Rename(server, number))),
        25 => deeds.push((at, Deed::ChangePolicy(7 + dice.below(20) as u32))),
        26 => both(
            Deed::Suspend(server, number, true),
            Deed::Suspend(server, number, false),
        ),
        _ => faults(dice, server, at, later, deeds),
    }
}

fn jump(dice: &Dice) -> i64 {
    let size = 1 + dice.below(2 * 3600) as i64;
    if dice.one_in(2) { size } else { -size }
}

fn faults(dice: &Dice, server: usize, at: Duration, later: Duration, deeds: &mut Vec<(Duration, Deed)>) {
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
    deeds.push((at, Deed::Fault(server, first)));
    if then.is_empty() {
        deeds.push((later, Deed::StartServer(server)));
    } else {
        deeds.push((later, Deed::Fault(server, then)));
    }
}
