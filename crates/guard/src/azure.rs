//! The real account: Microsoft's client library, wrapped.
//!
//! Works on Azure Storage, on Azurite and on bac2's own door. The library makes requests and goes through its pipeline;
//! beneath it stands an HTTP client of ours (`transport`), which signs, waits, tries again and limits. Listings and
//! block lists are read by [`azblob`], which trusts no server: the library's own reader gives up a whole page for one date
//! that it cannot read. Addresses of blobs are made by `endpoint`, for the reason given there.
//!
//! Requests speak version 2021-12-02 of the protocol, which all three services know and which has all that is needed.
//! A break and a deletion are sent once, on a connection of their own. Deliberately absent: acquiring, renewing or
//! releasing a lease, and reading more of a blob than was asked for.

mod credential;
mod endpoint;
mod entra;
mod head;
mod mishap;
mod pages;
mod refusal;
mod retry;
mod transport;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use azblob::version::ApiVersion;
use azure_core::credentials::TokenCredential;
use azure_core::error::Error;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{
    ClientOptions, Context, Etag, Method, Pipeline, RawResponse, Request, RetryOptions, Url,
};
use azure_storage_blob::models::{
    BlobClientBreakLeaseOptions, BlobClientDeleteOptions, BlobClientGetPropertiesOptions, BlockListType,
};
use azure_storage_blob::{BlobClient, BlobClientOptions, BlockBlobClient, BlockBlobClientOptions};
use bytes::Bytes;

use crate::account::{Account, Blocks, ETag, Head, Listed, Marker, Page, Probe};
use crate::clock::{Clock as _, SystemClock};
use crate::fault::{Cause, Fault, Operation};
use crate::limits::READ_MAX;
use crate::place::Place;
use credential::Signer;
use endpoint::Endpoint;
use transport::Transport;

pub use credential::{Credential, Now, Sas};
pub use retry::Patience;

/// Why an account was not opened. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Its address.
    #[error("the account's address is not usable: {0}")]
    Url(String),
    /// The SAS.
    #[error("the SAS is not usable: {0}")]
    Sas(&'static str),
    /// The key.
    #[error(
        "the account key is not usable: it is the Base64 text, or the connection string, as Azure shows it"
    )]
    Key,
    /// Signing with a key takes the account's name.
    #[error(
        "the account's name cannot be told from its address: use http(s)://HOST/NAME or a host that begins with the name"
    )]
    AccountName,
    /// A file.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The certificates of the authority.
    #[error("the CA file holds no PEM certificate")]
    Ca,
    /// Tokens are sent over https only.
    #[error("Microsoft Entra ID needs an https address: a token on plain http is anybody's")]
    EntraNeedsHttps,
    /// The environment's identity.
    #[error("Microsoft Entra ID: {0}")]
    Entra(String),
    /// The HTTP client was not made.
    #[error("the HTTP client could not be made: {0}")]
    Client(String),
}

/// How an account is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its address, without a query.
    pub url: String,
    /// What it is entered with.
    pub credential: Credential,
    /// PEM certificates trusted beside the system's.
    pub ca: Option<Vec<u8>>,
    /// Leases are to be broken or blobs deleted: a SAS made from a key then allows it.
    pub acting: bool,
    /// How long to bear with a service that is busy.
    pub patience: Patience,
    /// The present moment: for the times in a SAS made from a key, and for nothing else.
    pub now: Now,
}

impl Settings {
    /// To look only, with the machine's clock.
    pub fn new(url: impl Into<String>, credential: Credential) -> Self {
        let clock = SystemClock::new();
        Self {
            url: url.into(),
            credential,
            ca: None,
            acting: false,
            patience: Patience::default(),
            now: Now(Arc::new(move || clock.now())),
        }
    }
}

/// A storage account. Cheap to share; requests run side by side on connections that are kept.
#[derive(Clone, Debug)]
pub struct AzureAccount {
    endpoint: Endpoint,
    options: ClientOptions,
    /// For reads, which the library would cut into parts of its own.
    pipeline: Pipeline,
    signer: Arc<Signer>,
}

