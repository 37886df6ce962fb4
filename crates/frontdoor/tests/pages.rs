//! Page blobs over a real socket: the backup of SQL Server 2012 and 2014, whole and interrupted, and every rule of Put
//! Page that needs the blob.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use azblob::response::PageList;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use support::client::{Ask, Client};
use support::server::TestServer;
use support::upload::server;

const TERABYTE: u64 = 1 << 40;
/// The id of a backup's own lease.
const LEASE: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
/// The restore lease, as SQL Server writes it and as Azure does.
const RESTORE: [&str; 2] = [
    "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2",
    "bac2bac2-bac2-bac2-bac2-bac2bac2bac2",
];

fn create(name: &str, size: u64) -> Ask {
    Ask::put(format!("box/{name}"))
        .header("x-ms-blob-type", "PageBlob")
        .header("x-ms-blob-content-length", size.to_string())
}

fn put_page(name: &str, start: u64, body: &[u8]) -> Ask {
    let last = start + body.len() as u64 - 1;
    Ask::put(format!("box/{name}?comp=page"))
        .header("x-ms-page-write", "update")
        .header("x-ms-range", format!("bytes={start}-{last}"))
        .body(body)
}

fn clear(name: &str, start: u64, last: u64) -> Ask {
    Ask::put(format!("box/{name}?comp=page"))
        .header("x-ms-page-write", "clear")
        .header("x-ms-range", format!("bytes={start}-{last}"))
}

fn lease(name: &str, action: &str) -> Ask {
    Ask::put(format!("box/{name}?comp=lease")).header("x-ms-lease-action", action)
}

fn acquire(name: &str, id: &str) -> Ask {
    lease(name, "Acquire")
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", id)
}

fn read(client: &mut Client, name: &str, start: u64, last: u64) -> Vec<u8> {
    let ask = Ask::get(format!("box/{name}")).header("x-ms-range", format!("bytes={start}-{last}"));
    client.ask(&ask).expect(206).body
}

fn ranges(client: &mut Client, name: &str) -> Vec<(u64, u64)> {
    let reply = client
        .ask(&Ask::get(format!("box/{name}?comp=pagelist")))
        .expect(200);
    let list = PageList::parse(&reply.body).unwrap();
    list.ranges
        .iter()
        .map(|(range, _)| (range.start(), range.end()))
        .collect()
}

