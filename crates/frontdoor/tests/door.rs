//! The door over a real socket: every operation, and every way to be refused.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use support::client::{Ask, Reply};
use support::server::TestServer;

const LEASE: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

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

/// Base64 of a block id, as a query value.
fn id(n: u32) -> String {
    STANDARD.encode(format!("BLOCKID{n:05}")).replace('=', "%3D")
}

fn put_block(name: &str, n: u32, body: impl Into<Vec<u8>>) -> Ask {
    Ask::put(format!("box/{name}?comp=block&blockid={}", id(n))).body(body)
}

fn block_list(ids: &[u32]) -> String {
    let ids: String = ids
        .iter()
        .map(|n| format!("<Latest>{}</Latest>", STANDARD.encode(format!("BLOCKID{n:05}"))))
        .collect();
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{ids}</BlockList>")
}

fn commit(name: &str, ids: &[u32]) -> Ask {
    Ask::put(format!("box/{name}?comp=blocklist")).body(block_list(ids))
}

fn lease(name: &str, action: &str) -> Ask {
    Ask::put(format!("box/{name}?comp=lease")).header("x-ms-lease-action", action)
}

fn acquire(name: &str, id: &str) -> Ask {
    lease(name, "acquire")
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", id)
}

#[test]
fn a_container_comes_and_goes() {
    let server = TestServer::start();
    let mut client = server.client();
    let container = "box?restype=container";
    assert_eq!(
        client.ask(&Ask::get(container)).error(),
        (404, "ContainerNotFound")
    );
    assert_eq!(
        client.ask(&put_blob("b", "x")).error(),
        (404, "ContainerNotFound")
    );
    let made = client
        .ask(&Ask::put(container).header("x-ms-meta-owner", "dba"))
        .expect(201);
    assert!(made.header("etag").starts_with('"') && !made.header("last-modified").is_empty());
    assert_eq!(
        client.ask(&Ask::put(container)).error(),
        (409, "ContainerAlreadyExists")
    );
    let properties = client.ask(&Ask::head(container)).expect(200);
    assert_eq!(properties.header("x-ms-meta-owner"), "dba");
    assert_eq!(properties.header("x-ms-lease-state"), "available");
    assert_eq!(properties.header("etag"), made.header("etag"));
    client.ask(&put_blob("b", "x")).expect(201);
    client.ask(&Ask::delete(container)).expect(202);
    assert_eq!(client.ask(&Ask::get("box/b")).error(), (404, "ContainerNotFound"));
    assert_eq!(
        client.ask(&Ask::delete(container)).error(),
        (404, "ContainerNotFound")
    );
}

#[test]
fn a_blob_in_one_piece_comes_back_to_the_byte() {
    let server = with_container();
    let mut client = server.client();
    let body: Vec<u8> = (0..700_001_u32).map(|n| (n * 7 / 3) as u8).collect();
    let put = put_blob("a/b%20c.bin", body.clone()).header("x-ms-blob-content-type", "text/x-mine");
    let made = client.ask(&put.header("x-ms-meta-Note", "first")).expect(201);
    let got = client.ask(&Ask::get("box/a/b%20c.bin")).expect(200);
    assert_eq!(got.body, body);
    assert_eq!(got.header("etag"), made.header("etag"));
    assert_eq!(got.header("content-type"), "text/x-mine");
    assert_eq!(got.header("x-ms-meta-note"), "first");
    assert_eq!(got.header("x-ms-blob-type"), "BlockBlob");
    assert_eq!(got.header("accept-ranges"), "bytes");
    assert_eq!(got.header("x-ms-lease-status"), "unlocked");
    assert_eq!(
        got.header("content-md5"),
        made.header("content-md5"),
        "Put Blob computes and stores it"
    );
    let head = client.ask(&Ask::head("box/a/b%20c.bin")).expect(200);
    assert_eq!(head.header("content-length"), "700001");
    assert!(head.body.is_empty());
}

