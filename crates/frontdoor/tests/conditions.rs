//! Conditional headers everywhere: every operation that knows them against every header, over a real socket.
//!
//! The tables are those of "Specifying conditional headers for Blob service operations": a write whose condition fails is
//! 412, a read 304 or 412; writes take one header or one of two pairs.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::client::{Ask, Client};
use support::upload::server;

const PAST: &str = "Mon, 01 Jan 2001 00:00:00 GMT";
const FUTURE: &str = "Mon, 01 Jan 2035 00:00:00 GMT";
const WRONG: &str = "\"0x8D0000000000000\"";
const LEASE: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

/// Each kind of blob, as fresh as can be.
fn make(client: &mut Client) {
    let kinds = [("b", "BlockBlob"), ("p", "PageBlob"), ("a", "AppendBlob")];
    for (name, kind) in kinds {
        let ask = Ask::put(format!("box/{name}")).header("x-ms-blob-type", kind);
        let ask = match kind {
            "PageBlob" => ask.header("x-ms-blob-content-length", "1024"),
            _ => ask,
        };
        client.ask(&ask).expect(201);
    }
    client
        .ask(&Ask::put("box/b?comp=block&blockid=QUFB").body("block"))
        .expect(201);
}

/// Every write that takes conditions, and the blob it changes.
fn writes() -> Vec<(&'static str, Ask)> {
    let list = "<BlockList><Latest>QUFB</Latest></BlockList>";
    let pages = |deed: &str| {
        Ask::put("box/p?comp=page")
            .header("x-ms-page-write", deed)
            .header("x-ms-range", "bytes=0-511")
    };
    let lease = Ask::put("box/b?comp=lease")
        .header("x-ms-lease-action", "acquire")
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", LEASE);
    vec![
        (
            "b",
            Ask::put("box/b")
                .header("x-ms-blob-type", "BlockBlob")
                .body("new"),
        ),
        ("b", Ask::put("box/b?comp=blocklist").body(list)),
        ("b", Ask::put("box/b?comp=metadata").header("x-ms-meta-a", "1")),
        (
            "b",
            Ask::put("box/b?comp=properties").header("x-ms-blob-content-type", "a/b"),
        ),
        ("b", Ask::put("box/b?comp=snapshot")),
        ("b", lease),
        ("b", Ask::delete("box/b")),
        (
            "p",
            Ask::put("box/p")
                .header("x-ms-blob-type", "PageBlob")
                .header("x-ms-blob-content-length", "512"),
        ),
        ("p", pages("update").body([7; 512])),
        ("p", pages("clear")),
        (
            "p",
            Ask::put("box/p?comp=properties").header("x-ms-blob-content-length", "2048"),
        ),
        (
            "p",
            Ask::put("box/p?comp=properties").header("x-ms-sequence-number-action", "increment"),
        ),
        ("a", Ask::put("box/a").header("x-ms-blob-type", "AppendBlob")),
        ("a", Ask::put("box/a?comp=appendblock").body("more")),
        ("a", Ask::put("box/a?comp=seal")),
    ]
}

fn etag(client: &mut Client, name: &str) -> String {
    client
        .ask(&Ask::head(format!("box/{name}")))
        .expect(200)
        .header("etag")
        .to_owned()
}

#[test]
fn every_write_waits_for_its_condition() {
    let server = server();
    let mut client = server.client();
    for (name, ask) in writes() {
        make(&mut client);
        let tag = etag(&mut client, name);
        let not_met = [
            ("if-match", WRONG),
            ("if-none-match", tag.as_str()),
            ("if-modified-since", FUTURE),
            ("if-unmodified-since", PAST),
        ];
        for (header, value) in not_met {
            let reply = client.ask(&ask.clone().header(header, value));
            assert_eq!(reply.error(), (412, "ConditionNotMet"), "{} {header}", ask.target);
        }
        let not_legal = [
            [("if-match", tag.as_str()), ("if-none-match", WRONG)],
            [("if-match", tag.as_str()), ("if-modified-since", PAST)],
            [("if-none-match", WRONG), ("if-unmodified-since", FUTURE)],
            [("if-modified-since", PAST), ("if-unmodified-since", FUTURE)],
        ];
        for pair in not_legal {
            let both = pair
                .iter()
                .fold(ask.clone(), |ask, (header, value)| ask.header(header, *value));
            let reply = client.ask(&both);
            assert_eq!(
                reply.error(),
                (400, "MultipleConditionHeadersNotSupported"),
                "{} {pair:?}",
                ask.target
            );
        }
        let two = ask.clone().header("if-match", format!("{tag}, {WRONG}"));
        assert_eq!(
            client.ask(&two).error().0,
            400,
            "{}: writes take one tag",
            ask.target
        );
        assert_eq!(
            etag(&mut client, name),
            tag,
            "{}: nothing was changed",
            ask.target
        );
        // The pair that is legal: the tag decides.
        let met = ask
            .clone()
            .header("if-match", &tag)
            .header("if-unmodified-since", PAST);
        let reply = client.ask(&met);
        assert!((200..300).contains(&reply.status), "{}: {reply:?}", ask.target);
        if name == "b" && ask.target.contains("comp=lease") {
            client
                .ask(&Ask::put("box/b?comp=lease").header("x-ms-lease-action", "break"))
                .expect(202);
        }
        client.ask(&Ask::delete(format!("box/{name}")).header("x-ms-delete-snapshots", "include"));
    }
}

