//! A day of 2,000 databases on 20 instances with a log backup each quarter of an hour, in simulated time: whether every job
//! starts within a minute of its slot, and what catalog and memory come to. Instances and store are of paper: what is measured is
//! the vault.
//!
//! `cargo test --workspace --test day -- --ignored --nocapture`; `BAC2_DAY_HOURS` for less or more than 24.

#![allow(clippy::unwrap_used)]

#[path = "../world/mod.rs"]
mod world;

mod paper;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use catalog::record::{
    Database, DatabaseId, DatabaseState, Item, Job, JobState, Notice, Point, Server, Trigger, Work,
};
use catalog::{Record, Row, insert};
use paper::{Paper, Sheet, Way};
use schedule::policy::LogPolicy;
use schedule::{Days, LocalTime, Period, Policy};
use vault::world::{Chance as _, Clock as _};
use vault::{Vault, World};
use world::Cluster;

const INSTANCES: usize = 20;
const DATABASES: usize = 100;
/// How late a start may be.
const LATEST: i64 = 60;

fn database(server: &Server, name: &str, guid: uuid::Uuid, cluster: &Cluster) -> Database {
    Database {
        id: DatabaseId(cluster.dice.uuid()),
        server: server.id,
        group: None,
        name: name.to_owned(),
        former_names: Vec::new(),
        database_guid: Some(guid),
        family_guid: Some(guid),
        recovery_fork: Some(guid),
        number: 7,
        created: "2026-01-01T00:00:00".parse().unwrap(),
        state: DatabaseState {
            state: "ONLINE".to_owned(),
            recovery_model: "FULL".to_owned(),
            user_access: "MULTI_USER".to_owned(),
            is_read_only: false,
            is_standby: false,
            is_mirrored: false,
            is_snapshot: false,
            is_system: false,
            is_encrypted: false,
            last_log_backup_lsn: None,
            differential_base: None,
            is_log_shipped: false,
        },
        data_bytes: 8 << 20,
        log_bytes: 8 << 20,
        files: Vec::new(),
        first_seen: cluster.now(),
        last_seen: cluster.now(),
        gone: None,
        is_test_copy: false,
    }
}

/// Writes instances and databases down, and protects them.
async fn protect_all(cluster: &Cluster, vault: &Vault, world: &World, paper: &Paper) {
    let key = vault.id().to_string();
    let mut policy = Policy::daily("all", "02:00".parse::<LocalTime>().unwrap(), Days(30));
    policy.log = Some(LogPolicy {
        every: Period::minutes(15),
        offset: Period::minutes(0),
        retention: Days(15),
    });
    let (policy, _) = vault.create_policy(policy).await.unwrap();
    for instance in 0..INSTANCES {
        let (secret, password) = cluster.password();
        let server = cluster.server_record(&format!("sql{instance:02}"), password);
        let mut ids = Vec::new();
        let mut tx = world.catalog.begin().await.unwrap();
        insert(tx.as_mut(), &key, secret).await.unwrap();
        insert(tx.as_mut(), &key, server.clone()).await.unwrap();
        for number in 0..DATABASES {
            let (name, guid) = (format!("db{number:03}"), cluster.dice.uuid());
            let sheet = Sheet {
                guid,
                log: 1,
                now: 10,
                base: None,
            };
            paper.add(&server.address, &name, sheet);
            let record = database(&server, &name, guid, cluster);
            ids.push(record.id);
            insert(tx.as_mut(), &key, record).await.unwrap();
        }
        tx.commit().await.unwrap();
        for id in ids {
            vault.protect(id, policy).await.unwrap();
        }
    }
}

/// Bytes of memory of this process, where the system tells.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

/// What became of the scheduled jobs of a kind.
#[derive(Default)]
struct Told {
    /// How long after slot and jitter each began, in milliseconds.
    late: Vec<i64>,
    states: BTreeMap<&'static str, u64>,
}

/// What became of all jobs that are over; each is read once.
#[derive(Default)]
struct Tally {
    read: BTreeSet<String>,
    kinds: BTreeMap<&'static str, Told>,
    failed: Option<Job>,
}

impl Tally {
    /// Adds what ended since the last time.
    fn add(&mut self, rows: &[Row]) {
        let jobs = rows.iter().filter(|row| row.kind == Job::KIND);
        for row in jobs
            .filter(|row| !self.read.contains(&row.id))
            .collect::<Vec<_>>()
        {
            let job: Job = serde_json::from_str(&row.body).unwrap();
            if job.state.is_ended() {
                self.read.insert(row.id.clone());
                self.add_job(job);
            }
        }
    }

