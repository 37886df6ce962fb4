//! One request from head to answer: whose is it, is it signed, what does it ask, do it, say so.
//!
//! Every path through here ends in an answer with the common headers and one line in the request log. The deeds
//! themselves are in the submodules; each is a blocking call into the store on a blocking thread.

mod append;
mod batch;
mod blob;
mod container;
mod copy;
mod document;
mod from_url;
mod get;
mod list;
mod pages;
mod put;
mod service;
mod tags;

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use azblob::lease::LeaseId;
use azblob::request::{Address, BlobOperation, ContainerOperation, Operation, Request, ServiceOperation};
use azblob::response::{Stamp, success_status};
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use blobstore::{BlobPath, CommittedBlocks, Store};
use http::header::EXPECT;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use uuid::Uuid;

use self::batch::Batched;
use crate::accept::Service;
use crate::accounts::{AccountSet, Accounts};
use crate::answer::AnswerBody;
use crate::authorise::Caller;
use crate::buffers::Buffers;
use crate::copies::Copies;
use crate::fault::Fault;
use crate::intake::{Gate, drain, off_worker};
use crate::limits;
use crate::metrics::Metrics;
use crate::peer::Peer;
use crate::proof::{Census, Proof};
use crate::reply::with_status;
use crate::request_log::{LoggedBody, RequestLog};
use crate::uses::{Guest, Kind, Uses};

use copy::Asker;

/// Everything that answers requests.
pub(crate) struct Door {
    accounts: Accounts,
    store: Arc<Store>,
    proof: Arc<Proof>,
    copies: Arc<Copies>,
    /// Seats of the copies that are done before their answer.
    copying: Arc<Semaphore>,
    gate: Gate,
    /// Room for bodies that are gathered in memory.
    documents: Gate,
    buffers: Arc<Buffers>,
    metrics: Arc<Metrics>,
    uses: Arc<Uses>,
}

/// A request that is let through.
struct Admitted {
    request: Request,
    /// Who asks, with the headers that their token sets in the answer to a read.
    caller: Caller,
}

/// An answer that is not a fault.
pub(crate) type Answer = Result<Response<AnswerBody>, Fault>;

impl Door {
    /// A door to this store.
    ///
    /// # Errors
    /// The operating system gives no threads.
    pub(crate) fn new(accounts: Accounts, store: Arc<Store>, proof: Proof) -> io::Result<Self> {
        let proof = Arc::new(proof);
        let copies = Copies::start(Arc::clone(&store), Arc::clone(&proof))?;
        let leases = Arc::clone(&store);
        Ok(Door {
            accounts,
            store,
            proof,
            copies: Arc::new(copies),
            copying: Arc::new(Semaphore::new(limits::COPIES_AT_ONCE)),
            gate: Gate::new(limits::BYTES_IN_FLIGHT),
            documents: Gate::new(limits::DOCUMENTS_IN_FLIGHT),
            buffers: Buffers::new(limits::READ_CHUNK, limits::IDLE_BUFFERS),
            metrics: Arc::default(),
            uses: Uses::new(move |path| leases.is_locked_at_once(path)),
        })
    }

    /// The accounts, which may change while the door is open.
    pub(crate) fn accounts(&self) -> Accounts {
        self.accounts.clone()
    }

    /// The counters.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Who uses which blob.
    pub(crate) fn uses(&self) -> &Arc<Uses> {
        &self.uses
    }

    /// Bytes of request bodies in memory, and the most there may be.
    pub(crate) fn body_bytes(&self) -> (u64, u64) {
        self.gate.taken(limits::BYTES_IN_FLIGHT)
    }

    /// What the verifier does.
    pub(crate) fn census(&self) -> Census {
        self.proof.census()
    }

    /// A blob of blocks was written past the door.
    pub(crate) fn arrived(&self, path: &BlobPath, done: CommittedBlocks) {
        self.proof.committed(path, done.committed.commit, done.blocks);
    }

