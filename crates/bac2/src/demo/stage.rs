//! Where it all happens, and its first scene: a vault, an instance that is registered, databases that are found and protected.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use catalog::record::{ItemId, ServerId, ServerSettings, Trust};
use schedule::Policy;
use vault::registration::{NewLogin, NewServer};

use super::door::{Door, HOST};
use super::given::Given;
use super::instance::{Instance, RELEASE, Start};
use super::keeper::Keeper;
use super::narrator::Narrator;
use super::outcome::Registered;
use super::rows;
use crate::console::Console;
use crate::quantity::{count, size};

/// The databases that the demo makes.
pub(super) const SHOP: &str = "Shop";
const CRM: &str = "Crm";
/// Its tables.
pub(super) const ORDERS: &str = "Orders";
pub(super) const ARCHIVE: &str = "Archive";
const CONTACTS: &str = "Contacts";

/// Rows that they begin with: about 5 MiB, 1 MiB and 8 MiB of pages.
pub(super) const ORDER_ROWS: u32 = 3_000;
const ARCHIVE_ROWS: u32 = 500;
const CONTACT_ROWS: u32 = 5_000;

/// Bytes after which the instance dies: its first block has arrived, and the second has not.
const DIES_AFTER: u64 = 5_000_000;

/// A full in some days and nothing else: what happens here is asked for, and nothing else comes between.
fn policy() -> Result<Policy> {
    let in_days = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(3 * 24);
    let day = in_days.strftime("%A").to_string().to_lowercase();
    let json = format!(
        r#"{{"version": 1, "name": "weekly",
             "full": {{"schedule": {{"frequency": "weekly", "days": ["{day}"], "times": ["22:00"]}},
                      "retention": {{"weekly": {{"count": 4, "days": ["{day}"]}}}}}}}}"#
    );
    Policy::from_json(&json).context("the demo's policy is one")
}

/// A protected database.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) item: ItemId,
    /// The container that its backups go to.
    pub(super) container: String,
    /// Bytes of its backup after which the instance dies.
    pub(super) dies_after: u64,
}

/// Where it all happens.
pub(super) struct Stage<'a> {
    pub(super) narrator: Narrator<'a>,
    pub(super) folder: PathBuf,
    pub(super) door: Door,
    pub(super) keeper: Keeper,
    pub(super) source: Instance,
}

impl<'a> Stage<'a> {
    /// A door, a vault behind it, and an instance.
    pub(super) async fn open(folder: &Path, console: &'a Console, given: Option<&Given>) -> Result<Self> {
        let narrator = Narrator::new(console);
        narrator.chapter("A vault, and a simulated SQL Server")?;
        let began = Instant::now();
        let room = given.map_or(0, |given| 4 * given.bytes);
        let door = Door::open(&folder.join("store"), room).await?;
        let keeper = Keeper::open(&folder.join("catalog.db"), &door).await?;
        narrator.fact("vault", "catalog in SQLite, store in a temporary folder")?;
        let address = door.address;
        narrator.fact(
            "front door",
            &format!("https://{HOST} at {address}, certified by the vault's own authority"),
        )?;
        let start = Start {
            name: "SQL1".to_owned(),
            data: folder.join("sql1"),
            trusts: door.authority.clone(),
            door: door.address,
            reads: given.and_then(|given| given.path.parent().map(Path::to_owned)),
        };
        let source = Instance::start(start).await?;
        narrator.fact(
            "instance",
            &format!(
                "{} at {}: bac2's simulation of SQL Server {RELEASE}, a process of its own",
                source.name(),
                source.address()
            ),
        )?;
        narrator.took(began)?;
        Ok(Self {
            narrator,
            folder: folder.to_owned(),
            door,
            keeper,
            source,
        })
    }