#[test]
fn the_interrupted_backup_of_2012() {
    let server = server();
    {
        let mut sql = server.client();
        sql.ask(&create("db.bak", TERABYTE)).expect(201);
        sql.ask(&acquire("db.bak", LEASE)).expect(201);
        for n in 0..4 {
            let page = put_page("db.bak", n << 20, &vec![n as u8 + 1; 1 << 20]);
            sql.ask(&page.lease(Some(LEASE))).expect(201);
        }
        // The network goes in the middle of a page.
        let cut = put_page("db.bak", 4 << 20, &vec![9; 1 << 20]).lease(Some(LEASE));
        let mut half = cut.announce(1 << 20);
        half.body.truncate(300_000);
        sql.write(&half).unwrap();
    }
    // And the vault is restarted before anybody looks.
    let server = server.restart();
    let mut dba = server.client();
    let head = dba.ask(&Ask::head("box/db.bak")).expect(200);
    let told = [
        "content-length",
        "x-ms-blob-type",
        "x-ms-lease-status",
        "x-ms-lease-state",
        "x-ms-lease-duration",
    ];
    assert_eq!(
        told.map(|name| head.header(name).to_owned()),
        ["1099511627776", "PageBlob", "locked", "leased", "infinite"]
    );
    let listed = dba.ask(&Ask::get("box?restype=container&comp=list")).expect(200);
    for part in [
        "<BlobType>PageBlob</BlobType>",
        "<Content-Length>1099511627776</Content-Length>",
        "<LeaseDuration>infinite</LeaseDuration>",
        "<x-ms-blob-sequence-number>0</x-ms-blob-sequence-number>",
    ] {
        assert!(listed.text().contains(part), "{part}: {}", listed.text());
    }
    // Nobody overwrites or deletes it; SQL Server prints this very sentence as message 3202.
    for refused in [
        create("db.bak", TERABYTE),
        Ask::put("box/db.bak").header("x-ms-blob-type", "BlockBlob"),
        put_page("db.bak", 0, &[0; 512]),
        Ask::delete("box/db.bak"),
        Ask::put("box/db.bak?comp=properties").header("x-ms-blob-content-length", "512"),
    ] {
        let reply = dba.ask(&refused);
        assert_eq!(reply.error(), (412, "LeaseIdMissing"), "{refused:?}");
        assert!(reply.text().contains(
            "There is currently a lease on the blob and no lease ID was specified in the request."
        ));
    }
    let other = put_page("db.bak", 0, &[0; 512]).lease(Some(RESTORE[0]));
    assert_eq!(dba.ask(&other).error(), (412, "LeaseIdMismatchWithBlobOperation"));
    // It is no restore that holds it.
    for id in RESTORE {
        assert_eq!(
            dba.ask(&acquire("db.bak", id)).error(),
            (409, "LeaseAlreadyPresent"),
            "{id}"
        );
    }
    assert_eq!(
        read(&mut dba, "db.bak", (3 << 20) - 2, (3 << 20) + 1),
        [3, 3, 4, 4]
    );
    assert_eq!(
        read(&mut dba, "db.bak", TERABYTE - 512, TERABYTE),
        [0; 512],
        "the rest was never written"
    );
    assert_eq!(
        ranges(&mut dba, "db.bak"),
        [(0, 4 << 20)],
        "the page that was cut off is not there"
    );
    let broken = dba
        .ask(&lease("db.bak", "break").header("x-ms-lease-break-period", "0"))
        .expect(202);
    assert_eq!(broken.header("x-ms-lease-time"), "0");
    assert_eq!(
        dba.ask(&Ask::head("box/db.bak")).header("x-ms-lease-state"),
        "broken"
    );
    dba.ask(&Ask::delete("box/db.bak")).expect(202);
    assert_eq!(dba.ask(&Ask::head("box/db.bak")).status, 404);
}

#[test]
fn a_restore_that_was_killed_blocks_no_restore() {
    let server = server();
    let mut sql = server.client();
    sql.ask(&create("db.bak", 1 << 20)).expect(201);
    sql.ask(&acquire("db.bak", RESTORE[0])).expect(201);
    drop(sql);
    let mut sql = server.client();
    assert_eq!(
        sql.ask(&create("db.bak", 1 << 20)).error(),
        (412, "LeaseIdMissing")
    );
    let again = sql.ask(&acquire("db.bak", RESTORE[0])).expect(201);
    assert_eq!(again.header("x-ms-lease-id"), RESTORE[1]);
    let held = Ask::get("box/db.bak")
        .header("x-ms-range", "bytes=0-65535")
        .lease(Some(RESTORE[0]));
    assert_eq!(sql.ask(&held).expect(206).body, vec![0; 65_536]);
    sql.ask(&lease("db.bak", "Release").lease(Some(RESTORE[0])))
        .expect(200);
    sql.ask(&create("db.bak", 1 << 20)).expect(201);
}

