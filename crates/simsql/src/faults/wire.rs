//! A network that can be lost, slow, or answered by a service that does not accept the token any more.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::Switches;
use crate::world::{Clock, OsError, Wire, WireError};

pub(super) struct FaultyWire {
    pub(super) inner: Arc<dyn Wire>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) switches: Arc<Switches>,
}

/// Azure's answer to a SAS whose time is over.
const EXPIRED: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.</Message><AuthenticationErrorDetail>Signature not valid in the specified time frame</AuthenticationErrorDetail></Error>";

#[async_trait]
impl Wire for FaultyWire {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, WireError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let passage = self.switches.passage(&host, request.body().len() as u64);
        if !passage.slow.is_zero() {
            self.clock.sleep(passage.slow).await;
        }
        if let Some(number) = passage.error {
            return Err(WireError(OsError::new(number)));
        }
        if passage.expired {
            let mut answer = http::Response::new(Bytes::from_static(EXPIRED.as_bytes()));
            *answer.status_mut() = http::StatusCode::FORBIDDEN;
            let code = http::HeaderValue::from_static("AuthenticationFailed");
            answer.headers_mut().insert("x-ms-error-code", code);
            return Ok(answer);
        }
        self.inner.send(request).await
    }
}
