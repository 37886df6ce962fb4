//! What follows from a restore that was not done: another attempt, or its end.
//!
//! While the target may be RESTORING, an instance that is away is asked again for as long as it takes; what passes by itself is tried
//! again a few times, and an instance that was not well is looked at once more. After that the job is given up: that is written down
//! first, then the target is brought back, or said to be restoring, and then the job ends.

use std::time::Duration;

use catalog::record::{Job, Server, ServerId};
use faults::{Code, Fault};

use super::bringing_back::Brought;
use super::running::{note, target_of};
use super::work_of;
use crate::jobs::{Doing, Ending, pause_after};
use crate::notices::About;
use crate::registration::Purpose;
use crate::vault::Vault;

/// The pause before an instance is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The same after a session was lost.
const SOON: Duration = Duration::from_secs(5);
/// A discovery is waited for so many times [`SOON`], ten minutes.
const LOOKS_MAX: u32 = 120;
/// Sessions that are lost one after the other, without any step done, before nobody tries any more.
const LOST_MAX: u32 = 20;

/// Whether the vault's own records could not be read or written.
fn is_own(code: Code) -> bool {
    matches!(
        code,
        Code::Bac2CatalogUnavailable | Code::Bac2VersionConflict | Code::Bac2StoreReadOnly
    )
}

impl Vault {
    /// Ends a restore that failed, or has it tried again.
    pub(super) async fn restore_failed(&self, doing: &mut Doing<'_>, fault: Fault) -> Ending {
        let Ok(work) = work_of(doing) else {
            return Ending::Failed(fault);
        };
        let now = self.now();
        if work.given_up.is_some() || work.is_begun() && is_own(fault.code()) {
            return Ending::Again(fault, now + LOOK_AGAIN);
        }
        if !doing.is_cancelled()
            && let Some(ending) = self.restore_again(doing, &fault).await
        {
            return ending;
        }
        let result = format!("{}: {}", fault.code(), fault.happened());
        let noted = async {
            doing.end(&result).await?;
            note(doing, |work| work.given_up = Some(fault.clone())).await
        };
        if noted.await.is_err() && work.is_begun() {
            return Ending::Again(fault, now + LOOK_AGAIN);
        }
        let server = match self.get::<Server>(work.order.place.server).await {
            Ok(server) => server.record,
            // Without the instance's record nobody can look.
            Err(_) => return Ending::Failed(fault),
        };
        match self.give_up_restore(doing, &server).await {
            Ok(ending) => ending,
            Err(other) if work.is_touched() => {
                Ending::Again(fault.because(&other.to_string()), now + LOOK_AGAIN)
            }
            Err(_) => Ending::Failed(fault),
        }
    }

    /// Another attempt, where that may help.
    async fn restore_again(&self, doing: &mut Doing<'_>, fault: &Fault) -> Option<Ending> {
        let work = work_of(doing).ok()?;
        let (now, code) = (self.now(), fault.code());
        let was_lost = matches!(code, Code::Bac2SessionLost | Code::Bac2JobInterrupted);
        if work.is_touched() && !was_lost {
            let server = self.get::<Server>(work.order.place.server).await.ok()?.record;
            match self.session(&server, Purpose::Restore).await {
                Ok(session) => session.close().await,
                Err(_) => return Some(Ending::Again(fault.clone(), now + LOOK_AGAIN)),
            }
        }
        let tries = work.tries.saturating_add(1);
        // What was not well when it was looked at last may be by now.
        let is_looked_at =
            code == Code::Bac2NotReady && tries == 1 && self.look_again(doing, work.order.place.server).await;
        let pause = match was_lost {
            true if tries < LOST_MAX => Some(jiff::SignedDuration::try_from(SOON).ok()?),
            _ if is_looked_at => Some(jiff::SignedDuration::try_from(SOON).ok()?),
            // They were drained three times already.
            _ if code == Code::UserErrorRestoreFailedDatabaseCannotBeOfflined => None,
            _ if code.entry().heal.retries() => pause_after(usize::try_from(tries).unwrap_or(usize::MAX)),
            _ => None,
        };
        let at = now.checked_add(pause?).ok()?;
        note(doing, |work| work.tries = tries).await.ok()?;
        Some(Ending::Again(fault.clone(), at))
    }

    /// Has an instance discovered, and waits for the end of that; whether it was.
    async fn look_again(&self, doing: &Doing<'_>, server: ServerId) -> bool {
        let Ok(discovery) = self.rediscover(server).await else {
            return false;
        };
        for _ in 0..LOOKS_MAX {
            match self.find::<Job>(discovery).await {
                Ok(Some(job)) if !job.record.state.is_ended() && !doing.is_cancelled() => {}
                _ => break,
            }
            self.world.clock.sleep(SOON).await;
        }
        !doing.is_cancelled()
    }

    /// Ends a restore that is given up: nothing more is sent, and the target is brought back where it was not touched.
    ///
    /// # Errors
    /// The instance does not answer; the catalog cannot be written.
    pub(super) async fn give_up_restore(
        &self,
        doing: &mut Doing<'_>,
        server: &Server,
    ) -> Result<Ending, Fault> {
        let work = work_of(doing)?;
        let fault = work
            .given_up
            .clone()
            .unwrap_or_else(|| Fault::new(Code::Bac2InternalError).because("given up without a reason"));
        if work.is_touched() {
            doing.begin("Bring the target back").await?;
            if !work.is_restoring() {
                self.end_tail(doing).await?;
            }
            match self.bring_back(doing, server).await? {
                Brought::AsItWas(how) => doing.end(&how).await?,
                Brought::LeftRestoring(why) => {
                    self.warn_of(doing, server, Code::Bac2LeftRestoring, &why).await?;
                }
                Brought::Changed(why) => {
                    self.warn_of(doing, server, Code::Bac2RestoredPointDiffers, &why)
                        .await?;
                }
            }
            // What discovery does not see now it sees the next time.
            drop(self.rediscover(server.id).await);
        }
        // What cannot be dropped now is the sweep's.
        drop(self.take_back(doing, server).await);
        if doing.is_cancelled() {
            return Ok(Ending::Cancelled(fault));
        }
        let about = About {
            matter: format!("restore/{}", doing.job.id),
            server: Some(server.id),
            item: doing.job.item,
            job: Some(doing.job.id),
            missed: None,
        };
        self.raise(about, fault.clone()).await?;
        Ok(Ending::Failed(fault))
    }

    /// Ends the task with what the target is now, and warns of it.
    async fn warn_of(
        &self,
        doing: &mut Doing<'_>,
        server: &Server,
        code: Code,
        why: &str,
    ) -> Result<(), Fault> {
        doing.end(why).await?;
        let warning = Fault::new(code)
            .at(&target_of(&work_of(doing)?, server))
            .because(why);
        doing
            .write(|job| {
                if !job.warnings.contains(&warning) {
                    job.warnings.push(warning.clone());
                }
            })
            .await
    }

    /// The end of a restore that is done.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(super) async fn leave_restored(
        &self,
        doing: &mut Doing<'_>,
        server: &Server,
    ) -> Result<Ending, Fault> {
        self.relink(doing, server).await?;
        drop(self.take_back(doing, server).await);
        drop(self.rediscover(server.id).await);
        Ok(Ending::Done(Vec::new()))
    }
}
