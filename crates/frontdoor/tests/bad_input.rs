//! Requests that no sound client sends: each gets the right refusal, quickly, and the connection or the server goes on.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use azblob::time::UnixMillis;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobstore::disk::simulated::SimulatedDisk;
use blobstore::{Clock, Options, Store, SystemClock};
use http::Method;
use tokio::runtime::Runtime;

use support::client::{Ask, Client, Reply};
use support::server::{TestServer, start_on};
use support::upload::server;

const LEASE: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

fn put_block(id: &[u8], body: &str) -> Ask {
    let id = STANDARD
        .encode(id)
        .replace('=', "%3D")
        .replace('+', "%2B")
        .replace('/', "%2F");
    Ask::put(format!("box/b?comp=block&blockid={id}")).body(body)
}

fn commit(client: &mut Client, list: &str) -> (u16, String) {
    let reply = client.ask(&Ask::put("box/b?comp=blocklist").body(list));
    (reply.status, reply.header("x-ms-error-code").to_owned())
}

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn ids_of_blocks() {
    let server = server();
    let mut client = server.client();
    client.ask(&put_block(b"A0", "one")).expect(201);
    // All ids of a blob have one length.
    assert_eq!(
        client.ask(&put_block(b"A00", "two")).error(),
        (400, "InvalidBlobOrBlock")
    );
    client.ask(&put_block(&[0xff, 0xfe], "any bytes")).expect(201);
    client
        .ask(&put_block(b"A0", "again: the last one counts"))
        .expect(201);
    for bad in ["", "!!", "QQ", &STANDARD.encode([7; 65]).replace('=', "%3D")] {
        let reply = client.ask(&Ask::put(format!("box/b?comp=block&blockid={bad}")).body("x"));
        assert_eq!(reply.status, 400, "{bad}: {reply:?}");
    }
    let named = format!(
        "<BlockList><Latest>{}</Latest></BlockList>",
        STANDARD.encode("A0")
    );
    assert_eq!(commit(&mut client, &named).0, 201);
    assert_eq!(
        client.ask(&Ask::get("box/b")).text(),
        "again: the last one counts"
    );
    // Other blobs are free to have ids of another length.
    let other = Ask::put(format!("box/c?comp=block&blockid={}", STANDARD.encode("A00000")));
    client.ask(&other.body("x")).expect(201);
}

#[test]
fn lists_of_blocks() {
    let server = server();
    let mut client = server.client();
    client.ask(&put_block(b"A0", "x")).expect(201);
    let entry = format!("<Latest>{}</Latest>", STANDARD.encode("A0"));
    let list =
        |entries: &str| format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{entries}</BlockList>");
    assert_eq!(
        commit(&mut client, &list(&entry.repeat(50_001))),
        refusal(400, "BlockListTooLong")
    );
    let invalid = refusal(400, "InvalidXmlDocument");
    for bad in [
        "",
        "no xml",
        "<BlockList>",
        "<BlockList></BlocksList>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><BlockList/>",
        "<BlockList/><BlockList/>",
        "<Other/>",
        &"<a>".repeat(5_000),
        "<BlockList><Latest>&amp</Latest></BlockList>",
    ] {
        assert_eq!(commit(&mut client, bad), invalid, "{bad:.60}");
    }
    let latin = Ask::put("box/b?comp=blocklist").body(b"<BlockList>\xff\xfe</BlockList>".to_vec());
    assert_eq!(client.ask(&latin).error(), (400, "InvalidXmlDocument"));
    let odd: Vec<u8> = list(&entry)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .chain([b'x'])
        .collect();
    assert_eq!(
        client.ask(&Ask::put("box/b?comp=blocklist").body(odd)).error(),
        (400, "InvalidXmlDocument")
    );
    assert_eq!(
        commit(&mut client, &list("<Committed>QTA=</Committed>")),
        refusal(400, "InvalidBlockList")
    );
    assert_eq!(
        client.ask(&Ask::head("box/b")).status,
        404,
        "nothing of it was committed"
    );
    // The most that fits: the same block, fifty thousand times.
    assert_eq!(commit(&mut client, &list(&entry.repeat(50_000))).0, 201);
    assert_eq!(client.ask(&Ask::head("box/b")).header("content-length"), "50000");
}

