//! An availability group of two or three replicas, and what befalls it, from a seed: fail-overs, replicas that go and come back,
//! preferences, crashes of the vault. It stays one database with one chain, whichever replica takes what.
//!
//! `BAC2_VAULT_GROUPS=N` plays N seeds, `BAC2_VAULT_GROUP=S` that one alone.
//!
//! Simplified: one backup at a time, since the files of the group are carried from replica to replica after each of them
//! (`world/groups.rs`); what a replica has taken is carried before anything else befalls it.

mod judge;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::Kind;
use catalog::record::{Database, ItemId, Job, JobState};
use futures::future::{Either, select};
use schedule::{BackupKind, Policy};
use simsql::instance::Version;
use simsql::value::Value;

use crate::actor::uptime;
use crate::step::Step;
use crate::world::time::Dice;
use crate::world::{Cluster, End, Group, Server};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// How long there is trouble, and how long it is calm then.
const TROUBLE: Duration = Duration::from_secs(6 * 3600);
const CALM: Duration = Duration::from_secs(26 * 3600);

/// How often is looked whether a replica has taken a backup while one runs: at first, and when it is only waited for.
const LOOK: Duration = Duration::from_millis(100);
const LOOK_LATER: Duration = Duration::from_secs(10);

struct Play {
    cluster: Cluster,
    servers: Vec<Arc<Server>>,
    group: Group,
    dice: Arc<Dice>,
    /// Rows of history of each replica that were carried to the others.
    carried: Vec<i64>,
    /// How many rows users had written since when.
    rows: Vec<(Duration, i64)>,
    item: ItemId,
    /// When replicas come back, and the vault.
    back: BTreeMap<usize, Duration>,
    vault_back: Option<Duration>,
    done: BTreeMap<&'static str, u32>,
}

/// Plays a seed; what is wrong, and what was done.
pub(crate) fn play(seed: u64) -> (Vec<String>, BTreeMap<&'static str, u32>) {
    let cluster = Cluster::new(seed);
    let driver = cluster.driver();
    driver.run(async move {
        let mut play = Play::begin(cluster, seed).await;
        let ends = uptime(&play.cluster) + TROUBLE;
        while uptime(&play.cluster) < ends {
            play.something().await;
        }
        let calm = play.end_all_trouble().await;
        while uptime(&play.cluster) < calm + CALM {
            let pause = MINUTE * (30 + u32::try_from(play.dice.below(90)).unwrap());
            play.settle(uptime(&play.cluster) + pause, None).await;
            play.let_backups_end().await;
            play.write().await;
        }
        play.let_backups_end().await;
        let wrong = play.judge(calm).await;
        (wrong, play.done)
    })
}

