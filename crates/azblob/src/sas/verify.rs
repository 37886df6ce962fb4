//! Checking a token: signature, stored policy, time, protocol, address, in this order.
//!
//! The signature comes first, so that who does not hold a token learns nothing about policies. Times are exact: Azure
//! takes no clock skew into account for tokens, which is why its documents advise to leave `st` out or to set it a
//! quarter of an hour back.

use core::net::IpAddr;

use super::fields::Field;
use super::text::{self, Resource};
use super::{Grant, Kind, Permissions, Scope, SignedResource, SourceRange, Token, failed, malformed};
use crate::access_policy::{AccessPolicy, SignedIdentifier};
use crate::error::{ErrorCode, Refusal};
use crate::names::AccountName;
use crate::request::Target;
use crate::shared_key::Secret;
use crate::time::UnixMillis;

/// Longest life of a token without `sv` and without a stored policy: the service knew no longer ones before
/// 2012-02-12 ("Create a service SAS", versions prior to 2012-02-12).
const OLDEST_MAX_LIFE_MS: i64 = 3_600_000;

/// The circumstances in which a token is presented.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// Whose storage.
    pub account: &'a AccountName,
    /// The account's keys; the token may be signed with any of them.
    pub keys: &'a [Secret],
    /// What the request addresses.
    pub target: &'a Target,
    /// The stored policies of the container, where [`Token::policy_id`] names one.
    pub policies: &'a [SignedIdentifier],
    /// The present moment.
    pub now: UnixMillis,
    /// Who asks.
    pub peer: IpAddr,
    /// Whether the request came over TLS.
    pub secure: bool,
}

impl Token {
    /// Checks the token; what its bearer may do.
    ///
    /// # Errors
    /// 403 `AuthenticationFailed` with the detail, `AuthorizationProtocolMismatch`, `AuthorizationSourceIPMismatch`.
    pub fn verify(&self, at: &Presented<'_>) -> Result<Grant, Refusal> {
        self.check_signature(at)?;
        let policy = self.policy(at)?;
        let limits = self.limits(policy)?;
        self.check_time(&limits, at.now)?;
        self.check_circumstances(at)?;
        let scope = match self.kind {
            Kind::Service(resource) => Scope::Service(resource),
            Kind::Account => Scope::Account {
                blob_service: self.fields.text(Field::Ss).contains('b'),
                types: self.fields.text(Field::Srt).into(),
            },
        };
        Ok(Grant::signature(scope, limits.permissions))
    }

    fn check_signature(&self, at: &Presented<'_>) -> Result<(), Refusal> {
        let signature = self.fields.signature()?;
        let signed = self.string_to_sign(at);
        let mut matched = false;
        // Every key is tried whatever came before, so that time tells nothing about which one fits.
        for key in at.keys {
            matched |= key.verify(signed.as_bytes(), &signature);
        }
        if matched {
            return Ok(());
        }
        Err(failed(format!(
            "Signature did not match. String to sign used was {signed}"
        )))
    }

    fn string_to_sign(&self, at: &Presented<'_>) -> String {
        let resource = match self.kind {
            Kind::Account => return text::of_account(&self.fields, self.version, at.account),
            Kind::Service(resource) => resource,
        };
        let (container, blob) = match at.target {
            Target::Service => ("", None),
            Target::Container(container) => (container.as_str(), None),
            Target::Blob(path) => (path.container.as_str(), Some(path.blob.as_str())),
        };
        let resource = Resource {
            account: at.account,
            container,
            blob: blob.filter(|_| resource != SignedResource::Container),
            // A token for a container or for a blob is good for their snapshots without naming one.
            snapshot: if resource == SignedResource::Snapshot {
                self.fields.text(Field::Snapshot)
            } else {
                ""
            },
        };
        text::of_service(&self.fields, self.version, &resource)
    }

    fn policy<'a>(&self, at: &Presented<'a>) -> Result<Option<&'a AccessPolicy>, Refusal> {
        let Some(id) = self.policy_id() else {
            return Ok(None);
        };
        let found = at.policies.iter().find(|stored| stored.id.as_str() == id);
        match found {
            Some(stored) => Ok(Some(&stored.policy)),
            None => Err(failed(format!("The signed identifier '{id}' does not exist."))),
        }
    }

    /// What the token and its policy say together. A field may stand in one of them only.
    fn limits(&self, policy: Option<&AccessPolicy>) -> Result<Limits, Refusal> {
        let moment = |field| match self.fields.get(field) {
            None => Ok(None),
            Some(text) => UnixMillis::parse_iso(text)
                .map(Some)
                .ok_or_else(|| malformed(&self.fields, field)),
        };
        let start = merge(Field::St, moment(Field::St)?, policy.and_then(|p| p.start))?;
        let expiry = merge(Field::Se, moment(Field::Se)?, policy.and_then(|p| p.expiry))?;
        let permissions = self.fields.get(Field::Sp).map(Permissions::of_token);
        let permissions = merge(Field::Sp, permissions, policy.and_then(|p| p.permissions))?;
        let missing = |field: Field| failed(format!("{} is mandatory. Cannot be empty", field.name()));
        Ok(Limits {
            start,
            expiry: expiry.ok_or_else(|| missing(Field::Se))?,
            permissions: permissions.ok_or_else(|| missing(Field::Sp))?,
        })
    }

    fn check_time(&self, limits: &Limits, now: UnixMillis) -> Result<(), Refusal> {
        let start = limits.start.unwrap_or(now);
        let expiry = limits.expiry;
        if expiry <= start {
            return Err(failed(format!(
                "Signed expiry time [{}] has to be after signed start time [{}]",
                expiry.http_date(),
                start.http_date()
            )));
        }
        if now < start || now > expiry {
            return Err(failed(format!(
                "Signature not valid in the specified time frame: Start [{}] - Expiry [{}] - Current [{}]",
                start.http_date(),
                expiry.http_date(),
                now.http_date()
            )));
        }
        let life = expiry.0.saturating_sub(start.0);
        if self.version.is_none() && self.policy_id().is_none() && life > OLDEST_MAX_LIFE_MS {
            return Err(failed(
                "Access without signed identifier cannot have time window more than 1 hour",
            ));
        }
        Ok(())
    }

    fn check_circumstances(&self, at: &Presented<'_>) -> Result<(), Refusal> {
        match self.fields.get(Field::Spr) {
            None => {}
            Some("https") if !at.secure => return Err(ErrorCode::AuthorizationProtocolMismatch.into()),
            Some("https" | "https,http" | "http,https") => {}
            Some(_) => return Err(malformed(&self.fields, Field::Spr)),
        }
        let Some(text) = self.fields.get(Field::Sip) else {
            return Ok(());
        };
        let range = SourceRange::parse(text).ok_or_else(|| malformed(&self.fields, Field::Sip))?;
        if range.contains(at.peer) {
            return Ok(());
        }
        Err(Refusal::from(ErrorCode::AuthorizationSourceIPMismatch)
            .detail("SourceIP", at.peer.to_canonical().to_string()))
    }
}

struct Limits {
    start: Option<UnixMillis>,
    expiry: UnixMillis,
    permissions: Permissions,
}

fn merge<T>(field: Field, token: Option<T>, policy: Option<T>) -> Result<Option<T>, Refusal> {
    match (token, policy) {
        (Some(_), Some(_)) => Err(failed(format!(
            "{} is given in the token and in the stored access policy; it may be in one of them only.",
            field.name()
        ))),
        (token, policy) => Ok(token.or(policy)),
    }
}
