//! The door behind TLS, as clients on other machines see it: names, certificates, proxies that pass TLS through, health.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use azblob::names::{AccountName, ContainerName};
use azblob::permission::Permissions;
use azblob::sas::ServiceSas;
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use blobstore::disk::real::RealDisk;
use blobstore::{Options, Store, SystemClock};
use frontdoor::tls::{Certificates, OwnFiles, certificates};
use frontdoor::{Account, Config, Reloader, Server};
use http::Method;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use support::client::{ACCOUNT, Ask, Client, KEY, OTHER_ACCOUNT, OTHER_KEY};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server with TLS and a health listener.
struct Tls {
    runtime: Runtime,
    address: SocketAddr,
    health: SocketAddr,
    reloader: Reloader,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    data: TempDir,
}

impl Tls {
    fn start(hosts: &[&str]) -> Self {
        Self::start_with(hosts, |data| Certificates::Vault(data.to_owned()))
    }

    fn start_with(hosts: &[&str], from: impl FnOnce(&Path) -> Certificates) -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(
            Arc::new(RealDisk),
            Arc::new(SystemClock),
            &Options::new(data.path()),
        )
        .unwrap();
        let account = |name: &str, key: &str| Account {
            name: AccountName::new(name).unwrap(),
            keys: vec![Secret::from_base64(key).unwrap()],
        };
        let accounts = vec![account(ACCOUNT, KEY), account(OTHER_ACCOUNT, OTHER_KEY)];
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), accounts, data.path());
        config.hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        config.tls = Some(from(data.path()));
        config.health = Some(([127, 0, 0, 1], 0).into());
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::bind(config, Arc::new(store))).unwrap();
        let (stop, stopped) = oneshot::channel();
        Tls {
            address: server.local_addr(),
            health: server.health_addr().unwrap(),
            reloader: server.reloader(),
            stop: Some(stop),
            serving: Some(runtime.spawn(server.serve(async {
                let _dropped = stopped.await.is_err();
            }))),
            runtime,
            data,
        }
    }

    fn roots(&self) -> String {
        let all = certificates(self.data.path()).unwrap();
        all.iter()
            .map(frontdoor::tls::AuthorityCertificate::pem)
            .collect()
    }

    fn client(&self, name: &str) -> Client {
        Client::connect_tls(self.address, name, &self.roots()).unwrap()
    }

    /// Status and body of a page of the health listener.
    fn watch(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.health).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn begin_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    fn wait_until_stopped(&mut self) {
        self.runtime.block_on(self.serving.take().unwrap()).unwrap();
    }
}

/// A request as a client writes it that has the account in the host's name.
fn by_host(mut ask: Ask, host: &str) -> Ask {
    ask.target = ask
        .target
        .strip_prefix(&format!("/{ACCOUNT}"))
        .unwrap()
        .to_owned();
    ask.header("host", host)
}

/// What SQL Server has in its credential, with the account in the host's name and a token that is good here only.
#[test]
fn a_token_for_https_only_is_good_here() {
    let server = Tls::start(&["backup.example"]);
    let host = format!("{ACCOUNT}.backup.example");
    let mut client = server.client(&host);
    client.ask(&Ask::put("box?restype=container")).expect(201);
    let container = ContainerName::new("box").unwrap();
    let mut sas = ServiceSas::of_container(container, Permissions::BACKUP, UnixMillis(4_070_908_800_000));
    sas.https_only = true;
    let token = sas.sign(
        &AccountName::new(ACCOUNT).unwrap(),
        &Secret::from_base64(KEY).unwrap(),
    );
    for (method, body, status) in [
        (Method::PUT, "data", 201),
        (Method::GET, "", 200),
        (Method::DELETE, "", 202),
    ] {
        let mut ask = Ask::new(method, format!("box/db/full.bak?{token}")).body(body);
        ask.signed = false;
        let ask = by_host(ask.header("x-ms-blob-type", "BlockBlob"), &host);
        client.ask(&ask).expect(status);
    }
}

