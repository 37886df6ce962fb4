//! Drives the guard through a world as the command line does, round by round.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::executor::block_on;
use guard::ask::NobodyAsked;
use guard::guard::Guard;
use guard::report::Entry;
use guard::ruling::{Ruling, Terms};
use guard::scope::Scope;
use guard::{Ask, Clock, Place};

use crate::account::Simulation;
use crate::goods::Goods;
use crate::plan::{MINUTE, Plan};
use crate::script;
use crate::truth::Figures;
use crate::world::World;

/// Who cleans up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// `watch --act`.
    Watch,
    /// `break` or `delete`, one after the other.
    Command,
    PublishedScript,
    ByAge,
}

/// What is left of a world.
pub(crate) struct End {
    pub(crate) figures: Figures,
    pub(crate) defects: Vec<String>,
    pub(crate) digest: u64,
}

/// Lives a world to its end.
pub(crate) fn live(plan: &Plan, goods: &Goods, life: Life) -> End {
    let mut world = World::new(plan.clone(), goods);
    // What was there before the guard came.
    let before = world.noise.of(MINUTE..2 * plan.min_quiet);
    world.advance(before);
    world.truth.came = world.now;
    let terms = Terms {
        min_quiet: plan.quiet(),
        include_restore: plan.include_restore,
        named: world.name_some(),
    };
    let scope = Scope {
        container: plan.container.clone(),
        prefix: plan.prefix.clone(),
        blobs: world.truth.only.clone(),
    };
    let simulation = Simulation::new(world);
    block_on(async {
        match life {
            Life::PublishedScript | Life::ByAge => by_script(&simulation, plan, life).await,
            _ => {
                let guard = Guard::new(&simulation, &simulation, scope, terms);
                if plan.asked > 0 {
                    guarded(&simulation, guard.asking(&simulation), plan, life).await;
                } else {
                    guarded(&simulation, guard.asking::<NobodyAsked>(&NobodyAsked), plan, life).await;
                }
            }
        }
    });
    let mut world = simulation.world();
    world.truth.figures.worlds = 1;
    world.truth.figures.requests = world.truth.calls;
    world.truth.figures.holders = world.holders.len() as u64;
    End {
        figures: world.truth.figures.clone(),
        defects: std::mem::take(&mut world.truth.defects),
        digest: world.truth.digest,
    }
}

async fn guarded<Q: Ask>(
    simulation: &Simulation,
    mut guard: Guard<'_, Simulation, Simulation, Q>,
    plan: &Plan,
    life: Life,
) {
    // Until nobody new comes and every orphan has had its time.
    let end = plan.births_until + 5 * plan.min_quiet;
    while simulation.world().now < end {
        {
            let mut world = simulation.world();
            // At the end all is well, so that nothing excuses an orphan that stays.
            world.faulty = world.now < plan.births_until + 3 * plan.min_quiet;
            world.round_begins();
        }
        let found = round(simulation, &mut guard, plan, life).await;
        simulation.world().round_ends(found.as_ref());
        let wait = match life {
            Life::Command => plan.min_quiet / 3,
            _ => plan.interval,
        };
        simulation.sleep(Duration::from_millis(wait)).await;
    }
    simulation.world().nothing_is_left();
}

/// Surveys, and acts where the rules allow it. Returns what was found.
async fn round<Q: Ask>(
    simulation: &Simulation,
    guard: &mut Guard<'_, Simulation, Simulation, Q>,
    plan: &Plan,
    life: Life,
) -> Option<BTreeSet<Place>> {
    guard.survey().await.ok()?;
    let found = places(&guard.entries(), |_| true);
    for entry in guard.entries() {
        if let Entry::Blob { finding, .. } = entry {
            simulation.world().judge_words(&finding);
        }
    }
    if life == Life::Command && guard.ripen().await.is_err() {
        return None;
    }
    for place in places(&guard.entries(), |ruling| matches!(ruling, Ruling::Break(_))) {
        simulation.world().act_begins(&place);
        let did = guard.act(&place, plan.deed).await;
        simulation.world().act_ends(&did);
    }
    Some(found)
}

fn places(entries: &[Entry], which: impl Fn(&Ruling) -> bool) -> BTreeSet<Place> {
    let places = entries.iter().filter_map(|entry| match entry {
        Entry::Blob { finding, ruling, .. } if which(ruling) => Some(finding.place.clone()),
        _ => None,
    });
    places.collect()
}

async fn by_script(simulation: &Simulation, plan: &Plan, life: Life) {
    while simulation.world().now < plan.births_until {
        simulation.world().truth.figures.rounds += 1;
        match life {
            Life::PublishedScript => script::published(simulation).await,
            _ => script::by_age(simulation).await,
        }
        simulation.sleep(Duration::from_millis(plan.interval)).await;
    }
}

/// The figures, for people.
pub(crate) fn print(figures: &Figures) {
    let mean = figures.waited / figures.cleaned.max(1);
    println!(
        "{} rounds in {} worlds, {} holders of leases, {} requests of the guard, {} of them failed, {} answers lost",
        figures.rounds,
        figures.worlds,
        figures.holders,
        figures.requests,
        figures.faults,
        figures.answers_lost
    );
    println!(
        "{} orphans, {} freed by the guard ({} blobs deleted): after {} s in the mean, {} s at most; {} of them without a round in trouble on the way, at most {} s past what the rules demand",
        figures.orphans,
        figures.cleaned,
        figures.deleted,
        mean / 1000,
        figures.waited_most / 1000,
        figures.untroubled,
        figures.over_most / 1000
    );
    println!(
        "{} live holders quiet beyond the limit spared because something told of them; broken by observation alone: {:?}, {} of which woke between the last look and the break",
        figures.saved, figures.live_by_observation, figures.woke_in_between
    );
    println!(
        "{} breaks and deletions stopped by the tag, {} leases free already, {} changed hands within one request; skipped: {:?}",
        figures.caught_by_tag, figures.already_free, figures.changed_hands, figures.skipped
    );
}
