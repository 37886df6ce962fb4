//! Requests of a client's transaction manager. [MS-TDS] 2.2.6.9.
//!
//! Isolation levels are accepted and change nothing: writers here lock whole tables until their transaction ends. Distributed
//! transactions are refused.

use crate::message::Failure;
use crate::tds::answering::Answering;
use crate::tds::backend::Guest;
use crate::tds::dialect::Dialect;
use crate::tds::input::{Input, Misread, skip_headers, utf16};
use crate::tds::waiting::block_on;

const BEGIN_NEXT: u8 = 0x01;

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Begin,
    /// And begins the next one.
    Commit(bool),
    /// To a savepoint or, with no name, all; and begins the next one.
    Rollback(String, bool),
    Save(String),
}

/// Reads a request.
pub(super) fn read(payload: &[u8], dialect: Dialect) -> Result<Request, Misread> {
    let mut input = Input::new(payload);
    if dialect >= Dialect::V72 {
        skip_headers(&mut input)?;
    }
    Ok(match input.u16()? {
        5 => {
            input.u8()?;
            name(&mut input)?;
            Request::Begin
        }
        7 => {
            name(&mut input)?;
            Request::Commit(input.u8()? & BEGIN_NEXT != 0)
        }
        8 => {
            let name = name(&mut input)?;
            Request::Rollback(name, input.u8()? & BEGIN_NEXT != 0)
        }
        9 => Request::Save(name(&mut input)?),
        0 | 1 | 6 => return Err(Misread::refused(40510, &[&"distributed transactions"])),
        _ => return Err(Misread::Broken),
    })
}

/// A name after its length in bytes (B_VARBYTE; a client that counts characters, as tiberius does, has its names cut).
fn name(input: &mut Input) -> Result<String, Misread> {
    let length = usize::from(input.u8()?);
    Ok(utf16(input.take(length)?))
}

/// Fulfils a request. Savepoints have no request of their own in a session: they are statements.
pub(super) fn run(guest: &mut dyn Guest, request: Request, answering: &mut Answering) {
    let done = match request {
        Request::Begin => guest.begin(),
        Request::Commit(next) => guest.commit().and_then(|()| begin_next(guest, next)),
        Request::Rollback(name, next) if name.is_empty() || guest.transactions() == 0 => {
            guest.rollback().and_then(|()| begin_next(guest, next))
        }
        Request::Rollback(name, _) => {
            named(guest, "ROLLBACK", &name, answering);
            Ok(())
        }
        Request::Save(name) => {
            named(guest, "SAVE", &name, answering);
            Ok(())
        }
    };
    if let Err(failure) = done {
        answering.fail(failure);
    }
}

fn begin_next(guest: &mut dyn Guest, next: bool) -> Result<(), Failure> {
    if next { guest.begin() } else { Ok(()) }
}

fn named(guest: &mut dyn Guest, verb: &str, name: &str, answering: &mut Answering) {
    let text = format!("{verb} TRANSACTION [{}]", name.replace(']', "]]"));
    block_on(guest.batch(&text, &mut [], answering));
}

#[cfg(test)]
mod tests {
    use super::{Request, read};
    use crate::tds::dialect::Dialect;

    #[test]
    fn requests_as_the_document_lays_them_out() {
        let read = |bytes: &[u8]| read(bytes, Dialect::V71);
        assert_eq!(read(&[5, 0, 2, 0]), Ok(Request::Begin));
        assert_eq!(read(&[7, 0, 0, 0]), Ok(Request::Commit(false)));
        assert_eq!(
            read(&[8, 0, 2, b'a', 0, 0]),
            Ok(Request::Rollback("a".to_owned(), false))
        );
        assert_eq!(read(&[9, 0, 2, b's', 0]), Ok(Request::Save("s".to_owned())));
        assert!(read(&[7, 0, 9, 0]).is_err());
        assert!(read(&[6, 0]).is_err());
        assert!(read(&[5, 0],).is_err());
    }
}
