//! What the door testifies of those who use a locked blob (`x-bac2-lease-witness`), and how long a holder may be silent.
//! Over real sockets, with a clock that is turned by hand.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use azblob::lease::{LOOK_HEADER, LeaseWitness, WITNESS_HEADER};
use blobstore::disk::real::RealDisk;
use frontdoor::limits;

use support::client::{ACCOUNT, Ask, Client, OTHER_KEY};
use support::clockwork::{Clockwork, MARGIN};
use support::upload::{LEASE, acquire, commit, put_block, release};

/// The restore lease as SQL Server writes it.
const RESTORE: &str = "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2";
const MINUTE: Duration = Duration::from_secs(60);

/// The request of one who only looks.
fn look(ask: Ask) -> Ask {
    ask.header(LOOK_HEADER.as_str(), "1")
}

/// What the door says of a blob, if anything, to one who only looks and leaves no connection behind.
fn testimony(server: &Clockwork, name: &str) -> Option<LeaseWitness> {
    let reply = server
        .client()
        .ask(&look(Ask::head(format!("box/{name}"))))
        .expect(200);
    let text = reply.headers.get(WITNESS_HEADER)?.to_str().unwrap();
    Some(LeaseWitness::parse(text).unwrap_or_else(|| panic!("{text}")))
}

#[track_caller]
fn witness(server: &Clockwork, name: &str) -> LeaseWitness {
    testimony(server, name).expect("it is locked")
}

