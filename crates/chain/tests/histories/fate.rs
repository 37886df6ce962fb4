//! What befalls backups after they were taken: files and stripes are lost, sets are copied, found damaged, or never known to have
//! succeeded; and what the planner is told of clocks and of the log's content.

use bak::LogFingerprint;
use chain::{Families, Grade, Kind, SetId};
use jiff::tz::TimeZone;

use crate::chance::Chance;
use crate::world::{Feature, Made, World};

/// Lets fate have its way. `fingerprints`: of how many sets in a hundred the log was read.
pub(crate) fn befall(world: &mut World, chance: &mut Chance, zone: &TimeZone, fingerprints: u64) {
    for at in 0..world.made.len() {
        let is_read = chance.percent(fingerprints);
        world.made[at].set.log = is_read.then(|| fingerprint(world, &world.made[at])).map(Box::new);
    }
    if fingerprints < 100 {
        world.features.add(Feature::NoFingerprint);
    }
    grades(world, chance);
    if chance.percent(20) {
        copies(world, chance);
    }
    if chance.percent(20) {
        stripes(world, chance);
    }
    if chance.percent(35) {
        gaps(world, chance);
    }
    if chance.percent(8) {
        identities(world, chance);
    }
    clocks(world, chance, zone);
    chance.shuffle(&mut world.made);
}

fn fingerprint(world: &World, made: &Made) -> LogFingerprint {
    let held = world.lines[made.line].records[..made.to]
        .iter()
        .filter(|record| made.set.first <= record.lsn && record.lsn < made.set.last)
        .map(|record| (record.lsn, u64::from(record.content)));
    LogFingerprint::new(made.set.first, made.set.last, held)
}

fn grades(world: &mut World, chance: &mut Chance) {
    if chance.percent(30) {
        world.features.add(Feature::MixedGrades);
        for made in &mut world.made {
            made.set.grade = chance.pick(&[
                Grade::Proved,
                Grade::EngineVerified,
                Grade::Accepted,
                Grade::HeadersOnly,
            ]);
        }
    }
    let (disputed, unknown) = (chance.percent(15), chance.percent(15));
    for made in world.made.iter_mut().filter(|made| !made.set.is_empty_log()) {
        if disputed && chance.percent(20) {
            made.set.grade = Grade::Disputed;
            world.features.add(Feature::Disputed);
        }
        if unknown && chance.percent(15) {
            made.set.grade = Grade::None;
            world.features.add(Feature::NoOutcome);
        }
    }
}

fn copies(world: &mut World, chance: &mut Chance) {
    for _ in 0..chance.range(1, 2) {
        let mut copy = world.made[chance.below(world.made.len())].clone();
        copy.set.id = SetId(100 + world.made.len() as u64);
        if !copy.set.is_empty_log() {
            copy.set.grade = chance.pick(&[copy.set.grade, Grade::Proved, Grade::Accepted]);
        }
        copy.set.bytes = chance.pick(&[copy.set.bytes, 50]);
        world.made.push(copy);
        world.features.add(Feature::Copy);
    }
}

fn stripes(world: &mut World, chance: &mut Chance) {
    for made in world.made.iter_mut().filter(|made| !made.set.is_empty_log()) {
        let count = chance.pick(&[1, 2, 4]);
        let mut missing = Vec::new();
        if chance.percent(20) {
            missing = (1..=count).filter(|_| chance.percent(50)).collect();
        }
        if !missing.is_empty() {
            world.features.add(Feature::StripeLost);
        }
        made.set.families = Families {
            count,
            missing: missing.into_boxed_slice(),
        };
    }
}

fn gaps(world: &mut World, chance: &mut Chance) {
    for _ in 0..chance.range(1, 3) {
        if world.made.len() > 1 {
            let lost = chance.below(world.made.len());
            let set = world.made.remove(lost).set;
            world.story.push(format!("the file of set {} is lost", set.id.0));
            world.features.add(Feature::Gap);
        }
    }
}

fn identities(world: &mut World, chance: &mut Chance) {
    for made in &mut world.made {
        if chance.percent(30) {
            made.set.guid = None;
            world.features.add(Feature::NoGuid);
        }
        if let Kind::Differential(base) = &mut made.set.kind
            && chance.percent(50)
        {
            base.guid = None;
            world.features.add(Feature::NoGuid);
        }
    }
}

fn clocks(world: &mut World, chance: &mut Chance, zone: &TimeZone) {
    if chance.percent(15) {
        let some = chance.pick(&[20, 100]);
        for made in &mut world.made {
            if chance.percent(some) {
                made.set.clock.offset_minutes = None;
                world.features.add(Feature::NoOffset);
                world.has_plain_time = false;
            }
        }
    }
    if world.features.has(Feature::SummerTime) {
        world.zone = chance.percent(60).then(|| zone.clone());
    } else if world.has_plain_time {
        world.zone = chance.percent(80).then(|| zone.clone());
        world.has_plain_time = world.zone.is_some();
    } else {
        world.zone = chance.percent(50).then(|| zone.clone());
    }
}
