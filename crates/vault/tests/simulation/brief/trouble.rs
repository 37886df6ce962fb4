//! What goes wrong in a brief story, and how it ends.

use std::time::Duration;

use azblob::lease::{LeaseAction, LeaseStatus};
use blobstore::disk::simulated::Crash;
use catalog::memory::{Event, Step as CatalogStep, pending};
use schedule::BackupKind;

use super::Play;
use crate::step::Step;
use crate::world::End;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The vault's process dies.
    CrashVault,
    /// It is started again, and dies after so many polls.
    CrashVaultSoon(u64),
    /// The connections to an instance are lost: that of the database, or the one that is restored to.
    LoseConnections(usize),
    /// An instance ends.
    EndServer(usize, End),
    /// The store's process dies and starts again; its machine loses power.
    DoorRestart(bool),
    /// The front door does not answer.
    DoorDown,
    /// Answers of the door are lost.
    AnswersLost(u32),
    /// The catalog has trouble: one in so many steps.
    CatalogUnsure(u64),
    /// The catalog has no space.
    CatalogFull,
    /// The store has no room.
    DoorFull,
}

impl Trouble {
    /// The word under which it is counted.
    pub(super) fn word(self) -> String {
        let text = format!("{self:?}");
        let word = text.split('(').next().unwrap_or_default();
        match self {
            Self::EndServer(0, end) => format!("source {end:?}"),
            Self::EndServer(_, end) => format!("other {end:?}"),
            Self::LoseConnections(0) => format!("{word} source"),
            Self::LoseConnections(_) => format!("{word} other"),
            _ => word.to_owned(),
        }
    }
}

impl Play {
    pub(super) fn some_trouble(&self) -> Trouble {
        let dice = &self.dice;
        let server = dice.below(2) as usize;
        match dice.below(16) {
            0..=3 => Trouble::CrashVault,
            4..=6 => Trouble::CrashVaultSoon(1 + dice.below(150)),
            7 | 8 => Trouble::LoseConnections(server),
            9 => Trouble::EndServer(server, End::Stop),
            10 => Trouble::EndServer(server, [End::Kill, End::Power][dice.below(2) as usize]),
            11 => Trouble::DoorRestart(dice.one_in(2)),
            12 => Trouble::DoorDown,
            13 => Trouble::AnswersLost(1 + dice.below(3) as u32),
            14 => Trouble::CatalogUnsure(3 + dice.below(20)),
            _ if dice.one_in(2) => Trouble::CatalogFull,
            _ => Trouble::DoorFull,
        }
    }

    /// Something goes wrong, for a while, and then nothing is wrong any more but what came of it.
    pub(super) async fn suffers(&mut self, trouble: Trouble) {
        let met = self.steps().await;
        self.befalls(trouble).await;
        self.counts(&trouble.word(), &met);
        let micros = [0, 20_000, 2_000_000, 90_000_000][self.dice.below(4) as usize];
        self.cluster.pass(Duration::from_micros(micros)).await;
        if matches!(trouble, Trouble::CrashVaultSoon(_)) {
            // One that lives still would die when nothing is said to be wrong.
            self.cluster.crash_vault();
        }
        self.end_trouble().await;
    }

    async fn befalls(&mut self, trouble: Trouble) {
        let door = &self.cluster.door;
        match trouble {
            Trouble::CrashVault => self.cluster.crash_vault(),
            Trouble::CrashVaultSoon(polls) => {
                self.cluster.crash_vault();
                self.cluster.try_start_vault_for(polls).await;
            }
            Trouble::LoseConnections(server) => self.servers[server].lose_connections(),
            Trouble::EndServer(server, end) => self.cluster.end(&self.servers[server], end),
            Trouble::DoorRestart(is_power) => {
                door.close(if is_power { Crash::Power } else { Crash::Kill });
                door.open();
            }
            Trouble::DoorDown => door.trouble(|trouble| trouble.is_down = true),
            Trouble::AnswersLost(count) => door.trouble(|trouble| trouble.answers_lost += count),
            Trouble::DoorFull => door.set_free(Some(0)),
            Trouble::CatalogFull => self.cluster.catalog.set_full(true),
            Trouble::CatalogUnsure(one_in) => {
                let dice = self.dice.clone();
                self.cluster.catalog.set_plan(Box::new(move |_: CatalogStep| {
                    if !dice.one_in(one_in) {
                        return Event::Go;
                    }
                    match dice.below(3) {
                        0 => Event::Conflict,
                        1 => Event::Lost,
                        _ => Event::Wait(pending(1 + dice.below(3) as u32)),
                    }
                }));
            }
        }
    }

    /// What is broken is made whole, and what is down is started.
    pub(super) async fn end_trouble(&mut self) {
        let door = &self.cluster.door;
        door.trouble(|trouble| *trouble = crate::world::door::Trouble::default());
        door.set_free(None);
        if door.store().is_none_or(|store| store.read_only().is_some()) {
            door.close(Crash::Kill);
            door.open();
        }
        self.cluster.calm_catalog();
        self.cluster.catalog.set_full(false);
        for server in &self.servers {
            if server.instance().is_none() {
                self.cluster.end(server, End::Kill);
                server.start();
            }
        }
        self.start_vault().await;
    }

    /// Somebody breaks the lease of a blob while a backup writes it.
    pub(super) async fn breaks_a_lease(&mut self) {
        let vault = self.cluster.vault().await;
        vault
            .back_up(self.item, BackupKind::CopyOnlyFull, None)
            .await
            .unwrap();
        drop(vault);
        let door = self.cluster.door.clone();
        let store = door.store().expect("the store is open");
        let mut looks = 0;
        let path = loop {
            looks += 1;
            assert!(
                looks < 100_000,
                "a backup that is asked for writes a blob under a lease"
            );
            self.cluster.pass(Duration::from_millis(1)).await;
            let leased = |entry: &blobstore::InventoryEntry| {
                entry.view.lease_view.status == LeaseStatus::Locked
                    && door.leases.writer(&entry.path).is_some()
            };
            if let Some(entry) = store.inventory().into_iter().find(leased) {
                break entry.path;
            }
        };
        let at_once = LeaseAction::Break { period: Some(0) };
        let deed = || store.lease_blob(&path, &at_once, &|_| Ok(()));
        door.leases.during(&store, &path, "somebody", deed).unwrap();
    }

    /// Waits until a job's record comes to a step, so long that something may meet it there, or not at all.
    pub(super) async fn wait_for(&self, step: Step, job: &str) {
        use futures::future::select;
        let history = self.cluster.history.clone();
        let met =
            history.until(|write| (write.id == job && Step::of_write(write) == Some(step)).then_some(()));
        let passed = self.cluster.pass(Duration::from_secs(600));
        select(Box::pin(met), Box::pin(passed)).await;
        let micros = [0, 0, 200, 1_500, 12_000, 150_000][self.dice.below(6) as usize];
        self.cluster.pass(Duration::from_micros(micros)).await;
    }
}
