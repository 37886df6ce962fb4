//! Blob Batch: up to 256 deletions, or settings of a tier, in one request, each signed, judged and answered by itself.
//!
//! One after the other, in the order in which they stand.

use std::sync::Arc;

use azblob::batch::{Batch, BatchAnswer, BatchRequest, content_type, render_answers};
use azblob::error::{ErrorCode, Refusal};
use azblob::lease::LeaseId;
use azblob::names::{AccountName, ContainerName};
use azblob::request::{Address, BatchBody, BlobOperation, Operation};
use azblob::response::{Stamp, success_status};
use azblob::version::ApiVersion;
use blobstore::BlobPath;
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use uuid::Uuid;

use super::{Answer, Door, now};
use crate::answer::AnswerBody;
use crate::checks::BodyCheck;
use crate::fault::Fault;
use crate::peer::Peer;
use crate::reply::{put, with_status};
use crate::request_log::RequestLog;
use crate::uses::Guest;

/// What the requests of a batch have in common.
pub(super) struct Batched {
    /// Whose storage. A request of the batch cannot name another.
    account: AccountName,
    /// The container that all blobs must be in, where the batch is a container's.
    within: Option<ContainerName>,
    /// Requests of a batch name no version.
    version: ApiVersion,
    /// Who asks.
    peer: Peer,
    /// Over which connection.
    guest: Arc<Guest>,
}

impl Batched {
    /// A batch of the account, or of one container.
    pub(super) fn new(
        account: AccountName,
        within: Option<ContainerName>,
        version: ApiVersion,
        (peer, guest): (Peer, &Arc<Guest>),
    ) -> Self {
        Self {
            account,
            within,
            version,
            peer,
            guest: Arc::clone(guest),
        }
    }
}

impl Door {
    /// Blob Batch.
    pub(super) async fn batch(&self, common: Batched, ask: BatchBody, body: &mut Incoming) -> Answer {
        let document = self.document(body, ask.length, BodyCheck::of(None)).await?;
        let batch = Batch::parse(document.bytes(), &ask.boundary)?;
        let mut answers = Vec::with_capacity(batch.requests.len());
        for request in batch.requests {
            answers.push(self.one_of_batch(&common, request).await);
        }
        let boundary = format!("batchresponse_{}", Uuid::new_v4());
        let mut answer = Response::new(AnswerBody::whole(render_answers(&answers, &boundary)));
        put(answer.headers_mut(), "content-type", &content_type(&boundary));
        Ok(answer)
    }

    async fn one_of_batch(&self, common: &Batched, request: BatchRequest) -> BatchAnswer {
        let content_id = request.content_id.clone();
        let head = parts(request);
        let id = LeaseId::from_u128(Uuid::new_v4().as_u128());
        let mut log = RequestLog::new(&head, (common.peer, &common.guest), id, Arc::clone(&self.metrics));
        let mut stamp = Stamp::of_headers(&head.headers, id, now());
        stamp.version = common.version;
        let acted = self.carry_out_of_batch(common, &head, &mut log).await;
        log.judged(acted.as_ref().err());
        let mut response = match acted {
            Ok(response) => response,
            Err(fault) => fault.into_response(false, &stamp.message_lines()),
        };
        stamp.write_headers(response.headers_mut());
        log.answered_within(response.status().as_u16());
        part(content_id, response)
    }

    async fn carry_out_of_batch(&self, common: &Batched, head: &Parts, log: &mut RequestLog) -> Answer {
        log.account = Some(common.account.clone());
        // Only the account of the batch: a path that does not begin with its name begins with the container's.
        let only = std::slice::from_ref(&common.account);
        let address = Address::locate(&head.uri, &head.headers, only)?;
        let accounts = self.accounts.current();
        if !accounts.is_account(common.account.as_str()) {
            // Taken away while the batch was under way.
            return Err(ErrorCode::AuthenticationFailed.into());
        }
        let admitted = self.admit(&accounts, &address, head, common.version, log).await?;
        let status = success_status(&admitted.request.operation);
        let Operation::Blob(path, operation) = admitted.request.operation else {
            return Err(not_in_a_batch());
        };
        if common
            .within
            .as_ref()
            .is_some_and(|within| *within != path.container)
        {
            return Err(refused("The blob is not in the container of the batch."));
        }
        let path = BlobPath {
            account: common.account.clone(),
            container: path.container,
            blob: path.blob,
        };
        let answer = match operation {
            BlobOperation::Delete { .. } => self.blob(path, operation, common.version).await?,
            BlobOperation::SetTier { snapshot, lease_id } => self.set_tier(path, snapshot, lease_id).await?,
            _ => return Err(not_in_a_batch()),
        };
        Ok(with_status(answer, status))
    }
}

fn not_in_a_batch() -> Fault {
    refused("A batch can hold Delete Blob and Set Blob Tier only.")
}

fn refused(why: &str) -> Fault {
    Refusal::with_message(ErrorCode::InvalidInput, why).into()
}

fn parts(request: BatchRequest) -> Parts {
    let mut whole = http::Request::new(());
    *whole.method_mut() = request.method;
    *whole.uri_mut() = request.uri;
    *whole.headers_mut() = request.headers;
    whole.into_parts().0
}

fn part(content_id: Option<String>, response: Response<AnswerBody>) -> BatchAnswer {
    let (head, body) = response.into_parts();
    let said = head.extensions.get::<ReasonPhrase>();
    let said = said.and_then(|reason| std::str::from_utf8(reason.as_bytes()).ok());
    let usual = StatusCode::canonical_reason(&head.status).unwrap_or_default();
    BatchAnswer {
        content_id,
        status: head.status.as_u16(),
        reason: said.unwrap_or(usual).to_owned(),
        headers: head.headers,
        body: match body {
            AnswerBody::Whole(Some(bytes)) => bytes.to_vec(),
            AnswerBody::Whole(None) | AnswerBody::Download(_) => Vec::new(),
        },
    }
}
