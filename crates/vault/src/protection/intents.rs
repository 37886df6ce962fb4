//! Auto-protection: whatever is found on an instance is protected.

use catalog::record::{
    Database, Intent, IntentId, Item, Job, JobState, Policy, PolicyId, Server, ServerId, Trigger, Work,
};
use catalog::{Query, Range, Scope, Slot, delete, demand, get, insert, page, scoped};
use faults::{Code, Fault};

use crate::jobs::NewJob;
use crate::selection::matches;
use crate::vault::Vault;

/// Databases that are protected automatically at a time, as a job of Azure Backup configures at most (facts/field 1.2: 50).
const CONFIGURE_AT_ONCE: usize = 50;

impl Vault {
    /// Protects everything that is and will be on an instance, except names like `excludes` (`%` stands for any characters).
    ///
    /// # Errors
    /// The instance is protected so already; there is no such instance or policy; the catalog cannot be written.
    pub async fn auto_protect(
        &self,
        server: ServerId,
        policy: PolicyId,
        excludes: Vec<String>,
    ) -> Result<IntentId, Fault> {
        let (id, now, excludes) = (IntentId(self.world.chance.uuid()), self.now(), &excludes);
        self.transact(move |tx| {
            scoped(async move {
                let found = demand::<Server>(tx, &self.key, &server.to_string()).await?;
                demand::<Policy>(tx, &self.key, &policy.to_string()).await?;
                let range = Range::exactly(server.to_string());
                let query = Query::of(Scope::vault(&self.key), Slot::A, range);
                let intents = page::<Intent>(tx, &query).await?.records;
                if intents.iter().any(|intent| intent.record.cancelled.is_none()) {
                    return Err(Fault::new(Code::Bac2AlreadyProtected)
                        .at(&found.record.name)
                        .into());
                }
                let intent = Intent {
                    id,
                    server,
                    policy,
                    excludes: excludes.clone(),
                    since: now,
                    cancelled: None,
                };
                insert(tx, &self.key, intent).await?;
                Ok(())
            })
        })
        .await?;
        self.apply_intents(server).await?;
        Ok(id)
    }

    /// Ends auto-protection. What it protected stays protected; jobs of it that have not ended are cancelled, with the code that says why.
    ///
    /// # Errors
    /// There is none of this id; the catalog cannot be written.
    pub async fn stop_auto_protection(&self, id: IntentId) -> Result<(), Fault> {
        let server = self
            .transact(move |tx| {
                scoped(async move {
                    let found = demand::<Intent>(tx, &self.key, &id.to_string()).await?;
                    delete(tx, &found).await?;
                    Ok(found.record.server)
                })
            })
            .await?;
        let open = Range::members(&[&server.to_string(), "open"]);
        for job in self.list::<Job>(Slot::D, open).await? {
            let is_its_own = matches!(job.record.work, Work::Configure { intent: Some(of), .. } if of == id);
            if is_its_own && job.record.state == JobState::Queued {
                let fault = Fault::new(Code::AutoProtectionCancelledOrNotValid);
                self.end_job(job.record.id, crate::jobs::Ending::Cancelled(fault))
                    .await?;
            }
        }
        self.bell.ring();
        Ok(())
    }

    /// Begins to protect what an auto-protection covers and nobody protects yet; gives how many jobs that took.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn apply_intents(&self, server: ServerId) -> Result<usize, Fault> {
        let intents = self
            .list::<Intent>(Slot::A, Range::exactly(server.to_string()))
            .await?;
        let Some(intent) = intents
            .into_iter()
            .map(|one| one.record)
            .find(|one| one.cancelled.is_none())
        else {
            return Ok(0);
        };
        let mut begun = 0;
        let databases = self
            .list::<Database>(Slot::D, Range::exactly(server.to_string()))
            .await?;
        for database in databases.into_iter().map(|one| one.record) {
            if !self.covers(&intent, &database) || self.has_item(&database).await? {
                continue;
            }
            if self.is_being_configured(server, &database).await? {
                continue;
            }
            let new = NewJob {
                work: Work::Configure {
                    database: database.id,
                    policy: intent.policy,
                    intent: Some(intent.id),
                },
                trigger: Trigger::OnDemand,
                server: Some(server),
                item: None,
                run_at: self.now(),
            };
            self.enqueue(new).await?;
            begun += 1;
            if begun == CONFIGURE_AT_ONCE {
                // The rest follows when these are protected: discovery and the next look apply intents again.
                self.bell.ring();
            }
        }
        Ok(begun)
    }

    /// Whether an auto-protection is for this database: there, no copy of a test, not excluded, and possible to protect.
    fn covers(&self, intent: &Intent, database: &Database) -> bool {
        database.gone.is_none()
            && !database.is_test_copy
            && !database.state.is_snapshot
            && !database.state.is_mirrored
            && !database.name.eq_ignore_ascii_case("tempdb")
            && !intent
                .excludes
                .iter()
                .any(|pattern| matches(pattern, &database.name))
    }

    async fn has_item(&self, database: &Database) -> Result<bool, Fault> {
        let found = self
            .list::<Item>(Slot::A, Range::exactly(database.id.to_string()))
            .await?;
        Ok(!found.is_empty())
    }

    async fn is_being_configured(&self, server: ServerId, database: &Database) -> Result<bool, Fault> {
        let open = self
            .list::<Job>(Slot::D, Range::members(&[&server.to_string(), "open"]))
            .await?;
        Ok(open
            .iter()
            .any(|job| matches!(job.record.work, Work::Configure { database: of, .. } if of == database.id)))
    }

    /// The auto-protection of an instance.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn intent(&self, id: IntentId) -> Result<Option<Intent>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(crate::records::fault)?;
        let found = get::<Intent>(tx.as_mut(), &self.key, &id.to_string()).await;
        Ok(found.map_err(crate::records::fault)?.map(|one| one.record))
    }
}
