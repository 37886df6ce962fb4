//! LOGIN7: who logs in, to what, and how the two will speak. [MS-TDS] 2.2.6.4.
//!
//! The message is a header of 94 bytes with offsets into the rest; each is checked. Only passwords are understood: integrated and
//! federated authentication are refused by what they are.

use crate::instance::LoginRequest;
use crate::tds::dialect::Dialect;
use crate::tds::input::{Misread, utf16};
use crate::tds::packet::{SIZE_DEFAULT, SIZES};

/// A name or a password has at most so many characters (sysname).
const NAME_LONGEST: usize = 128;
/// Bytes of extensions that are looked at.
const EXTENSIONS_LONGEST: usize = 65_536;
const FEDERATED: u8 = 0x02;
const TERMINATOR: u8 = 0xFF;

/// A login as the client sent it.
pub(super) struct Login {
    pub(super) dialect: Dialect,
    /// Negotiated packet size in bytes.
    pub(super) packet_size: usize,
    pub(super) request: LoginRequest,
    /// It announced extensions and waits for what becomes of them.
    pub(super) has_extensions: bool,
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u32(&self, at: usize) -> Result<u32, Misread> {
        let bytes = self.0.get(at..at + 4).ok_or(Misread::Broken)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }

    fn u16(&self, at: usize) -> Result<usize, Misread> {
        let bytes = self.0.get(at..at + 2).ok_or(Misread::Broken)?;
        Ok(usize::from(u16::from_le_bytes(
            bytes.try_into().expect("two bytes"),
        )))
    }

    /// The bytes whose offset and whose number of characters stand at `at`.
    fn characters(&self, at: usize) -> Result<&[u8], Misread> {
        let (offset, characters) = (self.u16(at)?, self.u16(at + 2)?);
        if characters > NAME_LONGEST {
            return Err(Misread::Broken);
        }
        if characters == 0 {
            return Ok(&[]);
        }
        self.0.get(offset..offset + 2 * characters).ok_or(Misread::Broken)
    }

    fn text(&self, at: usize) -> Result<String, Misread> {
        self.characters(at).map(utf16)
    }

    /// The password: every byte has its halves exchanged and is then XORed with 0xA5.
    fn password(&self, at: usize) -> Result<String, Misread> {
        let plain: Vec<u8> = self
            .characters(at)?
            .iter()
            .map(|byte| (byte ^ 0xA5).rotate_left(4))
            .collect();
        Ok(utf16(&plain))
    }
}

/// Reads the message.
pub(super) fn read(payload: &[u8]) -> Result<Login, Misread> {
    let length = Fields(payload).u32(0)? as usize;
    let fields = Fields(payload.get(..length).ok_or(Misread::Broken)?);
    let dialect = Dialect::asked(fields.u32(4)?).ok_or(Misread::Broken)?;
    let packet_size = match fields.u32(8)? as usize {
        0 => SIZE_DEFAULT,
        asked => asked.clamp(*SIZES.start(), *SIZES.end()),
    };
    let process = fields.u32(16)?;
    let flags = fields.u32(24)?.to_le_bytes();
    let (is_integrated, has_extensions) = (flags[1] & 0x80 != 0, flags[3] & 0x10 != 0);
    if is_integrated {
        return Err(Misread::refused(18452, &[]));
    }
    if has_extensions && asks_federated(&fields)? {
        return Err(Misread::refused(40510, &[&"federated authentication"]));
    }
    let request = LoginRequest {
        host: fields.text(36)?,
        user: fields.text(40)?,
        password: fields.password(44)?,
        program: fields.text(48)?,
        database: fields.text(68)?,
        process,
    };
    Ok(Login {
        dialect,
        packet_size,
        request,
        has_extensions,
    })
}

/// Whether one of the extensions is federated authentication. They stand where a number says that stands where offset 56 says.
fn asks_federated(fields: &Fields) -> Result<bool, Misread> {
    let pointer = fields.u16(56)?;
    let offset = fields.u32(pointer)? as usize;
    let mut rest = fields.0.get(offset..).ok_or(Misread::Broken)?;
    if rest.len() > EXTENSIONS_LONGEST {
        return Err(Misread::Broken);
    }
    loop {
        match rest {
            [TERMINATOR, ..] => return Ok(false),
            [FEDERATED, ..] => return Ok(true),
            [_, l1, l2, l3, l4, data @ ..] => {
                let length = u32::from_le_bytes([*l1, *l2, *l3, *l4]) as usize;
                rest = data.get(length..).ok_or(Misread::Broken)?;
            }
            _ => return Err(Misread::Broken),
        }
    }
}

#[cfg(test)]
mod tests;
