//! The ids that SQL Server gives its blocks.
//!
//! Seen on its published traffic: Base64 of 15 bytes, `BLOCKID`, five digits that rise from 11112, three zero bytes. No
//! document says so, so what follows the digits may be anything of zeros or nothing, and the text itself is accepted
//! where a service hands ids on undecoded: twelve letters and digits of that form are Base64 as they stand.

use crate::account::Blocks;

const PREFIX: &[u8] = b"BLOCKID";
const DIGITS: usize = 5;

/// Whether any block that is put and not committed has an id of that form. Committed blocks show what wrote the blob once,
/// not who holds it now.
pub(super) fn are_sql_servers(blocks: &Blocks) -> bool {
    let mut ids = blocks.uncommitted.iter().map(|block| &block.id);
    ids.any(|id| is_sql_servers(id.as_bytes()) || is_sql_servers(id.to_base64().as_bytes()))
}

fn is_sql_servers(id: &[u8]) -> bool {
    let Some(number) = id.strip_prefix(PREFIX) else {
        return false;
    };
    let Some((digits, rest)) = number.split_at_checked(DIGITS) else {
        return false;
    };
    digits.iter().all(u8::is_ascii_digit) && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use azblob::block::BlockId;

    use super::are_sql_servers;
    use crate::account::{Block, Blocks};

    fn uncommitted(id: BlockId) -> Blocks {
        Blocks {
            uncommitted: vec![Block { id, size: 65_536 }],
            ..Blocks::default()
        }
    }

    fn of(bytes: &[u8]) -> bool {
        are_sql_servers(&uncommitted(BlockId::from_bytes(bytes).unwrap()))
    }

    #[test]
    fn sql_servers_form_is_known_with_and_without_its_zeros() {
        assert!(of(b"BLOCKID11112\0\0\0"));
        assert!(of(b"BLOCKID00001"));
        // `BLOCKID11112` handed on as text.
        assert!(are_sql_servers(&uncommitted(
            BlockId::from_base64("BLOCKID11112").unwrap()
        )));
    }

    #[test]
    fn others_are_not() {
        for id in [
            b"BLOCKID1111".as_slice(),
            b"BLOCKID",
            b"BLOCKID1111x",
            b"BLOCKID111123",
            b"BLOCKID11112 \0\0",
            b"blockid11112\0\0\0",
            b"xBLOCKID11112",
            b"block-00001",
            &[0; 16],
        ] {
            assert!(!of(id), "{}", id.escape_ascii());
        }
    }

    #[test]
    fn committed_blocks_tell_nothing_of_the_holder() {
        let mut blocks = uncommitted(BlockId::from_bytes(b"BLOCKID11112\0\0\0").unwrap());
        blocks.committed = std::mem::take(&mut blocks.uncommitted);
        assert!(!are_sql_servers(&blocks));
    }
}
