//! Letting an order in.

use catalog::record::{Item, JobId, RestoreOrder, RestoreWork, Server, Trigger, Work};
use faults::Fault;

use crate::jobs::{Entered, NewJob};
use crate::vault::Vault;

impl Vault {
    /// Restores a database. The job plans, checks, and only then touches anything; [`Vault::plan_restore`] tells beforehand what it
    /// would do.
    ///
    /// # Errors
    /// There is no such item or instance; a restore into the same database is not over yet.
    pub async fn restore(&self, order: RestoreOrder) -> Result<JobId, Fault> {
        self.get::<Item>(order.item).await?;
        self.get::<Server>(order.place.server).await?;
        let new = NewJob {
            server: Some(order.place.server),
            item: Some(order.item),
            trigger: Trigger::OnDemand,
            run_at: self.now(),
            work: Work::Restore(Box::new(RestoreWork::of(order))),
        };
        match self.enqueue(new).await? {
            Entered::Queued(job) => Ok(job),
            Entered::InTheWay { fault, .. } => Err(fault),
        }
    }
}
