//! Cross-origin requests of browsers: the rules of an account, and what they allow.
//!
//! The first rule that fits decides ("Cross-Origin Resource Sharing support for Azure Storage"). Origins are compared to
//! the letter, names of headers without regard to case; a name that ends in `*` stands for all that begin so, and `*`
//! for all. A browser asks first with OPTIONS, unsigned; what it is told allows nothing that a signature does not.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, Refusal};

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CorsRule {
    /// Origins, or `*`.
    pub allowed_origins: Vec<String>,
    /// Verbs, in capitals.
    pub allowed_methods: Vec<String>,
    /// Headers that a request may have.
    pub allowed_headers: Vec<String>,
    /// Headers of answers that scripts may see.
    pub exposed_headers: Vec<String>,
    /// For how long a browser may remember the answer, seconds.
    pub max_age_seconds: u32,
}

/// A browser's question before the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// Where the script comes from.
    pub origin: String,
    /// What it wants to do.
    pub method: String,
    /// The headers it wants to send, as the browser lists them.
    pub headers: Option<String>,
}

impl Preflight {
    /// Reads an OPTIONS request.
    ///
    /// # Errors
    /// 400 `MissingRequiredHeader` without origin or verb, or `InvalidHeaderValue`.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Refusal> {
        let text = |name: &HeaderName| {
            let value = headers.get(name).map(HeaderValue::to_str).transpose();
            value.map_err(|_| Refusal::header(name.as_str(), "(not ASCII)"))
        };
        let needed = |name: &HeaderName| {
            text(name)?
                .ok_or_else(|| Refusal::missing_header(name.as_str()))
                .map(str::to_owned)
        };
        Ok(Self {
            origin: needed(&ORIGIN)?,
            method: needed(&ACCESS_CONTROL_REQUEST_METHOD)?,
            headers: text(&ACCESS_CONTROL_REQUEST_HEADERS)?.map(str::to_owned),
        })
    }

    /// The headers of the answer under these rules.
    ///
    /// # Errors
    /// 403 [`ErrorCode::CorsPreflightFailure`] when no rule fits.
    pub fn answer(&self, rules: &[CorsRule]) -> Result<HeaderMap, ErrorCode> {
        let wanted = self.headers.as_deref().unwrap_or_default();
        let mut wanted = wanted.split(',').map(str::trim).filter(|name| !name.is_empty());
        let fits = |rule: &&CorsRule| {
            rule.fits(&self.origin, &self.method)
                && wanted.clone().all(|name| matches(&rule.allowed_headers, name))
        };
        let rule = rules.iter().find(fits).ok_or(ErrorCode::CorsPreflightFailure)?;
        let mut headers = HeaderMap::new();
        rule.write_origin(&self.origin, &mut headers);
        put(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, &self.method);
        if wanted.next().is_some() {
            put(
                &mut headers,
                ACCESS_CONTROL_ALLOW_HEADERS,
                self.headers.as_deref().unwrap_or_default(),
            );
        }
        put(
            &mut headers,
            ACCESS_CONTROL_MAX_AGE,
            &rule.max_age_seconds.to_string(),
        );
        Ok(headers)
    }
}

/// Adds to the answer to a request what lets a script of its origin see it. Nothing where the request has no origin.
pub fn write_answer_headers(
    rules: &[CorsRule],
    method: &Method,
    request: &HeaderMap,
    answer: &mut HeaderMap,
) {
    let Some(origin) = request.get(ORIGIN).and_then(|origin| origin.to_str().ok()) else {
        return;
    };
    let Some(rule) = rules.iter().find(|rule| rule.fits(origin, method.as_str())) else {
        // A cache must not hand this answer to an origin that a rule does fit.
        if !rules.is_empty() {
            put(answer, VARY, "Origin");
        }
        return;
    };
    let names: Vec<String> = answer
        .keys()
        .map(|name| name.as_str().to_owned())
        .filter(|name| matches(&rule.exposed_headers, name))
        .collect();
    if !names.is_empty() {
        put(answer, ACCESS_CONTROL_EXPOSE_HEADERS, &names.join(","));
    }
    rule.write_origin(origin, answer);
}

impl CorsRule {
    fn is_for_all(&self) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed == "*")
    }

    fn fits(&self, origin: &str, method: &str) -> bool {
        let from_there = self.is_for_all() || self.allowed_origins.iter().any(|allowed| allowed == origin);
        from_there && self.allowed_methods.iter().any(|allowed| allowed == method)
    }

    fn write_origin(&self, origin: &str, headers: &mut HeaderMap) {
        if self.is_for_all() {
            return put(headers, ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        }
        put(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        put(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        put(headers, VARY, "Origin");
    }
}

fn matches(allowed: &[String], name: &str) -> bool {
    allowed.iter().any(|allowed| match allowed.strip_suffix('*') {
        None => allowed.eq_ignore_ascii_case(name),
        Some(prefix) => name
            .get(..prefix.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(prefix)),
    })
}

/// Sets a header; text that no header can hold, which no request brought, is left out.
fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}