    fn add_job(&mut self, job: Job) {
        if let (Work::Backup(work), Trigger::Scheduled { slot }) = (&job.work, &job.trigger) {
            let told = self.kinds.entry(work.asked.name()).or_default();
            *told.states.entry(job.state.name()).or_default() += 1;
            if let Some(started) = job.started {
                told.late.push(started.duration_since(*slot).as_millis() as i64);
            }
        }
        if matches!(job.state, JobState::Failed | JobState::Cancelled) {
            self.failed.get_or_insert(job);
        }
    }

    /// Prints it; gives the latest start of all.
    fn tell(&mut self) -> i64 {
        let mut worst = 0;
        for (kind, told) in &mut self.kinds {
            told.late.sort_unstable();
            let at = |part: usize| {
                told.late
                    .get((told.late.len() * part / 100).min(told.late.len().saturating_sub(1)))
            };
            println!(
                "{kind}: {:?}; late by ms: median {:?}, 99 of 100 {:?}, most {:?}",
                told.states,
                at(50),
                at(99),
                told.late.last()
            );
            worst = worst.max(told.late.last().copied().unwrap_or(0));
        }
        worst
    }
}

#[test]
#[ignore = "takes minutes: the day of 2,000 databases"]
fn two_thousand_databases_start_within_a_minute() {
    let hours: u64 = std::env::var("BAC2_DAY_HOURS").map_or(24, |text| text.parse().unwrap());
    let cluster = Cluster::new(1);
    let paper = Paper::new(&cluster.clock, &cluster.dice);
    let world = World {
        clock: Arc::clone(&cluster.clock) as Arc<_>,
        chance: Arc::clone(&cluster.dice) as Arc<_>,
        connector: Arc::new(Way(Arc::clone(&paper))),
        shelf: Arc::clone(&paper) as Arc<_>,
        catalog: Arc::new(cluster.catalog.open().unwrap()),
        keyring: Arc::clone(&cluster.keyring),
    };
    let before = memory();
    let vault = cluster.run(async {
        let vault = Vault::create(world.clone(), "day").await.unwrap();
        protect_all(&cluster, &vault, &world, &paper).await;
        vault
    });
    let rows = cluster.catalog.rows().len();
    println!(
        "{} databases protected; {rows} rows, memory {before:?} -> {:?}",
        INSTANCES * DATABASES,
        memory()
    );
    let mut tally = Tally::default();
    for hour in 0..hours {
        let stop = cluster.clock.sleep(Duration::from_secs(3600));
        cluster.run(vault.run(stop));
        let rows = cluster.catalog.rows();
        let bytes: usize = rows.iter().map(|row| row.body.len()).sum();
        by_kind(&rows);
        println!(
            "hour {hour}: {} rows, {bytes} bytes of bodies, memory {:?}",
            rows.len(),
            memory()
        );
        tally.add(&rows);
        tally.tell();
    }
    judge(&cluster, &paper, &mut tally);
}

/// Rows and bytes of bodies by kind.
fn by_kind(rows: &[Row]) {
    let mut kinds = BTreeMap::<String, (usize, usize)>::new();
    for row in rows {
        let sum = kinds.entry(row.kind.to_string()).or_default();
        *sum = (sum.0 + 1, sum.1 + row.body.len());
    }
    println!("rows and bytes: {kinds:?}");
}

fn of_kind<R: Record>(cluster: &Cluster) -> Vec<R> {
    let rows = cluster
        .catalog
        .rows()
        .into_iter()
        .filter(|row| row.kind == R::KIND);
    rows.map(|row| serde_json::from_str(&row.body).unwrap()).collect()
}

fn judge(cluster: &Cluster, paper: &Paper, tally: &mut Tally) {
    let (sealed, most, strange) = paper.told();
    let (points, items): (Vec<Point>, Vec<Item>) = (of_kind(cluster), of_kind(cluster));
    println!(
        "{} jobs over, {} points, {sealed} sealed, {most} at once, {} items",
        tally.read.len(),
        points.len(),
        items.len()
    );
    assert!(strange.is_empty(), "{:#?}", strange.first());
    let worst = tally.tell();
    // Each database gets its first full in the first hour, one at a time on an instance; logs before it say so and wait.
    let failed = &tally.failed;
    assert!(failed.is_none(), "{failed:#?}");
    let notices: Vec<Notice> = of_kind(cluster);
    let mut matters = BTreeMap::<String, usize>::new();
    for notice in &notices {
        let matter = notice.about.split('/').next().unwrap_or_default();
        *matters
            .entry(format!("{matter} {}", notice.fault.code().as_str()))
            .or_default() += 1;
    }
    println!("notices: {matters:?}");
    let missed = notices.iter().find(|notice| notice.missed.is_some());
    assert!(missed.is_none(), "{missed:#?}");
    assert!(worst <= LATEST * 1000, "a job began {worst} ms after its slot");
}
