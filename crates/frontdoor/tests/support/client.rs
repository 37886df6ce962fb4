//! A small blocking HTTP/1.1 client that signs with SharedKey and lets a test do what a well-behaved client would not:
//! announce one length and send another, stop in the middle, reuse a connection after an error.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use azblob::names::AccountName;
use azblob::shared_key::{Secret, sign};
use azblob::time::UnixMillis;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Account of all tests.
pub const ACCOUNT: &str = "vault";
/// Its key: 64 bytes of Base64, as Azure's are.
pub const KEY: &str =
    "S2V5T2ZUaGVUZXN0c0tleU9mVGhlVGVzdHNLZXlPZlRoZVRlc3RzS2V5T2ZUaGVUZXN0c0tleU9mVGhlVGVzdA==";
/// An account without anything in it.
pub const OTHER_ACCOUNT: &str = "stranger";
/// Its key.
pub const OTHER_KEY: &str = "U3RyYW5nZXJTdHJhbmdlclN0cmFuZ2Vy";
const VERSION: &str = "2021-12-02";

/// One answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    /// A header, or nothing where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The status and the error code.
    pub fn error(&self) -> (u16, &str) {
        (self.status, self.header("x-ms-error-code"))
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Fails the test unless this is the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{:?} {}",
            self.headers,
            String::from_utf8_lossy(&self.body)
        );
        self
    }
}

/// One request in the making.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What Content-Length says, where it is not the body's length.
    pub announced: Option<u64>,
    pub account: String,
    pub key: String,
    pub signed: bool,
    /// `x-ms-version`.
    pub version: Option<&'static str>,
    /// The body is sent as it is, and no length is announced.
    pub chunked: bool,
}

impl Ask {
    /// A request to `/account/` + `target`, which is encoded already.
    pub fn new(method: Method, target: impl AsRef<str>) -> Self {
        Ask {
            method,
            target: format!("/{ACCOUNT}/{}", target.as_ref()),
            headers: Vec::new(),
            body: Vec::new(),
            announced: None,
            account: ACCOUNT.to_owned(),
            key: KEY.to_owned(),
            signed: true,
            version: Some(VERSION),
            chunked: false,
        }
    }

    pub fn put(target: impl AsRef<str>) -> Self {
        Self::new(Method::PUT, target)
    }

    pub fn get(target: impl AsRef<str>) -> Self {
        Self::new(Method::GET, target)
    }

    pub fn head(target: impl AsRef<str>) -> Self {
        Self::new(Method::HEAD, target)
    }

    pub fn delete(target: impl AsRef<str>) -> Self {
        Self::new(Method::DELETE, target)
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn lease(self, id: Option<&str>) -> Self {
        match id {
            Some(id) => self.header("x-ms-lease-id", id),
            None => self,
        }
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Signed in another name.
    pub fn by(mut self, account: &str, key: &str) -> Self {
        account.clone_into(&mut self.account);
        key.clone_into(&mut self.key);
        self
    }

    pub fn announce(mut self, length: u64) -> Self {
        self.announced = Some(length);
        self
    }

    /// The head as it goes over the wire, signed.
    fn render(&self) -> Vec<u8> {
        let length = self.announced.unwrap_or(self.body.len() as u64);
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        };
        add("host", "localhost");
        if let Some(version) = self.version {
            add("x-ms-version", version);
        }
        add("x-ms-date", &http_date());
        if (self.method == Method::PUT || length > 0) && !self.chunked {
            add("content-length", &length.to_string());
        }
        self.headers.iter().for_each(|(name, value)| add(name, value));
        let uri: Uri = self.target.parse().unwrap();
        let account = AccountName::new(self.account.as_str()).unwrap();
        let secret = Secret::from_base64(&self.key).unwrap();
        if self.signed {
            sign(&self.method, &uri, &mut headers, &account, &secret);
        }
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn http_date() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    UnixMillis(i64::try_from(now.as_millis()).unwrap()).http_date()
}

/// What bytes go over.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => &stream.sock,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(into),
            Wire::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(stream) => stream.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

/// One connection.
pub struct Client {
    stream: BufReader<Wire>,
}

impl Client {
    pub fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(300)))?;
        Ok(Self::over(Wire::Plain(stream)))
    }

    /// Connects with TLS and asks for `name`, as a client that trusts `roots` (PEM) and nobody else.
    pub fn connect_tls(server: SocketAddr, name: &str, roots: &str) -> io::Result<Self> {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            store.add(root.unwrap()).unwrap();
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(300)))?;
        let mut stream = StreamOwned::new(connection, stream);
        stream.flush()?;
        assert_eq!(
            stream.conn.alpn_protocol(),
            Some(&b"http/1.1"[..]),
            "never HTTP/2"
        );
        Ok(Self::over(Wire::Tls(Box::new(stream))))
    }

    fn over(wire: Wire) -> Self {
        Client {
            stream: BufReader::with_capacity(64 * 1024, wire),
        }
    }

    /// Sends a request and reads its answer.
    pub fn send(&mut self, ask: &Ask) -> io::Result<Reply> {
        self.write(ask)?;
        self.read(ask.method == Method::HEAD)
    }

    /// Sends a request; the server must answer.
    #[track_caller]
    pub fn ask(&mut self, ask: &Ask) -> Reply {
        self.send(ask)
            .unwrap_or_else(|error| panic!("{} {}: {error}", ask.method, ask.target))
    }

    /// Sends a request and reads nothing.
    pub fn write(&mut self, ask: &Ask) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(&ask.render())?;
        stream.write_all(&ask.body)
    }

    /// Sends bytes as they are.
    pub fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Closes the sending side only.
    pub fn stop_sending(&mut self) {
        self.stream
            .get_ref()
            .socket()
            .shutdown(std::net::Shutdown::Write)
            .unwrap();
    }

    /// Reads one answer; interim answers are skipped.
    pub fn read(&mut self, head_only: bool) -> io::Result<Reply> {
        loop {
            let (status, headers) = self.read_head()?;
            if status == 100 {
                continue;
            }
            let length = headers
                .get("content-length")
                .map_or(0, |v| v.to_str().unwrap().parse().unwrap());
            let mut body = vec![0; if head_only { 0 } else { length }];
            self.stream.read_exact(&mut body)?;
            return Ok(Reply {
                status,
                headers,
                body,
            });
        }
    }

    fn read_head(&mut self) -> io::Result<(u16, HeaderMap)> {
        let status = self.line()?;
        let status = status
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                return Ok((status, headers));
            };
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
