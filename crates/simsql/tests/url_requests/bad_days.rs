//! Failures: what is sent then, what is left, and how it reads.

use std::time::Duration;

use simsql::instance::Version;
use simsql::message::Failure;

use crate::place::{CONTAINER, PATH, Place, URL, run};
use crate::service::{KEY, LEASED, SAS, Seen, Trouble};

const BLOCKS: Version = Version::V2022;
const PAGES: Version = Version::V2014;

fn both() -> [(Version, String); 2] {
    [
        (
            BLOCKS,
            format!("BACKUP DATABASE Shop TO URL = '{URL}' WITH FORMAT"),
        ),
        (
            PAGES,
            format!("BACKUP DATABASE Shop TO URL = '{URL}' WITH FORMAT, CREDENTIAL = 'key'"),
        ),
    ]
}

fn is_write(seen: &Seen) -> bool {
    seen.query
        .get("comp")
        .is_some_and(|comp| comp == "block" || comp == "page")
}

fn numbers(told: &[(i32, String)]) -> Vec<i32> {
    told.iter().map(|(number, _)| *number).collect()
}

#[test]
fn a_blob_that_exists_is_never_written_without_format() {
    for (version, text) in both() {
        let place = Place::new(version);
        place.requests(&text);
        let (lines, told) = place.fails(&text.replace("FORMAT", "NOFORMAT"));
        assert_eq!(lines, ["HEAD"]);
        assert_eq!(numbers(&told), [3271, 3013]);
        // As users of a maintenance script met it.
        assert_eq!(
            told[0].1,
            format!(
                "A nonrecoverable I/O error occurred on file \"{URL}:\" The file {URL} exists on the remote endpoint, and WITH FORMAT was not specified. Backup cannot proceed.."
            )
        );
        assert_eq!(told[1].1, "BACKUP DATABASE is terminating abnormally.");
    }
}

#[test]
fn a_blob_under_another_lease_is_left_alone() {
    for (version, text) in both() {
        let place = Place::new(version);
        place.requests(&text);
        place.service.blob(PATH, |blob| blob.lease = Some(1));
        let (lines, told) = place.fails(&text);
        assert_eq!(
            lines.len(),
            2,
            "HEAD, then the Put Blob that is refused; nothing is deleted: {lines:?}"
        );
        assert!(
            place
                .service
                .blob(PATH, |blob| blob.lease == Some(1) && blob.length > 0)
                .unwrap()
        );
        if version == PAGES {
            assert_eq!(numbers(&told), [3202, 3013]);
            // The published text.
            let expected = format!(
                "Write on \"{URL}\" failed: Backup to URL received an exception from the remote endpoint. Exception Message: The remote server returned an error: (412) {LEASED}"
            );
            assert_eq!(told[0].1, expected);
        } else {
            assert_eq!(numbers(&told), [3201, 3013]);
        }
    }
}

#[test]
fn a_write_that_fails_ends_the_backup_and_its_blob_is_deleted_under_the_lease() {
    for (version, text) in both() {
        for trouble in [
            Trouble::Answer(
                403,
                "AuthenticationFailed",
                "Server failed to authenticate the request.",
            ),
            Trouble::Answer(500, "InternalError", "Server encountered an internal error."),
            Trouble::Lost(12_030),
        ] {
            let place = Place::new(version);
            let cause = trouble.clone();
            let mut writes = 0;
            place.service.rule(move |seen| {
                writes += usize::from(is_write(seen));
                (is_write(seen) && writes > 4).then(|| cause.clone())
            });
            place.service.take();
            let failure = place.run(&text).unwrap_err();
            let seen = place.service.take();
            let told: Vec<i32> = failure.messages.iter().map(|message| message.number).collect();
            assert_eq!(
                told,
                [if version == BLOCKS { 3202 } else { 3271 }, 3013],
                "{trouble:?}"
            );
            let last = seen.last().unwrap();
            assert_eq!(last.line(), "DELETE");
            assert_eq!(
                last.header("x-ms-lease-id"),
                seen[2].header("x-ms-proposed-lease-id")
            );
            assert!(
                seen.iter()
                    .all(|seen| seen.query.get("comp").is_none_or(|comp| comp != "blocklist"))
            );
            assert!(place.service.blob(PATH, |_| ()).is_none());
        }
    }
}

