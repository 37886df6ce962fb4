//! What deleting sets would cost: the stretches that only they hold up.

use bak::Lsn;
use jiff::Timestamp;

use crate::coverage::{Coverage, Span, TimeSpan};

/// What `before` reaches and `after` does not, and why nothing reaches it then.
pub(crate) fn between(before: &Coverage, after: &Coverage) -> Coverage {
    let mut lost: Vec<Span> = Vec::new();
    for span in &before.spans {
        let meets = |left: &&Span| left.branch == span.branch && left.to >= span.from && left.from <= span.to;
        let left: Vec<&Span> = after.spans.iter().filter(meets).collect();
        lost_of(span, &left, &mut lost);
    }
    let is_lost = |from: Lsn, to: Lsn, branch| {
        let mut of_branch = lost.iter().filter(|span| span.branch == branch);
        of_branch.any(|span| from <= span.to && span.from <= to)
    };
    let holes = after
        .holes
        .iter()
        .filter(|hole| is_lost(hole.from, hole.to, hole.branch));
    Coverage {
        branches: before.branches.clone(),
        holes: holes.cloned().collect(),
        spans: lost,
    }
}

/// The pieces of one span that are not in `left`, which is in the order of LSN. A piece ends where what is left begins; that point
/// itself is not lost.
fn lost_of(span: &Span, left: &[&Span], lost: &mut Vec<Span>) {
    let (mut at, mut since) = (span.from, span.times.map(|times| times.from));
    let mut is_at_left = false;
    for rest in left {
        let begins = rest.times.map(|times| times.from);
        // A stretch of LSN that is lost, or only moments: the same log, but what told that nothing happened behind it is gone.
        if rest.from > at || (rest.from >= at && later(begins, since)) {
            lost.push(piece(span, (at, since), (rest.from, begins.or(since))));
        }
        is_at_left = true;
        at = at.max(rest.to);
        since = rest.times.map(|times| times.to).max(since);
    }
    let (end, until) = (span.to, span.times.map(|times| times.to));
    if at < end || later(until, since) || !is_at_left {
        lost.push(piece(span, (at, since), (end, until)));
    }
}

fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one > other)
}

fn piece(span: &Span, from: (Lsn, Option<Timestamp>), to: (Lsn, Option<Timestamp>)) -> Span {
    let times = match (from.1, to.1) {
        (Some(from), Some(to)) => Some(TimeSpan {
            from,
            to: to.max(from),
        }),
        _ => None,
    };
    Span {
        branch: span.branch,
        from: from.0,
        to: to.0,
        times,
    }
}
