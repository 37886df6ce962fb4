//! Functions between names and ids: databases, files, objects, schemas, columns; and the server's own names and clocks.

use super::call::{Answer, Call, int, name, of, parts, same};
use super::files::files_of;
use super::view::datetime;
use crate::engine::{DatabaseFile, TableFacts};
use crate::instance::{DatabaseEntry, State, Version};
use crate::query::types;
use crate::value::{Length, SqlType, Value};

/// Answers, or not.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    match call.name {
        "DB_ID" => of(SqlType::SmallInt, database_id(call)),
        "DB_NAME" => name(database_name(call)),
        "OBJECT_ID" => int(object_id(call)),
        "OBJECT_NAME" => name(object_name(call)),
        "OBJECT_SCHEMA_NAME" => name(object_name(call).map(|_| "dbo")),
        "SCHEMA_NAME" => name(schema_name(call)),
        "SCHEMA_ID" => int(schema_id(call)),
        "FILE_ID" => of(SqlType::SmallInt, file_id(call)),
        "FILE_IDEX" => int(file_id(call)),
        "FILE_NAME" => name(file_name(call)),
        "FILEPROPERTY" => int(file_property(call)),
        "FILEGROUP_ID" => int(call.text(0).filter(|name| same(name, "PRIMARY")).map(|_| 1)),
        "FILEGROUP_NAME" => name(call.number(0).filter(|id| *id == 1).map(|_| "PRIMARY")),
        "COL_LENGTH" => of(SqlType::SmallInt, column_length(call)),
        "COL_NAME" => name(column_name(call)),
        "COLUMNPROPERTY" => int(column_property(call)),
        "TYPE_NAME" => name(call.number(0).and_then(super::types::name_of)),
        _ => None,
    }
}

/// Names of the server and clocks.
pub(super) fn of_server(call: &Call<'_>) -> Answer {
    let settings = &call.session.instance.settings;
    let software = settings.software();
    match call.name {
        "@@SERVERNAME" => of(SqlType::NVarChar(Length::Of(128)), settings.server_name()),
        "@@SERVICENAME" => name(settings.instance.as_deref().unwrap_or("MSSQLSERVER")),
        "@@LANGUAGE" => name("us_english"),
        "@@LANGID" => of(SqlType::SmallInt, 0),
        "@@MAX_CONNECTIONS" => int(Some(32_767)),
        "@@MAX_PRECISION" => of(SqlType::TinyInt, 38),
        "@@MICROSOFTVERSION" => {
            let number =
                u32::from(software.major) << 24 | u32::from(software.minor) << 16 | u32::from(software.build);
            int(Some(i64::from(number)))
        }
        "@@SPID" => of(SqlType::SmallInt, i64::from(call.session.id)),
        "@@TEXTSIZE" => int(Some(4096)),
        "@@REMSERVER" => of(SqlType::NVarChar(Length::Of(128)), Value::Null),
        "@@PROCID" | "@@CONNECTIONS" | "@@CPU_BUSY" | "@@IDLE" | "@@IO_BUSY" | "@@PACK_RECEIVED"
        | "@@PACK_SENT" | "@@PACKET_ERRORS" | "@@TOTAL_ERRORS" | "@@TOTAL_READ" | "@@TOTAL_WRITE" => {
            int(Some(0))
        }
        "@@TIMETICKS" => int(Some(31_250)),
        "NEWID" | "NEWSEQUENTIALID" => of(
            SqlType::UniqueIdentifier,
            call.session.instance.world.chance.guid(),
        ),
        _ => clock(call),
    }
}

