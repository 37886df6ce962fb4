//! Seals, from the socket: what a sealed blob refuses, what still works on it, and who seals.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use bak::Verdict;
use bak::writer::sample::{Sample, SampleKind};
use blobstore::{Permit, Sealed};
use frontdoor::sealing::{Deed, Status, Wish, ask};

use support::client::Ask;
use support::server::{TestServer, path};
use support::upload::{BLOCK, LEASE, acquire, begin, commit, put_block, release, send, server, upload};

fn backup() -> Vec<u8> {
    Sample::default().backup(SampleKind::Full, 1)
}

fn sealing(server: TestServer) -> TestServer {
    server.restart_as(|config| config.seal_proved = true)
}

fn is_sealed(server: &TestServer, name: &str) -> bool {
    server.wait_for_proof();
    let view = server
        .store()
        .blob_properties(&path("box", name), &Permit::NONE)
        .unwrap();
    view.sealed
}

const IMMUTABLE: (u16, &str) = (409, "BlobImmutableDueToPolicy");

/// Every request that changes the blob `box/NAME` or takes it away, each with what makes it well formed otherwise.
fn changes(name: &str) -> Vec<(&'static str, Ask)> {
    let at = format!("box/{name}");
    let comp = |what: &str| Ask::put(format!("{at}?comp={what}"));
    let kind = |kind: &str| Ask::put(&at).header("x-ms-blob-type", kind);
    let page = |write: &str| {
        comp("page")
            .header("x-ms-page-write", write)
            .header("x-ms-range", "bytes=0-511")
    };
    vec![
        ("Put Blob", kind("BlockBlob").body(*b"other")),
        ("Put Blob, empty", kind("BlockBlob")),
        (
            "Put Blob, page",
            kind("PageBlob").header("x-ms-blob-content-length", "512"),
        ),
        ("Put Blob, append", kind("AppendBlob")),
        ("Put Block", put_block(name, 0, b"other", None)),
        ("Put Block, another id", put_block(name, 77, b"other", None)),
        ("Put Block List, empty", commit(name, [], None)),
        ("Put Block List, same", commit(name, 0..1, None)),
        ("Put Page", page("update").body([7; 512])),
        ("Put Page, clear", page("clear")),
        ("Append Block", comp("appendblock").body(*b"more")),
        ("Append Blob Seal", comp("seal")),
        ("Set Blob Metadata", comp("metadata").header("x-ms-meta-a", "b")),
        ("Set Blob Metadata, none", comp("metadata")),
        (
            "Set Blob Properties",
            comp("properties").header("x-ms-blob-content-type", "a/b"),
        ),
        (
            "Resize",
            comp("properties").header("x-ms-blob-content-length", "1024"),
        ),
        (
            "Sequence number",
            comp("properties")
                .header("x-ms-sequence-number-action", "update")
                .header("x-ms-blob-sequence-number", "7"),
        ),
        ("Delete Blob", Ask::delete(&at)),
        (
            "Copy Blob",
            Ask::put(&at).header("x-ms-copy-source", format!("http://localhost/vault/{at}")),
        ),
        ("Set Blob Tags", comp("tags").body(*b"<Tags><TagSet/></Tags>")),
        ("Undelete Blob", comp("undelete")),
        (
            "Delete Blob, with its snapshots",
            Ask::delete(&at).header("x-ms-delete-snapshots", "include"),
        ),
    ]
}

/// What another kind of blob, or a version that does not offer it, may say instead: a refusal all the same.
fn refuses(name: &str, answer: (u16, &str)) -> bool {
    let of_another_kind = [
        "Put Page",
        "Put Page, clear",
        "Append Block",
        "Append Blob Seal",
        "Resize",
        "Sequence number",
        // Tags may not be offered at all, and an undelete of what is there has nothing to change.
        "Set Blob Tags",
        "Undelete Blob",
    ];
    answer == IMMUTABLE || (of_another_kind.contains(&name) && (400..=501).contains(&answer.0))
}

