//! BACKUP and RESTORE, from sending them to knowing how they ended.
//!
//! SQL Server says it in one way: message 3014. It is success also where errors stand beside it (3009: the history could not be
//! written), and without it nothing is. Where the connection is lost before the last word, a backup is looked for in msdb, by the
//! description that is its own; as long as the request is still running, it is waited for. What cannot be found out is
//! [`Verdict::Unknown`], never a guess.
//!
//! Progress comes from sys.dm_exec_requests over a second connection, because no message arrives before the statement's end;
//! bytes are the door's to count.

use std::time::Duration;

use crate::activity::{self, Progress};
use crate::clock::Clock;
use crate::connection::{Canceller, ConnectError, Connector, Fault, Target};
use crate::history::{self, Set};
use crate::message::{self, Message};
use crate::outcome::Outcome;
use crate::quoting::Literal;
use crate::session::{Error, Session};
use crate::statement::restore::Inspection;
use crate::statement::{Backup, Restore};

/// How patient a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The statement's own time; `None` for as long as it takes.
    pub within: Option<Duration>,
    /// LOCK_TIMEOUT: how long another backup of the database may be in the way until it ends in 3023. Without one, SQL Server
    /// waits for ever.
    pub locks: Duration,
    /// How often progress is asked for.
    pub progress: Duration,
    /// How long a backup whose connection was lost is looked for, once nothing says that it still runs.
    pub search: Duration,
}

impl Default for Patience {
    /// No limit to the statement, a minute for locks, progress each 5 s, five minutes of search.
    fn default() -> Self {
        Self {
            within: None,
            locks: Duration::from_secs(60),
            progress: Duration::from_secs(5),
            search: Duration::from_secs(300),
        }
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// SQL Server says that it succeeded.
    Succeeded(Evidence),
    /// It did not.
    Failed,
    /// Nobody can tell from here.
    Unknown,
}

/// By what success is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// By message 3014 (VERIFYONLY: 3262).
    Message,
    /// The connection was lost, and msdb has the row.
    History(Box<Set>),
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How it ended.
    pub verdict: Verdict,
    /// What SQL Server said, within the session's limits.
    pub outcome: Outcome,
    /// Why the connection could not bring it to its end, where it could not.
    pub fault: Option<Fault>,
    /// How long it took, search included.
    pub took: Duration,
}

impl Report {
    /// Whether it succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self.verdict, Verdict::Succeeded(_))
    }

    /// The error that explains a failure.
    #[must_use]
    pub fn cause(&self) -> Option<&Message> {
        message::cause(&self.outcome.messages)
    }
}

/// Hears of progress.
pub trait Watch: Send {
    /// Called now and then while the statement runs.
    fn progress(&mut self, progress: &Progress);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug)]
pub struct NobodyWatches;

impl Watch for NobodyWatches {
    fn progress(&mut self, _: &Progress) {}
}

/// One connection that runs long statements, and the means to watch them and to find out what became of them.
pub struct Runner<'a> {
    connector: &'a dyn Connector,
    target: &'a Target,
    clock: &'a dyn Clock,
    session: Session,
    id: i32,
    /// How patient it is.
    pub patience: Patience,
}

impl<'a> Runner<'a> {
    /// Connects.
    ///
    /// # Errors
    /// [`RunnerError`].
    pub async fn open(
        connector: &'a dyn Connector,
        target: &'a Target,
        clock: &'a dyn Clock,
    ) -> Result<Self, RunnerError> {
        let mut session = Session::open(connector, target).await?;
        let id = session.id().await?;
        Ok(Self {
            connector,
            target,
            clock,
            session,
            id,
            patience: Patience::default(),
        })
    }

    /// The session's number on the server.
    #[must_use]
    pub fn session_id(&self) -> i32 {
        self.id
    }

