//! Reading from bytes that a client sent. Every length in them is a claim: nothing is allocated before the bytes are there.

use crate::message::Message;

/// Why bytes of a client were not understood.
#[derive(Debug, PartialEq)]
pub(super) enum Misread {
    /// They ended in the middle of something, or contradict themselves: message 4002.
    Broken,
    /// They say something that is refused, and this is the answer.
    Refused(Box<Message>),
}

impl Misread {
    /// What the client is told.
    pub(super) fn into_message(self) -> Message {
        match self {
            Self::Broken => Message::new(4002, &[]),
            Self::Refused(message) => *message,
        }
    }

    /// Refused with the message `number`.
    pub(super) fn refused(number: i32, arguments: &[&dyn std::fmt::Display]) -> Self {
        Self::Refused(Box::new(Message::new(number, arguments)))
    }
}

/// The bytes not read yet. All numbers are little-endian, as almost everywhere in TDS.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, left where it is.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Misread> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Misread::Broken)?;
        self.rest = rest;
        Ok(taken)
    }

    /// All that is left.
    pub(super) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Misread> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Misread> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Misread> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Misread> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Misread> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// UCS-2 text after its length in characters in one byte (B_VARCHAR).
    pub(super) fn short_text(&mut self) -> Result<String, Misread> {
        let characters = usize::from(self.u8()?);
        Ok(utf16(self.take(2 * characters)?))
    }

    /// UCS-2 text after its length in characters in two bytes (US_VARCHAR).
    pub(super) fn long_text(&mut self) -> Result<String, Misread> {
        let characters = usize::from(self.u16()?);
        Ok(utf16(self.take(2 * characters)?))
    }
}

/// Text of UTF-16 code units; lone surrogates become U+FFFD, an odd byte at the end is left out.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Reads the headers that stand before a request from TDS 7.2 on (ALL_HEADERS). None of them changes anything here: the
/// transaction is the session's, and there are no notifications.
pub(super) fn skip_headers(input: &mut Input) -> Result<(), Misread> {
    let total = usize::try_from(input.u32()?).map_err(|_| Misread::Broken)?;
    let mut headers = Input::new(input.take(total.checked_sub(4).ok_or(Misread::Broken)?)?);
    while !headers.is_empty() {
        let length = usize::try_from(headers.u32()?).map_err(|_| Misread::Broken)?;
        headers.take(length.checked_sub(4).ok_or(Misread::Broken)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Input, Misread, skip_headers, utf16};

    #[test]
    fn what_ends_too_early_is_broken_and_nothing_else() {
        let mut input = Input::new(&[1, 2, 3]);
        assert_eq!(input.u16(), Ok(0x0201));
        assert_eq!(input.u16(), Err(Misread::Broken));
        assert_eq!(input.u8(), Ok(3));
        // Two characters claimed, one there.
        assert_eq!(Input::new(&[2, b'a', 0]).short_text(), Err(Misread::Broken));
    }

    #[test]
    fn headers_are_skipped_and_their_lengths_checked() {
        // [MS-TDS] 2.2.5.3: total 22, one header of 18: type 2, transaction 0, one outstanding request.
        let mut bytes = vec![22, 0, 0, 0, 18, 0, 0, 0, 2, 0];
        bytes.extend([0; 8]);
        bytes.extend([1, 0, 0, 0, b'x']);
        let mut input = Input::new(&bytes);
        assert_eq!(skip_headers(&mut input), Ok(()));
        assert_eq!(input.take_rest(), b"x");
        for broken in [[3, 0, 0, 0], [255, 255, 255, 255]] {
            assert_eq!(skip_headers(&mut Input::new(&broken)), Err(Misread::Broken));
        }
        assert_eq!(
            skip_headers(&mut Input::new(&[8, 0, 0, 0, 0, 0, 0, 0])),
            Err(Misread::Broken),
            "a header of no length would be read for ever"
        );
    }

    #[test]
    fn text_of_surrogates() {
        assert_eq!(utf16(&[0x3D, 0xD8, 0x00, 0xDE, b'a', 0]), "😀a");
        assert_eq!(utf16(&[0x3D, 0xD8, b'a', 0, 9]), "\u{FFFD}a");
    }
}