#[test]
fn a_sealed_blob_refuses_every_change_whatever_the_lease() {
    let server = server();
    let bytes = backup();
    upload(&server, "full.bak", &bytes);
    server.wait_for_proof();
    server.store().seal(&path("box", "full.bak"), true).unwrap();
    let before = server.client().ask(&Ask::head("box/full.bak")).expect(200);
    assert_eq!(before.header("x-ms-legal-hold"), "true");
    for leased in [false, true] {
        if leased {
            server.client().ask(&acquire("full.bak")).expect(201);
        }
        for (name, ask) in changes("full.bak") {
            for lease in [None, leased.then_some(LEASE)] {
                let reply = server.client().ask(&ask.clone().lease(lease));
                assert!(
                    refuses(name, reply.error()),
                    "{name}, lease {lease:?}: {:?}",
                    reply.error()
                );
            }
        }
    }
    server.client().ask(&release("full.bak")).expect(200);
    let after = server.client().ask(&Ask::head("box/full.bak")).expect(200);
    assert_eq!(before.header("etag"), after.header("etag"));
    assert_eq!(before.header("last-modified"), after.header("last-modified"));
    let back = server.client().ask(&Ask::get("box/full.bak")).expect(200);
    assert_eq!(back.body, bytes);
    // Its container stays too, with a lease and without.
    assert_eq!(
        server.client().ask(&Ask::delete("box?restype=container")).error(),
        IMMUTABLE
    );
    // The seal survives a restart, and its end lets everything through again.
    let server = server.restart();
    assert!(is_sealed(&server, "full.bak"));
    server.store().seal(&path("box", "full.bak"), false).unwrap();
    let after = server.client().ask(&Ask::head("box/full.bak")).expect(200);
    assert_eq!(after.header("x-ms-legal-hold"), "");
    server.client().ask(&Ask::delete("box/full.bak")).expect(202);
    server
        .client()
        .ask(&Ask::delete("box?restype=container"))
        .expect(202);
}

#[test]
fn leases_of_a_sealed_blob_come_and_go() {
    let server = server();
    upload(&server, "full.bak", &backup());
    server.wait_for_proof();
    server.store().seal(&path("box", "full.bak"), true).unwrap();
    let mut client = server.client();
    let lease = |action: &str| Ask::put("box/full.bak?comp=lease").header("x-ms-lease-action", action);
    client.ask(&acquire("full.bak")).expect(201);
    client.ask(&lease("renew").lease(Some(LEASE))).expect(200);
    let other = "11111111-2222-3333-4444-555555555555";
    client
        .ask(
            &lease("change")
                .lease(Some(LEASE))
                .header("x-ms-proposed-lease-id", other),
        )
        .expect(200);
    client.ask(&lease("break")).expect(202);
    client.ask(&acquire("full.bak")).expect(201);
    client.ask(&release("full.bak")).expect(200);
}

#[test]
fn a_block_for_a_sealed_blob_is_refused_before_its_body_is_read() {
    let server = server();
    upload(&server, "full.bak", &backup());
    server.wait_for_proof();
    server.store().seal(&path("box", "full.bak"), true).unwrap();
    let mut client = server.client();
    // The body is announced and never sent; the answer comes all the same, and no "100 Continue" before it.
    let ask = put_block("full.bak", 9, b"", None)
        .announce(4 << 20)
        .header("expect", "100-continue");
    client.write(&ask).unwrap();
    assert_eq!(client.read(false).unwrap().error(), IMMUTABLE);
    // A block that was on its way when the seal came is refused at its end.
    upload(&server, "late.bak", &backup());
    server.wait_for_proof();
    let at = path("box", "late.bak");
    let id = azblob::block::BlockId::from_base64("QUFB").unwrap();
    let mut writer = server.store().begin_block(&at, &id, 3, None).unwrap();
    writer.write(b"abc").unwrap();
    assert_eq!(
        server.store().seal_if(&at, blobstore::SealIf::Proved).unwrap(),
        Sealed::Now
    );
    assert!(writer.commit().is_err());
}

