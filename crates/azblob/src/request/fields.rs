//! The headers and query parameters of one request, read by meaning.

use http::{HeaderMap, Method, Uri};

use super::{Checksum, Marker};
use crate::conditions::{Conditions, TagMatch};
use crate::digest::{Crc64, Md5};
use crate::error::{ErrorCode, Refusal};
use crate::lease::{
    LeaseAction, LeaseDuration, LeaseId, MAX_BREAK_SECONDS, MAX_LEASE_SECONDS, MIN_LEASE_SECONDS,
};
use crate::properties::ONLY_TIER;
use crate::query;
use crate::snapshot::SnapshotTime;
use crate::tags::Tags;
use crate::version::ApiVersion;

/// Headers that ask for something which is not offered. To ignore one would be a lie: the data would lie
/// there unencrypted or unprotected while the client believes otherwise.
const NOT_OFFERED: [&str; 12] = [
    "x-ms-structured-body",
    "x-ms-encryption-key",
    "x-ms-encryption-key-sha256",
    "x-ms-encryption-algorithm",
    "x-ms-encryption-scope",
    "x-ms-if-tags",
    "x-ms-source-if-tags",
    "x-ms-copy-source-authorization",
    "x-ms-immutability-policy-until-date",
    "x-ms-immutability-policy-mode",
    "x-ms-legal-hold",
    "x-ms-default-encryption-scope",
];

pub(super) struct Fields<'r> {
    pub(super) method: &'r Method,
    pub(super) headers: &'r HeaderMap,
    /// Names in lower case.
    query: Vec<(String, String)>,
}

impl<'r> Fields<'r> {
    pub(super) fn new(method: &'r Method, uri: &Uri, headers: &'r HeaderMap) -> Self {
        let pairs = query::pairs(uri.query().unwrap_or_default());
        let query = pairs
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        Self {
            method,
            headers,
            query,
        }
    }

    /// Refuses headers that ask an operation for more than is offered. One that is empty asks for nothing: azcopy sends
    /// `x-ms-access-tier` so with every upload that was given no tier.
    pub(super) fn refuse_not_offered(&self) -> Result<(), Refusal> {
        let asked = |name: &str| self.headers.get(name).is_some_and(|value| !value.is_empty());
        let Some(name) = NOT_OFFERED.iter().find(|name| asked(name)) else {
            return Ok(());
        };
        let message = format!("The header {name} asks for what this server does not offer.");
        Err(Refusal::with_message(ErrorCode::UnsupportedHeader, message).detail("HeaderName", *name))
    }

    /// A query parameter that is there and not empty.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// `comp` or `restype`, lower-case; empty when missing.
    pub(super) fn word(&self, name: &str) -> String {
        self.query(name).unwrap_or_default().to_ascii_lowercase()
    }

    pub(super) fn unsupported_query(&self, name: &'static str) -> Refusal {
        let value = self.query(name).unwrap_or_default();
        Refusal::from(ErrorCode::UnsupportedQueryParameter)
            .detail("QueryParameterName", name)
            .detail("QueryParameterValue", value)
    }

    /// A header that is there and not empty, trimmed.
    pub(super) fn header(&self, name: &'static str) -> Result<Option<&'r str>, Refusal> {
        let Some(value) = self.headers.get(name) else {
            return Ok(None);
        };
        let text = value
            .to_str()
            .map_err(|_| Refusal::header(name, "(not ASCII)"))?
            .trim();
        Ok(Some(text).filter(|t| !t.is_empty()))
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&'r str, Refusal> {
        self.header(name)?.ok_or_else(|| Refusal::missing_header(name))
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Refusal> {
        match self.header(name)? {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(Refusal::header(name, text)),
        }
    }

    /// A number without a sign.
    pub(super) fn unsigned(&self, name: &'static str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.header(name)? else {
            return Ok(None);
        };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.map(Some).ok_or_else(|| Refusal::header(name, text))
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.header(name)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| Refusal::header(name, text))
    }

    /// `Content-Length`, which every body must announce.
    pub(super) fn body_length(&self, most: u64) -> Result<u64, Refusal> {
        let text = self
            .header("content-length")?
            .ok_or(ErrorCode::MissingContentLengthHeader)?;
        let length: u64 = text
            .parse()
            .map_err(|_| Refusal::header("Content-Length", text))?;
        if length > most {
            let refusal = Refusal::from(ErrorCode::RequestBodyTooLarge);
            return Err(refusal.detail("MaxLimit", most.to_string()));
        }
        Ok(length)
    }

    pub(super) fn checksum(&self) -> Result<Option<Checksum>, Refusal> {
        match (self.header("content-md5")?, self.header("x-ms-content-crc64")?) {
            (None, None) => Ok(None),
            (Some(md5), None) => Ok(Some(Checksum::Md5(Md5::parse(md5)?))),
            (None, Some(crc)) => Ok(Some(Checksum::Crc64(Crc64::parse(crc)?))),
            (Some(_), Some(_)) => Err(Refusal::with_message(
                ErrorCode::InvalidInput,
                "Content-MD5 and x-ms-content-crc64 cannot be sent together.",
            )),
        }
    }

