//! The block blob client (2016 and later).

use std::collections::BTreeSet;

use bak::{Verdict, Verifier};
use simsql::instance::Version;

use crate::place::{CONTAINER, PATH, Place, URL};
use crate::service::{SAS, Seen, list_text};

/// Bytes of the blocks before and behind pages and log in real block lists, and the unit of all others.
const FRAME: usize = 65_536;
const LARGEST: usize = 4_194_304;

pub(crate) fn blocks(seen: &[Seen]) -> Vec<&Seen> {
    let is_block = |seen: &&Seen| seen.query.get("comp").is_some_and(|comp| comp == "block");
    let mut blocks: Vec<_> = seen.iter().filter(is_block).collect();
    blocks.sort_by_key(|block| block.line());
    blocks
}

fn sizes(seen: &[Seen]) -> Vec<usize> {
    blocks(seen).iter().map(|block| block.body.len()).collect()
}

/// Without the blocks, which may come in any order.
fn frame(lines: &[String]) -> Vec<&str> {
    let lines = lines.iter().map(String::as_str);
    lines.filter(|line| !line.starts_with("PUT block ")).collect()
}

/// As seen in logs of Azure for a real server: empty Put Blob, lease, blocks, and on success the list and the release. That HEAD
/// comes first is inferred; that actions begin with a capital is what an emulator in production insists on.
const GOOD: [&str; 5] = [
    "HEAD",
    "PUT BlockBlob 0",
    "PUT lease Acquire",
    "PUT blocklist",
    "PUT lease Release",
];

#[test]
fn a_backup_creates_leases_puts_blocks_commits_and_releases() {
    let place = Place::new(Version::V2022);
    let statements = [
        "BACKUP DATABASE Shop TO URL = '{}' WITH FORMAT, MAXTRANSFERSIZE = 4194304",
        "BACKUP DATABASE Shop TO URL = '{}' WITH FORMAT, DIFFERENTIAL, MAXTRANSFERSIZE = 4194304",
        "BACKUP LOG Shop TO URL = '{}' WITH FORMAT, MAXTRANSFERSIZE = 4194304, BLOCKSIZE = 65536",
        "BACKUP DATABASE Shop TO URL = '{}' WITH FORMAT, COPY_ONLY, CHECKSUM, COMPRESSION",
    ];
    for statement in statements {
        let (seen, lines) = place.requests(&statement.replace("{}", URL));
        assert_eq!(frame(&lines), GOOD, "{statement}");
        let first = lines
            .iter()
            .position(|line| line.starts_with("PUT block "))
            .unwrap();
        assert_eq!(first, 3, "no block before the lease");
        let last = lines
            .iter()
            .rposition(|line| line.starts_with("PUT block "))
            .unwrap();
        assert_eq!(lines[last + 1], "PUT blocklist", "no block after the list");
        // Numbers rise by one from 11112.
        let names: Vec<String> = blocks(&seen).iter().map(|block| block.line()).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(
                name.starts_with(&format!("PUT block BLOCKID{} ", 11_112 + index)),
                "{name}"
            );
        }
        let content = place.service.blob(PATH, |blob| blob.content.clone()).unwrap();
        let mut verifier = Verifier::new();
        verifier.push(&content);
        assert_eq!(verifier.finish().verdict, Verdict::Ok, "{statement}");
    }
}