/// Waits until nobody is with the blob, which takes the server a moment after a client is gone.
#[track_caller]
fn alone(server: &Clockwork, name: &str) -> LeaseWitness {
    let since = Instant::now();
    loop {
        let witness = witness(server, name);
        if witness.connections == 0 {
            return witness;
        }
        assert!(since.elapsed() < Duration::from_secs(300), "{witness:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Times that pass for as long as `clock` was turned.
fn about(clock: Duration) -> Range<u64> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
    millis(clock)..millis(clock + MARGIN)
}

#[track_caller]
fn expect_since(since: Option<u64>, clock: Duration) {
    assert!(
        since.is_some_and(|since| about(clock).contains(&since)),
        "{since:?} for {clock:?}"
    );
}

fn create_pages(name: &str) -> Ask {
    Ask::put(format!("box/{name}"))
        .header("x-ms-blob-type", "PageBlob")
        .header("x-ms-blob-content-length", (64 << 20).to_string())
}

fn put_page(name: &str, start: usize, length: usize) -> Ask {
    Ask::put(format!("box/{name}?comp=page"))
        .header("x-ms-page-write", "update")
        .header("x-ms-range", format!("bytes={start}-{}", start + length - 1))
        .lease(Some(LEASE))
}

fn get_range(name: &str, start: usize, length: usize) -> Ask {
    Ask::get(format!("box/{name}")).header("x-ms-range", format!("bytes={start}-{}", start + length - 1))
}

/// A page blob with a lease, over this connection.
fn begin(client: &mut Client, name: &str) {
    client.ask(&create_pages(name)).expect(201);
    client.ask(&acquire(name)).expect(201);
}

#[test]
fn an_upload_that_pauses_lives_as_long_as_its_connection() {
    let server = Clockwork::with_container();
    let mut upload = server.client();
    begin(&mut upload, "db.bak");
    upload
        .ask(&put_page("db.bak", 0, 1 << 20).body(vec![1; 1 << 20]))
        .expect(201);
    server.pass(MINUTE);
    let paused = witness(&server, "db.bak");
    assert_eq!((paused.connections, paused.jobs, paused.since_read), (1, 0, None));
    expect_since(paused.since_write, MINUTE);
    assert_eq!(paused.quiet(), 0);
    for _ in 0..8 {
        server.pass(30 * MINUTE);
        assert_eq!(witness(&server, "db.bak").connections, 1);
    }
    let paused = witness(&server, "db.bak");
    expect_since(paused.since_write, 241 * MINUTE);
    upload
        .ask(&put_page("db.bak", 1 << 20, 512).body(vec![2; 512]))
        .expect(201);
    expect_since(witness(&server, "db.bak").since_write, Duration::ZERO);
    server.pass(MINUTE);
    drop(upload);
    let gone = alone(&server, "db.bak");
    expect_since(gone.since_write, Duration::ZERO);
    server.pass(10 * MINUTE);
    let gone = witness(&server, "db.bak");
    expect_since(gone.since_write, 10 * MINUTE);
    assert!(about(10 * MINUTE).contains(&gone.quiet()), "{gone:?}");
    assert!(gone.watched >= about(252 * MINUTE).start);
}

#[test]
fn a_slow_body_and_a_slow_download_are_use_from_begin_to_end() {
    let server = Clockwork::with_container();
    let mut upload = server.client();
    begin(&mut upload, "db.bak");
    let mut second = server.client();
    second
        .write(&put_page("db.bak", 0, 400).announce(4 << 20))
        .unwrap();
    // Refused, for a range that is not of whole pages, when the rest of its body was waited for a little.
    server.pass(limits::DRAIN_TIME + MARGIN);
    second.read(false).unwrap().expect(416);
    let mut slow = server.client();
    slow.write(&put_page("db.bak", 0, 4 << 20).announce(4 << 20))
        .unwrap();
    for _ in 0..4 {
        slow.write_raw(&[7; 1000]).unwrap();
        server.pass(limits::BODY_STALL - MARGIN);
    }
    let at_work = witness(&server, "db.bak");
    assert_eq!((at_work.connections, at_work.since_write), (2, Some(0)));
    drop((slow, upload));
    let gone = alone(&server, "db.bak");
    expect_since(gone.since_write, Duration::ZERO);

    let mut download = server.client();
    download
        .write(&Ask::get("box/db.bak").lease(Some(LEASE)))
        .unwrap();
    server.pass(limits::ANSWER_STALL - MARGIN);
    let at_work = witness(&server, "db.bak");
    assert_eq!((at_work.connections, at_work.since_read), (1, Some(0)));
    expect_since(at_work.since_write, limits::ANSWER_STALL - MARGIN);
    drop(download);
    expect_since(alone(&server, "db.bak").since_read, Duration::ZERO);
}

#[test]
fn a_restore_is_seen_between_its_reads() {
    let server = Clockwork::with_container();
    let mut restore = server.client();
    restore.ask(&create_pages("db.bak")).expect(201);
    let acquire = Ask::put("box/db.bak?comp=lease")
        .header("x-ms-lease-action", "Acquire")
        .header("x-ms-lease-duration", "-1")
        .header("x-ms-proposed-lease-id", RESTORE);
    restore.ask(&acquire).expect(201);
    for n in 0..3 {
        let read = get_range("db.bak", n << 20, 1 << 20).lease(Some(RESTORE));
        restore.ask(&read).expect(206);
        server.pass(20 * MINUTE);
        let between = witness(&server, "db.bak");
        assert_eq!(between.connections, 1);
        expect_since(between.since_read, 20 * MINUTE);
    }
    drop(restore);
    alone(&server, "db.bak");
    // It connects anew for each read.
    for _ in 0..2 {
        server.pass(5 * MINUTE);
        let read = get_range("db.bak", 0, 512).lease(Some(RESTORE));
        server.client().ask(&read).expect(206);
        let between = alone(&server, "db.bak");
        expect_since(between.since_read, Duration::ZERO);
        assert!(between.since_write.unwrap() >= about(60 * MINUTE).start);
    }
    let head = Ask::head("box/db.bak").header("if-none-match", "*");
    server.pass(5 * MINUTE);
    assert!(server.client().ask(&head).status >= 300);
}

#[test]
fn who_tries_in_vain_keeps_no_orphan_alive() {
    let server = Clockwork::with_container();
    begin(&mut server.client(), "db.bak");
    alone(&server, "db.bak");
    let mut vain = server.client();
    let another = Ask::put("box/db.bak?comp=lease")
        .header("x-ms-lease-action", "Acquire")
        .header("x-ms-lease-duration", "-1");
    for _ in 0..3 {
        server.pass(MINUTE);
        vain.ask(&Ask::head("box/db.bak")).expect(200);
        vain.ask(&create_pages("db.bak")).expect(412);
        vain.ask(&Ask::delete("box/db.bak")).expect(412);
        vain.ask(&another).expect(409);
        vain.ask(&Ask::head("box/db.bak").lease(Some(RESTORE)))
            .expect(412);
        vain.ask(&get_range("db.bak", 0, 512).header("if-match", "\"0x1\""))
            .expect(412);
        vain.ask(&Ask::get("box/db.bak").by(ACCOUNT, OTHER_KEY))
            .expect(403);
        vain.ask(&Ask::get("box/other.bak")).expect(404);
    }
    let orphan = witness(&server, "db.bak");
    assert_eq!((orphan.connections, orphan.since_read), (0, None));
    expect_since(orphan.since_write, 3 * MINUTE);
}

#[test]
fn a_look_is_no_use_but_a_change_is_one() {
    let server = Clockwork::with_container();
    begin(&mut server.client(), "db.bak");
    alone(&server, "db.bak");
    server.pass(MINUTE);
    let mut onlooker = server.client();
    onlooker.ask(&look(Ask::head("box/db.bak"))).expect(200);
    onlooker.ask(&look(get_range("db.bak", 0, 512))).expect(206);
    onlooker
        .ask(&look(Ask::get("box/db.bak?comp=pagelist")))
        .expect(200);
    onlooker
        .ask(&look(Ask::get("box/db.bak?comp=metadata")))
        .expect(200);
    let seen = witness(&server, "db.bak");
    assert_eq!((seen.connections, seen.since_read), (0, None));
    expect_since(seen.since_write, MINUTE);
    server
        .client()
        .ask(&Ask::get("box?restype=container&comp=list"))
        .expect(200);
    assert_eq!(
        witness(&server, "db.bak").connections,
        0,
        "a listing is about no blob"
    );
    for question in ["box/db.bak", "box/db.bak?comp=metadata"] {
        onlooker.ask(&Ask::head(question)).expect(200);
    }
    let seen = witness(&server, "db.bak");
    assert_eq!(
        (seen.connections, seen.since_read),
        (0, None),
        "no more than properties"
    );
    onlooker
        .ask(&Ask::head("box/db.bak").lease(Some(LEASE)))
        .expect(200);
    let seen = witness(&server, "db.bak");
    assert_eq!(seen.connections, 1, "who knows the lease holds it");
    expect_since(seen.since_read, Duration::ZERO);
    let renew = Ask::put("box/db.bak?comp=lease")
        .header("x-ms-lease-action", "Renew")
        .lease(Some(LEASE));
    onlooker.ask(&look(renew)).expect(200);
    expect_since(witness(&server, "db.bak").since_write, Duration::ZERO);
}

#[test]
fn looks_at_block_lists_are_no_use() {
    let server = Clockwork::with_container();
    let mut upload = server.client();
    upload
        .ask(&Ask::put("box/b").header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    upload.ask(&acquire("b")).expect(201);
    upload
        .ask(&put_block("b", 0, &[1; 4096], Some(LEASE)))
        .expect(201);
    drop(upload);
    alone(&server, "b");
    let list = || Ask::get("box/b?comp=blocklist&blocklisttype=all");
    server.client().ask(&look(list())).expect(200);
    assert_eq!(witness(&server, "b").since_read, None);
    server.client().ask(&list()).expect(200);
    expect_since(witness(&server, "b").since_read, Duration::ZERO);
    server.pass(MINUTE);
    server.client().ask(&commit("b", [0], Some(LEASE))).expect(201);
    expect_since(witness(&server, "b").since_write, Duration::ZERO);
}

#[test]
fn a_connection_that_moves_on_counts_there() {
    let server = Clockwork::with_container();
    let mut client = server.client();
    begin(&mut client, "a");
    begin(&mut client, "b");
    let counted = |a, b| {
        let seen = (
            witness(&server, "a").connections,
            witness(&server, "b").connections,
        );
        assert_eq!(seen, (a, b));
    };
    counted(0, 1);
    client
        .ask(&Ask::get("box/a?comp=pagelist").lease(Some(LEASE)))
        .expect(200);
    counted(1, 0);
    client.ask(&create_pages("b")).expect(412);
    counted(1, 0);
    client.ask(&Ask::get("?comp=list")).expect(200);
    counted(1, 0);
    client
        .ask(&Ask::put("box/free").header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    counted(0, 0);
}

#[test]
fn nothing_is_said_of_what_is_not_locked() {
    let server = Clockwork::with_container();
    let mut client = server.client();
    client.ask(&create_pages("a")).expect(201);
    assert_eq!(testimony(&server, "a"), None);
    client.ask(&acquire("a")).expect(201);
    assert!(testimony(&server, "a").is_some());
    let taken = client
        .ask(&Ask::put("box/a?comp=snapshot").lease(Some(LEASE)))
        .expect(201);
    let snapshot = taken.header("x-ms-snapshot").to_owned();
    let of_snapshot = Ask::head(format!("box/a?snapshot={snapshot}"));
    assert!(
        !client
            .ask(&of_snapshot)
            .expect(200)
            .headers
            .contains_key(WITNESS_HEADER)
    );
    let get = client.ask(&get_range("a", 0, 512)).expect(206);
    assert!(!get.headers.contains_key(WITNESS_HEADER));
    let refused = client.ask(&Ask::head("box/a").by(ACCOUNT, OTHER_KEY)).expect(403);
    assert!(!refused.headers.contains_key(WITNESS_HEADER));
    let end = |period: &str| {
        Ask::put("box/a?comp=lease")
            .header("x-ms-lease-action", "Break")
            .header("x-ms-lease-break-period", period)
    };
    client.ask(&end("60")).expect(202);
    assert!(testimony(&server, "a").is_some(), "breaking is locked still");
    client.ask(&end("0")).expect(202);
    assert_eq!(testimony(&server, "a"), None);
}

#[test]
fn a_copy_reads_its_source_and_is_about_its_destination() {
    let server = Clockwork::with_container();
    begin(&mut server.client(), "source");
    begin(&mut server.client(), "refuses");
    alone(&server, "source");
    server.pass(MINUTE);
    let from = |name: &str| format!("http://localhost/{ACCOUNT}/box/{name}");
    let copy = |to: &str, source: &str| {
        Ask::put(format!("box/{to}"))
            .header("x-ms-copy-source", from(source))
            .header("x-ms-requires-sync", "true")
    };
    let mut client = server.client();
    client.ask(&copy("copied", "source")).expect(202);
    let source = witness(&server, "source");
    assert_eq!(source.connections, 0, "the copy was about its destination");
    expect_since(source.since_read, Duration::ZERO);
    expect_since(source.since_write, MINUTE);
    client.ask(&copy("refuses", "source")).expect(412);
    let refuses = witness(&server, "refuses");
    assert_eq!(refuses.connections, 0);
    expect_since(refuses.since_write, MINUTE);
}

#[test]
fn a_head_that_began_ends_the_patience_with_a_silent_holder() {
    for tls in [false, true] {
        let server = Clockwork::start(tls);
        let connect = || if tls { server.tls_client() } else { server.client() };
        connect().ask(&Ask::put("box?restype=container")).expect(201);
        let (mut slow, mut quick) = (connect(), connect());
        begin(&mut slow, "db.bak");
        quick
            .ask(&get_range("db.bak", 0, 512).lease(Some(LEASE)))
            .expect(206);
        server.pass(3 * limits::HEAD_TIME);
        slow.write_raw(b"GET / HTTP/1.1\r\nHost: a\r\n").unwrap();
        quick.write_raw(b"GET / HTTP/1.1\r\n").unwrap();
        server.pass(limits::HEAD_TIME - MARGIN);
        slow.write_raw(b"x: y\r\n").unwrap();
        quick.write_raw(b"Host: a\r\n\r\n").unwrap();
        assert_eq!(quick.read(false).unwrap().status, 400, "in time");
        server.pass(2 * MARGIN);
        assert!(slow.read(false).is_err(), "closed");
    }
}

#[test]
fn who_holds_nothing_idles_no_longer_than_anybody() {
    let server = Clockwork::with_container();
    let (mut holder, mut other) = (server.client(), server.client());
    begin(&mut holder, "db.bak");
    other
        .ask(&Ask::put("box/free").header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    server.pass(limits::HEAD_TIME + MARGIN);
    assert!(other.send(&Ask::head("box/free")).is_err(), "closed");
    server.client().ask(&release("db.bak")).expect(200);
    server.pass(limits::HEAD_TIME + MARGIN);
    assert!(holder.send(&Ask::head("box/db.bak")).is_err(), "closed");

    let mut again = server.client();
    again.ask(&acquire("db.bak")).expect(201);
    // In two leaps, for timers are looked at once in each.
    server.pass(limits::HOLDER_IDLE - MARGIN);
    assert_eq!(witness(&server, "db.bak").connections, 1);
    server.pass(2 * MARGIN);
    expect_since(alone(&server, "db.bak").since_write, Duration::ZERO);
    assert!(again.send(&Ask::head("box/db.bak")).is_err(), "closed");
}

#[test]
fn silent_holders_never_take_all_seats() {
    RealDisk::raise_open_files_limit();
    let server = Clockwork::with_container();
    begin(&mut server.client(), "db.bak");
    let read = Ask::head("box/db.bak").lease(Some(LEASE));
    let more = 8;
    let silent: Vec<Client> = (0..limits::HOLDERS_IDLE + more)
        .map(|_| {
            let mut client = server.client();
            client.ask(&read).expect(200);
            client
        })
        .collect();
    let all = u32::try_from(silent.len()).unwrap();
    assert_eq!(witness(&server, "db.bak").connections, all);
    server.pass(limits::HEAD_TIME + 2 * MARGIN);
    // It lets go of them one after the other.
    let since = Instant::now();
    while witness(&server, "db.bak").connections as usize > limits::HOLDERS_IDLE {
        assert!(
            since.elapsed() < Duration::from_secs(300),
            "those beyond the half are let go"
        );
        thread::sleep(Duration::from_millis(10));
    }
    let left = witness(&server, "db.bak").connections;
    assert_eq!(left as usize, limits::HOLDERS_IDLE);
    server.pass(10 * limits::HEAD_TIME);
    assert_eq!(witness(&server, "db.bak").connections, left);
    drop(silent);
    alone(&server, "db.bak");
}

#[test]
fn who_sends_nothing_at_all_is_no_holder() {
    let server = Clockwork::with_container();
    begin(&mut server.client(), "db.bak");
    let mut stranger = TcpStream::connect(server.address).unwrap();
    write!(stranger, "HEAD /{ACCOUNT}/box/db.bak HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    server.pass(MINUTE);
    assert_eq!(
        witness(&server, "db.bak").connections,
        0,
        "nobody is counted without a signature"
    );
}
