//! What deleting sets would cost: the spans that only they hold up.

use bak::Lsn;
use jiff::Timestamp;

use crate::coverage::{Coverage, Span, TimeSpan};

/// What `before` reaches and `after` does not.
pub(crate) fn between(before: &Coverage, after: &Coverage) -> Coverage {
    let mut lost: Vec<Span> = Vec::new();
    for span in &before.spans {
        let left = after.spans.iter().filter(|left| {
            let touches = left.branch == span.branch && left.to >= span.from && left.from <= span.to;
            touches && (left.from < left.to || span.from == span.to || span.from < left.from && left.to < span.to || left.times.is_some())
        });
        subtract(span, left.collect(), &mut lost);
    }
    let holes = after.holes.iter().filter(|hole| {
        let mut of_branch = lost.iter().filter(|span| span.branch == hole.branch);
        of_branch.any(|span| hole.from <= span.to && span.from <= hole.to)
    });
    Coverage {
        branches: before.branches.clone(),
        holes: holes.cloned().collect(),
        spans: lost,
    }
}

/// Cuts what is `left` out of a span. The pieces end where the rest begins, which itself is not lost.
fn subtract(span: &Span, left: Vec<&Span>, lost: &mut Vec<Span>) {
    let mut at: Option<(Lsn, Option<Timestamp>)> = Some((span.from, span.times.map(|times| times.from)));
    let end = (span.to, span.times.map(|times| times.to));
    let mut first = true;
    for rest in left {
        let Some((from, since)) = at else { break };
        let rest_from = rest.times.map(|times| times.from);
        let is_ahead = rest.from > from || (first && rest.from == from && later(rest_from, since));
        if is_ahead {
            lost.push(piece(span, (from, since), (rest.from, rest_from.or(since))));
        }
        first = false;
        let reached = (rest.to.max(from), rest.times.map(|times| times.to).max(since));
        at = (reached.0 < end.0 || later(end.1, reached.1)).then_some(reached);
    }
    if let Some(from) = at {
        lost.push(piece(span, from, end));
    }
}

fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one > other)
}

fn piece(span: &Span, from: (Lsn, Option<Timestamp>), to: (Lsn, Option<Timestamp>)) -> Span {
    let times = match (from.1, to.1) {
        (Some(from), Some(to)) => Some(TimeSpan { from, to: to.max(from) }),
        _ => None,
    };
    Span {
        branch: span.branch,
        from: from.0,
        to: to.0,
        times,
    }
}
