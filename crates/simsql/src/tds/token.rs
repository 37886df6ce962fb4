//! Tokens: what a server's answer is made of. [MS-TDS] 2.2.7.

use crate::message::Message;
use crate::tds::dialect::{Collation, Dialect, wide};
use crate::tds::encode::Speech;
use crate::value::{Column, SqlType, Value};

/// Bits of a DONE token.
pub(super) mod done {
    /// More tokens follow in this message.
    pub(in crate::tds) const MORE: u16 = 0x01;
    /// The statement failed.
    pub(in crate::tds) const ERROR: u16 = 0x02;
    /// A transaction is open.
    pub(in crate::tds) const IN_TRANSACTION: u16 = 0x04;
    /// The count counts.
    pub(in crate::tds) const COUNT: u16 = 0x10;
    /// Acknowledges an attention.
    pub(in crate::tds) const ATTENTION: u16 = 0x20;
}

/// Which kind of DONE ends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// A statement of a batch.
    Statement = 0xFD,
    /// A procedure.
    Procedure = 0xFE,
    /// A statement in a procedure.
    Inner = 0xFF,
}

/// The command that a DONE token names for a result.
pub(super) const SELECT: u16 = 0xC1;
/// The same for rows touched: which of INSERT, UPDATE, DELETE it was is not known here, and clients ask only whether it was one.
pub(super) const INSERT: u16 = 0xC3;

/// The longest text of a message, in characters; the token must stay below 64 KiB.
const MESSAGE_LONGEST: usize = 16_000;
/// A name before which one byte counts.
const NAME_LONGEST: usize = 255;

/// A text after its length in code units in one byte.
fn short_text(text: &str, out: &mut Vec<u8>) {
    let mut units = wide(text);
    units.truncate(2 * NAME_LONGEST);
    out.push((units.len() / 2) as u8);
    out.extend(units);
}

/// A text after its length in code units in two bytes.
fn long_text(text: &str, out: &mut Vec<u8>) {
    let mut units = wide(text);
    units.truncate(2 * MESSAGE_LONGEST);
    out.extend(((units.len() / 2) as u16).to_le_bytes());
    out.extend(units);
}

/// A token whose content stands after its length in two bytes.
fn counted(token: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(token);
    out.extend((content.len() as u16).to_le_bytes());
    out.extend_from_slice(content);
}

/// INFO or ERROR.
pub(super) fn message(message: &Message, server: &str, dialect: Dialect, out: &mut Vec<u8>) {
    let mut content = message.number.to_le_bytes().to_vec();
    // Real servers show class 10 as 0.
    let class = if message.class == 10 { 0 } else { message.class };
    content.extend([message.state, class]);
    long_text(&message.text, &mut content);
    short_text(server, &mut content);
    short_text(&message.procedure, &mut content);
    if dialect >= Dialect::V72 {
        content.extend(message.line.to_le_bytes());
    } else {
        content.extend(u16::try_from(message.line).unwrap_or(u16::MAX).to_le_bytes());
    }
    counted(if message.is_error() { 0xAA } else { 0xAB }, &content, out);
}