fn clock(call: &Call<'_>) -> Answer {
    let clock = &call.session.instance.world.clock;
    let now = clock.now();
    let offset = clock.offset_minutes(now);
    let precise = |moment| of(SqlType::DateTime2(7), Value::DateTime(moment));
    match call.name {
        "GETDATE" | "CURRENT_TIMESTAMP" => of(SqlType::DateTime, datetime(now.local(offset))),
        "GETUTCDATE" => of(SqlType::DateTime, datetime(now.local(0))),
        "SYSDATETIME" => precise(now.local(offset)),
        "SYSUTCDATETIME" => precise(now.local(0)),
        "SYSDATETIMEOFFSET" => of(
            SqlType::DateTimeOffset(7),
            Value::DateTimeOffset(now.local(0), offset),
        ),
        "CURRENT_DATE" if call.version() >= Version::V2025 => {
            of(SqlType::Date, Value::Date(now.local(offset).days))
        }
        "CURRENT_TIMEZONE" if call.version() >= Version::V2019 => {
            let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
            let sign = if offset < 0 { '-' } else { '+' };
            let zone = match offset {
                0 => "(UTC) Coordinated Universal Time".to_owned(),
                _ => format!("(UTC{sign}{hours:02}:{minutes:02})"),
            };
            of(SqlType::VarChar(Length::Of(100)), zone)
        }
        _ => None,
    }
}

fn database_id(call: &Call<'_>) -> Option<i64> {
    let state = call.state();
    call.database(&state, 0).map(|entry| i64::from(entry.id))
}

fn database_name(call: &Call<'_>) -> Option<String> {
    let state = call.state();
    if call.arguments.is_empty() {
        return Some(call.session.database.clone());
    }
    let id = u16::try_from(call.number(0)?).ok()?;
    state.databases.get(&id).map(|entry| entry.name.clone())
}

/// A table by up to three parts of a name.
fn table<'a>(call: &Call<'_>, state: &'a State, text: &str) -> Option<(&'a DatabaseEntry, TableFacts)> {
    let parts = parts(text);
    let part = |from_the_end: usize| {
        let place = parts.len().checked_sub(from_the_end)?;
        parts
            .get(place)
            .map(String::as_str)
            .filter(|part| !part.is_empty())
    };
    let entry = match part(3) {
        Some(database) => state.database(database)?,
        None => call.own(state)?,
    };
    let facts = entry
        .engine
        .as_ref()?
        .find_table(part(2).unwrap_or("dbo"), part(1)?)?;
    Some((entry, facts))
}

/// Tables by their names; views of the system have negative ids, as in SQL Server. The kind (`'U'`, `'V'`) is looked at.
fn object_id(call: &Call<'_>) -> Option<i64> {
    let text = call.text(0)?;
    let kind = call.text(1).map(|kind| kind.trim().to_ascii_uppercase());
    let is = |wanted: &str| kind.as_deref().is_none_or(|kind| kind == wanted);
    let state = call.state();
    if is("U")
        && let Some((_, facts)) = table(call, &state, &text)
    {
        return Some(i64::from(facts.id.0));
    }
    if let Some(id) = super::system_object(call.version(), &parts(&text)) {
        return Some(id);
    }
    None
}

fn object_name(call: &Call<'_>) -> Option<String> {
    let id = call.number(0)?;
    let state = call.state();
    let entry = match call.arguments.len() {
        1 => call.own(&state)?,
        _ => state.databases.get(&u16::try_from(call.number(1)?).ok()?)?,
    };
    let tables = entry.engine.as_ref()?.tables();
    tables
        .into_iter()
        .find(|facts| i64::from(facts.id.0) == id)
        .map(|facts| facts.definition.name)
}

