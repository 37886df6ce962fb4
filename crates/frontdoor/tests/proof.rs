//! Proof in flight, from the socket to the listing.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::Path;

use bak::writer::sample::{ChainSample, Sample, SampleKind, lsn};
use bak::{LogAgreement, LogFingerprint, Verdict};
use frontdoor::listing::{Entry, Pending, ShownVerdict, ask, ask_with_logs, entries, entries_with_logs};

use support::client::Ask;
use support::server::TestServer;
use support::upload::{BLOCK, LEASE, begin, commit, put_block, release, send, server, upload};

/// 6 MiB: enough blocks to overtake each other.
fn backup() -> Vec<u8> {
    Sample {
        extents: 96,
        unformatted_pages: false,
        ..Sample::default()
    }
    .backup(SampleKind::Full, 1)
}

fn listed(server: &TestServer, name: &str) -> Entry {
    let entries = ask(&server.data())
        .unwrap()
        .expect("the server answers on its control socket");
    entries.into_iter().find(|entry| entry.name == name).unwrap()
}

fn judged(server: &TestServer, name: &str) -> Entry {
    server.wait_for_proof();
    listed(server, name)
}

fn verdict(entry: &Entry) -> Option<Verdict> {
    match entry.verdict {
        Some(ShownVerdict::Judged(verdict)) => Some(verdict),
        Some(ShownVerdict::Waiting(_)) => panic!("still pending"),
        None => None,
    }
}

#[test]
fn a_backup_is_proved_on_its_way_in() {
    let server = server();
    let bytes = backup();
    upload(&server, "full.bak", &bytes);
    let entry = judged(&server, "full.bak");
    assert_eq!(verdict(&entry), Some(Verdict::Ok), "{:?}", entry.reasons);
    assert_eq!(entry.size, bytes.len() as u64);
    assert_eq!(
        entry.sets[0].database_name,
        Sample::default().set(SampleKind::Full).database_name
    );
    assert!(entry.sets[0].complete);
    let proof = server
        .store()
        .proof(&support::server::path("box", "full.bak"))
        .unwrap()
        .unwrap();
    assert!(proof.is_final, "no lease is held any more");
    let back = server.client().ask(&Ask::get("box/full.bak")).expect(200);
    assert_eq!(back.body, bytes);
}

#[test]
fn what_a_log_looks_like_is_told_to_who_asks_for_it() {
    let server = server();
    let sales = ChainSample::new("Sales", lsn(40, 100));
    let time = "2026-03-15T02:15:00".parse().unwrap();
    let set = sales.log(lsn(40, 100), lsn(40, 180), time);
    let twin = set.clone().rewritten(lsn(40, 150), 1);
    upload(&server, "sales.trn", &sales.file(&[&set]));
    upload(&server, "twin.trn", &sales.file(&[&twin]));
    server.wait_for_proof();
    assert_eq!(listed(&server, "sales.trn").log_fingerprints, []);
    let asked = ask_with_logs(&server.data()).unwrap().expect("an answer");
    let opened = entries_with_logs(server.store());
    assert_eq!(asked, opened);
    let logs: Vec<&LogFingerprint> = asked
        .iter()
        .map(|entry| entry.log_fingerprints[0].as_ref().expect("a log"))
        .collect();
    assert_eq!(logs[0].compare(logs[0]), LogAgreement::Same);
    // Coarser than in the report: the window that holds the first difference begins before it.
    let LogAgreement::Differs(at) = logs[0].compare(logs[1]) else {
        panic!("a hidden fork is seen")
    };
    assert!(at > lsn(40, 145) && at <= lsn(40, 150));
    // Without them the list is what it was.
    let list = serde_json::to_string(&entries(server.store())).unwrap();
    assert!(!list.contains("logFingerprints"));
}

#[test]
fn a_flipped_bit_is_named() {
    let server = server();
    let mut bytes = backup();
    let expected = {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        let mut verifier = bak::Verifier::new();
        verifier.push(&bytes);
        verifier.finish()
    };
    assert_eq!(expected.verdict, Verdict::Damaged);
    upload(&server, "bad.bak", &bytes);
    let entry = judged(&server, "bad.bak");
    assert_eq!(verdict(&entry), Some(Verdict::Damaged));
    assert_eq!(entry.reasons, expected.reasons);
    assert!(!entry.reasons.is_empty());
}

#[test]
fn half_an_upload_stays_leased_and_is_no_backup() {
    let server = server();
    let bytes = backup();
    begin(&mut server.client(), "half.bak");
    send(&server, "half.bak", &bytes[..bytes.len() / 2], 4);
    let server = server.restart();
    let entry = judged(&server, "half.bak");
    assert_eq!((entry.verdict, entry.size, entry.committed), (None, 0, true));
    assert_eq!(entry.lease_state.as_str(), "leased");
    // Committed after all, it is seen for what it is.
    let blocks = bytes[..bytes.len() / 2].chunks(BLOCK).len();
    server
        .client()
        .ask(&commit("half.bak", 0..blocks, Some(LEASE)))
        .expect(201);
    assert_eq!(verdict(&judged(&server, "half.bak")), Some(Verdict::Truncated));
}

