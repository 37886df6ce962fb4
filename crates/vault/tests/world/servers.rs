//! Machines with instances of simsql on them, the network to them, and how all of that fails.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::task::AtomicWaker;
use mssql::{Authentication, ConnectError, Connection, Connector, Fingerprint, Target, Trust};
use simsql::instance::{Instance, LoginRequest, Settings};
use simsql::memory::{Disk, NoProcess, Seeded};
use simsql::session::Session;
use vault::registration::{NewLogin, NewServer};

use super::connection::Link;
use super::convert;
use super::door::{Door, DoorWire};
use super::tasks::{TaskId, Tasks};
use super::time::{Dice, MachineClock};

/// The password of `sa` everywhere.
pub(crate) const PASSWORD: &str = "Correct-Horse-1";
/// One way through the network.
const TRIP: Duration = Duration::from_micros(300);

/// How an instance ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its service is stopped: sessions end, databases are closed.
    Stop,
    /// Its process dies; what it wrote is on disk.
    Kill,
    /// Its machine loses power: what was not synced may be lost.
    Power,
}

/// One instance, with its machine's clock and disk, alive or not.
pub(crate) struct Server {
    /// Its address as clients write it, in lower case.
    pub(crate) address: String,
    /// Its clock; it may be wrong, and ahead of UTC.
    pub(crate) clock: Arc<MachineClock>,
    /// Fingerprint of its certificate.
    pub(crate) certificate: Fingerprint,
    settings: Settings,
    seed: u64,
    tasks: Arc<Tasks>,
    door: Arc<Door>,
    state: Mutex<State>,
}

struct State {
    instance: Option<Arc<Instance>>,
    disk: Arc<Disk>,
    starts: u64,
    is_cut_off: bool,
    goes_on: bool,
    /// Texts of batches whose connection is to be lost, after a while.
    to_lose: Vec<(String, Duration)>,
    /// Texts of batches that are refused, and with what.
    to_refuse: Vec<(String, Vec<mssql::Message>)>,
    links: Vec<Weak<LinkState>>,
    /// Statements without a client.
    orphans: Vec<TaskId>,
}

/// What the network does to one connection.
#[derive(Default)]
pub(crate) struct LinkState {
    fate: AtomicU8,
    pub(crate) waker: AtomicWaker,
    /// Its batch was to be cancelled.
    pub(crate) asked: AtomicBool,
}

impl LinkState {
    const LOST: u8 = 1;

    pub(crate) fn lose(&self) {
        self.fate.store(Self::LOST, Ordering::SeqCst);
        self.waker.wake();
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.fate.load(Ordering::SeqCst) == Self::LOST
    }
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// It as people register it: as `sa`, under its address.
    pub(crate) fn registration(&self) -> NewServer {
        NewServer {
            name: self.address.clone(),
            address: self.address.clone(),
            login: NewLogin::Sql {
                user: "sa".to_owned(),
                password: mssql::Secret::new(PASSWORD.to_owned()),
            },
            restore_login: None,
            trust: catalog::record::Trust::Any,
            take_over: false,
            settings: catalog::record::ServerSettings::default(),
        }
    }

    /// The instance; none while it is down.
    pub(crate) fn instance(&self) -> Option<Arc<Instance>> {
        let instance = self.state().instance.clone()?;
        (!instance.switches.is_dead()).then_some(instance)
    }

    /// `MACHINE` or `MACHINE\INSTANCE`.
    pub(crate) fn server_name(&self) -> String {
        self.settings.server_name()
    }

    /// Its disk as it is now.
    pub(crate) fn disk(&self) -> Arc<Disk> {
        Arc::clone(&self.state().disk)
    }

    /// Counts its starts.
    pub(crate) fn starts(&self) -> u64 {
        self.state().starts
    }

    /// Whether the start of this number still lives.
    pub(crate) fn lives(&self, start: u64) -> bool {
        let state = self.state();
        let is_up = state.instance.as_ref().is_some_and(|one| !one.switches.is_dead());
        is_up && state.starts == start
    }

    /// What the front door knows it by.
    fn holder(&self, start: u64) -> String {
        format!("{}#{start}", self.address)
    }

