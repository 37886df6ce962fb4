//! SharedKey and SharedKeyLite: requests signed with an account's key, both ways.
//!
//! `Authorization: SharedKey ACCOUNT:base64(HMAC-SHA256(key, string to sign))`; SharedKeyLite differs in the name and in
//! a shorter string to sign, and only old hand-made clients send it. A client signs in place with
//! [`sign`]; a server checks with [`verify`], against two keys so that they can be rotated, in constant time.
//!
//! Azure sorts the signed headers in the culture order of .NET, not in byte order; SDKs follow it, hand-made
//! clients often do not, and the two differ only for names with `-`, `_` and digits in odd places. Both
//! orders are tried.

mod canonical;
mod header_order;
mod secret;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, DATE, HeaderValue};
use http::{HeaderMap, Method, Uri};

pub use canonical::{string_to_sign, string_to_sign_lite};
pub use header_order::HeaderOrder;
pub use secret::{InvalidSecret, Secret};

use crate::error::{ErrorCode, Refusal};
use crate::grant::Grant;
use crate::limits::MAX_CLOCK_SKEW_SECONDS;
use crate::names::AccountName;
use crate::sas::failed;
use crate::time::UnixMillis;

/// Signs a request in place: sets `Authorization`. All other headers must be there already, `x-ms-date` and
/// `Content-Length` included.
pub fn sign(method: &Method, uri: &Uri, headers: &mut HeaderMap, account: &AccountName, secret: &Secret) {
    let text = string_to_sign(method, uri, headers, account, HeaderOrder::Culture);
    let signature = STANDARD.encode(secret.hmac(text.as_bytes()));
    let mut value = HeaderValue::from_str(&format!("SharedKey {account}:{signature}"))
        .expect("account names and Base64 are legal in header values");
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
}

/// Checks that the request was signed by one of the account's keys, close enough to `now`.
///
/// # Errors
/// 401 `NoAuthenticationInformation` without an `Authorization` header, 400 `InvalidAuthenticationInfo` when it is
/// malformed, 403 `AuthenticationFailed` otherwise, for other schemes too.
pub fn verify(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    account: &AccountName,
    keys: &[Secret],
    now: UnixMillis,
) -> Result<Grant, Refusal> {
    let claim = claim(headers)?;
    check_date(headers, now)?;
    let text = match claim.scheme {
        Scheme::Full => string_to_sign,
        Scheme::Lite => string_to_sign_lite,
    };
    let by_culture = text(method, uri, headers, account, HeaderOrder::Culture);
    let by_byte = text(method, uri, headers, account, HeaderOrder::Byte);
    let mut matched = false;
    // Every key and order is tried whatever came before, so that time tells nothing about which one fits. As a rule the
    // two orders are one, which the request's own headers tell.
    for key in keys {
        matched |= key.verify(by_culture.as_bytes(), &claim.signature);
        matched |= by_byte != by_culture && key.verify(by_byte.as_bytes(), &claim.signature);
    }
    if matched && claim.account == *account {
        return Ok(Grant::OWNER);
    }
    // Azure shows what it signed; it holds nothing secret and is what one needs to mend a client.
    Err(failed(format!(
        "The MAC signature found in the HTTP request is not the same as any computed signature. Server used \
         following string to sign: '{by_culture}'."
    )))
}

/// The two schemes of account keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Full,
    Lite,
}

/// What an `Authorization` header says.
struct Claim {
    scheme: Scheme,
    account: AccountName,
    signature: Vec<u8>,
}

fn claim(headers: &HeaderMap) -> Result<Claim, Refusal> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(ErrorCode::NoAuthenticationInformation.into());
    };
    let malformed = || Refusal::from(ErrorCode::InvalidAuthenticationInfo);
    let text = value.to_str().map_err(|_| malformed())?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let scheme = match scheme {
        "SharedKey" => Scheme::Full,
        "SharedKeyLite" => Scheme::Lite,
        "Bearer" => {
            return Err(failed(
                "Bearer tokens need Microsoft Entra ID, which this server does not have. Use an account key or a \
                 shared access signature.",
            ));
        }
        _ => return Err(malformed()),
    };
    let (account, signature) = rest.trim().split_once(':').ok_or_else(malformed)?;
    let account = AccountName::new(account).map_err(|_| malformed())?;
    let signature = STANDARD.decode(signature).map_err(|_| malformed())?;
    Ok(Claim {
        scheme,
        account,
        signature,
    })
}

fn check_date(headers: &HeaderMap, now: UnixMillis) -> Result<(), Refusal> {
    let text = ["x-ms-date", DATE.as_str()]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .ok_or_else(|| failed("The request has neither x-ms-date nor Date."))?;
    let sent = UnixMillis::parse_http_date(text).ok_or_else(|| {
        failed(format!(
            "The date of the request is not in the correct format: '{text}'."
        ))
    })?;
    if sent.0.saturating_sub(now.0).saturating_abs() > MAX_CLOCK_SKEW_SECONDS * 1000 {
        let here = now.http_date();
        return Err(failed(format!(
            "Request date header too old: '{text}'. The server's clock says '{here}'."
        )));
    }
    Ok(())
}
