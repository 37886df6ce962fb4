//! `xp_readerrorlog` and `sp_readerrorlog`: the error log of this start, as its clients read it.
//!
//! An error is two lines, its number and its text, both with the time of the server's clock. Logs of earlier starts and the
//! agent's are not kept (22004, as where the file is not there).

use super::Call;
use crate::answers::Answers;
use crate::instance::permission;
use crate::instance::{State, Version};
use crate::message::{Failure, Message};
use crate::query::convert;
use crate::session::Session;
use crate::value::{Column, DateTime, Length, SqlType, Value};
use crate::world::OsError;

/// Windows' ERROR_FILE_NOT_FOUND.
const NOT_FOUND: i32 = 2;

/// Reads: number of the log, product (1 is SQL Server), two texts that a line must contain, first and last time, `desc` for the
/// newest first; the times by `xp_readerrorlog` alone.
///
/// # Errors
/// 229 without permission; 22004 for a log that is not there; 241 for a time that is none.
pub(super) fn read(session: &Session, call: &Call, answers: &mut dyn Answers) -> Result<(), Failure> {
    let state = session.instance.state();
    if !may_read(&state, session) {
        return Err(Failure::new(
            229,
            &[&"EXECUTE", &call.name, &"mssqlsystemresource", &"sys"],
        ));
    }
    if call.integer(0, "@p1").unwrap_or(0) != 0 || call.integer(1, "@p2").unwrap_or(1) != 1 {
        let missing = OsError::new(NOT_FOUND);
        return Err(Failure::new(
            22_004,
            &[&call.name, &missing.number, &missing.text],
        ));
    }
    let has_times = call.name == "xp_readerrorlog";
    let time = |place: usize, name: &str| match call.text(place, name).filter(|_| has_times) {
        Some(text) => moment_of(text).map(Some),
        None => Ok(None),
    };
    let wanted = Wanted {
        texts: [call.text(2, "@p3"), call.text(3, "@p4")].map(|text| text.map(|text| text.to_lowercase())),
        from: time(4, "@p5")?,
        to: time(5, "@p6")?,
    };
    let clock = &session.instance.world.clock;
    let mut rows = Vec::new();
    for (at, message) in &state.error_log {
        let at = at.local(clock.offset_minutes(*at));
        let lines = lines(message).into_iter().filter(|line| wanted.is(at, line));
        rows.extend(lines.map(|line| [Value::DateTime(at), "Backup".into(), line.into()]));
    }
    drop(state);
    if call
        .text(6, "@p7")
        .is_some_and(|order| order.eq_ignore_ascii_case("desc"))
    {
        rows.reverse();
    }
    answers.columns(&[
        Column::new("LogDate", SqlType::DateTime),
        Column::new("ProcessInfo", SqlType::NVarChar(Length::Of(50))),
        Column::new("Text", SqlType::NVarChar(Length::Max)),
    ]);
    for row in &rows {
        answers.row(row);
    }
    answers.done(Some(rows.len() as u64));
    Ok(())
}

struct Wanted {
    texts: [Option<String>; 2],
    from: Option<DateTime>,
    to: Option<DateTime>,
}

impl Wanted {
    fn is(&self, at: DateTime, line: &str) -> bool {
        let line = line.to_lowercase();
        self.texts.iter().flatten().all(|text| line.contains(text))
            && self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at <= to)
    }
}

/// As the log has a message: an error behind a line with its number.
fn lines(message: &Message) -> Vec<String> {
    let Message {
        number, class, state, ..
    } = message;
    let head = message
        .is_error()
        .then(|| format!("Error: {number}, Severity: {class}, State: {state}."));
    head.into_iter().chain([message.text.clone()]).collect()
}

/// Members of sysadmin, and who was granted the procedure in master; from 2022 on with a right of the server besides.
fn may_read(state: &State, session: &Session) -> bool {
    let login = &session.login;
    if permission::is_sysadmin(state, login) {
        return true;
    }
    let master = state.database("master");
    let is_granted = ["XP_READERRORLOG", "SP_READERRORLOG"].iter().any(|name| {
        let right = format!("EXECUTE ON {name}");
        master.is_some_and(|master| permission::in_database(state, master, login, &right))
    });
    is_granted
        && (session.instance.settings.version < Version::V2022
            || permission::on_server(state, login, "VIEW ANY ERROR LOG"))
}

fn moment_of(text: String) -> Result<DateTime, Failure> {
    let from = SqlType::NVarChar(Length::Max);
    match convert::convert(Value::Text(text), from, SqlType::DateTime)? {
        Value::DateTime(time) => Ok(time),
        _ => Err(Failure::new(241, &[])),
    }
}