#[test]
fn a_service_that_is_busy_is_asked_again() {
    for (version, text) in both() {
        for status in [500, 503] {
            let place = Place::new(version);
            let mut refusals = 0;
            place.service.rule(move |seen| {
                let refuses = is_write(seen) && refusals < 3;
                refusals += usize::from(refuses);
                refuses.then_some(Trouble::Answer(status, "ServerBusy", "The server is busy."))
            });
            place.run(&text).unwrap();
            assert_eq!(place.service.blob(PATH, |blob| blob.lease), Some(None));
        }
    }
}

#[test]
fn answers_become_the_numbers_that_operators_know() {
    let answers = [
        (403, "AuthenticationFailed", 5),
        (404, "ContainerNotFound", 3),
        (400, "InvalidUri", 87),
        (409, "LeaseAlreadyPresent", 32),
    ];
    for (status, code, number) in answers {
        let place = Place::new(BLOCKS);
        place
            .service
            .rule(move |_| Some(Trouble::Answer(status, code, "")));
        let (lines, told) = place.fails(&both()[0].1);
        assert_eq!(lines, ["HEAD"]);
        assert_eq!(numbers(&told), [3201, 3013]);
        let start = format!("Cannot open backup device '{URL}'. Operating system error {number}(");
        assert!(told[0].1.starts_with(&start), "{}", told[0].1);
    }
    let sentences = [
        (403, "Forbidden"),
        (404, "Not Found"),
        (400, "Bad Request"),
        (500, "Internal Server Error"),
        (503, "Service Unavailable"),
    ];
    for (status, reason) in sentences {
        let place = Place::new(PAGES);
        place
            .service
            .rule(move |_| Some(Trouble::Answer(status, "ContainerNotFound", "")));
        let (_, told) = place.fails(&both()[1].1);
        assert_eq!(numbers(&told), [3271, 3013]);
        assert!(
            told[0].1.contains(&format!(
                "The remote server returned an error: ({status}) {reason}."
            )),
            "{}",
            told[0].1
        );
    }
}

#[test]
fn a_network_that_is_gone_reads_as_winhttp_says() {
    for number in [12_002, 12_007, 12_029, 12_175] {
        let place = Place::new(BLOCKS);
        place.service.rule(move |_| Some(Trouble::Lost(number)));
        let (lines, told) = place.fails(&both()[0].1);
        assert_eq!(lines, ["HEAD"]);
        assert_eq!(numbers(&told), [3201, 3013]);
        assert!(
            told[0].1.contains(&format!("Operating system error {number}(")),
            "{}",
            told[0].1
        );
    }
}

#[test]
fn one_stripe_that_cannot_be_opened_takes_the_others_with_it() {
    let place = Place::new(BLOCKS);
    place.service.rule(|seen| {
        let third = seen.path.ends_with("3.bak") && seen.line() == "PUT lease Acquire";
        third.then_some(Trouble::Answer(500, "InternalError", ""))
    });
    let stripes: Vec<String> = (1..=4)
        .map(|number| format!("URL = '{CONTAINER}/{number}.bak'"))
        .collect();
    let (lines, told) = place.fails(&format!("BACKUP DATABASE Shop TO {}", stripes.join(", ")));
    assert_eq!(numbers(&told), [3201, 3013]);
    // Three were made: the third without a lease of ours, which a first Delete finds out.
    assert_eq!(
        lines.iter().filter(|line| *line == "DELETE").count(),
        4,
        "{lines:?}"
    );
    for number in 1..=4 {
        assert!(
            place
                .service
                .blob(&format!("/sqlbackup/{number}.bak"), |_| ())
                .is_none()
        );
    }
}

#[test]
fn of_two_backups_to_one_blob_one_fails_and_the_other_is_whole() {
    let place = Place::new(BLOCKS);
    let text = both()[0].1.clone();
    let mut sessions = [place.session(), place.session()];
    let other = text.replace("DATABASE Shop", "DATABASE master");
    let [first, second] = &mut sessions;
    let clock = place.memory.clock.clone();
    let outcomes = clock.run(vec![Box::pin(run(first, &text)), Box::pin(run(second, &other))]);
    let ok = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(ok, 1, "{outcomes:?}");
    assert!(
        place
            .service
            .blob(PATH, |blob| blob.lease.is_none() && blob.length > 1 << 20)
            .unwrap()
    );
}

