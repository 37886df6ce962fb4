//! Operations of an account as a whole: what its service is set to, what kind it is, who may ask from a browser.

use azblob::cors::{self, Preflight};
use azblob::names::AccountName;
use azblob::request::ServiceOperation;
use azblob::response::{AccountInformation, ServiceStats};
use azblob::service_properties::ServiceChange;
use azblob::version::ApiVersion;
use http::header::ORIGIN;
use http::{HeaderMap, Method, Response};
use hyper::body::Incoming;

use super::{Answer, Door};
use crate::answer::AnswerBody;
use crate::checks::BodyCheck;
use crate::reply::{document, empty};

impl Door {
    /// Carries out an operation of an account other than listings and batches.
    pub(super) async fn service(
        &self,
        account: AccountName,
        operation: ServiceOperation,
        body: &mut Incoming,
    ) -> Answer {
        match operation {
            ServiceOperation::GetStats => Ok(document(ServiceStats::Unavailable.render())),
            ServiceOperation::AccountInformation => Ok(account_information()),
            ServiceOperation::GetProperties => Ok(document(self.store.service_properties(&account).render())),
            ServiceOperation::SetProperties(ask) => {
                let document = self
                    .document(body, ask.length, BodyCheck::of(ask.checksum))
                    .await?;
                let change = ServiceChange::parse(document.bytes())?;
                self.call(move |store| Ok(store.change_service_properties(&account, change)?))
                    .await?;
                Ok(empty())
            }
            ServiceOperation::ListContainers(_) | ServiceOperation::Batch(_) => {
                unreachable!("listings and batches are answered elsewhere")
            }
        }
    }

    /// What a browser is told before it sends a request. Nobody has signed this, and it says nothing of what is stored.
    pub(super) fn preflight(&self, account: &AccountName, headers: &HeaderMap) -> Answer {
        let ask = Preflight::from_headers(headers)?;
        let rules = self.store.service_properties(account).cors;
        let mut answer = empty();
        *answer.headers_mut() = ask.answer(&rules)?;
        Ok(answer)
    }

    /// Adds what lets a script see the answer, where the request comes from a browser.
    pub(super) fn for_browsers(
        &self,
        account: &AccountName,
        method: &Method,
        request: &HeaderMap,
        answer: &mut HeaderMap,
    ) {
        if request.contains_key(ORIGIN) {
            let rules = self.store.service_properties(account).cors;
            cors::write_answer_headers(&rules, method, request, answer);
        }
    }

    /// The version of requests to this account that name none.
    pub(super) fn default_version(&self, account: &AccountName) -> ApiVersion {
        let set = self.store.service_properties(account).default_version;
        set.unwrap_or(ApiVersion::CURRENT)
    }
}

/// Get Account Information, wherever it is asked.
pub(super) fn account_information() -> Response<AnswerBody> {
    let mut answer = empty();
    AccountInformation::own().write_headers(answer.headers_mut());
    answer
}
