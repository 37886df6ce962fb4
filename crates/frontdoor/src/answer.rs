//! The bodies of answers: nothing, a piece of text, or a blob's bytes as they are read.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::download::Download;

/// A body ended before its announced length; hyper closes the connection, so the client cannot mistake it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the blob could not be read to its end")]
pub(crate) struct BrokenOff;

/// The body of an answer.
pub(crate) enum AnswerBody {
    /// All of it, at once; may be empty.
    Whole(Option<Bytes>),
    /// A range of a blob.
    Download(Download),
}

impl AnswerBody {
    /// No body.
    pub(crate) fn empty() -> Self {
        AnswerBody::Whole(None)
    }

    /// These bytes.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        AnswerBody::Whole(if bytes.is_empty() { None } else { Some(bytes) })
    }

    /// Bytes of body still to come.
    pub(crate) fn length(&self) -> u64 {
        match self {
            AnswerBody::Whole(bytes) => bytes.as_ref().map_or(0, |b| b.len() as u64),
            AnswerBody::Download(download) => download.left(),
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            AnswerBody::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            AnswerBody::Download(download) => download
                .poll_chunk(cx)
                .map(|chunk| chunk.map(|c| c.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.length() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}
