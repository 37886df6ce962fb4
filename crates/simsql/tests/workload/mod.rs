//! A random workload over an engine, with a record of what each committed state was: what the judges of recovery and of backups
//! compare with.
//!
//! Several transactions are open at a time, each alone with the tables it writes to, as the rules of locks have it. Rows are of
//! all sizes, grow and move; statements and whole transactions are rolled back; tables come and go; checkpoints happen anywhere.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use simsql::engine::{
    Boot, DatabaseFile, Engine, EngineError, NewDatabase, RecoveryModel, RowId, TableDefinition, TableId,
    TransactionId, boot,
};
use simsql::memory::{Disk, Memory, Seeded};
use simsql::moment::Moment;
use simsql::value::{Column, Length, SqlType, Value};
use simsql::world::{Chance as _, World};
use uuid::Uuid;

/// Rows of a table by their key.
pub(crate) type Rows = BTreeMap<i64, String>;
/// Tables by name.
pub(crate) type State = BTreeMap<String, Rows>;

/// Chance from a seed.
pub(crate) struct Chance(Seeded);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Seeded::new(seed))
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.next() % bound
    }

    pub(crate) fn one_in(&self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    pub(crate) fn guid(&self) -> Uuid {
        self.0.guid()
    }
}

/// A world over a disk.
pub(crate) fn world(disk: &Disk) -> World {
    let memory = Memory::new(1);
    World {
        disk: Arc::new(disk.clone()),
        ..memory.world
    }
}

fn file(file_id: u16, name: &str, path: &str, file_type: bak::FileType, size: u32) -> DatabaseFile {
    DatabaseFile {
        file_id,
        logical_name: name.to_owned(),
        physical_name: path.to_owned(),
        file_type,
        unique_id: Uuid::from_u128(u128::from(file_id)),
        size,
        max_size: 4096,
        growth: 64,
        create_lsn: None,
    }
}

/// The files of a small database in a directory.
pub(crate) fn files(directory: &str) -> Vec<DatabaseFile> {
    vec![
        file(1, "db", &format!("{directory}/db.mdf"), bak::FileType::Data, 64),
        file(
            2,
            "db_log",
            &format!("{directory}/db_log.ldf"),
            bak::FileType::Log,
            128,
        ),
    ]
}

/// A small database.
pub(crate) fn plan(directory: &str, recovery_model: RecoveryModel) -> NewDatabase {
    let boot = Boot {
        name: "db".to_owned(),
        version: 904,
        created_version: 904,
        compatibility_level: 150,
        recovery_model,
        page_verify: boot::Protection::Checksum,
        created: bak::LocalTime {
            year: 2026,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
        },
        family_guid: Uuid::from_u128(11),
        binding_id: Uuid::from_u128(12),
        recovery_fork: Uuid::from_u128(13),
        first_fork: None,
        checkpoint_lsn: bak::Lsn::ZERO,
        database_backup_lsn: None,
        differential_base: None,
        log_chain_lsn: None,
        last_log_backup_lsn: None,
        log_backup_time: None,
        redo_start: None,
        bulk_logged: None,
        restored: None,
        option_bits: 0,
    };
    NewDatabase {
        boot,
        files: files(directory),
    }
}

/// The tables of an engine as they are.
pub(crate) fn read(engine: &mut Engine) -> State {
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
}

fn row_of(values: Vec<Value>) -> (i64, String) {
    match <[Value; 2]>::try_from(values) {
        Ok([Value::Integer(key), Value::Text(text)]) => (key, text),
        other => panic!("not a row of the workload: {other:?}"),
    }
}