#[test]
fn a_lease_is_asked_for_before_a_condition() {
    let server = server();
    let mut client = server.client();
    make(&mut client);
    let lease = |name: &str| {
        Ask::put(format!("box/{name}?comp=lease"))
            .header("x-ms-lease-action", "acquire")
            .header("x-ms-lease-duration", "-1")
    };
    for name in ["b", "p", "a"] {
        client.ask(&lease(name)).expect(201);
    }
    for (name, ask) in writes() {
        // Neither taking a snapshot nor a lease needs the id.
        if ask.target.contains("comp=snapshot") || ask.target.contains("comp=lease") {
            continue;
        }
        let reply = client.ask(&ask.clone().header("if-none-match", "*"));
        assert_eq!(reply.error(), (412, "LeaseIdMissing"), "{name} {}", ask.target);
    }
}

#[test]
fn every_read_waits_for_its_condition() {
    let server = server();
    let mut client = server.client();
    make(&mut client);
    let reads = [
        ("b", Ask::get("box/b")),
        ("b", Ask::head("box/b")),
        ("b", Ask::get("box/b?comp=metadata")),
        ("p", Ask::get("box/p").header("x-ms-range", "bytes=0-511")),
        ("p", Ask::get("box/p?comp=pagelist")),
        ("a", Ask::head("box/a")),
    ];
    for (name, ask) in reads {
        let tag = etag(&mut client, name);
        let mut status = |headers: &[(&str, &str)]| {
            let ask = headers
                .iter()
                .fold(ask.clone(), |ask, (header, value)| ask.header(header, *value));
            client.ask(&ask).status
        };
        let target = &ask.target;
        assert_eq!(status(&[("if-match", WRONG)]), 412, "{target}");
        assert_eq!(status(&[("if-unmodified-since", PAST)]), 412, "{target}");
        assert_eq!(status(&[("if-none-match", &tag)]), 304, "{target}");
        assert_eq!(status(&[("if-modified-since", FUTURE)]), 304, "{target}");
        // Several tags, and all four at once: the first pair must hold, one of the second is enough.
        let several = format!("{WRONG}, {tag}");
        assert_eq!(status(&[("if-none-match", &several)]), 304, "{target}");
        let all = [
            ("if-match", several.as_str()),
            ("if-unmodified-since", FUTURE),
            ("if-none-match", tag.as_str()),
            ("if-modified-since", PAST),
        ];
        assert!([200, 206].contains(&status(&all)), "{target}");
        let not_new = [all[0], all[1], all[2], ("if-modified-since", FUTURE)];
        assert_eq!(status(&not_new), 304, "{target}");
        assert_eq!(status(&[("if-none-match", "*")]), 400, "{target}");
    }
}

#[test]
fn containers_know_the_time_only() {
    let server = server();
    let mut client = server.client();
    let container = |comp: &str| Ask::put(format!("box?restype=container{comp}"));
    let writes = [
        container("&comp=metadata").header("x-ms-meta-a", "1"),
        container("&comp=lease")
            .header("x-ms-lease-action", "acquire")
            .header("x-ms-lease-duration", "15"),
        Ask::delete("box?restype=container"),
    ];
    for ask in writes {
        for (header, value) in [("if-modified-since", FUTURE), ("if-unmodified-since", PAST)] {
            let reply = client.ask(&ask.clone().header(header, value));
            assert_eq!(reply.error(), (412, "ConditionNotMet"), "{} {header}", ask.target);
        }
        for header in ["if-match", "if-none-match"] {
            let reply = client.ask(&ask.clone().header(header, WRONG));
            assert_eq!(
                reply.error(),
                (400, "ConditionHeadersNotSupported"),
                "{} {header}",
                ask.target
            );
        }
    }
    client.ask(&Ask::head("box?restype=container")).expect(200);
}