#[test]
fn ranges_are_cut_and_refused_as_azure_does() {
    let server = with_container();
    let mut client = server.client();
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    client.ask(&put_blob("b", body.clone())).expect(201);
    let mut range = |name: &str, range: &str| client.ask(&Ask::get("box/b").header(name, range));
    let part = range("range", "bytes=300000-900001").expect(206);
    assert_eq!(part.body, body[300_000..=900_001]);
    assert_eq!(part.header("content-range"), "bytes 300000-900001/1000000");
    assert_eq!(
        range("x-ms-range", "bytes=999990-2000000").expect(206).body,
        body[999_990..]
    );
    assert_eq!(
        range("x-ms-range", "bytes=65535-65536").expect(206).body,
        body[65_535..=65_536]
    );
    assert_eq!(range("range", "bytes=999999-").expect(206).body, body[999_999..]);
    let beyond = range("range", "bytes=1000000-");
    assert_eq!(beyond.error(), (416, "InvalidRange"));
    assert_eq!(beyond.header("content-range"), "bytes */1000000");
    assert_eq!(
        range("range", "lines=1-2").expect(200).body.len(),
        1_000_000,
        "a malformed range is no range"
    );
    let both = Ask::get("box/b")
        .header("range", "bytes=0-0")
        .header("x-ms-range", "bytes=1-2");
    assert_eq!(client.ask(&both).expect(206).body, body[1..=2]);
}

#[test]
fn sql_servers_own_sequence() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("db.bak", "")).expect(201);
    // SQL Server capitalises the action and sends the id without dashes.
    let plain = LEASE.replace('-', "");
    let leased = lease("db.bak", "Acquire")
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", &plain);
    assert_eq!(client.ask(&leased).expect(201).header("x-ms-lease-id"), LEASE);
    for (n, body) in [(0, vec![1; 65_536]), (1, vec![2; 4 << 20]), (2, vec![3; 100])] {
        client
            .ask(&put_block("db.bak", n, body).lease(Some(&plain)))
            .expect(201);
    }
    assert_eq!(
        client.ask(&put_block("db.bak", 3, "x")).error(),
        (412, "LeaseIdMissing")
    );
    let list: Vec<u8> = block_list(&[0, 1, 2])
        .replace("utf-8", "utf-16")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    client
        .ask(
            &Ask::put("box/db.bak?comp=blocklist")
                .body(list)
                .lease(Some(LEASE)),
        )
        .expect(201);
    client
        .ask(&lease("db.bak", "Renew").lease(Some(&plain)))
        .expect(200);
    client
        .ask(&lease("db.bak", "Release").lease(Some(&plain)))
        .expect(200);
    let got = client
        .ask(&Ask::get("box/db.bak").header("x-ms-range", "bytes=65530-65545"))
        .expect(206);
    assert_eq!(got.body, [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    assert_eq!(
        client.ask(&Ask::head("box/db.bak")).header("content-length"),
        (65_536 + (4 << 20) + 100).to_string()
    );
}

#[test]
fn blocks_may_come_before_the_blob() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_block("new", 1, "one ")).expect(201);
    client.ask(&put_block("new", 2, "two")).expect(201);
    assert_eq!(client.ask(&Ask::get("box/new")).error(), (404, "BlobNotFound"));
    let listed = client
        .ask(&Ask::get("box/new?comp=blocklist&blocklisttype=all"))
        .expect(200);
    let listing = azblob::block::BlockListing::parse(&listed.body).unwrap();
    assert_eq!(listing.committed.unwrap().len(), 0);
    assert_eq!(
        listing
            .uncommitted
            .unwrap()
            .iter()
            .map(|b| b.size)
            .collect::<Vec<_>>(),
        [4, 3]
    );
    let missing = client.ask(&commit("new", &[1, 2, 3]));
    assert_eq!(missing.error(), (400, "InvalidBlockList"));
    client
        .ask(&commit("new", &[2, 1]).header("x-ms-blob-content-type", "text/plain"))
        .expect(201);
    let got = client.ask(&Ask::get("box/new")).expect(200);
    assert_eq!(
        (got.text(), got.header("content-type")),
        ("twoone ", "text/plain")
    );
    client.ask(&commit("new", &[1])).expect(201);
    assert_eq!(client.ask(&Ask::get("box/new")).text(), "one ");
}

#[test]
fn a_bad_block_list_changes_nothing() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_block("b", 1, "one")).expect(201);
    let mut refused = |body: &str| {
        let reply = client.ask(&Ask::put("box/b?comp=blocklist").body(body));
        (reply.status, reply.header("x-ms-error-code").to_owned())
    };
    assert_eq!(refused("<BlockList><Latest>"), (400, "InvalidXmlDocument".into()));
    assert_eq!(refused(""), (400, "InvalidXmlDocument".into()));
    assert_eq!(refused("<BlockList><Latest>!!</Latest></BlockList>").0, 400);
    assert_eq!(refused(&block_list(&[1, 9])), (400, "InvalidBlockList".into()));
    client.ask(&commit("b", &[1])).expect(201);
}

