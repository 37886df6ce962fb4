//! Conditional headers, as "Specifying conditional headers for Blob service operations" has them from
//! 2013-08-15 on.
//!
//! Reads: `If-Match` and `If-Unmodified-Since` must hold (else 412), and of `If-None-Match` and
//! `If-Modified-Since` at least one that is given (else 304). Writes: one header, or one of the pairs
//! None-Match with Modified-Since and Match with Unmodified-Since, where the tag alone decides; else 400.
//!
//! The lease is judged before the conditions: a leased blob written without its id answers LeaseIdMissing
//! even to `If-None-Match: *`. That order is the caller's to keep.

use http::HeaderMap;
use http::header::{
    HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE,
};

use crate::error::{ErrorCode, Refusal};
use crate::etag::ETag;
use crate::time::UnixMillis;

/// The tags of one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagMatch {
    /// `*`
    Any,
    /// One or more tags, as sent.
    OneOf(Vec<String>),
}

/// The conditions of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`
    pub if_match: Option<TagMatch>,
    /// `If-None-Match`
    pub if_none_match: Option<TagMatch>,
    /// `If-Modified-Since`
    pub if_modified_since: Option<UnixMillis>,
    /// `If-Unmodified-Since`
    pub if_unmodified_since: Option<UnixMillis>,
    /// Not a header: whoever asks may make a blob but not overwrite one. Set by [`crate::grant::Grant::allow`].
    pub only_new: bool,
}

/// A condition did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Answer 304 without a body.
    NotModified,
    /// Answer with the code.
    With(ErrorCode),
}

/// What a write is about to do, which decides how `If-None-Match: *` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// Makes or replaces the blob: Put Blob, Put Block List, Copy Blob.
    Create,
    /// Changes, deletes or leases what is there.
    Change,
}

