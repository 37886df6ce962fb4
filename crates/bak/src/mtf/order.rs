//! The order of descriptor blocks in a file, which every real backup keeps:
//! `TAPE SFMB { SSET VOLB MSCI MSDA* MSTL* MSLS SFMB ESET ESET SFMB }+`.
//!
//! MSLS is the commit record; a file that ends inside the braces is truncated.

use super::block::BlockType;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// TAPE.
    Start,
    /// The SFMB after TAPE.
    MediaMark,
    /// The SSET of the first set.
    FirstSet,
    /// VOLB.
    Volume,
    /// More volumes, or MSCI.
    VolumeOrConfig,
    /// Pages, log, or the commit record.
    DataOrLog,
    /// Log or the commit record.
    Log,
    /// The SFMB after the commit record.
    CommitMark,
    /// The first ESET.
    SetEnd,
    /// The second ESET.
    SetEndAgain,
    /// The SFMB that ends the set.
    SetMark,
    /// A further set or the end of the file.
    NextSetOrEnd,
}

impl Place {
    /// Where the walk is after a block of `block_type`; `None` where that block does not belong here.
    pub(crate) fn after(self, block_type: BlockType) -> Option<Self> {
        match (self, block_type) {
            (Self::Start, BlockType::Tape) => Some(Self::MediaMark),
            (Self::MediaMark, BlockType::Filemark) => Some(Self::FirstSet),
            (Self::FirstSet | Self::NextSetOrEnd, BlockType::SetStart) => Some(Self::Volume),
            (Self::Volume | Self::VolumeOrConfig, BlockType::Volume) => Some(Self::VolumeOrConfig),
            (Self::VolumeOrConfig, BlockType::Config) | (Self::DataOrLog, BlockType::Data) => {
                Some(Self::DataOrLog)
            }
            (Self::DataOrLog | Self::Log, BlockType::Log) => Some(Self::Log),
            (Self::DataOrLog | Self::Log, BlockType::Commit) => Some(Self::CommitMark),
            (Self::CommitMark, BlockType::Filemark) => Some(Self::SetEnd),
            (Self::SetEnd, BlockType::SetEnd) => Some(Self::SetEndAgain),
            (Self::SetEndAgain, BlockType::SetEnd) => Some(Self::SetMark),
            (Self::SetMark, BlockType::Filemark) => Some(Self::NextSetOrEnd),
            _ => None,
        }
    }

    /// What belongs here, for people.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Start => "TAPE",
            Self::MediaMark | Self::CommitMark | Self::SetMark => "SFMB",
            Self::FirstSet => "SSET",
            Self::Volume => "VOLB",
            Self::VolumeOrConfig => "VOLB or MSCI",
            Self::DataOrLog => "MSDA, MSTL or MSLS",
            Self::Log => "MSTL or MSLS",
            Self::SetEnd | Self::SetEndAgain => "ESET",
            Self::NextSetOrEnd => "SSET or the end of the file",
        }
    }

    /// Whether the blocks from SSET on belong to a set here: their addresses count from it.
    pub(crate) fn is_addressed(self) -> bool {
        matches!(
            self,
            Self::Volume | Self::VolumeOrConfig | Self::DataOrLog | Self::Log
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{BlockType, Place};

    #[test]
    fn the_order_of_a_real_backup_is_accepted() {
        let blocks = [
            BlockType::Tape,
            BlockType::Filemark,
            BlockType::SetStart,
            BlockType::Volume,
            BlockType::Config,
            BlockType::Data,
            BlockType::Data,
            BlockType::Log,
            BlockType::Log,
            BlockType::Commit,
            BlockType::Filemark,
            BlockType::SetEnd,
            BlockType::SetEnd,
            BlockType::Filemark,
        ];
        let mut place = Place::Start;
        for block in blocks {
            place = place
                .after(block)
                .unwrap_or_else(|| panic!("{block:?} refused, expected {}", place.expected()));
        }
        assert_eq!(place, Place::NextSetOrEnd);
        assert_eq!(place.after(BlockType::SetStart), Some(Place::Volume));
        assert_eq!(place.after(BlockType::Tape), None);
        assert_eq!(Place::Log.after(BlockType::Data), None);
    }
}
