//! The last log of a database that a restore is about to overwrite: it leaves the database RESTORING, so that nothing can come behind
//! it.
//!
//! Whoever takes it owns the database already: no rule of chains or owners refuses it, and it never becomes a full. Its sessions are
//! drained right before, in the session that takes it. What follows from a failure is the restore's: it lets people in again.

use catalog::record::Tail;
use faults::{Code, Fault};
use mssql::databases::State;
use mssql::quoting::Identifier;
use mssql::run::Runner;
use mssql::statement::backup::{Kind, Tail as How};
use schedule::BackupKind;

use super::credential::name_of;
use super::deciding::room;
use super::ground::{Ground, look};
use super::making::Onto;
use super::taking::{Taken, cancelled, no_runner, unsend};
use crate::draining::drain;
use crate::jobs::Doing;
use crate::registration::{Purpose, Stopwatch};
use crate::vault::Vault;

impl Vault {
    /// Takes the tail.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(super) async fn take_tail(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        tail: &Tail,
    ) -> Result<Taken, Fault> {
        self.clean_left(doing).await;
        if doing.is_cancelled() {
            return Ok(Taken::Ended(cancelled(doing)));
        }
        doing.begin("Look at the database").await?;
        let clock = Stopwatch(self.world.clock.clone());
        let target = self.target(&ground.server, Purpose::Backup).await?;
        let connector = self.world.connector.as_ref();
        let mut runner = Runner::open(connector, &target, &clock)
            .await
            .map_err(|error| no_runner(&ground.server.name, error))?;
        doing.told.runs(runner.canceller());
        let taken = self.take_tail_by(doing, ground, &mut runner, tail).await;
        doing.told.rests();
        runner.close().await;
        taken
    }

    async fn take_tail_by(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        runner: &mut Runner<'_>,
        tail: &Tail,
    ) -> Result<Taken, Fault> {
        self.refuse_lost(&ground.server, runner.session()).await?;
        let seen = look(runner.session(), ground).await?;
        let space = self.world.shelf.space().await.map_err(super::shelf_fault)?;
        // It must be in the vault before its database is overwritten, so it goes nowhere else.
        room(&space, BackupKind::Log).map_err(|code| {
            let why = format!("{} of {} bytes are free", space.free, space.total);
            Fault::new(code).because(&why)
        })?;
        let is_refused =
            super::failing::codes_of_attempts(&doing.job).last() == Some(Code::Bac2CredentialRefused);
        let container = name_of(&ground.container)?;
        let entry = self
            .prepare_credential(&ground.container, &ground.server, runner.session(), is_refused)
            .await?;
        let mut made = self.make_backup(&doing.job, ground, &seen, BackupKind::Log, &Onto::Store(&entry))?;
        made.backup.kind = Kind::TailLog(match tail.is_damaged {
            true => How::DamagedLeaveRestoring,
            false => How::LeaveRestoring,
        });
        if seen.state == State::Online {
            let name = Identifier::new(&seen.name)
                .map_err(|error| Fault::new(Code::Bac2InternalError).because(&error.to_string()))?;
            drain(doing, runner.session(), &name, &ground.target()).await?;
        }
        self.note_what_is_sent(doing, ground, &made, BackupKind::Log)
            .await?;
        if doing.is_cancelled() {
            // Nothing was sent yet, and the next start must not look for it.
            unsend(doing).await?;
            return Ok(Taken::Ended(cancelled(doing)));
        }
        self.run_backup(doing, ground, runner, &made, &container).await
    }
}