impl Conditions {
    /// Reads the four headers. Azure refuses a date it cannot read.
    ///
    /// # Errors
    /// 400 `InvalidHeaderValue`.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Refusal> {
        Ok(Self {
            if_match: tags(headers, &IF_MATCH)?,
            if_none_match: tags(headers, &IF_NONE_MATCH)?,
            if_modified_since: date(headers, &IF_MODIFIED_SINCE)?,
            if_unmodified_since: date(headers, &IF_UNMODIFIED_SINCE)?,
            only_new: false,
        })
    }

    /// Whether no condition is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Only if the blob is in this state.
    pub fn if_match(tag: ETag) -> Self {
        Self {
            if_match: Some(TagMatch::OneOf(vec![tag.to_string()])),
            ..Self::default()
        }
    }

    /// Only if there is no such blob.
    pub fn if_absent() -> Self {
        Self {
            if_none_match: Some(TagMatch::Any),
            ..Self::default()
        }
    }

    /// Judges a read of a blob in the state `tag`, last modified at `modified`.
    ///
    /// # Errors
    /// 412 `ConditionNotMet`, 304, or 400 `UnsatisfiableCondition` for `If-None-Match: *`.
    pub fn check_read(&self, tag: ETag, modified: UnixMillis) -> Result<(), Failed> {
        if self.if_none_match == Some(TagMatch::Any) {
            return Err(Failed::With(ErrorCode::UnsatisfiableCondition));
        }
        let matches = self.if_match.as_ref().is_none_or(|m| m.holds(tag));
        if !matches || self.unmodified(modified) == Some(false) {
            return Err(Failed::With(ErrorCode::ConditionNotMet));
        }
        let news = [
            self.if_none_match.as_ref().map(|m| !m.holds(tag)),
            self.modified(modified),
        ];
        let given = news.iter().flatten().count();
        if given > 0 && !news.contains(&Some(true)) {
            return Err(Failed::NotModified);
        }
        Ok(())
    }

    /// Judges a write. `current` is the blob's tag and time of change, `None` when there is none yet.
    ///
    /// # Errors
    /// 400 `MultipleConditionHeadersNotSupported`, 409 `BlobAlreadyExists`, 412 `ConditionNotMet`, or 403
    /// `UnauthorizedBlobOverwrite`.
    pub fn check_write(&self, current: Option<(ETag, UnixMillis)>, kind: WriteKind) -> Result<(), ErrorCode> {
        let given = [
            self.if_match.is_some(),
            self.if_none_match.is_some(),
            self.if_modified_since.is_some(),
            self.if_unmodified_since.is_some(),
        ];
        let one_tag = |m: &Option<TagMatch>| !matches!(m, Some(TagMatch::OneOf(tags)) if tags.len() > 1);
        let legal = match given {
            [_, false, false, _] | [false, _, _, false] => true,
            _ => given.iter().filter(|g| **g).count() < 2,
        };
        if !legal || !one_tag(&self.if_match) || !one_tag(&self.if_none_match) {
            return Err(ErrorCode::MultipleConditionHeadersNotSupported);
        }
        let Some((tag, modified)) = current else {
            let met = self.if_match.is_none();
            return if met {
                Ok(())
            } else {
                Err(ErrorCode::ConditionNotMet)
            };
        };
        if self.only_new {
            return Err(ErrorCode::UnauthorizedBlobOverwrite);
        }
        let met = match (&self.if_match, &self.if_none_match) {
            (Some(wanted), _) => wanted.holds(tag),
            (None, Some(TagMatch::Any)) if kind == WriteKind::Create => {
                return Err(ErrorCode::BlobAlreadyExists);
            }
            (None, Some(unwanted)) => !unwanted.holds(tag),
            (None, None) => {
                self.modified(modified).unwrap_or(true) && self.unmodified(modified).unwrap_or(true)
            }
        };
        if met {
            Ok(())
        } else {
            Err(ErrorCode::ConditionNotMet)
        }
    }

    /// Adds the headers to a request. Tags that no header can hold, which no reply brought, are left out.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        let pairs = [
            (IF_MATCH, self.if_match.as_ref().map(TagMatch::header)),
            (IF_NONE_MATCH, self.if_none_match.as_ref().map(TagMatch::header)),
            (
                IF_MODIFIED_SINCE,
                self.if_modified_since.map(UnixMillis::http_date),
            ),
            (
                IF_UNMODIFIED_SINCE,
                self.if_unmodified_since.map(UnixMillis::http_date),
            ),
        ];
        for (name, text) in pairs {
            if let Some(value) = text.and_then(|t| HeaderValue::from_str(&t).ok()) {
                headers.insert(name, value);
            }
        }
    }

    fn modified(&self, modified: UnixMillis) -> Option<bool> {
        self.if_modified_since
            .map(|since| modified.truncated_to_second() > since)
    }

    fn unmodified(&self, modified: UnixMillis) -> Option<bool> {
        self.if_unmodified_since
            .map(|since| modified.truncated_to_second() <= since)
    }
}

