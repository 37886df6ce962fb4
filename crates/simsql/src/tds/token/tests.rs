//! Tokens as [MS-TDS] 2.2.7 lays them out, worked out by hand.

use super::{Change, Done, SELECT, change, columns, done, login_ack, message, return_value, row};
use crate::message::Message;
use crate::tds::dialect::Dialect;
use crate::tds::encode::Speech;
use crate::value::{Column, Length, SqlType, Value};

const SPEECH: Speech = Speech {
    dialect: Dialect::V74,
    collation: [0x09, 0x04, 0xD0, 0x00, 0x34],
};

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn messages_carry_number_state_class_server_procedure_and_line() {
    let text = Message {
        number: 50000,
        state: 3,
        class: 16,
        text: "no".to_owned(),
        line: 7,
        procedure: "p".to_owned(),
    };
    // 4 + 1 + 1 + (2 + 4) + (1 + 2) + (1 + 2) + 4 = 22 bytes; 50000 is 0xC350.
    let expected = [
        0xAA, 22, 0, 0x50, 0xC3, 0, 0, 3, 16, 2, 0, b'n', 0, b'o', 0, 1, b'S', 0, 1, b'p', 0, 7, 0, 0, 0,
    ];
    assert_eq!(written(|out| message(&text, "S", Dialect::V74, out)), expected);
    let informs = Message { class: 10, ..text };
    let old = written(|out| message(&informs, "S", Dialect::V71, out));
    assert_eq!((old[0], old[1], old[8], old.len()), (0xAB, 20, 0, 23));
}

#[test]
fn ends() {
    let token = written(|out| done(Done::Statement, 0x10, SELECT, 3, Dialect::V74, out));
    assert_eq!(token, [0xFD, 0x10, 0, 0xC1, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    let token = written(|out| done(Done::Procedure, 0x02, 0, 0, Dialect::V71, out));
    assert_eq!(token, [0xFE, 2, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn changes() {
    let token = written(|out| change(Change::Database("a", "b"), out));
    assert_eq!(token, [0xE3, 7, 0, 1, 1, b'b', 0, 1, b'a', 0]);
    let token = written(|out| change(Change::Began(1), out));
    assert_eq!(token, [0xE3, 11, 0, 8, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let token = written(|out| change(Change::RolledBack(1), out));
    assert_eq!(token, [0xE3, 11, 0, 10, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0]);
    let token = written(|out| change(Change::Reset, out));
    assert_eq!(token, [0xE3, 3, 0, 18, 0, 0]);
    let token = written(|out| login_ack(Dialect::V74, "M", [16, 0, 0x10, 0x4F], out));
    assert_eq!(
        token,
        [0xAD, 12, 0, 1, 0x74, 0, 0, 4, 1, b'M', 0, 16, 0, 0x10, 0x4F]
    );
}

#[test]
fn rows_leave_out_what_is_null() {
    let two = [
        Column::new("a", SqlType::Int),
        Column::new("", SqlType::VarChar(Length::Of(5))),
    ];
    let head = written(|out| columns(&two, &SPEECH, out));
    let expected = [
        0x81, 2, 0, 0, 0, 0, 0, 9, 0, 0x26, 4, 1, b'a', 0, 0, 0, 0, 0, 9, 0, 0xA7, 5, 0, 0x09, 0x04, 0xD0,
        0x00, 0x34, 0,
    ];
    assert_eq!(head, expected);
    let full = [Value::Integer(1), Value::from("x")];
    assert_eq!(
        written(|out| row(&two, &full, &SPEECH, out)),
        [0xD1, 4, 1, 0, 0, 0, 1, 0, b'x']
    );
    let part = [Value::Null, Value::from("x")];
    assert_eq!(
        written(|out| row(&two, &part, &SPEECH, out)),
        [0xD2, 1, 1, 0, b'x']
    );
    let old = Speech {
        dialect: Dialect::V73,
        ..SPEECH
    };
    assert_eq!(written(|out| row(&two, &part, &old, out)), [0xD1, 0, 1, 0, b'x']);
}

#[test]
fn output_parameters() {
    let token = written(|out| return_value(2, "@a", SqlType::Int, &Value::Integer(9), &SPEECH, out));
    let expected = [
        0xAC, 2, 0, 2, b'@', 0, b'a', 0, 1, 0, 0, 0, 0, 0, 0, 0x26, 4, 4, 9, 0, 0, 0,
    ];
    assert_eq!(token, expected);
}
