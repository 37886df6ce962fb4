//! Blob Batch over a real socket: every request of a batch is signed, judged and answered by itself.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::thread;
use std::time::Duration;

use azblob::batch::{Batch, BatchRequest};
use azblob::lease::{LOOK_HEADER, LeaseWitness, WITNESS_HEADER};
use azblob::names::AccountName;
use azblob::shared_key::{Secret, sign};
use azblob::time::UnixMillis;
use http::{HeaderMap, Method, Uri};

use support::client::{ACCOUNT, Ask, Client, KEY, OTHER_KEY};
use support::server::TestServer;
use support::upload::server;

const LEASE: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

fn now() -> UnixMillis {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    UnixMillis(i64::try_from(since.as_millis()).unwrap())
}

/// A request as an SDK puts it into a batch: no version, signed by itself.
fn request(
    id: usize,
    method: Method,
    target: &str,
    key: &str,
    more: &[(&'static str, &str)],
) -> BatchRequest {
    let uri: Uri = target.parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-ms-date", now().http_date().parse().unwrap());
    headers.insert("content-length", "0".parse().unwrap());
    for (name, value) in more {
        headers.insert(*name, value.parse().unwrap());
    }
    let (account, secret) = (
        AccountName::new(ACCOUNT).unwrap(),
        Secret::from_base64(key).unwrap(),
    );
    sign(&method, &uri, &mut headers, &account, &secret);
    BatchRequest {
        content_id: Some(id.to_string()),
        method,
        uri,
        headers,
    }
}

fn delete(id: usize, target: &str) -> BatchRequest {
    request(id, Method::DELETE, target, KEY, &[])
}

fn batch(target: &str, requests: Vec<BatchRequest>) -> Ask {
    let body = Batch { requests }.render("batch_x");
    Ask::new(Method::POST, target)
        .header("content-type", "multipart/mixed; boundary=batch_x")
        .body(body)
}

/// The status lines of the parts, in order, each with the id of its part.
fn parts(text: &str) -> Vec<(String, u16)> {
    let parts = text
        .split("--batchresponse_")
        .filter(|part| part.contains("HTTP/1.1 "));
    parts
        .map(|part| {
            let after = |mark: &str| part.split(mark).nth(1).unwrap_or_default();
            let id = after("Content-ID: ")
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            (id, after("HTTP/1.1 ")[..3].parse().unwrap())
        })
        .collect()
}

fn with_blobs(names: &[&str]) -> (TestServer, Client) {
    let server = server();
    let mut client = server.client();
    for name in names {
        let ask = Ask::put(format!("box/{name}")).header("x-ms-blob-type", "BlockBlob");
        client.ask(&ask.body("data")).expect(201);
    }
    (server, client)
}

#[test]
fn each_is_a_use_of_its_blob_unless_it_is_refused() {
    let (server, mut client) = with_blobs(&["leased"]);
    let lease = Ask::put("box/leased?comp=lease").header("x-ms-lease-action", "acquire");
    let lease = lease
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", LEASE);
    client.ask(&lease).expect(201);
    // Its connection moves on.
    client
        .ask(&Ask::put("box/other?comp=tier").header("x-ms-access-tier", "Hot"))
        .expect(404);
    client
        .ask(&Ask::put("box/other").header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    thread::sleep(Duration::from_millis(300));
    let mut batches = server.client();
    let witness = || {
        let look = Ask::head("box/leased").header(LOOK_HEADER.as_str(), "1");
        let reply = server.client().ask(&look).expect(200);
        LeaseWitness::parse(reply.header(WITNESS_HEADER.as_str())).unwrap()
    };
    batches
        .ask(&batch("?comp=batch", vec![delete(0, "/vault/box/leased")]))
        .expect(202);
    let refused = witness();
    assert_eq!(refused.connections, 0);
    assert!(refused.since_write >= Some(300), "{refused:?}");
    let tier = [("x-ms-access-tier", "Hot"), ("x-ms-lease-id", LEASE)];
    let tier = request(0, Method::PUT, "/vault/box/leased?comp=tier", KEY, &tier);
    batches.ask(&batch("?comp=batch", vec![tier])).expect(202);
    let done = witness();
    assert_eq!(done.connections, 1);
    assert!(done.since_write < refused.since_write, "{done:?}");
}

#[test]
fn each_is_answered_by_itself() {
    let (_server, mut client) = with_blobs(&["a", "b%20c", "leased", "kept"]);
    let lease = Ask::put("box/leased?comp=lease").header("x-ms-lease-action", "acquire");
    let lease = lease
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", LEASE);
    client.ask(&lease).expect(201);
    let requests = vec![
        delete(0, "/vault/box/a"),
        // SDKs leave the account out where the endpoint names it.
        delete(1, "/box/b%20c"),
        delete(2, "/vault/box/leased"),
        request(3, Method::DELETE, "/vault/box/kept", OTHER_KEY, &[]),
        delete(4, "/vault/box/missing"),
        request(5, Method::PUT, "/vault/box/kept?comp=metadata", KEY, &[]),
        request(
            6,
            Method::PUT,
            "/vault/box/kept?comp=tier",
            KEY,
            &[("x-ms-access-tier", "Hot")],
        ),
        request(
            7,
            Method::DELETE,
            "/vault/box/leased",
            KEY,
            &[("x-ms-lease-id", LEASE)],
        ),
    ];
    let reply = client.ask(&batch("?comp=batch", requests)).expect(202);
    assert!(
        reply
            .header("content-type")
            .starts_with("multipart/mixed; boundary=batchresponse_")
    );
    let want = [
        (0, 202),
        (1, 202),
        (2, 412),
        (3, 403),
        (4, 404),
        (5, 400),
        (6, 200),
        (7, 202),
    ];
    assert_eq!(
        parts(reply.text()),
        want.map(|(id, status)| (id.to_string(), status))
    );
    for said in [
        "x-ms-error-code: LeaseIdMissing",
        "<Code>BlobNotFound</Code>",
        "404 The specified blob does not exist.",
    ] {
        assert!(reply.text().contains(said), "{said}: {}", reply.text());
    }
    assert_eq!(client.ask(&Ask::head("box/a")).status, 404);
    assert_eq!(client.ask(&Ask::head("box/leased")).status, 404);
    assert_eq!(client.ask(&Ask::get("box/kept")).expect(200).text(), "data");
}

#[test]
fn a_batch_of_a_container_stays_in_it() {
    let (_server, mut client) = with_blobs(&["a", "b"]);
    client.ask(&Ask::put("other?restype=container")).expect(201);
    let outside = Ask::put("other/x").header("x-ms-blob-type", "BlockBlob");
    client.ask(&outside).expect(201);
    let requests = vec![delete(0, "/vault/box/a"), delete(1, "/vault/other/x")];
    let reply = client
        .ask(&batch("box?restype=container&comp=batch", requests))
        .expect(202);
    assert_eq!(
        parts(reply.text()),
        [("0".to_owned(), 202), ("1".to_owned(), 400)]
    );
    client.ask(&Ask::head("other/x")).expect(200);
}

#[test]
fn a_batch_that_is_none_deletes_nothing() {
    let (server, mut client) = with_blobs(&["a"]);
    let many: Vec<_> = (0..257).map(|n| delete(n, "/vault/box/a")).collect();
    assert_eq!(
        client.ask(&batch("?comp=batch", many)).error(),
        (400, "ExceedsMaxBatchRequestCount")
    );
    assert_eq!(
        client.ask(&batch("?comp=batch", Vec::new())).error(),
        (400, "InvalidInput")
    );
    let whole = batch(
        "?comp=batch",
        vec![delete(0, "/vault/box/a"), delete(1, "/vault/box/a")],
    );
    let mut cut = whole.clone();
    cut.body.truncate(cut.body.len() - 20);
    assert_eq!(client.ask(&cut).error(), (400, "InvalidInput"));
    let mut untyped = whole.clone();
    untyped.headers.clear();
    assert_eq!(client.ask(&untyped).error(), (400, "MissingRequiredHeader"));
    let mut unsigned = whole.clone();
    unsigned.signed = false;
    assert!(
        [401, 403].contains(&client.ask(&unsigned).status),
        "the batch itself is signed too"
    );
    let mut huge = whole.announce(5 << 20);
    huge.body.clear();
    let mut other = server.client();
    other.write(&huge).unwrap();
    other.stop_sending();
    assert_eq!(other.read(false).unwrap().error(), (413, "RequestBodyTooLarge"));
    client.ask(&Ask::head("box/a")).expect(200);
}
