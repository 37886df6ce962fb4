//! A plan to write down: its sets, where they are, and what is asked.

use bak::{Lsn, RecoveryModel};
use chain::tsql::{Device, Options, Order, Source, Unwritable, script};
use chain::{
    BranchId, Clock, DifferentialBase, Families, Fork, Grade, Grain, Kind, Plan, Set, SetId, Step, Stop,
    Target,
};
use jiff::civil::{DateTime, date};
use uuid::Uuid;

pub(crate) const DIFFERENTIAL: Kind = Kind::Differential(DifferentialBase {
    guid: None,
    lsn: Lsn::ZERO,
});

/// A plan with all that a script takes.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) database: String,
    pub(crate) target: Target,
    pub(crate) remarks: Vec<String>,
    pub(crate) options: Options,
    pub(crate) plan: Plan,
    pub(crate) sets: Vec<Set>,
    /// Of each step: devices, position, checksums, moves.
    pub(crate) places: Vec<Place>,
}

/// Where a set lies.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) devices: Vec<Device>,
    pub(crate) position: u16,
    pub(crate) has_checksums: bool,
    pub(crate) moves: Vec<chain::tsql::Move>,
}

impl Story {
    /// A plan of these kinds, each set in a file of its own on disk.
    pub(crate) fn of(kinds: &[Kind]) -> Self {
        let numbered = || (1_u32..).zip(kinds);
        let steps = numbered().map(|(number, kind)| Step {
            set: SetId(u64::from(number)),
            kind: *kind,
            grade: Grade::Proved,
            stop: None,
            only_from: None,
        });
        let places = numbered().map(|(number, _)| Place {
            devices: vec![Device::Disk(format!("/backup/{number}.bak"))],
            position: 1,
            has_checksums: false,
            moves: Vec::new(),
        });
        Self {
            database: "Sales".to_owned(),
            target: Target::Latest,
            remarks: Vec::new(),
            options: Options::default(),
            plan: Plan {
                steps: steps.collect(),
                branch: BranchId(0),
                reaches: lsn(900),
                bytes: 1,
            },
            sets: numbered().map(|(number, kind)| set(number, *kind)).collect(),
            places: places.collect(),
        }
    }

    pub(crate) fn stop(mut self, step: usize, stop: Stop) -> Self {
        self.plan.steps[step].stop = Some(stop);
        self
    }

    pub(crate) fn write(&self) -> Result<String, Unwritable> {
        let sources: Vec<Source<'_>> = self
            .sets
            .iter()
            .zip(&self.places)
            .map(|(set, place)| Source {
                set,
                devices: place.devices.clone(),
                position: place.position,
                has_checksums: place.has_checksums,
                moves: place.moves.clone(),
            })
            .collect();
        let order = Order {
            database: &self.database,
            target: &self.target,
            remarks: &self.remarks,
            options: self.options.clone(),
        };
        script(&self.plan, &sources, &order)
    }

    pub(crate) fn text(&self) -> String {
        self.write().expect("a plan that can be written")
    }
}

pub(crate) fn lsn(block: u32) -> Lsn {
    Lsn {
        vlf: 37,
        block,
        slot: 1,
    }
}

pub(crate) fn at(hour: i8, minute: i8, second: i8, nanosecond: i32) -> DateTime {
    date(2026, 3, 4).at(hour, minute, second, nanosecond)
}

fn set(number: u32, kind: Kind) -> Set {
    Set {
        id: SetId(u64::from(number)),
        guid: Some(Uuid::from_u128(u128::from(number))),
        kind,
        first: lsn(100 * number),
        last: lsn(100 * (number + 1)),
        checkpoint: lsn(100 * number),
        fork: Fork {
            id: Uuid::from_u128(1),
            origin: None,
        },
        log_chain_began: None,
        clock: Clock {
            start: at(10, 0, 0, 0),
            finish: at(10, 1, 0, 0),
            grain: Grain::Exact,
            offset_minutes: None,
            last_restorable: None,
        },
        model: RecoveryModel::Full,
        is_bulk_logged: false,
        is_copy_only: false,
        families: Families::single(),
        bytes: 1,
        grade: Grade::Proved,
        log: None,
    }
}
