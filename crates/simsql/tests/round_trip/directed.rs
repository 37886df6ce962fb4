//! Stories that are told on purpose: what the judge must notice, and histories under which LSNs are used twice.

use std::collections::BTreeSet;

use chain::{Plan, Target, Terms};

use crate::judge::{self, judge, library};
use crate::library::Shelf;
use crate::story::{Kind, Story};
use crate::workload::State;

/// A full backup and logs with work before each, on one database.
fn line_of_logs(seed: u64, logs: u64) -> Story {
    let mut story = Story::of(seed, 1);
    story.work(0, 12);
    story.back_up(0, Kind::Full);
    for _ in 0..logs {
        story.commit_something(0);
        story.pass_seconds(30);
        story.back_up_alone(0, Kind::Log);
        story.pass_seconds(30);
    }
    story.databases[0].leave();
    story
}

fn plan(shelf: &Shelf, target: &Target) -> Plan {
    let plans = shelf.database.plan(target, &Terms::default());
    plans.expect("it is all there").best
}

/// What a plan restores; `None` where a step fails.
fn restored(story: &Story, shelf: &Shelf, plan: &Plan, target: &Target) -> Option<State> {
    let done = judge::carry_out(story, shelf, plan, target, "Tried", false);
    let found = done.is_ok().then(|| story.place.tables("Tried"));
    story.place.does("DROP DATABASE [Tried]");
    found
}

#[test]
fn a_falsified_record_is_noticed() {
    let mut story = line_of_logs(3, 3);
    assert!(story.databases[0].history.falsify());
    judge(&mut story, 8).unwrap_err();
}

#[test]
fn a_plan_that_lacks_a_log_or_stops_elsewhere_is_noticed() {
    let story = line_of_logs(4, 4);
    let library = library(&story);
    let shelf = library.shelf("D1");
    let target = Target::Latest;
    let whole = plan(shelf, &target);
    assert_eq!(whole.steps.len(), 5);
    let found = restored(&story, shelf, &whole, &target).unwrap();
    judge::compare(&story, 0, shelf, &whole, &target, &found).unwrap();
    // SQL Server's rules do not let a log be left out in the middle.
    let mut gap = whole.clone();
    gap.steps.remove(2);
    assert_eq!(restored(&story, shelf, &gap, &target), None);
    // The last one can be; then the state is an older one.
    let mut short = whole.clone();
    short.steps.pop();
    let found = restored(&story, shelf, &short, &target).unwrap();
    judge::compare(&story, 0, shelf, &whole, &target, &found).unwrap_err();
    // A stop before the last commit.
    let lineage = story.databases[0].history.lineage(0);
    let last = lineage.last().unwrap();
    let early = Target::Moment(judge::aim(&story, simsql::moment::Moment(last.at.0 - 1000)));
    let stopped = plan(shelf, &early);
    let found = restored(&story, shelf, &stopped, &early).unwrap();
    judge::compare(&story, 0, shelf, &stopped, &early, &found).unwrap();
    judge::compare(&story, 0, shelf, &whole, &target, &found).unwrap_err();
}

/// Every log of a plan stops at one moment, as where nobody knows which of them holds it. The server stops in one and refuses those behind
/// it, which the script leaves out by where `sys.master_files` says that the database stands.
#[test]
fn logs_behind_the_one_that_a_restore_stopped_in_are_left_out() {
    let story = line_of_logs(5, 3);
    let library = library(&story);
    let shelf = library.shelf("D1");
    let whole = plan(shelf, &Target::Latest);
    assert_eq!(whole.steps.len(), 4);
    let mut stopped_in = BTreeSet::new();
    for commit in story.databases[0].history.lineage(0).iter().rev().take(2) {
        let before = Target::Moment(judge::aim(&story, simsql::moment::Moment(commit.at.0 - 1000)));
        let known = plan(shelf, &before).steps;
        let mut unsure = whole.clone();
        for step in &mut unsure.steps[1..] {
            step.stop.clone_from(&known[known.len() - 1].stop);
        }
        if known.len() < whole.steps.len() {
            assert_eq!(restored(&story, shelf, &unsure, &before), None);
        }
        for step in &mut unsure.steps[2..] {
            step.only_from = Some(shelf.held(step.set).set.first);
        }
        let found = restored(&story, shelf, &unsure, &before).unwrap();
        judge::compare(&story, 0, shelf, &unsure, &before, &found).unwrap();
        stopped_in.insert(known.len());
    }
    assert!(stopped_in.len() > 1, "{stopped_in:?}");
}

/// The same work before and after a snapshot is put back, so that the LSNs are as much alike as they can be.
#[test]
fn histories_that_share_their_lsns_are_never_mixed() {
    for seed in 0..6 {
        let mut story = line_of_logs(100 + seed, 1 + seed % 2);
        story.snapshot();
        let logs = 1 + seed % 3;
        for round in 0..2 {
            if round == 1 {
                story.roll_back();
            }
            for _ in 0..logs {
                story.insert_equally(0, round);
                story.pass_seconds(20);
                story.back_up_alone(0, Kind::Log);
                story.pass_seconds(20);
            }
        }
        if seed >= 3 {
            story.back_up_alone(0, Kind::Differential);
            story.insert_equally(0, 2);
            story.back_up_alone(0, Kind::Log);
        }
        let tally = judge(&mut story, 24).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(tally.restored > 12, "seed {seed}: {tally:?}");
        several_are_reached(&story);
    }
}

/// The ends of backups of more than one line of history can be planned to, and each plan stays on the line of its backup.
fn several_are_reached(story: &Story) {
    let library = library(story);
    let shelf = library.shelf("D1");
    let mut lines = BTreeSet::new();
    for held in &shelf.held {
        let made = story
            .made
            .iter()
            .find(|made| made.path == held.paths[0] && made.position == held.backup.position);
        let target = Target::Set(held.set.id);
        let Ok(plans) = shelf.database.plan(&target, &Terms::default()) else {
            continue;
        };
        let found = restored(story, shelf, &plans.best, &target).unwrap();
        let (line, _) = judge::compare(story, 0, shelf, &plans.best, &target, &found).unwrap();
        assert_eq!(line, made.unwrap().line);
        lines.insert(line);
    }
    assert!(lines.len() > 1, "{lines:?}");
}

/// Back to the past under its own name, on with work and backups, and to both forks again.
#[test]
fn forks_made_on_purpose_are_both_restorable() {
    for seed in 200..204 {
        let mut story = line_of_logs(seed, 3);
        for _ in 0..3 {
            while !story.return_to_past(0) {}
            for _ in 0..2 {
                story.commit_something(0);
                story.pass_seconds(30);
                story.back_up(0, Kind::Log);
                story.pass_seconds(30);
            }
        }
        let tally = judge(&mut story, 24).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(tally.restored > 4, "seed {seed}: {tally:?}");
        several_are_reached(&story);
    }
}
