//! Runs procedure calls: the numbered ones run a text with parameters, any other becomes an EXEC.

use std::sync::Arc;

use crate::message::Failure;
use crate::session::Parameter;
use crate::tds::answering::Answering;
use crate::tds::backend::Guest;
use crate::tds::declaration::{self, Declared};
use crate::tds::prepared::{Prepared, Statement};
use crate::tds::rpc::{Call, Procedure, Sent};
use crate::tds::waiting::block_on;
use crate::tsql;
use crate::value::{SqlType, Value};

/// Characters of a statement that an error shows at most.
const SHOWN: usize = 512;

/// What an output parameter has at the end, and at which place of its call.
struct Output {
    place: usize,
    parameter: Parameter,
}

/// Runs a call; everything it says, its end included, goes to `answering`.
pub(super) fn run(
    guest: &mut dyn Guest,
    prepared: &mut Prepared,
    call: Call,
    is_last: bool,
    answering: &mut Answering,
) {
    answering.begin_call();
    let outputs = match perform(guest, prepared, call, answering) {
        Ok(outputs) => outputs,
        Err(failure) => {
            answering.fail(failure);
            Vec::new()
        }
    };
    if guest.canceller().is_cancelled() {
        return;
    }
    let outputs: Vec<(usize, &str, SqlType, &Value)> = outputs
        .iter()
        .map(|output| {
            let Parameter {
                name,
                sql_type,
                value,
                ..
            } = &output.parameter;
            (output.place, name.as_str(), *sql_type, value)
        })
        .collect();
    answering.end_call(&outputs, is_last);
}

fn perform(
    guest: &mut dyn Guest,
    prepared: &mut Prepared,
    call: Call,
    answering: &mut Answering,
) -> Result<Vec<Output>, Failure> {
    let mut given = call.parameters.into_iter().enumerate();
    match call.procedure {
        Procedure::ExecuteSql => {
            let text = text(given.next(), "@statement")?;
            let declared = match given.next() {
                Some((_, list)) => declaration::read(&text_of(&list.parameter.value)),
                None => Vec::new(),
            };
            run_text(guest, &text, &declared, given.collect(), answering)
        }
        Procedure::Prepare => {
            let (handle, statement) = statement(&mut given, prepared)?;
            let number = prepared.keep(statement)?;
            Ok(vec![handle_output(handle, number)])
        }
        Procedure::PrepareExecute => {
            let (handle, statement) = statement(&mut given, prepared)?;
            let number = prepared.keep(Arc::clone(&statement))?;
            let rest = given.collect();
            let mut outputs = vec![handle_output(handle, number)];
            outputs.extend(run_text(
                guest,
                &statement.text,
                &statement.parameters,
                rest,
                answering,
            )?);
            Ok(outputs)
        }
        Procedure::Execute => {
            let statement = prepared.find(handle(given.next())?)?;
            run_text(
                guest,
                &statement.text,
                &statement.parameters,
                given.collect(),
                answering,
            )
        }
        Procedure::Unprepare => {
            let handle = handle(given.next())?;
            if prepared.forget(handle) {
                Ok(Vec::new())
            } else {
                Err(Failure::new(8179, &[&handle]))
            }
        }
        Procedure::Refused(name) => Err(Failure::new(40510, &[&name])),
        Procedure::Named(name) => run_named(guest, &name, given.collect(), answering),
    }
}

type Placed = (usize, Sent);

fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        _ => String::new(),
    }
}

fn text(given: Option<Placed>, name: &str) -> Result<String, Failure> {
    match given {
        Some((_, sent)) => Ok(text_of(&sent.parameter.value)),
        None => Err(Failure::new(201, &[&"sp_executesql", &name])),
    }
}

fn handle(given: Option<Placed>) -> Result<i32, Failure> {
    let number = match given {
        Some((_, sent)) => sent.parameter.value,
        None => Value::Null,
    };
    match number {
        Value::Integer(number) => i32::try_from(number).map_err(|_| Failure::new(8179, &[&number])),
        _ => Err(Failure::new(8179, &[&0])),
    }
}

/// The handle to be set, and the statement, of `sp_prepare` and `sp_prepexec`. The handle that comes in is given up.
fn statement(
    given: &mut impl Iterator<Item = Placed>,
    prepared: &mut Prepared,
) -> Result<(Sent, Arc<Statement>), Failure> {
    let missing = |name: &str| Failure::new(201, &[&"sp_prepare", &name]);
    let (_, handle) = given.next().ok_or_else(|| missing("@handle"))?;
    if let Value::Integer(number) = handle.parameter.value {
        prepared.forget(i32::try_from(number).unwrap_or(0));
    }
    let (_, list) = given.next().ok_or_else(|| missing("@params"))?;
    let text = match given.next() {
        Some((_, sent)) => text_of(&sent.parameter.value),
        None => return Err(missing("@stmt")),
    };
    let statement = Statement {
        text,
        parameters: declaration::read(&text_of(&list.parameter.value)),
    };
    Ok((handle, Arc::new(statement)))
}

