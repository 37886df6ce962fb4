//! What a view is, and how a session comes to its rows: reach, permission, arguments, the columns of the version.
//!
//! A view gives the rows of the newest version; columns that the simulated version does not have are taken out here, so that a
//! list of columns and a row of values stand side by side in each view's file and agree in number.

use std::sync::MutexGuard;

use super::field::Field;
use crate::engine::Engine;
use crate::instance::{DatabaseEntry, Instance, State, Version, access, permission};
use crate::message::Failure;
use crate::moment::Moment;
use crate::query::Relation;
use crate::query::calendar::{carried, three_hundredths};
use crate::session::Session;
use crate::value::{DateTime, Value};

/// Rows with a value for each [`Field`] of the newest version.
pub(super) type Rows = Result<Vec<Vec<Value>>, Failure>;

/// What a view tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The server, from wherever it is asked.
    Server,
    /// The database in whose name it is called; it must be there, open and allowed.
    Database,
}

/// What the login must be permitted. Without it the view fails; views that only show less are [`Needs::Nothing`] and look
/// themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// VIEW SERVER STATE; from 2022 on VIEW SERVER PERFORMANCE STATE is enough.
    ServerState,
    /// VIEW SERVER STATE; from 2022 on VIEW SERVER SECURITY STATE is enough.
    SecurityState,
    /// VIEW DATABASE STATE in the database.
    DatabaseState,
}