#[test]
fn every_request_carries_the_sas_as_it_is_and_the_name_of_the_client() {
    let place = Place::new(Version::V2022);
    let (seen, _) = place.requests(&format!("BACKUP DATABASE Shop TO URL = '{URL}'"));
    let mut leases = BTreeSet::new();
    for (index, request) in seen.iter().enumerate() {
        let own = request.raw_query.strip_suffix(SAS).expect("the SAS, unlooked");
        assert!(own.is_empty() || own.ends_with('&'), "{own}");
        assert_eq!(
            (request.host.as_str(), request.path.as_str()),
            ("vault.example", PATH)
        );
        assert_eq!(request.header("user-agent"), "SQLBLOBACCESS");
        assert_eq!(request.header("x-ms-version"), "2014-02-14");
        assert!(!request.headers.contains_key("authorization"));
        assert!(
            !request.headers.contains_key("transfer-encoding"),
            "lengths are told"
        );
        if request.method == "PUT" {
            assert_eq!(request.header("content-length"), request.body.len().to_string());
        }
        // All but HEAD, Put Blob and Acquire are under the lease.
        if index > 2 {
            leases.insert(request.header("x-ms-lease-id").to_owned());
        }
    }
    let acquire = &seen[2];
    assert_eq!(acquire.header("x-ms-lease-duration"), "-1", "without an end");
    let proposed = acquire.header("x-ms-proposed-lease-id").to_owned();
    assert_eq!(leases, BTreeSet::from([proposed.clone()]));
    // Another backup has another one.
    let (seen, _) = place.requests(&format!("BACKUP DATABASE Shop TO URL = '{URL}' WITH FORMAT"));
    assert_ne!(seen[2].header("x-ms-proposed-lease-id"), proposed);
}

/// The one real log backup whose block list is known: 917,504 bytes in ten blocks: three of 64 KiB, 320 KiB of log, six of 64 KiB.
#[test]
fn a_log_backup_lies_in_blocks_as_the_observed_one() {
    let place = Place::new(Version::V2022);
    place.requests(&format!("BACKUP DATABASE Shop TO URL = '{URL}'"));
    place.add_rows(15);
    let (seen, _) = place.requests(&format!(
        "BACKUP LOG Shop TO URL = '{URL}' WITH FORMAT, MAXTRANSFERSIZE = 4194304"
    ));
    let sizes = sizes(&seen);
    assert_eq!(sizes.len(), 10, "{sizes:?}");
    assert_eq!(sizes[..3], [FRAME; 3]);
    // 15 rows of 3 KB, each logged once at least.
    assert!(
        sizes[3] >= 15 * 3000 && sizes[3].is_multiple_of(FRAME),
        "{sizes:?}"
    );
    assert_eq!(sizes[4..], [FRAME; 6]);
}

/// A real full backup of 9,175,040 bytes in 16 blocks: pages in blocks of up to 4 MiB, at least eleven blocks of 64 KiB, all
/// multiples of 64 KiB.
#[test]
fn a_full_backup_lies_in_blocks_as_the_observed_one() {
    let place = Place::new(Version::V2022);
    place.add_rows(1000);
    for largest in [LARGEST, 1 << 20] {
        let (seen, _) = place.requests(&format!(
            "BACKUP DATABASE Shop TO URL = '{URL}' WITH FORMAT, MAXTRANSFERSIZE = {largest}"
        ));
        let sizes = sizes(&seen);
        assert!(
            sizes
                .iter()
                .all(|size| size.is_multiple_of(FRAME) && *size <= largest),
            "{sizes:?}"
        );
        assert_eq!(sizes[..3], [FRAME; 3]);
        assert!(
            sizes.iter().filter(|size| **size == FRAME).count() >= 11,
            "{sizes:?}"
        );
        // The pages: full transfers, but for the last.
        let full = sizes[3..].iter().take_while(|size| **size == largest).count();
        assert!(full >= (4 << 20) / largest, "{full} in {sizes:?}");
    }
}

#[test]
fn without_maxtransfersize_blocks_have_a_mebibyte_and_from_2022_on_20_mb() {
    let place = Place::new(Version::V2022);
    place.add_rows(400);
    let (seen, _) = place.requests(&format!("BACKUP DATABASE Shop TO URL = '{URL}'"));
    assert_eq!(sizes(&seen).into_iter().max(), Some(1_048_576));
    // Blocks of more than 4 MiB are an offence in versions before 2016-05-31.
    let (seen, _) = place.requests(&format!(
        "BACKUP DATABASE Shop TO URL = '{URL}' WITH FORMAT, MAXTRANSFERSIZE = 20971520"
    ));
    assert!(
        seen.iter()
            .all(|request| request.header("x-ms-version") == "2016-05-31")
    );
    let old = Place::new(Version::V2019);
    let (lines, told) = old.fails(&format!(
        "BACKUP DATABASE Shop TO URL = '{URL}' WITH MAXTRANSFERSIZE = 20971520"
    ));
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!((told[0].0, told[1].0), (3250, 3013));
}

