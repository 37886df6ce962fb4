//! SSET, VOLB and ESET, the blocks of the tape format that begin and end a backup set.
//!
//! | SSET | | VOLB | | ESET | |
//! |---|---|---|---|---|---|
//! | 52..56 | attributes: 4 full and log, 8 differential | 56..60 | device | 52..56 | attributes of its SSET |
//! | 62..64 | set number | 60..64 | volume label | 60..68 | 0; in the second one, offset of the first |
//! | 64, 68, 76 | tape addresses of name, description, user | 64..68 | machine | 78..80 | set number |
//! | 80..88 | its own byte offset | 68..73 | date | 80..85 | date |
//! | 88..93 | date | | | | |
//! | 93, 94 | software version major, minor | | | | |
//! | 95 | time zone in quarters of an hour, signed; 127 none | | | | |
//! | 44..48 | tape address of 21 bytes: BackupSetGUID, date | | | | |
//!
//! The date of all three is the same one in every real set, as are the attributes of SSET and ESET.

use uuid::Uuid;

use super::block::{Block, FORMAT_BLOCK};
use super::oddity::{bits_apart, bits_set};
use crate::bytes::{array, guid_at, time_at, u16_at, u32_at, u64_at};
use crate::local_time::LocalTime;

const SSET_TEXT: usize = 98;
const SSET_ADDRESSES: [usize; 5] = [44, 64, 68, 72, 76];
const GUID_AND_DATE: usize = 21;
const VOLB_TEXT: usize = 73;
const VOLB_ADDRESSES: [usize; 3] = [56, 60, 64];
const ESET: usize = 88;
/// The time zone that means none (MTF 1.00a).
const NO_TIME_ZONE: i8 = 127;

/// What SSET says.
#[derive(Debug, Clone)]
pub(crate) struct SetStart {
    pub(crate) offset: u64,
    pub(crate) attributes: u32,
    pub(crate) number: u16,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) user: String,
    /// Five bytes of packed date, repeated in VOLB and ESET.
    pub(crate) date: [u8; 5],
    pub(crate) software_major: u8,
    pub(crate) software_minor: u8,
    pub(crate) time_zone_offset_minutes: Option<i16>,
    pub(crate) backup_set_guid: Uuid,
    pub(crate) vendor: u16,
    /// The date behind the GUID: when the set expires, by its place (zero in all real sets, none of which expires).
    pub(crate) expiration: Option<LocalTime>,
}

impl SetStart {
    /// Reads SSET; the error is a sentence about what cannot be.
    ///
    /// `after_filemark` is where the block stands in a compressed file. No real one with a second set is known, so that either
    /// offset is taken for its address.
    pub(crate) fn parse(block: &Block, after_filemark: Option<u64>) -> Result<Self, &'static str> {
        let bytes = &block.bytes;
        if bytes.len() < SSET_TEXT {
            return Err("the set header is too short");
        }
        if u64_at(bytes, 80) != block.offset && Some(u64_at(bytes, 80)) != after_filemark {
            return Err("the set header's own address is not where it stands");
        }
        if !block.gaps_are_zero(SSET_TEXT, &SSET_ADDRESSES) {
            return Err("padding in the set header is not zero");
        }
        let identity = block.addressed(44).filter(|bytes| bytes.len() == GUID_AND_DATE);
        let identity = identity.ok_or("the set header holds no backup set GUID")?;
        let zone = i8::from_le_bytes(array(bytes, 95));
        let outside = "a text lies outside of the set header";
        Ok(Self {
            offset: block.offset,
            attributes: u32_at(bytes, 52),
            number: u16_at(bytes, 62),
            name: block.text(64).ok_or(outside)?,
            description: block.text(68).ok_or(outside)?,
            user: block.text(76).ok_or(outside)?,
            date: array(bytes, 88),
            software_major: bytes[93],
            software_minor: bytes[94],
            time_zone_offset_minutes: (zone != NO_TIME_ZONE).then(|| i16::from(zone) * 15),
            backup_set_guid: guid_at(identity, 0),
            vendor: u16_at(bytes, 60),
            expiration: time_at(identity, 16),
        })
    }
}

/// Bits in which the fields of SSET that are alike in all 84 real sets differ from them.
pub(crate) fn bits_apart_from_known(bytes: &[u8]) -> u64 {
    // Attributes beyond the set's kind 0, password and compression 0, vendor 0x1200; minor version 0, catalogue version 2.
    // No password; the five bytes behind the GUID, a date perhaps, zero.
    let date = usize::from(u16_at(bytes, 46)) + 16;
    let known: [(usize, &[u8]); 4] = [
        (53, &[0, 0, 0, 0, 0, 0, 0, 0, 0x12]),
        (72, &[0; 4]),
        (96, &[0, 2]),
        (date, &[0; 5]),
    ];
    known
        .iter()
        .map(|(at, expected)| bits_apart(bytes.get(*at..*at + expected.len()).unwrap_or(&[]), expected))
        .sum()
}

/// Bits in which the attributes of VOLB differ from all real ones.
pub(crate) fn volume_bits_apart_from_known(bytes: &[u8]) -> u64 {
    bits_apart(bytes.get(52..56).unwrap_or(&[]), &[2, 0, 0, 0])
}

/// Reads VOLB: the machine's name and the date. The error is a sentence about what cannot be.
pub(crate) fn volume(block: &Block) -> Result<(String, [u8; 5]), &'static str> {
    if block.bytes.len() < VOLB_TEXT {
        return Err("the volume header is too short");
    }
    if !block.gaps_are_zero(VOLB_TEXT, &VOLB_ADDRESSES) {
        return Err("padding in the volume header is not zero");
    }
    let machine = block.text(64).ok_or("a text lies outside of the volume header")?;
    Ok((machine, array(&block.bytes, 68)))
}

/// Bits that are set in the reserved fields of ESET, which are zero in all real sets.
pub(crate) fn reserved_bits_of_set_end(bytes: &[u8]) -> u64 {
    let reserved = [56..60, 68..78, 85..88];
    reserved
        .into_iter()
        .map(|range| bits_set(bytes.get(range).unwrap_or(&[])))
        .sum()
}

/// Compares ESET with the set it ends. `first` is where the first ESET of the pair stands, for the second one. The error is a
/// sentence about what does not agree.
pub(crate) fn check_set_end(block: &Block, start: &SetStart, first: Option<u64>) -> Result<(), &'static str> {
    let bytes = &block.bytes;
    if bytes.len() != ESET {
        return Err("the end of the set has another length than SQL Server writes");
    }
    if u32_at(bytes, 52) != start.attributes {
        return Err("the attributes at the end of the set are not those at its start");
    }
    if u16_at(bytes, 78) != start.number {
        return Err("the set number at the end of the set is not the one at its start");
    }
    if array::<5>(bytes, 80) != start.date {
        return Err("the date at the end of the set is not the one at its start");
    }
    // SQL Server 2005 names the format logical block behind the first copy.
    let behind = if start.software_major < 10 {
        FORMAT_BLOCK
    } else {
        0
    };
    if u64_at(bytes, 60) != first.map_or(0, |first| first + behind) {
        return Err("the end of the set names another address of its first copy");
    }
    Ok(())
}
