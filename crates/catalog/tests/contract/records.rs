//! Records that only the tests know.

use catalog::{Keys, Kind, NewRow, Record, keys};
use serde::{Deserialize, Serialize};

/// A job: a by state and time, b by database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) due: i64,
    pub(crate) database: Option<String>,
    pub(crate) count: i64,
}

impl Job {
    pub(crate) fn new(id: &str, state: &str, due: i64) -> Self {
        Self {
            id: id.into(),
            state: state.into(),
            due,
            database: None,
            count: 0,
        }
    }
}

impl Record for Job {
    const KIND: Kind = Kind::Job;

    fn id(&self) -> String {
        self.id.clone()
    }

    fn keys(&self) -> Keys {
        Keys {
            a: Some(keys::tuple(&[&self.state, &keys::number(self.due)])),
            b: self.database.as_deref().map(keys::text),
            ..Keys::NONE
        }
    }
}

/// A policy: a, its name, is unique in a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Policy {
    pub(crate) fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
        }
    }
}

impl Record for Policy {
    const KIND: Kind = Kind::Policy;

    fn id(&self) -> String {
        self.id.clone()
    }

    fn keys(&self) -> Keys {
        Keys {
            a: Some(keys::text(&self.name)),
            ..Keys::NONE
        }
    }
}

/// A row of a kind that is not looked into.
pub(crate) fn row(kind: Kind, vault: &str, id: &str, a: Option<&str>) -> NewRow {
    NewRow {
        kind,
        vault: vault.into(),
        id: id.into(),
        keys: Keys {
            a: a.map(str::to_owned),
            ..Keys::NONE
        },
        format: 1,
        body: "{}".into(),
    }
}
