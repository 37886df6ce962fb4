//! Something between client and server that can let go of either.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is passed on.
    Passes,
    /// Both sides are let go.
    Cut,
    /// The client is let go; the server believes that somebody is still there.
    ClientGone,
}

/// A proxy; it ends with it.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    fates: Arc<Mutex<Vec<watch::Sender<Fate>>>>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let fates: Arc<Mutex<Vec<watch::Sender<Fate>>>> = Arc::default();
        let known = Arc::clone(&fates);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let (fate, watched) = watch::channel(Fate::Passes);
                known.lock().unwrap().push(fate);
                connections.spawn(pass(client, server, watched));
            }
        });
        Self {
            port: own,
            fates,
            _task: task,
        }
    }

    /// Decides over the connection with this number, from 0.
    pub(crate) fn decide(&self, number: usize, fate: Fate) {
        self.fates.lock().unwrap()[number].send(fate).unwrap();
    }
}

async fn pass(client: TcpStream, server: TcpStream, mut fate: watch::Receiver<Fate>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let both = async {
        tokio::join!(
            tokio::io::copy(&mut from_client, &mut to_server),
            tokio::io::copy(&mut from_server, &mut to_client)
        )
    };
    tokio::select! {
        _ = both => return,
        _ = fate.wait_for(|fate| *fate != Fate::Passes) => {}
    }
    let decided = *fate.borrow();
    drop(to_client.shutdown().await);
    drop((from_client, to_client));
    if decided == Fate::ClientGone {
        let mut swallowed = [0; 4096];
        while from_server
            .read(&mut swallowed)
            .await
            .is_ok_and(|count| count > 0)
        {}
    }
    drop(to_server);
}