    /// Cancels what runs, from anywhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.session.canceller()
    }

    /// The session, for what is asked before and after.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Says good-bye.
    pub async fn close(self) {
        self.session.close().await;
    }

    /// Runs a backup. Its description must be its own among all of the server: it is how a backup is found whose connection was
    /// lost.
    pub async fn backup(&mut self, backup: &Backup, watch: &mut dyn Watch) -> Report {
        let text = backup.to_string();
        self.run(&text, message::SUCCEEDED, Some(&backup.description), watch)
            .await
    }

    /// Runs a restore. Where the connection is lost and the restore is over, its end is unknown: the state of the database and
    /// `redo_start_lsn` tell where it stands ([`databases`](crate::databases)).
    pub async fn restore(&mut self, restore: &Restore, watch: &mut dyn Watch) -> Report {
        self.run(&restore.to_string(), message::SUCCEEDED, None, watch)
            .await
    }

    /// Runs RESTORE VERIFYONLY: success is message 3262.
    pub async fn verify(&mut self, inspection: &Inspection, watch: &mut dyn Watch) -> Report {
        self.run(&inspection.to_string(), message::SET_IS_VALID, None, watch)
            .await
    }

    async fn run(
        &mut self,
        text: &str,
        success: i32,
        description: Option<&Literal>,
        watch: &mut dyn Watch,
    ) -> Report {
        let began = self.clock.elapsed();
        let locks = self
            .patience
            .locks
            .as_millis()
            .min(i32::MAX.unsigned_abs().into());
        let set = format!("SET LOCK_TIMEOUT {locks};");
        let ready = self.session.run(&set, self.session.within).await;
        let ran = if ready.fault.is_some() {
            // Nothing was sent yet: a plain failure, and nothing to look for.
            return self.report(began, Verdict::Failed, ready.outcome, ready.fault);
        } else {
            let watching = watching(
                self.connector,
                self.target,
                self.clock,
                self.id,
                self.patience.progress,
                watch,
            );
            let working = self.session.run(text, self.patience.within);
            let working = std::pin::pin!(working);
            match futures::future::select(working, std::pin::pin!(watching)).await {
                futures::future::Either::Left((ran, _)) => ran,
                futures::future::Either::Right((never, _)) => match never {},
            }
        };
        let verdict = match plain(&ran.outcome, ran.fault.as_ref(), success) {
            Some(verdict) => verdict,
            None => self.finder().find_out(description).await,
        };
        self.report(began, verdict, ran.outcome, ran.fault)
    }

    fn finder(&self) -> Finder<'a> {
        Finder {
            connector: self.connector,
            target: self.target,
            clock: self.clock,
            id: self.id,
            patience: self.patience,
        }
    }

    fn report(&self, began: Duration, verdict: Verdict, outcome: Outcome, fault: Option<Fault>) -> Report {
        Report {
            verdict,
            outcome,
            fault,
            took: self.clock.elapsed().saturating_sub(began),
        }
    }
}

/// What finds out over new connections how a statement ended. It holds no connection, so that its futures move between threads.
struct Finder<'a> {
    connector: &'a dyn Connector,
    target: &'a Target,
    clock: &'a dyn Clock,
    id: i32,
    patience: Patience,
}

impl Finder<'_> {
    /// Asks the server over new connections until it is known, or the patience is over.
    async fn find_out(&self, description: Option<&Literal>) -> Verdict {
        let mut deadline = self.clock.elapsed() + self.patience.search;
        loop {
            match self.look(description).await {
                Ok(Look::Ended(verdict)) => return verdict,
                Ok(Look::Runs) => deadline = self.clock.elapsed() + self.patience.search,
                Ok(Look::Unclear) | Err(_) => {}
            }
            if self.clock.elapsed() >= deadline {
                return Verdict::Unknown;
            }
            self.clock.sleep(self.patience.progress).await;
        }
    }

    async fn look(&self, description: Option<&Literal>) -> Result<Look, RunnerError> {
        let mut session = Session::open(self.connector, self.target).await?;
        let found = self.look_over(&mut session, description).await;
        session.close().await;
        Ok(found?)
    }

    /// First whether it runs, then whether it succeeded: the row is written before the request ends, so this order misses nothing.
    async fn look_over(&self, session: &mut Session, description: Option<&Literal>) -> Result<Look, Error> {
        let sees_all = activity::sees_all(session).await?;
        // The number may be this connection's now, and then that session has ended.
        let is_another = sees_all && session.id().await? != self.id;
        let request = match is_another {
            true => activity::of_session(session, self.id).await?,
            false => None,
        };
        let is_it = |text: &str| description.is_none_or(|one| text.contains(&one.to_string()));
        if request.is_some_and(|one| one.text.as_deref().is_none_or(is_it)) {
            return Ok(Look::Runs);
        }
        let Some(description) = description else {
            return Ok(if sees_all {
                Look::Ended(Verdict::Unknown)
            } else {
                Look::Unclear
            });
        };
        let sets = history::by_description(session, description).await?;
        if let Some(set) = sets.into_iter().last() {
            return Ok(Look::Ended(Verdict::Succeeded(Evidence::History(Box::new(set)))));
        }
        Ok(if sees_all {
            Look::Ended(Verdict::Failed)
        } else {
            Look::Unclear
        })
    }
}