fn schema_name(call: &Call<'_>) -> Option<&'static str> {
    let id = match call.arguments.is_empty() {
        true => 1,
        false => call.number(0)?,
    };
    let schemas = super::objects::SCHEMAS.iter();
    schemas
        .clone()
        .find(|(known, _)| *known == id)
        .map(|(_, name)| *name)
}

fn schema_id(call: &Call<'_>) -> Option<i64> {
    if call.arguments.is_empty() {
        return Some(1);
    }
    let wanted = call.text(0)?;
    let mut schemas = super::objects::SCHEMAS.iter();
    schemas.find(|(_, name)| same(name, &wanted)).map(|(id, _)| *id)
}

fn file(call: &Call<'_>, is_wanted: impl Fn(&DatabaseFile) -> bool) -> Option<DatabaseFile> {
    let state = call.state();
    files_of(call.own(&state)?).into_iter().find(is_wanted)
}

fn file_id(call: &Call<'_>) -> Option<i64> {
    let wanted = call.text(0)?;
    file(call, |file| same(&file.logical_name, &wanted)).map(|file| i64::from(file.file_id))
}

fn file_name(call: &Call<'_>) -> Option<String> {
    let wanted = call.number(0)?;
    file(call, |file| i64::from(file.file_id) == wanted).map(|file| file.logical_name)
}

/// `SpaceUsed` in pages, and what is known of every file.
fn file_property(call: &Call<'_>) -> Option<i64> {
    let wanted = call.text(0)?;
    let found = file(call, |file| same(&file.logical_name, &wanted))?;
    let is_log = found.file_type == bak::FileType::Log;
    match call.text(1)?.to_ascii_lowercase().as_str() {
        "isreadonly" => {
            let state = call.state();
            Some(i64::from(call.own(&state)?.is_read_only))
        }
        "isprimaryfile" => Some(i64::from(found.file_id == 1)),
        "islogfile" => Some(i64::from(is_log)),
        "spaceused" => {
            let mut state = call.state();
            let entry = state.database_mut(&call.session.database)?;
            let engine = entry.engine.as_mut()?;
            let pages = match is_log {
                true => engine.log_facts().used / 8192,
                false => engine.space(found.file_id).ok()?.0,
            };
            i64::try_from(pages).ok()
        }
        _ => None,
    }
}

fn column_length(call: &Call<'_>) -> Option<i64> {
    let (text, column) = (call.text(0)?, call.text(1)?);
    let state = call.state();
    let (_, facts) = table(call, &state, &text)?;
    let columns = facts.definition.columns.iter();
    let mut found = columns.filter(|known| same(&known.name, &column));
    found.next().map(|known| super::types::max_length(known.sql_type))
}

fn column_name(call: &Call<'_>) -> Option<String> {
    let (id, place) = (call.number(0)?, usize::try_from(call.number(1)?).ok()?);
    let facts = table_by_id(call, id)?;
    let column = facts.definition.columns.get(place.checked_sub(1)?)?;
    Some(column.name.clone())
}

fn table_by_id(call: &Call<'_>, id: i64) -> Option<TableFacts> {
    let state = call.state();
    let tables = call.own(&state)?.engine.as_ref()?.tables();
    tables.into_iter().find(|facts| i64::from(facts.id.0) == id)
}

fn column_property(call: &Call<'_>) -> Option<i64> {
    let facts = table_by_id(call, call.number(0)?)?;
    let (column, property) = (call.text(1)?, call.text(2)?);
    let definition = &facts.definition;
    let place = definition
        .columns
        .iter()
        .position(|known| same(&known.name, &column))?;
    let known = &definition.columns[place];
    let has_identity = definition.identity.is_some_and(|(at, _, _)| at == place);
    match property.to_ascii_lowercase().as_str() {
        "allowsnull" => Some(i64::from(known.nullable)),
        "isidentity" => Some(i64::from(has_identity)),
        "columnid" | "ordinal" => i64::try_from(place + 1).ok(),
        "precision" => types::as_decimal(known.sql_type).map(|(precision, _)| i64::from(precision)),
        "scale" => types::as_decimal(known.sql_type).map(|(_, scale)| i64::from(scale)),
        "iscomputed" | "ishidden" | "issparse" | "iscolumnset" | "isrowguidcol" | "isxmlindexable" => Some(0),
        _ => None,
    }
}
