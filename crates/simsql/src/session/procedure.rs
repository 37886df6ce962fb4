//! EXEC: system procedures. Whatever is no part of the simulation is a procedure that could not be found (2812), as any other
//! unknown name.

use sqlparser::ast;

use crate::answers::Answers;
use crate::instance::access;
use crate::message::Failure;
use crate::session::run::{self, Flow};
use crate::session::{Session, configuration};
use crate::tsql::statement::Argument;
use crate::value::{Length, SqlType, Value};

mod databases;
mod devices;
mod error_log;
mod execute_sql;
mod files;
mod history;
mod registry;
mod sessions;

/// An argument with its value.
pub(crate) struct Given {
    name: Option<String>,
    value: Value,
    sql_type: SqlType,
    /// The variable that takes the value back.
    output: Option<String>,
}

/// A call with its values.
pub(crate) struct Call {
    /// The procedure, in lower case, without database and schema.
    pub(crate) name: String,
    /// The database before the name.
    pub(crate) database: Option<String>,
    /// In their order.
    pub(crate) given: Vec<Given>,
}

impl Call {
    /// The argument at a place, or by its name in lower case.
    fn find(&self, place: usize, name: &str) -> Option<&Given> {
        let by_name = self.given.iter().find(|given| {
            given
                .name
                .as_deref()
                .is_some_and(|known| known.eq_ignore_ascii_case(name))
        });
        by_name.or_else(|| self.given.get(place).filter(|given| given.name.is_none()))
    }

