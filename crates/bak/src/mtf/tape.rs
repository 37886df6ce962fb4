//! TAPE, the media header, and its RAID stream, which names the media set and this file's family of it.
//!
//! | TAPE | field | | RAID | field |
//! |---|---|---|---|---|
//! | 52..56 | media family id | | 0..16 | media set GUID |
//! | 64..66 | soft filemark block size / 512 | | 16..20 | 0xF00000AD |
//! | 68, 72 | tape addresses of the media's name and description | | | |
//! | 80..84 | tape address of the software's name | | 20..22 | families (stripes) |
//! | 84..86 | format logical block size, 1024 | | 22..24 | 1 (mirrors, not proved) |
//! | 86..88 | vendor, 0x1200 | | 24..26 | this family's number |
//! | 88..93 | date | | 26..32 | 0, 0, 1 |

use uuid::Uuid;

use super::block::Block;
use super::oddity::bits_apart;
use crate::bytes::{guid_at, time_at, u16_at, u32_at};
use crate::local_time::LocalTime;

/// Where the text of TAPE begins: behind the format's major version at 93.
const TEXT: usize = 94;
const ADDRESSES: [usize; 4] = [68, 72, 76, 80];
/// The software's name with the two zeros that end it: the only text of the format that is ended so.
const SOFTWARE_NAME: &str = "Microsoft SQL Server\0\0";

/// What TAPE says.
#[derive(Debug, Clone)]
pub(crate) struct Tape {
    /// Media family id, repeated at the start of every set map.
    pub(crate) family_id: u32,
    /// Soft filemark size in bytes: the physical block size.
    pub(crate) filemark_size: u32,
    pub(crate) software_name: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) date: Option<LocalTime>,
    pub(crate) vendor: u16,
    pub(crate) format_version: u8,
}

impl Tape {
    /// Reads TAPE; the error is a sentence about what cannot be.
    pub(crate) fn parse(block: &Block) -> Result<Self, &'static str> {
        let bytes = &block.bytes;
        if bytes.len() < TEXT {
            return Err("the media header is too short");
        }
        if !block.gaps_are_zero(TEXT, &ADDRESSES) {
            return Err("padding in the media header is not zero");
        }
        let software_name = block
            .text(80)
            .ok_or("the software's name lies outside of the media header")?;
        Ok(Self {
            family_id: u32_at(bytes, 52),
            filemark_size: u32::from(u16_at(bytes, 64)) * 512,
            software_name,
            name: block.text(68).unwrap_or_default(),
            description: block.text(72).unwrap_or_default(),
            date: time_at(bytes, 88),
            vendor: u16_at(bytes, 86),
            format_version: bytes[93],
        })
    }
}

/// Bits in which the fields that are alike in all 82 real files differ from them.
pub(crate) fn bits_apart_from_known(bytes: &[u8]) -> u64 {
    // Attributes 5, sequence 1; catalog type 3; format logical block size 1024, vendor 0x1200; major version 1.
    let known: [(usize, &[u8]); 4] = [
        (56, &[5, 0, 0, 0, 1, 0]),
        (66, &[3, 0]),
        (84, &[0, 4, 0, 0x12]),
        (93, &[1]),
    ];
    let name: Vec<u8> = SOFTWARE_NAME.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let name_at = usize::from(u16_at(bytes, 82));
    let in_fixed = known
        .iter()
        .map(|(at, expected)| bits_apart(bytes.get(*at..*at + expected.len()).unwrap_or(&[]), expected))
        .sum::<u64>();
    in_fixed + bits_apart(bytes.get(name_at..name_at + name.len()).unwrap_or(&[]), &name)
}

/// Bytes of the RAID stream.
pub(crate) const RAID: u64 = 32;

/// What RAID says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) media_set_id: Uuid,
    pub(crate) count: u16,
    pub(crate) number: u16,
}

impl Family {
    /// Reads RAID; the error is a sentence about what cannot be.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let family = Self {
            media_set_id: guid_at(bytes, 0),
            count: u16_at(bytes, 20),
            number: u16_at(bytes, 24),
        };
        if u32_at(bytes, 16) != 0xf000_00ad {
            return Err("the media family's tag is not the one SQL Server writes");
        }
        if family.count == 0 || family.number == 0 || family.number > family.count {
            return Err("the media family's number is not one of its media set");
        }
        Ok(family)
    }

    /// Bits in which the fields whose meaning is not proved differ from every real file (a mirror, perhaps).
    pub(crate) fn bits_apart_from_known(bytes: &[u8]) -> u64 {
        let known: [(usize, &[u8]); 2] = [(22, &[1, 0]), (26, &[0, 0, 0, 0, 1, 0])];
        known
            .iter()
            .map(|(at, expected)| bits_apart(bytes.get(*at..*at + expected.len()).unwrap_or(&[]), expected))
            .sum()
    }
}