#[test]
fn leases_lock_and_say_so_in_azures_words() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "data")).expect(201);
    let leased = client.ask(&acquire("b", LEASE)).expect(201);
    assert_eq!(leased.header("x-ms-lease-id"), LEASE);
    let refused = client.ask(&Ask::delete("box/b"));
    assert_eq!(refused.error(), (412, "LeaseIdMissing"));
    let text = refused.text();
    assert!(
        text.contains("There is currently a lease on the blob and no lease ID was specified in the request.")
    );
    assert!(
        text.contains("<Code>LeaseIdMissing</Code>") && text.contains("RequestId:") && text.contains("Time:")
    );
    let other = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    assert_eq!(
        client.ask(&put_blob("b", "new").lease(Some(other))).error(),
        (412, "LeaseIdMismatchWithBlobOperation")
    );
    assert_eq!(
        client.ask(&acquire("b", other)).error(),
        (409, "LeaseAlreadyPresent")
    );
    let head = client.ask(&Ask::head("box/b")).expect(200);
    assert_eq!(
        ["x-ms-lease-status", "x-ms-lease-state", "x-ms-lease-duration"].map(|h| head.header(h).to_owned()),
        ["locked", "leased", "infinite"]
    );
    let changed = lease("b", "change")
        .lease(Some(LEASE))
        .header("x-ms-proposed-lease-id", other);
    assert_eq!(client.ask(&changed).expect(200).header("x-ms-lease-id"), other);
    assert_eq!(
        client
            .ask(&lease("b", "break"))
            .expect(202)
            .header("x-ms-lease-time"),
        "0"
    );
    assert_eq!(
        client.ask(&lease("b", "renew").lease(Some(other))).error(),
        (409, "LeaseIsBrokenAndCannotBeRenewed")
    );
    assert_eq!(
        client.ask(&Ask::head("box/b")).header("x-ms-lease-state"),
        "broken"
    );
    client.ask(&Ask::delete("box/b")).expect(202);
    assert_eq!(client.ask(&acquire("b", LEASE)).error(), (404, "BlobNotFound"));
    assert_eq!(
        client.ask(&lease("b", "acquire")).status,
        400,
        "a lease needs a duration"
    );
}

#[test]
fn metadata_is_replaced_and_changes_the_etag() {
    let server = with_container();
    let mut client = server.client();
    let made = client
        .ask(&put_blob("b", "data").header("x-ms-meta-old", "1"))
        .expect(201);
    let set = client
        .ask(&Ask::put("box/b?comp=metadata").header("x-ms-meta-new", "2"))
        .expect(200);
    assert_ne!(made.header("etag"), set.header("etag"));
    let got = client.ask(&Ask::get("box/b?comp=metadata")).expect(200);
    assert_eq!(
        (got.header("x-ms-meta-old"), got.header("x-ms-meta-new")),
        ("", "2")
    );
    assert_eq!(client.ask(&Ask::get("box/b")).text(), "data");
}

#[test]
fn conditions_hold_or_refuse() {
    let server = with_container();
    let mut client = server.client();
    let made = client
        .ask(&put_blob("b", "one").header("if-none-match", "*"))
        .expect(201);
    let etag = made.header("etag").to_owned();
    assert_eq!(
        client
            .ask(&put_blob("b", "two").header("if-none-match", "*"))
            .error(),
        (409, "BlobAlreadyExists")
    );
    let wrong = "\"0x8D0000000000000\"";
    assert_eq!(
        client
            .ask(&Ask::delete("box/b").header("if-match", wrong))
            .error(),
        (412, "ConditionNotMet")
    );
    assert_eq!(
        client
            .ask(&Ask::get("box/b").header("if-none-match", &etag))
            .status,
        304
    );
    client
        .ask(&put_blob("b", "two").header("if-match", &etag))
        .expect(201);
    assert_eq!(
        client
            .ask(&Ask::delete("box/b").header("if-match", &etag))
            .error(),
        (412, "ConditionNotMet")
    );
}

