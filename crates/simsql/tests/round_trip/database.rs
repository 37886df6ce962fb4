//! A database under work: sessions with transactions of their own, and the model of what they committed.
//!
//! Each session that is in a transaction has the tables it wrote to itself, so that nobody ever waits; the model is what the
//! statements mean, worked out beside them.

use std::collections::BTreeMap;

use simsql::session::Session;
use simsql::world::Clock as _;

use crate::history::{Commit, History};
use crate::place::{Place, TICK};
use crate::workload::{Rows, State};

/// Sessions that work on a database.
const WORKERS: u64 = 3;

/// Tables at most.
const TABLES: usize = 4;

struct Worker {
    session: Session,
    is_open: bool,
    /// It created or dropped a table.
    has_catalog: bool,
    /// Its view of the tables that it has to itself; `None` for one that it dropped.
    own: BTreeMap<String, Option<Rows>>,
}

pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) history: History,
    committed: State,
    workers: Vec<Worker>,
    next_key: i64,
    next_table: u32,
}

impl Database {
    /// Makes it, under FULL.
    pub(crate) fn create(place: &Place, name: &str) -> Self {
        place.does(&format!("CREATE DATABASE [{name}]"));
        place.does(&format!("ALTER DATABASE [{name}] SET RECOVERY FULL"));
        let first = Commit {
            began: place.now(),
            at: place.now(),
            end: place.engine(name, |engine| engine.log_facts().end_lsn),
            state: State::new(),
        };
        Self {
            name: name.to_owned(),
            history: History::new(first),
            committed: State::new(),
            workers: Vec::new(),
            next_key: 1,
            next_table: 1,
        }
    }

    /// Everybody leaves; what was open is rolled back.
    pub(crate) fn leave(&mut self) {
        self.workers.clear();
    }

    /// The history goes on from a state of the past.
    pub(crate) fn go_back(&mut self, line: usize, kept: usize) {
        self.leave();
        self.committed = self.history.lineage(line)[kept - 1].state.clone();
        self.history.fork(line, kept);
    }

    /// Nothing is lost, nothing is there that was not committed.
    pub(crate) fn assert_as_committed(&self, place: &Place) {
        assert_eq!(place.tables(&self.name), self.committed, "{}", self.name);
    }

    /// Work beside something else: a statement, a pause, a statement.
    pub(crate) async fn work(&mut self, place: &Place, steps: u64) {
        for _ in 0..steps {
            self.step(place).await;
            let hundredths = place.chance.below(2) * place.chance.below(90);
            place.memory.clock.sleep(TICK * hundredths as u32).await;
        }
    }

    /// A row whose text tells the round, of the same length in all.
    pub(crate) async fn insert_equally(&mut self, place: &Place, round: u64) {
        self.have_worker(place, 0).await;
        let Some((name, rows)) = self.committed.iter().next() else {
            panic!("there is a table in such stories");
        };
        let (name, mut rows) = (name.clone(), rows.clone());
        let (key, text) = (self.next_key, format!("round {round}"));
        self.next_key += 1;
        rows.insert(key, text.clone());
        self.workers[0].own.insert(name.clone(), Some(rows));
        let text = format!("INSERT INTO dbo.{name} (id, text) VALUES ({key}, '{text}')");
        self.say_and_record(place, 0, &text).await;
    }

    async fn have_worker(&mut self, place: &Place, index: usize) {
        while self.workers.len() <= index {
            let mut session = place.attach();
            let enter = format!("USE [{}]; SET LOCK_TIMEOUT 0;", self.name);
            place.batch(&mut session, &enter).await.unwrap();
            self.workers.push(Worker {
                session,
                is_open: false,
                has_catalog: false,
                own: BTreeMap::new(),
            });
        }
    }