/// A DONE token.
pub(super) fn done(kind: Done, status: u16, command: u16, count: u64, dialect: Dialect, out: &mut Vec<u8>) {
    out.push(kind as u8);
    out.extend(status.to_le_bytes());
    out.extend(command.to_le_bytes());
    if dialect >= Dialect::V72 {
        out.extend(count.to_le_bytes());
    } else {
        out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// RETURNSTATUS.
pub(super) fn return_status(status: i32, out: &mut Vec<u8>) {
    out.push(0x79);
    out.extend(status.to_le_bytes());
}

/// A change of the session's surroundings that the client keeps account of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    /// From a database to another.
    Database(&'a str, &'a str),
    /// To a language.
    Language(&'a str),
    /// From a packet size to another.
    PacketSize(usize, usize),
    /// To a collation.
    Collation(Collation),
    /// This transaction began.
    Began(u64),
    /// This one was committed.
    Committed(u64),
    /// This one was rolled back.
    RolledBack(u64),
    /// The session was reset.
    Reset,
}

/// ENVCHANGE. [MS-TDS] 2.2.7.9.
pub(super) fn change(change: Change, out: &mut Vec<u8>) {
    let mut content = Vec::new();
    let mut texts = |kind: u8, old: &str, new: &str| {
        content.push(kind);
        short_text(new, &mut content);
        short_text(old, &mut content);
    };
    match change {
        Change::Database(old, new) => texts(1, old, new),
        Change::Language(new) => texts(2, "", new),
        Change::PacketSize(old, new) => texts(4, &old.to_string(), &new.to_string()),
        Change::Collation(collation) => {
            content.extend([7, 5]);
            content.extend(collation);
            content.push(0);
        }
        Change::Began(transaction) => {
            content.extend([8, 8]);
            content.extend(transaction.to_le_bytes());
            content.push(0);
        }
        Change::Committed(transaction) | Change::RolledBack(transaction) => {
            let kind = if matches!(change, Change::Committed(_)) {
                9
            } else {
                10
            };
            content.extend([kind, 0, 8]);
            content.extend(transaction.to_le_bytes());
        }
        Change::Reset => content.extend([18, 0, 0]),
    }
    counted(0xE3, &content, out);
}

/// LOGINACK.
pub(super) fn login_ack(dialect: Dialect, product: &str, version: [u8; 4], out: &mut Vec<u8>) {
    let mut content = vec![1];
    content.extend(dialect.number());
    short_text(product, &mut content);
    content.extend(version);
    counted(0xAD, &content, out);
}

/// FEATUREEXTACK that acknowledges nothing; without it clients that announce extensions wait for ever.
pub(super) fn no_features(out: &mut Vec<u8>) {
    out.extend([0xAE, 0xFF]);
}

/// COLMETADATA.
pub(super) fn columns(columns: &[Column], speech: &Speech, out: &mut Vec<u8>) {
    out.push(0x81);
    out.extend((columns.len() as u16).to_le_bytes());
    for column in columns {
        // Nullable, and "updateable: unknown", as real servers say of results.
        described(speech, column.sql_type, 0x08 | u16::from(column.nullable), out);
        if speech.names_table(column.sql_type) {
            if speech.dialect >= Dialect::V72 {
                out.push(0);
            } else {
                out.extend([0, 0]);
            }
        }
        short_text(&column.name, out);
    }
}

/// User type, flags and type.
fn described(speech: &Speech, sql_type: SqlType, flags: u16, out: &mut Vec<u8>) {
    if speech.dialect >= Dialect::V72 {
        out.extend([0; 4]);
    } else {
        out.extend([0; 2]);
    }
    out.extend(flags.to_le_bytes());
    speech.type_info(sql_type, out);
}

/// ROW, or NBCROW where the client knows it and something is NULL. A row that is too short is filled with NULLs.
pub(super) fn row(columns: &[Column], values: &[Value], speech: &Speech, out: &mut Vec<u8>) {
    let value = |at: usize| values.get(at).unwrap_or(&Value::Null);
    let has_null = (0..columns.len()).any(|at| *value(at) == Value::Null);
    if !has_null || speech.dialect < Dialect::V73B {
        out.push(0xD1);
        for (at, column) in columns.iter().enumerate() {
            speech.value(column.sql_type, value(at), out);
        }
        return;
    }
    out.push(0xD2);
    let bitmap = out.len();
    out.resize(bitmap + columns.len().div_ceil(8), 0);
    for (at, column) in columns.iter().enumerate() {
        match value(at) {
            Value::Null => out[bitmap + at / 8] |= 1 << (at % 8),
            held => speech.value(column.sql_type, held, out),
        }
    }
}

/// RETURNVALUE: an output parameter at place `ordinal` of its call.
pub(super) fn return_value(
    ordinal: usize,
    name: &str,
    sql_type: SqlType,
    value: &Value,
    speech: &Speech,
    out: &mut Vec<u8>,
) {
    out.push(0xAC);
    out.extend((ordinal as u16).to_le_bytes());
    short_text(name, out);
    out.push(1);
    described(speech, sql_type, 0, out);
    speech.value(sql_type, value, out);
}

#[cfg(test)]
mod tests;
