//! Pieces of a fixed size out of input that comes in any slicing: without a copy where the piece lies whole inside a slice, else
//! gathered in a buffer that never grows past the size asked for.

/// Collects one piece at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gather {
    buffer: Vec<u8>,
}

/// A piece: borrowed from the input, or gathered.
pub(crate) enum Piece<'a> {
    Borrowed(&'a [u8]),
    Gathered(Vec<u8>),
}

impl std::ops::Deref for Piece<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Gathered(bytes) => bytes,
        }
    }
}

impl Gather {
    /// Takes a piece of `size` bytes off the front of `input`, together with what is waiting here. `None`, with all of `input`
    /// taken, where it is not whole yet.
    pub(crate) fn take<'a>(&mut self, input: &mut &'a [u8], size: usize) -> Option<Piece<'a>> {
        if self.buffer.is_empty() && input.len() >= size {
            let (piece, rest) = input.split_at(size);
            *input = rest;
            return Some(Piece::Borrowed(piece));
        }
        let missing = size.saturating_sub(self.buffer.len()).min(input.len());
        let (head, rest) = input.split_at(missing);
        self.buffer.extend_from_slice(head);
        *input = rest;
        (self.buffer.len() >= size).then(|| Piece::Gathered(std::mem::take(&mut self.buffer)))
    }

    /// Gives a gathered piece's memory back for the next one.
    pub(crate) fn reuse(&mut self, piece: Piece<'_>) {
        if let Piece::Gathered(mut buffer) = piece {
            buffer.clear();
            if self.buffer.is_empty() {
                self.buffer = buffer;
            }
        }
    }

    /// Bytes of a piece that is not whole yet.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Drops what is waiting.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Gather, Piece};

    #[test]
    fn a_whole_piece_is_borrowed_and_a_split_one_gathered() {
        let mut gather = Gather::default();
        let mut input = b"abcdef".as_slice();
        assert!(matches!(
            gather.take(&mut input, 4),
            Some(Piece::Borrowed(b"abcd"))
        ));
        assert!(gather.take(&mut input, 4).is_none());
        assert!(input.is_empty());
        assert_eq!(gather.waiting(), 2);
        let mut input = b"ghijkl".as_slice();
        let piece = gather.take(&mut input, 4).expect("whole now");
        assert_eq!(&*piece, b"efgh");
        assert_eq!(input, b"ijkl");
    }
}
