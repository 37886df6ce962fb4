//! The rules of SQL Server's RESTORE, applied to what backups truly hold.
//!
//! The engine knows LSNs, forks and GUIDs, as the real one does, and nothing of hidden histories: it mixes them, and the content tells.
//! A statement fails with the number of the message that SQL Server would raise, as far as the facts name one.

use bak::Lsn;
use chain::{Grade, Kind, Plan, Step, Stop};
use uuid::Uuid;

use crate::world::{Made, World, from_civil};

/// A database that is being restored.
#[derive(Debug)]
pub(crate) struct Engine<'w> {
    world: &'w World,
    /// The records in it: number and time of commit.
    pub(crate) content: Vec<u32>,
    /// The next record that it needs.
    pub(crate) position: Lsn,
    fork: Uuid,
    /// The data backup it stands on, while nothing else was applied.
    base: Option<u32>,
    /// When the newest data backup in it was finished, by its server's clock, and how far that was ahead of UTC.
    finished: Option<(i64, Option<i16>)>,
    /// The stop that was reached.
    stopped: Option<Stop>,
}

impl<'w> Engine<'w> {
    /// Runs a plan.
    pub(crate) fn run(world: &'w World, plan: &Plan) -> Result<Self, String> {
        let mut engine = Self {
            world,
            content: Vec::new(),
            position: Lsn::ZERO,
            fork: Uuid::nil(),
            base: None,
            finished: None,
            stopped: None,
        };
        for (number, step) in plan.steps.iter().enumerate() {
            let at = world
                .index_of(step.set)
                .ok_or_else(|| format!("step {number}: no such set"))?;
            engine
                .apply(number, step, &world.made[at])
                .map_err(|why| format!("step {number} (set {}): {why}", step.set.0))?;
        }
        if plan.steps.is_empty() {
            return Err("a plan without a step".to_owned());
        }
        Ok(engine)
    }

    fn apply(&mut self, number: usize, step: &Step, made: &Made) -> Result<(), String> {
        let set = &made.set;
        if !set.families.missing.is_empty() {
            return Err("3132: a media family is missing".to_owned());
        }
        if set.grade == Grade::None {
            return Err("3256: the set was not completed".to_owned());
        }
        if step.grade != set.grade || step.kind != set.kind {
            return Err("the step says another grade or kind than the set".to_owned());
        }
        match set.kind {
            Kind::Full if number > 0 => Err("a full in the middle of a plan".to_owned()),
            Kind::Full => self.data(step, made),
            Kind::Differential(_) if number != 1 || made.base.is_none() || self.base != made.base => {
                Err("3136: the differential is relative to another full".to_owned())
            }
            Kind::Differential(_) => self.data(step, made),
            Kind::Log if number == 0 => Err("3118: a log without a data backup".to_owned()),
            Kind::Log => self.log(step, made),
        }
    }

    fn data(&mut self, step: &Step, made: &Made) -> Result<(), String> {
        if step.stop.is_some() {
            return Err("a data backup cannot stop".to_owned());
        }
        let records = &self.world.lines[made.line].records;
        self.content = records[..made.to].iter().map(|record| record.content).collect();
        self.position = made.set.last;
        self.fork = made.set.fork.id;
        self.base = Some(made.backup);
        self.finished = Some((from_civil(made.set.clock.finish), made.set.clock.offset_minutes));
        Ok(())
    }

    fn log(&mut self, step: &Step, made: &Made) -> Result<(), String> {
        let set = &made.set;
        if let Some(stopped) = &self.stopped {
            let goes_on =
                matches!((stopped, &step.stop), (Stop::At(one), Some(Stop::At(other))) if one == other);
            return goes_on
                .then_some(())
                .ok_or_else(|| "4305: the log before it was stopped earlier".to_owned());
        }
        if self.position < set.first {
            return Err("4305: the log begins too late".to_owned());
        }
        if set.last < self.position {
            return Err("4326: the log ends too early".to_owned());
        }
        if fork_at(made, self.position) != self.fork {
            return Err("the log is of another recovery fork".to_owned());
        }
        if set.is_bulk_logged && step.stop.is_some() {
            return Err("4341: a log with bulk-logged changes cannot stop".to_owned());
        }
        // Whether it compares times of different offsets as they are written is not known; nothing is held to that.
        if let (Some(Stop::At(moment)), Some((finished, offset))) = (&step.stop, self.finished)
            && from_civil(*moment) < finished
            && offset == set.clock.offset_minutes
        {
            return Err("4335: the data is newer than the stop".to_owned());
        }
        self.base = None;
        self.roll(step.stop.as_ref(), made)
    }

    /// Applies records from where the database stands up to the stop.
    fn roll(&mut self, stop: Option<&Stop>, made: &Made) -> Result<(), String> {
        let set = &made.set;
        let end = match stop {
            None | Some(Stop::At(_)) => set.last,
            Some(Stop::AtLsn(x)) if *x < self.position || set.last <= *x => {
                return Err("4335: the record is not in this log".to_owned());
            }
            Some(Stop::AtLsn(x)) => after(*x),
            Some(Stop::BeforeLsn(x)) if *x < self.position || set.last < *x => {
                return Err("4335: the record is not in this log".to_owned());
            }
            Some(Stop::BeforeLsn(x)) => *x,
            Some(Stop::AtMark { .. }) => return Err("no mark was asked for".to_owned()),
        };
        for record in &self.world.lines[made.line].records[made.from..made.to] {
            if record.lsn < self.position {
                continue;
            }
            if end <= record.lsn {
                break;
            }
            if let (Some(Stop::At(moment)), Some(at)) = (stop, record.at)
                && at.local > from_civil(*moment)
            {
                self.stopped = stop.cloned();
                self.position = record.lsn;
                return Ok(());
            }
            self.content.push(record.content);
        }
        self.fork = fork_at(made, end);
        self.position = end;
        Ok(())
    }
}

/// The fork that the log is on at a position.
fn fork_at(made: &Made, position: Lsn) -> Uuid {
    match made.set.fork.origin {
        Some(origin) if position <= origin.point => origin.parent,
        _ => made.set.fork.id,
    }
}

/// The position behind a record.
pub(crate) fn after(lsn: Lsn) -> Lsn {
    Lsn {
        slot: lsn.slot + 1,
        ..lsn
    }
}
