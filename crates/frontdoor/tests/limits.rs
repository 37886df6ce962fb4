//! The limits, each over a socket: what a client sees that is too many, too slow, too large, or gone.
//!
//! Time-outs are tested by turning the server's clock: it runs on a runtime of one thread whose time can be moved on, so
//! a minute passes in no time and a moment too few is told from a moment too many.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use blobstore::disk::real::RealDisk;
use blobstore::{Options, Store, SystemClock};
use frontdoor::limits;
use frontdoor::tls::{AuthorityCertificate, Certificates, certificates};

use support::client::{Ask, Client};
use support::clockwork::{Clockwork, MARGIN, closes, is_closed};
use support::server::start_as;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn a_head_that_does_not_come_closes_the_connection() {
    let server = Clockwork::start(false);
    let mut silent = TcpStream::connect(server.address).unwrap();
    let mut half = TcpStream::connect(server.address).unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").unwrap();
    server.pass(limits::HEAD_TIME - MARGIN);
    assert!(!is_closed(&mut silent) && !is_closed(&mut half));
    server.pass(2 * MARGIN);
    assert!(closes(&mut silent) && closes(&mut half));
}

#[test]
fn a_handshake_that_does_not_come_closes_the_connection() {
    let server = Clockwork::start(true);
    let mut silent = TcpStream::connect(server.address).unwrap();
    let mut half = TcpStream::connect(server.address).unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    server.pass(limits::HANDSHAKE_TIME - MARGIN);
    assert!(!is_closed(&mut silent) && !is_closed(&mut half));
    server.pass(2 * MARGIN);
    assert!(closes(&mut silent) && closes(&mut half));
}

#[test]
fn a_body_may_be_slow_but_not_stop() {
    let server = Clockwork::with_container();
    let put = |length: u64| {
        let ask = Ask::put("box/slow").header("x-ms-blob-type", "BlockBlob");
        ask.announce(length)
    };
    let mut slow = server.client();
    slow.write(&put(300)).unwrap();
    for _ in 0..3 {
        server.pass(limits::BODY_STALL - MARGIN);
        slow.write_raw(&[1; 100]).unwrap();
    }
    slow.read(false).unwrap().expect(201);

    let mut stopped = server.client();
    stopped.write(&put(301)).unwrap();
    stopped.write_raw(&[2; 100]).unwrap();
    server.pass(limits::GATHER_PAUSE + MARGIN);
    server.pass(limits::BODY_STALL + MARGIN);
    // What is left of the body is waited for a little, so that the answer is seen.
    server.pass(limits::DRAIN_TIME + MARGIN);
    let answer = stopped.read(false);
    assert!(
        answer.as_ref().map_or(true, |reply| reply.status >= 400),
        "{answer:?}"
    );
    assert_eq!(
        server.client().ask(&Ask::get("box/slow")).expect(200).body,
        [1; 300],
        "nothing was changed"
    );
}

#[test]
fn a_client_that_takes_no_bytes_is_let_go() {
    let server = Clockwork::with_container();
    let size = 64 << 20;
    let put = Ask::put("box/large").header("x-ms-blob-type", "BlockBlob");
    server.client().ask(&put.body(vec![3; size])).expect(201);
    let mut lazy = server.client();
    lazy.write(&Ask::get("box/large")).unwrap();
    server.pass(limits::ANSWER_STALL - MARGIN);
    server.pass(limits::ANSWER_STALL + MARGIN);
    let error = lazy.read(false).map(|reply| reply.body.len()).unwrap_err();
    assert_ne!(
        error.kind(),
        io::ErrorKind::WouldBlock,
        "the connection is closed before the end"
    );
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let server = Clockwork::start(false);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let long = "a".repeat(limits::HEAD_BYTES);
    let _closed_early = write!(stream, "GET / HTTP/1.1\r\nHost: a\r\nx-ms-meta-a: {long}\r\n\r\n").is_err();
    let mut many = TcpStream::connect(server.address).unwrap();
    let fields: String = (0..=limits::HEADERS).map(|n| format!("x-{n}: 1\r\n")).collect();
    write!(many, "GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").unwrap();
    for stream in [&mut stream, &mut many] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 431");
    }
}

