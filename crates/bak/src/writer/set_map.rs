//! TSMP, the map of the sets of a media family that the first ESET of each set carries: one entry for every set so far. No
//! reader needs it; it is written because real files have it.
//!
//! Layout read from real files: a header (u32 family id, u32 number of sets), then an entry for each set with its texts, and
//! behind each set an entry for each of its volumes.

use super::block::{tape_address, utf16};
use crate::LocalTime;

/// Bytes of a set's entry before its texts.
const SET_ENTRY: usize = 92;
/// Bytes of a volume's entry before its texts.
const VOLUME_ENTRY: usize = 62;

/// What the map tells about a set.
pub(super) struct MappedSet<'a> {
    pub(super) number: u16,
    pub(super) attributes: u32,
    /// Offset of SSET in the file.
    pub(super) offset: u64,
    /// Bytes from SSET to the soft filemark behind MSLS.
    pub(super) size: u64,
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) user: &'a str,
    pub(super) machine: &'a str,
    pub(super) device: &'a str,
    pub(super) date: LocalTime,
    pub(super) time_zone: i8,
}

/// The content of TSMP from the entries so far.
pub(super) fn content(family_id: u32, sets: u32, entries: &[u8]) -> Vec<u8> {
    [&family_id.to_le_bytes()[..], &sets.to_le_bytes(), entries].concat()
}

/// The entries of a set and of its volume.
pub(super) fn entries(set: &MappedSet<'_>) -> Vec<u8> {
    let mut entry = vec![0; SET_ENTRY];
    entry[2] = 1;
    put(&mut entry, 8, &set.attributes.to_le_bytes());
    put(&mut entry, 12, &set.offset.to_le_bytes());
    put(&mut entry, 30, &set.number.to_le_bytes());
    put(&mut entry, 52, &set.size.to_le_bytes());
    put(&mut entry, 60, &1u32.to_le_bytes());
    append_text(&mut entry, 64, set.name);
    append_text(&mut entry, 68, set.description);
    append_text(&mut entry, 76, set.user);
    put(&mut entry, 80, &set.date.to_bytes());
    entry[85] = set.time_zone.to_le_bytes()[0];
    put(&mut entry, 86, &[14, 1, 2, 0, 2, 0]);
    seal(&mut entry);
    entry.extend(volume_entry(set));
    entry
}

fn volume_entry(set: &MappedSet<'_>) -> Vec<u8> {
    let mut entry = vec![0; VOLUME_ENTRY];
    put(&mut entry, 2, b"VOLB");
    entry[6] = 1;
    entry[12] = 1;
    put(&mut entry, 32, &[14, 1, 2, 0, 2, 0]);
    append_text(&mut entry, 40, set.device);
    append_text(&mut entry, 48, set.machine);
    put(&mut entry, 56, &set.date.to_bytes());
    seal(&mut entry);
    entry
}

fn put(entry: &mut [u8], at: usize, bytes: &[u8]) {
    entry[at..at + bytes.len()].copy_from_slice(bytes);
}

fn append_text(entry: &mut Vec<u8>, at: usize, text: &str) {
    if !text.is_empty() {
        let text = utf16(text);
        let address = tape_address(text.len(), entry.len());
        put(entry, at, &address);
        entry.extend_from_slice(&text);
    }
}

/// An entry starts with its own length.
fn seal(entry: &mut [u8]) {
    let length = u16::try_from(entry.len()).expect("texts of a set stay within 64 KiB");
    put(entry, 0, &length.to_le_bytes());
}
