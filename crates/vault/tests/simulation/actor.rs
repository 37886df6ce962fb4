//! Plays a story in a world: makes the stage, does each deed at its time, lets trouble end, and waits.

mod asking;
mod calm;
mod doing;
mod setting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use blobstore::BlobPath;
use catalog::record::{DatabaseId, Job, JobState, PolicyId};
use futures::future::{Either, select};

use crate::step::Step;
use crate::story::{Deed, Story, Terms, database, host};
use crate::world::time::Dice;
use crate::world::{Cluster, Server};

/// How many rows a database had since when, by true time.
pub(crate) type Rows = Vec<(Duration, i64)>;

/// What the actor knows of the truth.
pub(crate) struct Truth {
    /// Rows of `dbo.Orders`, by server and number of the database.
    pub(crate) rows: BTreeMap<(usize, usize), Rows>,
    /// Databases whose past was put back, whose rows cannot be told by time.
    pub(crate) rewound: Vec<usize>,
    /// Databases that were dropped while others came under their names.
    pub(crate) recreated: Vec<DatabaseId>,
    /// Names that auto-protection leaves out.
    pub(crate) excluded: BTreeSet<String>,
    /// What was done, by word, and how often it could be.
    pub(crate) done: BTreeMap<String, u32>,
    /// What events met: by their word, the steps at which backup jobs were.
    pub(crate) met: BTreeMap<String, BTreeMap<Step, u32>>,
    /// Since when a clock of the vault was wrong, where it ever was.
    pub(crate) vault_clock_wrong: Option<Duration>,
    /// How far it ever was, in seconds, at most.
    pub(crate) vault_clock_off: u64,
    /// When databases were SIMPLE for a while: which, from and until.
    pub(crate) simple: Vec<((usize, usize), Duration, Duration)>,
    /// What the policy said since when.
    pub(crate) terms: Vec<(Duration, Terms)>,
    /// Blobs whose damage was found when the store had no room to note it.
    pub(crate) unnoted: BTreeSet<BlobPath>,
    /// What the vault did at once that it must not do.
    pub(crate) wrong: Vec<String>,
    /// When the story began, and when all trouble was over.
    pub(crate) begun: Duration,
    pub(crate) calm_since: Duration,
}

/// The player.
pub(crate) struct Actor {
    pub(crate) cluster: Cluster,
    pub(crate) servers: Vec<Arc<Server>>,
    /// An instance of which nothing is protected.
    spare: Arc<Server>,
    pub(crate) story: Story,
    pub(crate) truth: Truth,
    dice: Arc<Dice>,
    jumped: i64,
    /// By how many seconds the clocks of instances are wrong.
    servers_off: BTreeMap<usize, i64>,
    /// The store's disk is nearly full.
    is_short_of_room: bool,
    /// What databases are called now.
    names: BTreeMap<(usize, usize), String>,
    policy: Option<PolicyId>,
    /// What waits for a job to come to a step: until when.
    armed: Vec<(Step, Duration, Duration, Deed)>,
}

pub(crate) fn uptime(cluster: &Cluster) -> Duration {
    vault::world::Clock::uptime(&*cluster.clock)
}

impl Actor {
    pub(crate) fn new(seed: u64) -> Self {
        let cluster = Cluster::of_story(seed);
        let story = Story::of(seed);
        let servers = story.stage.versions.iter().enumerate();
        Self {
            servers: servers
                .map(|(number, version)| {
                    cluster.server_with(&host(number), None, *version, |settings| {
                        // A stripe has a mebibyte at least.
                        settings.initial_pages = if story.stage.stripes > 1 { 320 } else { 128 };
                    })
                })
                .collect(),
            spare: cluster.server("spare"),
            cluster,
            truth: Truth {
                rows: BTreeMap::new(),
                rewound: Vec::new(),
                recreated: Vec::new(),
                excluded: BTreeSet::new(),
                done: BTreeMap::new(),
                met: BTreeMap::new(),
                vault_clock_wrong: None,
                vault_clock_off: 0,
                simple: Vec::new(),
                terms: vec![(Duration::ZERO, story.stage.terms)],
                unnoted: BTreeSet::new(),
                wrong: Vec::new(),
                begun: Duration::ZERO,
                calm_since: Duration::ZERO,
            },
            story,
            dice: Dice::new(seed ^ 0xAC7),
            jumped: 0,
            servers_off: BTreeMap::new(),
            is_short_of_room: false,
            names: BTreeMap::new(),
            policy: None,
            armed: Vec::new(),
        }
    }

