//! Machines: which instances stand on the same one, and which of them count.

use catalog::record::{Host, HostId, name_key};
use catalog::{Query, Range, Scope, Slot, insert, page, scoped};
use faults::{Code, Fault};

use crate::vault::Vault;

/// The most instances that one machine can have (Microsoft's table of capacities: 50).
const INSTANCES_MAX: usize = 50;

impl Vault {
    /// The machine of a name; its record is made where there is none.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn host_of(&self, machine: &str) -> Result<HostId, Fault> {
        let id = HostId(self.world.chance.uuid());
        self.transact(move |tx| {
            scoped(async move {
                let range = Range::exactly(name_key(machine));
                let query = Query::of(Scope::vault(&self.key), Slot::A, range).limit(1);
                if let Some(found) = page::<Host>(tx, &query).await?.records.pop() {
                    return Ok(found.record.id);
                }
                let host = Host {
                    id,
                    name: machine.to_owned(),
                    included: None,
                };
                insert(tx, &self.key, host).await?;
                Ok(id)
            })
        })
        .await
    }

    /// Says which instances of a machine count where one of them is faulty: `MSSQLSERVER` for the default one; `None` for all of
    /// them. The others are worked with as ever, and their faults are shown with them alone.
    ///
    /// # Errors
    /// There is no such machine; the list is empty, or longer than a machine has instances.
    pub async fn include_instances(
        &self,
        host: HostId,
        included: Option<Vec<String>>,
    ) -> Result<Host, Fault> {
        let count = included.as_ref().map(Vec::len);
        if count.is_some_and(|count| !(1..=INSTANCES_MAX).contains(&count)) {
            return Err(Fault::new(Code::Bac2InputInvalid)
                .at("included")
                .because(&format!(
                    "1 to {INSTANCES_MAX} instances, or none for all of them"
                )));
        }
        let (changed, ()) = self
            .change::<Host, _>(host, |host| {
                host.included.clone_from(&included);
                Ok(())
            })
            .await?;
        for server in self
            .list::<catalog::record::Server>(Slot::C, Range::exactly(host.to_string()))
            .await?
            .into_iter()
            .take(1)
        {
            self.look_after_host(&server.record).await?;
        }
        Ok(changed.record)
    }
}