#[test]
fn a_blob_goes_in_and_out_under_every_name() {
    let server = Tls::start(&["backup.example"]);
    let mut client = server.client("localhost");
    client.ask(&Ask::put("box?restype=container")).expect(201);
    let body = vec![7; 3 << 20];
    let put = Ask::put("box/a.bak").header("x-ms-blob-type", "BlockBlob");
    client.ask(&put.body(body.clone())).expect(201);
    let host = format!("{ACCOUNT}.backup.example");
    for (name, get) in [
        ("127.0.0.1", Ask::get("box/a.bak")),
        (
            "backup.example",
            Ask::get("box/a.bak").header("host", "backup.example"),
        ),
        (&host, by_host(Ask::get("box/a.bak"), &host)),
        (&host, by_host(Ask::get("box/a.bak"), &format!("{host}:443"))),
    ] {
        assert!(server.client(name).ask(&get).expect(200).body == body, "{name}");
    }
    // Listings name the place as the client reached it.
    for (list, place) in [
        (Ask::get("?comp=list"), format!("https://localhost/{ACCOUNT}/")),
        (
            by_host(Ask::get("box?restype=container&comp=list"), &host),
            format!("https://{host}/"),
        ),
    ] {
        let listed = client.ask(&list).expect(200);
        let said = format!("ServiceEndpoint=\"{place}\"");
        assert!(listed.text().contains(&said), "{}", listed.text());
    }
    let nobody = by_host(Ask::get("box/a.bak"), "backup.example");
    let refused = server.client("backup.example").ask(&nobody);
    assert_eq!(
        refused.error(),
        (400, "InvalidUri"),
        "two accounts, and none is named"
    );
    let stranger = format!("{OTHER_ACCOUNT}.backup.example");
    let foreign = by_host(Ask::get("box/a.bak"), &stranger);
    assert_eq!(
        server.client(&stranger).ask(&foreign).status,
        403,
        "signed by another account"
    );
}

#[test]
fn who_does_not_trust_the_vault_does_not_connect() {
    let (server, other) = (Tls::start(&[]), Tls::start(&[]));
    assert!(Client::connect_tls(server.address, "localhost", &other.roots()).is_err());
    assert!(Client::connect_tls(server.address, "elsewhere.example", &server.roots()).is_err());
    let (_, metrics) = server.watch("/-/metrics");
    assert!(
        metrics.contains("\nbac2_tls_handshakes_failed_total "),
        "{metrics}"
    );
}

#[test]
fn plain_http_on_the_tls_port_is_told_so() {
    let server = Tls::start(&[]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream
        .write_all(b"GET /box/a.bak HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("https"),
        "{answer}"
    );
}

#[test]
fn those_who_never_finish_a_handshake_hold_up_nobody() {
    let server = Tls::start(&[]);
    let silent: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    for mut stream in silent.iter().step_by(2) {
        // A record of type handshake that announces more than follows.
        stream.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    }
    server
        .client("localhost")
        .ask(&Ask::put("box?restype=container"))
        .expect(201);
}

/// Passes connections on, byte for byte, by the server name in the client's first message (RFC 6066 3).
fn proxy(routes: Vec<(&'static str, SocketAddr)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut hello = vec![0; 16 * 1024];
            let length = client.read(&mut hello).unwrap();
            hello.truncate(length);
            let contains = |name: &str| hello.windows(name.len()).any(|window| window == name.as_bytes());
            let (_, server) = routes.iter().find(|(name, _)| contains(name)).unwrap();
            let mut server = TcpStream::connect(server).unwrap();
            server.write_all(&hello).unwrap();
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut client, &mut server));
            thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
    address
}

#[test]
fn two_vaults_share_a_port_behind_a_proxy_that_reads_the_server_name() {
    let (one, two) = (Tls::start(&["one.example"]), Tls::start(&["two.example"]));
    let port = proxy(vec![("one.example", one.address), ("two.example", two.address)]);
    for (server, name) in [(&one, "one.example"), (&two, "two.example")] {
        let mut client = Client::connect_tls(port, name, &server.roots()).unwrap();
        client
            .ask(&Ask::put(format!("{}?restype=container", &name[..3])))
            .expect(201);
        let body = vec![1; 1 << 20];
        let put = Ask::put(format!("{}/b", &name[..3])).header("x-ms-blob-type", "BlockBlob");
        client.ask(&put.body(body)).expect(201);
    }
    assert_eq!(one.client("localhost").ask(&Ask::head("two/b")).status, 404);
    assert_eq!(two.client("localhost").ask(&Ask::head("two/b")).status, 200);
}