#[test]
fn names_and_addresses() {
    let server = server();
    let mut client = server.client();
    let create = |name: &str| Ask::put(format!("{name}?restype=container"));
    for (name, code) in [
        ("ab", "OutOfRangeInput"),
        (&*"x".repeat(64), "OutOfRangeInput"),
        ("Box", "InvalidResourceName"),
        ("a--b", "InvalidResourceName"),
        ("-ab", "InvalidResourceName"),
    ] {
        let reply = client.ask(&create(name));
        assert_eq!(reply.status, 400, "{name} {code}: {reply:?}");
    }
    for path in [
        "box/%ff",
        "box/%00",
        "%20/b",
        &format!("box/{}", "x".repeat(1_025)),
    ] {
        let reply = client.ask(&Ask::put(path).header("x-ms-blob-type", "BlockBlob"));
        assert_eq!(reply.status, 400, "{path:.40}: {reply:?}");
    }
    let long = format!("box/{}", "x".repeat(1_024));
    client
        .ask(&Ask::put(&long).header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    client.ask(&Ask::head(&long)).expect(200);
}

#[test]
fn verbs_and_operations_that_are_none() {
    let server = server();
    let mut client = server.client();
    client
        .ask(
            &Ask::put("box/b")
                .header("x-ms-blob-type", "BlockBlob")
                .body("data"),
        )
        .expect(201);
    for method in ["PATCH", "TRACE", "FOO", "MERGE", "POST"] {
        let reply = client.ask(&Ask::new(method.parse().unwrap(), "box/b"));
        assert_eq!(reply.error(), (405, "UnsupportedHttpVerb"), "{method}");
    }
    // Each of these exists at Azure and not here, and says so.
    for (method, target) in [
        (Method::PUT, "box/b?comp=undelete"),
        (Method::PUT, "box/b?comp=expiry"),
        (Method::PUT, "box/b?comp=immutabilityPolicies"),
        (Method::DELETE, "box/b?comp=immutabilityPolicies"),
        (Method::PUT, "box/b?comp=legalhold"),
        (Method::PUT, "box/b?comp=incrementalcopy"),
        (Method::POST, "box/b?comp=query"),
        (Method::PUT, "box?restype=container&comp=undelete"),
        (Method::PUT, "box?restype=container&comp=rename"),
        (Method::POST, "?restype=service&comp=userdelegationkey"),
    ] {
        let reply = client.ask(&Ask::new(method.clone(), target));
        assert_eq!(reply.error(), (501, "NotImplemented"), "{method} {target}");
        assert!(
            reply.text().contains("is not offered by this server."),
            "{}",
            reply.text()
        );
    }
    for target in [
        "box/b?comp=nonsense",
        "box?restype=container&comp=nonsense",
        "box/b?restype=nonsense",
    ] {
        assert_eq!(
            client.ask(&Ask::put(target)).error(),
            (400, "InvalidQueryParameterValue"),
            "{target}"
        );
    }
    // Asked for and not kept would be a lie.
    for (name, value) in [
        ("x-ms-encryption-key", "AAAA"),
        ("x-ms-encryption-scope", "s"),
        ("x-ms-structured-body", "XSM/1.0; properties=crc64"),
        ("x-ms-access-tier", "Archive"),
        ("x-ms-immutability-policy-mode", "Locked"),
        ("x-ms-legal-hold", "true"),
    ] {
        let put = Ask::put("box/c")
            .header("x-ms-blob-type", "BlockBlob")
            .header(name, value);
        let reply = client.ask(&put);
        assert!(
            (400..502).contains(&reply.status) && reply.status != 500,
            "{name}: {reply:?}"
        );
    }
    assert_eq!(client.ask(&Ask::head("box/c")).status, 404);
    assert_eq!(client.ask(&Ask::get("box/b")).expect(200).text(), "data");
}

#[test]
fn headers_that_do_not_fit() {
    let server = server();
    let mut client = server.client();
    let put = || Ask::put("box/b").header("x-ms-blob-type", "BlockBlob");
    let large = put().header("x-ms-meta-a", "x".repeat(8_192));
    assert_eq!(client.ask(&large).error(), (400, "MetadataTooLarge"));
    assert_eq!(
        client.ask(&put().header("x-ms-meta-", "x")).error(),
        (400, "EmptyMetadataKey")
    );
    for (name, value, code) in [
        ("if-modified-since", "yesterday", "InvalidHeaderValue"),
        ("content-md5", "AAAA", "InvalidMd5"),
        ("x-ms-blob-content-md5", "*", "InvalidMd5"),
        ("x-ms-content-crc64", "AAAA", "InvalidCrc64"),
        ("x-ms-lease-id", "not-a-guid", "InvalidHeaderValue"),
        ("x-ms-blob-type", "RoundBlob", "InvalidHeaderValue"),
    ] {
        let mut ask = put();
        ask.headers.retain(|(had, _)| had != name);
        assert_eq!(
            client.ask(&ask.header(name, value)).error(),
            (400, code),
            "{name}"
        );
    }
    let both = put()
        .header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")
        .header("x-ms-content-crc64", "AAAAAAAAAAA=");
    assert_eq!(client.ask(&both).error(), (400, "InvalidInput"));
    let pair = put().header("if-match", "\"a\"").header("if-none-match", "\"b\"");
    assert_eq!(
        client.ask(&pair).error(),
        (400, "MultipleConditionHeadersNotSupported")
    );
    let of_container = Ask::delete("box?restype=container").header("if-match", "\"a\"");
    assert_eq!(
        client.ask(&of_container).error(),
        (400, "ConditionHeadersNotSupported")
    );
    assert_eq!(client.ask(&Ask::head("box/b")).status, 404);
    // More than any head of the protocol: let go, before it is held in memory.
    let mut other = server.client();
    let head = format!(
        "GET /vault/box HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n\r\n",
        "y".repeat(200_000)
    );
    let _cut_off = other.write_raw(head.as_bytes());
    if let Ok(reply) = other.read(false) {
        assert_eq!(reply.status, 431);
    }
    let mut other = server.client();
    let many: String = (0..500).map(|n| format!("x-{n}: 1\r\n")).collect();
    let _cut_off = other.write_raw(format!("GET /vault/box HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes());
    if let Ok(reply) = other.read(false) {
        assert_eq!(reply.status, 431);
    }
}

#[test]
fn lengths_that_are_none() {
    let server = server();
    let raw = |head: &str| {
        let mut client = server.client();
        client.write_raw(head.as_bytes()).unwrap();
        client.stop_sending();
        client.read(false).map_or(0, |reply| reply.status)
    };
    for length in ["-1", "1e3", "x", "99999999999999999999999"] {
        let head = format!(
            "PUT /vault/box/b HTTP/1.1\r\nhost: x\r\nx-ms-blob-type: BlockBlob\r\ncontent-length: {length}\r\n\r\n"
        );
        assert!([0, 400].contains(&raw(&head)), "{length}");
    }
    let twice = "PUT /vault/box/b HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx";
    assert!([0, 400].contains(&raw(twice)));
    // Every body must announce its length; a signed request without one is told so.
    let mut ask = Ask::put("box/b")
        .header("x-ms-blob-type", "BlockBlob")
        .header("transfer-encoding", "chunked");
    ask.body = b"3\r\nabc\r\n0\r\n\r\n".to_vec();
    ask.chunked = true;
    assert_eq!(
        server.client().ask(&ask).error(),
        (411, "MissingContentLengthHeader")
    );
    assert_eq!(server.client().ask(&Ask::head("box/b")).status, 404);
    let absurd = [
        ("box/p?comp=page", 1 << 62),
        ("box/a?comp=appendblock", 1 << 50),
        ("box/b?comp=blocklist", 1 << 40),
        ("?restype=service&comp=properties", 1 << 40),
        ("box?restype=container&comp=acl", 1 << 40),
    ];
    for (target, length) in absurd {
        let mut client = server.client();
        let ask = Ask::put(target)
            .header("x-ms-page-write", "update")
            .header("x-ms-range", "bytes=0-511");
        client.write(&ask.announce(length)).unwrap();
        client.stop_sending();
        assert_eq!(
            client.read(false).unwrap().error(),
            (413, "RequestBodyTooLarge"),
            "{target}"
        );
    }
}

#[test]
fn ranges_of_reads() {
    let server = server();
    let mut client = server.client();
    client
        .ask(
            &Ask::put("box/b")
                .header("x-ms-blob-type", "BlockBlob")
                .body("0123456789"),
        )
        .expect(201);
    client
        .ask(&Ask::put("box/empty").header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    let mut get = |name: &str, headers: &[(&str, &str)]| {
        let mut ask = Ask::get(format!("box/{name}"));
        for (header, value) in headers {
            ask = ask.header(header, *value);
        }
        client.ask(&ask)
    };
    let range = |text| ("x-ms-range", text);
    assert_eq!(get("b", &[range("bytes=10-10")]).error(), (416, "InvalidRange"));
    assert_eq!(
        get("b", &[range("bytes=18446744073709551615-")]).error(),
        (416, "InvalidRange")
    );
    assert_eq!(get("empty", &[range("bytes=0-0")]).error(), (416, "InvalidRange"));
    assert_eq!(
        get("b", &[range("bytes=9-18446744073709551615")])
            .expect(206)
            .text(),
        "9"
    );
    for none in [
        "bytes=5-4",
        "bytes=-3",
        "bytes=a-b",
        "bytes=0-1,3-4",
        "bytes=99999999999999999999-",
        "x",
    ] {
        assert_eq!(get("b", &[range(none)]).expect(200).body.len(), 10, "{none}");
    }
    // `printf 234 | openssl md5 -binary | base64`
    let summed = get("b", &[range("bytes=2-4"), ("x-ms-range-get-content-md5", "true")]).expect(206);
    assert_eq!(summed.header("content-md5"), "KJ3/B2adeiPeDviNL3Ep5w==");
    let crc = get(
        "b",
        &[range("bytes=1-9"), ("x-ms-range-get-content-crc64", "true")],
    )
    .expect(206);
    // The catalogue's check value of CRC-64/NVME, over "123456789".
    assert_eq!(
        crc.header("x-ms-content-crc64"),
        STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_le_bytes())
    );
    assert_eq!(get("b", &[("x-ms-range-get-content-md5", "true")]).status, 400);
    assert_eq!(
        get(
            "b",
            &[range("bytes=1-9"), ("x-ms-range-get-content-md5", "maybe")]
        )
        .status,
        400
    );
    let star = get("b", &[("if-none-match", "*")]);
    assert_eq!(star.error(), (400, "UnsatisfiableCondition"));
    let old = get("b", &[("if-none-match", "*"), ("x-ms-version", "2015-12-11")]);
    assert_eq!(
        old.expect(200).text(),
        "0123456789",
        "before 2016-05-31 it was no condition of a read"
    );
    client
        .ask(&Ask::put("box/large?comp=block&blockid=QUFB").body(vec![1; 5 << 20]))
        .expect(201);
    let list = "<BlockList><Latest>QUFB</Latest></BlockList>";
    client
        .ask(&Ask::put("box/large?comp=blocklist").body(list))
        .expect(201);
    let over = Ask::get("box/large")
        .header("x-ms-range", "bytes=0-4194304")
        .header("x-ms-range-get-content-md5", "true");
    assert_eq!(client.ask(&over).status, 400, "at most 4 MiB");
}

/// A clock that can be set.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(SystemClock.now().0 + self.0.load(Ordering::Relaxed))
    }

    fn random(&self) -> u128 {
        SystemClock.random()
    }
}

#[test]
fn a_clock_moved_by_hours() {
    const HOUR: i64 = 3_600_000;
    let runtime = Runtime::new().unwrap();
    let control = tempfile::tempdir().unwrap();
    let clock = Arc::new(SetClock(AtomicI64::new(0)));
    let disk = SimulatedDisk::new(1, 64 << 20);
    let options = Options {
        reserve_bytes: 1 << 20,
        ..Options::new("/data")
    };
    let store = Store::open(Arc::new(disk), Arc::clone(&clock) as Arc<dyn Clock>, &options).unwrap();
    let started = runtime.block_on(start_on(Arc::new(store), control.path()));
    let mut client = Client::connect(started.address).unwrap();
    let set = |hours: i64| clock.0.store(hours * HOUR, Ordering::Relaxed);
    client.ask(&Ask::put("box?restype=container")).expect(201);
    let put = |name: &str| {
        Ask::put(format!("box/{name}"))
            .header("x-ms-blob-type", "BlockBlob")
            .body("data")
    };
    let acquire = |name: &str, seconds: &str| {
        Ask::put(format!("box/{name}?comp=lease"))
            .header("x-ms-lease-action", "acquire")
            .header("x-ms-lease-duration", seconds)
            .header("x-ms-proposed-lease-id", LEASE)
    };
    let state = |client: &mut Client, name: &str| {
        let head: Reply = client.ask(&Ask::head(format!("box/{name}"))).expect(200);
        head.header("x-ms-lease-state").to_owned()
    };
    for (name, seconds) in [("infinite", "-1"), ("fixed", "60")] {
        client.ask(&put(name)).expect(201);
        client.ask(&acquire(name, seconds)).expect(201);
    }
    // Forward: what has a term runs out, what has none does not.
    set(5);
    assert_eq!(
        (state(&mut client, "infinite"), state(&mut client, "fixed")),
        ("leased".into(), "expired".into())
    );
    assert_eq!(client.ask(&put("infinite")).error(), (412, "LeaseIdMissing"));
    // Renewed there, and the clock set back: held all the same, and still whoever breaks it waits no longer than its term.
    let renew = Ask::put("box/fixed?comp=lease")
        .header("x-ms-lease-action", "renew")
        .lease(Some(LEASE));
    client.ask(&renew).expect(200);
    set(-5);
    assert_eq!(state(&mut client, "fixed"), "leased");
    assert_eq!(client.ask(&put("fixed")).error(), (412, "LeaseIdMissing"));
    client.ask(&put("fixed").lease(Some(LEASE))).expect(201);
    let broken = client
        .ask(&Ask::put("box/fixed?comp=lease").header("x-ms-lease-action", "break"))
        .expect(202);
    assert_eq!(broken.header("x-ms-lease-time"), "60");
    // Data is none of the clock's business: blocks come and are committed, tags never repeat.
    let mut tags = Vec::new();
    for hours in [-5, 7, -9, 0] {
        set(hours);
        client
            .ask(&Ask::put("box/new?comp=block&blockid=QUFB").body("block"))
            .expect(201);
        let list = "<BlockList><Latest>QUFB</Latest></BlockList>";
        let done = client
            .ask(&Ask::put("box/new?comp=blocklist").body(list))
            .expect(201);
        tags.push(done.header("etag").to_owned());
        assert_eq!(client.ask(&Ask::get("box/new")).text(), "block");
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4);
}

#[test]
fn the_server_outlives_all_of_it() {
    let server = TestServer::start();
    // Not HTTP at all, and clients that leave at every moment.
    for noise in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"\0\0\0\0",
        b"GET\r\n\r\n",
        b"PUT /vault/box HTTP/1.1\r\n",
        b"\r\n\r\n\r\n",
    ] {
        let mut client = server.client();
        let _gone = client.write_raw(noise);
        drop(client);
    }
    server
        .client()
        .ask(&Ask::put("box?restype=container"))
        .expect(201);
}