/// What one look told.
enum Look {
    Runs,
    Ended(Verdict),
    /// The login does not see whether it runs.
    Unclear,
}

/// Why there is no runner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunnerError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A connection that does not answer as it should.
    #[error(transparent)]
    Session(#[from] Error),
}

/// The verdict where the answer alone gives one.
fn plain(outcome: &Outcome, fault: Option<&Fault>, success: i32) -> Option<Verdict> {
    let errors = outcome.messages.iter().any(Message::is_error);
    // 3014 stands above errors; 3262 is said of what was read, and an error after it counts.
    let succeeded = outcome.find(success).is_some() && (success == message::SUCCEEDED || !errors);
    if succeeded {
        return Some(Verdict::Succeeded(Evidence::Message));
    }
    // A lost connection brings an error of its own (596, 64), which says nothing about the statement.
    (fault.is_none() && errors).then_some(Verdict::Failed)
}

async fn watching(
    connector: &dyn Connector,
    target: &Target,
    clock: &dyn Clock,
    id: i32,
    pause: Duration,
    watch: &mut dyn Watch,
) -> std::convert::Infallible {
    let mut session = None;
    loop {
        clock.sleep(pause).await;
        if session.is_none() {
            // Who cannot be reached for progress alone is asked again later.
            session = Session::open(connector, target).await.ok();
        }
        let Some(open) = &mut session else { continue };
        match activity::of_session(open, id).await {
            Ok(Some(running)) => watch.progress(&running.progress),
            Ok(None) => {}
            Err(error) if error.is_lost() => session = None,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(numbers: &[(i32, u8)]) -> Outcome {
        let message = |&(number, class): &(i32, u8)| Message {
            number,
            state: 1,
            class,
            line: 1,
            procedure: String::new(),
            text: String::new(),
        };
        Outcome {
            messages: numbers.iter().map(message).collect(),
            ..Outcome::default()
        }
    }

    #[test]
    fn success_is_3014_whatever_stands_beside_it() {
        let succeeded = Some(Verdict::Succeeded(Evidence::Message));
        let lost = Fault::Lost {
            reason: String::new(),
        };
        let judge = |numbers: &[(i32, u8)], fault| plain(&said(numbers), fault, message::SUCCEEDED);
        assert_eq!(judge(&[(4035, 0), (3014, 0)], None), succeeded);
        assert_eq!(judge(&[(3014, 0), (3009, 16)], None), succeeded);
        assert_eq!(judge(&[(3014, 0)], Some(&lost)), succeeded);
        assert_eq!(judge(&[(3201, 16), (3013, 16)], None), Some(Verdict::Failed));
        // Nothing was said: nothing is known.
        assert_eq!(judge(&[(3211, 0)], None), None);
        assert_eq!(judge(&[(3202, 16)], Some(&lost)), None);
        assert_eq!(judge(&[], Some(&Fault::Cancelled)), None);
    }

    #[test]
    fn verifyonly_succeeds_by_3262_and_by_no_error() {
        let judge = |numbers: &[(i32, u8)]| plain(&said(numbers), None, message::SET_IS_VALID);
        assert_eq!(judge(&[(3262, 0)]), Some(Verdict::Succeeded(Evidence::Message)));
        assert_eq!(judge(&[(3262, 0), (3257, 16)]), Some(Verdict::Failed));
        assert_eq!(judge(&[(3014, 0)]), None);
    }
}
