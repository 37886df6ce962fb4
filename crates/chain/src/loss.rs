//! What deleting sets would cost: the stretches of log and the moments that only they hold up.

use crate::coverage::{Coverage, Span, TimeSpan};

/// What `before` reaches and `after` does not, and why nothing reaches it then.
pub(crate) fn between(before: &Coverage, after: &Coverage) -> Coverage {
    let mut lost: Vec<Span> = Vec::new();
    for span in &before.spans {
        let left: Vec<&Span> = after
            .spans
            .iter()
            .filter(|left| left.branch == span.branch)
            .collect();
        lost_of(span, &left, &mut lost);
    }
    let is_lost = |hole: &&crate::coverage::Hole| {
        let mut of_branch = lost.iter().filter(|span| span.branch == hole.branch);
        of_branch.any(|span| hole.from <= span.to && span.from <= hole.to)
    };
    let holes = after.holes.iter().filter(is_lost);
    Coverage {
        branches: before.branches.clone(),
        holes: holes.cloned().collect(),
        spans: lost,
    }
}

/// The pieces of one span that are lost. LSNs and moments are looked at apart: deleting what tells that nothing happened loses moments
/// and no LSN, and a moment may be served on from elsewhere. Where both fall into as many pieces, they belong together in order.
fn lost_of(span: &Span, left: &[&Span], lost: &mut Vec<Span>) {
    let lsns = pieces((span.from, span.to), left.iter().map(|left| (left.from, left.to)));
    let times = span.times.map_or_else(Vec::new, |times| {
        let left = left.iter().filter_map(|left| left.times);
        pieces((times.from, times.to), left.map(|times| (times.from, times.to)))
    });
    if lsns.len() == times.len() {
        let pairs = lsns.into_iter().zip(times);
        lost.extend(pairs.map(|((from, to), times)| piece(span, from, to, Some(times))));
        return;
    }
    lost.extend(lsns.into_iter().map(|(from, to)| piece(span, from, to, None)));
    lost.extend(
        times
            .into_iter()
            .map(|times| piece(span, span.to, span.to, Some(times))),
    );
}

fn piece(
    span: &Span,
    from: bak::Lsn,
    to: bak::Lsn,
    times: Option<(jiff::Timestamp, jiff::Timestamp)>,
) -> Span {
    Span {
        branch: span.branch,
        from,
        to,
        times: times.map(|(from, to)| TimeSpan { from, to }),
        within: span.within,
    }
}

/// What is left of an interval without others. A piece ends where one of the others begins; that point itself is theirs.
fn pieces<T: Ord + Copy>(whole: (T, T), others: impl Iterator<Item = (T, T)>) -> Vec<(T, T)> {
    let mut others: Vec<(T, T)> = others
        .filter(|(from, to)| *from <= whole.1 && whole.0 <= *to)
        .collect();
    others.sort_unstable();
    if others.is_empty() {
        return vec![whole];
    }
    let mut pieces = Vec::new();
    let mut at = whole.0;
    for (from, to) in others {
        if from > at {
            pieces.push((at, from));
        }
        at = at.max(to);
    }
    if at < whole.1 {
        pieces.push((at, whole.1));
    }
    pieces
}