    /// One step of one session.
    pub(crate) async fn step(&mut self, place: &Place) {
        let chance = &place.chance;
        let index = chance.below(WORKERS) as usize;
        self.have_worker(place, index).await;
        let is_open = self.workers[index].is_open;
        match chance.below(12) {
            0 | 1 if !is_open => {
                self.say(place, index, "BEGIN TRANSACTION").await;
                self.workers[index].is_open = true;
            }
            0 if is_open => self.commit(place, index).await,
            1 if is_open => {
                self.say(place, index, "ROLLBACK").await;
                self.close(index);
            }
            2 => self.say(place, index, "CHECKPOINT").await,
            3 if is_open => self.undo_part(place, index).await,
            4 => self.change_catalog(place, index).await,
            5 => self.fail(place, index).await,
            _ => self.change_rows(place, index).await,
        }
    }

    async fn say(&mut self, place: &Place, index: usize, text: &str) {
        let session = &mut self.workers[index].session;
        if let Err(errors) = place.batch(session, text).await {
            panic!("{text}: {errors:?}");
        }
    }

    fn close(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        worker.is_open = false;
        worker.has_catalog = false;
        worker.own.clear();
    }

    async fn commit(&mut self, place: &Place, index: usize) {
        self.say_and_record(place, index, "COMMIT").await;
    }

    /// Runs what commits, and records the state that comes of it.
    async fn say_and_record(&mut self, place: &Place, index: usize, text: &str) {
        let began = place.now();
        self.say(place, index, text).await;
        let own = std::mem::take(&mut self.workers[index].own);
        let has_changed = !own.is_empty();
        for (name, rows) in own {
            match rows {
                Some(rows) => drop(self.committed.insert(name, rows)),
                None => drop(self.committed.remove(&name)),
            }
        }
        self.close(index);
        if has_changed {
            self.history.record(Commit {
                began,
                at: place.now(),
                end: place.engine(&self.name, |engine| engine.log_facts().end_lsn),
                state: self.committed.clone(),
            });
        }
    }

    /// Runs a change whose outcome is already in `own`: in a transaction, or as one of its own.
    async fn change(&mut self, place: &Place, index: usize, text: &str) {
        if self.workers[index].is_open {
            self.say(place, index, text).await;
        } else {
            self.say_and_record(place, index, text).await;
        }
    }

    /// A table that a session has, or may have, to itself.
    fn take_table(&self, place: &Place, index: usize) -> Option<(String, Rows)> {
        let mut all: Vec<(String, Rows)> = Vec::new();
        for (name, rows) in &self.workers[index].own {
            all.extend(rows.clone().map(|rows| (name.clone(), rows)));
        }
        let taken = |name: &String| self.workers.iter().any(|worker| worker.own.contains_key(name));
        let free = self.committed.iter().filter(|(name, _)| !taken(name));
        all.extend(free.map(|(name, rows)| (name.clone(), rows.clone())));
        all.sort();
        let count = all.len().max(1) as u64;
        let nth = place.chance.below(count) as usize;
        all.into_iter().nth(nth)
    }

    async fn change_rows(&mut self, place: &Place, index: usize) {
        let Some((name, mut rows)) = self.take_table(place, index) else {
            return self.change_catalog(place, index).await;
        };
        let text = self.statement(place, &name, &mut rows);
        self.workers[index].own.insert(name, Some(rows));
        self.change(place, index, &text).await;
    }

