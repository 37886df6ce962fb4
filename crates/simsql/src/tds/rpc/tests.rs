//! Calls as clients lay them out, and what may be wrong with them.

use super::{Call, Procedure, read};
use crate::tds::dialect::{Dialect, wide};
use crate::tds::input::Misread;
use crate::value::{SqlType, Value};

const HEADERS: [u8; 22] = [22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];

fn call(head: &[u8], parameters: &[&[u8]]) -> Vec<u8> {
    [&HEADERS[..], head, &[0, 0], &parameters.concat()].concat()
}

/// `@a int = 5`, to be given back.
const INT: [u8; 13] = [2, b'@', 0, b'a', 0, 1, 0x26, 4, 4, 5, 0, 0, 0];

fn one(bytes: &[u8]) -> Call {
    let mut calls = read(bytes, Dialect::V74).unwrap();
    assert_eq!(calls.len(), 1);
    calls.remove(0)
}

#[test]
fn by_number_and_by_name() {
    let numbered = one(&call(&[0xFF, 0xFF, 10, 0], &[&INT]));
    assert_eq!(numbered.procedure, Procedure::ExecuteSql);
    let parameter = &numbered.parameters[0].parameter;
    assert_eq!((parameter.name.as_str(), parameter.is_output), ("@a", true));
    assert_eq!(
        (parameter.sql_type, &parameter.value),
        (SqlType::Int, &Value::Integer(5))
    );
    let name = [&[7, 0][..], &wide("sp_test")].concat();
    assert_eq!(
        one(&call(&name, &[])).procedure,
        Procedure::Named("sp_test".to_owned())
    );
    let name = [&[18, 0][..], &wide("sys.[SP_UNPREPARE]")].concat();
    assert_eq!(one(&call(&name, &[])).procedure, Procedure::Unprepare);
    assert_eq!(
        one(&call(&[0xFF, 0xFF, 2, 0], &[])).procedure,
        Procedure::Refused("sp_cursoropen")
    );
    assert!(read(&call(&[0xFF, 0xFF, 99, 0], &[]), Dialect::V74).is_err());
}

#[test]
fn several_in_one_message() {
    let mut bytes = call(&[0xFF, 0xFF, 15, 0], &[&INT]);
    bytes.push(0xFF);
    bytes.extend([0xFF, 0xFF, 12, 0, 0, 0]);
    let calls = read(&bytes, Dialect::V74).unwrap();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].procedure, Procedure::Execute);
}

#[test]
fn too_many_parameters() {
    let many = vec![&INT[..]; 2101];
    let refused = read(&call(&[0xFF, 0xFF, 10, 0], &many), Dialect::V74);
    assert_eq!(refused, Err(Misread::refused(8003, &[])));
    assert!(read(&call(&[0xFF, 0xFF, 10, 0], &many[..2100]), Dialect::V74).is_ok());
}

#[test]
fn every_cut_and_every_changed_byte_is_survived() {
    let whole = call(&[0xFF, 0xFF, 13, 0], &[&INT, &INT]);
    for length in 0..whole.len() {
        read(&whole[..length], Dialect::V74).ok();
    }
    for at in 0..whole.len() {
        for byte in 0..=255 {
            let mut changed = whole.clone();
            changed[at] = byte;
            read(&changed, Dialect::V74).ok();
            read(&changed, Dialect::V71).ok();
        }
    }
}
