//! Plays a story in a world: makes the stage, does each deed at its time, lets trouble end, and waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use blobstore::disk::simulated::Crash;
use catalog::memory::{Event, NoTrouble, Step, pending};
use catalog::record::{Database, DatabaseId, Item, Job, PolicyId, Protection, ServerSettings, Trust};
use mssql::Secret;
use schedule::calendar::Weekday;
use schedule::policy::{DifferentialPolicy, Frequency, FullRetention, LogPolicy, WeeklyRule};
use schedule::{BackupKind, Days, LocalTime, Period, Policy};
use vault::registration::{NewLogin, NewServer};

use crate::story::{Asked, Deed, Story, database, host};
use crate::world::time::Dice;
use crate::world::{Cluster, PASSWORD, Server};

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
    /// What was done, by word, and how often it could be.
    pub(crate) done: BTreeMap<String, u32>,
    /// Whether a clock of the vault jumped.
    pub(crate) vault_clock_jumped: bool,
    /// When all trouble was over.
    pub(crate) calm_since: Duration,
}

/// The player.
pub(crate) struct Actor {
    pub(crate) cluster: Cluster,
    pub(crate) servers: Vec<Arc<Server>>,
    pub(crate) story: Story,
    pub(crate) truth: Truth,
    dice: Arc<Dice>,
    jumped: i64,
    /// What databases are called now.
    names: BTreeMap<(usize, usize), String>,
    policy: Option<PolicyId>,
}

pub(crate) fn uptime(cluster: &Cluster) -> Duration {
    vault::world::Clock::uptime(&*cluster.clock)
}

impl Actor {
    pub(crate) fn new(seed: u64) -> Self {
        let cluster = Cluster::new(seed);
        let story = Story::of(seed);
        let servers = (0..story.stage.servers.len()).map(|number| cluster.server(&host(number)));
        Self {
            servers: servers.collect(),
            cluster,
            story,
            truth: Truth {
                rows: BTreeMap::new(),
                rewound: Vec::new(),
                recreated: Vec::new(),
                done: BTreeMap::new(),
                vault_clock_jumped: false,
                calm_since: Duration::ZERO,
            },
            dice: Dice::new(seed ^ 0xAC7),
            jumped: 0,
            names: BTreeMap::new(),
            policy: None,
        }
    }

    /// What a database is called now.
    pub(crate) fn name(&self, server: usize, number: usize) -> String {
        let name = self.names.get(&(server, number)).cloned();
        name.unwrap_or_else(|| database(server, number))
    }

