//! Brief stories, of which there are many: one database, its backups, and restores of it to another name and another instance, with
//! trouble in the midst of either. What was committed when is known by a model of its own, so that each restore is held against the
//! rows of exactly that moment.
//!
//! `BAC2_VAULT_SEEDS=N` plays the seeds below N, `BAC2_VAULT_FIRST=F` leaves out those below F, `BAC2_VAULT_SEED=S` plays that one
//! alone.
//!
//! - Whatever the streams in the store lead to can be restored by the vault, and has the rows of that moment.
//! - What the vault shows as restorable is exactly that.
//! - A restore in whose way nothing was is done; one that failed leaves nothing open that is not as it should be.
//! - Days pass, and retention takes nothing that its age does not end (`ageing`).
//! - A catalog that is lost and made again of the store shows what it showed (`losing`).
//! - No lease of a live backup is broken (`world/leases.rs`).
//! - Every job ends.
//!
//! Deliberately absent: what takes a day and more (schedules, retention by age, healing), which the other stories have.

mod ageing;
mod aiming;
mod clocks;
mod doing;
mod judge;
mod losing;
mod overwriting;
mod strangers;
mod trouble;
mod truth;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::record::{Database, ItemId, Job, JobId, JobState, ServerId, Work as JobWork};
use jiff::Timestamp;
use schedule::Policy;

use self::aiming::Headers;
use self::clocks::ServerClock;
use self::truth::{State, Truth};
use crate::step::Step;
use crate::world::time::Dice;
use crate::world::{Cluster, Server};

/// The name of the database.
const SHOP: &str = "Shop";

/// What a row holds beside its number.
const FILLER: usize = 500;

/// So long a job may take, whatever happened before.
const PATIENCE: Duration = Duration::from_secs(12 * 3600);

/// Restores at the end, when nothing is wrong any more.
const LAST_RESTORES: u32 = 3;

/// For how many days the policy keeps logs, and a user the fulls that he asks for.
const KEPT_DAYS: u32 = 7;

/// What came of a seed.
#[derive(Default)]
pub(crate) struct Brief {
    pub(crate) wrong: Vec<String>,
    pub(crate) done: BTreeMap<String, u32>,
    pub(crate) met: BTreeMap<String, BTreeMap<Step, u32>>,
}

/// A story as it is played.
struct Play {
    cluster: Cluster,
    /// That of the database, and another one.
    servers: [Arc<Server>; 2],
    ids: [ServerId; 2],
    dice: Arc<Dice>,
    item: ItemId,
    truth: Truth,
    clock: ServerClock,
    /// When its server was kept as it is, and how the database was then.
    kept: Option<(Timestamp, State)>,
    headers: Headers,
    /// Numbers that no row, and no restored database, has had.
    next: i64,
    restored: u32,
    /// Something went wrong in it.
    is_troubled: bool,
    /// It was restored over itself: until the full that follows, nothing goes on with its chain.
    is_overwritten: bool,
    told: Brief,
}

/// What somebody does to a story that its judge must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Falsified {
    /// The record of the truth is changed before the end.
    Rows,
    /// The lease of a backup that runs is broken.
    Lease,
    /// The record of a set is lost with the catalog, so that its point cannot be made again.
    Point,
}

/// Plays a seed.
pub(crate) fn play(seed: u64) -> Brief {
    plays(Cluster::of_story(seed), seed, None)
}

/// The same over a catalog in SQLite.
pub(crate) fn play_over_sqlite(seed: u64) -> Brief {
    plays(Cluster::with_sqlite(seed), seed, None)
}

/// Plays a seed with something in it that the judge must notice.
pub(crate) fn play_falsified(seed: u64, falsified: Falsified) -> Brief {
    plays(Cluster::new(seed), seed, Some(falsified))
}

fn plays(cluster: Cluster, seed: u64, falsified: Option<Falsified>) -> Brief {
    let driver = cluster.driver();
    driver.run(async move {
        let mut play = Play::begin(cluster, seed).await;
        let is_calm = play.dice.one_in(8);
        for _ in 0..8 + play.dice.below(8) {
            play.something(is_calm).await;
        }
        play.end(falsified).await;
        play.judge_leases();
        play.told
    })
}

