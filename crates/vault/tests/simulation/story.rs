//! What happens in one run: drawn from a seed, in the order of its times. A story knows nothing of the vault.

mod deed;
mod trouble;

use std::time::Duration;

pub(crate) use deed::{Asked, Change, Deed};
use schedule::calendar::Weekday;
use simsql::instance::Version;

use crate::world::time::Dice;

/// The stage.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// Instances: their databases, each with whether it is under FULL.
    pub(crate) servers: Vec<Vec<bool>>,
    /// Their versions.
    pub(crate) versions: Vec<Version>,
    /// Whether whatever is on an instance is protected by itself.
    pub(crate) auto: Vec<bool>,
    /// When backups are due at first, and in the calm.
    pub(crate) terms: Terms,
    /// When the differential is due, in minutes after midnight, where there is one. Then fulls are weekly.
    pub(crate) differential_at: Option<u16>,
    /// Days of the fulls where they are weekly, and of the differentials: one full is in the calm.
    pub(crate) full_on: Weekday,
    pub(crate) differential_on: [Weekday; 2],
    /// Statements go on when their client is gone.
    pub(crate) goes_on: bool,
    /// Jobs at once: in the vault, on an instance, of the policy on an instance.
    pub(crate) at_once: (u32, u32, u32),
    /// Stripes of a backup at most.
    pub(crate) stripes: u32,
    /// Another tool backed the first database up before the vault came.
    pub(crate) is_foreign: bool,
    /// The first database is in an availability group.
    pub(crate) is_group: bool,
    /// It lasts until what was deleted is over.
    pub(crate) is_long: bool,
}

/// When backups are due, as far as it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Minutes between log backups.
    pub(crate) log_minutes: i64,
    /// When the full is due, in minutes after midnight.
    pub(crate) full_at: u16,
    /// Minutes over which starts are spread.
    pub(crate) jitter_minutes: i64,
    /// Days for which logs are kept.
    pub(crate) log_days: u32,
}

/// The story.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) stage: Stage,
    /// What happens when, in order.
    pub(crate) deeds: Vec<(Duration, Deed)>,
    /// When something may be in trouble, or has been until lately.
    pub(crate) troubled: Vec<(Duration, Duration)>,
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
        let trouble_ends = minutes(180 + dice.below(240));
        let stage = stage(&dice, trouble_ends);
        let (mut deeds, mut troubled) = (Vec::new(), Vec::new());
        for _ in 0..6 + dice.below(10) {
            let at = minutes(10) + Duration::from_secs(dice.below(trouble_ends.as_secs() - 600));
            trouble::trouble(&dice, &stage, at, &mut deeds, &mut troubled);
        }
        let calm = minutes(if stage.is_long { 17 * 24 * 60 } else { 26 * 60 });
        work(&dice, &stage, (trouble_ends, trouble_ends + calm), &mut deeds);
        deeds.sort_by_key(|(at, _)| *at);
        Self {
            stage,
            deeds,
            troubled,
            trouble_ends,
            calm,
        }
    }
}

fn stage(dice: &Dice, trouble_ends: Duration) -> Stage {
    let is_long = dice.one_in(12);
    let servers = if is_long { 1 } else { 1 + dice.below(2) };
    let servers: Vec<Vec<bool>> = (0..servers)
        .map(|_| (0..1 + dice.below(2)).map(|_| !dice.one_in(6)).collect())
        .collect();
    let versions = [
        Version::V2012,
        Version::V2014,
        Version::V2016,
        Version::V2017,
        Version::V2019,
        Version::V2022,
        Version::V2022,
    ];
    let full_at = dice.below(24 * 60) as u16;
    // Stories begin on a Thursday at midnight.
    let (full_on, other) = match minutes(u64::from(full_at)) > trouble_ends + minutes(15) {
        true => (Weekday::Thursday, Weekday::Friday),
        false => (Weekday::Friday, Weekday::Thursday),
    };
    let at_once = [(64, 20, 20), (2, 20, 20), (64, 1, 20), (64, 20, 1), (3, 2, 2)];
    let is_group = servers[0][0] && dice.one_in(4);
    let version = |number: usize| match versions[dice.below(7) as usize] {
        // Groups of these versions are another product's.
        Version::V2012 | Version::V2014 if number == 0 && is_group => Version::V2019,
        version => version,
    };
    Stage {
        versions: (0..servers.len()).map(version).collect(),
        auto: servers.iter().map(|_| dice.one_in(4)).collect(),
        servers,
        terms: Terms {
            log_minutes: if is_long {
                1440
            } else {
                [60, 120, 120, 240][dice.below(4) as usize]
            },
            full_at,
            jitter_minutes: dice.below(6) as i64,
            log_days: 15,
        },
        full_on,
        differential_on: [other, Weekday::Saturday],
        differential_at: dice.one_in(2).then(|| dice.below(24 * 60) as u16),
        goes_on: dice.one_in(2),
        at_once: at_once[dice.below(5) as usize],
        stripes: [1, 1, 2, 3][dice.below(4) as usize],
        is_foreign: dice.one_in(6),
        is_group,
        is_long,
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
        if at < calm_from && dice.one_in(6) {
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
        } else if stage.is_long {
            minutes(600 + dice.below(600))
        } else {
            minutes(30 + dice.below(90))
        };
    }
}

fn some_database(dice: &Dice, stage: &Stage) -> (usize, usize) {
    let server = dice.below(stage.servers.len() as u64) as usize;
    (server, dice.below(stage.servers[server].len() as u64) as usize)
}
