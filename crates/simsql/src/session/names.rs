//! What a query can name, from where a session stands.
//!
//! Rows are read under the instance's mutex, a table at a time. A table that another session writes stops the query: it is not
//! waited for in here but by [`locking`](super::locking), and the query then runs again from its beginning, which changes
//! nothing.

use std::ops::ControlFlow;

use crate::engine::TableId;
use crate::instance::{State, access, permission, trouble};
use crate::message::Failure;
use crate::query::{Names, Relation};
use crate::session::{Session, bulk, functions, temporary};
use crate::value::{SqlType, Value};
use crate::views;

/// A table that another session writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// Its database.
    pub(crate) database: u16,
    /// The table.
    pub(crate) table: TableId,
}

/// The names of a session.
pub(crate) struct Scope<'a> {
    session: &'a Session,
    /// The table that stopped the query.
    pub(crate) blocked: Option<Blocked>,
}

impl<'a> Scope<'a> {
    /// Those of `session`.
    pub(crate) fn new(session: &'a Session) -> Self {
        Self {
            session,
            blocked: None,
        }
    }

    fn table(&mut self, parts: &[String]) -> Result<Option<Relation>, Failure> {
        let session = self.session;
        let place = Place::of(session, parts);
        let mut state = session.instance.state();
        let Some(database) = place.find(&state) else {
            return Ok(None);
        };
        let entry = &state.databases[&database];
        access::check_state(entry, session.id)?;
        access::check_replica(&state, entry)?;
        if !permission::may_enter(&state, &session.login, database) {
            return Err(Failure::new(916, &[&session.login, &entry.name]));
        }
        let facts = entry
            .engine
            .as_ref()
            .and_then(|engine| engine.find_table(&place.schema, &place.name));
        let Some(facts) = facts else {
            return Ok(None);
        };
        if !permission::in_database(&state, entry, &session.login, "SELECT") {
            return Err(denied("SELECT", &place, &entry.name));
        }
        let owner = entry.locks.tables.get(&facts.id);
        if owner.is_some_and(|owner| *owner != session.id) && !session.work.options.reads_uncommitted {
            self.blocked = Some(Blocked {
                database,
                table: facts.id,
            });
            return Err(Failure::cancelled());
        }
        let rows = rows(&mut state, database, facts.id)?;
        Ok(Some(Relation {
            columns: facts.definition.columns,
            rows: rows.into_iter().map(|(_, row)| row).collect(),
        }))
    }

    fn view(&self, place: &Place, arguments: Option<&[Value]>) -> Option<Result<Relation, Failure>> {
        let (schema, name) = (place.schema.to_lowercase(), place.name.to_lowercase());
        let of = |schema: &str| views::relation(self.session, &place.database, schema, &name, arguments);
        // Old names of system tables stand in every schema: `master..sysdatabases`, `dbo.sysprocesses`.
        of(&schema).or_else(|| name.starts_with("sys").then(|| of("sys")).flatten())
    }
}

impl Names for Scope<'_> {
    fn relation(&mut self, parts: &[String], arguments: Option<&[Value]>) -> Result<Relation, Failure> {
        let unknown = || Failure::new(208, &[&parts.join(".")]);
        if parts.len() > 3 {
            return Err(Failure::new(40510, &[&"linked servers"]));
        }
        if let Some(key) = temporary::key(parts) {
            let work = &self.session.work;
            let table = work.temporary.get(&key).or_else(|| work.frame.tables.get(&key));
            return match table {
                Some(table) => Ok(table.relation()),
                None if key.starts_with('@') => Err(Failure::new(1087, &[&parts[0]])),
                None => Err(unknown()),
            };
        }
        if let ([name], Some(arguments)) = (parts, arguments)
            && name.eq_ignore_ascii_case("OPENROWSET")
        {
            return bulk::relation(self.session, arguments);
        }
        let place = Place::of(self.session, parts);
        if arguments.is_none()
            && !place.is_system()
            && let Some(relation) = self.table(parts)?
        {
            return Ok(relation);
        }
        self.view(&place, arguments).unwrap_or_else(|| Err(unknown()))
    }

    fn function(&mut self, name: &str, arguments: &[Value]) -> Option<Result<(Value, SqlType), Failure>> {
        functions::call(self.session, name, arguments)
            .or_else(|| views::function(self.session, name, arguments))
    }

    fn variable(&mut self, name: &str) -> Option<(Value, SqlType)> {
        if name.starts_with("@@") {
            return functions::global(self.session, name)
                .or_else(|| views::function(self.session, &name.to_uppercase(), &[]).and_then(Result::ok));
        }
        self.session
            .work
            .frame
            .variables
            .get(&name.to_lowercase())
            .cloned()
    }

    fn is_cancelled(&self) -> bool {
        self.session.canceller.is_cancelled() || crate::instance::waiting::is_killed(self.session)
    }
}

/// A table's full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Database.
    pub(crate) database: String,
    /// Schema, `dbo` where none is given.
    pub(crate) schema: String,
    /// Name.
    pub(crate) name: String,
}

impl Place {
    /// What up to three parts of a name mean in a session.
    pub(crate) fn of(session: &Session, parts: &[String]) -> Self {
        let part = |from_the_end: usize| {
            parts
                .len()
                .checked_sub(from_the_end)
                .and_then(|place| parts.get(place))
                .filter(|part| !part.is_empty())
                .cloned()
        };
        Self {
            database: part(3).unwrap_or_else(|| session.database.clone()),
            schema: part(2).unwrap_or_else(|| "dbo".to_owned()),
            name: part(1).unwrap_or_default(),
        }
    }

    /// Whether the schema holds views of the system only.
    fn is_system(&self) -> bool {
        self.schema.eq_ignore_ascii_case("sys") || self.schema.eq_ignore_ascii_case("information_schema")
    }

    /// The id of its database.
    pub(crate) fn find(&self, state: &State) -> Option<u16> {
        state.database(&self.database).map(|entry| entry.id)
    }

    /// `database.schema.name`, as messages print it.
    pub(crate) fn full(&self) -> String {
        format!("{}.{}.{}", self.database, self.schema, self.name)
    }
}

/// 229.
pub(crate) fn denied(permission: &str, place: &Place, database: &str) -> Failure {
    Failure::new(229, &[&permission, &place.name, &database, &place.schema])
}

/// A table's rows with their places.
pub(crate) type Rows = Vec<(crate::engine::RowId, Vec<Value>)>;

/// All rows of a table.
pub(crate) fn rows(state: &mut State, database: u16, table: TableId) -> Result<Rows, Failure> {
    let Some(entry) = state.databases.get_mut(&database) else {
        return Ok(Vec::new());
    };
    let Some(engine) = entry.engine.as_mut() else {
        return Err(Failure::new(945, &[&entry.name]));
    };
    let mut rows = Vec::new();
    let scanned = engine.scan(table, &mut |place, row| {
        rows.push((place, row));
        ControlFlow::Continue(())
    });
    match scanned {
        Ok(()) => Ok(rows),
        Err(error) => Err(trouble::failure(&error, entry)),
    }
}
