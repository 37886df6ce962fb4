//! The end of all trouble.

use blobstore::disk::simulated::Crash;
use catalog::record::{Item, Protection};
use simsql::instance::Version;

use super::setting::GROUP;
use super::{Actor, uptime};

impl Actor {
    /// Everything that is broken is made whole: what is down is started, what is full has room.
    pub(super) async fn end_all_trouble(&mut self) {
        self.armed.clear();
        let door = &self.cluster.door;
        door.trouble(|trouble| *trouble = crate::world::door::Trouble::default());
        door.set_free(None);
        self.is_short_of_room = false;
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
            // Those who sign with the account's key are refused for as long as their clocks are a quarter of an hour off.
            if matches!(self.story.stage.versions[number], Version::V2012 | Version::V2014) {
                let off = self.servers_off.remove(&number).unwrap_or(0);
                self.servers[number].clock.jump(-off * 1_000_000);
            }
            for line in ["network back vault.test", "instance well"] {
                self.fault(number, line).await;
            }
            let numbers = self.truth.rows.keys().filter(|(of, _)| *of == number);
            let numbers: Vec<usize> = numbers.map(|(_, database)| *database).collect();
            for database in numbers {
                if self.is_full(number, database) {
                    let name = self.name(number, database);
                    self.try_sql(number, &format!("ALTER DATABASE [{name}] SET RECOVERY FULL"))
                        .await;
                }
            }
        }
        if self.story.stage.is_group {
            for line in [
                format!("group role {GROUP} primary"),
                format!("group preference {GROUP} primary"),
            ] {
                assert!(self.fault(0, &line).await, "{line}");
            }
        }
        let now = uptime(&self.cluster);
        for (.., until) in &mut self.truth.simple {
            *until = now.min(*until);
        }
        // One that is to crash soon would do so in the calm.
        self.cluster.crash_vault();
        assert!(
            self.open_vault(u64::MAX).await,
            "a vault opens once its catalog is well"
        );
        self.restore_policy().await;
        let vault = self.cluster.vault().await;
        for item in self.cluster.records::<Item>().await {
            // Nothing rests any more; what was stopped or deleted stays so.
            if matches!(item.protection, Protection::Suspended { .. }) {
                vault.resume(item.id, None).await.unwrap();
            }
            if item.foreign_owner.is_some() {
                drop(vault.take_over_chain(item.id).await);
            }
        }
        self.truth.calm_since = uptime(&self.cluster);
    }
}
