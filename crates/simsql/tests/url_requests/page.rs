//! The page blob client (`WITH CREDENTIAL`, 2012 SP1 CU2 and later) in its inferred order, and restores in both modes.

use std::time::Duration;

use bak::{Verdict, Verifier};
use simsql::instance::Version;

use crate::place::{PATH, Place, URL, run};
use crate::service::Seen;

const VERSION: Version = Version::V2014;

fn pages(seen: &[Seen]) -> Vec<(usize, usize)> {
    let is_page = |seen: &&Seen| seen.query.get("comp").is_some_and(|comp| comp == "page");
    let mut pages: Vec<_> = seen
        .iter()
        .filter(is_page)
        .map(|page| {
            let bounds = page.header("x-ms-range").strip_prefix("bytes=").unwrap();
            let (first, last) = bounds.split_once('-').unwrap();
            (first.parse().unwrap(), last.parse::<usize>().unwrap() + 1)
        })
        .collect();
    pages.sort_unstable();
    pages
}

#[test]
fn a_backup_creates_the_largest_blob_leases_puts_pages_cuts_and_releases() {
    let place = Place::new(VERSION);
    let statements = [
        "BACKUP DATABASE Shop TO URL = '{}' WITH CREDENTIAL = 'key'",
        "BACKUP DATABASE Shop TO URL = '{}' WITH CREDENTIAL = 'key', DIFFERENTIAL, FORMAT",
        "BACKUP LOG Shop TO URL = '{}' WITH CREDENTIAL = 'key', FORMAT, COMPRESSION",
    ];
    for statement in statements {
        let (seen, lines) = place.requests(&statement.replace("{}", URL));
        let frame: Vec<_> = lines
            .iter()
            .filter(|line| !line.starts_with("PUT page "))
            .collect();
        let (content, length) = place
            .service
            .blob(PATH, |blob| (blob.content.clone(), blob.length))
            .unwrap();
        let cut = format!("PUT properties {length}");
        assert_eq!(
            frame,
            [
                "HEAD",
                "PUT PageBlob 0",
                "PUT lease acquire",
                &cut,
                "PUT lease release"
            ],
            "{statement}"
        );
        assert_eq!(content.len() as u64, length, "nothing behind what was written");
        // 1 TB, which listings of interrupted backups show.
        assert_eq!(seen[1].header("x-ms-blob-content-length"), "1099511627776");
        let mut verifier = Verifier::new();
        verifier.push(&content);
        assert_eq!(verifier.finish().verdict, Verdict::Ok, "{statement}");
        let pages = pages(&seen);
        // Without gaps, in units of 512 bytes, of 4 MiB at most.
        assert_eq!(pages[0].0, 0);
        assert!(pages.windows(2).all(|two| two[0].1 == two[1].0), "{pages:?}");
        assert!(
            pages
                .iter()
                .all(|(from, to)| from % 512 == 0 && to % 512 == 0 && to - from <= 4 << 20)
        );
        for request in &seen {
            // The stand-in has checked that the account's key signed each; the secret itself goes nowhere.
            assert!(request.header("authorization").starts_with("SharedKey vault01:"));
            assert!(
                request
                    .raw_query
                    .split('&')
                    .all(|part| part.is_empty() || part.starts_with("comp="))
            );
            // The oldest version that has leases without an end.
            assert_eq!(request.header("x-ms-version"), "2012-02-12");
            if request.query.get("comp").is_some_and(|comp| comp == "page") {
                assert_eq!(request.header("x-ms-page-write"), "update");
                assert_eq!(
                    request.header("x-ms-lease-id"),
                    seen[2].header("x-ms-proposed-lease-id")
                );
            }
        }
        assert_eq!(seen[2].header("x-ms-lease-duration"), "-1");
        assert_ne!(
            seen[2].header("x-ms-proposed-lease-id").replace('-', ""),
            "BAC2".repeat(8)
        );
    }
}

/// From 2016 on the library is a younger one.
#[test]
fn later_servers_speak_a_later_version() {
    let place = Place::new(Version::V2016);
    let (seen, _) = place.requests(&format!(
        "BACKUP DATABASE Shop TO URL = '{URL}' WITH CREDENTIAL = 'key'"
    ));
    assert!(
        seen.iter()
            .all(|request| request.header("x-ms-version") == "2015-02-21")
    );
}

