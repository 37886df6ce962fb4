//! A server whose clock is turned by hand: it runs on a runtime of one thread whose time stands still but when it is moved on, so that
//! no time passes on a slow machine that would not on a fast one.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use blobstore::disk::real::RealDisk;
use blobstore::{Options, Store, SystemClock};
use frontdoor::tls::{AuthorityCertificate, Certificates, certificates};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::client::{Ask, Client};
use super::server::start_as;

/// How far before and behind a limit tests look.
pub const MARGIN: Duration = Duration::from_secs(4);

/// So often the server's tasks are let go before and after a leap: its sockets are looked at every some dozens of times.
const TURNS: usize = 2_000;
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server whose clock can be moved on.
pub struct Clockwork {
    pub address: SocketAddr,
    /// Ends the blocking task that keeps the time of the runtime from leaping to the next timer by itself.
    stands: Option<std::sync::mpsc::Sender<()>>,
    leaps: Option<mpsc::UnboundedSender<(Duration, oneshot::Sender<()>)>>,
    thread: Option<JoinHandle<()>>,
    data: TempDir,
}

impl Clockwork {
    pub fn start(tls: bool) -> Self {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().to_owned();
        let (leaps, mut asked) = mpsc::unbounded_channel::<(Duration, oneshot::Sender<()>)>();
        let (told, address) = std::sync::mpsc::channel();
        let (stands, until_over) = std::sync::mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                tokio::time::pause();
                tokio::task::spawn_blocking(move || until_over.recv().is_ok());
                let store =
                    Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &Options::new(&path)).unwrap();
                let started = start_as(Arc::new(store), &path, |config| {
                    config.tls = tls.then(|| Certificates::Vault(path.clone()));
                })
                .await;
                told.send(started.address).unwrap();
                while let Some((leap, done)) = asked.recv().await {
                    for _ in 0..TURNS {
                        tokio::task::yield_now().await;
                    }
                    tokio::time::advance(leap).await;
                    for _ in 0..TURNS {
                        tokio::task::yield_now().await;
                    }
                    done.send(()).unwrap();
                }
            });
            runtime.shutdown_background();
        });
        Clockwork {
            address: address.recv().unwrap(),
            stands: Some(stands),
            leaps: Some(leaps),
            thread: Some(thread),
            data,
        }
    }

    /// Time passes; what is due then happens.
    pub fn pass(&self, time: Duration) {
        // What the client has sent is dealt with first, on the disk too.
        thread::sleep(Duration::from_millis(200));
        let (done, wait) = oneshot::channel();
        self.leaps.as_ref().unwrap().send((time, done)).unwrap();
        wait.blocking_recv().unwrap();
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    /// A client that speaks TLS.
    pub fn tls_client(&self) -> Client {
        let authorities = certificates(self.data.path()).unwrap();
        let roots: String = authorities.iter().map(AuthorityCertificate::pem).collect();
        Client::connect_tls(self.address, "localhost", &roots).unwrap()
    }

    pub fn with_container() -> Self {
        let server = Self::start(false);
        server
            .client()
            .ask(&Ask::put("box?restype=container"))
            .expect(201);
        server
    }
}

impl Drop for Clockwork {
    fn drop(&mut self) {
        drop((self.leaps.take(), self.stands.take()));
        let _panicked = self.thread.take().unwrap().join().is_err();
    }
}

/// Whether the other side has closed the connection by now, or within a moment.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    closes_within(stream, Duration::from_millis(500))
}

/// Whether the other side closes the connection: that is waited for.
pub fn closes(stream: &mut TcpStream) -> bool {
    closes_within(stream, PATIENCE)
}

fn closes_within(stream: &mut TcpStream, patience: Duration) -> bool {
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut left = Vec::new();
    match stream.read_to_end(&mut left) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
    }
}