fn handle_output(handle: Sent, number: i32) -> Output {
    Output {
        place: 0,
        parameter: Parameter {
            sql_type: SqlType::Int,
            value: Value::Integer(i64::from(number)),
            ..handle.parameter
        },
    }
}

/// Runs a text with the values given for its declared parameters.
fn run_text(
    guest: &mut dyn Guest,
    text: &str,
    declared: &[Declared],
    given: Vec<Placed>,
    answering: &mut Answering,
) -> Result<Vec<Output>, Failure> {
    if given.len() > declared.len() {
        return Err(Failure::new(8144, &[&"sp_executesql"]));
    }
    let mut slots: Vec<Option<Placed>> = declared.iter().map(|_| None).collect();
    for (position, (place, sent)) in given.into_iter().enumerate() {
        let name = &sent.parameter.name;
        let slot = match name.as_str() {
            "" => Some(position),
            name => declared
                .iter()
                .position(|one| one.name.eq_ignore_ascii_case(name)),
        };
        match slot.and_then(|slot| slots.get_mut(slot)) {
            Some(free @ None) => *free = Some((place, sent)),
            _ => return Err(Failure::new(8145, &[name, &"sp_executesql"])),
        }
    }
    let mut places = Vec::new();
    let mut parameters = Vec::new();
    for (declared, slot) in declared.iter().zip(slots) {
        let sent = match slot {
            Some((place, sent)) => {
                places.push(place);
                sent.parameter
            }
            None if declared.has_default => continue,
            None => return Err(Failure::new(8178, &[&shown(text), &declared.name])),
        };
        parameters.push(declared_as(declared, sent));
    }
    block_on(guest.execute(text, &mut parameters, answering));
    Ok(outputs(places, parameters))
}

/// A statement as an error shows it: its beginning, unless it may hold a secret.
fn shown(text: &str) -> String {
    match tsql::speaks_of_secrets(text) {
        true => "***".to_owned(),
        false => text.chars().take(SHOWN).collect(),
    }
}

fn declared_as(declared: &Declared, sent: Parameter) -> Parameter {
    let sql_type = declared
        .sql_type
        .filter(|sql_type| fits(*sql_type, &sent))
        .unwrap_or(sent.sql_type);
    Parameter {
        name: declared.name.clone(),
        sql_type,
        value: sent.value,
        is_output: sent.is_output,
    }
}

fn fits(declared: SqlType, sent: &Parameter) -> bool {
    declaration::fits(declared, sent.sql_type, &sent.value)
}

fn outputs(places: Vec<usize>, parameters: Vec<Parameter>) -> Vec<Output> {
    places
        .into_iter()
        .zip(parameters)
        .filter(|(_, parameter)| parameter.is_output)
        .map(|(place, parameter)| Output { place, parameter })
        .collect()
}

/// Runs a procedure by name: its parameters become variables of a batch that calls it.
fn run_named(
    guest: &mut dyn Guest,
    name: &str,
    given: Vec<Placed>,
    answering: &mut Answering,
) -> Result<Vec<Output>, Failure> {
    let is_name = |c: char| c.is_alphanumeric() || "_.[]#$@ ".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(Failure::new(2812, &[&name]));
    }
    let (mut arguments, mut places, mut parameters) = (Vec::new(), Vec::new(), Vec::new());
    for (place, sent) in given {
        let mut parameter = sent.parameter;
        if !parameter.name.chars().all(is_name) {
            return Err(Failure::new(8145, &[&parameter.name, &name]));
        }
        let direction = if parameter.is_output { " OUTPUT" } else { "" };
        if sent.is_default {
            if parameter.name.is_empty() {
                arguments.push("DEFAULT".to_owned());
            }
        } else if parameter.name.is_empty() {
            parameter.name = format!("@parameter{}", place + 1);
            arguments.push(format!("{}{direction}", parameter.name));
        } else {
            arguments.push(format!("{0} = {0}{direction}", parameter.name));
        }
        if !sent.is_default {
            places.push(place);
            parameters.push(parameter);
        }
    }
    let text = format!("EXEC {name} {}", arguments.join(", "));
    block_on(guest.batch(text.trim_end(), &mut parameters, answering));
    Ok(outputs(places, parameters))
}

#[cfg(test)]
mod tests {
    use super::{SHOWN, shown};

    #[test]
    fn an_error_shows_the_beginning_of_a_statement_and_no_secret() {
        assert_eq!(shown("SELECT @a"), "SELECT @a");
        assert_eq!(shown(&"x".repeat(SHOWN + 1)).len(), SHOWN);
        assert_eq!(shown("CREATE LOGIN a WITH PASSWORD = @a"), "***");
        assert_eq!(shown("EXEC ('... PASS' + 'WORD = ...')"), "***");
    }
}