impl TagMatch {
    fn holds(&self, tag: ETag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|t| tag.matches(t)),
        }
    }

    /// The header value a client sends.
    pub fn header(&self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::OneOf(tags) => tags.join(", "),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| Refusal::header(name.as_str(), "(not ASCII)"))?;
    Ok(Some(text.trim()).filter(|t| !t.is_empty()))
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<TagMatch>, Refusal> {
    Ok(text(headers, name)?.map(|text| match text {
        "*" => TagMatch::Any,
        list => TagMatch::OneOf(list.split(',').map(|t| t.trim().to_owned()).collect()),
    }))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Result<Option<UnixMillis>, Refusal> {
    let Some(text) = text(headers, name)? else {
        return Ok(None);
    };
    UnixMillis::parse_http_date(text)
        .map(Some)
        .ok_or_else(|| Refusal::header(name.as_str(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: ETag = ETag(0x8D0_0000_0000_0001);
    const OTHER: ETag = ETag(0x8D0_0000_0000_0002);
    const CHANGED: UnixMillis = UnixMillis(784_111_777_900); // 08:49:37.9
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    /// `m=` If-Match, `n=` If-None-Match, `s=` If-Modified-Since, `u=` If-Unmodified-Since.
    fn conditions(spec: &str) -> Conditions {
        let mut headers = HeaderMap::new();
        for part in spec.split_whitespace() {
            let (key, value) = part.split_once('=').unwrap();
            let name = match key {
                "m" => IF_MATCH,
                "n" => IF_NONE_MATCH,
                "s" => IF_MODIFIED_SINCE,
                _ => IF_UNMODIFIED_SINCE,
            };
            let value = match value {
                "tag" => TAG.to_string(),
                "other" => OTHER.to_string(),
                "both" => format!("{OTHER}, {TAG}"),
                "same" => SAME.to_owned(),
                "before" => BEFORE.to_owned(),
                star => star.to_owned(),
            };
            headers.insert(name, value.parse().unwrap());
        }
        Conditions::from_headers(&headers).unwrap()
    }

    #[test]
    fn reads() {
        let not_met = Err(Failed::With(ErrorCode::ConditionNotMet));
        let table = [
            ("", Ok(())),
            ("m=tag", Ok(())),
            ("m=*", Ok(())),
            ("m=both", Ok(())),
            ("m=other", not_met),
            ("n=other", Ok(())),
            ("n=tag", Err(Failed::NotModified)),
            ("n=both", Err(Failed::NotModified)),
            ("n=*", Err(Failed::With(ErrorCode::UnsatisfiableCondition))),
            ("s=before", Ok(())),
            ("s=same", Err(Failed::NotModified)),
            ("u=same", Ok(())),
            ("u=before", not_met),
            // Either of the last pair is enough; the first pair must both hold.
            ("n=tag s=before", Ok(())),
            ("n=other s=same", Ok(())),
            ("n=tag s=same", Err(Failed::NotModified)),
            ("m=tag u=before", not_met),
            ("m=tag u=same n=other", Ok(())),
            ("m=other n=tag", not_met),
        ];
        for (spec, want) in table {
            assert_eq!(conditions(spec).check_read(TAG, CHANGED), want, "{spec}");
        }
    }

    #[test]
    fn writes() {
        let not_met = Err(ErrorCode::ConditionNotMet);
        let multiple = Err(ErrorCode::MultipleConditionHeadersNotSupported);
        let table = [
            ("", Ok(()), Ok(())),
            ("m=tag", Ok(()), not_met),
            ("m=*", Ok(()), not_met),
            ("m=other", not_met, not_met),
            ("m=both", multiple, multiple),
            ("n=other", Ok(()), Ok(())),
            ("n=tag", not_met, Ok(())),
            ("n=both", multiple, multiple),
            ("n=*", Err(ErrorCode::BlobAlreadyExists), Ok(())),
            ("s=before", Ok(()), Ok(())),
            ("s=same", not_met, Ok(())),
            ("u=same", Ok(()), Ok(())),
            ("u=before", not_met, Ok(())),
            // In the two pairs the tag decides.
            ("n=other s=same", Ok(()), Ok(())),
            ("n=tag s=before", not_met, Ok(())),
            ("m=tag u=before", Ok(()), not_met),
            ("m=other u=same", not_met, not_met),
            // Every other combination is refused.
            ("m=tag n=other", multiple, multiple),
            ("s=before u=same", multiple, multiple),
            ("m=tag s=before", multiple, multiple),
            ("n=other u=same", multiple, multiple),
            ("m=tag n=other s=before", multiple, multiple),
        ];
        for (spec, there, absent) in table {
            let conditions = conditions(spec);
            let current = Some((TAG, CHANGED));
            assert_eq!(
                conditions.check_write(current, WriteKind::Create),
                there,
                "{spec} on a blob"
            );
            assert_eq!(
                conditions.check_write(None, WriteKind::Create),
                absent,
                "{spec} on none"
            );
        }
        let there = conditions("n=*").check_write(Some((TAG, CHANGED)), WriteKind::Change);
        assert_eq!(there, not_met);
    }

    #[test]
    fn unreadable_dates_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MODIFIED_SINCE, "yesterday".parse().unwrap());
        assert_eq!(
            Conditions::from_headers(&headers).unwrap_err().code,
            ErrorCode::InvalidHeaderValue
        );
    }
}
