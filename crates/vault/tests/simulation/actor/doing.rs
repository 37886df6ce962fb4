//! The deeds of a story, done.

use std::sync::Arc;
use std::time::Duration;

use blobstore::disk::simulated::Crash;
use catalog::memory::{Event, Step, pending};
use catalog::record::Job;
use schedule::BackupKind;

use super::setting::GROUP;
use super::{Actor, uptime};
use crate::story::{Asked, Deed};

impl Actor {
    /// Does a deed; whether it could be done.
    pub(super) async fn try_it(&mut self, deed: &Deed) -> bool {
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
                if !self.is_full(*server, *number) {
                    return false;
                }
                let done = self
                    .try_sql(*server, &format!("ALTER DATABASE [{name}] SET RECOVERY {model}"))
                    .await;
                let (of, now) = ((*server, *number), uptime(&self.cluster));
                match (done, is_full) {
                    (true, false) => self.truth.simple.push((of, now, Duration::MAX)),
                    (true, true) => {
                        let mine = self.truth.simple.iter_mut().filter(|(one, ..)| *one == of);
                        mine.for_each(|(.., until)| *until = now.min(*until));
                    }
                    _ => {}
                }
                done
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
            Deed::ChangePolicy(change) => self.change_policy(*change).await,
            Deed::Suspend(server, number, rests) => self.suspend(*server, *number, *rests).await,
            Deed::ServerClock(server, seconds) => {
                self.servers[*server].clock.jump(seconds * 1_000_000);
                *self.servers_off.entry(*server).or_default() += seconds;
                true
            }
            Deed::VaultClock(seconds) => {
                self.cluster.clock.jump(seconds * 1_000_000);
                self.jumped += seconds;
                self.truth.vault_clock_off += seconds.unsigned_abs();
                let now = uptime(&self.cluster);
                self.truth.vault_clock_wrong.get_or_insert(now);
                true
            }
            Deed::Unprotect(server, number, is_deleted) => {
                self.unprotect(*server, *number, *is_deleted).await
            }
            Deed::Undelete(server, number) => self.undelete(*server, *number).await,
            Deed::TakeOver(server, number) => self.take_over(*server, *number).await,
            Deed::NewDatabase(server, is_excluded) => self.new_database(*server, *is_excluded).await,
            Deed::Reregister(server) => self.reregister(*server).await,
            Deed::Spare(comes) => self.spare(*comes).await,
            Deed::OtherVault(server) => self.other_vault(*server).await,
            Deed::GroupRole(role) => self.group(&format!("role {GROUP} {role}")).await,
            Deed::GroupPreference(preference) => {
                self.group(&format!("preference {GROUP} {preference}")).await
            }
            Deed::Rot => self.rot().await,
            Deed::DoorFree(bytes) => {
                self.is_short_of_room = bytes.is_some();
                self.cluster.door.set_free(*bytes);
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
            Deed::AnswersLost(count) => door.trouble(|trouble| trouble.answers_lost += count),
            Deed::BlocksDamaged(count) => door.trouble(|trouble| trouble.blocks_damaged += count),
            Deed::CatalogTrouble(one_in) => self.trouble_the_catalog(*one_in),
            Deed::CatalogFull(is_full) => self.cluster.catalog.set_full(*is_full),
            other => panic!("{other:?} is done elsewhere"),
        }
        true
    }

    pub(super) fn trouble_the_catalog(&self, one_in: Option<u64>) {
        let Some(one_in) = one_in else {
            return self.cluster.calm_catalog();
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

    pub(super) async fn try_sql(&self, server: usize, text: &str) -> bool {
        if self.servers[server].instance().is_none() {
            return false;
        }
        let answers = self.cluster.sql(&self.servers[server]).run(text).await;
        answers.errors().next().is_none()
    }

    pub(super) async fn fault(&self, server: usize, line: &str) -> bool {
        self.try_sql(server, &format!("EXEC sim_fault '{line}'")).await
    }

    async fn group(&self, line: &str) -> bool {
        self.story.stage.is_group && self.fault(0, &format!("group {line}")).await
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
        if !self.cluster.vault_runs() && self.cluster.is_vault_open() {
            // It died by itself: its jobs stand where it left them.
            let met: Vec<_> = self.steps().await;
            self.meets("crashed soon", &met);
        }
        self.cluster.crash_vault();
        match deed {
            Deed::CrashVault => {}
            Deed::CrashVaultSoon(polls) => return self.open_vault(*polls).await,
            _ => return self.open_vault(u64::MAX).await,
        }
        true
    }

    /// The vault opens; a catalog in trouble may refuse.
    pub(super) async fn open_vault(&self, polls: u64) -> bool {
        for _ in 0..50 {
            if self.cluster.try_start_vault_for(polls).await {
                return true;
            }
            self.cluster.crash_vault();
            self.cluster.pass(Duration::from_secs(1)).await;
        }
        false
    }

    pub(super) fn start_server(&self, server: usize) -> bool {
        let server = &self.servers[server];
        if server.instance().is_some() {
            return false;
        }
        // One that died by itself is down, and nobody has told its host yet.
        self.cluster.end(server, crate::world::End::Kill);
        server.start();
        true
    }
}
