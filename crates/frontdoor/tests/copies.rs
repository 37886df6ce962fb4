//! Snapshots, copies, tags and whole listings over a real socket.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::client::{Ask, Client, Reply};
use support::server::TestServer;

fn with_container() -> TestServer {
    let server = TestServer::start();
    server
        .client()
        .ask(&Ask::put("box?restype=container"))
        .expect(201);
    server
}

fn put_blob(name: &str, body: impl Into<Vec<u8>>) -> Ask {
    Ask::put(format!("box/{name}"))
        .header("x-ms-blob-type", "BlockBlob")
        .body(body)
}

/// Takes a snapshot and returns its time.
fn snapshot(client: &mut Client, name: &str) -> String {
    let reply = client
        .ask(&Ask::put(format!("box/{name}?comp=snapshot")))
        .expect(201);
    reply.header("x-ms-snapshot").to_owned()
}

/// The texts of an element, in the order of the document.
fn texts<'r>(reply: &'r Reply, element: &str) -> Vec<&'r str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let parts = reply.text().split(&open).skip(1);
    parts.map(|part| part.split(&close).next().unwrap()).collect()
}

#[test]
fn a_snapshot_is_read_listed_and_deleted() {
    let server = with_container();
    let mut client = server.client();
    let put = client
        .ask(&put_blob("b", "first").header("x-ms-meta-mark", "one"))
        .expect(201);
    let first = snapshot(&mut client, "b");
    assert!(first.ends_with('Z') && first.len() == "2011-03-09T01:42:34.9360000Z".len());
    let own = client
        .ask(&Ask::put("box/b?comp=snapshot").header("x-ms-meta-mark", "own"))
        .expect(201);
    assert_ne!(own.header("etag"), put.header("etag"));
    let second = own.header("x-ms-snapshot").to_owned();
    assert!(second > first);
    client.ask(&put_blob("b", "second version")).expect(201);

    let at = |time: &str| format!("box/b?snapshot={time}");
    let read = client.ask(&Ask::get(at(&first))).expect(200);
    assert_eq!((read.text(), read.header("x-ms-meta-mark")), ("first", "one"));
    assert_eq!(read.header("etag"), put.header("etag"));
    let head = client.ask(&Ask::head(at(&second))).expect(200);
    assert_eq!(
        (head.header("content-length"), head.header("x-ms-meta-mark")),
        ("5", "own")
    );
    let ranged = client
        .ask(&Ask::get(at(&first)).header("range", "bytes=1-2"))
        .expect(206);
    assert_eq!(ranged.text(), "ir");
    let metadata = client
        .ask(&Ask::get(format!("{}&comp=metadata", at(&second))))
        .expect(200);
    assert_eq!(metadata.header("x-ms-meta-mark"), "own");
    client
        .ask(&Ask::get(format!("{}&comp=blocklist", at(&first))))
        .expect(200);
    assert_eq!(client.ask(&Ask::get("box/b")).text(), "second version");

    let list = client
        .ask(&Ask::get(
            "box?restype=container&comp=list&include=snapshots,metadata",
        ))
        .expect(200);
    assert_eq!(texts(&list, "Name"), ["b", "b", "b"]);
    assert_eq!(texts(&list, "Snapshot"), [first.as_str(), second.as_str()]);
    assert_eq!(texts(&list, "LeaseStatus"), ["unlocked"], "of the blob alone");

    let changed = client.ask(&Ask::put(format!("{}&comp=metadata", at(&first))));
    assert_eq!(changed.error(), (400, "InvalidQueryParameterValue"));
    let leased = Ask::put(format!("{}&comp=lease", at(&first))).header("x-ms-lease-action", "break");
    assert_eq!(client.ask(&leased).error(), (400, "InvalidOperation"));
    assert_eq!(
        client.ask(&Ask::delete("box/b")).error(),
        (409, "SnapshotsPresent")
    );
    client.ask(&Ask::delete(at(&first))).expect(202);
    assert_eq!(client.ask(&Ask::get(at(&first))).error(), (404, "BlobNotFound"));
    client
        .ask(&Ask::delete("box/b").header("x-ms-delete-snapshots", "only"))
        .expect(202);
    assert_eq!(client.ask(&Ask::head(at(&second))).error(), (404, "BlobNotFound"));
    snapshot(&mut client, "b");
    client
        .ask(&Ask::delete("box/b").header("x-ms-delete-snapshots", "include"))
        .expect(202);
    assert_eq!(client.ask(&Ask::head("box/b")).error(), (404, "BlobNotFound"));
}

#[test]
fn a_snapshot_obeys_conditions_and_the_lease_that_is_named() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "data")).expect(201);
    let take = || Ask::put("box/b?comp=snapshot");
    assert_eq!(
        client.ask(&take().header("if-match", "\"0x1\"")).error(),
        (412, "ConditionNotMet")
    );
    assert_eq!(
        client
            .ask(&take().header("x-ms-lease-id", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"))
            .error(),
        (412, "LeaseNotPresentWithBlobOperation")
    );
    assert_eq!(
        client.ask(&Ask::put("box/missing?comp=snapshot")).error(),
        (404, "BlobNotFound")
    );
}
