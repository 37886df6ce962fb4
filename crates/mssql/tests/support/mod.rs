//! A simulated instance behind TDS, in this process, and sessions with it over the real client.

#![allow(dead_code)] // Each test binary uses a part.

pub(crate) mod proxy;
pub(crate) mod slow_disk;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mssql::tds::Tds;
use mssql::{Address, Authentication, Connector, Secret, Session, Target, Trust};
use simsql::instance::{Instance, Settings, Version};
use simsql::machine::{Identity, Machine, Wire};
use simsql::tds::Encryption;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use slow_disk::SlowDisk;

/// Password of `sa`.
pub(crate) const PASSWORD: &str = "Test-1234 'ł";

/// A running instance; it ends with it.
pub(crate) struct Server {
    pub(crate) instance: Arc<Instance>,
    pub(crate) port: u16,
    /// PEM of its certificate.
    pub(crate) certificate: String,
    pub(crate) directory: TempDir,
    /// Makes backups take their time.
    pub(crate) slow: Arc<SlowDisk>,
    tasks: JoinSet<()>,
}

/// How a server encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Off,
    Offered,
}

impl Server {
    pub(crate) async fn start(version: Version) -> Self {
        Self::start_with(version, Wanted::Offered, |_| {}).await
    }

    pub(crate) async fn start_with(
        version: Version,
        wanted: Wanted,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let home = directory.path().canonicalize().unwrap();
        let mut world = Machine::new(&home, &[], Wire::new(None, BTreeMap::new()).unwrap())
            .unwrap()
            .world;
        let slow = SlowDisk::over(&mut world);
        let mut settings = Settings {
            sa_password: Some(PASSWORD.to_owned()),
            initial_pages: 256,
            ..Settings::new(version, &home.to_string_lossy())
        };
        change(&mut settings);
        let instance = Instance::start(world, settings).unwrap_or_else(|failure| panic!("{failure:?}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let identity = Identity::self_signed(&["localhost".to_owned(), "sim.example".to_owned()]).unwrap();
        let encryption = match wanted {
            Wanted::Off => Encryption::Off,
            Wanted::Offered => Encryption::Offered(identity.config),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(simsql::tds::serve(Arc::clone(&instance), listener, encryption));
        // Faults with a time of their own.
        let clockwork = Arc::clone(&instance);
        tasks.spawn(async move {
            loop {
                clockwork.let_faults_happen().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self {
            instance,
            port,
            certificate: identity.certificate,
            directory,
            slow,
            tasks,
        }
    }

    pub(crate) fn address(&self) -> Address {
        format!("localhost,{}", self.port).parse().unwrap()
    }

    pub(crate) fn target(&self, trust: Trust) -> Target {
        Target::new(self.address(), sa(PASSWORD), trust)
    }

    pub(crate) async fn session(&self) -> Session {
        let target = self.target(Trust::Anyone);
        Session::open(&Tds::default(), &target).await.unwrap()
    }

    pub(crate) async fn try_with(&self, target: &Target) -> Result<Session, mssql::ConnectError> {
        let tds: &dyn Connector = &Tds::default();
        Session::open(tds, target).await
    }

    /// A path in the instance's backup directory.
    pub(crate) fn backup_path(&self, name: &str) -> String {
        self.instance.settings.path(&["backup", name])
    }

    /// Stops serving: every connection is cut.
    pub(crate) fn cut(&mut self) {
        self.tasks.abort_all();
    }
}

pub(crate) fn sa(password: &str) -> Authentication {
    Authentication::Password {
        user: "sa".to_owned(),
        password: Secret::new(password.to_owned()),
    }
}

/// What a server needs to run its batches on.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(simsql::tds::STACK)
        .build()
        .unwrap()
}