    /// Plays all of it.
    pub(crate) async fn play(&mut self) {
        self.set_the_stage().await;
        let begun = uptime(&self.cluster);
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
            let is_work = matches!(deed, Deed::Rows(..) | Deed::BackUp(..) | Deed::CancelSomething);
            if is_work || !is_calm {
                self.does(deed).await;
            }
        }
        self.story.deeds = deeds;
        self.wait_until(ends).await;
        if !is_calm {
            self.end_all_trouble().await;
        }
        self.wait_until(ends + self.story.calm).await;
    }

    async fn wait_until(&self, at: Duration) {
        let left = at.saturating_sub(uptime(&self.cluster));
        if !left.is_zero() {
            self.cluster.pass(left).await;
        }
    }

    async fn set_the_stage(&mut self) {
        for (server, databases) in self.story.stage.servers.clone().iter().enumerate() {
            let sql = self.cluster.sql(&self.servers[server]);
            self.servers[server].goes_on_without_client(self.story.stage.goes_on);
            for (number, is_full) in databases.iter().enumerate() {
                let name = database(server, number);
                sql.make_database(&name).await;
                if !is_full {
                    sql.go(&format!("ALTER DATABASE [{name}] SET RECOVERY SIMPLE"))
                        .await;
                }
                let rows = sql.rows(&name).await;
                let now = uptime(&self.cluster);
                self.truth.rows.insert((server, number), vec![(now, rows)]);
            }
        }
        let vault = self.cluster.start_vault().await;
        let (policy, _) = vault.create_policy(policy(&self.story)).await.unwrap();
        self.policy = Some(policy);
        for server in &self.servers {
            let new = NewServer {
                name: server.address.clone(),
                address: server.address.clone(),
                login: NewLogin::Sql {
                    user: "sa".to_owned(),
                    password: Secret::new(PASSWORD.to_owned()),
                },
                restore_login: None,
                trust: Trust::Any,
                take_over: false,
                settings: ServerSettings::default(),
            };
            vault.add_server(new).await.unwrap();
        }
        for one in self.discovered().await {
            vault.protect(one.id, policy).await.unwrap();
        }
        for _ in 0..600 {
            let items: Vec<Item> = self.cluster.records().await;
            let ready = items
                .iter()
                .filter(|item| item.protection == Protection::Protected);
            if ready.count() == self.truth.rows.len() {
                return;
            }
            self.cluster.pass(Duration::from_secs(1)).await;
        }
        panic!("all databases are protected within ten minutes");
    }

    /// The databases of the story, as soon as all are discovered.
    async fn discovered(&self) -> Vec<Database> {
        for _ in 0..600 {
            let mut found: Vec<Database> = self.cluster.records().await;
            found.retain(|one| one.name.starts_with("Db "));
            if found.len() == self.truth.rows.len() {
                found.sort_by(|one, other| one.name.cmp(&other.name));
                return found;
            }
            self.cluster.pass(Duration::from_secs(1)).await;
        }
        panic!("all databases are discovered within ten minutes");
    }

    async fn does(&mut self, deed: &Deed) {
        if self.try_it(deed).await {
            *self.truth.done.entry(deed.word()).or_default() += 1;
        }
    }

    /// Does a deed; whether it could be done.
    async fn try_it(&mut self, deed: &Deed) -> bool {
        match deed {
            Deed::Rows(server, number, count) => self.add_rows(*server, *number, *count).await,
            Deed::BackUp(server, number, asked) => self.back_up(*server, *number, *asked).await,
            Deed::CancelSomething => self.cancel_something().await,
            Deed::Foreign(server, number, asked) => self.foreign(*server, *number, *asked).await,
            Deed::CrashVault | Deed::CrashVaultSoon(_) | Deed::StartVault => self.vault_deed(deed).await,
            Deed::EndServer(server, end) => {
                let is_up = self.servers[*server].instance().is_some();
                self.cluster.end(&self.servers[*server], *end);
                is_up
            }
            Deed::StartServer(server) => self.start_server(*server),
            Deed::CutOff(server, is_off) => {
                self.servers[*server].cut_off(*is_off);
                true
            }
            Deed::LoseConnections(server) => {
                self.servers[*server].lose_connections();
                true
            }
            Deed::LoseNextBackup(server, after) => {
                self.servers[*server].lose_next("BACKUP ", Duration::from_millis(*after));
                true
            }
            Deed::Snapshot(server) => self.fault(*server, "snapshot kept").await,
            Deed::Rollback(server) => {
                let done = self.fault(*server, "rollback kept").await;
                if done {
                    self.truth.rewound.push(*server);
                }
                done
            }
            Deed::Fault(server, line) => self.fault(*server, line).await,
            Deed::Recovery(server, number, is_full) => {
                let model = if *is_full { "FULL" } else { "SIMPLE" };
                let name = self.name(*server, *number);
                if !self.story.stage.servers[*server][*number] {
                    return false;
                }
                self.try_sql(*server, &format!("ALTER DATABASE [{name}] SET RECOVERY {model}"))
                    .await
            }
            Deed::Recreate(server, number) => self.recreate(*server, *number).await,
            Deed::Rename(server, number) => {
                let old = self.name(*server, *number);
                let new = format!("{old} x");
                let done = self
                    .try_sql(*server, &format!("ALTER DATABASE [{old}] MODIFY NAME = [{new}]"))
                    .await;
                if done {
                    self.names.insert((*server, *number), new);
                }
                done
            }
            Deed::ChangePolicy(days) => self.change_policy(*days).await,
            Deed::Suspend(server, number, rests) => self.suspend(*server, *number, *rests).await,
            Deed::ServerClock(server, seconds) => {
                self.servers[*server].clock.jump(seconds * 1_000_000);
                true
            }
            Deed::VaultClock(seconds) => {
                self.cluster.clock.jump(seconds * 1_000_000);
                self.jumped += seconds;
                self.truth.vault_clock_jumped = true;
                true
            }
            _ => self.around_the_door(deed),
        }
    }

    fn around_the_door(&self, deed: &Deed) -> bool {
        let door = &self.cluster.door;
        match deed {
            Deed::DoorDown(is_down) => door.trouble(|trouble| trouble.is_down = *is_down),
            Deed::DoorRestart(is_power) => {
                door.close(if *is_power { Crash::Power } else { Crash::Kill });
                door.open();
            }
            Deed::DoorFree(bytes) => door.set_free(*bytes),
            Deed::AnswersLost(count) => door.trouble(|trouble| trouble.answers_lost += count),
            Deed::BlocksDamaged(count) => door.trouble(|trouble| trouble.blocks_damaged += count),
            Deed::CatalogTrouble(one_in) => self.trouble_the_catalog(*one_in),
            Deed::CatalogFull(is_full) => self.cluster.catalog.set_full(*is_full),
            other => panic!("{other:?} is done elsewhere"),
        }
        true
    }

    fn trouble_the_catalog(&self, one_in: Option<u64>) {
        let Some(one_in) = one_in else {
            return self.cluster.catalog.set_plan(Box::new(NoTrouble));
        };
        let dice = Arc::clone(&self.dice);
        self.cluster.catalog.set_plan(Box::new(move |step: Step| {
            if !dice.one_in(one_in) {
                return Event::Go;
            }
            match (dice.below(4), step) {
                (0, _) => Event::Conflict,
                (1, _) => Event::Lost,
                _ => Event::Wait(pending(1 + dice.below(3) as u32)),
            }
        }));
    }

    async fn try_sql(&self, server: usize, text: &str) -> bool {
        if self.servers[server].instance().is_none() {
            return false;
        }
        let answers = self.cluster.sql(&self.servers[server]).run(text).await;
        answers.errors().next().is_none()
    }

    async fn fault(&self, server: usize, line: &str) -> bool {
        self.try_sql(server, &format!("EXEC sim_fault '{line}'")).await
    }

    async fn add_rows(&mut self, server: usize, number: usize, count: u32) -> bool {
        let name = self.name(server, number);
        let rows = vec!["(REPLICATE('x', 900))"; count as usize].join(", ");
        let text = format!("INSERT INTO [{name}].dbo.Orders (what) VALUES {rows}");
        if !self.try_sql(server, &text).await {
            return false;
        }
        let count = self.cluster.sql(&self.servers[server]).rows(&name).await;
        let now = uptime(&self.cluster);
        self.truth
            .rows
            .entry((server, number))
            .or_default()
            .push((now, count));
        true
    }

    async fn item_of(&self, server: usize, number: usize) -> Option<Item> {
        let databases: Vec<Database> = self.cluster.records().await;
        let name = self.name(server, number);
        let known = databases
            .iter()
            .find(|one| one.name == name && one.gone.is_none())?;
        let items: Vec<Item> = self.cluster.records().await;
        items.into_iter().find(|item| item.database == known.id)
    }

    async fn back_up(&self, server: usize, number: usize, asked: Asked) -> bool {
        if !self.cluster.vault_runs() {
            return false;
        }
        let Some(item) = self.item_of(server, number).await else {
            return false;
        };
        let kind = match asked {
            Asked::Full => BackupKind::Full,
            Asked::Differential => BackupKind::Differential,
            Asked::Log => BackupKind::Log,
            Asked::CopyOnly => BackupKind::CopyOnlyFull,
        };
        let vault = self.cluster.vault().await;
        vault.back_up(item.id, kind, None).await.is_ok()
    }

    async fn recreate(&mut self, server: usize, number: usize) -> bool {
        let name = self.name(server, number);
        let item = self.item_of(server, number).await;
        if !self.try_sql(server, &format!("DROP DATABASE [{name}]")).await {
            return false;
        }
        let sql = self.cluster.sql(&self.servers[server]);
        sql.make_database(&name).await;
        self.truth.recreated.extend(item.map(|item| item.database));
        let rows = vec![(uptime(&self.cluster), sql.rows(&name).await)];
        self.truth.rows.insert((server, number), rows);
        true
    }

    async fn change_policy(&self, days: u32) -> bool {
        if !self.cluster.vault_runs() {
            return false;
        }
        let vault = self.cluster.vault().await;
        let Ok(policies) = vault.policies().await else {
            return false;
        };
        let Some((policy, version)) = policies.into_iter().find(|(one, _)| Some(one.id) == self.policy)
        else {
            return false;
        };
        let mut changed = policy.policy;
        if let Some(log) = &mut changed.log {
            log.retention = Days(days);
        }
        vault.change_policy(policy.id, version, changed).await.is_ok()
    }

    async fn suspend(&self, server: usize, number: usize, rests: bool) -> bool {
        if !self.cluster.vault_runs() {
            return false;
        }
        let Some(item) = self.item_of(server, number).await else {
            return false;
        };
        let vault = self.cluster.vault().await;
        let done = if rests {
            vault.suspend(item.id, None).await
        } else {
            vault.resume(item.id, None).await
        };
        done.is_ok()
    }

    async fn cancel_something(&self) -> bool {
        if !self.cluster.vault_runs() {
            return false;
        }
        let jobs: Vec<Job> = self.cluster.records().await;
        let open: Vec<_> = jobs.iter().filter(|job| !job.state.is_ended()).collect();
        if open.is_empty() {
            return false;
        }
        let one = open[self.dice.below(open.len() as u64) as usize];
        let vault = self.cluster.vault().await;
        vault.cancel_job(one.id).await.is_ok()
    }

    async fn foreign(&self, server: usize, number: usize, asked: Asked) -> bool {
        let name = self.name(server, number);
        let file = format!("/sql/backup/foreign-{}.bak", uptime(&self.cluster).as_micros());
        let (what, with) = match asked {
            Asked::Full => ("DATABASE", ""),
            Asked::Differential => ("DATABASE", " WITH DIFFERENTIAL"),
            Asked::Log => ("LOG", ""),
            Asked::CopyOnly => ("DATABASE", " WITH COPY_ONLY"),
        };
        self.try_sql(
            server,
            &format!("BACKUP {what} [{name}] TO DISK = '{file}'{with}"),
        )
        .await
    }

    async fn vault_deed(&mut self, deed: &Deed) -> bool {
        self.cluster.crash_vault();
        match deed {
            Deed::CrashVault => {}
            Deed::CrashVaultSoon(polls) => return self.open_vault(*polls).await,
            _ => return self.open_vault(u64::MAX).await,
        }
        true
    }

    /// The vault opens; a catalog in trouble may refuse.
    async fn open_vault(&self, polls: u64) -> bool {
        for _ in 0..50 {
            if self.cluster.try_start_vault_for(polls).await {
                return true;
            }
            self.cluster.crash_vault();
            self.cluster.pass(Duration::from_secs(1)).await;
        }
        false
    }

    fn start_server(&self, server: usize) -> bool {
        let server = &self.servers[server];
        if server.instance().is_some() {
            return false;
        }
        // One that died by itself is down, and nobody has told its host yet.
        self.cluster.end(server, crate::world::End::Kill);
        server.start();
        true
    }

    /// Everything that is broken is made whole: what is down is started, what is full has room.
    async fn end_all_trouble(&mut self) {
        let door = &self.cluster.door;
        door.trouble(|trouble| *trouble = crate::world::door::Trouble::default());
        door.set_free(None);
        if door.store().is_none_or(|store| store.read_only().is_some()) {
            door.close(Crash::Kill);
            door.open();
        }
        self.trouble_the_catalog(None);
        self.cluster.catalog.set_full(false);
        self.cluster.clock.jump(-self.jumped * 1_000_000);
        self.jumped = 0;
        for number in 0..self.servers.len() {
            self.servers[number].cut_off(false);
            self.start_server(number);
            for line in ["network back vault.test", "instance well"] {
                self.fault(number, line).await;
            }
            for (database, is_full) in self.story.stage.servers[number].iter().enumerate() {
                if *is_full {
                    let name = self.name(number, database);
                    self.try_sql(number, &format!("ALTER DATABASE [{name}] SET RECOVERY FULL"))
                        .await;
                }
            }
        }
        // One that is to crash soon would do so in the calm.
        self.cluster.crash_vault();
        assert!(
            self.open_vault(u64::MAX).await,
            "a vault opens once its catalog is well"
        );
        for number in 0..self.servers.len() {
            for database in 0..self.story.stage.servers[number].len() {
                self.suspend(number, database, false).await;
            }
        }
        self.truth.calm_since = uptime(&self.cluster);
    }
}

fn policy(story: &Story) -> Policy {
    let stage = &story.stage;
    let time = |minutes: u16| {
        let text = format!("{:02}:{:02}", minutes / 60, minutes % 60);
        text.parse::<LocalTime>().unwrap()
    };
    let mut policy = Policy::daily("all", time(stage.full_at), Days(30));
    if stage.differential_at.is_some() {
        policy.full.schedule.frequency = Frequency::Weekly;
        policy.full.schedule.days = vec![Weekday::Friday];
        policy.full.retention = FullRetention {
            daily: None,
            weekly: Some(WeeklyRule {
                count: 4,
                days: vec![Weekday::Friday],
            }),
            ..policy.full.retention
        };
    }
    policy.differential = stage.differential_at.map(|at| DifferentialPolicy {
        days: vec![Weekday::Thursday, Weekday::Saturday],
        times: vec![time(at)],
        retention: Days(30),
    });
    policy.log = Some(LogPolicy {
        every: Period::minutes(u32::try_from(stage.log_minutes).unwrap()),
        offset: Period::minutes(0),
        retention: Days(15),
    });
    policy.running.jitter = Period::minutes(u32::try_from(stage.jitter_minutes).unwrap());
    policy
}
