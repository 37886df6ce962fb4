//! A small blob service in memory that writes down what it is asked. Its rules are Azure's as far as backups meet them, read from
//! the requests by hand, so that it is a second opinion on what the clients send.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use azblob::names::AccountName;
use azblob::shared_key::{Secret, verify};
use azblob::time::UnixMillis;
use bytes::Bytes;
use simsql::world::{Clock, OsError, Wire, WireError};

pub(crate) const ACCOUNT: &str = "vault01";
pub(crate) const KEY: &str = "T3RoZXJLZXlPZlRoZVRlc3Rz";
/// A SAS that no client has reason to look into: no `=` first, a signature with escapes.
pub(crate) const SAS: &str = "does_not_matter&sv=2021-12-02&sp=rwdl&sig=a%2Bb%2Fc%3D";

/// One request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    /// Without the SAS.
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) raw_query: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn ask(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// In a few words: `PUT block BLOCKID11112 65536`, `PUT lease Acquire`, `HEAD`.
    pub(crate) fn line(&self) -> String {
        let detail = match self.ask("comp") {
            "lease" => self.header("x-ms-lease-action").to_owned(),
            "block" => format!("{} {}", name_of(self.ask("blockid")), self.body.len()),
            "page" | "" if self.method != "HEAD" && self.method != "DELETE" => {
                match self.header("x-ms-range") {
                    "" => format!("{} {}", self.header("x-ms-blob-type"), self.body.len()),
                    range => range.to_owned(),
                }
            }
            "properties" => self.header("x-ms-blob-content-length").to_owned(),
            _ => String::new(),
        };
        let words = [self.method.as_str(), self.ask("comp"), detail.as_str()];
        words
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The 12 letters and digits of a block id; base64 decoded by hand.
fn name_of(id: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte| DIGITS.iter().position(|digit| *digit == byte).unwrap() as u32;
    let bytes = id.as_bytes().chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0, |bits, byte| bits << 6 | digit(*byte));
        bits.to_be_bytes()[1..].to_vec()
    });
    let text = String::from_utf8(bytes.collect()).unwrap();
    assert!(text.len() == 15 && text.ends_with("\0\0\0"), "{text:?}");
    text.trim_end_matches('\0').to_owned()
}

/// What the service does instead of answering as it should.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// Status, code and message.
    Answer(u16, &'static str, &'static str),
    /// No answer, with this number.
    Lost(i32),
    /// None, ever: the client is killed meanwhile.
    Silence,
}

pub(crate) struct Blob {
    pub(crate) is_page: bool,
    /// Of a page blob as far as it was written.
    pub(crate) content: Vec<u8>,
    pub(crate) length: u64,
    blocks: BTreeMap<String, Bytes>,
    pub(crate) lease: Option<u128>,
}

type Rule = Box<dyn FnMut(&Seen) -> Option<Trouble> + Send>;

/// The service.
pub(crate) struct Service {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    seen: Vec<Seen>,
    blobs: BTreeMap<String, Blob>,
    rule: Rule,
    at_once: usize,
    most_at_once: usize,
}

/// The sentence that Azure has for it, which SQL Server prints.
pub(crate) const LEASED: &str =
    "There is currently a lease on the blob and no lease ID was specified in the request.";