    /// A statement that changes rows, and what it makes of them.
    fn statement(&mut self, place: &Place, table: &str, rows: &mut Rows) -> String {
        let chance = &place.chance;
        let nth = chance.below(rows.len().max(1) as u64) as usize;
        let chosen = rows.keys().nth(nth).copied();
        match (chance.below(6), chosen) {
            (0, Some(key)) => {
                rows.remove(&key);
                format!("DELETE FROM dbo.{table} WHERE id = {key}")
            }
            (1, Some(key)) => {
                rows.retain(|known, _| *known < key || *known > key + 3);
                format!("DELETE dbo.{table} WHERE id BETWEEN {key} AND {}", key + 3)
            }
            (2, Some(key)) => {
                let text = words(place);
                rows.insert(key, text.clone());
                format!("UPDATE dbo.{table} SET text = '{text}' WHERE id = {key}")
            }
            (3, Some(key)) => {
                let letter = char::from(b'A' + chance.below(26) as u8);
                for row in rows.range_mut(key..).map(|(_, row)| row) {
                    row.truncate(3000);
                    row.push(letter);
                }
                format!("UPDATE dbo.{table} SET text = LEFT(text, 3000) + '{letter}' WHERE id >= {key}")
            }
            _ => {
                let mut values = Vec::new();
                for _ in 0..=chance.below(6) {
                    let text = words(place);
                    values.push(format!("({}, '{text}')", self.next_key));
                    rows.insert(self.next_key, text);
                    self.next_key += 1;
                }
                format!("INSERT INTO dbo.{table} (id, text) VALUES {}", values.join(", "))
            }
        }
    }

    async fn change_catalog(&mut self, place: &Place, index: usize) {
        let others = self.workers.iter().enumerate();
        if others
            .filter(|(other, _)| *other != index)
            .any(|(_, worker)| worker.has_catalog)
        {
            return;
        }
        let drops = self.committed.len() >= TABLES || place.chance.one_in(6);
        if drops {
            if let Some((name, _)) = self.take_table(place, index) {
                let worker = &mut self.workers[index];
                worker.own.insert(name.clone(), None);
                worker.has_catalog = true;
                self.change(place, index, &format!("DROP TABLE dbo.{name}")).await;
            }
            return;
        }
        let name = format!("t{}", self.next_table);
        self.next_table += 1;
        let worker = &mut self.workers[index];
        worker.own.insert(name.clone(), Some(Rows::new()));
        worker.has_catalog = true;
        let text =
            format!("CREATE TABLE dbo.{name} (id bigint NOT NULL PRIMARY KEY, text varchar(8000) NOT NULL)");
        self.change(place, index, &text).await;
    }

    /// Part of a transaction is rolled back; its locks stay.
    async fn undo_part(&mut self, place: &Place, index: usize) {
        self.say(place, index, "SAVE TRANSACTION part").await;
        let before = self.workers[index].own.clone();
        for _ in 0..place.chance.below(4) {
            self.change_rows(place, index).await;
        }
        self.say(place, index, "ROLLBACK TRANSACTION part").await;
        let committed = &self.committed;
        for (name, rows) in &mut self.workers[index].own {
            *rows = match before.get(name) {
                Some(before) => before.clone(),
                None => committed.get(name).cloned(),
            };
        }
        // A table that it made, and that is gone again, it has not.
        self.workers[index]
            .own
            .retain(|name, rows| rows.is_some() || before.contains_key(name) || committed.contains_key(name));
    }

    /// A statement that fails in its middle leaves nothing.
    async fn fail(&mut self, place: &Place, index: usize) {
        let Some((name, rows)) = self.take_table(place, index) else {
            return;
        };
        let Some(key) = rows.keys().next().copied() else {
            return;
        };
        let text = format!(
            "INSERT INTO dbo.{name} (id, text) VALUES ({}, 'new'), ({key}, 'there already')",
            self.next_key
        );
        let worker = &mut self.workers[index];
        let failed = place.batch(&mut worker.session, &text).await;
        let numbers: Vec<i32> = failed.unwrap_err().iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [2627], "{text}");
        if worker.is_open {
            worker.own.insert(name, Some(rows));
        }
    }
}

/// A text for a row, of any length.
fn words(place: &Place) -> String {
    let chance = &place.chance;
    let length = match chance.below(8) {
        0 => chance.below(3000),
        1 => 0,
        _ => chance.below(60),
    };
    let letter = char::from(b'a' + chance.below(26) as u8);
    std::iter::repeat_n(letter, length as usize).collect()
}
