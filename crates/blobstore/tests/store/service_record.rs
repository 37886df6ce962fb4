//! The settings of an account: they last, they survive a crash at any moment, and nothing of the store depends on them.

use std::sync::Arc;

use azblob::cors::CorsRule;
use azblob::names::AccountName;
use azblob::service_properties::ServiceChange;
use blobstore::disk::SyncPoint;
use blobstore::disk::simulated::{Crash, Fault, SimulatedDisk};

use crate::support::{TestClock, account, open};

const DIR: &str = "/data";

/// Settings that stand for a number.
fn setting(number: u32) -> ServiceChange {
    let rule = CorsRule {
        allowed_origins: vec!["https://a.example".to_owned()],
        max_age_seconds: number,
        ..CorsRule::default()
    };
    ServiceChange {
        cors: Some(vec![rule]),
        default_version: None,
    }
}

/// Sets 1, 2, ... until the power goes at the `cut`-th access; what was acknowledged and what is there afterwards.
fn run(cut: u64, seed: u64, left_out: Option<SyncPoint>) -> Result<(u32, u32), String> {
    let disk = SimulatedDisk::new(seed, u64::MAX);
    disk.leave_out(left_out);
    let clock = TestClock::new(seed);
    let store = open(Arc::new(disk.clone()), &clock, DIR).map_err(|error| error.to_string())?;
    disk.plan_fault(cut, Fault::Cut);
    let acknowledged = (1..)
        .take_while(|number| {
            store
                .change_service_properties(&account(), setting(*number))
                .is_ok()
        })
        .last();
    drop(store);
    disk.crash(Crash::Power);
    let store = open(Arc::new(disk), &clock, DIR).map_err(|error| error.to_string())?;
    let found = store.service_properties(&account());
    let number = found.cors.first().map_or(0, |rule| rule.max_age_seconds);
    Ok((acknowledged.unwrap_or(0), number))
}

fn holds(outcome: &Result<(u32, u32), String>) -> bool {
    matches!(outcome, Ok((acknowledged, found)) if (*acknowledged..=acknowledged + 1).contains(found))
}

#[test]
fn what_was_set_survives_a_crash_at_any_access() {
    for seed in 0..20 {
        for cut in 0..60 {
            let outcome = run(cut, seed, None);
            assert!(holds(&outcome), "seed {seed}, cut at {cut}: {outcome:?}");
        }
    }
}

#[test]
fn each_of_its_syncs_is_needed() {
    for point in [
        SyncPoint::ServiceRecord,
        SyncPoint::ServiceEntry,
        SyncPoint::AccountEntry,
    ] {
        let mut runs = (0..40).flat_map(|seed| (0..60).map(move |cut| (seed, cut)));
        assert!(
            runs.any(|(seed, cut)| !holds(&run(cut, seed, Some(point)))),
            "{point:?}"
        );
    }
}

#[test]
fn accounts_are_set_by_themselves() {
    let disk = SimulatedDisk::new(1, u64::MAX);
    let clock = TestClock::new(1);
    let store = open(Arc::new(disk.clone()), &clock, DIR).unwrap();
    store.change_service_properties(&account(), setting(7)).unwrap();
    let other = AccountName::new("other").unwrap();
    assert!(store.service_properties(&other).cors.is_empty());
    // What a change does not name stays.
    store
        .change_service_properties(&account(), ServiceChange::default())
        .unwrap();
    drop(store);
    let store = open(Arc::new(disk), &clock, DIR).unwrap();
    assert_eq!(store.service_properties(&account()).cors[0].max_age_seconds, 7);
    assert!(
        store.list_containers(&account()).is_empty(),
        "the file is no container"
    );
}
