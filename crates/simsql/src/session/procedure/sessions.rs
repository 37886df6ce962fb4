//! Sessions and server roles: `sp_who`, `sp_who2`, `sp_addsrvrolemember`.

use super::Call;
use crate::answers::Answers;
use crate::instance;
use crate::instance::state::SessionFacts;
use crate::message::Failure;
use crate::session::Session;
use crate::tsql::statement::ServerStatement;
use crate::value::{Column, Length, SqlType, Value};

/// `sp_who [spid or login]`.
pub(super) fn who(session: &Session, call: &Call, answers: &mut dyn Answers) -> Result<(), Failure> {
    let only = call.text(0, "@loginame");
    let text = |name: &str, length: u16| Column::new(name, SqlType::NVarChar(Length::Of(length)));
    let number = |name: &str| Column::new(name, SqlType::SmallInt);
    answers.columns(&[
        number("spid"),
        number("ecid"),
        text("status", 30),
        text("loginame", 128),
        text("hostname", 128),
        text("blk", 5),
        text("dbname", 128),
        text("cmd", 26),
        Column::new("request_id", SqlType::Int),
    ]);
    let state = session.instance.state();
    let mut count = 0;
    for (id, facts) in &state.sessions {
        let is_meant = match &only {
            None => true,
            Some(wanted) if wanted.eq_ignore_ascii_case("active") => facts.request.is_some(),
            Some(wanted) => *wanted == id.to_string() || wanted.eq_ignore_ascii_case(&facts.login),
        };
        if is_meant {
            let database = state.databases.get(&facts.database);
            answers.row(&row(*id, facts, database.map_or("", |entry| entry.name.as_str())));
            count += 1;
        }
    }
    drop(state);
    answers.done(Some(count));
    Ok(())
}

fn row(id: u16, facts: &SessionFacts, database: &str) -> [Value; 9] {
    let request = facts.request.as_ref();
    let status = match request {
        None => "sleeping",
        Some(request) if request.wait_type.is_some() => "suspended",
        Some(_) => "runnable",
    };
    [
        Value::Integer(i64::from(id)),
        Value::Integer(0),
        status.into(),
        facts.login.clone().into(),
        facts.host.clone().into(),
        request.map_or(0, |request| request.blocked_by).to_string().into(),
        database.into(),
        request
            .map_or("AWAITING COMMAND", |request| request.command.as_str())
            .into(),
        Value::Integer(0),
    ]
}

/// `sp_addsrvrolemember login, role` and `sp_dropsrvrolemember`.
pub(super) fn server_role(session: &Session, call: &Call) -> Result<(), Failure> {
    let statement = ServerStatement::ServerRole {
        login: call.required(0, "@loginame")?,
        role: call.required(1, "@rolename")?,
        add: call.name == "sp_addsrvrolemember",
    };
    let resolve = |word: &crate::tsql::statement::Word| crate::session::run::word(session, word);
    instance::server_statement(session, &statement, &resolve)
}
