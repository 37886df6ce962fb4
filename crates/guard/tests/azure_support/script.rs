//! A server that answers by the book of a test: any status, any header, any way of breaking off.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use azblob::time::UnixMillis;
use guard::azure::{AzureAccount, Credential, Patience, Sas, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A SAS that looks like one; nobody here checks it.
pub const TOKEN: &str =
    "sv=2021-12-02&ss=b&srt=sco&sp=rwdl&se=2999-01-01T00:00:00Z&sig=T0PSECRET%2Bsignature%3D";

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub at: Instant,
}

impl Seen {
    /// A header; empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// A parameter of the query, as it was written.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Announced length, where it is not the body's.
    announced: Option<u64>,
    /// The connection is closed without an answer.
    silent: bool,
    /// After the body, the same again for ever, in chunks.
    endless: bool,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// A refusal with a code, in the header and in the body.
    pub fn refusal(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>Words of the service.\n\
             RequestId:1\nTime:2</Message></Error>"
        );
        Self::new(status).header("x-ms-error-code", code).body(body)
    }

    /// The connection ends without a word.
    pub fn silence() -> Self {
        Self {
            silent: true,
            ..Self::default()
        }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Announces another length; the connection closes after what there is.
    pub fn announce(mut self, length: u64) -> Self {
        self.announced = Some(length);
        self
    }

    /// Never ends.
    pub fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    /// The headers of an unlocked page blob.
    pub fn blob() -> Self {
        Self::new(200)
            .header("x-ms-blob-type", "PageBlob")
            .header("etag", "\"0x1\"")
            .header("x-ms-lease-status", "unlocked")
            .header("x-ms-lease-state", "available")
    }
}

/// The server.
pub struct Script {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Script {
    /// Answers each request with what `book` says to it; `book` is told how many came before.
    pub async fn play(book: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/vault", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (book, told) = (Arc::new(book), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&book), Arc::clone(&told)));
            }
        });
        Self { url, seen }
    }

    /// What arrived so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The account, with short waits.
    pub fn account(&self) -> AzureAccount {
        self.account_with(Credential::Sas(Sas::parse(TOKEN).unwrap()), |_| {})
    }

    pub fn account_with(&self, credential: Credential, change: impl FnOnce(&mut Settings)) -> AzureAccount {
        let mut settings = Settings::new(self.url.clone(), credential);
        settings.patience = Patience {
            first_wait: Duration::from_millis(1),
            ..Patience::default()
        };
        change(&mut settings);
        AzureAccount::open(settings).unwrap()
    }
}

/// An HTTP date.
pub fn date(at: UnixMillis) -> String {
    at.http_date()
}

async fn serve<F>(mut socket: TcpStream, book: Arc<F>, told: Arc<Mutex<Vec<Seen>>>)
where
    F: Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
{
    socket.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut socket, &mut buffer).await {
        let before = {
            let mut told = told.lock().unwrap();
            told.push(seen.clone());
            told.len() - 1
        };
        let reply = book(before, &seen);
        if write(&mut socket, &seen, &reply).await.is_none() {
            return;
        }
    }
}

/// One request; bodies are not read, as none is sent here.
async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end + 4).collect()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    Some(Seen {
        method: first.next()?.to_owned(),
        target: first.next()?.to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        at: Instant::now(),
    })
}

/// `None` when the connection is to be closed.
async fn write(socket: &mut TcpStream, seen: &Seen, reply: &Reply) -> Option<()> {
    if reply.silent {
        return None;
    }
    let mut head = format!("HTTP/1.1 {} Said\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if reply.endless {
        head.push_str("transfer-encoding: chunked\r\n\r\n");
        socket.write_all(head.as_bytes()).await.ok()?;
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        loop {
            socket.write_all(&chunk).await.ok()?;
        }
    }
    let length = reply.announced.unwrap_or(reply.body.len() as u64);
    head.push_str(&format!("content-length: {length}\r\n\r\n"));
    socket.write_all(head.as_bytes()).await.ok()?;
    if seen.method != "HEAD" {
        socket.write_all(&reply.body).await.ok()?;
        if reply.announced.is_some() {
            return None;
        }
    }
    Some(())
}
