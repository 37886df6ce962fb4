//! Procedure calls as a client sends them. [MS-TDS] 2.2.6.6.

use crate::session::Parameter;
use crate::tds::decode;
use crate::tds::dialect::Dialect;
use crate::tds::input::{Input, Misread, skip_headers};

/// Most parameters of a call, as SQL Server has it.
const PARAMETERS: usize = 2100;
/// Most calls in one message.
const CALLS: usize = 1000;

const BY_REFERENCE: u8 = 0x01;
const DEFAULT: u8 = 0x02;
const ENCRYPTED: u8 = 0x08;

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Procedure {
    /// `sp_executesql`
    ExecuteSql,
    /// `sp_prepare`
    Prepare,
    /// `sp_execute`
    Execute,
    /// `sp_prepexec`
    PrepareExecute,
    /// `sp_unprepare`
    Unprepare,
    /// Cursors and what else has a number and is refused, by its name.
    Refused(&'static str),
    /// Any other, as the client wrote it.
    Named(String),
}

/// Names by number, 1 to 15.
const NUMBERED: [&str; 15] = [
    "sp_cursor",
    "sp_cursoropen",
    "sp_cursorprepare",
    "sp_cursorexecute",
    "sp_cursorprepexec",
    "sp_cursorunprepare",
    "sp_cursorfetch",
    "sp_cursoroption",
    "sp_cursorclose",
    "sp_executesql",
    "sp_prepare",
    "sp_execute",
    "sp_prepexec",
    "sp_prepexecrpc",
    "sp_unprepare",
];

impl Procedure {
    fn numbered(number: u16) -> Result<Self, Misread> {
        let name = usize::from(number)
            .checked_sub(1)
            .and_then(|place| NUMBERED.get(place))
            .ok_or_else(|| Misread::refused(2812, &[&number]))?;
        Ok(Self::known(name))
    }

    fn known(name: &'static str) -> Self {
        match name {
            "sp_executesql" => Self::ExecuteSql,
            "sp_prepare" => Self::Prepare,
            "sp_execute" => Self::Execute,
            "sp_prepexec" => Self::PrepareExecute,
            "sp_unprepare" => Self::Unprepare,
            cursor => Self::Refused(cursor),
        }
    }

    fn named(name: &str) -> Self {
        let bare = name.rsplit('.').next().unwrap_or(name);
        let bare = bare.trim_start_matches('[').trim_end_matches(']');
        NUMBERED
            .iter()
            .find(|known| known.eq_ignore_ascii_case(bare))
            .map_or_else(|| Self::Named(name.to_owned()), |known| Self::known(known))
    }
}

/// A parameter of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    /// Name (empty for a positional one), type, value, direction.
    pub(super) parameter: Parameter,
    /// Its default is asked for.
    pub(super) is_default: bool,
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) procedure: Procedure,
    pub(super) parameters: Vec<Sent>,
}

/// Reads the calls of a message.
pub(super) fn read(payload: &[u8], dialect: Dialect) -> Result<Vec<Call>, Misread> {
    let mut input = Input::new(payload);
    if dialect >= Dialect::V72 {
        skip_headers(&mut input)?;
    }
    let mut calls = Vec::new();
    loop {
        calls.push(call(&mut input, dialect)?);
        // What follows is the separator, or nothing; some clients put one behind the last call, too.
        if input.u8().is_err() || input.is_empty() {
            return Ok(calls);
        }
        if calls.len() == CALLS {
            return Err(Misread::Broken);
        }
    }
}

fn call(input: &mut Input, dialect: Dialect) -> Result<Call, Misread> {
    let procedure = match input.u16()? {
        u16::MAX => Procedure::numbered(input.u16()?)?,
        length => {
            let bytes = input.take(2 * usize::from(length))?;
            Procedure::named(&crate::tds::input::utf16(bytes))
        }
    };
    // Recompile, no metadata: neither is needed for a right answer.
    input.u16()?;
    let mut parameters = Vec::new();
    while input.peek().is_some_and(|byte| !is_separator(byte, dialect)) {
        if parameters.len() == PARAMETERS {
            return Err(Misread::refused(8003, &[]));
        }
        parameters.push(parameter(input, parameters.len() + 1)?);
    }
    Ok(Call {
        procedure,
        parameters,
    })
}

fn is_separator(byte: u8, dialect: Dialect) -> bool {
    match dialect {
        Dialect::V71 => byte == 0x80,
        _ => byte >= 0xFE,
    }
}

fn parameter(input: &mut Input, place: usize) -> Result<Sent, Misread> {
    let name = input.short_text()?;
    let status = input.u8()?;
    if status & ENCRYPTED != 0 {
        return Err(Misread::refused(40510, &[&"encrypted parameters"]));
    }
    let sent = decode::type_info(input, place, &name)?;
    let value = sent.value(input)?;
    Ok(Sent {
        parameter: Parameter {
            name,
            sql_type: sent.sql_type,
            value,
            is_output: status & BY_REFERENCE != 0,
        },
        is_default: status & DEFAULT != 0,
    })
}

#[cfg(test)]
mod tests;
