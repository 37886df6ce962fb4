//! Blob Batch: several requests in the body of one, each signed by itself and answered by itself.
//!
//! The body is `multipart/mixed`; each part is of type `application/http` and holds one request head ("Blob Batch"
//! reference). Requests of a batch have no body and no `x-ms-version` of their own. Which operations a batch may hold is
//! the server's to say: Microsoft's may hold Delete Blob and Set Blob Tier.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::error::{ErrorCode, Refusal};
use crate::limits::MAX_BATCH_REQUESTS;

/// Longest boundary (RFC 2046, 5.1.1).
const MAX_BOUNDARY: usize = 70;
/// Most header fields of one request in a batch, our own: a deletion with every condition has some fifteen.
const MAX_HEADERS: usize = 64;

/// The requests of a batch, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// At most [`MAX_BATCH_REQUESTS`].
    pub requests: Vec<BatchRequest>,
}

/// One request of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRequest {
    /// `Content-ID` of its part, repeated in the answer.
    pub content_id: Option<String>,
    /// The verb.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// Its own headers.
    pub headers: HeaderMap,
}

/// The answer to one request of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchAnswer {
    /// As in the request.
    pub content_id: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// What stands behind the status.
    pub reason: String,
    /// Its headers; `Content-Length` is added.
    pub headers: HeaderMap,
    /// The body: of a refusal.
    pub body: Vec<u8>,
}

/// The boundary in a `Content-Type`, when it is that of a batch.
pub fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value.trim())
    })?;
    let value = value
        .strip_prefix('"')
        .and_then(|v| v.strip_suffix('"'))
        .unwrap_or(value);
    let legal = |b: u8| b.is_ascii_graphic() && b != b'"' || b == b' ';
    let fits = (1..=MAX_BOUNDARY).contains(&value.len()) && value.bytes().all(legal) && !value.ends_with(' ');
    fits.then(|| value.to_owned())
}

/// The `Content-Type` of a batch with this boundary.
pub fn content_type(boundary: &str) -> String {
    format!("multipart/mixed; boundary={boundary}")
}

impl Batch {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 `InvalidInput` when it is no batch or holds no request, `ExceedsMaxBatchRequestCount` when it holds more than
    /// [`MAX_BATCH_REQUESTS`].
    pub fn parse(body: &[u8], boundary: &str) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body).map_err(|_| refused("The body of the batch is not text."))?;
        let (delimiter, end) = (format!("--{boundary}"), format!("--{boundary}--"));
        let mut requests = Vec::new();
        let mut part: Option<Vec<&str>> = None;
        for line in text.lines() {
            let mark = line.trim_end();
            let at_end = mark == end;
            if !at_end && mark != delimiter {
                if let Some(lines) = &mut part {
                    lines.push(line);
                }
                continue;
            }
            if let Some(lines) = part.replace(Vec::new()) {
                if requests.len() == MAX_BATCH_REQUESTS {
                    return Err(ErrorCode::ExceedsMaxBatchRequestCount.into());
                }
                requests.push(BatchRequest::parse(&lines)?);
            }
            if at_end {
                return match requests.is_empty() {
                    true => Err(refused("The batch holds no request.")),
                    false => Ok(Self { requests }),
                };
            }
        }
        Err(refused("The batch does not end with its boundary."))
    }

    /// The body, as a client sends it.
    pub fn render(&self, boundary: &str) -> Vec<u8> {
        let mut out = String::new();
        for request in &self.requests {
            begin_part(&mut out, boundary, request.content_id.as_deref());
            let _infallible = write!(out, "{} {} HTTP/1.1\r\n", request.method, request.uri);
            push_headers(&mut out, &request.headers);
            out.push_str("\r\n");
        }
        let _infallible = write!(out, "--{boundary}--\r\n");
        out.into_bytes()
    }
}

impl BatchRequest {
    fn parse(lines: &[&str]) -> Result<Self, Refusal> {
        let mut lines = lines.iter().copied();
        let part = headers(&mut lines)?;
        let line = lines.find(|line| !line.trim().is_empty());
        let mut words = line.unwrap_or_default().split_ascii_whitespace();
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(refused("A part of the batch holds no request line."));
        };
        let (Ok(method), Ok(uri), true) = (method.parse(), target.parse(), version.starts_with("HTTP/1."))
        else {
            return Err(refused("A request line of the batch cannot be read."));
        };
        let content_id = part.get("content-id").and_then(|id| id.to_str().ok());
        Ok(Self {
            content_id: content_id.map(str::to_owned),
            method,
            uri,
            headers: headers(&mut lines)?,
        })
    }
}

/// The answers as the body of one.
pub fn render_answers(answers: &[BatchAnswer], boundary: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for answer in answers {
        let mut head = String::new();
        begin_part(&mut head, boundary, answer.content_id.as_deref());
        let _infallible = write!(head, "HTTP/1.1 {} {}\r\n", answer.status, answer.reason);
        push_headers(&mut head, &answer.headers);
        if !answer.body.is_empty() {
            let _infallible = write!(head, "content-length: {}\r\n", answer.body.len());
        }
        head.push_str("\r\n");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&answer.body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    out
}

fn begin_part(out: &mut String, boundary: &str, content_id: Option<&str>) {
    let _infallible = write!(out, "--{boundary}\r\nContent-Type: application/http\r\n");
    if let Some(id) = content_id {
        let _infallible = write!(out, "Content-ID: {id}\r\n");
    }
    out.push_str("\r\n");
}

fn push_headers(out: &mut String, headers: &HeaderMap) {
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            let _infallible = write!(out, "{name}: {value}\r\n");
        }
    }
}

/// Header lines up to the next empty line.
fn headers<'t>(lines: &mut impl Iterator<Item = &'t str>) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    for line in lines.by_ref().take_while(|line| !line.trim().is_empty()) {
        let read = || {
            let (name, value) = line.split_once(':')?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        };
        let (name, value) = read().ok_or_else(|| refused("A header of the batch cannot be read."))?;
        if headers.len() == MAX_HEADERS {
            return Err(refused("A request of the batch has too many headers."));
        }
        headers.append(name, value);
    }
    Ok(headers)
}

fn refused(why: &str) -> Refusal {
    Refusal::with_message(ErrorCode::InvalidInput, why)
}
