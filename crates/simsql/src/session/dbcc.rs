//! DBCC: CHECKDB, shrinking, trace flags, the log.

use std::time::Duration;

use crate::answers::Answers;
use crate::engine::Checking;
use crate::instance::state::DatabaseEntry;
use crate::instance::waiting::is_killed;
use crate::instance::{access, permission, trouble};
use crate::message::{Failure, Message};
use crate::session::suspect::{self, PageEvent};
use crate::session::{Session, run};
use crate::tsql::statement::Word;
use crate::value::{Column, Length, SqlType, Value};

/// Pages that CHECKDB looks at before it lets others at the instance: 2 MiB, milliseconds.
const PIECE: u32 = 256;

/// Runs a DBCC statement.
///
/// # Errors
/// 2526 for an unknown one, and those of each.
pub(crate) async fn run(
    session: &mut Session,
    name: &str,
    arguments: &[Word],
    options: &[String],
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let arguments = arguments
        .iter()
        .map(|argument| run::word(session, argument))
        .collect::<Result<Vec<_>, _>>()?;
    let quiet = options.iter().any(|option| option == "NO_INFOMSGS");
    match name {
        "CHECKDB" | "CHECKALLOC" | "CHECKCATALOG" | "CHECKTABLE" | "CHECKFILEGROUP" => {
            return check(session, name, &arguments, quiet, answers).await;
        }
        "SHRINKFILE" | "SHRINKDATABASE" => shrink(session, name, &arguments, answers)?,
        "TRACEON" | "TRACEOFF" => trace(session, name == "TRACEON", &arguments)?,
        "TRACESTATUS" => trace_status(session, &arguments, answers),
        "LOGINFO" => log_info(session, &arguments, answers)?,
        "SQLPERF" => log_space(session, &arguments, answers)?,
        "OPENTRAN" => return open_transaction(session, &arguments, answers),
        "USEROPTIONS" => user_options(session, answers),
        "DROPCLEANBUFFERS" | "FREEPROCCACHE" | "FREESYSTEMCACHE" | "FREESESSIONCACHE" | "UPDATEUSAGE" => {
            administrator(session, name)?;
        }
        "INPUTBUFFER" | "IND" | "PAGE" | "HELP" | "SHOW_STATISTICS" | "CLONEDATABASE" | "DBREINDEX"
        | "INDEXDEFRAG" | "CHECKIDENT" | "CHECKCONSTRAINTS" | "MEMORYSTATUS" | "PROCCACHE" | "CLEANTABLE" => {
            return Err(Failure::new(40510, &[&format!("DBCC {name}")]));
        }
        _ => return Err(Failure::new(2526, &[])),
    }
    if !quiet {
        answers.message(Message::new(2528, &[]));
    }
    Ok(())
}

fn administrator(session: &Session, name: &str) -> Result<(), Failure> {
    match permission::is_sysadmin(&session.instance.state(), &session.login) {
        true => Ok(()),
        false => Err(Failure::new(
            2571,
            &[&session.login, &format!("DBCC {}", name.to_lowercase())],
        )),
    }
}

/// The database that an argument names, or the session's; 0 is the session's, too.
fn database(session: &Session, argument: Option<&String>) -> Result<u16, Failure> {
    let name = match argument.map(String::as_str) {
        None | Some("0") => session.database.clone(),
        Some(name) => name.to_owned(),
    };
    let state = session.instance.state();
    let by_id = name.parse::<u16>().ok().and_then(|id| state.databases.get(&id));
    let entry = state
        .database(&name)
        .or(by_id)
        .ok_or_else(|| Failure::new(2520, &[&name]))?;
    access::check_state(entry, session.id)?;
    Ok(entry.id)
}

/// CHECKDB and its parts: each looks at the whole database, for there is no part of it that could be wrong alone.
async fn check(
    session: &Session,
    name: &str,
    arguments: &[String],
    quiet: bool,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    if let Some(repair) = arguments
        .iter()
        .find(|argument| argument.to_uppercase().starts_with("REPAIR"))
    {
        return Err(Failure::new(40510, &[&format!("DBCC {name} with {repair}")]));
    }
    let id = database(
        session,
        arguments
            .first()
            .filter(|_| name != "CHECKTABLE" && name != "CHECKFILEGROUP"),
    )?;
    let found = check_in_pieces(session, id).await?;
    let has_errors = found.iter().any(Message::is_error);
    for message in found {
        if has_errors || !quiet {
            answers.message(message);
        }
    }
    if !quiet {
        answers.message(Message::new(2528, &[]));
    }
    Ok(())
}

