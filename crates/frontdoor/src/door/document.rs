//! Bodies that are small documents: gathered in memory, counted and checked.

use azblob::error::ErrorCode;
use azblob::request::Checksum;
use bytes::Bytes;
use http_body::Body;

use crate::checks::{BodyCheck, Sums};
use crate::fault::Fault;
use crate::intake::{IntakeError, collect};

/// The body of a request that announces `length` bytes, which is within its limit.
///
/// # Errors
/// The body does not arrive whole, or does not sum up to what was sent.
pub(crate) async fn read<B>(body: &mut B, length: u64, mut check: BodyCheck) -> Result<(Vec<u8>, Sums), Fault>
where
    B: Body<Data = Bytes> + Unpin,
{
    let bytes = collect(body, length)
        .await
        .map_err(|error| not_collected(&error))?;
    if bytes.len() as u64 != length {
        return Err(not_collected(&IntakeError::Client(
            "the body is not as long as its Content-Length",
        )));
    }
    check.update(&bytes);
    let sums = check.finish()?;
    Ok((bytes, sums))
}

/// [`read`] for a document whose answer repeats no checksum.
///
/// # Errors
/// Those of [`read`].
pub(crate) async fn read_plain<B>(
    body: &mut B,
    length: u64,
    checksum: Option<Checksum>,
) -> Result<Vec<u8>, Fault>
where
    B: Body<Data = Bytes> + Unpin,
{
    read(body, length, BodyCheck::of(checksum))
        .await
        .map(|(bytes, _)| bytes)
}

fn not_collected(error: &IntakeError<()>) -> Fault {
    match error {
        IntakeError::Client(why) => IntakeError::<Fault>::Client(why).into(),
        IntakeError::Sink(()) | IntakeError::Lost => ErrorCode::InternalError.into(),
    }
}
