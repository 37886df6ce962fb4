//! One connection over the client.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mssql_tds::connection::tds_client::{
    BatchErrorMode, ExecuteOptions, ResultSet, StatementResult, TdsClient,
};
use mssql_tds::core::{CancelHandle, TdsResult};
use mssql_tds::error::Error;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::convert;
use crate::connection::{Cancel, Canceller, Connection, Enough, Fault, Request, Sink};
use crate::value::Column;

/// How long the server may take to acknowledge a cancel; then the connection is given up. A BACKUP rolls nothing back, a RESTORE
/// closes files.
const SETTLING_SECONDS: u32 = 60;
/// How long a good-bye may take.
const GOOD_BYE: Duration = Duration::from_secs(5);

/// A connection.
pub(super) struct Talking {
    client: TdsClient,
    cancel: Arc<Pending>,
    /// A batch was begun, and its end was not seen.
    busy: bool,
    /// Why it is of no use any more.
    lost: Option<String>,
}

/// A cancel that is asked for, and what it would cancel.
#[derive(Default)]
struct Pending {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: bool,
    running: Option<Arc<CancelHandle>>,
}

impl Pending {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next batch is cancelled by; `None` where a cancel was asked for already, which is used up by that.
    fn begin(&self) -> Option<Arc<CancelHandle>> {
        let mut state = self.state();
        if std::mem::take(&mut state.asked) {
            return None;
        }
        let mut handle = CancelHandle::new();
        handle.set_cancel_timeout_secs(SETTLING_SECONDS);
        let handle = Arc::new(handle);
        state.running = Some(Arc::clone(&handle));
        Some(handle)
    }

    /// The batch is over. A cancel that came for it is used up, whether it came in time or not.
    fn end(&self) {
        *self.state() = State::default();
    }
}

impl Cancel for Pending {
    fn cancel(&self) {
        let mut state = self.state();
        state.asked = true;
        if let Some(running) = &state.running {
            running.cancel();
        }
    }
}

impl Talking {
    pub(super) fn new(mut client: TdsClient) -> Self {
        // What was said at the login belongs to no batch.
        client.take_info_messages();
        Self {
            client,
            cancel: Arc::default(),
            busy: false,
            lost: None,
        }
    }

    fn tell(&mut self, sink: &mut dyn Sink) {
        for said in self.client.take_info_messages() {
            sink.message(convert::information(said));
        }
    }

    /// Tells the errors of a failed statement; whatever else went wrong is a fault.
    fn failed(&mut self, error: Error, sink: &mut dyn Sink) -> Result<(), Fault> {
        self.tell(sink);
        let Error::SqlServerError { diagnostics } = error else {
            return Err(self.fault(error));
        };
        let last = diagnostics.errors.last().map(|error| error.message.clone());
        for error in diagnostics.errors {
            sink.message(convert::error(error));
        }
        if self.client.is_connection_dead() {
            let reason = last.unwrap_or_else(|| "SQL Server ended it".to_owned());
            return Err(self.lose(reason));
        }
        Ok(())
    }

    fn fault(&mut self, error: Error) -> Fault {
        let dead = self.client.is_connection_dead();
        match error {
            Error::OperationCancelledError(_) if !dead => Fault::Cancelled,
            Error::TimeoutError(_) if !dead => Fault::TimedOut,
            Error::UsageError(reason)
            | Error::ImplementationError(reason)
            | Error::TypeConversionError(reason)
                if !dead =>
            {
                Fault::Unusable { reason }
            }
            Error::OperationCancelledError(_) => {
                self.lose("SQL Server did not acknowledge the cancel".to_owned())
            }
            error => self.lose(error.to_string()),
        }
    }

    fn lose(&mut self, reason: String) -> Fault {
        self.client.mark_connection_dead();
        self.lost = Some(reason.clone());
        Fault::Lost { reason }
    }