/// Checks a database, and lets others at it between two pieces: they may change it, or drop it, and this session may be cancelled
/// or killed.
async fn check_in_pieces(session: &Session, id: u16) -> Result<Vec<Message>, Failure> {
    let clock = &session.instance.world.clock;
    let name = {
        let state = session.instance.state();
        let entry = state.databases.get(&id);
        entry.map(|entry| entry.name.clone()).unwrap_or_default()
    };
    let mut checking = Checking::new(&name);
    while check_piece(session, (id, &name), &mut checking)? {
        session
            .canceller
            .unless_cancelled(clock.sleep(Duration::ZERO))
            .await?;
        if is_killed(session) {
            return Err(Failure::cancelled());
        }
    }
    let found = checking.summary();
    let now = clock.now();
    let local = now.local(clock.offset_minutes(now));
    let mut state = session.instance.state();
    for message in found.iter().filter(|message| message.is_error()) {
        if let Some((file, page)) = suspect::page_of(&message.text) {
            suspect::note(&mut state, (id, file, page), PageEvent::Error, (now, local));
        }
    }
    Ok(found)
}

/// The next piece; whether there are more.
fn check_piece(session: &Session, (id, name): (u16, &str), checking: &mut Checking) -> Result<bool, Failure> {
    let mut state = session.instance.state();
    // Another session may have dropped it since it was looked up, and made or restored another of the same number.
    let is_begun = |entry: &&DatabaseEntry| {
        let binding = entry.engine.as_ref().map(|engine| engine.boot().binding_id);
        checking.binding().is_none() || binding.is_none() || binding == checking.binding()
    };
    let Some(entry) = state.databases.get(&id).filter(is_begun) else {
        return Err(Failure::new(2520, &[&name]));
    };
    access::check_state(entry, session.id)?;
    if !permission::in_database(&state, entry, &session.login, "ALTER") {
        return Err(Failure::new(7983, &[&session.login, &entry.name]));
    }
    let engine = state
        .databases
        .get_mut(&id)
        .and_then(|entry| entry.engine.as_mut());
    let Some(engine) = engine else {
        return Err(Failure::new(945, &[&name]));
    };
    Ok(engine.check_some(checking, i32::from(id), PIECE))
}

/// SHRINKFILE and SHRINKDATABASE: files keep their size; what the log can let go of is let go by a checkpoint.
fn shrink(
    session: &Session,
    name: &str,
    arguments: &[String],
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let id = match name {
        "SHRINKDATABASE" => database(session, arguments.first())?,
        _ => database(session, None)?,
    };
    let now = session.instance.world.clock.now();
    let mut state = session.instance.state();
    let Some(entry) = state.databases.get(&id) else {
        return Ok(());
    };
    if !permission::in_database(&state, entry, &session.login, "ALTER") {
        return Err(Failure::new(7983, &[&session.login, &entry.name]));
    }
    let Some(entry) = state.databases.get_mut(&id) else {
        return Ok(());
    };
    if let Some(Err(error)) = entry.engine.as_mut().map(|engine| engine.checkpoint(now)) {
        return Err(trouble::failure(&error, entry));
    }
    let files = entry
        .engine
        .as_ref()
        .map(crate::engine::Engine::files)
        .unwrap_or_default();
    let wanted = arguments.first().filter(|_| name == "SHRINKFILE");
    let shrunk: Vec<_> = files
        .iter()
        .filter(|file| {
            wanted.is_none_or(|wanted| {
                file.logical_name.eq_ignore_ascii_case(wanted) || file.file_id.to_string() == *wanted
            })
        })
        .collect();
    if let Some(wanted) = wanted.filter(|_| shrunk.is_empty()) {
        return Err(Failure::new(8985, &[wanted, &entry.name]));
    }
    let column = |name: &str| Column::new(name, SqlType::Int);
    answers.columns(&[
        Column::new("DbId", SqlType::SmallInt),
        column("FileId"),
        column("CurrentSize"),
        column("MinimumSize"),
        column("UsedPages"),
        column("EstimatedPages"),
    ]);
    for file in &shrunk {
        let size = Value::Integer(i64::from(file.size));
        let [file_id, id] = [file.file_id, id].map(|number| Value::Integer(i64::from(number)));
        answers.row(&[id, file_id, size.clone(), size.clone(), size.clone(), size]);
    }
    answers.done(Some(shrunk.len() as u64));
    Ok(())
}

fn trace(session: &Session, on: bool, arguments: &[String]) -> Result<(), Failure> {
    administrator(session, if on { "traceon" } else { "traceoff" })?;
    let mut state = session.instance.state();
    for argument in arguments {
        let number: i64 = argument.parse().map_err(|_| Failure::new(102, &[argument]))?;
        // -1 means every session; there is one set of flags here.
        if let Ok(flag) = u32::try_from(number) {
            match on {
                true => state.server.trace_flags.insert(flag),
                false => state.server.trace_flags.remove(&flag),
            };
        }
    }
    Ok(())
}