#[test]
fn a_whole_backup_of_2012() {
    let server = server();
    let mut sql = server.client();
    assert_eq!(sql.ask(&Ask::head("box/db.bak")).status, 404);
    sql.ask(&create("db.bak", TERABYTE).header("x-ms-blob-sequence-number", "3"))
        .expect(201);
    sql.ask(&acquire("db.bak", LEASE)).expect(201);
    let bytes: Vec<u8> = (0..3_u32 << 20).map(|n| (n / 512 % 251) as u8).collect();
    // Several in flight, in no order.
    std::thread::scope(|scope| {
        for first in [3, 0, 2, 1] {
            let (bytes, mut client) = (&bytes, server.client());
            scope.spawn(move || {
                for (n, part) in bytes.chunks(65_536).enumerate().skip(first).step_by(4) {
                    let reply = client.ask(&put_page("db.bak", n as u64 * 65_536, part).lease(Some(LEASE)));
                    assert_eq!(reply.expect(201).header("x-ms-blob-sequence-number"), "3");
                }
            });
        }
    });
    let cut = Ask::put("box/db.bak?comp=properties")
        .header("x-ms-blob-content-length", bytes.len().to_string())
        .lease(Some(LEASE));
    assert_eq!(sql.ask(&cut).expect(200).header("x-ms-blob-sequence-number"), "3");
    sql.ask(
        &Ask::put("box/db.bak?comp=metadata")
            .header("x-ms-meta-done", "1")
            .lease(Some(LEASE)),
    )
    .expect(200);
    sql.ask(&lease("db.bak", "release").lease(Some(LEASE)))
        .expect(200);
    let got = sql.ask(&Ask::get("box/db.bak")).expect(200);
    assert!(got.body == bytes && got.header("x-ms-meta-done") == "1");
    let server = server.restart();
    assert!(server.client().ask(&Ask::get("box/db.bak")).expect(200).body == bytes);
}

#[test]
fn pages_are_written_over_cleared_and_listed() {
    let server = server();
    let mut client = server.client();
    client.ask(&create("p", 10_240)).expect(201);
    let first = client.ask(&put_page("p", 0, &[1; 2048])).expect(201);
    let second = client.ask(&put_page("p", 1024, &[2; 512])).expect(201);
    assert_ne!(
        first.header("etag"),
        second.header("etag"),
        "every write has a tag of its own"
    );
    client.ask(&put_page("p", 8192, &[3; 512])).expect(201);
    assert_eq!(ranges(&mut client, "p"), [(0, 2048), (8192, 8704)]);
    assert_eq!(
        read(&mut client, "p", 1022, 1537),
        [vec![1, 1], vec![2; 512], vec![1, 1]].concat()
    );
    client.ask(&clear("p", 512, 1023)).expect(201);
    client.ask(&clear("p", 8192, 8703)).expect(201);
    assert_eq!(ranges(&mut client, "p"), [(0, 512), (1024, 2048)]);
    let mut list = |query: &str, range: &str| {
        let ask = Ask::get(format!("box/p?comp=pagelist{query}")).header("x-ms-range", range);
        client.ask(&ask)
    };
    let parsed = PageList::parse(&list("&maxresults=1", "bytes=0-").expect(200).body).unwrap();
    assert_eq!((parsed.ranges.len(), parsed.ranges[0].0.end()), (1, 512));
    let marker = parsed.next.unwrap().to_wire();
    let rest = list(&format!("&maxresults=1&marker={marker}"), "bytes=0-").expect(200);
    assert_eq!(rest.header("x-ms-blob-content-length"), "10240");
    let rest = PageList::parse(&rest.body).unwrap();
    assert_eq!((rest.ranges[0].0.start(), rest.next), (1024, None));
    let part = PageList::parse(&list("", "bytes=1536-1600").expect(200).body).unwrap();
    assert_eq!(
        (part.ranges[0].0.start(), part.ranges[0].0.end()),
        (1536, 2048),
        "whole pages"
    );
    assert_eq!(list("", "bytes=10240-").error(), (416, "InvalidRange"));
    assert_eq!(
        list("&prevsnapshot=2021-01-01T00:00:00.0000000Z", "bytes=0-").error(),
        (400, "UnsupportedQueryParameter")
    );
    client.ask(&clear("p", 0, 10_239)).expect(201);
    assert_eq!(ranges(&mut client, "p"), []);
    let old = client
        .ask(&Ask::get("box/p?comp=pagelist").header("x-ms-version", "2014-02-14"))
        .expect(200);
    assert!(!old.text().contains("NextMarker"), "{}", old.text());
}

