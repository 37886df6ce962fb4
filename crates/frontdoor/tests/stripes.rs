//! Stripe sets, from the socket to the listing: each family alone is incomplete, all of them together are what they are.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use bak::Verdict;
use bak::writer::sample::{Sample, SampleKind};
use frontdoor::listing::{Entry, ShownVerdict, ask};

use support::client::{ACCOUNT, Ask, OTHER_ACCOUNT, OTHER_KEY};
use support::server::{TestServer, path};
use support::upload::{LEASE, begin, commit, release, send, server, upload};

fn sample(families: u16) -> Sample {
    Sample {
        families,
        extents: u32::from(families) * 2,
        ..Sample::default()
    }
}

fn stripe(families: u16, number: u16) -> Vec<u8> {
    sample(families).backup(SampleKind::Full, number)
}

fn entries(server: &TestServer) -> Vec<Entry> {
    server.wait_for_proof();
    ask(&server.data()).unwrap().expect("the server answers")
}

/// The verdicts of all judged blobs by name.
fn verdicts(server: &TestServer) -> Vec<(String, Verdict)> {
    let judged = entries(server)
        .into_iter()
        .filter_map(|entry| match entry.verdict {
            Some(ShownVerdict::Judged(verdict)) => Some((entry.name, verdict)),
            _ => None,
        });
    judged.collect()
}

fn all(names: &[&str], verdict: Verdict) -> Vec<(String, Verdict)> {
    names.iter().map(|name| ((*name).to_owned(), verdict)).collect()
}

fn reasons(server: &TestServer, name: &str) -> String {
    let entries = entries(server);
    let entry = entries.iter().find(|entry| entry.name == name).unwrap();
    entry.reasons.join("; ")
}

#[test]
fn a_set_is_ok_when_its_last_family_is_there_and_falls_back_when_one_goes() {
    let server = server();
    upload(&server, "s1.bak", &stripe(3, 1));
    upload(&server, "s3.bak", &stripe(3, 3));
    assert_eq!(verdicts(&server), all(&["s1.bak", "s3.bak"], Verdict::Incomplete));
    let why = reasons(&server, "s1.bak");
    assert!(
        why.contains("family 1 of 3") && why.ends_with("one is missing from the account, or not finished: 2"),
        "{why}"
    );
    upload(&server, "s2.bak", &stripe(3, 2));
    let names = ["s1.bak", "s2.bak", "s3.bak"];
    assert_eq!(verdicts(&server), all(&names, Verdict::Ok));
    assert_eq!(reasons(&server, "s1.bak"), "");
    // It is stored, not only shown; what each is by itself is kept in the report.
    let server = server.restart();
    assert_eq!(verdicts(&server), all(&names, Verdict::Ok));
    let proof = server.store().proof(&path("box", "s2.bak")).unwrap().unwrap();
    assert!(proof.is_final);
    assert!(proof.report.unwrap().get().contains("\"verdict\":\"incomplete\""));

    server.client().ask(&Ask::delete("box/s2.bak")).expect(202);
    assert_eq!(verdicts(&server), all(&["s1.bak", "s3.bak"], Verdict::Incomplete));
    let why = reasons(&server, "s3.bak");
    assert!(
        why.contains("family 3 of 3") && why.ends_with("not finished: 2"),
        "{why}"
    );
    // One that comes again, even elsewhere in the account, makes it whole again.
    server
        .client()
        .ask(&Ask::put("mirror?restype=container"))
        .expect(201);
    let put = Ask::put("mirror/second.bak").header("x-ms-blob-type", "BlockBlob");
    server.client().ask(&put.body(stripe(3, 2))).expect(201);
    assert_eq!(
        verdicts(&server),
        all(&["s1.bak", "s3.bak", "second.bak"], Verdict::Ok)
    );
    // Overwritten by something else, it is gone too; with its container as well.
    let put = Ask::put("mirror/second.bak").header("x-ms-blob-type", "BlockBlob");
    server.client().ask(&put.clone().body(*b"no backup")).expect(201);
    assert_eq!(verdicts(&server), all(&["s1.bak", "s3.bak"], Verdict::Incomplete));
    server.client().ask(&put.body(stripe(3, 2))).expect(201);
    assert_eq!(verdicts(&server).len(), 3);
    server
        .client()
        .ask(&Ask::delete("mirror?restype=container"))
        .expect(202);
    assert_eq!(verdicts(&server), all(&["s1.bak", "s3.bak"], Verdict::Incomplete));
}

