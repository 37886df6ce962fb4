//! A small client of the vault's door: what SQL Server's own blob client is to Azure. One connection each.
//!
//! It speaks real HTTP over a real socket and signs with SharedKey, so the demo exercises the whole door.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use azblob::names::AccountName;
use azblob::request::{
    AddressStyle, BlobOperation, BlobPath, ContainerOperation, Endpoint, Operation, Request,
};
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Who asks, and where.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) address: SocketAddr,
    pub(super) account: AccountName,
    pub(super) secret: Secret,
}

/// What the door answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// One connection.
pub(super) struct Client {
    sender: SendRequest<Full<Bytes>>,
    access: Access,
}

impl Client {
    /// Connects to the door.
    pub(super) async fn connect(access: &Access) -> Result<Self> {
        let stream = TcpStream::connect(access.address)
            .await
            .context("the door does not answer")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            access: access.clone(),
        })
    }

    /// Asks for something of a container, and wants `status`.
    pub(super) async fn container(
        &mut self,
        path: &BlobPath,
        operation: ContainerOperation,
        status: StatusCode,
    ) -> Result<Answer> {
        self.expect(
            Operation::Container(path.container.clone(), operation),
            Bytes::new(),
            status,
        )
        .await
    }

    /// Asks for something of a blob, and wants `status`.
    pub(super) async fn blob(
        &mut self,
        path: &BlobPath,
        operation: BlobOperation,
        body: Bytes,
        status: StatusCode,
    ) -> Result<Answer> {
        self.expect(Operation::Blob(path.clone(), operation), body, status)
            .await
    }

    /// Asks, and takes the answer whatever its status.
    pub(super) async fn send(&mut self, operation: Operation, body: Bytes) -> Result<Answer> {
        let request = self.access.head(operation)?.map(|()| Full::new(body));
        // The connection task has to have taken the last answer's end before the next request may start.
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    async fn expect(&mut self, operation: Operation, body: Bytes, status: StatusCode) -> Result<Answer> {
        let name = operation.name();
        let answer = self.send(operation, body).await?;
        if answer.status != status {
            bail!(
                "{name} was answered {}: {}",
                answer.status,
                answer.code().unwrap_or("no error code")
            );
        }
        Ok(answer)
    }
}

impl Access {
    /// Sends the head of a request and only this piece of its body, then cuts the connection.
    pub(super) async fn break_off(&self, operation: Operation, piece: &[u8]) -> Result<()> {
        let (head, ()) = self.head(operation)?.into_parts();
        let mut text = format!("{} {} HTTP/1.1\r\n", head.method, head.uri);
        for (name, value) in &head.headers {
            write!(text, "{name}: {}\r\n", value.to_str()?)?;
        }
        text.push_str("\r\n");
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(text.as_bytes()).await?;
        stream.write_all(piece).await?;
        stream.flush().await?;
        Ok(())
    }

    /// The signed head, its URI in the form that stands on a request line.
    fn head(&self, operation: Operation) -> Result<http::Request<()>> {
        let request = Request {
            account: self.account.clone(),
            operation,
            version: ApiVersion::CURRENT,
            client_request_id: None,
        };
        let endpoint = Endpoint {
            origin: format!("http://{}", self.address),
            style: AddressStyle::Path,
        };
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("the clock stands before 1970")?;
        let now = UnixMillis(i64::try_from(since.as_millis())?);
        let mut head = request.build(&endpoint, now, Some(&self.secret))?;
        let path = head
            .uri()
            .path_and_query()
            .context("a request without a path")?
            .clone();
        *head.uri_mut() = Uri::from(path);
        Ok(head)
    }
}

impl Answer {
    /// The service's error code.
    pub(super) fn code(&self) -> Option<&str> {
        self.header("x-ms-error-code")
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