#[test]
fn one_connection_too_many_waits_for_a_seat() {
    RealDisk::raise_open_files_limit();
    let server = Clockwork::start(false);
    let mut seated: Vec<TcpStream> = (0..limits::CONNECTIONS)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    thread::sleep(Duration::from_millis(500));
    let mut waiting = TcpStream::connect(server.address).unwrap();
    waiting
        .write_all(b"GET /vault/box/none HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    waiting
        .set_read_timeout(Some(Duration::from_millis(700)))
        .unwrap();
    let mut first = [0; 1];
    assert!(waiting.read(&mut first).is_err(), "all seats are taken");
    seated.pop();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(waiting.read(&mut first).unwrap(), 1);
}

#[test]
fn a_vanished_client_leaves_nothing_behind() {
    let server = Clockwork::with_container();
    for _ in 0..50 {
        let mut gone = server.client();
        let put = Ask::put("box/gone")
            .header("x-ms-blob-type", "BlockBlob")
            .announce(8 << 20);
        gone.write(&put).unwrap();
        gone.write_raw(&vec![9; 1 << 20]).unwrap();
    }
    let mut client = server.client();
    client.ask(&Ask::get("box/gone")).expect(404);
    let put = Ask::put("box/here").header("x-ms-blob-type", "BlockBlob");
    client.ask(&put.body(vec![1; 1 << 20])).expect(201);
}

/// Sends 64 uploads at once, every second one slowly, and returns the most body bytes that were ever in memory.
fn flood(connect: impl Fn() -> Client + Sync, health: SocketAddr) -> u64 {
    const UPLOADS: usize = 64;
    const SIZE: usize = 4 << 20;
    connect().ask(&Ask::put("box?restype=container")).expect(201);
    let body = vec![6; SIZE];
    thread::scope(|scope| {
        let uploads: Vec<_> = (0..UPLOADS)
            .map(|n| {
                let (connect, body) = (&connect, &body);
                scope.spawn(move || {
                    let mut client = connect();
                    let put = Ask::put(format!("box/{n}")).header("x-ms-blob-type", "BlockBlob");
                    client.write(&put.announce(SIZE as u64)).unwrap();
                    for piece in body.chunks(SIZE / 16) {
                        client.write_raw(piece).unwrap();
                        if n % 2 == 0 {
                            thread::sleep(Duration::from_millis(60));
                        }
                    }
                    client.read(false).unwrap().expect(201);
                })
            })
            .collect();
        let mut most = 0;
        let since = Instant::now();
        while !uploads.iter().all(thread::ScopedJoinHandle::is_finished) {
            assert!(since.elapsed() < PATIENCE, "all uploads end");
            most = most.max(in_flight(health));
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(in_flight(health), 0, "nothing is left behind");
        most
    })
}

fn in_flight(health: SocketAddr) -> u64 {
    let mut stream = TcpStream::connect(health).unwrap();
    write!(
        stream,
        "GET /-/metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    let line = page
        .lines()
        .find(|line| line.starts_with("bac2_body_bytes_in_flight "));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn parallel_uploads_stay_below_a_bound_of_memory() {
    for tls in [false, true] {
        let data = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let health = free.local_addr().unwrap();
        drop(free);
        let store = Store::open(
            Arc::new(RealDisk),
            Arc::new(SystemClock),
            &Options::new(data.path()),
        )
        .unwrap();
        let started = runtime.block_on(start_as(Arc::new(store), data.path(), |config| {
            config.health = Some(health);
            config.tls = tls.then(|| Certificates::Vault(data.path().to_owned()));
        }));
        let roots: String = certificates(data.path())
            .unwrap()
            .iter()
            .map(AuthorityCertificate::pem)
            .collect();
        let connect = || match tls {
            true => Client::connect_tls(started.address, "localhost", &roots).unwrap(),
            false => Client::connect(started.address).unwrap(),
        };
        let most = flood(connect, health);
        assert!((1..=limits::BYTES_IN_FLIGHT as u64).contains(&most), "{most}");
        runtime.shutdown_background();
    }
}