fn trace_status(session: &Session, arguments: &[String], answers: &mut dyn Answers) {
    let wanted: Vec<u32> = arguments
        .iter()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let column = |name: &str| Column::new(name, SqlType::SmallInt);
    answers.columns(&[
        column("TraceFlag"),
        column("Status"),
        column("Global"),
        column("Session"),
    ]);
    let flags = session.instance.state().server.trace_flags.clone();
    let shown: Vec<u32> = match wanted.is_empty() {
        true => flags.iter().copied().collect(),
        false => wanted,
    };
    for flag in &shown {
        let on = Value::Integer(i64::from(flags.contains(flag)));
        answers.row(&[
            Value::Integer(i64::from(*flag)),
            on.clone(),
            on,
            Value::Integer(0),
        ]);
    }
    answers.done(Some(shown.len() as u64));
}

/// LOGINFO: what is known of the virtual log files, one row each, those in use first.
fn log_info(session: &Session, arguments: &[String], answers: &mut dyn Answers) -> Result<(), Failure> {
    administrator(session, "loginfo")?;
    let id = database(session, arguments.first())?;
    let state = session.instance.state();
    let Some(engine) = state.databases.get(&id).and_then(|entry| entry.engine.as_ref()) else {
        return Ok(());
    };
    let facts = engine.log_facts();
    let int = |name: &str| Column::new(name, SqlType::Int);
    answers.columns(&[int("RecoveryUnitId"), int("FileId"), int("FSeqNo"), int("Status")]);
    let last = i64::from(facts.end_lsn.vlf);
    for place in 0..facts.vlf_count {
        let active = place < facts.active_vlf_count;
        let sequence = if active { last - i64::from(place) } else { 0 };
        let status = if active { 2 } else { 0 };
        answers.row(&[0, 2, sequence, status].map(Value::Integer));
    }
    answers.done(Some(u64::from(facts.vlf_count)));
    Ok(())
}

/// SQLPERF(LOGSPACE).
fn log_space(session: &Session, arguments: &[String], answers: &mut dyn Answers) -> Result<(), Failure> {
    if !arguments
        .first()
        .is_some_and(|argument| argument.eq_ignore_ascii_case("LOGSPACE"))
    {
        return Err(Failure::new(40510, &[&"DBCC SQLPERF of anything but LOGSPACE"]));
    }
    answers.columns(&[
        Column::new("Database Name", SqlType::NVarChar(Length::Of(128))),
        Column::new("Log Size (MB)", SqlType::Real),
        Column::new("Log Space Used (%)", SqlType::Real),
        Column::new("Status", SqlType::Int),
    ]);
    let state = session.instance.state();
    let mut count = 0;
    for entry in state.databases.values() {
        let Some(engine) = &entry.engine else {
            continue;
        };
        let facts = engine.log_facts();
        let size = facts.size as f64 / f64::from(1 << 20);
        let used = facts.used as f64 * 100.0 / facts.size.max(1) as f64;
        answers.row(&[
            entry.name.clone().into(),
            Value::Float(size),
            Value::Float(used),
            Value::Integer(0),
        ]);
        count += 1;
    }
    answers.done(Some(count));
    Ok(())
}

/// OPENTRAN: the oldest transaction that is open.
fn open_transaction(
    session: &Session,
    arguments: &[String],
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let id = database(session, arguments.first())?;
    let state = session.instance.state();
    let engine = state.databases.get(&id).and_then(|entry| entry.engine.as_ref());
    match engine.and_then(crate::engine::Engine::oldest_transaction) {
        None => answers.message(Message::new(7969, &[])),
        Some((lsn, begun)) => {
            let clock = &session.instance.world.clock;
            let time = begun.local(clock.offset_minutes(begun)).to_local_time();
            let text = format!(
                "Transaction information for database '{}'.\n\nOldest active transaction:\n    LSN           : {lsn}\n    Start time    : {time}",
                state.databases.get(&id).map_or("", |entry| entry.name.as_str())
            );
            let mut message = Message::new(2528, &[]);
            message.number = 0;
            message.text = text;
            answers.message(message);
        }
    }
    answers.message(Message::new(2528, &[]));
    Ok(())
}

fn user_options(session: &Session, answers: &mut dyn Answers) {
    let options = &session.work.options;
    let text = |name: &str| Column::new(name, SqlType::NVarChar(Length::Of(128)));
    answers.columns(&[text("Set Option"), text("Value")]);
    let isolation = if options.reads_uncommitted {
        "read uncommitted"
    } else {
        "read committed"
    };
    let rows = [
        ("language", "us_english".to_owned()),
        ("dateformat", "mdy".to_owned()),
        ("datefirst", options.date_first.to_string()),
        ("lock_timeout", session.lock_timeout.to_string()),
        (
            "quoted_identifier",
            if options.quoted_identifier {
                "SET"
            } else {
                "NOT SET"
            }
            .to_owned(),
        ),
        ("isolation level", isolation.to_owned()),
    ];
    for (name, value) in &rows {
        answers.row(&[(*name).into(), value.clone().into()]);
    }
    answers.done(Some(rows.len() as u64));
}