#[test]
fn listings_show_leases_and_uncommitted_blobs_on_request() {
    let server = with_container();
    let mut client = server.client();
    for name in ["x/1", "x/2", "y"] {
        client.ask(&put_blob(name, "data")).expect(201);
    }
    client.ask(&acquire("x/2", LEASE)).expect(201);
    client.ask(&put_block("z", 1, "block")).expect(201);
    let mut list = |query: &str| {
        client
            .ask(&Ask::get(format!("box?restype=container&comp=list{query}")))
            .expect(200)
    };
    let names = |reply: &Reply| {
        let names = reply.text().split("<Name>").skip(1);
        names
            .map(|rest| rest.split("</Name>").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = list("");
    assert_eq!(names(&all), ["x/1", "x/2", "y"]);
    assert_eq!(all.text().matches("<LeaseState>leased</LeaseState>").count(), 1);
    assert_eq!(
        all.text().matches("<LeaseState>available</LeaseState>").count(),
        2
    );
    assert_eq!(
        names(&list("&include=uncommittedblobs")),
        ["x/1", "x/2", "y", "z"]
    );
    assert_eq!(names(&list("&prefix=x/")), ["x/1", "x/2"]);
    assert_eq!(
        names(&list("&delimiter=/")),
        ["y", "x/"]
            .map(String::from)
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
    let first = list("&maxresults=2");
    assert_eq!(names(&first), ["x/1", "x/2"]);
    let marker = first
        .text()
        .split("<NextMarker>")
        .nth(1)
        .unwrap()
        .split("</NextMarker>")
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        names(&list(&format!("&marker={}", marker.replace('/', "%2F")))),
        ["y"]
    );
}

#[test]
fn who_does_not_sign_is_not_served() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "data")).expect(201);
    let mut wrong_key = Ask::get("box/b");
    wrong_key.key = STANDARD.encode([9; 64]);
    assert_eq!(client.ask(&wrong_key).error(), (403, "AuthenticationFailed"));
    let mut unsigned = Ask::get("box/b");
    unsigned.signed = false;
    let anonymous = client.ask(&unsigned);
    assert!(
        anonymous.status == 401 || anonymous.status == 403,
        "{anonymous:?}"
    );
    let old = Ask::get("box/b").header("x-ms-date", "Mon, 01 Jan 2024 00:00:00 GMT");
    assert_eq!(client.ask(&old).status, 403);
    let mut stranger = Ask::get("box/b");
    stranger.target = "/nobody/c/b".to_owned();
    assert!(client.ask(&stranger).status >= 400);
    assert_eq!(client.ask(&Ask::get("box/b")).expect(200).text(), "data");
    let mut second = Ask::get("box/b");
    second.key = support::server::SECOND_KEY.to_owned();
    assert_eq!(
        client.ask(&second).expect(200).text(),
        "data",
        "either of two keys signs"
    );
}

#[test]
fn a_short_body_leaves_no_block() {
    let server = with_container();
    let mut client = server.client();
    client
        .write(&put_block("b", 1, vec![7; 500_000]).announce(1_000_000))
        .unwrap();
    client.stop_sending();
    let refused = client.read(false);
    assert!(refused.is_err() || refused.unwrap().status >= 400);
    // Killed in the middle, without a word.
    for sent in [0, 1, 65_536, 3_000_000] {
        let mut client = server.client();
        client
            .write(&put_block("b", 2, vec![7; sent]).announce(4 << 20))
            .unwrap();
        drop(client);
    }
    let mut client = server.client();
    client.ask(&put_block("b", 3, "whole")).expect(201);
    std::thread::sleep(std::time::Duration::from_millis(100));
    let listed = client
        .ask(&Ask::get("box/b?comp=blocklist&blocklisttype=uncommitted"))
        .expect(200);
    let blocks = azblob::block::BlockListing::parse(&listed.body)
        .unwrap()
        .uncommitted
        .unwrap();
    assert_eq!(blocks.len(), 1);
    assert_eq!(blocks[0].size, 5);
    let short = put_blob("b", vec![1; 100]).announce(200);
    client.write(&short).unwrap();
    drop(client);
    assert_eq!(server.client().ask(&Ask::head("box/b")).status, 404);
}

#[test]
fn absurd_lengths_are_refused_before_they_are_read() {
    let server = with_container();
    let big = [
        (put_block("b", 1, ""), 5_u64 << 40),
        (put_blob("b", ""), 6 << 40),
        (commit("b", &[]), 1 << 30),
    ];
    for (ask, length) in big {
        let mut ask = ask.announce(length);
        ask.body.clear();
        let mut client = server.client();
        client.write(&ask).unwrap();
        client.stop_sending();
        assert_eq!(client.read(false).unwrap().error(), (413, "RequestBodyTooLarge"));
    }
}

