//! `sp_configure` and RECONFIGURE: which options there are, what they may be, what they are.
//!
//! The options are those a backup vault and its tools ask for, with the names, bounds and defaults that sys.configurations
//! documents.

use crate::answers::Answers;
use crate::instance::permission;
use crate::message::{Failure, Message};
use crate::session::Session;
use crate::session::procedure::Call;
use crate::value::{Column, Length, SqlType, Value};

/// An option of the server.
#[derive(Clone, Copy, Debug)]
pub struct ServerOption {
    /// `configuration_id`.
    pub id: i64,
    /// Its name.
    pub name: &'static str,
    /// Least value.
    pub minimum: i64,
    /// Largest value.
    pub maximum: i64,
    /// Value of a new server.
    pub default: i64,
    /// Shown by `sp_configure` only with 'show advanced options'.
    pub is_advanced: bool,
}

const fn option(
    id: i64,
    name: &'static str,
    bounds: (i64, i64),
    default: i64,
    is_advanced: bool,
) -> ServerOption {
    ServerOption {
        id,
        name,
        minimum: bounds.0,
        maximum: bounds.1,
        default,
        is_advanced,
    }
}

/// All of them, by name.
pub const OPTIONS: &[ServerOption] = &[
    option(16_384, "Agent XPs", (0, 1), 0, true),
    option(1_584, "backup checksum default", (0, 1), 0, false),
    option(16_404, "backup compression algorithm", (0, 3), 0, false),
    option(1_579, "backup compression default", (0, 1), 0, false),
    option(1_562, "clr enabled", (0, 1), 0, false),
    option(16_393, "contained database authentication", (0, 1), 0, false),
    option(1_538, "cost threshold for parallelism", (0, 32_767), 5, true),
    option(16_386, "Database Mail XPs", (0, 1), 0, true),
    option(109, "fill factor (%)", (0, 100), 0, true),
    option(1_539, "max degree of parallelism", (0, 32_767), 0, true),
    option(
        1_544,
        "max server memory (MB)",
        (128, 2_147_483_647),
        2_147_483_647,
        true,
    ),
    option(503, "max worker threads", (128, 65_535), 0, true),
    option(1_543, "min server memory (MB)", (0, 2_147_483_647), 0, true),
    option(16_388, "Ole Automation Procedures", (0, 1), 0, true),
    option(1_581, "optimize for ad hoc workloads", (0, 1), 0, true),
    option(117, "remote access", (0, 1), 1, false),
    option(1_576, "remote admin connections", (0, 1), 0, false),
    option(518, "show advanced options", (0, 1), 0, false),
    option(103, "user connections", (0, 32_767), 0, true),
    option(16_390, "xp_cmdshell", (0, 1), 0, true),
];

/// Columns of a name, at most.
const NAME: SqlType = SqlType::NVarChar(Length::Of(35));

/// Reads the value in use.
fn in_use(session: &Session, option: &ServerOption) -> i64 {
    let state = session.instance.state();
    let known = state.server.configuration.iter();
    known
        .filter(|(name, _)| name.eq_ignore_ascii_case(option.name))
        .map(|(_, value)| *value)
        .next()
        .unwrap_or(option.default)
}

fn configured(session: &Session, option: &ServerOption) -> i64 {
    let pending = session.work.configured.get(&option.name.to_lowercase());
    pending.copied().unwrap_or_else(|| in_use(session, option))
}

/// `sp_configure [name [, value]]`.
///
/// # Errors
/// 15123 for an unknown option, 15124 for one whose name is not unique, 15129 for a value out of bounds, 15247 without permission.
pub(crate) fn configure(
    session: &mut Session,
    call: &Call,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let advanced = OPTIONS.iter().find(|option| option.id == 518);
    let shows_advanced = advanced.is_some_and(|option| in_use(session, option) == 1);
    let wanted = call.text(0, "@configname");
    let matches: Vec<&ServerOption> = OPTIONS
        .iter()
        .filter(|option| shows_advanced || !option.is_advanced)
        .filter(|option| {
            wanted.as_ref().is_none_or(|wanted| {
                let name = option.name.to_lowercase();
                name.contains(&wanted.trim().to_lowercase())
            })
        })
        .collect();
    let Some(wanted) = wanted else {
        show(session, &matches, answers);
        return Ok(());
    };
    let exact = matches
        .iter()
        .find(|option| option.name.eq_ignore_ascii_case(wanted.trim()));
    let option = match (exact, matches.as_slice()) {
        (Some(option), _) => *option,
        (None, [option]) => option,
        (None, []) => return Err(Failure::new(15123, &[&wanted])),
        (None, _) => return Err(Failure::new(15124, &[&wanted])),
    };
    let Some(value) = call.integer(1, "@configvalue") else {
        show(session, &[option], answers);
        return Ok(());
    };
    if !permission::on_server(&session.instance.state(), &session.login, "ALTER SETTINGS") {
        return Err(Failure::new(15247, &[]));
    }
    if !(option.minimum..=option.maximum).contains(&value) {
        return Err(Failure::new(15129, &[&value, &option.name]));
    }
    let old = configured(session, option);
    session.work.configured.insert(option.name.to_lowercase(), value);
    answers.message(Message::new(15457, &[&option.name, &old, &value]));
    Ok(())
}

fn show(session: &Session, options: &[&ServerOption], answers: &mut dyn Answers) {
    let int = |name: &str| Column::new(name, SqlType::Int);
    answers.columns(&[
        Column::new("name", NAME),
        int("minimum"),
        int("maximum"),
        int("config_value"),
        int("run_value"),
    ]);
    for option in options {
        answers.row(&[
            option.name.into(),
            Value::Integer(option.minimum),
            Value::Integer(option.maximum),
            Value::Integer(configured(session, option)),
            Value::Integer(in_use(session, option)),
        ]);
    }
    answers.done(Some(options.len() as u64));
}

/// RECONFIGURE: what this session configured comes into use.
///
/// # Errors
/// 15247 without permission; the disk's.
pub(crate) fn install(session: &mut Session) -> Result<(), Failure> {
    let mut state = session.instance.state();
    if !permission::on_server(&state, &session.login, "ALTER SETTINGS") {
        return Err(Failure::new(15247, &[]));
    }
    let configured = std::mem::take(&mut session.work.configured);
    if configured.is_empty() {
        return Ok(());
    }
    state.server.configuration.extend(configured);
    session.instance.save(&state)
}