#[test]
fn the_users_certificate_is_replaced_under_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let files = OwnFiles {
        certificate: folder.path().join("c.pem"),
        key: folder.path().join("k.pem"),
    };
    let write = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        fs::write(&files.certificate, &pem).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        pem
    };
    let first = write("first.example");
    let server = Tls::start_with(&[], |_| Certificates::Own(files.clone()));
    let reaches = |name: &str, root: &str| Client::connect_tls(server.address, name, root).is_ok();
    let mut old = Client::connect_tls(server.address, "first.example", &first).unwrap();
    let second = write("second.example");
    server.reloader.reload();
    let patience = std::time::Instant::now();
    while !reaches("second.example", &second) {
        assert!(patience.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!reaches("first.example", &first));
    old.ask(&Ask::put("box?restype=container")).expect(201);
}

#[test]
fn health_and_metrics_say_how_it_is() {
    let server = Tls::start(&[]);
    let (status, body) = server.watch("/-/health");
    assert_eq!((status, body.trim()), (200, "{\"status\":\"ok\",\"reasons\":[]}"));
    let mut client = server.client("localhost");
    client.ask(&Ask::put("box?restype=container")).expect(201);
    client.ask(&Ask::get("box/none")).expect(404);
    let (status, metrics) = server.watch("/-/metrics");
    assert_eq!(status, 200);
    for line in [
        "bac2_requests_total{operation=\"CreateContainer\",status=\"201\"} 1",
        "bac2_requests_total{operation=\"GetBlob\",status=\"404\"} 1",
        "bac2_request_duration_seconds_count{operation=\"GetBlob\"} 1",
        "bac2_connections 1",
        "bac2_body_bytes_in_flight 0",
        "bac2_body_bytes_in_flight_limit 67108864",
        "bac2_verdicts_total{verdict=\"damaged\"} 0",
        "bac2_store_read_only 0",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    }
    let value = |name: &str| {
        let line = metrics
            .lines()
            .find(|l| l.starts_with(&format!("{name} ")))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(value("bac2_received_bytes_total") > 500.0 && value("bac2_sent_bytes_total") > 500.0);
    let days = value("bac2_certificate_expiry_seconds") / 86_400.0;
    assert!((44.9..=45.0).contains(&days), "{days}");
    assert!(value("bac2_authority_expiry_seconds") / 86_400.0 > 7000.0);
    assert!(value("bac2_disk_free_bytes") > 0.0);
    assert_eq!(server.watch("/box/none").0, 404);
}

#[test]
fn a_stop_turns_health_first_and_lets_the_request_under_way_finish() {
    let mut server = Tls::start(&[]);
    let mut client = server.client("localhost");
    client.ask(&Ask::put("box?restype=container")).expect(201);
    let mut idle = server.client("localhost");
    idle.ask(&Ask::get("?comp=list")).expect(200);
    let put = Ask::put("box/late")
        .header("x-ms-blob-type", "BlockBlob")
        .announce(1 << 20);
    client.write(&put).unwrap();
    client.write_raw(&vec![5; 1 << 19]).unwrap();
    // The server has begun with it when some of it is in its hands.
    let patience = std::time::Instant::now();
    while server
        .watch("/-/metrics")
        .1
        .contains("bac2_body_bytes_in_flight 0\n")
    {
        assert!(patience.elapsed() < PATIENCE, "the first half arrives");
        thread::sleep(Duration::from_millis(10));
    }
    server.begin_to_stop();
    let patience = std::time::Instant::now();
    let (status, body) = loop {
        let seen = server.watch("/-/health");
        if seen.0 == 503 || patience.elapsed() > PATIENCE {
            break seen;
        }
    };
    assert_eq!(status, 503);
    assert!(body.contains("the server is stopping"), "{body}");
    assert!(
        idle.send(&Ask::get("?comp=list")).is_err(),
        "an idle connection is closed"
    );
    client.write_raw(&vec![5; 1 << 19]).unwrap();
    client.read(false).unwrap().expect(201);
    server.wait_until_stopped();
    assert!(TcpStream::connect(server.health).is_err());
}