#[test]
fn checksums_that_are_sent_are_checked() {
    let server = with_container();
    let mut client = server.client();
    let body = b"123456789".to_vec();
    // As `printf 123456789 | md5sum` prints it, in Base64.
    let md5 = "JfnnlDI7RTiF9RgfG2JNCw==";
    // The check value of CRC-64/NVME, little-endian.
    let crc = STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_le_bytes());
    client
        .ask(&put_block("b", 1, body.clone()).header("content-md5", md5))
        .expect(201);
    client
        .ask(&put_block("b", 2, body.clone()).header("x-ms-content-crc64", &crc))
        .expect(201);
    let other = STANDARD.encode([1; 16]);
    let refused = client.ask(&put_block("b", 3, body.clone()).header("content-md5", &other));
    assert_eq!(refused.error(), (400, "Md5Mismatch"));
    assert!(refused.text().contains(md5), "the body names what was computed");
    let refused =
        client.ask(&put_block("b", 4, body.clone()).header("x-ms-content-crc64", STANDARD.encode([2; 8])));
    assert_eq!(refused.error(), (400, "Crc64Mismatch"));
    assert_eq!(
        client
            .ask(&put_blob("x", body.clone()).header("content-md5", &other))
            .error(),
        (400, "Md5Mismatch")
    );
    assert_eq!(client.ask(&Ask::head("box/x")).status, 404);
    assert_eq!(
        client
            .ask(&put_blob("x", body).header("content-md5", md5))
            .expect(201)
            .header("content-md5"),
        md5
    );
    let listed = client
        .ask(&Ask::get("box/b?comp=blocklist&blocklisttype=uncommitted"))
        .expect(200);
    let blocks = azblob::block::BlockListing::parse(&listed.body)
        .unwrap()
        .uncommitted
        .unwrap();
    assert_eq!(blocks.len(), 2, "what did not match is not stored");
}

#[test]
fn every_answer_carries_the_common_headers() {
    let server = with_container();
    let mut client = server.client();
    let asks = [
        Ask::get("box?restype=container"),
        Ask::head("box/missing"),
        Ask::get("box/missing"),
        Ask::new(Method::POST, "box/b?comp=query"),
    ];
    for ask in asks {
        let reply = client.ask(&ask.header("x-ms-client-request-id", "abc-1"));
        for name in ["x-ms-request-id", "server", "date", "x-ms-version"] {
            assert!(!reply.header(name).is_empty(), "{name} is missing: {reply:?}");
        }
        assert_eq!(reply.header("x-ms-client-request-id"), "abc-1");
        assert_eq!(
            reply.header("x-ms-version"),
            "2021-12-02",
            "the version is the one that was asked for"
        );
        assert!(!reply.header("server").contains("Simulated"));
    }
    let head = client.ask(&Ask::head("box/missing"));
    assert_eq!((head.error(), head.body.len()), ((404, "BlobNotFound"), 0));
}

#[test]
fn what_is_not_offered_says_so() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "data")).expect(201);
    for target in ["box/b?comp=undelete", "box/b?comp=tier", "box/b?comp=nonsense"] {
        let reply = client.ask(&Ask::put(target));
        assert!(
            (400..600).contains(&reply.status) && reply.status != 500,
            "{target}: {reply:?}"
        );
        assert!(!reply.header("x-ms-error-code").is_empty(), "{target}");
    }
}

#[test]
fn a_refused_block_leaves_the_connection_usable() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "data")).expect(201);
    client.ask(&acquire("b", LEASE)).expect(201);
    for _ in 0..3 {
        assert_eq!(
            client.ask(&put_block("b", 1, vec![0; 4 << 20])).error(),
            (412, "LeaseIdMissing")
        );
    }
    client
        .ask(&put_block("b", 1, vec![0; 4 << 20]).lease(Some(LEASE)))
        .expect(201);
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let server = with_container();
    let mut client = server.client();
    let ask = put_block("b", 1, vec![5; 100_000]).header("expect", "100-continue");
    client.ask(&ask).expect(201);
    client.ask(&commit("b", &[1])).expect(201);
    assert_eq!(client.ask(&Ask::head("box/b")).header("content-length"), "100000");
}

