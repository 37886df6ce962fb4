//! What a script says of itself: comment lines for whoever reads it before running it.

use super::words::remark;
use super::{Device, End, Move, Order, Source};
use crate::grade::Grade;
use crate::plan::{Plan, Step, Stop};
use crate::set::{Clock, Kind};
use crate::target::{Moment, Target};

/// The longest device name that SQL Server takes, in UTF-16 units (message 3057 beyond).
const DEVICE_NAME_MAX: usize = 259;

/// The head of the script; `is_ascii` is about all the rest of it.
pub(super) fn head(plan: &Plan, order: &Order<'_>, is_ascii: bool) -> String {
    let steps = plan.steps.len();
    let mut lines = vec![
        format!("Written by bac2. Restores {}.", remark(order.database)),
        format!("Target: {}.", target(order.target)),
        format!(
            "Reaches LSN {} at most, in {steps} {} of {} bytes.",
            plan.reaches,
            if steps == 1 { "step" } else { "steps" },
            plan.bytes
        ),
    ];
    lines.extend(order.remarks.iter().map(|line| remark(line)));
    if plan.steps.iter().any(|step| step.grade == Grade::Disputed) {
        lines.push(
            "WARNING: a backup in this script is damaged. Check the restored database with DBCC CHECKDB."
                .to_owned(),
        );
    }
    if order.options.replace {
        lines.push(
            "WARNING: it replaces the database of that name, with whatever of its log is not backed up."
                .to_owned(),
        );
    }
    if !is_ascii {
        lines.push(
            "It names things beyond ASCII: keep it in UTF-8, and run it with sqlcmd -f 65001.".to_owned(),
        );
    }
    lines.push("Run it whole: it stops at the first statement that fails.".to_owned());
    written(&lines)
}

/// What stands above a step.
pub(super) fn step(number: usize, count: usize, step: &Step, source: &Source<'_>, moves: &[&Move]) -> String {
    let set = source.set;
    let kind = match step.kind {
        Kind::Full => "full backup",
        Kind::Differential(_) => "differential backup",
        Kind::Log => "log backup",
    };
    let mut lines = vec![format!(
        "Step {number} of {count}: {kind}, {}, LSN {} to {}.",
        when(&set.clock),
        set.first,
        set.last
    )];
    lines.extend(step.stop.as_ref().map(stop));
    lines.extend(step.only_from.map(|from| {
        format!(
            "Left out where the step before has already got there: the database then stands before LSN {from}, and SQL Server would \
             refuse this log (message 4305)."
        )
    }));
    lines.extend(doubt(step.grade).map(str::to_owned));
    let is_url = source.devices.iter().any(Device::is_url);
    if is_url && source.position != 1 {
        lines.push("WARNING: SQL Server documents FILE as unsupported for Azure URLs.".to_owned());
    }
    let names = source.devices.iter().map(Device::name);
    for name in names.chain(moves.iter().map(|file| file.path.as_str())) {
        let units = name.encode_utf16().count();
        if units > DEVICE_NAME_MAX {
            lines.push(format!(
                "WARNING: this name has {units} characters, SQL Server takes {DEVICE_NAME_MAX}: {}",
                remark(name)
            ));
        }
    }
    written(&lines)
}

/// What stands above the last statement.
pub(super) fn end(end: &End) -> String {
    let line = match end {
        End::Recovered(_) => "Recovery: what was not committed is undone, and the database opens.",
        End::Standby { .. } => "Standby: the database can be read, and further logs can be applied.",
        End::Restoring => "The database is left restoring: further backups can be applied.",
    };
    written(&[line.to_owned()])
}

fn written(lines: &[String]) -> String {
    lines.iter().map(|line| format!("-- {line}\n")).collect()
}

fn when(clock: &Clock) -> String {
    let offset = clock.offset_minutes.map_or(String::new(), |minutes| {
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.unsigned_abs();
        format!(" (UTC{sign}{:02}:{:02})", minutes / 60, minutes % 60)
    });
    format!("{} to {}{offset}", clock.start, clock.finish)
}

fn stop(stop: &Stop) -> String {
    match stop {
        Stop::At(at) => format!(
            "Stops at {} on the clock of the server that wrote this log.",
            super::datetime::at_or_before(*at)
        ),
        Stop::AtLsn(lsn) => format!("Stops behind LSN {lsn}."),
        Stop::BeforeLsn(lsn) => format!("Stops before LSN {lsn}."),
        Stop::AtMark { name, .. } => format!("Stops behind the mark {}.", remark(name)),
    }
}

fn doubt(grade: Grade) -> Option<&'static str> {
    Some(match grade {
        Grade::Proved => return None,
        Grade::EngineVerified => {
            "not proved: SQL Server reported success and verified it, its content could not be read"
        }
        Grade::Accepted => "not proved: SQL Server reported success, its content could not be read",
        Grade::HeadersOnly => "not proved: only its headers were read",
        Grade::Disputed => "not proved: damage was found in it, SQL Server is told to continue after errors",
        Grade::None => "not proved: not known to have succeeded",
    })
}

fn target(target: &Target) -> String {
    match target {
        Target::Moment(moment) => format!("the moment {}", this(moment)),
        Target::Lsn(lsn) => format!("LSN {lsn}, included"),
        Target::BeforeLsn(lsn) => format!("LSN {lsn}, left out"),
        Target::Mark { name, after } => {
            let after = after
                .as_ref()
                .map_or(String::new(), |after| format!(", at or after {}", this(after)));
            format!("the mark {}{after}", remark(name))
        }
        Target::Latest => "as far as the backups go".to_owned(),
        Target::Set(_) => "the end of the last backup below".to_owned(),
    }
}

fn this(moment: &Moment) -> String {
    match moment {
        Moment::Universal(at) => at.to_string(),
        Moment::Local(at) => format!("{at} on the clock of the server that wrote the log"),
    }
}