#[test]
fn what_is_proved_is_sealed_when_its_lease_ends_and_not_before() {
    let server = sealing(server());
    let bytes = backup();
    let mut client = server.client();
    begin(&mut client, "full.bak");
    assert!(
        !is_sealed(&server, "full.bak"),
        "SQL Server's first commit is empty"
    );
    let blocks = send(&server, "full.bak", &bytes, 4);
    client
        .ask(&commit("full.bak", 0..blocks, Some(LEASE)))
        .expect(201);
    assert!(!is_sealed(&server, "full.bak"), "the lease is still held");
    client.ask(&release("full.bak")).expect(200);
    assert!(is_sealed(&server, "full.bak"));
    assert_eq!(client.ask(&Ask::delete("box/full.bak")).error(), IMMUTABLE);
    // Truncated and foreign blobs are not.
    upload(&server, "half.bak", &bytes[..bytes.len() / 2]);
    upload(&server, "notes.txt", b"just words");
    for name in ["half.bak", "notes.txt"] {
        assert!(!is_sealed(&server, name), "{name}");
        client.ask(&Ask::delete(format!("box/{name}"))).expect(202);
    }
    // An empty blob that nobody fills stays open to change.
    client
        .ask(&Ask::put("box/empty").header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    let server = sealing(server);
    assert!(!is_sealed(&server, "empty"));
}

#[test]
fn what_was_proved_before_is_sealed_at_the_start_a_leased_one_when_its_lease_ends() {
    let server = server();
    let bytes = backup();
    for name in ["a.bak", "b.bak"] {
        upload(&server, name, &bytes);
    }
    upload(&server, "half.bak", &bytes[..BLOCK / 2]);
    assert!(!is_sealed(&server, "a.bak"));
    // A restore holds the second.
    server.client().ask(&acquire("b.bak")).expect(201);
    let server = sealing(server);
    assert!(is_sealed(&server, "a.bak"));
    assert!(!is_sealed(&server, "b.bak"));
    assert!(!is_sealed(&server, "half.bak"));
    server.client().ask(&release("b.bak")).expect(200);
    assert!(is_sealed(&server, "b.bak"));
}

fn wish(sealed: bool, blobs: &[&str]) -> Wish {
    Wish {
        sealed,
        account: None,
        container: "box".to_owned(),
        blobs: blobs.iter().map(|name| (*name).to_owned()).collect(),
        prefix: String::new(),
        proved: false,
        dry_run: false,
    }
}

fn statuses(deeds: &[Deed]) -> Vec<(&str, Status)> {
    deeds
        .iter()
        .map(|deed| (deed.name.as_str(), deed.status))
        .collect()
}

#[test]
fn the_owner_seals_and_unseals_through_the_control_socket() {
    let server = server();
    let bytes = backup();
    upload(&server, "a.bak", &bytes);
    upload(&server, "half.bak", &bytes[..bytes.len() / 2]);
    begin(&mut server.client(), "writing.bak");
    server.wait_for_proof();
    let data = server.data();
    let asked = |wish: &Wish| ask(&data, wish).unwrap().expect("the server answers");

    let mut proved = wish(true, &[]);
    proved.proved = true;
    proved.dry_run = true;
    let planned = asked(&proved);
    assert_eq!(statuses(&planned), [("a.bak", Status::Planned)]);
    assert_eq!(planned[0].verdict, Some(Verdict::Ok));
    assert!(!is_sealed(&server, "a.bak"));
    proved.dry_run = false;
    assert_eq!(statuses(&asked(&proved)), [("a.bak", Status::Sealed)]);
    assert!(is_sealed(&server, "a.bak"));

    let named = asked(&wish(true, &["a.bak", "half.bak", "writing.bak", "nowhere.bak"]));
    assert_eq!(
        statuses(&named),
        [
            ("a.bak", Status::Unchanged),
            ("half.bak", Status::Sealed),
            ("writing.bak", Status::Refused),
            ("nowhere.bak", Status::Refused),
        ]
    );
    let mut some = wish(false, &[]);
    some.prefix = "half".to_owned();
    assert_eq!(statuses(&asked(&some)), [("half.bak", Status::Unsealed)]);
    server.client().ask(&Ask::delete("box/half.bak")).expect(202);

    let mut elsewhere = wish(true, &[]);
    elsewhere.container = "nowhere".to_owned();
    let error = ask(&data, &elsewhere).unwrap_err().to_string();
    assert!(error.contains("there is no container nowhere"), "{error}");
}
