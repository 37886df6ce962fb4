//! Round trips: databases live random lives, backups of all kinds are taken at random moments, and `chain` plans the way back to
//! others. What is restored equals what was recorded at that moment, row by row, and its pages are sound.
//!
//! A seed is a whole story. `BAC2_SIMSQL_SEEDS=N` runs the seeds below N instead of the few that fit every day's tests,
//! `BAC2_SIMSQL_FIRST=N` leaves out those below N, `BAC2_SIMSQL_SEED=N` runs one alone; a failure prints its seed and all its
//! statements.
//!
//! What a target must give comes from the workload's own record. One thing is left open: whether a commit counts whose block an LSN of
//! another line of history falls into.
#![allow(missing_docs, clippy::unwrap_used, clippy::type_complexity)]

#[path = "round_trip/database.rs"]
mod database;
#[path = "round_trip/directed.rs"]
mod directed;
#[path = "round_trip/history.rs"]
mod history;
#[path = "round_trip/judge.rs"]
mod judge;
#[path = "round_trip/library.rs"]
mod library;
#[path = "round_trip/place.rs"]
mod place;
#[path = "round_trip/story.rs"]
mod story;
#[allow(dead_code)]
mod workload;

use judge::{Tally, judge};
use story::Story;

/// Steps of a story.
const STEPS: u64 = 40;
/// Targets for each of its databases.
const TARGETS: u64 = 8;
/// Stories that are told by default.
const SEEDS: u64 = 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn live(seed: u64) -> Tally {
    let mut story = Story::told(seed, STEPS);
    judge(&mut story, TARGETS).unwrap_or_else(|error| panic!("seed {seed}: {error}"))
}

#[test]
fn thousands_of_stories_come_back_as_they_were() {
    if let Some(seed) = number("BAC2_SIMSQL_SEED") {
        live(seed);
        return;
    }
    let seeds = number("BAC2_SIMSQL_SEEDS").unwrap_or(SEEDS);
    let mut sum = Tally::default();
    for seed in number("BAC2_SIMSQL_FIRST").unwrap_or(0)..seeds {
        let tally = live(seed);
        sum.asked += tally.asked;
        sum.restored += tally.restored;
    }
    println!("{seeds} stories: {sum:?}");
    assert!(
        sum.restored * 2 > sum.asked,
        "hardly anything was restorable: {sum:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in [1, 2] {
        let (first, second) = (Story::told(seed, STEPS), Story::told(seed, STEPS));
        let files = |story: &Story| {
            let paths = story.media.iter().flat_map(|media| media.paths.clone());
            let disk = &story.place.memory.disk;
            paths.map(|path| (disk.bytes(&path), path)).collect::<Vec<_>>()
        };
        let (first, second) = (files(&first), files(&second));
        assert!(first.iter().filter(|(bytes, _)| bytes.is_some()).count() > 3);
        assert!(first == second, "seed {seed}");
    }
}
