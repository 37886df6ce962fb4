//! A history for people.

use std::fmt::Write;

use chain::{Coverage, Kind};

use crate::world::World;

/// The whole history, as text.
pub(crate) fn render(world: &World) -> String {
    let mut text = String::new();
    let mut put = |line: String| writeln!(text, "{line}").expect("a string grows");
    put(format!("zone known to the planner: {:?}", world.zone));
    for told in &world.story {
        put(format!("  {told}"));
    }
    for (number, line) in world.lines.iter().enumerate() {
        put(format!(
            "line {number}, fork {}, {:?}:",
            line.fork.as_u128(),
            line.parted
        ));
        let records = line.records.iter().map(|record| {
            let at = record.at.map_or_else(String::new, |at| {
                format!("@{}", &crate::world::civil(at.utc).to_string()[5..])
            });
            format!(
                "{}#{}{at}{}",
                record.lsn,
                record.content,
                if record.is_bulk { " bulk" } else { "" }
            )
        });
        put(format!("    {}", records.collect::<Vec<_>>().join(" ")));
    }
    let mut made: Vec<_> = world.made.iter().collect();
    made.sort_by_key(|made| (made.set.last, made.set.first, made.set.id));
    for made in made {
        let set = &made.set;
        let kind = match set.kind {
            Kind::Full if set.is_copy_only => "copy-only".to_owned(),
            Kind::Full => "full".to_owned(),
            Kind::Differential(base) => format!("diff of {:?}", base.guid.map(|guid| guid.as_u128())),
            Kind::Log if set.is_bulk_logged => "bulk log".to_owned(),
            Kind::Log => "log".to_owned(),
        };
        let origin = set
            .fork
            .origin
            .map(|origin| format!(" from {} at {}", origin.parent.as_u128(), origin.point));
        put(format!(
            "set {:3} {kind:12} [{} {}) ckpt {} fork {}{} {}..{} {:?}{} {:?} {} B missing {:?} of {} guid {:?} chain {:?} log {} line {}",
            set.id.0,
            set.first,
            set.last,
            set.checkpoint,
            set.fork.id.as_u128(),
            origin.unwrap_or_default(),
            set.clock.start,
            set.clock.finish,
            set.clock.offset_minutes,
            set.clock
                .last_restorable
                .map_or_else(String::new, |at| format!(" last {at}")),
            set.grade,
            set.bytes,
            set.families.missing,
            set.families.count,
            set.guid.map(|guid| guid.as_u128()),
            set.log_chain_began.map(|began| began.to_string()),
            if set.log.is_some() { "read" } else { "not read" },
            made.line,
        ));
    }
    text
}

/// A coverage in few lines.
pub(crate) fn coverage(coverage: &Coverage) -> String {
    let mut text = String::new();
    let mut put = |line: String| writeln!(text, "{line}").expect("a string grows");
    for branch in &coverage.branches {
        let parent = branch
            .parent
            .map(|(parent, point)| format!("{} at {point}", parent.0));
        let (fork, history) = (branch.fork.as_u128(), branch.history);
        put(format!(
            "branch {}: fork {fork}, history {history}, left {parent:?}, {:?}",
            branch.id.0, branch.evidence
        ));
    }
    for span in &coverage.spans {
        let times = span.times.map(|times| format!("{} to {}", times.from, times.to));
        put(format!(
            "  {} span [{} {}] {times:?}",
            span.branch.0, span.from, span.to
        ));
    }
    for hole in &coverage.holes {
        put(format!(
            "  {} hole ({} {}) {:?}",
            hole.branch.0, hole.from, hole.to, hole.reason
        ));
    }
    text
}