#[test]
fn a_restart_serves_what_was_acknowledged() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "data")).expect(201);
    client.ask(&acquire("b", LEASE)).expect(201);
    client
        .ask(&put_block("b", 1, "block").lease(Some(LEASE)))
        .expect(201);
    let server = server.restart();
    let mut client = server.client();
    assert_eq!(client.ask(&Ask::get("box/b")).expect(200).text(), "data");
    assert_eq!(client.ask(&commit("b", &[1])).error(), (412, "LeaseIdMissing"));
    client.ask(&commit("b", &[1]).lease(Some(LEASE))).expect(201);
    assert_eq!(client.ask(&Ask::get("box/b")).expect(200).text(), "block");
}

#[test]
fn a_stop_lets_the_request_under_way_finish() {
    let mut server = with_container();
    let (mut busy, mut idle) = (server.client(), server.client());
    idle.ask(&Ask::head("box?restype=container")).expect(200);
    let body = vec![7; 200_000];
    let mut ask = put_block("b", 1, body.clone()).announce(200_000);
    ask.body.truncate(100_000);
    busy.write(&ask).unwrap();
    // The request is under way once its first step, an uncommitted blob, shows.
    let blocks = Ask::get("box/b?comp=blocklist&blocklisttype=all");
    while idle.ask(&blocks).status != 200 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let address = server.address();
    let stopping = std::thread::spawn(move || {
        server.stop();
        server
    });
    // No new connections are taken, as soon as the stop has reached the server.
    while std::net::TcpStream::connect(address).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(idle.read(false).is_err(), "idle connections are closed");
    busy.write_raw(&body[100_000..]).unwrap();
    let answer = busy.read(false).unwrap().expect(201);
    assert_eq!(answer.header("connection"), "close");
    let server = stopping.join().unwrap().restart();
    server.client().ask(&commit("b", &[1])).expect(201);
}

#[test]
fn a_container_never_has_the_name_of_an_account() {
    let server = TestServer::start();
    let refused = server.client().ask(&Ask::put("vault?restype=container"));
    assert_eq!(refused.error(), (409, "ContainerDisabled"));
}

#[test]
fn two_accounts_share_nothing() {
    let server = with_container();
    let mut client = server.client();
    client.ask(&put_blob("b", "data")).expect(201);
    let mut other = Ask::get("box/b");
    other.target = format!("/{}/box/b", support::client::OTHER_ACCOUNT);
    // Signed by the first account's key, in its name.
    assert_eq!(client.ask(&other).error(), (403, "AuthenticationFailed"));
    let mut theirs = other.by(support::client::OTHER_ACCOUNT, support::client::OTHER_KEY);
    assert_eq!(client.ask(&theirs).error(), (404, "ContainerNotFound"));
    theirs.target = "/vault/box/b".to_owned();
    assert_eq!(client.ask(&theirs).error(), (403, "AuthenticationFailed"));
}

#[test]
fn a_container_lease_guards_its_deletion() {
    let server = with_container();
    let mut client = server.client();
    let lease =
        |action: &str| Ask::put("box?restype=container&comp=lease").header("x-ms-lease-action", action);
    let acquired = lease("acquire")
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", LEASE);
    client.ask(&acquired).expect(201);
    client.ask(&put_blob("b", "data")).expect(201);
    assert_eq!(
        client.ask(&Ask::delete("box?restype=container")).error(),
        (412, "LeaseIdMissing")
    );
    client
        .ask(&lease("break").header("x-ms-lease-break-period", "0"))
        .expect(202);
    client.ask(&Ask::delete("box?restype=container")).expect(202);
}

#[test]
fn containers_are_listed() {
    let server = TestServer::start();
    let mut client = server.client();
    for name in ["alpha", "beta", "beton"] {
        client
            .ask(&Ask::put(format!("{name}?restype=container")))
            .expect(201);
    }
    let all = client.ask(&Ask::get("?comp=list")).expect(200);
    assert_eq!(all.text().matches("<Container>").count(), 3);
    let some = client
        .ask(&Ask::get("?comp=list&prefix=bet&maxresults=1"))
        .expect(200);
    assert!(some.text().contains("<Name>beta</Name>") && !some.text().contains("<Name>beton</Name>"));
    let marker = some
        .text()
        .split("<NextMarker>")
        .nth(1)
        .unwrap()
        .split("</NextMarker>")
        .next()
        .unwrap()
        .to_owned();
    let rest = client
        .ask(&Ask::get(format!("?comp=list&prefix=bet&marker={marker}")))
        .expect(200);
    assert!(rest.text().contains("<Name>beton</Name>") && !rest.text().contains("<Name>beta</Name>"));
}
