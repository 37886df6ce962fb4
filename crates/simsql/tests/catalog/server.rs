//! An instance in memory and what can be asked of it.

use std::sync::Arc;

use simsql::answers::Transcript;
use simsql::instance::{Instance, Settings, Version};
use simsql::memory::Memory;
use simsql::query::Relation;
use simsql::session::Session;
use simsql::value::Value;
use simsql::views;

pub(crate) struct Server {
    pub(crate) memory: Memory,
    pub(crate) instance: Arc<Instance>,
}

pub(crate) fn start(version: Version) -> Server {
    let memory = Memory::new(11);
    let mut settings = Settings::new(version, "/sim");
    settings.initial_pages = 128;
    let instance = Instance::start(memory.world.clone(), settings).expect("an empty disk is enough to start");
    Server { memory, instance }
}

impl Server {
    pub(crate) fn session(&self) -> Session {
        self.instance.attach("sa").expect("sa is there")
    }

    /// Runs a batch; its messages and results.
    pub(crate) fn transcript(&self, session: &mut Session, text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        self.memory
            .clock
            .run_one(session.batch(text, &mut [], &mut transcript));
        transcript
    }

    /// Runs a batch that succeeds; the rows of its last result.
    pub(crate) fn run(&self, session: &mut Session, text: &str) -> Vec<Vec<Value>> {
        let transcript = self.transcript(session, text);
        let errors: Vec<_> = transcript.errors().collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
        transcript
            .results
            .into_iter()
            .last()
            .map(|rows| rows.rows)
            .unwrap_or_default()
    }

    /// The same as `sa` in master.
    pub(crate) fn ask(&self, text: &str) -> Vec<Vec<Value>> {
        self.run(&mut self.session(), text)
    }

    /// The number of the first error.
    pub(crate) fn error(&self, session: &mut Session, text: &str) -> i32 {
        let transcript = self.transcript(session, text);
        let first = transcript.errors().next().map(|message| message.number);
        first.unwrap_or_else(|| panic!("{text} succeeds"))
    }

    /// A view as `sa` sees it.
    pub(crate) fn view(&self, name: &str, arguments: Option<&[Value]>) -> Option<Relation> {
        let (schema, short) = name.split_once('.').expect("a schema before the name");
        let found = views::relation(&self.session(), "master", schema, short, arguments)?;
        Some(found.expect("sa may see everything"))
    }
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