#[test]
fn one_device_and_no_sizes_with_an_account_key() {
    let place = Place::new(VERSION);
    let refused = |options: &str| {
        let text = format!("BACKUP DATABASE Shop TO URL = '{URL}'{options}");
        let (lines, told) = place.fails(&text);
        assert!(lines.is_empty(), "{text}: {lines:?}");
        told.iter().map(|(number, _)| *number).collect::<Vec<_>>()
    };
    let two = format!(", URL = '{URL}2' WITH CREDENTIAL = 'key'");
    assert_eq!(refused(&two), [3294, 3013]);
    assert_eq!(
        refused(" WITH CREDENTIAL = 'key', BLOCKSIZE = 65536"),
        [3291, 3013]
    );
    assert_eq!(
        refused(" WITH CREDENTIAL = 'key', MAXTRANSFERSIZE = 4194304"),
        [3291, 3013]
    );
    assert_eq!(refused(" WITH CREDENTIAL = 'nobody'"), [3288, 3013]);
    // Before 2016 there is no other way.
    assert_eq!(refused(""), [3289, 3013]);
}

#[test]
fn restores_read_ranges_inside_of_the_size_and_page_mode_takes_the_well_known_lease() {
    for (version, with) in [(Version::V2022, ""), (VERSION, " WITH CREDENTIAL = 'key'")] {
        let place = Place::new(version);
        place.requests(&format!("BACKUP DATABASE Shop TO URL = '{URL}'{with}"));
        for form in ["HEADERONLY", "FILELISTONLY", "LABELONLY", "VERIFYONLY"] {
            let (seen, lines) = place.requests(&format!("RESTORE {form} FROM URL = '{URL}'{with}"));
            let other: Vec<_> = lines.iter().filter(|line| !line.starts_with("GET ")).collect();
            if with.is_empty() {
                assert_eq!(
                    other,
                    ["HEAD"],
                    "{form}: whether it takes a lease is not known; it takes none"
                );
                assert!(
                    seen.iter()
                        .all(|request| request.header("user-agent") == "SQLBLOBACCESS")
                );
            } else {
                assert_eq!(
                    other,
                    ["PUT lease acquire", "HEAD", "PUT lease release"],
                    "{form}"
                );
                assert_eq!(lines.last().unwrap(), "PUT lease release");
                assert_eq!(
                    seen[0].header("x-ms-proposed-lease-id"),
                    "BAC2".repeat(8),
                    "as documented, without dashes"
                );
                assert_eq!(seen[0].header("x-ms-lease-duration"), "-1");
            }
            assert!(
                lines.iter().any(|line| line.starts_with("GET bytes=0-")),
                "{lines:?}"
            );
        }
        let leased = place.service.blob(PATH, |blob| blob.lease).unwrap();
        assert_eq!(leased, None);
    }
}

#[test]
fn a_lease_that_a_broken_restore_left_is_taken_again_and_one_of_a_backup_is_a_conflict() {
    let place = Place::new(VERSION);
    place.requests(&format!(
        "BACKUP DATABASE Shop TO URL = '{URL}' WITH CREDENTIAL = 'key'"
    ));
    let restore_lease = u128::from_str_radix(&"BAC2".repeat(8), 16).unwrap();
    place.service.blob(PATH, |blob| blob.lease = Some(restore_lease));
    let text = format!("RESTORE HEADERONLY FROM URL = '{URL}' WITH CREDENTIAL = 'key'");
    place.requests(&text);
    assert_eq!(
        place.service.blob(PATH, |blob| blob.lease),
        Some(None),
        "and released"
    );
    place.service.blob(PATH, |blob| blob.lease = Some(1));
    let (lines, told) = place.fails(&text);
    assert_eq!(lines, ["PUT lease acquire"]);
    assert_eq!((told[0].0, told[1].0), (3201, 3013));
    // As the engineering team printed it.
    assert!(
        told[0].1.ends_with(
            "Backup to URL received an exception from the remote endpoint. Exception Message: The remote server returned an error: (409) Conflict.."
        ),
        "{}",
        told[0].1
    );
}

#[test]
fn a_cancelled_restore_lets_go_wherever_it_is() {
    let place = Place::new(VERSION);
    place.requests(&format!(
        "BACKUP DATABASE Shop TO URL = '{URL}' WITH CREDENTIAL = 'key'"
    ));
    let text = format!("RESTORE VERIFYONLY FROM URL = '{URL}' WITH CREDENTIAL = 'key'");
    for after in [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30] {
        let mut session = place.session();
        let canceller = session.canceller.clone();
        let cancel = async {
            place.memory.world.clock.sleep(Duration::from_millis(after)).await;
            canceller.cancel();
            Ok(simsql::answers::Transcript::default())
        };
        let restore = Box::pin(run(&mut session, &text));
        place.memory.clock.run(vec![restore, Box::pin(cancel)]);
        let lease = place.service.blob(PATH, |blob| blob.lease);
        assert_eq!(lease, Some(None), "after {after} ms");
    }
}
