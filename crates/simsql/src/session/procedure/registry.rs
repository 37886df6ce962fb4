//! `xp_instance_regread`: the few values of the registry that tools ask for.

use super::Call;
use crate::answers::Answers;
use crate::message::Failure;
use crate::session::Session;
use crate::value::{Column, Length, SqlType, Value};

const DATA: SqlType = SqlType::NVarChar(Length::Of(4000));

/// `xp_instance_regread root, key, name [, @value OUTPUT]`: 0, or 1 where there is no such value (and then a row without anything).
pub(super) fn read(session: &mut Session, call: &Call, answers: &mut dyn Answers) -> Result<i64, Failure> {
    let name = call.required(2, "@value_name")?;
    let settings = &session.instance.settings;
    let value = match name.to_ascii_lowercase().as_str() {
        "backupdirectory" => Some(settings.path(&["backup"])),
        "defaultdata" | "sqldataroot" => Some(settings.path(&["data"])),
        "defaultlog" => Some(settings.path(&["log"])),
        _ => None,
    };
    let status = i64::from(value.is_none());
    let given: Value = value.clone().into();
    if call.give_back(session, (3, "@value"), (given, DATA))? {
        return Ok(status);
    }
    answers.columns(&[Column::new("Value", DATA), Column::new("Data", DATA)]);
    if let Some(value) = value {
        answers.row(&[name.into(), value.into()]);
    }
    answers.done(Some(1 - status.unsigned_abs()));
    Ok(status)
}
