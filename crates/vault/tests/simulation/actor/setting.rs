//! The stage of a story is set: instances, databases, the vault, its policy, what is protected.

use std::time::Duration;

use catalog::record::{Database, Item, Protection, ServerSettings};
use schedule::policy::{DifferentialPolicy, Frequency, FullRetention, LogPolicy, Stripes, WeeklyRule};
use schedule::{Days, LocalTime, Period, Policy, Size};
use vault::registration::NewServer;

use super::{Actor, uptime};
use crate::story::{Story, Terms, database};
use crate::world::Server;

/// Names that auto-protection leaves out: the instance's own databases, and those that come and go.
pub(super) const EXCLUDES: [&str; 2] = ["m%", "Scratch%"];

/// The availability group of the stories that have one; of one replica, whose files need not be carried.
pub(super) const GROUP: &str = "AG1";

/// A stripe of these stories, where databases are of two or three mebibytes: as little as a policy may say.
const STRIPE: Size = Size::mib(1);

impl Actor {
    pub(super) async fn set_the_stage(&mut self) {
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
        if self.story.stage.is_foreign {
            let sql = self.cluster.sql(&self.servers[0]);
            let name = database(0, 0);
            sql.foreign_backup("DATABASE", &name, "before.bak", "").await;
            if self.is_full(0, 0) {
                sql.foreign_backup("LOG", &name, "before.trn", "").await;
            }
        }
        if self.story.stage.is_group {
            let (sql, name) = (self.cluster.sql(&self.servers[0]), database(0, 0));
            // A group takes a database only after a full.
            sql.foreign_backup("DATABASE", &name, "seed.bak", "COPY_ONLY")
                .await;
            let line = format!("group join \"{name}\" {GROUP}");
            assert!(self.fault(0, &line).await, "{line}");
        }
        let vault = self.cluster.start_vault().await;
        self.set_limits().await;
        let (policy, _) = vault
            .create_policy(wanted_policy(&self.story, self.terms()))
            .await
            .unwrap();
        self.policy = Some(policy);
        for (number, server) in self.servers.iter().enumerate() {
            let id = vault.add_server(self.new_server(server)).await.unwrap();
            if self.story.stage.auto[number] {
                let excludes = EXCLUDES.map(str::to_owned).to_vec();
                vault.auto_protect(id, policy, excludes).await.unwrap();
            }
        }
        for one in self.discovered().await {
            // Auto-protection may have been faster.
            drop(vault.protect(one.id, policy).await);
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

    /// An instance as people register it.
    pub(super) fn new_server(&self, server: &Server) -> NewServer {
        NewServer {
            settings: ServerSettings {
                jobs_at_once: self.story.stage.at_once.1,
                ..ServerSettings::default()
            },
            ..server.registration()
        }
    }

    /// The vault's own limits, which have no way but the catalog: jobs at once, and stripes as small as these databases are.
    async fn set_limits(&self) {
        let at_once = self.story.stage.at_once.0;
        self.cluster
            .change_vault(|record| {
                record.jobs_at_once = Some(at_once);
                record.limits.stripe_size.min = STRIPE;
            })
            .await;
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
}

/// The policy of a story.
pub(super) fn wanted_policy(story: &Story, terms: Terms) -> Policy {
    let stage = &story.stage;
    let time = |minutes: u16| {
        let text = format!("{:02}:{:02}", minutes / 60, minutes % 60);
        text.parse::<LocalTime>().unwrap()
    };
    let mut policy = Policy::daily("all", time(terms.full_at), Days(30));
    if stage.differential_at.is_some() {
        policy.full.schedule.frequency = Frequency::Weekly;
        policy.full.schedule.days = vec![stage.full_on];
        policy.full.retention = FullRetention {
            daily: None,
            weekly: Some(WeeklyRule {
                count: 4,
                days: vec![stage.full_on],
            }),
            ..policy.full.retention
        };
    }
    policy.differential = stage.differential_at.map(|at| DifferentialPolicy {
        days: stage.differential_on.to_vec(),
        times: vec![time(at)],
        retention: Days(30),
    });
    policy.log = Some(LogPolicy {
        every: Period::minutes(u32::try_from(terms.log_minutes).unwrap()),
        offset: Period::minutes(0),
        retention: Days(terms.log_days),
    });
    policy.writing.stripes = Stripes {
        size_max: if stage.stripes == 1 { Size::gib(40) } else { STRIPE },
        count_max: stage.stripes,
    };
    policy.running.concurrency_per_instance = stage.at_once.2;
    policy.running.jitter = Period::minutes(u32::try_from(terms.jitter_minutes).unwrap());
    policy
}