#[test]
fn a_family_whose_lease_is_held_is_not_finished() {
    let server = server();
    upload(&server, "s1.bak", &stripe(2, 1));
    let mut client = server.client();
    begin(&mut client, "s2.bak");
    let blocks = send(&server, "s2.bak", &stripe(2, 2), 2);
    client.ask(&commit("s2.bak", 0..blocks, Some(LEASE))).expect(201);
    assert_eq!(verdicts(&server), all(&["s1.bak", "s2.bak"], Verdict::Incomplete));
    // A restart in the middle changes nothing of it.
    let server = server.restart();
    assert_eq!(verdicts(&server), all(&["s1.bak", "s2.bak"], Verdict::Incomplete));
    server.client().ask(&release("s2.bak")).expect(200);
    assert_eq!(verdicts(&server), all(&["s1.bak", "s2.bak"], Verdict::Ok));
}

#[test]
fn a_damaged_family_leaves_the_others_incomplete_until_a_mirror_of_it_is_there() {
    let server = server();
    let mut bad = stripe(2, 2);
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    upload(&server, "s1.bak", &stripe(2, 1));
    upload(&server, "s2.bak", &bad);
    let expected = vec![
        ("s1.bak".to_owned(), Verdict::Incomplete),
        ("s2.bak".to_owned(), Verdict::Damaged),
    ];
    assert_eq!(verdicts(&server), expected);
    let why = reasons(&server, "s1.bak");
    assert!(
        why.contains("other families of its media set are not: 2"),
        "{why}"
    );
    upload(&server, "s2-mirror.bak", &stripe(2, 2));
    let expected = vec![
        ("s1.bak".to_owned(), Verdict::Ok),
        ("s2-mirror.bak".to_owned(), Verdict::Ok),
        ("s2.bak".to_owned(), Verdict::Damaged),
    ];
    assert_eq!(verdicts(&server), expected);
}

#[test]
fn families_of_different_backups_and_accounts_do_not_make_a_set() {
    let server = server();
    upload(&server, "s1.bak", &stripe(2, 1));
    let other = Sample {
        seed: 99,
        ..sample(2)
    };
    upload(&server, "other.bak", &other.backup(SampleKind::Full, 2));
    for ask in [
        Ask::put("box?restype=container"),
        Ask::put("box/s2.bak")
            .header("x-ms-blob-type", "BlockBlob")
            .body(stripe(2, 2)),
    ] {
        let mut ask = ask.by(OTHER_ACCOUNT, OTHER_KEY);
        ask.target = ask.target.replace(ACCOUNT, OTHER_ACCOUNT);
        server.client().ask(&ask).expect(201);
    }
    let mut listed = verdicts(&server);
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        listed,
        all(&["other.bak", "s1.bak", "s2.bak"], Verdict::Incomplete)
    );
}

#[test]
fn sixty_four_families_are_one_backup_and_sealed_together() {
    let server = server().restart_as(|config| config.seal_proved = true);
    let sample = sample(64);
    for number in 1..=64 {
        assert!(entries(&server).iter().all(|entry| !entry.sealed));
        let put = Ask::put(format!("box/s{number:02}.bak")).header("x-ms-blob-type", "BlockBlob");
        let bytes = sample.backup(SampleKind::Full, number);
        server.client().ask(&put.body(bytes)).expect(201);
    }
    let entries = entries(&server);
    assert_eq!(entries.len(), 64);
    for entry in entries {
        let verdict = ShownVerdict::Judged(Verdict::Ok);
        assert_eq!(
            (entry.verdict, entry.sealed),
            (Some(verdict), true),
            "{}: {:?}",
            entry.name,
            entry.reasons
        );
    }
}
