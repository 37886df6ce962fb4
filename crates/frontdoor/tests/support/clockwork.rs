//! A server whose clock is turned by hand: it runs on a runtime of one thread whose time can be moved on.

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

/// More than the real time that a test spends between two leaps.
pub const MARGIN: Duration = Duration::from_secs(4);

/// A server whose clock can be moved on.
pub struct Clockwork {
    pub address: SocketAddr,
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
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let store =
                    Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &Options::new(&path)).unwrap();
                let started = start_as(Arc::new(store), &path, |config| {
                    config.tls = tls.then(|| Certificates::Vault(path.clone()));
                })
                .await;
                told.send(started.address).unwrap();
                while let Some((leap, done)) = asked.recv().await {
                    tokio::time::pause();
                    tokio::time::advance(leap).await;
                    tokio::time::resume();
                    done.send(()).unwrap();
                }
            });
            runtime.shutdown_background();
        });
        Clockwork {
            address: address.recv().unwrap(),
            leaps: Some(leaps),
            thread: Some(thread),
            data,
        }
    }

    /// Time passes; what is due then happens.
    pub fn pass(&self, time: Duration) {
        // What the client has sent arrives first.
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
        drop(self.leaps.take());
        let _panicked = self.thread.take().unwrap().join().is_err();
    }
}

/// Whether the other side has closed the connection; waits a moment for it.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut left = Vec::new();
    match stream.read_to_end(&mut left) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
    }
}