#[test]
fn the_verdict_is_right_when_the_prediction_is_wrong() {
    let server = server();
    let bytes = backup();
    let blocks: Vec<&[u8]> = bytes.chunks(BLOCK).collect();
    let count = blocks.len();
    let mut client = server.client();
    // Numbers fall instead of rising.
    for (n, block) in blocks.iter().enumerate() {
        client
            .ask(&put_block("falling", count - n, block, None))
            .expect(201);
    }
    client
        .ask(&commit("falling", (1..=count).rev(), None))
        .expect(201);
    // The first block is sent again with other bytes, after it was used.
    let mut other = blocks[0].to_vec();
    other[4096..8192].fill(0xee);
    client.ask(&put_block("again", 0, &other, None)).expect(201);
    for (n, block) in blocks.iter().enumerate() {
        client.ask(&put_block("again", n, block, None)).expect(201);
    }
    client.ask(&commit("again", 0..count, None)).expect(201);
    // The list leaves out what was fed, and then puts it back.
    for (n, block) in blocks.iter().enumerate() {
        client.ask(&put_block("less", n, block, None)).expect(201);
    }
    client.ask(&commit("less", 0..count - 1, None)).expect(201);
    for name in ["falling", "again"] {
        assert_eq!(verdict(&judged(&server, name)), Some(Verdict::Ok), "{name}");
    }
    assert_eq!(verdict(&judged(&server, "less")), Some(Verdict::Truncated));
    client
        .ask(&put_block("less", count - 1, blocks[count - 1], None))
        .expect(201);
    client.ask(&commit("less", 0..count, None)).expect(201);
    assert_eq!(verdict(&judged(&server, "less")), Some(Verdict::Ok));
}

#[test]
fn every_commit_is_judged_anew_and_the_last_one_is_final() {
    let server = server();
    let bytes = backup();
    let half = bytes.chunks(BLOCK).len() / 2;
    let mut client = server.client();
    begin(&mut client, "grows.bak");
    let blocks = send(&server, "grows.bak", &bytes, 4);
    client.ask(&commit("grows.bak", 0..half, Some(LEASE))).expect(201);
    assert_eq!(verdict(&judged(&server, "grows.bak")), Some(Verdict::Truncated));
    let path = support::server::path("box", "grows.bak");
    assert!(
        !server.store().proof(&path).unwrap().unwrap().is_final,
        "the lease is still held"
    );
    // What the first commit left out was dropped with it.
    for (n, block) in bytes.chunks(BLOCK).enumerate().skip(half) {
        client
            .ask(&put_block("grows.bak", n, block, Some(LEASE)))
            .expect(201);
    }
    client
        .ask(&commit("grows.bak", 0..blocks, Some(LEASE)))
        .expect(201);
    client.ask(&release("grows.bak")).expect(200);
    assert_eq!(verdict(&judged(&server, "grows.bak")), Some(Verdict::Ok));
    assert!(server.store().proof(&path).unwrap().unwrap().is_final);
}

#[test]
fn a_restart_in_the_middle_is_made_up_for() {
    let server = server();
    let bytes = backup();
    begin(&mut server.client(), "full.bak");
    let blocks = send(&server, "full.bak", &bytes, 2);
    let server = server.restart();
    server
        .client()
        .ask(&commit("full.bak", 0..blocks, Some(LEASE)))
        .expect(201);
    let server = server.restart();
    assert_eq!(verdict(&judged(&server, "full.bak")), Some(Verdict::Ok));
}

#[test]
fn what_is_no_backup_has_no_verdict() {
    let server = server();
    let mut client = server.client();
    let put = |name: &str, body: &[u8]| {
        Ask::put(format!("box/{name}"))
            .header("x-ms-blob-type", "BlockBlob")
            .body(body)
    };
    client.ask(&put("notes.txt", b"just words")).expect(201);
    client.ask(&put("empty", b"")).expect(201);
    client.ask(&put("whole.bak", &backup())).expect(201);
    client
        .ask(&put_block("uncommitted", 0, &backup(), None))
        .expect(201);
    for name in ["notes.txt", "empty", "uncommitted"] {
        assert_eq!(judged(&server, name).verdict, None, "{name}");
    }
    assert_eq!(
        verdict(&judged(&server, "whole.bak")),
        Some(Verdict::Ok),
        "Put Blob is verified too"
    );
    assert_ne!(
        Some(ShownVerdict::Waiting(Pending::Pending)),
        listed(&server, "notes.txt").verdict
    );
}

#[test]
fn damage_at_rest_is_found_at_read_and_shown() {
    let server = server();
    let bytes = backup();
    upload(&server, "full.bak", &bytes);
    assert_eq!(verdict(&judged(&server, "full.bak")), Some(Verdict::Ok));
    flip_in_every_blob_file(&server.data(), &bytes[bytes.len() / 2..][..64]);
    let read = server
        .client()
        .ask(&Ask::get("box/full.bak").header("range", format!("bytes={}-", bytes.len() / 2)));
    assert_eq!(read.error(), (500, "BlobContentIsDamaged"));
    assert_eq!(verdict(&judged(&server, "full.bak")), Some(Verdict::Damaged));
}

/// Changes one bit where these bytes lie.
fn flip_in_every_blob_file(folder: &Path, needle: &[u8]) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            flip_in_every_blob_file(&path, needle);
        } else if path.extension().is_some_and(|e| e == "blob") {
            let mut content = std::fs::read(&path).unwrap();
            let at = content
                .windows(needle.len())
                .position(|window| window == needle)
                .expect("the bytes are there");
            content[at] ^= 1;
            std::fs::write(&path, content).unwrap();
        }
    }
}

/// Bytes that this process made the disk read, as far as Linux tells.
#[cfg(target_os = "linux")]
fn read_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("read_bytes: "))
        .unwrap();
    line.parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn proof_costs_no_second_read_from_disk() {
    let server = server();
    let bytes = backup();
    let before = read_bytes();
    for n in 0..8 {
        upload(&server, &format!("b{n}.bak"), &bytes);
    }
    server.wait_for_proof();
    let read = read_bytes() - before;
    // The program's own pages count too, when memory was short.
    assert!(
        read < bytes.len() as u64,
        "{read} bytes were read from disk for 8 backups of {}",
        bytes.len()
    );
}