/// A view or table function.
pub(super) struct View {
    /// With its schema, lower case: `sys.databases`.
    pub(super) name: &'static str,
    /// How many arguments it takes; `None` for a view.
    pub(super) arguments: Option<usize>,
    /// The first version that has it.
    pub(super) since: Version,
    /// What it tells of.
    pub(super) reach: Reach,
    /// What it asks for.
    pub(super) needs: Needs,
    /// Its columns.
    pub(super) fields: &'static [Field],
    /// Its rows.
    pub(super) rows: fn(&Context<'_>) -> Rows,
}

impl View {
    /// A view of the server that everyone may see, in every version.
    pub(super) const fn of_server(
        name: &'static str,
        fields: &'static [Field],
        rows: fn(&Context<'_>) -> Rows,
    ) -> Self {
        Self {
            name,
            arguments: None,
            since: Version::V2012,
            reach: Reach::Server,
            needs: Needs::Nothing,
            fields,
            rows,
        }
    }

    /// A view of a database that everyone in it may see.
    pub(super) const fn of_database(
        name: &'static str,
        fields: &'static [Field],
        rows: fn(&Context<'_>) -> Rows,
    ) -> Self {
        Self {
            reach: Reach::Database,
            ..Self::of_server(name, fields, rows)
        }
    }

    /// It needs a permission.
    pub(super) const fn needs(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    /// Versions before do not have it.
    pub(super) const fn since(self, since: Version) -> Self {
        Self { since, ..self }
    }

    /// It is a table function with so many arguments.
    pub(super) const fn takes(self, arguments: usize) -> Self {
        Self {
            arguments: Some(arguments),
            ..self
        }
    }

    /// What a session sees of it.
    pub(super) fn relation(
        &self,
        session: &Session,
        database: &str,
        arguments: Option<&[Value]>,
    ) -> Result<Relation, Failure> {
        let short = self.name.rsplit('.').next().unwrap_or(self.name);
        match (self.arguments, arguments) {
            (Some(_), None) => return Err(Failure::new(216, &[&self.name])),
            (None, Some(_)) => return Err(Failure::new(215, &[&self.name])),
            (Some(wanted), Some(given)) if given.len() < wanted => {
                return Err(Failure::new(313, &[&short]));
            }
            (Some(wanted), Some(given)) if given.len() > wanted => {
                return Err(Failure::new(8144, &[&short]));
            }
            _ => {}
        }
        let context = Context::new(session, database, arguments.unwrap_or_default())?;
        context.check(self.reach, self.needs)?;
        let version = context.version;
        let rows = (self.rows)(&context)?;
        let has = |field: &Field| field.since <= version;
        let columns = self
            .fields
            .iter()
            .filter(|field| has(field))
            .map(Field::column)
            .collect();
        let keep = |row: Vec<Value>| {
            debug_assert_eq!(
                row.len(),
                self.fields.len(),
                "a value for each column of {}",
                self.name
            );
            let fields = self.fields.iter();
            row.into_iter()
                .zip(fields)
                .filter(|(_, field)| has(field))
                .map(|(value, _)| value)
                .collect()
        };
        Ok(Relation {
            columns,
            rows: rows.into_iter().map(keep).collect(),
        })
    }
}

/// Who asks, where, and when.
pub(super) struct Context<'a> {
    /// Who.
    pub(super) session: &'a Session,
    /// Which SQL Server is simulated.
    pub(super) version: Version,
    /// `database_id` of the database in whose name the view is called.
    pub(super) database: u16,
    /// Arguments.
    pub(super) arguments: &'a [Value],
    /// Now.
    pub(super) now: Moment,
}

impl<'a> Context<'a> {
    /// # Errors
    /// 911 where there is no such database.
    pub(super) fn new(session: &'a Session, database: &str, arguments: &'a [Value]) -> Result<Self, Failure> {
        let instance = &session.instance;
        let found = instance.state().database(database).map(|entry| entry.id);
        Ok(Self {
            session,
            version: instance.settings.version,
            database: found.ok_or_else(|| Failure::new(911, &[&database]))?,
            arguments,
            now: instance.world.clock.now(),
        })
    }

    fn check(&self, reach: Reach, needs: Needs) -> Result<(), Failure> {
        let state = self.state();
        let login = self.login();
        if reach == Reach::Database
            && let Some(entry) = state.databases.get(&self.database)
        {
            access::check_state(entry, self.session.id)?;
            if !permission::may_enter(&state, login, self.database) {
                return Err(Failure::new(916, &[&login, &entry.name]));
            }
        }
        match needs {
            Needs::Nothing => Ok(()),
            Needs::ServerState | Needs::SecurityState => self.check_server_state(&state, needs),
            Needs::DatabaseState => self.check_database_state(&state),
        }
    }

    fn check_server_state(&self, state: &State, needs: Needs) -> Result<(), Failure> {
        let part = match (self.version >= Version::V2022, needs) {
            (false, _) => "VIEW SERVER STATE",
            (true, Needs::SecurityState) => "VIEW SERVER SECURITY STATE",
            (true, _) => "VIEW SERVER PERFORMANCE STATE",
        };
        if self.may_view(state, part) {
            return Ok(());
        }
        Err(Failure::new(300, &[&part, &"server", &"master"]).and(297, &[]))
    }

    /// DMVs of a database: who may see the server's state may see the database's.
    fn check_database_state(&self, state: &State) -> Result<(), Failure> {
        let Some(entry) = state.databases.get(&self.database) else {
            return Ok(());
        };
        let part = if self.version >= Version::V2022 {
            "VIEW DATABASE PERFORMANCE STATE"
        } else {
            "VIEW DATABASE STATE"
        };
        let login = self.login();
        let here = |permission: &str| permission::in_database(state, entry, login, permission);
        if here("VIEW DATABASE STATE") || here(part) || self.sees_all(state) {
            return Ok(());
        }
        Err(Failure::new(262, &[&part, &entry.name]).and(297, &[]))
    }

    fn may_view(&self, state: &State, part: &str) -> bool {
        let login = self.login();
        let is_denied = state.server.logins.iter().any(|(name, known)| {
            name.eq_ignore_ascii_case(login) && known.denied.contains("VIEW SERVER STATE")
        });
        permission::is_sysadmin(state, login) || (!is_denied && permission::on_server(state, login, part))
    }

    /// Whether the login sees other sessions and all databases' state.
    pub(super) fn sees_all(&self, state: &State) -> bool {
        let part = if self.version >= Version::V2022 {
            "VIEW SERVER PERFORMANCE STATE"
        } else {
            "VIEW SERVER STATE"
        };
        self.may_view(state, part)
    }

    /// Whether the login has a permission on the server.
    pub(super) fn may(&self, state: &State, permission: &str) -> bool {
        permission::on_server(state, self.login(), permission)
    }

    /// Whether the row of a database is shown: master's and tempdb's to everyone, others to their owner and to those who may see
    /// or make databases.
    pub(super) fn sees_database(&self, state: &State, entry: &DatabaseEntry) -> bool {
        matches!(entry.id, 1 | 2)
            || entry.id == self.database
            || entry.owner.eq_ignore_ascii_case(self.login())
            || ["VIEW ANY DATABASE", "ALTER ANY DATABASE", "CREATE ANY DATABASE"]
                .iter()
                .any(|permission| self.may(state, permission))
    }

    /// The session's login.
    pub(super) fn login(&self) -> &'a str {
        &self.session.login
    }

    /// The instance.
    pub(super) fn instance(&self) -> &'a Instance {
        &self.session.instance
    }

