//! Proof of page and append blobs: from the socket to the listing.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::thread;
use std::time::Duration;

use bak::Verdict;
use bak::writer::sample::{Sample, SampleKind};
use blobstore::BlobKind;
use frontdoor::listing::{Entry, ShownVerdict, ask};

use support::client::{ACCOUNT, Ask, Client};
use support::server::{TestServer, path};
use support::upload::{LEASE, acquire, release, server};

/// Bytes of one Put Page.
const PAGES: usize = 64 * 1024;
const TERABYTE: u64 = 1 << 40;

fn backup() -> Vec<u8> {
    let mut bytes = Sample::default().backup(SampleKind::Full, 1);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// An empty page blob, and its lease.
fn begin(client: &mut Client, name: &str, size: u64) {
    let put = Ask::put(format!("box/{name}")).header("x-ms-blob-type", "PageBlob");
    client
        .ask(&put.header("x-ms-blob-content-length", size.to_string()))
        .expect(201);
    client.ask(&acquire(name)).expect(201);
}

fn put_page(name: &str, at: usize, bytes: &[u8], lease: Option<&str>) -> Ask {
    let range = format!("bytes={at}-{}", at + bytes.len() - 1);
    Ask::put(format!("box/{name}?comp=page"))
        .header("x-ms-page-write", "update")
        .header("x-ms-range", range)
        .body(bytes)
        .lease(lease)
}

/// Writes pages over four connections, each taking every fourth.
fn write(server: &TestServer, name: &str, bytes: &[u8], lease: Option<&str>) {
    thread::scope(|scope| {
        for first in 0..4 {
            let mut client = server.client();
            scope.spawn(move || {
                for (n, pages) in bytes.chunks(PAGES).enumerate().skip(first).step_by(4) {
                    client.ask(&put_page(name, n * PAGES, pages, lease)).expect(201);
                }
            });
        }
    });
}

fn listed(server: &TestServer, name: &str) -> Entry {
    server.wait_for_proof();
    let entries = ask(&server.data()).unwrap().expect("the server answers");
    entries.into_iter().find(|entry| entry.name == name).unwrap()
}

fn verdict(server: &TestServer, name: &str) -> Option<Verdict> {
    match listed(server, name).verdict {
        Some(ShownVerdict::Judged(verdict)) => Some(verdict),
        _ => None,
    }
}

fn is_final(server: &TestServer, name: &str) -> bool {
    let proof = server.store().proof(&path("box", name)).unwrap();
    proof.is_some_and(|proof| proof.is_final)
}

#[test]
fn a_page_blob_of_a_terabyte_is_judged_when_its_lease_ends() {
    let server = server();
    let bytes = backup();
    begin(&mut server.client(), "full.bak", TERABYTE);
    write(&server, "full.bak", &bytes, Some(LEASE));
    assert_eq!(
        verdict(&server, "full.bak"),
        None,
        "pending while it is being written"
    );
    server.client().ask(&release("full.bak")).expect(200);
    let entry = listed(&server, "full.bak");
    assert_eq!(
        (entry.verdict, entry.kind, entry.size),
        (Some(ShownVerdict::Judged(Verdict::Ok)), BlobKind::Page, TERABYTE),
        "{:?}",
        entry.reasons
    );
    assert!(is_final(&server, "full.bak"));
    assert_eq!(
        entry.sets[0].database_name,
        Sample::default().set(SampleKind::Full).database_name
    );
    // The final shrink changes the content's identity and nothing of the verdict.
    let size = bytes.len().next_multiple_of(PAGES);
    let resize =
        Ask::put("box/full.bak?comp=properties").header("x-ms-blob-content-length", size.to_string());
    server.client().ask(&acquire("full.bak")).expect(201);
    server.client().ask(&resize.lease(Some(LEASE))).expect(200);
    assert_eq!(verdict(&server, "full.bak"), None);
    server.client().ask(&release("full.bak")).expect(200);
    assert_eq!(verdict(&server, "full.bak"), Some(Verdict::Ok));
    // Written again, it is another one.
    server
        .client()
        .ask(&put_page("full.bak", PAGES, &[0xee; 512], None))
        .expect(201);
    server.client().ask(&acquire("full.bak")).expect(201);
    server.client().ask(&release("full.bak")).expect(200);
    assert_eq!(verdict(&server, "full.bak"), Some(Verdict::Damaged));
}

#[test]
fn a_copy_of_a_page_blob_is_judged_by_its_pages() {
    let server = server();
    let bytes = backup();
    // Small enough to be copied before the answer, with more holes than pages.
    begin(&mut server.client(), "full.bak", 64 << 20);
    write(&server, "full.bak", &bytes, Some(LEASE));
    server.client().ask(&release("full.bak")).expect(200);
    assert_eq!(verdict(&server, "full.bak"), Some(Verdict::Ok));
    for (name, size) in [("copy.bak", 64u64 << 20), ("large-copy.bak", TERABYTE)] {
        if size > 64 << 20 {
            let resize =
                Ask::put("box/full.bak?comp=properties").header("x-ms-blob-content-length", size.to_string());
            server.client().ask(&resize).expect(200);
        }
        let source = format!("http://localhost/{ACCOUNT}/box/full.bak");
        let copy = Ask::put(format!("box/{name}")).header("x-ms-copy-source", source);
        server.client().ask(&copy).expect(202);
        let copied = (0..6_000).find_map(|_| {
            let head = server.client().ask(&Ask::head(format!("box/{name}"))).expect(200);
            if head.header("x-ms-copy-status") != "pending" {
                return Some(head);
            }
            thread::sleep(Duration::from_millis(50));
            None
        });
        let copied = copied.expect("the copy ends: holes are not copied");
        assert_eq!(copied.header("x-ms-copy-status"), "success");
        let entry = listed(&server, name);
        assert_eq!(
            (entry.verdict, entry.kind, entry.size),
            (Some(ShownVerdict::Judged(Verdict::Ok)), BlobKind::Page, size),
            "{:?}",
            entry.reasons
        );
    }
}

#[test]
fn an_interrupted_backup_is_truncated_once_it_is_quiet_and_finally_when_its_lease_is_broken() {
    let server = server().restart_as(|config| config.proof_quiet = Duration::from_millis(300));
    let bytes = backup();
    begin(&mut server.client(), "half.bak", TERABYTE);
    write(
        &server,
        "half.bak",
        &bytes[..bytes.len() / 2 / 512 * 512],
        Some(LEASE),
    );
    for _ in 0..6_000 {
        if verdict(&server, "half.bak").is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let entry = listed(&server, "half.bak");
    assert_eq!(entry.verdict, Some(ShownVerdict::Judged(Verdict::Truncated)));
    assert!(
        entry.reasons[0].contains("the file ends after"),
        "{:?}",
        entry.reasons
    );
    assert!(!is_final(&server, "half.bak"), "its lease is held still");
    let lease = Ask::put("box/half.bak?comp=lease")
        .header("x-ms-lease-action", "break")
        .header("x-ms-lease-break-period", "0");
    server.client().ask(&lease).expect(202);
    assert_eq!(verdict(&server, "half.bak"), Some(Verdict::Truncated));
    assert!(is_final(&server, "half.bak"));
}

#[test]
fn a_header_that_is_written_last_is_no_damage() {
    let server = server();
    let bytes = backup();
    begin(&mut server.client(), "full.bak", 1 << 30);
    let mut draft = bytes.clone();
    draft[512..4096].fill(0x55);
    write(&server, "full.bak", &draft, Some(LEASE));
    server.wait_for_proof();
    server
        .client()
        .ask(&put_page("full.bak", 0, &bytes[..4096], Some(LEASE)))
        .expect(201);
    server.client().ask(&release("full.bak")).expect(200);
    assert_eq!(verdict(&server, "full.bak"), Some(Verdict::Ok));
}

#[test]
fn a_restart_in_the_middle_is_made_up_for() {
    let server = server();
    let bytes = backup();
    let half = bytes.len() / 2 / PAGES * PAGES;
    begin(&mut server.client(), "full.bak", TERABYTE);
    write(&server, "full.bak", &bytes[..half], Some(LEASE));
    let server = server.restart();
    assert_eq!(
        verdict(&server, "full.bak"),
        Some(Verdict::Truncated),
        "nobody knows that more will come"
    );
    assert!(!is_final(&server, "full.bak"));
    for (n, pages) in bytes[half..].chunks(PAGES).enumerate() {
        let put = put_page("full.bak", half + n * PAGES, pages, Some(LEASE));
        server.client().ask(&put).expect(201);
    }
    assert_eq!(verdict(&server, "full.bak"), None);
    server.client().ask(&release("full.bak")).expect(200);
    assert_eq!(verdict(&server, "full.bak"), Some(Verdict::Ok));
    assert!(is_final(&server, "full.bak"));
}

#[test]
fn what_is_no_backup_and_what_is_overwritten() {
    let server = server();
    let mut client = server.client();
    for name in ["disk.vhd", "nothing", "over.bak"] {
        begin(&mut client, name, 1 << 20);
    }
    client
        .ask(&put_page("disk.vhd", 0, &[0x33; 4096], Some(LEASE)))
        .expect(201);
    write(&server, "over.bak", &backup()[..PAGES], Some(LEASE));
    for name in ["disk.vhd", "nothing", "over.bak"] {
        client.ask(&release(name)).expect(200);
    }
    assert_eq!(listed(&server, "disk.vhd").verdict, None);
    assert_eq!(listed(&server, "nothing").verdict, None);
    assert_eq!(verdict(&server, "over.bak"), Some(Verdict::Truncated));
    let put = Ask::put("box/over.bak").header("x-ms-blob-type", "BlockBlob");
    client.ask(&put.body(backup())).expect(201);
    assert_eq!(verdict(&server, "over.bak"), Some(Verdict::Ok));
    begin(&mut client, "over.bak", 1 << 20);
    client.ask(&release("over.bak")).expect(200);
    assert_eq!(listed(&server, "over.bak").verdict, None);
}

#[test]
fn an_append_blob_is_judged_when_nothing_more_comes() {
    let server = server().restart_as(|config| config.proof_quiet = Duration::from_millis(200));
    let bytes = backup();
    let mut client = server.client();
    client
        .ask(&Ask::put("box/grows.bak").header("x-ms-blob-type", "AppendBlob"))
        .expect(201);
    for part in bytes.chunks(PAGES) {
        client
            .ask(&Ask::put("box/grows.bak?comp=appendblock").body(part))
            .expect(201);
    }
    for _ in 0..6_000 {
        if verdict(&server, "grows.bak") == Some(Verdict::Ok) && is_final(&server, "grows.bak") {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("it is judged: {:?}", listed(&server, "grows.bak"));
}

#[test]
fn a_proved_page_blob_is_sealed() {
    let server = server().restart_as(|config| config.seal_proved = true);
    let mut client = server.client();
    begin(&mut client, "full.bak", TERABYTE);
    write(&server, "full.bak", &backup(), Some(LEASE));
    client.ask(&release("full.bak")).expect(200);
    assert!(listed(&server, "full.bak").sealed);
    let at = "box/full.bak";
    let properties = |name: &str, value: &str| Ask::put(format!("{at}?comp=properties")).header(name, value);
    for ask in [
        put_page("full.bak", 0, &[1; 512], None),
        Ask::put(format!("{at}?comp=page"))
            .header("x-ms-page-write", "clear")
            .header("x-ms-range", "bytes=0-511"),
        properties("x-ms-blob-content-length", "512"),
        properties("x-ms-sequence-number-action", "increment"),
        Ask::put(at)
            .header("x-ms-blob-type", "PageBlob")
            .header("x-ms-blob-content-length", "512"),
        Ask::put(at).header("x-ms-blob-type", "AppendBlob"),
        Ask::put(at).header("x-ms-blob-type", "BlockBlob").body(*b"other"),
        Ask::put(format!("{at}?comp=metadata")),
        Ask::delete(at),
    ] {
        let reply = client.ask(&ask);
        assert_eq!(reply.error(), (409, "BlobImmutableDueToPolicy"), "{ask:?}");
    }
}
