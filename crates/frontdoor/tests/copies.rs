//! Snapshots, copies, tags and whole listings over a real socket.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use support::client::{ACCOUNT, Ask, Client, OTHER_ACCOUNT, Reply};
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

/// The URL of a blob, of the host that the tests' client sends its requests to.
fn url(rest: &str) -> String {
    format!("http://localhost/{ACCOUNT}/{rest}")
}

fn copy(from: &str, to: &str) -> Ask {
    Ask::put(format!("box/{to}")).header("x-ms-copy-source", url(&format!("box/{from}")))
}

fn id(text: &str) -> String {
    STANDARD.encode(text).replace('=', "%3D")
}

/// A blob of `times` times the same block.
fn put_repeated(client: &mut Client, name: &str, block: &[u8], times: usize) {
    let at = format!("box/{name}?comp=block&blockid={}", id("b"));
    client.ask(&Ask::put(at).body(block)).expect(201);
    let entry = format!("<Latest>{}</Latest>", STANDARD.encode("b"));
    let list = format!("<BlockList>{}</BlockList>", entry.repeat(times));
    client
        .ask(&Ask::put(format!("box/{name}?comp=blocklist")).body(list))
        .expect(201);
}

#[test]
fn a_small_copy_is_there_with_the_answer() {
    let server = with_container();
    let mut client = server.client();
    let put = put_blob("a%20b", "content")
        .header("x-ms-meta-mark", "one")
        .header("x-ms-tags", "t=1")
        .header("x-ms-blob-content-type", "text/plain");
    client.ask(&put).expect(201);
    let done = client.ask(&copy("a%20b", "c")).expect(202);
    assert_eq!(done.header("x-ms-copy-status"), "success");
    let read = client.ask(&Ask::get("box/c")).expect(200);
    assert_eq!(read.text(), "content");
    assert_eq!(read.header("x-ms-copy-id"), done.header("x-ms-copy-id"));
    assert_eq!(read.header("x-ms-copy-progress"), "7/7");
    assert_eq!(read.header("x-ms-copy-source"), url("box/a%20b"));
    assert_eq!(
        (read.header("x-ms-meta-mark"), read.header("content-type")),
        ("one", "text/plain")
    );
    assert_eq!(
        read.header("x-ms-tag-count"),
        "",
        "tags are not copied unless asked for"
    );
    assert_eq!(read.header("etag"), done.header("etag"));

    let own = copy("a%20b", "c")
        .header("x-ms-meta-other", "two")
        .header("x-ms-tags", "u=2&v=3");
    client.ask(&own).expect(202);
    let head = client.ask(&Ask::head("box/c")).expect(200);
    assert_eq!(
        (head.header("x-ms-meta-mark"), head.header("x-ms-meta-other")),
        ("", "two")
    );
    assert_eq!(head.header("x-ms-tag-count"), "2");
    let list = client
        .ask(&Ask::get("box?restype=container&comp=list&include=copy,tags"))
        .expect(200);
    assert_eq!(texts(&list, "CopyStatus"), ["success"]);
    assert_eq!(texts(&list, "Key"), ["t", "u", "v"]);

    // The copy is the blob's past no more once its headers are set anew.
    client.ask(&Ask::put("box/c?comp=properties")).expect(200);
    assert_eq!(client.ask(&Ask::head("box/c")).header("x-ms-copy-id"), "");
}

#[test]
fn a_snapshot_is_promoted_over_its_blob() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "then")).expect(201);
    let time = snapshot(&mut client, "b");
    client.ask(&put_blob("b", "now, and longer")).expect(201);
    client.ask(&copy(&format!("b?snapshot={time}"), "b")).expect(202);
    assert_eq!(client.ask(&Ask::get("box/b")).text(), "then");
    assert_eq!(
        client.ask(&Ask::get(format!("box/b?snapshot={time}"))).text(),
        "then"
    );
}

