//! `sp_executesql`: a text with parameters, in a frame of its own.

use super::{Call, store};
use crate::answers::Answers;
use crate::message::Failure;
use crate::query::convert;
use crate::session::Session;
use crate::session::run::{self, Flow};
use crate::session::work::Frame;
use crate::tsql;
use crate::value::Value;

/// Runs the text.
///
/// # Errors
/// 214 for a text or a declaration that is none, 8178 for a parameter without a value, 8145 for a value without a parameter.
pub(super) async fn run(
    session: &mut Session,
    call: &Call,
    answers: &mut dyn Answers,
) -> Result<Flow, Failure> {
    let first = call.find(0, "@stmt").or_else(|| call.find(0, "@statement"));
    let Some(Value::Text(text)) = first.map(|given| given.value.clone()) else {
        return Err(Failure::new(214, &[&"@statement", &"ntext/nchar/nvarchar"]));
    };
    let declared = match call.given.get(1) {
        None => Vec::new(),
        Some(given) => match &given.value {
            Value::Text(declaration) => tsql::parameters(declaration)?,
            Value::Null => Vec::new(),
            _ => return Err(Failure::new(214, &[&"@params", &"ntext/nchar/nvarchar"])),
        },
    };
    let values = call.given.get(2..).unwrap_or_default();
    let mut frame = Frame::default();
    let mut outputs = Vec::new();
    for (place, parameter) in declared.iter().enumerate() {
        let given = values
            .iter()
            .find(|given| {
                given
                    .name
                    .as_deref()
                    .is_some_and(|name| name.eq_ignore_ascii_case(&parameter.name))
            })
            .or_else(|| values.get(place).filter(|given| given.name.is_none()))
            .ok_or_else(|| Failure::new(8178, &[&"sp_executesql", &parameter.name]))?;
        let value = convert::convert(given.value.clone(), given.sql_type, parameter.sql_type)?;
        let key = parameter.name.to_lowercase();
        if let (true, Some(variable)) = (parameter.is_output, &given.output) {
            outputs.push((key.clone(), variable.clone()));
        }
        frame.declare(key, value, parameter.sql_type);
    }
    if let Some(given) = values.get(declared.len()) {
        let name = given.name.clone().unwrap_or_default();
        return Err(Failure::new(8145, &[&name, &"sp_executesql"]));
    }
    let (flow, inner) = run::nested(session, &text, frame, answers).await?;
    for (key, variable) in outputs {
        if let Some((value, sql_type)) = inner.variables.get(&key) {
            store(session, &variable, value.clone(), *sql_type)?;
        }
    }
    Ok(run::after_text(session, flow))
}