type Refusal = (u16, &'static str, &'static str);
type Answer = (u16, Vec<(&'static str, String)>, Bytes);

impl Service {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::new(State {
                seen: Vec::new(),
                blobs: BTreeMap::new(),
                rule: Box::new(|_| None),
                at_once: 0,
                most_at_once: 0,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes trouble where `rule` says so.
    pub(crate) fn rule(&self, rule: impl FnMut(&Seen) -> Option<Trouble> + Send + 'static) {
        self.state().rule = Box::new(rule);
    }

    /// The requests since the last time.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    /// How many requests waited for their answers at the same time, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    pub(crate) fn blob<T>(&self, path: &str, look: impl FnOnce(&mut Blob) -> T) -> Option<T> {
        self.state().blobs.get_mut(path).map(look)
    }

    fn answer(&self, seen: &Seen) -> Result<Answer, Refusal> {
        let mut state = self.state();
        let blobs = &mut state.blobs;
        match (seen.method.as_str(), seen.ask("comp")) {
            ("HEAD", "") => {
                let blob = blobs.get(&seen.path).ok_or(NOT_FOUND)?;
                let kind = if blob.is_page { "PageBlob" } else { "BlockBlob" };
                let length = vec![
                    ("content-length", blob.length.to_string()),
                    ("x-ms-blob-type", kind.to_owned()),
                ];
                Ok((200, length, Bytes::new()))
            }
            ("GET", "") => read(blobs.get(&seen.path).ok_or(NOT_FOUND)?, seen),
            ("PUT", "") => {
                if let Some(blob) = blobs.get(&seen.path) {
                    check_lease(blob, seen)?;
                }
                blobs.insert(seen.path.clone(), made(seen));
                done(201)
            }
            ("PUT", "lease") => lease(blobs.get_mut(&seen.path).ok_or(NOT_FOUND)?, seen),
            ("PUT", comp) => {
                let blob = blobs.get_mut(&seen.path).ok_or(NOT_FOUND)?;
                check_lease(blob, seen)?;
                change(blob, comp, seen);
                done(if comp == "properties" { 200 } else { 201 })
            }
            ("DELETE", "") => {
                check_lease(blobs.get(&seen.path).ok_or(NOT_FOUND)?, seen)?;
                blobs.remove(&seen.path);
                done(202)
            }
            _ => Err((
                405,
                "UnsupportedHttpVerb",
                "The resource doesn't support specified Http Verb.",
            )),
        }
    }

    /// The secret that goes with the mode, whole and in its place.
    fn check_secret(&self, request: &http::Request<Bytes>) -> Result<(), Refusal> {
        let denied = (
            403,
            "AuthenticationFailed",
            "Server failed to authenticate the request.",
        );
        let account = AccountName::new(ACCOUNT).unwrap();
        let keys = [Secret::from_base64(KEY).unwrap()];
        let (uri, headers) = (request.uri(), request.headers());
        let has_sas = uri.query().unwrap_or_default().ends_with(SAS);
        if has_sas && !headers.contains_key("authorization") {
            return Ok(());
        }
        let now = UnixMillis(self.clock.now().0 / 1000);
        let verified = verify(request.method(), uri, headers, &account, &keys, now);
        verified.map(drop).map_err(|_| denied)
    }
}

const NOT_FOUND: Refusal = (404, "BlobNotFound", "The specified blob does not exist.");

fn done(status: u16) -> Result<Answer, Refusal> {
    Ok((status, Vec::new(), Bytes::new()))
}

/// A lease id in any form of a GUID.
fn guid(text: &str) -> Option<u128> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    (digits.len() == 32).then(|| u128::from_str_radix(&digits, 16).unwrap())
}

fn check_lease(blob: &Blob, seen: &Seen) -> Result<(), Refusal> {
    match (blob.lease, guid(seen.header("x-ms-lease-id"))) {
        (Some(_), None) => Err((412, "LeaseIdMissing", LEASED)),
        (Some(held), Some(given)) if held != given => Err((
            412,
            "LeaseIdMismatchWithBlobOperation",
            "The lease ID specified did not match the lease ID for the blob.",
        )),
        (None, Some(_)) => Err((
            412,
            "LeaseNotPresentWithBlobOperation",
            "There is currently no lease on the blob.",
        )),
        _ => Ok(()),
    }
}

fn made(seen: &Seen) -> Blob {
    let is_page = seen.header("x-ms-blob-type") == "PageBlob";
    let declared = seen.header("x-ms-blob-content-length").parse();
    Blob {
        is_page,
        content: seen.body.to_vec(),
        length: if is_page {
            declared.unwrap()
        } else {
            seen.body.len() as u64
        },
        blocks: BTreeMap::new(),
        lease: None,
    }
}

fn lease(blob: &mut Blob, seen: &Seen) -> Result<Answer, Refusal> {
    match seen.header("x-ms-lease-action").to_lowercase().as_str() {
        "acquire" => {
            let wanted = guid(seen.header("x-ms-proposed-lease-id")).unwrap();
            if blob.lease.is_some_and(|held| held != wanted) {
                return Err((409, "LeaseAlreadyPresent", "There is already a lease present."));
            }
            blob.lease = Some(wanted);
            done(201)
        }
        "release" if blob.lease == guid(seen.header("x-ms-lease-id")) => {
            blob.lease = None;
            done(200)
        }
        _ => Err((
            409,
            "LeaseIdMismatchWithLeaseOperation",
            "The lease ID specified did not match the lease ID for the blob.",
        )),
    }
}

fn range(seen: &Seen) -> (usize, usize) {
    let bounds = seen.header("x-ms-range").strip_prefix("bytes=").unwrap();
    let (first, last) = bounds.split_once('-').unwrap();
    (first.parse().unwrap(), last.parse::<usize>().unwrap() + 1)
}

fn read(blob: &Blob, seen: &Seen) -> Result<Answer, Refusal> {
    let (from, to) = range(seen);
    assert!(
        to as u64 <= blob.length,
        "SQL Server stays inside of the size that HEAD told"
    );
    done(206).map(|(status, headers, _)| (status, headers, Bytes::copy_from_slice(&blob.content[from..to])))
}

fn change(blob: &mut Blob, comp: &str, seen: &Seen) {
    match comp {
        "block" => {
            blob.blocks
                .insert(seen.ask("blockid").to_owned(), seen.body.clone());
        }
        "blocklist" => {
            let list = list_text(&seen.body);
            let ids = list
                .split("<Latest>")
                .skip(1)
                .map(|rest| rest.split('<').next().unwrap());
            blob.content = ids.flat_map(|id| blob.blocks[id].to_vec()).collect();
            blob.length = blob.content.len() as u64;
        }
        "page" => {
            let (from, to) = range(seen);
            assert_eq!(to - from, seen.body.len());
            assert!(from % 512 == 0 && to % 512 == 0 && seen.body.len() <= 4 << 20);
            blob.content.resize(blob.content.len().max(to), 0);
            blob.content[from..to].copy_from_slice(&seen.body);
        }
        "properties" => blob.length = seen.header("x-ms-blob-content-length").parse().unwrap(),
        other => panic!("SQL Server never asks for {other}"),
    }
}

/// The XML of a block list, which tells its encoding by its second byte.
pub(crate) fn list_text(body: &[u8]) -> String {
    if body[1] == 0 {
        let units = body.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        return String::from_utf16(&units.collect::<Vec<_>>()).unwrap();
    }
    String::from_utf8(body.to_vec()).unwrap()
}

fn seen(request: &http::Request<Bytes>) -> Seen {
    let raw_query = request.uri().query().unwrap_or_default().to_owned();
    let own = raw_query.strip_suffix(SAS).unwrap_or(&raw_query);
    let query = url::form_urlencoded::parse(own.as_bytes()).into_owned().collect();
    let headers = request.headers().iter();
    Seen {
        method: request.method().to_string(),
        host: request.uri().host().unwrap_or_default().to_owned(),
        path: request.uri().path().to_owned(),
        query,
        raw_query,
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: request.body().clone(),
    }
}

#[async_trait]
impl Wire for Service {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, WireError> {
        let seen = seen(&request);
        let (number, trouble) = {
            let mut state = self.state();
            state.seen.push(seen.clone());
            state.at_once += 1;
            state.most_at_once = state.most_at_once.max(state.at_once);
            (state.seen.len(), (state.rule)(&seen))
        };
        // Answers come back out of order.
        self.clock
            .sleep(Duration::from_millis([3, 1, 4, 1, 5][number % 5]))
            .await;
        self.state().at_once -= 1;
        let answer = match trouble {
            Some(Trouble::Lost(number)) => return Err(WireError(OsError::new(number))),
            Some(Trouble::Silence) => return std::future::pending().await,
            Some(Trouble::Answer(status, code, message)) => Err((status, code, message)),
            None => self.check_secret(&request).and_then(|()| self.answer(&seen)),
        };
        let (status, headers, body) = answer.unwrap_or_else(|(status, code, message)| {
            let text = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}\nRequestId:1\nTime:2026</Message></Error>");
            let body = if seen.method == "HEAD" { String::new() } else { text };
            (status, vec![("x-ms-error-code", code.to_owned())], body.into())
        });
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        Ok(response.body(body).unwrap())
    }
}