#[test]
fn sources_are_judged() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "data")).expect(201);
    let to = |source: &str| Ask::put("box/c").header("x-ms-copy-source", source);
    assert_eq!(
        client.ask(&copy("missing", "c")).error(),
        (404, "CannotVerifyCopySource")
    );
    assert_eq!(
        client
            .ask(&to("https://elsewhere.blob.core.windows.net/box/b"))
            .error(),
        (404, "CannotVerifyCopySource")
    );
    assert_eq!(client.ask(&to("not a url")).error(), (400, "InvalidHeaderValue"));
    let strangers = format!("http://localhost/{OTHER_ACCOUNT}/box/b");
    assert_eq!(
        client.ask(&to(&strangers)).error(),
        (403, "CannotVerifyCopySource")
    );
    let etag = client.ask(&Ask::head("box/b")).header("etag").to_owned();
    let unless = |etag: &str| copy("b", "c").header("x-ms-source-if-none-match", etag);
    assert_eq!(client.ask(&unless(&etag)).error(), (412, "SourceConditionNotMet"));
    let only_new = copy("b", "b").header("if-none-match", "*");
    assert_eq!(client.ask(&only_new).error(), (409, "BlobAlreadyExists"));
    let no_copy = Ask::put("box/b?comp=copy&copyid=x").header("x-ms-copy-action", "abort");
    assert_eq!(client.ask(&no_copy).error(), (409, "NoPendingCopyOperation"));
}

#[test]
fn a_long_copy_is_pending_and_then_done() {
    let server = with_container();
    let mut client = server.client();
    let block = vec![7; 4 << 20];
    put_repeated(&mut client, "long", &block, 65);
    let begun = client.ask(&copy("long", "c")).expect(202);
    assert_eq!(begun.header("x-ms-copy-status"), "pending");
    let done = loop {
        let head = client.ask(&Ask::head("box/c")).expect(200);
        assert_eq!(head.header("x-ms-copy-id"), begun.header("x-ms-copy-id"));
        if head.header("x-ms-copy-status") != "pending" {
            break head;
        }
        assert_eq!(head.header("content-length"), "0");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(done.header("x-ms-copy-status"), "success");
    assert_eq!(done.header("content-length"), (65 * (4 << 20)).to_string());
    let tail = Ask::get("box/c").header("x-ms-range", "bytes=272629758-");
    assert_eq!(client.ask(&tail).expect(206).body, [7, 7]);
    let blocks = client.ask(&Ask::get("box/c?comp=blocklist")).expect(200);
    assert_eq!(texts(&blocks, "Size").len(), 65);
    let at_once = copy("long", "d").header("x-ms-requires-sync", "true");
    assert_eq!(client.ask(&at_once).error(), (413, "RequestBodyTooLarge"));
}

#[test]
fn leases_of_the_destination_count() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "data")).expect(201);
    client.ask(&put_blob("c", "old")).expect(201);
    let lease = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
    let acquire = |seconds: &str| {
        Ask::put("box/c?comp=lease")
            .header("x-ms-lease-action", "acquire")
            .header("x-ms-proposed-lease-id", lease)
            .header("x-ms-lease-duration", seconds)
    };
    client.ask(&acquire("60")).expect(201);
    let with = || copy("b", "c").header("x-ms-lease-id", lease);
    assert_eq!(client.ask(&copy("b", "c")).error(), (412, "LeaseIdMissing"));
    assert_eq!(
        client.ask(&with()).error(),
        (412, "InfiniteLeaseDurationRequired")
    );
    client
        .ask(&with().header("x-ms-requires-sync", "true"))
        .expect(202);
    client.ask(&acquire("-1")).expect(201);
    client.ask(&with()).expect(202);
    assert_eq!(
        client.ask(&Ask::head("box/c")).header("x-ms-lease-state"),
        "leased"
    );
}

