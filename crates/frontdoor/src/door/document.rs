//! Bodies that are documents (block lists, batches, properties): gathered in memory, counted and checked.

use azblob::error::ErrorCode;
use hyper::body::Incoming;

use super::Door;
use crate::checks::{BodyCheck, Sums};
use crate::fault::Fault;
use crate::intake::{Collected, IntakeError, collect};

/// A document and what it sums up to. Its room in memory is taken until it is dropped.
pub(crate) struct Document {
    body: Collected,
    sums: Sums,
}

impl Document {
    /// The body.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body.bytes
    }

    /// What it sums up to, as far as that was to be computed.
    pub(crate) fn sums(&self) -> Sums {
        self.sums
    }
}

impl Door {
    /// The body of a request that announces `length` bytes, which is within its limit.
    ///
    /// # Errors
    /// The body does not arrive whole, or does not sum up to what was sent.
    pub(super) async fn document(
        &self,
        body: &mut Incoming,
        length: u64,
        mut check: BodyCheck,
    ) -> Result<Document, Fault> {
        let body = collect(body, length, &self.documents)
            .await
            .map_err(|error| not_collected(&error))?;
        check.update(&body.bytes);
        let sums = check.finish()?;
        Ok(Document { body, sums })
    }
}

fn not_collected(error: &IntakeError<()>) -> Fault {
    match error {
        IntakeError::Client(why) => Fault::incomplete(why),
        IntakeError::Sink(()) | IntakeError::Lost => ErrorCode::InternalError.into(),
    }
}
