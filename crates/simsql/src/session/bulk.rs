//! `OPENROWSET(BULK 'file', SINGLE_BLOB)`: a file of the server as one value of type varbinary(max).
//!
//! Documented: the column is called `BulkColumn`, the value holds at most 2 GB less a byte, and the right is ADMINISTER BULK
//! OPERATIONS, or membership in bulkadmin. Inferred: that a file which is not there is 4860, one that cannot be opened 4861, both by
//! their texts; the number for one that is too large is not known, and it is refused here.
//!
//! Deliberately absent, refused with 40510: every other way to read a file, and providers. The file is read whole each time that a
//! query names it.

use crate::instance::permission;
use crate::message::Failure;
use crate::query::Relation;
use crate::session::Session;
use crate::value::{Column, Length, SqlType, Value};
use crate::world::{Open, OsError};

/// The most that a value holds.
const BYTES_MAX: u64 = (1 << 31) - 1;

/// The file's own number for what is not there (ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND).
const NOT_THERE: [i32; 2] = [2, 3];

/// The rowset.
///
/// # Errors
/// 4834 without the right, 4860 and 4861 where the file cannot be read, 40510 for what is absent here.
pub(super) fn relation(session: &Session, arguments: &[Value]) -> Result<Relation, Failure> {
    let columns = vec![Column::new("BulkColumn", SqlType::VarBinary(Length::Max))];
    let (path, how) = match arguments {
        [Value::Text(path), Value::Text(how)] => (path, how),
        [Value::Null, Value::Null] => {
            return Ok(Relation {
                columns,
                rows: Vec::new(),
            });
        }
        _ => return Err(Failure::new(40510, &[&"OPENROWSET without BULK"])),
    };
    if how != "SINGLE_BLOB" {
        return Err(Failure::new(40510, &[&format!("OPENROWSET with {how}")]));
    }
    if !permission::on_server(
        &session.instance.state(),
        &session.login,
        "ADMINISTER BULK OPERATIONS",
    ) {
        return Err(Failure::new(4834, &[]));
    }
    let bytes = read(session, path).map_err(|error| match NOT_THERE.contains(&error.number) {
        true => Failure::new(4860, &[path]),
        false => Failure::new(4861, &[path, &error]),
    })?;
    Ok(Relation {
        columns,
        rows: vec![vec![Value::Bytes(bytes)]],
    })
}

fn read(session: &Session, path: &str) -> Result<Vec<u8>, OsError> {
    let file = session.instance.world.disk.open(path, Open::Read)?;
    let length = file.len()?;
    // ERROR_FILE_TOO_LARGE.
    let size = usize::try_from(length)
        .ok()
        .filter(|_| length <= BYTES_MAX)
        .ok_or_else(|| OsError::new(223))?;
    let mut bytes = vec![0; size];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}
