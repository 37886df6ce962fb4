//! An instance in memory, driven by the text of batches; its disk can lose power.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use simsql::answers::Transcript;
use simsql::engine::Engine;
use simsql::instance::{Instance, Settings, Version};
use simsql::memory::{Disk, Memory, Seeded};
use simsql::moment::Moment;
use simsql::session::Session;
use simsql::value::Value;
use simsql::world::{Clock as _, World};

use crate::workload::{Chance, State};

/// What the clock goes by: STOPAT takes thirds of it, so that every commit has a moment that can be named.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Numbers and texts of the errors of a batch.
pub(crate) type Errors = Vec<(i32, String)>;

/// Everything that was done, told when a test fails.
pub(crate) struct Trace {
    seed: u64,
    lines: RefCell<Vec<String>>,
}

impl Trace {
    pub(crate) fn tell(&self, line: &str) {
        let mut shown: String = line.chars().take(400).collect();
        shown = shown.replace('\n', " ");
        self.lines.borrow_mut().push(shown);
    }

    fn all(&self) -> String {
        let mut text = String::new();
        for line in self.lines.borrow().iter() {
            writeln!(text, "  {line}").unwrap();
        }
        text
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "{}replay: BAC2_SIMSQL_SEED={} cargo test -p bac2-simsql --test round_trip thousands",
                self.all(),
                self.seed
            );
        }
    }
}

/// The instance and its world.
pub(crate) struct Place {
    pub(crate) memory: Memory,
    pub(crate) instance: Arc<Instance>,
    pub(crate) chance: Rc<Chance>,
    pub(crate) trace: Trace,
}

fn settings() -> Settings {
    Settings {
        initial_pages: 128,
        ..Settings::new(Version::V2022, "/sim")
    }
}

impl Place {
    pub(crate) fn new(seed: u64) -> Self {
        let clock = Arc::new(simsql::memory::Clock::new());
        let disk = Arc::new(Disk::new());
        let world = World {
            clock: Arc::clone(&clock) as Arc<_>,
            chance: Arc::new(Seeded::new(!seed)),
            disk: Arc::clone(&disk) as Arc<_>,
            ..Memory::new(seed).world
        };
        let memory = Memory { clock, disk, world };
        let instance = Instance::start(memory.world.clone(), settings()).unwrap();
        Self {
            memory,
            instance,
            chance: Rc::new(Chance::new(seed)),
            trace: Trace {
                seed,
                lines: RefCell::default(),
            },
        }
    }

    pub(crate) fn now(&self) -> Moment {
        self.memory.clock.now()
    }

    pub(crate) fn attach(&self) -> Session {
        self.instance.attach("sa").unwrap()
    }

    pub(crate) fn engine<T>(&self, database: &str, deed: impl FnOnce(&mut Engine) -> T) -> T {
        let mut state = self.instance.state();
        let entry = state
            .database_mut(database)
            .unwrap_or_else(|| panic!("no {database}"));
        deed(
            entry
                .engine
                .as_mut()
                .unwrap_or_else(|| panic!("{database} is not open")),
        )
    }

    /// Runs a batch; its errors where there are any.
    pub(crate) async fn batch(&self, session: &mut Session, text: &str) -> Result<(), Errors> {
        let begun = self.now();
        let mut answers = Transcript::default();
        session.batch(text, &mut [], &mut answers).await;
        let errors: Errors = answers
            .errors()
            .map(|error| (error.number, error.text.clone()))
            .collect();
        let clock = begun.local(self.memory.clock.offset_minutes(begun));
        let clock = clock.to_local_time();
        let part = begun.0.rem_euclid(1_000_000) / 1000;
        self.trace
            .tell(&format!("{clock}.{part:03} #{} {text} {errors:?}", session.id));
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Runs a batch of a session of its own, in master.
    pub(crate) fn run(&self, text: &str) -> Result<(), Errors> {
        let mut session = self.attach();
        self.memory.clock.run_one(self.batch(&mut session, text))
    }

    /// Runs one that must succeed.
    pub(crate) fn does(&self, text: &str) {
        if let Err(errors) = self.run(text) {
            panic!("{text}: {errors:?}");
        }
    }

    /// The instance stops; [`Place::start`] follows.
    pub(crate) fn stop(&self) {
        self.trace.tell("stop");
        self.instance.stop();
    }

    /// The power goes: of what was not synced, some sectors are lost. What still holds the old instance reaches the new disk no
    /// more.
    pub(crate) fn lose_power(&mut self) {
        self.trace.tell("the power goes");
        let chance = Rc::clone(&self.chance);
        let found = self.memory.disk.after_power_loss(&mut || chance.one_in(2));
        let disk = Arc::new(found);
        self.memory.world.disk = Arc::clone(&disk) as Arc<_>;
        self.memory.disk = disk;
    }

    pub(crate) fn start(&mut self) {
        self.instance = Instance::start(self.memory.world.clone(), settings()).unwrap();
    }

    /// All tables of a database.
    pub(crate) fn tables(&self, database: &str) -> State {
        self.engine(database, |engine| {
            let mut state = State::new();
            for table in engine.tables() {
                let rows = state.entry(table.definition.name.clone()).or_default();
                engine
                    .scan(table.id, &mut |_, values| {
                        let (key, text) = row_of(values);
                        assert!(rows.insert(key, text).is_none(), "key {key} twice");
                        ControlFlow::Continue(())
                    })
                    .unwrap();
            }
            state
        })
    }
}

fn row_of(values: Vec<Value>) -> (i64, String) {
    match <[Value; 2]>::try_from(values) {
        Ok([Value::Integer(key), Value::Text(text)]) => (key, text),
        other => panic!("not a row of the workload: {other:?}"),
    }
}
