//! Findings, counted by table, and their sums.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::message::Message;

/// Findings listed for one table; beyond, they are only counted.
const LISTED: u32 = 1000;

/// Who has a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A table: its object id.
    Table(u32),
    /// Nobody knows.
    Unknown,
}

impl Owner {
    /// The table with this object id; 0 for one that is on its way out.
    pub(super) fn of(object: u32) -> Self {
        if object == 0 {
            Self::Unknown
        } else {
            Self::Table(object)
        }
    }

    /// Object, index, partition and allocation unit, as messages print them. A heap's partition and allocation unit have the
    /// number of its object, 16 bits up.
    pub(super) fn ids(self) -> [i64; 4] {
        match self {
            Self::Table(object) => [object.into(), 0, i64::from(object) << 16, i64::from(object) << 16],
            Self::Unknown => [0, -1, 0, 0],
        }
    }

    /// What kind of allocation unit it is.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Table(_) => "In-row data",
            Self::Unknown => "Unknown",
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    allocation: u32,
    consistency: u32,
}

/// What was found so far.
#[derive(Debug)]
pub(super) struct Findings {
    database: String,
    messages: Vec<Message>,
    names: BTreeMap<u32, String>,
    /// By table; 0 for what belongs to none.
    counts: BTreeMap<u32, Count>,
}

impl Findings {
    pub(super) fn new(database: &str) -> Self {
        Self {
            database: database.to_owned(),
            messages: Vec::new(),
            names: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// The name of a table.
    pub(super) fn name(&mut self, table: u32, name: &str) {
        self.names.insert(table, name.to_owned());
    }

    /// An allocation error.
    pub(super) fn allocation(&mut self, table: Option<u32>, number: i32, arguments: &[&dyn Display]) {
        let count = self.counts.entry(table.unwrap_or(0)).or_default();
        count.allocation += 1;
        let listed = count.allocation <= LISTED;
        self.list(listed, number, arguments);
    }

    /// A consistency error.
    pub(super) fn consistency(&mut self, table: Option<u32>, number: i32, arguments: &[&dyn Display]) {
        let count = self.counts.entry(table.unwrap_or(0)).or_default();
        count.consistency += 1;
        let listed = count.consistency <= LISTED;
        self.list(listed, number, arguments);
    }

    fn list(&mut self, listed: bool, number: i32, arguments: &[&dyn Display]) {
        if listed {
            self.messages.push(Message::new(number, arguments));
        }
    }

    /// All findings, then the sums.
    pub(super) fn summary(mut self) -> Vec<Message> {
        let mut all = Count::default();
        for (table, count) in &self.counts {
            all.allocation += count.allocation;
            all.consistency += count.consistency;
            let unnamed = String::new();
            let name = self.names.get(table).unwrap_or(&unnamed);
            self.messages.push(match table {
                0 => Message::new(8954, &[&count.allocation, &count.consistency]),
                _ => Message::new(8990, &[&count.allocation, &count.consistency, name, table]),
            });
        }
        self.messages.push(Message::new(
            8989,
            &[&all.allocation, &all.consistency, &self.database],
        ));
        if all.allocation + all.consistency > 0 {
            let level = "repair_allow_data_loss";
            self.messages.push(Message::new(8958, &[&level, &self.database]));
        }
        self.messages
    }
}