    /// Starts it.
    pub(crate) fn start(&self) {
        let mut state = self.state();
        assert!(
            state.instance.as_ref().is_none_or(|one| one.switches.is_dead()),
            "{} runs already",
            self.address
        );
        state.starts += 1;
        let world = simsql::world::World {
            clock: Arc::clone(&self.clock) as Arc<_>,
            chance: Arc::new(Seeded::new(self.seed ^ state.starts << 48)),
            disk: Arc::clone(&state.disk) as Arc<_>,
            wire: Arc::new(DoorWire::new(&self.door, self.holder(state.starts))),
            power: Arc::new(NoProcess),
        };
        let instance = Instance::start(world, self.settings.clone());
        state.instance = Some(instance.unwrap_or_else(|failure| panic!("{}: {failure:?}", self.address)));
    }

    /// Ends it.
    pub(crate) fn end(&self, end: End, dice: &Dice) {
        let (instance, links, orphans, start) = {
            let mut state = self.state();
            let links = std::mem::take(&mut state.links);
            let orphans = std::mem::take(&mut state.orphans);
            (state.instance.take(), links, orphans, state.starts)
        };
        let Some(instance) = instance else { return };
        match end {
            End::Stop => instance.stop(),
            End::Kill | End::Power => instance.switches.kill(),
        }
        self.door.forget_holder(&self.holder(start));
        for orphan in orphans {
            self.tasks.drop_task(orphan);
        }
        for link in links.iter().filter_map(Weak::upgrade) {
            link.lose();
        }
        if end == End::Power {
            let mut state = self.state();
            let found = state.disk.after_power_loss(&mut || !dice.one_in(2));
            state.disk = Arc::new(found);
        }
    }

    /// Takes it from the network, or gives it back: who connects waits in vain, connections are lost.
    pub(crate) fn cut_off(&self, is_cut_off: bool) {
        self.state().is_cut_off = is_cut_off;
        if is_cut_off {
            self.lose_connections();
        }
    }

    /// All connections are lost now.
    pub(crate) fn lose_connections(&self) {
        let links: Vec<_> = self.state().links.iter().filter_map(Weak::upgrade).collect();
        for link in links {
            link.lose();
        }
    }

    /// The connection of the next batch whose text contains `text` is lost, `after` it began.
    pub(crate) fn lose_next(&self, text: &str, after: Duration) {
        self.state().to_lose.push((text.to_owned(), after));
    }

    /// The next batch whose text contains `text` is not run, and fails with these messages: what simsql has no cause for.
    pub(crate) fn refuse_next(&self, text: &str, messages: Vec<mssql::Message>) {
        self.state().to_refuse.push((text.to_owned(), messages));
    }

    /// What a batch that begins now is refused with.
    pub(crate) fn refusal_of(&self, text: &str) -> Option<Vec<mssql::Message>> {
        let mut state = self.state();
        let refused = &mut state.to_refuse;
        let at = refused
            .iter()
            .position(|(part, _)| text.contains(part.as_str()))?;
        Some(refused.remove(at).1)
    }

    /// Whether a statement whose client is gone goes on to its end; else the instance notices and cancels it.
    pub(crate) fn goes_on_without_client(&self, goes_on: bool) {
        self.state().goes_on = goes_on;
    }

    pub(crate) fn goes_on(&self) -> bool {
        self.state().goes_on
    }

    /// When the connection of a batch that begins now is to be lost.
    pub(crate) fn fate_of(&self, text: &str) -> Option<Duration> {
        let mut state = self.state();
        let at = state
            .to_lose
            .iter()
            .position(|(part, _)| text.contains(part.as_str()))?;
        Some(state.to_lose.remove(at).1)
    }

    /// What is left of a batch whose client is gone, to be gone on with.
    pub(crate) fn adopt(&self, start: u64, rest: impl Future<Output = ()> + Send + 'static) {
        if self.lives(start) {
            let task = self.tasks.spawn(rest);
            let mut state = self.state();
            state.orphans.retain(|one| self.tasks.is_running(*one));
            state.orphans.push(task);
        }
    }

    /// Does a line of `sim_fault` now.
    pub(crate) async fn fault(&self, line: &str) {
        let instance = self.instance().expect("only a running instance has faults");
        let mut session = instance.attach("sa").unwrap();
        let mut answers = simsql::answers::Transcript::default();
        let text = format!("EXEC sim_fault '{}'", line.replace('\'', "''"));
        session.batch(&text, &mut [], &mut answers).await;
        let errors: Vec<_> = answers.errors().collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
    }
}

