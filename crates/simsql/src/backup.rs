//! BACKUP: what may be backed up, the flow of pages and log to the media, messages, history.

use crate::answers::Answers;
use crate::message::Failure;
use crate::session::Session;
use crate::tsql::backup::BackupStatement;

/// Runs BACKUP. Information (3211, 4035, 3014) goes to `answers` as it comes; errors come back, 3013 last.
///
/// # Errors
/// As the map of errors says; [`Failure::cancelled`] where the session was.
#[allow(clippy::unimplemented, unused_variables, clippy::missing_panics_doc)]
pub async fn run(
    session: &mut Session,
    statement: &BackupStatement,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    unimplemented!()
}
