//! The order of streams within a descriptor block, which every real backup keeps:
//! `TAPE(RAID SPAD)  SSET(SPAD)  VOLB(SPAD)  MSCI(MQCI SPAD)  MSDA(APAD MQDA [CSUM] MQDA SPAD)  MSTL([APAD MQTL [CSUM]] SPAD)
//! MSLS(MQCI SPAD)  ESET(OTCP TSMP SPAD)  ESET(SPAD)`.
//!
//! Data and log in several pieces have not been met in a real backup, but are what the format's VARIABLE attribute is for; each piece
//! may have its own padding before it and its own checksum behind it.

use super::block::BlockType;
use super::stream::{CHECKSUMMED, StreamHeader, StreamType, VARIABLE_END};

/// What streams a block has had so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StreamOrder {
    last: Option<StreamType>,
    /// The payload before announced a checksum that has not come yet.
    checksum_due: bool,
    /// The closing piece of the data has come.
    closed: bool,
    /// A stream of an unknown type has come: what may follow it is not known either.
    unknown: bool,
}

impl StreamOrder {
    /// Takes note of a stream; the error is a sentence about why it does not belong here.
    pub(crate) fn take(&mut self, block: BlockType, stream: &StreamHeader) -> Result<(), String> {
        self.unknown |= matches!(stream.stream_type, StreamType::Unknown(_));
        if self.unknown {
            return Ok(());
        }
        let is_checksum = stream.stream_type == StreamType::Checksum;
        let verdict = if self.checksum_due != is_checksum {
            if is_checksum {
                Err("a stream checksum that the stream before it does not announce".to_owned())
            } else {
                Err(format!("the stream checksum is missing before {}", stream.name()))
            }
        } else if !allowed(block, self.last, stream.stream_type) {
            Err(format!(
                "the stream {} does not belong here in {}",
                stream.name(),
                block.name()
            ))
        } else if block == BlockType::Data && stream.stream_type == StreamType::Pad && !self.closed {
            Err("the data stream is not closed".to_owned())
        } else if self.closed && stream.stream_type == StreamType::Data {
            Err("the data stream goes on behind its closing piece".to_owned())
        } else {
            Ok(())
        };
        let is_data = stream.stream_type == StreamType::Data;
        self.closed |= is_data && stream.media_attributes & VARIABLE_END != 0;
        let is_payload = is_data || stream.stream_type == StreamType::Log;
        self.checksum_due = is_payload && stream.media_attributes & CHECKSUMMED != 0;
        self.last = Some(stream.stream_type);
        verdict
    }
}

fn allowed(block: BlockType, last: Option<StreamType>, this: StreamType) -> bool {
    use StreamType::{AlignPad, Catalog, Checksum, Config, Data, Log, Pad, Raid, SetMap};
    match block {
        BlockType::Tape => matches!((last, this), (None, Raid) | (Some(Raid), Pad)),
        BlockType::SetStart | BlockType::Volume => matches!((last, this), (None, Pad)),
        BlockType::Config | BlockType::Commit => matches!((last, this), (None, Config) | (Some(Config), Pad)),
        BlockType::Data => matches!(
            (last, this),
            (None, AlignPad)
                | (Some(AlignPad), Data)
                | (Some(Data | Checksum), Data | Checksum | AlignPad | Pad)
        ),
        BlockType::Log => matches!(
            (last, this),
            (None, AlignPad | Pad)
                | (Some(AlignPad), Log)
                | (Some(Log | Checksum), Log | Checksum | AlignPad | Pad)
        ),
        BlockType::SetEnd => {
            matches!(
                (last, this),
                (None, Catalog | Pad) | (Some(Catalog), SetMap) | (Some(SetMap), Pad)
            )
        }
        BlockType::Filemark => false,
        BlockType::Unknown(_) => true,
    }
}
