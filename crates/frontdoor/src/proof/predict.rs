//! Which block comes next, guessed from the block ids while a blob is being uploaded.
//!
//! Put Block carries no offset; the order becomes known only with Put Block List. SQL Server names its blocks by a fixed
//! prefix and a rising number (`BLOCKIDnnnnn`, established from its published traffic) and sends them over several
//! connections, so they arrive almost in order. The predictor turns arrivals into the order that the ids promise: the
//! block whose bytes open a backup is the first, and from there the number rises by one.
//!
//! Pure: no bytes, clock, lock or thread in here. The guess is only a guess; whoever uses it compares the order with
//! the block list at each commit and throws the work away when they differ.

use std::collections::HashMap;

/// A decoded block id that ends in decimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbered {
    prefix: Vec<u8>,
    /// Number of digits, leading zeros included; all ids of a blob have one length.
    digits: usize,
    number: u128,
}

impl Numbered {
    /// Splits an id before its last run of digits. `None` when it ends in none or in more than 38 (what `u128` holds).
    fn parse(id: &[u8]) -> Option<Self> {
        let digits = id.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > 38 {
            return None;
        }
        let (prefix, tail) = id.split_at(id.len() - digits);
        let number = tail.iter().fold(0u128, |n, b| n * 10 + u128::from(b - b'0'));
        Some(Numbered {
            prefix: prefix.to_vec(),
            digits,
            number,
        })
    }

    /// The id that follows, or `None` when the number would outgrow its digits.
    fn successor(&self) -> Option<Vec<u8>> {
        let text = format!("{:0width$}", self.number.checked_add(1)?, width = self.digits);
        if text.len() != self.digits {
            return None;
        }
        let mut id = self.prefix.clone();
        id.extend_from_slice(text.as_bytes());
        Some(id)
    }
}

/// What became of an arrival.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival<T> {
    /// These blocks, in this order, continue the sequence.
    Ready(Vec<(Vec<u8>, T)>),
    /// The block waits for the ones before it. `replaced` is an earlier block of the same id that nobody needs now.
    Waits {
        /// The block that this one takes the place of.
        replaced: Option<T>,
    },
    /// The id was already handed out as ready: the bytes that were used are no longer the blob's.
    SentAgain,
}

/// The order of one blob's blocks, as far as it can be told.
#[derive(Debug)]
pub(crate) struct Predictor<T> {
    started: bool,
    next: Option<Vec<u8>>,
    used: HashMap<Vec<u8>, ()>,
    waiting: HashMap<Vec<u8>, T>,
}

impl<T> Predictor<T> {
    /// Nothing arrived yet; the first block is still to be found.
    pub(crate) fn new() -> Self {
        Predictor {
            started: false,
            next: None,
            used: HashMap::new(),
            waiting: HashMap::new(),
        }
    }

