//! The real account against a service that is busy, broken, hostile or far away.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::single_range_in_vec_init
)] // Real time and sockets here.

mod azure_support;

use std::time::{Duration, Instant};

use azblob::lease::{LeaseDurationKind, LeaseStatus};
use azblob::response::BlobType;
use azblob::time::UnixMillis;
use guard::Place;
use guard::account::{Account, ETag, Marker, Probe};
use guard::azure::{AzureAccount, Credential, Now, Patience, Sas, Settings};
use guard::fault::{Cause, Fault, Operation};

use azure_support::script::{Reply, Script, Seen, TOKEN, date};
use azure_support::{KEY, LEASE, now};

fn place() -> Place {
    Place::new("backups", "dead.bak")
}

fn tag() -> ETag {
    ETag("\"0x1\"".to_owned())
}

/// Every fault is checked for what it must never hold.
#[track_caller]
fn faulty<T: std::fmt::Debug>(answer: Result<T, Fault>) -> Fault {
    let fault = answer.unwrap_err();
    let said = format!("{fault} {fault:?} {}", fault.sentence());
    assert!(
        !["SECRET", "sig=", "sv=", "?"]
            .iter()
            .any(|word| said.contains(word)),
        "{said}"
    );
    fault
}

#[tokio::test]
async fn a_busy_service_is_given_the_time_it_asks_for() {
    let service = UnixMillis(1_000_000_000);
    let waits = [
        ("Retry-After", "1".to_owned(), 1_000),
        ("x-ms-retry-after-ms", "300".to_owned(), 300),
        // Two seconds after the service's own clock, which is years behind this machine's.
        ("Retry-After", date(UnixMillis(service.0 + 2_000)), 2_000),
    ];
    for (name, value, least) in waits {
        for status in [429, 503] {
            let value = value.clone();
            let script = Script::play(move |before, _| match before {
                0 => Reply::refusal(status, "ServerBusy")
                    .header("Date", date(service))
                    .header(name, value.clone()),
                _ => Reply::blob(),
            })
            .await;
            script.account().head(&place()).await.unwrap();
            let seen = script.seen();
            let waited = seen[1].at - seen[0].at;
            let least = Duration::from_millis(least);
            assert!(
                seen.len() == 2 && waited >= least && waited < least + Duration::from_secs(20),
                "{status} {name}: {waited:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_cache_remembers_is_no_look() {
    for (age, fresh) in [("0", true), ("1", false), ("86400", false), ("soon", false)] {
        let script = Script::play(move |_, _| Reply::blob().header("Age", age)).await;
        let seen = script.account().head(&place()).await;
        assert_eq!(seen.is_ok(), fresh, "{age}");
        if let Err(fault) = seen {
            assert!(matches!(fault.cause, Cause::Unusable(_)), "{fault}");
            assert!(faulty(Err::<(), _>(fault)).sentence().contains("cache"));
        }
        let seen = script.seen();
        assert_eq!(seen.len(), 1, "asking again would give the same");
        assert_eq!(seen[0].header("cache-control"), "no-cache");
    }
    // What was done is done.
    let script = Script::play(|_, _| Reply::new(202).header("Age", "60")).await;
    script.account().break_lease(&place(), &tag()).await.unwrap();
}

#[tokio::test]
async fn a_wait_beyond_all_patience_is_not_begun() {
    let script = Script::play(|_, _| Reply::refusal(503, "ServerBusy").header("Retry-After", "86400")).await;
    let fault = faulty(script.account().head(&place()).await);
    assert_eq!(fault.cause, Cause::Throttled);
    assert_eq!(
        (fault.status, fault.code.as_deref()),
        (Some(503), Some("ServerBusy"))
    );
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn a_wait_ends_when_nobody_waits_for_it() {
    let script = Script::play(|_, _| Reply::new(503).header("Retry-After", "60")).await;
    let (account, place) = (script.account(), place());
    // Whoever asks goes away when the service has been asked once; the next time would be a minute later.
    let asked = async {
        while script.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    tokio::select! {
        answer = account.head(&place) => panic!("{answer:?}"),
        () = asked => {}
    }
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn a_failing_service_is_tried_so_often_and_no_more() {
    for (status, cause) in [
        (500, Cause::Other("Words of the service".to_owned())),
        (502, Cause::Other("Words of the service".to_owned())),
        (429, Cause::Throttled),
        (503, Cause::Throttled),
    ] {
        let script = Script::play(move |_, _| Reply::refusal(status, "InternalError")).await;
        let fault = faulty(script.account().blobs("backups", "", None).await);
        assert_eq!(fault.cause, cause, "{fault}");
        assert_eq!(script.seen().len(), 6, "{status}");
    }
    // What will not change is not asked twice.
    for status in [400, 404, 409, 412, 501] {
        let script = Script::play(move |_, _| Reply::new(status)).await;
        faulty(script.account().head(&place()).await);
        assert_eq!(script.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_break_and_a_deletion_are_sent_once() {
    let answers: [fn() -> Reply; 5] = [
        || Reply::refusal(503, "ServerBusy").header("Retry-After", "0"),
        || Reply::refusal(500, "InternalError").announce(1_000),
        || Reply::refusal(403, "AuthenticationFailed"),
        Reply::silence,
        || Reply::refusal(412, "ConditionNotMet").endless(),
    ];
    let causes = [
        Cause::Throttled,
        Cause::Other(String::new()),
        Cause::Refused,
        Cause::Unreachable(String::new()),
        Cause::Changed,
    ];
    for (answer, cause) in answers.into_iter().zip(causes) {
        let script = Script::play(move |_, _| answer()).await;
        let account = script.account();
        let broken = account.break_lease(&place(), &tag()).await;
        let deleted = account.delete(&place(), &tag()).await;
        for fault in [faulty(broken), faulty(deleted)] {
            let same = std::mem::discriminant(&fault.cause) == std::mem::discriminant(&cause);
            assert!(same, "{cause:?}: {fault}");
            if matches!(fault.cause, Cause::Unreachable(_)) {
                assert!(fault.sentence().contains("not known"), "{fault}");
            }
        }
        let seen = script.seen();
        let methods: Vec<_> = seen.iter().map(|seen| seen.method.as_str()).collect();
        assert_eq!(methods, ["PUT", "DELETE"], "{cause:?}");
    }
    // What the service says is done is done, even if it breaks off after saying so.
    let script = Script::play(|_, _| Reply::new(202).announce(10)).await;
    let account = script.account();
    account.break_lease(&place(), &tag()).await.unwrap();
    account.delete(&place(), &tag()).await.unwrap();
    assert_eq!(script.seen().len(), 2);
}

#[tokio::test]
async fn requests_say_what_they_must() {
    let script = Script::play(|_, seen| match seen.method.as_str() {
        "HEAD" => Reply::blob(),
        _ => Reply::new(202),
    })
    .await;
    let account = script.account();
    account.head(&place()).await.unwrap();
    account.break_lease(&place(), &tag()).await.unwrap();
    account.delete(&place(), &tag()).await.unwrap();
    let probed = account.probe(&place(), "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2").await;
    assert_eq!(probed, Ok(Probe::Match));
    let seen = script.seen();
    for seen in &seen {
        assert_eq!(seen.header("x-bac2-look"), "1");
        assert_eq!(seen.header("x-ms-version"), "2021-12-02");
        assert!(
            seen.target.starts_with("/vault/backups/dead.bak?"),
            "{}",
            seen.target
        );
        assert!(seen.target.ends_with(TOKEN), "the SAS is sent as it was given");
    }
    let [head, broken, deleted, probe] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(head.header("x-ms-lease-id"), "");
    assert_eq!(broken.query("comp"), Some("lease"));
    assert_eq!(broken.header("x-ms-lease-action"), "break");
    assert_eq!(broken.header("x-ms-lease-break-period"), "0");
    assert_eq!(broken.header("if-match"), "\"0x1\"");
    assert_eq!(broken.header("content-length"), "0");
    assert_eq!(deleted.header("if-match"), "\"0x1\"");
    assert_eq!(deleted.header("x-ms-delete-snapshots"), "");
    assert_eq!(probe.header("x-ms-lease-id"), "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2");
}

#[tokio::test]
async fn answers_larger_than_asked_for_are_cut_off() {
    let huge = Script::play(|_, _| Reply::new(200).body("x").announce(1 << 40)).await;
    let fault = faulty(huge.account().blobs("backups", "", None).await);
    assert!(
        matches!(fault.cause, Cause::Unreachable(_)),
        "a terabyte that breaks off: {fault}"
    );

    let endless = Script::play(|_, _| Reply::new(200).endless()).await;
    let account = endless.account();
    for fault in [
        faulty(account.blobs("backups", "", None).await),
        faulty(account.blocks(&place()).await),
        faulty(account.read(&place(), 0..4096, &tag()).await),
        faulty(account.page_ranges(&place(), 4096).await),
        faulty(account.containers(None).await),
    ] {
        assert!(matches!(fault.cause, Cause::Unusable(_)), "{fault}");
        assert!(fault.sentence().contains("more than the"), "{fault}");
    }
    assert_eq!(endless.seen().len(), 5, "and not asked again");

    // Of a refusal without an end the status is enough.
    let endless = Script::play(|_, _| {
        Reply::new(404)
            .header("x-ms-error-code", "BlobNotFound")
            .endless()
    })
    .await;
    let fault = faulty(endless.account().blocks(&place()).await);
    assert_eq!(fault.cause, Cause::NotFound);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let whole = "<?xml version=\"1.0\"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>";
    let script = Script::play(move |before, _| match before {
        0 => Reply::new(200).body(&whole[..30]).announce(whole.len() as u64),
        1 => Reply::silence(),
        _ => Reply::new(200).body(whole),
    })
    .await;
    let page = script.account().blobs("backups", "", None).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
    assert_eq!(script.seen().len(), 3);
}

#[tokio::test]
async fn nobody_there_is_told_soon() {
    let settings = Settings::new(
        "http://127.0.0.1:1/vault",
        Credential::Sas(Sas::parse(TOKEN).unwrap()),
    );
    let account = AzureAccount::open(settings).unwrap();
    let began = Instant::now();
    let fault = faulty(account.containers(None).await);
    let Cause::Unreachable(why) = &fault.cause else {
        panic!("{fault}")
    };
    assert!(why.contains("refused"), "{why}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn garbage_is_called_garbage() {
    for body in [
        "",
        "<html>Welcome to the proxy",
        "<EnumerationResults><Blobs><Blob><Name>a",
        "<!DOCTYPE x [<!ENTITY e \"e\">]><EnumerationResults><Blobs><Blob><Name>&e;</Name></Blob></Blobs></EnumerationResults>",
        "\u{0}\u{1}",
        "{\"error\":{}}",
    ] {
        let script = Script::play(move |_, _| Reply::new(200).body(body)).await;
        let account = script.account();
        for fault in [
            faulty(account.containers(None).await),
            faulty(account.blobs("backups", "", None).await),
            faulty(account.page_ranges(&place(), 512).await),
            faulty(account.blocks(&place()).await),
            faulty(account.head(&place()).await),
        ] {
            assert!(matches!(fault.cause, Cause::Unusable(_)), "{body}: {fault}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let script = Script::play(|_, _| Reply::new(302).header("Location", "/vault/elsewhere?sig=SECRET")).await;
    let fault = faulty(script.account().head(&place()).await);
    assert!(matches!(fault.cause, Cause::Unusable(_)), "{fault}");
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn a_part_must_be_the_one_that_was_asked_for() {
    let read = |status: u16, range: &'static str, body: &'static str, asked: std::ops::Range<u64>| async move {
        let script = Script::play(move |_, _| {
            let reply = Reply::new(status).body(body);
            match range {
                "" => reply,
                range => reply.header("Content-Range", range),
            }
        })
        .await;
        let bytes = script.account().read(&place(), asked, &tag()).await;
        let seen = script.seen();
        assert_eq!(seen[0].header("if-match"), "\"0x1\"");
        bytes
    };
    let good = read(206, "bytes 4-7/100", "abcd", 4..8).await;
    assert_eq!(good.unwrap(), "abcd");
    let cut = read(206, "bytes 4-5/6", "ab", 4..8).await;
    assert_eq!(cut.unwrap(), "ab", "cut at the blob's end");
    let whole = read(200, "", "ab", 0..8).await;
    assert_eq!(whole.unwrap(), "ab");
    assert_eq!(read(416, "bytes */2", "", 4..8).await.unwrap(), "");
    for (status, range, body, asked) in [
        (206, "bytes 0-3/100", "abcd", 4..8),
        (206, "bytes 4-6/100", "abc", 4..8),
        (206, "bytes 4-18446744073709551615/100", "abcde", 4..8),
        (206, "bytes 4-7/100", "abc", 4..8),
        (206, "", "abcd", 4..8),
        (206, "nonsense", "abcd", 4..8),
        (200, "", "abcd", 4..8),
    ] {
        let fault = faulty(read(status, range, body, asked).await);
        assert!(matches!(fault.cause, Cause::Unusable(_)), "{range}: {fault}");
    }
    let fault = faulty(read(412, "", "", 4..8).await);
    assert_eq!(fault.cause, Cause::Changed);
}

#[tokio::test]
async fn too_much_at_once_is_not_asked_for() {
    let script = Script::play(|_, _| Reply::new(500)).await;
    let account = script.account();
    let fault = faulty(account.read(&place(), 0..(4 << 20) + 1, &tag()).await);
    assert!(matches!(fault.cause, Cause::Unusable(_)), "{fault}");
    assert_eq!(account.read(&place(), 5..5, &tag()).await.unwrap(), "");
    assert_eq!(account.page_ranges(&place(), 0).await, Ok(vec![]));
    assert_eq!(script.seen().len(), 0);
}

/// The body of a page list.
fn page_list(ranges: &[(u64, u64)], marker: &str) -> String {
    let ranges: String = ranges
        .iter()
        .map(|(first, last)| format!("<PageRange><Start>{first}</Start><End>{last}</End></PageRange>"))
        .collect();
    format!("<?xml version=\"1.0\"?><PageList>{ranges}<NextMarker>{marker}</NextMarker></PageList>")
}

#[tokio::test]
async fn page_ranges_come_in_parts_and_touching_ones_are_one() {
    let script = Script::play(|_, seen| {
        Reply::new(200).body(match seen.query("marker") {
            None => page_list(&[(0, 511), (512, 1023)], "2!a b"),
            Some("2!a%20b" | "2%21a%20b") => page_list(&[(1024, 1535), (4096, 4607)], "3"),
            Some(_) => page_list(&[(8192, 9727)], ""),
        })
    })
    .await;
    let ranges = script.account().page_ranges(&place(), 9000).await;
    assert_eq!(ranges, Ok(vec![0..1536, 4096..4608, 8192..9000]));
    assert_eq!(script.seen().len(), 3);
    assert_eq!(script.seen()[0].header("range"), "bytes=0-9215");

    let script = Script::play(|_, _| Reply::new(200).body(page_list(&[(512, 1023), (0, 511)], ""))).await;
    let fault = faulty(script.account().page_ranges(&place(), 4096).await);
    assert!(matches!(fault.cause, Cause::Unusable(_)), "{fault}");

    // A list that never ends.
    let script = Script::play(|before, _| {
        let at = before as u64 * 1024;
        Reply::new(200).body(page_list(&[(at, at + 511)], "more"))
    })
    .await;
    let ranges = script.account().page_ranges(&place(), u64::MAX).await;
    assert!(ranges.is_err(), "an endless list is no list");
}

#[tokio::test]
async fn listings_of_any_service_are_read() {
    let body = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"x\" ContainerName=\"c\">\
        <Blobs>\
        <Blob><Name> blank ends </Name><Properties><BlobType>BlockBlob</BlobType></Properties></Blob>\
        <Blob><Name>of the future</Name><Properties><BlobType>CloudBlob</BlobType><LeaseStatus>locked</LeaseStatus>\
        <LeaseState>haunted</LeaseState></Properties></Blob>\
        <Blob><Name>old</Name><Snapshot>2026-11-21T10:00:00.1234567Z</Snapshot><Properties/></Blob>\
        <Blob><Name Encoded=\"true\">a%20b%EF%BF%BF</Name><Properties><Content-Length>7</Content-Length>\
        <BlobType>PageBlob</BlobType><LeaseStatus>locked</LeaseStatus><LeaseState>leased</LeaseState>\
        <LeaseDuration>infinite</LeaseDuration><Etag>0x8</Etag><Last-Modified>never</Last-Modified>\
        <Content-MD5 /><AccessTier>Quantum</AccessTier><ServerEncrypted>perhaps</ServerEncrypted></Properties>\
        <OrMetadata/></Blob>\
        </Blobs><NextMarker>2!80!MDAw+/=</NextMarker></EnumerationResults>";
    let script = Script::play(move |_, _| Reply::new(200).body(body)).await;
    let answer = script.account().blobs("c", "a b+c/ü", None).await;
    let seen = &script.seen()[0];
    assert_eq!(seen.query("prefix"), Some("a%20b%2Bc%2F%C3%BC"));
    assert_eq!(seen.query("include"), Some("uncommittedblobs"));
    let page = answer.unwrap();
    assert_eq!(page.next, Some(Marker("2!80!MDAw+/=".to_owned())));
    let [blank, future, odd] = page.items.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(blank.blob, " blank ends ", "no blank of a name is lost");
    let none = &blank.properties;
    assert_eq!((&none.etag, none.last_modified, none.size), (&None, None, 0));
    assert_eq!(none.lease.status, LeaseStatus::Unlocked);
    // A state that nobody knows is no lease that may be broken.
    assert_eq!(future.properties.lease.status, LeaseStatus::Unlocked);
    assert_eq!(odd.blob, "a b\u{ffff}");
    assert_eq!(odd.properties.kind, BlobType::Page);
    assert_eq!(odd.properties.size, 7);
    assert_eq!(odd.properties.etag, Some(ETag("\"0x8\"".to_owned())));
    assert_eq!(odd.properties.last_modified, None);
    assert_eq!(odd.properties.lease.duration, Some(LeaseDurationKind::Infinite));

    let script = Script::play(|before, seen| {
        let next = if before < 2 { "n+/=" } else { "" };
        assert_eq!(seen.query("marker"), (before > 0).then_some("n%2B%2F%3D"));
        Reply::new(200).body(format!(
            "<EnumerationResults><Blobs /><NextMarker>{next}</NextMarker></EnumerationResults>"
        ))
    })
    .await;
    let account = script.account();
    let (mut marker, mut pages) = (None, 0);
    loop {
        let page = account.blobs("c", "", marker.as_ref()).await.unwrap();
        pages += 1;
        marker = page.next;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3, "empty pages are no end");
}

#[tokio::test]
async fn a_replaced_sas_file_is_found_in_the_middle_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sas");
    let token =
        |sig: &str, se: UnixMillis| format!("?sv=2021-12-02&sr=c&sp=rl&se={}&sig={sig}\n", se.iso_short());
    let hour = |n: i64| UnixMillis(now().truncated_to_second().0 + n * 3_600_000);
    std::fs::write(&file, token("OLD", hour(-1))).unwrap();
    let refuse = |reply: Reply| reply.header("Date", date(now()));
    let script = Script::play(move |_, seen| match seen.query("sig") {
        Some("NEW") => Reply::blob(),
        _ => refuse(Reply::refusal(403, "AuthenticationFailed")),
    })
    .await;
    let account = script.account_with(Credential::SasFile(file.clone()), |_| {});

    // HEAD has no body that could say why: the time in the SAS is compared with the service's clock.
    let fault = faulty(account.head(&place()).await);
    assert_eq!(fault.cause, Cause::Expired(Some(hour(-1))));
    assert!(fault.sentence().contains(&hour(-1).iso_short()), "{fault}");
    assert!(fault.sentence().contains("--sas-file"), "{fault}");
    assert_eq!(script.seen().len(), 1, "the old one is not tried twice");

    std::fs::write(&file, token("NEW", hour(1))).unwrap();
    account.head(&place()).await.unwrap();
    account.head(&place()).await.unwrap();
    let sigs: Vec<_> = script
        .seen()
        .iter()
        .map(|s| s.query("sig").unwrap().to_owned())
        .collect();
    assert_eq!(sigs, ["OLD", "OLD", "NEW", "NEW"]);

    // A file that holds nothing of use changes nothing.
    std::fs::write(&file, "half a SA").unwrap();
    account.head(&place()).await.unwrap();
}

#[tokio::test]
async fn a_sas_made_from_a_key_is_made_anew_before_it_ends() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    let clock = Arc::new(AtomicI64::new(1_795_348_800_000)); // 2026-11-22T12:00:00Z
    let moved = Arc::clone(&clock);
    let script = Script::play(|_, _| Reply::blob()).await;
    let key = Credential::from_key_text(KEY).unwrap();
    let account = script.account_with(key, |settings| {
        settings.now = Now(Arc::new(move || UnixMillis(moved.load(Ordering::Relaxed))));
    });
    let mut times = Vec::new();
    for minutes in [0, 39, 41, 60, 600, 0] {
        clock.store(1_795_348_800_000 + minutes * 60_000, Ordering::Relaxed);
        account.head(&place()).await.unwrap();
        let seen = script.seen().pop().unwrap();
        let of = |name| seen.query(name).unwrap();
        assert_eq!((of("sp"), of("srt"), of("ss")), ("rl", "sco", "b"));
        let at = |name| UnixMillis::parse_iso(of(name)).unwrap().iso_seven();
        times.push((at("st"), at("se")));
    }
    let hour = |from: &str, to: &str| {
        let at = |clock: &str| format!("2026-11-22T{clock}:00.0000000Z");
        (at(from), at(to))
    };
    let first = hour("11:45", "13:00");
    let second = hour("12:26", "13:41");
    let later = hour("21:45", "23:00");
    let want = [first.clone(), first.clone(), second.clone(), second, later, first];
    assert_eq!(times, want);
}

#[tokio::test]
async fn a_wrong_clock_here_is_no_hindrance() {
    // The service's clock is a day behind ours: it refuses what is not good yet, and says what time it is.
    let service = UnixMillis(1_795_262_400_000);
    let script = Script::play(move |_, seen| {
        let st = seen.query("st").unwrap().replace("%3A", ":");
        match UnixMillis::parse_iso(&st).unwrap() <= service {
            true => Reply::blob(),
            false => Reply::refusal(403, "AuthenticationFailed").header("Date", date(service)),
        }
    })
    .await;
    let key = Credential::from_key_text(KEY).unwrap();
    let account = script.account_with(key, |settings| {
        settings.now = Now::from(UnixMillis(1_795_348_800_000));
    });
    account.head(&place()).await.unwrap();
    account.head(&place()).await.unwrap();
    assert_eq!(script.seen().len(), 3, "one refusal, then by the service's clock");
}

#[tokio::test]
async fn the_codes_of_a_probe_are_read_from_the_header() {
    let cases = [
        (200, "", Ok(Probe::Match)),
        (412, "LeaseIdMismatchWithBlobOperation", Ok(Probe::Mismatch)),
        (409, "LeaseIdMismatchWithBlobOperation", Ok(Probe::Mismatch)),
        (412, "LeaseNotPresentWithBlobOperation", Ok(Probe::NotLeased)),
        (412, "LeaseLost", Ok(Probe::NotLeased)),
        (404, "BlobNotFound", Err(Cause::NotFound)),
        (403, "AuthorizationPermissionMismatch", Err(Cause::NotAllowed)),
        (412, "ConditionNotMet", Err(Cause::Changed)),
    ];
    for (status, code, want) in cases {
        let script = Script::play(move |_, _| match status {
            200 => Reply::blob(),
            status => Reply::new(status).header("x-ms-error-code", code),
        })
        .await;
        let probed = script.account().probe(&place(), LEASE).await;
        assert_eq!(probed.map_err(|fault| fault.cause), want, "{status} {code}");
    }
}

#[tokio::test]
async fn a_sas_of_one_container_lists_no_containers() {
    let script = Script::play(|_, _| Reply::new(500)).await;
    let sas = Sas::parse("sv=2021-12-02&sr=c&sp=rl&sig=SECRET").unwrap();
    let account = script.account_with(Credential::Sas(sas), |_| {});
    let fault = faulty(account.containers(None).await);
    assert_eq!(fault.cause, Cause::NotAllowed);
    assert_eq!(fault.operation, Operation::ListContainers);
    assert!(
        fault.sentence().contains("name the container with --container"),
        "{fault}"
    );
    assert_eq!(script.seen().len(), 0);
}

#[tokio::test]
async fn many_requests_share_their_connections() {
    let script = Script::play(|_, _| Reply::blob()).await;
    let account = script.account_with(Credential::Sas(Sas::parse(TOKEN).unwrap()), |settings| {
        settings.patience = Patience {
            tries: 1,
            ..settings.patience
        };
    });
    let places: Vec<_> = (0..64).map(|n| Place::new("c", n.to_string())).collect();
    let heads = futures::future::join_all(places.iter().map(|place| account.head(place))).await;
    assert!(heads.iter().all(Result::is_ok));
    let seen: Vec<Seen> = script.seen();
    assert_eq!(seen.len(), 64);
}