    /// Fills the instance: `Shop`, and the user's database or `Crm`. Gives the name of the second.
    pub(super) async fn fill(&self, given: Option<&Given>) -> Result<String> {
        let began = Instant::now();
        let (say, source) = (&self.narrator, &self.source);
        rows::make_database(source, SHOP, &[ORDERS, ARCHIVE]).await?;
        rows::add(source, SHOP, ORDERS, ORDER_ROWS, 1).await?;
        rows::add(source, SHOP, ARCHIVE, ARCHIVE_ROWS, 2).await?;
        say.fact("database", &made(SHOP, ORDER_ROWS + ARCHIVE_ROWS))?;
        let second = match given {
            Some(given) => {
                let name = given.restore(source).await?;
                let from = given.path.display();
                let bytes = size(given.bytes);
                say.fact("database", &format!("{name}: restored from {from}, {bytes}"))?;
                name
            }
            None => {
                rows::make_database(source, CRM, &[CONTACTS]).await?;
                rows::add(source, CRM, CONTACTS, CONTACT_ROWS, 3).await?;
                say.fact("database", &made(CRM, CONTACT_ROWS))?;
                CRM.to_owned()
            }
        };
        say.took(began)?;
        Ok(second)
    }

    /// Registers the instance and protects all its databases; those that were filled, by name, and what the vault knows of them.
    pub(super) async fn protect(&self, filled: &[&str]) -> Result<(ServerId, Registered)> {
        let (say, vault) = (&self.narrator, &self.keeper.vault);
        say.chapter("The instance is registered, its databases are discovered and protected")?;
        let began = Instant::now();
        let id = self.register(&self.source).await?;
        let record = self.keeper.server(id).await?;
        let discovered = self.keeper.databases(id).await?;
        let names: Vec<String> = discovered.iter().map(|one| one.name.clone()).collect();
        let passed = record.readiness.iter().filter(|probe| probe.passed).count();
        let version = record.facts.as_ref().map(|facts| facts.version.clone());
        say.fact(
            "instance",
            &format!(
                "{}, version {} (simulated), {passed} of {} probes passed",
                record.name,
                version.as_deref().unwrap_or("unknown"),
                record.readiness.len()
            ),
        )?;
        for probe in record.readiness.iter().filter(|probe| !probe.passed) {
            say.fact("", &format!("{}: {}", probe.name, probe.found))?;
        }
        say.fact("discovered", &names.join(", "))?;
        let (policy, _) = vault.create_policy(policy()?).await?;
        for database in &discovered {
            vault.protect(database.id, policy).await?;
        }
        say.fact("protected", "by the policy weekly; what follows is asked for")?;
        say.took(began)?;
        let mut databases: Vec<String> = filled.iter().map(|&name| name.to_owned()).collect();
        databases.sort();
        Ok((
            id,
            Registered {
                name: record.name.clone(),
                simulated: true,
                version,
                probes_passed: passed,
                probes: record.readiness.len(),
                databases,
                discovered: names,
            },
        ))
    }

    /// Another instance, registered: where databases come back.
    pub(super) async fn another(&self) -> Result<(Instance, ServerId)> {
        let start = Start {
            name: "SQL2".to_owned(),
            data: self.folder.join("sql2"),
            trusts: self.door.authority.clone(),
            door: self.door.address,
            reads: None,
        };
        let other = Instance::start(start).await?;
        let id = self.register(&other).await?;
        Ok((other, id))
    }

    /// Registers an instance of the demo.
    pub(super) async fn register(&self, instance: &Instance) -> Result<ServerId> {
        let new = NewServer {
            name: instance.name().to_owned(),
            address: instance.address(),
            login: NewLogin::Sql {
                user: "sa".to_owned(),
                password: instance.password().clone(),
            },
            restore_login: None,
            // It makes itself another certificate at each start, and is a child of this process.
            trust: Trust::Any,
            take_over: false,
            settings: ServerSettings::default(),
        };
        Ok(self.keeper.vault.add_server(new).await?)
    }

    /// A protected database.
    pub(super) async fn subject(
        &self,
        server: ServerId,
        name: &str,
        given: Option<&Given>,
    ) -> Result<Subject> {
        let item = self.keeper.item(server, name).await?;
        let container = self.keeper.container(item).await?;
        let of_given = |given: &Given| (given.bytes / 16).clamp(64 << 10, DIES_AFTER);
        Ok(Subject {
            name: name.to_owned(),
            item,
            container: container.name,
            dies_after: given.map_or(DIES_AFTER, of_given),
        })
    }
}

fn made(name: &str, rows: u32) -> String {
    format!("{name}: {} rows, made here", count(rows.into()))
}