/// All servers, and the way to them.
pub(crate) struct Network {
    servers: Mutex<BTreeMap<String, Arc<Server>>>,
    clock: Arc<MachineClock>,
    tasks: Arc<Tasks>,
    door: Arc<Door>,
    /// Attempts to connect, and batches sent, so far.
    pub(crate) traffic: Mutex<Traffic>,
}

/// What went over the network.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) connects: u64,
    pub(crate) batches: u64,
}

impl Network {
    pub(crate) fn new(clock: &Arc<MachineClock>, tasks: &Arc<Tasks>, door: &Arc<Door>) -> Arc<Self> {
        Arc::new(Self {
            servers: Mutex::default(),
            clock: Arc::clone(clock),
            tasks: Arc::clone(tasks),
            door: Arc::clone(door),
            traffic: Mutex::default(),
        })
    }

    /// Adds an instance at an address and starts it.
    pub(crate) fn add(&self, address: &str, mut settings: Settings, clock: Arc<MachineClock>) -> Arc<Server> {
        settings.sa_password = Some(PASSWORD.to_owned());
        let address = address.to_lowercase();
        let seed = address.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let server = Arc::new(Server {
            certificate: format!("{seed:016x}").repeat(4).parse().unwrap(),
            address: address.clone(),
            clock,
            settings,
            seed,
            tasks: Arc::clone(&self.tasks),
            door: Arc::clone(&self.door),
            state: Mutex::new(State {
                instance: None,
                disk: Arc::new(Disk::new()),
                starts: 0,
                is_cut_off: false,
                goes_on: false,
                to_lose: Vec::new(),
                to_refuse: Vec::new(),
                links: Vec::new(),
                orphans: Vec::new(),
            }),
        });
        server.start();
        self.door.leases.watch(&server);
        self.servers.lock().unwrap().insert(address, Arc::clone(&server));
        server
    }

    fn find(&self, target: &Target) -> Option<Arc<Server>> {
        let address = target.address.to_string().to_lowercase();
        self.servers.lock().unwrap().get(&address).cloned()
    }
}

fn login(target: &Target, user: &str, password: &str) -> LoginRequest {
    LoginRequest {
        user: user.to_owned(),
        password: password.to_owned(),
        database: target.database.clone(),
        program: target.program.clone(),
        host: "vault".to_owned(),
        process: 1,
    }
}

fn is_trusted(server: &Server, trust: &Trust) -> bool {
    match trust {
        Trust::Pin(pinned) => *pinned == server.certificate,
        Trust::Verify { .. } | Trust::Anyone | Trust::Unencrypted => true,
    }
}

#[async_trait]
impl Connector for Network {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, ConnectError> {
        use vault::world::Clock as _;
        self.traffic.lock().unwrap().connects += 1;
        self.clock.sleep(TRIP * 4).await;
        let address = target.address.to_string();
        let unreachable = |reason: &str| ConnectError::Unreachable {
            address: address.clone(),
            reason: reason.to_owned(),
        };
        let server = self
            .find(target)
            .ok_or_else(|| unreachable("no such host is known"))?;
        if server.state().is_cut_off {
            self.clock.sleep(target.within).await;
            let seconds = target.within.as_secs();
            return Err(ConnectError::TimedOut { address, seconds });
        }
        let Some(instance) = server.instance() else {
            return Err(unreachable("the connection was refused"));
        };
        if !is_trusted(&server, &target.trust) {
            return Err(ConnectError::Untrusted {
                address,
                reason: "its certificate is not the pinned one".to_owned(),
                fingerprint: Some(server.certificate.to_string()),
            });
        }
        let Authentication::Password { user, password } = &target.authentication else {
            return Err(ConnectError::Unsupported {
                reason: "the simulated network has neither Kerberos nor Entra".to_owned(),
            });
        };
        let session: Session = instance
            .connect(&login(target, user, password.reveal()))
            .map_err(|failure| ConnectError::Refused {
                address,
                messages: failure.messages.into_iter().map(convert::message).collect(),
            })?;
        let state = Arc::new(LinkState::default());
        let start = {
            let mut server = server.state();
            server.links.retain(|link| link.strong_count() > 0);
            server.links.push(Arc::downgrade(&state));
            server.starts
        };
        let clock = Arc::clone(&self.clock);
        Ok(Box::new(Link::new(server, start, session, state, clock)))
    }
}
