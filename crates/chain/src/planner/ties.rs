//! Plans that cost as many steps of the same grades as the best.

use bak::Lsn;

use super::{Final, Found, Planner};
use crate::graph::{Before, Way};
use crate::plan::{Plan, Plans};
use crate::ways::Ways;

/// So many equal plans are gathered before the best of them are listed.
const GATHERED_MAX: usize = 32;

/// The end of a way that is followed back: sets from the last on.
type Tail = Vec<(usize, Option<Lsn>)>;

impl Planner<'_> {
    /// The equals of `best` on its branch, fewest bytes first.
    pub(super) fn alternatives(&self, best: &Final, found: &Found) -> Vec<Plan> {
        let chosen = self.make(best, &found.ways);
        let mut rivals: Vec<&Final> = found
            .finals
            .iter()
            .filter(|last| last.branch == best.branch && last.way.cost.ties(best.way.cost))
            .collect();
        rivals.sort_by(|one, other| one.preference(other));
        rivals.truncate(GATHERED_MAX);
        let timeline = self.timeline_of(best);
        let mut plans: Vec<Plan> = Vec::new();
        for last in rivals {
            for path in self.equal_paths(last, &found.ways) {
                let Some(plan) = self.plan_of(last, &path, timeline.as_ref()) else {
                    continue;
                };
                if plan.steps != chosen.steps && !plans.iter().any(|other| other.steps == plan.steps) {
                    plans.push(plan);
                }
            }
        }
        plans.sort_by_key(|plan| plan.bytes);
        plans.truncate(Plans::ALTERNATIVES_MAX);
        plans
    }

    fn equal_paths(&self, last: &Final, ways: &Ways) -> Vec<Vec<(usize, Option<Lsn>)>> {
        let mut paths = Vec::new();
        let mut open: Vec<(Tail, Way)> = vec![(vec![(last.last, None)], last.way)];
        // The last log is entered before its stop.
        let until = last.stop.as_ref().map(|_| last.reaches);
        let rivals = self.rivals(last.last, until, last.way, ways).into_iter();
        open.extend(rivals.map(|way| (vec![(last.last, None)], way)));
        while let Some((mut tail, way)) = open.pop() {
            if paths.len() >= GATHERED_MAX {
                break;
            }
            match way.before {
                Before::Nothing => {
                    tail.reverse();
                    paths.push(tail);
                }
                Before::Whole(index) => {
                    let index = index as usize;
                    let before = self.graph.way_of(index, ways);
                    tail.push((index, None));
                    let others = self.rivals(index, None, before, ways);
                    // So many rivals wait at most, however many equal ways there are.
                    for other in others.into_iter().take(GATHERED_MAX.saturating_sub(open.len())) {
                        open.push((tail.clone(), other));
                    }
                    open.push((tail, before));
                }
                Before::Cut(index) => {
                    let after = tail.last().expect("a tail has an end").0;
                    let path = self.graph.path(after, way.before, ways);
                    debug_assert_eq!(path.last().map(|(last, _)| *last), Some(after), "index {index}");
                    tail.extend(path.into_iter().rev().skip(1));
                    tail.reverse();
                    paths.push(tail);
                }
            }
        }
        paths
    }

    /// Other ways into a set that cost the same number of steps of the same grades as `way`.
    fn rivals(&self, index: usize, until: Option<Lsn>, way: Way, ways: &Ways) -> Vec<Way> {
        let set = &self.graph.sets[index];
        let all = if set.is_log() {
            self.graph.ways_into(index, until, &self.usable, ways)
        } else {
            self.graph.ways_into_differential(index, &self.usable)
        };
        all.into_iter()
            .filter(|other| other.cost.ties(way.cost) && other.before != way.before)
            .collect()
    }
}