    /// The state; let go of it soon.
    pub(super) fn state(&self) -> MutexGuard<'a, State> {
        self.session.instance.state()
    }

    /// A moment on the server's clock, as a `datetime`.
    pub(super) fn local(&self, moment: Moment) -> Value {
        let offset = self.instance().world.clock.offset_minutes(moment);
        datetime(moment.local(offset))
    }

    /// The whole number in an argument; `None` for NULL and what is none.
    pub(super) fn number(&self, place: usize) -> Option<i64> {
        match self.arguments.get(place) {
            Some(Value::Integer(number)) => Some(*number),
            Some(Value::Bit(bit)) => Some(i64::from(*bit)),
            Some(Value::Decimal(decimal)) => {
                let whole = decimal.unscaled / 10_i128.pow(u32::from(decimal.scale));
                i64::try_from(whole).ok()
            }
            Some(Value::Text(text)) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The database whose id an argument gives; `None` for NULL, an unknown number, and one that the login does not see.
    pub(super) fn argument_database(&self, state: &State, place: usize) -> Option<u16> {
        let id = u16::try_from(self.number(place)?).ok()?;
        let entry = state.databases.get(&id)?;
        self.sees_database(state, entry).then_some(id)
    }
}

/// A `datetime`: rounded to the 300th of a second, as every column of that type is.
pub(super) fn datetime(moment: DateTime) -> Value {
    Value::DateTime(carried(moment.days, three_hundredths(moment.ticks)))
}

/// A time in the form of backups, as a `datetime`.
pub(super) fn from_local_time(time: bak::LocalTime) -> Value {
    let midnight = DateTime::midnight(i32::from(time.year), time.month, time.day);
    let seconds = u64::from(time.hour) * 3600 + u64::from(time.minute) * 60 + u64::from(time.second);
    Value::DateTime(DateTime {
        days: midnight.days,
        ticks: seconds * 10_000_000,
    })
}

/// 1900-01-01, which stands for "never" where a column has no NULL.
pub(super) fn never() -> Value {
    Value::DateTime(DateTime::midnight(1900, 1, 1))
}

/// A whole number of any width.
pub(super) fn number<N: TryInto<i64>>(number: N) -> Value {
    Value::Integer(number.try_into().unwrap_or(i64::MAX))
}

/// Bytes as megabytes, a `float`.
pub(super) fn megabytes(bytes: u64) -> Value {
    Value::Float(bytes as f64 / 1_048_576.0)
}

/// The engine of a database.
///
/// # Errors
/// 945 where it is not open.
pub(super) fn engine(state: &State, database: u16) -> Result<&Engine, Failure> {
    let entry = state.databases.get(&database);
    entry
        .and_then(|entry| entry.engine.as_ref())
        .ok_or_else(|| Failure::new(945, &[&entry.map_or("", |entry| entry.name.as_str())]))
}