/// A cancelled statement is a failure that cleans up, wherever it is when the client loses patience.
#[test]
fn a_cancelled_backup_deletes_what_it_made() {
    for (version, text) in both() {
        let place = Place::new(version);
        for after in [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30] {
            let mut session = place.session();
            let canceller = session.canceller.clone();
            let cancel = async {
                place.memory.world.clock.sleep(Duration::from_millis(after)).await;
                canceller.cancel();
                Ok(simsql::answers::Transcript::default())
            };
            let backup = Box::pin(run(&mut session, &text));
            let outcomes = place.memory.clock.run(vec![backup, Box::pin(cancel)]);
            let left = place.service.blob(PATH, |blob| blob.lease);
            match &outcomes[0] {
                Ok(_) => assert_eq!(left, Some(None)),
                Err(failure) => {
                    // A cancelled statement has nothing to say.
                    assert!(failure.messages.is_empty(), "{failure:?}");
                    // A blob whose Put Blob was on its way then was never known to be ours; it is under no lease.
                    assert!(
                        left.is_none_or(|lease| lease.is_none()),
                        "after {after} ms: {left:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_killed_backup_sends_nothing_more_and_leaves_the_blob_under_its_lease() {
    for (version, text) in both() {
        let place = Place::new(version);
        let mut writes = 0;
        place.service.rule(move |seen| {
            writes += usize::from(is_write(seen));
            (is_write(seen) && writes > 3).then_some(Trouble::Silence)
        });
        let mut session = place.session();
        let clock = place.memory.world.clock.clone();
        place.service.take();
        let dead = place.memory.clock.run_one(async {
            let backup = Box::pin(run(&mut session, &text));
            let power = Box::pin(clock.sleep(Duration::from_secs(60)));
            // The power goes: the future is dropped where it is.
            matches!(
                futures::future::select(backup, power).await,
                futures::future::Either::Right(_)
            )
        });
        assert!(dead);
        let lines: Vec<String> = place.service.take().iter().map(Seen::line).collect();
        assert!(!lines.contains(&"DELETE".to_owned()), "{lines:?}");
        assert!(
            !lines.contains(&"PUT blocklist".to_owned())
                && !lines.iter().any(|line| line.ends_with("elease"))
        );
        let (lease, length) = place
            .service
            .blob(PATH, |blob| (blob.lease, blob.length))
            .unwrap();
        assert!(lease.is_some());
        // Block mode: nothing is committed. Page mode: the declared size.
        assert_eq!(length, if version == BLOCKS { 0 } else { 1 << 40 });
    }
}

#[test]
fn a_zero_byte_blob_is_no_backup() {
    let place = Place::new(BLOCKS);
    place.requests(&both()[0].1);
    place.service.blob(PATH, |blob| blob.length = 0);
    // Seen where a backup was killed: error 87 on the header.
    let (_, told) = place.fails(&format!("RESTORE HEADERONLY FROM URL = '{URL}'"));
    assert_eq!(numbers(&told), [3201, 3013]);
    assert!(told[0].1.contains("Operating system error 87("), "{}", told[0].1);
    let (_, told) = place.fails(&format!("RESTORE HEADERONLY FROM URL = '{URL}.none'"));
    assert!(told[0].1.contains("Operating system error 2("), "{}", told[0].1);
}

#[test]
fn no_secret_is_in_what_is_told_or_logged() {
    let wild = format!("{SAS}\r\nInjected: 1\u{7f} \u{e9}");
    for secret in [SAS, "?", "", wild.as_str()] {
        let place = Place::new(BLOCKS);
        place.credential(CONTAINER, "SHARED ACCESS SIGNATURE", secret);
        place
            .service
            .rule(|_| Some(Trouble::Answer(403, "AuthenticationFailed", "")));
        assert_hides(&place.run(&both()[0].1).unwrap_err(), secret);
    }
    for secret in [KEY, "no base64!"] {
        let place = Place::new(PAGES);
        place.credential("key", "vault01", secret);
        place
            .service
            .rule(|_| Some(Trouble::Answer(403, "AuthenticationFailed", "")));
        assert_hides(&place.run(&both()[1].1).unwrap_err(), secret);
    }
}

fn assert_hides(failure: &Failure, secret: &str) {
    let told = format!("{failure:?} {}", failure.messages[0].text);
    assert!(secret.len() < 4 || !told.contains(secret), "{told}");
    assert!(!told.contains("a%2Bb%2Fc%3D"), "{told}");
}