/// As an emulator of Azure learned from real servers.
#[test]
fn block_lists_are_utf_16_up_to_2019_and_utf_8_from_2022_on() {
    for (version, is_wide) in [
        (Version::V2016, true),
        (Version::V2017, true),
        (Version::V2019, true),
        (Version::V2022, false),
        (Version::V2025, false),
    ] {
        let place = Place::new(version);
        let (seen, _) = place.requests(&format!("BACKUP DATABASE Shop TO URL = '{URL}'"));
        let list = &seen[seen.len() - 2];
        assert_eq!(list.query["comp"], "blocklist");
        assert_eq!(list.body[1] == 0, is_wide, "{version:?}");
        let text = list_text(&list.body);
        let encoding = if is_wide { "utf-16" } else { "utf-8" };
        assert!(
            text.starts_with(&format!("<?xml version=\"1.0\" encoding=\"{encoding}\"")),
            "{text}"
        );
        let named: Vec<&str> = text
            .split("<Latest>")
            .skip(1)
            .map(|rest| rest.split('<').next().unwrap())
            .collect();
        let sent: Vec<&str> = blocks(&seen)
            .iter()
            .map(|block| block.query["blockid"].as_str())
            .collect();
        assert_eq!(named, sent, "all blocks in their order");
    }
}

#[test]
fn blocks_go_out_several_at_once() {
    let place = Place::new(Version::V2022);
    let (_, lines) = place.requests(&format!(
        "BACKUP DATABASE Shop TO URL = '{URL}' WITH MAXTRANSFERSIZE = 65536"
    ));
    let most = place.service.most_at_once();
    assert!((2..=8).contains(&most), "{most} of {}", lines.len());
}

#[test]
fn the_same_seed_gives_the_same_requests() {
    let requests = |seed| {
        let place = Place::of(Version::V2022, seed);
        let text = format!("BACKUP DATABASE Shop TO URL = '{URL}' WITH MAXTRANSFERSIZE = 65536");
        place.requests(&text).0
    };
    assert!(requests(3) == requests(3));
    assert!(requests(3) != requests(4), "leases differ, if nothing else");
}

#[test]
fn each_stripe_and_each_mirror_is_a_blob_under_a_lease_of_its_own() {
    let place = Place::new(Version::V2022);
    place.add_rows(400);
    let stripe = |number: usize| format!("URL = '{CONTAINER}/s{number}.bak'");
    let all: Vec<String> = (1..=4).map(stripe).collect();
    place.service.take();
    let text = format!(
        "BACKUP DATABASE Shop TO {} MIRROR TO {} WITH FORMAT",
        all[..2].join(", "),
        all[2..].join(", ")
    );
    place.run(&text).unwrap();
    let seen = place.service.take();
    let mut leases = BTreeSet::new();
    for number in 1..=4 {
        let path = format!("/sqlbackup/s{number}.bak");
        let own: Vec<Seen> = seen
            .iter()
            .filter(|request| request.path == path)
            .cloned()
            .collect();
        let lines: Vec<String> = own.iter().map(Seen::line).collect();
        assert_eq!(frame(&lines), GOOD, "{path}");
        leases.insert(own[2].header("x-ms-proposed-lease-id").to_owned());
    }
    assert_eq!(leases.len(), 4);
    let content = |number| {
        let path = format!("/sqlbackup/s{number}.bak");
        place.service.blob(&path, |blob| blob.content.clone()).unwrap()
    };
    assert!(
        content(1) == content(3) && content(2) == content(4),
        "a mirror is the same again"
    );
    assert!(content(1) != content(2));
}
