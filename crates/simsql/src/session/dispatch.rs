//! Statements that are deeds of the instance: databases, the server's own things, backup and restore.

use crate::answers::Answers;
use crate::instance::{self, access, permission, trouble};
use crate::message::{Failure, Message};
use crate::session::{Session, dbcc, run};
use crate::tsql::statement::{Statement, Word};
use crate::{backup, restore};

/// Runs a statement of the instance.
///
/// # Errors
/// Those of the deed; 226 for databases within a transaction.
pub(crate) async fn run(
    session: &mut Session,
    statement: &Statement,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    match statement {
        Statement::Backup(statement) => backup::run(session, statement, answers).await?,
        Statement::Restore(statement) => {
            restore::run(session, statement, answers).await?;
            if restore::gives_rows(statement) {
                // Their number went out with them.
                return Ok(());
            }
        }
        Statement::Use(name) => return enter(session, name, answers),
        Statement::CreateDatabase(create) => {
            no_transaction(session, "CREATE DATABASE")?;
            instance::create_database(session, create)?;
        }
        Statement::AlterDatabase(name, alter) => {
            no_transaction(session, "ALTER DATABASE")?;
            let name = match name {
                Some(name) => run::word(session, name)?,
                None => session.database.clone(),
            };
            instance::alter_database(session, &name, alter).await?;
        }
        Statement::DropDatabase { if_exists, names } => {
            no_transaction(session, "DROP DATABASE")?;
            let names = names
                .iter()
                .map(|name| run::word(session, name))
                .collect::<Result<Vec<_>, _>>()?;
            instance::drop_database(session, &names, *if_exists)?;
        }
        Statement::Server(statement) => {
            let resolve = |word: &Word| run::word(session, word);
            instance::server_statement(session, statement, &resolve)?;
        }
        Statement::ChangeOwner { database, login } => change_owner(session, database, login)?,
        Statement::Kill(target) => instance::kill(session, *target)?,
        Statement::Checkpoint => checkpoint(session)?,
        Statement::Shutdown { nowait } => shutdown(session, *nowait, answers).await?,
        Statement::Reconfigure => crate::session::configuration::install(session)?,
        Statement::Dbcc {
            name,
            arguments,
            options,
        } => dbcc::run(session, name, arguments, options, answers).await?,
        _ => return Err(Failure::new(40510, &[&"this statement"])),
    }
    answers.done(None);
    Ok(())
}

fn no_transaction(session: &Session, statement: &str) -> Result<(), Failure> {
    match session.nesting {
        0 => Ok(()),
        _ => Err(Failure::new(226, &[&statement])),
    }
}

/// USE.
pub(crate) fn enter(session: &mut Session, name: &str, answers: &mut dyn Answers) -> Result<(), Failure> {
    let old = session.database.clone();
    access::enter(session, name)?;
    answers.database(&old, &session.database);
    Ok(())
}

fn checkpoint(session: &Session) -> Result<(), Failure> {
    let now = session.instance.world.clock.now();
    let mut state = session.instance.state();
    let database = state
        .database(&session.database)
        .ok_or_else(|| Failure::new(911, &[&session.database]))?;
    let id = database.id;
    access::check_state(database, session.id)?;
    if !permission::in_database(&state, database, &session.login, "CHECKPOINT") {
        return Err(Failure::new(262, &[&"CHECKPOINT", &session.database]));
    }
    let Some(entry) = state.databases.get_mut(&id) else {
        return Ok(());
    };
    match entry.engine.as_mut().map(|engine| engine.checkpoint(now)) {
        Some(Err(error)) => Err(trouble::failure(&error, entry)),
        _ => Ok(()),
    }
}

async fn shutdown(session: &Session, nowait: bool, answers: &mut dyn Answers) -> Result<(), Failure> {
    if !permission::on_server(&session.instance.state(), &session.login, "SHUTDOWN") {
        return Err(Failure::new(6004, &[]));
    }
    answers.message(Message::new(6006, &[&session.login]));
    session.instance.shut_down(session.id, !nowait).await;
    Ok(())
}

/// ALTER AUTHORIZATION ON DATABASE.
pub(crate) fn change_owner(session: &Session, database: &str, login: &str) -> Result<(), Failure> {
    let mut state = session.instance.state();
    let known = state
        .server
        .logins
        .keys()
        .find(|known| known.eq_ignore_ascii_case(login))
        .cloned()
        .ok_or_else(|| Failure::new(15151, &[&"find", &"principal", &login]))?;
    let entry = state
        .database(database)
        .ok_or_else(|| Failure::new(15151, &[&"find", &"database", &database]))?;
    let may = permission::is_sysadmin(&state, &session.login)
        || (entry.owner.eq_ignore_ascii_case(&session.login) && session.login.eq_ignore_ascii_case(login));
    if !may {
        return Err(Failure::new(15151, &[&"alter", &"database", &database]));
    }
    if let Some(entry) = state.database_mut(database) {
        entry.owner = known;
    }
    session.instance.save(&state)
}
