//! Whether a block is the first of a backup: told from its first bytes while they pass by.

use bak::{FileKind, sniff};

/// A backup shows itself in its first eight bytes.
const ENOUGH: usize = 8;

/// The first bytes of a block.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    bytes: [u8; ENOUGH],
    filled: usize,
}

impl Opening {
    /// Takes the next bytes of the block; all but the first few are ignored.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(ENOUGH - self.filled);
        self.bytes[self.filled..self.filled + n].copy_from_slice(&bytes[..n]);
        self.filled += n;
    }

    /// Whether they are those of a backup.
    pub(crate) fn is_backup(&self) -> bool {
        matches!(
            sniff(&self.bytes[..self.filled], false),
            Some(FileKind::Backup(_))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_in_any_slicing() {
        for step in 1..12 {
            let mut opening = Opening::default();
            b"MSSQLBAK\x02\0and so on"
                .chunks(step)
                .for_each(|part| opening.push(part));
            assert!(opening.is_backup());
        }
        let mut other = Opening::default();
        other.push(b"TAP");
        assert!(!other.is_backup());
        other.push(b"E");
        assert!(other.is_backup());
        assert!(!Opening::default().is_backup());
    }
}