#[test]
fn blobs_and_blocks_come_from_urls() {
    let server = with_container();
    let mut client = server.client();
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let put = put_blob("b", content.clone()).header("x-ms-meta-mark", "one");
    client
        .ask(&put.header("x-ms-blob-content-type", "text/plain"))
        .expect(201);
    let from = |ask: Ask| ask.header("x-ms-copy-source", url("box/b"));
    let whole = from(Ask::put("box/w").header("x-ms-blob-type", "BlockBlob"));
    let md5 = client.ask(&whole).expect(201).header("content-md5").to_owned();
    let read = client.ask(&Ask::get("box/w")).expect(200);
    assert_eq!(read.body, content);
    assert_eq!(
        (read.header("content-type"), read.header("x-ms-meta-mark")),
        ("text/plain", "one")
    );
    assert_eq!(read.header("content-md5"), md5);
    let wrong = whole.header("x-ms-source-content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
    assert_eq!(client.ask(&wrong).error(), (400, "Md5Mismatch"));

    let block = |name: &str, range: &str| {
        let at = format!("box/parts?comp=block&blockid={}", id(name));
        from(Ask::put(at)).header("x-ms-source-range", range)
    };
    client.ask(&block("a", "bytes=1000000-1999999")).expect(201);
    client.ask(&block("b", "bytes=0-9")).expect(201);
    assert_eq!(
        client.ask(&block("c", "bytes=3000000-3000001")).error(),
        (416, "InvalidRange")
    );
    let list = ["a", "b"]
        .map(|name| format!("<Latest>{}</Latest>", STANDARD.encode(name)))
        .concat();
    let list = Ask::put("box/parts?comp=blocklist").body(format!("<BlockList>{list}</BlockList>"));
    client.ask(&list).expect(201);
    let parts = client.ask(&Ask::get("box/parts")).expect(200).body;
    assert_eq!(parts, [&content[1_000_000..2_000_000], &content[..10]].concat());
}

/// More of them than are carried out at a time.
#[test]
fn many_copies_at_once_all_come_to_their_turn() {
    let server = with_container();
    put_repeated(&mut server.client(), "b", &vec![7; 4 << 20], 4);
    std::thread::scope(|scope| {
        for n in 0..24 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.client();
                let to = format!("c{n}");
                client.ask(&copy("b", &to)).expect(202);
                let last = Ask::get(format!("box/{to}")).header("x-ms-range", "bytes=16777215-");
                assert_eq!(client.ask(&last).expect(206).body, [7]);
            });
        }
    });
}

#[test]
fn what_comes_from_a_url_is_no_larger_than_what_comes_in_a_body() {
    let server = with_container();
    let mut client = server.client();
    // 68 MiB; before 2016-05-31 a block has at most 4 MiB and a body of Put Blob at most 64 MiB.
    put_repeated(&mut client, "large", &vec![7; 4 << 20], 17);
    client.ask(&put_blob("empty", "")).expect(201);
    let from = |ask: Ask, name: &str| ask.header("x-ms-copy-source", url(&format!("box/{name}")));
    let old = |ask: Ask| Ask {
        version: Some("2015-12-11"),
        ..ask
    };
    let block = |name: &str| {
        let at = format!("box/parts?comp=block&blockid={}", id("a"));
        from(Ask::put(at), name)
    };
    let blob = || {
        from(
            Ask::put("box/whole").header("x-ms-blob-type", "BlockBlob"),
            "large",
        )
    };
    let too_large = (413, "RequestBodyTooLarge");
    assert_eq!(client.ask(&old(block("large"))).error(), too_large);
    assert_eq!(client.ask(&old(blob())).error(), too_large);
    client.ask(&block("large")).expect(201);
    client.ask(&blob()).expect(201);
    // As Put Block without a body.
    assert_eq!(client.ask(&block("empty")).error(), (400, "InvalidHeaderValue"));
    let append = from(Ask::put("box/log?comp=appendblock"), "empty");
    client
        .ask(&Ask::put("box/log").header("x-ms-blob-type", "AppendBlob"))
        .expect(201);
    assert_eq!(client.ask(&append).error(), (400, "InvalidHeaderValue"));
}