fn policy(dice: &Dice) -> Policy {
    let every = ["24h", "60m"][dice.below(2) as usize];
    let log = format!(r#""log": {{"every": "{every}", "retention": "{KEPT_DAYS}d"}},"#);
    let text = format!(
        r#"{{"version": 1, "name": "brief",
            "full": {{"schedule": {{"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]}},
                      "retention": {{"weekly": {{"count": 4, "days": ["sunday"]}}}}}}, {log} "running": {{"jitter": "0s"}}}}"#
    );
    Policy::from_json(&text).unwrap()
}

impl Play {
    async fn begin(cluster: Cluster, seed: u64) -> Self {
        let dice = Dice::new(seed ^ 0xB21E);
        let servers = [cluster.server("sql1"), cluster.server("sql2")];
        let sql = cluster.sql(&servers[0]);
        sql.make_database(SHOP).await;
        sql.go(&format!(
            "CREATE TABLE [{SHOP}].dbo.Work (id int, what varchar(900))"
        ))
        .await;
        let truth = Truth::from(cluster.now());
        let clock = ServerClock::of(&cluster);
        let vault = cluster.vault().await;
        let source = vault.add_server(servers[0].registration()).await.unwrap();
        let other = vault.add_server(servers[1].registration()).await.unwrap();
        let databases: Vec<Database> = cluster.records().await;
        let shop = databases
            .iter()
            .find(|one| one.name == SHOP)
            .expect("it was discovered");
        let (policy, _) = vault.create_policy(policy(&dice)).await.unwrap();
        let item = vault.protect(shop.id, policy).await.unwrap();
        drop(vault);
        if dice.one_in(2) {
            cluster.drop_wish(item).await;
        }
        drop(cluster.start_vault().await);
        for server in &servers {
            server.goes_on_without_client(dice.one_in(2));
        }
        Self {
            cluster,
            servers,
            ids: [source, other],
            dice,
            item,
            truth,
            clock,
            kept: None,
            headers: Headers::new(),
            next: 1,
            restored: 0,
            is_troubled: false,
            is_overwritten: false,
            told: Brief::default(),
        }
    }

    async fn something(&mut self, is_calm: bool) {
        let pause = [50, 3_000, 60_000, 900_000][self.dice.below(4) as usize];
        self.cluster
            .pass(Duration::from_millis(1 + self.dice.below(pause)))
            .await;
        match self.dice.below(66) {
            0..=23 => self.works().await,
            24..=37 => self.backs_up(is_calm).await,
            38..=43 => self.restores(is_calm).await,
            44..=45 => self.overwrites(is_calm).await,
            46..=47 => self.asks_in_vain().await,
            48..=50 => self.ages(is_calm).await,
            51 => self.loses_the_catalog(is_calm, false).await,
            52 if !is_calm => self.another_tool_backs_up().await,
            53..=55 if !is_calm => self.a_snapshot().await,
            56 if !is_calm => self.a_clock_jumps().await,
            _ if is_calm => self.works().await,
            _ => {
                self.is_troubled = true;
                let trouble = self.some_trouble();
                self.suffers(trouble).await;
            }
        }
    }

    /// The end: nothing is wrong any more, every job ends, and what can be restored is.
    async fn end(&mut self, falsified: Option<Falsified>) {
        self.end_trouble().await;
        self.works().await;
        match falsified {
            Some(Falsified::Rows) => self.truth.falsify(),
            Some(Falsified::Lease) => self.breaks_a_lease().await,
            Some(Falsified::Point) | None => {}
        }
        self.cluster.pass(Duration::from_secs(3600)).await;
        let jobs: Vec<Job> = self.cluster.records().await;
        for job in jobs.iter().filter(|job| !job.state.is_ended()) {
            self.ended(job.id).await;
        }
        if !self.is_troubled {
            self.judge_calm().await;
        }
        if falsified == Some(Falsified::Point) || self.dice.one_in(6) {
            let is_robbed = falsified == Some(Falsified::Point);
            self.loses_the_catalog(false, is_robbed).await;
        }
        self.judge_coverage().await;
        for _ in 0..LAST_RESTORES {
            let held = self.held().await;
            let Some(target) = self.some_target(&held).await else {
                continue;
            };
            let ordered = self.orders(target.clone()).await;
            let Some((job, server, name)) = ordered else {
                self.wrong(format!(
                    "nothing is wrong, and nobody can order a restore to {target:?}"
                ));
                continue;
            };
            let job = self.ended(job).await;
            self.judge_restore(&target, job, (server, &name), false).await;
        }
    }

    /// Waits for the end of a job, with a vault that runs.
    async fn ended(&mut self, id: JobId) -> Job {
        let mut waited = Duration::ZERO;
        let mut wait = Duration::from_millis(200);
        loop {
            if !self.cluster.vault_runs() {
                self.start_vault().await;
            }
            let job = self.cluster.job(id).await;
            if job.state.is_ended() {
                return job;
            }
            if waited > PATIENCE {
                self.wrong(format!("a job does not end: {job:#?}"));
                return job;
            }
            self.cluster.pass(wait).await;
            waited += wait;
            wait = (wait * 2).min(Duration::from_secs(30));
        }
    }

    async fn start_vault(&self) {
        while !self.cluster.vault_runs() {
            self.cluster.crash_vault();
            if !self.cluster.try_start_vault_for(u64::MAX).await {
                self.cluster.crash_vault();
                self.cluster.pass(Duration::from_secs(1)).await;
            }
        }
    }

    /// Where jobs stand now.
    async fn steps(&self) -> Vec<Step> {
        let jobs: Vec<Job> = self.cluster.records().await;
        jobs.iter().filter_map(Step::of).collect()
    }

    fn counts(&mut self, word: &str, met: &[Step]) {
        *self.told.done.entry(word.to_owned()).or_default() += 1;
        for step in met {
            let of_word = self.told.met.entry(word.to_owned()).or_default();
            *of_word.entry(*step).or_default() += 1;
        }
    }

    fn wrong(&mut self, sentence: String) {
        self.told.wrong.push(sentence);
    }
}

/// How a job stands that was to be done.
fn is_done(job: &Job) -> bool {
    matches!(job.state, JobState::Completed | JobState::CompletedWithWarnings)
}

/// The last point that a restore took.
fn last_of(job: &Job) -> Option<catalog::record::PointId> {
    match &job.work {
        JobWork::Restore(work) => work.steps.last().map(|step| step.point),
        _ => None,
    }
}
