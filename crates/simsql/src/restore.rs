//! RESTORE: reading media, laying pages and log back, recovery, and the four forms that only look.

use crate::answers::Answers;
use crate::message::Failure;
use crate::session::Session;
use crate::tsql::restore::RestoreStatement;

/// Runs RESTORE.
///
/// # Errors
/// As the map of errors says; [`Failure::cancelled`] where the session was.
#[allow(clippy::unimplemented, unused_variables, clippy::missing_panics_doc)]
pub async fn run(
    session: &mut Session,
    statement: &RestoreStatement,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    unimplemented!()
}