#[test]
fn pages_beyond_the_end_and_other_blobs_are_refused() {
    let server = server();
    let mut client = server.client();
    assert_eq!(
        client.ask(&put_page("none", 0, &[1; 512])).error(),
        (404, "BlobNotFound")
    );
    client.ask(&create("p", 1024)).expect(201);
    assert_eq!(
        client.ask(&put_page("p", 1024, &[1; 512])).error(),
        (416, "InvalidPageRange")
    );
    assert_eq!(
        client.ask(&put_page("p", 512, &[1; 1024])).error(),
        (416, "InvalidPageRange")
    );
    assert_eq!(
        client.ask(&clear("p", 0, 2047)).error(),
        (416, "InvalidPageRange")
    );
    client
        .ask(
            &Ask::put("box/b")
                .header("x-ms-blob-type", "BlockBlob")
                .body("data"),
        )
        .expect(201);
    assert_eq!(
        client.ask(&put_page("b", 0, &[1; 512])).error(),
        (409, "InvalidBlobType")
    );
    assert_eq!(
        client.ask(&Ask::get("box/b?comp=pagelist")).error(),
        (409, "InvalidBlobType")
    );
    let resize = Ask::put("box/b?comp=properties").header("x-ms-blob-content-length", "512");
    assert_eq!(client.ask(&resize).error(), (409, "InvalidBlobType"));
    let block = Ask::put("box/p?comp=block&blockid=QUFB").body("x");
    assert_eq!(client.ask(&block).error(), (409, "InvalidBlobType"));
    let list = "<BlockList></BlockList>";
    assert_eq!(
        client.ask(&Ask::put("box/p?comp=blocklist").body(list)).error(),
        (409, "InvalidBlobType")
    );
    assert_eq!(
        client.ask(&Ask::get("box/p?comp=blocklist")).error(),
        (409, "InvalidBlobType")
    );
}

#[test]
fn checksums_of_pages() {
    let server = server();
    let mut client = server.client();
    client.ask(&create("p", 4096)).expect(201);
    let page = [0x5a; 512];
    let crc = crc(&page);
    // Always told from 2019-02-02 on; never before.
    let plain = client.ask(&put_page("p", 0, &page)).expect(201);
    assert_eq!(
        (plain.header("x-ms-content-crc64"), plain.header("content-md5")),
        (crc.as_str(), "")
    );
    let old = client
        .ask(&put_page("p", 0, &page).header("x-ms-version", "2018-11-09"))
        .expect(201);
    assert_eq!(old.header("x-ms-content-crc64"), "");
    // `head -c 512 /dev/zero | tr '\0' 'Z' | openssl md5 -binary | base64`
    let md5 = "4zsnQ6NEmbezvYedZBkCyQ==";
    let summed = client.ask(&put_page("p", 0, &page).header("content-md5", md5));
    let refused = put_page("p", 512, &page).header("x-ms-content-crc64", STANDARD.encode([1; 8]));
    assert_eq!(client.ask(&refused).error(), (400, "Crc64Mismatch"));
    assert_eq!(summed.expect(201).header("x-ms-content-crc64"), crc);
    let both = put_page("p", 512, &page)
        .header("x-ms-content-crc64", &crc)
        .header("content-md5", md5);
    assert_eq!(client.ask(&both).error().0, 400);
    assert_eq!(
        ranges(&mut client, "p"),
        [(0, 512)],
        "what did not match is not stored"
    );
}

/// CRC-64/NVME bit by bit, from the polynomial alone.
fn crc(bytes: &[u8]) -> String {
    let mut crc = u64::MAX;
    for byte in bytes {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x9A6C_9329_AC4B_C9B5
            } else {
                crc >> 1
            };
        }
    }
    STANDARD.encode((!crc).to_le_bytes())
}

