//! Databases: `sp_databases`, `sp_helpdb`, `sp_spaceused`.

use super::Call;
use crate::answers::Answers;
use crate::engine::DatabaseFile;
use crate::instance::{DatabaseEntry, permission};
use crate::message::Failure;
use crate::session::Session;
use crate::value::{Column, Length, SqlType, Value};

/// Pages of 8 KiB in a megabyte, and KiB in a page.
const PAGES_PER_MB: u64 = 128;
const KB_PER_PAGE: u64 = 8;

fn files(entry: &DatabaseEntry) -> Vec<DatabaseFile> {
    entry
        .engine
        .as_ref()
        .map_or_else(|| entry.files.clone(), crate::engine::Engine::files)
}

fn pages(entry: &DatabaseEntry) -> u64 {
    files(entry).iter().map(|file| u64::from(file.size)).sum()
}

fn text(name: &str, length: u16) -> Column {
    Column::new(name, SqlType::NVarChar(Length::Of(length)))
}

/// `sp_databases`.
pub(super) fn list(session: &Session, answers: &mut dyn Answers) {
    answers.columns(&[
        text("DATABASE_NAME", 128),
        Column::new("DATABASE_SIZE", SqlType::Int),
        Column::new("REMARKS", SqlType::VarChar(Length::Of(254))),
    ]);
    let state = session.instance.state();
    let mut rows: Vec<_> = state
        .databases
        .values()
        .filter(|entry| permission::may_enter(&state, &session.login, entry.id))
        .map(|entry| (entry.name.clone(), pages(entry) * KB_PER_PAGE))
        .collect();
    rows.sort();
    for (name, size) in &rows {
        let size = Value::Integer(i64::try_from(*size).unwrap_or(i64::MAX));
        answers.row(&[name.clone().into(), size, Value::Null]);
    }
    answers.done(Some(rows.len() as u64));
}

/// `sp_helpdb [name]`.
///
/// # Errors
/// 15010 where there is no such database.
pub(super) fn help(session: &Session, call: &Call, answers: &mut dyn Answers) -> Result<(), Failure> {
    let wanted = call.text(0, "@dbname");
    let state = session.instance.state();
    if let Some(wanted) = &wanted
        && state.database(wanted).is_none()
    {
        return Err(Failure::new(15010, &[wanted]));
    }
    answers.columns(&[
        text("name", 128),
        text("db_size", 13),
        text("owner", 128),
        Column::new("dbid", SqlType::SmallInt),
        text("created", 11),
        text("status", 600),
        Column::new("compatibility_level", SqlType::TinyInt),
    ]);
    let clock = &session.instance.world.clock;
    let mut count = 0;
    for entry in state.databases.values() {
        if wanted
            .as_ref()
            .is_some_and(|wanted| !entry.name.eq_ignore_ascii_case(wanted))
        {
            continue;
        }
        let size = pages(entry) as f64 / PAGES_PER_MB as f64;
        let created = entry.created.local(clock.offset_minutes(entry.created));
        let (year, month, day) = created.date();
        let boot = entry.engine.as_ref().map(crate::engine::Engine::boot);
        let status = boot.map_or_else(
            || format!("Status={:?}", entry.state).to_uppercase(),
            |boot| {
                format!(
                    "Status={:?}, Recovery={:?}, Version={}",
                    entry.state, boot.recovery_model, boot.version
                )
                .to_uppercase()
            },
        );
        answers.row(&[
            entry.name.clone().into(),
            format!("{size:>10.2} MB").into(),
            entry.owner.clone().into(),
            Value::Integer(i64::from(entry.id)),
            format!("{} {day:>2} {year}", MONTHS[usize::from(month.clamp(1, 12)) - 1]).into(),
            status.into(),
            boot.map(|boot| i64::from(boot.compatibility_level)).into(),
        ]);
        count += 1;
    }
    answers.done(Some(count));
    if let Some(entry) = wanted.as_deref().and_then(|wanted| state.database(wanted)) {
        help_files(entry, answers);
    }
    Ok(())
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn help_files(entry: &DatabaseEntry, answers: &mut dyn Answers) {
    answers.columns(&[
        text("name", 128),
        Column::new("fileid", SqlType::SmallInt),
        text("filename", 260),
        text("filegroup", 128),
        text("size", 18),
        text("maxsize", 18),
        text("growth", 18),
        text("usage", 9),
    ]);
    let files = files(entry);
    for file in &files {
        let kb = |pages: u32| format!("{} KB", u64::from(pages) * KB_PER_PAGE);
        let is_log = file.file_type == bak::FileType::Log;
        let filegroup = if is_log { None } else { Some("PRIMARY") };
        answers.row(&[
            file.logical_name.clone().into(),
            Value::Integer(i64::from(file.file_id)),
            file.physical_name.clone().into(),
            filegroup.into(),
            kb(file.size).into(),
            if file.max_size == u32::MAX {
                "Unlimited".into()
            } else {
                kb(file.max_size).into()
            },
            kb(file.growth).into(),
            if is_log { "log only" } else { "data only" }.into(),
        ]);
    }
    answers.done(Some(files.len() as u64));
}

/// `sp_spaceused` of the whole database; of a table, its rows.
///
/// # Errors
/// 15009 where there is no such table, and what the session's database says.
pub(super) fn space_used(session: &Session, call: &Call, answers: &mut dyn Answers) -> Result<(), Failure> {
    let mut state = session.instance.state();
    let Some(entry) = state.database_mut(&session.database) else {
        return Err(Failure::new(911, &[&session.database]));
    };
    if let Some(table) = call.text(0, "@objname") {
        let name = table
            .rsplit('.')
            .next()
            .unwrap_or(&table)
            .trim_matches(['[', ']'])
            .to_owned();
        let found = entry
            .engine
            .as_ref()
            .and_then(|engine| engine.find_table("dbo", &name));
        let facts = found.ok_or_else(|| Failure::new(15009, &[&table, &entry.name]))?;
        let id = entry.id;
        let rows = crate::session::names::rows(&mut state, id, facts.id)?.len();
        answers.columns(&[text("name", 128), Column::new("rows", SqlType::Char(20))]);
        answers.row(&[facts.definition.name.into(), rows.to_string().into()]);
        answers.done(Some(1));
        return Ok(());
    }
    let files = files(entry);
    let total = pages(entry) as f64 / PAGES_PER_MB as f64;
    let (mut data, mut allocated) = (0, 0);
    for file in files.iter().filter(|file| file.file_type != bak::FileType::Log) {
        data += u64::from(file.size);
        if let Some(Ok((used, _))) = entry.engine.as_mut().map(|engine| engine.space(file.file_id)) {
            allocated += used;
        }
    }
    let free = data.saturating_sub(allocated) as f64 / PAGES_PER_MB as f64;
    answers.columns(&[
        text("database_name", 128),
        text("database_size", 18),
        text("unallocated space", 18),
    ]);
    answers.row(&[
        entry.name.clone().into(),
        format!("{total:.2} MB").into(),
        format!("{free:.2} MB").into(),
    ]);
    answers.done(Some(1));
    Ok(())
}
