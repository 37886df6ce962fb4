//! The vault's way to instances: the real connector, whose connections a test can cut, whose answers it can hold back, and whose
//! patience with locks it can shorten.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mssql::connection::{Request, Sink};
use mssql::tds::Tds;
use mssql::{Authentication, Canceller, ConnectError, Connection, Connector, Fault, Target};
use tokio::sync::{Notify, watch};

use super::PATIENCE;

/// How long a statement waits for locks where a test is impatient, in place of the product's minute.
const IMPATIENT: &str = "SET LOCK_TIMEOUT 300;";

/// The way.
#[derive(Default)]
pub(crate) struct Way {
    tds: Tds,
    cut: Arc<Mutex<Option<Cut>>>,
    held: Arc<Mutex<Option<Cut>>>,
    shut: Arc<Mutex<Option<Shut>>>,
    is_impatient: Arc<AtomicBool>,
}

/// A cut that is to come, or an answer that is to be held back.
#[derive(Clone)]
struct Cut {
    /// Of the connection whose batch begins so.
    begins: String,
    now: Arc<Notify>,
}

/// Answers to batches that begin so are held back.
struct Shut {
    begins: String,
    until_open: watch::Receiver<()>,
}

/// Holds answers back until it is dropped.
#[must_use]
pub(crate) struct Gate {
    _open: watch::Sender<()>,
}

impl Way {
    /// Has no statement wait for locks for longer than a moment.
    pub(crate) fn be_impatient(&self) {
        self.is_impatient.store(true, Ordering::Relaxed);
    }

    /// Cuts the connection whose next batch begins so, when what is returned is notified.
    pub(crate) fn cut(&self, begins: &str) -> Arc<Notify> {
        plan(&self.cut, begins)
    }

    /// Holds the answer to the next batch that begins so back, when the server has come to its end, until what is returned is
    /// notified.
    pub(crate) fn hold(&self, begins: &str) -> Arc<Notify> {
        plan(&self.held, begins)
    }

    /// Whether the batch whose answer is to be held back has come.
    pub(crate) fn is_holding(&self) -> bool {
        self.held.lock().unwrap().is_none()
    }

    /// Holds the answers to all batches that begin so back, when the server has come to their ends, until what is returned is
    /// dropped.
    pub(crate) fn shut(&self, begins: &str) -> Gate {
        let (open, until_open) = watch::channel(());
        *self.shut.lock().unwrap() = Some(Shut {
            begins: begins.to_owned(),
            until_open,
        });
        Gate { _open: open }
    }
}

/// Waits for as long as the way is shut for this batch.
async fn pass(place: &Mutex<Option<Shut>>, text: &str) {
    let until_open = {
        let place = place.lock().unwrap();
        let shut = place.as_ref().filter(|shut| text.starts_with(&shut.begins));
        shut.map(|shut| shut.until_open.clone())
    };
    // Nothing is ever sent: it ends with the gate.
    if let Some(mut until_open) = until_open {
        while until_open.changed().await.is_ok() {}
    }
}

fn plan(place: &Mutex<Option<Cut>>, begins: &str) -> Arc<Notify> {
    let now = Arc::new(Notify::new());
    *place.lock().unwrap() = Some(Cut {
        begins: begins.to_owned(),
        now: Arc::clone(&now),
    });
    now
}

/// What is planned for a batch.
fn planned(place: &Mutex<Option<Cut>>, text: &str) -> Option<Cut> {
    let mut place = place.lock().unwrap();
    let is_this = place.as_ref().is_some_and(|cut| text.starts_with(&cut.begins));
    if is_this { place.take() } else { None }
}

#[async_trait]
impl Connector for Way {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, ConnectError> {
        let mut target = target.clone();
        // On a slow machine a login takes its time, and at a port of this machine who is not there is told at once. A Browser that
        // says nothing, or a service that vouches for a login, is waited for as long as the product does.
        let is_plain = matches!(target.authentication, Authentication::Password { .. });
        if is_plain && target.address.port().is_some() {
            target.within = PATIENCE;
        }
        let inner = self.tds.connect(&target).await?;
        Ok(Box::new(Link {
            canceller: inner.canceller(),
            inner: Some(inner),
            cut: Arc::clone(&self.cut),
            held: Arc::clone(&self.held),
            shut: Arc::clone(&self.shut),
            is_impatient: Arc::clone(&self.is_impatient),
        }))
    }
}

struct Link {
    inner: Option<Box<dyn Connection>>,
    canceller: Canceller,
    cut: Arc<Mutex<Option<Cut>>>,
    held: Arc<Mutex<Option<Cut>>>,
    shut: Arc<Mutex<Option<Shut>>>,
    is_impatient: Arc<AtomicBool>,
}

#[async_trait]
impl Connection for Link {
    async fn batch(&mut self, request: &Request, sink: &mut dyn Sink) -> Result<(), Fault> {
        let lost = || Fault::Lost {
            reason: "the test cut it".to_owned(),
        };
        let inner = self.inner.as_mut().ok_or_else(lost)?;
        let is_locks = request.text.starts_with("SET LOCK_TIMEOUT");
        let request = match is_locks && self.is_impatient.load(Ordering::Relaxed) {
            true => Request {
                text: IMPATIENT.to_owned(),
                within: request.within,
            },
            false => request.clone(),
        };
        let held = planned(&self.held, &request.text);
        let Some(cut) = planned(&self.cut, &request.text) else {
            let done = inner.batch(&request, sink).await;
            if let Some(held) = held {
                held.now.notified().await;
            }
            pass(&self.shut, &request.text).await;
            return done;
        };
        let done = tokio::select! {
            done = inner.batch(&request, sink) => Some(done),
            () = cut.now.notified() => None,
        };
        match done {
            Some(done) => done,
            None => {
                self.inner = None;
                Err(lost())
            }
        }
    }

    fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    async fn close(&mut self) {
        if let Some(inner) = self.inner.as_mut() {
            inner.close().await;
        }
    }
}