#[test]
fn sequence_numbers() {
    let server = server();
    let mut client = server.client();
    client
        .ask(&create("p", 1024).header("x-ms-blob-sequence-number", "7"))
        .expect(201);
    let mut write = |name: &str, number: &str| {
        let reply = client.ask(&put_page("p", 0, &[1; 512]).header(name, number));
        (reply.status, reply.header("x-ms-error-code").to_owned())
    };
    let (met, not_met) = (
        (201, String::new()),
        (412, "SequenceNumberConditionNotMet".to_owned()),
    );
    assert_eq!(write("x-ms-if-sequence-number-le", "7"), met);
    assert_eq!(write("x-ms-if-sequence-number-le", "6"), not_met);
    assert_eq!(write("x-ms-if-sequence-number-lt", "8"), met);
    assert_eq!(write("x-ms-if-sequence-number-lt", "7"), not_met);
    assert_eq!(write("x-ms-if-sequence-number-eq", "7"), met);
    assert_eq!(write("x-ms-if-sequence-number-eq", "8"), not_met);
    let mut set = |action: &str, number: &str| {
        let mut ask = Ask::put("box/p?comp=properties").header("x-ms-sequence-number-action", action);
        if !number.is_empty() {
            ask = ask.header("x-ms-blob-sequence-number", number);
        }
        let reply = client.ask(&ask);
        (reply.status, reply.header("x-ms-blob-sequence-number").to_owned())
    };
    assert_eq!(set("max", "5"), (200, "7".to_owned()));
    assert_eq!(set("update", "5"), (200, "5".to_owned()));
    assert_eq!(set("increment", ""), (200, "6".to_owned()));
    assert_eq!(set("update", "9223372036854775807").0, 200);
    assert_eq!(set("increment", "").0, 409);
    assert_eq!(
        client
            .ask(&Ask::head("box/p"))
            .header("x-ms-blob-sequence-number"),
        "9223372036854775807"
    );
}

#[test]
fn conditions_guard_pages() {
    let server = server();
    let mut client = server.client();
    let made = client
        .ask(&create("p", 1024).header("if-none-match", "*"))
        .expect(201);
    assert_eq!(
        client
            .ask(&create("p", 1024).header("if-none-match", "*"))
            .error(),
        (409, "BlobAlreadyExists")
    );
    let etag = made.header("etag").to_owned();
    client
        .ask(&put_page("p", 0, &[1; 512]).header("if-match", &etag))
        .expect(201);
    assert_eq!(
        client
            .ask(&put_page("p", 0, &[1; 512]).header("if-match", &etag))
            .error(),
        (412, "ConditionNotMet")
    );
    assert_eq!(
        client.ask(&clear("p", 0, 511).header("if-match", &etag)).error(),
        (412, "ConditionNotMet")
    );
    let list = Ask::get("box/p?comp=pagelist");
    assert_eq!(
        client.ask(&list.clone().header("if-match", &etag)).error(),
        (412, "ConditionNotMet")
    );
    let now = client.ask(&Ask::head("box/p")).header("etag").to_owned();
    assert_eq!(client.ask(&list.header("if-none-match", now)).status, 304);
}

#[test]
fn a_blob_changes_its_kind_only_as_a_whole() {
    let server = TestServer::start();
    let mut client = server.client();
    client.ask(&Ask::put("box?restype=container")).expect(201);
    client
        .ask(
            &Ask::put("box/x")
                .header("x-ms-blob-type", "BlockBlob")
                .body("data"),
        )
        .expect(201);
    client.ask(&create("x", 512)).expect(201);
    assert_eq!(client.ask(&Ask::get("box/x")).expect(200).body, [0; 512]);
    client
        .ask(&Ask::put("box/x").header("x-ms-blob-type", "AppendBlob"))
        .expect(201);
    assert_eq!(
        client.ask(&Ask::head("box/x")).header("x-ms-blob-type"),
        "AppendBlob"
    );
    client
        .ask(
            &Ask::put("box/x")
                .header("x-ms-blob-type", "BlockBlob")
                .body("data"),
        )
        .expect(201);
    assert_eq!(client.ask(&Ask::get("box/x")).expect(200).text(), "data");
}
