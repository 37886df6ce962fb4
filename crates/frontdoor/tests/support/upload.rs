//! Uploads the way SQL Server does: an empty blob, a lease, blocks over several connections, the list, release.

use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::client::{Ask, Client};
use super::server::TestServer;

/// Lease of all uploads.
pub const LEASE: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
/// Bytes of a block.
pub const BLOCK: usize = 256 * 1024;

/// A server with the container `box`.
pub fn server() -> TestServer {
    let server = TestServer::start();
    server
        .client()
        .ask(&Ask::put("box?restype=container"))
        .expect(201);
    server
}

fn text_id(n: usize) -> String {
    STANDARD.encode(format!("BLOCKID{n:05}"))
}

pub fn put_block(name: &str, n: usize, body: &[u8], lease: Option<&str>) -> Ask {
    let id = text_id(n).replace('=', "%3D");
    Ask::put(format!("box/{name}?comp=block&blockid={id}"))
        .body(body)
        .lease(lease)
}

pub fn commit(name: &str, order: impl IntoIterator<Item = usize>, lease: Option<&str>) -> Ask {
    let ids: String = order
        .into_iter()
        .map(|n| format!("<Latest>{}</Latest>", text_id(n)))
        .collect();
    let list = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{ids}</BlockList>");
    Ask::put(format!("box/{name}?comp=blocklist"))
        .body(list)
        .lease(lease)
}

pub fn acquire(name: &str) -> Ask {
    let ask = Ask::put(format!("box/{name}?comp=lease")).header("x-ms-lease-action", "Acquire");
    ask.header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", LEASE)
}

pub fn release(name: &str) -> Ask {
    Ask::put(format!("box/{name}?comp=lease"))
        .header("x-ms-lease-action", "Release")
        .lease(Some(LEASE))
}

/// The empty blob and the lease.
pub fn begin(client: &mut Client, name: &str) {
    client
        .ask(&Ask::put(format!("box/{name}")).header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    client.ask(&acquire(name)).expect(201);
}

/// Sends all blocks over `connections`, each taking every n-th. How many there were.
pub fn send(server: &TestServer, name: &str, bytes: &[u8], connections: usize) -> usize {
    let blocks: Vec<&[u8]> = bytes.chunks(BLOCK).collect();
    thread::scope(|scope| {
        for first in 0..connections {
            let (blocks, mut client) = (&blocks, server.client());
            scope.spawn(move || {
                for n in (first..blocks.len()).step_by(connections) {
                    client
                        .ask(&put_block(name, n, blocks[n], Some(LEASE)))
                        .expect(201);
                }
            });
        }
    });
    blocks.len()
}

/// The whole sequence.
pub fn upload(server: &TestServer, name: &str, bytes: &[u8]) {
    let mut client = server.client();
    begin(&mut client, name);
    let blocks = send(server, name, bytes, 4);
    client.ask(&commit(name, 0..blocks, Some(LEASE))).expect(201);
    client.ask(&release(name)).expect(200);
}