impl AzureAccount {
    /// Opens it. Sends nothing.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        let endpoint = Endpoint::parse(&settings.url)?;
        let now = settings.now;
        let mut identity: Option<Arc<dyn TokenCredential>> = None;
        let signer = match settings.credential {
            Credential::AccountKey { name, key } => {
                let account = name
                    .or_else(|| endpoint.account())
                    .ok_or(OpenError::AccountName)?;
                Signer::key(account, key, settings.acting, endpoint.is_https(), now.clone())
            }
            Credential::Sas(sas) => Signer::text(sas, now.clone()),
            Credential::SasFile(path) => Signer::file(path, now.clone())?,
            Credential::Identity(source) => {
                identity = Some(source);
                Signer::bearer(now.clone())
            }
            Credential::Entra if endpoint.is_https() => {
                identity = Some(entra::identity(|name| std::env::var(name).ok())?);
                Signer::bearer(now.clone())
            }
            Credential::Entra => return Err(OpenError::EntraNeedsHttps),
        };
        if identity.is_some() && !endpoint.is_https() {
            return Err(OpenError::EntraNeedsHttps);
        }
        let signer = Arc::new(signer);
        let ca = settings.ca.as_deref();
        let transport = Transport::new(&endpoint, ca, Arc::clone(&signer), settings.patience, now)?;
        let bearer = identity.map(|identity| {
            let scope = ["https://storage.azure.com/.default"];
            Arc::new(BearerTokenAuthorizationPolicy::new(
                entra::in_time(identity),
                scope,
            )) as Arc<dyn Policy>
        });
        let options = ClientOptions {
            per_try_policies: bearer.into_iter().collect(),
            retry: RetryOptions::none(),
            transport: Some(azure_core::http::Transport::new(Arc::new(transport))),
            ..ClientOptions::default()
        };
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            options.clone(),
            Vec::new(),
            Vec::new(),
            None,
        );
        Ok(Self {
            endpoint,
            options,
            pipeline,
            signer,
        })
    }

    /// The account's name, where its address says it.
    pub fn name(&self) -> Option<String> {
        self.endpoint.account().map(String::from)
    }

    fn blob(&self, operation: Operation, place: &Place) -> Result<BlobClient, Fault> {
        let url = self.url_of(operation, place)?;
        let options = BlobClientOptions {
            client_options: self.options.clone(),
            version: ApiVersion::CURRENT.to_string(),
        };
        BlobClient::new(url, None, Some(options)).map_err(|error| of_blob(operation, place, &error))
    }

    fn url_of(&self, operation: Operation, place: &Place) -> Result<Url, Fault> {
        self.endpoint
            .blob(place)
            .ok_or_else(|| nameless(operation, place.to_string()))
    }
}

/// The fault of a request about a blob.
fn of_blob(operation: Operation, place: &Place, error: &Error) -> Fault {
    refusal::fault(operation, place.to_string(), error)
}

/// An answer that makes no sense.
fn unusable(operation: Operation, target: String, why: impl Into<String>) -> Fault {
    Fault {
        operation,
        target,
        cause: Cause::Unusable(why.into()),
        status: None,
        code: None,
    }
}

fn nameless(operation: Operation, target: String) -> Fault {
    unusable(operation, target, "no URL can hold this name")
}

impl Account for AzureAccount {
    fn address(&self) -> &str {
        self.endpoint.text()
    }

    async fn containers(&self, from: Option<&Marker>) -> Result<Page<String>, Fault> {
        self.containers_page(from).await
    }

    async fn blobs(
        &self,
        container: &str,
        prefix: &str,
        from: Option<&Marker>,
    ) -> Result<Page<Listed>, Fault> {
        self.blobs_page(container, prefix, from).await
    }

    async fn head(&self, place: &Place) -> Result<Head, Fault> {
        let operation = Operation::Look;
        let client = self.blob(operation, place)?;
        let answer = client
            .get_properties(None)
            .await
            .map_err(|error| of_blob(operation, place, &error))?;
        head::head(answer.headers()).map_err(|header| {
            let why = format!("the answer has no readable {header} header");
            unusable(operation, place.to_string(), why)
        })
    }

    async fn probe(&self, place: &Place, id: &str) -> Result<Probe, Fault> {
        let operation = Operation::Look;
        let client = self.blob(operation, place)?;
        let options = BlobClientGetPropertiesOptions {
            lease_id: Some(id.to_owned()),
            ..BlobClientGetPropertiesOptions::default()
        };
        let Err(error) = client.get_properties(Some(options)).await else {
            return Ok(Probe::Match);
        };
        let fault = of_blob(operation, place, &error);
        match (fault.status, fault.code.as_deref()) {
            (Some(409 | 412), Some("LeaseIdMismatchWithBlobOperation")) => Ok(Probe::Mismatch),
            (Some(409 | 412), Some("LeaseNotPresentWithBlobOperation" | "LeaseLost")) => Ok(Probe::NotLeased),
            _ => Err(fault),
        }
    }