    /// Blocks until the verifier has nothing left to do.
    pub(crate) fn wait_for_proof(&self) {
        self.proof.wait_until_idle();
    }

    /// Runs a store call on a blocking thread.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        call: impl FnOnce(&Store) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        let store = Arc::clone(&self.store);
        off_worker(move || call(&store)).await.ok_or_else(Fault::lost)?
    }

    async fn act(&self, head: &Parts, body: &mut Incoming, peer: Peer, log: &mut RequestLog) -> Answer {
        let accounts = self.accounts.current();
        let address = Address::locate(&head.uri, &head.headers, accounts.names())?;
        log.account = Some(address.account.clone());
        log.blob.clone_from(&address.path);
        if head.method == Method::OPTIONS {
            log.operation = "BlobPreflightRequest";
            return self.preflight(&address.account, &head.headers);
        }
        let default = self.default_version(&address.account);
        let Admitted { request, caller } = self.admit(&accounts, &address, head, default, log).await?;
        let status = success_status(&request.operation);
        let read = matches!(
            request.operation,
            Operation::Blob(_, BlobOperation::Get(_) | BlobOperation::GetProperties { .. })
        );
        let mut answer = self
            .carry_out(
                request,
                Asker {
                    caller: &caller,
                    head,
                    peer,
                    guest: &log.guest,
                },
                body,
            )
            .await?;
        if read {
            caller.overrides.apply(answer.headers_mut());
        }
        // Get Blob alone has two ways to succeed.
        Ok(if answer.status() == StatusCode::PARTIAL_CONTENT {
            answer
        } else {
            with_status(answer, status)
        })
    }

    /// Checks who asks, reads what is asked, and whether they may. A request that names no version has `default`. From then
    /// on it is a use of its blob.
    async fn admit(
        &self,
        accounts: &AccountSet,
        address: &Address,
        head: &Parts,
        default: ApiVersion,
        log: &mut RequestLog,
    ) -> Result<Admitted, Fault> {
        let signed = (&head.method, &head.uri, &head.headers);
        let account = accounts.get(&address.account);
        let caller = self.authenticate(account, address, signed, log.peer).await?;
        let mut request =
            Request::parse_with_default(address, &head.method, &head.uri, &head.headers, default)?;
        log.version = Some(request.version);
        log.operation = request.operation.name();
        caller.grant.allow(&mut request.operation)?;
        if let Operation::Blob(path, operation) = &request.operation
            && let Some(kind) = Kind::of(operation, &head.headers)
        {
            let path = BlobPath {
                account: request.account.clone(),
                container: path.container.clone(),
                blob: path.blob.clone(),
            };
            log.used = Some(log.guest.begins(path, kind));
        }
        Ok(Admitted { request, caller })
    }

    async fn carry_out(&self, request: Request, asker: Asker<'_>, body: &mut Incoming) -> Answer {
        let from = (asker.peer, asker.guest);
        let Request {
            account,
            operation,
            version,
            ..
        } = request;
        match operation {
            Operation::Service(ServiceOperation::ListContainers(query)) => {
                self.list_containers(account, query, version, asker).await
            }
            Operation::Service(ServiceOperation::Batch(ask)) => {
                let common = Batched::new(account, None, version, from);
                self.batch(common, ask, body).await
            }
            Operation::Container(container, ContainerOperation::Batch(ask)) => {
                let common = Batched::new(account, Some(container), version, from);
                self.batch(common, ask, body).await
            }
            Operation::Service(operation) => self.service(account, operation, body).await,
            Operation::Container(_, ContainerOperation::AccountInformation)
            | Operation::Blob(_, BlobOperation::AccountInformation) => Ok(service::account_information()),
            Operation::Container(container, ContainerOperation::ListBlobs(query)) => {
                self.list_blobs(account, container, query, version, asker).await
            }
            Operation::Container(
                container,
                ContainerOperation::SetAcl {
                    body: announced,
                    lease_id,
                    conditions,
                },
            ) => {
                let asked = (announced, lease_id, conditions);
                self.set_container_acl(account, container, asked, body).await
            }
            Operation::Container(container, operation) => self.container(account, container, operation).await,
            Operation::Blob(path, operation) => {
                let path = BlobPath {
                    account,
                    container: path.container,
                    blob: path.blob,
                };
                self.carry_out_on(path, operation, (version, asker), body).await
            }
        }
    }

    async fn carry_out_on(
        &self,
        path: BlobPath,
        operation: BlobOperation,
        (version, asker): (ApiVersion, Asker<'_>),
        body: &mut Incoming,
    ) -> Answer {
        match operation {
            BlobOperation::Put(put) => self.put_blob(path, put, version, body).await,
            BlobOperation::PutBlock(put) => self.put_block(path, put, version, body).await,
            BlobOperation::PutBlockList(put) => self.put_block_list(path, put, version, body).await,
            BlobOperation::PutPageBlob(put) => self.put_page_blob(path, put).await,
            BlobOperation::PutPage(put) => self.put_page(path, put, version, body).await,
            BlobOperation::ClearPages(clear) => self.clear_pages(path, clear).await,
            BlobOperation::GetPageRanges(get) => self.page_ranges(path, get, version).await,
            BlobOperation::PutAppendBlob(put) => self.put_append_blob(path, put).await,
            BlobOperation::AppendBlock(append) => self.append_block(path, append, version, body).await,
            BlobOperation::SealAppend(seal) => self.seal_append(path, seal).await,
            BlobOperation::Get(get) => self.get_blob(path, get, version).await,
            BlobOperation::Copy(copy) => self.copy_blob(path, copy, asker).await,
            BlobOperation::PutFromUrl(put) => self.put_from_url(path, put, version, asker).await,
            BlobOperation::BlockFromUrl(put) => self.block_from_url(path, put, version, asker).await,
            BlobOperation::PageFromUrl(put) => self.page_from_url(path, put, version, asker).await,
            BlobOperation::AppendFromUrl(append) => self.append_from_url(path, append, version, asker).await,
            BlobOperation::AbortCopy { id, lease_id } => self.abort_copy(path, id, lease_id).await,
            BlobOperation::GetTags { snapshot, lease_id } => self.get_tags(path, snapshot, lease_id).await,
            BlobOperation::SetTags {
                length,
                lease_id,
                checksum,
            } => self.set_tags(path, (length, checksum), lease_id, body).await,
            BlobOperation::SetTier { snapshot, lease_id } => self.set_tier(path, snapshot, lease_id).await,
            other => self.blob(path, other, version).await,
        }
    }
}

