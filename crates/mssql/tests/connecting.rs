//! Logging in to a simulated instance by the real client: right and wrong, trusted and not, by port and by name.

#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)] // Real time and sockets here.

mod support;

use std::time::{Duration, Instant};

use mssql::tds::Tds;
use mssql::{Address, ConnectError, Fingerprint, Session, Target, Trust};
use simsql::instance::Version;
use simsql::tds::Backend as _;
use support::{PASSWORD, Server, Wanted, runtime, sa};
use tokio::net::UdpSocket;

async fn works(server: &Server, trust: Trust) {
    let mut session = server.try_with(&server.target(trust)).await.unwrap();
    let rows = session.query("SELECT N'żółw' AS name").await.unwrap();
    assert_eq!(rows.only().unwrap().get::<String>("name").unwrap(), "żółw");
    session.close().await;
}

#[test]
fn the_password_decides_and_the_refusal_says_why() {
    runtime().block_on(async {
        let server = Server::start(Version::V2022).await;
        works(&server, Trust::Anyone).await;
        let mut wrong = server.target(Trust::Anyone);
        wrong.authentication = sa("guess");
        let refused = server.try_with(&wrong).await.err().unwrap();
        let ConnectError::Refused { messages, .. } = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!(
            messages.iter().map(|one| one.number).collect::<Vec<_>>(),
            [18_456]
        );
        assert!(!format!("{refused:?} {refused} {wrong:?}").contains("guess"));
    });
}

#[test]
fn certificates_are_verified_pinned_or_trusted_and_nothing_goes_to_others() {
    runtime().block_on(async {
        let server = Server::start(Version::V2022).await;
        // It vouches for itself, so its certificate serves as authority.
        let authorities = Some(server.certificate.clone());
        let verify = |host: Option<&str>| Trust::Verify {
            authorities: authorities.clone(),
            host: host.map(str::to_owned),
        };
        works(&server, verify(None)).await;
        works(&server, verify(Some("sim.example"))).await;
        let refused = |trust| {
            let target = server.target(trust);
            let server = &server;
            async move { server.try_with(&target).await.err().unwrap() }
        };
        let other = refused(verify(Some("other.example"))).await;
        assert!(matches!(other, ConnectError::Untrusted { .. }), "{other:?}");
        // No authority of this machine vouches for it; the refusal shows what could be pinned.
        let unknown = refused(Trust::verified()).await;
        let ConnectError::Untrusted {
            fingerprint: Some(seen),
            ..
        } = unknown
        else {
            panic!("{unknown:?}")
        };
        let pin: Fingerprint = seen.parse().unwrap();
        works(&server, Trust::Pin(pin)).await;
        let mut another = pin;
        another.0[31] ^= 1;
        let mismatch = refused(Trust::Pin(another)).await;
        let ConnectError::Untrusted { fingerprint, .. } = &mismatch else {
            panic!("{mismatch:?}")
        };
        assert_eq!(fingerprint.as_deref(), Some(seen.as_str()));
        assert_eq!(
            server.instance.state().sessions.len(),
            0,
            "nobody refused has logged in"
        );
    });
}

#[test]
fn a_server_that_does_not_encrypt_gets_no_password_unless_it_is_this_machine() {
    runtime().block_on(async {
        let server = Server::start_with(Version::V2022, Wanted::Off, |_| {}).await;
        for trust in [Trust::Anyone, Trust::verified(), Trust::Pin(Fingerprint([0; 32]))] {
            let refused = server.try_with(&server.target(trust.clone())).await;
            assert!(refused.is_err(), "{trust:?}");
        }
        works(&server, Trust::Unencrypted).await;
        let mut elsewhere = server.target(Trust::Unencrypted);
        elsewhere.address = "192.0.2.1,1433".parse().unwrap();
        let refused = server.try_with(&elsewhere).await.err().unwrap();
        assert!(matches!(refused, ConnectError::Unsupported { .. }), "{refused:?}");
    });
}

#[test]
fn what_does_not_answer_or_answers_nonsense_ends_in_its_time() {
    runtime().block_on(async {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: Address = format!("127.0.0.1,{}", silent.local_addr().unwrap().port())
            .parse()
            .unwrap();
        for trust in [Trust::Anyone, Trust::Pin(Fingerprint([0; 32]))] {
            let mut target = Target::new(address.clone(), sa(PASSWORD), trust);
            target.within = Duration::from_millis(700);
            let start = Instant::now();
            let refused = Session::open(&Tds::default(), &target).await.err().unwrap();
            assert!(
                matches!(
                    refused,
                    ConnectError::TimedOut { .. } | ConnectError::Unreachable { .. }
                ),
                "{refused:?}"
            );
            assert!(start.elapsed() < Duration::from_secs(12));
        }
        drop(silent);
        let target = Target::new(address, sa(PASSWORD), Trust::Anyone);
        let refused = Session::open(&Tds::default(), &target).await.err().unwrap();
        assert!(matches!(refused, ConnectError::Unreachable { .. }), "{refused:?}");
    });
}

#[test]
fn a_named_instance_is_found_through_the_browser() {
    runtime().block_on(async {
        let blue = |settings: &mut simsql::instance::Settings| settings.instance = Some("BLUE".to_owned());
        let server = Server::start_with(Version::V2019, Wanted::Offered, blue).await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let browser = Some(socket.local_addr().unwrap());
        let (greeting, port) = (server.instance.greeting(), server.port);
        let mut browsing = tokio::task::JoinSet::new();
        browsing.spawn(async move { simsql::tds::browser::browse(&socket, &greeting, port).await });
        let tds = Tds { browser };
        let mut target = server.target(Trust::Anyone);
        target.address = r"localhost\blue".parse().unwrap();
        let mut session = Session::open(&tds, &target).await.unwrap();
        let rows = session.query("SELECT @@SERVERNAME AS name").await.unwrap();
        assert_eq!(
            rows.only().unwrap().get::<String>("name").unwrap(),
            r"BAC2SIM\BLUE"
        );
        target.address = r"localhost\red".parse().unwrap();
        target.within = Duration::from_millis(900);
        let unknown = Session::open(&tds, &target).await.err().unwrap();
        assert!(
            matches!(unknown, ConnectError::InstanceUnknown { .. }),
            "{unknown:?}"
        );
    });
}