    async fn read(&self, place: &Place, range: Range<u64>, of: &ETag) -> Result<Bytes, Fault> {
        let operation = Operation::Read;
        let asked = range.end.saturating_sub(range.start);
        if asked == 0 {
            return Ok(Bytes::new());
        }
        if asked > READ_MAX {
            let why = format!("{asked} bytes at once are more than the {READ_MAX} that are read");
            return Err(unusable(operation, place.to_string(), why));
        }
        let mut request = Request::new(self.url_of(operation, place)?, Method::Get);
        request.insert_header("range", format!("bytes={}-{}", range.start, range.end - 1));
        request.insert_header("if-match", of.0.clone());
        request.insert_header("x-ms-version", ApiVersion::CURRENT.to_string());
        let answer = self.pipeline.send(&Context::default(), &mut request, None).await;
        let answer = match answer {
            // Past the end, or an empty blob.
            Err(error) if error.http_status().is_some_and(|status| u16::from(status) == 416) => {
                return Ok(Bytes::new());
            }
            answer => answer.map_err(|error| of_blob(operation, place, &error))?,
        };
        part(&range, answer).map_err(|why| unusable(operation, place.to_string(), why))
    }

    async fn page_ranges(&self, place: &Place, end: u64) -> Result<Vec<Range<u64>>, Fault> {
        self.written_ranges(place, end).await
    }

    async fn blocks(&self, place: &Place) -> Result<Blocks, Fault> {
        let operation = Operation::BlockList;
        let url = self.url_of(operation, place)?;
        let options = BlockBlobClientOptions {
            client_options: self.options.clone(),
            version: ApiVersion::CURRENT.to_string(),
        };
        let failed = |error: &Error| of_blob(operation, place, error);
        let client = BlockBlobClient::new(url, None, Some(options)).map_err(|error| failed(&error))?;
        let answer = client
            .get_block_list(BlockListType::All, None)
            .await
            .map_err(|error| failed(&error))?;
        pages::blocks(answer.body().as_ref()).map_err(|why| unusable(operation, place.to_string(), why))
    }

    async fn break_lease(&self, place: &Place, of: &ETag) -> Result<(), Fault> {
        let operation = Operation::BreakLease;
        let client = self.blob(operation, place)?;
        let options = BlobClientBreakLeaseOptions {
            break_period: Some(0),
            if_match: Some(Etag::from(of.0.clone())),
            ..BlobClientBreakLeaseOptions::default()
        };
        let done = client.break_lease(Some(options)).await;
        done.map(drop).map_err(|error| of_blob(operation, place, &error))
    }

    async fn delete(&self, place: &Place, of: &ETag) -> Result<(), Fault> {
        let operation = Operation::Delete;
        let client = self.blob(operation, place)?;
        let options = BlobClientDeleteOptions {
            if_match: Some(Etag::from(of.0.clone())),
            ..BlobClientDeleteOptions::default()
        };
        let done = client.delete(Some(options)).await;
        done.map(drop).map_err(|error| of_blob(operation, place, &error))
    }
}

/// The bytes of an answer to a ranged read, if they are the ones that were asked for.
fn part(range: &Range<u64>, answer: RawResponse) -> Result<Bytes, &'static str> {
    let (status, headers, body) = answer.deconstruct();
    let body = Bytes::from(body);
    let have = body.len() as u64;
    match u16::from(status) {
        206 => {
            let (first, total) =
                content_range(&headers).ok_or("the answer does not say which part of the blob it is")?;
            let want = total.min(range.end).saturating_sub(range.start);
            match first == range.start && have == want {
                true => Ok(body),
                false => Err("the answer is another part of the blob than was asked for"),
            }
        }
        // The whole blob, as large as the range at most.
        _ if range.start == 0 => Ok(body),
        _ => Err("the answer is not the part of the blob that was asked for"),
    }
}

/// First byte and size of the whole.
fn content_range(headers: &Headers) -> Option<(u64, u64)> {
    let text = headers.get_optional_str(&HeaderName::from_static("content-range"))?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()?))
}
