//! The machine's network, against a server of a few lines.

use std::collections::BTreeMap;

use bytes::Bytes;
use simsql::machine::Wire;
use simsql::world::{Wire as _, WireError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";

/// Reads one request without a body; nothing at the end of the connection.
async fn request(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => read.push(byte),
            Err(_) => return Vec::new(),
        }
    }
    read
}

async fn send(wire: &Wire, address: &str) -> Result<u16, WireError> {
    let request = http::Request::builder()
        .method("PUT")
        .uri(format!("http://{address}/c/b"));
    let answer = wire.send(request.body(Bytes::new()).unwrap()).await?;
    Ok(answer.status().as_u16())
}

/// Any server closes connections that were idle for long; a client's next request may be on its way then.
#[tokio::test]
async fn a_request_that_meets_the_end_of_an_idle_connection_goes_out_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let wire = Wire::new(None, BTreeMap::new()).unwrap();
    let serve = async {
        let (mut first, _) = listener.accept().await.unwrap();
        assert!(!request(&mut first).await.is_empty());
        first.write_all(ANSWER).await.unwrap();
        // The second request is read and never answered.
        assert!(!request(&mut first).await.is_empty());
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        assert!(!request(&mut second).await.is_empty());
        second.write_all(ANSWER).await.unwrap();
        // On a new connection the end is the end.
        drop(second);
        let (mut third, _) = listener.accept().await.unwrap();
        assert!(!request(&mut third).await.is_empty());
    };
    let ask = async {
        assert_eq!(send(&wire, &address).await, Ok(201));
        assert_eq!(send(&wire, &address).await, Ok(201));
        let lost = send(&wire, &address).await.unwrap_err();
        // ERROR_WINHTTP_CONNECTION_ERROR.
        assert_eq!(lost.0.number, 12_030);
    };
    futures::join!(serve, ask);
}

#[tokio::test]
async fn a_port_where_nobody_listens_cannot_be_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let wire = Wire::new(None, BTreeMap::new()).unwrap();
    let lost = send(&wire, &address).await.unwrap_err();
    // ERROR_WINHTTP_CANNOT_CONNECT.
    assert_eq!(lost.0.number, 12_029);
}
