//! Rows into the engine, with the keys of the table kept in step.

use uuid::Uuid;

use crate::engine::{RowId, TableDefinition, TransactionId};
use crate::instance::{State, trouble};
use crate::message::Failure;
use crate::query::collation::Collation;
use crate::query::convert;
use crate::query::types;
use crate::session::Session;
use crate::session::keys::{Key, Keys};
use crate::session::names;
use crate::session::target::Stored;
use crate::value::{Length, SqlType, Value};

/// Writes one table, whose lock its session has.
pub(crate) struct Writer {
    stored: Stored,
    transaction: TransactionId,
    collation: Collation,
    fork: Uuid,
    keys: Keys,
}

impl Writer {
    /// Begins the engine's transaction where there is none, and gathers the keys.
    pub(crate) fn new(session: &mut Session, stored: &Stored) -> Result<Self, Failure> {
        if session.work.is_doomed {
            return Err(Failure::new(3930, &[]));
        }
        let transaction = session.engine_transaction(stored.database)?;
        let collation = Collation::named(&session.instance.settings.collation);
        let mut state = session.instance.state();
        let fork = state
            .databases
            .get(&stored.database)
            .and_then(|entry| entry.engine.as_ref())
            .map_or(Uuid::nil(), |engine| engine.boot().recovery_fork);
        let mut writer = Self {
            stored: stored.clone(),
            transaction,
            collation,
            fork,
            keys: Keys::new(),
        };
        if !writer.definition().primary_key.is_empty() {
            writer.keys = match state.keys.take(stored.database, stored.facts.id, fork) {
                Some(keys) => keys,
                None => names::rows(&mut state, stored.database, stored.facts.id)?
                    .iter()
                    .map(|(_, row)| writer.key(row))
                    .collect(),
            };
        }
        Ok(writer)
    }

    fn definition(&self) -> &TableDefinition {
        &self.stored.facts.definition
    }

    fn key(&self, row: &[Value]) -> Key {
        Key::of(row, &self.definition().primary_key, self.collation)
    }

    /// Takes the keys of rows that will be changed out of the way.
    pub(crate) fn release_keys<'a>(&mut self, rows: impl Iterator<Item = &'a Vec<Value>>) {
        if self.definition().primary_key.is_empty() {
            return;
        }
        for row in rows {
            let key = self.key(row);
            self.keys.remove(&key);
        }
    }

    /// Runs `work` with the state.
    pub(crate) fn write(
        &mut self,
        session: &Session,
        work: impl FnOnce(&mut Self, &mut State) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        work(self, &mut session.instance.state())
    }

    /// Adds a row.
    ///
    /// # Errors
    /// 2627, 511, 1105, 9002, 823, 824.
    pub(crate) fn insert(&mut self, state: &mut State, row: &[Value]) -> Result<(), Failure> {
        self.claim(row)?;
        let (table, transaction) = (self.stored.facts.id, self.transaction);
        self.engine(state, |engine| engine.insert(transaction, table, row).map(drop))
    }

    /// Changes a row, whose key was released.
    ///
    /// # Errors
    /// As [`Writer::insert`].
    pub(crate) fn update(
        &mut self,
        state: &mut State,
        place: RowId,
        old: &[Value],
        new: &[Value],
    ) -> Result<(), Failure> {
        self.claim(new)?;
        if old == new {
            return Ok(());
        }
        let (table, transaction) = (self.stored.facts.id, self.transaction);
        self.engine(state, |engine| {
            engine.update(transaction, table, place, new).map(drop)
        })
    }

    /// Removes a row, whose key was released.
    ///
    /// # Errors
    /// As [`Writer::insert`].
    pub(crate) fn delete(&mut self, state: &mut State, place: RowId) -> Result<(), Failure> {
        let (table, transaction) = (self.stored.facts.id, self.transaction);
        self.engine(state, |engine| engine.delete(transaction, table, place))
    }

    fn claim(&mut self, row: &[Value]) -> Result<(), Failure> {
        if self.definition().primary_key.is_empty() {
            return Ok(());
        }
        let key = self.key(row);
        match self.keys.insert(key) {
            true => Ok(()),
            false => Err(duplicate(self.definition(), row)),
        }
    }

    fn engine(
        &self,
        state: &mut State,
        work: impl FnOnce(&mut crate::engine::Engine) -> crate::engine::Result<()>,
    ) -> Result<(), Failure> {
        let Some(entry) = state.databases.get_mut(&self.stored.database) else {
            return Err(Failure::new(911, &[&self.stored.place.database]));
        };
        let Some(engine) = entry.engine.as_mut() else {
            return Err(Failure::new(945, &[&entry.name]));
        };
        work(engine).map_err(|error| trouble::failure(&error, entry))
    }

    /// All is written: the keys are kept for the next statement.
    pub(crate) fn finish(self, session: &Session) {
        if !self.definition().primary_key.is_empty() {
            let (database, table) = (self.stored.database, self.stored.facts.id);
            session
                .instance
                .state()
                .keys
                .put(database, table, self.fork, self.keys);
        }
    }
}

/// 2627, with the key as SQL Server prints it: `(1, abc)`.
pub(crate) fn duplicate(definition: &TableDefinition, row: &[Value]) -> Failure {
    let shown: Vec<String> = definition
        .primary_key
        .iter()
        .map(|column| {
            let value = row[*column].clone();
            let from = definition.columns[*column].sql_type;
            match convert::convert(value, from, SqlType::NVarChar(Length::Max)) {
                Ok(Value::Text(text)) => text,
                _ => format!("<{}>", types::name(from)),
            }
        })
        .collect();
    let table = format!("{}.{}", definition.schema, definition.name);
    let constraint = format!("PK_{}", definition.name);
    Failure::new(
        2627,
        &[
            &"PRIMARY KEY",
            &constraint,
            &table,
            &format!("({})", shown.join(", ")),
        ],
    )
}
