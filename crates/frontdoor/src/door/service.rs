//! Operations of an account as a whole.

use azblob::error::ErrorCode;
use azblob::request::ServiceOperation;
use azblob::response::{AccountInformation, ServiceStats};
use http::Response;

use super::{Answer, Door};
use crate::answer::AnswerBody;
use crate::reply::{document, empty};

impl Door {
    /// Carries out an operation of an account other than List Containers.
    pub(super) fn service(&self, operation: ServiceOperation) -> Answer {
        match operation {
            ServiceOperation::GetStats => Ok(document(ServiceStats::Unavailable.render())),
            ServiceOperation::AccountInformation => Ok(account_information()),
            _ => Err(ErrorCode::NotImplemented.into()),
        }
    }
}

/// Get Account Information, wherever it is asked.
pub(super) fn account_information() -> Response<AnswerBody> {
    let mut answer = empty();
    AccountInformation::own().write_headers(answer.headers_mut());
    answer
}
