//! A target that is open is drained right before the first RESTORE.
//!
//! That it is drained is written down before, so that who may enter is put back, whatever comes of it.

use catalog::record::Server;
use faults::Fault;
use mssql::Session;

use super::running::{is_open, look, name_of, note, target_of};
use super::work_of;
use crate::draining::drain;
use crate::jobs::Doing;
use crate::vault::Vault;

impl Vault {
    /// Drains the target where it is open.
    ///
    /// # Errors
    /// Its sessions cannot be ended; the fault names them.
    pub(super) async fn drain_target(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<(), Fault> {
        let work = work_of(doing)?;
        let seen = look(session, &work, server).await?;
        if !seen.is_some_and(|seen| is_open(&seen)) {
            return Ok(());
        }
        note(doing, |work| work.drained = true).await?;
        drain(doing, session, &name_of(&work)?, &target_of(&work, server)).await
    }
}