#[test]
fn page_and_append_blobs_are_copied_and_filled_from_urls() {
    let server = with_container();
    let mut client = server.client();
    let content: Vec<u8> = (0..4096_u32).map(|n| (n % 251) as u8).collect();
    client.ask(&put_blob("b", content.clone())).expect(201);
    let pages = Ask::put("box/p")
        .header("x-ms-blob-type", "PageBlob")
        .header("x-ms-blob-content-length", "1048576");
    client.ask(&pages).expect(201);
    let page = |from: &str| {
        Ask::put("box/p?comp=page")
            .header("x-ms-page-write", "update")
            .header("x-ms-range", "bytes=512-1535")
            .header("x-ms-source-range", from)
            .header("x-ms-copy-source", url("box/b"))
    };
    client.ask(&page("bytes=1024-2047")).expect(201);
    assert_eq!(
        client.ask(&page("bytes=1024-2048")).error(),
        (416, "InvalidRange")
    );
    let time = snapshot(&mut client, "p");
    let cleared = Ask::put("box/p?comp=page").header("x-ms-page-write", "clear");
    client
        .ask(&cleared.header("x-ms-range", "bytes=512-1023"))
        .expect(201);
    client.ask(&copy(&format!("p?snapshot={time}"), "q")).expect(202);
    let read = |name: &str| Ask::get(format!("box/{name}")).header("x-ms-range", "bytes=512-1535");
    assert_eq!(client.ask(&read("q")).expect(206).body, content[1024..2048]);
    let ranges = client.ask(&Ask::get("box/q?comp=pagelist")).expect(200);
    assert_eq!(
        (texts(&ranges, "Start"), texts(&ranges, "End")),
        (vec!["512"], vec!["1535"])
    );
    let then = client
        .ask(&Ask::get(format!("box/p?comp=pagelist&snapshot={time}")))
        .expect(200);
    assert_eq!(texts(&then, "Start"), ["512"]);
    let now = client.ask(&Ask::get("box/p?comp=pagelist")).expect(200);
    assert_eq!(texts(&now, "Start"), ["1024"]);
    assert_eq!(client.ask(&copy("b", "q")).error(), (409, "InvalidBlobType"));

    client
        .ask(&Ask::put("box/a").header("x-ms-blob-type", "AppendBlob"))
        .expect(201);
    let append = || Ask::put("box/a?comp=appendblock").header("x-ms-copy-source", url("box/b"));
    client
        .ask(&append().header("x-ms-source-range", "bytes=0-9"))
        .expect(201);
    let done = client.ask(&append()).expect(201);
    assert_eq!(done.header("x-ms-blob-append-offset"), "10");
    client.ask(&copy("a", "c")).expect(202);
    let copied = client.ask(&Ask::get("box/c")).expect(200);
    assert_eq!(copied.body, [&content[..10], &content].concat());
    assert_eq!(copied.header("x-ms-blob-committed-block-count"), "2");
}

#[test]
fn tags_come_and_go_and_the_tier_is_hot() {
    let server = with_container();
    let mut client = server.client();
    let put = client
        .ask(&put_blob("b", "data").header("x-ms-tags", "kind=full"))
        .expect(201);
    let body = "<Tags><TagSet><Tag><Key>kind</Key><Value>log</Value></Tag>\
                <Tag><Key>keep</Key><Value>2026-12-31</Value></Tag></TagSet></Tags>";
    client.ask(&Ask::put("box/b?comp=tags").body(body)).expect(204);
    let got = client.ask(&Ask::get("box/b?comp=tags")).expect(200);
    assert_eq!(texts(&got, "Key"), ["keep", "kind"]);
    assert_eq!(texts(&got, "Value"), ["2026-12-31", "log"]);
    let head = client.ask(&Ask::head("box/b")).expect(200);
    assert_eq!(
        (head.header("x-ms-tag-count"), head.header("etag")),
        ("2", put.header("etag"))
    );
    let bad = "<Tags><TagSet><Tag><Key></Key><Value>x</Value></Tag></TagSet></Tags>";
    assert_eq!(
        client.ask(&Ask::put("box/b?comp=tags").body(bad)).error(),
        (400, "EmptyTagName")
    );

    let tier = |tier: &str| Ask::put("box/b?comp=tier").header("x-ms-access-tier", tier);
    client.ask(&tier("Hot")).expect(200);
    assert_eq!(client.ask(&tier("Archive")).error(), (400, "InvalidBlobTier"));
    let lease = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
    let acquire = Ask::put("box/b?comp=lease")
        .header("x-ms-lease-action", "acquire")
        .header("x-ms-proposed-lease-id", lease)
        .header("x-ms-lease-duration", "-1");
    client.ask(&acquire).expect(201);
    let retag = || Ask::put("box/b?comp=tags").body(body);
    for write in [tier("Hot"), retag()] {
        assert_eq!(client.ask(&write).error(), (412, "LeaseIdMissing"));
    }
    client
        .ask(&tier("Hot").header("x-ms-lease-id", lease))
        .expect(200);
    client.ask(&retag().header("x-ms-lease-id", lease)).expect(204);
    assert_eq!(head.header("x-ms-access-tier"), "Hot");
    let cold = put_blob("cold", "x").header("x-ms-access-tier", "Cool");
    assert_eq!(client.ask(&cold).error(), (400, "InvalidBlobTier"));
}
