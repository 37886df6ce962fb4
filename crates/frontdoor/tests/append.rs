//! Append blobs over a real socket.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::client::{Ask, Reply};
use support::upload::server;

const LEASE: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

fn create(name: &str) -> Ask {
    Ask::put(format!("box/{name}")).header("x-ms-blob-type", "AppendBlob")
}

fn append(name: &str, body: &str) -> Ask {
    Ask::put(format!("box/{name}?comp=appendblock")).body(body)
}

fn place(reply: &Reply) -> (String, String) {
    let text = |name| reply.header(name).to_owned();
    (
        text("x-ms-blob-append-offset"),
        text("x-ms-blob-committed-block-count"),
    )
}

#[test]
fn blocks_come_to_lie_one_after_the_other() {
    let server = server();
    let mut client = server.client();
    assert_eq!(client.ask(&append("log", "x")).error(), (404, "BlobNotFound"));
    client
        .ask(&create("log").header("x-ms-blob-content-type", "text/plain"))
        .expect(201);
    let first = client.ask(&append("log", "one ")).expect(201);
    assert_eq!(place(&first), ("0".to_owned(), "1".to_owned()));
    assert!(!first.header("x-ms-content-crc64").is_empty() && !first.header("etag").is_empty());
    let second = client.ask(&append("log", "two")).expect(201);
    assert_eq!(place(&second), ("4".to_owned(), "2".to_owned()));
    let server = server.restart();
    let mut client = server.client();
    let got = client.ask(&Ask::get("box/log")).expect(200);
    assert_eq!(
        (got.text(), got.header("x-ms-blob-type")),
        ("one two", "AppendBlob")
    );
    assert_eq!(got.header("x-ms-blob-committed-block-count"), "2");
    assert_eq!(got.header("content-type"), "text/plain");
}

#[test]
fn the_two_conditions_of_an_append() {
    let server = server();
    let mut client = server.client();
    client.ask(&create("log")).expect(201);
    client
        .ask(&append("log", "12345").header("x-ms-blob-condition-appendpos", "0"))
        .expect(201);
    let late = append("log", "12345").header("x-ms-blob-condition-appendpos", "0");
    assert_eq!(client.ask(&late).error(), (412, "AppendPositionConditionNotMet"));
    let long = append("log", "12345").header("x-ms-blob-condition-maxsize", "9");
    assert_eq!(client.ask(&long).error(), (412, "MaxBlobSizeConditionNotMet"));
    client
        .ask(&append("log", "12345").header("x-ms-blob-condition-maxsize", "10"))
        .expect(201);
    let lease = Ask::put("box/log?comp=lease").header("x-ms-lease-action", "acquire");
    let lease = lease
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", LEASE);
    client.ask(&lease).expect(201);
    assert_eq!(client.ask(&append("log", "x")).error(), (412, "LeaseIdMissing"));
    client.ask(&append("log", "x").lease(Some(LEASE))).expect(201);
}

#[test]
fn a_sealed_blob_takes_no_more() {
    let server = server();
    let mut client = server.client();
    client.ask(&create("log")).expect(201);
    client.ask(&append("log", "12345")).expect(201);
    let seal = |at: &str| Ask::put("box/log?comp=seal").header("x-ms-blob-condition-appendpos", at);
    assert_eq!(
        client.ask(&seal("4")).error(),
        (412, "AppendPositionConditionNotMet")
    );
    assert_eq!(
        client.ask(&seal("5")).expect(200).header("x-ms-blob-sealed"),
        "true"
    );
    assert_eq!(client.ask(&append("log", "x")).status, 409);
    assert_eq!(
        client.ask(&Ask::head("box/log")).header("x-ms-blob-sealed"),
        "true"
    );
    let listed = client
        .ask(&Ask::get("box?restype=container&comp=list"))
        .expect(200);
    assert!(listed.text().contains("<Sealed>true</Sealed>"));
    client
        .ask(&Ask::put("box/b").header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    let mut of_block = seal("0");
    of_block.target = of_block.target.replace("log", "b");
    assert_eq!(client.ask(&of_block).error(), (409, "InvalidBlobType"));
    assert_eq!(client.ask(&append("b", "x")).error(), (409, "InvalidBlobType"));
}