    /// What a database is called now.
    pub(crate) fn name(&self, server: usize, number: usize) -> String {
        let name = self.names.get(&(server, number)).cloned();
        name.unwrap_or_else(|| database(server, number))
    }

    /// What the policy says now.
    pub(crate) fn terms(&self) -> Terms {
        self.truth
            .terms
            .last()
            .expect("it says something from the beginning")
            .1
    }

    /// Whether a database is under FULL when nobody has changed that.
    pub(crate) fn is_full(&self, server: usize, number: usize) -> bool {
        let stage = &self.story.stage.servers[server];
        stage.get(number).copied().unwrap_or(true)
    }

    /// Plays all of it.
    pub(crate) async fn play(&mut self) {
        self.set_the_stage().await;
        self.truth.begun = uptime(&self.cluster);
        let begun = self.truth.begun;
        let deeds = std::mem::take(&mut self.story.deeds);
        let ends = begun + self.story.trouble_ends;
        let mut is_calm = false;
        for (at, deed) in &deeds {
            let at = begun + *at;
            if at >= ends && !is_calm {
                self.wait_until(ends).await;
                self.end_all_trouble().await;
                is_calm = true;
            }
            self.wait_until(at).await;
            if deed.is_work() || !is_calm {
                self.does(deed).await;
            }
        }
        self.story.deeds = deeds;
        self.wait_until(ends).await;
        if !is_calm {
            self.end_all_trouble().await;
        }
        self.wait_until(ends + self.story.calm).await;
        self.let_jobs_end().await;
    }

    /// What runs at the end of the story may end.
    async fn let_jobs_end(&self) {
        for _ in 0..600 {
            let jobs: Vec<Job> = self.cluster.records().await;
            if jobs.iter().all(|job| job.state != JobState::InProgress) {
                return;
            }
            self.cluster.pass(Duration::from_secs(1)).await;
        }
    }

    /// Waits, and meanwhile does what waits for jobs to come to their steps.
    async fn wait_until(&mut self, at: Duration) {
        loop {
            let now = uptime(&self.cluster);
            let left = at.saturating_sub(now);
            self.armed.retain(|(_, _, until, _)| *until > now);
            if left.is_zero() {
                return;
            }
            if self.armed.is_empty() {
                return self.cluster.pass(left).await;
            }
            let steps: Vec<Step> = self.armed.iter().map(|(step, ..)| *step).collect();
            let history = Arc::clone(&self.cluster.history);
            let met = history.until(|write| Step::of_write(write).filter(|step| steps.contains(step)));
            let passed = self.cluster.pass(left);
            let step = match select(Box::pin(met), Box::pin(passed)).await {
                Either::Left((step, _)) => step,
                Either::Right(_) => return,
            };
            let now = uptime(&self.cluster);
            let found = self
                .armed
                .iter()
                .position(|(of, _, until, _)| *of == step && *until > now);
            let Some(found) = found else { continue };
            let (_, delay, _, deed) = self.armed.remove(found);
            self.cluster.pass(delay).await;
            self.does(&deed).await;
        }
    }

    async fn does(&mut self, deed: &Deed) {
        if let Deed::At(step, delay, within, deed) = deed {
            let until = uptime(&self.cluster) + *within;
            self.armed.push((*step, *delay, until, (**deed).clone()));
            return;
        }
        let met = if deed.is_work() {
            Vec::new()
        } else {
            self.steps().await
        };
        if Box::pin(self.try_it(deed)).await {
            *self.truth.done.entry(deed.word()).or_default() += 1;
            self.meets(&deed.word(), &met);
        }
    }

    /// Where backup jobs stand now.
    async fn steps(&self) -> Vec<Step> {
        let jobs: Vec<Job> = self.cluster.records().await;
        jobs.iter().filter_map(Step::of).collect()
    }

    fn meets(&mut self, word: &str, steps: &[Step]) {
        let met = self.truth.met.entry(word.to_owned()).or_default();
        for step in steps {
            *met.entry(*step).or_default() += 1;
        }
    }
}