impl Service for Door {
    async fn answer(
        self: Arc<Self>,
        request: http::Request<Incoming>,
        peer: Peer,
        guest: Arc<Guest>,
    ) -> Response<LoggedBody> {
        let (head, mut body) = request.into_parts();
        let id = LeaseId::from_u128(Uuid::new_v4().as_u128());
        let mut stamp = Stamp::of_headers(&head.headers, id, now());
        let mut log = RequestLog::new(&head, (peer, &guest), id, Arc::clone(&self.metrics));
        let acted = self.act(&head, &mut body, peer, &mut log).await;
        log.judged(acted.as_ref().err());
        let mut response = match acted {
            Ok(response) => response,
            Err(fault) => {
                // A client that waits for "100 Continue" has sent nothing; reading would invite it to.
                if !head.headers.contains_key(EXPECT) {
                    drain(&mut body).await;
                }
                fault.into_response(head.method == Method::HEAD, &stamp.message_lines())
            }
        };
        stamp.version = log.version.unwrap_or(stamp.version);
        stamp.write_headers(response.headers_mut());
        if let Some(account) = &log.account {
            self.for_browsers(account, &head.method, &head.headers, response.headers_mut());
        }
        let status = response.status().as_u16();
        response.map(|body| log.answered(status, body))
    }
}

/// The present moment.
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