    pub(super) fn conditions(&self) -> Result<Conditions, Refusal> {
        Conditions::from_headers(self.headers)
    }

    /// The conditions of an operation of a container, which knows only the two about time.
    pub(super) fn time_conditions(&self) -> Result<Conditions, Refusal> {
        let conditions = self.conditions()?;
        if conditions.if_match.is_some() || conditions.if_none_match.is_some() {
            return Err(ErrorCode::ConditionHeadersNotSupported.into());
        }
        Ok(conditions)
    }

    /// The conditions of a read. Before 2016-05-31 `If-None-Match: *` was no condition for one.
    pub(super) fn read_conditions(&self, version: ApiVersion) -> Result<Conditions, Refusal> {
        let mut conditions = self.conditions()?;
        if version < ApiVersion::V2016_05_31 && conditions.if_none_match == Some(TagMatch::Any) {
            conditions.if_none_match = None;
        }
        Ok(conditions)
    }

    /// `marker` of a listing.
    pub(super) fn marker(&self) -> Result<Option<Marker>, Refusal> {
        let Some(text) = self.query("marker") else {
            return Ok(None);
        };
        let marker = Marker::from_wire(text);
        marker
            .map(Some)
            .ok_or_else(|| Refusal::query("marker", text, "Not a marker of this server."))
    }

    /// `x-ms-tags`.
    pub(super) fn tags(&self) -> Result<Tags, Refusal> {
        let text = self.header("x-ms-tags")?;
        Ok(text.map(Tags::from_header).transpose()?.unwrap_or_default())
    }

    /// Refuses a tier other than the only one there is. Whether there is one at all is said.
    pub(super) fn only_hot(&self) -> Result<bool, Refusal> {
        const NAME: &str = "x-ms-access-tier";
        match self.header(NAME)? {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case(ONLY_TIER) => Ok(true),
            Some(text) => {
                let words = "This server keeps all blobs in one tier, which it calls Hot.";
                let refusal = Refusal::with_message(ErrorCode::InvalidBlobTier, words);
                Err(refusal.detail("HeaderName", NAME).detail("HeaderValue", text))
            }
        }
    }

    /// `snapshot=`, where a snapshot can be meant.
    pub(super) fn snapshot(&self) -> Result<Option<SnapshotTime>, Refusal> {
        let Some(text) = self.query("snapshot") else {
            return Ok(None);
        };
        let words = "Not a snapshot's time as Snapshot Blob answers it.";
        text.parse()
            .map(Some)
            .map_err(|_| Refusal::query("snapshot", text, words))
    }

    pub(super) fn lease_id(&self) -> Result<Option<LeaseId>, Refusal> {
        self.guid("x-ms-lease-id")
    }

    /// The lease operation of `comp=lease`. Letter case does not count: SQL Server writes `Acquire`. A
    /// duration sent with any other action is ignored, as is an id sent with a break.
    pub(super) fn lease_action(&self) -> Result<LeaseAction, Refusal> {
        const ACTION: &str = "x-ms-lease-action";
        const ID: &str = "x-ms-lease-id";
        const PROPOSED: &str = "x-ms-proposed-lease-id";
        let needed = |name| self.guid(name)?.ok_or_else(|| Refusal::missing_header(name));
        let action = self.required(ACTION)?;
        Ok(match action.to_ascii_lowercase().as_str() {
            "acquire" => LeaseAction::Acquire {
                proposed: self.guid(PROPOSED)?,
                duration: self.duration()?,
            },
            "renew" => LeaseAction::Renew { id: needed(ID)? },
            "change" => LeaseAction::Change {
                id: needed(ID)?,
                proposed: needed(PROPOSED)?,
            },
            "release" => LeaseAction::Release { id: needed(ID)? },
            "break" => LeaseAction::Break {
                period: self.break_period()?,
            },
            _ => return Err(Refusal::header(ACTION, action)),
        })
    }

    fn duration(&self) -> Result<LeaseDuration, Refusal> {
        const NAME: &str = "x-ms-lease-duration";
        let seconds = self.number(NAME)?.ok_or_else(|| Refusal::missing_header(NAME))?;
        match u32::try_from(seconds) {
            Ok(s) if (MIN_LEASE_SECONDS..=MAX_LEASE_SECONDS).contains(&s) => Ok(LeaseDuration::Seconds(s)),
            _ if seconds == -1 => Ok(LeaseDuration::Infinite),
            _ => Err(Refusal::header(NAME, &seconds.to_string())),
        }
    }

    fn break_period(&self) -> Result<Option<u32>, Refusal> {
        const NAME: &str = "x-ms-lease-break-period";
        let Some(seconds) = self.number(NAME)? else {
            return Ok(None);
        };
        match u32::try_from(seconds) {
            Ok(s) if s <= MAX_BREAK_SECONDS => Ok(Some(s)),
            _ => Err(Refusal::header(NAME, &seconds.to_string())),
        }
    }

    pub(super) fn guid(&self, name: &'static str) -> Result<Option<LeaseId>, Refusal> {
        let Some(text) = self.header(name)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| Refusal::header(name, text))
    }
}