/// Nothing is wrong with the pages.
pub(crate) fn assert_sound(engine: &mut Engine) {
    let found = engine.check("db", 5);
    let errors: Vec<_> = found.iter().filter(|message| message.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[derive(Clone)]
struct Table {
    id: TableId,
    rows: BTreeMap<i64, (RowId, String)>,
}

struct Open {
    id: TransactionId,
    /// Its view of the tables that it has to itself; `None` for one that it dropped.
    own: BTreeMap<String, Option<Table>>,
    has_catalog: bool,
}

/// The workload.
pub(crate) struct Workload {
    chance: Chance,
    now: i64,
    next_key: i64,
    next_table: u32,
    committed: BTreeMap<String, Table>,
    open: Vec<Open>,
    /// What a commit that did not return would have made of it.
    in_flight: Option<BTreeMap<String, Table>>,
    /// Every committed state and when it came to be.
    pub(crate) history: Vec<(Moment, State)>,
}

fn plain(tables: &BTreeMap<String, Table>) -> State {
    let rows = |table: &Table| {
        table
            .rows
            .iter()
            .map(|(key, (_, text))| (*key, text.clone()))
            .collect()
    };
    tables
        .iter()
        .map(|(name, table)| (name.clone(), rows(table)))
        .collect()
}

impl Workload {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            now: 1_767_225_600_000_000,
            next_key: 0,
            next_table: 0,
            committed: BTreeMap::new(),
            open: Vec::new(),
            in_flight: None,
            history: vec![(Moment(1_767_225_600_000_000), State::new())],
        }
    }

    /// The next moment; no two are the same.
    pub(crate) fn tick(&mut self) -> Moment {
        self.now += 1_000_000;
        Moment(self.now)
    }

    /// What committed.
    pub(crate) fn committed(&self) -> State {
        plain(&self.committed)
    }

    /// What a database may hold after a crash: what committed, with or without the commit that did not return.
    pub(crate) fn possible(&self) -> Vec<State> {
        let in_flight = self.in_flight.as_ref().map(plain);
        [Some(self.committed()), in_flight]
            .into_iter()
            .flatten()
            .collect()
    }

    /// What had committed at a moment.
    pub(crate) fn at(&self, moment: Moment) -> &State {
        let earlier = self.history.iter().rev().find(|(at, _)| *at <= moment);
        &earlier.expect("the history begins before everything").1
    }

    /// The moment of the last step.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.now)
    }

    /// Goes on with what an engine holds: after a crash, or in a restored database. Nothing is open there.
    pub(crate) fn adopt(&mut self, engine: &mut Engine) {
        self.open.clear();
        self.in_flight = None;
        self.committed.clear();
        for facts in engine.tables() {
            let mut table = Table {
                id: facts.id,
                rows: BTreeMap::new(),
            };
            let visit = &mut |place, values| {
                let (key, text) = row_of(values);
                table.rows.insert(key, (place, text));
                ControlFlow::Continue(())
            };
            engine.scan(facts.id, visit).unwrap();
            self.committed.insert(facts.definition.name, table);
        }
        let at = self.tick();
        self.history.push((at, self.committed()));
    }

    /// One step.
    pub(crate) fn step(&mut self, engine: &mut Engine) -> Result<(), EngineError> {
        if self.open.is_empty() || self.open.len() < 3 && self.chance.one_in(4) {
            let at = self.tick();
            let id = engine.begin(at)?;
            self.open.push(Open {
                id,
                own: BTreeMap::new(),
                has_catalog: false,
            });
        }
        let index = self.chance.below(self.open.len() as u64) as usize;
        match self.chance.below(20) {
            0..=2 => self.commit(engine, index),
            3 => self.rollback(engine, index),
            4 => self.rollback_part(engine, index),
            5 => {
                let at = self.tick();
                engine.checkpoint(at).map(drop)
            }
            6 | 7 => self.change_catalog(engine, index),
            _ => self.change_rows(engine, index),
        }
    }

    /// Ends everything that is open.
    pub(crate) fn finish(&mut self, engine: &mut Engine) -> Result<(), EngineError> {
        while !self.open.is_empty() {
            self.commit(engine, 0)?;
        }
        Ok(())
    }

    fn commit(&mut self, engine: &mut Engine, index: usize) -> Result<(), EngineError> {
        let at = self.tick();
        let open = self.open.remove(index);
        let mut tables = self.committed.clone();
        for (name, table) in open.own {
            match table {
                Some(table) => drop(tables.insert(name, table)),
                None => drop(tables.remove(&name)),
            }
        }
        self.in_flight = Some(tables);
        engine.commit(open.id, at)?;
        self.committed = self.in_flight.take().expect("it was just put there");
        self.history.push((at, self.committed()));
        Ok(())
    }

    fn rollback(&mut self, engine: &mut Engine, index: usize) -> Result<(), EngineError> {
        let at = self.tick();
        let open = self.open.remove(index);
        engine.rollback(open.id, at)
    }

    fn rollback_part(&mut self, engine: &mut Engine, index: usize) -> Result<(), EngineError> {
        let id = self.open[index].id;
        let mark = engine.mark(id);
        let before = self.open[index].own.clone();
        let had_catalog = self.open[index].has_catalog;
        for _ in 0..self.chance.below(4) {
            if self.chance.one_in(4) {
                self.change_catalog(engine, index)?;
            } else {
                self.change_rows(engine, index)?;
            }
        }
        engine.rollback_to(id, mark)?;
        // Locks stay, what was changed under them does not.
        let committed = &self.committed;
        let open = &mut self.open[index];
        for (name, table) in &mut open.own {
            *table = match before.get(name) {
                Some(before) => before.clone(),
                None => committed.get(name).cloned(),
            };
        }
        open.has_catalog |= had_catalog;
        Ok(())
    }

    fn change_catalog(&mut self, engine: &mut Engine, index: usize) -> Result<(), EngineError> {
        if self
            .open
            .iter()
            .enumerate()
            .any(|(other, open)| other != index && open.has_catalog)
        {
            return Ok(());
        }
        let id = self.open[index].id;
        if self.chance.one_in(3)
            && let Some(name) = self.take_table(index)
        {
            self.open[index].has_catalog = true;
            let table = self.open[index].own[&name]
                .clone()
                .expect("a table that is taken is there");
            engine.drop_table(id, table.id)?;
            self.open[index].own.insert(name, None);
            return Ok(());
        }
        self.open[index].has_catalog = true;
        let name = format!("t{}", self.next_table);
        self.next_table += 1;
        let created = engine.create_table(id, &definition(&name))?;
        let table = Table {
            id: created,
            rows: BTreeMap::new(),
        };
        self.open[index].own.insert(name, Some(table));
        Ok(())
    }

    /// A table that a transaction has, or may have, to itself.
    fn take_table(&mut self, index: usize) -> Option<String> {
        let own = self.open[index].own.iter();
        let own = own
            .filter(|(_, table)| table.is_some())
            .map(|(name, _)| name.clone());
        let taken = |name: &&String| self.open.iter().any(|open| open.own.contains_key(*name));
        let free = self.committed.keys().filter(|name| !taken(name)).cloned();
        let mut all: Vec<String> = own.chain(free).collect();
        all.sort();
        if all.is_empty() {
            return None;
        }
        let name = all.swap_remove(self.chance.below(all.len() as u64) as usize);
        let committed = self.committed.get(&name).cloned();
        self.open[index].own.entry(name.clone()).or_insert(committed);
        Some(name)
    }

    fn change_rows(&mut self, engine: &mut Engine, index: usize) -> Result<(), EngineError> {
        let Some(name) = self.take_table(index) else {
            return self.change_catalog(engine, index);
        };
        let id = self.open[index].id;
        let mut table = self.open[index].own[&name]
            .clone()
            .expect("a table that is taken is there");
        for _ in 0..=self.chance.below(6) {
            let nth = self.chance.below(table.rows.len().max(1) as u64) as usize;
            let chosen = table.rows.iter().nth(nth).map(|(key, (place, _))| (*key, *place));
            match (self.chance.below(5), chosen) {
                (0, Some((key, place))) => {
                    engine.delete(id, table.id, place)?;
                    table.rows.remove(&key);
                }
                (1, Some((key, place))) => {
                    let text = self.text();
                    let place = engine.update(id, table.id, place, &row(key, &text))?;
                    table.rows.insert(key, (place, text));
                }
                _ => {
                    let (key, text) = (self.next_key, self.text());
                    self.next_key += 1;
                    let place = engine.insert(id, table.id, &row(key, &text))?;
                    table.rows.insert(key, (place, text));
                }
            }
        }
        self.open[index].own.insert(name, Some(table));
        Ok(())
    }

    fn text(&self) -> String {
        let length = match self.chance.below(8) {
            0 => self.chance.below(3000),
            1 => 0,
            _ => self.chance.below(60),
        };
        let letter = char::from(b'a' + self.chance.below(26) as u8);
        std::iter::repeat_n(letter, length as usize).collect()
    }
}

fn row(key: i64, text: &str) -> [Value; 2] {
    [Value::Integer(key), Value::Text(text.to_owned())]
}

pub(crate) fn definition(name: &str) -> TableDefinition {
    TableDefinition {
        schema: "dbo".to_owned(),
        name: name.to_owned(),
        columns: vec![
            Column {
                name: "id".to_owned(),
                sql_type: SqlType::BigInt,
                nullable: false,
            },
            Column {
                name: "text".to_owned(),
                sql_type: SqlType::VarChar(Length::Of(8000)),
                nullable: false,
            },
        ],
        primary_key: vec![0],
        identity: None,
        defaults: vec![None, None],
    }
}