    /// Rows of one result.
    async fn rows(&mut self, sink: &mut dyn Sink) -> Result<(), Fault> {
        let columns = self.client.get_metadata().iter();
        sink.columns(
            columns
                .map(|column| Column {
                    name: column.column_name.clone(),
                })
                .collect(),
        );
        loop {
            match self.client.next_row().await {
                Ok(Some(row)) => {
                    let row: Result<Vec<_>, _> = row.into_iter().map(convert::value).collect();
                    let taken = match row {
                        Ok(row) => sink.row(row).map_err(|Enough| Fault::TooMuch),
                        Err(kind) => Err(Fault::Unusable {
                            reason: format!("a value of type {kind} is not read here"),
                        }),
                    };
                    if let Err(fault) = taken {
                        return Err(self.abandon(fault).await);
                    }
                }
                Ok(None) => {
                    self.tell(sink);
                    sink.done(self.client.last_result_row_count());
                    return Ok(());
                }
                Err(error) => return self.failed(error, sink),
            }
        }
    }

    /// Gives up what still comes, so that the connection can be used again.
    async fn abandon(&mut self, fault: Fault) -> Fault {
        match self.client.cancel_query(SETTLING_SECONDS).await {
            Ok(()) => fault,
            Err(error) => self.lose(error.to_string()),
        }
    }

    async fn walk(
        &mut self,
        text: String,
        options: ExecuteOptions<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(), Fault> {
        let mut step: TdsResult<StatementResult> = self.client.execute(text, options).await;
        loop {
            match step {
                Ok(StatementResult::End) => {
                    self.tell(sink);
                    return Ok(());
                }
                Ok(StatementResult::NoRows { rows_affected }) => {
                    self.tell(sink);
                    sink.done(rows_affected);
                }
                Ok(StatementResult::Rows) => self.rows(sink).await?,
                Err(error) => {
                    self.failed(error, sink)?;
                    sink.done(None);
                }
            }
            step = self.client.advance().await;
        }
    }

    async fn talk(&mut self, request: &Request, sink: &mut dyn Sink) -> Result<(), Fault> {
        if let Some(reason) = &self.lost {
            return Err(Fault::Lost {
                reason: reason.clone(),
            });
        }
        if self.busy || self.client.has_open_batch() {
            // The future of the batch before was dropped in its middle. What still comes of it would be taken for the answer to
            // the next one.
            return Err(self.lose("a statement was given up in its middle".to_owned()));
        }
        let Some(handle) = self.cancel.begin() else {
            return Err(Fault::Cancelled);
        };
        let options = ExecuteOptions {
            timeout: request.within.map(whole_seconds),
            cancel: Some(&handle),
            on_error: BatchErrorMode::Continue,
            ..ExecuteOptions::default()
        };
        self.busy = true;
        let ended = self.walk(request.text.clone(), options, sink).await;
        self.busy = false;
        self.tell(sink);
        self.cancel.end();
        ended
    }
}

/// Rounded up; zero would be for ever.
pub(super) fn whole_seconds(time: Duration) -> u32 {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

#[async_trait]
impl Connection for Talking {
    async fn batch(&mut self, request: &Request, sink: &mut dyn Sink) -> Result<(), Fault> {
        // The client's log would show the statement, and with it the secret of a credential.
        self.talk(request, sink)
            .with_subscriber(NoSubscriber::new())
            .await
    }

    fn canceller(&self) -> Canceller {
        Canceller::new(Arc::clone(&self.cancel) as Arc<dyn Cancel>)
    }

    async fn close(&mut self) {
        if self.lost.is_none() {
            self.lost = Some("it was closed".to_owned());
            let closing = self.client.close_connection();
            // Who does not answer a good-bye is left without one.
            drop(
                tokio::time::timeout(GOOD_BYE, closing)
                    .with_subscriber(NoSubscriber::new())
                    .await,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_between_two_batches_ends_the_next_one_and_no_other() {
        let pending = Pending::default();
        let first = pending.begin();
        assert!(first.is_some());
        pending.end();
        pending.cancel();
        assert!(pending.begin().is_none());
        assert!(pending.begin().is_some());
        pending.cancel();
        pending.end();
        assert!(pending.begin().is_some());
    }

    #[test]
    fn seconds_are_rounded_up_and_never_endless() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
        assert_eq!(whole_seconds(Duration::MAX), u32::MAX);
    }
}