    /// A blob whose committed blocks are `committed` in this order: the next block follows the last of them.
    pub(crate) fn after<'a>(committed: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let used: Vec<Vec<u8>> = committed.into_iter().map(<[u8]>::to_vec).collect();
        let next = used
            .last()
            .and_then(|id| Numbered::parse(id))
            .and_then(|n| n.successor());
        Predictor {
            started: !used.is_empty(),
            next,
            used: used.into_iter().map(|id| (id, ())).collect(),
            waiting: HashMap::new(),
        }
    }

    /// Takes an arrived block. `opens` says that its first bytes are those of a backup.
    pub(crate) fn arrived(&mut self, id: &[u8], block: T, opens: bool) -> Arrival<T> {
        if self.used.contains_key(id) {
            return Arrival::SentAgain;
        }
        let first = opens && !self.started;
        if !first && self.next.as_deref() != Some(id) {
            return Arrival::Waits {
                replaced: self.waiting.insert(id.to_vec(), block),
            };
        }
        self.started = true;
        self.waiting.remove(id);
        let mut ready = Vec::new();
        self.take(id.to_vec(), block, &mut ready);
        while let Some((id, block)) = self
            .next
            .as_ref()
            .and_then(|next| self.waiting.remove_entry(next))
        {
            self.take(id, block, &mut ready);
        }
        Arrival::Ready(ready)
    }

    fn take(&mut self, id: Vec<u8>, block: T, ready: &mut Vec<(Vec<u8>, T)>) {
        self.next = Numbered::parse(&id).and_then(|n| n.successor());
        self.used.insert(id.clone(), ());
        ready.push((id, block));
    }

    /// Whether the first block has been found.
    pub(crate) fn started(&self) -> bool {
        self.started
    }

    /// Takes the blocks that wait, in no particular order; a commit that names them knows their places.
    pub(crate) fn take_waiting(&mut self) -> HashMap<Vec<u8>, T> {
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(arrival: Arrival<u32>) -> Vec<u32> {
        match arrival {
            Arrival::Ready(blocks) => blocks.into_iter().map(|(_, n)| n).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn blocks_in_order_are_ready_at_once() {
        let mut p = Predictor::new();
        assert_eq!(ids(p.arrived(b"BLOCKID00001", 1, true)), [1]);
        assert_eq!(ids(p.arrived(b"BLOCKID00002", 2, false)), [2]);
        assert_eq!(ids(p.arrived(b"BLOCKID00003", 3, false)), [3]);
    }

    #[test]
    fn several_connections_overtake_each_other() {
        let mut p = Predictor::new();
        assert_eq!(
            p.arrived(b"BLOCKID00011", 11, false),
            Arrival::Waits { replaced: None }
        );
        assert_eq!(
            p.arrived(b"BLOCKID00010", 10, false),
            Arrival::Waits { replaced: None }
        );
        assert_eq!(ids(p.arrived(b"BLOCKID00009", 9, true)), [9, 10, 11]);
        assert_eq!(
            p.arrived(b"BLOCKID00013", 13, false),
            Arrival::Waits { replaced: None }
        );
        assert_eq!(ids(p.arrived(b"BLOCKID00012", 12, false)), [12, 13]);
    }

    #[test]
    fn an_id_sent_again_before_it_was_used_replaces_the_block() {
        let mut p = Predictor::new();
        p.arrived(b"b3", 3, false);
        assert_eq!(p.arrived(b"b3", 33, false), Arrival::Waits { replaced: Some(3) });
        assert_eq!(ids(p.arrived(b"b2", 2, true)), [2, 33]);
    }

    #[test]
    fn an_id_sent_again_after_it_was_used_is_told() {
        let mut p = Predictor::new();
        p.arrived(b"b2", 2, true);
        assert_eq!(p.arrived(b"b2", 22, true), Arrival::SentAgain);
    }

    #[test]
    fn a_second_block_that_looks_like_a_start_is_not_one() {
        let mut p = Predictor::new();
        p.arrived(b"b01", 1, true);
        assert_eq!(p.arrived(b"b05", 5, true), Arrival::Waits { replaced: None });
        assert_eq!(ids(p.arrived(b"b02", 2, true)), [2]);
    }

    #[test]
    fn ids_without_a_number_never_continue() {
        let mut p = Predictor::new();
        assert_eq!(ids(p.arrived(b"alpha", 1, true)), [1]);
        assert_eq!(p.arrived(b"beta", 2, false), Arrival::Waits { replaced: None });
        assert_eq!(p.take_waiting().len(), 1);
    }

    #[test]
    fn the_number_keeps_its_length() {
        let mut p = Predictor::new();
        p.arrived(b"b99", 1, true);
        assert_eq!(
            p.arrived(b"b100", 2, false),
            Arrival::Waits { replaced: None },
            "ids of a blob have one length"
        );
        let mut long = vec![b'9'; 39];
        assert_eq!(Numbered::parse(&long), None);
        long[0] = b'x';
        assert!(Numbered::parse(&long).is_some());
    }

    #[test]
    fn after_a_commit_the_next_number_follows_the_last_block() {
        let mut p = Predictor::after([&b"b1"[..], &b"b2"[..]]);
        assert_eq!(p.arrived(b"b1", 1, true), Arrival::SentAgain);
        assert_eq!(ids(p.arrived(b"b3", 3, false)), [3]);
        let mut empty = Predictor::after([]);
        assert!(!empty.started());
        assert_eq!(
            ids(empty.arrived(b"b7", 7, true)),
            [7],
            "an empty first commit has no last block"
        );
    }
}