    /// Its text; `None` where it is absent or NULL.
    pub(crate) fn text(&self, place: usize, name: &str) -> Option<String> {
        let given = self.find(place, name)?;
        let as_text = SqlType::NVarChar(Length::Max);
        match crate::query::convert::convert(given.value.clone(), given.sql_type, as_text) {
            Ok(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Its number; `None` where it is absent, NULL, or none.
    pub(crate) fn integer(&self, place: usize, name: &str) -> Option<i64> {
        let given = self.find(place, name)?;
        match crate::query::convert::convert(given.value.clone(), given.sql_type, SqlType::BigInt) {
            Ok(Value::Integer(number)) => Some(number),
            _ => None,
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// 201.
    pub(crate) fn required(&self, place: usize, name: &str) -> Result<String, Failure> {
        self.text(place, name)
            .ok_or_else(|| Failure::new(201, &[&self.name, &name]))
    }

    /// Gives a value back through the OUTPUT argument at a place or of a name.
    ///
    /// # Errors
    /// Where the variable cannot hold it.
    pub(crate) fn give_back(
        &self,
        session: &mut Session,
        (place, name): (usize, &str),
        (value, from): (Value, SqlType),
    ) -> Result<bool, Failure> {
        let Some(variable) = self.find(place, name).and_then(|given| given.output.as_ref()) else {
            return Ok(false);
        };
        store(session, variable, value, from)?;
        Ok(true)
    }
}

fn store(session: &mut Session, variable: &str, value: Value, from: SqlType) -> Result<(), Failure> {
    let key = variable.to_lowercase();
    let Some((_, to)) = session.work.frame.variables.get(&key).cloned() else {
        return Err(Failure::new(137, &[&variable]));
    };
    let value = crate::query::convert::convert(value, from, to)?;
    session.work.assign(&key, value, to)
}

/// Runs `EXEC [@result =] procedure arguments`.
///
/// # Errors
/// 2812 for an unknown procedure, 911 for an unknown database, and those of the procedure.
pub(crate) async fn run(
    session: &mut Session,
    result: Option<&str>,
    procedure: &str,
    arguments: &[Argument],
    answers: &mut dyn Answers,
) -> Result<Flow, Failure> {
    let mut parts: Vec<&str> = procedure.split('.').collect();
    let name = parts.pop().unwrap_or_default().to_owned();
    let schema = parts.pop().unwrap_or_default();
    let database = parts.pop().filter(|part| !part.is_empty()).map(str::to_owned);
    if !parts.is_empty() {
        return Err(Failure::new(40510, &[&"linked servers"]));
    }
    if name == "sim_fault" {
        let given = evaluate(session, arguments).await?;
        let values: Vec<Value> = given.into_iter().map(|given| given.value).collect();
        Box::pin(crate::faults::execute(session, &values, answers)).await?;
        answers.done(None);
        return Ok(Flow::Next);
    }
    if !matches!(schema, "" | "dbo" | "sys") {
        return Err(Failure::new(2812, &[&procedure]));
    }
    let call = Call {
        name,
        database,
        given: evaluate(session, arguments).await?,
    };
    // A procedure called as that of another database works there.
    let home = session.database.clone();
    if let Some(database) = &call.database {
        access::enter(session, database)?;
    }
    let done = match call.name.as_str() {
        "sp_executesql" => execute_sql::run(session, &call, answers)
            .await
            .map(|flow| (flow, 0)),
        _ => simple(session, &call, procedure, answers).map(|status| (Flow::Next, status)),
    };
    if call.database.is_some() && session.database != home && !session.ended {
        access::enter(session, &home)?;
    }
    let (flow, status) = done?;
    if let Some(variable) = result {
        store(session, variable, Value::Integer(status), SqlType::Int)?;
    }
    session.last_error = 0;
    Ok(flow)
}

async fn evaluate(session: &Session, arguments: &[Argument]) -> Result<Vec<Given>, Failure> {
    let mut given = Vec::new();
    for argument in arguments {
        let (value, sql_type) = run::evaluate(session, &argument.value).await?;
        let output = match &argument.value {
            ast::Expr::Identifier(variable) if argument.is_output => Some(variable.value.clone()),
            _ => None,
        };
        given.push(Given {
            name: argument.name.clone(),
            value,
            sql_type,
            output,
        });
    }
    Ok(given)
}

/// Procedures that do not wait; their return status.
fn simple(
    session: &mut Session,
    call: &Call,
    procedure: &str,
    answers: &mut dyn Answers,
) -> Result<i64, Failure> {
    match call.name.as_str() {
        "sp_configure" => configuration::configure(session, call, answers)?,
        "sp_addumpdevice" => devices::add(session, call)?,
        "sp_dropdevice" => devices::remove(session, call)?,
        "sp_who" | "sp_who2" => sessions::who(session, call, answers)?,
        "sp_databases" => databases::list(session, answers),
        "sp_helpdb" => databases::help(session, call, answers)?,
        "sp_spaceused" => databases::space_used(session, call, answers)?,
        "sp_renamedb" => {
            return Err(Failure::new(
                40510,
                &[&"sp_renamedb: use ALTER DATABASE ... MODIFY NAME"],
            ));
        }
        "sp_changedbowner" => {
            let login = call.required(0, "@loginame")?;
            let database = call.database.clone().unwrap_or_else(|| session.database.clone());
            crate::session::dispatch::change_owner(session, &database, &login)?;
        }
        "sp_addsrvrolemember" | "sp_dropsrvrolemember" => sessions::server_role(session, call)?,
        "xp_fileexist" => files::exists(session, call, answers)?,
        "xp_dirtree" | "xp_subdirs" => files::tree(session, call, answers)?,
        "xp_create_subdir" => files::create_directory(session, call)?,
        "xp_delete_file" => files::delete(session, call)?,
        "xp_readerrorlog" | "sp_readerrorlog" => error_log::read(session, call, answers)?,
        "xp_fixeddrives" => files::drives(session, answers),
        "xp_instance_regread" | "xp_regread" => return registry::read(session, call, answers),
        "sp_delete_backuphistory" | "sp_delete_database_backuphistory" => history::delete(session, call)?,
        "sp_reset_connection" => session.reset(),
        _ => return Err(Failure::new(2812, &[&procedure])),
    }
    Ok(0)
}