impl Play {
    async fn begin(cluster: Cluster, seed: u64) -> Self {
        let dice = Dice::new(seed ^ 0x6209);
        let count = 2 + dice.below(2);
        let servers: Vec<Arc<Server>> = (1..=count)
            .map(|at| cluster.server_of(&format!("sql{at}"), None, Version::V2022))
            .collect();
        let group = Group::form("AG1", "Shop", &servers).await;
        let vault = cluster.start_vault().await;
        one_at_a_time(&cluster).await;
        for server in &servers {
            vault.add_server(server.registration()).await.unwrap();
        }
        let full_at = dice.below(24 * 60);
        let policy = format!(
            r#"{{"version": 1, "name": "all",
                "full": {{"schedule": {{"frequency": "daily", "times": ["{:02}:{:02}"]}}, "retention": {{"daily": {{"count": 30}}}}}},
                "log": {{"every": "60m"}}, "running": {{"jitter": "0s"}}}}"#,
            full_at / 60,
            full_at % 60
        );
        let (policy, _) = vault
            .create_policy(Policy::from_json(&policy).unwrap())
            .await
            .unwrap();
        let databases: Vec<Database> = cluster.records().await;
        let shop = databases.iter().find(|one| one.name == "Shop").unwrap();
        let item = vault.protect(shop.id, policy).await.unwrap();
        vault.back_up(item, BackupKind::Full, None).await.unwrap();
        let mut play = Self {
            carried: vec![0; servers.len()],
            rows: Vec::new(),
            cluster,
            servers,
            group,
            dice,
            item,
            back: BTreeMap::new(),
            vault_back: None,
            done: BTreeMap::new(),
        };
        for at in 0..play.servers.len() {
            play.carried[at] = play.history(at).await;
        }
        play.write().await;
        play
    }

    fn is_up(&self, at: usize) -> bool {
        self.servers[at].instance().is_some()
    }

    fn primary(&self) -> usize {
        let is_it = |one: &Arc<Server>| std::ptr::eq(one.as_ref(), self.group.primary());
        self.servers.iter().position(is_it).unwrap()
    }

    /// Rows of a replica's history.
    async fn history(&self, at: usize) -> i64 {
        let text = "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE database_name = 'Shop'";
        match self.cluster.sql(&self.servers[at]).value(text).await {
            Value::Integer(count) => count,
            other => panic!("{other:?}"),
        }
    }

    /// What a replica has taken reaches the others.
    async fn carry_new(&mut self) {
        for at in 0..self.servers.len() {
            if !self.is_up(at) {
                continue;
            }
            let count = self.history(at).await;
            if count > self.carried[at] {
                self.carried[at] = count;
                self.group.carry(at).await;
            }
        }
    }

    async fn write(&mut self) {
        if !self.is_up(self.primary()) {
            return;
        }
        self.carry_new().await;
        self.group.write(1 + self.dice.below(6) as u32).await;
        let rows = self.cluster.sql(self.group.primary()).rows("Shop").await;
        self.rows.push((uptime(&self.cluster), rows));
    }

    async fn fail_over(&mut self) {
        let others: Vec<usize> = (0..self.servers.len())
            .filter(|at| self.is_up(*at) && *at != self.primary())
            .collect();
        if let Some(to) = others.get(self.dice.below(others.len().max(1) as u64) as usize) {
            self.carry_new().await;
            self.group.fail_over(*to).await;
            *self.done.entry("fail over").or_default() += 1;
        }
    }

    /// Lets time pass up to a moment, or until a backup job comes to a step; what is due meanwhile is done.
    async fn settle(&mut self, until: Duration, step: Option<Step>) {
        let mut busy_since = None;
        loop {
            self.carry_new().await;
            self.come_back().await;
            let now = uptime(&self.cluster);
            if now >= until {
                return;
            }
            let jobs: Vec<Job> = self.cluster.records().await;
            let is_busy = jobs.iter().any(|job| job.state == JobState::InProgress);
            let due = self.back.values().chain(&self.vault_back).copied().min();
            let left = until.min(due.unwrap_or(until)).saturating_sub(now);
            let slice = match is_busy {
                true if now < *busy_since.get_or_insert(now) + MINUTE => left.min(LOOK),
                true => left.min(LOOK_LATER),
                false => {
                    busy_since = None;
                    left
                }
            };
            let history = Arc::clone(&self.cluster.history);
            let met = history.until(|write| (write.kind == Kind::Job).then(|| Step::of_write(write)));
            let passed = self.cluster.pass(slice);
            if let Either::Left((met, _)) = select(Box::pin(met), Box::pin(passed)).await
                && met.is_some()
                && met == step
            {
                return;
            }
        }
    }

    /// Waits for what runs: to carry the files of the group would stop it on a secondary.
    async fn let_backups_end(&mut self) {
        for _ in 0..600 {
            let jobs: Vec<Job> = self.cluster.records().await;
            if jobs.iter().all(|job| job.state != JobState::InProgress) {
                return;
            }
            self.settle(uptime(&self.cluster) + Duration::from_secs(1), None)
                .await;
        }
    }

    /// Replicas that were away, and the vault.
    async fn come_back(&mut self) {
        let now = uptime(&self.cluster);
        let due: Vec<usize> = self
            .back
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(one, _)| *one)
            .collect();
        for at in due {
            self.back.remove(&at);
            self.servers[at].start();
            self.whole().await;
        }
        if self.vault_back.is_some_and(|at| at <= now) {
            self.vault_back = None;
            self.cluster.start_vault().await;
        }
    }

    /// All replicas that are up know the primary, and have what it has.
    async fn whole(&mut self) {
        let primary = match self.primary() {
            at if self.is_up(at) => at,
            _ => (0..self.servers.len()).find(|at| self.is_up(*at)).unwrap(),
        };
        self.group.fail_over(primary).await;
        self.group.carry(primary).await;
    }

    async fn something(&mut self) {
        let dice = Arc::clone(&self.dice);
        let now = uptime(&self.cluster);
        self.settle(now + MINUTE * (3 + dice.below(18) as u32), None)
            .await;
        let what = dice.below(13);
        if what >= 6 && dice.one_in(2) {
            self.settle(uptime(&self.cluster) + HOUR, Some(Step::Sent)).await;
            let soon = [0, 2, 20, 200][dice.below(4) as usize];
            self.cluster.pass(Duration::from_millis(soon)).await;
        }
        match what {
            0..=2 => self.write().await,
            3 => {
                let wanted = ["primary", "secondary", "secondary_only", "none"][dice.below(4) as usize];
                self.group.set(&format!("preference {wanted}")).await;
                *self.done.entry("preference").or_default() += 1;
            }
            4..=5 => self.ask().await,
            6..=7 => self.fail_over().await,
            8..=10 => self.take_away().await,
            11 => {
                self.cluster.crash_vault();
                let soon = MINUTE * (1 + dice.below(90) as u32);
                self.vault_back.get_or_insert(uptime(&self.cluster) + soon);
                *self.done.entry("crash of the vault").or_default() += 1;
            }
            _ => {
                let at = dice.below(self.servers.len() as u64) as usize;
                self.servers[at].lose_connections();
                *self.done.entry("connections lost").or_default() += 1;
            }
        }
    }

    async fn ask(&mut self) {
        if !self.cluster.vault_runs() {
            return;
        }
        let kinds = [
            BackupKind::Full,
            BackupKind::Log,
            BackupKind::Differential,
            BackupKind::CopyOnlyFull,
        ];
        let kind = kinds[self.dice.below(4) as usize];
        let vault = self.cluster.vault().await;
        if vault.back_up(self.item, kind, None).await.is_ok() {
            *self.done.entry("backup").or_default() += 1;
        }
    }

    /// A replica goes for a while; where it was the primary, another takes over, at once or when it is noticed.
    async fn take_away(&mut self) {
        let up: Vec<usize> = (0..self.servers.len()).filter(|at| self.is_up(*at)).collect();
        if up.len() < 2 {
            return;
        }
        let at = up[self.dice.below(up.len() as u64) as usize];
        self.carry_new().await;
        let end = [End::Stop, End::Kill, End::Power][self.dice.below(3) as usize];
        let was_primary = self.primary() == at;
        self.cluster.end(&self.servers[at], end);
        let away = MINUTE * (5 + self.dice.below(60) as u32);
        self.back.insert(at, uptime(&self.cluster) + away);
        *self.done.entry("replica away").or_default() += 1;
        if was_primary {
            let pause = Duration::from_secs(self.dice.below(240));
            self.cluster.pass(pause).await;
            self.fail_over().await;
        }
    }

    /// Everything is whole again; since when.
    async fn end_all_trouble(&mut self) -> Duration {
        self.back.clear();
        self.vault_back = None;
        for at in 0..self.servers.len() {
            if !self.is_up(at) {
                self.servers[at].start();
            }
        }
        self.carry_new().await;
        self.whole().await;
        let wanted = ["primary", "secondary", "none"][self.dice.below(3) as usize];
        self.group.set(&format!("preference {wanted}")).await;
        self.cluster.crash_vault();
        self.cluster.start_vault().await;
        uptime(&self.cluster)
    }
}

/// The vault takes one backup at a time.
async fn one_at_a_time(cluster: &Cluster) {
    cluster.change_vault(|record| record.jobs_at_once = Some(1)).await;
}
